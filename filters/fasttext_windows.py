"""Sums of the rows of character n-grams, by windows of four characters that are worked out once.

fastText hashes every n-gram of every word each time it meets it (FNV-1a over UTF-8, signed bytes). The n-grams of at
most four characters that start at one character depend on the four characters from it on, and few such windows make
up nearly all text; a table remembers the sum of rows of each, or that it has none, as most have in a pruned model. A
window's sum is the same float32 number whether it was remembered or not, so no result depends on what was seen before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.fasttext_model import ModelFacts

#: The character between words: the end mark of the one before and the start mark of the one after.
SPACE = 32
#: Characters that a window reaches beyond the one it starts at.
REACH = 3
#: Most characters :meth:`WindowTable.find` takes at once.
MAX_UNITS = 1 << 20

_WINDOW = REACH + 1
_SLOT_BITS = 20
_MOST_SUMS = 1 << 19
_CHUNK = 1 << 16  # what stays in a processor's cache
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio (Knuth, volume 3, section 6.4)
_FNV_BASIS, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_BMP = 1 << 16
_MAX_UTF8 = 4
# What stays of a window, by whether its second (1) and third (2) character is a space: nothing after a space counts.
_KEEP = np.array([2**64 - 1, 2**32 - 1, 2**48 - 1, 2**32 - 1], np.uint64)


@dataclass(frozen=True)
class RowSums:
    """Sums of rows, one sum a place.

    Attributes:
        sums: Float32 (places, dimensions).
        counts: How many rows, float32 (places,).
        lengths: Sums of the rows' Euclidean lengths, float32 (places,).
    """

    sums: NDArray[np.float32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float32]

    def set(self, places: slice, values: "RowSums") -> None:
        """Write sums to places."""
        self.sums[places], self.counts[places], self.lengths[places] = values.sums, values.counts, values.lengths

    def at(self, places: NDArray[np.intp]) -> "RowSums":
        """Copy the sums at places."""
        return RowSums(self.sums[places], self.counts[places], self.lengths[places])


class Utf8Table:
    """The UTF-8 bytes of each UTF-16 unit, widened from signed bytes; surrogates stand for what they are given."""

    def __init__(self) -> None:
        units = np.arange(_BMP, dtype=np.uint32)
        self.sizes = (1 + (units >= 1 << 7) + (units >= 1 << 11)).astype(np.uint8)
        lead = np.choose(self.sizes - 1, [units, 0xC0 | units >> 6, 0xE0 | units >> 12])
        middle = np.where(self.sizes == 2, 0x80 | units & 0x3F, 0x80 | units >> 6 & 0x3F)  # noqa: PLR2004
        parts = np.stack([lead, middle, 0x80 | units & 0x3F, np.zeros_like(units)])
        self.parts = parts.astype(np.uint8).view(np.int8).astype(np.int32).view(np.uint32)

    def assign(self, unit: int, character: str) -> None:
        """Let a unit stand for a character."""
        encoded = np.frombuffer(character.encode(), np.int8).astype(np.int32).view(np.uint32)
        self.sizes[unit] = len(encoded)
        self.parts[: len(encoded), unit] = encoded

    def extend(self, hashes: NDArray[np.uint32], units: NDArray[np.uint16]) -> NDArray[np.uint32]:
        """Carry FNV hashes on over one more character."""
        hashes = (hashes ^ self.parts[0].take(units)) * _FNV_PRIME
        sizes = self.sizes.take(units)
        for byte in range(1, _MAX_UTF8):
            longer = np.flatnonzero(sizes > byte)
            hashes[longer] = (hashes[longer] ^ self.parts[byte].take(units[longer])) * _FNV_PRIME
        return hashes


class WindowTable:
    """The windows of one model that were met.

    Memory is bounded: a window has two slots of which a newcomer takes one over, and when sums fill their store all
    is forgotten. With 16 dimensions that is 55 MB, and up to 75 MB more while text without any order is read.

    Args:
        facts: The model.
        table: How units are written in UTF-8.
        words: Words with a row of their own, as units with a space before and after.
        slot_bits: Logarithm of the number of slots.
        most_sums: Sums remembered beyond those of words.
    """

    def __init__(
        self,
        facts: ModelFacts,
        table: Utf8Table,
        words: list[tuple[int, NDArray[np.uint16]]],
        slot_bits: int = _SLOT_BITS,
        most_sums: int = _MOST_SUMS,
    ) -> None:
        self._facts, self._table = facts, table
        self._shift = np.uint64(64 - slot_bits)
        # A window and the place of its sum, side by side so that one look finds both. No window is 0.
        self._slots = np.zeros((1 << slot_bits, 2), np.uint64)
        self._first = self._used = 1 + len(words)
        self._limit = self._first + most_sums
        size = self._limit + MAX_UNITS
        #: Place 0 has no rows, the next ones are the words', together with the window that each starts with.
        self.stored = RowSums(
            _aligned(size, facts.rows.shape[1]), np.zeros(size, np.float32), np.zeros(size, np.float32)
        )
        self.stored.set(slice(1, self._first), self._word_sums(words))

    def find(self, units: NDArray[np.uint16]) -> NDArray[np.int32]:
        """Give the place of each window's sum in what is stored, which holds until the next call.

        Args:
            units: Words between single spaces, spaces before and after, and as many spaces as a window reaches.
        """
        if self._used > self._limit:
            self.forget()
        size = len(units) - REACH
        places = np.empty(size, np.int32)
        for start in range(0, size, _CHUNK):
            end = min(start + _CHUNK, size)
            places[start:end] = self._find(_windows(units[start : end + REACH]))
        return places

    def forget(self) -> None:
        """Forget all windows, but not the words."""
        self._used = self._first
        self._slots[:] = 0

    def _find(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        hashed = keys * _MULTIPLIER
        hashed >>= self._shift
        slots = hashed.view(np.int64)
        found = self._slots.take(slots, axis=0, mode="clip")
        places: NDArray[np.uint64] = found[:, 1]
        missing = np.flatnonzero(found[:, 0] != keys)
        if len(missing):
            places[missing] = self._find_or_learn(keys[missing], slots[missing])
        return places

    def _find_or_learn(self, keys: NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Look into the other slots, and learn what is not there either."""
        found = self._slots[slots ^ 1]
        places: NDArray[np.uint64] = found[:, 1]
        new = np.flatnonzero(found[:, 0] != keys)
        keys, slots = keys[new], slots[new]
        sums = self._sum_rows(keys)
        some = np.flatnonzero(sums.counts)
        given = np.zeros(len(keys), np.uint64)
        given[some] = np.arange(self._used, self._used + len(some))
        self.stored.set(slice(self._used, self._used + len(some)), sums.at(some))
        self._used += len(some)
        slots ^= (self._slots[slots, 0] != 0) & (self._slots[slots ^ 1, 0] == 0)
        self._slots[slots] = np.stack([keys, given], axis=1)
        places[new] = given
        return places

    def _word_sums(self, words: list[tuple[int, NDArray[np.uint16]]]) -> RowSums:
        rows = self._facts.rows[np.array([row for row, _ in words], np.intp)]
        ones = RowSums(rows, np.ones(len(rows), np.float32), _lengths(rows))
        if not words:
            return ones
        starts = np.full((len(words), _WINDOW), SPACE, np.uint16)
        for start, (_, word) in zip(starts, words, strict=True):
            start[: len(word)] = word[:_WINDOW]
        sums = self._sum_rows(starts.view(np.uint64).ravel())
        return RowSums(ones.sums + sums.sums, ones.counts + sums.counts, ones.lengths + sums.lengths)

    def _sum_rows(self, keys: NDArray[np.uint64]) -> RowSums:
        size = len(keys)
        found = RowSums(
            np.zeros((size, self._facts.rows.shape[1]), np.float32),
            np.zeros(size, np.float32),
            np.zeros(size, np.float32),
        )
        for windows, rows in self._rows(keys.view(np.uint16).reshape(-1, _WINDOW)):
            values = self._facts.rows.take(rows, axis=0)
            found.sums[windows] += values
            found.counts[windows] += 1
            found.lengths[windows] += _lengths(values)
        return found

    def _rows(self, units: NDArray[np.uint16]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int32]]]:
        """Give the windows that have an n-gram of one, two, ... characters with a row, and the row."""
        buckets = self._facts.bucket_rows
        for size, hashes in enumerate(self._hashes(units), start=1):
            if size >= self._facts.min_ngram:
                windows = _spans(units, size)
                rows = buckets.take(hashes[windows] % np.uint32(len(buckets)))
                kept = np.flatnonzero(rows >= 0)
                yield windows[kept], rows[kept]

    def _hashes(self, units: NDArray[np.uint16]) -> list[NDArray[np.uint32]]:
        """Hash the n-grams of one, two, ... characters that start windows, boundaries as fastText marks them."""
        marked = np.where(units == SPACE, np.uint16(ord(">")), units)
        marked[units[:, 0] == SPACE, 0] = ord("<")
        hashes = [np.full(len(units), _FNV_BASIS)]
        for place in range(self._facts.max_ngram):
            hashes.append(self._table.extend(hashes[-1], marked[:, place]))
        return hashes[1:]


