"""Credits and notes of those who made a file, where its book begins or ends.

Who typed a book in, from which edition, and what was changed on which page: written in a dozen ways, not bounded by
marks, so found by their first words (:mod:`filters.gutenberg_marks`), and only near the borders of the book.
"""

from collections.abc import Iterator

from filters.gutenberg_lines import Lines
from filters.gutenberg_marks import BOX, CREDIT, CREDIT_PHRASE, NOTE, NOTE_WORDS

_EDGE = 12  # paragraphs of a book's beginning and end in which credits stand
_CREDIT_LINES = 14
_LEAST_DEPTH, _MOST_DEPTH, _DEPTH_SHARE = 60, 500, 10  # lines, lines, a tenth: how deep notes stand in a book
_NOTE_LINES = 200
_NOTE_BEGINNING = 12  # lines in which notes say that they are about a text
_HEADING_LINES = 2


def find_credits(lines: Lines, start: int, end: int, *, names: bool = True) -> Iterator[tuple[int, int]]:
    """Find the credits in a book's first and last paragraphs.

    Args:
        lines: The text.
        start: The book's first line.
        end: The line behind its last.
        names: Whether a paragraph that names Project Gutenberg is one; not in a book about it.

    Yields:
        First line and the line behind the last of each.
    """
    line = start
    for _ in range(_EDGE):
        first = next(lines.paragraphs(line, end), None)
        if first is None:
            return
        line = first[1]
        if found := _credit_lines(lines, *first, names=names):
            yield first[0], first[0] + found
    for _ in range(_EDGE):
        while end > line and lines.blank[end - 1]:
            end -= 1
        if end <= line:
            return
        begin = lines.paragraph_start(end - 1, line)
        if _is_credit(lines, begin, end, names=names):
            yield begin, end
        end = begin


def _credit_lines(lines: Lines, start: int, stop: int, *, names: bool) -> int:
    """Count the lines of credits a paragraph begins with: all of it, or some of one that the book follows at once."""
    if stop - start <= _CREDIT_LINES:
        return stop - start if _is_credit(lines, start, stop, names=names) else 0
    if not CREDIT.match(lines[start]):
        return 0
    line = start + 1
    while line < stop and CREDIT_PHRASE.search(lines[line]):
        line += 1
    return line - start


def _is_credit(lines: Lines, start: int, end: int, *, names: bool) -> bool:
    if end - start > _CREDIT_LINES:
        return False
    joined = lines.joined(start, end)
    return CREDIT.match(joined) is not None or (names and CREDIT_PHRASE.search(joined) is not None)


def find_notes(lines: Lines, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Find notes near a book's beginning, and those near its end, which go on to its last line if nothing bounds them.

    Arguments and what is yielded are as in :func:`find_credits`, but for ``names``.
    """
    depth = min(_MOST_DEPTH, max(_LEAST_DEPTH, (end - start) // _DEPTH_SHARE))
    middle = (start + end) // 2
    tail = next((line for line in range(max(middle, end - depth), end) if _is_note(lines, line, end)), None)
    if tail is not None:
        begin = _box_start(lines, tail, start)
        yield begin, _end_of_note(lines, tail, end) if _is_bounded(lines, tail) else end
        end = begin
    line, last = start, min(start + depth, end)
    while line < last:
        stop = line + 1
        if _is_note(lines, line, end):
            stop = _end_of_note(lines, line, end)
            yield _box_start(lines, line, start), stop
        line = stop


def _is_note(lines: Lines, line: int, end: int) -> bool:
    """Whether notes begin at a line: at a paragraph's first, or in a box, and not in a table of contents."""
    heading = NOTE.match(lines[line])
    if heading is None or not _begins(lines, line):
        return False
    said = f"{lines[line][heading.end() :]} {lines.joined(line + 1, min(line + _NOTE_BEGINNING, end))}"
    return lines[line].lstrip().startswith("[") or NOTE_WORDS.search(said) is not None or "bookmarks" in heading.group()


def _begins(lines: Lines, line: int) -> bool:
    return line == 0 or lines.blank[line - 1] or lines.gone(line - 1) or BOX.match(lines[line - 1]) is not None


def _is_bounded(lines: Lines, line: int) -> bool:
    """Whether notes stand in brackets or in a box."""
    return lines[line].lstrip().startswith("[") or (line > 0 and BOX.match(lines[line - 1]) is not None)


def _box_start(lines: Lines, line: int, start: int) -> int:
    return line - 1 if line > start and BOX.match(lines[line - 1]) else line


def _end_of_note(lines: Lines, start: int, limit: int) -> int:
    """Give where notes end: at the bracket or box that closes them, or where two lines are blank."""
    last = min(limit, start + _NOTE_LINES)
    if lines[start].lstrip().startswith("["):
        closed = (line + 1 for line in range(start, last) if lines[line].rstrip().endswith("]"))
        return next(closed, lines.paragraph_end(start, limit))
    if start and BOX.match(lines[start - 1]):
        closed = (line + 1 for line in range(start, last) if BOX.match(lines[line]))
        return next(closed, lines.paragraph_end(start, limit))
    stop = lines.paragraph_end(start, limit)
    if stop - start <= _HEADING_LINES:
        while stop < last and lines.blank[stop]:
            stop += 1
    double = (line for line in range(stop, last - 1) if lines.blank[line] and lines.blank[line + 1])
    return next(double, lines.paragraph_end(stop, limit) if stop < limit else limit)
