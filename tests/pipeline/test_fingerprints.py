"""Fingerprints of a batch, the masks that come back, and what they take out of the documents."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import xxhash
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.line_dedup import fingerprint_lines
from pipeline.batch import Batch, StepFailed
from pipeline.document import Document
from pipeline.fingerprints import (
    DropDuplicates,
    DuplicateReason,
    FingerprintBatches,
    Fingerprints,
    fingerprint_documents,
    fingerprints_path,
    mask_to_bytes,
    masks_path,
    read_fingerprints,
    read_mask,
)
from pipeline.runner import Engine

LINES = st.sampled_from(["", "a", "A ", "b", "c 1", "c 2", "d"])
TEXTS = st.lists(st.lists(LINES, min_size=1, max_size=6).map("\n".join), max_size=6)


def documents(*texts: str) -> list[Document]:
    return [Document(f"cc/{number}", "commoncrawl", text) for number, text in enumerate(texts)]


@settings(deadline=None)
@given(TEXTS)
def test_each_line_is_a_fingerprint_or_a_repeat_inside_its_document(texts: list[str]) -> None:
    found = fingerprint_documents(documents(*texts))
    pairs, repeats, line = [], [], 0
    for text in texts:
        seen = set()
        for value in fingerprint_lines(text).tolist():
            if value in seen:
                repeats.append(line)
            else:
                pairs.append((value, line))
            seen.add(value)
            line += 1
    assert list(zip(found.hashes.tolist(), found.lines.tolist(), strict=True)) == sorted(pairs)
    assert found.repeats.tolist() == repeats
    assert found.line_counts.tolist() == [text.count("\n") + 1 for text in texts]


@settings(deadline=None)
@given(TEXTS)
def test_each_fingerprint_knows_its_document(texts: list[str]) -> None:
    found = fingerprint_documents(documents(*texts))
    owners = [number for number, text in enumerate(texts) for _ in text.split("\n")]
    assert found.documents.tolist() == [owners[line] for line in found.lines]


def test_the_first_of_equal_lines_inside_a_document_is_the_one_that_takes_part() -> None:
    found = fingerprint_documents(documents("menu\nbody\nMENU", "menu"))
    assert found.repeats.tolist() == [2]
    assert sorted(found.lines.tolist()) == [0, 1, 3]


def test_ids_are_fingerprinted_in_the_documents_order() -> None:
    found = fingerprint_documents(documents("x", "y"))
    assert found.ids.tolist() == [xxhash.xxh3_64_intdigest(b"cc/0"), xxhash.xxh3_64_intdigest(b"cc/1")]


def test_no_documents_have_no_fingerprints() -> None:
    found = fingerprint_documents([])
    assert [len(part) for part in (found.hashes, found.lines, found.repeats, found.line_counts, found.ids)] == [0] * 5
    assert found.documents.tolist() == []


def equal(one: Fingerprints, other: Fingerprints) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("hashes", "lines", "repeats", "line_counts", "ids")
    )


@pytest.mark.parametrize("texts", [(), ("a\nb\na", "b"), ("",)])
def test_fingerprints_come_back_from_their_file_with_equal_bytes_for_equal_ones(tmp_path: Path, texts) -> None:
    found = fingerprint_documents(documents(*texts))
    path = tmp_path / "x.npz"
    path.write_bytes(found.to_bytes())
    assert equal(read_fingerprints(str(path)), found)
    assert fingerprint_documents(documents(*texts)).to_bytes() == found.to_bytes()


def test_a_batch_is_fingerprinted_and_its_documents_go_on_unchanged() -> None:
    held = documents("a\nb\na", "b")
    with Engine(1).pipeline(1, "") as root:
        batches = [Batch("s", 4, read=2, documents=held), Batch("t", 0, last=True)]
        out = root | beam.Create(batches, reshuffle=False) | FingerprintBatches("cc.fp")
        seen = out | beam.Map(lambda one: (one.name, one.documents, list(one.seconds), dict(one.facts), one.files))
        name, empty = "work/cc.fp/part-s-00004.npz", "work/cc.fp/part-t-00000.npz"
        expected = [
            ("s-00004", held, ["fingerprint"], {"lines": 4}, {name: (fingerprint_documents(held).to_bytes(), 4)}),
            ("t-00000", [], ["fingerprint"], {"lines": 0}, {empty: (fingerprint_documents([]).to_bytes(), 0)}),
        ]
        assert_that(seen, equal_to(expected))


def test_paths_follow_from_stage_and_batch() -> None:
    assert fingerprints_path("cc.fp", "s-00004") == "work/cc.fp/part-s-00004.npz"
    assert masks_path("cc.dup", "s-00004", 2) == "work/cc.dup/part-s-00004.002.npz"


def put_mask(run: Path, stage: str, *parts: list[bool], batch: str = "s-00000") -> None:
    for number, part in enumerate(parts):
        path = run / masks_path(stage, batch, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mask_to_bytes(np.array(part, np.bool_), len(parts)))


def masks_of(size: int) -> st.SearchStrategy[list[list[bool]]]:
    return st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=1, max_size=4)


@given(st.integers(0, 40).flatmap(masks_of))
def test_a_mask_is_what_any_of_its_parts_marks(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[bool]]
) -> None:
    run = tmp_path_factory.mktemp("run")
    put_mask(run, "dup", *parts)
    assert read_mask(str(run), "dup", "s-00000").tolist() == [any(bits) for bits in zip(*parts, strict=True)]


def test_a_mask_with_a_missing_part_is_refused(tmp_path: Path) -> None:
    put_mask(tmp_path, "dup", [True, False], [False, False])
    (tmp_path / masks_path("dup", "s-00000", 1)).unlink()
    with pytest.raises(FileNotFoundError):
        read_mask(str(tmp_path), "dup", "s-00000")


def test_equal_masks_have_equal_bytes() -> None:
    assert mask_to_bytes(np.ones(9, np.bool_), 1) == mask_to_bytes(np.ones(9, np.bool_), 1)


def drop(run: Path, batch: Batch) -> list[object]:
    """Run the step over one batch and give what comes out, through a file since Beam copies what it is given."""
    target = run / "out.txt"

    def note(one: Batch) -> None:
        rows = [(row.id, str(row.reason), row.measured, row.limit, row.text) for row in one.dropped]
        kept = [(document.id, document.text) for document in one.documents]
        target.write_text(repr([kept, rows, dict(one.facts), list(one.seconds)]))

    with Engine(1).pipeline(1, "") as root:
        out = (
            root
            | beam.Create([batch], reshuffle=False)
            | DropDuplicates(str(run), documents={"ids": DuplicateReason.ID}, lines="lines")
        )
        _ = out | beam.Map(note)
    return eval(target.read_text())


def test_marked_lines_go_and_documents_without_a_line_or_with_an_id_seen_before_leave(tmp_path: Path) -> None:
    batch = Batch("s", 0, read=4, documents=documents("menu\nbody\nmenu", "menu\n", "copy\nof\nall", "whole"))
    put_mask(tmp_path, "ids", [False, False, True, False])
    put_mask(tmp_path, "lines", [True, False, True, True, True, False, False, False, False])
    kept, dropped, facts, seconds = drop(tmp_path, batch)
    assert kept == [("cc/0", "body"), ("cc/3", "whole")]
    assert dropped == [
        ("cc/1", "line_dedup/no_line_left", 0, 1, "menu\n"),
        ("cc/2", "duplicate/id", None, None, "copy\nof\nall"),
    ]
    assert facts == {"lines": 6, "lines_removed": 4}
    assert seconds == ["dedup"]


def test_a_batch_without_documents_needs_no_mask(tmp_path: Path) -> None:
    assert drop(tmp_path, Batch("s", 0)) == [[], [], {}, []]


@pytest.mark.parametrize("lines", [2, 4])
def test_an_input_that_changed_since_it_was_fingerprinted_stops_the_run(tmp_path: Path, lines: int) -> None:
    put_mask(tmp_path, "ids", [False])
    put_mask(tmp_path, "lines", [False] * lines)
    with pytest.raises(StepFailed, match=r"3 lines (in the text|read again), 2|3 lines read again, 4 were fingerp"):
        drop(tmp_path, Batch("s", 0, read=1, documents=documents("a\nb\nc")))


def test_a_document_that_came_or_went_since_it_was_fingerprinted_stops_the_run(tmp_path: Path) -> None:
    put_mask(tmp_path, "ids", [False, False])
    put_mask(tmp_path, "lines", [False, False])
    with pytest.raises(StepFailed, match=r"shard s-00000"):
        drop(tmp_path, Batch("s", 0, read=1, documents=documents("a\nb")))
