"""Rows of tables, as BigQuery exports them: Parquet, Avro and JSON lines, the latter compressed or not.

What a file is follows from its first bytes, or from its name where these are no format's. Of a row those columns are
given that are asked for; what they hold is for the caller to look at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.document import MalformedRecord
from pipeline.sources.avro_blocks import MAGIC as AVRO_MAGIC
from pipeline.sources.avro_blocks import read_avro
from pipeline.sources.decompressed import PIECE_BYTES, Decompressed, Readable, Watched, open_decompressed
from pipeline.sources.json_rows import BOM, BadRow, cut_lines, parse_object
from pipeline.sources.zip_members import MAX_EXPANSION

_PARQUET_MAGIC = b"PAR1"
_MAGIC_BYTES = 4
#: A line may be that many times as long as its longest value: JSON writes a control character as six.
_ESCAPED = 6
_OTHER_BYTES = 1 << 20
_MAX_ROWS = 1024  # of Parquet, held at once
_TEXTS = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())
_AVRO_BLOCK_BYTES = 32 << 20
_FREE_BYTES = 64 << 20  # a column of a row group may expand to, whatever its size

Row = dict[str, Any]
#: Where a row begins, as in :class:`pipeline.document.MalformedRecord`; in Parquet at 0, since it has no place.
Where = tuple[int, int]
#: A row or what is wrong with it, where it begins, and the bytes of the file read so far.
Found = tuple[Row | MalformedRecord, Where, int]


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows and what is asked of it.

    Attributes:
        name: Its path, of which the suffix counts.
        size: Bytes on disk.
        needed: Columns that every row must have.
        optional: Columns that it may have.
        max_value_bytes: Longest value to hold.
        source: The source's name, under which faults are counted.
    """

    name: str
    size: int
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    max_value_bytes: int = 1 << 20
    source: str = "table"

    @property
    def columns(self) -> list[str]:
        """All columns asked for."""
        return list(dict.fromkeys((*self.needed, *self.optional)))


def read_table(stream: BinaryIO, table: Table) -> Iterator[Found]:
    """Read a table.

    Args:
        stream: The file, from its first byte; Parquet is read by seeking.
        table: What is asked of it.

    Yields:
        Each row once, in the order of the file, with the columns it has; a row that cannot be read, and a fault of the
        file, as :class:`MalformedRecord`.

    Raises:
        OSError: The file cannot be read for no fault of its own.
    """
    head = stream.read(_MAGIC_BYTES)
    stream.seek(0)
    name = table.name.lower()
    if head == _PARQUET_MAGIC or name.endswith(".parquet"):
        yield from _read_parquet(stream, table)
    elif head == AVRO_MAGIC or name.endswith(".avro"):
        block = max(_AVRO_BLOCK_BYTES, 4 * table.max_value_bytes)
        rows = read_avro(stream, table.columns, source=table.source, max_block_bytes=block)
        yield from ((_check_columns(row, table, where), where, position) for row, where, position in rows)
    else:
        yield from _read_lines(stream, head, table)


def _check_columns(row: Row | MalformedRecord, table: Table, where: Where) -> Row | MalformedRecord:
    missing = [] if isinstance(row, MalformedRecord) else [name for name in table.needed if name not in row]
    return _bad(f"{table.source}/missing_column", f"no {missing[0]}", where) if missing else row


def _read_lines(stream: BinaryIO, head: bytes, table: Table) -> Iterator[Found]:
    text = open_decompressed(stream, head, table.source)
    longest = _ESCAPED * table.max_value_bytes + _OTHER_BYTES
    behind = (0, 0)
    try:
        for number, line in enumerate(cut_lines(text, longest, table.source)):
            where, behind = _place(text, line.offset), _place(text, line.offset + line.size + 1)
            if line.content is None:
                detail = f"line {number}: {line.size} bytes, limit {longest}"
                yield _bad(f"{table.source}/line_too_long", detail, where), where, text.tell()
                continue
            content = line.content if number else line.content.removeprefix(BOM)
            if content.strip():
                yield _read_line(content, number, where, table), where, text.tell()
    except MalformedRecord as error:
        yield _bad(error.cause, error.detail, behind, is_record=False), behind, table.size


def _place(text: Readable, offset: int) -> Where:
    return (0, offset) if isinstance(text, Decompressed) else (offset, 0)


