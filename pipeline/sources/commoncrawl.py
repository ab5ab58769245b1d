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
from collections.abc import Generator, Iterator, Mapping, Sequence

import apache_beam as beam

from filters.language import LanguageIdentifier, LanguageLimits, LanguageModelSettings, check_language, installed_model
from filters.length import check_length
from filters.line_dedup import LineDedupSettings, Scope
from filters.verdict import Drop
from pipeline.batch import Batch
from pipeline.commits import Commit
from pipeline.document import Document, Shard
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, Kind, plan_passes
from pipeline.files import join, local_copy, open_read, read_bytes, write_bytes, write_json
from pipeline.fingerprints import DropDuplicates, DuplicateReason, FingerprintBatches
from pipeline.inputs import fingerprint_inputs, list_shards
from pipeline.reading import ReadBatches, batched
from pipeline.run import Recipe, Run, RunFailed
from pipeline.settings import CommonCrawlSettings, PageDedup, SettingsError
from pipeline.sources.outputs import common_settings, owned, read_committed, stage_outputs
from pipeline.sources.pages import read_pages
from pipeline.stage import BatchFile, Stage, StageResult, UnitWork, digest_json
from pipeline.steps import DropDocuments, ScoreAll, ScoreDocuments
from pipeline.writing import WriteBatches

SOURCE = "commoncrawl"
FINGERPRINTS = f"{SOURCE}.fingerprints"
DUPLICATE_IDS = f"{SOURCE}.duplicate_ids"
DUPLICATE_PAGES = f"{SOURCE}.duplicate_pages"
DUPLICATE_LINES = f"{SOURCE}.duplicate_lines"
SCORED = f"{SOURCE}.scored"
DOCUMENTS = f"{SOURCE}.documents"

#: Why copies go, by the stage that finds them.
COPY_REASONS = {DUPLICATE_IDS: DuplicateReason.ID, DUPLICATE_PAGES: DuplicateReason.CONTENT}
#: What becomes of pages of the same content.
_PAGE_COPIES = {PageDedup.DUMPS: Copies.FIRST_RANK_STAYS, PageDedup.CORPUS: Copies.FIRST_STAYS}


