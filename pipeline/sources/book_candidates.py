"""The stages that find the pairs of books whose overlap is worth measuring.

``books.shared`` lets the keys of all books meet; ``books.candidates`` adds up what each pair shares, and takes the
pairs that share as many samples as books of ``candidate_overlap`` do, or a band.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from filters.book_overlap import MISSED_FRACTION
from filters.book_pairs import share_enough
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.commits import Commit, write_commit
from pipeline.duplicates import KeyFile, plan_passes
from pipeline.files import join, write_output
from pipeline.run import Run
from pipeline.sources.book_shared import BucketPairs, Pairs, SharedWork, rank_books, read_pairs
from pipeline.sources.book_sketches import KEY_BYTES, KEYS_FACT, BatchBooks, read_books
from pipeline.sources.book_tables import BOOKS, CANDIDATES, encode_table
from pipeline.stage import LauncherWork, Stage, StageResult

SHARED = "books.shared"
CANDIDATES_STAGE = "books.candidates"
BOOKS_PATH = f"work/{CANDIDATES_STAGE}/books.parquet"
PAIRS_PATH = f"work/{CANDIDATES_STAGE}/pairs.parquet"

#: Buckets are that much larger than those of lines, 32 MiB: the more of a book a bucket holds, the surer it tells pairs
#: that share a phrase from copies. Of 200,000 books it then keeps 2,719 pairs of 2.2 million, one of 16 MiB 956,050 of
#: 1.1 million; and takes 340 MiB.
_BUCKETS_IN_ONE = 2


def shared_stage(run: Run, settings: BookDedupSettings, cleaned: StageResult) -> Stage:
    """Give the stage that finds what books share.

    Args:
        run: The run at work.
        settings: What counts.
        cleaned: The stage that sketched the books.
    """
    files = [
        KeyFile(commit.shard, commit.index, "books", commit.facts[KEYS_FACT], key_bytes=KEY_BYTES)
        for commit in cleaned.commits
        if commit.kept
    ]
    passes = [
        [dataclasses.replace(slice_, buckets=math.ceil(slice_.buckets / _BUCKETS_IN_ONE)) for slice_ in slices]
        for slices in plan_passes(files, settings.max_shuffle_bytes)
    ]
    names = ("candidate_overlap", "max_books_per_shingle", "max_shuffle_bytes")
    return Stage(
        SHARED,
        settings={name: getattr(settings, name) for name in names},
        inputs={"cleaned": cleaned.digest},
        work=SharedWork(run.folder, SHARED, cleaned.name, passes, settings),
        counts="keys",
        may_keep_nothing=True,
    )


def candidates_stage(run: Run, settings: BookDedupSettings, cleaned: StageResult, shared: StageResult) -> Stage:
    """Give the stage that chooses the pairs to measure."""
    batches = [(commit.shard, commit.index) for commit in cleaned.commits if commit.kept]
    paths = [join(run.folder, output.path) for output in shared.outputs()]
    call = functools.partial(write_candidates, run.folder, cleaned.name, batches, paths, settings.candidate_overlap)
    return Stage(
        CANDIDATES_STAGE,
        settings={"candidate_overlap": settings.candidate_overlap},
        inputs={"cleaned": cleaned.digest, "shared": shared.digest},
        work=LauncherWork(call, "candidates"),
        counts="pairs",
        may_keep_nothing=True,
    )


def write_candidates(
    folder: str, cleaned: str, batches: Sequence[tuple[str, int]], paths: Sequence[str], overlap: float
) -> None:
    """Choose the candidates and write them, with the books that stand in them.

    Args:
        folder: The run folder.
        cleaned: The stage that sketched the books.
        batches: Its batches, by shard and index.
        paths: What the buckets found.
        overlap: Of pairs with this overlap, nearly all are candidates.
    """
    shelf = _Shelf(read_books(folder, cleaned, batches))
    found = read_pairs(paths)
    chosen, samples = choose_candidates(found, shelf.samples, overlap)
    rows = np.unique(np.concatenate([chosen["first"], chosen["second"]]))
    books = shelf.describe(rows)
    pairs = {
        "one": np.searchsorted(rows, chosen["first"]),
        "other": np.searchsorted(rows, chosen["second"]),
        "shared_samples": chosen["shared"],
        "samples": samples,
        "shared_bands": chosen["bands"],
    }
    outputs = (
        write_output(folder, BOOKS_PATH, encode_table(books, BOOKS), rows=len(rows)),
        write_output(folder, PAIRS_PATH, encode_table(pairs, CANDIDATES), rows=len(chosen)),
    )
    left = len(found.pairs) - len(chosen)
    facts = {"books": len(rows), "pairs_by_bands": int((chosen["bands"] > 0).sum())}
    commit = Commit(
        CANDIDATES_STAGE,
        0,
        read=len(found.pairs),
        kept=len(chosen),
        dropped={"pairs/share_little": left} if left else {},
        facts=facts,
        outputs=outputs,
    )
    write_commit(folder, CANDIDATES_STAGE, commit)


def choose_candidates(
    found: BucketPairs, samples: NDArray[np.int64], overlap: float
) -> tuple[Pairs, NDArray[np.int64]]:
    """Choose the pairs whose overlap is measured.

    Args:
        found: What all buckets found.
        samples: Sampled shingles of each book, by rank. Shape (books,).
        overlap: Of pairs with this overlap, nearly all are candidates.

    Returns:
        The pairs, and how many samples each could share.
    """
    counted = samples.copy()
    counted[found.books] -= found.left_out
    pairs = found.pairs
    usable = np.minimum(counted[pairs["first"]], counted[pairs["second"]]) + pairs["common"]
    enough = share_enough(pairs["shared"].astype(np.int64), usable, overlap, MISSED_FRACTION)
    chosen = ((pairs["shared"] > 0) & enough) | (pairs["bands"] > 0)
    return pairs[chosen], usable[chosen]


class _Shelf:
    """All books, by rank."""

    def __init__(self, batches: Sequence[BatchBooks]) -> None:
        self._batches = batches
        self._starts = np.cumsum([0, *(len(batch.ids) for batch in batches)])
        #: For each rank the book, counted through the batches.
        self._order = np.argsort(np.concatenate([np.empty(0, np.uint32), *rank_books(batches)]))
        self.samples = np.concatenate([np.empty(0, np.int64), *(batch.samples for batch in batches)])[self._order]

    def describe(self, ranks: NDArray[np.uint32]) -> dict[str, list[str] | list[int]]:
        """Give the columns of the table of books."""
        books = self._order[ranks]
        numbers = np.searchsorted(self._starts, books, side="right") - 1
        places = (books - self._starts[numbers]).tolist()
        found = list(zip((self._batches[number] for number in numbers.tolist()), places, strict=True))
        return {
            "shard": [batch.shard for batch, _ in found],
            "index": [batch.index for batch, _ in found],
            "place": places,
            "id": [batch.ids[place] for batch, place in found],
            "chars": [int(batch.chars[place]) for batch, place in found],
            "shingles": [int(batch.shingles[place]) for batch, place in found],
        }
