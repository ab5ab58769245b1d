"""Pairs of books that share keys: as many as by comparing all, and bounded where all share the same."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import book_pairs
from filters.book_pairs import KeyPairs, pair_books, share_enough

Library = list[set[int]]


def pair(library: Library, max_books: int) -> KeyPairs:
    keys = np.array([key for book in library for key in sorted(book)], np.uint64)
    books = np.repeat(np.arange(len(library)), [len(book) for book in library])
    return pair_books(keys, books, number=len(library), max_books=max_books)


def as_rows(found: KeyPairs) -> dict[tuple[int, int], tuple[int, int]]:
    columns = (column.tolist() for column in (found.first, found.second, found.shared, found.common))
    return {(first, second): (shared, common) for first, second, shared, common in zip(*columns, strict=True)}


def by_comparing_all(library: Library, max_books: int, firsts: int = 1) -> dict[tuple[int, int], tuple[int, int]]:
    """Each pair's shared keys, by the rule: a common key counts between each of its first books and any other one."""
    owners = {key: [n for n, book in enumerate(library) if key in book] for key in set().union(*library)}
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for one, other in itertools.combinations(range(len(library)), 2):
        both = library[one] & library[other]
        common = {key for key in both if len(owners[key]) > max_books}
        stars = {key for key in common if one in owners[key][:firsts]}
        if both - common or stars:
            found[one, other] = len(both - common) + len(stars), len(stars)
    return found


LIBRARIES = st.lists(st.sets(st.integers(0, 12)), min_size=1, max_size=8)


@given(LIBRARIES, st.integers(2, 6))
def test_pairs_are_those_found_by_comparing_all(library: Library, max_books: int) -> None:
    found = pair(library, max_books)
    assert as_rows(found) == by_comparing_all(library, max_books)
    counts = Counter(key for book in library for key in book)
    assert found.left_out.tolist() == [sum(counts[key] > max_books for key in book) for book in library]


@given(LIBRARIES, st.integers(2, 5))
def test_common_keys_are_paired_with_one_first_book_of_so_many_allowed(library: Library, max_books: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_pairs, "_BOOKS_OF_A_FIRST", 2)
        assert as_rows(pair(library, max_books)) == by_comparing_all(library, max_books, max_books // 2)


@given(LIBRARIES)
def test_pairs_tallied_some_at_a_time_are_the_same(library: Library) -> None:
    whole = as_rows(pair(library, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_pairs, "_CHUNK_PAIRS", 1)
        assert as_rows(pair(library, 4)) == whole


def test_what_could_be_shared_leaves_common_keys_out_but_with_the_first_book() -> None:
    library: Library = [{1, 2, 3, 4}, {1, 2, 3, 9}, {1, 2, 9}]
    found = pair(library, 2)  # 1 and 2 are common
    assert as_rows(found) == {(0, 1): (3, 2), (0, 2): (2, 2), (1, 2): (1, 0)}
    assert found.usable(np.array([4, 4, 3])).tolist() == [2 + 2, 1 + 2, 1]


def test_a_pair_can_share_no_more_than_the_smaller_book_has_whichever_comes_first() -> None:
    assert pair([{1, 2}, {1, 2, 3, 4}], 2).usable(np.array([2, 4])).tolist() == [2]
    assert pair([{1, 2, 3, 4}, {1, 2}], 2).usable(np.array([4, 2])).tolist() == [2]


def test_the_same_front_matter_in_ten_thousand_books_makes_four_pairs_a_book_and_key() -> None:
    front = set(range(12))
    library = [front | {1000 + 10 * number + place for place in range(3)} for number in range(10_000)]
    found = pair(library, 32)
    assert len(found.first) == 9_999 + 9_998 + 9_997 + 9_996
    assert set(found.first.tolist()) == {0, 1, 2, 3}
    assert set(found.shared.tolist()) == {12}


def test_a_key_of_as_many_books_as_allowed_makes_all_their_pairs_and_one_more_makes_stars() -> None:
    assert len(pair([{1}] * 32, 32).first) == 32 * 31 // 2
    assert len(pair([{1}] * 33, 32).first) == 32 + 31 + 30 + 29


def test_pairs_that_share_enough_are_told_from_others() -> None:
    shared, usable = np.array([2, 1, 2322, 2400, 1]), np.array([6, 6, 3000, 3000, 0])
    assert share_enough(shared, usable, 0.8, 0.005).tolist() == [True, False, False, True, True]
