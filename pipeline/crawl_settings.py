"""Settings of CommonCrawl: the rules' own settings, and where their models come from."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.language import LanguageLimits, LanguageModelSettings
from filters.line_dedup import LineDedupSettings
from filters.perplexity import BucketSettings, PerplexityModelSettings
from filters.perplexity_card import NgramTrainingSettings
from filters.perplexity_cutoffs import HEAD_PERCENTILE, MIDDLE_PERCENTILE
from filters.reference import ReferenceLimits
from filters.reference_training import ReferenceTrainingSettings
from pipeline.dumps import Dump

SOURCE = "commoncrawl"

#: Where cut-offs come from, if not from a file.
RUN, CCNET = "run", "ccnet"


class PageDedup(StrEnum):
    """Which pages of the same content, title and text, are left out before lines are compared."""

    DUMPS = "dumps"
    CORPUS = "corpus"
    NONE = "none"


class PerplexitySettings(BaseModel):
    """The n-gram models, and which pages are kept by them.

    Attributes:
        models: Folder of ``<language>.arpa.bin`` and ``<language>.sp.model``, as CCNet publishes them, relative to the
            config's ``data``; ``null`` trains them on documents of this run.
        train_on: The source whose documents train them; ``null`` is Wikipedia, as in CCNet, where the run reads it,
            else the crawl itself.
        training: How they are trained.
        scoring: How pages are scored.
        cutoffs: Where head, middle and tail part: ``run``, at the percentiles below of this run's own pages; ``ccnet``,
            at CCNet's figures, which belong to CCNet's models; or a YAML file of ``<language>: {head: , middle: }``,
            below ``data``. ``null`` is ``ccnet`` where ``models`` are given, else ``run``.
        head_percentile: Share of a language's pages in the head, in percent.
        middle_percentile: Share of head and middle together.
        buckets: What is kept.
        without_kenlm: What happens where KenLM is not installed: ``fail``, or
            ``skip``, which keeps every page whatever it reads like, and counts them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: str | None = None
    train_on: Literal["commoncrawl", "c4", "wikipedia"] | None = None
    training: NgramTrainingSettings = NgramTrainingSettings()
    scoring: PerplexityModelSettings = PerplexityModelSettings()
    cutoffs: str | None = None
    head_percentile: Annotated[float, Field(ge=0, le=100)] = HEAD_PERCENTILE
    middle_percentile: Annotated[float, Field(ge=0, le=100)] = MIDDLE_PERCENTILE
    buckets: BucketSettings = BucketSettings()
    without_kenlm: Literal["fail", "skip"] = "fail"

    @property
    def cutoffs_from(self) -> str:
        """Say where the cut-offs come from: ``run``, ``ccnet`` or a file."""
        return self.cutoffs or (RUN if self.models is None else CCNET)

    @model_validator(mode="after")
    def _agree(self) -> "PerplexitySettings":
        if self.head_percentile > self.middle_percentile:
            raise ValueError(
                f"head_percentile {self.head_percentile:g} must not be above middle_percentile "
                f"{self.middle_percentile:g}"
            )
        if self.models is not None and (self.training != NgramTrainingSettings() or self.train_on is not None):
            raise ValueError("training and train_on have no effect on models that are given")
        percentiles = (self.head_percentile, self.middle_percentile)
        if self.cutoffs_from != RUN and percentiles != (HEAD_PERCENTILE, MIDDLE_PERCENTILE):
            raise ValueError(f"head_percentile and middle_percentile have no effect on cutoffs {self.cutoffs_from}")
        if self.models is None and self.training.line_joint != self.scoring.line_joint:
            raise ValueError("scoring.line_joint must be training.line_joint: models are asked as they were trained")
        return self


class ReferenceClassifierSettings(BaseModel):
    """The classifier of Wikipedia's references, and which pages are kept by it.

    Attributes:
        model: A fastText model of the labels ``wiki`` and ``cc``, below the config's ``data``; ``null`` trains one on
            this run's pages.
        wikipedia: Wikipedia's dumps, whose cited pages are the positives: globs, folders or files, relative to the
            config's ``data``; or ``run``, the articles of this run's own Wikipedia, in all its languages, which are
            not read again.
        training: How it is trained.
        limits: What is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    wikipedia: tuple[str, ...] | Literal["run"] = ()
    training: ReferenceTrainingSettings = ReferenceTrainingSettings()
    limits: ReferenceLimits = ReferenceLimits()

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReferenceClassifierSettings":
        if (self.model is None) == (not self.wikipedia):
            raise ValueError("give either model, a trained classifier, or wikipedia, dumps to train one with")
        if self.model is not None and self.training != ReferenceTrainingSettings():
            raise ValueError("training has no effect on a model that is given")
        return self


class CommonCrawlSettings(BaseModel):
    """CommonCrawl, English, through the CCNet pipeline (Touvron et al. 2023, section 2.1).

    Attributes:
        dumps: The crawls to read; the paper's are five, of 2017 to 2020, unnamed.
        min_chars: Pages with fewer characters are left out before deduplication (CCNet's ``min_len``).
        page_dedup: Which copies of a whole page are removed, before lines are compared. ``dumps``: those whose content
            also stands in a newer dump, so that inside a dump line deduplication does what CCNet does; ``corpus``: all
            but one, of the newest dump and there with the smallest (shard, record); ``none``.
        line_dedup: Which copies of a line are removed.
        language_model: How the language is identified.
        language: Which languages are kept.
        perplexity: The n-gram filter; ``null`` switches it off.
        reference: The classifier of Wikipedia's references; ``null`` switches it off.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dumps: Annotated[tuple[Dump, ...], Field(min_length=1)]
    min_chars: Annotated[int, Field(ge=0)] = 300
    page_dedup: PageDedup = PageDedup.DUMPS
    line_dedup: LineDedupSettings = LineDedupSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()
    language: LanguageLimits = LanguageLimits()
    perplexity: PerplexitySettings | None = PerplexitySettings()
    reference: ReferenceClassifierSettings | None = None

    @model_validator(mode="after")
    def _dumps_differ(self) -> "CommonCrawlSettings":
        names = [dump.id for dump in self.dumps]
        if len(set(names)) < len(names):
            raise ValueError(f"dumps must have different ids, not {names}")
        return self
