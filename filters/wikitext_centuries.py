"""What templates of centuries, old-style dates, sovereigns and authors show, where a language has its own forms."""

import re
from collections.abc import Callable, Mapping, Sequence

from filters.wiki_names import WikiNames
from filters.wikitext_arguments import Arguments, first, positional

_ROMAN = re.compile(r"[ivxlcdm]+", re.IGNORECASE)
_FRENCH_ENDINGS = frozenset(("e", "er", "ème", "eme", "re", "s", "-s", "siècle", "siècles"))
_FRENCH_BEFORE_CHRIST = " av. J.-C."
_YEAR = re.compile(r"[0-9]{1,4}")
_CLARIFIER = re.compile(r"\s{0,9}\([^()]*+\)\s{0,9}$")
_MOST_AUTHORS = 4


def _french_centuries(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{s-|XIX|e}}`` as ``XIXe siècle``, ``{{sp|V|e|et|IV|e|s}}`` as ``Ve et IVe siècles``.

    Templates with ``mini`` in their name leave the word out, those that begin with ``-`` are before Christ.
    """
    del rest, names
    words = [value for value in positional(arguments) if value and value.lower() not in _FRENCH_ENDINGS]
    centuries = sum(_ROMAN.fullmatch(word) is not None for word in words)
    if centuries > 1 and len(words) == centuries:
        words = [part for word in words for part in ("et", word)][1:]
    shown = " ".join(_french_ordinal(word) for word in words).replace(" - ", "-").replace(" – ", "–")
    unit = "" if not shown or "mini" in name.lower() else " siècles" if centuries > 1 else " siècle"
    is_before_christ = name.strip().startswith("-") or name.strip().lower().startswith("sav")
    return f"{shown}{unit}{_FRENCH_BEFORE_CHRIST if shown and is_before_christ else ''}"


def _french_ordinal(word: str) -> str:
    return word + ("er" if word.upper() == "I" else "e") if _ROMAN.fullmatch(word) else word


def _french_name(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{-Ve siècle}}`` and ``{{-52}}`` as ``Ve siècle av. J.-C.`` and ``52 av. J.-C.``, ``{{5e|armée}}`` too."""
    del rest, names
    plain = name.strip()
    if plain.startswith("-"):
        return f"{plain[1:]}{_FRENCH_BEFORE_CHRIST}"
    return f"{plain[:1].upper()}{plain[1:]} {first(arguments, '1')}".rstrip()


def _spanish_century(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{siglo|V|a|s}}`` as ``siglo V a. C.``; the word is shown for an ``s``, with a capital for ``S``."""
    del rest, name, names
    number, era, word = (first(arguments, key) for key in ("1", "2", "3"))
    before = {"s": "siglo ", "S": "Siglo "}.get(word[:1], "")
    after = {"a": " a. C.", "d": " d. C."}.get(era[:1].lower(), "")
    return f"{before}{number}{after}" if number else ""


def _old_style(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{OldStyleDate|6|июня|1799|26|мая}}`` as ``26 мая (6 июня) 1799``: the old style first."""
    del rest, name, names
    day, month, year, old_day, old_month = (first(arguments, str(number)) for number in range(1, 6))
    if not old_day or not month:
        return " ".join(value for value in (day, month, year) if value)
    if not old_month:
        return f"{old_day} ({day}) {month} {year}".rstrip()
    return f"{old_day} {old_month} ({day} {month}) {year}".rstrip()


def _harvard(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{harvtxt|Smith|Jones|2010}}`` as ``Smith and Jones (2010)``: authors who are words of a sentence."""
    del rest, name, names
    values = [value for value in positional(arguments) if value]
    years = [at for at, value in enumerate(values) if _YEAR.match(value)]
    authors, year = (values[: years[0]], values[years[0]]) if years else (values, "")
    return f"{_listed(authors)} ({year})" if authors and year else _listed(authors)


def _listed(authors: Sequence[str]) -> str:
    if len(authors) >= _MOST_AUTHORS:
        return f"{authors[0]} et al."
    return " and ".join(filter(None, (", ".join(authors[:-1]), *authors[-1:])))


def _clarified(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{souverain-|Louis XIV (roi de France)}}`` as ``Louis XIV``."""
    del rest, name, names
    return _CLARIFIER.sub("", first(arguments, "1"))


#: By the name that the rules have (:mod:`filters.wiki_templates`).
CENTURIES: Mapping[str, Callable[[Arguments, str, str, WikiNames], str]] = {
    "clarified": _clarified,
    "french_centuries": _french_centuries,
    "french_name": _french_name,
    "harvard": _harvard,
    "old_style": _old_style,
    "spanish_century": _spanish_century,
}
