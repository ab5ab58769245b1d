"""Sketches of books: what is left of a book's shingles to find the few others it may overlap with.

Two, for two kinds of pairs:

*A sample by value* (FracMinHash, Irber et al. 2022; "mod sketches", Broder 1997): one in ``sample_every`` of all
possible shingles is in the sample of every book that holds it. So samples of two books overlap as the books do, and
the share of the smaller one's sample that is in the other's estimates containment, whatever the sizes.

*MinHash signatures in bands* (Broder 1997; Indyk and Motwani 1998): with Jaccard similarity J, ``bands`` bands of
``rows`` values have one in common with probability 1 - (1 - J^rows)^bands. They see Jaccard, not containment: at
containment c and size ratio r, J = c r / (1 + r - c r), so that 0.9 of a book a tenth the size is J = 0.09. They serve
texts too short for a sample, and books that stand in more copies than samples are compared in. Values and
permutations are datasketch's (scheme ``affine32``), computed over arrays.
"""

import functools
from dataclasses import dataclass

import numpy as np
import xxhash
from datasketch import MinHash
from numpy.typing import NDArray

_HASH_RANGE = 1 << 64
#: Hashes taken through all permutations at once: they and the results fit a core's cache.
_BLOCK = 4096
#: MurmurHash3's 32-bit finaliser, which datasketch mixes hashes with before it permutes them.
_FMIX = ((16, np.uint32(0x85EBCA6B)), (13, np.uint32(0xC2B2AE35)))


@dataclass(frozen=True, slots=True)
class SketchShape:
    """How books are sketched.

    Attributes:
        sample_every: A sample holds one in this many of all possible shingles.
        bands: Bands of the MinHash signature.
        rows: Values of a band.
        seed: Of the permutations.
    """

    sample_every: int
    bands: int
    rows: int
    seed: int


@dataclass(frozen=True, slots=True)
class Sketch:
    """The sketch of one book.

    Attributes:
        shingles: How many distinct shingles it has.
        samples: Those sampled, each times ``sample_every``, which spreads them over 64 bits again. Ascending,
            shape (samples,).
        bands: A 64-bit key of each band; none of a book without shingles. Shape (bands,), or (0,).
    """

    shingles: int
    samples: NDArray[np.uint64]
    bands: NDArray[np.uint64]


def sketch_book(hashes: NDArray[np.uint64], shape: SketchShape) -> Sketch:
    """Sketch a book.

    Args:
        hashes: Its distinct shingles, ascending. Shape (shingles,).
        shape: How.
    """
    return Sketch(
        shingles=len(hashes),
        samples=sample_by_value(hashes, shape.sample_every),
        bands=band_keys(min_hashes(hashes, shape.bands * shape.rows, shape.seed), shape.bands),
    )


def sample_by_value(hashes: NDArray[np.uint64], sample_every: int) -> NDArray[np.uint64]:
    """Take the hashes below ``2^64 / sample_every``, times ``sample_every``: what is taken depends on nothing else.

    >>> sample_by_value(np.array([3, 2**59, 2**60], np.uint64), 16).tolist() == [48, 2**63]
    True
    """
    below = np.searchsorted(hashes, np.uint64((_HASH_RANGE - 1) // sample_every), side="right")
    return hashes[: int(below)] * np.uint64(sample_every)


def min_hashes(hashes: NDArray[np.uint64], permutations: int, seed: int) -> NDArray[np.uint32]:
    """Give the MinHash signature of a set.

    Args:
        hashes: The set; the low 32 bits of each take part. Shape (members,).
        permutations: How many values.
        seed: Of the permutations.

    Returns:
        What ``datasketch.MinHash`` of these 32-bit hashes holds. Shape (permutations,), (0,) of an empty set.
    """
    if not len(hashes):
        return np.empty(0, np.uint32)
    factors, offsets = _permutations(permutations, seed)
    mixed = _fmix32(hashes.astype(np.uint32))
    least = np.full(permutations, np.iinfo(np.uint32).max, np.uint32)
    room = np.empty(_BLOCK, np.uint32)
    for start in range(0, len(mixed), _BLOCK):
        block = mixed[start : start + _BLOCK]
        permuted = room[: len(block)]
        for place in range(permutations):
            np.multiply(block, factors[place], out=permuted)
            np.add(permuted, offsets[place], out=permuted)
            least[place] = min(least[place], permuted.min())
    return least


@functools.lru_cache(maxsize=8)
def _permutations(count: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    factors, offsets = MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    return factors, offsets


def _fmix32(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    for shift, factor in _FMIX:
        values = (values ^ (values >> np.uint32(shift))) * factor
    return values ^ (values >> np.uint32(16))


def band_keys(signature: NDArray[np.uint32], bands: int) -> NDArray[np.uint64]:
    """Give a 64-bit key of each band of a signature; the same values in another band have another key.

    Args:
        signature: Shape (bands * rows,), or (0,).
        bands: How many bands it is split into.
    """
    if not len(signature):
        return np.empty(0, np.uint64)
    rows = signature.reshape(bands, -1).astype("<u4")
    keys = [xxhash.xxh3_64_intdigest(row.tobytes(), seed=band) for band, row in enumerate(rows)]
    return np.array(keys, np.uint64)
