"""What the WARC reader makes of healthy and broken files: every record start comes out once, as record or as error."""

import base64
import functools
import gzip
import hashlib
import io
import random
import time
import tracemalloc
import zlib

import pytest

from pipeline.sources.warc import MAX_HEADER_BYTES, WarcRecord, read_warc

#: Packs bytes without the time, which would be in the names of tests.
pack = functools.partial(gzip.compress, mtime=0)


def summary(data: bytes, **options) -> list[tuple]:
    """(number in the url, block) of records, (cause, is_record, offset, inner offset) of errors."""
    return [
        (int(item.headers["warc-target-uri"].rpartition("/")[2]), item.block)
        if isinstance(item, WarcRecord)
        else (item.cause, item.is_record, item.offset, item.inner_offset)
        for item in read_warc(io.BytesIO(data), **options)
    ]


def digest(block: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(block).digest()).decode()


# Layouts


def test_gzip_by_record_gives_each_record_with_its_member_offset(record) -> None:
    members = [pack(record(b"a\n", number=1)), pack(record(b"b\n", number=2))]
    first, second = read_warc(io.BytesIO(b"".join(members)))
    assert (first.type, first.block, first.offset, first.inner_offset) == ("conversion", b"a\n", 0, 0)
    assert (second.block, second.offset, second.inner_offset) == (b"b\n", len(members[0]), 0)
    assert (first.position, second.position) == (len(members[0]), len(members[0]) + len(members[1]))


def test_gzip_of_the_whole_file_gives_inner_offsets(record) -> None:
    first, second = record(b"a\n", number=1), record(b"b\n", number=2)
    items = list(read_warc(io.BytesIO(pack(first + second))))
    assert [(item.block, item.offset, item.inner_offset) for item in items] == [(b"a\n", 0, 0), (b"b\n", 0, len(first))]


def test_uncompressed_records_have_their_own_offsets(record) -> None:
    first, second = record(b"a\n", number=1), record(b"b\n", number=2)
    items = list(read_warc(io.BytesIO(first + second)))
    assert [(item.block, item.offset, item.inner_offset) for item in items] == [(b"a\n", 0, 0), (b"b\n", len(first), 0)]


@pytest.mark.parametrize("data", [b"", pack(b""), pack(b"") * 3, pack(b"\r\n\n")])
def test_nothing_in_the_file_is_no_error(data: bytes) -> None:
    assert summary(data) == []


def test_empty_members_between_records_are_passed_over(record) -> None:
    member = pack(record(number=1))
    assert summary(pack(b"") + member + pack(b"") + member) == [(1, b"text\n"), (1, b"text\n")]


def test_lf_headers_wrong_case_and_folded_lines_are_read_by_name(record) -> None:
    data = record(b"x", newline=b"\n", fields={"wArC-DATE": "2020", "WARC-Date": None, "Title": "a\r\n\tb\r\n c"})
    (item,) = read_warc(io.BytesIO(data))
    assert item.headers["warc-date"] == "2020"
    assert item.headers["title"] == "a b c"


def test_header_bytes_that_are_not_utf8_are_escaped(record) -> None:
    (item,) = read_warc(io.BytesIO(record(number=1).replace(b"example", b"ex\xff\x00mple")))
    assert item.headers["warc-target-uri"] == "http://ex\\xff\x00mple.org/1"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n" * 1000])
def test_any_number_of_line_ends_may_part_two_records(record, ending: bytes) -> None:
    data = record(b"a", number=1, ending=ending) + record(b"b", number=2, ending=ending)
    assert summary(data) == [(1, b"a"), (2, b"b")]


def test_a_record_inside_a_block_of_right_length_is_part_of_the_block(record) -> None:
    block = b"WARC/1.0\r\n\r\n" + record(b"inner", number=9) + b"more"
    data = record(block, number=1) + record(b"b", number=2)
    assert summary(data) == [(1, block), (2, b"b")]
    assert summary(pack(data)) == [(1, block), (2, b"b")]


# Lengths


@pytest.mark.parametrize("length", ["3", "5000", "-5", "abc", "", "1" * 15, "1" * 30, "+10", "1_0"])
def test_a_wrong_length_costs_one_record(record, length: str) -> None:
    first, bad = record(b"a\n", number=1), record(b"0123456789", number=2, length=length)
    data = first + bad + record(b"c\n", number=3) + record(b"d\n", number=4)
    error = ("warc/bad_length", True)
    assert summary(data) == [(1, b"a\n"), (*error, len(first), 0), (3, b"c\n"), (4, b"d\n")]
    assert summary(pack(data)) == [(1, b"a\n"), (*error, 0, len(first)), (3, b"c\n"), (4, b"d\n")]


def test_a_missing_length_costs_one_record(record) -> None:
    data = record(b"a\n", number=1, fields={"Content-Length": None}) + record(b"b\n", number=2)
    assert summary(data) == [("warc/bad_length", True, 0, 0), (2, b"b\n")]


