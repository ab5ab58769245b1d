"""Decompressed bytes of a dump file in any state: bzip2 streams or gzip members one after the other, or plain bytes.

The content tells the compression, never the file name. Wikimedia's *multistream* dumps are bzip2 streams of a hundred
pages each; a reader that sees only the decompressed bytes loses all pages behind the first flipped bit. This one says
where the fault is and goes on at the next stream. The decompressor is fed in slices so small that a fault takes with
it no more than the one bzip2 block (900 kB of text at most) whose checksum is wrong; nothing of that block is handed
out.
"""

import bz2
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, cast

from pipeline.document import MalformedRecord
from pipeline.sources.searched_file import READ_BYTES, SearchedFile

SLICE_BYTES = 256  # compressed, fed at once: gzip makes at most 264 kB of it
BLOCK_BYTES = 4 << 20  # decompressed, taken at once: more than a bzip2 block of text, less than one of a bomb
PIECE_BYTES = 1 << 18  # decompressed, handed on at once
LOOKBACK_BYTES = 2 << 20  # kept behind the reading position, to look for a stream inside a damaged one
PROBE_BYTES = 1 << 12  # compressed, enough to see whether a gzip member begins here
MAGIC_BYTES = 10
GZIP_WINDOW = 31  # zlib's code for "gzip, with its header and checksum"

#: A bzip2 stream with a block, or without any; a gzip member whose reserved flags are zero.
_BZ2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_GZIP = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")


class Packing(StrEnum):
    """How a dump file is compressed."""

    BZ2 = "bz2"
    GZIP = "gzip"
    PLAIN = "plain"


_MAGIC = {Packing.BZ2: _BZ2, Packing.GZIP: _GZIP, Packing.PLAIN: None}


def packing_of(beginning: bytes | bytearray) -> Packing:
    """Tell by the first bytes of a file, ten or more, how it is compressed."""
    if re.match(rb"BZh[1-9]", beginning):
        return Packing.BZ2
    return Packing.GZIP if _GZIP.match(beginning) else Packing.PLAIN


def begins_a_stream(stream: BinaryIO, max_bytes: int) -> bool:
    """Tell whether a bzip2 stream begins in the next so many bytes of a file."""
    rest, left = b"", max_bytes
    while left > 0 and (data := stream.read(min(READ_BYTES, left))):
        if _BZ2.search(rest + data):
            return True
        rest, left = (rest + data)[1 - MAGIC_BYTES :], left - len(data)
    return False


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the dump.

    Attributes:
        data: The bytes, decompressed.
        stream: Where the compressed stream they come from begins, in bytes of the file; 0 in an uncompressed file.
    """

    data: bytes
    stream: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where bytes are missing: what comes next does not follow what came before.

    Attributes:
        cause: ``"mediawiki/bad_bz2"``, ``"mediawiki/bad_gzip"``, ``"mediawiki/truncated"`` where the file ends, or what
            the stream itself raised.
        detail: One line for a person.
        offset: Where the damaged stream begins, in bytes of the file.
    """

    cause: str
    detail: str
    offset: int


