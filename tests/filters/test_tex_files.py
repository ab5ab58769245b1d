r"""The main file of an e-print is chosen, ``\input`` finds its file and nothing outside, bytes become text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.encoding import Decoded
from filters.tex_encoding import declared_encoding, decode_tex
from filters.tex_files import TexNames, is_read, is_tex, is_textless, safe_name
from filters.tex_main import MainFile, find_main
from filters.verdict import Drop

PAPER = "\\documentclass{article}\n\\begin{document}\nText.\n\\end{document}\n"
FRAGMENT = "A \\emph{fragment}.\n"


def main_of(**files: str) -> str | None:
    found = find_main({name.replace("__", "/").replace("_", "."): text for name, text in files.items()})
    return None if found is None else found.name


# Which files hold text.


def test_files_are_told_by_their_suffix_in_any_case() -> None:
    assert [is_tex(name) for name in ("a.tex", "a.TEX", "a.ltx", "a.latex", "sec/intro", "00README.XXX", "a.sty")] == [
        *(True, True, True, True, True, False, False)
    ]
    assert [is_read(name) for name in ("a.tex", "own.sty", "00README.json", "a.png", "a.bbl")] == [
        *(True, True, True, False, False)
    ]
    assert [is_textless(name) for name in ("main.bbl", "fig.pstex_t", "a.tex", "a")] == [True, True, False, False]


# Names.


NAMES = TexNames(["main.tex", "sec/one.tex", "sec/Two.TEX", "three", "four.ltx", "sec/x.y.tex", "main.bbl"])


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("sec/one", "sec/one.tex"),
        ("sec/one.tex", "sec/one.tex"),
        ('"sec/one.tex"', "sec/one.tex"),
        (" ./sec/one ", "sec/one.tex"),
        ("sec//../sec/one", "sec/one.tex"),
        ("sec\\one", "sec/one.tex"),
        ("SEC/ONE", "sec/one.tex"),
        ("sec/two", "sec/Two.TEX"),
        ("three", "three"),
        ("four", "four.ltx"),
        ("sec/x.y", "sec/x.y.tex"),
        ("main.bbl", "main.bbl"),
        ("one", "sec/one.tex"),  # beside the including file
        ("../main", "main.tex"),  # the same
    ],
)
def test_a_name_finds_its_file(argument: str, name: str) -> None:
    assert NAMES.resolve("input", argument, including="sec/Two.TEX", main="main.tex") == name


@pytest.mark.parametrize(
    "argument", ["", "none", "../../main", "/etc/passwd", "/main.tex", "~/main.tex", "|ls", "..", "."]
)
def test_what_is_not_there_or_lies_outside_is_no_file(argument: str) -> None:
    assert NAMES.resolve("input", argument, including="sec/one.tex", main="main.tex") is None


def test_the_folder_of_the_main_file_comes_before_that_of_the_including_one() -> None:
    names = TexNames(["p/main.tex", "p/a.tex", "p/s/a.tex", "a.tex"])
    assert names.resolve("input", "a", including="p/s/b.tex", main="p/main.tex") == "p/a.tex"


def test_packages_and_classes_have_suffixes_of_their_own() -> None:
    names = TexNames(["own.sty", "own.cls", "own.tex"])
    found = [names.resolve(command, "own", including="m.tex", main="m.tex") for command in ("usepackage", "LoadClass")]
    assert found == ["own.sty", "own.cls"]


@given(st.text(alphabet='ab./\\ "~', max_size=12))
def test_no_name_leads_outside(argument: str) -> None:
    names = TexNames(["a/b.tex", "b", "a/a"])
    found = names.resolve("input", argument, including="a/b.tex", main="a/b.tex")
    assert found is None or found in names.names
    safe = safe_name(argument)
    assert safe is None or (not safe.startswith("/") and ".." not in safe.split("/"))


# The main file.


def test_the_file_with_a_class_is_the_paper() -> None:
    assert main_of(a_tex=FRAGMENT, z_tex=PAPER) == "z.tex"
    assert main_of(a_tex=FRAGMENT, z_tex="\\documentstyle[12pt]{article}\n") == "z.tex"
    assert main_of(a_tex="% \\documentclass{article}\n\\x", z_ltx=PAPER, notes="words") == "z.ltx"


def test_a_file_that_begins_a_document_comes_before_one_that_does_not() -> None:
    assert main_of(a_tex="\\documentclass{article}\n" + "Text. " * 99, b_tex=PAPER) == "b.tex"


def test_the_class_may_stand_in_an_included_file_and_the_outermost_file_is_the_paper() -> None:
    """As HoTT's book has it: each paper size is a file of options, then ``\\input{main}``."""
    body = "\\input{part}\n" + "Words. " * 50
    files = {"main_tex": PAPER.replace("Text.", body), "part_tex": FRAGMENT}
    assert main_of(a4_tex="\\def\\size{a4}\\input{main}", errata_tex=PAPER, **files) == "a4.tex"
    assert main_of(z_tex="\\input{head}\\begin{document}x", head_tex="\\documentclass{article}") == "z.tex"


