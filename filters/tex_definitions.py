r"""Definitions that users write: ``\newcommand`` and its kin, ``\def``, ``\let``, environments, operators.

Each is read, noted and left out of the text. Names that carry a paper's structure keep their meaning: whoever changes
how ``\section`` looks still writes sections, and a reader knows ``\section``.
"""

import dataclasses
import re
from collections.abc import Sequence

from filters.tex_expand import Command, Expander
from filters.tex_macros import Argument, Macro, make_macro
from filters.tex_names import LOOKS, PROTECTED, PROTECTED_ENVIRONMENTS, PROVIDED
from filters.tex_tokens import SCAN_AT, strip_comments

_PARAMETER = re.compile(r"#([1-9])")
_TOKEN = re.compile(r"\\[A-Za-z@]+|\\.|[ \t\n]+|.", re.DOTALL)
_DEF_TEXT = re.compile(r"(?:[^{}\\%]|\\(?:[A-Za-z@]+|[^A-Za-z@])|%[^\n]*\n?){0,400}+(?=\{)", re.DOTALL)
_AT_WORD = re.compile(r"\\([A-Za-z@]*@[A-Za-z@]*)")
#: What a macro defines.
_DEFINED = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|[gex]?def|let)(?![A-Za-z@])\*?[ \t\n]*\{?[ \t\n]*\\([A-Za-z@]+)"
)
_PREFIXES = frozenset(("global", "long", "outer", "protected"))


def at_letter(x: Expander) -> bool:
    """Tell whether ``@`` is a letter here."""
    return x.stack[-1].scan is SCAN_AT


def install(x: Expander, name: str, macro: Macro, *, everywhere: bool = False) -> None:
    """Note a macro, unless its name is one that keeps its meaning."""
    if x.state.package and not _may_come_from_package(name, macro):
        return
    x.facts["macros_defined"] += 1
    if name in PROTECTED:
        x.facts["protected"] += 1
        return
    if macro.machinery:
        x.state.unexpandable.add(name)
        x.state.unsure.update(_DEFINED.findall(macro.body))
    elif macro.literal and macro.body[:1] == "\\":
        x.state.kept.add(macro.body[1:])
    x.state.defined.add(name)
    x.define(name, macro, everywhere=everywhere)


def _may_come_from_package(name: str, macro: Macro) -> bool:
    """Tell whether a macro of a package is one that authors write: of no internals, under a name that LaTeX has not."""
    return "@" not in name and "@" not in macro.body and not macro.machinery and name not in PROVIDED | LOOKS


