"""Book deduplication: "removing books with more than 90 % content overlap" (Touvron et al. 2023, section 2.1).

The stages, each with committed outputs; the books were sketched where they were cleaned:

1. ``shared``: hashes of sampled shingles and of bands of MinHash signatures meet; no text does.
2. ``candidates``: the pairs that share as much as pairs with an overlap do.
3. ``shingles``: the candidates' texts, read again, as hashes of all their shingles.
4. ``overlaps``: of each candidate the exact overlap, whatever the limit.
5. ``duplicates``: which books go, and for which book that stays.
6. ``documents``: the books that stay.

RedPajama-v1 takes 64-bit SimHashes of runs of six characters, near when at most five bits differ, and needs all books
in memory; five of 64 bits is no overlap of a stated size. Here the limit is on a measured overlap, as in the paper.
"""

import functools
from collections.abc import Sequence

import apache_beam as beam
import pyarrow.compute as pc

from filters.book_clusters import Book, choose_survivors
from filters.book_overlap import BookDedupReason, check_overlap
from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.commits import Commit, write_commit
from pipeline.files import join, write_output
from pipeline.reading import ReadBatches
from pipeline.run import Run
from pipeline.sources.book_candidates import BOOKS_PATH, CANDIDATES_STAGE, SHARED, candidates_stage, shared_stage
from pipeline.sources.book_tables import REMOVED, encode_table, read_table
from pipeline.sources.book_verify import (
    OVERLAPS_STAGE,
    SHINGLES,
    overlaps_stage,
    shingles_stage,
)
from pipeline.sources.outputs import common_settings, owned, read_committed, stage_outputs
from pipeline.stage import LauncherWork, Stage, StageResult, Steps, UnitWork
from pipeline.writing import WriteBatches

SOURCE = "books"
DUPLICATES = f"{SOURCE}.duplicates"
DOCUMENTS = f"{SOURCE}.documents"
REMOVED_PATH = f"work/{DUPLICATES}/removed.parquet"


def stages() -> list[str]:
    """Name these stages, in order."""
    return [SHARED, CANDIDATES_STAGE, SHINGLES, OVERLAPS_STAGE, DUPLICATES, DOCUMENTS]


def deduplicate(run: Run, settings: BookDedupSettings, cleaned: StageResult, folder: str) -> Steps[StageResult]:
    """Give the stages from cleaned books to those that stay.

    Args:
        run: The run at work.
        settings: What counts as a duplicate.
        cleaned: The stage that cleaned the books, with :class:`pipeline.sources.book_sketches.SketchBooks` in it.
        folder: Where their documents files lie, relative to the run folder.
    """
    shared = yield shared_stage(run, settings, cleaned)
    candidates = yield candidates_stage(run, settings, cleaned, shared)
    shingles = yield shingles_stage(run, settings, cleaned, folder, candidates)
    overlaps = yield overlaps_stage(run, candidates, shingles)
    duplicates = yield _duplicates(run, settings, cleaned, overlaps)
    return (yield _documents(run, settings, cleaned, folder, duplicates))


def _duplicates(run: Run, settings: BookDedupSettings, cleaned: StageResult, overlaps: StageResult) -> Stage:
    paths = [output.path for output in overlaps.outputs(f"work/{OVERLAPS_STAGE}/part-")]
    books = sum(commit.kept for commit in cleaned.commits)
    call = functools.partial(write_duplicates, run.folder, paths, settings.max_overlap, books)
    return Stage(
        DUPLICATES,
        settings={"max_overlap": settings.max_overlap},
        inputs={"overlaps": overlaps.digest, "cleaned": cleaned.digest},
        work=LauncherWork(call, "clusters"),
        counts="books",
    )


def write_duplicates(folder: str, paths: Sequence[str], max_overlap: float, number: int) -> None:
    """Choose which books go and write the table of them.

    Args:
        folder: The run folder.
        paths: The tables of overlaps, relative to it.
        max_overlap: The limit.
        number: How many books there are in all.
    """
    table = read_table(join(folder, BOOKS_PATH))
    rows = table.to_pylist()
    overlaps = [pair for path in paths for pair in _read_overlaps(join(folder, path))]
    books = [Book(row["id"], row["shingles"], row["chars"]) for row in rows]
    removals = choose_survivors(books, overlaps, max_overlap)
    gone = [rows[removal.book] for removal in removals]
    columns = {
        **{name: [row[name] for row in gone] for name in ("shard", "index", "place", "id")},
        "survivor": [rows[removal.survivor]["id"] for removal in removals],
        "overlap": [removal.overlap for removal in removals],
    }
    written = write_output(folder, REMOVED_PATH, encode_table(columns, REMOVED), rows=len(gone))
    commit = Commit(
        DUPLICATES,
        0,
        read=number,
        kept=number - len(gone),
        dropped={BookDedupReason.NEAR_DUPLICATE.value: len(gone)} if gone else {},
        facts={"pairs": len(overlaps), "pairs_over": sum(overlap > max_overlap for *_, overlap in overlaps)},
        outputs=(written,),
    )
    write_commit(folder, DUPLICATES, commit)


def _read_overlaps(path: str) -> list[tuple[int, int, float]]:
    table = read_table(path)
    columns = [table.column(name).to_pylist() for name in ("one", "other", "overlap")]
    return list(zip(*columns, strict=True))


def _documents(
    run: Run, settings: BookDedupSettings, cleaned: StageResult, folder: str, duplicates: StageResult
) -> Stage:
    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "DropNearDuplicates" >> DropNearDuplicates(run.folder, settings.max_overlap)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    return Stage(
        DOCUMENTS,
        settings={"max_overlap": settings.max_overlap, **common_settings(run)},
        inputs={"cleaned": cleaned.digest, "duplicates": duplicates.digest},
        work=UnitWork(cleaned.files(run.folder, f"{folder}/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="books",
    )


class DropNearDuplicates(beam.PTransform):  # type: ignore[misc]
    """Leave out the books that overlap too much with one that stays; ``detail`` of each is that book's id.

    The books must be those that were compared, read again: another id in a place stops the run.

    Args:
        run: The run folder.
        max_overlap: The limit they were held to.
    """

    def __init__(self, run: str, max_overlap: float) -> None:
        super().__init__()
        self._arguments = run, max_overlap

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(drop_duplicates, *self._arguments).with_output_types(Batch)


def drop_duplicates(batch: Batch, run: str, max_overlap: float) -> Batch:
    """Do what :class:`DropNearDuplicates` does to one batch.

    Raises:
        StepFailed: Another book is in the place of one that goes.
    """
    with Blame(batch.name) as blame, batch.timed("dedup"):
        gone = _removed(run, batch.shard, batch.index)
        kept = []
        for place, book in enumerate(batch.documents):
            blame.document = book.id
            identifier, survivor, overlap = gone.get(place, (book.id, "", 0.0))
            if identifier != book.id:
                raise RuntimeError(f"{identifier} was compared in its place: has the input changed?")
            verdict: Drop | None = check_overlap(overlap, survivor, max_overlap)
            if verdict is None:
                kept.append(book)
            else:
                batch.drop(book, verdict)
        batch.documents = kept
    return batch


def _removed(run: str, shard: str, index: int) -> dict[int, tuple[str, str, float]]:
    """Give the books of a batch that go, by place: id, the book that stays for it, and their overlap."""
    table = read_table(join(run, REMOVED_PATH))
    rows = table.filter((pc.field("shard") == shard) & (pc.field("index") == index)).to_pylist()
    return {row["place"]: (row["id"], row["survivor"], row["overlap"]) for row in rows}
