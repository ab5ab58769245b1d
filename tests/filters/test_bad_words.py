"""Bad words, with words that nobody says: found where C4's regular expression finds them."""

import hashlib
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.bad_words import BadWords, BadWordsLimits, BadWordsReason, check_bad_words, read_words
from filters.verdict import Drop

LIST = ["grobble", "snarf", "two wobbly gnorfs", "fl@x", "+plim+", "🥔🥔", "zörb", "x-quib"]
URL = "http://a.example/1"


@pytest.fixture(scope="module")
def english() -> BadWords:
    return BadWords(LIST, "en")


@pytest.mark.parametrize(
    "text",
    [
        "grobble",
        "A GROBBLE is here.",
        "A grobble, and so on.",  # Dolma, which looks at what lies between blanks, lets it pass
        '"Grobble!"',
        "the\ngrobble\nitself",
        "non-grobble",
        "l'grobble",
        "Two wobbly gnorfs.",
        "a fl@x b",
        "(+plim+)",
        "a 🥔🥔 b",
        "🥔🥔",
        "ZÖRB.",
        "an x-quib",
        "+x-quib+",
        "grobble grobble",
        "snarf grobbles",
    ],
)
def test_a_word_is_found_where_it_stands_alone(text: str, english: BadWords) -> None:
    assert english.found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A page about ferries.",
        "grobbles",
        "engrobble",
        "grobble_x",
        "_grobble",
        "grobble1",
        "1grobble",
        "grobbleé",
        "grob ble",
        "two  wobbly gnorfs",
        "two wobbly, gnorfs",
        "two wobbly gnorf",
        "fl x",
        "a🥔🥔 b",
        "x+plim+",
        "quib",
        "xquib",
    ],
)
def test_a_word_is_not_found_inside_another(text: str, english: BadWords) -> None:
    assert not english.found_in(text)


@pytest.mark.parametrize("language", ["ja", "th", "zh", "zh-TW"])
def test_a_word_is_found_anywhere_in_languages_without_blanks(language: str) -> None:
    words = BadWords(["グロブ", "grob"], language)
    assert words.found_in("これはグロブです")
    assert words.found_in("ENGROBBLE")
    assert not words.found_in("グロ ブ")


def test_a_word_does_not_count_inside_another_in_languages_with_blanks() -> None:
    assert not BadWords(["グロブ"], "en").found_in("これはグロブです")
    assert not BadWords(["グロブ"], "jam").found_in("これはグロブです")


@pytest.mark.parametrize(
    ("language", "word"), [("ja", "sm"), ("ja", "SM"), ("ja", "グロ"), ("ja", "女の子"), ("zh", "性"), ("zh-TW", "性")]
)
def test_words_that_are_pieces_of_common_ones_do_not_count_in_their_language(language: str, word: str) -> None:
    words = BadWords([word, "グロブ"], language)
    assert not words.found_in(f"x{word}x")
    assert words.found_in("xグロブx")
    assert BadWords([word], "th").found_in(f"x{word}x")
    assert BadWords([word], "en").found_in(f"x {word} x")
    with pytest.raises(ValueError, match="empty"):
        BadWords([word], language)


def test_signs_of_regular_expressions_stand_for_themselves() -> None:
    words = BadWords([".*", "a.c", "(x)"], "en")
    assert not words.found_in("anything abc x")
    assert words.found_in("an a.c here")
    assert words.found_in("an (x) here")


def test_words_of_the_list_are_found_whatever_their_case() -> None:
    assert BadWords([" Grobble "], "en").found_in("grobble")


def test_empty_words_which_would_be_found_everywhere_are_left_out() -> None:
    words = BadWords(["", "grobble", "  "], "en")
    assert not words.found_in("A page, and more.")
    assert words.found_in("A grobble.")


@pytest.mark.parametrize("words", [[], ["", " \t"]])
def test_a_list_without_a_word_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="the list of bad words is empty; it must hold a word a line"):
        BadWords(words, "en")


SIGNS = st.sampled_from([*"ab1_ -+🥔é\n", "A", "B", "ab", "ba"])
WORDS = st.lists(st.lists(SIGNS, min_size=1, max_size=4).map("".join), min_size=1, max_size=5)


@settings(max_examples=600, deadline=None)
@given(WORDS, st.lists(SIGNS, max_size=14).map("".join), st.sampled_from(["en", "ja"]))
@example(["-a"], "a-a", "en")
@example(["a"], "a\n", "en")
@example(["b b"], "a b b1 b b", "en")
def test_words_are_found_where_c4s_regular_expression_finds_them(words: list[str], text: str, language: str) -> None:
    listed = [word.strip().lower() for word in words if word.strip()]
    if not listed:
        return
    one_of = "|".join(map(re.escape, listed))
    pattern = one_of if language == "ja" else rf"(?:\W|^)({one_of})(?:\W|$)"
    assert BadWords(words, language).found_in(text) == bool(re.search(pattern, text.lower()))


# --------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"grobble\nsnarf\n", ["grobble", "snarf"]),
        (b"grobble\r\n\r\n two words \r\n", ["grobble", "two words"]),
        (b"\xef\xbb\xbfgrobble\n\n\n", ["grobble"]),
        ("zörb\n🥔".encode(), ["zörb", "🥔"]),
    ],
)
def test_a_list_holds_a_word_a_line(content: bytes, words: list[str]) -> None:
    assert read_words(content) == words


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_a_file_without_a_word_or_of_another_encoding_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"empty|decode"):
        read_words(content)


# ------------------------------------------------------------------------------------------------------------ fraction


def test_a_page_with_a_word_goes_and_one_without_stays(english: BadWords) -> None:
    assert check_bad_words("A grobble.", URL, english, BadWordsLimits()) == Drop(BadWordsReason.FOUND)
    assert check_bad_words("A page.", URL, english, BadWordsLimits()) is None


def test_a_fraction_of_the_pages_with_a_word_is_dropped_by_the_hash_of_the_address(english: BadWords) -> None:
    urls = [f"https://www.a.example/{i}/" for i in range(4000)]
    limits = BadWordsLimits(fraction=0.75)
    dropped = [url for url in urls if check_bad_words("A grobble.", url, english, limits)]
    # 0.75 is 3/4: of every four values of the hash, the first three.
    keys = {url: url.removeprefix("https://www.").rstrip("/") for url in urls}
    wanted = [url for url in urls if int(hashlib.md5(keys[url].encode()).hexdigest(), 16) % 4 < 3]
    assert dropped == wanted
    assert 0.72 < len(dropped) / len(urls) < 0.78
    assert all(check_bad_words("A grobble.", url, english, BadWordsLimits()) for url in urls)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.001, "all", float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction: object) -> None:
    with pytest.raises(ValidationError):
        BadWordsLimits.model_validate({"fraction": fraction})
