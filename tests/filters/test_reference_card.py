"""The card's figures against hand-traced numbers and counting of all pairs."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.reference_card import (
    CUT_CHARS,
    Bin,
    Decisions,
    ReferenceCard,
    ShortText,
    SideCounts,
    calibrate,
    decide,
    evaluate,
    roc_auc,
)

ROWS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.95, 1.0]), st.booleans()), max_size=40)


def arrays(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in rows], np.float64), np.array([label for _, label in rows], np.bool_)


@given(ROWS)
def test_the_area_under_the_curve_counts_all_pairs(rows: list[tuple[float, bool]]) -> None:
    pairs = [(one, other) for one, yes in rows if yes for other, no in rows if not no]
    wins = sum(1.0 if one > other else 0.5 if one == other else 0.0 for one, other in pairs)
    found = roc_auc(*arrays(rows))
    assert found is None if not pairs else math.isclose(found, wins / len(pairs), abs_tol=1e-12)


def test_the_area_of_four_pages_traced_by_hand() -> None:
    # References 0.9 and 0.4, others 0.4 and 0.1: pairs 1, 1, 0.5, 1 of 4.
    assert roc_auc(*arrays([(0.9, True), (0.4, True), (0.4, False), (0.1, False)])) == 3.5 / 4


@given(ROWS, st.sampled_from([0.25, 0.5, 1.0]))
def test_decisions_are_those_of_counting_one_by_one(rows: list[tuple[float, bool]], threshold: float) -> None:
    right = sum(label for score, label in rows if score >= threshold)
    called = sum(score >= threshold for score, _ in rows)
    references = sum(label for _, label in rows)
    found = decide(*arrays(rows), threshold)
    assert found.precision == (right / called if called else None)
    assert found.recall == (right / references if references else None)
    assert found.accuracy == (sum((score >= threshold) == label for score, label in rows) / len(rows) if rows else None)
    assert found.called == (called / len(rows) if rows else None)
    if found.precision and found.recall:
        harmonic = 2 / (1 / found.precision + 1 / found.recall)
        assert found.f1 == pytest.approx(harmonic, abs=1e-12)


def test_decisions_of_five_pages_traced_by_hand() -> None:
    found = decide(*arrays([(0.5, True), (0.9, True), (0.6, False), (0.4, True), (0.1, False)]), 0.5)
    assert found == Decisions(0.5, precision=2 / 3, recall=2 / 3, f1=4 / 6, accuracy=3 / 5, called=3 / 5)


@given(ROWS)
def test_every_page_is_in_one_bin_and_its_score_inside(rows: list[tuple[float, bool]]) -> None:
    bins = calibrate(*arrays(rows))
    assert len(bins) == 10
    assert sum(one.pages for one in bins) == len(rows)
    for one in bins:
        assert (one.mean_score is None) == (one.pages == 0)
        if one.mean_score is not None:
            assert one.low - 1e-9 <= one.mean_score <= one.low + 0.1 + 1e-9


def test_bins_traced_by_hand() -> None:
    bins = calibrate(*arrays([(0.0, False), (0.1, False), (0.15, True), (1.0, True), (0.9, True)]))
    assert bins[0] == Bin(0.0, 1, 0.0, 0.0)
    assert bins[1] == Bin(0.1, 2, 0.125, 0.5)
    assert bins[2] == Bin(0.2, 0, None, None)
    assert bins[9] == Bin(0.9, 2, 0.95, 1.0)


def score_by_letters(texts):
    """Share of the letter r among a text's characters; nothing to say of a text without letters."""
    return [{"reference_score": text.count("r") / len(text) if text.strip() else None} for text in texts]


def test_an_evaluation_traced_by_hand() -> None:
    # The second reference is x for 60 characters and r from there on: cut to 50 it is called nothing.
    pages = [("r" * 2000, True), ("x" * 60 + "r" * 1940, True), ("x" * 2000, False), ("\n", False)]
    found = evaluate(score_by_letters, iter(pages))
    assert (found.pages, found.references, found.unjudged, found.auc) == (4, 2, 1, 1.0)
    assert found.decisions == (Decisions(0.5, 1.0, 1.0, 1.0, 1.0, 0.5), Decisions(0.25, 1.0, 1.0, 1.0, 1.0, 0.5))
    assert [one.chars for one in found.short_text] == list(CUT_CHARS) == [50, 100, 200, 500, 1000]
    # At 50 the second ties with both others: pairs 1, 1, 0.5, 0.5 of 4. At 100 it scores 0.4: above, but not called.
    assert found.short_text[0] == ShortText(50, 0.75, 0.5, 0.0)
    assert found.short_text[1] == ShortText(100, 1.0, 0.5, 0.0)
    assert found.short_text[2] == ShortText(200, 1.0, 1.0, 0.0)


def test_pages_beyond_a_chunk_are_not_lost() -> None:
    found = evaluate(score_by_letters, (("r" if number % 3 else "x", number % 3 > 0) for number in range(1000)))
    assert (found.pages, found.references, found.auc) == (1000, 666, 1.0)


def test_nothing_held_out_gives_no_figures() -> None:
    found = evaluate(score_by_letters, [])
    assert (found.pages, found.auc, found.decisions[0].precision) == (0, None, None)


def card(**counts: int) -> ReferenceCard:
    side = SideCounts(
        **{**dict.fromkeys(SideCounts.__slots__, 0), "read": 1234, "used": 7, **counts},
    )
    held_out = evaluate(score_by_letters, [("rrrx", True), ("x", False)])
    return ReferenceCard("ab" * 32, {"lr": 0.1, "max_pages": 300_000}, 8571, side, side, held_out)


def test_the_card_for_programs_holds_every_figure() -> None:
    content = json.loads(card().to_json())
    assert content["sha256"] == "ab" * 32
    assert content["settings"] == {"lr": 0.1, "max_pages": 300_000}
    assert content["cited_urls"] == 8571
    assert content["cited"]["read"] == content["random"]["read"] == 1234
    assert content["held_out"]["auc"] == 1.0
    assert [row["threshold"] for row in content["held_out"]["decisions"]] == [0.5, 0.25]
    assert len(content["held_out"]["calibration"]) == 10
    assert [row["chars"] for row in content["held_out"]["short_text"]] == list(CUT_CHARS)


def test_the_card_for_people_shows_tables_whose_rows_are_as_long_as_their_heads() -> None:
    text = card().to_markdown()
    assert "8,571 cited URLs were known" in text
    assert "| cited | 1,234 |" in text
    assert "ROC AUC: 1.000" in text
    assert "| 0.750 |" in text  # the mean score of a bin
    for table in text.split("\n\n"):
        widths = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1


def test_figures_that_are_not_there_are_a_dash() -> None:
    empty = ReferenceCard("0", {}, None, card().cited, card().random, evaluate(score_by_letters, []))
    assert "ROC AUC: –." in empty.to_markdown()
    assert "cited URLs were known" not in empty.to_markdown()
    assert json.loads(empty.to_json())["held_out"]["auc"] is None
