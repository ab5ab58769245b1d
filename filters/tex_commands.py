r"""All commands of LaTeX that the reader has to know, and those of them that mark structure, groups and mathematics."""

import re

from filters.tex_comparisons import COMPARISONS
from filters.tex_conditionals import CONDITIONAL_COMMANDS
from filters.tex_definitions import DEFINITIONS
from filters.tex_environments import ENVIRONMENTS
from filters.tex_expand import Command, Expander
from filters.tex_inclusion import INCLUSIONS
from filters.tex_input import Frame
from filters.tex_internals import INTERNALS
from filters.tex_names import BIBLIOGRAPHY, SECTIONS, TEXT_IN_MATH
from filters.tex_packages import PACKAGES
from filters.tex_state import DISPLAY
from filters.tex_tokens import SCAN, SCAN_AT
from filters.tex_variables import VARIABLES
from filters.tex_verbatim import VERBATIM_COMMANDS
from filters.tex_xparse import XPARSE

_ARGUMENT = re.compile(r"\s{0,9}\{")
_NO_SPACE = re.compile(r"\\(?:[ /\\]|xspace\b|footnote|bgroup\b|egroup\b|space\b)|%")
#: Characters before which ``\xspace`` makes no blank.
_CLOSE = frozenset("{}~.!,:;?/'\")-]")


def _note(x: Expander, match: re.Match[str]) -> bool:
    x.note(match[1], match)
    return False


def _makeat(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    for frame in reversed(x.stack):
        frame.scan = SCAN_AT if match[1] == "makeatletter" else SCAN
        if frame.file is not None:
            break
    x.read_blanks()
    return x.drop()


def _xspace(x: Expander, match: re.Match[str]) -> bool:
    r"""``\xspace`` in a macro: a blank, where what follows is no punctuation."""
    frame = x.stack[-1]
    if frame.file is not None:
        return False
    x.take(match)
    x.read_blanks()
    following = x.settle()
    blanks = following.blanks if following and following.file is not None else ""
    character = following.text[following.pos] if following else ""
    if (
        following
        and not x.state.math
        and not character.isspace()
        and character not in _CLOSE
        and not _no_space(following)
    ):
        x.out.put("\n" if "\n" in blanks else " ")
    x.resume()
    x.out.seam(math=bool(x.state.math))
    return True


def _no_space(frame: Frame) -> bool:
    return _NO_SPACE.match(frame.text, frame.pos) is not None


def _group(x: Expander, match: re.Match[str]) -> bool:
    if match[1] in {"begingroup", "bgroup"}:
        x.state.depth += 1
    else:
        x.close_group()
    return False


def _math(x: Expander, match: re.Match[str]) -> bool:
    x.open_math({"(": 1, "[": DISPLAY}.get(match[1], 0))
    return False


def _ensuremath(x: Expander, match: re.Match[str]) -> bool:
    r"""``\ensuremath`` in a macro: nothing, where this is mathematics."""
    if x.stack[-1].file is not None or not x.state.math:
        return False
    x.take(match)
    inner = x.read_argument()
    if inner is None:
        return x.leave(match)
    return x.read_next(inner, at=x.stack[-1].scan is SCAN_AT)


def _mathchoice(x: Expander, match: re.Match[str]) -> bool:
    r"""``\mathchoice`` in a macro: what it gives in a display, or within a line."""
    if x.stack[-1].file is not None:
        return False
    x.take(match)
    choices = [x.read_argument() for _ in range(4)]
    chosen = choices[0 if x.state.math == DISPLAY else 1]
    if chosen is None or None in choices:
        return x.leave(match)
    return x.read_next(f"{{{chosen}}}", at=x.stack[-1].scan is SCAN_AT)


def _text(x: Expander, match: re.Match[str]) -> bool:
    r"""``\text``, ``\mbox`` and the like in mathematics, whose argument is none."""
    if x.state.math and _ARGUMENT.match(x.stack[-1].text, match.end()):
        x.state.texts.append((x.state.depth, x.state.math))
        x.state.math = 0
    return False


def _section(x: Expander, match: re.Match[str]) -> bool:
    x.note(match[1], match)
    x.open_math(0)
    return False


#: All commands by their names.
COMMANDS: dict[str, Command] = {
    **DEFINITIONS,
    **CONDITIONAL_COMMANDS,
    **INTERNALS,
    **XPARSE,
    **COMPARISONS,
    **ENVIRONMENTS,
    **VERBATIM_COMMANDS,
    **INCLUSIONS,
    **PACKAGES,
    **VARIABLES,
    **dict.fromkeys(sorted(SECTIONS), _section),
    **dict.fromkeys(("title", "maketitle", "documentclass", "documentstyle", "appendix", "abstract"), _note),
    **dict.fromkeys((*sorted(BIBLIOGRAPHY), "Refs", "endRefs"), _note),
    **dict.fromkeys(("makeatletter", "makeatother"), _makeat),
    "xspace": _xspace,
    "ensuremath": _ensuremath,
    "mathchoice": _mathchoice,
    **dict.fromkeys(sorted(TEXT_IN_MATH), _text),
    **dict.fromkeys(("begingroup", "endgroup", "bgroup", "egroup"), _group),
    **dict.fromkeys("[]()", _math),
}
