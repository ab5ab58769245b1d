"""Arguments of a template: ``{{name|a|b=c}}`` has ``a`` as ``1`` and ``c`` as ``b``."""

from collections.abc import Mapping, Sequence

from filters.wikitext_raw import REMOVED

_MAX_NAME_CHARS = 40  # of an argument's name; what is longer is a text with ``=`` in it

Arguments = Mapping[str, str]


def named_arguments(values: Sequence[str]) -> dict[str, str]:
    """Give arguments by name, unnamed ones by number; of those with one name the last."""
    arguments: dict[str, str] = {}
    number = 0
    for value in values:
        name, equals, named = value.partition("=")
        key = name.strip()
        if equals and len(key) <= _MAX_NAME_CHARS and "\n" not in key and REMOVED not in key:
            arguments[key.lower()] = named.strip()
        else:
            number += 1
            arguments[str(number)] = value
    return arguments


def first(arguments: Arguments, *keys: str) -> str:
    """Give the first of some arguments that is not empty, an empty text where all are."""
    return next((value for key in keys if (value := arguments.get(key, "").strip())), "")


def positional(arguments: Arguments, start: int = 1) -> list[str]:
    """Give the arguments without a name, from a number on."""
    values: list[str] = []
    while (value := arguments.get(str(start + len(values)))) is not None:
        values.append(value.strip())
    return values
