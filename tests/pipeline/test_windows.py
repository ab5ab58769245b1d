"""Which files of a dump are compared with each other, against CCNet's own arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.line_dedup import Keep, LineDedupSettings, Scope
from pipeline.document import Shard
from pipeline.sources.crawl_dedup import window_of_shards


def dump_of(files: int, dump: str = "D") -> list[Shard]:
    return [Shard("commoncrawl", f"{dump}~{number:06d}", f"/{number}", 1, dump) for number in range(files)]


def ccnet_windows(files: int, shards: int, hash_in_mem: int) -> dict[int, int]:
    """Shard k takes files k*n//shards up to (k+1)*n//shards; shard s is compared within group s // hash_in_mem."""
    groups = {}
    for shard in range(shards):
        for file in range(shard * files // shards, (shard + 1) * files // shards):
            groups[file] = shard // hash_in_mem
    return groups


def windows(files: int, per_dump: int) -> list[str]:
    found = window_of_shards(dump_of(files), LineDedupSettings(windows_per_dump=per_dump))
    return [found[shard.name] for shard in dump_of(files)]


def same_partition(one: list[object], other: list[object]) -> bool:
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


@pytest.mark.parametrize("files", [1, 31, 32, 33, 100, 1_600, 5_000, 56_000, 71_520, 72_001])
def test_windows_are_those_of_ccnets_1600_shards_50_at_a_time(files: int) -> None:
    expected = ccnet_windows(files, 1600, 50)
    assert same_partition(windows(files, 32), [expected[number] for number in range(files)])


@given(st.integers(1, 200), st.integers(1, 12), st.integers(1, 6))
def test_windows_are_ccnets_for_any_number_of_files_and_shards(files: int, groups: int, hash_in_mem: int) -> None:
    expected = ccnet_windows(files, groups * hash_in_mem, hash_in_mem)
    assert same_partition(windows(files, groups), [expected[number] for number in range(files)])


def test_with_one_window_each_shard_alone_as_redpajama_ran_it() -> None:
    # 5,000 shards, hash_in_mem 1: each shard only against itself.
    expected = ccnet_windows(60_000, 5000, 1)
    assert same_partition(windows(60_000, 5000), [expected[number] for number in range(60_000)])


def test_files_are_dealt_out_in_the_order_of_their_names_whatever_order_they_come_in() -> None:
    shards = dump_of(10)
    settings = LineDedupSettings(windows_per_dump=3)
    assert window_of_shards(shards[::-1], settings) == window_of_shards(shards, settings)


@pytest.mark.parametrize("scope", [Scope.WINDOW, Scope.DUMP])
def test_dumps_never_meet_below_the_corpus(scope: Scope) -> None:
    shards = dump_of(5, "A") + dump_of(3, "B")
    found = window_of_shards(shards, LineDedupSettings(scope=scope, windows_per_dump=2))
    assert set(found) == {shard.name for shard in shards}
    assert not {found[s.name] for s in shards if s.dump == "A"} & {found[s.name] for s in shards if s.dump == "B"}


def test_a_dump_is_one_window_and_so_is_a_corpus() -> None:
    shards = dump_of(5, "A") + dump_of(3, "B")
    dump = window_of_shards(shards, LineDedupSettings(scope=Scope.DUMP, windows_per_dump=2))
    assert len({dump[shard.name] for shard in shards if shard.dump == "A"}) == 1
    assert len(set(dump.values())) == 2
    corpus = window_of_shards(shards, LineDedupSettings(scope=Scope.CORPUS, keep=Keep.FIRST))
    assert set(corpus) == {shard.name for shard in shards}
    assert len(set(corpus.values())) == 1
