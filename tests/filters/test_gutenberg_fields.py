"""What headers say of books is read, in all the ways they have said it."""

import pytest

from filters.gutenberg_fields import declared_encoding, language_code, number_of_file, parse_date, parse_header


def test_the_fields_of_a_header_of_today_are_read() -> None:
    header = parse_header(
        [
            "The Project Gutenberg EBook of The Mill, by A. Writer",
            "",
            "Title: The Mill",
            "       A Story of a River",
            "",
            "Author: A. Writer",
            "Posting Date: August 26, 2008 [EBook #1342]",
            "Release Date: June, 1998",
            "Last updated: February 15, 2015]",
            "Language: French",
            "Character set encoding: ISO-8859-1",
        ]
    )
    assert (header.title, header.author, header.language, header.number) == ("The Mill", "A. Writer", "fr", 1342)
    assert (header.released, header.encoding) == ("1998-06-01T00:00:00+00:00", "ISO-8859-1")
    assert header.others["last updated"] == "February 15, 2015"


@pytest.mark.parametrize(
    ("lines", "title", "author"),
    [
        (
            ["The Project Gutenberg Etext of Die Mühle by A. Schreiber", "#22 in our series"],
            "Die Mühle",
            "A. Schreiber",
        ),
        (["Project Gutenberg's The Mill, by A. Writer", ""], "The Mill", "A. Writer"),
        (["Project Gutenberg Etext of The Mill, by A. Writer", "", "Copyright laws"], "The Mill", "A. Writer"),
    ],
)
def test_title_and_author_of_an_old_header_are_in_its_first_line(lines: list[str], title: str, author: str) -> None:
    header = parse_header([*lines, "", "October, 2000  [Etext #2378]", "This book is written in German."])
    assert (header.title, header.author, header.number, header.language) == (title, author, 2378, "de")
    assert header.released == "2000-10-01T00:00:00+00:00"


def test_a_header_that_says_nothing_is_empty() -> None:
    header = parse_header(["", "Once upon a time"])
    assert (header.title, header.author, header.language, header.released, header.number) == ("", "", "", "", 0)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("July 12, 2008 [EBook #244]", "2008-07-12"),
        ("July 01, 1998 [EBook #1399]", "1998-07-01"),
        ("Jun, 1998  [EBook #1342]", "1998-06-01"),
        ("February 1995 [EBook #219]", "1995-02-01"),
        ("2004-01-31", "2004-01-31"),
        ("January, 15", ""),
        ("1992 [EBook #45]", ""),
        ("May 32, 2001", ""),
        ("May 1, 1815", ""),
        ("2004-13-01", ""),
    ],
)
def test_a_date_is_read_or_none_is_given(text: str, date: str) -> None:
    assert parse_date(text) == (f"{date}T00:00:00+00:00" if date else "")


@pytest.mark.parametrize(
    ("name", "code"),
    [("English", "en"), ("Middle English", "enm"), ("German, English", "de"), ("zh", "zh"), ("Elvish", ""), ("", "")],
)
def test_languages_have_their_iso_codes(name: str, code: str) -> None:
    assert language_code(name) == code


@pytest.mark.parametrize(
    ("stem", "number"),
    [("1342-0", 1342), ("1/3/4/1342/1342-8", 1342), ("pg74", 74), ("a.zip#1342", 1342), ("8wahl10", 0), ("part-7", 0)],
)
def test_the_number_of_an_ebook_is_in_its_file_s_name(stem: str, number: int) -> None:
    assert number_of_file(stem) == number


def test_a_declared_encoding_is_found_in_the_head_alone() -> None:
    line = b"Character set encoding: ISO-8859-1\r\n"
    assert declared_encoding(b"Title: x\r\n" + line) == "ISO-8859-1"
    assert declared_encoding(b"x" * 40_000 + b"\n" + line) is None
