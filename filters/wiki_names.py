"""What a wiki calls its namespaces, its ``__SWITCHES__`` and its parser functions.

The dump's own names come first (``<siteinfo>``), then those of the wiki's language, then English, which every wiki
understands. The names of the twenty languages of LLaMA's Wikipedia (Touvron et al., 2023, section 2.1) are built in,
aliases too, so that a page can be read without its dump's head. In a wiki of another language the names that any of
the twenty gives to files and categories are taken as well: neighbours share them.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.wiki_tables import FUNCTIONS, LANGUAGES, NAMESPACES, SWITCHES

MEDIA, FILE, CATEGORY = -2, 6, 14

_PROJECT = re.compile(r"(?:wiki|wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikiversity|wikivoyage)$")
#: Languages written in several scripts, between which ``-{ }-`` chooses.
_CONVERTED = frozenset(
    ("ban", "crh", "gan", "iu", "kk", "ku", "sh", "shi", "sr", "tg", "tly", "uz", "wuu", "zgh", "zh")
)


@dataclass(frozen=True, slots=True)
class WikiNames:
    """The names of one wiki. Can be pickled, and hashed by the wiki.

    Attributes:
        wiki: Name of the wiki's database, ``"dewiki"``.
        language: Its code, ``"de"``; ``"en"`` for wikis without one.
        is_known: Whether the language is one of the twenty.
        namespaces: Number of each namespace by name and alias, in lower case with spaces.
        files: Names before the colon that make a link an image or other media.
        categories: The same for categories.
        languages: The same for pages in other languages, shown in a page's margin.
        switches: Matches all of the wiki's words between double underscores.
        functions: MediaWiki's own name of a parser function by the local one, in lower case.
        is_converted: Whether ``-{ }-`` means something.
    """

    wiki: str
    language: str
    is_known: bool = field(compare=False)
    namespaces: Mapping[str, int] = field(hash=False)
    files: frozenset[str] = field(compare=False)
    categories: frozenset[str] = field(compare=False)
    languages: frozenset[str] = field(compare=False)
    switches: re.Pattern[str] = field(compare=False)
    functions: Mapping[str, str] = field(compare=False)
    is_converted: bool = field(compare=False)


def names_of(wiki: str, namespaces: Mapping[str, int] | None = None) -> WikiNames:
    """Gather the names of a wiki.

    Args:
        wiki: Name of its database, ``"dewiki"``; an unknown or empty one gets the English names.
        namespaces: Number of each namespace by name, as the head of the dump has them; in any case.

    Returns:
        The wiki's names; where two disagree on a number, the dump's own counts.

    >>> names = names_of("huwiki")
    >>> names.language, names.namespaces["fájl"], names.namespaces["category"], names.functions["ha"]
    ('hu', 6, 14, 'if')
    """
    language = _PROJECT.sub("", wiki).replace("_", "-") or "en"
    numbers = dict(_built_in(language))
    numbers.update({_plain(name): number for name, number in (namespaces or {}).items() if number and name.strip()})
    is_known = language in NAMESPACES
    media, categories = _named(numbers, FILE, MEDIA), _named(numbers, CATEGORY)
    if not is_known:
        media, categories = media | _anywhere(FILE, MEDIA), categories | _anywhere(CATEGORY)
    return WikiNames(
        wiki=wiki,
        language=language,
        is_known=is_known,
        namespaces=numbers,
        files=media - categories,
        categories=categories,
        languages=_language_prefixes(),
        switches=_switches(language if is_known else ""),
        functions=_functions(language if is_known else ""),
        is_converted=language in _CONVERTED,
    )


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).lower()


def _named(numbers: Mapping[str, int], *wanted: int) -> frozenset[str]:
    return frozenset(name for name, number in numbers.items() if number in wanted)


@functools.cache
def _built_in(language: str) -> Mapping[str, int]:
    """Give the numbers of English names and, over them, of the language's."""
    numbers: dict[str, int] = {}
    for one in ("en", language):
        for number, names in NAMESPACES.get(one, {}).items():
            numbers.update((_plain(name), number) for name in names.split("|"))
    return numbers


@functools.cache
def _anywhere(*wanted: int) -> frozenset[str]:
    return frozenset().union(*(_named(_built_in(language), *wanted) for language in NAMESPACES))


@functools.cache
def _language_prefixes() -> frozenset[str]:
    return frozenset(LANGUAGES.split())


@functools.cache
def _switches(language: str) -> re.Pattern[str]:
    """Match the switches of a language and of English; of all languages where it is not known."""
    words = {word for one in ((language, "en") if language else SWITCHES) for word in SWITCHES[one].split()}
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"__(?=[^\W_])(?:{'|'.join(map(re.escape, longest_first))})__", re.IGNORECASE)


@functools.cache
def _functions(language: str) -> Mapping[str, str]:
    """Give MediaWiki's names of the parser functions of English and, over them, of the language."""
    pairs = (pair for one in ("en", language) for pair in FUNCTIONS.get(one, "").split())
    return {name.replace("_", " "): own for name, _, own in (pair.rpartition("=") for pair in pairs)}
