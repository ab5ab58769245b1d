"""What books share, found in one shuffle of sampled shingles and bands.

All books are ranked once, in the order in which they stay (:mod:`filters.book_clusters`); their keys meet in buckets,
ranges of the 64 bits. Only hashes and ranks cross the shuffle, 12 bytes a key, no text. Each bucket commits one file:
the pairs of books that meet in it, with what they share there. Pairs that share far too little of what the bucket holds
of them (:data:`filters.book_overlap.MISSED_IN_BUCKET`) are left out of it, which are nearly all: phrases that two books
happen to have in common.

Larger sets meet in several passes, as lines do (:mod:`pipeline.duplicates`).
"""

import functools
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from filters.book_clusters import Book, rank_of
from filters.book_overlap import MISSED_IN_BUCKET
from filters.book_pairs import KeyPairs, pair_books, share_enough
from pipeline.batch import Blame, batch_name
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.commits import Commit, write_commit
from pipeline.duplicates import Slice
from pipeline.files import read_bytes, write_output
from pipeline.sources.book_sketches import BatchBooks, Keyed, read_books, read_keys
from pipeline.stage import Job, SpreadUnits

#: Ranks of two books, the one that comes first; samples they share, those of them that count for no other pair, bands.
PAIR = np.dtype([("first", "<u4"), ("second", "<u4"), ("shared", "<u4"), ("common", "<u4"), ("bands", "<u4")])
Pairs = NDArray[np.void]

Ranks = NDArray[np.uint32]


def rank_books(batches: Sequence[BatchBooks]) -> list[Ranks]:
    """Rank all books in the order in which they stay (:func:`filters.book_clusters.rank_of`), one number each.

    Returns:
        For each batch the ranks of its books, in their order.
    """
    books = [
        (rank_of(Book(*book)), number, place)
        for number, batch in enumerate(batches)
        for place, book in enumerate(zip(batch.ids, batch.shingles.tolist(), batch.chars.tolist(), strict=True))
    ]
    ranks = [np.empty(len(batch.ids), np.uint32) for batch in batches]
    for rank, (_, number, place) in enumerate(sorted(books)):
        ranks[number][place] = rank
    return ranks


@dataclass(frozen=True, slots=True)
class SharedWork:
    """The work of the stage that finds what books share.

    Attributes:
        run: The run folder.
        stage: The stage's name.
        sketches: The stage that made the sketches.
        passes: What meets when, from :func:`pipeline.duplicates.plan_passes`.
        settings: What counts.
    """

    run: str
    stage: str
    sketches: str
    passes: Sequence[Sequence[Slice]]
    settings: BookDedupSettings

    @property
    def total_bytes(self) -> int:
        """Bytes of keys."""
        return sum(slice_.size for pass_ in self.passes for slice_ in pass_)

    def jobs(self, committed: Sequence[Commit]) -> Iterator[Job]:
        """Give a job for each pass with a bucket that is not done."""
        done = _done(committed)
        ranks: dict[str, Ranks] = {}
        for number, slices in enumerate(self.passes):
            buckets = frozenset(range(slices[0].buckets)) - done.get(number, frozenset())
            if buckets:
                ranks = ranks or self._ranks()
                units = [(slice_, ranks[slice_.file.name]) for slice_ in slices]
                label = f"pass {number + 1} of {len(self.passes)}"
                yield Job(label, build=functools.partial(self._build, number, units, buckets), in_launcher=True)

    def missing(self, committed: Sequence[Commit]) -> list[str]:
        """Name the buckets without a commit."""
        done = _done(committed)
        return [
            batch_name(_pass_name(number), bucket)
            for number, slices in enumerate(self.passes)
            for bucket in range(slices[0].buckets)
            if bucket not in done.get(number, frozenset())
        ]

    def done_bytes(self, committed: Sequence[Commit]) -> int:
        """Count the keys of committed buckets, which are about equal."""
        done = _done(committed)
        return sum(
            sum(slice_.size for slice_ in slices) * len(done.get(number, ())) // slices[0].buckets
            for number, slices in enumerate(self.passes)
        )

    def _ranks(self) -> dict[str, Ranks]:
        files = {(slice_.file.shard, slice_.file.index): slice_.file for pass_ in self.passes for slice_ in pass_}
        ranks = rank_books(read_books(self.run, self.sketches, sorted(files)))
        return {files[batch].name: found for batch, found in zip(sorted(files), ranks, strict=True)}

    def _build(
        self, number: int, units: Sequence[tuple[Slice, Ranks]], buckets: frozenset[int], root: beam.Pipeline
    ) -> beam.PCollection:
        commit = _CommitPairs(self.run, self.stage, number, units[0][0].buckets)
        return (
            root
            | "Slices" >> SpreadUnits(units)
            | "FindPairs" >> FindPairs(self.run, self.sketches, self.settings, buckets)
            | "Write" >> beam.Map(commit).with_output_types(str)
        )


