"""Sketches: datasketch's own values, samples that see containment, and how many pairs become candidates."""

import math

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from filters.book_overlap import MISSED_FRACTION, MISSED_IN_BUCKET, count_shared, least_shared
from filters.book_sketch import SketchShape, band_keys, min_hashes, sample_by_value, sketch_book

SHAPE = SketchShape(sample_every=32, bands=21, rows=6, seed=1)
CANDIDATE_OVERLAP = 0.8
#: What may be missed by the last test of a pair, and by the one of its bucket.
MISSED = (MISSED_FRACTION, MISSED_IN_BUCKET)

Hashes = NDArray[np.uint64]


def datasketch_of(hashes: Hashes, permutations: int, seed: int = 1) -> MinHash:
    minhash = MinHash(num_perm=permutations, seed=seed, hashfunc=lambda value: value)
    minhash.update_batch([value & 0xFFFFFFFF for value in hashes.tolist()])
    return minhash


def pair_of_sets(rng: np.random.Generator, size: int, ratio: float, overlap: float) -> tuple[Hashes, Hashes]:
    """Two sets of random hashes: the smaller one's size over the larger one's, and its share in the larger one."""
    shared = round(size * overlap)
    values = rng.integers(0, 2**64, size + round(size / ratio) - shared, np.uint64)
    return np.sort(values[:size]), np.sort(values[size - shared :])


@given(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=60), st.integers(1, 130), st.integers(0, 5))
def test_signatures_are_those_of_datasketch(values: set[int], permutations: int, seed: int) -> None:
    hashes = np.array(sorted(values), np.uint64)
    expected = datasketch_of(hashes, permutations, seed).hashvalues
    assert min_hashes(hashes, permutations, seed).tolist() == expected.tolist()


def test_signatures_of_more_hashes_than_a_block_are_those_of_datasketch() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 3 * 4096 + 17, np.uint64)
    assert min_hashes(hashes, 126, 1).tolist() == datasketch_of(hashes, 126).hashvalues.tolist()


def test_books_share_a_band_where_datasketchs_index_finds_them() -> None:
    rng = np.random.default_rng(1)
    index = MinHashLSH(num_perm=126, params=(21, 6))
    found = []
    for number in range(60):
        one, other = pair_of_sets(rng, 300, 1.0, rng.uniform(0.3, 0.9))
        index.insert(number, datasketch_of(one, 126))
        expected = number in index.query(datasketch_of(other, 126))
        keys = [band_keys(min_hashes(hashes, 126, 1), 21) for hashes in (one, other)]
        assert bool((keys[0] == keys[1]).any()) == expected
        assert bool(count_shared(np.sort(keys[0]), np.sort(keys[1]))) == expected
        found.append(expected)
    assert 10 < sum(found) < 50


def test_the_same_values_in_another_band_are_another_key() -> None:
    assert len(set(band_keys(np.zeros(12, np.uint32), 4).tolist())) == 4


@given(st.sets(st.integers(0, 2**64 - 1), max_size=80), st.sets(st.integers(0, 2**64 - 1), max_size=80))
def test_the_sample_of_two_books_together_is_that_of_each(one: set[int], other: set[int]) -> None:
    def sample(values: set[int]) -> set[int]:
        return set(sample_by_value(np.array(sorted(values), np.uint64), 4).tolist())

    assert sample(one | other) == sample(one) | sample(other)
    assert sample(one & other) == sample(one) & sample(other)


@pytest.mark.parametrize("every", [1, 2, 3, 32, 1000])
def test_a_sample_is_one_in_so_many_spread_over_all_hashes(every: int) -> None:
    values = np.sort(np.random.default_rng(2).integers(0, 2**64, 200_000, np.uint64))
    sample = sample_by_value(values, every)
    assert len(sample) == pytest.approx(200_000 / every, rel=0.2)
    assert sorted(set(sample.tolist())) == sample.tolist()
    assert float(sample.max()) > 0.9 * 2**64
    assert int(np.uint64(2**64 - 1)) in sample_by_value(np.array([2**64 - 1], np.uint64), 1).tolist()


def test_a_text_without_a_word_has_an_empty_sketch() -> None:
    sketch = sketch_book(np.empty(0, np.uint64), SHAPE)
    assert (sketch.shingles, len(sketch.samples), len(sketch.bands)) == (0, 0, 0)


def chance_by_samples(shingles: int, overlap: float) -> float:
    """The chance that samples make a pair a candidate: binomial samples, of them binomially many shared.

    The size of the larger book does not occur: samples see containment.
    """
    return sum(
        taken
        * sum(binomial(samples, overlap)[max(least_shared(samples, CANDIDATE_OVERLAP, missed) for missed in MISSED) :])
        for samples, taken in enumerate(binomial(shingles, 1 / 32))
        if samples > 0 and taken > 1e-9
    )


def binomial(draws: int, chance: float) -> list[float]:
    """The binomial distribution, by the logarithms of factorials."""
    ways = [math.lgamma(draws + 1) - math.lgamma(k + 1) - math.lgamma(draws - k + 1) for k in range(draws + 1)]
    heads, tails = math.log(chance), math.log(1 - chance)
    return [math.exp(way + k * heads + (draws - k) * tails) for k, way in enumerate(ways)]


@pytest.mark.parametrize("shingles", [170, 500, 2000])
def test_by_calculation_99_in_100_pairs_with_an_overlap_of_0_9_are_candidates(shingles: int) -> None:
    assert chance_by_samples(shingles, 0.9) >= 0.99


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("shingles", [250, 2000])
def test_by_simulation_99_in_100_pairs_are_candidates_whatever_their_sizes(shingles: int, ratio: float) -> None:
    rng = np.random.default_rng([shingles, round(10 * ratio)])
    found, trials = 0, 1000
    for _ in range(trials):
        one, other = (sample_by_value(hashes, 32) for hashes in pair_of_sets(rng, shingles, ratio, 0.9))
        least = max(least_shared(max(1, len(one)), CANDIDATE_OVERLAP, missed) for missed in MISSED)
        found += count_shared(one, other) >= least
    assert found >= 0.99 * trials


def test_bands_alone_see_equal_sizes_and_not_a_tenth() -> None:
    rng = np.random.default_rng(3)

    def found(ratio: float) -> int:
        pairs = (pair_of_sets(rng, 300, ratio, 0.9) for _ in range(200))
        keys = ([band_keys(min_hashes(hashes, 126, 1), 21) for hashes in pair] for pair in pairs)
        return sum(bool((one == other).any()) for one, other in keys)

    assert found(1.0) >= 198  # J = 0.9 / 1.1 = 0.818: 1 - (1 - J^6)^21 = 0.9994
    assert found(0.1) <= 4  # J = 0.09 / 1.01 = 0.089: 0.00001