def _read_line(content: bytes, number: int, where: Where, table: Table) -> Row | MalformedRecord:
    try:
        row = parse_object(content, table.source)
    except BadRow as bad:
        return _bad(bad.cause, f"line {number}: {bad.detail}", where)
    missing = [name for name in table.needed if name not in row]
    if missing:
        return _bad(f"{table.source}/missing_column", f"line {number}: no {missing[0]}", where)
    return {name: row[name] for name in table.columns if name in row}


def _bad(cause: str, detail: str, where: Where, *, is_record: bool = True) -> MalformedRecord:
    return MalformedRecord(cause, detail, offset=where[0], inner_offset=where[1], is_record=is_record)


def _read_parquet(stream: BinaryIO, table: Table) -> Iterator[Found]:
    watched = Watched(stream)
    try:
        source = pa.PythonFile(cast("BinaryIO", watched), mode="r")
        file = _open_parquet(source)
        names = file.schema_arrow.names
        missing = [name for name in table.needed if name not in names]
        if missing:
            yield _refused(f"{table.source}/missing_column", f"no {missing[0]}"), (0, 0), table.size
            return
        bomb = _find_bomb(file, table.columns)
        if bomb is not None:
            yield _refused(f"{table.source}/bomb", bomb), (0, 0), table.size
            return
        columns, rows, number = [name for name in table.columns if name in names], max(1, file.metadata.num_rows), 0
        at_once = _rows_at_once(file)
        for batch in file.iter_batches(batch_size=at_once, columns=columns, use_threads=False):
            for row in _from_batch(batch, number, table.source):
                number += 1
                yield row, (0, 0), min(table.size, table.size * number // rows)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last of a column's name
        watched.check()
        yield _refused(f"{table.source}/bad_parquet", " ".join(str(error).split())[:200]), (0, 0), table.size


def _open_parquet(source: pa.PythonFile) -> pq.ParquetFile:
    """Open a file so that texts which it holds once for many rows are held once here, too."""
    file = pq.ParquetFile(source, buffer_size=PIECE_BYTES, pre_buffer=False)
    texts = [field.name for field in file.schema_arrow if field.type in _TEXTS]
    return pq.ParquetFile(
        source, metadata=file.metadata, read_dictionary=texts, buffer_size=PIECE_BYTES, pre_buffer=False
    )


def _find_bomb(file: pq.ParquetFile, columns: Sequence[str]) -> str | None:
    """Say which column expands as no text does: a page of it is held whole, however long it says it is."""
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        for place in range(group.num_columns):
            chunk = group.column(place)
            held, size = int(chunk.total_compressed_size), int(chunk.total_uncompressed_size)
            is_read = chunk.path_in_schema.partition(".")[0] in columns
            if is_read and size > _FREE_BYTES + MAX_EXPANSION * held:
                return f"{chunk.path_in_schema}: {held} bytes expand to {size}"
    return None


def _rows_at_once(file: pq.ParquetFile) -> int:
    """Give how many rows to hold, of some mebibytes if they are all alike."""
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    sizes = [int(group.total_byte_size) // int(group.num_rows) for group in groups if group.num_rows > 0]
    return min(_MAX_ROWS, max(1, 4 * PIECE_BYTES // max(1, *sizes, 1)))


def _from_batch(batch: pa.RecordBatch, number: int, source: str) -> Sequence[Row | MalformedRecord]:
    try:
        columns = [_values(column) for column in batch.columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
    except (ValueError, OverflowError) as error:  # not UTF-8; or a time that Python has no value for
        if batch.num_rows == 1:
            cause = "invalid_utf8" if isinstance(error, UnicodeDecodeError) else "bad_value"
            return [MalformedRecord(f"{source}/{cause}", f"row {number}: {error}"[:200], offset=0)]
    return [row for at in range(batch.num_rows) for row in _from_batch(batch.slice(at, 1), number + at, source)]


def _values(column: pa.Array) -> list[Any]:
    """Give what a column holds; rows that share an entry of a dictionary share a value."""
    if not isinstance(column, pa.DictionaryArray):
        return cast("list[Any]", column.to_pylist())
    places = column.indices.to_pylist()
    used = sorted({place for place in places if place is not None})
    held = dict(zip(used, column.dictionary.take(pa.array(used, pa.int64())).to_pylist(), strict=True))
    return [None if place is None else held[place] for place in places]


def _refused(cause: str, detail: str) -> MalformedRecord:
    return MalformedRecord(cause, detail, offset=0, is_record=False)
