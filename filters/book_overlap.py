"""The overlap of two books, and which pairs are worth measuring it for.

Overlap is containment: of the distinct shingles of the book that has fewer, the share that the other one has too. So a
novella counts as contained in the anthology that prints it. It is exact; what goes before it only spares measuring all
pairs. A pair is worth measuring when the samples of its books (:mod:`filters.book_sketch`) share as much as all but one
in 200 pairs of that overlap do; the samples of a short book are few, so of them less is asked.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from filters.book_shingles import sorted_distinct
from filters.verdict import Drop, Reason

#: Of the pairs with an overlap, the share that may be missed for what their samples happen to hold.
MISSED_FRACTION = 0.005
#: The same of one bucket of samples, which sees a part of each book. What a pair loses is what it has in buckets where
#: it shares little: 0.5 % of all at the overlap asked for, nothing at 0.9. Where a book has eight samples in a bucket,
#: nine in ten of the pairs that share but one go.
MISSED_IN_BUCKET = 0.05


class BookDedupReason(Reason):
    """Why book deduplication leaves a book out."""

    NEAR_DUPLICATE = "book_dedup/near_duplicate"


def count_shared(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    """Count what two arrays of distinct hashes have in common.

    >>> count_shared(np.array([1, 3, 5], np.uint64), np.array([3, 5, 8, 9], np.uint64))
    2
    """
    both = np.concatenate([one, other])
    return len(both) - len(sorted_distinct(both))


def overlap_of(shared: int, one: int, other: int) -> float:
    """Give the overlap of two books.

    Args:
        shared: Distinct shingles they have in common.
        one: Distinct shingles of one.
        other: And of the other.

    Returns:
        The share of the smaller one's that the other has, 0 to 1; 0 where one of them has none.

    >>> overlap_of(90, 100, 1000)
    0.9
    """
    least = min(one, other)
    return shared / least if least else 0.0


def check_overlap(overlap: float, survivor: str, max_overlap: float) -> Drop | None:
    """Decide whether a book goes for what it shares with one that stays.

    Args:
        overlap: Their overlap.
        survivor: Id of the book that stays.
        max_overlap: The limit; at exactly this overlap both stay.
    """
    if overlap <= max_overlap:
        return None
    return Drop(BookDedupReason.NEAR_DUPLICATE, measured=overlap, limit=max_overlap, detail=survivor)


@functools.lru_cache(maxsize=1 << 16)
def least_shared(samples: int, overlap: float, missed: float = MISSED_FRACTION) -> int:
    """Give what two samples share at least, when their books have an overlap, but for a few pairs.

    Each of the n sampled shingles of the smaller book is in the other with a probability of the overlap c, so they
    share fewer than k with a probability of at most exp(-n KL((k - 1) / n, c)) (Chernoff's bound; Arratia and Gordon
    1989). The largest k is taken for which that is no more than ``missed``.

    Args:
        samples: Sampled shingles of the smaller book.
        overlap: The overlap.
        missed: The share of such pairs that may have fewer.

    Returns:
        At least 1: samples that share nothing speak for nothing.

    >>> [least_shared(samples, 0.8) for samples in (1, 4, 6, 60, 3000)]
    [1, 1, 2, 38, 2328]
    """
    low, high = 1, max(1, math.ceil(samples * overlap))
    while low < high:
        middle = (low + high + 1) // 2
        if samples * _divergence((middle - 1) / samples, overlap) >= -math.log(missed):
            low = middle
        else:
            high = middle - 1
    return low


def _divergence(share: float, expected: float) -> float:
    """Give the Kullback-Leibler divergence of two coins, in nats."""
    heads = share * math.log(share / expected) if share > 0 else 0.0
    tails = (1 - share) * math.log((1 - share) / (1 - expected)) if share < 1 else 0.0
    return heads + tails
