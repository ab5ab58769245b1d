"""The text a language model sees: CCNet's normalisation (Wenzek et al. 2020; ``text_normalizer.py``, ``normalize``).

In order: outer whitespace goes, letters become lower case, the text is decomposed (NFD) and its non-spacing marks go,
every decimal digit of any script becomes ``0``, 34 punctuation characters become ASCII, and control characters are
deleted. The line end is a control character, so a document becomes one line whose words fuse where lines met:
``first line⏎second line 12`` gives ``first linesecond line 00``. CCNet's models and cut-offs come from such text, so it
is the default here; the repaired form, lines joined by a space, is ``line_joint=" "``.

Two surprises of the published code, both followed: its shortcut for text that holds no accent compares a length with
the text itself and so never applies, which leaves every text decomposed (Hangul as letters, not syllables); and its
table maps the full-width digit one to a quotation mark, which digit folding has made unreachable.

Decomposition orders the marks of a letter, and all else here looks at one character at a time. So a table from
character to characters does it all, but for the few spacing marks that decomposition moves and the sigma that lower
case writes otherwise at the end of a word; both are dealt with before the table.
"""

import functools
import unicodedata
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: CCNet's table, by what the characters become.
_ASCII_OF = {
    ",": "，、",
    ".": "。",
    ". ": "．",
    "...": "…",
    '"': "„”“«»」「《》",
    "'": "´’",
    ":": "∶：",
    ";": "；",
    "?": "？",
    "!": "！",
    "(": "（",
    ")": "）",
    "[": "【",
    "]": "】",
    "<": "〈",
    ">": "〉",
    "-": "–━►",
    " - ": "—",
    "~": "～",
    "%": "％",
}
PUNCTUATION = {mark: ascii_ for ascii_, marks in _ASCII_OF.items() for mark in marks}

_CHANGED_CATEGORIES = frozenset({"Mn", "Nd", "Cc"})
_CONTROLS = frozenset(map(chr, (*range(32), *range(127, 160))))
_ASCII_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_ASCII_CONTROLS = bytes((*range(32), 127))
_FINAL_SIGMA_OF = "Σ"

#: Characters folded at once: bounds the memory of a long text to some 20 MB.
_SLICE_CHARS = 1 << 20

# Codes of the table above all characters: a deletion, a character that is moved, and those that become several.
_DELETED = 0x110000
_MOVED = 0x110001
_SEVERAL = 0x110002


def normalize_for_perplexity(text: str, line_joint: str = "") -> str:
    r"""Normalise a text as CCNet does before it asks for its perplexity.

    Args:
        text: A document, LF line ends.
        line_joint: What line ends become: nothing, as in CCNet, or a space.

    Returns:
        One line, decomposed (NFD); empty when nothing is left.

    >>> normalize_for_perplexity("Éte ’19\nwas hot…")
    "ete '00was hot..."
    """
    text = text.strip()
    if line_joint:
        text = text.replace("\n", line_joint)
    if text.isascii():
        return text.encode().lower().translate(_ASCII_DIGITS, _ASCII_CONTROLS).decode()
    if _FINAL_SIGMA_OF in text:
        text = text.lower()
    return _fold(text)


class _Table(NamedTuple):
    """What each character becomes.

    Attributes:
        codes: ``[0x110000]``, a character, or one of the codes above all characters.
        expansions: ``[expansion, place]``, the characters of each code from ``_SEVERAL`` on.
        lengths: ``[expansion]``, how many there are.
    """

    codes: NDArray[np.uint32]
    expansions: NDArray[np.uint32]
    lengths: NDArray[np.intp]


def _fold(text: str, *, ordered: bool = False) -> str:
    """Fold text by the table, a slice at a time; ``ordered`` text is decomposed already."""
    table = _table()
    pieces = []
    for start in range(0, len(text), _SLICE_CHARS):
        encoded = text[start : start + _SLICE_CHARS].encode("utf-32-le", "surrogatepass")
        characters = np.frombuffer(encoded, np.dtype("<u4"))
        codes = table.codes.take(characters)
        top = codes.max()
        if top >= _MOVED and (moved := codes == _MOVED).any():
            if not ordered:
                return _fold(unicodedata.normalize("NFD", text.lower()), ordered=True)
            codes[moved] = characters[moved]
        if top >= _DELETED:
            codes = _expand(codes, table)
        pieces.append(codes.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass"))
    return "".join(pieces)


def _expand(codes: NDArray[np.uint32], table: _Table) -> NDArray[np.uint32]:
    """Take deleted characters out and put the several that one becomes in its place."""
    several = np.flatnonzero(codes >= _SEVERAL)
    if not several.size:
        return codes.compress(codes != _DELETED)
    rows = codes[several] - _SEVERAL
    lengths = (codes != _DELETED).astype(np.intp)
    lengths[several] = table.lengths[rows]
    starts = lengths.cumsum()[several] - table.lengths[rows]
    expanded = np.repeat(codes, lengths)
    for place in range(table.expansions.shape[1]):
        there = table.lengths[rows] > place
        expanded[starts[there] + place] = table.expansions[rows[there], place]
    return expanded


@functools.cache
def _table() -> _Table:
    codes = np.arange(_DELETED, dtype=np.uint32)
    rows: dict[str, int] = {}
    for character in filter(_changes, map(chr, range(_DELETED))):
        codes[ord(character)] = _code_of(unicodedata.normalize("NFD", character.lower()), rows)
    expansions = np.zeros((len(rows), max(map(len, rows))), dtype=np.uint32)
    for expansion, row in rows.items():
        expansions[row, : len(expansion)] = [ord(character) for character in expansion]
    return _Table(codes, expansions, np.array(list(map(len, rows)), dtype=np.intp))


def _changes(character: str) -> bool:
    return (
        character in PUNCTUATION
        or unicodedata.category(character) in _CHANGED_CATEGORIES
        or unicodedata.combining(character) != 0
        or character.lower() != character
        or not unicodedata.is_normalized("NFD", character)
    )


def _code_of(decomposed: str, rows: dict[str, int]) -> int:
    letters = [character for character in decomposed if unicodedata.category(character) != "Mn"]
    if any(unicodedata.combining(character) for character in letters):
        return _MOVED
    folded = "".join(map(_fold_character, letters))
    if not folded:
        return _DELETED
    return ord(folded) if len(folded) == 1 else _SEVERAL + rows.setdefault(folded, len(rows))


def _fold_character(character: str) -> str:
    if character.isdecimal():
        return "0"
    folded = PUNCTUATION.get(character, character)
    return "" if folded in _CONTROLS else folded
