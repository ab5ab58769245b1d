"""C4's rules for pages and lines, one by one, and all of them against the rules written down in a row."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.c4 import C4Limits, C4LineReason, C4Reason, CleanedPage, check_length, check_record, check_sentences
from filters.c4 import clean_page as clean
from filters.c4_text import Sentences, c4_lines
from filters.verdict import Drop
from pipeline.document import Document
from pipeline.sources.c4_files import read_c4
from pipeline.sources.pages import read_pages

GOOD = ["The ferry left at dawn today.", "Nobody on board had slept well.", "Who would have thought so?"]
PAGE = "\n".join(GOOD)
WHEN = "2019-04-25T12:57:54Z"


def count_marks(text: str, enough: int) -> int:
    """Sentences by their end marks, so that the tests of the line rules need no model; a blank text has none."""
    return min(max(len(re.findall(r"[.?!]", text)), 1 if text.strip() else 0), enough)


def clean_page(text: str, limits: C4Limits | None = None) -> CleanedPage:
    return clean(text, limits or C4Limits(), count_marks)


def removed_by(line: str) -> dict[str, int]:
    """What a line between good ones is counted under; the page must come out without it."""
    page = clean_page("\n".join([GOOD[0], line, *GOOD[1:]]))
    assert (page.text, page.drop) == (PAGE, None)
    return {str(reason): count for reason, count in page.removed.items()}


def cleaned_line(line: str) -> str:
    """A line as it stands between good ones after cleaning, which must keep it."""
    page = clean_page("\n".join([GOOD[0], line, *GOOD[1:]]))
    assert page.drop is None
    assert page.removed == Counter()
    first, middle, *rest = str(page.text).split("\n")
    assert [first, *rest] == GOOD
    return middle


def dropped_by(line: str) -> Drop | None:
    page = clean_page("\n".join([*GOOD, line]))
    assert page.text is None
    return page.drop


# ---------------------------------------------------------------------------------------------------- lines, in order


def test_a_page_of_prose_stays_as_it_is() -> None:
    assert clean_page(PAGE) == CleanedPage(PAGE, None, Counter())


@pytest.mark.parametrize("long_word", ["x" * 1001, "x" * 1001 + "."])
def test_a_line_with_a_word_of_1001_characters_goes(long_word: str) -> None:
    assert removed_by(f"Here is a word {long_word} of a thousand.") == {"lines_long_word": 1}


def test_a_line_with_a_word_of_1000_characters_stays() -> None:
    line = f"Here is a word {'x' * 1000} of a thousand."
    assert cleaned_line(line) == line


def test_the_length_of_a_word_is_taken_before_citations_go() -> None:
    word = "x" * 999 + "[1]"
    assert removed_by(f"Here is a word {word} with a citation.") == {"lines_long_word": 1}


@pytest.mark.parametrize("mark", [".", "?", "!", '"'])
def test_each_end_mark_ends_a_line(mark: str) -> None:
    line = f"This is the end of it{mark}"
    assert cleaned_line(line) == line


@pytest.mark.parametrize("end", ["", ",", ":", ";", "'", "”", "…", ")", "...", "....", '."\u200b', "。"])
def test_a_line_without_an_end_mark_goes(end: str) -> None:
    # datatrove takes an apostrophe for an end mark, and Dolma does not look for "...".
    assert removed_by(f"This is the end of it{end}") == {"lines_no_end_mark": 1}


@pytest.mark.parametrize("end", [" ..", '..."', "...?", ".. ."])
def test_only_three_dots_in_a_row_at_the_very_end_are_an_ellipsis(end: str) -> None:
    line = f"This is the end of it{end}"
    assert cleaned_line(line) == line


def test_a_line_of_four_words_goes_and_one_of_five_stays() -> None:
    assert removed_by("These are four words.") == {"lines_few_words": 1}
    assert cleaned_line("These are now five words.") == "These are now five words."


def test_five_words_are_wanted_and_not_three_as_datatrove_and_dolma_have_it() -> None:
    assert removed_by("Only three words.") == {"lines_few_words": 1}


def test_words_are_what_lies_between_blanks_of_any_kind() -> None:
    assert cleaned_line("One\u00a0two\tthree\u3000four   five.") == "One\u00a0two\tthree\u3000four   five."
    assert removed_by("one,two,three,four,five six seven 8.") == {"lines_few_words": 1}


def test_words_are_counted_after_citations_went() -> None:
    # datatrove counts them before.
    assert removed_by("Some [1] [2] [3] words here.") == {"lines_few_words": 1}


@pytest.mark.parametrize("citation", ["[1]", "[123456]", "[]", "[edit]", "[citation needed]", "[٣]"])
def test_citations_are_taken_out_of_a_line(citation: str) -> None:
    assert cleaned_line(f"It was{citation} a long story{citation}.") == "It was a long story."


@pytest.mark.parametrize("kept", ["[a]", "[1,2]", "[ 1 ]", "[Edit]", "[Citation needed]", "[1", "(1)", "[-1]"])
def test_other_brackets_stay(kept: str) -> None:
    assert cleaned_line(f"It was{kept} a long story.") == f"It was{kept} a long story."


def test_a_line_that_ends_in_a_blank_once_its_citation_is_gone_has_no_end_mark() -> None:
    assert removed_by("This is some text here. [3]") == {"lines_no_end_mark": 1}
    assert cleaned_line("This is some text here.[3]") == "This is some text here."


def test_a_line_that_begins_with_a_citation_keeps_the_blank_behind_it() -> None:
    assert cleaned_line("[7] This is some text here.") == " This is some text here."


def test_at_the_beginning_of_the_page_that_blank_goes() -> None:
    assert clean_page(f"[7] This is some text here.\n{PAGE}").text == f"This is some text here.\n{PAGE}"


def test_an_index_of_a_program_goes_like_a_citation() -> None:
    assert cleaned_line("Take the element arr[0] of it.") == "Take the element arr of it."


def test_a_line_that_speaks_of_javascript_goes_and_the_page_stays() -> None:
    # Dolma drops the document.
    assert removed_by("Please enable JavaScript to see it.") == {"lines_javascript": 1}


@pytest.mark.parametrize(
    "notice",
    [
        "Terms of Use",
        "privacy policy",
        "COOKIE POLICY",
        "uses cookies",
        "use of cookies",
        "use cookies",
        "use coo\u212aies",
    ],
)
def test_a_line_with_a_notice_goes(notice: str) -> None:
    assert removed_by(f"On this site {notice} are found.") == {"lines_policy": 1}


@pytest.mark.parametrize("other", ["terms  of use", "term of use", "cookies", "policy on privacy", "using cookies"])
def test_a_line_with_something_like_a_notice_stays(other: str) -> None:
    assert cleaned_line(f"On this site {other} are found.") == f"On this site {other} are found."


# ----------------------------------------------------------------------------------------------- lines that drop a page


def test_placeholder_text_drops_the_page() -> None:
    assert dropped_by("LOREM Ipsum dolor sit amet.") == Drop(C4Reason.LOREM_IPSUM)


def test_placeholder_text_is_looked_for_after_citations_went() -> None:
    assert dropped_by("Here is lorem [1]ipsum for you.") == Drop(C4Reason.LOREM_IPSUM)


def test_a_curly_bracket_drops_the_page() -> None:
    assert dropped_by("The set { of all numbers.") == Drop(C4Reason.CURLY_BRACKET)


def test_the_closing_one_does_not() -> None:
    assert cleaned_line("The set } of all numbers.") == "The set } of all numbers."


@pytest.mark.parametrize("sign", ["{", "lorem ipsum"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{'x' * 1001} SIGN of a long word.", "lines_long_word"),
        ("Menu SIGN that has no end mark", "lines_no_end_mark"),
        ("Menu SIGN that goes on ...", "lines_no_end_mark"),
        ("Few SIGN.", "lines_few_words"),
    ],
)
def test_what_stands_on_a_line_removed_before_does_not_drop_the_page(sign: str, line: str, reason: str) -> None:
    # Dolma and others look for it in the whole page as crawled.
    assert removed_by(line.replace("SIGN", sign)) == {reason: 1}


def test_a_curly_bracket_beside_javascript_only_costs_the_line() -> None:
    assert removed_by("Some JavaScript is { and so on.") == {"lines_javascript": 1}


def test_placeholder_text_beside_javascript_drops_the_page() -> None:
    assert dropped_by("Some JavaScript is lorem ipsum here.") == Drop(C4Reason.LOREM_IPSUM)


def test_a_curly_bracket_beside_a_notice_drops_the_page() -> None:
    assert dropped_by("Our privacy policy { is found here.") == Drop(C4Reason.CURLY_BRACKET)


def test_placeholder_text_comes_before_a_curly_bracket() -> None:
    assert dropped_by("The lorem ipsum { is found here.") == Drop(C4Reason.LOREM_IPSUM)


def test_the_lines_removed_before_the_one_that_drops_the_page_are_counted() -> None:
    page = clean_page("Home\nAbout us\nThe set { of all numbers.\nContact")
    assert page == CleanedPage(None, Drop(C4Reason.CURLY_BRACKET), Counter({C4LineReason.NO_END_MARK: 2}))


# -------------------------------------------------------------------------------------------------------------- pages


def test_all_reasons_on_one_page_are_counted() -> None:
    lines = [
        f"A line with {'x' * 1001} in it.",
        "Home",
        "And so on ...",
        "Too few.",
        "JavaScript is needed for this page.",
        "Read our privacy policy some time.",
    ]
    page = clean_page("\n".join([*lines, *GOOD]))
    assert page == CleanedPage(
        PAGE,
        None,
        Counter(
            {
                C4LineReason.LONG_WORD: 1,
                C4LineReason.NO_END_MARK: 2,
                C4LineReason.FEW_WORDS: 1,
                C4LineReason.JAVASCRIPT: 1,
                C4LineReason.POLICY: 1,
            }
        ),
    )


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_every_line_end_of_unicode_ends_a_line(end: str) -> None:
    assert clean_page(end.join(GOOD)).text == PAGE


def test_a_page_of_two_sentences_goes_and_one_of_three_stays() -> None:
    # datatrove wants five sentences, the paper's number.
    assert clean_page("\n".join(GOOD[:2])).drop == Drop(C4Reason.FEW_SENTENCES, measured=2, limit=3)
    assert clean_page("\n".join(GOOD)).drop is None
    assert clean_page(f"{GOOD[0]} {GOOD[1]}\n{GOOD[2]}").drop is None
    assert clean_page(f"{GOOD[0]} {GOOD[1]} {GOOD[2]}").text == " ".join(GOOD)


def test_sentences_of_removed_lines_do_not_count() -> None:
    page = clean_page(f"{GOOD[0]}\nOne. Two. Three. Four. And\n{GOOD[1]}")
    assert page.drop == Drop(C4Reason.FEW_SENTENCES, measured=2, limit=3)


@pytest.mark.parametrize("text", ["", "Home\nAbout\nContact", "\n\n", "Too few."])
def test_a_page_without_a_line_left_goes(text: str) -> None:
    assert clean_page(text).drop == Drop(C4Reason.NO_LINE_LEFT, measured=0, limit=1)


def test_a_page_of_exactly_190000_characters_is_not_too_long() -> None:
    assert check_length("é" * 190_000, C4Limits()) is None
    assert check_length("é" * 190_001, C4Limits()) == Drop(C4Reason.TOO_LONG, measured=190_001, limit=190_000)


@pytest.mark.parametrize(
    ("url", "text", "timestamp", "drop"),
    [
        ("", "", "", Drop(C4Reason.NO_URL)),
        ("http://a.example/", "", "", Drop(C4Reason.NO_CONTENT, measured=0, limit=1)),
        ("http://a.example/", "x", "", Drop(C4Reason.NO_TIMESTAMP)),
        ("http://a.example/", "x", "yesterday", Drop(C4Reason.NO_TIMESTAMP)),
        ("http://a.example/", "x", WHEN, None),
    ],
)
def test_a_page_needs_address_text_and_time(url: str, text: str, timestamp: str, drop: Drop | None) -> None:
    assert check_record(url, text, timestamp) == drop


def test_a_page_that_line_deduplication_leaves_empty_goes() -> None:
    assert check_sentences("", C4Limits(), count_marks) == Drop(C4Reason.ONLY_DUPLICATE_LINES, measured=0, limit=1)


def test_a_page_left_two_sentences_goes_and_with_three_stays() -> None:
    left = Drop(C4Reason.FEW_SENTENCES_LEFT, measured=2, limit=3)
    assert check_sentences("\n".join(GOOD[:2]), C4Limits(), count_marks) == left
    assert check_sentences(PAGE, C4Limits(), count_marks) is None


def test_after_line_deduplication_a_sentence_may_run_over_a_line_end() -> None:
    # Each line has one sentence at least, but "Inc." before a small letter ends none.
    lines = ["It was sold to Harbour Inc.", "by the heirs of Harbour Inc.", "for very little money at all."]
    sentences = Sentences()
    assert clean("\n".join(lines), C4Limits(), sentences.count).drop is None
    drop = check_sentences("\n".join(lines), C4Limits(), sentences.count)
    assert drop == Drop(C4Reason.FEW_SENTENCES_LEFT, measured=1, limit=3)


# ------------------------------------------------------------------------------------------------------------- limits


def test_the_limits_are_those_of_the_published_c4() -> None:
    limits = C4Limits()
    assert limits.model_dump() == {
        "max_page_chars": 190_000,
        "max_word_chars": 1000,
        "end_marks": (".", "?", "!", '"'),
        "min_words_per_line": 5,
        "min_sentences": 3,
    }


@pytest.mark.parametrize(
    ("off", "text"),
    [
        ("max_word_chars", f"{'x' * 1001} is one of four words.\n{PAGE}"),
        ("end_marks", f"There is no end mark here\n{PAGE}"),
        ("end_marks", f"There is no end here ...\n{PAGE}"),
        ("min_words_per_line", f"Short.\n{PAGE}"),
        ("min_sentences", GOOD[0]),
    ],
)
def test_null_switches_a_rule_off(off: str, text: str) -> None:
    assert clean_page(text).text != text
    assert clean_page(text, C4Limits(**{off: None})) == CleanedPage(text, None, Counter())


def test_null_switches_the_rules_for_whole_pages_off() -> None:
    assert check_length("x" * 190_001, C4Limits(max_page_chars=None)) is None
    assert check_sentences("One.", C4Limits(min_sentences=None), count_marks) is None


def test_blank_lines_are_no_sentences_when_every_rule_for_lines_is_off() -> None:
    limits = C4Limits(end_marks=None, min_words_per_line=None, max_word_chars=None)
    assert clean_page("\n\n\nOne\n\n", limits).drop == Drop(C4Reason.FEW_SENTENCES, measured=1, limit=3)
    assert clean_page("[1]\n[2]\n[3]", limits).drop == Drop(C4Reason.NO_LINE_LEFT, measured=0, limit=1)


@pytest.mark.parametrize(
    "values",
    [
        {"max_page_chars": 0},
        {"max_word_chars": -1},
        {"min_words_per_line": 0},
        {"min_sentences": 0},
        {"end_marks": ()},
        {"end_marks": (".", "")},
        {"min_words": 3},
    ],
)
def test_impossible_limits_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        C4Limits.model_validate(values)


# ------------------------------------------------------------------------------- all of it, against the rules in a row


def line_by_the_book(line: str) -> tuple[str, str | None]:
    """A stripped line after C4's rules, and the first one it breaks."""
    if any(len(word) > 1000 for word in re.split(r"\s+", line)):
        return line, "lines_long_word"
    line = re.sub(r"\[(\d*|edit|citation needed)\]", "", line)
    rules = [
        (line[-1:] not in {".", "?", "!", '"'} or line[-3:] == "...", "lines_no_end_mark"),
        (len(line.split()) < 5, "lines_few_words"),
        ("lorem ipsum" in line.lower(), "c4/lorem_ipsum"),
        ("javascript" in line.lower(), "lines_javascript"),
        (line.find("{") != -1, "c4/curly_bracket"),
        (re.search("terms of use|(privacy|cookie) policy|uses? cookies|use of cookies", line.lower()), "lines_policy"),
    ]
    return line, next((reason for broken, reason in rules if broken), None)


