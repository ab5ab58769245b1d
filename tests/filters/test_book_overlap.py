"""Overlap of two books, and what the samples of books with an overlap share at least."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.book_overlap import MISSED_FRACTION, check_overlap, count_shared, least_shared, overlap_of


def chance_below(least: int, samples: int, overlap: float) -> float:
    """The chance that of so many samples fewer are shared: the binomial distribution, summed up."""
    return sum(math.comb(samples, k) * overlap**k * (1 - overlap) ** (samples - k) for k in range(least))


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_shared_hashes_are_counted_as_sets_meet(one: set[int], other: set[int]) -> None:
    arrays = (np.array(sorted(values), np.uint64) for values in (one, other))
    assert count_shared(*arrays) == len(one & other)


def test_overlap_is_the_share_of_the_smaller_book() -> None:
    assert overlap_of(90, 100, 1000) == overlap_of(90, 1000, 100) == 0.9
    assert overlap_of(0, 0, 1000) == 0.0


def test_a_book_exactly_at_the_limit_stays_and_one_above_goes() -> None:
    assert check_overlap(0.9, "gutenberg/1", 0.9) is None
    drop = check_overlap(0.91, "gutenberg/1", 0.9)
    assert drop is not None
    assert (drop.reason, drop.measured, drop.limit, drop.detail) == (
        "book_dedup/near_duplicate",
        0.91,
        0.9,
        "gutenberg/1",
    )


@pytest.mark.parametrize("overlap", [0.5, 0.8, 0.9])
def test_of_pairs_with_the_overlap_no_more_than_one_in_200_share_less(overlap: float) -> None:
    for samples in range(1, 400):
        least = least_shared(samples, overlap)
        assert least == 1 or chance_below(least, samples, overlap) <= MISSED_FRACTION
        assert least <= max(1, round(samples * overlap))


def test_of_many_samples_nearly_the_overlap_is_asked() -> None:
    assert least_shared(100_000, 0.8) == pytest.approx(80_000, rel=0.01)
    assert least_shared(100_000, 0.8) < 80_000
    assert least_shared(0, 0.8) == 1
