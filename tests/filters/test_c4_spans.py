"""Spans of three sentences: equal where their sentences are, and taken out whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.c4_spans import remove_spans, span_keys
from filters.c4_text import Sentences

ALPHABET = ["The ferry left.", "Nobody slept.", "WHO KNEW?", "Who knew?", "It rained!", "So it went."]


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return Sentences()


def keys_of(text: str, sentences: Sentences) -> list[int]:
    return span_keys(text, sentences)[0].tolist()


def without(text: str, marked: list[bool], sentences: Sentences) -> str:
    return remove_spans(text, span_keys(text, sentences)[1], np.array(marked, np.bool_))


@pytest.mark.parametrize(
    ("text", "spans"), [("", 0), (" ", 0), ("One. Two.", 0), ("One. Two. Six.", 1), ("They rowed. " * 7, 5)]
)
def test_there_is_a_span_for_each_sentence_that_two_others_follow(text: str, spans: int, sentences: Sentences) -> None:
    keys, borders = span_keys(text, sentences)
    assert (len(keys), keys.dtype, borders.shape[1]) == (spans, np.uint64, 2)


def test_borders_are_those_of_the_sentences(sentences: Sentences) -> None:
    text = "The ferry left.  Nobody slept.\nWho knew? "
    _, borders = span_keys(text, sentences)
    assert [text[start:end] for start, end in borders] == ["The ferry left.", "Nobody slept.", "Who knew?"]


def test_spans_are_equal_whatever_blanks_lie_between_their_sentences(sentences: Sentences) -> None:
    one = keys_of("The ferry left. Nobody slept. Who knew?", sentences)
    assert one == keys_of("the FERRY left.\nNobody slept.\u00a0  Who knew? ", sentences)
    assert one != keys_of("The ferry left. Nobody  slept. Who knew?", sentences)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ALPHABET), max_size=14), st.lists(st.sampled_from([" ", "\n", "  "]), min_size=14))
def test_keys_are_equal_exactly_where_three_sentences_in_a_row_are(parts: list[str], joints: list[str]) -> None:
    text = "".join(part + joint for part, joint in zip(parts, joints, strict=False))
    keys = keys_of(text, Sentences())
    spans = [tuple(part.lower() for part in parts[i : i + 3]) for i in range(len(parts) - 2)]
    assert len(keys) == len(spans)
    for key, span in zip(keys, spans, strict=True):
        for other_key, other in zip(keys, spans, strict=True):
            assert (key == other_key) == (span == other)


@pytest.mark.parametrize(
    ("marked", "left"),
    [
        ([False, False, False, False], "One. Two.\nThree. Four.\nFive. Six."),
        ([True, False, False, False], "Four.\nFive. Six."),
        ([False, True, False, False], "One.\nFive. Six."),
        ([False, False, True, False], "One. Two.\nSix."),
        ([False, False, False, True], "One. Two.\nThree."),
        ([True, True, False, False], "Five. Six."),
        ([True, False, False, True], ""),
    ],
)
def test_all_sentences_of_a_marked_span_go(marked: list[bool], left: str, sentences: Sentences) -> None:
    assert without("One. Two.\nThree. Four.\nFive. Six.", marked, sentences) == left


def test_sentences_of_one_line_stay_on_one_line(sentences: Sentences) -> None:
    assert without("One. Two.  Three. Four.   Five.", [False, True, False], sentences) == "One.   Five."


def test_a_text_without_a_marked_span_stays_to_the_last_blank(sentences: Sentences) -> None:
    text = " One. Two.\n\nSix. \n"
    assert without(text, [False], sentences) == text


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ALPHABET), st.sampled_from([" ", "\n"]), st.booleans()), min_size=3, max_size=12)
)
def test_what_is_in_no_marked_span_stays_in_its_order(rows: list[tuple[str, str, bool]]) -> None:
    text = "".join(part + joint for part, joint, _ in rows)
    marked = [mark for _, _, mark in rows][:-2]
    kept = [part for i, (part, _, _) in enumerate(rows) if not any(marked[max(i - 2, 0) : i + 1])]
    found = without(text, marked, Sentences())
    assert found.split() == " ".join(kept).split()
    assert found.count("\n") <= text.count("\n")


@pytest.mark.parametrize("length", [0, 2])
def test_a_mask_of_another_length_is_refused(length: int, sentences: Sentences) -> None:
    with pytest.raises(ValueError, match=f"1 spans in the text, {length} are marked or not"):
        without("One. Two. Six.", [True] * length, sentences)


def test_a_short_text_takes_an_empty_mask(sentences: Sentences) -> None:
    assert without("One. Two.", [], sentences) == "One. Two."