def test_a_length_that_reaches_beyond_its_member_costs_one_record(record) -> None:
    bad = pack(record(b"a\n", number=1, length="400"))
    assert summary(bad + pack(record(b"b\n", number=2))) == [("warc/bad_length", True, 0, 0), (2, b"b\n")]


def test_a_block_with_its_digest_is_kept_though_rubbish_follows(record) -> None:
    first = record(b"a\n", number=1, fields={"WARC-Block-Digest": digest(b"a\n")})
    data = first + b"rubbish" + record(b"b\n", number=2)
    assert summary(data) == [(1, b"a\n"), ("warc/garbage", False, len(first), 0), (2, b"b\n")]


def test_a_block_with_another_digest_is_not_kept_when_rubbish_follows(record) -> None:
    first = record(b"a\n", number=1, fields={"WARC-Block-Digest": digest(b"b\n")})
    assert summary(first + b"rubbish" + record(b"b\n", number=2)) == [("warc/bad_length", True, 0, 0), (2, b"b\n")]


def test_a_record_at_the_limit_is_kept_and_one_byte_more_is_too_long(record) -> None:
    data = pack(record(b"a" * 100, number=1)) + pack(record(b"b", number=2))
    assert summary(data, max_record_bytes=100) == [(1, b"a" * 100), (2, b"b")]
    assert summary(data, max_record_bytes=99) == [("warc/too_long", True, 0, 0), (2, b"b")]


# Headers


def test_a_header_without_type_costs_one_record(record) -> None:
    data = record(b"a\n", number=1, fields={"WARC-Type": None}) + record(b"b\n", number=2)
    assert summary(data) == [("warc/bad_header", True, 0, 0), (2, b"b\n")]


def test_a_header_cut_off_by_the_next_record_costs_one_record(record) -> None:
    data = record(number=1)[:60] + b"\r\n" + record(b"b\n", number=2)
    assert summary(data) == [("warc/bad_header", True, 0, 0), (2, b"b\n")]


def test_a_header_that_never_ends_is_an_error(record) -> None:
    endless = b"WARC/1.0\r\nWARC-Type: conversion\r\n" + b"a: b\r\n" * MAX_HEADER_BYTES
    assert summary(endless + record(b"b\n", number=2)) == [("warc/bad_header", True, 0, 0), (2, b"b\n")]


def test_a_file_that_ends_in_a_header_is_an_error(record) -> None:
    first = record(b"a\n", number=1)
    assert summary(first + record(number=2)[:50]) == [(1, b"a\n"), ("warc/truncated", True, len(first), 0)]


def test_a_file_that_ends_in_a_version_line_keeps_the_record_before(record) -> None:
    first = record(b"a\n", number=1)
    assert summary(first + b"WARC/1") == [(1, b"a\n"), ("warc/garbage", False, len(first), 0)]
    assert summary(first + b"WAR") == [(1, b"a\n"), ("warc/garbage", False, len(first), 0)]


def test_a_file_that_ends_in_a_block_is_an_error(record) -> None:
    assert summary(record(b"0123456789", number=1, ending=b"")[:-1]) == [("warc/truncated", True, 0, 0)]
    assert summary(record(b"0123456789", number=1, ending=b"")) == [(1, b"0123456789")]


# Damage


@pytest.mark.parametrize("cut", [1, 8, 9, 60])
def test_a_truncated_gzip_member_is_an_error(record, cut: int) -> None:
    first, second = pack(record(b"a\n", number=1)), pack(record(b"b\n", number=2))
    assert summary((first + second)[:-cut]) == [(1, b"a\n"), ("warc/truncated", True, len(first), 0)]


def test_a_gzip_header_without_data_is_an_error_without_a_record(record) -> None:
    first = pack(record(b"a\n", number=1))
    assert summary(first + first[:10]) == [(1, b"a\n"), ("warc/truncated", False, len(first), 0)]


def test_a_wrong_checksum_costs_one_member(record) -> None:
    first, second = pack(record(b"a\n", number=1)), pack(record(b"b\n", number=2))
    broken = first[:-8] + b"\x00" + first[-7:]
    assert summary(second + broken + second) == [(2, b"b\n"), ("warc/bad_gzip", True, len(second), 0), (2, b"b\n")]


def test_a_fault_inside_a_long_member_keeps_the_records_before_it_and_the_members_after(record) -> None:
    blocks = [random.Random(i).randbytes(3000) for i in range(100)]
    long = pack(b"".join(record(block, number=i) for i, block in enumerate(blocks)))
    stored = zlib.compressobj(6, zlib.DEFLATED, 31)  # a block type that does not exist, after half of the member
    half = stored.compress(b"".join(record(block, number=i) for i, block in enumerate(blocks[:50])))
    half += stored.flush(zlib.Z_FULL_FLUSH) + b"\x07" + long[-50:]
    items = summary(half + pack(record(b"end", number=999)))
    assert items[:49] == [(i, block) for i, block in enumerate(blocks[:49])]
    assert [item[:3] for item in items[49:]] == [("warc/bad_gzip", True, 0), (999, b"end")]


