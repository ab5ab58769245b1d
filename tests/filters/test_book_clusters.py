"""Which books stay: the longest of a cluster, no chains, whatever the order pairs come in."""

import random

from hypothesis import given
from hypothesis import strategies as st

from filters.book_clusters import Book, Removal, choose_survivors

A, B, C = Book("a", 60, 300), Book("b", 40, 200), Book("c", 20, 100)


def test_a_chain_loses_its_middle_only() -> None:
    assert choose_survivors([A, B, C], [(0, 1, 0.95), (1, 2, 0.95)], 0.9) == [Removal(1, 0, 0.95)]


def test_of_a_star_the_longest_stays() -> None:
    pairs = [(0, 2, 0.91), (1, 2, 0.99), (0, 1, 0.97)]
    assert choose_survivors([C, B, A], pairs, 0.9) == [Removal(0, 2, 0.91), Removal(1, 2, 0.99)]


def test_at_exactly_the_limit_both_stay() -> None:
    assert choose_survivors([A, B], [(0, 1, 0.9)], 0.9) == []
    assert choose_survivors([A, B], [(0, 1, 0.9000001)], 0.9) == [Removal(1, 0, 0.9000001)]


def test_a_book_that_repeats_itself_goes_for_the_one_that_holds_more_though_it_is_longer() -> None:
    shelf = [Book("a line, over and over", 1, 900_000), Book("a novel with that line", 50_000, 400_000)]
    assert choose_survivors(shelf, [(0, 1, 1.0)], 0.9) == [Removal(0, 1, 1.0)]


def test_of_books_that_hold_as_much_the_longer_stays() -> None:
    assert choose_survivors([Book("a", 5, 7), Book("b", 5, 8)], [(0, 1, 1.0)], 0.9) == [Removal(0, 1, 1.0)]


def test_of_equally_long_books_the_smallest_id_stays() -> None:
    assert choose_survivors([Book("y", 5, 9), Book("x", 5, 9)], [(0, 1, 1.0)], 0.9) == [Removal(0, 1, 1.0)]
    assert choose_survivors([Book("x", 5, 9), Book("y", 5, 9)], [(0, 1, 1.0)], 0.9) == [Removal(1, 0, 1.0)]


def test_a_book_goes_for_the_one_it_shares_most_with() -> None:
    pairs = [(0, 2, 0.92), (1, 2, 0.95)]
    assert choose_survivors([A, B, C], pairs, 0.9) == [Removal(2, 1, 0.95)]
    assert choose_survivors([A, B, C], [(0, 2, 0.95), (1, 2, 0.95)], 0.9) == [Removal(2, 0, 0.95)]


def test_no_book_goes_for_one_that_is_gone() -> None:
    pairs = [(0, 1, 0.95), (0, 2, 0.5), (1, 2, 1.0)]
    assert choose_survivors([A, B, C], pairs, 0.9) == [Removal(1, 0, 0.95)]


Shelf = tuple[list[Book], list[tuple[int, int, float]]]


@st.composite
def shelves(draw: st.DrawFn) -> Shelf:
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=9))
    places = [(one, other) for one in range(len(sizes)) for other in range(one)]
    chosen = draw(st.lists(st.sampled_from(places), unique=True))
    overlaps = [(*pair, draw(st.sampled_from([0.5, 0.9, 0.91, 1.0]))) for pair in chosen]
    return [Book(str(number), size, size % 2) for number, size in enumerate(sizes)], overlaps


@given(shelves(), st.integers(0, 1000))
def test_the_rule_holds_for_every_book_in_any_order_of_pairs(shelf: Shelf, seed: int) -> None:
    books, overlaps = shelf
    removals = choose_survivors(books, overlaps, 0.9)
    gone = {removal.book for removal in removals}
    between = {frozenset(pair[:2]): pair[2] for pair in overlaps}
    order = sorted(range(len(books)), key=lambda place: (-books[place].shingles, -books[place].chars, books[place].id))
    for rank, place in enumerate(order):
        near = [first for first in order[:rank] if between.get(frozenset({first, place}), 0) > 0.9]
        assert (place in gone) == any(first not in gone for first in near)
    for removal in removals:
        assert removal.survivor not in gone
        assert between[frozenset({removal.book, removal.survivor})] == removal.overlap
    turned = [(other, one, overlap) for one, other, overlap in overlaps]
    random.Random(seed).shuffle(turned)
    assert choose_survivors(books, turned, 0.9) == removals
