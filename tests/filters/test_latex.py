"""Papers: what is cut, what is kept, and why a paper is dropped."""

from filters.latex import LatexReason, Paper
from filters.verdict import Drop
from tests.filters.latex_papers import body, clean

PAPER = r"""\documentclass{article}
% \section{not the first}
\newcommand{\name}{\textsc{Corpus}}
\title{On \name}
\begin{document}
\maketitle
\begin{abstract} We show \name. \end{abstract}
\section{First}\label{s:first}
See \name{} and \cite{a}. % a remark
\begin{thebibliography}{9}
\bibitem{a} A.
\end{thebibliography}
\appendix
\section{Proof}
By \name.
\end{document}
not read
"""


def test_preamble_abstract_bibliography_comments_and_macros_go_and_the_appendix_stays():
    paper = clean(PAPER)
    assert isinstance(paper, Paper)
    assert paper.text == (
        "\\section{First}\\label{s:first}\nSee \\textsc{Corpus}{} and \\cite{a}.\n"
        "\\appendix\n\\section{Proof}\nBy \\textsc{Corpus}.\n"
    )
    assert paper.title == r"On \textsc{Corpus}"


def test_title_and_abstract_are_kept_on_request():
    paper = clean(PAPER, title_and_abstract=True)
    assert isinstance(paper, Paper)
    assert paper.text.startswith(
        "\\title{On \\textsc{Corpus}}\n\n"
        "\\begin{abstract} We show \\textsc{Corpus}. \\end{abstract}\n\n"
        "\\section{First}"
    )


def test_a_paper_without_section_is_kept_from_its_front_matter_on_or_dropped():
    letter = r"\begin{document}\title{T}\begin{abstract}\end{abstract}\maketitle We report.\end{document}"
    paper = clean(letter)
    assert isinstance(paper, Paper)
    assert paper.text == " We report.\n"
    assert paper.facts["no_section"] == 1
    assert clean(letter, no_section="drop") == Drop(LatexReason.NO_SECTION, measured=0, limit=1)


def test_a_paper_of_which_nothing_is_left_is_empty():
    assert clean(r"\begin{document}\section{References}\bibliography{a}\end{document}") == Drop(
        LatexReason.EMPTY, measured=0, limit=1
    )


def test_expansions_up_to_the_limit_are_made():
    text = r"\def\a{x}\section{S}\a\a\a"
    kept = clean(text, max_expansions=3)
    assert isinstance(kept, Paper)
    assert kept.text == "\\section{S}xxx\n"
    assert clean(text, max_expansions=2) == Drop(LatexReason.BLOW_UP, measured=3, limit=2)


def test_macros_that_call_themselves_are_left_and_too_many_drop_the_paper():
    text = r"\def\a{x\a}\def\b{\b\b}\section{S}\a{} \b{} y"
    kept = clean(text, max_recursive=2)
    assert isinstance(kept, Paper)
    assert kept.text == "\\section{S}\\a{} \\b{} y\n"
    assert kept.facts["recursive"] == 2
    assert clean(text, max_recursive=1) == Drop(LatexReason.RECURSION, measured=2, limit=1)


def test_a_comment_takes_its_line_end():
    assert body("one% two\n  three \\% four\\\\%five\nsix") == "onethree \\% four\\\\six"
