"""Leftover markup is counted, and shown with examples."""

from pathlib import Path

from filters.leftovers import Leftover
from pipeline.batch import Batch
from pipeline.commits import list_commits, read_commits, summarize
from pipeline.document import Document
from pipeline.files import join, write_json
from pipeline.leftovers import LeftoverNotes, describe_leftovers
from pipeline.manifest import Manifest
from pipeline.writing import Outputs, write_batch


def finished_stage(run: Path, found: dict[str, list[Leftover]], **facts: int) -> None:
    batch = Batch("s", 0, read=len(found), last=True, documents=[Document(name, "w", "t") for name in found])
    batch.facts.update(facts)
    notes = LeftoverNotes(batch, "w.pages")
    for name, leftovers in found.items():
        notes.add(name, leftovers)
    notes.write()
    write_batch(batch, Outputs(str(run), "w.pages", "w", "work/w.pages"))
    stats = {"stage": "w.pages", "counts": "pages", **summarize(read_commits(list_commits(str(run), "w.pages")))}
    write_json(join(str(run), "stats", "w.pages.json"), stats)
    Manifest(str(run)).record_stage("w.pages", {"key": ""})


def test_a_clean_stage_says_how_many_documents_were_searched(tmp_path: Path) -> None:
    finished_stage(tmp_path, {"a": [], "b": []})
    assert list(describe_leftovers(str(tmp_path))) == ["w.pages: 0 leftovers in 2 documents"]
    assert not list(tmp_path.rglob("leftovers"))


def test_each_kind_is_counted_and_three_of_it_are_shown(tmp_path: Path) -> None:
    tables = [Leftover("{|", number, f"x {{| {number}") for number in range(4)]
    finished_stage(tmp_path, {"a": tables, "b": [Leftover("[[", 0, "[[ \ud800 é")]})
    assert list(describe_leftovers(str(tmp_path))) == [
        "w.pages: 5 leftovers in 2 documents",
        "  [[  1",
        "    b: [[ \ud800 é",
        "  {|  4",
        "    a: x {| 0",
        "    a: x {| 1",
        "    a: x {| 2",
    ]


def test_where_macros_are_expanded_the_share_of_their_uses_is_said(tmp_path: Path) -> None:
    finished_stage(tmp_path, {"a": [Leftover("macro", 0, "\\tide{}")], "b": []}, macros_expanded=399)
    assert list(describe_leftovers(str(tmp_path))) == [
        "w.pages: 1 leftovers in 2 documents",
        "  uses of authors' macros that could be expanded: 400, of which 99.75 % were",
        "  macro  1",
        "    a: \\tide{}",
    ]


def test_a_run_without_such_stages_has_nothing_to_say(tmp_path: Path) -> None:
    write_json(join(str(tmp_path), "stats", "w.pages.json"), {"stage": "w.pages", "facts": {}})
    Manifest(str(tmp_path)).record_stage("w.pages", {"key": ""})
    assert list(describe_leftovers(str(tmp_path))) == []
