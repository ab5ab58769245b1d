"""Members come out of tar files of every kind; damage is named, and reading goes on at the next sound header."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.tar_members import TarFault, TarKind, TarMember, TarReader, parse_header

BLOCK = 512


def packed(files: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def in_pieces(data: bytes, most: int) -> Callable[[int], bytes]:
    stream = io.BytesIO(data)
    return lambda size: stream.read(min(size, most))


def read(data: bytes, *, size: int | None = None, most: int = 1 << 20) -> list[Any]:
    """Give each member as ``(name, content)``, each fault as ``(cause, offset, is_member)``."""
    found: list[Any] = []
    for member in TarReader(in_pieces(data, most), size):
        if isinstance(member, TarFault):
            found.append((member.cause, member.offset, member.is_member))
            continue
        content = b""
        while piece := member.read(100):
            content += piece
        found.append((member.name, content))
    return found


FILES = {"a.txt": b"one", "b/c.txt": b"x" * 512, "d": b"", "e": b"y" * 1000}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("most", [1, 7, 1 << 20])
def test_members_come_out_as_they_went_in(form: int, most: int) -> None:
    long = {"n" * 90 + "/" + "m" * 60: b"1", "ü" * 80: b"2", "o" * 300: b"3"} if form != tarfile.USTAR_FORMAT else {}
    files = {**FILES, **long}
    data = packed(files, form)
    assert read(data, most=most) == list(files.items())
    assert read(data, size=len(data), most=most) == list(files.items())


def test_a_long_name_of_posix_stands_in_two_fields() -> None:
    name = "folder/" * 20 + "file.tex"
    assert read(packed({name: b"text"})) == [(name, b"text")]


def test_a_tar_from_before_posix_has_no_magic() -> None:
    data = bytearray(packed({"old.tex": b"text"}))
    data[257:265] = bytes(8)
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 8 * 32)
    assert read(bytes(data)) == [("old.tex", b"text")]


def test_sizes_may_stand_in_base_256_and_in_pax_records() -> None:
    data = bytearray(packed({"a": b"text"}))
    data[124:136] = b"\x80" + (4).to_bytes(11, "big")
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 8 * 32)
    assert read(bytes(data)) == [("a", b"text")]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("b")
        member.size, member.pax_headers = 4, {"size": "4", "path": "c"}
        archive.addfile(member, io.BytesIO(b"text"))
    assert read(whole.getvalue()) == [("c", b"text")]


def test_links_devices_and_folders_are_told_and_have_no_content() -> None:
    whole = io.BytesIO()
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for kind in kinds:
            member = tarfile.TarInfo("m")
            member.type, member.linkname, member.size = kind, "/etc/passwd", 5000
            archive.addfile(member)
    found = [member for member in TarReader(io.BytesIO(whole.getvalue()).read) if isinstance(member, TarMember)]
    assert [member.kind for member in found] == [
        *(TarKind.LINK, TarKind.LINK, TarKind.DEVICE, TarKind.DEVICE, TarKind.DEVICE, TarKind.FOLDER)
    ]
    assert {member.size for member in found} == {0}
    assert [member.offset for member in found] == [number * BLOCK for number in range(6)]


def test_what_is_not_read_of_a_member_is_passed_over() -> None:
    names = [member.name for member in TarReader(io.BytesIO(packed(FILES)).read) if isinstance(member, TarMember)]
    assert names == list(FILES)


def test_tars_that_were_joined_are_read_one_after_the_other() -> None:
    assert read(packed({"a": b"1"}) + packed({"b": b"2"})) == [("a", b"1"), ("b", b"2")]


def test_an_empty_file_and_an_empty_tar() -> None:
    assert read(b"") == [("no_end", 0, False)]
    assert read(packed({})) == []


# Damage. Python's own reader ends at the second member without a word.


def headers(files: dict[str, bytes]) -> list[int]:
    data = packed(files)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [member.offset for member in archive]


def test_a_damaged_header_costs_its_member_alone() -> None:
    data, places = bytearray(packed(FILES)), headers(FILES)
    data[places[1] + 10] ^= 1
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as archive:
        assert archive.getnames() == ["a.txt"]
    expected = [("a.txt", b"one"), ("bad_header", places[1], True), ("d", b""), ("e", b"y" * 1000)]
    assert read(bytes(data)) == expected
    assert read(bytes(data), size=len(data)) == expected


def test_a_damaged_first_header_and_one_at_the_end() -> None:
    data, places = bytearray(packed(FILES)), headers(FILES)
    data[0] ^= 1
    data[places[3] + 150] ^= 2
    found = read(bytes(data))
    assert found == [("bad_header", 0, True), ("b/c.txt", b"x" * 512), ("d", b""), ("bad_header", places[3], True)]


def test_a_tar_that_is_cut_says_where() -> None:
    data, places = packed(FILES), headers(FILES)
    inside = places[3] + BLOCK + 10
    assert read(data[:inside])[-1] == ("truncated", inside, False)
    assert read(data[:inside], size=inside)[3:] == [("truncated", places[3], True)]
    assert read(data[: places[3] + 100])[3:] == [("truncated", places[3], True)]
    assert read(data[: places[3]])[3:] == [("no_end", places[3], False)]


def test_a_size_that_leads_behind_the_end_does_not_eat_the_members_behind_it() -> None:
    data, places = bytearray(packed(FILES)), headers(FILES)
    at = places[1]
    data[at + 124 : at + 136] = b"77777777777\0"
    data[at + 148 : at + 156] = b"%06o\0 " % (sum(data[at : at + 148]) + sum(data[at + 156 : at + 512]) + 8 * 32)
    found = read(bytes(data), size=len(data))
    assert found == [("a.txt", b"one"), ("truncated", at, True), ("d", b""), ("e", b"y" * 1000)]
    assert read(bytes(data))[2] == ("truncated", len(data), False)


def test_bytes_behind_the_end_are_no_member() -> None:
    data = packed({"a": b"1"})
    found = read(data + b"junk" * 200)
    assert found == [("a", b"1"), ("junk", len(data), False)]


def test_a_name_that_is_too_long_to_be_held_is_not_held() -> None:
    data = bytearray(packed({"n" * 300: b"1"}, tarfile.GNU_FORMAT))
    data[124:136] = b"%011o\0" % (1 << 30)
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 8 * 32)
    cause, offset, is_member = read(bytes(data))[0]
    assert (cause, offset, is_member) == ("bad_header", 0, False)


@pytest.mark.parametrize(
    "records", [b"", b"9999999999999999999999 path=x\n", b"5 a=b\n", b"1 a=\n", b"x", b"12 path=bad"]
)
def test_pax_records_that_are_none_say_nothing(records: bytes) -> None:
    data = bytearray(packed({"a": records})[: BLOCK * 2])
    data[156:157] = b"x"
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 8 * 32)
    assert read(bytes(data) + packed({"b": b"2"})) == [("b", b"2")]


@given(
    st.dictionaries(st.text("abc/.", min_size=1, max_size=40).filter(lambda name: not name.endswith("/")), st.binary()),
    st.integers(0, 1 << 14),
    st.integers(1, 255),
)
def test_one_damaged_byte_loses_no_more_than_one_member(files: dict[str, bytes], place: int, flip: int) -> None:
    data = bytearray(packed(files))
    place %= len(data)
    data[place] ^= flip
    found = read(bytes(data), size=len(data))
    whole = [(name, content) for name, content in files.items() if (name, content) in found]
    assert len(whole) >= len(files) - 1


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    for size in (None, len(data)):
        list(TarReader(in_pieces(data, 64), size))
    parse_header(data[:BLOCK])


def test_the_checksum_of_an_old_program_counts_bytes_with_a_sign() -> None:
    data = bytearray(packed({"gr\u00fc\u00df": b"text"}))
    high = sum(byte >= 128 for byte in data[:512])
    assert high == 4
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 8 * 32 - 256 * high)
    assert read(bytes(data)) == [("gr\u00fc\u00df", b"text")]
