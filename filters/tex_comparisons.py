r"""Tests of characters and numbers, ``\if`` and ``\ifnum``, in which TeX expands what stands (The TeXbook, chapter 20).

Macros in a test are expanded and conditionals in it decided, before it is. What cannot be stays, as far as it was read.
"""

import re
from collections.abc import Sequence

from filters.tex_conditionals import decide
from filters.tex_expand import Command, Expander
from filters.tex_input import Frame
from filters.tex_macros import Macro, substitute
from filters.tex_names import CONDITIONALS
from filters.tex_output import Output
from filters.tex_state import RecursionFoundError

_DETOKENIZE = re.compile(r"[ \t]*+\\relax[ \t]*+\\detokenize[ \t]*+(?=\{)")
_RELAX = re.compile(r"[ \t]*+\\relax(?![A-Za-z@])[ \t]*+")
_DIGITS = "0123456789"
_MOST_DIGITS = 20
_MOST_TESTS = 20  # conditionals in the test of one another
#: Conditionals that may be decided, beside users' own.
_DECIDED = frozenset(("if", "ifx", "ifnum", "ifdefined", "iftrue", "iffalse", "ifmmode"))


def _if(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    if (empty := _tests_empty(x)) is not None:
        return decide(x, decided=empty)
    x.read_blanks()
    open_, read = len(x.state.conditions), [match[0]]
    first = _read_character(x, read)
    second = _read_character(x, read) if first else ""
    if not second:
        return _write_test(x, read)
    return decide(x, decided=first == second, inside=len(x.state.conditions) - open_)


def _read_character(x: Expander, read: list[str], wanted: str = "") -> str:
    """Read a character of a test, macros and conditionals before it worked out as TeX does.

    Args:
        x: The reader.
        read: What was read of the test, to which this is added.
        wanted: The characters that may be read, ``""`` for any that is no command.

    Returns:
        The character, ``""`` where there is none.
    """
    frame = _work_out(x, read)
    if frame is None:
        return ""
    token = x.peek_token(blanks=True)
    meaning = x.actions.get(token[1:])
    character = meaning.body if isinstance(meaning, Macro) and meaning.literal and len(token) > 1 else token
    if len(character) != 1 or (character not in wanted if wanted else character in "{}%#\\"):
        return ""
    frame.pos += len(token)
    read.append(character)
    return character


def _work_out(x: Expander, read: list[str]) -> Frame | None:
    """Expand macros, and decide conditionals, that stand next in a test; ``None`` where one of these cannot be."""
    while True:
        _expand_next(x)
        frame = x.settle()
        match = frame.scan.match(frame.text, frame.pos) if frame else None
        name = match[1] if match else None
        if frame is None or match is None or not (name in _DECIDED or name in x.state.known):
            return frame
        action = x.actions.get(name)
        if action is None or isinstance(action, Macro) or x.state.tests >= _MOST_TESTS:
            return None
        written = _try_test(x, action, match)
        if written:
            read.append(written)
            return None


def _expand_next(x: Expander) -> None:
    """Expand macros until there is something else to be read next."""
    while frame := x.settle():
        match = frame.scan.match(frame.text, frame.pos)
        macro = x.actions.get(match[1]) if match and match[1] else None
        if match is None or not isinstance(macro, Macro) or macro.literal or not x.can_expand(macro):
            return
        depth = frame.depth + 1
        if depth > x.limits.max_depth:
            raise RecursionFoundError(macro.name)
        frame.pos = match.end()
        x.begin()
        values = x.read_call(macro, match)
        if values is None:
            x.put_back()
            frame.pos = match.start()
            return
        x.spend(len(macro.body) + sum(map(len, values)))
        x.facts["macros_expanded"] += 1
        x.resume()
        x.stack.append(Frame(substitute(macro, values, math=False), depth, at=macro.at))


def _try_test(x: Expander, action: Command, match: re.Match[str]) -> str:
    """Read a conditional in a test; give what is left of it, ``""`` where it was decided."""
    x.resume()
    out, x.out = x.out, Output(blank=False)
    x.state.tests += 1
    action(x, match)
    x.state.tests -= 1
    written = "".join(x.out.pieces)
    x.out = out
    return written


def _write_test(x: Expander, read: Sequence[str]) -> bool:
    """Write a test that is not decided, as far as it was read; a conditional next in it is not decided either."""
    for piece in read:
        x.out.put(piece)
    x.state.conditions.append(False)
    x.facts["undecided"] += 1
    name = x.peek_token()[1:]
    if name in CONDITIONALS or name in x.state.known:
        x.out.put(x.read_token() or "")
        x.state.conditions.append(False)
        x.facts["undecided"] += 1
    return x.resume()


def _tests_empty(x: Expander) -> bool | None:
    r"""Read ``\if\relax\detokenize{...}\relax``, which asks whether the group is empty."""
    frame = x.settle()
    found = _DETOKENIZE.match(frame.text, frame.pos) if frame else None
    if frame is None or found is None:
        return None
    frame.pos = found.end()
    inner = x.read_group()
    frame = x.settle()
    if inner is None or frame is None:
        return None
    if relax := _RELAX.match(frame.text, frame.pos):
        frame.pos = relax.end()
    return not inner.strip()


def _ifnum(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    x.read_blanks()
    open_, read = len(x.state.conditions), [match[0]]
    left = _read_number(x, read)
    relation = "" if left is None else _read_character(x, read, "<=>")
    right = _read_number(x, read) if relation else None
    if left is None or right is None:
        return _write_test(x, read)
    decided = {"<": left < right, "=": left == right, ">": left > right}[relation]
    return decide(x, decided=decided, inside=len(x.state.conditions) - open_)


def _read_number(x: Expander, read: list[str]) -> int | None:
    """Read a number, and the blank that ends it."""
    x.read_blanks()
    digits = _read_character(x, read, "-") + _read_character(x, read, _DIGITS)
    while len(digits) < _MOST_DIGITS and (digit := _read_character(x, read, _DIGITS)):
        digits += digit
    if not digits.strip("-"):
        return None
    _read_character(x, read, " \n")
    return int(digits)


#: Commands by their names.
COMPARISONS: dict[str, Command] = {"if": _if, "ifnum": _ifnum}
