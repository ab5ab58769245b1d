"""The published C4 into documents: JSON lines with the fields ``text``, ``timestamp`` and ``url`` (``allenai/c4``).

LLaMA took C4 as published (Touvron et al., 2023, section 2.1), so the text stays as it is. Files are ``.json.gz`` or
plain; their first bytes tell which. A line that is no page of C4 is counted under its cause and the lines after it are
read all the same. Of a gzip file that is damaged or cut, the whole lines before the fault are read; a fault that the
decompressor does not notice at once can spoil those just before it, and what lies behind it is lost, and counted once.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from filters.verdict import Reason
from pipeline.document import Document, Dropped, MalformedRecord, utc_time
from pipeline.sources.gzip_members import MAGIC, Gap, MemberDamaged, MemberReader
from pipeline.sources.searched_file import READ_BYTES

SOURCE = "c4"
MAX_LINE_BYTES = 64 << 20

Item = Document | Dropped | MalformedRecord

_FIELDS = ("text", "timestamp", "url")
_CAUSES = {"warc/truncated": "c4/truncated", "warc/bad_gzip": "c4/bad_gzip"}


class C4FileReason(Reason):
    """Why a line of a C4 file is no document."""

    EMPTY = "c4_file/empty"


def read_c4(
    stream: BinaryIO, *, name: str, language: str = "en", max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[tuple[Item, int]]:
    """Read a file of the published C4.

    Args:
        stream: The file, from its first byte; read forward only.
        name: Its name or path; the last part goes into the documents' ids.
        language: The language of its pages.
        max_line_bytes: Longest line to hold, without its line end; a longer one is the error ``c4/line_too_long``.

    Yields:
        Every line that is not blank, once, in file order, as document, dropped or malformed; faults of the file
        between lines as :class:`MalformedRecord` without ``is_record``; each with the bytes of the file read so far.
        Ids are ``c4/<file>:<line>``, the first line being 1, blank ones counted.
    """
    prefix = f"{SOURCE}/{name.rpartition('/')[2]}"
    cutter = _LineCutter(max_line_bytes)
    position = 0
    for piece in _pieces(stream):
        position = piece.position
        for line in cutter.feed(piece):
            yield _parse(line, f"{prefix}:{line.number}", language), position
    for line in cutter.close():
        yield _parse(line, f"{prefix}:{line.number}", language), position


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some bytes of the text, or a fault behind those before.

    Attributes:
        data: The bytes.
        offset: Where they begin in the file; in a gzip file, where their member does.
        inner: Where they begin in the decompressed member; ``None`` in a plain file.
        position: Bytes of the file read so far.
        fault: Cause and detail of a fault, or ``None``.
    """

    data: bytes
    offset: int
    inner: int | None
    position: int
    fault: tuple[str, str] | None = None

    def where(self, index: int) -> tuple[int, int]:
        """Give the place of a byte as in :class:`MalformedRecord`."""
        return (self.offset + index, 0) if self.inner is None else (self.offset, self.inner + index)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without its end, or what is wrong with it; its place as in :class:`MalformedRecord`."""

    number: int
    content: bytes
    where: tuple[int, int]
    fault: tuple[str, str] | None = None
    is_record: bool = True


def _pieces(stream: BinaryIO) -> Iterator[_Piece]:
    data = stream.read(READ_BYTES)
    if data.startswith(MAGIC):
        yield from _inflated(MemberReader(cast("BinaryIO", _Rejoined(data, stream))))
        return
    offset = 0
    while data:
        yield _Piece(data, offset, None, offset + len(data))
        offset += len(data)
        data = stream.read(READ_BYTES)


class _Rejoined:
    """A stream whose beginning has been read already; it can do no more than a :class:`MemberReader` asks for."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int) -> bytes:
        """Read on, the beginning first."""
        head, self._head = self._head, b""
        return head or self._stream.read(size)


def _inflated(reader: MemberReader) -> Iterator[_Piece]:
    for part in reader:
        inner = 0
        try:
            if isinstance(part, Gap):
                fault = "c4/garbage", f"{part.size} bytes that are no gzip member"
                yield _Piece(b"", part.offset, inner, reader.position, fault)
                continue
            for data in part.pieces:
                yield _Piece(data, part.offset, inner, reader.position)
                inner += len(data)
        except MemberDamaged as damage:
            yield _Piece(b"", part.offset, inner, reader.position, (_CAUSES[damage.cause], damage.detail))


class _LineCutter:
    """Cuts pieces into lines that end with LF, blank ones left out; holds the one begun while it is not too long."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._begun = bytearray()
        self._size = 0  # of the line begun, with what was let go
        self._where: tuple[int, int] | None = None  # of the line begun, if one has
        self._number = 0

    def feed(self, piece: _Piece) -> Iterator[_Line]:
        """Give the lines that end in a piece; a fault ends one too, and stands for itself where none has begun."""
        start = 0
        while start < len(piece.data):
            self._where = self._where or piece.where(start)
            end = piece.data.find(b"\n", start)
            self._take(piece.data[start : end if end >= 0 else None])
            if end < 0:
                break
            yield from self.close()
            start = end + 1
        if piece.fault and self._where is None:
            yield _Line(self._number, b"", piece.where(0), piece.fault, is_record=False)
        elif piece.fault:
            yield from self.close(piece.fault)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._max_bytes:
            self._begun += data
        else:
            self._begun.clear()

    def close(self, fault: tuple[str, str] | None = None) -> Iterator[_Line]:
        """Give the line begun, if one has."""
        if self._where is None:
            return
        line, size, where = bytes(self._begun), self._size, self._where
        self._begun, self._size, self._where = bytearray(), 0, None
        self._number += 1
        if size > self._max_bytes:
            fault = fault or ("c4/line_too_long", f"a line of {size} bytes; {self._max_bytes} are allowed")
        if fault or line.strip():
            yield _Line(self._number, line, where, fault)


def _parse(line: _Line, identifier: str, language: str) -> Item:
    if line.fault:
        return _malformed(line, *line.fault)
    try:
        text, timestamp, url = _fields(line.content)
    except _BadLine as bad:
        return _malformed(line, bad.cause, bad.detail)
    if not text.strip():
        return Dropped(identifier, url, C4FileReason.EMPTY, 0, 1)
    return Document(identifier, SOURCE, text, url=url, language=language, created=utc_time(timestamp))


def _malformed(line: _Line, cause: str, detail: str) -> MalformedRecord:
    offset, inner = line.where
    return MalformedRecord(cause, detail, offset=offset, inner_offset=inner, is_record=line.is_record)


class _BadLine(Exception):
    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(cause, detail)
        self.cause, self.detail = cause, detail


def _fields(line: bytes) -> list[str]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise _BadLine("c4/invalid_utf8", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _BadLine("c4/bad_json", f"{type(error).__name__}: {error}") from error
    if not isinstance(row, dict):
        raise _BadLine("c4/bad_json", f"{type(row).__name__}, not an object")
    return [_field(row, name) for name in _FIELDS]


def _field(row: dict[str, Any], name: str) -> str:
    if name not in row:
        raise _BadLine("c4/missing_field", f"no {name}")
    value = row[name]
    if not isinstance(value, str):
        raise _BadLine("c4/wrong_type", f"{name} is {type(value).__name__}, not a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # an escape like \ud800 without its other half
        raise _BadLine("c4/lone_surrogate", f"{name}: {error}") from error
    return value
