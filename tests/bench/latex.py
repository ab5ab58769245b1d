"""Papers: LaTeX through the reader, beside taking comments out with one regular expression, which expands nothing."""

import functools
import gzip
import io
import re
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filters.latex import Included, LatexSettings, Resolve, clean_paper
from tests.bench.inputs import Inputs
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_GOAL = 5  # MB/s
_MAIN = {
    "eprints-original/1911.02782.gz": "main.tex",
    "eprints-repacked/hott-book.tar.gz": "hott-online.tex",
    "eprints-repacked/latex-paper.tar.gz": "paper.tex",
    "eprints-repacked/ophiuchus.tar.gz": "ms.tex",
    "eprints-repacked/sympy-paper.tar.gz": "paper.tex",
}
_COMMENT = re.compile(r"(?<!\\)%.*")
_SETTINGS = LatexSettings()

Papers = Sequence[tuple[str, Mapping[str, str], str]]


def clean(inputs: Inputs) -> Iterator[Result]:
    """Real e-prints cleaned, their megabytes counted over the files that each reads; and the slowest of them."""
    papers = list(_papers(Path(inputs.data or "") / "arxiv"))
    if not papers:
        return
    megabytes = sum(map(_megabytes, papers))
    pair = compare(functools.partial(_clean, papers), functools.partial(_strip, papers), runs=3)
    slowest, rate = min(((paper[0], _rate(paper)) for paper in papers), key=lambda one: one[1])
    value = megabytes / pair.ours.seconds
    detail = f"{len(papers)} papers, {megabytes:.1f} MB; slowest {slowest}, {rate:.1f} MB/s"
    goal = {"goal": f">= {_GOAL} MB/s", "met": value >= _GOAL}
    yield speed("arxiv.latex", megabytes, pair, against="comments out by one pattern", detail=detail, **goal)


def _papers(folder: Path) -> Iterator[tuple[str, Mapping[str, str], str]]:
    for name, main in _MAIN.items():
        if (folder / name).is_file():
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress((folder / name).read_bytes()))) as archive:
                files = {
                    member.name.removeprefix("./"): archive.extractfile(member).read().decode("utf-8", "replace")
                    for member in archive
                    if member.isfile() and member.name.endswith((".tex", ".bbl"))
                }
            yield name, files, main


def _resolver(files: Mapping[str, str], read: list[str]) -> Resolve:
    def resolve(command: str, name: str, asking: str) -> Included | None:
        if command == "usepackage":
            return None
        found = next((path for path in (name, f"{name}.tex") if path in files), None)
        if found is None:
            return None
        read.append(files[found])
        return Included(found, files[found])

    return resolve


def _read(paper: tuple[str, Mapping[str, str], str]) -> list[str]:
    _, files, main = paper
    read = [files[main]]
    clean_paper(Included(main, files[main]), _resolver(files, read), _SETTINGS)
    return read


def _megabytes(paper: tuple[str, Mapping[str, str], str]) -> float:
    return sum(map(len, _read(paper))) / 1e6


def _rate(paper: tuple[str, Mapping[str, str], str]) -> float:
    start = time.process_time()
    megabytes = _megabytes(paper)
    return megabytes / (time.process_time() - start)


def _clean(papers: Papers) -> list[list[str]]:
    return [_read(paper) for paper in papers]


def _strip(papers: Papers) -> list[str]:
    return [_COMMENT.sub("", text) for _, files, _ in papers for text in files.values()]
