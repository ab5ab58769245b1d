"""Notices of copyright and licence out of a source file's header (Touvron et al., 2023, section 2.1).

"[We] removed boilerplate, such as headers, with regular expressions." RedPajama looks at the first C comment anywhere,
or takes all leading lines that begin with ``//``, ``#`` or ``--``: includes, headings of Markdown and descriptions too.
Here comments before the first line of code are read (:mod:`filters.code_comments`), and of each only the lines that
are a notice go (:mod:`filters.licence_words`), with author lines and rules beside them. So ``#!``, ``#include``,
headings, encodings and modelines stay, a description stays whether it follows the notice in a comment of its own or
stands in the same one, and a comment behind the first line of code is not looked at. A comment with nothing else in it
goes with its signs.
"""

import re
from collections.abc import Sequence

from filters.code_comments import Comment, header_comments
from filters.licence_words import COPYRIGHT_BEHIND, may_have_notice, notice_lines

_SIGNS = "/*#;%!-<>'\"=+|\\{}~_^ \t\r\n\x0c"
_HAS_CONTENT = re.compile(r"[^\W_]")
_BLANKS = re.compile(r"\s*")
_CLOSER = re.compile(r"[ \t]{0,80}(?:\*/|-->|\"\"\"|'''|\*\)|-\}|#\}|#>|\]\])[ \t]{0,80}\r?\n?$")
_MAX_LINE_CHARS = 2000  # of a line that are read; no notice has longer ones


def remove_headers(text: str, language: str) -> str:
    r"""Take notices of copyright and licence out of the comments before a file's code.

    Args:
        text: A source file, LF or CRLF line ends.
        language: From :func:`filters.code_languages.code_language`.

    Returns:
        The file without them, and without the blank lines that parted a comment which is gone from what follows. Time
        is linear in the text.

    >>> remove_headers("#!/bin/sh\n# Copyright (c) 2001 A. Writer\n#\n# Counts words.\nwc -w\n", "Shell")
    '#!/bin/sh\n# Counts words.\nwc -w\n'
    """
    parts: list[str] = []
    at, last, after_notice = 0, "", False
    for comment in header_comments(text, language):
        lines = _without_notices(comment, after_notice=after_notice)
        if lines is None:
            continue
        after_notice = True
        parts += [text[at : comment.start], *lines]
        last = next(filter(None, (*lines[-1:], text[at : comment.start])), last)
        at = comment.end if lines else _behind_blanks(text, comment.end, last)
    return "".join([*parts, text[at:]])


def header_notices(text: str, language: str = "") -> str:
    r"""Give the notices of a file's header, a line each, without the signs of comments.

    >>> header_notices("// Copyright 2001 A. Writer\n// Counts words.\nint main;", "C")
    'Copyright 2001 A. Writer'
    """
    found: list[str] = []
    for comment in header_comments(text, language):
        if may_have_notice("".join(comment.lines)):
            contents = [_content(line, comment) for line in comment.lines]
            gone = notice_lines(contents, after_notice=bool(found))
            found += [content for content, is_gone in zip(contents, gone, strict=True) if is_gone]
    return "\n".join(found)


def _behind_blanks(text: str, at: int, last: str) -> int:
    """Find what follows a comment that is gone.

    Args:
        text: The file.
        at: Where the comment ends.
        last: What stands before it, empty for nothing.

    Returns:
        Behind the blanks on its line, or behind the blank lines below it; one of those stays below a line that has
        none below itself.
    """
    if text[at - 1] != "\n":
        return at + len(text[at : at + _MAX_LINE_CHARS]) - len(text[at : at + _MAX_LINE_CHARS].lstrip(" \t"))
    match = _BLANKS.match(text, at)
    end = text.rfind("\n", at, match.end() if match else at) + 1 or at  # what blanks are left are those of a line
    stands_apart = last in {"", "\ufeff"} or last.endswith(("\n\n", "\n\r\n"))
    return end if stands_apart or end == at else max(at, text.rfind("\n", at, end - 1) + 1)


