"""One e-print: a gzipped TeX file, a gzipped tar of files, or another kind of document in their place.

It is read once, from its first byte to its last, in pieces: pictures pass by, files that may hold text are held. What
it expands to is bounded, so a bomb costs no more than the largest e-print allowed. Nothing is written anywhere.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from isal import isal_zlib

from filters.arxiv import ArxivReason
from filters.tex_files import is_read, is_textless, safe_name
from filters.verdict import Drop
from pipeline.arxiv_settings import ArxivLimits
from pipeline.document import MalformedRecord
from pipeline.sources.tar_members import BLOCK_BYTES, TarFault, TarKind, TarMember, TarReader, parse_header

_PIECE_BYTES = 1 << 16
_EXPANDED_BYTES = 1 << 20  # at once
_GZIP_WINDOW = 31  # "gzip, with its header and checksum"
_GZIP = b"\x1f\x8b"
#: What stands in the place of TeX, by its first bytes.
_OTHERS = (
    *((b"%PDF", "PDF"), (b"%!PS", "PostScript"), (b"\x04%!PS", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript")),
    *((b"PK\x03\x04", "a zip archive"), (b"\x1f\x9d", "compressed by compress"), (b"BZh", "compressed by bzip2")),
    *((b"\xf7\x02", "DVI"), (b"<html", "HTML"), (b"<HTML", "HTML"), (b"<!DOCTYPE", "HTML"), (b"<!doctype", "HTML")),
    *((b"\xd0\xcf\x11\xe0", "a document of Word"), (b"{\\rtf", "RTF")),
)

Read = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Eprint:
    """The files of an e-print.

    Attributes:
        files: Those that may hold text or macros, by name.
        textless: Names of others that a paper may include.
        skipped: Members that are not read (links, devices, names that lead out), by cause; counted.
        first_skipped: For each cause the name of the first and where it lies, in bytes of the e-print's tar.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    textless: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    first_skipped: dict[str, tuple[str, int]] = field(default_factory=dict)

    def skip(self, cause: str, name: str, offset: int) -> None:
        """Account for a member that is not read."""
        self.skipped[cause] += 1
        self.first_skipped.setdefault(cause, (name, offset))


class _Oversize(Exception):
    """An e-print expands to more than is allowed."""


class _Source:
    """Bytes that come in pieces: the first ones can be looked at before they are read; all are counted."""

    def __init__(self, read: Read, max_bytes: int) -> None:
        self._read, self._max_bytes = read, max_bytes
        self._head = b""
        self.taken = 0

    def peek(self, size: int) -> bytes:
        while len(self._head) < size and (piece := self._read(size - len(self._head))):
            self._head += piece
        return self._head[:size]

    def read(self, size: int) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
        else:
            piece = self._read(size)
        self.taken += len(piece)
        if self.taken > self._max_bytes:
            raise _Oversize
        return piece


class _Inflated:
    """What gzip members hold, one after the other; other bytes behind them are no part of it.

    Raises:
        MalformedRecord: From :meth:`read`: they are damaged, or cut.
    """

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._state = isal_zlib.decompressobj(_GZIP_WINDOW)
        self._given = 0
        self._waiting = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._state.eof and not self._next_member():
                return b""
            packed = self._waiting or self._source.read(_PIECE_BYTES)
            try:
                piece: bytes = self._state.decompress(packed, min(size, _EXPANDED_BYTES))
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub types the class as an instance
                raise self._fault("arxiv/bad_gzip", str(error)) from error
            self._waiting = self._state.unused_data if self._state.eof else self._state.unconsumed_tail
            if piece:
                self._given += len(piece)
                return piece
            if not packed and not self._state.eof:
                raise self._fault("arxiv/truncated_gzip", "the e-print ends inside its gzip member")

    def _next_member(self) -> bool:
        while len(self._waiting) < len(_GZIP) and (more := self._source.read(_PIECE_BYTES)):
            self._waiting += more
        if not self._waiting.startswith(_GZIP):
            return False
        self._state = isal_zlib.decompressobj(_GZIP_WINDOW)
        return True

    def _fault(self, cause: str, detail: str) -> MalformedRecord:
        return MalformedRecord(cause, detail, offset=0, inner_offset=self._given)


