"""The book comes out without what was put around it, whatever stands in the wrong place."""

import gzip
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.gutenberg import GutenbergText, find_leftovers, strip_gutenberg

BOOK = "THE MILL\n\nby A. Writer\n\n\nCHAPTER I\n\nThe miller rose early.\n\nHe went down to the river.\n\nTHE END\n"
LONG = "\n\n".join(f"The miller rose early on day {day}, and went down to the river to look." for day in range(400))
FIRST = "The Project Gutenberg EBook of The Mill, by A. Writer\n\n"
FIELDS = "Title: The Mill\n\nAuthor: A. Writer\n\nRelease Date: May 2, 2003 [EBook #17]\n\nLanguage: German\n\n"
START = "*** START OF THIS PROJECT GUTENBERG EBOOK THE MILL ***\n\n"
END = "\n*** END OF THIS PROJECT GUTENBERG EBOOK THE MILL ***\n\n"
LICENCE = (
    "\n\n".join(f"1.{'ABCDEF'[i % 6]}.  Project Gutenberg-tm electronic works, term {i}." for i in range(60)) + "\n"
)
SMALL_PRINT = (
    "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\n"
    + "\n".join(f'Of this "Small Print!" statement, line {i}.\n' for i in range(40))
    + "\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n"
)


def of(text: str) -> str:
    stripped = strip_gutenberg(text)
    assert stripped.is_gutenberg
    return stripped.text


def kinds(stripped: GutenbergText) -> list[str]:
    return [part.kind for part in stripped.removed]


def test_header_and_footer_of_today_go() -> None:
    stripped = strip_gutenberg(FIRST + FIELDS + START + BOOK + END + LICENCE)
    assert stripped.text == BOOK
    assert kinds(stripped) == ["header", "footer"]


@pytest.mark.parametrize(
    "start",
    [
        "***START OF THE PROJECT GUTENBERG EBOOK THE MILL***\n",
        "*** START OF THE PROJECT GUTENBERG EBOOK, THE MILL ***\n",
        "**** START OF THIS PROJECT GUTENBERG ETEXT, THE MILL ****\n",
        "*** START OF THIS PROJECT GUTENBERG EBOOK\nTHE MILL, A STORY\nOF A RIVER ***\n",
        "*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK THE MILL ***\n",
        SMALL_PRINT,
        SMALL_PRINT.replace("*END*THE SMALL PRINT!", "*END THE SMALL PRINT!"),
    ],
)
def test_every_form_of_the_header_s_end_is_known(start: str) -> None:
    assert of(f"{FIRST}{start}\n{BOOK}") == BOOK


@pytest.mark.parametrize(
    "end",
    [
        "End of Project Gutenberg's The Mill, by A. Writer\n",
        "End of The Project Gutenberg Etext of The Mill\n",
        "End of the Project Gutenberg EBook of The Mill, by A. Writer\n",
        "*** END OF THE PROJECT GUTENBERG EBOOK, THE MILL ***\n",
        "***END OF THE PROJECT GUTENBERG EBOOK THE MILL***\n",
        'Ende dieses Projekt Gutenberg Etexes "Die Mühle" von\nA. Schreiber.\n',
        "Ende dieses Project Gutenberg Etextes Die Mühle\nEnd of The Project Gutenberg Etext of Die Mühle\n",
        "Fin de ce document du Projet Gutenberg: Le Moulin\n",
        END + LICENCE,
        "End of Project Gutenberg's The Mill, by A. Writer\n\n" + END + LICENCE,
    ],
)
def test_every_form_of_the_footer_s_beginning_is_known(end: str) -> None:
    assert of(f"{FIRST}{START}{BOOK}\n\n{end}") == BOOK


def test_a_small_print_at_the_end_is_a_footer() -> None:
    assert of(FIRST + START + BOOK + END + SMALL_PRINT) == BOOK


