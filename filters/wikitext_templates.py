"""What templates of wikitext show, as far as it can be known without the wiki's other pages.

Which templates carry words, and which of their arguments are the words, is data (:mod:`filters.wiki_templates`); here
is how a rule is read. What computes something is in :mod:`filters.wikitext_measures`, :mod:`filters.wikitext_dates` and
:mod:`filters.wikitext_words`.

A page shows ``German: Wort`` for ``{{lang-de|Wort}}``; we show ``Wort``. The label is the wiki's, not the author's.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from filters.wiki_countries import country_names
from filters.wiki_names import WikiNames
from filters.wiki_templates import ANYWHERE, LOCAL, OTHER, PREFIXES
from filters.wikitext_arguments import Arguments, first, named_arguments
from filters.wikitext_centuries import CENTURIES
from filters.wikitext_dates import DATES
from filters.wikitext_measures import MEASURES
from filters.wikitext_raw import APOSTROPHE, EQUALS, HOLE, REMOVED
from filters.wikitext_words import WORDS

_PIECE = re.compile(r"\{([^{}]*)\}|(\[)|(\])")
#: French templates that are called like what they show. ``{{de}}`` and ``{{me}}`` are none of them.
_FRENCH_NAME = re.compile(
    r"-?[ivx]+(?:er|e) siècle|-[0-9]{1,4}|(?:[ivx]+|[0-9]+)(?:er|re|e|ers|es|nd|nde|ère|ème)"
    r"(?: (?:siècle|millénaire|république|arrondissement|dynastie|janvier|février|mars|avril|mai|juin|juillet|août"
    r"|septembre|octobre|novembre|décembre))?",
    re.IGNORECASE,
)
_FUNCTIONS: Mapping[str, Callable[[Arguments, str, str, WikiNames], str]] = {**MEASURES, **DATES, **CENTURIES, **WORDS}


class Rules:
    """The templates of a wiki that carry words.

    Attributes:
        countries: Names of countries; templates called so show their name.
    """

    def __init__(self, language: str) -> None:
        self._rules = {**_by_name(ANYWHERE), **_by_name(LOCAL.get(language, OTHER))}
        self._prefixes = tuple(sorted(PREFIXES, key=len, reverse=True))
        self._is_french = language == "fr"
        self.countries = country_names(language)

    def find(self, name: str) -> str | None:
        """Give what a template shows, ``None`` where it carries no words. The name is in lower case."""
        rule = self._rules.get(name)
        if rule is None and name.startswith(self._prefixes):
            rule = next(PREFIXES[prefix] for prefix in self._prefixes if name.startswith(prefix))
        if rule is None and self._is_french and _FRENCH_NAME.fullmatch(name):
            return "@french_name"
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
    if rule == "@unknown":
        return HOLE
    if rule.startswith("@"):
        function, _, rest = rule[1:].partition(":")
        return _FUNCTIONS[function](arguments, rest, name, names)
    return "".join(_fill(_compile(rule), arguments)).replace("\n", "\n\n")


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
            shown.append(first(arguments, *piece))
        elif all(first(arguments, *inner) for inner in piece if isinstance(inner, tuple)):
            shown += _fill(piece, arguments)
    return shown
