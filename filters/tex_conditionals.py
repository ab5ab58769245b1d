r"""Conditionals: ``\iffalse`` and what else can be decided without TeX running (The TeXbook, chapter 20).

What a user declared with ``\newif`` is known, and so are comparisons of characters, numbers and macros, and whether
this is mathematics. Of one that is decided the branch taken stays; one that is not stays with both.
"""

import re

from filters.tex_expand import Command, Expander
from filters.tex_macros import Macro
from filters.tex_names import CONDITIONALS
from filters.tex_tokens import comment_end

_PIECE = re.compile(r"\\(?:([A-Za-z@]+)|.)|%", re.DOTALL)
_UNDEFINED = frozenset(("undefined", "@undefined", "UnDefined", "Undefined"))
_EMPTY = frozenset(("empty", "@empty"))


def decide(x: Expander, *, decided: bool, inside: int = 0) -> bool:
    """Go on in the branch taken; ``inside`` are the conditionals that the test opened and that are open yet."""
    x.facts["conditionals"] += 1
    if decided:
        x.state.conditions.append(True)
        return x.drop()
    took_else = _skip(x, depth=inside, stop_at_else=True)
    del x.state.conditions[len(x.state.conditions) - inside :]
    if took_else:
        x.state.conditions.append(True)
    return x.drop()


def _skip(x: Expander, *, depth: int = 0, stop_at_else: bool) -> bool:
    r"""Skip a branch, in which so many conditionals are open; tell whether it ended in ``\else``."""
    while frame := x.settle():
        text, position = frame.text, frame.pos
        while found := _PIECE.search(text, position):
            position = found.end()
            name = found[1]
            if name is not None and isinstance(alias := x.actions.get(name), Macro) and alias.literal:
                name = alias.body[1:]
            if found[0] == "%":
                position = comment_end(text, position)
            elif name is None:
                continue
            elif name in CONDITIONALS or name in x.state.known or name.startswith("if@"):
                depth += 1
            elif name == "fi":
                depth -= 1
            if depth < 0 or (name == "else" and not depth and stop_at_else):
                frame.pos = position
                x.read_blanks()
                return depth == 0
        frame.pos = len(text)
        if frame.file is not None:
            return False
    return False


def _newif(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name = x.read_command()
    if name is None or not name.startswith("if"):
        return x.leave(match)
    x.state.known.add(name)
    x.facts["macros_defined"] += 1
    x.define(name, _user_if(value=False), everywhere=True)
    x.define(name[2:] + "true", _setter(name, value=True), everywhere=True)
    x.define(name[2:] + "false", _setter(name, value=False), everywhere=True)
    return x.drop()


def _user_if(*, value: bool) -> Command:
    def command(x: Expander, match: re.Match[str]) -> bool:
        x.take(match)
        x.read_blanks()
        return decide(x, decided=value)

    return command


def _setter(name: str, *, value: bool) -> Command:
    def command(x: Expander, match: re.Match[str]) -> bool:
        x.take(match)
        x.read_blanks()
        x.define(name, _user_if(value=value))
        return x.drop()

    return command


def _undecided(x: Expander, match: re.Match[str]) -> bool:
    x.put_back()
    x.state.conditions.append(False)
    x.facts["undecided"] += 1
    x.out.put(match[0])
    return x.resume()


def _constant(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    x.read_blanks()
    return decide(x, decided=match[1] == "iftrue")


def _mode(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    x.read_blanks()
    return decide(x, decided=bool(x.state.math))


def _ifx(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    first, second = x.read_token(), x.read_token()
    if first is None or second is None:
        return _undecided(x, match)
    meanings = _meaning(x, first), _meaning(x, second)
    if first != second and {meanings[0][0], meanings[1][0]} & {"unknown"} and not _differ(*meanings):
        x.state.conditions.append(False)
        x.facts["undecided"] += 1
        x.out.put(match[0] + first + second)
        return x.resume()
    return decide(x, decided=first == second or meanings[0] == meanings[1])


def _differ(first: tuple[object, ...], second: tuple[object, ...]) -> bool:
    """Tell whether one is a character and the other a command, which is hardly ever another name for one."""
    return {first[0], second[0]} == {"unknown", "token"}


def _meaning(x: Expander, token: str) -> tuple[object, ...]:
    """Give what a token means, as far as that is known here."""
    if len(token) == 1:
        return ("token", token)
    meaning = x.actions.get(token[1:])
    if isinstance(meaning, Macro):
        return ("token", meaning.body) if meaning.literal else ("macro", meaning.body, meaning.arguments)
    if token[1:] in _UNDEFINED:
        return ("undefined",)
    if token[1:] in _EMPTY:
        return ("macro", "", ())
    return ("unknown", token)


def _ifdefined(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    token = x.read_token()
    if token is None or not isinstance(x.actions.get(token[1:]), Macro):
        return _undecided(x, match)
    return decide(x, decided=True)


def _other(x: Expander, _: re.Match[str]) -> bool:
    x.state.conditions.append(False)
    x.facts["undecided"] += 1
    return False


def _else(x: Expander, match: re.Match[str]) -> bool:
    if not x.state.conditions or not x.state.conditions[-1]:
        return False
    x.state.conditions.pop()
    x.take(match)
    _skip(x, stop_at_else=False)
    return x.drop()


def close_condition(x: Expander) -> bool:
    """Close a conditional that was decided; tell whether there was one."""
    if x.state.conditions and x.state.conditions[-1]:
        x.state.conditions.pop()
        return True
    return False


def _fi(x: Expander, match: re.Match[str]) -> bool:
    if not close_condition(x):
        del x.state.conditions[-1:]
        return False
    x.take(match)
    x.read_blanks()
    return x.drop()


#: Commands by their names.
CONDITIONAL_COMMANDS: dict[str, Command] = {
    "newif": _newif,
    "iftrue": _constant,
    "iffalse": _constant,
    "ifmmode": _mode,
    "ifx": _ifx,
    "ifdefined": _ifdefined,
    **dict.fromkeys(("ifcat", "ifdim", "ifodd", "ifcase", "ifhmode", "ifvmode", "ifinner", "ifvoid"), _other),
    **dict.fromkeys(("ifhbox", "ifvbox", "ifeof", "ifcsname", "iffontchar", "ifpdf", "ifxetex", "ifluatex"), _other),
    "ifpdftex": _other,
    "else": _else,
    "fi": _fi,
}
