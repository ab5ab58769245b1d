r"""What a cleaned paper should not hold any more: comments, definitions, preamble, bibliography, users' macros.

This is no mirror of the cleaner: it knows no state, and looks at the text as it stands.
"""

import re
from collections.abc import Collection, Iterator

from filters.leftovers import Leftover, snippet
from filters.tex_names import BIBLIOGRAPHY, DEFINING, names

_VERBATIM = "verbatim|Verbatim|BVerbatim|LVerbatim|lstlisting|minted|alltt|filecontents|spverbatim"
#: What may hold anything, and what is looked for. Alternatives are tried in order, so ``\\%`` is a line break first.
_FOUND = re.compile(
    rf"(?P<raw>\\begin\{{({_VERBATIM})(\*?)\}}.*?\\end\{{\2\3\}}"
    r"|\\(?:verb|Verb)\*?([^\sA-Za-z*]).*?\4|\\(?:lstinline|mintinline)(?:\[[^\]\n]*\])?(?:\{\w*\})?([^\sA-Za-z{]).*?\5"
    r"|\\(?:url|path|nolinkurl|href)\s*\{(?:[^{}\n]|\\.|\{[^{}\n]*\})*\})"
    r"|(?P<comment>%)"
    r"|\\begin\s*\{(?P<environment>thebibliography|references|REFERENCES|document|comment)\}"
    r"|\\(?P<name>[A-Za-z@]+)|\\.",
    re.DOTALL,
)
_PREAMBLE = names("documentclass documentstyle usepackage RequirePackage maketitle")
_ENVIRONMENTS = {"document": "preamble", "comment": "comment"}


def find_leftovers(text: str, macros: Collection[str] = ()) -> list[Leftover]:
    """Find what should not be in a cleaned paper.

    Args:
        text: The cleaned paper.
        macros: Names of its macros that could be expanded, without backslash.

    Returns:
        Each ``comment``, ``definition``, ``preamble``, ``bibliography`` and ``macro``, in the order of the text. What
        stands in verbatim text or an address is none.
    """
    return list(_find(text, frozenset(macros)))


def _find(text: str, macros: Collection[str]) -> Iterator[Leftover]:
    for found in _FOUND.finditer(text):
        if found["comment"]:
            yield Leftover("comment", found.start(), snippet(text, *found.span()))
        elif environment := found["environment"]:
            kind = _ENVIRONMENTS.get(environment, "bibliography")
            yield Leftover(kind, found.start(), snippet(text, *found.span()))
        elif (name := found["name"]) in macros:
            yield Leftover("macro", found.start(), snippet(text, *found.span()))
        elif name and (kind := _kind(name)):
            yield Leftover(kind, found.start(), snippet(text, *found.span()))


def _kind(name: str) -> str:
    if name in DEFINING:
        return "definition"
    if name in BIBLIOGRAPHY or name == "bibitem":
        return "bibliography"
    return "preamble" if name in _PREAMBLE else "comment" if name == "iffalse" else ""
