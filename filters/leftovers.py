"""Markup that a cleaner should have taken out and did not: what is looked for, and where it was found.

Each cleaner of a source knows what may stand in its output (code, mathematics) and gives the rest to its own
``find_leftovers``; a run counts what these find, so that "is the text clean?" has an answer with examples.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_AROUND = 40  # characters shown on both sides


@dataclass(frozen=True, slots=True)
class Leftover:
    """A piece of markup in a cleaned text.

    Attributes:
        kind: What it is, a short name such as ``"[["`` or ``"html_tag"``.
        start: Where it begins, in characters of the text.
        snippet: The piece with some characters around it, on one line.
    """

    kind: str
    start: int
    snippet: str


def find_patterns(
    text: str, patterns: Mapping[str, re.Pattern[str]], *, protected: Sequence[tuple[int, int]] = ()
) -> Iterator[Leftover]:
    """Find patterns in a text, outside of protected spans.

    Args:
        text: The cleaned text.
        patterns: What to look for, by kind.
        protected: Spans ``(start, end)`` in characters, ascending, in which anything may stand: code, mathematics.

    Yields:
        Each match that begins in no protected span, by kind, then in the order of the text.
    """
    for kind, pattern in patterns.items():
        spans = iter((*protected, (len(text) + 1, len(text) + 1)))
        span = next(spans)
        for match in pattern.finditer(text):
            while span[1] <= match.start():
                span = next(spans)
            if match.start() < span[0]:
                yield Leftover(kind, match.start(), snippet(text, match.start(), match.end()))


def snippet(text: str, start: int, end: int) -> str:
    r"""Give a span with some characters around it, on one line.

    >>> snippet("one\ntwo", 4, 7)
    'one two'
    """
    return " ".join(text[max(0, start - _AROUND) : min(end, start + _AROUND) + _AROUND].split())
