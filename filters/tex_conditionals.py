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
_CHARACTERS = re.compile(r"\s*([^\s\\{}%#])([^\\{}%#])")
_NUMBERS = re.compile(r"\s*(-?[0-9]+)\s*([<=>])\s*(-?[0-9]+)(?:[ \t]|\n(?![ \t]*\n)|(?=[^0-9]))")
_UNDEFINED = frozenset(("undefined", "@undefined", "UnDefined", "Undefined"))
_EMPTY = frozenset(("empty", "@empty"))


def _decide(x: Expander, *, decided: bool) -> bool:
    """Go on in the branch taken."""
    x.facts["conditionals"] += 1
    if decided:
        x.state.conditions.append(True)
        return x.drop()
    if _skip(x, stop_at_else=True):
        x.state.conditions.append(True)
    return x.drop()


def _skip(x: Expander, *, stop_at_else: bool) -> bool:
    r"""Skip a branch; tell whether it ended in ``\else``."""
    depth = 0
    while frame := x.settle():
        text, position = frame.text, frame.pos
        while found := _PIECE.search(text, position):
            position = found.end()
            name = found[1]
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
        return _decide(x, decided=value)

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
    return _decide(x, decided=match[1] == "iftrue")


def _mode(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    x.read_blanks()
    return _decide(x, decided=x.state.math)


def _if(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    frame = x.settle()
    found = _CHARACTERS.match(frame.text, frame.pos) if frame else None
    if frame is None or found is None:
        return _undecided(x, match)
    frame.pos = found.end()
    return _decide(x, decided=found[1] == found[2])


def _ifnum(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    frame = x.settle()
    found = _NUMBERS.match(frame.text, frame.pos) if frame else None
    if frame is None or found is None:
        return _undecided(x, match)
    frame.pos = found.end()
    left, right = int(found[1]), int(found[3])
    return _decide(x, decided={"<": left < right, "=": left == right, ">": left > right}[found[2]])


def _ifx(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    first, second = x.read_token(), x.read_token()
    if first is None or second is None:
        return _undecided(x, match)
    meanings = _meaning(x, first), _meaning(x, second)
    if first != second and "unknown" in (meanings[0][0], meanings[1][0]):
        return _undecided(x, match)
    return _decide(x, decided=first == second or meanings[0] == meanings[1])


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
    return _decide(x, decided=True)


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


def _fi(x: Expander, match: re.Match[str]) -> bool:
    if not x.state.conditions:
        return False
    if not x.state.conditions.pop():
        return False
    x.take(match)
    x.read_blanks()
    return x.drop()


def _truth(x: Expander, match: re.Match[str]) -> bool:
    r"""``\IfBooleanTF`` and its kin, which xparse has."""
    x.take(match)
    values = [x.read_argument() for _ in range(3 if match[1].endswith("TF") else 2)]
    test = values[0]
    if test is None or None in values or not _is_marker(test, match[1]):
        return x.leave(match)
    answer = test.strip() == r"\BooleanTrue" if "Boolean" in match[1] else test != "-NoValue-"
    if match[1].startswith("IfNo"):
        answer = not answer
    branches = [values[1] or "", values[2] or ""] if match[1].endswith("TF") else [values[1] or "", ""]
    if match[1].endswith("F") and not match[1].endswith("TF"):
        branches.reverse()
    x.resume()
    x.push(branches[0] if answer else branches[1], x.stack[-1].depth + 1)
    return True


def _is_marker(test: str, name: str) -> bool:
    return "Boolean" not in name or test.strip() in {r"\BooleanTrue", r"\BooleanFalse"}


#: Commands by their names.
CONDITIONAL_COMMANDS: dict[str, Command] = {
    "newif": _newif,
    "iftrue": _constant,
    "iffalse": _constant,
    "ifmmode": _mode,
    "if": _if,
    "ifnum": _ifnum,
    "ifx": _ifx,
    "ifdefined": _ifdefined,
    **dict.fromkeys(("ifcat", "ifdim", "ifodd", "ifcase", "ifhmode", "ifvmode", "ifinner", "ifvoid"), _other),
    **dict.fromkeys(("ifhbox", "ifvbox", "ifeof", "ifcsname", "iffontchar", "ifpdf", "ifxetex", "ifluatex"), _other),
    "ifpdftex": _other,
    "else": _else,
    "fi": _fi,
    **dict.fromkeys(("IfBooleanTF", "IfBooleanT", "IfBooleanF"), _truth),
    **dict.fromkeys(("IfValueTF", "IfValueT", "IfValueF", "IfNoValueTF", "IfNoValueT", "IfNoValueF"), _truth),
}
