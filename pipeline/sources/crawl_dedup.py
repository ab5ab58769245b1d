"""The first stages of CommonCrawl: fingerprint every page, find the pages that are copies and the lines that go."""

import functools
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam

from filters.length import check_length
from filters.line_dedup import LineDedupSettings, Scope
from filters.verdict import Drop
from pipeline.batch import Batch
from pipeline.commits import Commit
from pipeline.crawl_settings import CommonCrawlSettings, PageDedup
from pipeline.document import Document, Shard
from pipeline.dumps import rank_dumps
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, Kind, plan_passes
from pipeline.files import open_read
from pipeline.fingerprints import DuplicateReason, FingerprintBatches
from pipeline.reading import ReadBatches, batched
from pipeline.run import Run
from pipeline.sources.outputs import common_settings, owned, stage_outputs
from pipeline.sources.pages import read_pages
from pipeline.stage import Stage, StageResult, Steps, UnitWork
from pipeline.steps import DropDocuments
from pipeline.writing import WriteBatches

SOURCE = "commoncrawl"
FINGERPRINTS = f"{SOURCE}.fingerprints"
DUPLICATE_IDS = f"{SOURCE}.duplicate_ids"
DUPLICATE_PAGES = f"{SOURCE}.duplicate_pages"
DUPLICATE_LINES = f"{SOURCE}.duplicate_lines"

#: Why copies go, by the stage that finds them.
COPY_REASONS = {DUPLICATE_IDS: DuplicateReason.ID, DUPLICATE_PAGES: DuplicateReason.CONTENT}
#: What becomes of pages of the same content.
_PAGE_COPIES = {PageDedup.DUMPS: Copies.FIRST_RANK_STAYS, PageDedup.CORPUS: Copies.FIRST_STAYS}


def stages(settings: CommonCrawlSettings) -> list[str]:
    """Name these stages, in order."""
    pages = [DUPLICATE_PAGES] if settings.page_dedup in _PAGE_COPIES else []
    return [FINGERPRINTS, DUPLICATE_IDS, *pages, DUPLICATE_LINES]


def fingerprints_stage(
    run: Run, settings: CommonCrawlSettings, shards: Sequence[Shard], inputs: Mapping[str, str]
) -> Stage:
    """Give the stage that reads every record and fingerprints the pages that are long enough."""

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


def copies_stages(
    run: Run, settings: CommonCrawlSettings, fingerprinted: StageResult, shards: Sequence[Shard]
) -> Steps[dict[str, StageResult]]:
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


def duplicate_lines_stage(
    run: Run,
    settings: LineDedupSettings,
    fingerprinted: StageResult,
    shards: Sequence[Shard],
    copies: Mapping[str, StageResult],
) -> Stage:
    """Give the stage that finds the lines that go."""
    passes = plan_passes(_line_keys(fingerprinted.commits, shards, settings), settings.max_shuffle_bytes)
    keys = Keys("lines", without=list(copies))
    work = DuplicateWork(run.folder, DUPLICATE_LINES, FINGERPRINTS, passes, keys, Copies(settings.keep.value))
    inputs = {"fingerprints": fingerprinted.digest, **{stage: result.digest for stage, result in copies.items()}}
    return Stage(DUPLICATE_LINES, settings.model_dump(mode="json"), inputs, work, counts="lines", may_keep_nothing=True)


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


def _check_length(page: Document, *, min_chars: int) -> Drop | None:
    return check_length(page.text, min_chars)


def _document_keys(commits: Sequence[Commit], shards: Sequence[Shard]) -> list[KeyFile]:
    """Let all pages meet; of two copies that of the newest dump, the greatest by name, comes first."""
    dumps = {shard.name: shard.dump for shard in shards}
    ranks = rank_dumps(dumps.values())
    return [
        KeyFile(commit.shard, commit.index, "corpus", commit.kept, ranks[dumps[commit.shard]])
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
