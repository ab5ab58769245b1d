"""Perplexity and the normalisation before it, beside the bare libraries and beside CCNet's way, written out here."""

import itertools
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence

import sentencepiece

from filters.kenlm_tools import load_kenlm
from filters.perplexity import PerplexityModelSettings, PerplexityScorer
from filters.perplexity_card import NgramTrainingSettings
from filters.perplexity_text import PUNCTUATION, normalize_for_perplexity
from filters.perplexity_training import train_ngram_model
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_SCORER_GOAL = 0.8
_SCORED_BYTES = 16_000_000
_TRAINING_BYTES = 8_000_000

_DIGIT = re.compile(r"\d")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def normalize(inputs: Inputs) -> Iterator[Result]:
    """Normalise whole documents, beside CCNet's passes over them."""
    texts = _texts(inputs)
    pair = compare(lambda: [*map(normalize_for_perplexity, texts)], lambda: [*map(_normalize_as_ccnet, texts)])
    against = "CCNet's own normalisation"
    yield speed("commoncrawl.perplexity_normalize", text_megabytes(texts), pair, against=against)


def score(inputs: Inputs) -> Iterator[Result]:
    """Normalise and score whole documents, beside bare SentencePiece and KenLM on text normalised before."""
    texts = _texts(inputs)
    card = train_ngram_model(texts, "en", NgramTrainingSettings(sample_bytes=_TRAINING_BYTES), inputs.folder)
    paths = tuple(os.path.join(inputs.folder, name) for name in ("en.arpa.bin", "en.sp.model"))
    scorer = PerplexityScorer({"en": (paths[0], paths[1])}, PerplexityModelSettings())
    ngrams, splitter = load_kenlm().Model(paths[0]), sentencepiece.SentencePieceProcessor(model_file=paths[1])
    normalized, languages = [*map(normalize_for_perplexity, texts)], ["en"] * len(texts)
    pair = compare(
        lambda: scorer(texts, languages),
        lambda: [ngrams.score(" ".join(splitter.encode_as_pieces(text))) for text in normalized],
    )
    yield speed(
        "commoncrawl.perplexity",
        text_megabytes(texts),
        pair,
        against="bare SentencePiece and KenLM on normalised text",
        goal=f"ratio >= {_SCORER_GOAL}",
        met=pair.ratio >= _SCORER_GOAL,
        detail=f"a model of {card.vocab_size:,} pieces and {sum(card.ngrams):,} n-grams, of the same text",
    )


def _texts(inputs: Inputs) -> list[str]:
    sizes = itertools.accumulate(len(document.text.encode()) for document in inputs.documents)
    pairs: Sequence[tuple[str, int]] = [*zip((document.text for document in inputs.documents), sizes, strict=True)]
    return [text for text, size in pairs if size <= _SCORED_BYTES]


def _normalize_as_ccnet(text: str) -> str:
    """Pass over the text once a rule, a Python character at a time where CCNet does."""
    text = text.strip().lower()
    text = "".join([mark for mark in unicodedata.normalize("NFD", text) if unicodedata.category(mark) != "Mn"])
    text = "".join(PUNCTUATION.get(mark, mark) for mark in _DIGIT.sub("0", text))
    return _CONTROL.sub("", text)
