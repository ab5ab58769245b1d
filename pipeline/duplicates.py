"""Finding duplicates among fingerprints: the one shuffle of line deduplication, 8 bytes a line, no text.

Fingerprints of a group (a window, a dump, the corpus) meet in buckets, ranges of their 64 bits; each bucket is one
NumPy array, sorted once. What comes back to each batch is a bit a fingerprint. Which copy is the first is decided by
(rank, shard, batch, line), never by arrival.

When more fingerprints meet than ``max_shuffle_bytes``, they do so in several *passes*: as many groups as fit, or a
range of the hashes of one group. Passes are committed one by one, so a killed run goes on with the next.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from pipeline.batch import Blame, batch_name
from pipeline.commits import Commit, write_commit
from pipeline.files import join, write_output
from pipeline.fingerprints import (
    Fingerprints,
    fingerprints_path,
    mask_to_bytes,
    masks_path,
    read_fingerprints,
    read_mask,
)
from pipeline.stage import Job, SpreadUnits

#: Fingerprints of a bucket; sorting one takes some six times that.
BUCKET_BYTES = 16 << 20

_HASH_RANGE = 1 << 64

#: ``(rank, shard, index, start of the range, part, parts, fingerprints, their order)``, sent to ``(group, bucket)``
Sent = tuple[int, str, int, int, int, int, bytes, bytes]
Message = tuple[tuple[str, int], Sent]
#: ``(shard, index, part, parts)`` and ``(start of the range, fingerprints in it, bits)``
Answer = tuple[tuple[str, int, int, int], tuple[int, int, bytes]]


#: What is compared.
Kind = Literal["lines", "ids", "pages"]


class Copies(StrEnum):
    """What becomes of copies: none stays, the first one stays, or those of the first rank (the newest dump) stay."""

    NONE_STAYS = "none"
    FIRST_STAYS = "first"
    FIRST_RANK_STAYS = "first_rank"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The fingerprints of one batch and where they take part.

    Attributes:
        shard: The batch's shard.
        index: The batch's index.
        group: Only fingerprints of one group meet.
        keys: How many fingerprints there are.
        rank: Comes before the shard's name in deciding which copy is the first.
        key_bytes: What each takes in the shuffle: 8, and 8 more where an order of its own decides.
    """

    shard: str
    index: int
    group: str
    keys: int
    rank: int = 0
    key_bytes: int = 8

    @property
    def name(self) -> str:
        """The batch's name."""
        return batch_name(self.shard, self.index)

    @property
    def size(self) -> int:
        """Bytes of the fingerprints."""
        return self.keys * self.key_bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of the fingerprints of a batch, in one pass.

    Attributes:
        file: The batch.
        part: Which of the group's ranges this is.
        parts: How many ranges the group is taken in.
        buckets: How many buckets the range is split into.
    """

    file: KeyFile
    part: int
    parts: int
    buckets: int

    @property
    def name(self) -> str:
        """The name its commit goes under."""
        return f"{self.file.name}.{self.part:03d}"

    @property
    def size(self) -> int:
        """Bytes of the fingerprints, about."""
        return self.file.size // self.parts

    def edges(self) -> list[int]:
        """Give the borders of the buckets in the hash space, ``buckets + 1`` of them."""
        low, high = _HASH_RANGE * self.part // self.parts, _HASH_RANGE * (self.part + 1) // self.parts
        return [low + (high - low) * bucket // self.buckets for bucket in range(self.buckets + 1)]


def plan_passes(files: Sequence[KeyFile], max_bytes: int | None) -> list[list[Slice]]:
    """Share fingerprints out over passes.

    Args:
        files: All batches.
        max_bytes: Fingerprints that may meet in one pass, in bytes; ``None`` for no bound.

    Returns:
        For each pass its slices. A group within the bound is in one pass, with others as far as they fit; a larger
        one is taken in ranges of its hashes, a pass each.
    """
    passes: list[list[Slice]] = []
    room = 0
    for members in _groups(files):
        size = sum(file.size for file in members)
        parts = 1 if max_bytes is None else max(1, math.ceil(size / max_bytes))
        buckets = max(1, math.ceil(size / parts / BUCKET_BYTES))
        for part in range(parts):
            slices = [Slice(file, part, parts, buckets) for file in members]
            if passes and parts == 1 and size <= room:
                passes[-1] += slices
                room -= size
            else:
                passes.append(slices)
                room = 0 if parts > 1 else (1 << 62 if max_bytes is None else max_bytes - size)
    return passes


def _groups(files: Sequence[KeyFile]) -> list[list[KeyFile]]:
    groups: dict[str, list[KeyFile]] = {}
    for file in sorted(files, key=lambda file: (file.group, file.shard, file.index)):
        groups.setdefault(file.group, []).append(file)
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class DuplicateWork:
    """The work of a stage that finds duplicates.

    Attributes:
        run: The run folder.
        stage: The stage's name.
        fingerprints: The stage that made the fingerprints.
        passes: What meets when, from :func:`plan_passes`.
        keys: What is compared.
        copies: Which copy stays.
    """

    run: str
    stage: str
    fingerprints: str
    passes: Sequence[Sequence[Slice]]
    keys: "Keys"
    copies: Copies

    @property
    def total_bytes(self) -> int:
        """Bytes of fingerprints."""
        return sum(slice_.size for pass_ in self.passes for slice_ in pass_)

    def jobs(self, committed: Sequence[Commit]) -> Iterator[Job]:
        """Give a job for each pass that is not done."""
        done = _names(committed)
        for number, slices in enumerate(self.passes):
            if any(slice_.name not in done for slice_ in slices):
                label = f"pass {number + 1} of {len(self.passes)}"
                yield Job(label, build=functools.partial(self._build, slices), in_launcher=True)

    def missing(self, committed: Sequence[Commit]) -> list[str]:
        """Name the slices without a commit."""
        done = _names(committed)
        return [slice_.name for pass_ in self.passes for slice_ in pass_ if slice_.name not in done]

    def done_bytes(self, committed: Sequence[Commit]) -> int:
        """Count the fingerprints of committed slices."""
        done = _names(committed)
        return sum(slice_.size for pass_ in self.passes for slice_ in pass_ if slice_.name in done)

    def _build(self, slices: Sequence[Slice], root: beam.Pipeline) -> beam.PCollection:
        return (
            root
            | "Slices" >> SpreadUnits(slices)
            | "FindDuplicates" >> FindDuplicates(self.run, self.fingerprints, self.keys, self.copies)
            | "WriteMasks" >> WriteMasks(dataclasses.replace(self, passes=()))
        )


def _names(committed: Sequence[Commit]) -> set[str]:
    return {f"{commit.shard}.{commit.index:03d}" for commit in committed}


class Keys:
    """What is compared: lines, or ids or pages of documents. Knows where they stand in a batch's fingerprints.

    Args:
        kind: ``lines``, ``ids`` or ``pages``.
        without: Stages that found copies of documents, which do not count any more.
    """

    def __init__(self, kind: Kind, *, without: Sequence[str] = ()) -> None:
        self.kind = kind
        self._without = tuple(without)

    def of(self, found: Fingerprints, run: str, batch: str) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Give the fingerprints that take part, ascending, and the place of each in the mask."""
        counted = self._counted(found, run, batch)
        if self.kind == "lines":
            chosen = counted[found.documents]
            return found.hashes[chosen], found.lines[chosen].astype(np.int64)
        keys = found.ids if self.kind == "ids" else found.pages
        order = np.argsort(keys, kind="stable")
        order = order[counted[order]]
        return keys[order], order

    def order(self, found: Fingerprints, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Give what decides between copies at these places of the mask, before the files' order; (0,) if nothing."""
        if not len(found.order):
            return found.order
        if self.kind != "lines":
            return found.order[places]
        return np.repeat(found.order, found.line_counts)[places]

    def size(self, found: Fingerprints) -> int:
        """Give the length of the mask."""
        return int(found.line_counts.sum()) if self.kind == "lines" else len(found.ids)

    def always(self, found: Fingerprints, run: str, batch: str) -> NDArray[np.uint32]:
        """Give the places that are marked whatever the others hold: lines repeated inside their document."""
        if self.kind != "lines":
            return np.empty(0, np.uint32)
        owners = np.searchsorted(np.cumsum(found.line_counts), found.repeats, side="right")
        return found.repeats[self._counted(found, run, batch)[owners]]

    def _counted(self, found: Fingerprints, run: str, batch: str) -> NDArray[np.bool_]:
        counted = np.ones(len(found.ids), np.bool_)
        for stage in self._without if len(found.ids) else ():
            counted &= ~read_mask(run, stage, batch)
        return counted


class FindDuplicates(beam.PTransform):  # type: ignore[misc]
    """Find which fingerprints of each slice are duplicates that go.

    In: slices. Out: for each batch, bits over ranges of its fingerprints; every fingerprint in exactly one of them.
    Only fingerprints cross the shuffle.
    """

    def __init__(self, run: str, fingerprints: str, keys: Keys, copies: Copies) -> None:
        super().__init__()
        self._run, self._fingerprints, self._keys, self._copies = run, fingerprints, keys, copies

    def expand(self, slices: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return (
            slices
            | "Send" >> beam.FlatMap(_send, self._run, self._fingerprints, self._keys).with_output_types(Message)
            | "Meet" >> beam.GroupByKey()
            | "Decide" >> beam.FlatMap(_decide, self._copies).with_output_types(Answer)
        )


def _send(slice_: Slice, run: str, fingerprints: str, keys: Keys) -> Iterator[Message]:
    file = slice_.file
    with Blame(file.name):
        found = read_fingerprints(join(run, fingerprints_path(fingerprints, file.name)))
        hashes, places = keys.of(found, run, file.name)
        order = keys.order(found, places)
        inner = np.array(slice_.edges()[1:-1], np.uint64)
        first, end = _range(hashes, slice_)
        borders = [first, *np.searchsorted(hashes, inner).tolist(), end]
    for bucket, (low, high) in enumerate(itertools.pairwise(borders)):
        if high > low or bucket == 0:
            content = hashes[low:high].astype("<u8").tobytes()
            place = file.rank, file.shard, file.index, low, slice_.part, slice_.parts
            yield (file.group, bucket), (*place, content, order[low:high].astype("<u8").tobytes())


def _range(hashes: NDArray[np.uint64], slice_: Slice) -> tuple[int, int]:
    edges = slice_.edges()
    first = int(np.searchsorted(hashes, np.uint64(edges[0])))
    end = len(hashes) if edges[-1] == _HASH_RANGE else int(np.searchsorted(hashes, np.uint64(edges[-1])))
    return first, end


def _decide(group: tuple[tuple[str, int], Iterable[Sent]], copies: Copies) -> Iterator[Answer]:
    messages = sorted(group[1], key=lambda message: message[:4])
    ranges = [np.frombuffer(message[6], "<u8") for message in messages]
    order = np.concatenate([np.frombuffer(message[7], "<u8") for message in messages])
    ranks = np.repeat([message[0] for message in messages], [len(range_) for range_ in ranges])
    gone = mark_duplicates(np.concatenate(ranges), copies, order=order if len(order) else None, ranks=ranks)
    start = 0
    for (_, shard, index, first, part, parts, *_), hashes in zip(messages, ranges, strict=True):
        bits = np.packbits(gone[start : start + len(hashes)]).tobytes()
        start += len(hashes)
        yield (shard, index, part, parts), (first, len(hashes), bits)


def mark_duplicates(
    hashes: NDArray[np.uint64],
    copies: Copies,
    *,
    order: NDArray[np.uint64] | None = None,
    ranks: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Mark the fingerprints that go.

    Args:
        hashes: Fingerprints in the order that decides which copy is the first. Shape (fingerprints,).
        copies: Which copies stay.
        order: What decides before it: the smallest is the first. Shape (fingerprints,).
        ranks: The rank of each, needed where those of the first rank stay. Shape (fingerprints,).

    Returns:
        Whether each goes. Shape (fingerprints,).

    >>> mark_duplicates(np.array([7, 5, 7], np.uint64), Copies.NONE_STAYS).tolist()
    [True, False, True]
    >>> mark_duplicates(np.array([7, 5, 7], np.uint64), Copies.FIRST_STAYS).tolist()
    [False, False, True]
    >>> mark_duplicates(np.array([7, 5, 7], np.uint64), Copies.FIRST_STAYS, order=np.array([3, 2, 1])).tolist()
    [True, False, False]
    >>> mark_duplicates(np.array([7, 7, 7], np.uint64), Copies.FIRST_RANK_STAYS, ranks=np.array([0, 0, 1])).tolist()
    [False, False, True]
    """
    ascending = np.argsort(hashes, kind="stable") if order is None else np.lexsort((order, hashes))
    found = hashes[ascending]
    marked = np.zeros(len(hashes), np.bool_)
    marked[1:] = found[1:] == found[:-1]
    if copies is Copies.FIRST_RANK_STAYS and ranks is not None:
        first = np.maximum.accumulate(np.where(marked, 0, np.arange(len(found))))
        marked = ranks[ascending] != ranks[ascending][first]
    if copies is Copies.NONE_STAYS:
        marked[:-1] |= marked[1:].copy()
    gone = np.empty(len(hashes), np.bool_)
    gone[ascending] = marked
    return gone


class WriteMasks(beam.PTransform):  # type: ignore[misc]
    """Gather each batch's bits and write its mask, then its commit. Out: the path of each mask, exactly once."""

    def __init__(self, work: DuplicateWork) -> None:
        super().__init__()
        self._work = work

    def expand(self, answers: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return (
            answers
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write_mask, self._work).with_output_types(str)
        )


def _write_mask(group: tuple[tuple[str, int, int, int], Iterable[tuple[int, int, bytes]]], work: DuplicateWork) -> str:
    (shard, index, part, parts), answers = group
    batch = batch_name(shard, index)
    with Blame(batch):
        found = read_fingerprints(join(work.run, fingerprints_path(work.fingerprints, batch)))
        hashes, places = work.keys.of(found, work.run, batch)
        gone, compared = _gather(answers, len(hashes))
        mask = np.zeros(work.keys.size(found), np.bool_)
        mask[places[gone]] = True
        always = work.keys.always(found, work.run, batch) if part == 0 else np.empty(0, np.uint32)
        mask[always] = True
        path = masks_path(work.stage, batch, part)
        written = write_output(work.run, path, mask_to_bytes(mask, parts), rows=len(mask))
        dropped = {f"{work.keys.kind}/duplicate": int(gone.sum()), f"{work.keys.kind}/repeated": len(always)}
        write_commit(
            work.run,
            work.stage,
            Commit(
                shard=batch,
                index=part,
                last=part == parts - 1,
                read=compared + len(always),
                kept=compared - int(gone.sum()),
                dropped={reason: count for reason, count in dropped.items() if count},
                outputs=(written,),
            ),
        )
    return path


def _gather(answers: Iterable[tuple[int, int, bytes]], size: int) -> tuple[NDArray[np.bool_], int]:
    """Put the bits of all ranges into place; give them and how many fingerprints they speak of."""
    gone, compared = np.zeros(size, np.bool_), 0
    for start, count, bits in answers:
        gone[start : start + count] = np.unpackbits(np.frombuffer(bits, np.uint8), count=count).astype(np.bool_)
        compared += count
    return gone, compared
