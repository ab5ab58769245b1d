"""A StackExchange question and its answers as one text.

"We kept the data from the 28 largest websites, removed the HTML tags from text and sorted the answers by score (from
highest to lowest)" (Touvron et al., 2023, section 2.1). The score is compared as a number: RedPajama-v1 compares it as
a string, which puts 9 before 100 and 10 before 2. An accepted answer has no privilege, since the paper gives it none.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filters.post_html import PostText
from filters.verdict import Reason

_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLOCK = re.compile(r"[ \t]|> |- |\d{1,9}\. ")  # typed by hand, what looks like code, a quotation, a list


class StackExchangeReason(Reason):
    """Why a post of a dump is in no document."""

    OTHER_POST_TYPE = "stackexchange/other_post_type"
    DELETED = "stackexchange/deleted"
    ORPHAN_ANSWER = "stackexchange/orphan_answer"
    DUPLICATE_ANSWER = "stackexchange/duplicate_answer"
    EMPTY = "stackexchange/empty"
    TOO_LONG = "stackexchange/too_long"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        id: Its number.
        score: Votes for it less those against.
        text: Its text, free of HTML.
    """

    id: int
    score: int
    text: PostText


def sort_answers(answers: Iterable[Answer]) -> list[Answer]:
    """Sort answers from the highest score to the lowest; of equal ones the older, which has the smaller number, first.

    >>> [answer.score for answer in sort_answers(Answer(score, score, PostText("")) for score in (9, 100, -1, 10))]
    [100, 10, 9, -1]
    """
    return sorted(answers, key=lambda answer: (-answer.score, answer.id))


def clean_title(title: str) -> str:
    """Put a title on one line; a space that must not break stays one, as French has it before ``?``."""
    return _SPACES.sub(" ", title).strip(" ")


def write_question(
    title: str, body: PostText, answers: Sequence[PostText], *, question_marker: str = "", answer_marker: str = ""
) -> str:
    r"""Write a question and its answers as one text, a blank line between its parts.

    Args:
        title: The question's title.
        body: The question's text.
        answers: The answers' texts, in the order in which they are to stand.
        question_marker: Stands before the title.
        answer_marker: Stands before each answer; on a line of its own before a quotation, a list, a table or code.

    Returns:
        The text; empty if there is neither title nor body.

    >>> write_question("Why?", PostText("I wonder."), [PostText("So.")], question_marker="Q: ", answer_marker="A: ")
    'Q: Why?\n\nI wonder.\n\nA: So.'
    """
    head = clean_title(title)
    question = "\n\n".join(part for part in (head, body.text) if part)
    if not question:
        return ""
    marked = _mark(question_marker, question, opens_block=not head and body.opens_block)
    return "\n\n".join([marked, *(_mark(answer_marker, one.text, opens_block=one.opens_block) for one in answers)])


def _mark(marker: str, text: str, *, opens_block: bool) -> str:
    """Put a marker before a text; what would lose its shape behind it gets a paragraph of its own."""
    if marker and (opens_block or _BLOCK.match(text)):
        return f"{marker.rstrip()}\n\n{text}"
    return marker + text
