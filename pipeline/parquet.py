"""Documents and dropped documents as Parquet, one file a batch, one row group a file."""

import io
from collections.abc import Sequence
from typing import Any, BinaryIO, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.batch import Batch
from pipeline.document import DOCUMENT_SCHEMA, DROPPED_SCHEMA, METADATA, Document, MetadataValue
from pipeline.files import open_read

#: Columns with few distinct values; a dictionary of the others is built only to be thrown away.
_DICTIONARY = ["source", "language", "stage", "reason", "metadata.dump"]
_LEVELS = {"zstd": 3, "lz4": None}
_PLAIN = ("id", "source", "text", "url", "language", "created")


#: zstd for what is kept; lz4 takes half of its time to write and to read, and some 1.7 times the room.
Codec = Literal["zstd", "lz4"]


def documents_to_parquet(documents: Sequence[Document], codec: Codec = "zstd") -> memoryview:
    """Encode documents; equal documents give equal bytes.

    Raises:
        KeyError: A document has a metadata field that :data:`pipeline.document.METADATA` does not name.
    """
    columns: list[pa.Array] = [
        pa.array([getattr(document, name) for document in documents], pa.string()) for name in _PLAIN
    ]
    columns.append(_metadata([document.metadata for document in documents]))
    return _to_parquet(pa.Table.from_arrays(columns, schema=DOCUMENT_SCHEMA), codec)


def dropped_to_parquet(batch: Batch, source: str, stage: str, keep_text: Sequence[bool]) -> memoryview:
    """Encode a batch's dropped documents, with the text of those ``keep_text`` marks."""
    rows = batch.dropped
    columns = {
        "id": [row.id for row in rows],
        "source": [source] * len(rows),
        "url": [row.url for row in rows],
        "stage": [stage] * len(rows),
        "reason": [row.reason for row in rows],
        "measured": [row.measured for row in rows],
        "limit": [row.limit for row in rows],
        "detail": [row.detail for row in rows],
        "text": [row.text if keep else None for row, keep in zip(rows, keep_text, strict=True)],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in DROPPED_SCHEMA]
    return _to_parquet(pa.Table.from_arrays(arrays, schema=DROPPED_SCHEMA))


def read_documents(path: str) -> list[Document]:
    """Read a file of documents back; metadata fields that are null are left out."""
    with open_read(path) as stream:
        return documents_from_stream(stream)


def documents_from_stream(stream: BinaryIO) -> list[Document]:
    """Read documents from an open Parquet file.

    Raises:
        pyarrow.ArrowInvalid: The file is no Parquet file, or lacks a column.
    """
    return table_to_documents(_read_columns(stream))


def table_to_documents(table: pa.Table) -> list[Document]:
    """Make documents of a table's rows; metadata fields that are null are left out."""
    columns = [table.column(name).to_pylist() for name in _PLAIN]
    metadata = _read_metadata(table.column("metadata").combine_chunks())
    rows = zip(*columns, metadata, strict=True)
    return [Document(*row) for row in rows]


def read_table(path: str) -> pa.Table:
    """Read a file of documents back as a table of :data:`pipeline.document.DOCUMENT_SCHEMA`."""
    with open_read(path) as stream:
        return _read_columns(stream)


def table_to_parquet(table: pa.Table) -> memoryview:
    """Encode a table, or rows of one, that :func:`read_table` gave; equal bytes as of the documents it is made of."""
    return _to_parquet(pa.Table.from_arrays([_one_chunk(column) for column in table.columns], schema=DOCUMENT_SCHEMA))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Give a column as one array, since pages end where chunks do; ``combine_chunks`` copies a single one too."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _read_columns(stream: BinaryIO) -> pa.Table:
    return pq.ParquetFile(stream).read(columns=[field.name for field in DOCUMENT_SCHEMA])


def read_texts(path: str) -> tuple[list[str], list[str]]:
    """Read the ids and texts of a file of documents, nothing else."""
    with open_read(path) as stream:
        table = pq.ParquetFile(stream).read(columns=["id", "text"])
    return table.column("id").to_pylist(), table.column("text").to_pylist()


def _metadata(rows: Sequence[dict[str, MetadataValue]]) -> pa.StructArray:
    unknown = {key for row in rows for key in row} - {field.name for field in METADATA}
    if unknown:
        raise KeyError(f"metadata fields without a place in the schema: {sorted(unknown)}")
    arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in METADATA]
    return pa.StructArray.from_arrays(arrays, fields=list(METADATA))


def _read_metadata(column: Any) -> list[dict[str, MetadataValue]]:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    rows = [row for chunk in chunks for row in cast("list[dict[str, MetadataValue]]", chunk.to_pylist())]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _to_parquet(table: pa.Table, codec: Codec = "zstd") -> memoryview:
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression=codec,
        compression_level=_LEVELS[codec],
        use_dictionary=[name for name in _DICTIONARY if name.split(".")[0] in table.column_names],
        row_group_size=max(1, table.num_rows),
    )
    return sink.getbuffer()