def test_a_file_that_another_includes_is_not_the_paper_whatever_it_is_called() -> None:
    assert main_of(main_tex=PAPER, zz_tex=PAPER.replace("Text.", "\\include{main}")) == "zz.tex"


def test_files_that_include_each_other_do_not_hide_the_paper() -> None:
    assert main_of(a_tex=PAPER.replace("Text.", "\\input{b}"), b_tex="\\input{a}") == "a.tex"
    assert main_of(a_tex=PAPER.replace("Text.", "\\input{a}")) == "a.tex"


def test_names_of_papers_come_first_and_names_of_what_lies_beside_them_last() -> None:
    longer = PAPER.replace("Text.", "Text. " * 99)
    assert main_of(ms_tex=PAPER, other_tex=longer) == "ms.tex"
    assert main_of(waves_tex=PAPER, supplement_tex=longer) == "waves.tex"
    assert main_of(waves_tex=PAPER, cover_letter_tex=longer) == "waves.tex"
    assert main_of(waves_tex=PAPER, tides_tex=longer) == "tides.tex"
    assert main_of(sub__main_tex=PAPER, main_tex=PAPER) == "main.tex"


def test_the_other_papers_are_named() -> None:
    files = {"main.tex": PAPER, "supp.tex": PAPER, "part.tex": FRAGMENT}
    assert find_main(files) == MainFile("main.tex", ("supp.tex",))


def test_files_of_parts_are_papers_only_where_there_is_one() -> None:
    part = PAPER.replace("{article}", "{subfiles}").replace("class", "class[main.tex]")
    whole = PAPER.replace("Text.", "\\subfile{p}")
    assert main_of(p_tex=part, z_tex=whole) == "z.tex"
    assert main_of(p_tex=part, z_tex=PAPER) == "z.tex"
    assert main_of(p_tex=part) == "p.tex"
    assert main_of(p_tex=part, q_tex=part) is None


@pytest.mark.parametrize(
    "end", ["\\bye", "\\end\n", "\\vfill\\end", "\\input harvmac\n", "\\input{amstex}\n", "\\bye\nx"]
)
def test_papers_in_plain_tex_are_told_by_how_they_begin_or_end(end: str) -> None:
    assert main_of(a_tex=FRAGMENT, b_tex=f"Words \\it here. {end}", c_tex=FRAGMENT) == "b.tex"


def test_the_only_file_that_no_other_includes_is_the_paper() -> None:
    assert main_of(a_tex=FRAGMENT, b_tex="\\input a \\input{c.tex}", c_tex=FRAGMENT) == "b.tex"
    assert main_of(a_tex=FRAGMENT, b_tex=FRAGMENT) is None
    assert main_of(only_tex="Words and \\TeX.") == "only.tex"


def test_what_has_no_command_or_is_not_to_be_processed_is_no_paper() -> None:
    assert main_of(a_tex="Words.") is None
    assert main_of(a_tex="%auto-ignore\n" + PAPER) is None
    assert main_of(a_sty="\\def\\a{b}") is None
    assert find_main({}) is None


def test_arxiv_s_own_notes_say_which_file_it_is() -> None:
    files = {"main_tex": PAPER, "b_tex": PAPER, "old_tex": PAPER}
    hint = "b.tex toplevelfile\nmain.tex ignore\n"
    found = find_main({"00README.XXX": hint, "main.tex": PAPER, "b.tex": PAPER})
    assert found == MainFile("b.tex")
    json = '{"sources": [{"filename": "old.tex", "usage": "toplevel"}, {"filename": "b.tex", "usage": "toplevel"}]}'
    found = find_main({"00README.json": json, **{name.replace("_", "."): text for name, text in files.items()}})
    assert found == MainFile("old.tex", ("b.tex",))


@pytest.mark.parametrize(
    "note",
    ["[", "{}", '{"sources": 3}', '{"sources": [3]}', '{"sources": [{"usage": "toplevel"}]}', "[" * 99_999, "null"],
)
def test_a_note_that_cannot_be_read_says_nothing(note: str) -> None:
    found = find_main({"00README.json": note, "a.tex": PAPER})
    assert found == MainFile("a.tex")


