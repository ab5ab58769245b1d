"""CommonCrawl through the CCNet pipeline (Touvron et al. 2023, section 2.1; Wenzek et al. 2020).

"This process deduplicates the data at the line level, performs language identification with a fastText linear
classifier to remove non-English pages and filters low quality content with an n-gram language model. In addition, we
trained a linear model to classify pages used as references in Wikipedia v.s. randomly sampled pages, and discarded
pages not classified as references."

Crawl files are read twice: once for fingerprints of their lines, once more, where they lie, to take the duplicates
out. The stages, each with committed outputs:

1. ``fingerprints``: read every record; leave out what is no page or too short; fingerprint lines, ids and content.
2. ``duplicate_ids``: find pages whose id stands in a newer dump, or earlier in the same.
3. ``duplicate_pages``: find pages whose content stands in a newer dump.
4. ``duplicate_lines``: find the lines that go.
5. ``scored``: read again, take all that out, identify the language.
6. the scores of the n-gram model and the classifier (:mod:`pipeline.sources.perplexity`, ``.references``).
7. ``documents``: keep the wanted languages, the wanted buckets of perplexity, and what looks like a reference.
"""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam

from filters.language import LanguageIdentifier, LanguageModelSettings
from filters.perplexity import BucketSettings
from filters.perplexity_cutoffs import Cutoffs
from pipeline.batch import Batch
from pipeline.crawl_settings import CommonCrawlSettings
from pipeline.document import Shard
from pipeline.files import join, local_copy, write_bytes, write_json
from pipeline.fingerprints import DropDuplicates
from pipeline.inputs import list_shards
from pipeline.language_model import read_language_model
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run, RunFailed
from pipeline.sources import crawl_dedup, perplexity, references
from pipeline.sources.crawl_dedup import (
    COPY_REASONS,
    DUPLICATE_LINES,
    copies_stages,
    duplicate_lines_stage,
    fingerprints_stage,
    read_shard_again,
)
from pipeline.sources.crawl_documents import DOCUMENTS, Judge, Scored, check_page, documents_stage
from pipeline.sources.outputs import common_settings, count_languages, digest_inputs, owned, stage_outputs
from pipeline.stage import Stage, StageResult, Steps, UnitWork
from pipeline.steps import ScoreAll, ScoreDocuments
from pipeline.writing import WriteBatches

SOURCE = "commoncrawl"
SCORED = f"{SOURCE}.scored"
_WITHOUT_KENLM = "KenLM is not installed (make kenlm); pages are kept whatever they read like"
_NOTHING: Mapping[str, StageResult] = {}


