"""Commits: written last, read back in order, added up into statistics."""

import json
from pathlib import Path

from pipeline.commits import Commit, commit_path, list_commits, read_commits, summarize, write_commit
from pipeline.files import WrittenFile

FULL = Commit(
    shard="a",
    index=1,
    last=True,
    position=99,
    read=10,
    kept=4,
    dropped={"length/too_short": 3},
    errors={"warc/bad_length": 2, "warc/truncated": 1},
    gaps={"warc/garbage": 5},
    bytes_in=1000,
    bytes_out=400,
    seconds={"read": 0.25, "write": 1.0},
    facts={"lines": 7},
    outputs=(WrittenFile("documents/cc/part-a-00001.parquet", 12, "ab", 4),),
)
FIRST = Commit("a", 0, last=False, position=50, read=5, kept=5, dropped={}, seconds={"read": 0.5}, facts={"lines": 1})
OTHER = Commit("b", 0, last=True, read=1, dropped={"length/too_short": 1}, gaps={"warc/garbage": 1})


def test_commits_come_back_in_the_order_of_shards_and_batches(tmp_path: Path) -> None:
    for commit in (OTHER, FULL, FIRST):
        write_commit(str(tmp_path), "cc.scored", commit)
    paths = list_commits(str(tmp_path), "cc.scored")
    assert read_commits(reversed(paths)) == [FIRST, FULL, OTHER]


def test_a_commit_lies_under_its_batchs_name_in_its_stage(tmp_path: Path) -> None:
    write_commit(str(tmp_path), "cc.scored", FULL)
    path = tmp_path / "work" / "cc.scored" / "commits" / "a-00001.json"
    assert str(path) == commit_path(str(tmp_path), "cc.scored", FULL)
    assert json.loads(path.read_text())["outputs"][0]["path"] == "documents/cc/part-a-00001.parquet"


def test_a_stage_sees_its_own_commits_alone(tmp_path: Path) -> None:
    write_commit(str(tmp_path), "cc.scored", FULL)
    write_commit(str(tmp_path), "cc.scored2", OTHER)
    assert read_commits(list_commits(str(tmp_path), "cc.scored")) == [FULL]
    assert list_commits(str(tmp_path), "cc") == []


def test_a_batch_committed_again_is_there_once(tmp_path: Path) -> None:
    write_commit(str(tmp_path), "s", FULL)
    write_commit(str(tmp_path), "s", FULL)
    assert read_commits(list_commits(str(tmp_path), "s")) == [FULL]


def test_the_statistics_are_the_sum_over_all_commits() -> None:
    assert summarize([FIRST, FULL, OTHER]) == {
        "shards": 2,
        "batches": 3,
        "read": 16,
        "kept": 9,
        "dropped": {"length/too_short": 4},
        "errors": {"warc/bad_length": 2, "warc/truncated": 1},
        "gaps": {"warc/garbage": 6},
        "bytes_in": 1000,
        "bytes_out": 400,
        "facts": {"lines": 8},
        "seconds": {"read": 0.75, "write": 1.0},
    }


def test_reasons_are_listed_by_name_whatever_order_they_came_in() -> None:
    commits = [Commit("a", 0, dropped={"z": 1, "b": 1}), Commit("b", 0, dropped={"a": 1})]
    assert list(summarize(commits)["dropped"]) == ["a", "b", "z"]
    assert summarize(commits) == summarize(commits[::-1])


def test_no_commits_add_up_to_nothing() -> None:
    empty = summarize([])
    assert (empty["read"], empty["kept"], empty["dropped"], empty["seconds"]) == (0, 0, {}, {})
