"""Lines and paragraphs of a text, which of them read like Project Gutenberg's licence, and which are gone already.

All is done on text in lower case, in time linear in it whatever the text: a paragraph counts for its first
:data:`PARAGRAPH_LINES` lines, a line for its first :data:`LINE_CHARS` characters.
"""

import bisect
from collections.abc import Iterator, Sequence

from filters.gutenberg_marks import LICENCE, NAME

PARAGRAPH_LINES = 60  # the licence has no longer one
PARAGRAPH_CHARS = 8000
LINE_CHARS = 1000
NAMED_LINES = 6  # of a paragraph that a name alone makes the licence's: longer, it is a book's that speaks of it
GAP, GAP_LINES = 3, 40  # paragraphs and lines between two paragraphs of the licence that go with them
_ASCII_LOWER = {code: code + 32 for code in range(65, 91)}


def lower(text: str) -> str:
    """Put a text into lower case, each character in its place.

    >>> lower("Ünter dem İ")
    'Ünter dem İ'
    """
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_ASCII_LOWER)


class Lines:
    """The lines of a text.

    Attributes:
        blank: Whether each has nothing but white space.

    Args:
        lowered: The text, in lower case.
    """

    def __init__(self, lowered: str) -> None:
        self._lines = lowered.split("\n")
        self.blank = [not line or line.isspace() for line in self._lines]
        self._gone = bytearray(len(self._lines))
        self._licence: dict[tuple[int, int], bool] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, line: int) -> str:
        return self._lines[line][:LINE_CHARS]

    def find(self, lowered: str, needles: Sequence[str]) -> list[int]:
        """Number the lines with one of the needles in them."""
        starts, at = [], 0
        for line in self._lines:
            starts.append(at)
            at += len(line) + 1
        found: set[int] = set()
        for needle in needles:
            at = lowered.find(needle)
            while at >= 0:
                number = bisect.bisect_right(starts, at) - 1
                found.add(number)
                at = lowered.find(needle, starts[number] + len(self._lines[number]))
        return sorted(found)

    def take(self, start: int, end: int) -> None:
        """Let lines be gone."""
        self._gone[start:end] = b"\1" * (end - start)

    def gone(self, line: int) -> bool:
        """Whether a line is."""
        return bool(self._gone[line])

    def left(self) -> list[tuple[int, int]]:
        """Give the ranges of lines that are not gone."""
        ranges, at = [], self._gone.find(0)
        while at >= 0:
            end = self._gone.find(1, at)
            end = len(self._gone) if end < 0 else end
            ranges.append((at, end))
            at = self._gone.find(0, end)
        return ranges

    def joined(self, start: int, end: int) -> str:
        """Give lines as one, blanks between words single."""
        return " ".join(" ".join(self[line] for line in range(start, end))[:PARAGRAPH_CHARS].split())

    def paragraph_end(self, line: int, limit: int) -> int:
        """Give the line behind the paragraph that holds a line."""
        limit = min(limit, line + PARAGRAPH_LINES)
        while line < limit and not self.blank[line] and not self._gone[line]:
            line += 1
        return line

    def paragraph_start(self, line: int, limit: int) -> int:
        """Give the first line of the paragraph that holds a line."""
        limit = max(limit, line - PARAGRAPH_LINES)
        while line > limit and not self.blank[line - 1] and not self._gone[line - 1]:
            line -= 1
        return line

    def paragraphs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Give the paragraphs of a range of lines."""
        while start < end:
            if self.blank[start] or self._gone[start]:
                start += 1
                continue
            stop = self.paragraph_end(start, end)
            yield start, stop
            start = stop

    def is_licence(self, start: int, end: int) -> bool:
        """Tell whether a paragraph reads like the licence, its header or its credits."""
        key = start, end
        if key not in self._licence:
            joined = self.joined(start, end)
            named = end - start <= NAMED_LINES and NAME.search(joined) is not None
            self._licence[key] = named or LICENCE.search(joined) is not None
        return self._licence[key]

    def is_proven_licence(self, paragraphs: Sequence[tuple[int, int]]) -> bool:
        """Tell whether one of some paragraphs names Project Gutenberg, and one says what only its licence does."""
        joined = [self.joined(*paragraph) for paragraph in paragraphs]
        return any(map(NAME.search, joined)) and any(map(LICENCE.search, joined))

    def speaks_of_it(self, start: int, end: int) -> bool:
        """Tell whether a paragraph names Project Gutenberg and is not its licence: prose about it."""
        joined = self.joined(start, end)
        return NAME.search(joined) is not None and LICENCE.search(joined) is None

    def licence_share(self, start: int, end: int) -> float:
        """Give the share of the paragraphs in a range that read like the licence."""
        flags = [self.is_licence(*paragraph) for paragraph in self.paragraphs(start, end)]
        return sum(flags) / max(1, len(flags))

    def grow_down(self, line: int, limit: int) -> int:
        """Give where paragraphs end that read like the licence, from a line on, with few others between them."""
        end, others = line, 0
        while others <= GAP and line - end <= GAP_LINES:
            while line < limit and self.blank[line]:
                line += 1
            if line >= limit or self._gone[line]:
                break
            stop = self.paragraph_end(line, limit)
            end, others = (stop, 0) if self.is_licence(line, stop) else (end, others + 1)
            line = stop
        return end

    def grow_up(self, line: int, limit: int) -> int:
        """Give where paragraphs begin that read like the licence, up from a line."""
        start, others = line, 0
        while others <= GAP and start - line <= GAP_LINES:
            while line > limit and self.blank[line - 1]:
                line -= 1
            if line <= limit or self._gone[line - 1]:
                break
            begin = self.paragraph_start(line - 1, limit)
            start, others = (begin, 0) if self.is_licence(begin, line) else (start, others + 1)
            line = begin
        return start
