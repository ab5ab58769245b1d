"""Reading: a shard becomes batches, always the same ones."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import apache_beam as beam

from pipeline.batch import Batch, Blame
from pipeline.document import Document, Dropped, MalformedRecord, utf8_size

#: What one record costs a batch beside its text, so that millions of records without text fill batches too.
RECORD_BYTES = 512

Item = Document | Dropped | MalformedRecord


class Unit(Protocol):
    """What a stage hands to one reader: a raw shard, or a committed file of an earlier stage."""

    @property
    def name(self) -> str:
        """The shard's name."""

    @property
    def size(self) -> int:
        """Bytes on disk."""


def batched(items: Iterable[tuple[Item, int]], shard: str, batch_bytes: int) -> Iterator[Batch]:
    """Gather a shard's records into batches of some ``batch_bytes`` of text.

    Args:
        items: What the parser found, each with the bytes of the file read so far.
        shard: The shard's name.
        batch_bytes: A batch is full when the UTF-8 text of its records, and :data:`RECORD_BYTES` for each, reach this.

    Yields:
        At least one batch, the last one marked; where batches end follows from the records and ``batch_bytes`` alone.
    """
    batch, size = Batch(shard, 0), 0
    for item, position in items:
        if size >= batch_bytes:
            yield batch
            batch, size = Batch(shard, batch.index + 1), 0
        size += RECORD_BYTES + _add(batch, item)
        batch.position = position
    batch.last = True
    yield batch


def _add(batch: Batch, item: Item) -> int:
    """Put a record into its place in the batch and give the bytes of its text."""
    if isinstance(item, MalformedRecord):
        batch.errors.append(item)
        batch.read += item.is_record
        return 0
    batch.read += 1
    if isinstance(item, Dropped):
        batch.dropped.append(item)
        return utf8_size(item.text or "")
    batch.documents.append(item)
    return utf8_size(item.text)


class ReadBatches(beam.PTransform):  # type: ignore[misc]
    """Read shards into batches.

    In: one element a unit, ``(unit, indices of its batches that are committed already)``. Out: every other batch of
    the unit, exactly once.

    Args:
        read: Gives a unit's batches, always the same ones.
    """

    def __init__(self, read: Callable[[Any], Iterator[Batch]]) -> None:
        super().__init__()
        self._read = read

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.ParDo(_Read(self._read)).with_output_types(Batch)


class _Read(beam.DoFn):  # type: ignore[misc]
    def __init__(self, read: Callable[[Any], Iterator[Batch]]) -> None:
        self._read = read

    def process(self, element: tuple[Any, frozenset[int]]) -> Iterator[Batch]:
        unit, committed = element
        batches = self._read(unit)
        while (batch := self._next(batches, unit)) is not None:
            if batch.index not in committed:
                batch.bytes_in = sum(utf8_size(document.text) for document in batch.documents)
                yield batch

    def _next(self, batches: Iterator[Batch], unit: Unit) -> Batch | None:
        clock = Batch(unit.name, 0)
        with Blame(unit.name), clock.timed("read"):
            batch = next(batches, None)
        if batch is not None:
            batch.seconds["read"] = batch.seconds.get("read", 0.0) + clock.seconds["read"]
        return batch