def test_many_files_that_include_each_other_are_looked_through_in_bounded_work() -> None:
    names = [f"f{number}" for number in range(120)]
    all_of_them = "".join(f"\\input{{{name}}}" for name in names)
    files = {f"{name}.tex": all_of_them for name in names}
    files |= {f"root{number}.tex": PAPER + all_of_them for number in range(120)}
    found = find_main(files)
    assert found is not None
    assert found.name == "root0.tex"


# Bytes.


@pytest.mark.parametrize(
    ("option", "encoding", "text"),
    [
        ("latin1", "iso8859-1", "Größe à côté"),
        ("latin9", "iso8859-15", "5 € für Œuvres"),
        ("latin2", "iso8859-2", "Książka źródło"),
        ("ansinew", "cp1252", "„Größe“ – naïve"),
        ("cp1252", "cp1252", "„Größe“ – naïve"),
        ("applemac", "mac-roman", "Größe über Maß, naïve"),
        ("cp1251", "cp1251", "Высота прилива зависит от луны"),
        ("koi8-r", "koi8-r", "Высота прилива зависит от луны"),
        ("cp850", "cp850", "Größe über Maß"),
        ("utf8", "utf-8", "Größe 海"),
    ],
)
def test_a_file_is_in_the_encoding_it_declares(option: str, encoding: str, text: str) -> None:
    source = f"\\documentclass{{article}}\n\\usepackage[{option}]{{inputenc}}\n{text}\n"
    decoded = decode_tex(source.encode(encoding))
    assert isinstance(decoded, Decoded)
    assert decoded.text == source
    assert (decoded.replaced, decoded.encoding.replace("_", "-")) == (0, encoding)


@pytest.mark.parametrize(
    ("source", "encoding"),
    [
        (rb"\usepackage[latin1,utf8]{inputenc}", "utf-8"),
        (rb"\usepackage [ koi8-r ] {inputenc}", "koi8-r"),
        (rb"\RequirePackage[applemac]{inputenc}", "mac-roman"),
        (rb"\inputencoding{cp1251}", "cp1251"),
        (b"%!TEX encoding = IsoLatin\n", "iso8859-1"),
        (b"% -*- mode: latex; coding: latin-2 -*-\n", "iso8859-2"),
        (rb"% \usepackage[latin1]{inputenc}", None),
        (rb"\usepackage[klingon]{inputenc}", None),
        (rb"\usepackage[T1]{fontenc}", None),
        (b"", None),
    ],
)
def test_encodings_are_declared_in_several_ways(source: bytes, encoding: str | None) -> None:
    found = declared_encoding(source)
    assert (found and found.replace("_", "-")) == encoding


def test_a_file_without_a_declaration_is_in_that_of_its_paper() -> None:
    text = "Вывод: высота прилива"
    decoded = decode_tex(text.encode("koi8-r"), "koi8-r")
    assert isinstance(decoded, Decoded)
    assert decoded.text == text


def test_utf8_is_believed_whatever_is_declared() -> None:
    decoded = decode_tex("\\usepackage[latin1]{inputenc} Größe".encode())
    assert isinstance(decoded, Decoded)
    assert decoded.text.endswith("Größe")


def test_bad_bytes_cost_themselves_alone() -> None:
    decoded = decode_tex(("Größe über " * 9).encode() + b"\xff" + b" words" * 99)
    assert isinstance(decoded, Decoded)
    assert decoded.text.startswith("Größe")
    decoded = decode_tex(b"A paper \0 with a NUL and \x01 another \x02\x03 control" + b" words" * 99)
    assert isinstance(decoded, Decoded)
    assert decoded.text.startswith("A paper  with a NUL and  another  control")


def test_binary_bytes_are_no_text() -> None:
    assert isinstance(decode_tex(bytes(range(256)) * 40), Drop)


@given(st.binary(max_size=300))
def test_any_bytes_become_text_or_none(data: bytes) -> None:
    decoded = decode_tex(data)
    if isinstance(decoded, Decoded):
        assert "\r" not in decoded.text
        decoded.text.encode()


@pytest.mark.parametrize("head", [b"\\usepackage[", b"%", b"\n%", b"\\usepackage[]{", b"% coding:"])
def test_hostile_declarations_are_searched_to_their_end(head: bytes) -> None:
    assert declared_encoding(head * (200_000 // len(head)) + b"inputenc coding") is None
