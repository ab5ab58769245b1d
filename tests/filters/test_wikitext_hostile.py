"""Wikitext that nobody would write: no exception, nothing left over, time linear in the text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.wiki_names import names_of
from filters.wikitext import find_leftovers, is_disambiguation, wikitext_to_text

SERBIAN = names_of("srwiki")  # with variants of scripts, which is one token more

TOKENS = (
    "[[ {{ {| <ref> ' '' ''' <!-- = [[a| {{a| {{lang|fr| {{nowrap| [http://a [http:// <div> <table> "
    "<nowiki> <pre> <math> "
    "<code> {{{1| -{ -{a; ] } | |} ( (; __ http:// <b </ <poem> {{#if: {{#switch:a| [[File:a| {{quote| |a= =a {{ubl|* "
    "&amp; &# &lt; a<ref>b</ref>, ({{x}}; {{!}} {{=}} <br> [[a]] {{x}} {{lang|fr|x}} <code>[[ "
    "<code><!-- [[: [[a:b: {{a|b= "
    "''{{x}} l'''a {{x}}- {{age}}) ({{age}} {{coord|1|2}} {{France}} [1] "
    "{{convert|5|-| ((((({{x}} , __TOC__ {{'}} [[, <ref/>"
)
OPENINGS = TOKENS.split(" ")
SOUP = [
    *OPENINGS,
    *(
        "]]",
        "}}",
        "|}",
        "</ref>",
        "]",
        "</div>",
        "}-",
        "}}}",
        "</code>",
        ")",
        "''",
        "-->",
        "</table>",
        "</nowiki>",
        "</math>",
    ),
    *(
        "\n",
        "\n==",
        "\n|",
        "\n*",
        "\n{|",
        " ",
        "\xa0",
        "word",
        "\x01",
        "\x06",
        "\ud800",
        "1",
        "\x012\x02",
        "Datoteka:",
        "https://a.b",
    ),
]
CLOSINGS = ("", "]]", "}}", "\n|}", "</ref>", "]", "</div>", "}-", "</code>", ")")


@pytest.mark.parametrize("closing", CLOSINGS)
def test_time_is_linear_whatever_is_opened_or_nested(closing):
    """A text eight times as long takes less than 30 times as long: a quadratic step would take 64 times."""
    for opening in (*OPENINGS, "\n|}", "\n{|", "\n", " ", "\xa0", "==a==\n", "a\n", "\n "):
        long = _seconds(opening, closing, 5_600)
        if long > 0.04:  # a pause of the machine, or not
            short = min(_seconds(opening, closing, 700) for _ in range(2))
            long = min(_seconds(opening, closing, 5_600) for _ in range(2))
            assert long < 0.04 or long < 30 * short, f"{opening!r} and {closing!r}: {short:.4f} s, {long:.4f} s"


def test_a_paragraph_of_many_lines_is_put_together_once():
    short, long = (min(_seconds("a\n", "", chars) for _ in range(2)) for chars in (100_000, 800_000))
    assert long < 25 * short, f"{short:.4f} s, {long:.4f} s"


def _seconds(opening: str, closing: str, chars: int) -> float:
    count = chars // (len(opening) + len(closing))
    text = opening * count + closing * count
    start = time.process_time()
    _check(text)
    return time.process_time() - start


def _check(wikitext: str) -> None:
    result = wikitext_to_text(wikitext, SERBIAN)
    result.text.encode()
    assert not {char for char in result.text if char < " " and char not in "\n\t"}
    ends = [0, *(place for span in result.protected for place in span), len(result.text)]
    assert ends == sorted(ends)
    assert find_leftovers(result, SERBIAN) == []
    is_disambiguation(wikitext, SERBIAN)


@pytest.mark.parametrize(
    "opening",
    [
        "[[",
        "{{",
        "{|",
        "<ref>",
        "'",
        "<!--",
        "=",
        "{{lang|a|",
        "[[a|",
        "[http://a ",
        "|",
        "\n==",
        "{{coord|1|",
        "({{age}}",
        "{{France}}",
        ".[1]",
    ],
)
def test_a_quarter_of_a_megabyte_of_one_token_is_read(opening):
    start = time.process_time()
    _check(opening * (250_000 // len(opening)))
    assert time.process_time() - start < 5


def test_thousands_of_levels_are_read():
    for opening, closing in (
        ("{{lang|a|", "}}"),
        ("[[a|", "]]"),
        ("{|\n", "\n|}"),
        ("<div>", "</div>"),
        ("{{{a|", "}}}"),
    ):
        _check(f"before {opening * 15_000} x {closing * 15_000} after")


@settings(max_examples=400)
@given(st.lists(st.sampled_from(SOUP), max_size=60).map("".join))
def test_soups_of_tokens_leave_nothing_over(wikitext):
    _check(wikitext)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_can_be_read(wikitext):
    _check(wikitext)


@settings(max_examples=200)
@given(st.lists(st.from_regex(r"[A-Za-zà-ž]{1,9}[,.]?", fullmatch=True), min_size=1, max_size=30))
def test_plain_words_are_all_kept(words):
    text = " ".join(words)
    assert wikitext_to_text(text, SERBIAN).text == text


@settings(max_examples=200)
@given(st.lists(st.sampled_from(SOUP), max_size=30).map("".join))
def test_text_before_torn_markup_is_kept(soup):
    assert wikitext_to_text(f"plain words\n\n{soup}", SERBIAN).text.startswith("plain words")


#: Wikitext, and what of it is protected; nothing of it is at the edge of a text.
PROTECTED = [
    ("<nowiki>[[a]]  ''b''</nowiki>", ["[[a]]  ''b''"]),
    ("<code>c  [1] ,</code>", ["c  [1] ,"]),
    ("<math>\\{{d}\\}</math>", ["\\{{d}\\}"]),
    ("&lt;", ["<"]),
    ("&#91;&#91;", ["[", "["]),
    ("<syntaxhighlight lang=c>e  {|\n  f;</syntaxhighlight>", ["e  {|\n  f;"]),
    ("<pre>g  |}\n* h</pre>", ["g  |}\n* h"]),
    ("<chem>H2O</chem>", ["H2O"]),
]
FILLERS = [
    *(" ", "  ", "\n", "\n\n", "\xa0", "word", "é", "{{x}}", "({{x}}; ", ")", ", ", ".", "''", "'''", "<br>", "\n* "),
    *("\n ", "<ref>z</ref>", "<!-- z -->", "[[a|b]]", "&nbsp;", "{{nbsp}}", "http://a.org/x ", "\u200b", "\n\n{{x}}\n"),
    *("<div>", "({{age}} ago)", "{{nowrap|a}}"),
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PROTECTED) | st.sampled_from(FILLERS).map(lambda text: (text, [])), max_size=30))
def test_protected_spans_are_what_was_written_whatever_blanks_are_set_right_around_them(pieces):
    result = wikitext_to_text("".join(wikitext for wikitext, _ in pieces), SERBIAN)
    written = [one for _, protected in pieces for one in protected]
    assert [result.text[start:end] for start, end in result.protected] == written
