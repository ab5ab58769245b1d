"""The classifier's word against float64 arithmetic on its own matrices, and the check's edges."""

import random
from pathlib import Path

import fasttext
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.reference import (
    REDPAJAMA_THRESHOLD,
    ReferenceLimits,
    ReferenceReason,
    ReferenceScorer,
    check_reference,
    reference_text,
)
from filters.verdict import Drop

WORDS = [f"word{number}" for number in range(60)]
KNOWN = st.sampled_from([*WORDS, "unknown", "word1\u00a0", "ä", "</s>", "__label__wiki", "\n", "\r", "\t", "\u3000"])


def write_lines(path: Path, labels: tuple[str, ...]) -> Path:
    """Lines of 40 words; each label has ten words of its own."""
    draw = random.Random(1)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(400):
            mine = number % len(labels)
            words = draw.choices(WORDS[10 * mine : 10 * mine + 10] + WORDS[30:], k=40)
            stream.write(f"__label__{labels[mine]} {' '.join(words)}\n")
    return path


def train(folder: Path, *labels: str, **arguments: object) -> str:
    lines = write_lines(folder / "lines.txt", labels)
    model = fasttext.train_supervised(
        **{"input": str(lines), "dim": 10, "epoch": 20, "lr": 0.3, "thread": 12, "verbose": 0, **arguments}
    )
    model.save_model(str(folder / "model.bin"))
    return str(folder / "model.bin")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train(tmp_path_factory.mktemp("model"), "wiki", "cc")


@pytest.fixture(scope="module")
def scorer(path: str) -> ReferenceScorer:
    return ReferenceScorer(path)


@pytest.fixture(scope="module")
def model(path: str):
    return fasttext.load_model(path)


def by_hand(model, line: str) -> float:
    """Softmax over the mean of the known words' vectors and that of the line's end, in float64."""
    known = [word for word in line.split(" ") if model.get_word_id(word) >= 0]
    rows = [model.get_input_vector(model.get_word_id(word)) for word in [*known, "</s>"]]
    logits = model.get_output_matrix().astype(np.float64) @ np.mean(np.asarray(rows, np.float64), axis=0)
    shares = np.exp(logits - logits.max())
    return float(shares[model.labels.index("__label__wiki")] / shares.sum())


@pytest.mark.parametrize("seed", range(20))
def test_a_score_is_the_softmax_of_the_mean_word(scorer, model, seed: int) -> None:
    words = random.Random(seed).choices([*WORDS, "unknown"], k=30)
    (row,) = scorer(["\n".join(words)])
    assert row["reference_score"] == pytest.approx(by_hand(model, " ".join(words)), abs=2e-6)
    assert row["reference_score"] == round(row["reference_score"], 6)


def test_the_two_kinds_of_text_lie_far_apart(scorer) -> None:
    reference, random_page = scorer([" ".join(WORDS[:10]), " ".join(WORDS[10:20])])
    assert reference["reference_score"] > 0.9
    assert random_page["reference_score"] < 0.1


@settings(deadline=None)
@given(st.lists(KNOWN, max_size=12))
@example([])
@example(["word1", "\n"])
@example(["word1\u00a0", "unknown"])
def test_any_text_is_scored_as_fasttext_does_less_what_it_adds(scorer, model, words: list[str]) -> None:
    text = " ".join(words)
    line = " ".join(text.strip().splitlines()).replace("</s>", "")
    labels, scores = model.predict([line], k=2)
    bare = float(scores[0][labels[0].index("__label__wiki")])
    known = any(word in model.words for word in line.replace("\t", " ").split(" ") if word != "</s>")
    (row,) = scorer([text])
    expected = pytest.approx(min(max(bare - 1e-5, 0), 1), abs=6e-7) if known else None
    assert row == {"reference_score": expected}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_score_from_0_to_1_or_none(scorer, text: str) -> None:
    (row,) = scorer([text])
    assert row["reference_score"] is None or 0 <= row["reference_score"] <= 1


def test_no_texts_have_no_scores(scorer) -> None:
    assert scorer([]) == []


@pytest.mark.parametrize(
    "text", ["", "\n\n", "unknown words only", "</s>", "__label__wiki", "word1word2", "\u3000word"]
)
def test_a_text_without_a_known_word_is_not_judged(scorer, text: str) -> None:
    assert scorer([text]) == [{"reference_score": None}]


