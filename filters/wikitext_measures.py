"""What templates of numbers, measures, money and places show."""

import re
from collections.abc import Callable, Mapping, Sequence

from filters.wiki_names import WikiNames
from filters.wiki_templates import SEPARATORS
from filters.wikitext_arguments import Arguments, first, positional

_NUMBER = re.compile(r"[-+−]?[0-9][0-9.,\s\xa0]*(?:[+/⁄][0-9]+)*|[-+−]?[0-9]*[½¼¾⅓⅔⅛]")
_LEADING_NUMBER = re.compile(r"[-−]?[0-9]{1,99}(?:\.[0-9]{1,99})?(?=\s|$)")
_PLAIN_NUMBER = re.compile(r"([-−]?)([0-9]{1,99})(?:\.([0-9]{1,99}))?")


def _fraction(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    match [value for value in positional(arguments) if value]:
        case [whole, above, below, *_]:
            return f"{whole} {above}/{below}"
        case [above, below]:
            return f"{above}/{below}"
        case [below]:
            return f"1/{below}"
    return "/"


_BETWEEN = {
    **dict.fromkeys(("-", "–", "to(-)", "and(-)", "&ndash;", "to-"), "–"),
    **dict.fromkeys(("x", "×", "*", "by", "xx", "by(x)"), " × "),
    **dict.fromkeys(("+/-", "±", "+-", "&plusmn;"), " ± "),
    **{word: f" {word} " for word in ("to", "and", "or", "à", "a", "până la", "și", "sau", "to about", "&")},
    **dict.fromkeys(("to2", "-to-"), " to "),
    "+": " + ",
    ",": ", ",
    "e": " e ",
}
_UNITS = {
    **{f"{unit}{power}": f"{unit}{sign}" for unit in ("m", "km", "cm", "mm", "ft", "mi", "in", "yd") for power, sign in
       (("2", "²"), ("3", "³"))},
    "sqmi": "sq mi", "sqft": "sq ft", "sqkm": "km²", "sqm": "m²", "sqyd": "sq yd", "cuft": "cu ft", "cuin": "cu in",
    "cuyd": "cu yd", "cumi": "cu mi", "c": "°C", "f": "°F", "nmi": "nmi", "foot": "ft", "inch": "in", "mph": "mph",
    "kph": "km/h", "mpg-us": "mpg", "usgal": "US gal", "impgal": "imp gal", "shortton": "short tons",
    "longton": "long tons", "lb-f": "lbf", "long ton": "long tons", "kn": "kn", "sqin": "sq in", "metricton": "t",
    "lk": "lk", "kg/m3": "kg/m³", "g/cm3": "g/cm³", "people/sqmi": "per sq mi", "/sqmi": "per sq mi", "/km2": "per km²",
    "pd/sqmi": "per sq mi", "c-change": "°C", "f-change": "°F", "m3/s": "m³/s", "cuft/s": "cu ft/s",
    "LT": "long tons", "ST": "short tons", "MT": "t", "oilbbl": "barrels", "USgal": "US gal", "cuft/d": "cu ft/d",
    "oilbbl/d": "barrels per day", "mi/h": "mph", "mpgimp": "mpg", "lbft": "lb⋅ft", "fathom": "fathoms",
}  # fmt: skip
#: What stands before a unit, as in ``e6acre`` and ``Moilbbl/d``.
_MULTIPLE = re.compile(r"(?:(e3|k)|(e6|M)|(e9|G)|(e12|T))((?<=e[369])\w{1,9}|(?<=e12)\w{1,9}|oilbbl(?:/d)?|cuft|USgal)")
_MULTIPLES = ("thousand", "million", "billion", "trillion")


def _unit_name(unit: str) -> str:
    found = _MULTIPLE.fullmatch(unit)
    if found:
        times = next(word for word, group in zip(_MULTIPLES, found.groups(), strict=False) if group)
        return f"{times} {_unit_name(found[5])}"
    return _UNITS.get(unit) or _UNITS.get(unit.lower(), unit)


def _convert(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show the first of two measures: ``{{convert|5|to|7|km|mi}}`` as ``5 to 7 km``."""
    del rest, name
    values = positional(arguments)
    shown, at = "", 0
    while at + 1 < len(values):
        number, unit = format_number(values[at], names), values[at + 1]
        if unit.lower() in _BETWEEN and at + 2 < len(values):
            shown += f"{number}{_BETWEEN[unit.lower()]}"
            at += 2
            continue
        shown += f"{number} {_unit_name(unit)}"
        at += 2
        if at + 1 >= len(values) or not _NUMBER.fullmatch(values[at]) or _NUMBER.fullmatch(values[at + 1]):
            break
        shown += " "
    return shown or first(arguments, "1")


def _unit(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{unité|5|km|2}}`` as ``5 km²``."""
    del rest, name
    values = positional(arguments)
    if not values:
        return ""
    unit = "".join(_UNITS.get(f"m{value}", f" {value}").lstrip("m") for value in values[1:] if value)
    unit = re.sub(r" (?=-?[0-9])", "", unit).strip()
    leading = _LEADING_NUMBER.match(values[0])
    number = f"{format_number(leading[0], names)}{values[0][leading.end() :]}" if leading else values[0]
    return f"{number} {unit}".rstrip()


def _dimensions(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{dunité|10|20|cm}}`` as ``10 × 20 cm``."""
    del rest, name
    *numbers, unit = positional(arguments) or [""]
    return f"{' × '.join(format_number(number, names) for number in numbers)} {unit}".strip()


def _value(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    number, error = first(arguments, "1"), first(arguments, "2")
    power, unit = first(arguments, "e"), first(arguments, "ul", "u")
    if error and not any(map(str.isdigit, error)):
        error, unit = "", unit or error
    shown = number + (f"±{error}" if error else "") + (f"×10^{power}" if power else "")
    return f"{shown} {unit}".strip()


def _number(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name
    return format_number(first(arguments, "1"), names)


def format_number(number: str, names: WikiNames) -> str:
    """Write a number with the language's marks of thousands and decimals; what is no plain number stays.

    >>> from filters.wiki_names import names_of
    >>> format_number("-1234567.5", names_of("dewiki"))
    '-1.234.567,5'
    """
    found = _PLAIN_NUMBER.fullmatch(number.strip())
    if found is None:
        return number.strip()
    separators = SEPARATORS.get(names.language, ",.")
    thousands, decimal = separators[0], separators[1]
    whole = f"{int(found[2]):,}" if len(found[2]) > _ungrouped(names) else found[2]
    whole = whole.replace(",", thousands)
    return f"{found[1]}{whole}{decimal + found[3] if found[3] else ''}"


def _prefixed(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{M|5|k|m}}`` and ``{{M|5||km}}`` as ``5 km``."""
    del rest, name
    unit = f"{first(arguments, '2')}{first(arguments, '3')}"
    return f"{format_number(first(arguments, '1'), names)} {unit}".strip()


def _amount(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{euro|77.80}}`` as ``77,80 €``."""
    del name
    number = format_number(first(arguments, "1"), names)
    return f"{number} {rest}" if number else ""


def _ungrouped(names: WikiNames) -> int:
    """Give how many digits are written together; the Spanish and their like do not part four."""
    return 4 if names.language in ("es", "pl", "pt", "bg", "hu") else 3


def _time(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    signs = ("h", "min", "s")
    return " ".join(f"{value} {sign}" for value, sign in zip(positional(arguments), signs, strict=False) if value)


def _ordinal(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    number = first(arguments, "1")
    ending = "th" if number[-2:] in ("11", "12", "13") else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1:], "th")
    return number + ending


def _height(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    shown = " ".join(f"{value} {unit}" for unit in ("ft", "in", "m", "cm") if (value := first(arguments, unit)))
    return shown or first(arguments, "1")


_SIGNS = ("°", "′", "″")
_DIRECTIONS = frozenset("NSEWOÖVØ")
_DEGREES = re.compile(r"[-−+]?[0-9]{1,3}(?:\.[0-9]{1,9})?")


def _coordinates(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{coord|52|31|N|13|24|E}}`` as ``52°31′N 13°24′E``; nothing where it stands above the page only."""
    del rest, name
    display = first(arguments, "display", "vis").lower()
    values = positional(arguments)
    if arguments.get("ns"):  # in German, where the text is what is asked for
        display = "" if first(arguments, "text").upper() in ("DMS", "DM", "D", "DEC") else "title"
        values = f"{first(arguments, 'ns')}/{first(arguments, 'ew')}".split("/")
    if display.startswith("ti") or display == "t":
        return ""
    shown = " ".join(_halves(values))
    return shown.replace(".", SEPARATORS.get(names.language, ",.")[1])


def _halves(values: Sequence[str]) -> list[str]:
    """Write latitude and longitude, in degrees, minutes and seconds with a direction, or in degrees with a sign."""
    numbers: list[str] = []
    halves: list[str] = []
    for value in values:
        if value.upper() in _DIRECTIONS and numbers:
            halves.append("".join(map("".join, zip(numbers, _SIGNS, strict=False))) + value.upper())
            numbers = []
        elif _DEGREES.fullmatch(value):
            numbers.append(value)
        else:
            break
    if not halves and len(numbers) > 1:
        pairs = zip(numbers, ("NS", "EW"), strict=False)
        halves = [f"{number.lstrip('+-−')}°{ends[number[0] in '-−']}" for number, ends in pairs]
    return halves[:2] if len(halves) > 1 else []


#: By the name that the rules have (:mod:`filters.wiki_templates`).
MEASURES: Mapping[str, Callable[[Arguments, str, str, WikiNames], str]] = {
    "amount": _amount,
    "convert": _convert,
    "coordinates": _coordinates,
    "dimensions": _dimensions,
    "fraction": _fraction,
    "height": _height,
    "number": _number,
    "ordinal": _ordinal,
    "prefixed": _prefixed,
    "time": _time,
    "unit": _unit,
    "value": _value,
}