def _aligned(rows: int, columns: int) -> NDArray[np.float32]:
    """Allocate zeros such that a row of 16 lies in one cache line of 64 bytes."""
    store = np.zeros(rows * columns + 16, np.float32)
    first = -(store.ctypes.data // 4) % 16
    return store[first : first + rows * columns].reshape(rows, columns)


def _lengths(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    squares: NDArray[np.float32] = np.einsum("nd,nd->n", rows, rows)
    return np.sqrt(squares)


def _windows(units: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Pack the four units from each place on into a number, zero after a space beyond the first."""
    if not units.flags.c_contiguous:
        units = np.ascontiguousarray(units)
    size = len(units) - REACH
    keys = np.array(np.ndarray((size,), "<u8", units, 0, (units.itemsize,)))
    spaces = (units == SPACE).view(np.uint8)
    keys &= _KEEP.take(spaces[1 : size + 1] + 2 * spaces[2 : size + 2], mode="clip")
    return keys


def _spans(units: NDArray[np.uint16], size: int) -> NDArray[np.intp]:
    """Find the windows whose first characters are an n-gram: in one word, and neither a lone boundary nor both."""
    space = units == SPACE
    if size == 1:
        return np.flatnonzero(~space[:, 0])
    inside = ~space[:, 1 : size - 1].any(axis=1)
    return np.flatnonzero(inside & ~(space[:, 0] & space[:, 1]))
