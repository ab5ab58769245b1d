"""Rows of an Avro file, block by block, in bounded memory (Apache Avro 1.11, "Object Container Files").

fastavro decodes the rows; what is around them is read here, since a block says itself how long it is and how far it
expands, and a reader that believes it can be made to take any memory. Behind a block that is damaged the next
synchronisation marker is looked for.
"""

import bz2
import io
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import fastavro
import pyarrow as pa
import zstandard

from pipeline.document import MalformedRecord
from pipeline.sources.searched_file import SearchedFile

MAGIC = b"Obj\x01"
_LOOKBACK_BYTES = 1 << 16
_MAX_HEADER_BYTES = 1 << 20
_SYNC_BYTES = 16
_VARINT_BYTES = 10
_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_CHECKSUM_BYTES = 4  # behind the data of a block in Snappy
_DEFLATE_WINDOW = -15
_FAULTS = (
    *(EOFError, ValueError, LookupError, TypeError, OverflowError, MemoryError, struct.error),
    *(zlib.error, OSError, pa.ArrowException, zstandard.ZstdError),
)

Row = dict[str, Any]


class _Fault(Exception):
    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(cause, detail)
        self.cause, self.detail = cause, detail


@dataclass(frozen=True, slots=True)
class _Block:
    offset: int
    rows: int
    data: bytes


def read_avro(
    stream: BinaryIO, columns: Sequence[str], *, source: str, max_block_bytes: int
) -> Iterator[tuple[Row | MalformedRecord, tuple[int, int], int]]:
    """Read the rows of an Avro file whose columns are flat, as those of BigQuery's exports are.

    Args:
        stream: The file, from its first byte; read forward only.
        columns: The columns to give, of those the file has.
        source: The source's name, under which faults are counted.
        max_block_bytes: Bytes a block may have, packed or not; longer ones are an error.

    Yields:
        Each row with what it has of the columns, and each fault; where its block begins in the file and the row in the
        block; and the bytes of the file read so far.
    """
    file = _AvroFile(stream, max_block_bytes)
    try:
        codec, schema = file.read_header()
    except _Fault as fault:
        yield _malformed(source, fault, 0, is_record=False), (0, 0), file.position
        return
    wanted = [name for name in columns if any(field["name"] == name for field in schema["fields"])]
    for block in file.blocks():
        if isinstance(block, MalformedRecord):
            yield _renamed(source, block), (block.offset, 0), file.position
            continue
        try:
            data = io.BytesIO(_unpacked(codec, block.data, max_block_bytes))
        except _Fault as fault:
            yield _malformed(source, fault, block.offset, is_record=False), (block.offset, 0), file.position
            continue
        for row, start in _rows(data, block, schema, wanted, source):
            yield row, (block.offset, start), file.position


def _rows(
    data: io.BytesIO, block: _Block, schema: Any, wanted: Sequence[str], source: str
) -> Iterator[tuple[Row | MalformedRecord, int]]:
    end = len(data.getbuffer())
    for number in range(block.rows):
        start = data.tell()
        try:
            if start >= end:
                raise EOFError("the block has no more bytes")
            row = cast("Row", fastavro.schemaless_reader(data, schema, None))
        except _FAULTS as error:
            detail = f"row {number} of {block.rows}, with which the block is lost: {type(error).__name__}: {error!s}"
            fault = MalformedRecord(f"{source}/bad_avro", detail[:200], offset=block.offset, inner_offset=start)
            yield fault, start
            return
        yield {name: row[name] for name in wanted}, start


def _malformed(source: str, fault: _Fault, offset: int, *, is_record: bool) -> MalformedRecord:
    return MalformedRecord(f"{source}/{fault.cause}", fault.detail, offset=offset, is_record=is_record)


def _renamed(source: str, fault: MalformedRecord) -> MalformedRecord:
    return MalformedRecord(f"{source}/{fault.cause}", fault.detail, offset=fault.offset, is_record=False)


def _unpacked(codec: str, data: bytes, limit: int) -> bytes:
    """Decompress a block.

    Raises:
        _Fault: It is damaged, or expands too far.
    """
    try:
        plain = _decompress(codec, data, limit)
    except _FAULTS as error:
        raise _Fault("bad_avro", f"a block of {codec}: {type(error).__name__}: {error!s}"[:200]) from error
    if len(plain) > limit:
        raise _Fault("bomb", f"a block of {len(data)} bytes expands to more than {limit}")
    return plain


