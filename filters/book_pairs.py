"""Pairs of books that have keys in common: sampled shingles or bands of signatures.

A key that g books have makes g (g - 1) / 2 pairs, which the same front matter in ten thousand books would make fifty
million. So a key that more than ``max_books`` have is *common*: it makes pairs of its first few books with each of the
others only, and counts for no other pair, neither among what is shared nor among what could be. No key makes more than
``(max_books - 1) / 2`` pairs for each book that has it, or one.

Pairing with the first ones keeps what matters of common keys: of a book in a thousand copies, or one that stands in a
thousand longer ones, each is compared with the one that stays for them, as long as books come in the order in which
they stay (:mod:`filters.book_clusters`). One is too few: where longer volumes print a part each of a book that is there
in many copies, the first book of each of its keys is one of those, and no volume is all that a copy repeats.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.book_overlap import least_shared

_HALF = np.uint64(32)
_LOW = np.uint64((1 << 32) - 1)
#: A common key is paired with the first of so many books that a key may have.
_BOOKS_OF_A_FIRST = 8
#: Pairs tallied at once, 8 bytes each.
_CHUNK_PAIRS = 1 << 20


@dataclass(frozen=True, slots=True)
class KeyPairs:
    """Pairs of books with what they share, ordered by (first, second).

    Attributes:
        first: The book of each pair that comes first. Shape (pairs,).
        second: The other one. Shape (pairs,).
        shared: Keys they have in common, of those that count for them. Shape (pairs,).
        common: How many of these are common keys, which count for them alone. Shape (pairs,).
        left_out: For each book, its common keys. Shape (books,).
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shared: NDArray[np.int64]
    common: NDArray[np.int64]
    left_out: NDArray[np.int64]

    def usable(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give, for each pair, how many of the books' keys it could share: all of the smaller one's that count.

        Args:
            samples: Keys of each book. Shape (books,).
        """
        counted = samples - self.left_out
        usable: NDArray[np.int64] = np.minimum(counted[self.first], counted[self.second]) + self.common
        return usable

    def select(self, chosen: NDArray[np.bool_]) -> "KeyPairs":
        """Take some of the pairs."""
        return KeyPairs(
            self.first[chosen], self.second[chosen], self.shared[chosen], self.common[chosen], self.left_out
        )


def pair_books(keys: NDArray[np.uint64], books: NDArray[np.int64], *, number: int, max_books: int) -> KeyPairs:
    """Find the pairs of books that share keys.

    Args:
        keys: Keys of all books together, each at most once for a book. Shape (keys,).
        books: The book each belongs to, numbered in the order in which books stay. Shape (keys,).
        number: How many books there are.
        max_books: A key of more books is common.
    """
    order = np.lexsort((books, keys))
    ascending, owners = keys[order], books[order].astype(np.uint64)
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]]) if len(keys) else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, len(keys)))
    is_common = np.repeat(sizes > max_books, sizes)
    codes, shared = _tally(_all_pairs(owners, starts, sizes, max_books))
    star_codes, common = _tally(_star_pairs(owners, starts, sizes, max_books))
    merged = np.unique(np.concatenate([codes, star_codes]))
    counts = np.zeros((2, len(merged)), np.int64)
    counts[0, np.searchsorted(merged, codes)] = shared
    counts[1, np.searchsorted(merged, star_codes)] = common
    left_out = np.bincount(owners[is_common].astype(np.int64), minlength=number)
    first, second = (merged >> _HALF).astype(np.int64), (merged & _LOW).astype(np.int64)
    return KeyPairs(first, second, counts.sum(axis=0), counts[1], left_out)


def _all_pairs(
    owners: NDArray[np.uint64], starts: NDArray[np.int64], sizes: NDArray[np.int64], max_books: int
) -> Iterator[NDArray[np.uint64]]:
    """Give the pairs of each key that is not common, as ``first << 32 | second``, some at a time."""
    for size in np.unique(sizes[(sizes > 1) & (sizes <= max_books)]).tolist():
        one, other = np.triu_indices(size, 1)
        groups = starts[sizes == size]
        step = max(1, _CHUNK_PAIRS // len(one))
        for place in range(0, len(groups), step):
            block = owners[groups[place : place + step, None] + np.arange(size)]
            yield ((block[:, one] << _HALF) | block[:, other]).ravel()


def _star_pairs(
    owners: NDArray[np.uint64], starts: NDArray[np.int64], sizes: NDArray[np.int64], max_books: int
) -> Iterator[NDArray[np.uint64]]:
    """Give the pairs of each common key's first books with those after them."""
    common = sizes > max_books
    starts, sizes = starts[common], sizes[common]
    places = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    others = owners[np.repeat(starts, sizes) + places]
    for place in range(max(1, max_books // _BOOKS_OF_A_FIRST)):
        after = places > place
        yield (np.repeat(owners[starts + place], sizes)[after] << _HALF) | others[after]


def _tally(chunks: Iterator[NDArray[np.uint64]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Count equal codes over chunks; what is held is the distinct ones and a chunk."""
    codes, counts = np.empty(0, np.uint64), np.empty(0, np.int64)
    for chunk in chunks:
        both = np.concatenate([codes, chunk])
        weights = np.concatenate([counts, np.ones(len(chunk), np.int64)])
        order = np.argsort(both, kind="stable")
        ascending = both[order]
        first = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]]) if len(both) else np.empty(0, np.int64)
        codes = ascending[first]
        counts = np.add.reduceat(weights[order], first) if len(first) else counts
    return codes, counts


def share_enough(
    shared: NDArray[np.int64], usable: NDArray[np.int64], overlap: float, missed: float
) -> NDArray[np.bool_]:
    """Tell which pairs share as many sampled shingles as pairs of an overlap do (:func:`least_shared`).

    Args:
        shared: What each pair shares. Shape (pairs,).
        usable: What it could share. Shape (pairs,).
        overlap: The overlap.
        missed: The share of pairs of that overlap that may be missed.
    """
    distinct, places = np.unique(usable, return_inverse=True)
    least = [least_shared(max(1, samples), overlap, missed) for samples in distinct.tolist()]
    return shared >= np.array(least, np.int64)[places]
