"""WARC records out of files in any state (ISO 28500:2017), for WARC and WET alike.

A declared length is believed when a record, or the end of the gzip member or file, follows the block; or when the
block's own SHA-1 says so. Then whatever the block holds is the block, a line ``WARC/1.0`` included, at which CCNet
(Wenzek et al., 2020) cuts a document short. When it is not believed, the record is an error and reading goes on at
the next record start: a version line, directly followed by a field, whose name has at most 64 characters.

Guarantee: records + errors with ``is_record`` = record starts that can be decompressed, each once. Bytes that belong
to no record are errors without ``is_record``, one for a whole stretch. An empty file, and an empty gzip member, hold
nothing and are no error. A record never crosses from one gzip member into the next (ISO 28500, annex D). Where the
checksum of a member fails that holds several records, which of them is damaged cannot be known: those already handed
out stand, and the last one is the error.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.document import MalformedRecord
from pipeline.sources.gzip_members import Gap, MemberReader
from pipeline.sources.warc_window import RECORD_START, SIGN_BYTES, RecordWindow

MAX_RECORD_BYTES = 64 << 20
MAX_HEADER_BYTES = 64 << 10
MAX_BLANK_BYTES = 4 << 10  # line ends between two records

#: The blank line behind a header, or the record that cuts it off.
_HEADER_END = re.compile(rb"(?P<blank>\n\r?\n)|" + RECORD_START.pattern)
_LENGTH = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record.

    Attributes:
        type: ``WARC-Type`` in lower case: ``response``, ``conversion``, ...
        headers: Named fields, names in lower case, folded lines joined; of a repeated field the first.
        block: The block, exactly ``Content-Length`` bytes.
        offset: Where its gzip member begins in the file; the record itself where the file is not compressed.
        inner_offset: Where it begins in the decompressed member; 0 where the file is not compressed.
        position: Bytes of the file consumed when it was read, for a progress bar.
    """

    type: str
    headers: dict[str, str]
    block: bytes
    offset: int
    inner_offset: int
    position: int


def read_warc(stream: BinaryIO, *, name: str = "", max_record_bytes: int = MAX_RECORD_BYTES) -> "WarcReader":
    """Read the records of a WARC or WET file: gzip by record, gzip as a whole, anything between, or uncompressed.

    Args:
        stream: The file, from its first byte; read forward only.
        name: Its name, for formats that only the name tells.
        max_record_bytes: Longest block to hold in memory; a longer one is the error ``warc/too_long``.

    Returns:
        An iterator over records and errors, in file order. ARC and WAT files, and files in which no record starts,
        give a single error without ``is_record``.
    """
    return WarcReader(stream, name=name, max_record_bytes=max_record_bytes)


