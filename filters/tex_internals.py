r"""LaTeX's internals that users' macros are made of, as far as their outcome is known without TeX running.

``\@ifnextchar`` and ``\@ifstar`` look at what follows, which is there; ``\csname`` makes a name of characters;
``\expandafter`` matters where it stands before one of these. What else they may be used for stays as it is written.
"""

import re

from filters.tex_conditionals import close_condition
from filters.tex_expand import Command, Expander
from filters.tex_macros import Argument, Macro, make_macro

_NAME = re.compile(r"[ \t]*+((?:[^\\{}%#]|\\(?!endcsname)[A-Za-z@]++[ \t]*+){0,200}?)\\endcsname(?![A-Za-z@])[ \t]*+")
_WORD = re.compile(r"[A-Za-z@]+")
_NEXT = re.compile(r"[ \t]*+\n?[ \t]*+\\([A-Za-z@]+)[ \t]*+")
_EQUAL = re.compile(r"\s*\\equal\s*\{([^{}]*)\}\s*\{([^{}]*)\}\s*")
_BGROUP = {r"\bgroup": "{", r"\egroup": "}"}


def _push(x: Expander, text: str, *, at: bool = True) -> bool:
    """Read a text next, which is what a command comes to."""
    depth = x.stack[-1].depth + 1
    x.spend(len(text))
    x.resume()
    x.push(text, depth, at=at)
    return True


def _ifnextchar(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    wanted = x.read_token()
    yes, no = x.read_argument(), x.read_argument()
    if wanted is None or yes is None or no is None:
        return x.leave(match)
    found = x.peek_token()
    return x.read_next(yes if found == _BGROUP.get(wanted, wanted) else no, at=True)


def _ifstar(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    yes, no = x.read_argument(), x.read_argument()
    if yes is None or no is None:
        return x.leave(match)
    return x.read_next(yes if x.read_star() else no, at=True)


def _ifundefined(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name, yes, no = x.read_argument(), x.read_argument(), x.read_argument()
    if name is None or yes is None or no is None or "\\" in name:
        return x.leave(match)
    return x.read_next(no if name in x.actions else yes, at=True)


def _csname(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name = _read_csname(x)
    return x.leave(match) if name is None else _push(x, "\\" + name)


def _read_csname(x: Expander) -> str | None:
    r"""Read up to ``\endcsname``; ``None`` where that is no name that can be written."""
    frame = x.settle()
    found = _NAME.match(frame.text, frame.pos) if frame else None
    if frame is None or found is None:
        return None
    frame.pos = found.end()
    name = found[1]
    if "\\" in name:
        name = x.expand_text(name, at=True)
    return name if _WORD.fullmatch(name) else None


def _nameuse(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name = x.read_argument()
    if name is None or not _WORD.fullmatch(name):
        return x.leave(match)
    return _push(x, "\\" + name)


def _expandafter(x: Expander, match: re.Match[str]) -> bool:
    r"""A token before ``\csname``, ``\fi`` or a macro without arguments, which comes to its body."""
    x.take(match)
    token = x.read_token()
    frame = x.settle()
    found = _NEXT.match(frame.text, frame.pos) if frame else None
    if token is None or frame is None or found is None:
        return x.leave(match)
    frame.pos = found.end()
    action = x.actions.get(found[1])
    if found[1] == "csname":
        name = _read_csname(x)
        if name is None:
            return x.leave(match)
        return _push(x, f"{token}\\{name}")
    if found[1] == "fi" and close_condition(x):
        return _push(x, token)
    if isinstance(action, Macro) and not action.arguments and action.prefix is None and x.can_expand(action):
        return _push(x, token + (" " if token[-1].isalpha() and len(token) > 1 else "") + action.body)
    return x.leave(match)


def _futurelet(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name, then = x.read_token(), x.read_token()
    if name is None or then is None or len(name) == 1 or len(then) == 1:
        return x.leave(match)
    following = x.peek_token(blanks=True) or " "
    x.define(name[1:], Macro(name[1:], body=following, parts=(following,), literal=True))
    return _push(x, then)


def _ifthenelse(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    test, yes, no = x.read_argument(), x.read_argument(), x.read_argument()
    found = _EQUAL.fullmatch(test) if test is not None else None
    if found is None or yes is None or no is None:
        return x.leave(match)
    left, right = (x.expand_text(side, at=False) if "\\" in side else side for side in found.groups())
    if left != right and "\\" in left + right:
        return x.leave(match)
    return x.read_next(yes if left == right else no, at=True)


def _ifempty(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    test, yes, no = x.read_argument(), x.read_argument(), x.read_argument()
    if test is None or yes is None or no is None:
        return x.leave(match)
    return x.read_next(no if test.strip() else yes, at=True)


#: Commands by their names.
INTERNALS: dict[str, Command] = {
    **dict.fromkeys(("@ifnextchar", "kernel@ifnextchar"), _ifnextchar),
    "@ifstar": _ifstar,
    "@ifundefined": _ifundefined,
    "csname": _csname,
    "@nameuse": _nameuse,
    "expandafter": _expandafter,
    "futurelet": _futurelet,
    "ifthenelse": _ifthenelse,
    **dict.fromkeys(("ifstrempty", "ifblank"), _ifempty),
}

_ONE, _TWO = (Argument("m"),), (Argument("m"), Argument("m"))
#: LaTeX's own macros that users' macros are made of.
KERNEL_MACROS: dict[str, Macro] = {
    name: make_macro(name, text, arguments, at=True)
    for name, text, arguments in (
        ("@gobble", "", _ONE),
        ("@firstofone", "#1", _ONE),
        ("@firstoftwo", "#1", _TWO),
        ("@secondoftwo", "#2", _TWO),
        ("@empty", "", ()),
    )
}
