"""Settings of decontamination: the evaluation sets whose texts are looked for in the documents."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class EvaluationSet(BaseModel):
    """One evaluation set.

    Attributes:
        id: Names it in statistics.
        paths: Its files, globs below ``data``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]


class DecontaminationSettings(BaseModel):
    """How documents that share text with evaluation sets are found, and what becomes of them.

    Attributes:
        sets: The evaluation sets.
        ngram_words: Words of a shared n-gram (13 in GPT-3: Brown et al., 2020, appendix C).
        action: ``drop`` leaves contaminated documents out of tokenizer and token shards, ``mark`` only lists them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sets: Annotated[tuple[EvaluationSet, ...], Field(min_length=1)]
    ngram_words: Annotated[int, Field(ge=1, le=64)] = 13
    action: Literal["drop", "mark"] = "drop"