class WarcReader(Iterator[WarcRecord | MalformedRecord]):
    """What :func:`read_warc` returns. Memory: the longest block allowed and some 5 MiB."""

    def __init__(self, stream: BinaryIO, *, name: str = "", max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._members = MemberReader(stream)
        self._max_record_bytes = max_record_bytes
        self._stretch: _Stretch | None = None
        self._seen_record = False
        self._items = _refuse_wat(self._read_file(), name)

    def __next__(self) -> WarcRecord | MalformedRecord:
        return next(self._items)

    @property
    def position(self) -> int:
        """Bytes of the file consumed so far."""
        return self._members.position

    def _read_file(self) -> Iterator[WarcRecord | MalformedRecord]:
        for part in self._members:
            if isinstance(part, Gap):
                head = part.head
                self._note("warc/garbage", "bytes that are no record", part.offset, 0, part.size)
            else:
                window = RecordWindow(part)
                window.fill(SIGN_BYTES)
                head = bytes(window.buffer[:SIGN_BYTES])
            if part.offset == 0 and head.startswith(b"filedesc://"):
                yield MalformedRecord("arc/unsupported", "an ARC file; only WARC is read", offset=0, is_record=False)
                return
            if not isinstance(part, Gap):
                yield from self._read_member(window)
        if self._stretch and not self._seen_record and self._stretch.cause == "warc/garbage":
            self._stretch.cause, self._stretch.detail = "warc/not_warc", "bytes and no record in them"
        yield from self._flush()

    def _read_member(self, window: RecordWindow) -> Iterator[WarcRecord | MalformedRecord]:
        while window.skip_blank():
            offset, inner = window.where()
            if RECORD_START.match(window.buffer):
                yield from self._flush()
                self._seen_record = True
                yield self._read_record(window)
            else:
                self._note("warc/garbage", "bytes that are no record", offset, inner, window.seek_start(0))
        if window.damage:
            offset, inner = window.where()
            self._note(window.damage.cause, f"bytes, {window.damage.detail}", offset, inner, 0, worse=True)

    def _note(self, cause: str, detail: str, offset: int, inner: int, size: int, *, worse: bool = False) -> None:
        """Add to the stretch without records; a ``worse`` cause takes the place of mere garbage."""
        if self._stretch is None:
            self._stretch = _Stretch(cause, detail, offset, inner)
        elif worse and self._stretch.cause == "warc/garbage":
            self._stretch.cause, self._stretch.detail = cause, detail
        self._stretch.size += size

    def _flush(self) -> Iterator[MalformedRecord]:
        if stretch := self._stretch:
            self._stretch = None
            yield MalformedRecord(
                stretch.cause,
                f"{stretch.size} {stretch.detail}",
                offset=stretch.offset,
                inner_offset=stretch.inner_offset,
                is_record=False,
            )

    def _read_record(self, window: RecordWindow) -> WarcRecord | MalformedRecord:
        offset, inner = window.where()
        try:
            header_size = _header_size(window)
            headers = parse_headers(bytes(window.buffer[:header_size]))
            end = header_size + _block_size(headers, header_size, window, self._max_record_bytes)
        except _Fault as fault:
            return MalformedRecord(fault.cause, fault.detail, offset=offset, inner_offset=inner)
        with memoryview(window.buffer) as view:
            block = bytes(view[header_size:end])
        window.drop(end)
        kind = headers.get("warc-type", "").lower()
        if not kind:
            return MalformedRecord("warc/bad_header", "no WARC-Type", offset=offset, inner_offset=inner)
        return WarcRecord(kind, headers, block, offset, inner, self.position)


def parse_headers(header: bytes) -> dict[str, str]:
    r"""Read the named fields of a record, below its version line.

    Lines may end in CRLF or LF, and go on in the next one when that begins with a blank. Bytes that are not UTF-8
    show as ``\xff``. A line that is no field is passed over; of a repeated field the first counts.

    >>> parse_headers(b"WARC/1.0\r\nWARC-Target-URI: http://a.b/\r\n  c\r\n\r\n")
    {'warc-target-uri': 'http://a.b/ c'}
    """
    headers: dict[str, str] = {}
    name = ""
    for line in header.decode("utf-8", "backslashreplace").split("\n")[1:]:
        if line[:1] in (" ", "\t"):
            if name:
                headers[name] = f"{headers[name]} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower() if colon else ""
        if name in headers:
            name = ""
        if name:
            headers[name] = value.strip()
    return headers


@dataclass(slots=True)
class _Stretch:
    """Bytes without a record start, seen so far."""

    cause: str
    detail: str
    offset: int
    inner_offset: int
    size: int = 0


class _Fault(Exception):
    """Why the record at the window's start cannot be read; the window is at the next record start."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.detail = detail


def _header_size(window: RecordWindow) -> int:
    """Bytes of the header with its blank line, or a fault."""
    window.fill(MAX_HEADER_BYTES)
    end = _HEADER_END.search(window.buffer, 1, MAX_HEADER_BYTES)
    if end and end["blank"]:
        return end.end()
    if window.ended and len(window.buffer) < MAX_HEADER_BYTES and not end:
        raise _skip(window, 1, "warc/truncated", "the data end inside the header")
    raise _skip(window, 1, "warc/bad_header", f"no blank line within {MAX_HEADER_BYTES} bytes or before a record")


def _block_size(headers: dict[str, str], header_size: int, window: RecordWindow, max_record_bytes: int) -> int:
    """Bytes of the block, once they are held and believed, or a fault."""
    declared = headers.get("content-length", "")
    if not _LENGTH.fullmatch(declared):
        raise _skip(window, header_size, "warc/bad_length", f"Content-Length is {declared[:40]!r}")
    size = int(declared)
    if size > max_record_bytes:
        raise _skip_long(window, header_size, size, max_record_bytes)
    if _is_believed(headers, header_size, size, window):
        return size
    if len(window.buffer) >= header_size + size:
        raise _skip(window, header_size, "warc/bad_length", f"no record follows {size} bytes of block")
    cut_short = not window.compressed and not window.has_start(header_size, len(window.buffer))
    cause = "warc/truncated" if cut_short else "warc/bad_length"
    raise _skip(window, header_size, cause, f"fewer than {size} bytes follow")


def _skip(window: RecordWindow, begin: int, cause: str, detail: str) -> _Fault:
    """Go to the next record start behind ``begin``; damage on the way there is the cause before any other."""
    window.seek_start(begin)
    damage = window.claim_damage()
    return _Fault(damage.cause, f"{detail}: {damage.detail}") if damage else _Fault(cause, detail)


def _skip_long(window: RecordWindow, header_size: int, size: int, max_record_bytes: int) -> _Fault:
    """Skip a block that must not be held. What its length really is shows only now: by the next record start in it."""
    skipped = window.seek_start(header_size) - header_size
    detail = f"Content-Length {size}, {skipped} bytes to the next record, limit {max_record_bytes}"
    if damage := window.claim_damage():
        return _Fault(damage.cause, f"{detail}: {damage.detail}")
    if skipped > max_record_bytes:
        return _Fault("warc/too_long", detail)
    cut_short = not window.compressed and not window.buffer
    return _Fault("warc/truncated" if cut_short else "warc/bad_length", detail)


def _is_believed(headers: dict[str, str], header_size: int, size: int, window: RecordWindow) -> bool:
    """Whether a block of ``size`` bytes is followed by a record or the end, or has the digest it claims."""
    end = header_size + size
    window.fill(end + MAX_BLANK_BYTES + SIGN_BYTES)
    if len(window.buffer) < end:
        return False
    following = window.after_line_ends(end, end + MAX_BLANK_BYTES)
    sign = bytes(window.buffer[following : following + 5])
    if b"WARC/".startswith(sign):
        return bool(sign) or window.damage is None
    if window.has_start(header_size, end):
        return False  # so that of overlapping claims no byte is hashed twice
    with memoryview(window.buffer) as view:
        digest = base64.b32encode(hashlib.sha1(view[header_size:end], usedforsecurity=False).digest())
    return headers.get("warc-block-digest", "").lower() == f"sha1:{digest.decode()}".lower()


def _refuse_wat(items: Iterator[WarcRecord | MalformedRecord], name: str) -> Iterator[WarcRecord | MalformedRecord]:
    """Pass items on, but for a WAT file, told by its name or by its first record that is no ``warcinfo``."""
    refusal = MalformedRecord("wat/unsupported", "a WAT file; only WARC and WET are read", offset=0, is_record=False)
    if name.lower().removesuffix(".gz").endswith(".wat"):
        yield refusal
        return
    held: list[WarcRecord] = []
    for item in items:
        if isinstance(item, WarcRecord) and item.type == "warcinfo" and not held:
            held.append(item)
            continue
        if isinstance(item, WarcRecord) and _is_wat(item):
            yield refusal
            return
        yield from held
        yield item
        break
    else:
        yield from held
    yield from items


def _is_wat(record: WarcRecord) -> bool:
    is_json = record.headers.get("content-type", "").startswith("application/json")
    return record.type == "metadata" and is_json and b'"Envelope"' in record.block
