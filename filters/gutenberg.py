"""Project Gutenberg's texts: the book without the header, licence and credits that were put around it.

A licence of 2,800 words at both ends of every book would be learnt by heart, and makes unlike short books half alike.
Its forms have changed for thirty years (:mod:`filters.gutenberg_marks`), and marks stand in wrong places: a book may
speak of Project Gutenberg, a collection may hold several files with the licence between them. So no mark is believed
alone. What lies before the end of a header, or behind the beginning of a footer, goes if it is short or reads like the
licence; else only the paragraphs next to the mark go that do. Credits, and notes on how the file was made, go where a
book begins or ends (:mod:`filters.gutenberg_edges`); within it they stay.
"""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filters.gutenberg_edges import find_credits, find_notes
from filters.gutenberg_fields import Header, parse_header
from filters.gutenberg_leftovers import find_leftovers
from filters.gutenberg_lines import Lines, lower
from filters.gutenberg_marks import HEAD_END, INSERT_BEGIN, INSERT_END, NEEDLES, SIGNS, TAIL_BEGIN

__all__ = ["GutenbergText", "Removed", "find_leftovers", "strip_gutenberg"]

_SHORT_LINES = 60  # header or footer that needs no proof but its mark
_LICENCE_SHARE = 0.4  # of a longer one's paragraphs
_LOOKS = 4  # times a line may be looked at for that share, so that many marks cost no more
_MARK_LINES = 4  # over which a mark may run on
_INSERT_LINES = 16
_MOST_MENTIONS = 10  # of Project Gutenberg, in paragraphs that are not its licence
_LEAST_PARAGRAPHS = 2  # that read like the licence, where no mark is near


@dataclass(frozen=True, slots=True)
class Removed:
    """A part of the text that was taken out.

    Attributes:
        kind: ``header``, ``footer``, ``licence``, ``credits``, ``notes`` or ``insert``.
        start: Its first line, from 0.
        end: The line behind its last.
    """

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GutenbergText:
    """A text without what Project Gutenberg has put around it.

    Attributes:
        text: The book; empty where there was nothing else.
        header: What the first header says.
        removed: What was taken out, in the order of the text.
        is_gutenberg: Whether the text bears its marks; one that does not is unchanged.
    """

    text: str
    header: Header
    removed: tuple[Removed, ...]
    is_gutenberg: bool


def strip_gutenberg(text: str) -> GutenbergText:
    """Take Project Gutenberg's headers, licences and credits out of a text.

    Args:
        text: The whole file, LF line ends.

    Returns:
        The book, without blanks at the ends of its lines and blank lines at its own, and what was taken out. Time is
        linear in the text.
    """
    lowered = lower(text)
    if not any(sign in lowered for sign in SIGNS):
        return GutenbergText(text, Header(), (), is_gutenberg=False)
    stripper = _Stripper(lowered)
    removed = tuple(sorted(stripper.strip(), key=lambda part: part.start))
    lines = text.split("\n")
    head = removed[0].end if removed and removed[0].start == 0 else _SHORT_LINES
    kept = [line for start, end in stripper.lines.left() for line in lines[start:end]]
    return GutenbergText(_without_blank_edges(kept), parse_header(lines[:head]), removed, is_gutenberg=True)


def _without_blank_edges(lines: Sequence[str]) -> str:
    filled = [number for number, line in enumerate(lines) if line.strip()]
    return "\n".join(line.rstrip() for line in lines[filled[0] : filled[-1] + 1]) + "\n" if filled else ""


