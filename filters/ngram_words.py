"""Words as n-grams compare them, hashed for many texts at once.

GPT-3's rule (Brown et al. 2020, appendix C): lower case, punctuation removed, words parted by whitespace. EleutherAI's
Janitor, which follows it, removes ASCII's punctuation; here goes what Unicode calls punctuation or a symbol, and with
it control and format characters, so that curly quotes and straight ones are one. Removed, not replaced: ``well-known``
is ``wellknown``, as there. Numbers stay as they are, where datatrove makes each of them ``0``. Of Han and kana, which
put no space between words, a character is a word (so it is in Unicode's segmentation, UAX 29, but for katakana). Thai,
Lao, Khmer and Burmese are cut where they put a space. Letters with marks are not normalised: é in one code point and in
two are different.

The rule character by character is :func:`fold_character`; :func:`hash_words` is the same for whole columns, on their
UTF-8: characters beyond ASCII are replaced in place from a table, ASCII is folded by ``bytes.translate``, and a word is
read eight bytes at once.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

Buffer = bytes | memoryview

_BETWEEN = b"\xff"  # texts: no byte of UTF-8
_GONE = b"\0"  # what is left of a character that takes less room, or none
_SPACE = 0x20
_PADDING = b" " * 16  # a word's last eight bytes are read whole
_EIGHT = 8
_LONG_BYTES = 40  # words beyond are hashed one by one

#: Lead bytes of characters that are a word each, and what stands for them until words are cut: no lead bytes of UTF-8.
_SINGLE = {**{lead: lead + 0x12 for lead in range(0xE3, 0xEA)}, 0xEF: 0xFC, 0xF0: 0xFD}
_SINGLE_LOW = min(_SINGLE.values())
_SINGLES = (
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)
_SINGLES_FROM = _SINGLES[0][0]
_REMOVED = frozenset({"Cc", "Cf", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So"})
_ASCII_END, _FIRST_LEAD = 0x80, 0xC2
_PLANE_0_END, _FOLDED_END, _IDEOGRAPHS_END = 0x10000, 0x20000, 0x40000
_SURROGATES = range(0xD800, 0xE000)

_FIRST, _SECOND, _THIRD = (np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F))
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_EIGHT + 1)], np.uint64)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of some texts.

    Attributes:
        hashes: 64 bits of each word, in the order of texts and words. Shape (words,).
        starts: The first word of each text, and the number of all. Shape (texts + 1,).
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]


def fold_character(character: str) -> str:
    """Give what a character counts as: nothing, a space, itself in lower case, or a word between spaces.

    A small letter that takes more bytes of UTF-8 than the capital is not taken (two letters, Ⱥ and Ⱦ). Beyond
    plane 3, where there are no letters, nothing is folded.

    >>> [fold_character(character) for character in ("É", "ς", "’", "字")]
    ['é', 'σ', '', ' 字 ']
    """
    code = ord(character)
    if code >= _IDEOGRAPHS_END:
        return character
    if character.isspace():
        return " "
    if unicodedata.category(character) in _REMOVED:
        return ""
    if code >= _SINGLES_FROM and any(low <= code <= high for low, high in _SINGLES):
        return f" {character} "
    small = character.lower()[0]
    small = "σ" if small == "ς" else small
    return small if len(small.encode()) <= len(character.encode()) else character


def split_words(text: str) -> list[str]:
    """Give a text's words, folded: what :func:`hash_words` hashes.

    >>> split_words("It’s a well-known truth: 漢字!")
    ['its', 'a', 'wellknown', 'truth', '漢', '字']
    """
    return "".join(map(fold_character, text)).split()


def hash_words(texts: Sequence[Buffer]) -> Words:
    """Hash the words of texts.

    Args:
        texts: Texts in UTF-8. All are worked on at once, so some mebibytes of them are what a call should be given.
    """
    joined = _fold_beyond_ascii(_BETWEEN.join([b"", *texts, _PADDING]))
    folded = np.frombuffer(joined.translate(_TRANSLATED, _DELETED), np.uint8)
    starts, sizes = _cut(folded)
    between = np.flatnonzero(folded == 0)
    return Words(_hash(folded, starts, sizes), np.searchsorted(starts, between))


def _fold_beyond_ascii(joined: bytes) -> bytes:
    """Replace characters beyond ASCII in place, by what fits into their bytes."""
    raw = np.frombuffer(joined, np.uint8)
    leads = np.flatnonzero((raw >= _FIRST_LEAD) & (raw < _SINGLE_LOW))
    if not len(leads):
        return joined
    tables = _tables()
    folded, first = raw.copy(), raw[leads]
    for size, (low, high) in enumerate(((_FIRST_LEAD, 0xDF), (0xE0, 0xEF), (0xF0, 0xF4)), 2):
        places = leads[(first >= low) & (first <= high)]
        if not len(places):
            continue
        code = raw[places].astype(np.int32) & (0x7F >> size)
        for byte in range(1, size):
            code = (code << 6) | (raw[places + byte] & 0x3F)
        if size == _EIGHT // 2:
            ideographs = (code >= _FOLDED_END) & (code < _IDEOGRAPHS_END)
            folded[places[ideographs]] = _SINGLE[0xF0]
            inside = (code >= _PLANE_0_END) & (code < _FOLDED_END)
            places, code = places[inside], code[inside] - _PLANE_0_END
        replaced = tables[size - 2][code]
        for byte in range(size):
            folded[places + byte] = replaced[:, byte]
    return folded.tobytes()


@functools.cache
def _tables() -> tuple[NDArray[np.uint8], ...]:
    """Give what stands for each character of two, three and four bytes. Shapes (0x10000, 2), (…, 3), (…, 4)."""
    ranges = range(_ASCII_END, 0x800), range(0x800, _PLANE_0_END), range(_PLANE_0_END, _FOLDED_END)
    return tuple(_table(codes, size) for size, codes in enumerate(ranges, 2))


def _table(codes: range, size: int) -> NDArray[np.uint8]:
    table = np.zeros((_PLANE_0_END, size), np.uint8)
    for code in codes:
        if code not in _SURROGATES:
            table[code % _PLANE_0_END] = list(_replacement(chr(code)).ljust(size, _GONE))
    return table


def _replacement(character: str) -> bytes:
    folded, own = fold_character(character), character.encode()
    return bytes([_SINGLE[own[0]], *own[1:]]) if len(folded) > 1 else folded.encode()


def _fold_byte(byte: int) -> int:
    if byte == _BETWEEN[0]:
        return 0
    folded = fold_character(chr(byte)) if byte < _ASCII_END else ""
    return ord(folded) if folded else byte


_TRANSLATED = bytes(map(_fold_byte, range(256)))
_DELETED = bytes(byte for byte in range(_ASCII_END) if not fold_character(chr(byte)))


def _cut(folded: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give where words start, and their sizes in bytes."""
    if folded.max() < _SINGLE_LOW:
        spaces = np.flatnonzero(folded <= _SPACE)
        sizes = np.diff(spaces)
        sizes -= 1
        words = np.flatnonzero(sizes)
        return spaces[words] + 1, sizes[words]
    inside = folded > _SPACE
    cut = folded >= _SINGLE_LOW
    leads = np.flatnonzero(cut)
    cut[leads + np.where(folded[leads] == _SINGLE[0xF0], 4, 3)] = True
    before = np.concatenate([[False], inside[:-1]])
    starts = np.flatnonzero(inside & (~before | cut))
    return starts, np.flatnonzero(before & (~inside | cut)) - starts


def _hash(folded: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash words eight bytes at a time, mixed after each, so that all bits of a word reach all bits of its hash."""
    eights = np.ndarray((len(folded) - _EIGHT + 1,), "V8", folded, strides=(1,))
    hashes = _mix(eights[starts].view("<u8") & _MASKS.take(np.minimum(sizes, _EIGHT)))
    longer = np.flatnonzero(sizes > _EIGHT)
    for at in range(_EIGHT, _LONG_BYTES, _EIGHT):
        longer = longer[sizes[longer] > at]
        if not len(longer):
            return hashes
        piece = eights[starts[longer] + at].view("<u8") & _MASKS.take(np.minimum(sizes[longer] - at, _EIGHT))
        hashes[longer] = _mix(hashes[longer] * _THIRD + piece)
    for word in np.flatnonzero(sizes > _LONG_BYTES).tolist():
        hashes[word] = xxhash.xxh3_64_intdigest(folded[starts[word] : starts[word] + sizes[word]].data)
    return hashes


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = values * _FIRST
    mixed ^= mixed >> np.uint64(32)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(29)
    return mixed
