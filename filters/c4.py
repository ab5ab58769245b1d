"""Which lines of a page C4 keeps, and which pages (Raffel et al., 2020, section 2.2).

The rules and their order are those of the code that made the published C4 (``c4_utils.py`` of TensorFlow Datasets,
version 3), where it and the paper differ: three sentences and five words a line, which the paper gives as five
sentences and three words. The order is part of the rules, since a line that one rule has removed cannot make another
drop the page: a ``{`` in a menu, which has no end mark, does no harm.

The rules for a whole page frame those for its lines: :func:`check_record`, :func:`check_length`, then one copy of each
address (:func:`filters.c4_text.url_key`), :func:`clean_page`, one copy of each line
(:func:`filters.c4_text.line_keys`), :func:`check_sentences`, then :mod:`filters.c4_language` and
:mod:`filters.bad_words`.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from filters.c4_text import newest_first
from filters.verdict import Drop, Reason


class C4Reason(Reason):
    """Why C4 leaves a page out, in the order of the rules."""

    NO_URL = "c4/no_url"
    NO_CONTENT = "c4/no_content"
    NO_TIMESTAMP = "c4/no_timestamp"
    TOO_LONG = "c4/too_long"
    DUPLICATE_URL = "c4/duplicate_url"
    LOREM_IPSUM = "c4/lorem_ipsum"
    CURLY_BRACKET = "c4/curly_bracket"
    NO_LINE_LEFT = "c4/no_line_left"
    FEW_SENTENCES = "c4/few_sentences"
    ONLY_DUPLICATE_LINES = "c4/only_duplicate_lines"
    FEW_SENTENCES_LEFT = "c4/few_sentences_left"


class C4LineReason(StrEnum):
    """Why C4 removes a line, in the order of the rules; counted beside the documents, never a document's reason."""

    LONG_WORD = "lines_long_word"
    NO_END_MARK = "lines_no_end_mark"
    FEW_WORDS = "lines_few_words"
    JAVASCRIPT = "lines_javascript"
    POLICY = "lines_policy"


