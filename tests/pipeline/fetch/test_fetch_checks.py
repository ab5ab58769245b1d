"""Checks of files: against the standard library's gzip, at every byte and bit of small files."""

import gzip
import hashlib
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fetch_checks import Checks, GzipWalk, inspect_file

NOISE = random.Random(3).randbytes(70_000)


def walk(content, step=1 << 20):
    walker = GzipWalk()
    for start in range(0, len(content), step):
        walker.feed(content[start : start + step])
    return walker.finish()


def is_gzip(content):
    """As the standard library sees it; it takes zeros behind the last member and an empty file, we take neither."""
    try:
        gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        return False
    return bool(content)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 400))
def test_whole_members_pass_however_they_are_cut_up(contents, step):
    assert walk(b"".join(map(gzip.compress, contents)), step) == ""


def test_every_flipped_bit_and_every_cut_is_seen_that_the_standard_library_sees():
    whole = gzip.compress(b"abc" * 50, mtime=0)
    for byte in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[byte] ^= 1 << bit
            assert (walk(bytes(flipped)) == "") == is_gzip(bytes(flipped)), (byte, bit)
        assert walk(whole[:byte]) == f"ends inside gzip member 1, at byte {byte}"
        assert byte == 0 or walk(whole + whole[:byte]).startswith("ends inside gzip member 2")


def test_a_bomb_is_walked_to_its_end():
    bomb = gzip.compress(bytes(40 << 20))
    assert walk(bomb) == ""
    assert walk(bomb[:-9]).startswith("ends inside gzip member 1")
    assert "damaged" in walk(bomb[:-8] + b"wrong" + bomb[-3:])


@pytest.mark.parametrize("behind", [b"garbage behind the end", b"\0" * 20])
def test_anything_behind_the_last_member_is_damage(behind):
    assert walk(gzip.compress(NOISE) + behind).startswith("is damaged gzip in member 2")


@pytest.mark.parametrize(
    ("checks", "fault"),
    [
        (Checks(), ""),
        (Checks(sha256=hashlib.sha256(NOISE).hexdigest()), ""),
        (Checks(md5=hashlib.md5(NOISE).hexdigest()), ""),
        (Checks(head=NOISE[:10]), ""),
        (Checks(sha256="00"), f"has the SHA-256 {hashlib.sha256(NOISE).hexdigest()} instead of 00"),
        (Checks(md5="00"), f"has the MD5 {hashlib.md5(NOISE).hexdigest()} instead of 00"),
        (Checks(head=b"\0"), f"begins with {NOISE[:1]!r} instead of b'\\x00'"),
    ],
)
def test_a_file_is_held_to_what_is_known_of_it(tmp_path, checks, fault):
    (tmp_path / "f").write_bytes(NOISE)
    found = inspect_file(str(tmp_path / "f"), checks)
    assert (found.bytes, found.sha256, found.fault) == (70_000, hashlib.sha256(NOISE).hexdigest(), fault)


@pytest.mark.parametrize(
    ("content", "is_page"),
    [
        (b"<!doctype html>", True),
        (b"<!DOCTYPE HTML PUBLIC", True),
        (b"<HTML lang=en>", True),
        (b" \r\n\t\n<html>", True),
        (b"\xef\xbb\xbf<html>", True),
        (b" " * 3_000_000 + b"<html>", False),  # not looked for behind the first mebibyte
        (b"\n\x0e\n\x05<unk>", False),
        (b"<", False),
        (b"htm\nhtml\n", False),
        (b"darn\n<html>", False),
    ],
)
def test_a_page_of_html_is_told_by_its_first_word(tmp_path, content, is_page):
    (tmp_path / "f").write_bytes(content)
    fault = inspect_file(str(tmp_path / "f"), Checks()).fault
    assert fault == ("begins with HTML: an error page, or one to sign in, and not what was asked for" * is_page)


def test_an_empty_file_has_no_head(tmp_path):
    (tmp_path / "f").touch()
    assert inspect_file(str(tmp_path / "f"), Checks(head=b"x")).fault == "begins with b'' instead of b'x'"


@pytest.mark.parametrize(
    ("checks", "tells"),
    [
        (Checks(), False),
        (Checks(head=b"x"), False),
        (Checks(gzip=True), True),
        (Checks(sha256="0"), True),
        (Checks(md5="0"), True),
    ],
)
def test_only_a_checksum_or_gzip_tells_a_whole_from_a_part(checks, tells):
    assert checks.tell_whole_from_part == tells
