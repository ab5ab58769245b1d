r"""A paper's bibliography, which goes (Touvron et al., 2023, section 2.1), and what follows it, which stays.

The list itself in any form that is marked (``thebibliography``, REVTeX's ``references``, amsrefs, AMS-TeX's ``\Refs``),
the commands that make one, the heading directly before, and a section called References up to the next section. An
appendix behind it is text: RedPajama cuts from ``\appendix`` or the bibliography to the end.
"""

import bisect
import re
from collections.abc import Iterator, Sequence

from filters.latex_sections import heading
from filters.tex_names import BIBLIOGRAPHY, BIBLIOGRAPHY_ENVIRONMENTS, SECTIONS
from filters.tex_output import Event
from filters.tex_tokens import group_end

_REFERENCES = re.compile(
    r"(?:\d+[.)]?\s*)?(?:(?:list of |selected )?references?(?: cited)?|bibliograph(?:y|ie|ia)|literature cited|"
    r"works cited|literaturverzeichnis|r[eé]f[eé]rences(?: bibliographiques)?|referencias(?: bibliogr[aá]ficas)?|"
    r"bibliograf[ií]a|riferimenti(?: bibliografici)?|список литературы|参考文献)\s*[.:]?",
    re.IGNORECASE,
)
#: Headings that may be of a chapter on what others wrote, too: they count where a list follows.
_LITERATURE = re.compile(
    r"(?:literature|literatur|литература|notes and references|cited references)\s*[.:]?", re.IGNORECASE
)
_SECTION_ENDS = SECTIONS | {"appendix"}
_OPTIONAL = re.compile(r"\*?[ \t]*\n?[ \t]*\[[^\[\]]{0,2000}\]|\*")
_LINE_REST = re.compile(r"[ \t]*+(?:\n|\Z)")
_BRACE = re.compile(r"[ \t]*\n?[ \t]*(?=\{)")
Span = tuple[int, int]


def find_bibliography(text: str, events: Sequence[Event]) -> list[Span]:
    """Find the bibliography of a paper.

    Args:
        text: The paper, expanded.
        events: What stands where in it, in order.

    Returns:
        Spans to take out, ascending, none in another.
    """
    marked = sorted((*_environments(text, events), *_commands(text, events)))
    merged: list[Span] = []
    for start, end in sorted((*marked, *_sections(text, events, marked))):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def cut_spans(text: str, spans: Sequence[Span]) -> str:
    r"""Take spans out of a text; a line that is left blank by it goes too.

    >>> cut_spans("a\n  bib\nc", [(4, 7)])
    'a\nc'
    """
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        before = text[position:start]
        begins_line = not position or text[position - 1] == "\n"
        position = end
        line = before.rstrip(" \t")
        if (line.endswith("\n") or (not line and begins_line)) and (rest := _LINE_REST.match(text, end)):
            before, position = line, rest.end()
        pieces.append(before)
    return "".join((*pieces, text[position:]))


def _environments(text: str, events: Sequence[Event]) -> Iterator[Span]:
    """Lists in an environment; one that has no end goes on to the end of the paper."""
    opened: list[tuple[str, int]] = []
    for event in events:
        if event.name[0] == "{" and event.name[1:] in BIBLIOGRAPHY_ENVIRONMENTS:
            opened.append((event.name[1:], event.start))
        elif event.name[0] == "}" and opened and event.name[1:] == opened[-1][0]:
            yield opened.pop()[1], text.index("}", event.start) + 1
        elif event.name == "Refs":
            opened.append(("", event.start))
        elif event.name == "endRefs" and opened and not opened[-1][0]:
            yield opened.pop()[1], event.start + len(r"\endRefs")
    if opened:
        yield opened[0][1], len(text)


def _commands(text: str, events: Sequence[Event]) -> Iterator[Span]:
    end, unclosed = 0, False
    for event in events:
        if event.name not in BIBLIOGRAPHY or event.start < end:
            continue
        end = event.start + 1 + len(event.name)
        while found := _OPTIONAL.match(text, end):
            end = found.end()
        brace = _BRACE.match(text, end) if BIBLIOGRAPHY[event.name] and not unclosed else None
        if brace is not None:
            close = group_end(text, brace.end())
            unclosed = close < 0
            end = max(end, close)
        yield event.start, end


def _sections(text: str, events: Sequence[Event], marked: Sequence[Span]) -> Iterator[Span]:
    """Sections called References: up to the end of the list in them, else up to the next section."""
    starts = [one for one, _ in marked]
    ends = [event.start for event in events if event.name in _SECTION_ENDS]
    for event in events:
        if event.name not in SECTIONS or not (words := heading(text, event.start)):
            continue
        is_sure = _REFERENCES.fullmatch(words) is not None
        if not is_sure and not _LITERATURE.fullmatch(words):
            continue
        number = bisect.bisect_right(ends, event.start)
        end = ends[number] if number < len(ends) else len(text)
        inside = marked[bisect.bisect_left(starts, event.start) : bisect.bisect_left(starts, end)]
        if inside or is_sure:
            yield event.start, max((close for _, close in inside), default=end)
