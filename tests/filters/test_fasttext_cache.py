"""Remembered n-grams against fastText itself: the same labels and rounded scores, for any text, model and history."""

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filters.fasttext_cache import _LEAST_CHARS, _LONGEST, MAX_DECIMALS, CachedClassifier
from filters.fasttext_model import ModelFacts, read_model
from filters.fasttext_windows import WindowTable
from filters.language import INSTALLED_MODEL, LanguageIdentifier, LanguageModelSettings
from pipeline.document import Document
from pipeline.sources.pages import read_pages

MODEL = os.path.join(sys.prefix, INSTALLED_MODEL)
needs_model = pytest.mark.skipif(not os.path.exists(MODEL), reason="no language model installed here")

Pair = tuple[Any, CachedClassifier]

WORDS = {
    "en": ["the", "dredger", "lay", "against", "coal", "quay", "for", "eleven", "winters", "nobody", "asked", "whose"],
    "de": ["der", "Bagger", "lag", "elf", "Winter", "lang", "am", "Kohlenkai", "niemand", "gehörte", "früher", "ob"],
    "ru": ["землечерпалка", "лежала", "одиннадцать", "зим", "у", "угольного", "причала", "никто", "не", "спросил"],
    "em": ["ok", "👍", "so", "🚢🚢", "the", "boat", "é", "船", "は", "古い", "😀", "x", "yz"],
}
SUBWORDS = {"minn": 2, "maxn": 4, "bucket": 5000}
KINDS: dict[str, dict[str, Any]] = {
    "hs": {"loss": "hs", **SUBWORDS},
    "hs_single_characters": {"loss": "hs", "minn": 1, "maxn": 3, "bucket": 777},
    "hs_of_frequent_words": {"loss": "hs", "minCount": 400, **SUBWORDS},
    "hs_where_counts_tie": {"loss": "hs", "labels": [0, 0, 1, 2], **SUBWORDS},
    "softmax": {"loss": "softmax", "minn": 3, "maxn": 4, "bucket": 2000},
    "hs_quantized": {"loss": "hs", "quantize": {}, **SUBWORDS},
    "hs_pruned": {"loss": "hs", "quantize": {"cutoff": 400}, **SUBWORDS},
    "softmax_quantized_with_norms": {"loss": "softmax", "quantize": {"qnorm": True}, **SUBWORDS},
}
OTHER_KINDS: dict[str, dict[str, Any]] = {
    "word_ngrams": {"loss": "softmax", "wordNgrams": 2, "bucket": 500},
    "long_ngrams": {"loss": "hs", "minn": 2, "maxn": 5, "bucket": 500},
    "whole_words": {"loss": "softmax", "minn": 0, "maxn": 0},
    "one_against_all": {"loss": "ova"},
    "negative_sampling": {"loss": "ns"},
    "quantized_output": {"labels": list(range(300)), "quantize": {"qout": True}, **SUBWORDS},
    "word_vectors": {"unsupervised": True, "bucket": 500},
}
TRAIN = """
import json, sys, fasttext
for path, text, kind in json.loads(sys.argv[1]):
    quantize = kind.pop("quantize", None)
    train = fasttext.train_unsupervised if kind.pop("unsupervised", False) else fasttext.train_supervised
    model = train(text, dim=16, epoch=2, thread=1, verbose=0, **kind)
    if quantize is not None:
        model.quantize(text, thread=1, verbose=0, **quantize)
    model.save_model(path)
"""


def sentences(count: int, seed: int, marked: bool = True) -> list[str]:
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        language = draw.choice(sorted(WORDS))
        words = [draw.choice(WORDS[draw.choice([language, language, "en"])]) for _ in range(draw.randint(3, 12))]
        lines.append(" ".join([f"__label__{language}"] * marked + words))
    return lines