def stages(settings: CommonCrawlSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    models = perplexity.stages(settings.perplexity) if settings.perplexity is not None else []
    models += references.stages(settings.reference) if settings.reference is not None else []
    return [*crawl_dedup.stages(settings), SCORED, *models, DOCUMENTS]


@dataclass(frozen=True, slots=True)
class CrawlInputs:
    """What a run of this source reads.

    Attributes:
        shards: The crawl files.
        wikipedia: Wikipedia's dumps.
        skips_perplexity: Whether perplexity is wanted and cannot be measured, for want of KenLM.
        models: Files of models that are given.
    """

    shards: Sequence[Shard]
    wikipedia: Sequence[Shard] = ()
    skips_perplexity: bool = False
    models: Sequence[str] = ()


def list_inputs(settings: CommonCrawlSettings, data: str) -> CrawlInputs:
    """List the files of all dumps, and look at the models that are given.

    Raises:
        SettingsError: An entry matches no file, or a model is not there.
    """
    read_language_model(settings.language_model, SOURCE)
    asked = settings.perplexity
    can_measure = asked is None or perplexity.check(asked, settings.language.languages)
    wikipedia = references.list_dumps(settings.reference, data) if settings.reference is not None else []
    key = f"sources.{SOURCE}.dumps"
    shards = [
        shard
        for position, dump in enumerate(settings.dumps)
        for shard in list_shards(SOURCE, dump.id, dump.paths, data=data, key=f"{key}.{position}.paths")
    ]
    given = [folder for folder in (asked and asked.models, settings.reference and settings.reference.model) if folder]
    return CrawlInputs(shards, wikipedia, not can_measure, given)


def recipe(
    run: Run, settings: CommonCrawlSettings, given: CrawlInputs, others: Mapping[str, StageResult] = _NOTHING
) -> Recipe:
    """Give the stages from crawl files to documents.

    Args:
        run: The run at work.
        settings: The source's settings.
        given: What it reads, from :func:`list_inputs`.
        others: The last stages of other sources, whose documents may train the n-gram models.
    """
    shards = given.shards
    inputs = {"dumps": digest_inputs(run, SOURCE, shards)}
    model = read_language_model(settings.language_model, SOURCE)

    fingerprinted = yield fingerprints_stage(run, settings, shards, inputs)
    copies = yield from copies_stages(run, settings, fingerprinted, shards)
    lines = yield duplicate_lines_stage(run, settings.line_dedup, fingerprinted, shards, copies)
    inputs |= {**{stage: result.digest for stage, result in copies.items()}, "lines": lines.digest}
    scored = yield _scored(run, settings, shards, inputs, list(copies), model)
    check_read_again(run, SCORED, fingerprinted, scored)
    scores = yield from _models(run, settings, given, scored, others)
    yield documents_stage(run, scored, scores)


def _models(
    run: Run,
    settings: CommonCrawlSettings,
    given: CrawlInputs,
    scored: StageResult,
    others: Mapping[str, StageResult],
) -> Steps[Scored]:
    """Ask the n-gram models and the classifier."""
    stages: dict[str, str] = {}
    buckets: BucketSettings | None = None
    cutoffs: Cutoffs = {}
    limits = None
    if settings.perplexity is not None and not given.skips_perplexity:
        measured = yield from perplexity.recipe(run, settings, scored, others)
        stages[perplexity.PERPLEXITY] = measured.digest
        buckets, cutoffs = settings.perplexity.buckets, measured.cutoffs
    if given.skips_perplexity:
        run.say(perplexity.PERPLEXITY, f"skipped: {_WITHOUT_KENLM}")
    if settings.reference is not None:
        judge = Judge(settings.language, buckets, cutoffs)
        eligible = references.Eligible(functools.partial(check_page, judge=judge), judge.settings(), stages)
        digest = yield from references.recipe(run, settings, scored, given.wikipedia, eligible)
        stages[references.REFERENCE], limits = digest, settings.reference.limits
    return Scored(Judge(settings.language, buckets, cutoffs, limits), stages, given.skips_perplexity)


def check_read_again(run: Run, stage: str, first: StageResult, second: StageResult) -> None:
    """Check that the second reading met the pages of the first, batch by batch.

    Raises:
        RunFailed: It did not: an input has changed while the run was at work.
    """
    before = {(commit.shard, commit.index): commit.kept for commit in first.commits}
    after = {(commit.shard, commit.index): commit.read for commit in second.commits}
    for batch in sorted(before.keys() | after.keys()):
        if before.get(batch, 0) != after.get(batch, 0):
            counts = f"{before.get(batch, 0)} pages when it was fingerprinted, {after.get(batch, 0)} when read again"
            message = f"{stage}: shard {batch[0]}: {counts}: the input changed while the run read it"
            raise RunFailed(message, run.log_path(stage))


def _scored(
    run: Run,
    settings: CommonCrawlSettings,
    shards: Sequence[Shard],
    inputs: Mapping[str, str],
    copies: Sequence[str],
    model: bytes,
) -> Stage:
    path = join(run.folder, "models", "language", "lid.bin")
    read = functools.partial(read_shard_again, batch_bytes=run.settings.batch_bytes, min_chars=settings.min_chars)
    load = functools.partial(load_identifier, path, settings.language_model)
    reasons = {stage: COPY_REASONS[stage] for stage in copies}
    sha256 = hashlib.sha256(model).hexdigest()
    asked = settings.language_model.model_dump(mode="json", exclude={"model"})

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "ReadAgain" >> ReadBatches(read)
            | "DropDuplicates" >> DropDuplicates(run.folder, documents=reasons, lines=DUPLICATE_LINES)
            | "IdentifyLanguage" >> ScoreDocuments("language", load)
            | "CountLanguages" >> beam.Map(count_languages).with_output_types(Batch)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, SCORED, f"work/{SCORED}"))
        )

    def install() -> None:
        write_bytes(path, model)
        card = {"model": "fastText language identification (Joulin et al. 2016)", "sha256": sha256, **asked}
        write_json(join(run.folder, "models", "language", "card.json"), card)

    return Stage(
        SCORED,
        settings={
            "language_model": {"sha256": sha256, **asked},
            "min_chars": settings.min_chars,
            **common_settings(run),
        },
        inputs=inputs,
        work=UnitWork(shards, build),
        owns=owned(SOURCE, SCORED),
        prepare=install,
    )


def load_identifier(path: str, settings: LanguageModelSettings) -> ScoreAll:
    """Load the language model on a worker."""
    with local_copy(path) as file:
        identify = LanguageIdentifier(file, settings)
    return lambda pages: identify([page.text for page in pages])
