"""The normalisation against CCNet's rules applied one after the other, a character at a time."""

import gzip
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import perplexity_text
from filters.perplexity_text import PUNCTUATION, normalize_for_perplexity

#: What the published table replaces, and by what, in its order.
MARKS = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
REPLACEMENTS = [*",.,", *'""""""""""', "'", *"::?!();-", " - ", ". ", "~", "'", "...", *"-<>[]%-"]
TABLE = dict(zip(MARKS, REPLACEMENTS, strict=True))


def by_the_facts(text: str) -> str:
    text = text.strip().lower()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    text = re.sub(r"\d", "0", text)
    text = "".join(TABLE.get(c, c) for c in text)
    return "".join(c for c in text if not (ord(c) <= 31 or 127 <= ord(c) <= 159))


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("\x00\x01", ""),
        ("\x00 \x00", " "),
        ("first line\nsecond line 12", "first linesecond line 00"),
        ("A\tB\x7fC\x9fD\x85E", "abcde"),
        ("Él, Ünïcode; naïve", "el, unicode; naive"),
        ("e\u0301\u0327", "e"),
        ("２０１９ ٣ १", "0000 0 0"),
        ("１", "0"),
        ("x½²", "x½²"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
        ("ΟΔΟΣ ΣΟ Σ", "οδος σο σ"),
        ("İI", "ii"),
        ("a—b…．x", "a - b.... x"),
        ("¿Sí? «no» ‹…› 'x'", "¿si? \"no\" ‹...› 'x'"),
        ("in\u00a0side\u3000", "in\u00a0side"),
        ("ß ﬁ Ⅷ", "ß ﬁ ⅷ"),
    ],
)
def test_traced_by_hand(text, normalized):
    assert normalize_for_perplexity(text) == normalized
    assert by_the_facts(text) == normalized


def test_the_table_is_the_published_one_less_the_digit_that_is_folded_before():
    assert len(MARKS) == 34
    assert {**PUNCTUATION, "１": '"'} == TABLE


def test_every_character_of_unicode_is_normalised_as_the_facts_say():
    for start in range(0, sys.maxunicode + 1, 1 << 12):
        text = "".join(f"x{chr(code)}a" for code in range(start, start + (1 << 12)))
        assert normalize_for_perplexity(text) == by_the_facts(text), hex(start)


@given(st.text(max_size=60))
def test_any_text_is_normalised_as_the_facts_say(text):
    assert normalize_for_perplexity(text) == by_the_facts(text)


# Marks that decomposition moves, spacing and not, letters that hold them, and what is special in lower case.
RESTLESS = "\u302e\u302f\u0301\u0323\U0001d165\U0001d16d\U0001d15f\U00016ff0\ua9c0\u1734aΣσİ가\u0345é\n— …７"


@given(st.text(st.sampled_from(RESTLESS), max_size=12), st.text(max_size=3))
def test_marks_in_any_order_are_put_in_the_order_of_the_standard(marks, rest):
    text = marks + rest + marks
    assert normalize_for_perplexity(text) == by_the_facts(text)


@given(st.text(st.sampled_from(RESTLESS), min_size=1, max_size=20), st.integers(1, 4))
def test_a_long_text_is_folded_in_slices_that_do_not_show(text, slice_chars):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perplexity_text, "_SLICE_CHARS", slice_chars)
        assert normalize_for_perplexity(text) == by_the_facts(text)


def test_lines_are_joined_by_a_space_if_so_asked():
    assert normalize_for_perplexity("\nfirst line\nSecond\n\nthïrd\n", " ") == "first line second  third"
    assert normalize_for_perplexity("first line\nSecond\n", " ") == "first line second"


def test_a_lone_surrogate_passes():
    assert normalize_for_perplexity("Á\ud800Z") == "a\ud800z"


def test_real_pages_are_normalised_as_the_facts_say(real_data: Path):
    files = sorted(real_data.glob("commoncrawl/**/*.wet.gz"))
    assert files
    for path in files:
        try:
            text = gzip.decompress(path.read_bytes()).decode(errors="replace")
        except (EOFError, OSError):
            continue
        for page in text.split("WARC/1.0"):
            assert normalize_for_perplexity(page) == by_the_facts(page)
