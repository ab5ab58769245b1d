"""Credits and notes of those who made a file, where its book begins or ends.

Who typed a book in, from which edition, and what was changed on which page: written in a dozen ways, not bounded by
marks, so found by their first words (:mod:`filters.gutenberg_marks`), and only near the borders of the book.
"""

from collections.abc import Callable, Iterator

from filters.gutenberg_lines import Lines
from filters.gutenberg_marks import (
    BOX,
    CONTACT,
    CREDIT,
    CREDIT_PHRASE,
    FILE_WORDS,
    LIKELY_CREDIT,
    NOTE,
    NOTE_WORDS,
)

_EDGE = 12  # paragraphs of a book's beginning and end in which credits stand
_CREDIT_LINES = 14
_LEAST_DEPTH, _MOST_DEPTH, _DEPTH_SHARE = 60, 500, 10  # lines, lines, a tenth: how deep notes stand in a book
_NOTE_LINES = 200
_NOTE_BEGINNING = 12  # lines in which notes say that they are about a text
_HEADING_LINES = 2
_NOTE_GAP = 2  # paragraphs without words of notes, between two with some
_NOTE_SHARE = 1 / 3  # of paragraphs with words of notes, where two blank lines are believed to end them
_REST_LINES, _REST_SHARE = 60, 0.1  # behind a book's last notes that go with them, whatever they say; of longer ones


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
    is_first = True
    for _ in range(_EDGE):
        first = next(lines.paragraphs(line, end), None)
        if first is None:
            return
        line = first[1]
        found = _credit_lines(lines, *first, names=names)
        if not found and is_first and _is_likely_credit(lines, *first):
            found = first[1] - first[0]
            is_first = False
        is_first = is_first and (found > 0 or not any(map(str.isalnum, lines.joined(*first))))
        if found:
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
    if not (CREDIT.match(lines[start]) or (LIKELY_CREDIT.match(lines[start]) and CREDIT_PHRASE.search(lines[start]))):
        return 0
    line = start + 1
    while line < stop and CREDIT_PHRASE.search(lines[line]):
        line += 1
    return line - start


def _is_credit(lines: Lines, start: int, end: int, *, names: bool) -> bool:
    if end - start > _CREDIT_LINES:
        return False
    joined = lines.joined(start, end)
    if CREDIT.match(joined) or (LIKELY_CREDIT.match(joined) and CONTACT.search(joined)):
        return True
    return names and CREDIT_PHRASE.search(joined) is not None


def _is_likely_credit(lines: Lines, start: int, end: int) -> bool:
    """Whether a paragraph is a credit if it stands in front of the book: further in, the book has such ones too."""
    return end - start <= _CREDIT_LINES and LIKELY_CREDIT.match(lines.joined(start, end)) is not None


def find_notes(lines: Lines, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Find notes near a book's beginning, and those near its end, which go on to its last line if nothing bounds them.

    Arguments and what is yielded are as in :func:`find_credits`, but for ``names``.
    """
    depth = min(_MOST_DEPTH, max(_LEAST_DEPTH, (end - start) // _DEPTH_SHARE))
    tail = max((start + end) // 2, end - depth)
    last = list(_notes(lines, tail, end, (start, end), _end_of_last))
    yield from last
    if last:
        end = last[0][0]
    yield from _notes(lines, start, min(start + depth, end), (start, end), _end_of_note)


def _notes(
    lines: Lines, line: int, last: int, book: tuple[int, int], find_end: Callable[[Lines, int, int], int]
) -> Iterator[tuple[int, int]]:
    """Find the notes that begin in a range of lines of the book; its own first line and end bound them."""
    while line < last:
        stop = find_end(lines, line, book[1]) if _is_note(lines, line, book[1]) else line
        if stop > line:
            yield _box_start(lines, line, book[0]), stop
        line = max(stop, line + 1)


def _is_note(lines: Lines, line: int, end: int) -> bool:
    """Whether notes begin at a line: at a paragraph's first, or in a box, and not in a table of contents."""
    heading = NOTE.match(lines[line])
    if heading is None or not _begins(lines, line):
        return False
    said = f"{lines[line][heading.end() :]} {lines.joined(line + 1, min(line + _NOTE_BEGINNING, end))}"
    if heading.group("preface"):
        return FILE_WORDS.search(said) is not None
    return lines[line].lstrip().startswith("[") or NOTE_WORDS.search(said) is not None or "bookmarks" in heading.group()


def _begins(lines: Lines, line: int) -> bool:
    return line == 0 or lines.blank[line - 1] or lines.gone(line - 1) or BOX.match(lines[line - 1]) is not None


def _is_bounded(lines: Lines, line: int) -> bool:
    """Whether notes stand in brackets or in a box."""
    return lines[line].lstrip().startswith("[") or (line > 0 and BOX.match(lines[line - 1]) is not None)


def _box_start(lines: Lines, line: int, start: int) -> int:
    return line - 1 if line > start and BOX.match(lines[line - 1]) else line


def _end_of_last(lines: Lines, start: int, limit: int) -> int:
    """Give where notes at a book's end do: with the book, unless more of it follows."""
    stop = _end_of_note(lines, start, limit)
    if _is_bounded(lines, start):
        return stop
    is_rest = limit - stop <= _REST_LINES or _note_share(lines, stop, limit) >= _REST_SHARE
    return limit if is_rest or "bookmarks" in lines[start] else stop


def _end_of_note(lines: Lines, start: int, limit: int) -> int:
    """Give where notes end: at the bracket or box that closes them, or where two lines are blank."""
    last = min(limit, start + _NOTE_LINES)
    if lines[start].lstrip().startswith("["):
        return _end_of_brackets(lines, start, last)
    if start and BOX.match(lines[start - 1]):
        closed = (line + 1 for line in range(start, last) if BOX.match(lines[line]))
        return next(closed, lines.paragraph_end(start, limit))
    stop = lines.paragraph_end(start, limit)
    body = stop
    if stop - start <= _HEADING_LINES:
        while body < last and lines.blank[body]:
            body += 1
    double = (line for line in range(body, last - 1) if lines.blank[line] and lines.blank[line + 1])
    end = next(double, lines.paragraph_end(body, limit) if body < limit else limit)
    return end if _note_share(lines, body, end) >= _NOTE_SHARE else _grow_note(lines, stop, end)


def _end_of_brackets(lines: Lines, start: int, last: int) -> int:
    """Give where a note in brackets ends; where it begins if the book goes on in its last line."""
    depth = 0
    for line in range(start, last):
        text = lines[line]
        depth += text.count("[") - text.count("]")
        if depth <= 0 and "]" in text:
            return line + 1 if text.rstrip(" .*_").endswith("]") else start
    return lines.paragraph_end(start, last)


def _note_share(lines: Lines, start: int, end: int) -> float:
    """Give the share of the paragraphs in a range that have words of notes; 1 where there is none."""
    flags = [_has_note_words(lines, *paragraph) for paragraph in lines.paragraphs(start, end)]
    return sum(flags) / len(flags) if flags else 1.0


def _grow_note(lines: Lines, stop: int, end: int) -> int:
    """Give where the last paragraph with words of notes ends, with few others between them."""
    others = 0
    for paragraph in lines.paragraphs(stop, end):
        is_note = _has_note_words(lines, *paragraph)
        stop, others = (paragraph[1], 0) if is_note else (stop, others + 1)
        if others > _NOTE_GAP:
            break
    return stop


def _has_note_words(lines: Lines, start: int, end: int) -> bool:
    return NOTE_WORDS.search(lines.joined(start, end)) is not None
