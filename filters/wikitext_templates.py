"""What templates and parser functions of wikitext show, as far as it can be known without the wiki's other pages.

Which templates carry words, and which of their arguments are the words, is data (:mod:`filters.wiki_templates`); here
is how a rule is read, and the few templates that compute something: measures, dates, numbers.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from filters.wiki_names import WikiNames
from filters.wiki_templates import ANYWHERE, DATE_FORMS, LOCAL, MONTHS, OTHER, PREFIXES, SEPARATORS
from filters.wikitext_raw import APOSTROPHE, BREAK, EQUALS, REMOVED

_MAX_NAME_CHARS = 40  # of an argument's name; what is longer is a text with ``=`` in it
_PIECE = re.compile(r"\{([^{}]*)\}|(\[)|(\])")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,9})?")
_NUMBER = re.compile(r"[-+−]?[0-9][0-9.,\s\xa0]*(?:[+/⁄][0-9]+)*|[-+−]?[0-9]*[½¼¾⅓⅔⅛]")
_PLAIN_NUMBER = re.compile(r"([-−]?)([0-9]{1,99})(?:\.([0-9]{1,99}))?")
_DAY_DIGITS = 2
_DATE_PART = re.compile(r"[0-9]{1,4}")
_ORDINAL = re.compile(r"(?:[ivxlcdm]+|[0-9]+)(?:er|re|e|ers|es|nd|nde|ère|ème)(?: siècle)?", re.IGNORECASE)

Arguments = Mapping[str, str]


class Rules:
    """The templates of a wiki that carry words."""

    def __init__(self, language: str) -> None:
        self._rules = {**_by_name(ANYWHERE), **_by_name(LOCAL.get(language, OTHER))}
        self._prefixes = sorted(PREFIXES, key=len, reverse=True)
        self._has_ordinals = language == "fr"

    def find(self, name: str) -> str | None:
        """Give what a template shows, ``None`` where it carries no words. The name is in lower case."""
        rule = self._rules.get(name)
        if rule is None:
            rule = next((PREFIXES[prefix] for prefix in self._prefixes if name.startswith(prefix)), None)
        if rule is None and self._has_ordinals and _ORDINAL.fullmatch(name):
            return "@name"
        return rule


@functools.cache
def rules_of(language: str) -> Rules:
    """Give the rules of a language."""
    return Rules(language)


def _by_name(rules: Mapping[str, str]) -> dict[str, str]:
    return {name: shown for shown, names in rules.items() for name in names.split("|")}


def plain_name(name: str) -> str:
    """Give a template's name as the rules have it."""
    return " ".join(name.replace("_", " ").replace(REMOVED, "").split()).lower()


def show(rule: str, name: str, values: Sequence[str], names: WikiNames) -> str:
    """Show a template.

    Args:
        rule: What it shows.
        name: Its name, as written.
        values: Its arguments, rendered, with their names where they have one.
        names: The wiki.

    Returns:
        Its words, an empty text where there are none.

    >>> from filters.wiki_names import names_of
    >>> show("{2|text}", "lang", ["fr", " mot "], names_of("enwiki"))
    'mot'
    """
    arguments = named_arguments(values)
    if rule == "{1}":
        return arguments.get("1", "")
    if rule.startswith("@"):
        function, _, rest = rule[1:].partition(":")
        return name.strip() if function == "name" else _FUNCTIONS[function](arguments, rest, name, names)
    return "".join(_fill(_compile(rule), arguments)).replace("\n", "\n\n")


def named_arguments(values: Sequence[str]) -> dict[str, str]:
    """Give arguments by name, unnamed ones by number; of those with one name the last."""
    arguments: dict[str, str] = {}
    number = 0
    for value in values:
        name, equals, named = value.partition("=")
        key = name.strip()
        if equals and len(key) <= _MAX_NAME_CHARS and "\n" not in key and "\x06" not in key:
            arguments[key.lower()] = named.strip()
        else:
            number += 1
            arguments[str(number)] = value
    return arguments


_Piece = str | tuple[str, ...] | list["_Piece"]


@functools.cache
def _compile(rule: str) -> list[_Piece]:
    """Read a rule: literal texts, tuples of arguments to choose from, lists of what is left out without them."""
    stack: list[list[_Piece]] = [[]]
    at = 0
    for found in _PIECE.finditer(rule):
        stack[-1].append(_literal(rule[at : found.start()]))
        at = found.end()
        if found[2]:
            stack.append([])
        elif found[3] and len(stack) > 1:
            optional = stack.pop()
            stack[-1].append(optional)
        elif found[1] is not None and found[1]:
            stack[-1].append(tuple(found[1].split("|")))
    stack[-1].append(_literal(rule[at:]))
    return stack[0]


