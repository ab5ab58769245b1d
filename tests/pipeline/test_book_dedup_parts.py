"""Parts of book deduplication by themselves: ranges of keys, ranks, sums, and inputs that have changed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.book_clusters import Book, choose_survivors, rank_of
from filters.book_overlap import count_shared, overlap_of
from filters.book_sketch import sketch_book
from pipeline.batch import Batch, StepFailed
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.document import Document
from pipeline.files import write_output
from pipeline.parquet import documents_to_parquet
from pipeline.sources import book_dedup
from pipeline.sources.book_candidates import choose_candidates
from pipeline.sources.book_shared import PAIR, BucketPairs, Sent, pair_bucket, rank_books, read_pairs, sum_pairs
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


def books(shard: str, **sizes: tuple[int, int]) -> BatchBooks:
    shingles, chars = np.array(list(sizes.values()), np.int64).T
    return BatchBooks(shard, 0, list(sizes), chars, shingles, shingles)


def test_books_are_ranked_by_shingles_then_length_then_id_whatever_batch_they_are_in() -> None:
    ranks = rank_books([books("x", c=(5, 7), a=(9, 7)), books("y", b=(5, 7), d=(9, 7), e=(5, 8))])
    assert [one.tolist() for one in ranks] == [[4, 0], [3, 1, 2]]
    in_one = [Book(name, *sizes) for name, *sizes in (("c", 5, 7), ("a", 9, 7), ("b", 5, 7), ("d", 9, 7), ("e", 5, 8))]
    assert [book.id for book in sorted(in_one, key=rank_of)] == ["a", "d", "e", "b", "c"]


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


def test_parts_of_a_book_in_many_copies_go_for_it_though_longer_volumes_print_it_too() -> None:
    """The first book of each of its keys is one of ten volumes, and none of these holds much of a part."""
    rng = np.random.default_rng(0)

    def some(number: int) -> np.ndarray:
        return rng.integers(0, TOP, number, np.uint64)

    whole = some(20_000)
    volumes = [[*whole[start : start + 2000], *some(22_000)] for start in range(0, 20_000, 2000)]
    parts = [[*whole[start : start + 8000], *some(200)] for start in range(0, 12_000, 150)]
    sets = [np.unique(np.array(values, np.uint64)) for values in (*volumes, whole, *parts)]
    found = candidates_of(sets)
    sizes = [len(hashes) for hashes in sets]
    overlaps = [
        (one, other, overlap_of(count_shared(sets[one], sets[other]), sizes[one], sizes[other])) for one, other in found
    ]
    shelf = [Book(f"{place:03d}", size, 0) for place, size in enumerate(sizes)]
    gone = {removal.book for removal in choose_survivors(shelf, overlaps, 0.9)}
    assert gone == set(range(11, len(sets))), "8,000 of 8,200 shingles of each part are in the whole"


def test_ten_thousand_copies_make_four_pairs_each() -> None:
    copy = np.unique(np.random.default_rng(1).integers(0, TOP, 320, np.uint64))
    found = candidates_of([copy] * 10_000)
    assert len(found) < 4 * 10_000
    assert {other for one, other in found if one == 0} == set(range(1, 10_000))


def candidates_of(sets: list[np.ndarray]) -> list[tuple[int, int]]:
    """Find the candidates among books in the order in which they stay, as the stages do with all keys in one bucket."""
    settings = BookDedupSettings()
    known = {id(hashes): sketch_book(hashes, settings.shape) for hashes in {id(one): one for one in sets}.values()}
    sketches = [known[id(hashes)] for hashes in sets]
    sent = [
        Sent(f"{rank:05d}", *(Keyed(keys, np.full(len(keys), rank, np.uint32)) for keys in (one.samples, one.bands)))
        for rank, one in enumerate(sketches)
    ]
    samples = np.array([len(one.samples) for one in sketches])
    pairs, _ = choose_candidates(pair_bucket(sent, settings), samples, settings.candidate_overlap)
    return list(zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True))
