"""Lines, addresses, keys and sentences as C4 sees them."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import nupunkt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.c4_text import Sentences, c4_lines, is_validation, line_keys, newest_first, page_order, url_hash, url_key

URLS = st.lists(
    st.sampled_from(
        ["http://", "https://", "www.", "WWW.", "ftp://", "a.example", "/", "//", "path", "?", "&", "utm_source=x",
         "ref=1", "feed", "id=2", "Ünï", "#top", "\n"]
    ),
    max_size=10,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("", ""),
        ("\n \r\n\t\n", ""),
        ("Title\nText\n", "Title\nText"),
        ("  Title \n\n\n\u00a0Text\u3000\n", "Title\nText"),
        ("One\rTwo\r\nThree", "One\nTwo\nThree"),
        ("One\u2028Two\x0bThree\x85Four", "One\u2028Two\x0bThree\x85Four"),
        ("WARC/1.0\nWARC-Date: x\nWARCs are archives.\nText", "Text"),
        ("CONTENT-TYPE\nContent-Length: 5\nText", "Text"),
        ("  WARC behind blanks\nText", "Text"),
        ("Contents\ncontent-type\nwarc\nThe WARC file", "Contents\ncontent-type\nwarc\nThe WARC file"),
    ],
)
def test_hand_cases_of_lines(block: str, text: str) -> None:
    assert c4_lines(block) == text


PARTS = st.lists(st.sampled_from([*"aW \u00a0\r\n\x0b\u2028", "\r\n", "WARC", "Content-", "CONTENT-"]), max_size=30)


@given(PARTS.map("".join))
def test_lines_are_those_of_a_file_opened_as_text(block: str) -> None:
    lines = [line.strip() for line in re.split("\r\n|\r|\n", block)]
    wanted = [line for line in lines if line and not re.match("WARC|CONTENT-|Content-", line)]
    assert c4_lines(block) == "\n".join(wanted)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://example.com", "example.com"),
        ("https://www.example.com/", "example.com"),
        ("http://www2.example.com/", "www2.example.com"),
        ("https://example.com///", "example.com"),
        ("https://Example.com/A", "Example.com/A"),
        ("HTTP://example.com/", "HTTP://example.com"),
        ("http://archive.example/web/http://www.b.example/x", "archive.example/web/b.example/x"),
        ("http://a.example/x?utm_source=y&id=1", "a.example/x"),
        ("http://a.example/x?ref=y", "a.example/x"),
        ("http://a.example/x?reference=y", "a.example/x"),
        ("http://a.example/?feed=rss", "a.example"),
        ("http://a.example/x?id=1&utm_source=y", "a.example/x?id=1&utm_source=y"),
        ("http://a.example/x?id=1?utm_source=y", "a.example/x?id=1"),
        ("http://a.example/?", "a.example/?"),
        ("http://a.example/#top", "a.example/#top"),
        ("", ""),
    ],
)
def test_hand_cases_of_addresses(url: str, key: str) -> None:
    assert url_key(url) == key


def key_by_hand(url: str) -> str:
    for scheme in ("https://www.", "http://www.", "https://", "http://"):
        url = url.replace(scheme, "\0")
    url = url.replace("\0", "")
    starts = [start for name in ("?utm_", "?ref", "?feed") if (start := url.find(name)) >= 0]
    if starts:
        end = url.find("\n", min(starts))
        url = url[: min(starts)] + (url[end:] if end >= 0 else "")
    return url.rstrip("/")


@settings(max_examples=300)
@given(URLS.filter(lambda url: len(re.findall(r"\?(utm_|ref|feed)", url)) < 2))
@example("hthttp://tp://a.example")
def test_addresses_are_folded_in_one_pass(url: str) -> None:
    assert url_key(url) == key_by_hand(url)


def test_the_hash_of_an_address_is_the_md5_of_its_key_as_one_number() -> None:
    # RFC 1321: MD5("abc").
    assert url_hash("http://www.abc/") == 0x900150983CD24FB0D6963F7D28E17F72


def test_the_order_of_pages_is_the_beginning_of_the_md5_of_the_address_as_crawled() -> None:
    assert page_order("abc") == 0x900150983CD24FB0
    assert page_order("http://abc") != page_order("abc")


@given(st.text(max_size=9), st.text(max_size=9))
def test_pages_are_ordered_as_by_the_digits_of_their_md5(one: str, other: str) -> None:
    first, second = (hashlib.md5(url.encode()).hexdigest() for url in (one, other))
    assert (page_order(one) < page_order(other)) == (first < second)


def test_one_page_in_a_thousand_is_for_validation() -> None:
    chosen = [i for i in range(20_000) if is_validation(f"https://a.example/{i}")]
    wanted = [i for i in range(20_000) if int(hashlib.md5(b"a.example/%d" % i).hexdigest(), 16) % 1000 == 0]
    assert chosen == wanted
    assert 5 < len(chosen) < 40


def test_pages_of_the_published_training_split_are_none_of_them(real_data: Path) -> None:
    with gzip.open(real_data / "c4" / "c4-train.00000-of-01024.sample.json.gz", "rt") as lines:
        urls = [json.loads(line)["url"] for line in lines]
    assert len(urls) == len({url_key(url) for url in urls}) == 666
    assert not any(map(is_validation, urls))


# ------------------------------------------------------------------------------------------------------------- times


def test_the_newest_copy_comes_first() -> None:
    times = [
        "2019-04-25T12:57:54.000001Z",
        "2019-04-25T12:57:54Z",
        "2019-04-25T14:57:53+02:00",
        "2019-04-25",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
    ]
    orders = [newest_first(time) for time in times]
    assert orders == sorted(orders)
    assert len(set(orders)) == len(times)


def test_the_order_counts_microseconds_to_the_end_of_the_calendar() -> None:
    assert newest_first("9999-12-31T23:59:59.999999Z") == 0
    assert newest_first("9999-12-31T23:59:58.999999Z") == 1_000_000
    assert newest_first("9999-12-30T23:59:59.999999") == 86_400 * 1_000_000  # without an offset it is UTC
    assert newest_first("0001-01-01T00:00:00Z") < 1 << 63


@pytest.mark.parametrize(
    "time", ["", " ", "2019-13-01T00:00:00Z", "Thu, 25 Apr 2019", "20190425125754", "0001-01-01T00:00+23:00"]
)
def test_what_is_no_time_has_no_order(time: str) -> None:
    assert newest_first(time) is None


# -------------------------------------------------------------------------------------------------------------- lines

LINES = st.lists(
    st.text(st.sampled_from("aAéÉΣσςİK \t\u00a0\u2028.") | st.characters(exclude_categories=["Cs"]), max_size=6)
)


@settings(max_examples=300)
@given(LINES)
@example(["ΟΔΟΣ", "Α"])
def test_keys_are_equal_exactly_where_lines_are_but_for_case_and_outer_blanks(lines: list[str]) -> None:
    text = "\n".join(lines)
    keys = line_keys(text)
    folded = [line.strip().lower() for line in text.split("\n")]
    assert keys.dtype == np.uint64
    assert len(keys) == len(folded)
    for key, line in zip(keys.tolist(), folded, strict=True):
        for other_key, other in zip(keys.tolist(), folded, strict=True):
            assert (key == other_key) == (line == other)


def test_unlike_ccnet_digits_and_marks_count() -> None:
    assert len(set(line_keys("In 2019, at last.\nIn 2020, at last.\nIn 2019 at last.").tolist())) == 3


def test_a_key_is_xxh3_of_the_folded_line() -> None:
    # XXH3-64 of the empty input, from xxHash's specification (seed 0).
    assert line_keys(" \u00a0 ").tolist() == [0x2D06800538D394C2]


# ---------------------------------------------------------------------------------------------------------- sentences


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return Sentences()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n\t", 0),
        ("One", 1),
        ("One. Two? Three! Four.", 4),
        ("Dr. Smith arrived. He sat down.", 2),
        ("It cost 3.5 million. That is much.", 2),
        ('He said "Go." Then he went.', 2),
        ("One line.\nAnother line.", 2),
        ("A line that goes on\nin the next one.", 1),
        ("...", 1),
    ],
)
def test_hand_cases_of_sentences(text: str, count: int, sentences: Sentences) -> None:
    assert sentences.count(text, 100) == count
    assert sentences.count(text, 2) == min(count, 2)


TOKENS = st.sampled_from(
    ["He", "he", "end.", "end?", "end!", "Inc.", "U.S.", "Dr.", "A.", "1.", ".", "!", "?", "...", "…", '"', '."', '?"',
     ")", "'", "”", ".)", "a.)b.)", "e.g.", "p.m.", "*", "--", "x" * 30, "x" * 1100 + ".", "i.", "(a)."]
)  # fmt: skip
TEXTS = st.lists(
    st.tuples(TOKENS, st.sampled_from([" ", " ", "\n", "\n\n", "", "  ", "\u00a0", "\x1c"])), max_size=60
).map(lambda parts: "".join(token + joint for token, joint in parts))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.integers(1, 8), st.integers(1, 80))
def test_counting_in_the_beginning_of_a_text_finds_what_counting_all_of_it_does(
    text: str, enough: int, head: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("filters.c4_text._HEAD_CHARS", head)
        sentences = Sentences()
        assert sentences.count(text, enough) == min(len(sentences.spans(text)), enough)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_text_that_is_not_blank_has_a_sentence(text: str) -> None:
    assert (Sentences().count(text, 1) == 1) == bool(text.strip())


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_spans_cover_all_but_blanks_between_and_around_them(text: str) -> None:
    behind = 0
    for start, end in Sentences().spans(text):
        assert text[start:end] == text[start:end].strip() != ""
        assert not text[behind:start].strip()
        behind = end
    assert not text[behind:].strip()


def test_a_word_of_more_than_1000_characters_ends_no_sentence(sentences: Sentences) -> None:
    assert sentences.spans(f"One. {'x' * 999}. Two.") == [(0, 4), (5, 1005), (1006, 1010)]
    assert sentences.spans(f"One. {'x' * 1000}. Two.") == [(0, 4), (5, 1011)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["a.)", '."', ". ", "! ", ".\n", "a . . . . b ", 'Is it?" he. ', "A. B. "])
def test_no_text_takes_long(part: str, sentences: Sentences) -> None:
    # Without the rule for long words the first two took ten seconds each.
    text = part * (190_000 // len(part))
    assert sentences.count(text, 3) == min(len(sentences.spans(text)), 3)


def test_real_pages_have_as_many_sentences_as_nupunkt_says(real_data: Path, sentences: Sentences) -> None:
    with gzip.open(real_data / "c4" / "c4-train.00000-of-01024.sample.json.gz", "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines][::3]
    for text in texts:
        assert sentences.count(text, 3) == min(len(nupunkt.sent_tokenize(text)), 3)