def stages(settings: CommonCrawlSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    pages = [DUPLICATE_PAGES] if settings.page_dedup in _PAGE_COPIES else []
    return [FINGERPRINTS, DUPLICATE_IDS, *pages, DUPLICATE_LINES, SCORED, DOCUMENTS]


def list_inputs(settings: CommonCrawlSettings, data: str) -> list[Shard]:
    """List the crawl files of all dumps.

    Raises:
        SettingsError: An entry matches no file, or the language model is not there.
    """
    language_model(settings.language_model)
    key = f"sources.{SOURCE}.dumps"
    return [
        shard
        for position, dump in enumerate(settings.dumps)
        for shard in list_shards(SOURCE, dump.id, dump.paths, data=data, key=f"{key}.{position}.paths")
    ]


def language_model(settings: LanguageModelSettings) -> str:
    """Give the path of the language model.

    Raises:
        SettingsError: It is not there.
    """
    try:
        path = settings.model or installed_model()
        with open_read(path):
            return path
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        key = f"sources.{SOURCE}.language_model.model"
        raise SettingsError(f"{key}: {reason}" + (f": {settings.model}" if settings.model else "")) from error


def recipe(run: Run, settings: CommonCrawlSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from crawl files to documents.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The crawl files, from :func:`list_inputs`.
    """
    files = fingerprint_inputs(shards, run.manifest.known_inputs(SOURCE))
    run.manifest.record_inputs(SOURCE, files)
    inputs = {"dumps": digest_json([[file.name, file.checksum] for file in files])}
    model = read_bytes(language_model(settings.language_model))

    fingerprinted = yield _fingerprints(run, settings, shards, inputs)
    copies = yield from _copies(run, settings, fingerprinted, shards)
    lines = yield _duplicate_lines(run, settings.line_dedup, fingerprinted, shards, copies)
    inputs |= {**{stage: result.digest for stage, result in copies.items()}, "lines": lines.digest}
    scored = yield _scored(run, settings, shards, inputs, list(copies), model)
    _check_read_again(run, fingerprinted, scored)
    yield _documents(run, settings.language, scored.digest, scored.files(run.folder, f"work/{SCORED}/"))


def _check_read_again(run: Run, first: StageResult, second: StageResult) -> None:
    """Check that the second reading met the pages of the first, batch by batch.

    Raises:
        RunFailed: It did not: an input has changed while the run was at work.
    """
    before = {(commit.shard, commit.index): commit.kept for commit in first.commits}
    after = {(commit.shard, commit.index): commit.read for commit in second.commits}
    for batch in sorted(before.keys() | after.keys()):
        if before.get(batch, 0) != after.get(batch, 0):
            counts = f"{before.get(batch, 0)} pages when it was fingerprinted, {after.get(batch, 0)} when read again"
            message = f"{SCORED}: shard {batch[0]}: {counts}: the input changed while the run read it"
            raise RunFailed(message, run.log_path(SCORED))


def _fingerprints(run: Run, settings: CommonCrawlSettings, shards: Sequence[Shard], inputs: Mapping[str, str]) -> Stage:
    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(functools.partial(read_shard, batch_bytes=run.settings.batch_bytes))
            | "DropShort" >> DropDocuments("length", functools.partial(_check_length, min_chars=settings.min_chars))
            | "Fingerprint" >> FingerprintBatches(FINGERPRINTS)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, FINGERPRINTS))
        )

    return Stage(
        FINGERPRINTS,
        settings={"min_chars": settings.min_chars, **common_settings(run)},
        inputs=inputs,
        work=UnitWork(shards, build),
        owns=owned(SOURCE, FINGERPRINTS),
        counts="records",
    )


def _copies(
    run: Run, settings: CommonCrawlSettings, fingerprinted: StageResult, shards: Sequence[Shard]
) -> Generator[Stage, StageResult, dict[str, StageResult]]:
    """Find the pages that are copies: by id, then by content. Each stage leaves out what the ones before found."""
    found: dict[str, StageResult] = {}
    max_bytes = settings.line_dedup.max_shuffle_bytes
    wanted: dict[str, tuple[Kind, Copies]] = {DUPLICATE_IDS: ("ids", Copies.FIRST_STAYS)}
    if settings.page_dedup in _PAGE_COPIES:
        wanted[DUPLICATE_PAGES] = ("pages", _PAGE_COPIES[settings.page_dedup])
    for stage, (kind, copies) in wanted.items():
        passes = plan_passes(_document_keys(fingerprinted.commits, shards), max_bytes)
        work = DuplicateWork(run.folder, stage, FINGERPRINTS, passes, Keys(kind, without=list(found)), copies)
        inputs = {"fingerprints": fingerprinted.digest, **{name: one.digest for name, one in found.items()}}
        asked = {"copies": copies.value, "max_shuffle_bytes": max_bytes}
        found[stage] = yield Stage(stage, asked, inputs, work, counts="documents")
    return found


def _duplicate_lines(
    run: Run,
    settings: LineDedupSettings,
    fingerprinted: StageResult,
    shards: Sequence[Shard],
    copies: Mapping[str, StageResult],
) -> Stage:
    passes = plan_passes(_line_keys(fingerprinted.commits, shards, settings), settings.max_shuffle_bytes)
    keys = Keys("lines", without=list(copies))
    work = DuplicateWork(run.folder, DUPLICATE_LINES, FINGERPRINTS, passes, keys, Copies(settings.keep.value))
    inputs = {"fingerprints": fingerprinted.digest, **{stage: result.digest for stage, result in copies.items()}}
    return Stage(DUPLICATE_LINES, settings.model_dump(mode="json"), inputs, work, counts="lines", may_keep_nothing=True)


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


def _documents(run: Run, limits: LanguageLimits, scored: str, files: Sequence[BatchFile]) -> Stage:
    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "KeepLanguages" >> DropDocuments("language", functools.partial(_check_language, limits=limits))
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    settings = {"language": limits.model_dump(mode="json"), **common_settings(run)}
    work = UnitWork(files, build, single=True)
    return Stage(
        DOCUMENTS, settings, {"scored": scored}, work, owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS))
    )


def read_shard(shard: Shard, *, batch_bytes: int) -> Iterator[Batch]:
    """Read a crawl file into batches: pages, records that are none, and malformed ones."""
    with open_read(shard.path) as stream:
        yield from batched(read_pages(stream, name=shard.path, dump=shard.dump), shard.name, batch_bytes)


def read_shard_again(shard: Shard, *, batch_bytes: int, min_chars: int) -> Iterator[Batch]:
    """Read the same batches again, holding only the pages that were fingerprinted."""
    for batch in read_shard(shard, batch_bytes=batch_bytes):
        batch.documents = [page for page in batch.documents if check_length(page.text, min_chars) is None]
        batch.dropped, batch.errors, batch.read = [], [], len(batch.documents)
        yield batch


def load_identifier(path: str, settings: LanguageModelSettings) -> ScoreAll:
    """Load the language model on a worker."""
    with local_copy(path) as file:
        identify = LanguageIdentifier(file, settings)
    return lambda pages: identify([page.text for page in pages])


def _check_length(page: Document, *, min_chars: int) -> Drop | None:
    return check_length(page.text, min_chars)


def _check_language(page: Document, *, limits: LanguageLimits) -> Drop | None:
    score = page.metadata["language_score"]
    return check_language(page.language, float(score or 0), limits)


def _document_keys(commits: Sequence[Commit], shards: Sequence[Shard]) -> list[KeyFile]:
    """Let all pages meet; of two copies that of the newest dump, the greatest by name, comes first."""
    dumps = {shard.name: shard.dump for shard in shards}
    newest_first = sorted(set(dumps.values()), reverse=True)
    return [
        KeyFile(commit.shard, commit.index, "corpus", commit.kept, newest_first.index(dumps[commit.shard]))
        for commit in commits
        if commit.kept
    ]


def _line_keys(commits: Sequence[Commit], shards: Sequence[Shard], settings: LineDedupSettings) -> list[KeyFile]:
    groups = window_of_shards(shards, settings)
    return [
        KeyFile(commit.shard, commit.index, groups[commit.shard], commit.facts["lines"])
        for commit in commits
        if commit.kept
    ]


def window_of_shards(shards: Sequence[Shard], settings: LineDedupSettings) -> dict[str, str]:
    """Give the window each shard's lines are compared in.

    With scope ``window``, file ``i`` of a dump's ``n``, in the order of their names, is in window
    ``((i + 1) * w - 1) // n`` of ``w``, so window ``k`` is files ``k * n // w`` up to ``(k + 1) * n // w``: CCNet's
    shards are consecutive files too, and 50 of its 1,600 make one of 32 windows (``mine.py``).
    """
    if settings.scope is Scope.CORPUS:
        return dict.fromkeys((shard.name for shard in shards), "corpus")
    windows = settings.windows_per_dump if settings.scope is Scope.WINDOW else 1
    dumps: dict[str, list[str]] = {}
    for shard in shards:
        dumps.setdefault(shard.dump, []).append(shard.name)
    return {
        name: f"{dump}/{((place + 1) * windows - 1) // len(names)}"
        for dump, names in dumps.items()
        for place, name in enumerate(sorted(names))
    }
