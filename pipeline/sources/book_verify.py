"""The stages that measure the overlap of candidates and decide which books go.

``books.shingles`` reads the documents files that hold candidates again, and writes the distinct shingles of these books
beside each other, 8 bytes each, so that those of one book are a range of a file. ``books.overlaps`` reads two such
ranges a pair and counts what they have in common: exact, and never more than two books' shingles in memory, wherever
the texts lie. An overlap does not depend on ``max_overlap``: with another one, nothing is measured again.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from filters.book_overlap import count_shared, overlap_of
from filters.book_shingles import shingle_hashes
from pipeline.batch import Batch, Blame, batch_name
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.commits import Commit, write_commit
from pipeline.files import join, open_read, write_output
from pipeline.parquet import read_documents
from pipeline.reading import ReadBatches
from pipeline.run import Run
from pipeline.sources.book_candidates import BOOKS_PATH, PAIRS_PATH
from pipeline.sources.book_tables import OVERLAPS, encode_table, read_table
from pipeline.sources.outputs import stage_outputs
from pipeline.stage import BatchFile, Stage, StageResult, UnitWork
from pipeline.writing import WriteBatches

SHINGLES = "books.shingles"
OVERLAPS_STAGE = "books.overlaps"

_HASH_BYTES = 8
#: Shingles read for one unit of pairs, about.
UNIT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class ChosenBooks:
    """Books of a documents file whose shingles are wanted.

    Attributes:
        file: The file.
        places: Their places in it, in the order of their shingles in the file written.
        shingles: How many distinct shingles each has.
    """

    file: BatchFile
    places: tuple[int, ...]
    shingles: tuple[int, ...]

    @property
    def name(self) -> str:
        """The batch's name."""
        return self.file.name

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.size


@dataclass(frozen=True, slots=True)
class ShingleRange:
    """Where the shingles of a book lie.

    Attributes:
        path: The file.
        start: Where they begin, in shingles.
        count: How many there are.
    """

    path: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class PairUnit:
    """Pairs measured together.

    Attributes:
        index: Which of the units it is.
        pairs: The books of each pair, as rows of the table of books.
        ranges: Where their shingles lie, by row.
        size: Bytes read for it, at most.
    """

    index: int
    pairs: tuple[tuple[int, int], ...]
    ranges: Mapping[int, ShingleRange]
    size: int

    @property
    def name(self) -> str:
        """The name its commit goes under."""
        return batch_name("pairs", self.index)


def shingles_stage(
    run: Run, settings: BookDedupSettings, cleaned: StageResult, folder: str, candidates: StageResult
) -> Stage:
    """Give the stage that writes the shingles of the books that stand in candidates.

    Args:
        run: The run at work.
        settings: How books are cut into shingles.
        cleaned: The stage that cleaned them.
        folder: Where their documents files lie, relative to the run folder.
        candidates: The stage that found the pairs.
    """
    files = cleaned.files(run.folder, f"{folder}/")
    read = functools.partial(read_shingles, settings=settings)

    def build(units: beam.PCollection) -> beam.PCollection:
        return units | "Read" >> ReadBatches(read) | "Write" >> WriteBatches(stage_outputs(run, "books", SHINGLES))

    return Stage(
        SHINGLES,
        settings={"shingle_words": settings.shingle_words, "shingle_chars": settings.shingle_chars},
        inputs={"cleaned": cleaned.digest, "candidates": candidates.digest},
        work=UnitWork(_chosen_books(run.folder, files), build, single=True),
        counts="books",
        may_keep_nothing=True,
    )


def _chosen_books(folder: str, files: Sequence[BatchFile]) -> list[ChosenBooks]:
    table = read_table(join(folder, BOOKS_PATH))
    columns = [table.column(name).to_pylist() for name in ("shard", "index", "place", "shingles")]
    wanted: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for shard, index, place, shingles in zip(*columns, strict=True):
        wanted.setdefault((shard, index), []).append((place, shingles))
    by_batch = {(file.shard, file.index): file for file in files}
    return [
        ChosenBooks(by_batch[batch], tuple(place for place, _ in found), tuple(count for _, count in found))
        for batch, found in sorted(wanted.items())
    ]


def shingles_path(batch: str) -> str:
    """Give the path of the shingles of a batch's chosen books, relative to the run folder."""
    return f"work/{SHINGLES}/part-{batch}.u64"