def _newcommand(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    at = at_letter(x)
    x.read_star()
    name = x.read_command()
    arguments = _latex_arguments(x) if name else None
    body = x.read_argument() if arguments is not None else None
    if name is None or arguments is None or body is None:
        return x.leave(match)
    known = isinstance(x.actions.get(name), Macro) or (match[1] == "providecommand" and name in PROVIDED)
    if x.state.package and match[1] == "renewcommand" and not known:  # LaTeX's own, for the looks of it
        return x.drop()
    if not known or match[1] in {"renewcommand", "DeclareRobustCommand"}:
        install(x, name, make_macro(name, body, arguments, at=at))
    return x.drop()


def _latex_arguments(x: Expander) -> list[Argument] | None:
    count = x.read_optional()
    if count is None:
        return []
    if not re.fullmatch(r"\s*[0-9]\s*", count):
        return None
    default = x.read_optional()
    arguments = [Argument("m")] * int(count)
    if default is not None and arguments:
        arguments[0] = Argument("o", default)
    return arguments


def _def(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    return _read_def(x, match, match[1], everywhere=match[1] in {"gdef", "xdef"})


def _read_def(x: Expander, match: re.Match[str], kind: str, *, everywhere: bool) -> bool:
    at = at_letter(x)
    token = x.read_token()
    frame = x.settle()
    text = _DEF_TEXT.match(frame.text, frame.pos) if frame else None
    if token is None or token in {"{", "}"} or frame is None or text is None:
        return x.leave(match)
    frame.pos = text.end()
    body = x.read_group()
    if body is None:
        return x.leave(match)
    if len(token) == 1:  # an active character
        x.state.unexpandable.add(token)
        return x.drop()
    if kind in {"edef", "xdef"} and "\\" in body:
        body = x.expand_text(body, at=at)
    parameters = strip_comments(text[0])
    x.state.sentinels.update(_AT_WORD.findall(parameters))
    prefix, arguments = parse_parameters(parameters)
    understood = arguments is not None
    macro = make_macro(token[1:], body, arguments or (), prefix=prefix, at=at, understood=understood)
    install(x, token[1:], macro, everywhere=everywhere)
    return x.drop()


def parse_parameters(text: str) -> tuple[re.Pattern[str] | None, Sequence[Argument] | None]:
    r"""Read the text between the name and the body of a ``\def``.

    Args:
        text: ``#1#2``, ``(#1,#2)``, ``#1\end`` and the like.

    Returns:
        What must follow the name, and the arguments, ``None`` where they are not understood.
    """
    if not text.strip():
        return None, ()
    pieces = _PARAMETER.split(text)
    numbers = pieces[1::2]
    if numbers != [str(number + 1) for number in range(len(numbers))]:
        return None, None
    patterns = [_delimiter(piece) for piece in pieces[::2]]
    if pieces[-1].endswith("#"):  # up to a brace, which is left where it is
        patterns[-1] = _delimiter(pieces[-1][:-1]) + r"(?=\{)"
    return re.compile(patterns[0]) if patterns[0] else None, [_argument(pattern) for pattern in patterns[1:]]


def _argument(delimiter: str) -> Argument:
    if not delimiter:
        return Argument("m")
    return Argument("until", end=re.compile(rf"(?P<end>{delimiter})|\\[A-Za-z@]+|\\.|%[^\n]*+|[{{}}]", re.DOTALL))


def _delimiter(text: str) -> str:
    parts: list[str] = []
    for piece in _TOKEN.findall(text):
        if piece.isspace():
            if not parts or not parts[-1].endswith("[ \t]*\n?[ \t]*"):
                parts.append(r"[ \t\n]+")
        elif piece[0] == "\\" and piece[-1].isalpha():
            parts.append(re.escape(piece) + "(?![A-Za-z])[ \t]*\n?[ \t]*")
        else:
            parts.append(re.escape(piece))
    return "".join(parts)


def _prefix(x: Expander, match: re.Match[str]) -> bool:
    r"""``\global``, ``\long``: what they stand before is a definition, or they stay as they are."""
    x.take(match)
    everywhere = match[1] == "global"
    token = x.read_token()
    for _ in _PREFIXES:
        if token is not None and token[1:] in _PREFIXES:
            everywhere = everywhere or token[1:] == "global"
            token = x.read_token()
    kind = token[1:] if token else ""
    meaning = x.actions.get(kind)
    if isinstance(meaning, Macro) and meaning.literal:
        kind = meaning.body[1:]
    if kind in {"def", "gdef", "edef", "xdef"}:
        return _read_def(x, match, kind, everywhere=everywhere or kind in {"gdef", "xdef"})
    if kind == "let":
        return _read_let(x, match, everywhere=everywhere)
    return x.leave(match)


def _let(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    return _read_let(x, match, everywhere=False)


def _read_let(x: Expander, match: re.Match[str], *, everywhere: bool) -> bool:
    at = at_letter(x)
    name = x.read_token()
    if x.peek() == "=":
        x.stack[-1].pos += 1
    target = x.read_token()
    if name is None or target is None or not name:
        return x.leave(match)
    if len(name) == 1:  # an active character
        x.state.unexpandable.add(name)
        return x.drop()
    target = {"{": r"\bgroup", "}": r"\egroup"}.get(target, target)
    meaning = x.actions.get(target[1:]) if len(target) > 1 else None
    if isinstance(meaning, Macro):
        install(x, name[1:], meaning_of(name[1:], meaning), everywhere=everywhere)
    else:
        literal = Macro(name[1:], body=target, parts=(target,), literal=True, at=at)
        install(x, name[1:], literal, everywhere=everywhere)
    return x.drop()


def meaning_of(name: str, macro: Macro) -> Macro:
    """Give a macro another name."""
    return dataclasses.replace(macro, name=name)


def _operator(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    at = at_letter(x)
    star = "*" if x.read_star() else ""
    name = x.read_command()
    text = x.read_argument() if name else None
    if name is None or text is None:
        return x.leave(match)
    install(x, name, make_macro(name, rf"\operatorname{star}{{{text}}}", at=at))
    return x.drop()


def _newenvironment(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    at = at_letter(x)
    x.read_star()
    name = (x.read_group() or "").strip()
    arguments = _latex_arguments(x) if name else None
    begin = x.read_argument() if arguments is not None else None
    end = x.read_argument() if begin is not None else None
    if arguments is None or begin is None or end is None:
        return x.leave(match)
    if match[1] == "renewenvironment" or "{" + name not in x.actions:
        define_environment(x, name, make_macro(name, begin, arguments, at=at), make_macro(name, end, at=at))
    return x.drop()


def define_environment(x: Expander, name: str, begin: Macro, end: Macro) -> None:
    """Note an environment, as its two ends."""
    if x.state.package and not all(_may_come_from_package(name, one) for one in (begin, end)):
        return
    x.facts["macros_defined"] += 1
    if name in PROTECTED_ENVIRONMENTS:
        x.facts["protected"] += 1
        return
    if begin.machinery or end.machinery:
        x.state.unexpandable.add("{" + name)
    x.define("{" + name, begin)
    x.define("}" + name, end)


#: Commands by their names.
DEFINITIONS: dict[str, Command] = {
    **dict.fromkeys(("newcommand", "renewcommand", "providecommand", "DeclareRobustCommand"), _newcommand),
    **dict.fromkeys(("def", "gdef", "edef", "xdef"), _def),
    **dict.fromkeys(sorted(_PREFIXES), _prefix),
    "let": _let,
    "DeclareMathOperator": _operator,
    **dict.fromkeys(("newenvironment", "renewenvironment"), _newenvironment),
}
