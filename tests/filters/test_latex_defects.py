r"""What RedPajama's regular expressions do wrong with papers (``arxiv_cleaner.py``), each done right here."""

import pytest

from filters.latex import Paper
from tests.filters.latex_papers import body, clean


def text_of(source, **files):
    paper = clean(source, {f"{name}.tex": text for name, text in files.items()})
    assert isinstance(paper, Paper)
    return paper.text


@pytest.mark.parametrize("command", ["part", "chapter", "section", "subsection", "subsubsection"])
@pytest.mark.parametrize("shape", ["\\%s{One}", "\\%s*{One}", "\\%s[Short]{One}", "\\%s\n{One}"])
def test_each_sectioning_command_begins_the_text(command, shape):
    heading = shape % command
    assert text_of(f"before {heading} text") == f"{heading} text\n"


@pytest.mark.parametrize("command", ["paragraph", "subparagraph"])
def test_a_paragraph_begins_the_text_without_a_subparagraph_behind_it(command):
    assert text_of(f"before \\{command}{{One}} text") == f"\\{command}{{One}} text\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("abc%c\nd", "abcd"),  # the character before the sign was eaten
        ("abc%\nd", "abcd"),  # a sign at the line's end stayed
        ("abc\\\\%comment\nd", "abc\\\\d"),  # behind a line break it stayed
        ("50\\% of\\\\\\% d", "50\\% of\\\\\\% d"),
        ("% whole line\nd", "d"),
        ("  % whole line, indented\nd", "d"),
    ],
)
def test_comments_go_and_nothing_else(source, expected):
    assert body(source) == expected


@pytest.mark.parametrize(
    "verbatim",
    [
        "\\begin{verbatim}\na % b\n\\end{verbatim}",
        '\\begin{lstlisting}[language=C]\nprintf("%d"); % \\x\n\\end{lstlisting}',
        "\\begin{minted}{python}\na % 2 # \\x\n\\end{minted}",
        "\\begin{Verbatim*}\n%\n\\end{Verbatim*}",
        "\\verb|a % b|",
        "\\verb*!a % b!",
        "\\lstinline[style=a]|a % b|",
        "\\lstinline{a % b}",
        "\\mintinline{c}{a % b}",
        "\\url{https://a.example/%20b}",
        "\\href{https://a.example/%20b}{b}",
        "\\path|a%b|",
    ],
)
def test_a_percent_sign_in_verbatim_text_or_an_address_stays(verbatim):
    assert body(f"\\def\\x{{!}}{verbatim} \\x") == f"{verbatim} !"


def test_a_section_in_a_comment_or_in_a_definition_is_none():
    source = "% \\section{no}\n\\newcommand{\\x}{\\section{no}}\nfront\n\\section{One} text"
    assert text_of(source) == "\\section{One} text\n"


def test_a_section_made_by_a_macro_is_one():
    assert text_of("\\newcommand{\\bsec}{\\section}front \\bsec{One} text") == "\\section{One} text\n"
    assert text_of("\\newcommand{\\bsec}[1]{\\section{#1}\\label{#1}}front \\bsec{a} b") == "\\section{a}\\label{a} b\n"


def test_a_section_whose_look_is_changed_stays_a_section():
    source = "\\let\\old\\section\\renewcommand{\\section}[1]{\\clearpage\\old{\\Large #1}}front \\section{One} text"
    assert text_of(source) == "\\section{One} text\n"


def test_a_definition_in_a_comment_defines_nothing():
    assert body("% \\newcommand{\\x}{a}\n\\x") == "\\x"


@pytest.mark.parametrize(
    "definition",
    [
        "\\newcommand\\x{v}",
        "\\newcommand{\\x}{v}%",
        "\\newcommand{\\x}{v} % value",
        "\\renewcommand{\\x}{v}",
        "\\def\\x{v}",
        "\\def\\x  {v}",
        "\\newcommand{\\x}\n  {v}",
        "\\newcommand*{\\x}{v}\\newcommand{\\y}{w}",
    ],
)
def test_definitions_of_every_shape_are_used_and_go(definition):
    assert body(f"{definition}\na \\x{{}} b") == "a v{} b"


def test_two_definitions_on_one_line_are_two():
    assert body("\\newcommand{\\x}{a}\\newcommand{\\y}[1]{b#1} \\x\\y{c}") == "abc"


