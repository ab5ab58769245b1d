"""Rows of tables: three formats give the same, and what is damaged, hostile or no row is said."""

import gzip
import io
import json
import zlib
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.document import MalformedRecord
from pipeline.sources.avro_blocks import read_avro
from pipeline.sources.table_rows import Table, read_table

ROWS = [
    {"id": f"{number:03}", "content": "loaf é\n" * number, "size": number, "tags": ["a", "b"]} for number in range(60)
]
ROWS += [{"id": None, "content": None, "size": None, "tags": []}]
SYNC = b"0123456789abcdef"
AVRO_FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": ["null", "string"]},
    {"name": "content", "type": ["null", "string"]},
    {"name": "size", "type": ["null", "long"]},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
]


def avro(rows: list[dict[str, Any]] = ROWS, codec: str = "null", fields: Any = None, interval: int = 1000) -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "Row", "fields": fields or AVRO_FIELDS}
    fastavro.writer(sink, schema, rows, codec=codec, sync_marker=SYNC, sync_interval=interval)
    return sink.getvalue()


def parquet(rows: list[dict[str, Any]] = ROWS, **more: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, **more)
    return sink.getvalue()


def lines(rows: list[dict[str, Any]] = ROWS) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read(content: bytes, name: str = "table", **asked: Any) -> list[dict[str, Any] | MalformedRecord]:
    columns = {"needed": ("id", "content"), "optional": ("size", "tags"), **asked}
    found = list(read_table(io.BytesIO(content), Table(name, len(content), **columns)))
    positions = [position for _, _, position in found]
    assert positions == sorted(positions)
    assert all(0 <= position <= len(content) for position in positions)
    return [row for row, _, _ in found]


def causes(found: list[dict[str, Any] | MalformedRecord]) -> list[str]:
    return [row.cause for row in found if isinstance(row, MalformedRecord)]


@pytest.mark.parametrize(
    "content",
    [
        *(avro(codec=codec) for codec in ("null", "deflate", "bzip2", "zstandard")),
        parquet(),
        parquet(row_group_size=7, compression="zstd"),
        lines(),
        b"\xef\xbb\xbf" + lines(),
        gzip.compress(lines()),
        gzip.compress(lines(ROWS[:30])) + gzip.compress(lines(ROWS[30:])),
        zstandard.compress(lines()),
    ],
)
def test_all_formats_give_the_same_rows_in_their_order(content: bytes) -> None:
    assert read(content) == ROWS


def test_blocks_in_snappy_are_read_and_their_checksums_looked_at() -> None:
    plain = avro(interval=1 << 20)
    head, body = plain[: plain.index(SYNC) + 16], plain[plain.index(SYNC) + 16 : -16]
    size_at = _varint_end(body, 0)
    data = body[_varint_end(body, size_at) :]
    packed = pa.Codec("snappy").compress(data).to_pybytes()
    for checksum, rows in ((zlib.crc32(data), ROWS), (zlib.crc32(data) ^ 1, [])):
        block = packed + checksum.to_bytes(4, "big")
        content = head.replace(b"\x08null", b"\x0csnappy") + body[:size_at] + _long(len(block)) + block + SYNC
        found = read(content)
        assert [row for row in found if isinstance(row, dict)] == rows
        assert causes(found) == ([] if rows else ["table/bad_avro"])


