"""C4's language identification: langdetect (Nakatani, 2010), English with a probability of at least 0.99.

The published C4 asks Python's ``langdetect`` with seed 0 and drops a page whose best language is less likely than 0.99
or is not English (Raffel et al., 2020, section 2.2). langdetect reads the first 10,000 characters (URLs and addresses
taken out), draws n-grams of up to three letters at random and multiplies their languages' likelihoods until one
language is certain, seven times over. Its language profiles, its regular expressions and its folding of letters are
taken from the package; counting and multiplying are ours, three times as fast: n-grams are kept for each word,
likelihoods of all languages are one array. The same numbers come out, to the last bit, but for one thing: langdetect
numbers its languages in the order in which the file system lists them, which decides the last bit of their sum; here
they are sorted.

Nothing is shared between calls but what never changes, so a document's result does not depend on what was asked before,
and any number of threads may ask at once.
"""

import functools
import os
import random
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from langdetect.detector import Detector as _Original
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.utils.ngram import NGram
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.language import LanguageLimits

_SEED = 0  # C4's
_MAX_CHARS = 10_000
_MAX_GRAM = 3
_TRIALS = 7
_SMOOTHING, _SMOOTHING_WIDTH, _BASE = 0.5, 0.05, 10_000
_CERTAIN = 0.99999
_LAST_DRAW = 1000
_DRAWS_BETWEEN_LOOKS = 5
_MIN_PROBABILITY = 0.1  # langdetect names no language that is less likely
_FASTTEXT_MIN_PROBABILITY = 0.5
_MAX_CACHED_CHARS = 32

_BLANKS = re.compile("  +")
_NOT_LATIN = re.compile("[\u0300-\U0010ffff]")  # Vietnamese letters too: langdetect compares their block with a name
_FROM_A_TO_Z = re.compile("[A-z]")  # as langdetect has it, with the six signs between Z and a


class Detector(StrEnum):
    """What identifies the language."""

    LANGDETECT = "langdetect"
    FASTTEXT = "fasttext"


