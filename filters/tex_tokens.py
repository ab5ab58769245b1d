r"""The smallest pieces of TeX source: control words, comments, blanks, groups (Knuth, The TeXbook, chapters 7 and 8).

Text is not turned into a list of tokens. One pattern jumps to the next character that may mean something, so that
prose passes in bulk and what stays, stays as it was written.
"""

import re
from collections.abc import Iterator

from filters.tex_names import TAKES_ONE, TAKES_TWO

#: What the reader stops at. A backslash takes a word of letters with it, or one other character; ``$$`` is one piece.
SCAN = re.compile(r"\\([A-Za-z]+|[^A-Za-z])|[%{}]|\$\$?")
#: The same behind ``\makeatletter``, where ``@`` is a letter.
SCAN_AT = re.compile(r"\\([A-Za-z@]+|[^A-Za-z@])|[%{}]|\$\$?")

#: Blanks as TeX skips them behind a control word: not beyond an empty line, which ends the paragraph.
BLANKS = re.compile(r"[ \t]*+(?:\n(?![ \t]*+\n)[ \t]*+)?")
_PIECES = r"[^{}\\%]++|\\."
#: A group without comments, and with two more levels of groups at most. Possessive: no character is looked at twice.
_SHALLOW_GROUP = re.compile(rf"\{{(?:{_PIECES}|\{{(?:{_PIECES}|\{{(?:{_PIECES})*+\}})*+\}})*+\}}", re.DOTALL)
_GROUP = re.compile(r"\\.|%[^\n]*+|[{}]", re.DOTALL)
_COMMENT = re.compile(r"\\.|%", re.DOTALL)
_WORD_END = re.compile(r"\\[A-Za-z@]++\Z")
_INDENT = re.compile(r"[ \t]*+")
_EMPTY_LINE = re.compile(r"[ \t]*+\n")
_ONE = re.compile(rf"\\(?:{'|'.join(sorted(TAKES_ONE | TAKES_TWO))})[ \t]*\Z")
_SECOND = re.compile(rf"\\(?:{'|'.join(sorted(TAKES_TWO))})[ \t]*(?:\{{[^{{}}]*\}}|\\[A-Za-z]+|[^\\{{}}\s])[ \t]*\Z")
_LOOK_BACK = 80  # characters before a macro in which a command may stand whose argument it is
_TOKEN = re.compile(r"\\(?:[A-Za-z]+[ \t]*|[^A-Za-z])|\{[^{}]*\}")


def group_end(text: str, start: int) -> int:
    r"""Find where a group ends that is opened at ``start``.

    Args:
        text: Source, in which ``text[start]`` is the brace that opens it.
        start: Where it begins.

    Returns:
        The place behind its closing brace, -1 where it is not closed. Braces in comments and escaped ones count not.

    >>> group_end(r"{a{b}\} %}", 0)
    -1
    >>> group_end(r"{a{b}\}}c", 0)
    8
    """
    if shallow := _SHALLOW_GROUP.match(text, start):
        return shallow.end()
    depth = 0
    for found in _GROUP.finditer(text, start):
        piece = found[0]
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
            if not depth:
                return found.end()
    return -1


def unify_lines(text: str) -> str:
    r"""End each line, the last one too, in a line feed.

    >>> unify_lines("a\r\nb\rc")
    'a\nb\nc\n'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return text if text.endswith("\n") else text + "\n"


def comment_end(text: str, start: int) -> int:
    """Find the line end that closes a comment, or the end of the text."""
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


def skip_comment(text: str, start: int) -> int:
    """Find where reading goes on behind a comment: at the next line's first character that is no blank.

    An empty line behind it still ends a paragraph, so its line end is left to be read.
    """
    end = comment_end(text, start)
    if end == len(text):
        return end
    if _EMPTY_LINE.match(text, end + 1):
        return end
    return _INDENT.match(text, end + 1).end()  # type: ignore[union-attr]  # matches everywhere


def strip_comments(text: str) -> str:
    r"""Take comments out of a piece of source, with the line end and the next line's blanks, as TeX does.

    >>> strip_comments("a% one\n  b \\% c %two\n\nd")
    'ab \\% c \n\nd'
    """
    if "%" not in text:
        return text
    return "".join(_without_comments(text))


def _without_comments(text: str) -> Iterator[str]:
    start = position = 0
    while found := _COMMENT.search(text, position):
        position = found.end()
        if found[0] == "%":
            before = text[start : found.start()]
            yield before
            start = position = comment_end(text, position) if ends_in_word(before) else skip_comment(text, position)
    yield text[start:]


def ends_in_word(text: str) -> bool:
    r"""Tell whether a text ends in a control word, which a letter that follows would lengthen.

    >>> ends_in_word(r"a\alpha"), ends_in_word(r"a\\alpha"), ends_in_word(r"\alpha ")
    (True, False, False)
    """
    if not text or not (text[-1].isalpha() or text[-1] == "@"):
        return False
    start = text.rfind("\\")
    if start < 0 or not _WORD_END.match(text, start):
        return False
    before = start
    while before and text[before - 1] == "\\":
        before -= 1
    return (start - before) % 2 == 0


def is_letter(character: str) -> bool:
    """Tell whether a character would lengthen a control word; ``@`` may."""
    return character == "@" or ("a" <= character <= "z") or ("A" <= character <= "Z")


def is_argument(text: str, start: int) -> bool:
    r"""Tell whether what begins here is the argument of a command of LaTeX, which takes one token.

    >>> is_argument(r"\sqrt\x", 5), is_argument(r"\frac1\x", 6), is_argument(r"\alpha\x", 6)
    (True, True, False)
    """
    before = text[max(0, start - _LOOK_BACK) : start]
    if "\\" not in before:
        return False
    return _ONE.search(before) is not None or _SECOND.search(before) is not None


def is_token(text: str) -> bool:
    """Tell whether a text is one token, or one group."""
    return len(text) == 1 or _TOKEN.fullmatch(text) is not None
