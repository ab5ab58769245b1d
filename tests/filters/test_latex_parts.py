"""Where a paper begins, what is its bibliography, which files it reads."""

import pytest

from filters.latex import LatexReason, Paper
from filters.latex_bibliography import cut_spans
from filters.verdict import Drop
from tests.filters.latex_papers import body, clean


def text_of(source, files=None, **settings):
    paper = clean(source, files or {}, **settings)
    assert isinstance(paper, Paper), paper
    return paper.text


@pytest.mark.parametrize("command", ["addsec", "addchap", "newsec", "subsec", "beginsection", "heading"])
def test_sections_of_other_classes_and_of_plain_tex_begin_the_text(command):
    assert text_of(f"front \\{command}{{One}} a") == f"\\{command}{{One}} a\n"


def test_a_heading_in_the_abstract_is_not_the_first_section():
    source = "\\begin{abstract}\\paragraph{Aims} a\\end{abstract}\\section{One} b"
    assert text_of(source) == "\\section{One} b\n"


@pytest.mark.parametrize("words", ["References", "Acknowledgments", "ACKNOWLEDGEMENTS", "Data availability", "Funding"])
def test_a_letter_whose_only_heading_is_at_its_end_keeps_its_text(words):
    source = f"\\begin{{document}}\\maketitle We found it.\n\\section*{{{words}}} We thank.\\end{{document}}"
    assert text_of(source).startswith(" We found it.\n")


def test_a_letter_with_sections_in_its_appendix_only_keeps_its_text():
    source = "\\begin{document}\\maketitle We found it.\n\\appendix\n\\section{Proof} b\\end{document}"
    assert text_of(source) == " We found it.\n\\appendix\n\\section{Proof} b\n"


@pytest.mark.parametrize(
    ("front", "kept"),
    [
        ("\\begin{document}\\title{T}\\maketitle\\begin{abstract}A\\end{abstract} text", " text\n"),
        ("\\begin{document}\\begin{abstract}A\\end{abstract}\\maketitle text", " text\n"),
        ("\\begin{document}\\abstract{A {b}} text", " text\n"),
        ("\\documentclass{article}\\begin{document} text", " text\n"),
        ("\\magnification=1200 text", "\\magnification=1200 text\n"),
    ],
)
def test_without_sections_the_text_begins_behind_the_front_matter(front, kept):
    paper = clean(front)
    assert isinstance(paper, Paper)
    assert paper.text == kept
    assert paper.facts["no_section"] == 1


def test_what_follows_the_end_is_not_read():
    assert text_of("\\section{S}a\\end{document} \\section{T} b") == "\\section{S}a\n"
    assert text_of("\\beginsection S\n\na\n\\bye\nb") == "\\beginsection S\n\na\n"
    assert text_of("\\beginsection S\n\na\n\\end\nb") == "\\beginsection S\n\na\n"


@pytest.mark.parametrize(
    "bibliography",
    [
        "\\begin{thebibliography}{9}\n\\bibitem{a} A, \\emph{B}.\n\\end{thebibliography}",
        "\\begin{references}\n\\reference a\n\\end{references}",
        "\\begin{REFERENCES}\na\n\\end{REFERENCES}",
        "\\begin{bibdiv}\\begin{biblist}\n\\bib{a}{book}{}\n\\end{biblist}\\end{bibdiv}",
        "\\bibliography{a,b}",
        "\\bibliographystyle{plain}\n\\bibliography{a}",
        "\\printbibliography",
        "\\printbibliography[heading=none]",
        "\\nocite{*}",
        "\\addbibresource{a.bib}",
        "\\listrefs",
        "\\Refs\n\\ref\\no1 A\\endref\n\\endRefs",
        "\\section*{References}\n\\bibliography{a}",
        "\\section{Literaturverzeichnis}\n\\begin{thebibliography}{9}\\bibitem{a} A\\end{thebibliography}",
        "\\section*{References}\n\\addcontentsline{toc}{section}{References}\n\\small\n\\printbibliography",
        "\\section{Literature}\n\\printbibliography",
        "\\section*{\\large References}\n[1] A.\n\n[2] B.\n",
    ],
)
def test_a_bibliography_of_any_form_goes_and_what_follows_stays(bibliography):
    assert body(f"a\n{bibliography}\n\\section{{T}}\nb") == "a\n\\section{T}\nb"


def test_text_behind_the_list_stays_even_without_a_heading():
    source = "a\n\\section*{References}\n\\bibliography{a}\n\\begin{figure}F\\end{figure}"
    assert body(source) == "a\n\\begin{figure}F\\end{figure}"


def test_a_chapter_on_literature_is_no_bibliography():
    assert body("a\n\\section{Literature}\nMuch was written.") == "a\n\\section{Literature}\nMuch was written."


