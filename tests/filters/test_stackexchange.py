"""A question and its answers as one text: their order, their markers, and what needs a line of its own."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.post_html import PostText
from filters.stackexchange import Answer, clean_title, sort_answers, write_question


def test_answers_stand_by_score_as_a_number_and_equal_ones_by_age_in_any_order_given() -> None:
    answers = [
        Answer(2, 9, PostText("nine")),
        Answer(3, 10, PostText("ten")),
        Answer(5, 10, PostText("ten too")),
        Answer(4, 100, PostText("")),
        Answer(1, -1, PostText("")),
    ]
    for given_order in itertools.permutations(answers):
        assert [answer.id for answer in sort_answers(given_order)] == [4, 3, 5, 2, 1]


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 1000)), unique_by=lambda pair: pair[1]))
def test_no_answer_is_above_one_with_a_higher_score(pairs: list[tuple[int, int]]) -> None:
    found = sort_answers(Answer(number, score, PostText("")) for score, number in pairs)
    assert {answer.id for answer in found} == {number for _, number in pairs}
    for one, other in itertools.pairwise(found):
        assert one.score > other.score or (one.score == other.score and one.id < other.id)


@pytest.mark.parametrize(
    ("title", "body", "answers", "text"),
    [
        ("T", "B", ["x", "y"], "Q: T\n\nB\n\nA: x\n\nA: y"),
        ("T", "", [], "Q: T"),
        ("", "B", ["x"], "Q: B\n\nA: x"),
        ("", "> B", ["x"], "Q:\n\n> B\n\nA: x"),
        ("", "", ["x"], ""),
        ("T", "B", ["> quoted\n\nx"], "Q: T\n\nB\n\nA:\n\n> quoted\n\nx"),
        (
            "T",
            "B",
            ["- a\n- b", "12. c", "    code\n  more"],
            "Q: T\n\nB\n\nA:\n\n- a\n- b\n\nA:\n\n12. c\n\nA:\n\n    code\n  more",
        ),
        ("T", "B", ["-1 is less.", "1.5 times", ">3"], "Q: T\n\nB\n\nA: -1 is less.\n\nA: 1.5 times\n\nA: >3"),
    ],
)
def test_parts_stand_apart_behind_their_markers(title: str, body: str, answers: list[str], text: str) -> None:
    parts = [PostText(answer) for answer in answers]
    assert write_question(title, PostText(body), parts, question_marker="Q: ", answer_marker="A: ") == text


def test_code_without_indentation_does_not_begin_behind_a_marker() -> None:
    code = PostText("x = 1\ny = 2", opens_block=True)
    markers = {"question_marker": "Q: ", "answer_marker": "A: "}
    assert write_question("T", code, [code], **markers) == f"Q: T\n\n{code.text}\n\nA:\n\n{code.text}"
    assert write_question("", code, [code], **markers) == f"Q:\n\n{code.text}\n\nA:\n\n{code.text}"
    assert write_question("", code, [code]) == f"{code.text}\n\n{code.text}"


def test_without_markers_the_text_is_all_there_is() -> None:
    assert write_question("T", PostText("B"), [PostText("> x"), PostText("y")]) == "T\n\nB\n\n> x\n\ny"


def test_a_title_is_one_line_and_keeps_spaces_that_must_not_break() -> None:
    assert clean_title(" a \r\n b\t\tc\u00a0? ") == "a b c\u00a0?"