def _pass_name(number: int) -> str:
    return f"pass-{number:03d}"


def _done(committed: Sequence[Commit]) -> dict[int, frozenset[int]]:
    """Give the committed buckets of each pass."""
    found: dict[int, frozenset[int]] = {}
    for commit in committed:
        number = int(commit.shard.removeprefix("pass-"))
        found[number] = found.get(number, frozenset()) | {commit.index}
    return found


@dataclass(frozen=True, slots=True)
class Sent:
    """Keys of a batch in one bucket, each with the rank of the book it is of.

    Attributes:
        batch: The batch's name.
        samples: Sampled shingles.
        bands: Bands.
    """

    batch: str
    samples: Keyed
    bands: Keyed


@dataclass(frozen=True, slots=True)
class BucketPairs:
    """What a bucket found.

    Attributes:
        pairs: Ordered by (first, second), :data:`PAIR`. Shape (pairs,).
        books: Books of which samples are common, and so count for few pairs. Shape (books,).
        left_out: How many of each. Shape (books,).
        keys: Keys that met.
        far: Pairs that share far too little.
    """

    pairs: Pairs
    books: Ranks
    left_out: NDArray[np.uint32]
    keys: int = 0
    far: int = 0

    def to_bytes(self) -> bytes:
        """Encode as an uncompressed ``.npz``."""
        sink = io.BytesIO()
        np.savez(sink, pairs=self.pairs, books=self.books, left_out=self.left_out)
        return sink.getvalue()


class FindPairs(beam.PTransform):  # type: ignore[misc]
    """Find the pairs of books that share keys.

    In: slices, each with the ranks of its batch's books. Out: ``(bucket, its pairs)`` for each bucket asked for.
    """

    def __init__(self, run: str, sketches: str, settings: BookDedupSettings, buckets: frozenset[int]) -> None:
        super().__init__()
        self._run, self._sketches, self._settings, self._buckets = run, sketches, settings, buckets

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return (
            units
            | "Send"
            >> beam.FlatMap(_send, self._run, self._sketches, self._buckets).with_output_types(tuple[int, Sent])
            | "Meet" >> beam.GroupByKey()
            | "Pair" >> beam.Map(_pair, self._settings).with_output_types(tuple[int, BucketPairs])
        )


def _send(unit: tuple[Slice, Ranks], run: str, sketches: str, buckets: frozenset[int]) -> Iterator[tuple[int, Sent]]:
    """Send each bucket its keys, if only none, so that every bucket is heard of."""
    slice_, ranks = unit
    name = slice_.file.name
    with Blame(name):
        keys = read_keys(run, sketches, name)
    for bucket, (low, high) in enumerate(itertools.pairwise(slice_.edges())):
        if bucket in buckets:
            found = keys.samples.between(low, high), keys.bands.between(low, high)
            samples, bands = (Keyed(part.keys, ranks[part.books]) for part in found)
            yield bucket, Sent(name, samples, bands)


def _pair(group: tuple[int, Iterable[Sent]], settings: BookDedupSettings) -> tuple[int, BucketPairs]:
    bucket, sent = group
    return bucket, pair_bucket(sorted(sent, key=lambda one: one.batch), settings)