def _literal(text: str) -> str:
    return text.replace("'", APOSTROPHE).replace("=", EQUALS)


def _fill(pieces: Sequence[_Piece], arguments: Arguments) -> list[str]:
    shown: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            shown.append(piece)
        elif isinstance(piece, tuple):
            shown.append(_first(arguments, *piece))
        elif all(_first(arguments, *inner) for inner in piece if isinstance(inner, tuple)):
            shown += _fill(piece, arguments)
    return shown


def _first(arguments: Arguments, *keys: str) -> str:
    return next((value for key in keys if (value := arguments.get(key, "").strip())), "")


def _positional(arguments: Arguments, start: int = 1) -> list[str]:
    values: list[str] = []
    while (value := arguments.get(str(start + len(values)))) is not None:
        values.append(value.strip())
    return values


def _join(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del name, names
    return rest.join(value for value in _positional(arguments) if value)


def _lines(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    return "\n" + "\n".join(f"* {value}" for value in _positional(arguments) if value) + "\n"


def _last(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    return next((value for value in reversed(_positional(arguments)) if value), "")


def _named(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del name, names
    values = [value for key in rest.split(",") if (value := arguments.get(key, "").strip())]
    return ", ".join(dict.fromkeys(values)) or _first(arguments, "1")


def _break(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del arguments, rest, name, names
    return BREAK


def _language_link(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{ill|Title|de|Titel|lt=text}}``, or the older ``{{ill|de|Titel|Title}}``."""
    del rest, name, names
    first = _first(arguments, "1")
    if _LANGUAGE.fullmatch(first) and _first(arguments, "2"):
        return _first(arguments, "lt", "display", "4", "3", "2")
    return _first(arguments, "lt", "display", "tekst", "1")


def _not_translated(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{нп5|Title|text|de|Titel}}``, or ``{{нп|Title|de|Titel|text}}``."""
    del rest, name, names
    if _LANGUAGE.fullmatch(_first(arguments, "2")):
        return _first(arguments, "текст", "4", "1", "треба", "надо")
    return _first(arguments, "текст", "2", "1", "треба", "надо", "4")


def _fraction(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    match [value for value in _positional(arguments) if value]:
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
    "pd/sqmi": "per sq mi", "m3/s": "m³/s", "cuft/s": "cu ft/s",
}  # fmt: skip


def _convert(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show the first of two measures: ``{{convert|5|to|7|km|mi}}`` as ``5 to 7 km``."""
    del rest, name, names
    values = _positional(arguments)
    shown, at = "", 0
    while at + 1 < len(values):
        number, unit = values[at], values[at + 1]
        if unit.lower() in _BETWEEN and at + 2 < len(values):
            shown += f"{number}{_BETWEEN[unit.lower()]}"
            at += 2
            continue
        shown += f"{number} {_UNITS.get(unit.lower(), unit)}"
        at += 2
        if at + 1 >= len(values) or not _NUMBER.fullmatch(values[at]) or _NUMBER.fullmatch(values[at + 1]):
            break
        shown += " "
    return shown or _first(arguments, "1")


def _unit(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{unité|5|km|2}}`` as ``5 km²``."""
    del rest, name
    values = _positional(arguments)
    if not values:
        return ""
    unit = "".join(_UNITS.get(f"m{value}", f" {value}").lstrip("m") for value in values[1:] if value)
    unit = re.sub(r" (?=-?[0-9])", "", unit).strip()
    return f"{format_number(values[0], names)} {unit}".rstrip()


def _value(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    number, error = _first(arguments, "1"), _first(arguments, "2")
    power, unit = _first(arguments, "e"), _first(arguments, "ul", "u")
    shown = number + (f"±{error}" if error else "") + (f"×10^{power}" if power else "")
    return f"{shown} {unit}".strip()


def _number(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name
    return format_number(_first(arguments, "1"), names)


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


def _ungrouped(names: WikiNames) -> int:
    """Give how many digits are written together; the Spanish and their like do not part four."""
    return 4 if names.language in ("es", "pl", "pt", "bg", "hu") else 3


def _date(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show year, month and day, in either order, as the language writes a date; what is none as it stands."""
    del rest, name
    parts = [value for value in _positional(arguments)[:3] if value]
    if len(parts) == 1 and (iso := re.fullmatch(r"([0-9]{3,4})-([0-9]{1,2})-([0-9]{1,2})", parts[0])):
        parts = list(iso.groups())
    if not all(_DATE_PART.fullmatch(part) for part in parts):
        return " ".join(parts)
    if len(parts[2:]) == 1 and len(parts[0]) <= _DAY_DIGITS:
        parts.reverse()
    is_day_first = _first(arguments, "df").lower() in ("y", "yes", "1")
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
    if alternative := _first(arguments, "alt"):
        return alternative
    date = _date({**arguments, "df": arguments.get("df", "y")}, rest, name, names)
    word = "as of" if _first(arguments, "lc") else "As of"
    return f"{word} {date}" if not _first(arguments, "since") else f"{word.replace('as of', 'since')} {date}"


def _time(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    signs = ("h", "min", "s")
    return " ".join(f"{value} {sign}" for value, sign in zip(_positional(arguments), signs, strict=False) if value)


def _ordinal(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    number = _first(arguments, "1")
    ending = "th" if number[-2:] in ("11", "12", "13") else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1:], "th")
    return number + ending


def _height(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    shown = " ".join(f"{value} {unit}" for unit in ("ft", "in", "m", "cm") if (value := _first(arguments, unit)))
    return shown or _first(arguments, "1")


def _ipa(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{IPA|text}}`` or ``{{IPA|de|text}}``; ``{{IPA-de|text}}`` in brackets."""
    del rest, names
    first, second = _first(arguments, "1"), _first(arguments, "2")
    shown = second if _LANGUAGE.fullmatch(first) and second and not second.endswith((".ogg", ".wav")) else first
    has_brackets = not shown or shown[0] in "[/" or "-" not in name
    return shown if has_brackets else f"[{shown}]"


def _ipa_segments(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    words = {"lang", "local", "ipa", "icon", "pron", "us", "uk", "audio", "english", "also", "ambig", "small"}
    segments = [value for value in _positional(arguments) if value and value not in words]
    return f"/{''.join(value if value != '_' else ' ' for value in segments)}/" if segments else ""


def _nihongo(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, names
    english, *others = [*(arguments.get(str(number), "").strip() for number in range(1, 6)), ""]
    inside = ", ".join(value for value in others if value)
    if name.strip().lower() == "nihongo2":
        return english
    return f"{english} ({inside})".strip() if inside else english


def _sic(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    shown = f"{_first(arguments, '1')}{_first(arguments, '2')}"
    return shown if _first(arguments, "hide") and shown else f"{shown} [sic]".strip()


def _ship(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{USS|Hornet|CV-12|6}}`` as ``USS Hornet``; without the 6 the hull's number follows."""
    del rest, names
    values = [*_positional(arguments), "", "", "", ""]
    prefix = name.strip()
    if prefix.lower() == "ship":
        prefix, *values = values
    ship, number, form = values[:3]
    full = f"{prefix} {ship}".strip()
    if form in ("2", "3") or not form.isdigit():
        return {"2": ship, "3": ship}.get(form, f"{full} ({number})" if number else full)
    return full


def _hungarian_date(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    return _date(arguments, rest, name, names)


_MUSIC = {"sharp": "♯", "flat": "♭", "natural": "♮", "#": "♯", "b": "♭", "diesis": "♯", "bemolle": "♭"}


def _music(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    return _MUSIC.get(_first(arguments, "1").lower(), "")


_FUNCTIONS: dict[str, Callable[[Arguments, str, str, WikiNames], str]] = {
    "as_of": _as_of,
    "break": _break,
    "convert": _convert,
    "date": _date,
    "fraction": _fraction,
    "height": _height,
    "hungarian_date": _hungarian_date,
    "ipa": _ipa,
    "ipa_segments": _ipa_segments,
    "join": _join,
    "language_link": _language_link,
    "last": _last,
    "lines": _lines,
    "music": _music,
    "named": _named,
    "nihongo": _nihongo,
    "not_translated": _not_translated,
    "number": _number,
    "ordinal": _ordinal,
    "ship": _ship,
    "sic": _sic,
    "time": _time,
    "unit": _unit,
    "value": _value,
}


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
    "tag": _tag,
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