class DumpBytes(SearchedFile):
    """Iterates over the decompressed bytes of a file, and the faults among them.

    Memory stays below some 12 MiB. Work is linear in the file: a damaged stream is searched for another one inside it
    only while all such searches together have not taken more bytes than the file has given so far.

    A range of a file begins with the first compressed stream that starts in it and has no end: whoever reads it stops.
    A stream's ten bytes of magic occur by chance once in 2^77 bytes, so these are the streams of the whole file.

    Args:
        stream: The file, or a range of it, from its first byte on; read forward only. A :class:`MalformedRecord` that
            it raises is damage, and its end.
        start: Where the range begins, in bytes of the file.
        end: Where the last stream of the range may begin, exclusive; ``None`` for the end of the file.
        packing: How the file is compressed; ``None`` looks at its first bytes, which a range does not have.
    """

    def __init__(
        self, stream: BinaryIO, *, start: int = 0, end: int | None = None, packing: Packing | None = None
    ) -> None:
        self._guarded = _Guarded(stream)
        super().__init__(cast("BinaryIO", self._guarded), LOOKBACK_BYTES)
        self._base = self._searched_again = start  # what lies before is no room to search in
        self._start, self._end = start, end
        self._fill(READ_BYTES)
        self.packing = packing or packing_of(self._buffer)
        self._magic = _MAGIC[self.packing]

    @property
    def is_compressed(self) -> bool:
        """Whether the file begins as a compressed one does."""
        return self._magic is not None

    def __iter__(self) -> Iterator[Piece | Damage]:
        if self._start and self._magic is not None:
            self._seek_stream(before=self._end)
        if self._end is None or self.position < self._end:
            yield from self._read()
        fault = self._guarded.fault
        if fault is not None:
            yield Damage(fault.cause, fault.detail, fault.offset)

    def _read(self) -> Iterator[Piece | Damage]:
        while self._fill(MAGIC_BYTES) or self._at < len(self._buffer):
            start = self.position
            if self._magic is None:
                data = bytes(memoryview(self._buffer)[self._at :])
                self._at = len(self._buffer)
                yield Piece(data, 0)
            elif self._magic.match(self._buffer, self._at):
                yield from self._decompress()
            else:
                self._seek_stream()
                yield Damage(self._cause, f"{self.position - start} bytes that are no compressed stream", start)

    @property
    def _cause(self) -> str:
        return "mediawiki/bad_bz2" if self._magic is _BZ2 else "mediawiki/bad_gzip"

    def _decompress(self) -> Iterator[Piece | Damage]:
        """Decompress the stream at the reading position."""
        start = self.position
        state = bz2.BZ2Decompressor() if self._magic is _BZ2 else zlib.decompressobj(GZIP_WINDOW)
        held: list[bytes] = []
        size = 0
        fault = None
        try:
            for part in self._parts(state):
                held.append(part)
                size += len(part)
                if size >= PIECE_BYTES:
                    yield Piece(b"".join(held), start)
                    held, size = [], 0
        except (OSError, zlib.error) as error:
            fault = Damage(self._cause, f"{error} in the stream at byte {start}, before byte {self.position}", start)
        if held:
            yield Piece(b"".join(held), start)
        if fault is None and not state.eof:
            fault = Damage("mediawiki/truncated", f"the file ends inside the compressed stream at byte {start}", start)
        if fault is not None:
            self._go_back(start)
            self._seek_stream()
            yield fault

    def _parts(self, state: "bz2.BZ2Decompressor | zlib._Decompress") -> Iterator[bytes]:
        while not state.eof and self._fill(1):
            data = bytes(self._buffer[self._at : self._at + SLICE_BYTES])
            self._at += len(data)
            part = state.decompress(data, BLOCK_BYTES)
            if part:
                yield part
            while isinstance(state, bz2.BZ2Decompressor) and not state.needs_input and not state.eof:
                yield state.decompress(b"", BLOCK_BYTES)
            self._at -= len(state.unused_data)

    def _seek_stream(self, before: int | None = None) -> None:
        """Go to the next place where a compressed stream begins, or to the end, or to one not before ``before``."""
        pattern = _BZ2 if self._magic is _BZ2 else _GZIP
        while before is None or self.position < before:
            enough = self._fill(PROBE_BYTES)
            found = pattern.search(self._buffer, self._at)
            if found is None:
                self._at = max(self._at, len(self._buffer) - (MAGIC_BYTES - 1 if enough else 0))
                if not enough:
                    return
                continue
            self._at = found.start()
            self._fill(PROBE_BYTES)
            if self._magic is _BZ2 or self._opens_gzip():
                return
            self._at += 1

    def _opens_gzip(self) -> bool:
        """Whether a gzip member with content lies at the reading position: its four bytes of magic occur by chance."""
        try:
            probe = bytes(self._buffer[self._at : self._at + PROBE_BYTES])
            return bool(zlib.decompressobj(GZIP_WINDOW).decompress(probe, 1 << 10))
        except zlib.error:
            return False


class _Guarded:
    """A stream that ends where reading it raises a fault, and remembers it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.fault: MalformedRecord | None = None

    def read(self, size: int) -> bytes:
        """Read on; nothing behind a fault."""
        if self.fault is None:
            try:
                return self._stream.read(size)
            except MalformedRecord as fault:
                self.fault = fault
        return b""
