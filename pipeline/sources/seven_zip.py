"""Members of a ``.7z`` archive as streams: decompressed as they are read, in bounded memory, never written to disk.

``py7zr`` reads the archive's header and no more. It would extract by pushing into a writer, which asks for a thread, a
queue and a way to end both; what it pushes with are decoders that can as well be pulled, so the consumer pulls here and
whoever stops reading stops the work. A member's name is only a name: one that climbs out of its folder harms nobody.

Read are LZMA, LZMA2 and BZip2, with their filters (delta, branches of executables), and what is stored as it is; these
are what dumps are packed with. Other methods are a fault, since their decoders do not bound what they give at once.

Faults are :class:`~pipeline.document.MalformedRecord` without ``is_record``, causes: ``7z/not_an_archive``,
``7z/truncated``, ``7z/bad_header``, ``7z/encrypted``, ``7z/unsupported_method``, ``7z/bomb``, ``7z/bad_data``,
``7z/bad_crc``.
"""

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

import py7zr
from py7zr.exceptions import ArchiveError, PasswordRequired
from py7zr.properties import COMPRESSION_METHOD

from pipeline.document import MalformedRecord
from pipeline.files import open_read

#: An archive that says its members are that many times as large as it is holds no text but is made to fill memory.
MAX_RATIO = 2000
#: Largest window of a decoder; 7-Zip's highest preset has 256 MiB at most.
MAX_WINDOW_BYTES = 1 << 30

