"""Books: Project Gutenberg and Books3 in LLaMA (Touvron et al. 2023, section 2.1).

"We perform deduplication at the book level, removing books with more than 90 % content overlap." The stages:

1. ``cleaned``: read texts, archives and rows; decode them; take out Project Gutenberg's licences and credits
   (:mod:`filters.gutenberg`); leave out what is too long, too short or no text.
2. ``duplicate_ids`` and ``unique``, where a collection has a column of ids: of several books of one id the first by
   file and row stays. Other ids follow from the names of files, and cannot meet. ``unique`` runs only if some do, and
   writes the books again without the copies.
3. Deduplication (:mod:`pipeline.sources.book_dedup`), unless it is switched off.
4. ``documents``: the books that stay.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence

import apache_beam as beam

from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.books_settings import BooksSettings
from pipeline.document import Shard
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, plan_passes
from pipeline.fingerprints import DropDuplicates, DuplicateReason, FingerprintBatches
from pipeline.inputs import below, checksum, list_shards
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources import book_dedup
from pipeline.sources.book_files import SOURCE, read_unit
from pipeline.sources.book_listing import read_listing
from pipeline.sources.book_sketches import SketchBooks
from pipeline.sources.book_steps import CleanBooks, fingerprint_ids
from pipeline.sources.book_units import TEXT, book_stem, count_others, format_of, pack_units
from pipeline.sources.outputs import common_settings, digest_inputs, owned, read_committed, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork, digest_json
from pipeline.writing import WriteBatches

CLEANED = f"{SOURCE}.cleaned"
DUPLICATE_IDS = f"{SOURCE}.duplicate_ids"
UNIQUE = f"{SOURCE}.unique"
DOCUMENTS = f"{SOURCE}.documents"
_COPIES = {DUPLICATE_IDS: DuplicateReason.ID}


def stages(settings: BooksSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    if settings.dedup is None:
        return [CLEANED, *([DUPLICATE_IDS] if _has_ids(settings) else ()), DOCUMENTS]
    return [CLEANED, *([DUPLICATE_IDS, UNIQUE] if _has_ids(settings) else ()), *book_dedup.stages()]


def _has_ids(settings: BooksSettings) -> bool:
    """Whether ids are read that may be there twice."""
    return any(collection.id_column is not None for collection in settings.collections)


def list_inputs(settings: BooksSettings, data: str) -> list[Shard]:
    """List the files of all collections, those too that hold no books.

    Raises:
        SettingsError: An entry matches no file, a collection has no file of a known kind, or two texts share an id.
    """
    shards: list[Shard] = []
    read_listing.cache_clear()  # a list may have changed since an earlier run in this process
    for position, collection in enumerate(settings.collections):
        key = f"sources.{SOURCE}.collections.{position}.paths"
        found = list_shards(SOURCE, collection.id, collection.paths, data=data, key=key)
        books = [shard for shard in found if format_of(shard.below) is not None]
        if not books:
            raise SettingsError(f"{key}: {len(found)} files, none of them .txt, .zip, .parquet or .jsonl")
        _check_ids(books, key)
        if collection.metadata is not None:
            read_listing(below(collection.metadata, data))
        shards += found
    return shards


def _check_ids(shards: Sequence[Shard], key: str) -> None:
    """Refuse texts that share an id: that only their suffixes tell apart, or that are called as a part of a file is."""
    stems = Counter(book_stem(shard.below) for shard in shards if format_of(shard.below) == TEXT)
    stem, files = stems.most_common(1)[0] if stems else ("", 0)
    if files > 1:
        raise SettingsError(f"{key}: {files} files are called {stem} but for their suffixes; they would share an id")
    names = {shard.below for shard in shards}
    part = next((stem for stem in stems if stem.rpartition("#")[0] in names), None)
    if part is not None:
        raise SettingsError(f"{key}: a text is called {part}, as a book in the file {part.rpartition('#')[0]} would be")


def recipe(run: Run, settings: BooksSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from files to books.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    others = [shard for shard in shards if format_of(shard.below) is None]
    if others:
        run.say(CLEANED, f"files of other kinds, passed over: {count_others(others)}")
    shards = [shard for shard in shards if format_of(shard.below) is not None]
    inputs = {"files": digest_inputs(run, SOURCE, shards)}
    lists = [collection.metadata for collection in settings.collections if collection.metadata is not None]
    inputs["lists"] = digest_json([checksum(below(path, run.settings.data)) for path in lists])
    books = yield _cleaned(run, settings, shards, inputs)
    copies = (yield _duplicate_ids(run, books)) if _has_ids(settings) else None
    if settings.dedup is None:
        yield _documents(run, books, copies)
        return
    if copies is not None and copies.stats["dropped"]:
        books = yield _unique(run, settings.dedup, books, copies)
    yield from book_dedup.deduplicate(run, settings.dedup, books, _folder(books.name))


def _folder(stage: str) -> str:
    """Give the folder of a stage's documents, relative to the run folder."""
    return f"work/{stage}/documents"


