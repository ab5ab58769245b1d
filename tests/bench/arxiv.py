"""arXiv: bulk tars into papers, beside bare ``tarfile`` and ``gzip``; and the source through the command line."""

import functools
import gzip
import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from filters.latex import LatexSettings, Paper, clean_paper
from filters.latex_leftovers import find_leftovers
from pipeline.arxiv_settings import ArxivLimits
from pipeline.document import Document, Shard
from pipeline.sources.arxiv_files import read_bulk
from pipeline.sources.arxiv_papers import unpack
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare, measure
from tests.bench.whole import scale_config

_BUNDLED = Path(__file__).parent.parent / "corpus" / "arxiv" / "src"
_LIMITS = ArxivLimits()
_SETTINGS = LatexSettings(max_expansions=100_000)  # one of the bundled papers doubles itself
_BATCH_BYTES = 4 << 20
_TARS = 16


def read_papers(inputs: Inputs) -> Iterator[Result]:
    """A bulk tar of real e-prints: read, main files found and decoded, cleaned and searched for leftovers."""
    data = _bulk(_eprints(inputs), copies=1)
    papers = _read(data)
    megabytes = text_megabytes([paper.text for paper in papers])
    pair = compare(functools.partial(_read_and_clean, data), functools.partial(_read_bare, data))
    reading = measure(functools.partial(_read, data)).cpu_seconds
    slowest = max((_clean_timed(paper), paper) for paper in papers if len(paper.text) > 0)
    detail = (
        f"{len(papers)} papers, {megabytes:.1f} MB of TeX in {len(data) / 1e6:.1f} MB of tar; reading takes "
        f"{100 * reading / pair.ours.cpu_seconds:.0f} %; the slowest paper, {len(slowest[1].text) / 1e6:.2f} MB, "
        f"{slowest[0]:.2f} s of CPU time"
    )
    yield speed("arxiv.papers", megabytes, pair, against="bare tarfile and gzip, nothing cleaned", detail=detail)


def scale(inputs: Inputs) -> Iterator[Result]:
    """Bulk tars of the real e-prints over and over, each under an id of its own."""
    eprints = _eprints(inputs)
    size = text_megabytes([paper.text for paper in _read(_bulk(eprints, copies=1))])
    wanted = 20 if inputs.quick else 80
    copies = max(1, round(wanted / size / _TARS))
    folder = Path(inputs.folder, "bulk")
    folder.mkdir(exist_ok=True)
    for tar in range(_TARS):
        (folder / f"arXiv_src_2401_{tar:03}.tar").write_bytes(_bulk(eprints, copies, first=tar * copies))
    source = {"dumps": [{"id": "2024-01", "paths": [str(folder)]}]}
    config = {"batch_bytes": _BATCH_BYTES, "sources": {"arxiv": source}, "tokenizer": None, "tokens": None}
    yield scale_config(inputs, "arxiv.scaling", config, size * copies * _TARS)


def _eprints(inputs: Inputs) -> list[bytes]:
    """Give the members of the real bulk tar, or of the bundled ones, that are e-prints."""
    tars = sorted(Path(inputs.data, "arxiv", "bulk").glob("*.tar")) if inputs.data else []
    found = []
    for path in tars or sorted(_BUNDLED.glob("*_001.tar")):
        with tarfile.open(path) as archive:
            members = [member for member in archive if member.isfile() and member.name.endswith(".gz")]
            found += [content.read() for member in members if (content := archive.extractfile(member)) is not None]
    return found


def _bulk(eprints: Sequence[bytes], copies: int, first: int = 0) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for copy in range(first, first + copies):
            for number, content in enumerate(eprints):
                member = tarfile.TarInfo(f"2401/2401.{copy * len(eprints) + number:05}.gz")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def _read(data: bytes) -> list[Document]:
    file = Shard("arxiv", "bench", "bench", len(data), "BENCH", below="bench.tar")
    items = read_bulk(io.BytesIO(data).read, file, _LIMITS)
    return [item for item, _ in items if isinstance(item, Document)]


def _read_and_clean(data: bytes) -> int:
    return sum(_clean(paper) for paper in _read(data))


def _clean(paper: Document) -> int:
    packed = unpack(paper)
    cleaned = clean_paper(packed.main, packed.resolver(), _SETTINGS)
    return len(cleaned.text) + len(find_leftovers(cleaned.text, cleaned.macros)) if isinstance(cleaned, Paper) else 0


def _clean_timed(paper: Document) -> float:
    return measure(functools.partial(_clean, paper)).cpu_seconds


def _read_bare(data: bytes) -> int:
    """Decompress and decode the TeX files, as ``tarfile`` and ``gzip`` give them."""
    chars = 0
    with tarfile.open(fileobj=io.BytesIO(data)) as bulk:
        for member in bulk:
            content = bulk.extractfile(member)
            try:
                whole = gzip.decompress(content.read()) if content is not None else b""
                with tarfile.open(fileobj=io.BytesIO(whole)) as inner:
                    texts = [inner.extractfile(one) for one in inner if one.name.endswith(".tex")]
                    chars += sum(len(text.read().decode(errors="replace")) for text in texts if text is not None)
            except EOFError:
                continue
            except tarfile.ReadError:
                chars += len(whole.decode(errors="replace"))
    return chars
