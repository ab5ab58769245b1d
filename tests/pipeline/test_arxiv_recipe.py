"""arXiv from e-prints to documents: every e-print of the miniature bucket has the fate that stands here."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from rich.console import Console

from pipeline import launch as launching
from pipeline.arxiv_settings import ArxivSettings
from pipeline.document import Shard
from pipeline.leftovers import describe_leftovers
from pipeline.run import Run, RunFailed
from pipeline.settings import SettingsError
from pipeline.sources import arxiv
from pipeline.sources.arxiv_files import group_files, pack_units
from tests.shelf import FLAGS, Shelf

ROOT = Path(__file__).parent.parent.parent
MINI = ROOT / "tests" / "corpus" / "arxiv"
EVERYTHING = ("documents", "dropped", "errors")
DUMPS = [
    {"id": "2024-01", "paths": ["src"]},
    {"id": "2024-02", "paths": ["later"]},
    {"id": "folders", "paths": ["folders"], "folders": True},
]
#: Of a kilobyte or two each, these papers are no longer than that; and what doubles itself is caught soon.
SMALL = {"dumps": DUMPS, "min_chars": 60, "latex": {"max_expansions": 10_000}}

Digests = Callable[..., dict[str, str]]


def drive(output: Path, data: Path | str, *, batch_bytes: int = 32 << 20, workers: int = 1, **asked: Any) -> Run:
    flags = asked.pop("flags", ())
    values = {"data": str(data), "batch_bytes": batch_bytes, "sources": {"arxiv": asked}}
    config = output.parent / f"{output.name}.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    run = launching.launch(
        str(config), output=str(output), workers=workers, bytes_per_worker=1, flags=flags, console=Console(quiet=True)
    )
    assert list(run.results) == arxiv.stages(ArxivSettings.model_validate(asked))
    return run


def rows_of(run: Run, folder: str) -> list[dict[str, Any]]:
    place = Path(run.folder) / folder / "arxiv"
    return ds.dataset(place).to_table().to_pylist() if place.exists() else []


def kept(run: Run) -> dict[str, dict[str, Any]]:
    rows = rows_of(run, "documents")
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"].removeprefix("arxiv/"): row for row in rows}


def dropped(run: Run) -> Counter[tuple[str, str]]:
    return Counter((row["id"].removeprefix("arxiv/"), row["reason"]) for row in rows_of(run, "dropped"))


def errors(run: Run) -> list[dict[str, Any]]:
    place = Path(run.folder) / "errors" / "arxiv"
    return [json.loads(line) for file in sorted(place.glob("*")) for line in file.read_text().splitlines()]


def stats(run: Run, stage: str) -> dict[str, Any]:
    whole = json.loads((Path(run.folder) / "stats" / f"arxiv.{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in whole.pop("seconds").values())
    return whole


def metadata(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row["metadata"].items() if value is not None}


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return drive(tmp_path_factory.mktemp("mini") / "run", MINI, batch_bytes=16 << 10, **SMALL)


# The miniature bucket, each e-print traced by hand.


def test_every_form_of_macro_is_expanded_and_files_stand_where_they_are_asked_for(mini: Run) -> None:
    row = kept(mini)["2401.00001"]
    assert row["text"] == (
        "\\section{Waves at the shoreline}\n"
        "The tidal wave{} rises to $h_{1}\\,h_{2}$ at 100\\% of its range, that is $(0, 3)$ or $(1, 2)$.\n"
        "It moves from low water  to  high water along the shoreline, with $\\mathbf{v} = \\operatorname{flow}(x)$.\n"
        "\\begin{quote}\\textbf{Remark.} It is slow.\\end{quote}\n"
        "\\begin{verbatim}\n% kept: \\tide\n\\end{verbatim}\n"
        "\\subsection{Method}\nWe wait for tidal wave{}s.\nA deeper file stands where it is asked for.\n"
        "\\subsection{Results}\nThe letters' case of a name is not always right.\n"
        "\\include{sec/lost}\n"
    )
    assert (row["source"], row["url"]) == ("arxiv", "https://arxiv.org/abs/2401.00001")
    assert (row["language"], row["created"]) == ("", "2024-01-01T00:00:00+00:00")
    found = metadata(row)
    assert found.pop("original_chars") > len(row["text"])
    assert found == {"dump": "2024-01", "title": "On Tides", "encoding": "ascii", "main_file": "main.tex"}


def test_papers_are_in_the_encoding_they_declare(mini: Run) -> None:
    latin, cyrillic = kept(mini)["2401.00004"], kept(mini)["2402.00001"]
    assert latin["text"] == (
        "\\section{Über Gezeiten}\n"
        "Die Höhe der Flut hängt vom Mond ab, und von der Küste: in großen Buchten wächst sie auf das Zehnfache.\n"
    )
    assert cyrillic["text"].startswith("\\section{Приливы}\nВысота прилива зависит от луны")
    assert (latin["metadata"]["encoding"], cyrillic["metadata"]["encoding"]) == ("iso8859-1", "cp1251")
    assert cyrillic["metadata"]["version"] == 3


def test_papers_of_the_last_century_are_cut_as_those_of_today(mini: Run) -> None:
    assert kept(mini)["astro-ph/9901001"]["text"] == (
        "\\section{Introduction}\nIn the days of \\LaTeX\\ 2.09 an equation was begun thus: "
        "\\begin{equation}h = a \\cos \\omega t \\end{equation}and the sea was as it is now.\n"
    )
    assert kept(mini)["hep-th/9901004"]["text"] == (
        "\\beginsection 1. Introduction\n\n"
        "A standing wave{} in plain \\TeX{} has no sections of \\LaTeX{}'s kind, as papers in harvmac have none.\n"
    )
    assert kept(mini)["hep-th/9901004"]["url"] == "https://arxiv.org/abs/hep-th/9901004"
    assert kept(mini)["hep-th/9901004"]["created"] == "1999-01-01T00:00:00+00:00"


def test_a_paper_without_sections_is_kept_from_behind_its_front(mini: Run) -> None:
    assert kept(mini)["2401.00007"]["text"] == (
        "Dear editor, this letter is without any section, and says all it has to say in a single paragraph of some "
        "length.\n"
    )


def test_what_a_paper_asks_for_outside_is_not_read(mini: Run) -> None:
    assert kept(mini)["2401.00005"]["text"] == (
        "\\section{A quiet paper in loud company}\nIts archive has members that lead out of it, links and a device. "
        "\\input{../up} None of them is read,\n\\input{/etc/passwd} and the paper is what lies in its own folder.\n"
    )


def test_arxiv_s_own_note_says_which_file_is_the_paper(mini: Run) -> None:
    row = kept(mini)["2401.00011"]
    assert row["metadata"]["main_file"] == "paper.tex"
    assert row["text"].startswith("\\section{The paper that the note names}\nBeside it lie")


def test_a_folder_is_a_paper_with_its_files_as_they_lie(mini: Run) -> None:
    row = kept(mini)["seashore"]
    assert row["text"] == (
        "\\chapter{The seashore}\nWhere the fine sand{} ends, and the last wave has been,\n\nthe water begins.\n"
    )
    assert (row["url"], row["created"]) == ("", "")
    assert metadata(row) == {"dump": "folders", "encoding": "ascii", "main_file": "book.tex", "original_chars": 332}


def test_of_a_paper_the_newest_dump_stays_and_in_it_the_newest_version(mini: Run) -> None:
    row = kept(mini)["2401.00003"]
    assert (row["metadata"]["dump"], row["metadata"]["version"]) == ("2024-02", 2)
    assert row["text"] == (
        "\\section{Circles}\nOne comes before two.\nThe second version asks for nothing twice.\n"
        "The circle is closed after the first round, and the paper goes on as if nothing had been asked of it twice.\n"
    )


def test_a_circle_of_files_is_cut_where_it_closes(mini: Run) -> None:
    (text,) = {row["text"] for row in rows_of(mini, "dropped") if row["id"] == "arxiv/2401.00003"}
    assert text.startswith("\\section{Circles}\nOne comes before two.\nTwo asks for one.\n\\input{one}\nThe circle is")


def test_what_is_no_document_says_why(mini: Run) -> None:
    assert dropped(mini) == {
        ("2401.00001", "duplicate/id"): 1,
        ("2401.00002", "latex/blow_up"): 1,
        ("2401.00003", "duplicate/id"): 2,
        ("2401.00006", "arxiv/pdf_only"): 1,
        ("2401.00008", "arxiv/empty"): 1,
        ("arXiv_src_2401_001.tar#2401/MANIFEST.txt", "arxiv/not_an_eprint"): 1,
        ("hep-th/9901003", "arxiv/withdrawn"): 1,
        ("math/9901002", "arxiv/pdf_only"): 1,
    }
    rows = {row["reason"]: row for row in rows_of(mini, "dropped")}
    assert (rows["arxiv/withdrawn"]["measured"], rows["arxiv/withdrawn"]["limit"]) == (79, 2000)
    assert (rows["latex/blow_up"]["measured"], rows["latex/blow_up"]["limit"]) == (10_001, 10_000)
    assert rows["latex/blow_up"]["text"].startswith("\\documentclass")
    assert set(kept(mini)) == {
        *("2401.00001", "2401.00003", "2401.00004", "2401.00005", "2401.00007", "2401.00011", "2402.00001"),
        *("astro-ph/9901001", "hep-th/9901004", "seashore"),
        *(f"2401.000{number}" for number in range(21, 26)),
    }


def test_damage_and_danger_are_errors_at_their_place(mini: Run) -> None:
    first, second = "2024-01~arXiv_src_2401_001.tar", "2024-01~arXiv_src_2401_002.tar"
    found = [
        (error["shard"], error["cause"], error["offset"], error["inner_offset"], error["is_record"])
        for error in errors(mini)
    ]
    assert sorted(found) == [
        (first, "arxiv/device_member", 26_624, 3584, False),
        (first, "arxiv/link_member", 26_624, 3072, False),
        (first, "arxiv/link_member", 41_472, 0, True),
        (first, "arxiv/truncated_gzip", 38_912, 885, True),
        (first, "arxiv/unsafe_member", 26_624, 1024, False),
        (first, "arxiv/unsafe_member", 40_448, 0, True),
        (second, "arxiv/bulk_truncated", 130_048, 0, True),
    ]


def test_everything_adds_up(mini: Run) -> None:
    papers, documents = stats(mini, "papers"), stats(mini, "documents")
    assert papers == {
        "stage": "arxiv.papers",
        "counts": "e-prints",
        "shards": 6,
        "batches": 8,
        "read": 28,
        "kept": 18,
        "dropped": {
            "arxiv/empty": 1,
            "arxiv/not_an_eprint": 1,
            "arxiv/pdf_only": 2,
            "arxiv/withdrawn": 1,
            "latex/blow_up": 1,
        },
        "errors": {
            "arxiv/bulk_truncated": 1,
            "arxiv/link_member": 1,
            "arxiv/truncated_gzip": 1,
            "arxiv/unsafe_member": 1,
        },
        "gaps": {"arxiv/device_member": 1, "arxiv/link_member": 1, "arxiv/unsafe_member": 1},
        "bytes_in": papers["bytes_in"],
        "bytes_out": documents["bytes_in"],
        "facts": {
            "comments": 71,
            "conditionals": 2,
            "documents searched for leftovers": 18,
            "input_cycles": 2,
            "inputs": 21,
            "lines": 0,
            "macros_defined": 74,
            "macros_expanded": 210,
            "missing_inputs": 4,
            "no_section": 1,
        },
    }
    assert documents["dropped"] == {"duplicate/id": 3}
    assert (documents["read"], documents["kept"]) == (18, 15)
    assert list(describe_leftovers(mini.folder)) == [
        "arxiv.papers: 0 leftovers in 18 documents",
        "  uses of authors' macros that could be expanded: 210, of which 100.00 % were",
    ]


def test_workers_and_batches_change_no_document(mini: Run, tmp_path: Path, digests: Digests) -> None:
    again = drive(tmp_path / "two", MINI, batch_bytes=16 << 10, workers=2, **SMALL)
    assert digests(again.folder, EVERYTHING) == digests(mini.folder, EVERYTHING)
    whole = drive(tmp_path / "whole", MINI, **{**SMALL, "dumps": list(reversed(DUMPS))})
    assert stats(whole, "papers")["batches"] == 5
    assert kept(whole) == kept(mini)
    assert dropped(whole) == dropped(mini)


def test_inputs_and_run_folder_may_lie_on_an_object_store(
    mini: Run, tmp_path: Path, shelf: Shelf, digests: Digests
) -> None:
    shelf.upload(MINI, "dumps")
    config = tmp_path / "run.yaml"
    values = {"data": "shelf://dumps", "batch_bytes": 16 << 10, "sources": {"arxiv": SMALL}}
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))
    launching.launch(str(config), output="shelf://results/run", workers=1, flags=FLAGS, console=Console(quiet=True))
    shelf.download("results", tmp_path / "results")
    assert digests(tmp_path / "results" / "run", EVERYTHING) == digests(mini.folder, EVERYTHING)


# Rules, each with e-prints of its own.

PAPER = "\\documentclass{article}\n\\begin{document}\n\\section{One}\n%s\n\\end{document}\n"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_paper_of_the_least_length_stays_and_a_shorter_one_goes(tmp_path: Path) -> None:
    write(tmp_path / "data" / "2401.00001.tex", (PAPER % ("x" * 40)).encode())
    write(tmp_path / "data" / "2401.00002.gz", gzip.compress((PAPER % ("x" * 39)).encode()))
    dumps = [{"id": "D", "paths": ["."]}]
    run = drive(tmp_path / "run", tmp_path / "data", dumps=dumps, min_chars=len("\\section{One}\n") + 40 + 1)
    assert set(kept(run)) == {"2401.00001"}
    (row,) = rows_of(run, "dropped")
    assert (row["reason"], row["measured"], row["limit"]) == ("length/too_short", 54, 55)
    run = drive(tmp_path / "run", tmp_path / "data", dumps=dumps, min_chars=None)
    assert set(kept(run)) == {"2401.00001", "2401.00002"}


def test_another_least_length_cleans_no_paper_again(tmp_path: Path) -> None:
    write(tmp_path / "data" / "2401.00001.tex", (PAPER % ("x" * 40)).encode())
    asked: dict[str, Any] = {"dumps": [{"id": "D", "paths": ["."]}]}
    drive(tmp_path / "run", tmp_path / "data", **asked, min_chars=20)
    (commit,) = (tmp_path / "run" / "work" / "arxiv.papers" / "commits").iterdir()
    before = commit.stat().st_mtime_ns
    drive(tmp_path / "run", tmp_path / "data", **asked, min_chars=10)
    assert commit.stat().st_mtime_ns == before


def test_a_withdrawn_version_leaves_the_one_before_it(tmp_path: Path) -> None:
    write(tmp_path / "data" / "old" / "2401.00001v1.gz", gzip.compress((PAPER % ("x" * 600)).encode()))
    write(tmp_path / "data" / "new" / "2401.00001v2.gz", gzip.compress(b"%auto-ignore\nThis paper is withdrawn."))
    dumps = [{"id": "1", "paths": ["old"]}, {"id": "2", "paths": ["new"]}]
    run = drive(tmp_path / "run", tmp_path / "data", dumps=dumps)
    assert kept(run)["2401.00001"]["metadata"]["version"] == 1
    assert dropped(run) == {("2401.00001", "arxiv/withdrawn"): 1}


@pytest.mark.parametrize(
    ("names", "stays"),
    [
        (["2401.00001v2.gz", "2401.00001v10.gz", "2401.00001v9.gz"], "v10"),
        (["2401.00001v10.gz", "2401.00001.gz"], "unversioned"),  # it is the newest of its dump
        (["a/2401.00001v2.gz", "b/2401.00001v2.tar.gz"], "a"),
    ],
)
def test_of_versions_in_one_dump_the_newest_stays(names: list[str], stays: str, tmp_path: Path) -> None:
    for name in names:
        label = "v10" if "v10" in name else "unversioned" if "v" not in name else name[0]
        write(tmp_path / "data" / name, gzip.compress((PAPER % f"{label} {'x' * 600}").encode()))
    run = drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": ["."]}])
    assert kept(run)["2401.00001"]["text"].startswith(f"\\section{{One}}\n{stays} ")
    assert dropped(run) == {("2401.00001", "duplicate/id"): len(names) - 1}


def test_two_papers_without_ids_in_different_folders_are_two(tmp_path: Path) -> None:
    for name in ("a/paper.gz", "b/paper.gz"):
        write(tmp_path / "data" / name, gzip.compress((PAPER % ("x" * 600)).encode()))
    run = drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": ["."]}])
    assert set(kept(run)) == {"a/paper", "b/paper"}


def test_a_bug_of_the_cleaner_names_its_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.sources import arxiv_steps

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(arxiv_steps, "clean_paper", fail)
    write(tmp_path / "data" / "2401.00001.gz", gzip.compress((PAPER % "x").encode()))
    with pytest.raises(RunFailed, match=r"document arxiv/2401\.00001: ZeroDivisionError: a bug"):
        drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": ["."]}])


# Which files are read.


def shard(name: str, size: int = 10) -> Shard:
    return Shard("arxiv", f"D~{name.replace('/', '~')}", f"/{name}", size, "D", below=name)


def test_files_that_hold_no_papers_are_passed_over() -> None:
    names = ["a.tar", "b.gz", "c.tar.gz", "d.tgz", "e.tex", "f.PDF", "list.xml", "README"]
    dump = ArxivSettings.model_validate({"dumps": [{"id": "D", "paths": ["x"]}]}).dumps[0]
    papers, others = group_files(dump, [shard(name) for name in names])
    assert [paper.files[0].below for paper in papers] == names[:6]
    assert [file.below for file in others] == names[6:]


def test_a_folder_of_papers_has_a_paper_for_each_folder_in_it() -> None:
    names = ["a/main.tex", "a/sec/one.tex", "b/x.tex", "notes.txt"]
    dump = ArxivSettings.model_validate({"dumps": [{"id": "D", "paths": ["x"], "folders": True}]}).dumps[0]
    papers, others = group_files(dump, [shard(name) for name in names])
    assert [(paper.folder, len(paper.files), paper.size) for paper in papers] == [("a", 2, 20), ("b", 1, 10)]
    assert [file.below for file in others] == ["notes.txt"]


def test_small_e_prints_share_a_unit_and_a_bulk_tar_is_one() -> None:
    names = ["a.gz", "b.gz", "c.tar", "d.gz", "e.gz", "f.gz"]
    dump = ArxivSettings.model_validate({"dumps": [{"id": "D", "paths": ["x"]}]}).dumps[0]
    papers, _ = group_files(dump, [shard(name) for name in names])
    units = pack_units(papers, 25)
    assert [(unit.name, unit.size) for unit in units] == [
        ("D~a.gz+1", 20),
        ("D~c.tar", 10),
        ("D~d.gz+1", 20),
        ("D~f.gz", 10),
    ]


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        ({"id": "D", "paths": ["nowhere"]}, r"sources\.arxiv\.dumps\.0\.paths\.0: no file matches"),
        ({"id": "D", "paths": ["later/list.xml"]}, r"1 files, none of them \.tar, \.gz, \.tgz, \.tex"),
        ({"id": "D", "paths": ["folders/notes.txt"], "folders": True}, "1 files, none of them a folder with files"),
    ],
)
def test_what_is_not_there_is_one_line_before_anything_starts(dump: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        arxiv.list_inputs(ArxivSettings.model_validate({"dumps": [dump]}), str(MINI))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dumps": []}, "at least 1 item"),
        ({"dumps": [DUMPS[0], DUMPS[0]]}, "dumps must have different ids"),
        ({"dumps": DUMPS, "min_chars": 0}, "greater than or equal to 1"),
        ({"dumps": DUMPS, "limits": {"max_files": 0}}, "greater than or equal to 1"),
        ({"dumps": DUMPS, "title": True}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArxivSettings.model_validate(asked)