_PIECE_BYTES = 1 << 20  # decompressed at once
_READ_BYTES = 1 << 16  # asked of the file at once
_SMALL_BYTES = 64 << 20  # no archive of so little is called a bomb
_SIGNATURE = b"7z\xbc\xaf\x27\x1c"
_START_BYTES = 32  # signature, version, checksum, and where the header lies
_LZMA_PROPERTIES_BYTES = 5
_LZMA2_MAX_WINDOW = 40  # the property's largest value, 4 GiB - 1
_BRANCHES = {
    COMPRESSION_METHOD.P7Z_BCJ: lzma.FILTER_X86,
    COMPRESSION_METHOD.BCJ_PPC: lzma.FILTER_POWERPC,
    COMPRESSION_METHOD.BCJ_IA64: lzma.FILTER_IA64,
    COMPRESSION_METHOD.BCJ_ARM: lzma.FILTER_ARM,
    COMPRESSION_METHOD.BCJ_ARMT: lzma.FILTER_ARMTHUMB,
    COMPRESSION_METHOD.BCJ_SPARC: lzma.FILTER_SPARC,
}
#: What py7zr's reading of a header raises on bytes that are none: it checks most, not all.
_HEADER_FAULTS = (
    ArchiveError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
_DATA_FAULTS = (EOFError, OSError, ValueError, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Attributes:
        name: Its path in the archive, ``/`` between folders, as the archive has it.
        size: Bytes uncompressed, as the header says.
    """

    name: str
    size: int


def list_members(path: str) -> list[Member]:
    """List the files of an archive from its header, without decompressing any.

    Args:
        path: The archive, on any of Beam's filesystems.

    Raises:
        MalformedRecord: It is no archive, cut short, or its header cannot be read.
    """
    with open_read(path) as stream:
        return [entry.member for entry in _read_header(stream)]


def open_members(path: str, wanted: Callable[[str], bool]) -> Iterator[tuple[Member, BinaryIO]]:
    """Open the members of an archive one after the other.

    Args:
        path: The archive, on any of Beam's filesystems.
        wanted: Tells by its name whether a member is opened.

    Yields:
        Each wanted member, in the archive's order, with its bytes as a stream that can be read until the next one is
        asked for; what is left unread is passed over. Reading a stream raises :class:`MalformedRecord` where its bytes
        are damaged or end early; of a member with a wrong checksum that comes after the last byte. The members behind
        damage in one compressed block raise the same.

    Raises:
        MalformedRecord: It is no archive, cut short, or its header cannot be read.
    """
    with open_read(path) as stream:
        entries = _read_header(stream)
        last = {id(entry.block): index for index, entry in enumerate(entries) if wanted(entry.member.name)}
        for index, entry in enumerate(entries):
            if index > last.get(id(entry.block), -1):
                continue
            pieces = _MemberPieces(entry, stream)
            if wanted(entry.member.name):
                yield entry.member, cast("BinaryIO", io.BufferedReader(_MemberStream(pieces), _PIECE_BYTES))
            pieces.skip()


class _Decoder(Protocol):
    """What the decoders of Python's libraries have in common."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can come without input."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Decompress at most ``max_length`` bytes, holding back input that would give more."""


class _Stored:
    """The decoder of what is not compressed; given no more than it may give."""

    needs_input = True

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:  # noqa: ARG002
        """Give the bytes as they are."""
        return data


class _BZip2:
    """The decoder of BZip2: streams in a row, as packers that work in parallel may leave them."""

    def __init__(self) -> None:
        self._stream = bz2.BZ2Decompressor()

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can come without input."""
        return self._stream.needs_input or (self._stream.eof and not self._stream.unused_data)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Decompress, and go on with the next stream where one ends."""
        if self._stream.eof:
            data = self._stream.unused_data + data
            self._stream = bz2.BZ2Decompressor()
        return self._stream.decompress(data, max_length)


@dataclass(slots=True)
class _Block:
    """A compressed block, with one or several files in a row, and how far it has been read."""

    start: int
    size: int
    coders: Sequence[dict[str, Any]]
    decoder: _Decoder | None = None
    read: int = 0
    fault: MalformedRecord | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of the archive: the block it lies in, ``None`` for an empty one, and its checksum, if it has any."""

    member: Member
    block: _Block | None
    crc32: int | None


def _read_header(stream: BinaryIO) -> list[_Entry]:
    _check_start(stream)
    stream.seek(0)
    try:
        archive = py7zr.SevenZipFile(stream)
        entries = _entries(archive)
    except PasswordRequired as error:
        raise _fault("7z/encrypted", "the archive's header is encrypted") from error
    except _HEADER_FAULTS as error:
        raise _fault("7z/bad_header", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
    _check_ratios(entries)
    return entries


def _fault(cause: str, detail: str, offset: int = 0, inner: int = 0) -> MalformedRecord:
    return MalformedRecord(cause, detail, offset=offset, inner_offset=inner, is_record=False)


def _check_start(stream: BinaryIO) -> None:
    """Tell a file that is no archive, and one that ends before its header, which lies at the end."""
    start = stream.read(_START_BYTES)
    if not start.startswith(_SIGNATURE[: len(start)]):
        raise _fault("7z/not_an_archive", f"it begins with {start[:6].hex(' ')}")
    size = stream.seek(0, io.SEEK_END)
    if len(start) < _START_BYTES:
        raise _fault("7z/truncated", f"the file has {size} bytes")
    offset, header = struct.unpack_from("<QQ", start, 12)
    if _START_BYTES + offset + header > size:
        raise _fault("7z/truncated", f"the file has {size} bytes of {_START_BYTES + offset + header}", size)


def _entries(archive: py7zr.SevenZipFile) -> list[_Entry]:
    blocks = _blocks(archive)
    entries = []
    for file in archive.files if hasattr(archive, "files") else ():
        if file.is_directory:
            continue
        block = None if file.emptystream else blocks[id(file.folder)]
        member = Member(str(file.filename), int(file.uncompressed))
        entries.append(_Entry(member, block, file.crc32))
    return entries


def _blocks(archive: py7zr.SevenZipFile) -> dict[int, _Block]:
    """Find where each block's packed bytes lie, by the identity of what py7zr calls a folder."""
    streams = archive.header.main_streams
    if streams is None:
        return {}
    blocks, position = {}, 0
    for folder in streams.unpackinfo.folders:
        start = archive.afterheader + streams.packinfo.packpositions[position]
        blocks[id(folder)] = _Block(start, streams.packinfo.packsizes[position], _in_order(folder))
        position += len(folder.packed_indices)
    return blocks


def _in_order(folder: Any) -> list[dict[str, Any]]:
    """Give a block's coders in the order in which its packed bytes go through them, by the bonds between them."""
    coders = folder.coders
    if any(coder["numinstreams"] != 1 or coder["numoutstreams"] != 1 for coder in coders):
        return list(coders)  # more than a chain; no decoder will be found
    follows = {bond.outcoder: bond.incoder for bond in folder.bindpairs}
    order: list[int] = [folder.packed_indices[0]]
    while len(order) < len(coders):
        order.append(follows[order[-1]])
    return [coders[index] for index in order]


def _check_ratios(entries: Sequence[_Entry]) -> None:
    sizes: dict[int, int] = {}
    for entry in entries:
        if entry.block is not None:
            size = sizes[id(entry.block)] = sizes.get(id(entry.block), 0) + entry.member.size
            if size > max(_SMALL_BYTES, MAX_RATIO * entry.block.size):
                detail = f"{size} bytes or more out of {entry.block.size}; {MAX_RATIO} times as many are allowed"
                raise _fault("7z/bomb", detail, entry.block.start)


def _decoder(block: _Block) -> _Decoder:
    """Make the decoder of a block.

    Raises:
        MalformedRecord: It is encrypted or compressed in a way that is not read.
    """
    methods = [coder["method"] for coder in block.coders]
    if COMPRESSION_METHOD.CRYPT_AES256_SHA256 in methods:
        raise _fault("7z/encrypted", "the members are encrypted", block.start)
    if methods == [COMPRESSION_METHOD.COPY]:
        return _Stored()
    if methods == [COMPRESSION_METHOD.MISC_BZIP2]:
        return _BZip2()
    filters = [_lzma_filter(coder) for coder in reversed(block.coders)]  # what was packed last comes last here
    known = [one for one in filters if one is not None]
    if len(known) == len(filters):
        try:
            return lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=known)
        except (ValueError, MemoryError, lzma.LZMAError) as error:
            raise _fault("7z/unsupported_method", f"{known}: {error}", block.start) from error
    names = ", ".join(method.hex() for method in methods)
    raise _fault("7z/unsupported_method", f"methods {names}", block.start)


def _lzma_filter(coder: dict[str, Any]) -> dict[str, Any] | None:
    """Give a coder as a filter of liblzma; ``None`` for what that has none for, or too large a window."""
    method, properties = coder["method"], coder.get("properties") or b""
    if method in _BRANCHES:
        return {"id": _BRANCHES[method]}
    if method == COMPRESSION_METHOD.DELTA and len(properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}
    if method == COMPRESSION_METHOD.LZMA and len(properties) == _LZMA_PROPERTIES_BYTES:
        rest, window = struct.unpack("<BI", properties)
        fields = {"lc": rest % 9, "lp": rest // 9 % 5, "pb": rest // 45}
        return {"id": lzma.FILTER_LZMA1, "dict_size": window, **fields} if window <= MAX_WINDOW_BYTES else None
    if method == COMPRESSION_METHOD.LZMA2 and len(properties) == 1 and properties[0] <= _LZMA2_MAX_WINDOW:
        window = (2 | properties[0] & 1) << (properties[0] // 2 + 11)
        return {"id": lzma.FILTER_LZMA2, "dict_size": window} if window <= MAX_WINDOW_BYTES else None
    return None


class _MemberPieces:
    """A member's bytes in pieces; they begin where the member before it in the block has ended."""

    def __init__(self, entry: _Entry, stream: BinaryIO) -> None:
        self._entry, self._stream = entry, stream
        self._left = entry.member.size
        self._crc32 = 0

    def next(self) -> bytes:
        """Give the next piece, none at the end.

        Raises:
            MalformedRecord: There is damage here, or was before it in the block.
        """
        block = self._entry.block
        if self._left == 0 or block is None:
            return b""
        if block.fault is not None:
            raise block.fault
        try:
            piece = self._decode(block)
        except MalformedRecord as fault:
            block.fault = fault
            raise
        self._left -= len(piece)
        self._crc32 = zlib.crc32(piece, self._crc32)
        return piece

    def check(self) -> None:
        """Compare the checksum of what was read with the archive's.

        Raises:
            MalformedRecord: It is another one.
        """
        entry = self._entry
        if self._left == 0 and entry.block is not None and entry.crc32 not in {None, self._crc32}:
            detail = f"{entry.member.name}: the checksum is {self._crc32:08x}, not {entry.crc32:08x}"
            raise _fault("7z/bad_crc", detail, entry.block.start, entry.member.size)

    def skip(self) -> None:
        """Read what is left, unless damage stands before it."""
        if self._entry.block is not None and self._entry.block.fault is None:
            try:
                while self.next():
                    pass
            except MalformedRecord:
                return  # the block remembers it, for the members behind

    def _decode(self, block: _Block) -> bytes:
        block.decoder = block.decoder or _decoder(block)
        wanted = min(self._left, _PIECE_BYTES)
        while True:
            is_hungry = block.decoder.needs_input  # else it may hold back more than it gave
            data = self._take(block, wanted) if is_hungry else b""
            try:
                piece = block.decoder.decompress(data, wanted)
            except _DATA_FAULTS as error:
                raise self._damage("7z/bad_data", f"{type(error).__name__}: {error}") from error
            if piece:
                return piece
            if is_hungry and not data:
                raise self._damage("7z/truncated", "the block ends inside the member")

    def _take(self, block: _Block, wanted: int) -> bytes:
        self._stream.seek(block.start + block.read)
        data = self._stream.read(min(_READ_BYTES, wanted, block.size - block.read))
        block.read += len(data)
        return data

    def _damage(self, cause: str, detail: str) -> MalformedRecord:
        entry = self._entry
        start = 0 if entry.block is None else entry.block.start
        return _fault(cause, f"{entry.member.name}: {detail}", start, entry.member.size - self._left)


class _MemberStream(io.RawIOBase):
    def __init__(self, pieces: _MemberPieces) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._rest:
            self._rest = memoryview(self._pieces.next())
            if not self._rest:
                self._pieces.check()
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
