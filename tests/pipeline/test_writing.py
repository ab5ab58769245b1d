"""Writing: the files of a batch, its account, and its commit."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch, StepFailed
from pipeline.commits import Commit, list_commits, read_commits
from pipeline.document import Document, Dropped, MalformedRecord
from pipeline.files import WrittenFile
from pipeline.parquet import read_documents
from pipeline.runner import Engine
from pipeline.writing import Outputs, WriteBatches, write_batch

STAGE = "commoncrawl.documents"


def outputs(run: Path, documents: str | None = "documents/commoncrawl", **more: float) -> Outputs:
    return Outputs(str(run), STAGE, "commoncrawl", documents, **more)


def full_batch() -> Batch:
    batch = Batch("shard", 3, read=6, bytes_in=100, position=77, last=True)
    batch.documents = [Document("1", "commoncrawl", "日本"), Document("2", "commoncrawl", "ab")]
    batch.dropped = [Dropped("3", "u", "b/x", 1, 2, "t3"), Dropped("4", "", "a/y"), Dropped("5", "", "b/x")]
    batch.errors = [
        MalformedRecord("warc/bad", "why", offset=9, inner_offset=2),
        MalformedRecord("warc/gap", "garbage", offset=11, is_record=False),
    ]
    batch.files = {"work/x/part.npz": (b"12345", 8)}
    batch.facts = Counter(lines=4)
    batch.seconds = {"read": 1.5}
    return batch


def described(run: Path, path: str, rows: int) -> WrittenFile:
    content = (run / path).read_bytes()
    return WrittenFile(path, len(content), hashlib.sha256(content).hexdigest(), rows)


def only_commit(run: Path) -> Commit:
    (commit,) = read_commits(list_commits(str(run), STAGE))
    return commit


def test_a_batch_leaves_its_files_and_a_commit_that_tells_all_of_them(tmp_path: Path) -> None:
    assert write_batch(full_batch(), outputs(tmp_path)) == "shard-00003"
    commit = only_commit(tmp_path)
    assert set(commit.seconds) == {"read", "write"}
    assert commit == Commit(
        shard="shard",
        index=3,
        last=True,
        position=77,
        read=6,
        kept=2,
        dropped={"a/y": 1, "b/x": 2},
        errors={"warc/bad": 1},
        gaps={"warc/gap": 1},
        bytes_in=100,
        bytes_out=8,
        seconds=commit.seconds,
        facts={"lines": 4},
        outputs=(
            described(tmp_path, "documents/commoncrawl/part-shard-00003.parquet", 2),
            described(tmp_path, f"dropped/commoncrawl/part-{STAGE}-shard-00003.parquet", 3),
            described(tmp_path, f"errors/commoncrawl/part-{STAGE}-shard-00003.jsonl", 2),
            described(tmp_path, "work/x/part.npz", 8),
        ),
    )
    assert (tmp_path / "work/x/part.npz").read_bytes() == b"12345"
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {output.path for output in commit.outputs} | {f"work/{STAGE}/commits/shard-00003.json"}


def test_the_documents_file_holds_the_kept_ones(tmp_path: Path) -> None:
    batch = full_batch()
    write_batch(batch, outputs(tmp_path))
    (path,) = tmp_path.glob("documents/commoncrawl/*.parquet")
    assert read_documents(str(path)) == full_batch().documents


def test_errors_are_lines_with_place_and_cause(tmp_path: Path) -> None:
    write_batch(full_batch(), outputs(tmp_path))
    (path,) = tmp_path.glob("errors/commoncrawl/*.jsonl")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "shard": "shard",
            "offset": 9,
            "inner_offset": 2,
            "cause": "warc/bad",
            "detail": "why",
            "is_record": True,
        },
        {
            "shard": "shard",
            "offset": 11,
            "inner_offset": 0,
            "cause": "warc/gap",
            "detail": "garbage",
            "is_record": False,
        },
    ]


def test_a_stage_that_keeps_no_documents_writes_none(tmp_path: Path) -> None:
    write_batch(full_batch(), outputs(tmp_path, documents=None))
    assert not (tmp_path / "documents").exists()
    assert only_commit(tmp_path).kept == 2


def test_an_empty_batch_leaves_a_commit_and_no_file(tmp_path: Path) -> None:
    write_batch(Batch("s", 0, last=True), outputs(tmp_path))
    assert only_commit(tmp_path).outputs == ()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["s-00000.json"]


@pytest.mark.parametrize("read", [5, 7])
def test_a_document_that_left_twice_or_not_at_all_stops_the_run_before_anything_is_written(
    tmp_path: Path, read: int
) -> None:
    batch = full_batch()
    batch.read = read
    with pytest.raises(StepFailed, match=f"shard shard-00003: RuntimeError: {read} records entered the batch, 6 left"):
        write_batch(batch, outputs(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_batch(full_batch(), outputs(tmp_path))
    first = only_commit(tmp_path)
    write_batch(full_batch(), outputs(tmp_path))
    assert only_commit(tmp_path).outputs == first.outputs


def test_no_commit_is_written_when_a_file_cannot_be(tmp_path: Path) -> None:
    batch = full_batch()
    batch.documents[0].metadata["unheard_of"] = 1
    with pytest.raises(StepFailed, match="unheard_of"):
        write_batch(batch, outputs(tmp_path))
    assert list_commits(str(tmp_path), STAGE) == []


def dropped_ids_with_text(run: Path, **settings: float) -> set[str]:
    batch = Batch("s", 0, read=2000)
    batch.dropped = [Dropped(f"cc/{number}", "", "a/b", text="t") for number in range(2000)]
    write_batch(batch, outputs(run, **settings))
    (path,) = run.glob("dropped/commoncrawl/*.parquet")
    rows = pq.read_table(path, columns=["id", "text"]).to_pylist()
    assert len(rows) == 2000
    return {row["id"] for row in rows if row["text"] is not None}


@pytest.mark.parametrize(("fraction", "low", "high"), [(0.0, 0, 0), (0.1, 140, 260), (1.0, 2000, 2000)])
def test_the_text_of_a_share_of_the_dropped_is_kept(tmp_path: Path, fraction: float, low: int, high: int) -> None:
    assert low <= len(dropped_ids_with_text(tmp_path, dropped_text_fraction=fraction)) <= high


def test_the_seed_alone_decides_whose_text_is_kept(tmp_path: Path) -> None:
    zero = dropped_ids_with_text(tmp_path / "a", dropped_text_fraction=0.1, seed=0)
    again = dropped_ids_with_text(tmp_path / "b", dropped_text_fraction=0.1, seed=0)
    other = dropped_ids_with_text(tmp_path / "c", dropped_text_fraction=0.1, seed=1)
    assert zero == again != other


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_kept_and_dropped_and_errors_make_what_was_read(
    tmp_path_factory: pytest.TempPathFactory, kept: int, dropped: int, errors: int, gaps: int
) -> None:
    run = tmp_path_factory.mktemp("run")
    batch = Batch("s", 0, read=kept + dropped + errors)
    batch.documents = [Document(str(number), "cc", "t") for number in range(kept)]
    batch.dropped = [Dropped(str(number), "", "a/b") for number in range(dropped)]
    batch.errors = [MalformedRecord("x/y", "", offset=0, is_record=number < errors) for number in range(errors + gaps)]
    write_batch(batch, outputs(run))
    commit = only_commit(run)
    assert commit.read == commit.kept + sum(commit.dropped.values()) + sum(commit.errors.values())
    assert sum(commit.gaps.values()) == gaps


def test_each_batch_of_a_collection_is_written_and_named(tmp_path: Path) -> None:
    batches = [Batch("a", 0, last=True), Batch("b", 0), Batch("b", 1, last=True)]
    with Engine(1).pipeline(1, "") as root:
        found = root | beam.Create(batches, reshuffle=False) | WriteBatches(outputs(tmp_path))
        assert_that(found, equal_to(["a-00000", "b-00000", "b-00001"]))
    commits = read_commits(list_commits(str(tmp_path), STAGE))
    assert [(commit.shard, commit.index, commit.last) for commit in commits] == [
        ("a", 0, True),
        ("b", 0, False),
        ("b", 1, True),
    ]