def test_what_follows_the_word_that_ends_lines_counts(scorer) -> None:
    assert scorer(["word1 </s> word11 word12"]) == scorer(["word1 word11 word12"]) != scorer(["word1"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("One\ntwo", "One two"),
        (" One \n\n\u3000two\u00a0", "One   \u3000two"),
        ("a\rb\r\nc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i", "a b c d e f g h i"),
        ("\u2028a\u2029", "a"),
        ("a\ud800 b", "a? b"),
        ("a </s> b", "a  b"),
        ("</s>", ""),
        ("a</s> </s>b", "a</s> </s>b"),
        ("\t</s>\r", ""),
        ("x\t</s>\ry", "x\t y"),
        ("</s> \u3000x", "x"),
    ],
)
def test_a_text_is_asked_about_as_one_line(text: str, line: str) -> None:
    assert reference_text(text) == line


@given(st.lists(KNOWN | st.text(max_size=3)).map("".join))
@example(" a\nb \n </s> \u3000c")
def test_a_text_of_the_form_keeps_its_form(text: str) -> None:
    assert reference_text(reference_text(text)) == reference_text(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_form_is_redpajamas(text: str) -> None:
    assert reference_text(text) == " ".join(text.strip().splitlines())


def test_a_lone_surrogate_is_a_question_mark(scorer) -> None:
    assert scorer(["word1 \ud800 word2", "word1 word2\udfff", "\ud800"]) == scorer(["word1 word2", "word1", ""])


@pytest.mark.parametrize("labels", [("wiki", "other"), ("en", "cc", "wiki"), ("cc",)])
def test_a_model_of_other_labels_is_refused_by_name(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(
        ValueError, match=rf"must be __label__wiki and __label__cc, it has {len(labels)}: __label__"
    ) as e:
        ReferenceScorer(train(tmp_path, *labels))
    assert all(label in str(e.value) for label in labels)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.bin"
    file.write_bytes(b"no model")
    with pytest.raises(ValueError, match="wrong file format"):
        ReferenceScorer(str(file))


def test_a_text_of_unknown_words_may_have_known_pieces_in_other_peoples_models(tmp_path: Path) -> None:
    scorer = ReferenceScorer(train(tmp_path, "wiki", "cc", minn=2, maxn=3, bucket=1000))
    assert scorer(["wordx"])[0]["reference_score"] is not None
    assert scorer([""]) == [{"reference_score": None}]


def test_a_text_of_unknown_words_has_no_score_in_a_model_of_word_ngrams_either(tmp_path: Path) -> None:
    scorer = ReferenceScorer(train(tmp_path, "wiki", "cc", wordNgrams=2, bucket=1000))
    assert scorer(["some unknown words", "unknown words " * 40]) == [{"reference_score": None}] * 2
    assert scorer(["some unknown word1"])[0]["reference_score"] is not None


@pytest.mark.parametrize(
    ("score", "threshold", "kept"),
    [
        (0.5, None, True),
        (0.499999, None, False),
        (0.25, REDPAJAMA_THRESHOLD, True),
        (0.249999, REDPAJAMA_THRESHOLD, False),
        (0.0, 0.0, True),
        (1.0, 1.0, True),
    ],
)
def test_a_page_exactly_at_the_threshold_is_kept(score: float, threshold: float | None, kept: bool) -> None:
    limit = 0.5 if threshold is None else threshold
    found = check_reference(score, ReferenceLimits(threshold=threshold))
    assert found == (None if kept else Drop(ReferenceReason.NOT_A_REFERENCE, measured=score, limit=limit))


def test_a_page_without_a_known_word_goes() -> None:
    found = check_reference(None, ReferenceLimits(threshold=0.0))
    assert found == Drop(ReferenceReason.NO_KNOWN_WORD, measured=None, limit=0.0)


@pytest.mark.parametrize(
    ("settings_model", "values"),
    [
        (ReferenceLimits, {"threshold": 25}),
        (ReferenceLimits, {"threshold": -0.1}),
        (ReferenceLimits, {"min_score": 0.5}),
    ],
)
def test_impossible_settings_are_refused(settings_model, values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings_model.model_validate(values)
