"""What parser functions of wikitext give, as far as it can be known from the page alone."""

from collections.abc import Callable, Sequence

from filters.wiki_names import WikiNames
from filters.wikitext_measures import format_number
from filters.wikitext_raw import HOLE, REMOVED


def call(function: str, values: Sequence[str], names: WikiNames) -> str:
    """Show what a parser function gives.

    Args:
        function: MediaWiki's own name of it.
        values: Its arguments, the first one being what follows the colon.
        names: The wiki.

    Returns:
        The text, empty for what cannot be known from this page alone.
    """
    if function == "switch":
        return _switch(values[0].strip(), values[1:])
    stripped = [*(value.strip() for value in values), "", "", "", ""]
    shown = _PARSER_FUNCTIONS.get(function)
    return shown(stripped, names) if shown else ""


def _plural(values: Sequence[str], names: WikiNames) -> str:
    del names
    number, one, *others = values
    return one if number == "1" else next((value for value in reversed(others) if value), one)


def _tag(values: Sequence[str], names: WikiNames) -> str:
    del names
    return values[1] if values[0].lower() in ("nowiki", "math", "code", "pre", "poem", "small") else ""


def _format(values: Sequence[str], names: WikiNames) -> str:
    return values[0].replace(",", "") if values[1].lower() == "r" else format_number(values[0], names)


#: What is asked after, as in ``ifexpr``, is not computed: the answer is taken to be no.
_PARSER_FUNCTIONS: dict[str, Callable[[Sequence[str], WikiNames], str]] = {
    "expr": lambda *_: HOLE,
    "formatdate": lambda values, _: values[0],
    "formatnum": _format,
    "gender": lambda values, _: values[1],
    "grammar": lambda values, _: values[1],
    "if": lambda values, _: values[1] if values[0].replace(REMOVED, "") else values[2],
    "ifeq": lambda values, _: values[2] if values[0] == values[1] else values[3],
    "iferror": lambda values, _: values[0],
    "ifexist": lambda values, _: values[2],
    "ifexpr": lambda values, _: values[2],
    "lc": lambda values, _: values[0].lower(),
    "lcfirst": lambda values, _: values[0][:1].lower() + values[0][1:],
    "padleft": lambda values, _: values[0],
    "padright": lambda values, _: values[0],
    "plural": _plural,
    "property": lambda *_: HOLE,
    "statements": lambda *_: HOLE,
    "tag": _tag,
    "time": lambda *_: HOLE,
    "uc": lambda values, _: values[0].upper(),
    "ucfirst": lambda values, _: values[0][:1].upper() + values[0][1:],
}


def _switch(wanted: str, cases: Sequence[str]) -> str:
    """Choose the case that is wanted, else the default; several cases may share what follows the last of them."""
    default, is_found = "", False
    for case in cases:
        key, equals, value = case.partition("=")
        is_found = is_found or key.strip() == wanted
        if equals and is_found:
            return value.strip()
        if equals and key.strip().lower() == "#default":
            default = value.strip()
    return default or (cases[-1].strip() if cases and "=" not in cases[-1] else "")