def by_the_book(text: str, count) -> tuple[str | None, str | None, dict[str, int]]:
    """C4's page and line rules in their order; every sentence counted."""
    lines, counts = [], Counter()
    for raw in text.splitlines():
        line, reason = line_by_the_book(raw.strip())
        if reason is None:
            lines.append(line)
        elif reason.startswith("c4/"):
            return None, reason, dict(counts)
        else:
            counts[reason] += 1
    if not lines:
        return None, "c4/no_line_left", dict(counts)
    if sum(count(line, 10**9) for line in lines) < 3:
        return None, "c4/few_sentences", dict(counts)
    return "\n".join(lines).strip(), None, dict(counts)


def outcome(page: CleanedPage) -> tuple[str | None, str | None, dict[str, int]]:
    return page.text, page.drop and str(page.drop.reason), {str(key): count for key, count in page.removed.items()}


FRAGMENTS = st.sampled_from(
    [
        *["word", "other", "The", "Inc.", "e.g.", "end.", "end?", "end!", 'end"', "end...", "end..", "1.", '."'],
        *["x" * 998, "x" * 1000, "x" * 1001, "[1]", "[]", "[12]", "[edit]", "[citation needed]", "[", "]", "[x]"],
        *["{", "}", "lorem", "ipsum", "Lorem ipsum", "JavaScript", "java", "script"],
        *["Terms of Use", "privacy", "policy", "cookie policy", "use", "uses", "of", "cookies", "coo\u212aies", "İΣ"],
        *["\u00a0", "\u3000", "\u200b", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\u2028", "\n", "\n", "\n", "\r"],
    ]
)
PAGES = st.lists(st.tuples(FRAGMENTS, st.sampled_from([" ", " ", " ", "", "\n", ".\n"])), max_size=40).map(
    lambda parts: "".join(part + joint for part, joint in parts)
)


@settings(max_examples=600, deadline=None)
@given(PAGES)
@example("[1] One two three four five. Six.\nOne two three four five.")
@example("lorem [1]ipsum is a thing here.")
def test_pages_come_out_as_by_the_rules_in_a_row(text: str) -> None:
    assert outcome(clean_page(text)) == by_the_book(text, count_marks)


@settings(max_examples=200, deadline=None)
@given(PAGES)
def test_what_is_left_of_a_page_and_what_went_add_up_to_its_lines(text: str) -> None:
    page = clean_page(text)
    if page.text is not None:
        assert len(page.text.split("\n")) + page.removed.total() == len(text.splitlines())
    assert (page.text is None) == (page.drop is not None)


def real_pages(folder: Path) -> list[str]:
    pages = []
    for path in sorted(folder.glob("commoncrawl/derived/*.wet.gz")):
        with path.open("rb") as stream:
            items = [item for item, _ in read_pages(stream, name=path.name) if isinstance(item, Document)]
        pages += [c4_lines(f"{item.metadata['title']}\n{item.text}") for item in items]
    return pages


def test_real_pages_come_out_as_by_the_rules_in_a_row(real_data: Path) -> None:
    pages = real_pages(real_data)
    assert len(pages) > 1000
    sentences = Sentences()
    fates = Counter[str | None]()
    for text in pages:
        found = outcome(clean(text, C4Limits(), sentences.count))
        assert found == by_the_book(text, sentences.count)
        fates[found[1]] += 1
    assert set(fates) >= {None, "c4/curly_bracket", "c4/few_sentences", "c4/no_line_left"}


def test_published_pages_come_out_as_they_went_in(real_data: Path) -> None:
    """The published text has been through these rules once; only nupunkt's count of sentences is another."""
    name = "c4-train.00000-of-01024.sample.json.gz"
    sentences = Sentences()
    fates = Counter[str]()
    with (real_data / "c4" / name).open("rb") as stream:
        for item, _ in read_c4(stream, name=name):
            assert isinstance(item, Document)
            page = clean(item.text, C4Limits(), sentences.count)
            assert not page.removed
            unstripped = [line.strip() for line in item.text.split("\n")]  # a citation leaves its blank behind
            assert page.drop or str(page.text).split("\n") == unstripped
            fates[page.drop.reason if page.drop else "kept"] += 1
            drop = check_sentences(item.text, C4Limits(), sentences.count)
            fates["few in the whole"] += drop is not None
    assert fates == {"kept": 662, "c4/few_sentences": 4, "few in the whole": 7}
