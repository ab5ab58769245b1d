"""Settings of C4: where it comes from, as published or rebuilt from crawls, and what its rules are held to."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.bad_words import BadWordsLimits
from filters.c4 import C4Limits
from filters.c4_language import C4LanguageSettings
from filters.language import LanguageModelSettings
from pipeline.dumps import Dump


class C4Dedup(StrEnum):
    """Which repeated parts of pages are removed: lines (the published C4), spans of three sentences (its paper)."""

    LINES = "lines"
    SPANS = "spans"
    NONE = "none"


class C4Settings(BaseModel):
    """C4 (Raffel et al., 2020): as published, which is what LLaMA took, or rebuilt by its rules from crawls.

    Attributes:
        paths: The published JSON lines: globs, folders or files, relative to ``data``. Their text stays as it is.
        dumps: The crawls to rebuild it from; the published one is made of the WET files of CC-MAIN-2019-18.
        limits: What pages and their lines are held to.
        dedup: What is compared across all pages: each line stays on one page only, as in the published C4; or each
            span of three sentences, as the paper has it; or nothing.
        max_shuffle_bytes: Bytes of keys that cross the shuffle at once, 16 a page or line; more are taken in several
            passes, each resumable. ``null`` takes all in one, as a cluster can.
        language: Which pages are kept for their language, and how it is identified; of the published C4, only its
            ``language`` counts, which its documents are given.
        language_model: The fastText model, for the detector ``fasttext``.
        bad_words: A list of words, one a line, relative to ``data``; ``null`` keeps pages whatever words they hold.
        bad_words_limits: What becomes of pages with one of these words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    dumps: Annotated[tuple[Dump, ...], Field(min_length=1)] | None = None
    limits: C4Limits = C4Limits()
    dedup: C4Dedup = C4Dedup.LINES
    max_shuffle_bytes: Annotated[int, Field(ge=1 << 20)] | None = 256 << 20
    language: C4LanguageSettings = C4LanguageSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()
    bad_words: Annotated[str, Field(min_length=1)] | None = None
    bad_words_limits: BadWordsLimits = BadWordsLimits()

    @model_validator(mode="after")
    def _one_origin(self) -> "C4Settings":
        if (self.paths is None) == (self.dumps is None):
            raise ValueError("give either paths, the published C4, or dumps, crawls to rebuild it from")
        names = [dump.id for dump in self.dumps or ()]
        if len(set(names)) < len(names):
            raise ValueError(f"dumps must have different ids, not {names}")
        return self

    @model_validator(mode="after")
    def _rules_have_an_effect(self) -> "C4Settings":
        """Refuse a rule set for published pages, which have C4's rules behind them and are held to no other."""
        if self.paths is None:
            return self
        plain = C4Settings.model_construct(language=C4LanguageSettings(language=self.language.language))
        for name in sorted(type(self).model_fields.keys() - {"paths", "dumps"}):
            if getattr(self, name) != getattr(plain, name):
                raise ValueError(f"{name} has no effect on paths, the published C4; allowed with dumps only")
        return self
