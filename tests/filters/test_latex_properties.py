"""Papers of any source: cleaning ends, cleans once for all, and leaves plain text alone."""

from hypothesis import given
from hypothesis import strategies as st

from filters.latex import Paper
from filters.latex_leftovers import find_leftovers
from tests.filters.latex_papers import body, clean

_PIECES = r"""
\x \y \x{a} \y{b}{c} \def\x{\y} \def\y#1{<#1>} \newcommand{\x}[1][d]{#1} \let\x\y \iftrue \iffalse \else \fi { } $ $$
\begin{a} \end{a} \newenvironment{a}{(}{)} \verb|%| \ifx \expandafter \csname \endcsname \input{a} \section{S} % \%
\\ \[ \] [ ] # ## \xspace \makeatletter \@ifnextchar \edef\x{\x\x} \gdef\y{\x} \bibliography{a} \begin{document}
\if \ifnum 1 <
"""
_SOUP = st.lists(st.sampled_from([*_PIECES.split(), " ", "\n", "\n\n", "a", "é", "\0"]), max_size=60).map("".join)
_PLAIN = st.text(st.sampled_from("ab é,.\n\t-()1="), max_size=200)


@given(_SOUP)
def test_any_source_is_cleaned_or_dropped(soup):
    clean(f"\\section{{S}}{soup}", {"a.tex": soup}, max_expansions=2_000, max_work_chars=200_000, max_depth=50)


@given(_PLAIN)
def test_text_without_macros_and_comments_is_untouched(text):
    assert body(f"a{text}.") == f"a{text}."


_ONCE = [
    *(r"\x", r"\y{a}", " ", "b", "\n", "$", "{c}", r"\alpha", "% d\n"),
    *(r"\if\y{b}", r"\ifnum\z", "1<", r"\else ", r"\fi "),
]


@given(st.lists(st.sampled_from(_ONCE), max_size=40).map("".join))
def test_cleaning_a_cleaned_paper_changes_nothing(text):
    once = clean(r"\def\x{\beta}\def\z{1}\newcommand{\y}[1]{<#1\x>}\section{S}z" + text)
    assert isinstance(once, Paper)
    again = clean(once.text)
    assert isinstance(again, Paper)
    assert again.text == once.text
    assert [left.kind for left in find_leftovers(once.text, ("x", "y"))] == []


def test_what_is_left_is_found_and_verbatim_text_is_not():
    text = "\\def\\x{a} % b\n\\x \\xy \\bibitem{a} \\usepackage{a} \\% \\verb|%| \\url{a%b} \\begin{thebibliography}"
    assert [left.kind for left in find_leftovers(text, ("x",))] == [
        "definition",
        "macro",
        "comment",
        "macro",
        "bibliography",
        "preamble",
        "bibliography",
    ]
