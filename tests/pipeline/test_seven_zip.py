"""Members of 7z archives as streams: every method that dumps use, bounded memory, and archives that are damaged."""

import bz2
import hashlib
import io
import lzma
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import py7zr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.document import MalformedRecord
from pipeline.sources import seven_zip
from pipeline.sources.seven_zip import Member, list_members, open_members

TEXT = b"".join(b"<row Id='%d' Body='%x' />\n" % (number, number * 7919) for number in range(20_000))
MEMBERS = {"Badges.xml": b"badges" * 1000, "Posts.xml": TEXT, "empty.txt": b"", "folder/Tags.xml": b"tags"}
METHODS = {
    "lzma2": [{"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "lzma": [{"id": py7zr.FILTER_LZMA, "preset": 1}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "stored": [{"id": py7zr.FILTER_COPY}],
    "branches and lzma2": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "delta and lzma2": [{"id": py7zr.FILTER_DELTA}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
}


def pack(members: dict[str, bytes], method: str = "lzma2", **options: Any) -> bytes:
    sink = io.BytesIO()
    filters = METHODS.get(method)
    with py7zr.SevenZipFile(sink, "w", filters=options.pop("filters", filters), **options) as archive:
        for name, content in members.items():
            archive._writestr(content, name)  # the public one refuses names that climb
    return sink.getvalue()


def every(_name: str) -> bool:
    return True


def read_all(path: Path) -> dict[str, bytes]:
    return {member.name: stream.read() for member, stream in open_members(str(path), every)}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.7z"
    path.write_bytes(pack(MEMBERS))
    return path


@pytest.mark.parametrize("method", METHODS)
def test_members_come_out_as_they_went_in(method: str, tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(pack(MEMBERS, method))
    assert read_all(path) == MEMBERS
    assert list_members(str(path)) == [Member(name, len(content)) for name, content in MEMBERS.items()]


@pytest.mark.parametrize("method", METHODS)
def test_members_are_read_in_steps_of_any_size_or_left(method: str, tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(pack(MEMBERS, method))
    found = {}
    for member, stream in open_members(str(path), lambda name: name != "Badges.xml"):
        pieces = [stream.read(7), stream.read(100_000), stream.readline()]
        found[member.name] = b"".join(pieces)
    assert list(found) == ["Posts.xml", "empty.txt", "folder/Tags.xml"]
    assert TEXT.startswith(found["Posts.xml"])
    assert len(found["Posts.xml"]) > 100_007
    assert found["folder/Tags.xml"] == b"tags"


def test_a_member_that_nobody_wants_behind_the_last_is_not_decompressed(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    plain = seven_zip._MemberPieces.next
    monkeypatch.setattr(
        seven_zip._MemberPieces, "next", lambda self: given.append(self._entry.member.name) or plain(self)
    )
    assert [stream.read() for _, stream in open_members(str(archive), lambda name: name == "Badges.xml")]
    assert set(given) == {"Badges.xml"}


def test_an_archive_of_several_blocks_is_read_where_each_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(pack({"Badges.xml": b"badges" * 1000}))
    with py7zr.SevenZipFile(path, "a") as archive:
        archive.writestr(TEXT, "Posts.xml")
    with py7zr.SevenZipFile(path, "a", filters=METHODS["bzip2"]) as archive:
        archive.writestr(b"tags", "Tags.xml")
    with py7zr.SevenZipFile(path) as archive:
        assert archive.archiveinfo().blocks == 3
    assert read_all(path) == {"Badges.xml": b"badges" * 1000, "Posts.xml": TEXT, "Tags.xml": b"tags"}


def test_a_real_archive_gives_the_file_that_was_packed(real_data: Path) -> None:
    folder = real_data / "stackexchange"
    path = str(folder / "7z" / "beer.stackexchange.com.7z")
    plain = (folder / "beer.stackexchange.com-2017" / "Posts.xml").read_bytes()
    found = {member: hashlib.sha256(stream.read()).digest() for member, stream in open_members(path, every)}
    assert found == {Member("Posts.xml", len(plain)): hashlib.sha256(plain).digest()}


def test_names_that_climb_out_of_their_folder_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.7z"
    path.parent.mkdir()
    names = ("../../Posts.xml", "/etc/Posts.xml", "a/../../../Posts.xml")
    path.write_bytes(pack(dict.fromkeys(names, b"x")))
    before = sorted(tmp_path.rglob("*"))
    assert read_all(path) == dict.fromkeys(names, b"x")
    assert sorted(tmp_path.rglob("*")) == before


def test_who_stops_reading_stops_the_work_and_leaves_no_thread_and_no_file_open(archive: Path) -> None:
    threads = threading.active_count()
    members = open_members(str(archive), every)
    next(members)
    _, stream = next(members)
    assert stream.read(10) == TEXT[:10]
    members.close()
    del members, stream
    assert threading.active_count() <= threads  # one of an earlier test may have ended meanwhile


@pytest.mark.parametrize("method", ["lzma2", "lzma", "bzip2"])
def test_memory_does_not_grow_with_what_is_decompressed(method: str, tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    size = 60_000_000
    path.write_bytes(pack({"Posts.xml": bytes(size)}, method))
    tracemalloc.start()
    held = open_members(str(path), every)
    _, stream = next(held)
    read = 0
    while piece := stream.read(1 << 20):
        read += len(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == size
    assert peak < 20_000_000


def faults(path: Path) -> Iterator[MalformedRecord]:
    """The faults of an archive, in the order they are met."""
    try:
        for _, stream in open_members(str(path), every):
            try:
                while stream.read(1 << 16):
                    pass
            except MalformedRecord as fault:
                yield fault
    except MalformedRecord as fault:
        yield fault


def causes(path: Path) -> list[str]:
    found = list(faults(path))
    assert not any(fault.is_record for fault in found)
    return [fault.cause for fault in found]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "7z/truncated"),
        (b"7z\xbc\xaf", "7z/truncated"),
        (b"PK\x03\x04" + bytes(100), "7z/not_an_archive"),
        (b"<?xml version", "7z/not_an_archive"),
        (pack(MEMBERS)[:-1], "7z/truncated"),
        (pack(MEMBERS)[:2000], "7z/truncated"),
        (pack(MEMBERS)[:-1] + b"\xff", "7z/bad_header"),
        (pack(MEMBERS, password="secret", filters=None), "7z/encrypted"),
        (pack(MEMBERS, password="secret", filters=None, header_encryption=True), "7z/encrypted"),
        (pack(MEMBERS, filters=[{"id": py7zr.FILTER_ZSTD}]), "7z/unsupported_method"),
        (pack(MEMBERS, filters=[{"id": py7zr.FILTER_DEFLATE}]), "7z/unsupported_method"),
    ],
    ids=[
        "empty",
        "magic alone",
        "zip",
        "XML",
        "last byte missing",
        "tail missing",
        "last byte changed",
        "encrypted members",
        "encrypted header",
        "zstd",
        "deflate",
    ],
)
def test_what_is_wrong_with_an_archive_has_a_cause(content: bytes, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(content)
    assert set(causes(path)) == {cause}


def test_an_archive_without_members_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(pack({}))
    assert list_members(str(path)) == []
    assert read_all(path) == {}


@pytest.mark.parametrize("method", ["lzma2", "lzma", "bzip2"])
def test_damage_ends_the_members_of_its_block_and_those_before_it_are_read(method: str, tmp_path: Path) -> None:
    content = bytearray(pack(MEMBERS, method))
    content[32 + (len(content) - 32) // 2] ^= 0xFF
    path = tmp_path / "a.7z"
    path.write_bytes(content)
    found: dict[str, bytes | str] = {}
    for member, stream in open_members(str(path), every):
        try:
            found[member.name] = stream.read()
        except MalformedRecord as fault:
            found[member.name] = fault.cause
    assert found["empty.txt"] == b""
    assert found["Posts.xml"] in {"7z/bad_data", "7z/truncated", "7z/bad_crc"}
    if found["Posts.xml"] != "7z/bad_crc":
        assert found["folder/Tags.xml"] == found["Posts.xml"]


def test_a_wrong_checksum_comes_after_the_last_byte_and_spoils_its_member_alone(tmp_path: Path) -> None:
    content = bytearray(pack(MEMBERS, "stored"))
    at = content.index(TEXT[:100]) + 50
    content[at] ^= 1
    path = tmp_path / "a.7z"
    path.write_bytes(content)
    members = open_members(str(path), lambda name: name != "Badges.xml")
    _, stream = next(members)
    given = stream.read(len(TEXT))
    assert len(given) == len(TEXT)
    assert sum(one != other for one, other in zip(given, TEXT, strict=True)) == 1
    with pytest.raises(MalformedRecord, match=r"Posts\.xml: the checksum is") as error:
        stream.read()
    assert error.value.cause == "7z/bad_crc"
    assert [stream.read() for _, stream in members] == [b"", b"tags"]


def test_an_archive_that_would_fill_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(pack({"Posts.xml": bytes(100_000_000)}))
    assert path.stat().st_size * seven_zip.MAX_RATIO < 100_000_000
    with pytest.raises(MalformedRecord, match="100000000 bytes or more out of"):
        list_members(str(path))
    assert causes(path) == ["7z/bomb"]


def with_header(content: bytes, change: Sequence[tuple[int, int]]) -> bytes:
    """Change bytes of a header that is not compressed, and make its checksums right again."""
    changed = bytearray(content)
    offset, size, _ = struct.unpack_from("<QQI", content, 12)
    start = 32 + offset
    for where, value in change:
        changed[start + where % size] = value
    struct.pack_into("<I", changed, 28, zlib.crc32(changed[start : start + size]))
    struct.pack_into("<I", changed, 8, zlib.crc32(changed[12:32]))
    return bytes(changed)


def plain_header() -> bytes:
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w", filters=METHODS["lzma2"]) as archive:
        archive.set_encoded_header_mode(False)
        for name, content in {"Badges.xml": b"badges" * 50, "Posts.xml": b"posts" * 50}.items():
            archive.writestr(content, name)
    return sink.getvalue()


PLAIN = plain_header()


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_header_gives_members_or_a_fault(tmp_path_factory: Any, change: list[tuple[int, int]]) -> None:
    path = tmp_path_factory.getbasetemp() / "header.7z"
    path.write_bytes(with_header(PLAIN, change))
    assert set(causes(path)) <= {
        "7z/bad_header",
        "7z/bad_data",
        "7z/bad_crc",
        "7z/truncated",
        "7z/encrypted",
        "7z/unsupported_method",
        "7z/bomb",
    }


@given(st.data())
def test_any_damage_gives_the_same_bytes_or_a_fault(tmp_path_factory: Any, data: st.DataObject) -> None:
    content = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path_factory.getbasetemp() / "damaged.7z"
    path.write_bytes(content)
    if not causes(path):
        assert read_all(path) == {"Badges.xml": b"badges" * 50, "Posts.xml": b"posts" * 50}


def test_a_block_of_several_bzip2_streams_in_a_row_is_read_to_its_end() -> None:
    parts = [TEXT[:100_000], b"", TEXT[100_000:]]
    packed = b"".join(map(bz2.compress, parts))
    coder = {"method": b"\x04\x02\x02", "properties": None, "numinstreams": 1, "numoutstreams": 1}
    block = seven_zip._Block(0, len(packed), [coder])
    entry = seven_zip._Entry(Member("Posts.xml", len(TEXT)), block, zlib.crc32(TEXT))
    pieces = seven_zip._MemberPieces(entry, io.BytesIO(packed))
    assert b"".join(iter(pieces.next, b"")) == TEXT
    cut = seven_zip._Entry(entry.member, seven_zip._Block(0, len(packed) - 2000, [coder]), None)
    with pytest.raises(MalformedRecord, match="the block ends inside the member"):
        list(iter(seven_zip._MemberPieces(cut, io.BytesIO(packed)).next, b""))


def test_a_window_that_is_too_large_is_refused() -> None:
    large = {"method": b"\x21", "properties": bytes([40]), "numinstreams": 1, "numoutstreams": 1}
    assert seven_zip._lzma_filter(large) is None
    usual = seven_zip._lzma_filter({**large, "properties": lzma._encode_filter_properties({"id": lzma.FILTER_LZMA2})})
    assert usual == {"id": lzma.FILTER_LZMA2, "dict_size": 8 << 20}
