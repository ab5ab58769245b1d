"""The data model: documents, what becomes of them, and the batches and shards they travel in.

A *shard* is the unit of work: an input file, or a byte range of a splittable one. Reading a shard yields *batches* of
documents, bounded in bytes, whose file names follow from shard and index alone. Whatever enters a batch leaves it
exactly once: as a kept document, as a :class:`Dropped` one, or as a :class:`MalformedRecord`.
"""

import functools
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

MetadataValue = str | int | float | bool | None

#: Every metadata field of every source, with its Arrow type. One struct for all, so that files of different sources
#: concatenate; a field a source does not use is null and costs nothing on disk.
METADATA = pa.struct(
    [
        ("dump", pa.string()),
        ("title", pa.string()),
        ("digest", pa.string()),
        ("original_chars", pa.int64()),
        ("original_lines", pa.int64()),
        ("language_score", pa.float64()),
        ("perplexity", pa.float64()),
        ("bucket", pa.string()),
        ("reference_score", pa.float64()),
        ("cited", pa.bool_()),
        ("split", pa.string()),
        ("author", pa.string()),
        ("encoding", pa.string()),
        ("tags", pa.string()),
        ("score", pa.int64()),
        ("answers", pa.int64()),
        ("version", pa.int64()),
        ("main_file", pa.string()),
        ("licence", pa.string()),
        ("repository", pa.string()),
        ("ref", pa.string()),
        ("path", pa.string()),
        ("programming_language", pa.string()),
    ]
)

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("created", pa.string(), nullable=False),
        pa.field("metadata", METADATA, nullable=False),
    ]
)

DROPPED_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("measured", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field("detail", pa.string()),
        pa.field("text", pa.string()),
    ]
)


def utf8_size(text: str) -> int:
    """Count the bytes of a text in UTF-8, without encoding one that is ASCII.

    >>> utf8_size("abc"), utf8_size("äbc")
    (3, 4)
    """
    return len(text) if text.isascii() else len(text.encode())


@dataclass(slots=True)
class Document:
    """One document of the corpus.

    Attributes:
        id: Stable and natural, the same in every run: ``cc/<WARC-Record-ID>``, ``enwiki/12345``, ``gutenberg/1342``.
        source: The source's name, as in the config.
        text: The text, LF line ends.
        url: Where it can be read; empty where it has no address.
        language: ISO 639 code, empty until identified.
        created: ISO 8601 time in UTC, empty where unknown.
        metadata: Flat and typed; the keys are the fields of :data:`METADATA`.
    """

    id: str
    source: str
    text: str
    url: str = ""
    language: str = ""
    created: str = ""
    metadata: dict[str, MetadataValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record or document that was left out, with the reason.

    Attributes:
        id: The document's id; for a record that is no document, its natural id in the raw file.
        url: Its address, or empty.
        reason: A reason code, ``"<module>/<what is wrong>"``.
        measured: The number measured, or ``None``.
        limit: The limit it was held to, or ``None``.
        text: Its text, where there is any.
        detail: What a number cannot say, such as the id of the document this one repeats.
    """

    id: str
    url: str
    reason: str
    measured: float | None = None
    limit: float | None = None
    text: str | None = None
    detail: str | None = None


class MalformedRecord(Exception):
    """Raw bytes that cannot be read as a record. Raised or yielded by parsers; ends in ``errors/``, never silently.

    Attributes:
        cause: A short, countable code, ``"<format>/<what is wrong>"``, free of values.
        detail: One line for a person, with the values.
        offset: Byte offset in the raw file where the fault begins (of the gzip member, in a gzip file).
        inner_offset: Byte offset in the decompressed member, 0 in an uncompressed file.
        is_record: Whether a record starts there. ``False`` for bytes between records, and for a whole file that is
            refused, so that kept + dropped + errors with ``is_record`` equals the number of record starts.
    """

    def __init__(self, cause: str, detail: str, *, offset: int, inner_offset: int = 0, is_record: bool = True) -> None:
        super().__init__(f"{cause} at byte {offset}+{inner_offset}: {detail}")
        self.cause = cause
        self.detail = detail
        self.offset = offset
        self.inner_offset = inner_offset
        self.is_record = is_record

    def __reduce__(self) -> tuple[object, ...]:
        make = functools.partial(
            MalformedRecord, offset=self.offset, inner_offset=self.inner_offset, is_record=self.is_record
        )
        return make, (self.cause, self.detail)


@dataclass(frozen=True, slots=True)
class Shard:
    """A unit of work: one input file, or a byte range of a splittable one.

    Attributes:
        source: The source's name.
        name: Unique within the source and free of path separators; follows from the file's path below the input
            root, so that it does not depend on which other files there are or on their order.
        path: The file.
        size: Bytes on disk.
        dump: The dump it belongs to.
        start: First byte of the range.
        end: End of the range (exclusive), or ``None`` for the end of the file.
        below: The file's path below the input root, its parts divided by ``/``.
    """

    source: str
    name: str
    path: str
    size: int
    dump: str = ""
    start: int = 0
    end: int | None = None
    below: str = ""


def utc_time(timestamp: str) -> str:
    """Put a time of ISO 8601 into UTC, which it is taken for where it says nothing; empty where it cannot be read.

    >>> utc_time("2019-07-16T02:11:22+02:00")
    '2019-07-16T00:11:22+00:00'
    """
    try:
        time = datetime.fromisoformat(timestamp)
        utc = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return ""
    return timestamp if timestamp.endswith("Z") else utc.isoformat()
