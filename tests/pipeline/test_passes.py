"""Passes: fingerprints shared out so that what meets in one fits its bound, and nothing is left out or taken twice."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import duplicates
from pipeline.duplicates import KeyFile, Slice, plan_passes

HASH_SPACE = 1 << 64


def files_of(sizes: Sequence[tuple[str, int]]) -> list[KeyFile]:
    return [KeyFile(f"s{number}", number % 3, group, keys) for number, (group, keys) in enumerate(sizes)]


PLANS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400)), max_size=12)


@given(PLANS, st.none() | st.integers(1, 3000))
def test_each_file_is_taken_in_ranges_that_cover_the_hash_space_without_overlap(sizes, max_bytes) -> None:
    files = files_of(sizes)
    passes = plan_passes(files, max_bytes)
    for file in files:
        edges = [slice_.edges() for pass_ in passes for slice_ in pass_ if slice_.file == file]
        assert edges[0][0] == 0
        assert edges[-1][-1] == HASH_SPACE
        assert all(one[-1] == two[0] for one, two in itertools.pairwise(edges))
        assert all(len(borders) >= 2 and borders == sorted(borders) for borders in edges)


@given(PLANS, st.none() | st.integers(1, 3000))
def test_all_files_of_a_group_take_the_same_range_in_the_same_pass(sizes, max_bytes) -> None:
    files = files_of(sizes)
    taken = defaultdict(list)
    for number, pass_ in enumerate(plan_passes(files, max_bytes)):
        for slice_ in pass_:
            taken[slice_.file.group, number].append((slice_.part, slice_.parts, slice_.buckets, slice_.file.name))
    for (group, _), slices in taken.items():
        assert len({place[:3] for place in slices}) == 1
        assert sorted(place[3] for place in slices) == sorted(file.name for file in files if file.group == group)


@given(PLANS, st.integers(1, 3000))
def test_no_pass_holds_more_than_the_bound(sizes, max_bytes: int) -> None:
    for pass_ in plan_passes(files_of(sizes), max_bytes):
        assert sum(Fraction(8 * slice_.file.keys, slice_.parts) for slice_ in pass_) <= max_bytes


def test_groups_within_the_bound_share_passes_and_larger_ones_are_cut() -> None:
    files = files_of([("a", 10), ("b", 10), ("c", 10), ("d", 50)])
    shape = [[(one.file.group, one.part, one.parts) for one in pass_] for pass_ in plan_passes(files, 160)]
    assert shape == [
        [("a", 0, 1), ("b", 0, 1)],
        [("c", 0, 1)],
        [("d", 0, 3)],
        [("d", 1, 3)],
        [("d", 2, 3)],
    ]
    assert [len(pass_) for pass_ in plan_passes(files, 80)] == [1] * 8
    assert [len(pass_) for pass_ in plan_passes(files, None)] == [4]


@pytest.mark.parametrize(("keys", "parts"), [(20, 1), (21, 2), (40, 2), (41, 3)])
def test_a_group_exactly_at_the_bound_is_not_cut(keys: int, parts: int) -> None:
    assert len(plan_passes([KeyFile("s", 0, "g", keys)], 160)) == parts


def test_the_plan_does_not_depend_on_the_order_of_the_files() -> None:
    files = files_of([("a", 10), ("b", 10), ("a", 5), ("d", 50)])
    assert plan_passes(files, 100) == plan_passes(files[::-1], 100)


def test_buckets_are_as_many_as_the_bytes_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BUCKET_BYTES", 80)
    (((slice_,),)) = plan_passes([KeyFile("s", 0, "g", 31)], None)
    assert slice_.buckets == 4
    assert slice_.edges() == [0, HASH_SPACE // 4, HASH_SPACE // 2, HASH_SPACE // 4 * 3, HASH_SPACE]


def test_a_slice_is_named_by_batch_and_part() -> None:
    assert Slice(KeyFile("s", 3, "g", 100), part=2, parts=4, buckets=1).name == "s-00003.002"
    assert Slice(KeyFile("s", 3, "g", 100), part=2, parts=4, buckets=1).size == 200