def training_lines(labels: Sequence[int] | None) -> list[str]:
    """Lines marked with their language, or with these labels in turn."""
    if labels is None:
        return sentences(2000, seed=1)
    lines = sentences(800, seed=1, marked=False)
    return [f"__label__{labels[number % len(labels)]} {line}" for number, line in enumerate(lines)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Small models of every kind, as files.

    fastText trains from memory that it does not initialise, into NaN at times; a process that glibc gives zeros does
    not.
    """
    folder = tmp_path_factory.mktemp("models")
    files = {name: str(folder / f"{name}.bin") for name in [*KINDS, *OTHER_KINDS]}
    jobs = []
    for name, kind in {**KINDS, **OTHER_KINDS}.items():
        text = folder / f"{name}.txt"
        text.write_text("\n".join(training_lines(kind.get("labels"))) + "\n")
        jobs.append((files[name], str(text), {key: value for key, value in kind.items() if key != "labels"}))
    environment = {**os.environ, "MALLOC_PERTURB_": "255"}
    subprocess.run([sys.executable, "-c", TRAIN, json.dumps(jobs)], check=True, env=environment, timeout=120)
    return files


@pytest.fixture(scope="module")
def trained(models: dict[str, str]) -> dict[str, str]:
    """The models of the kinds that are remembered."""
    return {name: models[name] for name in KINDS}


def facts_of(path: str) -> ModelFacts:
    facts = read_model(fasttext.load_model(path), path)
    assert facts is not None
    return facts


def load(path: str) -> Pair:
    model = fasttext.load_model(path)
    cached = CachedClassifier.open(model, path)
    assert cached is not None
    return model, cached


@pytest.fixture(scope="module")
def lid() -> Pair:
    return load(MODEL)


FILLER = " ".join(sentences(_LEAST_CHARS // 20, seed=2, marked=False))


def check(pair: Pair, texts: Sequence[str], decimals: int = 2) -> float:
    """Hold every answer against fastText's; give the fraction of texts that have one."""
    model, cached = pair
    answers = cached([*texts, FILLER], decimals)[:-1]
    assert len(answers) == len(texts)
    for text, answer in zip(texts, answers, strict=True):
        if answer is not None:
            score, label = model.f.predict(text + "\n", 1, 0.0, "strict")[0]
            assert answer == (label.removeprefix("__label__"), round(score, decimals)), text[:200]
    return sum(answer is not None for answer in answers) / max(len(texts), 1)


ODD = [
    "",
    " ",
    "\t\v\f\r\0 ",
    "a",
    "é",
    "👍",
    "<",
    "> <",
    "a>b <c",
    "the</s>end",
    "stop </s> here",
    "__label__en winters",
    "x__label__en",
    "a\u2028b\x1cc\x85d\u00a0e",
    "the\0dredger\rlay\tagainst\vcoal\fquay",
    "  the   dredger  ",
    "\ufeffthe \ufffe \uffff dredger",
    "z" * 5000,
    "船" * 5000,
    "👍" * 3000,
    "a " * 60_000,
    "the dredger " * 20_000,
    "".join(map(chr, range(0x10000, 0x10000 + 3000))),
]


@needs_model
@pytest.mark.parametrize("decimals", range(1, MAX_DECIMALS + 1))
def test_odd_texts_are_answered_as_fasttext_does(lid: Pair, decimals: int) -> None:
    assert check(lid, ODD, decimals) > 0.1


@needs_model
@settings(max_examples=150, deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=8))
@example(texts=["\U0001f6a2a \U0001f6a2", "\r", "</s>", "\x00"])
def test_any_text_is_answered_as_fasttext_does(lid: Pair, texts: list[str]) -> None:
    check(lid, [text.replace("\n", "") for text in texts])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(draw=st.randoms(use_true_random=False), decimals=st.integers(1, MAX_DECIMALS))
def test_models_of_every_kind_are_answered_for(trained: dict[str, str], draw: random.Random, decimals: int) -> None:
    texts = sentences(30, seed=draw.randrange(2**32), marked=False)
    texts += ["".join(draw.choices("the dré 船👍<>", k=draw.randrange(40))) for _ in range(30)]
    for path in trained.values():
        check(load(path), texts, decimals)


def test_most_answers_need_no_fasttext(trained: dict[str, str]) -> None:
    texts = sentences(500, seed=7, marked=False)
    assert {name: check(load(path), texts) >= 0.95 for name, path in trained.items()} == dict.fromkeys(trained, True)


@needs_model
def test_real_texts_are_answered_as_fasttext_does(lid: Pair, real_data: Path) -> None:
    files = sorted((real_data / "langid" / "lingua-sentences").glob("*.txt"))
    assert len(files) == 75
    lines = [line for path in files for line in path.read_text().splitlines()[:150]]
    assert check(lid, lines) > 0.9
    books = [path.read_bytes().decode(errors="replace") for path in sorted((real_data / "gutenberg").rglob("*.txt"))]
    assert books
    check(lid, [book.replace("\n", joint) for book in books for joint in ("", " ")])


@needs_model
def test_real_pages_are_answered_as_fasttext_does(lid: Pair, real_data: Path) -> None:
    pages = []
    for path in sorted((real_data / "commoncrawl" / "derived").glob("*.wet.gz")):
        with path.open("rb") as stream:
            found = [item for item, _ in read_pages(stream, name=str(path), dump="test")]
        pages += [page.text.replace("\n", "") for page in found if isinstance(page, Document)]
    assert len(pages) > 1000
    assert check(lid, pages) > 0.95


def test_what_was_read_before_changes_no_answer(trained: dict[str, str]) -> None:
    texts = [*sentences(200, seed=3, marked=False), FILLER]
    for path in trained.values():
        facts = facts_of(path)
        fresh, forgetful = CachedClassifier(facts), CachedClassifier(facts)
        forgetful._windows = WindowTable(facts, forgetful._utf8, list(forgetful._spell_words(facts.words)), 4, 50)
        expected = fresh(texts, 3)
        noise = ["".join(random.Random(5).choices([chr(code) for code in range(33, 9000)], k=30_000))]
        for cached in (fresh, forgetful):
            cached(noise, 3)
            assert cached(texts, 3) == expected
            assert cached(texts[::-1], 3) == expected[::-1]