class C4LanguageSettings(BaseModel):
    """Which pages are kept for their language.

    Attributes:
        detector: ``langdetect`` as C4, or ``fasttext``, five times as fast (:mod:`filters.language`).
        language: The language to keep, as the detector names it.
        min_probability: Least probability of the best language; a page exactly at it is kept. C4's 0.99 where it is
            not given, but CCNet's 0.5 for ``fasttext``, which is never so sure: of 666 published pages ``lid.176.ftz``
            gives 0.99 to 23.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Detector = Detector.LANGDETECT
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] = "en"
    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.99

    @model_validator(mode="before")
    @classmethod
    def _default_of_detector(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("detector") == Detector.FASTTEXT:
            return {"min_probability": _FASTTEXT_MIN_PROBABILITY, **values}
        return values

    @property
    def limits(self) -> LanguageLimits:
        """The limits for :func:`filters.language.check_language`, which has C4's rules in C4's order."""
        return LanguageLimits(languages=(self.language,), min_score=self.min_probability)


class LangDetect:
    """langdetect's profiles, loaded: a score, which never decides. Takes half a second to load, and 100 MB."""

    def __init__(self) -> None:
        factory = DetectorFactory()
        factory.load_json_profile([_read(name) for name in sorted(os.listdir(PROFILES_DIRECTORY))])
        self._languages: list[str] = factory.langlist
        likelihoods = {gram: row for gram, row in factory.word_lang_prob_map.items() if len(gram) <= _MAX_GRAM}
        self._rows = {gram: i for i, gram in enumerate(likelihoods)}
        self._likelihoods = np.array(list(likelihoods.values()), np.float64)
        self._folded = _Folded()
        self._rows_of_known = functools.lru_cache(maxsize=1 << 16)(self._rows_of)

    def __call__(self, texts: Sequence[str]) -> list[dict[str, str | float]]:
        """Identify the language of each text.

        Args:
            texts: Documents' texts.

        Returns:
            For each, ``language`` (the best one, empty when the text holds no letters or none is likely) and
            ``language_score`` (its probability; 0 when there is none).
        """
        return [self._identify(text) for text in texts]

    def _identify(self, text: str) -> dict[str, str | float]:
        rows = self._text_rows(_prepare(text))
        if rows:
            probabilities = self._probabilities(rows)
            best = int(probabilities.argmax())
            if probabilities[best] > _MIN_PROBABILITY:
                return {"language": self._languages[best], "language_score": float(probabilities[best])}
        return {"language": "", "language_score": 0.0}

    def _text_rows(self, text: str) -> list[int]:
        """Give the row of each n-gram of a text that any language knows, in the order of the text."""
        *words, last = text.translate(self._folded).split(" ")
        rows: list[int] = []
        for word in words:
            if word:
                rows += (self._rows_of_known if len(word) <= _MAX_CACHED_CHARS else self._rows_of)(f" {word} ")
        if last:
            rows += self._rows_of(f" {last}")
        return rows

    def _rows_of(self, word: str) -> list[int]:
        """Give the rows of a word, with the blanks around it; a capital that follows a capital ends no n-gram."""
        rows = []
        for end in range(2, len(word) + 1):
            if word[end - 1].isupper() and word[end - 2].isupper():
                continue
            for start in range(end - 1, max(end - _MAX_GRAM, 0) - 1, -1):
                gram = word[start:end]
                if gram in self._rows and gram != " ":
                    rows.append(self._rows[gram])
        return rows

    def _probabilities(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Give the probability of each language, the mean of several trials."""
        draw = random.Random(_SEED)  # noqa: S311 - the seed is part of the method
        mean = np.zeros(len(self._languages))
        for _ in range(_TRIALS):
            smoothing = _SMOOTHING + draw.gauss(0.0, 1.0) * _SMOOTHING_WIDTH
            mean += self._one_trial(rows, smoothing / _BASE, draw) / _TRIALS
        return mean

    def _one_trial(self, rows: Sequence[int], smoothing: float, draw: random.Random) -> NDArray[np.float64]:
        languages = len(self._languages)
        probabilities: NDArray[np.float64] = np.full(languages, 1.0 / languages)
        drawn, draws = 0, 1  # the first look comes after the first draw
        while True:
            likelihoods = self._likelihoods[[draw.choice(rows) for _ in range(draws)]]
            likelihoods += smoothing
            likelihoods[0] *= probabilities
            product = np.multiply.reduce(likelihoods, axis=0)
            probabilities = product / float(np.add.accumulate(product)[-1])  # in turn, as sum() up to Python 3.11
            drawn, draws = drawn + draws, _DRAWS_BETWEEN_LOOKS
            if probabilities.max() > _CERTAIN or drawn > _LAST_DRAW:
                return probabilities


class _Folded(dict[int, str]):
    """langdetect's folding of letters for ``str.translate``, looked up once for each character met."""

    def __missing__(self, code: int) -> str:
        folded: str = NGram.normalize(chr(code))
        self[code] = folded
        return folded


def _read(profile: str) -> str:
    with open(os.path.join(PROFILES_DIRECTORY, profile), encoding="utf-8") as stream:
        return stream.read()


def _prepare(text: str) -> str:
    """Take URLs and addresses out, cut, and take out Latin letters where they are the smaller part by far."""
    text = _Original.MAIL_RE.sub(" ", _Original.URL_RE.sub(" ", text))
    if not text.isascii():
        text = NGram.normalize_vi(text)
    text = _BLANKS.sub(" ", text[:_MAX_CHARS])
    if not text.isascii() and len(_FROM_A_TO_Z.findall(text)) * 2 < len(_NOT_LATIN.findall(text)):
        return _FROM_A_TO_Z.sub("", text)
    return text