@pytest.mark.parametrize(
    "credit",
    [
        "Produced by A. Typist, B. Reader and the Online Distributed\nProofreading Team at http://www.pgdp.net\n",
        "E-text prepared by A. Typist\n",
        "This etext was prepared by A. Typist, of Town.\n",
        "This Etext prepared by. . . .\nA. Typist\n",
        "Transcribed from the 1897 Printer & Son edition by A. Typist, email\na@example.org\n",
        "Scanned and proofed by A. Typist\n",
        "This eBook was produced by A. Typist\n",
        "An Anonymous Volunteer, and David Widger\n",
        "[We have both a 7 bit version and an 8 bit version.]\n",
        "HTML version by A. Typist.\n",
    ],
)
def test_credits_at_the_beginning_go(credit: str) -> None:
    assert of(f"{FIRST}{START}\n{credit}\n\n{BOOK}{END}{LICENCE}") == BOOK
    assert of(f"{FIRST}{START}\n{BOOK}\n\n{credit}\n{END}{LICENCE}") == BOOK


@pytest.mark.parametrize(
    "line",
    ["Edited by B. Scholar.", "Entered according to Act of Congress, in the year 1860, by", "Translated by C. Tongue"],
)
def test_what_the_title_page_says_of_the_printed_book_stays(line: str) -> None:
    book = BOOK.replace("by A. Writer\n", f"by A. Writer\n\n{line}\n")
    assert of(FIRST + START + book + END + LICENCE) == book


def test_credits_without_a_blank_line_before_the_book_go_alone() -> None:
    book = re.sub(r"\n+", "\n", BOOK) * 3
    credit = "Produced by A. Typist and the Online Distributed Proofreading Team\n"
    assert of(FIRST.strip() + "\n" + START.strip() + "\n" + credit + book + END + LICENCE) == book


@pytest.mark.parametrize(
    "note",
    [
        "[Transcriber's Note: The spelling of the original\nhas been kept.]\n\n",
        "Transcriber's Note:\n\nItalics are _so_ marked.\n\nErrors were corrected.\n\n\n",
        "ORIGINAL TRANSCRIBER’S NOTES:\n\n\n\n\nThis text is made of two versions.\n\n\n",
        "+--------------------+\n|Transcriber's note: |\n|All errors kept.    |\n+--------------------+\n\n",
        "PREPARER'S NOTE\n\n  The text is that of the edition of 1890.\n\n\n",
    ],
)
def test_notes_on_how_the_file_was_made_go_from_both_ends(note: str) -> None:
    assert of(f"{FIRST}{START}\n{note}\n{BOOK}{END}{LICENCE}") == BOOK
    assert of(f"{FIRST}{START}\n{BOOK}\n\n\n{note}\n{END}{LICENCE}") == BOOK


def test_a_contents_line_that_lists_notes_stays() -> None:
    book = BOOK.replace("CHAPTER I\n", "CONTENTS\n\nChapter I\n\nTranscriber's Notes\n\nIndex\n\n\nThe First\n", 1)
    book = book.replace("The miller rose early.", "The miller rose.").replace("THE END", "Finis")
    assert of(FIRST + START + book + END + LICENCE) == book


def test_a_note_inside_the_book_stays() -> None:
    book = f"{LONG}\n\n[Transcriber's note: one word of the original is not legible.]\n\n{LONG}\n"
    assert of(FIRST + START + book + END + LICENCE) == book


