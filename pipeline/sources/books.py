"""Books: Project Gutenberg and Books3 in LLaMA (Touvron et al. 2023, section 2.1).

"We perform deduplication at the book level, removing books with more than 90 % content overlap." The stages:

1. ``cleaned``: read texts, archives and rows; decode them; take out Project Gutenberg's licences and credits
   (:mod:`filters.gutenberg`); leave out what is too long, too short or no text.
2. Deduplication (:mod:`pipeline.sources.book_dedup`), unless it is switched off.
3. ``documents``: the books that stay.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence

import apache_beam as beam

from pipeline.books_settings import BooksSettings
from pipeline.document import Shard
from pipeline.inputs import below, checksum, fingerprint_inputs, list_shards
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources import book_dedup
from pipeline.sources.book_files import SOURCE, read_unit
from pipeline.sources.book_listing import read_listing
from pipeline.sources.book_sketches import SketchBooks
from pipeline.sources.book_steps import CleanBooks
from pipeline.sources.book_units import TEXT, book_stem, format_of, pack_units
from pipeline.sources.outputs import common_settings, owned, read_committed, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork, digest_json
from pipeline.writing import WriteBatches

CLEANED = f"{SOURCE}.cleaned"
DOCUMENTS = f"{SOURCE}.documents"
_CLEANED_DOCUMENTS = f"work/{CLEANED}/documents"


def stages(settings: BooksSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    return [CLEANED, *(book_dedup.stages() if settings.dedup is not None else [DOCUMENTS])]


def list_inputs(settings: BooksSettings, data: str) -> list[Shard]:
    """List the files of all collections that hold books.

    Raises:
        SettingsError: An entry matches no file, a collection has no file of a known kind, or two texts share an id.
    """
    shards: list[Shard] = []
    for position, collection in enumerate(settings.collections):
        key = f"sources.{SOURCE}.collections.{position}.paths"
        found = list_shards(SOURCE, collection.id, collection.paths, data=data, key=key)
        books = [shard for shard in found if format_of(shard.below) is not None]
        if not books:
            raise SettingsError(f"{key}: {len(found)} files, none of them .txt, .zip, .parquet or .jsonl")
        _check_ids(books, key)
        if collection.metadata is not None:
            read_listing(below(collection.metadata, data))
        shards += books
    return shards


def _check_ids(shards: Sequence[Shard], key: str) -> None:
    """Refuse texts that only their suffixes tell from one another: their ids leave these out."""
    stems = Counter(book_stem(shard.below) for shard in shards if format_of(shard.below) == TEXT)
    stem, files = stems.most_common(1)[0] if stems else ("", 0)
    if files > 1:
        raise SettingsError(f"{key}: {files} files are called {stem} but for their suffixes; they would share an id")


def recipe(run: Run, settings: BooksSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from files to books.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    files = fingerprint_inputs(shards, run.manifest.known_inputs(SOURCE))
    run.manifest.record_inputs(SOURCE, files)
    inputs = {"files": digest_json([[file.name, file.checksum] for file in files])}
    lists = [collection.metadata for collection in settings.collections if collection.metadata is not None]
    inputs["lists"] = digest_json([checksum(below(path, run.settings.data)) for path in lists])
    cleaned = yield _cleaned(run, settings, shards, inputs)
    if settings.dedup is None:
        yield _documents(run, cleaned)
    else:
        yield from book_dedup.deduplicate(run, settings.dedup, cleaned, _CLEANED_DOCUMENTS)


def _cleaned(run: Run, settings: BooksSettings, shards: Sequence[Shard], inputs: Mapping[str, str]) -> Stage:
    batch_bytes = run.settings.batch_bytes
    read = functools.partial(read_unit, batch_bytes=batch_bytes, settings=settings, data=run.settings.data)

    def build(units: beam.PCollection) -> beam.PCollection:
        books = units | "Read" >> ReadBatches(read) | "CleanBooks" >> CleanBooks(CLEANED, settings)
        if settings.dedup is not None:
            books |= "SketchBooks" >> SketchBooks(CLEANED, settings.dedup)
        return books | "Write" >> WriteBatches(stage_outputs(run, SOURCE, CLEANED, _CLEANED_DOCUMENTS))

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


def _documents(run: Run, cleaned: StageResult) -> Stage:
    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    return Stage(
        DOCUMENTS,
        settings=common_settings(run),
        inputs={"cleaned": cleaned.digest},
        work=UnitWork(cleaned.files(run.folder, f"{_CLEANED_DOCUMENTS}/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="books",
    )
