"""Packages that lie beside a paper: what authors wrote is expanded, what others published stays as it is."""

import shutil
import subprocess
from pathlib import Path

import pytest

from filters.latex import Paper
from filters.tex_packages import is_own_package
from tests.filters.latex_papers import clean

OWN = "\\ProvidesPackage{own}\nText of no paper.\n\\newcommand{\\R}{\\mathbb{R}}% c\n\\def\\of#1{(#1)}\n"


def text_of(source, package, preamble="\\usepackage{own}", files=None):
    paper = clean(
        f"{preamble}\n\\begin{{document}}\\section{{S}}{source}\\end{{document}}", {"own.sty": package, **(files or {})}
    )
    assert isinstance(paper, Paper), paper
    return paper.text.removeprefix("\\section{S}").removesuffix("\n")


@pytest.mark.parametrize(
    "preamble", ["\\usepackage{own}", "\\usepackage [a,b=c] {amsmath, own}", "\\usepackage{amsmath,% c\n  own}"]
)
def test_macros_of_an_own_package_are_expanded_and_its_text_is_none_of_the_paper(preamble):
    assert text_of("$\\R\\of{a}$", OWN, preamble) == "$\\mathbb{R}(a)$"
    paper = clean(f"{preamble}\n\\begin{{document}}a\\end{{document}}", {"own.sty": OWN})
    assert isinstance(paper, Paper)
    assert paper.text == "a\n"
    assert (paper.facts["macros_defined"], paper.facts["comments"], paper.facts["missing_inputs"]) == (
        2,
        preamble.count("%"),
        0,
    )


@pytest.mark.parametrize(
    "definition",
    [
        "\\def\\x{\\@latex@error}",
        "\\def\\@y{a}\\def\\x{\\@y}",
        "\\newcommand\\x{\\catcode`\\%=12 }",
        "\\let\\x\\@latex@error",
        "\\renewcommand{\\tablename}{Tab.}",
        "\\def\\emph#1{<#1>}",
        "\\def\\section{\\vskip 2pt\\bf}",
        "\\def\\tablename{Tab.}",
        "\\newenvironment{y}{\\@y}{}",
    ],
)
def test_what_needs_internals_or_changes_latex_itself_stays_a_call(definition):
    assert text_of("\\x\\tablename\\emph{a}\\section{b}", definition) == "\\x\\tablename\\emph{a}\\section{b}"


@pytest.mark.parametrize(
    "definition",
    ["\\def\\quote{(}\\def\\endquote{)}", "\\renewenvironment{quote}{(}{)}", "\\newenvironment{quote}{\\@y}{}"],
)
def test_environments_of_latex_that_a_package_changes_stay(definition):
    assert text_of("\\begin{quote}a\\end{quote}", definition) == "\\begin{quote}a\\end{quote}"


def test_environments_of_an_own_package_are_expanded():
    definition = "\\newenvironment{claim}{\\begin{quote}Claim: }{\\end{quote}}"
    assert text_of("\\begin{claim}a\\end{claim}", definition) == "\\begin{quote}Claim: a\\end{quote}"


@pytest.mark.parametrize(
    "mark",
    [
        "% Copyright 1998 A. Nonymous",
        "%% It may be distributed under the conditions of the LaTeX Project Public License",
        "\\DeclareOption{final}{}",
        "\\def\\@maketitle{a}",
        "\\def\\section{\\@startsection{section}{1}}",
        "\\def\\ps@plain{}",
        "% (c) 1998 A. Nonymous",
    ],
)
def test_a_package_that_others_published_is_not_read(mark):
    assert not is_own_package(f"{mark}\n{OWN}")
    assert text_of("$\\R$", f"{mark}\n{OWN}") == "$\\R$"


def test_a_package_of_two_hundred_thousand_characters_is_read_and_no_longer_one():
    assert is_own_package(OWN + " " * (200_000 - len(OWN)))
    assert not is_own_package(OWN + " " * (200_001 - len(OWN)))


def test_a_letter_in_parentheses_is_no_copyright():
    assert text_of("$\\fc$", "\\newcommand{\\fc}{f(c)}") == "$f(c)$"


def test_packages_read_packages_and_files_each_once():
    files = {"more.sty": "\\RequirePackage{own}\\newcommand{\\y}{\\R^2}\\input{last}", "last.tex": "\\def\\z{\\y}"}
    assert text_of("$\\z$", OWN + "\\RequirePackage{more}", files=files) == "$\\mathbb{R}^2$"


@pytest.mark.parametrize("rest", ["\\iftrue", "{", "$", "}", "\\begin{equation}", "\\iffalse", "\\endinput", "\\end"])
def test_what_a_package_leaves_open_ends_with_it(rest):
    assert text_of("a $\\R$ \\ifmmode b\\else c\\fi", OWN + rest) == "a $\\mathbb{R}$ c"


def test_a_conditional_of_a_package_is_decided_in_the_paper():
    assert text_of("\\ifmine a\\else b\\fi", "\\newif\\ifmine\\minetrue") == "a"


def test_a_package_that_calls_itself_without_end_loses_no_paper():
    assert text_of("a$\\R$", OWN + "\\def\\x{\\x a}\\x") == "a$\\mathbb{R}$"


def test_a_package_in_verbatim_text_or_a_comment_is_not_read():
    assert text_of("\\verb|\\usepackage{own}|\\R", OWN, "% \\usepackage{own}") == "\\verb|\\usepackage{own}|\\R"


def test_natbib_beside_a_paper_changes_nothing():
    """Many papers carry a copy of it."""
    if shutil.which("kpsewhich") is None:
        pytest.skip("no TeX here")
    path = subprocess.run(["kpsewhich", "natbib.sty"], capture_output=True, text=True, check=False).stdout.strip()
    if not path:
        pytest.skip("no natbib here")
    source = "\\citep[see][]{a} \\citeyearpar{b} \\Citealt*{c} \\citetext{d}"
    assert text_of(source, Path(path).read_text(encoding="latin-1")) == source
