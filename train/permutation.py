"""A keyed permutation of ``range(size)`` that is computed, not stored.

A Feistel network (Luby & Rackoff, 1988) is a bijection on ``2 ** (2 * half)`` numbers whatever its round function;
walking its cycles until a number falls below ``size`` makes it one on ``range(size)`` (Black & Rogaway, 2002, method
3). The domain is at most four times ``size``, so a walk takes four steps in the mean at worst, and no memory but the
answer: shuffling 684 million windows (1.4 T tokens) costs what shuffling ten does.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6


def permute(index: NDArray[np.int64], size: int, *, key: str) -> NDArray[np.int64]:
    """Map numbers below ``size`` one-to-one onto numbers below ``size``.

    Args:
        index: Any number of values of ``range(size)``.
        size: How many numbers are permuted, 1 to ``2 ** 62``.
        key: Names the permutation; the same key gives the same one on every machine and in every version of NumPy.

    Returns:
        The image of each value, in the same order.

    Raises:
        ValueError: A value lies outside ``range(size)``.

    >>> sorted(permute(np.arange(5), 5, key="a").tolist())
    [0, 1, 2, 3, 4]
    """
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < size:
        raise ValueError(f"every index must lie in range({size}), got {index.min()} to {index.max()}")
    keys = _round_keys(key)
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    image = _feistel(index.astype(np.uint64), keys, half)
    while (outside := image >= size).any():
        image[outside] = _feistel(image[outside], keys, half)
    return image.astype(np.int64)


def _round_keys(key: str) -> NDArray[np.uint64]:
    digest = hashlib.blake2b(key.encode(), digest_size=8 * ROUNDS).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def _feistel(number: NDArray[np.uint64], keys: NDArray[np.uint64], half: int) -> NDArray[np.uint64]:
    """Six rounds over two halves of ``half`` bits: each round swaps them and scrambles one by the other."""
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = number >> bits, number & mask
    for key in keys:
        left, right = right, left ^ (_scramble(right + key) & mask)
    return (left << bits) | right


def _scramble(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea & Flood, 2014): every input bit moves every output bit."""
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))
