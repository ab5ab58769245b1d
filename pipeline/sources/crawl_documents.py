"""The last stage of CommonCrawl: hold every page to its language, its perplexity and the classifier's word."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam

from filters.language import LanguageLimits, check_language
from filters.perplexity import BucketSettings, bucket_of, check_perplexity
from filters.perplexity_cutoffs import Cutoffs
from filters.reference import ReferenceLimits, check_reference
from filters.verdict import Drop
from pipeline.batch import Batch
from pipeline.document import Document
from pipeline.reading import ReadBatches
from pipeline.run import Run
from pipeline.scores import read_with_scores
from pipeline.sources.outputs import common_settings, owned, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork
from pipeline.steps import DropDocuments
from pipeline.writing import WriteBatches

SOURCE = "commoncrawl"
DOCUMENTS = f"{SOURCE}.documents"


@dataclass(frozen=True, slots=True)
class Judge:
    """What pages are held to.

    Attributes:
        language: Which languages are kept.
        buckets: Which buckets of perplexity are kept; ``None``: whatever it is.
        cutoffs: Where the buckets part.
        reference: What counts as a reference; ``None``: everything is kept.
    """

    language: LanguageLimits
    buckets: BucketSettings | None = None
    cutoffs: Cutoffs = field(default_factory=dict)
    reference: ReferenceLimits | None = None

    def settings(self) -> dict[str, Any]:
        """Give what a stage that holds pages to it depends on."""
        return {
            "language": self.language.model_dump(mode="json"),
            "buckets": None if self.buckets is None else self.buckets.model_dump(mode="json"),
            "cutoffs": {language: asdict(cutoff) for language, cutoff in self.cutoffs.items()},
            "reference": None if self.reference is None else self.reference.model_dump(mode="json"),
        }


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of the pages, and what they are held to.

    Attributes:
        judge: The limits.
        stages: The stages that keep the scores, with their digests.
        skips_perplexity: Whether perplexity was wanted and could not be measured.
    """

    judge: Judge
    stages: Mapping[str, str]
    skips_perplexity: bool


def documents_stage(run: Run, scored: StageResult, scores: Scored) -> Stage:
    """Give the stage from scored documents to those that are kept."""
    read = functools.partial(read_with_scores, run=run.folder, stages=tuple(scores.stages))
    judge = scores.judge

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "PlaceInBuckets" >> beam.Map(_place_in_buckets, judge, scores.skips_perplexity).with_output_types(Batch)
            | "KeepGoodPages" >> DropDocuments("filters", functools.partial(check_page, judge=judge))
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    asked = {**judge.settings(), **common_settings(run)}
    work = UnitWork(scored.files(run.folder, f"work/{scored.name}/"), build, single=True)
    owns = (f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS))
    return Stage(DOCUMENTS, asked, {"scored": scored.digest, **scores.stages}, work, owns)


def _place_in_buckets(batch: Batch, judge: Judge, skips_perplexity: bool) -> Batch:  # noqa: FBT001 - Beam passes it on
    if skips_perplexity:
        batch.facts["perplexity_skipped"] = len(batch.documents)
    for page in batch.documents if judge.buckets is not None else ():
        bucket = bucket_of(_number(page, "perplexity"), page.language, judge.cutoffs)
        page.metadata["bucket"] = bucket.value
        batch.facts[f"bucket_{bucket.value}"] += 1
    return batch


def check_page(page: Document, *, judge: Judge) -> Drop | None:
    """Hold a page to its language, its perplexity and the classifier's word, in this order."""
    verdict = check_language(page.language, _number(page, "language_score") or 0.0, judge.language)
    if verdict is None and judge.buckets is not None:
        verdict = check_perplexity(_number(page, "perplexity"), page.language, judge.cutoffs, judge.buckets)
    if verdict is None and judge.reference is not None:
        verdict = check_reference(_number(page, "reference_score"), judge.reference)
    return verdict


def _number(page: Document, name: str) -> float | None:
    value = page.metadata.get(name)
    return None if value is None else float(value)
