"""Which of the books that overlap stay: of each cluster the one that holds the most, and no chains.

Books are gone through from the one with the most distinct shingles to that with the fewest, of equal ones the longest
cleaned text first, then the smallest id. A book goes if its overlap with one that stays exceeds the limit. So what goes
stands in what stays: by length alone, a file that repeats one line for a megabyte would take out each shorter novel in
which that line occurs, and a novella in twenty copies in one file the anthology that prints it.

And each book that goes is a near-duplicate of one that is
still there: with A like B and B like C, but A unlike C, B goes for A and C stays. Clusters made of chains (connected
components) would take C out for a book it does not resemble.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Book:
    """What decides between books.

    Attributes:
        id: The document's id.
        shingles: Its distinct shingles.
        chars: Characters of its cleaned text.
    """

    id: str
    shingles: int
    chars: int


def rank_of(book: Book) -> tuple[int, int, str]:
    """Give what books are ordered by: those that stay for others come first."""
    return -book.shingles, -book.chars, book.id


@dataclass(frozen=True, slots=True)
class Removal:
    """A book that goes.

    Attributes:
        book: Which one.
        survivor: The book that stays for it: of those it overlaps with too much, the one it shares the most with; of
            equals the first.
        overlap: Their overlap.
    """

    book: int
    survivor: int
    overlap: float


def choose_survivors(
    books: Sequence[Book], overlaps: Sequence[tuple[int, int, float]], max_overlap: float
) -> list[Removal]:
    """Choose which books stay.

    Args:
        books: The books.
        overlaps: Pairs of places in ``books`` with their overlap, in any order; a pair that is not there has none.
        max_overlap: At exactly this overlap both stay.

    Returns:
        The books that go, in the order of their places.

    >>> shelf = [Book("a", 60, 300), Book("b", 40, 200), Book("c", 20, 100)]
    >>> choose_survivors(shelf, [(0, 1, 0.95), (1, 2, 0.97)], 0.9)
    [Removal(book=1, survivor=0, overlap=0.95)]
    """
    order = sorted(range(len(books)), key=lambda place: rank_of(books[place]))
    rank = {place: number for number, place in enumerate(order)}
    before: dict[int, list[tuple[int, float]]] = {}
    for one, other, overlap in overlaps:
        if overlap > max_overlap:
            first, second = sorted((one, other), key=rank.__getitem__)
            before.setdefault(second, []).append((first, overlap))
    gone: dict[int, Removal] = {}
    for place in order:
        staying = [(-overlap, rank[first], first) for first, overlap in before.get(place, ()) if first not in gone]
        if staying:
            overlap, _, survivor = min(staying)
            gone[place] = Removal(place, survivor, -overlap)
    return [gone[place] for place in sorted(gone)]