def read_eprint(read: Read, name: str, limits: ArxivLimits) -> Eprint | Drop:
    """Read an e-print.

    Args:
        read: Gives its next bytes, at most as many as asked for.
        name: What its file is called where it is a single one.
        limits: What it may hold.

    Returns:
        Its files, or why it has none.

    Raises:
        MalformedRecord: It is damaged; the offset inside is that of its decompressed bytes.
    """
    packed = _Source(read, limits.max_eprint_bytes)
    try:
        if packed.peek(len(_GZIP)) != _GZIP:
            return _read_plain(packed, name, limits)
        return _read_plain(_Source(_Inflated(packed).read, limits.max_eprint_bytes), name, limits)
    except _Oversize:
        detail = "at least that many bytes: the rest was not read"
        return Drop(ArxivReason.TOO_LARGE, limits.max_eprint_bytes + 1, limits.max_eprint_bytes, detail)


def _read_plain(source: _Source, name: str, limits: ArxivLimits) -> Eprint | Drop:
    head = source.peek(BLOCK_BYTES)
    if len(head) == BLOCK_BYTES and (parse_header(head) is not None or not head.strip(b"\0")):
        return _read_tar(source, limits)
    drop = _check_head(head)
    if drop is not None:
        return drop
    content = _read_all(source.read, limits.max_tex_bytes)
    if content is None:
        return _tex_too_long(limits)
    return Eprint({name: content}) if content.strip() else Drop(ArxivReason.EMPTY, 0, 1)


def _check_head(head: bytes) -> Drop | None:
    kind = next((kind for magic, kind in _OTHERS if head.lstrip(b"\r\n \t").startswith(magic)), None)
    if kind is None:
        return None
    return Drop(ArxivReason.PDF_ONLY if kind == "PDF" else ArxivReason.NO_TEX, 0, 1, kind)


def _read_tar(source: _Source, limits: ArxivLimits) -> Eprint | Drop:
    eprint, members, held = Eprint(), 0, 0
    for member in TarReader(source.read):
        if isinstance(member, TarFault):
            if member.cause in {"no_end", "junk"}:
                continue
            raise MalformedRecord(f"arxiv/tar_{member.cause}", member.detail, offset=0, inner_offset=member.offset)
        members += 1
        if members > limits.max_files:
            detail = "at least that many: the rest was not read"
            return Drop(ArxivReason.TOO_MANY_FILES, members, limits.max_files, detail)
        name = _name_of(member, eprint)
        if name is None:
            continue
        content = _read_all(member.read, limits.max_tex_bytes - held)
        if content is None:
            return _tex_too_long(limits)
        if len(content) < member.size:
            detail = f"the e-print ends inside {member.name!a}"
            raise MalformedRecord("arxiv/tar_truncated", detail, offset=0, inner_offset=member.offset)
        held += len(content)
        eprint.files[name] = content
    return eprint if members else Drop(ArxivReason.EMPTY, 0, 1)


def _name_of(member: TarMember, eprint: Eprint) -> str | None:
    """Give the name of a member that is read; others are noted in the e-print."""
    if member.kind is TarKind.FOLDER:
        return None
    name = safe_name(member.name)
    if name is None:
        eprint.skip("arxiv/unsafe_member", member.name, member.offset)
    elif member.kind is not TarKind.FILE:
        eprint.skip(f"arxiv/{member.kind}_member", member.name, member.offset)
    elif is_textless(name):
        eprint.textless.append(name)
    elif is_read(name):
        return name
    return None


def _tex_too_long(limits: ArxivLimits) -> Drop:
    detail = "at least that many bytes: the rest was not read"
    return Drop(ArxivReason.TEX_TOO_LONG, limits.max_tex_bytes + 1, limits.max_tex_bytes, detail)


def _read_all(read: Read, max_bytes: int) -> bytes | None:
    """Read to the end; ``None`` where that is further than allowed."""
    pieces, size = [], 0
    while piece := read(_EXPANDED_BYTES):
        size += len(piece)
        if size > max_bytes:
            return None
        pieces.append(piece)
    return b"".join(pieces)