def pair_bucket(sent: Sequence[Sent], settings: BookDedupSettings) -> BucketPairs:
    """Find the pairs of a bucket.

    Args:
        sent: What the batches sent.
        settings: What counts.
    """
    samples, ranks, counts = _pair_keys([one.samples for one in sent], settings.max_books_per_shingle)
    near = share_enough(samples.shared, samples.usable(counts), settings.candidate_overlap, MISSED_IN_BUCKET)
    bands, band_ranks, _ = _pair_keys([one.bands for one in sent], settings.max_books_per_shingle)
    rows = np.zeros(int(near.sum()) + len(bands.first), PAIR)
    by_samples, by_bands = rows[: int(near.sum())], rows[int(near.sum()) :]
    by_samples["first"], by_samples["second"] = ranks[samples.first[near]], ranks[samples.second[near]]
    by_samples["shared"], by_samples["common"] = samples.shared[near], samples.common[near]
    by_bands["first"], by_bands["second"] = band_ranks[bands.first], band_ranks[bands.second]
    by_bands["bands"] = bands.shared
    books = np.flatnonzero(samples.left_out)
    keys = sum(len(one.samples.keys) + len(one.bands.keys) for one in sent)
    left_out = samples.left_out[books].astype(np.uint32)
    return BucketPairs(sum_pairs(rows), ranks[books], left_out, keys, int((~near).sum()))


def _pair_keys(parts: Sequence[Keyed], max_books: int) -> tuple[KeyPairs, Ranks, NDArray[np.int64]]:
    """Pair the books that share keys; books are numbered by rank among those that are there.

    Returns:
        The pairs, the rank of each book, and how many keys it has.
    """
    keys = np.concatenate([part.keys for part in parts])
    ranks, books = np.unique(np.concatenate([part.books for part in parts]), return_inverse=True)
    pairs = pair_books(keys, books, number=len(ranks), max_books=max_books)
    return pairs, ranks, np.bincount(books, minlength=len(ranks))


def sum_pairs(rows: Pairs) -> Pairs:
    """Add up rows of the same pair; ordered by (first, second)."""
    if not len(rows):
        return rows
    ascending = rows[np.lexsort((rows["second"], rows["first"]))]
    first, second = ascending["first"], ascending["second"]
    starts = np.flatnonzero(np.r_[True, (first[1:] != first[:-1]) | (second[1:] != second[:-1])])
    summed = ascending[starts]
    for name in ("shared", "common", "bands"):
        summed[name] = np.add.reduceat(ascending[name], starts)
    return summed


@dataclass(frozen=True, slots=True)
class _CommitPairs:
    """Writes what a bucket found, then its commit; gives the path."""

    run: str
    stage: str
    number: int
    buckets: int

    def __call__(self, element: tuple[int, BucketPairs]) -> str:
        bucket, found = element
        shard = _pass_name(self.number)
        path = f"work/{self.stage}/part-{batch_name(shard, bucket)}.npz"
        with Blame(batch_name(shard, bucket)):
            written = write_output(self.run, path, found.to_bytes(), rows=len(found.pairs))
            left_out = int(found.left_out.sum())
            commit = Commit(
                shard,
                bucket,
                last=bucket == self.buckets - 1,
                read=found.keys,
                kept=found.keys - left_out,
                dropped={"keys/common": left_out} if left_out else {},
                facts={"pairs": len(found.pairs), "pairs_far": found.far},
                outputs=(written,),
            )
            write_commit(self.run, self.stage, commit)
        return path


def read_pairs(paths: Iterable[str]) -> BucketPairs:
    """Read what all buckets found, added up.

    Args:
        paths: The buckets' files.
    """
    total = BucketPairs(np.zeros(0, PAIR), np.empty(0, np.uint32), np.empty(0, np.uint32))
    for path in paths:
        with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
            pairs = sum_pairs(np.concatenate([total.pairs, arrays["pairs"]]))
            books, places = np.unique(np.concatenate([total.books, arrays["books"]]), return_inverse=True)
            counts = np.bincount(places, weights=np.concatenate([total.left_out, arrays["left_out"]]))
        total = BucketPairs(pairs, books, counts.astype(np.uint32))
    return total
