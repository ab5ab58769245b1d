"""Perplexity of a document under an n-gram model of clean text (CCNet, Wenzek et al. 2020, section 3.3).

A document is normalised, cut into pieces by a SentencePiece model and scored by a KenLM model, both trained on
Wikipedia of its language; what reads like Wikipedia has a low perplexity. CCNet (``perplexity.py``, ``mine.py``) takes
the whole document as one line, counts one more word than there are pieces (the end of the sentence), and rounds to one
decimal. A language's documents are then split in three by two cut-offs, the 30th and the 60th percentile: head, middle
and tail; what cannot be placed, for want of a model, of text or of a cut-off, is in a bucket of its own, ``all``.

CCNet drops nothing: it writes the buckets apart. LLaMA (Touvron et al. 2023, section 2.1) only says that CCNet "filters
low quality content with an n-gram language model"; RedPajama, like this module, reads this as head and middle kept. The
bucket ``all`` is kept too unless told otherwise, since nothing is known against its documents.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import sentencepiece
from pydantic import BaseModel, ConfigDict, Field

from filters.kenlm_tools import load_kenlm
from filters.perplexity_cutoffs import Cutoffs
from filters.perplexity_text import normalize_for_perplexity
from filters.verdict import Drop, Reason


class PerplexityReason(Reason):
    """Rules of :func:`check_perplexity`: the bucket that is not kept, ``all`` split by its two causes."""

    NO_SCORE = "perplexity/no_score"
    NO_CUTOFF = "perplexity/no_cutoff"
    HEAD = "perplexity/head"
    MIDDLE = "perplexity/middle"
    TAIL = "perplexity/tail"


class Bucket(StrEnum):
    """Where a document stands in its language."""

    HEAD = "head"
    MIDDLE = "middle"
    TAIL = "tail"
    ALL = "all"


class PerplexityModelSettings(BaseModel):
    """How a document is scored.

    Attributes:
        line_joint: What replaces line ends: nothing, as in CCNet, or a space. The models must have been trained so.
        decimals: Decimals the perplexity is rounded to; ``null`` keeps it as it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line_joint: Annotated[str, Field(pattern="^ ?$")] = ""
    decimals: Annotated[int, Field(ge=0, le=6)] | None = 1


class BucketSettings(BaseModel):
    """Which buckets are kept.

    Attributes:
        keep: The buckets; without ``all``, documents in languages without a model or cut-offs are dropped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Annotated[tuple[Bucket, ...], Field(min_length=1)] = (Bucket.HEAD, Bucket.MIDDLE, Bucket.ALL)


class PerplexityScorer:
    """Loaded models, by language: a score, which never decides.

    Args:
        models: For each language, the paths on this machine of its KenLM model (binary or ARPA) and of the
            SentencePiece model it was trained with. Binaries are mapped into memory, which processes share.
        settings: How to score.

    Raises:
        OSError: A model is missing or is none; the message names it.
    """

    def __init__(self, models: Mapping[str, tuple[str, str]], settings: PerplexityModelSettings) -> None:
        self._models = {language: _load(*paths) for language, paths in models.items()}
        self._settings = settings

    def __call__(self, texts: Sequence[str], languages: Sequence[str]) -> list[dict[str, float]]:
        """Score documents.

        Args:
            texts: Documents' texts, LF line ends.
            languages: Their languages.

        Returns:
            For each, ``perplexity``, at least 1 for a model of probabilities and at most the largest float; nothing
            where the language has no model or the text, once normalised, no piece (CCNet: no score either).
        """
        return [self._row(text, language) for text, language in zip(texts, languages, strict=True)]

    def _row(self, text: str, language: str) -> dict[str, float]:
        if language not in self._models:
            return {}
        ngrams, splitter = self._models[language]
        normalized = normalize_for_perplexity(text, self._settings.line_joint)
        # Bytes, in and out, spare a Python string for each piece. A lone surrogate becomes a question mark.
        pieces = splitter.encode(normalized.encode(errors="replace"), out_type=bytes)
        if not pieces:
            return {}
        perplexity = perplexity_of(ngrams.score(b" ".join(pieces)), len(pieces))
        decimals = self._settings.decimals
        return {"perplexity": perplexity if decimals is None else round(perplexity, decimals)}


def perplexity_of(log10_score: float, pieces: int) -> float:
    """Give the perplexity of some pieces and the end of their sentence; from 10**308 on, the largest float there is.

    >>> perplexity_of(-6.0, 2)
    100.0
    """
    exponent = -log10_score / (pieces + 1)
    return 10.0**exponent if exponent < sys.float_info.max_10_exp else sys.float_info.max


def bucket_of(perplexity: float | None, language: str, cutoffs: Cutoffs) -> Bucket:
    """Place a document in its language.

    Args:
        perplexity: What a :class:`PerplexityScorer` gave; ``None`` where it gave nothing.
        language: The document's language.
        cutoffs: The languages' cut-offs; a document exactly at one is above it.

    Returns:
        The bucket; ``all`` without a perplexity or a cut-off.
    """
    if perplexity is None or math.isnan(perplexity) or language not in cutoffs:
        return Bucket.ALL
    if perplexity < cutoffs[language].head:
        return Bucket.HEAD
    return Bucket.MIDDLE if perplexity < cutoffs[language].middle else Bucket.TAIL


def check_perplexity(
    perplexity: float | None, language: str, cutoffs: Cutoffs, settings: BucketSettings
) -> Drop | None:
    """Decide whether a document reads enough like clean text of its language.

    Args:
        perplexity: What a :class:`PerplexityScorer` gave; ``None`` where it gave nothing.
        language: The document's language.
        cutoffs: The languages' cut-offs.
        settings: The buckets to keep.

    Returns:
        ``None`` to keep the document, else its bucket, with the cut-off between it and the better (for the head, the
        worse) bucket.
    """
    bucket = bucket_of(perplexity, language, cutoffs)
    if bucket in settings.keep:
        return None
    if bucket is Bucket.ALL:
        return Drop(PerplexityReason.NO_SCORE if language in cutoffs else PerplexityReason.NO_CUTOFF, perplexity)
    cutoff = cutoffs[language]
    if bucket is Bucket.TAIL:
        return Drop(PerplexityReason.TAIL, perplexity, cutoff.middle)
    reason = PerplexityReason.HEAD if bucket is Bucket.HEAD else PerplexityReason.MIDDLE
    return Drop(reason, perplexity, cutoff.head)


def _load(ngrams: str, pieces: str) -> tuple[Any, sentencepiece.SentencePieceProcessor]:
    kenlm = load_kenlm()
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        splitter = sentencepiece.SentencePieceProcessor(model_file=pieces)
    except RuntimeError as error:
        raise OSError(f"Cannot read model '{pieces}' ({error})") from error
    return kenlm.Model(ngrams, config), splitter
