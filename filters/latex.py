r"""LaTeX papers: from the source of an e-print to the text that LLaMA trains on (Touvron et al., 2023, section 2.1).

"We removed everything before the first section, as well as the bibliography. We also removed the comments from the .tex
files, and inline-expanded definitions and macros written by users to increase consistency across papers."

The paper stays LaTeX: commands, mathematics and environments are as the author wrote them. It is read as TeX reads it
(:mod:`filters.tex_expand`); what RedPajama does with regular expressions on the raw text goes wrong in many ways, of
which none is here. Title and abstract are cut, as the paper says; ``title_and_abstract`` keeps them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from filters.latex_bibliography import cut_spans, find_bibliography
from filters.latex_sections import Front, find_front
from filters.tex_commands import COMMANDS
from filters.tex_expand import Expander
from filters.tex_input import Frame
from filters.tex_internals import KERNEL_MACROS
from filters.tex_state import BlowUpError, Included, Limits, RecursionFoundError, Resolve
from filters.tex_tokens import unify_lines
from filters.verdict import Drop, Reason

__all__ = ["Included", "LatexReason", "LatexSettings", "Paper", "Resolve", "clean_paper"]

_COUNTED = (
    "macros_defined",
    "macros_expanded",
    "protected",
    "comments",
    "conditionals",
    "undecided",
    "inputs",
    "missing_inputs",
    "input_cycles",
)


class LatexReason(Reason):
    """Rules of :func:`clean_paper`."""

    BLOW_UP = "latex/blow_up"
    RECURSION = "latex/recursion"
    NO_SECTION = "latex/no_section"
    EMPTY = "latex/empty"


class LatexSettings(BaseModel):
    """How papers are cleaned.

    Attributes:
        title_and_abstract: Keep the title and the abstract before the text; LLaMA cuts them.
        no_section: What becomes of a paper without any section: ``keep`` it from behind its front matter, or ``drop``.
        max_expansions: Macros expanded and files read in one paper.
        max_work_chars: Characters of bodies and arguments read for it.
        max_output_chars: Characters of the expanded paper.
        max_depth: Macros that come out of each other before one is taken to call itself without end.
        max_recursive: Macros that call themselves, which are left as they are written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title_and_abstract: bool = False
    no_section: Literal["keep", "drop"] = "keep"
    max_expansions: Annotated[int, Field(ge=1)] = 1_000_000
    max_work_chars: Annotated[int, Field(ge=1)] = 30_000_000
    max_output_chars: Annotated[int, Field(ge=1)] = 50_000_000
    max_depth: Annotated[int, Field(ge=1)] = 500
    max_recursive: Annotated[int, Field(ge=0)] = 8


@dataclass(frozen=True, slots=True)
class Paper:
    """A cleaned paper.

    Attributes:
        text: Its text, LaTeX.
        title: Its title, as in the source, macros expanded; ``""`` where it has none.
        facts: What was counted: macros defined, expanded, left in the text, files, comments, whether it has no section.
        macros: Names of its macros that could be expanded, none of which is to be left in the text.
    """

    text: str
    title: str
    facts: dict[str, int]
    macros: frozenset[str]


def clean_paper(main: Included, resolve: Resolve, settings: LatexSettings) -> Paper | Drop:
    """Clean a paper.

    Args:
        main: Its main file.
        resolve: Finds the files that it reads.
        settings: What is kept, and what a paper may cost.

    Returns:
        The paper, or why there is none. Nothing in a source raises.
    """
    frozen: frozenset[str] = frozenset()
    limits = Limits(settings.max_expansions, settings.max_work_chars, settings.max_output_chars, settings.max_depth)
    while True:
        expander = Expander(COMMANDS, KERNEL_MACROS, resolve, limits)
        expander.state.frozen = frozen
        expander.stack.append(Frame(unify_lines(main.text), file=main.name))
        try:
            expander.run()
        except RecursionFoundError as found:
            frozen |= {found.name}
            if len(frozen) > settings.max_recursive:
                return Drop(LatexReason.RECURSION, measured=len(frozen), limit=settings.max_recursive)
        except BlowUpError as blown:
            return Drop(LatexReason.BLOW_UP, measured=blown.measured, limit=blown.limit)
        else:
            return _cut(expander, settings)


def _cut(expander: Expander, settings: LatexSettings) -> Paper | Drop:
    """Cut what stands before the first section, and the bibliography."""
    text = "".join(expander.out.pieces)
    events = expander.out.events
    front = find_front(text, events)
    if not front.sections and settings.no_section == "drop":
        return Drop(LatexReason.NO_SECTION, measured=0, limit=1)
    spans = [
        (max(0, start - front.start), end - front.start)
        for start, end in find_bibliography(text, events)
        if end > front.start
    ]
    body = cut_spans(text[front.start :], spans).strip("\n")
    if not body.strip():
        return Drop(LatexReason.EMPTY, measured=0, limit=1)
    if settings.title_and_abstract:
        body = _front_matter(front) + body
    return Paper(body + "\n", front.title, _facts(expander, front), _macros(expander))


def _front_matter(front: Front) -> str:
    title = f"\\title{{{front.title}}}\n\n" if front.title else ""
    return title + (f"{front.abstract}\n\n" if front.abstract else "")


def _facts(expander: Expander, front: Front) -> dict[str, int]:
    facts = {name: expander.facts[name] for name in _COUNTED}
    facts["unexpandable"] = len(expander.state.unexpandable)
    facts["recursive"] = len(expander.state.frozen)
    facts["macros_left"] = sum(start >= front.start for _, start in expander.left)
    facts["no_section"] = int(not front.sections)
    return facts


def _macros(expander: Expander) -> frozenset[str]:
    state = expander.state
    return frozenset(state.defined - state.kept - state.unexpandable - state.frozen)
