"""Tables that pass between the stages of book deduplication, each a Parquet file a person can read."""

import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.files import open_read

#: The books of one batch, in order: characters, distinct shingles, and how many of these are sampled.
SKETCHED = pa.schema([("id", pa.string()), ("chars", pa.int64()), ("shingles", pa.int64()), ("samples", pa.int64())])
#: Books that take part: the batch of each, its place there, its id, characters and distinct shingles.
BOOKS = pa.schema(
    [
        ("shard", pa.string()),
        ("index", pa.int64()),
        ("place", pa.int64()),
        ("id", pa.string()),
        ("chars", pa.int64()),
        ("shingles", pa.int64()),
    ]
)
#: Pairs worth measuring: rows of books; samples they share, of how many; and bands they share.
CANDIDATES = pa.schema(
    [
        ("one", pa.int64()),
        ("other", pa.int64()),
        ("shared_samples", pa.int64()),
        ("samples", pa.int64()),
        ("shared_bands", pa.int64()),
    ]
)
#: Pairs measured: rows of books; distinct shingles they share, and which share of the smaller one's that is.
OVERLAPS = pa.schema(
    [("one", pa.int64()), ("other", pa.int64()), ("shared_shingles", pa.int64()), ("overlap", pa.float64())]
)
#: Books that go: the batch of each, its place there and its id; the book that stays for it, and their overlap.
REMOVED = pa.schema(
    [
        ("shard", pa.string()),
        ("index", pa.int64()),
        ("place", pa.int64()),
        ("id", pa.string()),
        ("survivor", pa.string()),
        ("overlap", pa.float64()),
    ]
)


def encode_table(columns: Mapping[str, Any], schema: pa.Schema) -> bytes:
    """Encode a table; equal columns give equal bytes."""
    table = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def read_table(path: str) -> pa.Table:
    """Read a table."""
    with open_read(path) as stream:
        return pq.ParquetFile(stream).read()