def test_a_member_that_misses_a_piece_does_not_take_the_next_one_along(record) -> None:
    rng = random.Random(7)
    members = [pack(record(rng.randbytes(900).hex().encode(), number=i)) for i in range(5)]
    data = members[0] + members[1][:-100] + members[2] + members[3] + members[4]
    assert [item[0] for item in summary(data)] == [0, "warc/bad_gzip", 2, 3, 4]


@pytest.mark.parametrize("garbage", [b"GARBAGE" * 70, b"\x00" * 9, b"\x1f", b"\x1f\x8b\x08", b"\x1f\x8b\x08\x00" * 50])
def test_garbage_between_members_is_one_error_without_a_record(record, garbage: bytes) -> None:
    first, second = pack(record(b"a\n", number=1)), pack(record(b"b\n", number=2))
    first_item, error, second_item = summary(first + garbage + second)
    assert (first_item, second_item) == ((1, b"a\n"), (2, b"b\n"))
    assert error[1:] == (False, len(first), 0)
    assert error[0] in {"warc/garbage", "warc/bad_gzip", "warc/truncated"}  # gzip's magic makes it look like a member


def test_a_file_whose_first_member_lost_its_magic_is_still_a_gzip_file(record) -> None:
    rng = random.Random(3)
    first = pack(record(rng.randbytes(400_000), number=1))
    data = b"\x00" + first[1:] + pack(record(b"b\n", number=2))
    assert summary(data) == [("warc/garbage", False, 0, 0), (2, b"b\n")]


def test_an_uncompressed_file_with_a_damaged_first_line_is_still_read(record) -> None:
    first = b"\xff" + record(b"a\n", number=1)[1:]
    assert summary(first + record(b"b\n", number=2)) == [("warc/garbage", False, 0, 0), (2, b"b\n")]


# Other formats


@pytest.mark.parametrize("data", [b"<html>no archive</html>", b"\x00" * 100_000, b"WARC/1.0\n\nnothing", b"PK\x03\x04"])
def test_a_file_without_records_is_refused_once(data: bytes) -> None:
    assert summary(data) == [("warc/not_warc", False, 0, 0)]
    assert summary(pack(data) * 2) == [("warc/not_warc", False, 0, 0)]


def test_an_arc_file_is_refused_once() -> None:
    arc = b"filedesc://a.arc 0.0.0.0 20080430 text/plain 76\n1 0 X\n\nhttp://a.b/ 1.2.3.4 2008 text/html 2\nhi\n"
    assert summary(arc) == [("arc/unsupported", False, 0, 0)]
    assert summary(pack(arc) * 3) == [("arc/unsupported", False, 0, 0)]


def test_a_wat_file_is_refused_once_by_name_or_by_content(record) -> None:
    info = record(b"isPartOf: x\n", kind="warcinfo")
    fields = {"Content-Type": "application/json"}
    metadata = record(b'{"Container":{},"Envelope":{}}', kind="metadata", fields=fields, number=1)
    assert summary(info + metadata + metadata) == [("wat/unsupported", False, 0, 0)]
    assert summary(info, name="a/b.warc.WAT.gz") == [("wat/unsupported", False, 0, 0)]
    assert summary(info + record(b"{}", kind="metadata", fields=fields, number=1)) == [
        (0, b"isPartOf: x\n"),
        (1, b"{}"),
    ]


# Bounds


def test_a_gzip_bomb_is_skipped_in_bounded_memory(record) -> None:
    size = 300 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = record(b"", number=1, length=str(size), ending=b"")
    bomb = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    items = summary(bomb + pack(record(b"b\n", number=2)), max_record_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert items == [("warc/too_long", True, 0, 0), (2, b"b\n")]
    assert peak < 12 << 20


@pytest.mark.parametrize(
    "unit",
    [
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + b"\x00" * 10,
        b"WARC/1.0\r\nWARC-Type: conversion\r\n",
        b"WARC/1.0\r\nWARC-Type: x\r\nContent-Length: 60000000\r\n\r\n",
        b"WARC/1.0\r\nWARC-Type: x\r\nWARC-Block-Digest: sha1:A\r\nContent-Length: 100000\r\n\r\n",
        b"\r\n",
        b"WARC/1.0\r\n",
    ],
)
def test_work_grows_with_the_file_and_not_with_its_square(unit: bytes) -> None:
    def seconds(size: int) -> float:
        start = time.process_time()
        for _ in read_warc(io.BytesIO(unit * (size // len(unit)))):
            pass
        return time.process_time() - start

    seconds(1 << 16)
    assert seconds(1 << 22) < 10 * max(seconds(1 << 20), 0.05)