def _varint_end(data: bytes, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1


def _long(value: int) -> bytes:
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "zstandard"])
def test_behind_a_damaged_block_the_next_one_is_read(codec: str) -> None:
    content = bytearray(avro(codec=codec))
    middle = content.index(SYNC, len(content) // 2) + 16 + 4
    content[middle : middle + 8] = b"\xff" * 8
    found = read(bytes(content))
    rows = [row for row in found if isinstance(row, dict)]
    assert rows[0] == ROWS[0]
    assert rows[-1] == ROWS[-1]
    assert 1 <= len(ROWS) - len(rows) < 20
    assert set(causes(found)) == {"table/bad_avro"}


def test_a_cut_file_gives_what_is_before_the_cut_and_one_error() -> None:
    for content, cause in (
        (avro(codec="deflate"), "table/truncated"),
        (gzip.compress(lines(ROWS * 40)), "table/bad_gzip"),
        (lines(), "table/bad_json"),
    ):
        found = read(content[: len(content) * 2 // 3])
        rows = [row for row in found if isinstance(row, dict)]
        assert len(rows) > 3
        assert rows == (ROWS * 40)[: len(rows)]
        assert causes(found) == [cause]
    assert causes(read(parquet()[:-100])) == ["table/bad_parquet"]
    assert causes(read(b"<html>not found</html>", "rows.parquet")) == ["table/bad_parquet"]
    assert causes(read(b"<html>not found</html>", "rows.avro")) == ["table/bad_avro"]
    assert causes(read(b"<html>not found</html>", "rows.json")) == ["table/bad_json"]


def test_a_line_that_is_no_object_costs_itself_alone() -> None:
    content = lines(ROWS[:2]) + b'{"id": \n[1]\n{"content": "x"}\n\n"\xff"\n' + lines(ROWS[2:4])
    found = read(content)
    assert [row for row in found if isinstance(row, dict)] == ROWS[:4]
    assert causes(found) == ["table/bad_json", "table/bad_json", "table/missing_column", "table/invalid_utf8"]
    bad = next(row for row in found if isinstance(row, MalformedRecord))
    assert bad.offset == len(lines(ROWS[:2]))


def test_a_line_that_is_too_long_is_not_held() -> None:
    longest = 6 * 1000 + (1 << 20)
    row = {"id": "1", "content": "x"}
    fits, breaks = ({**row, "size": "y" * (longest - 45 + over)} for over in (0, 1))
    base = len(json.dumps(fits))
    fits["size"] += "y" * (longest - base)
    breaks["size"] += "y" * (longest - base)
    found = read(lines([fits, breaks, row]), max_value_bytes=1000)
    assert [len(json.dumps(one)) for one in (fits, breaks)] == [longest, longest + 1]
    assert causes(found) == ["table/line_too_long"]
    assert len(found) == 3


def test_a_missing_column_is_an_error_of_the_file_and_an_optional_one_is_not() -> None:
    without = [{"id": "1", "size": 2}]
    assert causes(read(parquet(without))) == ["table/missing_column"]
    assert causes(read(lines(without))) == ["table/missing_column"]
    assert causes(read(avro(without, fields=[AVRO_FIELDS[0], AVRO_FIELDS[2]]))) == ["table/missing_column"]
    few = [{"id": "1", "content": "x"}]
    assert read(parquet(few)) == read(lines(few)) == read(avro(few, fields=AVRO_FIELDS[:2])) == few


def test_text_that_is_not_utf8_costs_its_row_alone() -> None:
    values = pa.array([b"one", b"\xff\xfe", b"three"], pa.binary()).view(pa.string())
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(["1", "2", "3"]), "content": values}), sink)
    found = read(sink.getvalue())
    assert [row["content"] for row in found if isinstance(row, dict)] == ["one", "three"]
    assert causes(found) == ["table/invalid_utf8"]


def test_a_block_that_is_too_long_or_expands_too_far_is_an_error_and_the_next_is_read() -> None:
    small, large = [{"id": "1", "content": "x"}], [{"id": "2", "content": "0" * 300_000}]
    fields = AVRO_FIELDS[:2]
    for codec, cause in (("null", "table/block_too_long"), ("deflate", "table/bomb"), ("zstandard", "table/bomb")):
        content = avro(large, codec, fields) + avro(small, codec, fields).partition(SYNC)[2]
        found = [row for row, _, _ in _read_avro(content, 100_000)]
        assert [row for row in found if isinstance(row, dict)] == small
        assert causes(found) == [cause]


def _read_avro(content: bytes, limit: int) -> Any:
    return read_avro(io.BytesIO(content), ["id", "content"], source="table", max_block_bytes=limit)


@pytest.mark.parametrize(
    "fields",
    [
        [{"name": "id", "type": {"type": "array", "items": "null"}}],
        [{"name": "id", "type": {"type": "record", "name": "X", "fields": []}}],
        [{"name": "id", "type": {"type": "map", "values": "string"}}],
    ],
)
def test_a_schema_in_which_a_few_bytes_could_stand_for_any_number_of_values_is_refused(fields: Any) -> None:
    schema = json.dumps({"type": "record", "name": "Row", "fields": fields}).encode()
    content = b"Obj\x01" + _long(1) + _long(11) + b"avro.schema" + _long(len(schema)) + schema + b"\0" + SYNC
    assert causes([row for row, _, _ in _read_avro(content, 1000)]) == ["table/unsupported_schema"]


@given(st.integers(0, 5), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_changed_byte_gives_rows_or_errors(which: int, changes: list[tuple[float, int]]) -> None:
    content = bytearray(CONTENTS[which])
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    for row in read(bytes(content), ("x", "x", "x", "x", "x.json", "x.json")[which]):
        assert isinstance(row, dict | MalformedRecord)


CONTENTS = (
    *(avro(ROWS[:9], codec, interval=40) for codec in ("null", "deflate", "zstandard")),
    parquet(ROWS[:9]),
    gzip.compress(lines(ROWS[:9])),
    lines(ROWS[:9]),
)


def test_a_text_that_parquet_has_once_for_many_rows_is_held_once() -> None:
    rows = [{"id": f"{number:04}", "content": "b" * (1 << 19) if number % 9 else None} for number in range(300)]
    content = parquet(rows)
    held, before = [], pa.total_allocated_bytes()
    for row, _, _ in read_table(io.BytesIO(content), Table("x", len(content), needed=("id", "content"))):
        assert pa.total_allocated_bytes() - before < 16 << 20
        held.append(row)
    assert held == rows
    assert len({id(row["content"]) for row in held if row["content"] is not None}) <= 2


def test_a_column_that_expands_as_no_text_does_is_an_error_of_the_file() -> None:
    rows = [{"id": "x", "content": "b" * (2 << 20)}] * 40
    plain = parquet(rows, use_dictionary=False, compression="none")
    assert read(plain) == rows
    assert causes(read(parquet(rows, use_dictionary=False, compression="zstd"))) == ["table/bomb"]