AUSTRALIA = """Project Gutenberg Australia

Title:      The Mill
Author:     A. Writer
* A Project Gutenberg of Australia eBook *
eBook No.:  0100021.txt
Language:   English
Date first posted:          August 2001

This eBook was produced by: A. Typist

Project Gutenberg of Australia eBooks are created from printed editions, here in our words.

To contact Project Gutenberg of Australia go to http://gutenberg.net.au

Title:      The Mill
Author:     A. Writer

"""
CANADA = """* A Distributed Proofreaders Canada eBook *

This eBook is made available at no cost and with few restrictions, here in our words.

If you live outside Canada, check your country's copyright laws.

Title: The Mill
Author: A. Writer
Date first posted: Aug. 1, 2012
Faded Page eBook #20120801

This eBook was produced by: A. Typist
& the online Distributed Proofreaders Canada team

"""


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (AUSTRALIA, "This site is full of FREE ebooks - Project Gutenberg Australia\n"),
        (CANADA, "[End of The Mill, by A. Writer]\n"),
        (CANADA.replace("Distributed Proofreaders Canada eBook", "Project Gutenberg Canada Ebook"), ""),
    ],
)
def test_the_sisters_in_australia_and_canada_have_forms_of_their_own(head: str, tail: str) -> None:
    stripped = strip_gutenberg(f"{head}\n{LONG}\n\n\n{tail}")
    assert stripped.text == f"{LONG}\n"
    assert (stripped.header.title, stripped.header.author) == ("The Mill", "A. Writer")


def test_the_world_library_s_inserts_go_from_the_middle() -> None:
    insert = "<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS IS\nNOT TO BE SOLD BY PROJECT GUTENBERG ETEXT.>>\n"
    assert of(f"{FIRST}{START}{LONG}\n\n{insert}\n{LONG}\n{END}{LICENCE}") == f"{LONG}\n\n\n{LONG}\n"


def test_licences_between_the_books_of_a_collection_go() -> None:
    one = FIRST + FIELDS + START + LONG + END + LICENCE
    other = FIRST + FIELDS + START + BOOK + END + LICENCE
    stripped = strip_gutenberg(f"{one}\n\n{other}")
    assert stripped.text.startswith(LONG)
    assert stripped.text.endswith(BOOK)
    assert "utenberg" not in stripped.text
    assert set(stripped.text.split()) == set((LONG + " " + BOOK).split())


def test_a_header_without_its_end_mark_goes_as_far_as_it_reads_like_one() -> None:
    assert of(FIRST + FIELDS + BOOK) == BOOK


def test_a_licence_without_marks_goes_from_the_middle() -> None:
    assert of(f"{LONG}\n\n{LICENCE}\n{LONG}\n").split() == f"{LONG} {LONG}".split()


def test_a_start_mark_in_the_last_half_does_not_eat_the_book() -> None:
    assert of(f"{LONG}\n\n{START}{BOOK}") == f"{LONG}\n\n\n{BOOK}"


def test_an_end_mark_near_the_beginning_does_not_eat_the_book() -> None:
    assert of(f"{FIRST}{START}{BOOK}{END}{LONG}\n") == f"{BOOK}\n\n{LONG}\n"


def test_a_book_about_project_gutenberg_keeps_what_it_says() -> None:
    about = "\n\n".join(
        f"In {1971 + i} Project Gutenberg had {i} books, which Michael Hart had typed in himself, or so the story\n"
        "went among those who had been there from the first and were asked for it again and again,\n"
        * 3
        + "and nobody doubted it."
        for i in range(40)
    )
    assert of(f"{FIRST}{START}{about}\n{END}{LICENCE}") == f"{about}\n"


def whole(book: str) -> str:
    return of(FIRST + START + book + END + LICENCE)


@pytest.mark.parametrize(
    "note",
    [
        "Transcriber's Note: The spelling was kept.\n",
        "Transcriber's Note: The spelling\nof the original was kept, and all errors of the text\nwere corrected.\n",
        "Transcriber's Note:\n\nThe spelling of the original was kept.\n",
    ],
)
@pytest.mark.parametrize("blanks", ["\n", "\n\n\n"])
def test_a_note_does_not_take_the_chapter_behind_it(note: str, blanks: str) -> None:
    days = LONG.split("\n\n")
    book = "CHAPTER I\n\n" + "\n\n".join(days[:20]) + "\n\n\nCHAPTER II\n\n" + "\n\n".join(days[20:]) + "\n"
    assert whole(note + blanks + book) == book


