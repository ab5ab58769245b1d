"""Settings of decontamination: the evaluation sets whose texts are looked for in the documents."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class EvaluationSet(BaseModel):
    """One evaluation set.

    Attributes:
        id: Names it in statistics.
        paths: Its files, globs below ``data``: JSON lines, JSON arrays, CSV, TSV, Parquet, or text, of which each
            paragraph is an item; ``.gz`` and ``.zst`` are decompressed.
        fields: The fields of an item whose texts count, dotted, through lists; ``null`` for all at its top that hold a
            text or a list of texts.
        id_field: The field that names an item; ``null`` for ``id`` where there is one, else file and row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    fields: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    id_field: str | None = None


class DecontaminationSettings(BaseModel):
    """How documents that share text with evaluation sets are found, and what becomes of them.

    Attributes:
        sets: The evaluation sets.
        ngram_words: Words of a shared n-gram (13 in GPT-3: Brown et al., 2020, appendix C).
        min_text_words: A text of fewer words than an n-gram is looked for as a whole if it has so many (8 is the least
            that GPT-3 compares); ``null`` looks for none of them.
        max_documents: An n-gram that more documents of the run have is a common phrase and does not count (10 in
            GPT-3); ``null`` counts all.
        max_ngrams: Shared n-grams that a document may have.
        action: ``drop`` leaves contaminated documents out of tokenizer and token shards, ``mark`` only lists them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sets: Annotated[tuple[EvaluationSet, ...], Field(min_length=1)]
    ngram_words: Annotated[int, Field(ge=1, le=64)] = 13
    min_text_words: Annotated[int, Field(ge=1, le=64)] | None = 8
    max_documents: Annotated[int, Field(ge=1)] | None = 10
    max_ngrams: Annotated[int, Field(ge=0)] = 0
    action: Literal["drop", "mark"] = "drop"

    @field_validator("sets")
    @classmethod
    def _each_once(cls, sets: tuple[EvaluationSet, ...]) -> tuple[EvaluationSet, ...]:
        ids = [one.id for one in sets]
        twice = [name for name in ids if ids.count(name) > 1]
        if twice:
            raise ValueError(f"two sets are called {twice[0]}; each needs an id of its own")
        return sets
