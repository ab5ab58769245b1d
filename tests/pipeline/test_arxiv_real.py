"""All real e-prints: each has its fate, is in the encoding it declares, and is left with nothing that should be out."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from rich.console import Console

from pipeline import launch as launching
from pipeline.run import Run

#: Main files, read beside the others: the paper, and not its rebuttal, supplement or one of fourteen covers.
MAIN_FILES = {
    "arxiv/1911.02782": "main.tex",
    "arxiv/2401.00002": "hott-a4-exercises.tex",
    "arxiv/2401.00003": "paper.tex",
    "arxiv/2401.00004": "t/structure/article.tex",
    "arxiv/2401.00006": "2401.00006.tex",
    "arxiv/2401.00007": "ms.tex",
    "arxiv/2401.00008": "paper.tex",
}
INPUTENC = re.compile(rb"^[^%\n]*\\usepackage\[(\w+)\]\{inputenc\}", re.MULTILINE)
PYTHON_NAMES = {"ansinew": "cp1252", "applemac": "mac_roman", "cp437de": "cp437", "latin10": "iso8859-16"}


def run_source(folder: Path, data: Path, dumps: list[dict[str, Any]], **asked: Any) -> Run:
    values = {"data": str(data), "sources": {"arxiv": {"dumps": dumps, **asked}}, "tokenizer": None, "tokens": None}
    config = folder / "run.yaml"
    config.write_text(json.dumps(values))
    return launching.launch(str(config), output=str(folder / "run"), workers=1, console=Console(quiet=True))


def facts_of(run: Run) -> dict[str, Any]:
    stats: dict[str, Any] = json.loads((Path(run.folder) / "stats" / "arxiv.papers.json").read_text())
    assert stats["read"] == stats["kept"] + sum(stats["dropped"].values())
    assert not stats["errors"]
    assert not stats["gaps"]
    return stats


def documents(run: Run, folder: str = "documents/arxiv") -> dict[str, dict[str, Any]]:
    rows = ds.dataset(Path(run.folder) / folder).to_table().to_pylist()
    return {row["id"]: row for row in rows}


def expanded_share(facts: dict[str, int]) -> float:
    return facts["macros_expanded"] / (facts["macros_expanded"] + facts.get("leftover macro", 0))


def test_real_e_prints_come_out_as_papers(real_data: Path, tmp_path: Path) -> None:
    dumps = [
        {"id": "2024-bulk", "paths": ["bulk"]},
        {"id": "2020-single", "paths": ["eprints-original", "eprints-repacked"]},
    ]
    run = run_source(tmp_path, real_data / "arxiv", dumps)
    stats, found = facts_of(run), documents(run)
    assert stats["read"] == 16
    assert stats["dropped"] == {"arxiv/no_main_file": 2}  # Open Logic, whose 297 parts lack the file that joins them
    assert {name: row["metadata"]["main_file"] for name, row in found.items() if name in MAIN_FILES} == MAIN_FILES
    assert found["arxiv/1911.02782"]["metadata"]["dump"] == "2024-bulk"
    assert len(documents(run, "dropped/arxiv")) == 3
    for packed, single in (
        ("2401.00007", "ophiuchus"),
        ("2401.00006", "ophiuchus-single"),
        ("2401.00002", "hott-book"),
    ):
        assert found[f"arxiv/{packed}"]["text"] == found[f"arxiv/{single}"]["text"]
    assert expanded_share(stats["facts"]) > 0.99
    kinds = {name for name in stats["facts"] if name.startswith("leftover")}
    assert kinds <= {"leftover macro"}


@pytest.fixture
def latexml(real_data: Path, tmp_path: Path) -> Path:
    """LaTeXML's tests, a folder each."""
    with tarfile.open(real_data / "arxiv" / "eprints-repacked" / "latexml-tests.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            folder = tmp_path / "latexml" / member.name.replace("/", "_")
            folder.mkdir(parents=True)
            (folder / Path(member.name).name).write_bytes(content.read())
    return tmp_path / "latexml"


def test_files_that_declare_an_encoding_come_out_as_python_decodes_it(latexml: Path, tmp_path: Path) -> None:
    run = run_source(tmp_path, latexml, [{"id": "D", "paths": ["."], "folders": True}], min_chars=None)
    stats, found = facts_of(run), documents(run)
    assert stats["read"] == 270
    assert stats["dropped"]["arxiv/no_tex"] == 6  # fragments without a command
    compared = 0
    for path in sorted(latexml.glob("t_encoding_*/*.tex")):
        data = path.read_bytes()
        declared = INPUTENC.findall(data)
        if len(declared) != 1 or declared == [b"decmulti"]:  # an encoding of VMS, which Python does not know
            continue
        name = declared[0].decode()
        latin = re.fullmatch(r"latin(\d)", name)
        name = PYTHON_NAMES.get(name, {"5": "iso8859-9", "9": "iso8859-15"}.get(latin[1], name) if latin else name)
        source = "\n".join(line for line in data.decode(name).split("\n") if not line.startswith("%"))
        text = found[f"arxiv/{path.parent.name}"]["text"]
        foreign = [character for character in source if not character.isascii()]
        assert foreign
        assert [character for character in text if not character.isascii()] == foreign
        compared += 1
    assert compared >= 15
