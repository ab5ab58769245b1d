"""Contents meet the places where they stand in partitions of files, so that no text crosses a shuffle.

BigQuery has each content once and says in another table where it stands, ten places for one content on average, and
some in a million. Each batch of either table writes one file, an Arrow file with one record batch a partition, as
StackExchange's posts do (:mod:`pipeline.sources.stackexchange_join`). Of the places of a content in a batch of places
the best one alone is written, so that no content has more of them than there are batches.

The best place is one whose repository's licence is permitted and whose path no rule refuses; of several such, that of
the smallest repository, ref and path. Next come places without a stated licence, then refused paths, then other
licences. Were the smallest path taken whatever it is, a library's files would
mostly stand in the ``node_modules`` of others, and go.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import xxhash

from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.document import Document, Dropped
from pipeline.files import open_read
from pipeline.fingerprints import DuplicateReason
from pipeline.reading import Item
from pipeline.sources.github_context import SOURCE, GithubContext, Place, RepositoryReason

_PLACES = pa.schema(
    [
        ("blob", pa.string()),
        ("rank", pa.int8()),
        ("repository", pa.string()),
        ("ref", pa.string()),
        ("path", pa.string()),
        ("licence", pa.string()),
        ("count", pa.int64()),
    ]
)
_CONTENTS = pa.schema([("blob", pa.string()), ("text", pa.string())])
_PREFIX = f"{SOURCE}/"

#: Rank, place and licences: the smallest is the best.
_Found = tuple[int, Place, str]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a collection's contents, as the unit of the stage that cleans them.

    Attributes:
        collection: The collection.
        index: Which of its partitions.
        count: How many it has.
        size: Bytes on disk, about.
    """

    collection: str
    index: int
    count: int
    size: int

    @property
    def name(self) -> str:
        """The unit's name."""
        return f"{self.collection}+joined~{self.index:05d}-of-{self.count:05d}"


@dataclass(frozen=True, slots=True)
class JoinedFiles:
    """The files of partitions of a collection, in the order of shards and batches.

    Attributes:
        places: Those with places.
        contents: Those with contents; of a content that is there twice the first one counts.
    """

    places: tuple[str, ...]
    contents: tuple[str, ...]


class PartitionTables(beam.PTransform):  # type: ignore[misc]
    """Hand each batch a file of partitions, to be written with it; the records stay in the batch.

    Args:
        stage: The stage's name, under whose work the files lie.
        counts: Partitions of each collection.
        kind: ``places``, of which the best one of each content is written, or ``contents``.
    """

    def __init__(self, stage: str, counts: dict[str, int], kind: Literal["places", "contents"]) -> None:
        super().__init__()
        self._arguments = stage, counts, kind

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_partition_batch, *self._arguments).with_output_types(Batch)


def _partition_batch(batch: Batch, stage: str, counts: dict[str, int], kind: str) -> Batch:
    with Blame(batch.name), batch.timed("partition"):
        if batch.documents:
            count = counts[batch.shard.partition("+")[0]]
            encode = places_to_arrow if kind == "places" else contents_to_arrow
            batch.files[f"work/{stage}/{kind}/{batch.name}.arrow"] = (
                encode(batch.documents, count),
                len(batch.documents),
            )
    return batch


def partition_of(blob: str, count: int) -> int:
    """Give the partition of a content and its places."""
    return xxhash.xxh3_64_intdigest(blob.encode()) % count


def places_to_arrow(places: Sequence[Document], count: int) -> bytes:
    """Encode the best place of each content, and how many it has, as an Arrow file of ``count`` partitions."""
    best: dict[str, _Found] = {}
    counts: Counter[str] = Counter()
    for document in places:
        blob, found = _found(document)
        counts[blob] += 1
        best[blob] = min(found, best.get(blob, found))
    partitions: list[list[tuple[object, ...]]] = [[] for _ in range(count)]
    for blob, (rank, place, licence) in best.items():
        row = blob, rank, place.repository, place.ref, place.path, licence, counts[blob]
        partitions[partition_of(blob, count)].append(row)
    return _to_arrow(_PLACES, partitions)


def _found(document: Document) -> tuple[str, _Found]:
    names = ("blob", "repository", "ref", "path", "licence")
    blob, repository, ref, path, licence = (str(document.metadata[name]) for name in names)
    return blob, (int(document.metadata["rank"] or 0), Place(repository, ref, path), licence)


def contents_to_arrow(contents: Sequence[Document], count: int) -> bytes:
    """Encode contents as an Arrow file with a record batch for each of ``count`` partitions, in the order given."""
    partitions: list[list[tuple[object, ...]]] = [[] for _ in range(count)]
    for content in contents:
        blob = content.id.removeprefix(_PREFIX)
        partitions[partition_of(blob, count)].append((blob, content.text))
    return _to_arrow(_CONTENTS, partitions)


def _to_arrow(schema: pa.Schema, partitions: Sequence[Sequence[tuple[object, ...]]]) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 3))
    with pa.ipc.new_file(sink, schema, options=options) as writer:
        for rows in partitions:
            columns = list(zip(*rows, strict=True)) or [()] * len(schema)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    content: bytes = sink.getvalue().to_pybytes()
    return content


@dataclass(slots=True)
class _Known:
    """What a partition knows of a content: its best place, how many it has, and whether it has been given."""

    best: _Found
    count: int
    is_given: bool = False


def read_partition(
    partition: Partition, files: JoinedFiles, context: GithubContext, facts: Counter[str]
) -> Iterator[tuple[Item, int]]:
    """Join a partition's contents with their places.

    Held are the best place of each content, and the contents that one batch of their table has in the partition.

    Args:
        partition: The partition.
        files: The files it is part of.
        context: What the collection is held to.
        facts: Where places are counted that are in no document: ``places beside the one taken`` and ``places without
            content``.

    Yields:
        Each content once, in the order of their files, as document or dropped.
    """
    known = _load_places(files.places, partition.index)
    for number, path in enumerate(files.contents):
        position = partition.size * number // len(files.contents)
        for row in _read_rows(path, partition.index):
            yield _join(row["blob"], row["text"], known, context), position
    facts["places beside the one taken"] += sum(one.count - 1 for one in known.values() if one.is_given)
    facts["places without content"] += sum(one.count for one in known.values() if not one.is_given)


def _load_places(paths: Sequence[str], index: int) -> dict[str, _Known]:
    known: dict[str, _Known] = {}
    for path in paths:
        for row in _read_rows(path, index):
            found = row["rank"], Place(row["repository"], row["ref"], row["path"]), row["licence"]
            one = known.setdefault(row["blob"], _Known(found, 0))
            one.best, one.count = min(one.best, found), one.count + row["count"]
    return known


def _read_rows(path: str, index: int) -> Iterator[dict[str, Any]]:
    with open_read(path) as stream, pa.ipc.open_file(stream) as reader:
        yield from reader.get_batch(index).to_pylist()


def _join(blob: str, text: str, known: dict[str, _Known], context: GithubContext) -> Item:
    one = known.get(blob)
    if one is None:
        drop = Drop(RepositoryReason.NO_PLACE)
        return Dropped(f"{_PREFIX}{blob}", "", drop.reason)
    _, place, licence = one.best
    if one.is_given:
        return context.drop(place, Drop(DuplicateReason.ID, detail=f"content {blob}"))
    one.is_given = True
    licences = licence.split("\n") if licence else []
    refused = context.check_place(place, licences, None)
    return context.drop(place, refused) if refused is not None else context.from_text(place, licences, text)
