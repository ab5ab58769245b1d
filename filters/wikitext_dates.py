"""What templates of dates show, in the wiki's language."""

import re
from collections.abc import Callable, Mapping, Sequence

from filters.wiki_names import WikiNames
from filters.wiki_templates import DATE_FORMS, MONTHS
from filters.wikitext_arguments import Arguments, first, positional

_DAY_DIGITS = 2
_DATE_PART = re.compile(r"[0-9]{1,4}")


def _date(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show year, month and day, in either order, as the language writes a date; what is none as it stands."""
    del rest, name
    parts = [value for value in positional(arguments)[:3] if value]
    if len(parts) == 1 and (iso := re.fullmatch(r"([0-9]{3,4})-([0-9]{1,2})-([0-9]{1,2})", parts[0])):
        parts = list(iso.groups())
    if not all(_DATE_PART.fullmatch(part) for part in parts):
        return " ".join(parts)
    if len(parts[2:]) == 1 and len(parts[0]) <= _DAY_DIGITS:
        parts.reverse()
    is_day_first = first(arguments, "df").lower() in ("y", "yes", "1")
    return write_date([int(part) for part in parts], names.language, is_day_first=is_day_first)


def write_date(parts: Sequence[int], language: str, *, is_day_first: bool = False) -> str:
    """Write a year, or year and month, or year, month and day.

    >>> write_date([2001, 5, 3], "de"), write_date([2001, 5], "ru")
    ('3. Mai 2001', 'мая 2001')
    """
    months = MONTHS.get(language, MONTHS["en"]).split("|")
    if not parts[1:] or not 1 <= parts[1] <= len(months):
        return " ".join(map(str, parts))
    if not parts[2:]:
        return f"{months[parts[1] - 1]} {parts[0]}"
    form = "{d} {m} {y}" if is_day_first else DATE_FORMS.get(language, "{d} {m} {y}")
    return form.format(d=parts[2], m=months[parts[1] - 1], y=parts[0])


def _as_of(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    if alternative := first(arguments, "alt"):
        return alternative
    date = _date({**arguments, "df": arguments.get("df", "y")}, rest, name, names)
    words = "since" if first(arguments, "since") else "as of"
    return f"{words if first(arguments, 'lc') else words.capitalize()} {date}"


_YEAR_DIGITS = 4
_FIRST_OF_MONTH = re.compile(r"1(?=$| [^\W\d_])")


def _day(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show day, month and year as they stand, but for a month that is a number; ``rest`` stands between them."""
    del name
    parts = [value for value in positional(arguments)[:3] if value]
    if len(parts[2:]) == 1 and len(parts[0]) == _YEAR_DIGITS and parts[0].isdecimal():
        parts.reverse()
    months = MONTHS.get(names.language, MONTHS["en"]).split("|")
    if len(parts) > 1 and _DATE_PART.fullmatch(parts[1]) and 1 <= int(parts[1]) <= len(months):
        parts[1] = months[int(parts[1]) - 1]
    shown = rest.join(parts)
    return _FIRST_OF_MONTH.sub("1er", shown, count=1) if names.language == "fr" and shown[:2] == "1 " else shown


#: By the name that the rules have (:mod:`filters.wiki_templates`).
DATES: Mapping[str, Callable[[Arguments, str, str, WikiNames], str]] = {"as_of": _as_of, "date": _date, "day": _day}
