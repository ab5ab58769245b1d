r"""Where a paper's text begins: at its first section (Touvron et al., 2023, section 2.1).

"We removed everything before the first section." A heading in the abstract, of references or acknowledgements, or in
the appendix is none: letters have no other, and would lose all they say. A paper without any section is kept from
behind its front matter: behind ``\maketitle`` or the abstract's end, whichever comes last, else behind
``\begin{document}``, else whole. RedPajama drops such papers without a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from filters.tex_names import SECTIONS
from filters.tex_output import Event
from filters.tex_tokens import group_end

_MOST_HEADING = 300  # characters of a heading that is looked at
_MOST_TITLE = 5_000
_HEADING = re.compile(r"\\[A-Za-z]+\*?\s*(?:\[[^\[\]]{0,500}\]\s*)?")
_BACK_MATTER = re.compile(
    r"\s*(?:references?(?: cited)?|bibliograph(?:y|ie|ia)|literature(?: cited)?|works cited|"
    r"literaturverzeichnis|literatur|r[eé]f[eé]rences(?: bibliographiques)?|referencias|bibliograf[ií]a|riferimenti|"
    r"список литературы|литература|参考文献|"
    r"(?:acknowledge?ments?|acknowledge?ment|danksagung|remerciements)|funding|"
    r"(?:data|code) availability(?: statement)?|author contributions?|competing interests?|conflicts? of interest|"
    r"supplement(?:ary|al) (?:materials?|information)|supporting information)\s*[.:]?\s*",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"\\[A-Za-z]+\*?|[{}$~]")


@dataclass(frozen=True, slots=True)
class Front:
    """What stands before a paper's text.

    Attributes:
        start: Where the text begins.
        sections: Whether there is a section.
        title: The paper's title, ``""`` where it has none.
        abstract: Its abstract, with the environment around it.
    """

    start: int
    sections: bool
    title: str
    abstract: str


def find_front(text: str, events: Sequence[Event]) -> Front:
    """Find what stands before a paper's text.

    Args:
        text: The paper, expanded.
        events: What stands where in it.

    Returns:
        Where the text begins, title and abstract.
    """
    first = _first_section(text, events)
    title = next((_title(text, event.start) for event in events if event.name == "title"), "")
    start = _behind_front_matter(text, events) if first is None else first
    return Front(start, first is not None, title, _abstract(text, events))


def _first_section(text: str, events: Sequence[Event]) -> int | None:
    start = next((event.start for event in events if event.name == "{document"), 0)
    in_abstract = 0
    for event in events:
        if event.name == "{abstract":
            in_abstract = 1
        elif event.name == "}abstract":
            in_abstract = 0
        elif event.name == "appendix":
            return None
        elif event.name not in SECTIONS or event.start < start or in_abstract:
            continue
        elif not is_back_matter(heading(text, event.start)):
            return event.start
    return None


def heading(text: str, start: int) -> str:
    r"""Give the words of the heading that a sectioning command makes.

    >>> heading(r"\section*[x]{The \emph{End}} ...", 0)
    'The End'
    """
    return " ".join(_MARKUP.sub(" ", _argument(text, start, _MOST_HEADING)).split())


def is_back_matter(words: str) -> bool:
    """Tell whether a heading is that of references, acknowledgements and the like."""
    return _BACK_MATTER.fullmatch(words) is not None


def _title(text: str, start: int) -> str:
    return " ".join(_argument(text, start, _MOST_TITLE).split())


def _argument(text: str, start: int, most: int) -> str:
    """Give what a command has in braces, if that is no longer than ``most`` characters."""
    found = _HEADING.match(text, start)
    if found is None or not text.startswith("{", found.end()):
        return ""
    piece = text[found.end() : found.end() + most]
    end = group_end(piece, 0)
    return piece[1 : end - 1] if end > 0 else ""


def _abstract(text: str, events: Sequence[Event]) -> str:
    start = next((event.start for event in events if event.name == "{abstract"), None)
    if start is not None:
        end = next((event.start for event in events if event.name == "}abstract" and event.start > start), None)
        return text[start : end + len("\\end{abstract}")] if end is not None else ""
    start = next((event.start for event in events if event.name == "abstract"), None)
    if start is None or not text.startswith("{", start + len("\\abstract")):
        return ""
    end = group_end(text, start + len("\\abstract"))
    return text[start:end] if end > 0 else ""


def _behind_front_matter(text: str, events: Sequence[Event]) -> int:
    ends = [event.start + len(r"\maketitle") for event in events if event.name == "maketitle"][:1]
    ends += [event.start + len(r"\end{abstract}") for event in events if event.name == "}abstract"][:1]
    abstract = next((event.start + len(r"\abstract") for event in events if event.name == "abstract"), None)
    if abstract is not None and text.startswith("{", abstract) and (end := group_end(text, abstract)) > 0:
        ends.append(end)
    if ends:
        return max(ends)
    return next((event.start + len(r"\begin{document}") for event in events if event.name == "{document"), 0)
