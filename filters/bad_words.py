r"""Drops pages that contain a word of a list (Raffel et al., 2020, section 2.2; C4's "bad words").

The list is the user's own file, one word or phrase a line; C4 took the "List of Dirty, Naughty, Obscene or Otherwise
Bad Words" of each language. A word counts where it stands alone, between characters that are no word characters in
the sense of ``\w``: digits and ``_`` are, so ``word1`` passes. In Japanese, Thai and Chinese, which put no blanks
between words, it counts wherever it stands; four listed words that are mostly pieces of others do not count there
(:data:`EXEMPT`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from filters.c4_text import url_hash
from filters.verdict import Drop, Reason

#: Languages written without blanks between words.
UNSPACED = frozenset({"ja", "th", "zh"})

#: Listed words that are pieces of common ones, by language; each would drop more than a tenth of the language's pages.
#: mC4's (``c4.py`` of TensorFlow Datasets, ``_BADWORDS_ALLOWLIST``; datatrove's ``C4BadWordsFilter`` has them too).
EXEMPT = {"ja": frozenset({"sm", "グロ", "女の子"}), "zh": frozenset({"性"})}

_WORD = re.compile(r"\w+")


class BadWordsReason(Reason):
    """Rules of :func:`check_bad_words`."""

    FOUND = "bad_words/found"


class BadWordsLimits(BaseModel):
    """What becomes of pages that contain a word of the list.

    Attributes:
        fraction: The part of them that is dropped: all for C4, 0.999 for mC4. Which ones is drawn by their address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0


class BadWords:
    r"""A list of words, ready to be looked for.

    A list of hundreds of words as one regular expression is slow, so a page is looked over by its words first: every
    run of word characters of a listed phrase stands alone in a page that contains it, so only phrases whose longest
    run is among the page's words are looked for at all.

    Args:
        words: Words and phrases; blanks around them, lower and upper case do not count, and empty ones are left out,
            for they would be found everywhere. C4 lower-cases the page alone, so there a word with a capital is never
            found.
        language: The language's code, ``en`` or ``zh-TW``; decides whether a word has to stand alone, and which ones
            do not count.

    Raises:
        ValueError: No word is left.
    """

    def __init__(self, words: Iterable[str], language: str) -> None:
        base = language.partition("-")[0]
        listed = sorted({word.strip().lower() for word in words} - {""} - EXEMPT.get(base, frozenset()))
        if not listed:
            raise ValueError("the list of bad words is empty; it must hold a word a line")
        alone = base not in UNSPACED
        by_anchor: defaultdict[str, list[str]] = defaultdict(list)
        for word in listed:
            runs = _WORD.findall(word) if alone else []
            by_anchor[max(runs, key=len, default="")].append(word)
        frame = r"(?:\W|^)(?:%s)(?:\W|$)" if alone else "%s"
        self._patterns = {
            anchor: re.compile(frame % "|".join(map(re.escape, words))) for anchor, words in by_anchor.items()
        }
        self._anchors = frozenset(self._patterns) - {""}
        self._unanchored = self._patterns.get("")

    def found_in(self, text: str) -> bool:
        """Whether a text contains a word of the list."""
        lowered = text.lower()
        if self._unanchored is not None and self._unanchored.search(lowered):
            return True
        if not self._anchors:
            return False
        present = self._anchors.intersection(_WORD.findall(lowered))
        return any(self._patterns[anchor].search(lowered) for anchor in sorted(present))


def read_words(content: bytes) -> list[str]:
    """Read a list of words, one a line.

    Args:
        content: The file, UTF-8, with or without a byte order mark.

    Returns:
        The words, empty lines left out.

    Raises:
        ValueError: It is not UTF-8, or holds no word.
    """
    words = [word for line in content.decode("utf-8-sig").splitlines() if (word := line.strip())]
    if not words:
        raise ValueError("the list of bad words is empty; it must hold a word a line")
    return words


def check_bad_words(text: str, url: str, words: BadWords, limits: BadWordsLimits) -> Drop | None:
    """Decide whether a page is free of bad words, or among those kept in spite of them.

    Args:
        text: The page.
        url: Its address; decides by its hash, as in C4, which pages a ``fraction`` below 1 keeps.
        words: The list.
        limits: How many to drop.

    Returns:
        ``None`` to keep the page, else the verdict.
    """
    if not words.found_in(text) or _is_spared(url, limits.fraction):
        return None
    return Drop(BadWordsReason.FOUND)


def _is_spared(url: str, fraction: float) -> bool:
    dropped, drawn = fraction.as_integer_ratio()
    return url_hash(url) % drawn >= dropped