def astral_pool(number: int) -> list[str]:
    """Texts of four words of two characters that no other pool has, 2,100 in all, each met in the pool's order."""
    characters = [chr(0x10000 + 2100 * number + place) for place in range(2100)]
    words = ["".join(characters[place : place + 2]) for place in range(0, len(characters), 2)]
    return [" ".join(words[place : place + 4]) for place in range(0, len(words), 4)]


@pytest.mark.parametrize("name", ["hs", "softmax"])
def test_characters_that_take_the_place_of_others_are_not_taken_for_them(trained: dict[str, str], name: str) -> None:
    """Between groups, surrogates are given to other characters; what was remembered of the first ones must not stay."""
    pair = load(trained[name])
    words = ["👍", "🚢🚢 😀", "ok 👍 the 🚢🚢", "👍👍 船 😀", "😀 x"]
    for number in (0, 1, 2, 0):
        assert check(pair, [*words[number:], *astral_pool(number), *words], MAX_DECIMALS) > 0.5
    # Enough of one call for several groups: room is made between them.
    pools = [text for number in (3, 4, 5) for text in [*astral_pool(number), *words, "the dredger " * 43_600]]
    assert check(pair, pools, MAX_DECIMALS) > 0.5


def test_memory_is_bounded_whatever_is_read(trained: dict[str, str]) -> None:
    facts = facts_of(trained["hs"])
    cached = CachedClassifier(facts)
    windows = WindowTable(facts, cached._utf8, [], slot_bits=8, most_sums=1000)
    cached._windows = windows
    size = windows.stored.sums.nbytes
    draw = random.Random(4)
    for _ in range(5):
        cached(["".join(draw.choices([chr(code) for code in range(33, 9000)], k=20_000)) for _ in range(40)], 2)
    assert windows.stored.sums.nbytes == size
    assert windows._used <= len(windows.stored.sums)
    assert len(cached._astral) <= 2048


@pytest.mark.parametrize(("length", "answered"), [(_LONGEST, True), (_LONGEST + 1, False)])
def test_texts_beyond_the_longest_are_left_to_fasttext(trained: dict[str, str], length: int, answered: bool) -> None:
    text = (" ".join(WORDS["ru"]) + " ") * (length // 40)
    assert (load(trained["hs_pruned"])[1]([text[:length]], 1) != [None]) is answered


@pytest.mark.parametrize(("length", "answered"), [(_LEAST_CHARS, True), (_LEAST_CHARS - 1, False)])
def test_little_text_is_left_to_fasttext(trained: dict[str, str], length: int, answered: bool) -> None:
    text = (" ".join(WORDS["ru"]) + " ") * (length // 40)
    assert (load(trained["softmax"])[1]([text[:length]], 2) != [None]) is answered


def test_scores_of_many_decimals_are_left_to_fasttext(trained: dict[str, str]) -> None:
    assert load(trained["hs"])[1]([FILLER], MAX_DECIMALS + 1) == [None]


def test_lone_surrogates_are_left_to_fasttext(trained: dict[str, str]) -> None:
    assert load(trained["hs"])[1](["a\ud800b", FILLER], 2)[0] is None


@pytest.mark.parametrize("name", sorted(OTHER_KINDS))
def test_other_kinds_of_model_are_left_to_fasttext(models: dict[str, str], name: str) -> None:
    assert CachedClassifier.open(fasttext.load_model(models[name]), models[name]) is None


@pytest.mark.parametrize("size", [0, 3, 63, 91, 200])
def test_a_file_that_ends_early_is_left_to_fasttext(trained: dict[str, str], tmp_path: Path, size: int) -> None:
    path = tmp_path / "short.bin"
    path.write_bytes(Path(trained["hs"]).read_bytes()[:size])
    assert read_model(fasttext.load_model(trained["hs"]), str(path)) is None
    path.write_bytes(gzip.compress(Path(trained["hs"]).read_bytes()))
    assert read_model(fasttext.load_model(trained["hs"]), str(path)) is None


@needs_model
def test_the_identifier_gives_what_fasttext_gives_with_and_without_memory(lid: Pair) -> None:
    texts = [*sentences(400, seed=9, marked=False), *ODD, FILLER, "a\nb"]
    for decimals in (None, 1, 2, 6):
        identify = LanguageIdentifier(MODEL, LanguageModelSettings(decimals=decimals))
        for text, row in zip(texts, identify(texts), strict=True):
            score, label = lid[0].f.predict(text.replace("\n", "") + "\n", 1, 0.0, "strict")[0]
            expected = score if decimals is None else round(score, decimals)
            assert row == {"language": label.removeprefix("__label__"), "language_score": expected}


@needs_model
@pytest.mark.parametrize("decimals", [None, 2])
def test_the_identifier_takes_a_lone_surrogate_for_a_question_mark(decimals: int | None) -> None:
    identify = LanguageIdentifier(MODEL, LanguageModelSettings(decimals=decimals))
    odd, plain, _ = identify(["Is the \ud800 dredger here\udfff", "Is the ? dredger here?", FILLER])
    assert odd == plain
    assert odd["language"] == "en"
    assert identify(["\udc80"]) == identify(["?"])
