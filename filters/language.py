"""Language identification with fastText's lid.176 (Joulin et al. 2016), used as CCNet uses it.

CCNet (``split_by_lang.py``) asks for the best label of the deduplicated text with its line ends replaced by nothing,
which fuses the words at line ends, and rounds the score to two decimals before it compares it with 0.5, so 0.496
passes. Both are settings here; CCNet's behaviour is the default.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import fasttext
from pydantic import BaseModel, ConfigDict, Field

from filters.fasttext_cache import CachedClassifier
from filters.verdict import Drop, Reason

_LABEL = "__label__"

#: Where set-up puts the model, below the installation's prefix.
INSTALLED_MODEL = os.path.join("share", "llama-corpus", "lid.176.ftz")


class LanguageReason(Reason):
    """Rules of :func:`check_language`, in the order they are tried."""

    UNIDENTIFIED = "language/unidentified"
    LOW_SCORE = "language/low_score"
    NOT_WANTED = "language/not_wanted"


class LanguageModelSettings(BaseModel):
    """How a language is identified.

    Attributes:
        model: A fastText model (``lid.176.bin``, ``lid.176.ftz``), in a config below its ``data``; ``null`` takes the
            one installed at set-up.
        line_joint: What replaces line ends: nothing, as in CCNet, or a space.
        decimals: Decimals the score is rounded to; ``null`` keeps it as it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    line_joint: Annotated[str, Field(pattern="^ ?$")] = ""
    decimals: Annotated[int, Field(ge=1, le=6)] | None = 2


class LanguageLimits(BaseModel):
    """Which documents are kept for their language.

    Attributes:
        languages: Codes of the languages to keep, as the model names them; ``null`` keeps all.
        min_score: Least probability of the best label, from 0 to 1; a document exactly at it is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...] | None = ("en",)
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.5


def installed_model() -> str:
    """Give the path of the model installed at set-up.

    Raises:
        FileNotFoundError: This installation has none.
    """
    path = os.path.join(sys.prefix, INSTALLED_MODEL)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"no language model: {path} is missing; run `make setup` in a clone, or give the path of fastText's "
            "lid.176.bin or lid.176.ftz"
        )
    return path


class LanguageIdentifier:
    """A loaded fastText model: a score, which never decides.

    Answers are fastText's own to the last digit. Rounded scores of many texts are mostly worked out without it, from
    n-grams remembered between texts (:mod:`filters.fasttext_cache`), which is faster.

    Args:
        path: The model file, on this machine.
        settings: How to ask it.
    """

    def __init__(self, path: str, settings: LanguageModelSettings) -> None:
        model = fasttext.load_model(path)
        self._model = model.f
        self._settings = settings
        self._cached = None if settings.decimals is None else CachedClassifier.open(model, path)

    def __call__(self, texts: Sequence[str]) -> list[dict[str, str | float]]:
        """Identify the language of each text.

        Args:
            texts: Documents' texts.

        Returns:
            For each, ``language`` (the best label, empty when the model gives none) and ``language_score`` (its
            probability, rounded as set; 0 when there is no label).
        """
        joint = self._settings.line_joint
        lines = [text.replace("\n", joint) for text in texts]
        return [
            {"language": found[0], "language_score": found[1]} if found else self._ask(line)
            for line, found in zip(lines, self._remembered(lines), strict=True)
        ]

    def _remembered(self, lines: list[str]) -> list[tuple[str, float] | None]:
        decimals = self._settings.decimals
        if self._cached is None or decimals is None:
            return [None] * len(lines)
        return self._cached(lines, decimals)

    def _ask(self, line: str) -> dict[str, str | float]:
        # A lone surrogate, which fastText refuses, becomes a question mark.
        found = self._model.predict(line.encode(errors="replace").decode() + "\n", 1, 0.0, "strict")
        if not found:
            return {"language": "", "language_score": 0.0}
        score, label = found[0]
        decimals = self._settings.decimals
        return {
            "language": label.removeprefix(_LABEL),
            "language_score": float(score) if decimals is None else round(float(score), decimals),
        }


def check_language(language: str, score: float, limits: LanguageLimits) -> Drop | None:
    """Decide whether a document is in a wanted language.

    Args:
        language: The label a :class:`LanguageIdentifier` gave.
        score: Its probability.
        limits: What to keep.

    Returns:
        ``None`` to keep the document, else the first rule it breaks.

    >>> check_language("en", 0.5, LanguageLimits()) is None
    True
    """
    if not language:
        return Drop(LanguageReason.UNIDENTIFIED, measured=0.0, limit=limits.min_score)
    if score < limits.min_score:
        return Drop(LanguageReason.LOW_SCORE, measured=score, limit=limits.min_score)
    if limits.languages is not None and language not in limits.languages:
        return Drop(LanguageReason.NOT_WANTED)
    return None
