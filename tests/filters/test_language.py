"""Language identification against fastText's own way of being asked, and the check's edges."""

import os
import sys

import fasttext
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.language import (
    INSTALLED_MODEL,
    LanguageIdentifier,
    LanguageLimits,
    LanguageModelSettings,
    LanguageReason,
    check_language,
    installed_model,
)
from filters.verdict import Drop

MODEL = os.path.join(sys.prefix, INSTALLED_MODEL)
needs_model = pytest.mark.skipif(not os.path.exists(MODEL), reason="no language model installed here")

TEXTS = [
    "The dredger lay against the coal quay for eleven winters.",
    "Der Bagger lag elf Winter lang am Kohlenkai.",
    "La drague resta onze hivers\ncontre le quai au charbon.",
    "日本語の文章です。",
    "Это предложение\nнаписано по-русски.",
    "first line ends here\nsecond starts\n",
    "12345",
    "\n\n",
    "",
    "a\u2028b\x0bc\rd",
]


@pytest.fixture(scope="module")
def reference():
    return fasttext.load_model(MODEL)


@pytest.fixture(scope="module")
def exact() -> LanguageIdentifier:
    return LanguageIdentifier(MODEL, LanguageModelSettings(decimals=None))


def ask(reference, line: str) -> dict[str, str | float]:
    labels, scores = reference.predict([line])
    label, score = (labels[0][0], float(scores[0][0])) if labels[0] else ("", 0.0)
    return {"language": label.removeprefix("__label__"), "language_score": score}


@needs_model
def test_answers_are_those_of_fasttext_for_the_text_without_line_ends(reference, exact) -> None:
    assert exact(TEXTS) == [ask(reference, text.replace("\n", "")) for text in TEXTS]


@needs_model
@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=80))
@example(text="")
@example(text="Words\nfuse\nhere")
def test_any_text_is_answered_as_fasttext_does(reference, exact, text: str) -> None:
    assert exact([text]) == [ask(reference, text.replace("\n", ""))]


@needs_model
def test_the_languages_are_right() -> None:
    found = LanguageIdentifier(MODEL, LanguageModelSettings())(TEXTS[:5])
    assert [row["language"] for row in found] == ["en", "de", "fr", "ja", "ru"]


@needs_model
def test_no_texts_give_no_answers(exact) -> None:
    assert exact([]) == []


@needs_model
def test_the_line_end_that_fasttext_adds_is_part_of_the_question(exact) -> None:
    """fastText appends a line feed to what it is asked, which counts as the token ``</s>``; so must we."""
    bare = fasttext.load_model(MODEL).f.predict("Hond en kat", 1, 0.0, "strict")[0]
    ended = fasttext.load_model(MODEL).f.predict("Hond en kat\n", 1, 0.0, "strict")[0]
    assert bare[0] != ended[0], "the sentence does not tell the two apart"
    assert exact(["Hond en kat"])[0]["language_score"] == ended[0]


@needs_model
def test_lines_are_joined_by_a_space_where_that_is_set(reference) -> None:
    spaced = LanguageIdentifier(MODEL, LanguageModelSettings(line_joint=" ", decimals=None))
    text = "Der Hund\nlief\nweg"
    assert spaced([text]) == [ask(reference, "Der Hund lief weg")]
    assert spaced([text]) != [ask(reference, "Der Hundliefweg")]


class FakeModel:
    """Gives what it is told to, so that scores can be chosen."""

    def __init__(self, *found: tuple[float, str]) -> None:
        self.f = self
        self.found = list(found)

    def predict(self, line: str, k: int, threshold: float, on_unicode_error: str) -> list[tuple[float, str]]:
        assert line.endswith("\n")
        assert line.count("\n") == 1
        assert k == 1
        return self.found


def score_of(monkeypatch: pytest.MonkeyPatch, score: float, decimals: int | None) -> float:
    monkeypatch.setattr(fasttext, "load_model", lambda _: FakeModel((score, "__label__en")))
    return LanguageIdentifier("any", LanguageModelSettings(decimals=decimals))(["text\ntext"])[0]["language_score"]


@pytest.mark.parametrize(
    ("score", "decimals", "rounded"),
    [(0.496, 2, 0.5), (0.494, 2, 0.49), (0.496, None, 0.496), (0.4996, 3, 0.5), (1.00003, 2, 1.0), (0.44, 1, 0.4)],
)
def test_the_score_is_rounded_as_set(monkeypatch, score: float, decimals: int | None, rounded: float) -> None:
    assert score_of(monkeypatch, score, decimals) == rounded


def test_a_score_of_0_496_passes_the_limit_of_one_half_as_in_ccnet(monkeypatch) -> None:
    assert check_language("en", score_of(monkeypatch, 0.496, 2), LanguageLimits(min_score=0.5)) is None
    assert check_language("en", score_of(monkeypatch, 0.494, 2), LanguageLimits(min_score=0.5)) is not None


def test_a_model_without_an_answer_gives_no_language_and_no_score(monkeypatch) -> None:
    monkeypatch.setattr(fasttext, "load_model", lambda _: FakeModel())
    answer = LanguageIdentifier("any", LanguageModelSettings())(["?"])
    assert answer == [{"language": "", "language_score": 0.0}]


def test_an_unidentified_document_goes_whatever_is_allowed() -> None:
    limits = LanguageLimits(languages=None, min_score=0.0)
    assert check_language("", 0.0, limits) == Drop(LanguageReason.UNIDENTIFIED, measured=0.0, limit=0.0)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.49, Drop(LanguageReason.LOW_SCORE, measured=0.49, limit=0.5)), (0.5, None), (0.51, None)],
)
def test_a_score_exactly_at_the_limit_passes(score: float, verdict: Drop | None) -> None:
    assert check_language("en", score, LanguageLimits(min_score=0.5)) == verdict


def test_another_language_goes() -> None:
    assert check_language("de", 0.9, LanguageLimits(languages=("en", "fr"))) == Drop(LanguageReason.NOT_WANTED)
    assert check_language("fr", 0.9, LanguageLimits(languages=("en", "fr"))) is None


def test_a_low_score_is_told_before_the_wrong_language() -> None:
    found = check_language("de", 0.3, LanguageLimits())
    assert found == Drop(LanguageReason.LOW_SCORE, measured=0.3, limit=0.5)


def test_all_languages_are_kept_where_none_is_named() -> None:
    assert check_language("ceb", 0.5, LanguageLimits(languages=None)) is None


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (LanguageLimits, {"languages": ["English"]}),
        (LanguageLimits, {"min_score": 50}),
        (LanguageModelSettings, {"line_joint": "\n"}),
        (LanguageModelSettings, {"line_joint": "  "}),
        (LanguageModelSettings, {"decimals": 0}),
        (LanguageModelSettings, {"threshold": 0.5}),
    ],
)
def test_impossible_settings_are_refused(model, values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(values)


def test_an_installation_without_model_says_how_to_get_one(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="run `make setup` in a clone, or give the path"):
        installed_model()
    model = tmp_path / INSTALLED_MODEL
    model.parent.mkdir(parents=True)
    model.write_bytes(b"")
    assert installed_model() == str(model)
