"""N-grams that documents share with evaluation sets (Brown et al. 2020, appendix C).

GPT-3 took documents for contaminated that share 13 words in a row with an evaluation item, and left n-grams out of
account that more than ten documents have: common phrases and legal boilerplate. Both are here; GPT-3 then cut 200
characters on both sides out of a document, here it goes, or is marked, as a whole.

A text of fewer words than an n-gram has is looked for as a whole, down to a floor (eight words, the least that GPT-3
compares); shorter ones are in too many documents by chance, are not looked for, and are counted.

Words are hashed (:mod:`filters.ngram_words`), an n-gram is a polynomial of its words' hashes modulo 2^64, taken from
prefix sums, so any length costs the same. N-grams are found by their first words: a bitmap says of nearly all places
that none begins there, the others are looked up in the sorted hashes. No n-gram crosses the end of a text.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from filters.ngram_words import Buffer, Words, hash_words
from filters.verdict import Drop, Reason

_AT_ONCE_BYTES = 512 << 10  # arrays of it stay in the cache, and in memory that is not given back each time
_BASE = 0x2545F4914F6CDD1D
_INVERSE = pow(_BASE, -1, 1 << 64)
_OF_LENGTH = np.uint64(0x9FB21C651E98DF25)  # n-grams of different lengths meet in one table
_AGAIN = np.uint64(0xC2B2AE3D27D4EB4F)
_HASH_BITS = 64
_BITS_A_NGRAM = 64
_MIN_BITS, _MAX_BITS = 20, 30  # 128 KiB to 128 MiB


class DecontaminationReason(Reason):
    """Why a document is left out, an evaluation item is not looked for, or an n-gram not counted."""

    SHARED_NGRAM = "decontamination/shared_ngram"
    TOO_SHORT = "decontamination/too_short"
    TOO_FREQUENT = "decontamination/too_frequent"


def check_shared(ngrams: int, max_ngrams: int, detail: str | None = None) -> Drop | None:
    """Decide whether a document shares too many n-grams with evaluation sets.

    Args:
        ngrams: Places of the document at which a shared n-gram begins.
        max_ngrams: How many are allowed.
        detail: Which one, for the person who asks.
    """
    if ngrams <= max_ngrams:
        return None
    return Drop(DecontaminationReason.SHARED_NGRAM, measured=ngrams, limit=max_ngrams, detail=detail)


@dataclass(frozen=True, slots=True)
class Ngrams:
    """The n-grams of evaluation texts.

    Attributes:
        hashes: Each different one, ascending. Shape (ngrams,).
        heads: Hashes of their first ``head_words`` words, ascending. Shape (heads,).
        lengths: The lengths in words there are, ascending. Shape (lengths,).
        bitmaps: A bit for each value of the first bits of a hash: whether a head begins with them; and once more, of
            the first bits of the hash times another number, since what passes is dear to look up. Shape (2, bytes).
    """

    hashes: NDArray[np.uint64]
    heads: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    bitmaps: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        bits = min(_MAX_BITS, max(_MIN_BITS, (_BITS_A_NGRAM * len(self.heads)).bit_length()))
        bitmaps = np.zeros((2, 1 << (bits - 3)), np.uint8)
        for bitmap, hashes in zip(bitmaps, (self.heads, self.heads * _AGAIN), strict=True):
            places = hashes >> np.uint64(_HASH_BITS - bits)
            for bit in range(8):
                bitmap[places[places & np.uint64(7) == bit] >> np.uint64(3)] |= 1 << bit
        object.__setattr__(self, "bitmaps", bitmaps)

    @property
    def head_words(self) -> int:
        """Words of a head: those of the shortest n-gram."""
        return int(self.lengths[0])


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the n-grams of evaluation texts come from: the first text that has each.

    Attributes:
        texts: The text. Shape (ngrams,).
        words: The word of it that the n-gram begins with. Shape (ngrams,).
        lengths: Its length in words. Shape (ngrams,).
    """

    texts: NDArray[np.uint32]
    words: NDArray[np.uint32]
    lengths: NDArray[np.uint8]


def gather_ngrams(words: Words, ngram_words: int, min_words: int | None) -> tuple[Ngrams, Origins, NDArray[np.bool_]]:
    """Gather what is looked for of evaluation texts.

    Args:
        words: The texts' words.
        ngram_words: Words of an n-gram.
        min_words: A text shorter than an n-gram is looked for as a whole if it has so many; ``None``: not at all.

    Returns:
        The n-grams, where they come from, and of each text whether it is looked for.
    """
    counts = np.diff(words.starts)
    lengths = np.where(counts >= ngram_words, ngram_words, counts)
    searched = (lengths >= max(1, min(min_words or ngram_words, ngram_words))) & (counts > 0)
    places = np.where(searched, counts - lengths + 1, 0)
    texts = np.repeat(np.arange(len(counts)), places)
    inside = np.arange(len(texts)) - np.repeat(np.cumsum(places) - places, places)
    begins = words.starts[texts] + inside
    sums = _prefix_sums(words.hashes)
    hashes, first = np.unique(_hash_ngrams(sums, begins, lengths[texts]), return_index=True)
    present = np.unique(lengths[searched])
    heads = np.unique(_hash_ngrams(sums, begins, present[:1])) if len(present) else hashes
    owners = texts[first]
    origins = Origins(owners.astype(np.uint32), inside[first].astype(np.uint32), lengths[owners].astype(np.uint8))
    return Ngrams(hashes, heads, present), origins, searched