def _without_notices(comment: Comment, *, after_notice: bool) -> Sequence[str] | None:
    """Give what is left of a comment, nothing where it was a notice and no more; ``None`` where it has no notice."""
    if not may_have_notice("".join(comment.lines)):
        return None
    contents = [_content(line, comment) for line in comment.lines]
    gone = notice_lines(contents, after_notice=after_notice)
    lines = [
        line if is_gone else _without_end(line, content)
        for line, content, is_gone in zip(comment.lines, contents, gone, strict=True)
    ]
    if not any(gone) and lines == list(comment.lines):
        return None
    has_words = any(content and not is_gone for content, is_gone in zip(contents, gone, strict=True))
    return _rebuild(comment, lines, contents, gone) if has_words else ()


def _content(line: str, comment: Comment) -> str:
    """Give what a line of a comment says; empty where there is no letter or digit."""
    text = line[:_MAX_LINE_CHARS].strip()
    for mark in (comment.opener, *comment.marks):
        if mark and text[: len(mark)].lower() == mark and not text[len(mark) : len(mark) + 1].isalnum():
            text = text[len(mark) :]
            break
    text = text.removesuffix(comment.closer) if comment.closer else text
    text = text.lstrip(_SIGNS + ":").rstrip(_SIGNS)
    if text.startswith("(*"):
        text = text[2:].lstrip(_SIGNS)
    if text.endswith("*)"):
        text = text[:-2].rstrip(_SIGNS)
    return text if _HAS_CONTENT.search(text) else ""


def _without_end(line: str, content: str) -> str:
    """Take a statement of copyright off the end of a line that begins with something else."""
    match = COPYRIGHT_BEHIND.search(line[:_MAX_LINE_CHARS]) if content else None
    if match is None or not _HAS_CONTENT.search(line[: match.start()]):
        return line
    closer = _CLOSER.search(line)
    return line[: match.start()].rstrip() + (closer[0] if closer else "\n" if line.endswith("\n") else "")


def _rebuild(comment: Comment, lines: Sequence[str], contents: Sequence[str], gone: Sequence[bool]) -> list[str]:
    """Put a comment together again, with one blank line of it where there was a notice between blank lines."""
    first, last = 0, len(lines)
    head: list[str] = []
    tail: list[str] = []
    closer = ""
    if comment.opener and (gone[0] or not contents[0]):
        head, first = [_head(lines[0], comment.opener) if gone[0] else lines[0]], 1
    if comment.closer and last > first and gone[-1]:
        closer, last = lines[-1][lines[-1].rfind(comment.closer) :], last - 1
    elif comment.closer and last > first and not contents[-1]:
        tail, last = [lines[-1]], last - 1
    if not comment.opener and len(lines) > _FRAME and all(_is_rule(lines[at], contents[at]) for at in (0, -1)):
        head, tail, first, last = [lines[0]], [lines[-1]], 1, last - 1
    kept = [at for at in range(first, last) if contents[at] and not gone[at]]
    result = [*head]
    for before, at in zip([first - 1, *kept], [*kept, last], strict=True):
        gap = range(before + 1, at)
        beside_gone = (before < first and first and gone[0]) or (at == last and closer)
        if not beside_gone and not any(gone[line] for line in gap):
            result += [lines[line] for line in gap]
        elif before >= first and at < last:
            result += sorted((lines[line] for line in gap if not contents[line]), key=len)[:1]
        result += [lines[at]] if at < last else []
    if closer:
        result[-1] = f"{result[-1].rstrip()} {closer}"
    return [*result, *tail]


_FRAME = 2  # lines of a comment that are nothing but rules
_RULE_CHARS = 4


def _is_rule(line: str, content: str) -> bool:
    return not content and len(line.strip()) >= _RULE_CHARS


def _head(line: str, opener: str) -> str:
    return line[: line.find(opener) + len(opener)] + ("\r\n" if line.endswith("\r\n") else "\n")
