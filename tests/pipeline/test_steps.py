"""The generic steps on plain lists: every output, and the whole account of each batch."""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from filters.length import check_length
from filters.verdict import Drop
from pipeline.batch import Batch, StepFailed
from pipeline.document import Document
from pipeline.runner import Engine
from pipeline.steps import CleanDocuments, DropDocuments, ScoreAll, ScoreDocuments, Scores


def batches() -> list[Batch]:
    one = Batch("a", 0, read=3, bytes_in=9, position=50)
    one.documents = [
        Document(f"cc/{number}", "cc", text, url=f"u{number}") for number, text in enumerate(["abcd", "ab"])
    ]
    one.drop(Document("cc/9", "cc", "gone before"), Drop(check_length("", 1).reason, 0, 1))
    return [
        one,
        Batch("a", 1, last=True),
        Batch("b", 0, read=1, documents=[Document("cc/5", "cc", "日本語")], last=True),
    ]


def account(batch: Batch) -> tuple[Any, ...]:
    """Everything a batch holds but times, in comparable form."""
    return (
        (batch.shard, batch.index, batch.read, batch.bytes_in, batch.position, batch.last),
        [(one.id, one.text, one.url, one.language, sorted(one.metadata.items())) for one in batch.documents],
        [(one.id, one.url, str(one.reason), one.measured, one.limit, one.text) for one in batch.dropped],
        list(batch.errors),
        list(batch.seconds),
        dict(batch.facts),
        dict(batch.files),
    )


def check_that(transform: beam.PTransform, expected: Sequence[tuple[Any, ...]]) -> None:
    with Engine(1).pipeline(1, "") as root:
        found = root | beam.Create(batches(), reshuffle=False) | transform | beam.Map(account)
        assert_that(found, equal_to(expected))


def failure_of(transform: beam.PTransform) -> str:
    """Run a transform that fails and give the line of our own failure."""
    root = Engine(1).pipeline(1, "")
    _ = root | beam.Create(batches()[:1], reshuffle=False) | transform
    with pytest.raises(StepFailed) as caught:
        root.run().wait_until_finish()
    failure, inner = caught.value, caught.value.__cause__ or caught.value.__context__
    while inner is not None:  # Beam writes the step's name into the outer one
        failure = inner if isinstance(inner, StepFailed) else failure
        inner = inner.__cause__ or inner.__context__
    return str(failure)


GONE = ("cc/9", "", "length/too_short", 0, 1, "gone before")


def three_chars(document: Document) -> Drop | None:
    return check_length(document.text, 3)


def test_a_check_takes_out_what_breaks_its_rule_and_leaves_the_rest_alone() -> None:
    check_that(
        DropDocuments("length", three_chars),
        [
            (
                ("a", 0, 3, 9, 50, False),
                [("cc/0", "abcd", "u0", "", [])],
                [GONE, ("cc/1", "u1", "length/too_short", 2, 3, "ab")],
                [],
                ["length"],
                {},
                {},
            ),
            (("a", 1, 0, 0, 0, True), [], [], [], ["length"], {}, {}),
            (("b", 0, 1, 0, 0, True), [("cc/5", "日本語", "", "", [])], [], [], ["length"], {}, {}),
        ],
    )


def test_a_clean_changes_each_text_and_drops_none() -> None:
    check_that(
        CleanDocuments("shout", str.upper),
        [
            (
                ("a", 0, 3, 9, 50, False),
                [("cc/0", "ABCD", "u0", "", []), ("cc/1", "AB", "u1", "", [])],
                [GONE],
                [],
                ["shout"],
                {},
                {},
            ),
            (("a", 1, 0, 0, 0, True), [], [], [], ["shout"], {}, {}),
            (("b", 0, 1, 0, 0, True), [("cc/5", "日本語", "", "", [])], [], [], ["shout"], {}, {}),
        ],
    )


def load_lengths() -> ScoreAll:
    return lambda found: [{"language": f"l{len(one.text)}", "language_score": len(one.text) / 4} for one in found]


def test_a_score_fills_language_and_metadata_and_changes_nothing_else() -> None:
    check_that(
        ScoreDocuments("language", load_lengths),
        [
            (
                ("a", 0, 3, 9, 50, False),
                [
                    ("cc/0", "abcd", "u0", "l4", [("language_score", 1.0)]),
                    ("cc/1", "ab", "u1", "l2", [("language_score", 0.5)]),
                ],
                [GONE],
                [],
                ["language"],
                {},
                {},
            ),
            (("a", 1, 0, 0, 0, True), [], [], [], ["language"], {}, {}),
            (
                ("b", 0, 1, 0, 0, True),
                [("cc/5", "日本語", "", "l3", [("language_score", 0.75)])],
                [],
                [],
                ["language"],
                {},
                {},
            ),
        ],
    )


def keep_language() -> ScoreAll:
    return lambda found: [{"original_chars": len(one.text)} for one in found]


def test_a_score_without_language_leaves_the_language_alone() -> None:
    with Engine(1).pipeline(1, "") as root:
        batch = Batch("a", 0, read=1, documents=[Document("1", "cc", "abc", language="de", metadata={"title": "t"})])
        found = root | beam.Create([batch], reshuffle=False) | ScoreDocuments("n", keep_language) | beam.Map(account)
        document = ("1", "abc", "", "de", [("original_chars", 3), ("title", "t")])
        assert_that(found, equal_to([(("a", 0, 1, 0, 0, False), [document], [], [], ["n"], {}, {})]))


def choke(document: Document) -> Drop | None:
    if document.id == "cc/1":
        raise ZeroDivisionError("a bug")
    return None


def choke_text(text: str) -> str:
    if text == "ab":
        raise ZeroDivisionError("a bug")
    return text


def load_choking() -> ScoreAll:
    return lambda found: [{"title": choke_text(one.text)} for one in found]


@pytest.mark.parametrize(
    "transform",
    [DropDocuments("s", choke), CleanDocuments("s", choke_text), ScoreDocuments("s", load_choking)],
    ids=["check", "clean", "score"],
)
def test_a_failure_names_its_batch_and_document(transform: beam.PTransform) -> None:
    assert failure_of(transform) == "shard a-00000, document cc/1: ZeroDivisionError: a bug"


def load_choking_on_many() -> ScoreAll:
    def score(found: Sequence[Document]) -> Sequence[Scores]:
        if len(found) > 1:
            raise ZeroDivisionError("more than one")
        return [{} for _ in found]

    return score


def test_a_scorer_that_fails_on_the_batch_but_on_no_document_blames_no_document() -> None:
    found = failure_of(ScoreDocuments("s", load_choking_on_many))
    assert found == "shard a-00000: ZeroDivisionError: more than one"


def load_forgetful() -> ScoreAll:
    return lambda found: [{} for _ in found[1:]]


def test_a_scorer_that_answers_for_too_few_documents_stops_the_run() -> None:
    assert failure_of(ScoreDocuments("s", load_forgetful)).startswith("shard a-00000: ValueError: zip()")
