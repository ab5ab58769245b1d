"""Parts of book deduplication by themselves: ranges of keys, ranks, sums, and inputs that have changed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch, StepFailed
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.document import Document
from pipeline.files import write_output
from pipeline.parquet import documents_to_parquet
from pipeline.sources import book_dedup
from pipeline.sources.book_shared import PAIR, BucketPairs, rank_books, read_pairs, sum_pairs
from pipeline.sources.book_sketches import BatchBooks, Keyed
from pipeline.sources.book_tables import REMOVED, encode_table
from pipeline.sources.book_verify import ChosenBooks, read_shingles
from pipeline.stage import BatchFile

TOP = 1 << 64


def keyed(keys: list[int]) -> Keyed:
    return Keyed(np.array(keys, np.uint64), np.arange(len(keys), dtype=np.uint32))


def test_a_key_at_a_border_is_in_the_upper_range_and_the_highest_in_the_last() -> None:
    keys = keyed([0, 9, 10, 11, TOP - 1])
    assert keys.between(0, 10).keys.tolist() == [0, 9]
    assert keys.between(10, 20).keys.tolist() == [10, 11]
    assert keys.between(20, TOP).keys.tolist() == [TOP - 1]
    assert keys.between(20, TOP).books.tolist() == [4]
    assert keys.between(20, TOP - 1).keys.tolist() == []


@given(st.sets(st.integers(0, TOP - 1), max_size=30), st.sets(st.integers(1, TOP - 1), max_size=5))
def test_ranges_share_all_keys_out(values: set[int], inner: set[int]) -> None:
    edges = [0, *sorted(inner), TOP]
    parts = [keyed(sorted(values)).between(low, high) for low, high in itertools.pairwise(edges)]
    assert [key for part in parts for key in part.keys.tolist()] == sorted(values)
    assert [book for part in parts for book in part.books.tolist()] == list(range(len(values)))


def books(shard: str, **chars: int) -> BatchBooks:
    sizes = np.array(list(chars.values()), np.int64)
    return BatchBooks(shard, 0, list(chars), sizes, sizes, sizes)


def test_books_are_ranked_by_length_then_by_id_whatever_batch_they_are_in() -> None:
    ranks = rank_books([books("x", c=5, a=9), books("y", b=5, d=9)])
    assert [one.tolist() for one in ranks] == [[3, 0], [2, 1]]


def rows(*pairs: tuple[int, int, int, int, int]) -> np.ndarray:
    return np.array(list(pairs), PAIR)


def test_pairs_of_several_buckets_are_added_up(tmp_path: Path) -> None:
    found = (
        BucketPairs(rows((0, 1, 5, 1, 0), (2, 3, 1, 0, 0)), np.array([1], np.uint32), np.array([4], np.uint32)),
        BucketPairs(rows((0, 1, 2, 0, 3)), np.array([0, 1], np.uint32), np.array([7, 1], np.uint32)),
    )
    paths = [tmp_path / f"{number}.npz" for number in range(2)]
    for path, one in zip(paths, found, strict=True):
        path.write_bytes(one.to_bytes())
    for order in (paths, paths[::-1]):
        total = read_pairs(map(str, order))
        assert total.pairs.tolist() == [(0, 1, 7, 1, 3), (2, 3, 1, 0, 0)]
        assert dict(zip(total.books.tolist(), total.left_out.tolist(), strict=True)) == {0: 7, 1: 5}
    assert len(sum_pairs(rows())) == 0
    assert len(read_pairs([]).pairs) == 0


def chosen(tmp_path: Path, shingles: int) -> ChosenBooks:
    path = tmp_path / "books.parquet"
    path.write_bytes(documents_to_parquet([Document("b/1", "books", "one two three four five six")]))
    return ChosenBooks(BatchFile("b", 0, str(path), 1), (0,), (shingles,))


def test_a_book_whose_shingles_have_changed_stops_the_run(tmp_path: Path) -> None:
    (batch,) = read_shingles(chosen(tmp_path, 2), settings=BookDedupSettings())
    ((content, count),) = batch.files.values()
    assert (len(content), count) == (16, 1)
    with pytest.raises(StepFailed, match="document b/1: RuntimeError: 2 shingles read again, 3 were sketched"):
        list(read_shingles(chosen(tmp_path, 3), settings=BookDedupSettings()))


def test_another_book_in_the_place_of_one_that_goes_stops_the_run(tmp_path: Path) -> None:
    row = {"shard": "b", "index": 0, "place": 1, "id": "b/2", "survivor": "b/1", "overlap": 0.95}
    table = encode_table({name: [value] for name, value in row.items()}, REMOVED)
    write_output(str(tmp_path), book_dedup.REMOVED_PATH, table)

    def drop(*ids: str, index: int = 0) -> Batch:
        batch = Batch("b", index, documents=[Document(name, "books", "text") for name in ids])
        return book_dedup.drop_duplicates(batch, str(tmp_path), 0.9)

    assert [row.detail for row in drop("b/1", "b/2").dropped] == ["b/1"]
    assert drop("b/1", "b/3", index=1).dropped == []
    with pytest.raises(StepFailed, match="document b/3: RuntimeError: b/2 was compared in its place"):
        drop("b/1", "b/3")
