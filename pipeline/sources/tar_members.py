"""Members of a tar archive (POSIX.1-1988 and -2001, GNU), read forward once in bounded memory.

The standard library reads a header that says how long it is to its end, whatever that is, and skips what it does not
understand; here each is bounded, and what cannot be read is said. Nothing is written anywhere, and no link is followed.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.document import MalformedRecord
from pipeline.sources.decompressed import PIECE_BYTES, Readable
from pipeline.sources.zip_members import MAX_EXPANSION

FILE, FOLDER, LINK, OTHER = "file", "folder", "link", "other"

_BLOCK = tarfile.BLOCKSIZE
_MAX_NAMES_BYTES = 1 << 20  # of a header that holds a long name, or fields
_FREE_BYTES = 16 << 20  # an archive may expand to, whatever its size
_FILES = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}
_LINKS = {tarfile.SYMTYPE, tarfile.LNKTYPE}
_DEVICES = {tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
_LONG = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_FIELDS = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
_SKIPPED = {tarfile.XGLTYPE}
_FIELD = re.compile(rb"(\d{1,10}) ([^=]+)=")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member.

    Attributes:
        name: Its name, as the archive has it.
        kind: ``file``, ``folder``, ``link`` or ``other``, such as a device.
        size: Bytes of its content.
        offset: Where its header begins, in bytes of the archive, decompressed.
        content: Its content, to be read before the next member is asked for.
    """

    name: str
    kind: str
    size: int
    offset: int
    content: "Content"


class Content:
    """The content of a member, read forward.

    Args:
        blocks: The archive, at the content.
        size: Its bytes.
    """

    def __init__(self, blocks: "_Blocks", size: int) -> None:
        self._blocks, self._left = blocks, size

    def read(self, size: int) -> bytes:
        """Read on; nothing at the end.

        Raises:
            MalformedRecord: The archive is damaged or cut.
        """
        data = self._blocks.take(min(size, self._left, PIECE_BYTES))
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Pass over the rest."""
        while self.read(PIECE_BYTES):
            pass


def read_tar(stream: Readable, source: str) -> Iterator[TarMember]:
    """Read the members of an archive, in their order.

    Args:
        stream: The archive, decompressed; :class:`pipeline.sources.decompressed.Decompressed` tells how far it expands.
        source: The source's name, under which faults are counted.

    Raises:
        MalformedRecord: It is damaged, cut, or expands as no text does; what lies behind is not read.
    """
    blocks = _Blocks(stream, source)
    name, size = None, None
    while (header := blocks.header()) is not None:
        offset, info = header
        if info.type in _LONG | _FIELDS | _SKIPPED:
            if info.size > _MAX_NAMES_BYTES:
                raise blocks.fault("bad_tar", f"a header of {info.size} bytes", offset)
            data = blocks.take(info.size)
            blocks.pad(info.size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = _decode(data.rstrip(b"\0"))
            elif info.type in _FIELDS:
                fields = _read_fields(data)
                name = _decode(fields[b"path"]) if b"path" in fields else name
                size = _size(fields, blocks, offset)
            continue
        held = _held(info, size)
        content = Content(blocks, held)
        kind = FOLDER if info.isdir() else FILE if info.type in _FILES else LINK if info.type in _LINKS else OTHER
        yield TarMember(info.name if name is None else name, kind, held, offset, content)
        content.skip()
        blocks.pad(held)
        name, size = None, None


def _held(info: tarfile.TarInfo, size: int | None) -> int:
    """Give the bytes that stand behind a member's header: links, folders and devices have none."""
    if info.isdir() or info.type in _LINKS | _DEVICES:
        return 0
    return info.size if size is None else size


def _decode(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


def _read_fields(data: bytes) -> dict[bytes, bytes]:
    """Read the fields of a header, as far as they are some."""
    fields: dict[bytes, bytes] = {}
    at = 0
    while (found := _FIELD.match(data, at)) is not None:
        end = at + int(found[1])
        if end <= found.end() or end > len(data):
            break
        fields[found[2]] = data[found.end() : end - 1]
        at = end
    return fields


def _size(fields: dict[bytes, bytes], blocks: "_Blocks", offset: int) -> int | None:
    text = fields.get(b"size")
    if text is None:
        return None
    if not text.isdigit() or len(text) > len(str(1 << 63)):
        raise blocks.fault("bad_tar", f"a size of {text[:20]!r}", offset)
    return int(text)


class _Blocks:
    """The archive as blocks, which knows where it is and how far it has expanded."""

    def __init__(self, stream: Readable, source: str) -> None:
        self._stream, self._source = stream, source
        self._piece, self._from = b"", 0  # what was read of the stream, and where in it the next byte is
        self._at = 0

    def header(self) -> tuple[int, tarfile.TarInfo] | None:
        """Give the next header and where it begins; ``None`` at the end, which a block of zeros or nothing marks."""
        offset = self._at
        block = self._read(_BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            cut = len(block) < _BLOCK
            raise self.fault("truncated" if cut else "bad_tar", f"a header: {error}", offset) from error
        if info.size < 0 or info.type == tarfile.GNUTYPE_SPARSE:
            raise self.fault("bad_tar", f"a member of type {info.type!r} and {info.size} bytes", offset)
        return offset, info

    def take(self, size: int) -> bytes:
        """Read exactly so many bytes."""
        data = self._read(size)
        if len(data) < size:
            raise self.fault("truncated", "the archive ends inside a member", self._at)
        return data

    def pad(self, size: int) -> None:
        """Pass over what fills the last block of so many bytes; a cut archive may lack it at its end."""
        self._read(-size % _BLOCK)

    def fault(self, cause: str, detail: str, offset: int) -> MalformedRecord:
        """Give an error of the archive at a place."""
        return MalformedRecord(f"{self._source}/{cause}", detail, offset=0, inner_offset=offset, is_record=False)

    def _read(self, size: int) -> bytes:
        data = self._piece[self._from : self._from + size]
        self._from += len(data)
        while len(data) < size and (piece := self._stream.read(PIECE_BYTES)):
            self._piece, self._from = piece, min(len(piece), size - len(data))
            data += piece[: self._from]
        self._at += len(data)
        if self._at > _FREE_BYTES + MAX_EXPANSION * self._stream.tell():
            raise self.fault("bomb", f"{self._stream.tell()} bytes expand to more than {self._at}", self._at)
        return data