def _cleaned(run: Run, settings: BooksSettings, shards: Sequence[Shard], inputs: Mapping[str, str]) -> Stage:
    batch_bytes = run.settings.batch_bytes
    read = functools.partial(read_unit, batch_bytes=batch_bytes, settings=settings, data=run.settings.data)

    def build(units: beam.PCollection) -> beam.PCollection:
        books = units | "Read" >> ReadBatches(read) | "CleanBooks" >> CleanBooks(CLEANED, settings)
        if _has_ids(settings):
            books |= "FingerprintIds" >> FingerprintBatches(CLEANED, fingerprint_ids)
        if settings.dedup is not None:
            books |= "SketchBooks" >> SketchBooks(CLEANED, settings.dedup)
        return books | "Write" >> WriteBatches(stage_outputs(run, SOURCE, CLEANED, _folder(CLEANED)))

    asked = [collection.model_dump(mode="json", exclude={"paths"}) for collection in settings.collections]
    return Stage(
        CLEANED,
        settings={
            "collections": asked,
            "limits": settings.limits.model_dump(mode="json"),
            "dedup": settings.dedup.sketching() if settings.dedup is not None else None,
            **common_settings(run),
        },
        inputs=inputs,
        work=UnitWork(pack_units(shards, batch_bytes), build),
        owns=owned(SOURCE, CLEANED),
        counts="books",
    )


def _duplicate_ids(run: Run, cleaned: StageResult) -> Stage:
    keys = [KeyFile(commit.shard, commit.index, "ids", commit.kept) for commit in cleaned.commits if commit.kept]
    work = DuplicateWork(run.folder, DUPLICATE_IDS, CLEANED, plan_passes(keys, None), Keys("ids"), Copies.FIRST_STAYS)
    return Stage(DUPLICATE_IDS, {}, {"cleaned": cleaned.digest}, work, counts="ids")


def _unique(run: Run, dedup: BookDedupSettings, cleaned: StageResult, copies: StageResult) -> Stage:
    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "DropCopies" >> DropDuplicates(run.folder, documents=_COPIES)
            | "SketchBooks" >> SketchBooks(UNIQUE, dedup)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, UNIQUE, _folder(UNIQUE)))
        )

    return Stage(
        UNIQUE,
        settings={"dedup": dedup.sketching(), **common_settings(run)},
        inputs={"cleaned": cleaned.digest, "duplicate_ids": copies.digest},
        work=UnitWork(cleaned.files(run.folder, f"{_folder(CLEANED)}/"), build, single=True),
        owns=owned(SOURCE, UNIQUE),
        counts="books",
    )


def _documents(run: Run, cleaned: StageResult, copies: StageResult | None) -> Stage:
    def build(units: beam.PCollection) -> beam.PCollection:
        books = units | "Read" >> ReadBatches(read_committed)
        if copies is not None:
            books |= "DropCopies" >> DropDuplicates(run.folder, documents=_COPIES)
        return books | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))

    return Stage(
        DOCUMENTS,
        settings=common_settings(run),
        inputs={"cleaned": cleaned.digest, **({"duplicate_ids": copies.digest} if copies is not None else {})},
        work=UnitWork(cleaned.files(run.folder, f"{_folder(CLEANED)}/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="books",
    )
