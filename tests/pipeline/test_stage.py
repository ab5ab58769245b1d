"""Stages: what makes them stale, and what of their work is left to do."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commits import Commit
from pipeline.files import WrittenFile
from pipeline.runner import Engine
from pipeline.stage import (
    BatchFile,
    LauncherWork,
    SpreadUnits,
    Stage,
    StageResult,
    UnitWork,
    code_version,
    digest_json,
    digest_outputs,
)


@dataclass(frozen=True)
class Unit:
    name: str
    size: int


def no_graph(units: beam.PCollection) -> beam.PCollection:
    return units


def work(*units: Unit, single: bool = False) -> UnitWork:
    return UnitWork(units, no_graph, single=single)


def stage(name: str = "cc.scored", settings: object = None, inputs: object = None, **more: object) -> Stage:
    return Stage(name, settings or {"a": 1, "b": {"c": [1, 2]}}, inputs or {"dumps": "x"}, work(), **more)


@pytest.mark.parametrize(
    "other",
    [
        stage(name="cc.scored2"),
        stage(settings={"a": 2, "b": {"c": [1, 2]}}),
        stage(settings={"a": 1, "b": {"c": [2, 1]}}),
        stage(settings={"a": 1, "b": {"c": [1, 2]}, "d": None}),
        stage(settings={"a": "1", "b": {"c": [1, 2]}}),
        stage(inputs={"dumps": "y"}),
        stage(inputs={"ids": "x"}),
        stage(inputs={"dumps": "x", "ids": "x"}),
    ],
)
def test_a_stage_with_another_name_settings_or_inputs_has_another_key(other: Stage) -> None:
    assert other.key() != stage().key()


def test_the_order_of_settings_and_what_else_a_stage_is_do_not_change_its_key() -> None:
    twin = stage(settings={"b": {"c": [1, 2]}, "a": 1}, owns=("x",), counts="lines", may_keep_nothing=True)
    assert twin.key() == stage().key()


def test_a_digest_is_that_of_the_value_and_not_of_its_keys_order() -> None:
    assert digest_json({"a": 1, "b": "é"}) == digest_json({"b": "é", "a": 1})
    assert digest_json({"a": 1, "b": "é"}) != digest_json({"a": 1, "b": "e"})


UNITS = (Unit("a", 100), Unit("b", 300), Unit("c", 200))


def test_without_commits_all_is_missing_and_the_largest_units_start_first() -> None:
    todo = work(*UNITS)
    assert todo.missing([]) == ["b", "c", "a"]
    assert (todo.done_bytes([]), todo.total_bytes) == (0, 600)
    (job,) = todo.jobs([])
    assert job.units == 3


def test_a_unit_with_a_batch_but_no_last_one_goes_on_after_it() -> None:
    commits = [Commit("a", 0, last=False, position=40), Commit("a", 1, last=False, position=70)]
    assert work(*UNITS).missing(commits) == ["b", "c", "a"]
    assert work(*UNITS).done_bytes(commits) == 70


def test_a_unit_with_a_gap_before_its_last_batch_is_not_done() -> None:
    commits = [Commit("a", 0, last=False, position=40), Commit("a", 2, last=True, position=90)]
    assert "a" in work(*UNITS).missing(commits)


def test_a_unit_is_done_with_its_last_batch_and_all_before_it() -> None:
    commits = [Commit("a", 1, last=True, position=90), Commit("a", 0, last=False, position=40), Commit("b", 0)]
    assert work(*UNITS).missing(commits) == ["c"]
    assert work(*UNITS).done_bytes(commits) == 400
    (job,) = work(*UNITS).jobs(commits)
    assert job.units == 1


def test_when_all_is_done_there_is_no_job() -> None:
    commits = [Commit(unit.name, 0, position=1) for unit in UNITS]
    assert list(work(*UNITS).jobs(commits)) == []
    assert work(*UNITS).missing(commits) == []
    assert work(*UNITS).done_bytes(commits) == 600


def test_commits_of_units_that_are_no_more_are_of_no_account() -> None:
    assert work(Unit("a", 100)).missing([Commit("z", 0)]) == ["a"]
    assert work(Unit("a", 100)).done_bytes([Commit("z", 0)]) == 0


def test_a_unit_that_is_one_batch_is_done_by_its_own_commit() -> None:
    units = [BatchFile("s", index, f"/x/{index}", 10 + index) for index in (0, 3)]
    todo = work(*units, single=True)
    assert todo.missing([]) == ["s-00003", "s-00000"]
    assert todo.missing([Commit("s", 3)]) == ["s-00000"]
    assert todo.done_bytes([Commit("s", 3)]) == 13
    assert todo.missing([Commit("s", 1)]) == ["s-00003", "s-00000"]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_a_unit_is_missing_exactly_while_one_of_its_batches_is(sizes: list[int], data: st.DataObject) -> None:
    units = [Unit(f"u{number}", number) for number in range(len(sizes))]
    every = [Commit(f"u{n}", i, last=i == size - 1) for n, size in enumerate(sizes) for i in range(size)]
    committed = data.draw(st.lists(st.sampled_from(every), unique_by=lambda one: (one.shard, one.index)))
    expected = {commit.shard for commit in every if commit not in committed}
    assert set(work(*units).missing(committed)) == expected


def pairs(units: beam.PCollection) -> beam.PCollection:
    found = units | beam.Map(lambda pair: (pair[0].name, sorted(pair[1])))
    assert_that(found, equal_to([("b", []), ("c", [0, 2])]))
    return found


def test_the_graph_is_handed_the_open_units_with_their_committed_batches(tmp_path: Path) -> None:
    commits = [Commit("a", 0), Commit("c", 0, last=False), Commit("c", 2)]
    (job,) = UnitWork(UNITS, pairs).jobs(commits)
    Engine(1).run(job, str(tmp_path / "log"))


def test_each_unit_is_spread_once() -> None:
    units = [Unit(str(number), number) for number in range(7)]
    with Engine(1).pipeline(1, "") as root:
        assert_that(root | SpreadUnits([*units, units[0]]), equal_to([*units, units[0]]))


def test_work_of_the_launching_process_is_done_once_it_has_a_commit() -> None:
    called = []
    todo = LauncherWork(lambda: called.append(1), "training", total_bytes=5)
    (job,) = todo.jobs([])
    Engine(1).run(job, "")
    assert called == [1]
    assert (todo.missing([]), todo.done_bytes([])) == (["training"], 0)
    done = [Commit("tokenizer", 0)]
    assert (list(todo.jobs(done)), todo.missing(done), todo.done_bytes(done)) == ([], [], 5)


def written(*paths: str) -> list[WrittenFile]:
    return [WrittenFile(path, 1, f"sha of {path}", 1) for path in paths]


def test_the_digest_of_outputs_does_not_depend_on_their_order() -> None:
    files = written("documents/a", "documents/b", "work/c")
    assert len({digest_outputs(order) for order in itertools.permutations(files)}) == 1


CHANGED = [*written("documents/a"), WrittenFile("documents/b", 1, "other", 1)]


@pytest.mark.parametrize(
    "other",
    [[], written("documents/a"), written("documents/a", "documents/c"), CHANGED],
    ids=["none", "fewer", "renamed", "changed"],
)
def test_other_outputs_have_another_digest(other: Sequence[WrittenFile]) -> None:
    assert digest_outputs(other) != digest_outputs(written("documents/a", "documents/b"))


def test_what_was_left_out_is_read_by_no_later_stage_and_does_not_count() -> None:
    left_out = written("dropped/cc/x.parquet", "errors/cc/x.jsonl")
    assert digest_outputs([*written("documents/a"), *left_out]) == digest_outputs(written("documents/a"))


def result() -> StageResult:
    one = Commit("s", 0, outputs=tuple(written("work/x/part-s-00000.parquet", "dropped/cc/part-x-s-00000.parquet")))
    return StageResult("x", [one, Commit("s", 1), Commit("t", 0, outputs=tuple(written("work/x/part-t")))], "digest")


def test_the_outputs_below_a_path_become_the_units_of_the_next_stage() -> None:
    assert result().files("/run", "work/x/") == [
        BatchFile("s", 0, "/run/work/x/part-s-00000.parquet", 1),
        BatchFile("t", 0, "/run/work/x/part-t", 1),
    ]
    assert [output.path for output in result().outputs("dropped/")] == ["dropped/cc/part-x-s-00000.parquet"]
    assert len(result().outputs()) == 3


def versions(folder: Path) -> Iterator[str]:
    """Give the code version of a made-up package: as it is, and after each kind of change to it."""
    package = folder / "filters"
    package.mkdir()
    for file in ("__init__.py", "a.py"):
        (package / file).write_text("x = 1\n")
    yield _version()
    (package / "data.bin").write_text("no code")
    yield _version()
    (package / "a.py").write_text("x = 2\n")
    yield _version()
    (package / "a.py").rename(package / "b.py")
    yield _version()
    (package / "sub").mkdir()
    (package / "b.py").rename(package / "sub" / "b.py")
    yield _version()


def _version() -> str:
    code_version.cache_clear()
    return code_version()


def test_the_code_version_changes_with_the_source_and_with_nothing_else(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("filters.__file__", str(tmp_path / "filters" / "__init__.py"))
    first, other_data, edited, renamed, moved = versions(tmp_path)
    monkeypatch.undo()
    code_version.cache_clear()
    assert first == other_data
    assert len({first, edited, renamed, moved}) == 4