class _Stripper:
    """Finds the parts of one text that go."""

    def __init__(self, lowered: str) -> None:
        self.lines = Lines(lowered)
        self._removed: list[Removed] = []
        self._candidates = self.lines.find(lowered, NEEDLES)
        self._heads = [line for line in self._candidates if HEAD_END.match(self.lines[line])]
        self._looks = _LOOKS * len(self.lines)

    def strip(self) -> list[Removed]:
        """Find them: what marks bound, then notes, what reads like the licence, and credits, in what is left."""
        self._take_inserts()
        self._take_marked()
        for start, end in self.lines.left():
            self._take_all("notes", find_notes(self.lines, start, end))
        is_subject = self._is_subject()
        if not is_subject:
            self._take_licence()
        for start, end in self.lines.left():
            self._take_all("credits", find_credits(self.lines, start, end, names=not is_subject))
        return self._removed

    def _take(self, kind: str, start: int, end: int) -> None:
        if start < end:
            self._removed.append(Removed(kind, start, end))
            self.lines.take(start, end)

    def _take_all(self, kind: str, ranges: Iterator[tuple[int, int]]) -> None:
        for start, end in list(ranges):
            self._take(kind, start, end)

    def _take_inserts(self) -> None:
        for line in self._candidates:
            if INSERT_BEGIN in self.lines[line] and not self.lines.gone(line):
                last = min(line + _INSERT_LINES, len(self.lines))
                ends = (number + 1 for number in range(line, last) if INSERT_END in self.lines[number])
                self._take("insert", line, next(ends, line + 1))

    def _take_marked(self) -> None:
        """Take headers up to their end marks, and footers from their begin marks, where they are believed."""
        done = 0
        for line in self._candidates:
            if self.lines.gone(line):
                continue
            if HEAD_END.match(self.lines[line]):
                done = self._take_header(done, line)
            elif TAIL_BEGIN.match(self.lines[line]):
                done = self._take_footer(line)

    def _take_header(self, start: int, mark: int) -> int:
        """Take a header if it is believed, else what reads like one above its mark; gives where it ends."""
        end = self._end_of_mark(mark)
        self._take("header", start if self._is_believed(start, end) else self.lines.grow_up(mark, start), end)
        return end

    def _take_footer(self, mark: int) -> int:
        """Take a footer, up to the next header's end, or what reads like one below its mark; gives where it ends."""
        later = bisect.bisect_right(self._heads, mark)
        end = self._heads[later] if later < len(self._heads) else len(self.lines)
        if not self._is_believed(mark, end):
            end = self.lines.grow_down(self._end_of_mark(mark), end)
        self._take("footer", mark, end)
        return end

    def _is_believed(self, start: int, end: int) -> bool:
        if end - start <= _SHORT_LINES:
            return True
        self._looks -= end - start
        return self._looks >= 0 and self.lines.licence_share(start, end) >= _LICENCE_SHARE

    def _end_of_mark(self, line: int) -> int:
        """Give the line behind a mark, which may run over several lines to its closing asterisks."""
        for number in range(line, min(line + _MARK_LINES, len(self.lines))):
            if self.lines.blank[number]:
                break
            if self.lines[number].rstrip().endswith("*"):
                return number + 1
        return line + 1

    def _is_subject(self) -> bool:
        """Tell whether the book itself speaks of Project Gutenberg, in more paragraphs than a note would."""
        mentions, seen = 0, 0
        for line in self._candidates:
            if line >= seen and not self.lines.gone(line):
                start, seen = self.lines.paragraph_start(line, seen), self.lines.paragraph_end(line, len(self.lines))
                mentions += self.lines.speaks_of_it(start, seen)
        return mentions > _MOST_MENTIONS

    def _take_licence(self) -> None:
        """Take what is left of licences without their marks: two paragraphs at least that read like it."""
        lines, seen = self.lines, 0
        for line in self._candidates:
            if line < seen or lines.gone(line):
                continue
            start, seen = lines.paragraph_start(line, seen), lines.paragraph_end(line, len(lines))
            if lines.is_licence(start, seen):
                upper, lower_end = lines.grow_up(start, 0), lines.grow_down(seen, len(lines))
                found = [part for part in lines.paragraphs(upper, lower_end) if lines.is_licence(*part)]
                if len(found) >= _LEAST_PARAGRAPHS and lines.is_proven_licence(found):
                    self._take("licence", upper, lower_end)
