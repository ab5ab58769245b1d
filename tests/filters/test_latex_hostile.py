"""Papers that nobody would write: work grows with the text, or ends at a limit with a reason."""

import sys

import pytest

from filters.latex import LatexReason, Paper
from filters.tex_commands import COMMANDS
from filters.tex_expand import Expander
from filters.tex_input import Frame
from filters.tex_internals import KERNEL_MACROS
from filters.tex_state import Limits
from filters.verdict import Drop
from tests.filters.latex_papers import clean

#: What stands once before, and what is repeated.
GROWING = {
    "groups": ("", "{a}"),
    "calls": ("\\def\\x#1{(#1)}", "\\x{a}"),
    "calls of calls": ("\\def\\x#1{\\y{#1}}\\def\\y#1{$#1$}", "\\x{a}"),
    "definitions": ("", "\\def\\x{a}"),
    "definitions in groups": ("", "{\\def\\x{a}"),
    "definitions for all": ("", "{\\gdef\\x{a}"),
    "definitions cut off": ("", "\\newcommand"),
    "environments open": ("", "\\begin{a}"),
    "environments of a user": ("\\newenvironment{a}{(}{)}", "\\begin{a}b"),
    "verbatim text open": ("", "\\begin{verbatim}"),
    "conditionals open": ("", "\\iftrue "),
    "conditionals skipped": ("", "\\iffalse "),
    "conditionals in tests": ("", "\\if"),
    "numbers in tests": ("\\def\\x{1}", "\\ifnum\\x<\\x "),
    "characters in tests": ("\\def\\x#1{a}", "\\if\\x"),
    "names made": ("", "\\csname a\\endcsname"),
    "looking ahead": ("\\makeatletter\\def\\x{\\@ifnextchar[{a}{b}}", "\\x"),
    "comments": ("", "a% b\n"),
    "sections": ("", "\\section{References}a"),
    "blanks behind a macro": ("\\def\\x{a\\xspace}", "\\x "),
}

#: What costs more than the text is long, as far as a limit lets it.
BOUNDED = {
    "arguments without end": "\\def\\x#1{a}" + "\\x{" * 20_000,
    "optional arguments without end": "\\newcommand\\x[1][]{a}" + "\\x[" * 20_000,
    "delimited arguments without end": "\\def\\x#1.{a}" + "\\x a" * 20_000,
    "definitions without end": "\\def\\x{" * 20_000,
    "a macro that doubles itself": "\\def\\x{\\x\\x}\\x",
    "an argument that doubles itself": "\\def\\x#1{\\x{#1#1}}\\x{aa}",
    "a billion laughs": "".join(
        f"\\def\\{a}{{\\{b}\\{b}}}" for a, b in zip("abcdefghijklmnopqrst", "bcdefghijklmnopqrstu", strict=True)
    )
    + "\\def\\u{laugh $x$}\\a",
    "a definition that doubles itself": "\\def\\x{aa}" + "\\edef\\x{\\x\\x}" * 60 + "\\x",
    "two macros that call each other": "\\def\\x{\\y}\\def\\y{\\x}\\x",
    "a macro that calls itself behind a test": "\\def\\x#1{\\ifx#1\\x\\else\\x\\fi}\\x a",
}

#: A megabyte of each.
TOKENS = [
    "{",
    "}",
    "\\",
    "%",
    "%\n",
    "$",
    " ",
    "\n",
    "[",
    "#",
    "\0",
    "\\verb|",
    "\\begin{a}",
    "\\section ",
    "\\fi",
    "\\x ",
]


def cost(source: str) -> int:
    """Count what reading a source costs: characters looked through, expansions, calls of functions."""
    most = 10**9
    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1

    x = Expander(COMMANDS, KERNEL_MACROS, lambda *_: None, Limits(most, most, most, 500))
    x.stack.append(Frame(source + "\n", file="main.tex"))
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        x.run()
    finally:
        sys.setprofile(before)
    return calls + x.work + x.expansions


@pytest.mark.parametrize("name", GROWING)
def test_four_times_the_text_costs_four_times_as_much(name):
    before, piece = GROWING[name]
    small, large = cost(before + piece * 500), cost(before + piece * 2_000)
    assert small > 500
    assert large <= 4.2 * small


@pytest.mark.parametrize("name", BOUNDED)
def test_what_would_cost_more_ends_at_a_limit(name):
    paper = clean(f"\\section{{S}}{BOUNDED[name]}", max_expansions=20_000, max_work_chars=1_000_000)
    if isinstance(paper, Drop):
        assert paper.reason in {LatexReason.BLOW_UP, LatexReason.RECURSION}
        assert paper.measured > paper.limit
    else:
        assert len(paper.text) <= 1_000_000


@pytest.mark.parametrize("token", TOKENS)
def test_a_megabyte_of_one_token_is_read_to_its_end(token):
    paper = clean("\\section{S}a" + token * (1_000_000 // len(token)))
    assert isinstance(paper, Paper)
    assert paper.text.startswith("\\section{S}a")