def read_shingles(chosen: ChosenBooks, *, settings: BookDedupSettings) -> Iterator[Batch]:
    """Read chosen books again and cut them into shingles.

    Raises:
        RuntimeError: A book has another number of shingles than were sketched.
    """
    file = chosen.file
    documents = read_documents(file.path)
    batch = Batch(file.shard, file.index, read=len(chosen.places), position=file.size, last=True)
    batch.documents = [documents[place] for place in chosen.places]
    parts = []
    with Blame(batch.name) as blame, batch.timed("shingles"):
        for book, count in zip(batch.documents, chosen.shingles, strict=True):
            blame.document = book.id
            hashes = shingle_hashes(book.text, words=settings.shingle_words, chars=settings.shingle_chars)
            if len(hashes) != count:
                raise RuntimeError(f"{len(hashes)} shingles read again, {count} were sketched: has the input changed?")
            parts.append(hashes.astype("<u8").tobytes())
        batch.files[shingles_path(batch.name)] = b"".join(parts), len(chosen.places)
    yield batch


def overlaps_stage(run: Run, candidates: StageResult, shingles: StageResult) -> Stage:
    """Give the stage that measures the overlap of every candidate."""

    def build(units: beam.PCollection) -> beam.PCollection:
        return units | "MeasureOverlaps" >> MeasureOverlaps(run.folder)

    return Stage(
        OVERLAPS_STAGE,
        settings={},
        inputs={"candidates": candidates.digest, "shingles": shingles.digest},
        work=UnitWork(plan_pairs(run.folder), build, single=True),
        counts="pairs",
        may_keep_nothing=True,
    )


def plan_pairs(folder: str) -> list[PairUnit]:
    """Share the candidates out over units, in order, so that pairs of one book stand together.

    Args:
        folder: The run folder.
    """
    ranges = _ranges(folder)
    table = read_table(join(folder, PAIRS_PATH))
    units: list[PairUnit] = []
    pairs: list[tuple[int, int]] = []
    size = 0
    for one, other in zip(table.column("one").to_pylist(), table.column("other").to_pylist(), strict=True):
        if size >= UNIT_BYTES:
            units.append(_unit(len(units), pairs, ranges, size))
            pairs, size = [], 0
        pairs.append((one, other))
        size += (ranges[one].count + ranges[other].count) * _HASH_BYTES
    return [*units, _unit(len(units), pairs, ranges, size)] if pairs else units


def _unit(index: int, pairs: Sequence[tuple[int, int]], ranges: Sequence[ShingleRange], size: int) -> PairUnit:
    rows = sorted({row for pair in pairs for row in pair})
    return PairUnit(index, tuple(pairs), {row: ranges[row] for row in rows}, size)


def _ranges(folder: str) -> list[ShingleRange]:
    """Find the shingles of each book of the table; they lie in the order of the books."""
    table = read_table(join(folder, BOOKS_PATH))
    columns = [table.column(name).to_pylist() for name in ("shard", "index", "shingles")]
    ends: dict[str, int] = {}
    found = []
    for shard, index, count in zip(*columns, strict=True):
        path = join(folder, shingles_path(batch_name(shard, index)))
        found.append(ShingleRange(path, ends.get(path, 0), count))
        ends[path] = ends.get(path, 0) + count
    return found


class MeasureOverlaps(beam.PTransform):  # type: ignore[misc]
    """Measure the pairs of each unit and write their overlaps, then the commit. Out: the name of each unit.

    Args:
        run: The run folder.
    """

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.Map(_measure_unit, self._run).with_output_types(str)


def _measure_unit(element: tuple[PairUnit, frozenset[int]], run: str) -> str:
    unit, _ = element
    clock = Batch("pairs", unit.index)
    with Blame(unit.name):
        with clock.timed("measure"):
            shared = list(_count_all(unit))
        sizes = [(unit.ranges[one].count, unit.ranges[other].count) for one, other in unit.pairs]
        columns = {
            "one": [one for one, _ in unit.pairs],
            "other": [other for _, other in unit.pairs],
            "shared_shingles": shared,
            "overlap": [overlap_of(count, *size) for count, size in zip(shared, sizes, strict=True)],
        }
        path = f"work/{OVERLAPS_STAGE}/part-{unit.name}.parquet"
        written = write_output(run, path, encode_table(columns, OVERLAPS), rows=len(shared))
        commit = Commit(
            "pairs", unit.index, read=len(shared), kept=len(shared), seconds=clock.seconds, outputs=(written,)
        )
        write_commit(run, OVERLAPS_STAGE, commit)
    return unit.name


def _count_all(unit: PairUnit) -> Iterator[int]:
    """Count what the books of each pair share; the first book of a pair is read once for pairs in a row."""
    held, hashes = -1, np.empty(0, np.uint64)
    for one, other in unit.pairs:
        if one != held:
            held, hashes = one, _read_range(unit.ranges[one])
        yield count_shared(hashes, _read_range(unit.ranges[other]))


def _read_range(where: ShingleRange) -> NDArray[np.uint64]:
    with open_read(where.path) as stream:
        stream.seek(where.start * _HASH_BYTES)
        content = stream.read(where.count * _HASH_BYTES)
    return np.frombuffer(content, "<u8").astype(np.uint64)