def test_a_note_in_brackets_ends_where_they_are_closed_and_stays_where_the_book_goes_on_behind_them() -> None:
    spoken = "[Transcriber's note: the original has 'teh'.] He went on.\n\n"
    book = f"THE MILL\n\n{spoken}{LONG}\n\n[Illustration]\n\n{LONG}\n"
    assert whole(book) == book
    note = "[Transcriber's note: the original\nhas [sic] here.]\n\n"
    assert whole(book.replace(spoken, note)).split() == book.replace(spoken, "").split()


def test_all_notes_near_the_end_go() -> None:
    rest = "\n\n".join(LONG.split("\n\n")[:10])
    inner, last = "[Transcriber's note: a word is missing.]", "Transcriber's Notes\n\nThe spelling was kept.\n"
    assert whole(f"{LONG}\n\n{inner}\n\n{rest}\n\n\n{last}").split() == f"{LONG} {rest}".split()


def test_an_appendix_behind_the_notes_stays() -> None:
    appendix = "APPENDIX\n\n" + "\n\n".join(LONG.split("\n\n")[:40]) + "\n"
    book = f"{LONG}\n\n{LONG}\n\n{LONG}\n\n"
    assert whole(f"{book}\nTranscriber's Note:\n\nThe spelling was kept.\n\n\n{appendix}").split() == (
        (book + appendix).split()
    )


def test_a_preface_to_the_reader_stays_unless_it_speaks_of_the_file() -> None:
    preface = "AU LECTEUR\n\nVoici le texte original de mon livre, avec ses illustrations.\n\n\n"
    assert whole(f"LE MOULIN\n\n{preface}{LONG}\n") == f"LE MOULIN\n\n{preface}{LONG}\n"
    about = "Au lecteur\n\nCette version électronique est conforme au texte.\n\n\n"
    assert whole(f"LE MOULIN\n\n\n{about}{LONG}\n").split() == f"LE MOULIN {LONG}".split()


@pytest.mark.parametrize(
    "line",
    [
        "Prepared by\nthe Federal Office of the State",
        "Produced by the Stage Society at the Imperial Theatre, 1902",
        "This edition was prepared by the author for his friends.",
        "Text edited by B. Scholar from the manuscript",
        "The text was prepared by Professor Scholar from the manuscript.",
        "Created by the river in a hundred years, the meadow lay before them.",
        '"Prepared for the worst, I am," said the miller.',
    ],
)
def test_words_that_a_credit_may_begin_with_stay_inside_the_book(line: str) -> None:
    book = f"THE MILL\n\n{line}\n\n{LONG}\n\n{line}\n\nFINIS\n"
    assert whole(book) == book
    assert whole(f"Produced by A. Typist\n\n\n{book}") == book


def test_a_credit_behind_the_title_of_the_file_goes() -> None:
    head = f"{FIRST}***\n\nProduced by A. Typist\n\nWe thank the National Library (gallica.bnf.fr).\n\n\n"
    assert whole(head + BOOK).split() == ["***", *BOOK.split()]


@pytest.mark.parametrize(
    "talk",
    [
        '"What is Project Gutenberg?" she asked.\n\n"Nothing," he said.\n\n"But Project Gutenberg is free!"\n\n',
        '"Read the small print," she said.\n\n"Why?"\n\n"There is always some small print (and you know it)."\n\n',
    ],
)
def test_people_who_speak_as_the_licence_does_are_heard(talk: str) -> None:
    assert whole(f"{LONG}\n\n{talk}{LONG}\n") == f"{LONG}\n\n{talk}{LONG}\n"


@pytest.mark.parametrize(
    "end", ["This is the End of the Project Gutenberg Etext of The Mill\n", "Fin del Proyecto Gutenberg EBook de X\n"]
)
def test_rarer_ends_are_known(end: str) -> None:
    assert of(f"{FIRST}{START}{LONG}\n\n\n{end}\n{LICENCE}") == f"{LONG}\n"