def _decompress(codec: str, data: bytes, limit: int) -> bytes:
    if codec == "null":
        return data
    if codec == "deflate":
        return zlib.decompressobj(_DEFLATE_WINDOW).decompress(data, limit + 1)
    if codec == "bzip2":
        return bz2.BZ2Decompressor().decompress(data, limit + 1)
    if codec == "zstandard":
        return zstandard.ZstdDecompressor().stream_reader(data).read(limit + 1)
    size, _ = _varint(data, 0)
    packed = data[:-_CHECKSUM_BYTES]
    plain = pa.Codec("snappy").decompress(packed, decompressed_size=min(size, limit + 1)).to_pybytes()
    if zlib.crc32(plain) != int.from_bytes(data[-_CHECKSUM_BYTES:], "big"):
        raise ValueError("the checksum is wrong")
    return cast("bytes", plain)


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; gives it and where it ends.

    Raises:
        ValueError: It has no end.
    """
    value = 0
    for index, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, at + index + 1
    raise ValueError("a number without end")


def _long(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value, end = _varint(data, at)
    return (value >> 1) ^ -(value & 1), end


class _AvroFile(SearchedFile):
    def __init__(self, stream: BinaryIO, max_block_bytes: int) -> None:
        super().__init__(stream, _LOOKBACK_BYTES)
        self._max_block_bytes = max_block_bytes
        self._sync = b""

    def read_header(self) -> tuple[str, Any]:
        """Give codec and schema.

        Raises:
            _Fault: The file cannot be read.
        """
        self._fill(_MAX_HEADER_BYTES)
        head = bytes(self._buffer[:_MAX_HEADER_BYTES])
        try:
            fields, end = _read_fields(head)
            codec = fields.get("avro.codec", b"null").decode()
            schema = json.loads(fields["avro.schema"])
        except (ValueError, LookupError, RecursionError) as error:
            raise _Fault("bad_avro", f"the header: {type(error).__name__}: {error!s}"[:200]) from error
        if codec not in {"null", "deflate", "snappy", "zstandard", "bzip2"}:
            raise _Fault("unknown_compression", f"{codec[:20]!r}")
        self._sync = head[end : end + _SYNC_BYTES]
        self._at = end + _SYNC_BYTES
        return codec, fastavro.parse_schema(_flat(schema))

    def blocks(self) -> Iterator[_Block | MalformedRecord]:
        """Give the blocks, and what is damaged between them."""
        while self._fill(1):
            start = self.position
            try:
                yield self._take(start)
            except _Fault as fault:
                yield MalformedRecord(fault.cause, fault.detail, offset=start, is_record=False)
                self._go_back(start)
                self._seek_sync()

    def _take(self, start: int) -> _Block:
        self._fill(2 * _VARINT_BYTES)
        try:
            rows, at = _long(self._buffer, self._at)
            size, at = _long(self._buffer, at)
        except ValueError as error:
            raise _Fault("bad_avro", str(error)) from error
        if rows < 0 or size < 0 or rows > size:
            raise _Fault("bad_avro", f"a block of {rows} rows in {size} bytes")
        if size > self._max_block_bytes:
            raise _Fault("block_too_long", f"{rows} rows in a block of {size} bytes, limit {self._max_block_bytes}")
        self._at = at
        if not self._fill(size + _SYNC_BYTES):
            self._at = min(self._at, len(self._buffer))
            raise _Fault("truncated", f"the file ends inside the block at byte {start}")
        data = bytes(self._buffer[self._at : self._at + size])
        marker = self._buffer[self._at + size : self._at + size + _SYNC_BYTES]
        self._at += size + _SYNC_BYTES
        if marker != self._sync:
            raise _Fault("bad_avro", "no marker behind a block")
        return _Block(start, rows, data)

    def _seek_sync(self) -> None:
        """Go behind the next marker, or to the end."""
        while True:
            found = self._buffer.find(self._sync, self._at)
            if found >= 0:
                self._at = found + _SYNC_BYTES
                return
            self._at = max(self._at, len(self._buffer) - _SYNC_BYTES + 1)
            if not self._fill(_SYNC_BYTES):
                self._at = len(self._buffer)
                return


def _read_fields(head: bytes) -> tuple[dict[str, bytes], int]:
    """Read the fields of the header; gives them and where they end.

    Raises:
        ValueError: They do not end within ``head``.
    """
    fields: dict[str, bytes] = {}
    at = len(MAGIC)
    while True:
        count, at = _long(head, at)
        if count < 0:
            count, (_, at) = -count, _long(head, at)
        if count == 0:
            return fields, at
        if count > len(head):
            raise ValueError(f"{count} fields")
        for _ in range(count):
            parts = []
            for _ in range(2):
                size, at = _long(head, at)
                if not 0 <= size <= len(head) - at:
                    raise ValueError("a field longer than the header")
                parts.append(head[at : at + size])
                at += size
            fields[parts[0].decode()] = parts[1]


def _flat(schema: Any) -> Any:
    """Give the schema of a flat row, without what Python would make dates of.

    Raises:
        _Fault: A column is neither a value, nor a list of values.
    """
    fields = schema.get("fields") if isinstance(schema, dict) and schema.get("type") == "record" else None
    if not isinstance(fields, list) or not fields or not all(isinstance(field, dict) for field in fields):
        raise _Fault("unsupported_schema", "its rows are no records")
    names = [field.get("name") for field in fields]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise _Fault("unsupported_schema", "columns without names of their own")
    plain = [{"name": name, "type": _type(field.get("type"), name)} for name, field in zip(names, fields, strict=True)]
    return {"type": "record", "name": "Row", "fields": plain}


def _type(given: Any, name: str) -> Any:
    if isinstance(given, list) and given and not any(isinstance(one, list) for one in given):
        return [_type(one, name) for one in given]
    kind = given.get("type") if isinstance(given, dict) else given
    if isinstance(kind, dict | list):
        return _type(kind, name)
    if kind == "array":
        item = _type(given.get("items"), name)
        if isinstance(item, str) and item != "null":
            return {"type": "array", "items": item}
    if isinstance(kind, str) and kind in _PRIMITIVES:
        return kind
    raise _Fault("unsupported_schema", f"column {name[:40]!r} is neither a value nor a list of values")