def test_a_list_without_an_end_goes_to_the_end():
    assert body("a\n\\begin{thebibliography}{9}\n\\bibitem{a} A") == "a"


def test_a_bibliography_in_a_comment_or_in_verbatim_text_is_none():
    assert body("% \\bibliography{a}\n\\verb|\\bibliography{a}| b") == "\\verb|\\bibliography{a}| b"


def test_a_bibliography_that_is_read_from_a_file_goes():
    files = {"main.bbl": "\\begin{thebibliography}{9}\n\\bibitem{a} A\n\\end{thebibliography}\n"}
    assert body("a\n\\input{main.bbl}\nb", files) == "a\nb"


def test_spans_that_are_cut_take_a_line_that_they_leave_blank():
    assert cut_spans("a\n  bib  \nc bib d", [(4, 7), (12, 15)]) == "a\nc  d"


def test_the_end_of_a_file_is_the_end_of_a_line_and_no_paragraph():
    files = {"a.tex": "a\n", "b.tex": "b"}
    assert body("\\input{a}\n\\input b\nc \\input{a} d", files) == "a\nb\nc a\n d"


def test_files_that_are_missing_or_read_themselves_are_counted_and_left():
    paper = clean("\\section{S}\\input{none}\\input{a}", {"a.tex": "x\\input{b}", "b.tex": "y\\input{a}\\input{main}"})
    assert isinstance(paper, Paper)
    assert paper.text == "\\section{S}\\input{none}xy\\input{a}\\input{main}\n"
    found = {name: paper.facts[name] for name in ("inputs", "missing_inputs", "input_cycles")}
    assert found == {"inputs": 2, "missing_inputs": 2, "input_cycles": 1}


def test_a_file_that_is_read_twice_is_no_cycle():
    assert body("\\input{a}\\input{a}", {"a.tex": "x"}) == "x\nx"


def test_files_that_double_each_other_are_bounded():
    files = {f"{n}.tex": f"\\input{{{n + 1}}}\\input{{{n + 1}}}" for n in range(40)}
    found = clean("\\section{S}\\input{0}", files, max_expansions=500)
    assert found == Drop(LatexReason.BLOW_UP, measured=501, limit=500)


def test_an_input_in_a_comment_or_in_verbatim_text_reads_nothing():
    assert body("% \\input{a}\n\\verb|\\input{a}|", {"a.tex": "x"}) == "\\verb|\\input{a}|"


def test_an_input_that_a_macro_makes_reads_its_file():
    assert body("\\newcommand{\\part}[1]{}\\def\\dir{d}\\def\\get#1{\\input{\\dir/#1}}\\get{a}", {"d/a": "x"}) == "x"


def test_of_a_subfile_the_document_is_read_and_what_follows_it():
    files = {"a.tex": "\\documentclass[main]{subfiles}\n\\def\\x{}\n\\begin{document}\nx\n\\end{document}\nnot read\n"}
    source = "\\documentclass{article}\\begin{document}\\section{S}\n\\subfile{a}\ny\\end{document}"
    assert text_of(source, files) == "\\section{S}\n\nx\n\ny\n".replace("x\n\ny", "x\ny")


def test_endinput_ends_a_file():
    assert body("\\input{a}b", {"a.tex": "x\n\\endinput\nnot read"}) == "x\nb"


def test_output_up_to_the_limit_is_written():
    source = "\\section{S}" + "a" * 20 + "%\n"
    assert isinstance(clean(source, max_output_chars=31), Paper)
    assert clean(source, max_output_chars=30) == Drop(LatexReason.BLOW_UP, measured=31, limit=30)


def test_work_up_to_the_limit_is_done():
    source = "\\def\\x#1{#1}\\section{S}\\x{abc}"
    paper = clean(source)
    assert isinstance(paper, Paper)
    needed = next(limit for limit in range(1, 99) if isinstance(clean(source, max_work_chars=limit), Paper))
    assert clean(source, max_work_chars=needed - 1) == Drop(LatexReason.BLOW_UP, measured=needed, limit=needed - 1)


def test_macros_may_come_out_of_each_other_to_a_depth():
    source = "\\def\\a{\\b}\\def\\b{\\c}\\def\\c{x}\\section{S}\\a"
    assert text_of(source, max_depth=3, max_recursive=0) == "\\section{S}x\n"
    assert clean(source, max_depth=2, max_recursive=0) == Drop(LatexReason.RECURSION, measured=1, limit=0)


def test_line_ends_of_an_included_file_are_made_one_kind():
    assert body("\\input{a}\nc", {"a": "a\r\rb\r\n\r"}) == "a\n\nb\n\nc"
