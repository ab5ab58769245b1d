r"""Definitions in newer ways: ``\NewDocumentCommand`` (xparse) and ``\DeclarePairedDelimiter`` (mathtools)."""

import re

from filters.tex_definitions import at_letter, define_environment, install
from filters.tex_expand import Command, Expander
from filters.tex_macros import Argument, Macro, make_macro
from filters.tex_tokens import group_end

#: What an optional argument is that is not there.
NO_VALUE = "-NoValue-"
_SPECIFIER = re.compile(r"\s*[+!]?\s*([a-zA-Z])\s*")


def parse_specification(text: str) -> list[Argument] | None:
    """Read xparse's list of arguments.

    Args:
        text: ``m``, ``o``, ``O{default}`` and ``s``, blanks between them.

    Returns:
        The arguments, ``None`` where there are others among them.

    >>> [one.kind for one in parse_specification("s m O{a b} o") or ()]
    ['s', 'm', 'o', 'o']
    """
    arguments = []
    position = 0
    text = text.strip()
    while position < len(text):
        found = _SPECIFIER.match(text, position)
        if found is None:
            return None
        position = found.end()
        default = NO_VALUE
        if found[1] == "O":
            end = group_end(text, position) if text.startswith("{", position) else -1
            if end < 0:
                return None
            default, position = text[position + 1 : end - 1], end
        elif found[1] not in "mos":
            return None
        arguments.append(Argument(found[1].lower(), default))
    return arguments


def _document_command(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    at = at_letter(x)
    name = x.read_command()
    specification = x.read_argument() if name else None
    body = x.read_argument() if specification is not None else None
    if name is None or specification is None or body is None:
        return x.leave(match)
    arguments = parse_specification(specification)
    known = isinstance(x.actions.get(name), Macro)
    if not known or not match[1].startswith(("New", "Provide")):
        macro = make_macro(name, body, arguments or (), at=at, understood=arguments is not None)
        install(x, name, macro)
    return x.drop()


def _document_environment(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    at = at_letter(x)
    name, specification = x.read_argument(), x.read_argument()
    begin, end = x.read_argument(), x.read_argument()
    if name is None or specification is None or begin is None or end is None:
        return x.leave(match)
    arguments = parse_specification(specification)
    understood = arguments is not None and "#" not in end
    ends = make_macro(name, begin, arguments or (), at=at, understood=understood), make_macro(name, end, at=at)
    define_environment(x, name, *ends)
    return x.drop()


def _paired_delimiter(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name = x.read_command()
    left, right = x.read_argument(), x.read_argument()
    if name is None or left is None or right is None:
        return x.leave(match)
    scaled = rf"\IfValueTF{{#2}}{{\mathopen{{#2{left}}}#3\mathclose{{#2{right}}}}}{{{left} #3{right}}}"
    body = rf"\IfBooleanTF{{#1}}{{\left{left} #3\right{right}}}{{{scaled}}}"
    install(x, name, make_macro(name, body, (Argument("s"), Argument("o", NO_VALUE), Argument("m"))))
    return x.drop()


def _paired_delimiter_of_parts(x: Expander, match: re.Match[str]) -> bool:
    r"""``\DeclarePairedDelimiterX`` and ``XPP`` of mathtools, whose delimiters stretch where TeX runs: calls stay."""
    x.take(match)
    name = x.read_command()
    count = x.read_optional() if name else None
    parts = [x.read_argument() for _ in range(5 if match[1].endswith("XPP") else 3)] if count else [None]
    if name is None or parts[-1] is None:
        return x.leave(match)
    install(x, name, make_macro(name, parts[-1], understood=False))
    return x.drop()


def _truth(x: Expander, match: re.Match[str]) -> bool:
    r"""``\IfBooleanTF``, ``\IfValueTF`` and their kin."""
    x.take(match)
    test = x.read_argument()
    branches = [x.read_argument() for _ in range(2 if match[1].endswith("TF") else 1)]
    answer = _answer(match[1], test)
    if answer is None or None in branches:
        return x.leave(match)
    if match[1].endswith("F") and len(branches) == 1:
        branches.insert(0, "")
    chosen = [*branches, ""][0 if answer else 1] or ""
    depth = x.stack[-1].depth + 1
    x.resume()
    x.push(chosen, depth)
    return True


def _answer(name: str, test: str | None) -> bool | None:
    if test is None:
        return None
    if name.startswith("IfBoolean"):
        return {r"\BooleanTrue": True, r"\BooleanFalse": False}.get(test.strip())
    return (test == NO_VALUE) == name.startswith("IfNoValue")


_COMMANDS = [f"{verb}DocumentCommand" for verb in ("New", "Renew", "Provide", "Declare")]
_ENVIRONMENTS = [f"{verb}DocumentEnvironment" for verb in ("New", "Renew", "Provide", "Declare")]
_QUESTIONS = [f"If{kind}{branches}" for kind in ("Boolean", "Value", "NoValue") for branches in ("TF", "T", "F")]

#: Commands by their names.
XPARSE: dict[str, Command] = {
    **dict.fromkeys(_COMMANDS, _document_command),
    **dict.fromkeys(_ENVIRONMENTS, _document_environment),
    "DeclarePairedDelimiter": _paired_delimiter,
    **dict.fromkeys(("DeclarePairedDelimiterX", "DeclarePairedDelimiterXPP"), _paired_delimiter_of_parts),
    **dict.fromkeys(_QUESTIONS, _truth),
}