class C4Limits(BaseModel):
    """The limits of C4's rules; ``null`` switches a rule off.

    Attributes:
        max_page_chars: Longest page, before cleaning.
        max_word_chars: Longest word a line may have; words are what lies between blanks.
        end_marks: A line must end in one of them, and not in ``...``.
        min_words_per_line: Fewest words of a line, citations not counted.
        min_sentences: Fewest sentences of a page, after cleaning and again after line deduplication.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_page_chars: PositiveInt | None = 190_000
    max_word_chars: PositiveInt | None = 1000
    end_marks: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = (
        ".",
        "?",
        "!",
        '"',
    )
    min_words_per_line: PositiveInt | None = 5
    min_sentences: PositiveInt | None = 3


#: Counts the sentences of a text, up to a number that is enough: :meth:`filters.c4_text.Sentences.count`.
CountSentences = Callable[[str, int], int]


@dataclass(frozen=True, slots=True)
class CleanedPage:
    """What cleaning makes of a page.

    Attributes:
        text: The lines kept, joined with LF; ``None`` when the page is dropped.
        drop: The rule that drops it; ``None`` when it is kept.
        removed: Lines removed, by reason; of a dropped page, those before the line that decided.
    """

    text: str | None
    drop: Drop | None
    removed: Counter[C4LineReason]


_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_ELLIPSIS = "..."
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def check_record(url: str, text: str, timestamp: str) -> Drop | None:
    """Decide whether a page has all that later rules ask for.

    C4 asks of the timestamp only that it is not empty, and compares it as text. Here a page whose timestamp is no ISO
    8601 is dropped too: where copies of an address are compared, it has no place among them.

    Args:
        url: Its address.
        text: Its lines, from :func:`filters.c4_text.c4_lines`.
        timestamp: When it was crawled, ISO 8601.

    Returns:
        ``None`` to keep the page, else the first thing it lacks.
    """
    if not url:
        return Drop(C4Reason.NO_URL)
    if not text:
        return Drop(C4Reason.NO_CONTENT, measured=0, limit=1)
    if newest_first(timestamp) is None:
        return Drop(C4Reason.NO_TIMESTAMP)
    return None


def check_length(text: str, limits: C4Limits) -> Drop | None:
    """Decide whether a page is short enough; one of exactly ``max_page_chars`` is.

    >>> check_length("x" * 190_000, C4Limits()) is None
    True
    """
    if limits.max_page_chars is not None and len(text) > limits.max_page_chars:
        return Drop(C4Reason.TOO_LONG, measured=len(text), limit=limits.max_page_chars)
    return None


def clean_page(text: str, limits: C4Limits, count_sentences: CountSentences) -> CleanedPage:
    """Take out the lines that are no prose, or drop the page when one of the others tells that it is none.

    Here all line ends of Unicode end a line (``str.splitlines``). Citation marks are taken out of the lines kept, and
    a line that ends in a blank then has no end mark.

    Args:
        text: A page, from :func:`filters.c4_text.c4_lines`.
        limits: What to hold its lines to.
        count_sentences: How to count sentences.

    Returns:
        The text or the verdict, never both, and the lines removed by reason.
    """
    kept: list[str] = []
    removed: Counter[C4LineReason] = Counter()
    for line in text.splitlines():
        stripped = line.strip()
        cleaned = _CITATION.sub("", stripped) if "[" in stripped else stripped
        verdict = _judge_line(stripped, cleaned, limits)
        if verdict is None:
            kept.append(cleaned)
        elif isinstance(verdict, C4LineReason):
            removed[verdict] += 1
        else:
            return CleanedPage(None, Drop(verdict), removed)
    cleaned_text = "\n".join(kept).strip()
    if not cleaned_text:
        return CleanedPage(None, Drop(C4Reason.NO_LINE_LEFT, measured=0, limit=1), removed)
    drop = _check_lines(kept, limits.min_sentences, count_sentences)
    return CleanedPage(None if drop else cleaned_text, drop, removed)


def _judge_line(stripped: str, cleaned: str, limits: C4Limits) -> C4LineReason | C4Reason | None:
    """Give the first rule that a line breaks, its own or the page's.

    Args:
        stripped: The line without outer blanks.
        cleaned: The same without citation marks.
        limits: What to hold it to.
    """
    longest = limits.max_word_chars
    if longest is not None and len(stripped) > longest and max(map(len, stripped.split())) > longest:
        return C4LineReason.LONG_WORD
    if limits.end_marks is not None and (not cleaned.endswith(limits.end_marks) or cleaned.endswith(_ELLIPSIS)):
        return C4LineReason.NO_END_MARK
    words = limits.min_words_per_line
    if words is not None and len(cleaned.split(None, words - 1)) < words:  # the last part is the rest of the line
        return C4LineReason.FEW_WORDS
    return _judge_words(cleaned)


def _judge_words(line: str) -> C4LineReason | C4Reason | None:
    lowered = line.lower()
    if "lorem ipsum" in lowered:
        return C4Reason.LOREM_IPSUM
    if "javascript" in lowered:
        return C4LineReason.JAVASCRIPT
    if "{" in line:
        return C4Reason.CURLY_BRACKET
    if any(notice in lowered for notice in _POLICY):
        return C4LineReason.POLICY
    return None


def _check_lines(lines: Sequence[str], wanted: int | None, count_sentences: CountSentences) -> Drop | None:
    """Decide whether lines have enough sentences together, each counted for itself.

    Each line has one at least, so as many lines as sentences are wanted need not be read.
    """
    filled = [line for line in lines if line.strip()]
    if wanted is None or len(filled) >= wanted:
        return None
    found = 0
    for line in filled:
        found += count_sentences(line, wanted - found)
        if found >= wanted:
            return None
    return Drop(C4Reason.FEW_SENTENCES, measured=found, limit=wanted)


def check_sentences(text: str, limits: C4Limits, count_sentences: CountSentences) -> Drop | None:
    """Decide whether line deduplication has left enough of a page.

    Unlike in :func:`clean_page`, the sentences are those of the whole text: one may run over a line end.

    Args:
        text: The cleaned page without its duplicate lines.
        limits: What to hold it to.
        count_sentences: How to count sentences.

    Returns:
        ``None`` to keep the page, else the rule it breaks.
    """
    if not text:
        return Drop(C4Reason.ONLY_DUPLICATE_LINES, measured=0, limit=1)
    wanted = limits.min_sentences
    if wanted is None:
        return None
    found = count_sentences(text, wanted)
    return Drop(C4Reason.FEW_SENTENCES_LEFT, measured=found, limit=wanted) if found < wanted else None
