r"""Verbatim text within a line, and addresses, in which ``%`` is a character."""

import re

from filters.tex_expand import Command, Expander

_MOST_VERB = 1_000  # characters of a piece of verbatim text within a line
_ARGUMENT = re.compile(r"\s{0,9}\{")
_BRACES = re.compile(r"\\.|[{}]|\n[ \t]*+\n")


def _verb(x: Expander, match: re.Match[str]) -> bool:
    r"""``\verb|..|``, any delimiter; ``\lstinline`` and ``\mintinline`` may have braces."""
    frame = x.stack[-1]
    text, at = frame.text, match.end()
    if match[1] == "verb" or match[1] == "Verb":
        at += text.startswith("*", at)
    else:
        if text.startswith("[", at) and (close := text.find("]", at, at + 200)) > 0:
            at = close + 1
        if match[1] == "mintinline" and text.startswith("{", at) and (close := text.find("}", at, at + 99)) > 0:
            at = close + 1
    if at >= len(text) or text[at].isspace() or text[at].isalpha():
        return False
    if text[at] == "{" and match[1] != "verb":
        close = _verbatim_end(text, at)
    else:
        close = text.find(text[at], at + 1, at + _MOST_VERB)
    if close <= at or "\n" in text[at:close]:
        return False
    return _raw(x, match, close + 1)


def _verbatim_end(text: str, start: int) -> int:
    """Find the brace that closes one, percent signs being characters; -1 where there is none near."""
    depth = 0
    for brace in _BRACES.finditer(text, start, start + _MOST_VERB):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if not depth:
            return brace.start()
    return -1


def _url(x: Expander, match: re.Match[str]) -> bool:
    r"""The argument of ``\url``, in which ``%`` is a character; ``\path`` may have other delimiters as ``\verb``."""
    text, at = x.stack[-1].text, match.end()
    found = _ARGUMENT.match(text, at)
    if found is None:
        is_delimiter = at < len(text) and not text[at].isalnum() and text[at] not in " \t\n\\*[]}"
        close = text.find(text[at], at + 1, at + _MOST_VERB) if is_delimiter and match[1] != "href" else -1
        return close >= 0 and "\n" not in text[at:close] and _raw(x, match, close + 1)
    depth = 1
    for brace in _BRACES.finditer(text, found.end()):
        piece = brace[0]
        if piece[0] == "\n":
            return False
        depth += (piece == "{") - (piece == "}")
        if not depth:
            return "%" in text[found.end() : brace.end()] and _raw(x, match, brace.end())
    x.look(len(text) - found.end())
    return False


def _raw(x: Expander, match: re.Match[str], end: int) -> bool:
    start = x.offset(match)
    x.out.raw.append((start, start + end - match.start()))
    x.stack[-1].pos = end
    return True


#: Commands by their names.
VERBATIM_COMMANDS: dict[str, Command] = {
    **dict.fromkeys(("verb", "Verb", "lstinline", "mintinline"), _verb),
    **dict.fromkeys(("url", "href", "path", "nolinkurl"), _url),
}
