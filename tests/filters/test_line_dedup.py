"""Which lines count as equal, held against CCNet's rules applied to one line at a time, one step after another."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.line_dedup import (
    Keep,
    LineDedupSettings,
    Scope,
    fingerprint_lines,
    normalize_lines,
    remove_lines,
)

#: CCNet's 34 marks, the full-width digit one among them, by code point.
MARKS = [
    0xFF0C, 0x3002, 0x3001, 0x201E, 0x201D, 0x201C, 0xAB, 0xBB, 0xFF11, 0x300D, 0x300C, 0x300A, 0x300B, 0xB4, 0x2236,
    0xFF1A, 0xFF1F, 0xFF01, 0xFF08, 0xFF09, 0xFF1B, 0x2013, 0x2014, 0xFF0E, 0xFF5E, 0x2019, 0x2026, 0x2501, 0x3008,
    0x3009, 0x3010, 0x3011, 0xFF05, 0x25BA,
]  # fmt: skip
CONTROLS = [*range(32), *range(127, 160)]
FULL_WIDTH_ONE = "１"


def ccnet(line: str) -> str:
    """The four steps of ``normalize_for_dedup``, in their order, on one line."""
    stripped = line.strip()
    if not stripped:
        return ""
    lowered = stripped.lower()
    folded = re.sub(r"\d", "0", lowered)
    return "".join(char for char in folded if ord(char) not in MARKS and ord(char) not in CONTROLS)


SPECIAL = [
    *map(chr, MARKS),
    *map(chr, CONTROLS),
    *"ΣσςİIıßẞǅŉÉé",  # case: final sigma, a capital that becomes two characters, title case
    *"0123456789０９٠٩۵०৯𝟗𝟘",  # digits of many scripts
    *"½²①Ⅷ",  # numbers that are no digits
    *"\u00a0\u2003\u2028\u2029\u3000\u200b\ufeff\u0301\u00ad",  # blanks that strip() knows, and signs that it does not
    *"\n\n\n .,'\"-aZ😀中",
]
TEXT = st.text(st.sampled_from(SPECIAL) | st.characters(exclude_categories=["Cs"]), max_size=60)


def test_there_are_34_marks() -> None:
    assert len(set(MARKS)) == 34


@settings(max_examples=500, deadline=None)
@given(TEXT)
@example("ΑΣ\nΣ ΑΣ’\nΑΣ\x00Α")
@example("A\x85B\x1cC\u2028D\r\nE\r")
def test_lines_normalise_as_ccnet_does_one_by_one(text: str) -> None:
    assert normalize_lines(text) == [ccnet(line).encode() for line in text.split("\n")]


@pytest.mark.parametrize("code", [code for code in range(0x110000) if unicodedata.category(chr(code)) == "Nd"][::7])
def test_every_decimal_digit_of_unicode_becomes_a_zero(code: int) -> None:
    assert normalize_lines(f"a{chr(code)}b") == [b"a0b"]


@pytest.mark.parametrize("code", sorted({*MARKS, *CONTROLS} - {ord("\n"), ord(FULL_WIDTH_ONE)}))
def test_each_mark_and_control_is_deleted(code: int) -> None:
    assert normalize_lines(f"a{chr(code)}b") == [b"ab"]


@pytest.mark.parametrize(
    ("line", "normalised"),
    [
        ("", ""),
        ("   ", ""),
        ("\u00a0\u3000Page\u2003", "page"),
        ("A\tB", "ab"),
        ("Copyright © 1999-2019", "copyright © 0000-0000"),
        ("Don't stop.", "don't stop."),
        ("Don’t stop…", "dont stop"),
        ("ＡＢＣ１２", "ａｂｃ00"),
        ("١٢٣ صفحة", "000 صفحة"),
        ("2½ m²", "0½ m²"),
        ("a  b", "a  b"),
        ("a\u00a0b", "a\u00a0b"),
        ("CAFÉ", "café"),
        ("ΟΔΟΣ", "οδος"),
        ("ΣΟΦΙΑ", "σοφια"),
        ("İstanbul", "i\u0307stanbul"),
        ("“ a ”", " a "),  # stripped before the marks go, not after
        ("...", "..."),
        ("…", ""),
    ],
)
def test_hand_cases(line: str, normalised: str) -> None:
    assert normalize_lines(line) == [normalised.encode()]


def test_a_final_sigma_at_a_line_end_is_not_joined_to_the_next_line() -> None:
    assert normalize_lines("ΟΔΟΣ\nΑ") == ["οδος".encode(), "α".encode()]


@settings(deadline=None)
@given(TEXT)
def test_there_is_a_fingerprint_for_each_part_between_line_feeds(text: str) -> None:
    found = fingerprint_lines(text)
    assert found.dtype == np.uint64
    assert len(found) == len(text.split("\n"))


@settings(deadline=None)
@given(st.lists(TEXT.filter(lambda line: "\n" not in line), min_size=1, max_size=12))
def test_fingerprints_are_equal_exactly_where_ccnets_lines_are(lines: list[str]) -> None:
    found = fingerprint_lines("\n".join(lines)).tolist()
    normal = [ccnet(line) for line in lines]
    for one, first in zip(found, normal, strict=True):
        for other, second in zip(found, normal, strict=True):
            assert (one == other) == (first == second)


def test_a_fingerprint_is_xxh3_of_the_normalised_line() -> None:
    # XXH3-64 of the empty input, from xxHash's specification (seed 0).
    assert fingerprint_lines("").tolist() == [0x2D06800538D394C2]
    assert fingerprint_lines("\n \x00 \n…").tolist() == [0x2D06800538D394C2] * 3


def test_a_line_has_the_same_fingerprint_wherever_it_stands() -> None:
    assert fingerprint_lines("x\nHome | About\ny")[1] == fingerprint_lines("  home | ABOUT ")[0]


@given(st.lists(st.tuples(st.text(st.sampled_from("ab \r\u2028"), max_size=4), st.booleans()), min_size=1, max_size=9))
def test_the_lines_not_marked_stay_as_they_were(rows: list[tuple[str, bool]]) -> None:
    text = "\n".join(line for line, _ in rows)
    removed = np.array([gone for _, gone in rows], np.bool_)
    assert remove_lines(text, removed) == "\n".join([line for line, gone in rows if not gone])


def test_the_line_breaks_of_an_untouched_text_stay() -> None:
    assert remove_lines("a\n\nb\n", np.zeros(4, np.bool_)) == "a\n\nb\n"


def test_nothing_is_left_when_all_lines_go() -> None:
    assert remove_lines("a\nb", np.ones(2, np.bool_)) == ""


@pytest.mark.parametrize("length", [1, 3])
def test_a_mask_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"2 lines in the text, {length} were fingerprinted"):
        remove_lines("a\nb", np.zeros(length, np.bool_))


def test_removing_all_copies_over_the_whole_corpus_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="deletes every page crawled twice; allowed with scope 'corpus': keep 'f"):
        LineDedupSettings(scope=Scope.CORPUS, keep=Keep.NONE)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("keep", Keep)
def test_every_other_pair_of_scope_and_copy_is_allowed(scope: Scope, keep: Keep) -> None:
    if (scope, keep) != (Scope.CORPUS, Keep.NONE):
        chosen = LineDedupSettings(scope=scope, keep=keep)
        assert (chosen.scope, chosen.keep) == (scope, keep)


def test_the_defaults_are_ccnets() -> None:
    # 1,600 shards of a dump in windows of 50; all copies go.
    assert LineDedupSettings().windows_per_dump == 1600 // 50
    assert (LineDedupSettings().scope, LineDedupSettings().keep) == ("window", "none")


@pytest.mark.parametrize("values", [{"windows_per_dump": 0}, {"max_shuffle_bytes": 1}, {"keep": "last"}, {"window": 3}])
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LineDedupSettings.model_validate(values)