@dataclass(frozen=True, slots=True)
class SharedNgrams:
    """Places of documents at which n-grams of evaluation texts begin, in their order.

    Attributes:
        documents: The document. Shape (places,).
        words: The word of it. Shape (places,).
        ngrams: The n-gram, as its place in :attr:`Ngrams.hashes`. Shape (places,).
        counts: Words of each document. Shape (documents,).
    """

    documents: NDArray[np.int64]
    words: NDArray[np.int64]
    ngrams: NDArray[np.int64]
    counts: NDArray[np.int64]


def find_shared(texts: Sequence[Buffer], wanted: Ngrams) -> SharedNgrams:
    """Find the n-grams of evaluation texts in documents.

    Args:
        texts: The documents' texts in UTF-8.
        wanted: The n-grams.
    """
    found, counts, before = [np.empty((3, 0), np.int64)], [np.empty(0, np.int64)], 0
    for some in some_at_once(texts):
        words = hash_words(some)
        found.append(_find(words, wanted) + np.array([[before], [0], [0]]))
        counts.append(np.diff(words.starts))
        before += len(some)
    documents, places, ngrams = np.concatenate(found, axis=1)
    return SharedNgrams(documents, places, ngrams, np.concatenate(counts))


def some_at_once(texts: Sequence[Buffer]) -> Iterator[Sequence[Buffer]]:
    """Cut texts into runs of some bytes, as many as :func:`filters.ngram_words.hash_words` should be given."""
    first = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text)
        if size >= _AT_ONCE_BYTES:
            yield texts[first:end]
            first, size = end, 0
    if first < len(texts):
        yield texts[first:]


def _find(words: Words, wanted: Ngrams) -> NDArray[np.int64]:
    """Give document, word in it and n-gram of each place. Shape (3, places)."""
    sums = _prefix_sums(words.hashes)
    begins = _find_heads(sums, wanted)
    documents = np.searchsorted(words.starts, begins, side="right") - 1
    left = words.starts[documents + 1] - begins
    found = []
    for length in wanted.lengths:
        fits = left >= length
        hashes = _hash_ngrams(sums, begins[fits], np.array([length]))
        ngrams = np.minimum(np.searchsorted(wanted.hashes, hashes), len(wanted.hashes) - 1)
        equal = wanted.hashes[ngrams] == hashes
        found.append(np.stack([documents[fits][equal], begins[fits][equal], ngrams[equal]]))
    places = np.concatenate(found, axis=1)
    places = places[:, np.lexsort((places[2], places[1]))]
    places[1] -= words.starts[places[0]]
    return places


def _find_heads(sums: NDArray[np.uint64], wanted: Ngrams) -> NDArray[np.int64]:
    """Give the words at which an n-gram may begin."""
    size = wanted.head_words
    if len(sums) <= size:
        return np.empty(0, np.int64)
    hashes = sums[size:] - sums[:-size]
    hashes *= _powers(_INVERSE, len(hashes))
    hashes += np.array([size], np.uint64) * _OF_LENGTH
    unused = np.uint64(_HASH_BITS - (wanted.bitmaps.shape[1].bit_length() + 2))
    begins = np.flatnonzero(wanted.bitmaps[0].take((hashes >> (unused + np.uint64(3))).view(np.int64)))
    for bitmap, factor in zip(wanted.bitmaps, (np.uint64(1), _AGAIN), strict=True):
        places = hashes[begins] * factor >> unused
        bits = bitmap[places >> np.uint64(3)] >> (places & np.uint64(7)).astype(np.uint8)
        begins = begins[bits & np.uint8(1) == 1]
    return np.asarray(begins, np.int64)


def _prefix_sums(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sum ``hashes[i] * base ** i`` up to each word. Shape (words + 1,)."""
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * _powers(_BASE, len(hashes)), out=sums[1:])
    return sums


def _hash_ngrams(sums: NDArray[np.uint64], begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash n-grams: the sum of ``hashes[begin + i] * base ** i``, and their length."""
    hashes: NDArray[np.uint64] = sums[begins + lengths] - sums[begins]
    hashes *= _powers(_INVERSE, len(sums))[begins]
    hashes += lengths.astype(np.uint64) * _OF_LENGTH
    return hashes


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    return _powers_up_to(base, max(1 << 16, 1 << count.bit_length()))[:count]


@functools.lru_cache(4)
def _powers_up_to(base: int, count: int) -> NDArray[np.uint64]:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)