def test_macros_that_use_each_other_expand_in_either_order():
    assert body("\\newcommand{\\x}{a}\\newcommand{\\y}{<\\x>}\\y") == "<a>"
    assert body("\\newcommand{\\y}{<\\x>}\\newcommand{\\x}{a}\\y") == "<a>"


def test_a_macro_at_the_end_of_the_text_expands():
    assert text_of("\\def\\x{a}\\section{S}\\x") == "\\section{S}a\n"


def test_a_value_that_is_not_ascii_is_one():
    assert body("\\newcommand{\\x}{Gödel 数}\\x.") == "Gödel 数."


def test_a_longer_name_is_another_macro():
    assert body("\\def\\x{a}\\x\\xy\\x y") == "a\\xy ay".replace("\\xy a", "\\xy a")


def test_appendixname_is_no_appendix_and_the_appendix_stays():
    source = "\\section{S}\\appendixname{} a\n\\bibliography{b}\n\\appendix\n\\section{T} c"
    assert text_of(source) == "\\section{S}\\appendixname{} a\n\\appendix\n\\section{T} c\n"


def test_files_are_read_where_they_are_asked_for_and_not_in_the_order_of_the_archive():
    source = "\\section{S}\n\\input{b}\n\\include{a}\nend"
    assert text_of(source, a="first file\n", b="second file\n") == "\\section{S}\nsecond file\nfirst file\nend\n"


def test_a_macro_of_one_file_is_known_in_the_next_and_not_in_the_one_before():
    source = "\\input{macros}\\section{S}\\input{text}"
    assert text_of(source, macros="\\def\\x{a}", text="\\x b") == "\\section{S}ab\n"


def test_the_first_section_may_stand_in_another_file():
    assert text_of("front \\input{text}", text="more front\n\\section{S} a\n") == "\\section{S} a\n"


def test_abstract_and_fragments_without_a_heading_are_not_lost_behind_a_section():
    assert text_of("\\section{S}\\input{a}", a="a fragment") == "\\section{S}a fragment\n"


def test_what_a_macro_that_stays_defines_is_not_expanded_in_its_arguments():
    source = (
        "\\providecommand\\given{}\\newcommand\\bar[1][]{#1\\vert}"
        "\\DeclarePairedDelimiterX\\Set[1]\\{\\}{\\renewcommand\\given{\\bar[\\delimsize]}#1}"
        "\\DeclarePairedDelimiterXPP\\Prob[1]{P}(){}{\\renewcommand\\given{|}#1}"
        "$\\Set*{x \\given y} \\Prob{x \\given y}$"
    )
    assert body(source) == "$\\Set*{x \\given y} \\Prob{x \\given y}$"
    assert body("\\def\\x{a}\\def\\y{\\catcode`z=3 \\def\\x{b}}\\y\\x") == "\\y\\x"


@pytest.mark.parametrize(
    "loop",
    [
        "\\foreach \\x in {1,2}{\\draw (\\x,0);\\z{\\x}}",
        "\\foreach \\x/\\y [count=\\i] in {1/2,3/4} { \\node at (\\x,\\y) {}; }",
        "\\begin{tikzpicture}\\foreach \\x in {1,...,3} \\draw (\\x,0);\\end{tikzpicture}",
        "\\foreach \\y in {1,2}{\\foreach \\x in {1,2}{\\draw (\\x,\\y);}}",
    ],
)
def test_variables_of_a_loop_are_no_macros_in_it_and_are_behind_it(loop):
    assert body(f"\\def\\x{{a}}\\def\\y{{b}}$\\x$ {loop}$\\x\\y$") == f"$a$ {loop}$ab$"
    assert body(f"{loop}$\\x$") == f"{loop}$\\x$"


def test_macros_in_a_loop_are_expanded():
    assert (
        body("\\def\\x{a}\\def\\r{2}\\foreach \\x in {\\r,3}{\\draw (\\x,\\r);}")
        == "\\foreach \\x in {2,3}{\\draw (\\x,2);}"
    )


def test_a_number_that_a_picture_computes_is_no_macro_of_the_paper():
    picture = "\\begin{tikzpicture}\\pgfmathsetmacro{\\x}{1+\\y}\\draw (\\x,0);\\end{tikzpicture}"
    assert body(f"\\def\\x{{a}}\\def\\y{{2}}{picture}\\x") == picture.replace("\\y", "2") + "a"