def test_a_text_without_any_mark_is_returned_as_it_is() -> None:
    text = "  A line with blanks  \n\nProduced by a mill.\n\n"
    assert strip_gutenberg(text) == GutenbergText(text, strip_gutenberg("").header, (), is_gutenberg=False)


def test_nothing_is_left_of_a_file_that_is_all_licence() -> None:
    assert of(FIRST + FIELDS + START + END + LICENCE) == ""


def test_removed_parts_and_the_lines_left_are_the_whole_text() -> None:
    text = FIRST + FIELDS + START + "Produced by A. Typist\n\n\n" + BOOK + END + LICENCE
    lines = text.split("\n")
    stripped = strip_gutenberg(text)
    gone = {number for part in stripped.removed for number in range(part.start, part.end)}
    assert sum(part.end - part.start for part in stripped.removed) == len(gone)
    assert "\n".join(line for i, line in enumerate(lines) if i not in gone).strip() == stripped.text.strip()


@given(
    st.lists(st.sampled_from([FIRST, FIELDS, START, END, BOOK, SMALL_PRINT, "\n", "x\n", "[Transcriber's Note: a\n"]))
)
def test_any_order_of_the_parts_leaves_lines_of_the_text_in_their_order(parts: list[str]) -> None:
    text = "".join(parts)
    left = iter(line.rstrip() for line in text.split("\n"))
    assert all(line in left for line in strip_gutenberg(text).text.rstrip("\n").split("\n") if line)
    assert strip_gutenberg(text) == strip_gutenberg(text)


@pytest.mark.parametrize(
    "unit",
    [
        END + "foo\n\n",
        START + "foo\n\n",
        END + "some words of a story\n\n" * 70 + START,
        "this is an etext line\n",
        "*" * 900 + "gutenberg\n",
        "project" + " " * 500,
        "transcriber's note: x\n\n",
        "<<this electronic version\n",
        "end of " + "x" * 70 + " gutenberg\n\n",
        "[transcriber's note: x [\n\n",
        "transcriber's note: text\n\nwords\n\n",
    ],
)
def test_time_is_linear_in_hostile_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "Project Gutenberg\n\n" + unit * (size // len(unit))
        start = time.process_time()
        strip_gutenberg(text)
        list(find_leftovers(text))
        return time.process_time() - start

    seconds(1000)
    short = max(seconds(200_000), 0.02)
    assert min(seconds(800_000), seconds(800_000)) < 12 * short


def test_leftovers_are_told_with_their_kind() -> None:
    text = "In the Project\nGutenberg etext [EBook #7] at www.gutenberg.org.\n"
    found = {leftover.kind: leftover.snippet for leftover in find_leftovers(text)}
    assert set(found) == {"Project Gutenberg", "etext", "ebook number", "gutenberg.org"}
    assert found["etext"] == text.replace("\n", " ").strip()
    assert list(find_leftovers(BOOK)) == []


#: The preface of one file speaks of its own making, as a text of its editor; all else must be gone.
SPEAKS_OF_ITSELF = {"The-Art-of-War.txt.gz": {"etext"}}


def test_no_line_of_the_licence_is_left_in_real_books(real_data: Path) -> None:
    files = sorted((real_data / "gutenberg").glob("*/*.txt*"))
    if len(files) < 100:
        pytest.skip("no real books here")
    unmarked = []
    for file in files:
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8", errors="replace")
        text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        stripped = strip_gutenberg(text)
        unmarked += [] if stripped.is_gutenberg else [file.name]
        assert {one.kind for one in find_leftovers(stripped.text)} <= SPEAKS_OF_ITSELF.get(file.name, set()), file.name
        assert not stripped.is_gutenberg or 10_500 < len(text) - len(stripped.text) < 24_000, file.name
        assert not stripped.is_gutenberg or stripped.header.number, file.name
    assert unmarked == ["wagahaiwa_nekodearu.txt"]
