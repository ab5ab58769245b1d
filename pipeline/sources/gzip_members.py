"""Gzip members of a WARC file, one after the other, whatever state the file is in (RFC 1952).

A web archive is a chain of gzip members, one a record. A reader that sees only the decompressed stream loses the rest
of the file at the first flipped bit; this one knows the members, so it says which one is damaged, hands out what could
be inflated before the fault, and goes on at the next place where a member begins that holds WARC records.

The first slice of a member goes through ISA-L, which is two to three times as fast as zlib and is believed only when
it says that the member is whole and its checksum right. Everything else (long members, bombs, damage) is inflated by
zlib, whose state can be copied before each slice, so that the bytes before a fault are not lost with it.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from isal import isal_zlib

from pipeline.sources.searched_file import READ_BYTES, SearchedFile

SLICE_BYTES = 1 << 15  # compressed, inflated at once
PIECE_BYTES = 1 << 20  # decompressed, handed on at once: a bomb is met in pieces of this size
LOOKBACK_BYTES = 1 << 18  # kept behind the reading position, to look for a member inside a damaged one
PROBE_BYTES = 1 << 12  # compressed, enough to see whether a member begins with a record
GZIP_WINDOW = 31  # zlib's code for "gzip, with its header and checksum"
MAGIC = b"\x1f\x8b\x08"
_FLAGS = 3  # index of a member's flags
_RESERVED_FLAG = 0x20
_FIRST_SIGN = re.compile(rb"\x1f\x8b\x08|WARC/[01]\.")


class MemberDamaged(Exception):
    """A gzip member that cannot be read to its end.

    Attributes:
        cause: ``"warc/truncated"`` where the file ends inside the member, else ``"warc/bad_gzip"``.
        detail: What the decompressor says.
    """

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Member:
    """One gzip member, or the whole of an uncompressed file.

    Attributes:
        offset: Where it begins, in bytes of the file.
        compressed: Whether it is a gzip member.
        pieces: Its decompressed bytes, at most :data:`PIECE_BYTES` at once; raises :class:`MemberDamaged`. To be
            exhausted before the next member is asked for.
    """

    offset: int
    compressed: bool
    pieces: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of the file that belong to no member.

    Attributes:
        offset: Where they begin, in bytes of the file.
        size: How many they are.
        head: The first few of them.
    """

    offset: int
    size: int
    head: bytes


class MemberReader(SearchedFile):
    """Iterates over the members of a file, and the gaps between them.

    An empty file has no member; an empty member is a member without pieces. Memory stays below some 3 MiB. Work is
    linear in the file: a damaged member is searched for another one inside it only while all such searches together
    have not taken more bytes than the file has given so far.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, LOOKBACK_BYTES)

    def __iter__(self) -> Iterator[Member | Gap]:
        self._fill(READ_BYTES)
        if not self._buffer.startswith(MAGIC):
            yield from self._gap_before_first_sign()
            if self._fill(1) and not self._buffer.startswith(MAGIC, self._at):
                yield Member(self.position, compressed=False, pieces=self._copy())
        while self._fill(len(MAGIC)) or self._at < len(self._buffer):
            if self._buffer.startswith(MAGIC, self._at):
                yield Member(self.position, compressed=True, pieces=self._inflate())
            else:
                start, head = self.position, bytes(self._buffer[self._at : self._at + 16])
                self._seek_member()
                yield Gap(start, self.position - start, head)

    def _gap_before_first_sign(self) -> Iterator[Gap]:
        """Skip to the first gzip member that holds WARC, or the first version line: it decides what the file is."""
        head = bytes(self._buffer[:16])
        while True:
            enough = self._fill(PROBE_BYTES)
            found = _FIRST_SIGN.search(self._buffer, self._at)
            if found is None:
                self._at = len(self._buffer) - (6 if enough else 0)
                if not enough:
                    break
                continue
            self._at = found.start()
            self._fill(PROBE_BYTES)
            if found.group() != MAGIC or self._opens_warc():
                break
            self._at += 1
        if self.position:
            yield Gap(0, self.position, head)

    def _copy(self) -> Iterator[bytes]:
        """Hand out an uncompressed file as it is."""
        while self._fill(1):
            piece = bytes(self._buffer[self._at :])
            self._at = len(self._buffer)
            yield piece

    def _inflate(self) -> Iterator[bytes]:
        """Inflate the member at the reading position."""
        self._fill(SLICE_BYTES)
        with memoryview(self._buffer)[self._at : self._at + SLICE_BYTES] as compressed:
            size = len(compressed)
            fast = isal_zlib.decompressobj(GZIP_WINDOW)
            try:
                piece = fast.decompress(compressed, PIECE_BYTES)
                whole = fast.eof and compressed[_FLAGS] < _RESERVED_FLAG  # ISA-L does not look at these
            except isal_zlib.error:  # type: ignore[misc]  # its stub types the class as an instance
                whole = False
        if not whole:
            yield from self._inflate_with_care()
            return
        self._at += size - len(fast.unused_data)
        if piece:
            yield piece

    def _inflate_with_care(self) -> Iterator[bytes]:
        start = self.position
        state = zlib.decompressobj(GZIP_WINDOW)
        while self._fill(1):
            compressed = bytes(self._buffer[self._at : self._at + SLICE_BYTES])
            before = state.copy()
            try:
                piece = state.decompress(compressed, PIECE_BYTES)
            except zlib.error as error:
                yield from self._salvage(before, compressed)
                self._go_back(start)
                self._seek_member()
                raise MemberDamaged("warc/bad_gzip", str(error)) from error
            self._at += len(compressed) - len(state.unused_data or state.unconsumed_tail)
            if piece:
                yield piece
            if state.eof:
                return
        while piece := state.decompress(b"", PIECE_BYTES):
            yield piece
        if not state.eof:
            self._go_back(start)
            self._seek_member()
            raise MemberDamaged("warc/truncated", f"the file ends inside the gzip member at byte {start}")

    def _salvage(self, state: "zlib._Decompress", compressed: bytes) -> Iterator[bytes]:
        """Inflate a slice that is known to be faulty byte by byte, up to the fault."""
        pieces = []
        try:
            for i in range(len(compressed)):
                pieces.append(state.decompress(compressed[i : i + 1]))
                self._at += 1
        except zlib.error:
            pass  # this is the fault, and where it lies is what was asked
        if piece := b"".join(pieces):
            yield piece

    def _seek_member(self) -> None:
        """Go to the next place where a gzip member begins that holds records, or to the end."""
        while True:
            enough = self._fill(PROBE_BYTES)
            found = self._buffer.find(MAGIC, self._at)
            if found < 0:
                self._at = len(self._buffer) - (len(MAGIC) - 1 if enough else 0)
                if not enough:
                    return
                continue
            self._at = found
            self._fill(PROBE_BYTES)
            if self._opens_warc():
                return
            self._at += 1

    def _opens_warc(self) -> bool:
        """Whether a gzip member that begins with a record lies at the reading position."""
        try:
            head = zlib.decompressobj(GZIP_WINDOW).decompress(self._buffer[self._at : self._at + PROBE_BYTES], 16)
        except zlib.error:
            return False
        return head.lstrip(b"\r\n").startswith(b"WARC/")
