"""Members of a tar file, one after the other, whatever state the file is in (POSIX.1-1988 to 2001, GNU).

Python's ``tarfile`` ends without a word at a damaged header, and keeps every member it has seen. This reader goes on
at the next header that is sound, says where it found none, and holds no more than a piece of a member. Nothing is
written anywhere: names are handed out as they stand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

BLOCK_BYTES = 512
_PIECE_BYTES = 1 << 20
_MAX_EXTENSION_BYTES = 1 << 16  # of a long name or of pax records; paths have 4,096 bytes at most
_NAME, _SIZE, _CHECKSUM, _TYPE, _MAGIC, _PREFIX = (
    *(slice(0, 100), slice(124, 136), slice(148, 156), slice(156, 157), slice(257, 263), slice(345, 500)),
)
_POSIX = b"ustar\0"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"
_MORE_SPARSE = 482  # the byte of a sparse file's header that says another block of its map follows
_SPARSE_GOES_ON = 504  # the same of such a block
_BASE_256 = 0x80
_MAX_SIZE = 1 << 63
_MAX_DIGITS = len(str(_MAX_SIZE))
_ASCII = 0x80


class TarKind(StrEnum):
    """What a member is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    DEVICE = "device"
    OTHER = "other"


_KINDS = {
    b"0": TarKind.FILE,
    b"\0": TarKind.FILE,
    b"1": TarKind.LINK,
    b"2": TarKind.LINK,
    b"3": TarKind.DEVICE,
    b"4": TarKind.DEVICE,
    b"5": TarKind.FOLDER,
    b"6": TarKind.DEVICE,
    b"7": TarKind.FILE,
}


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member.

    Attributes:
        name: Its name, as it stands.
        kind: What it is.
        size: Bytes of its content.
        offset: Where its header begins, in bytes of the tar file; the first one, of several.
        read: Gives the next bytes of its content, at most as many as asked for; to be called before the next member is
            asked for. It ends early where the tar file does.
    """

    name: str
    kind: TarKind
    size: int
    offset: int
    read: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class TarFault:
    """A place where a tar file is damaged.

    Attributes:
        cause: ``bad_header``, ``truncated``, ``no_end`` (the file ends between members, without the mark of its end),
            ``junk`` (other bytes behind that mark).
        detail: One line for a person.
        offset: Where, in bytes of the tar file.
        is_member: Whether a member is lost there that was not handed out.
    """

    cause: str
    detail: str
    offset: int
    is_member: bool


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    size: int
    type: bytes
    more_sparse: bool

    def kind(self, name: bytes) -> TarKind:
        """Give the kind of a member of this whole name, which may be longer than the header has room for."""
        kind = _KINDS.get(self.type, TarKind.OTHER)
        return TarKind.FOLDER if kind is TarKind.FILE and name.endswith(b"/") else kind


class TarReader:
    """Iterates over the members of a tar file and the faults between them, in their order.

    Args:
        read: Gives the next bytes of the file, at most as many as asked for; none at its end.
        size: The file's size, where it is known: a member that is longer than the rest of the file is then told by its
            header, and what follows is searched for others.
    """

    def __init__(self, read: Callable[[int], bytes], size: int | None = None) -> None:
        self._read, self._size = read, size
        self.position = 0
        self._left = 0  # bytes of the current member that are not read
        self._padding = 0
        self._has_ended = False  # whether the mark of the end has been seen, and nothing behind it
        self._is_lost = False  # whether the next header is to be searched for
        self._forget()

    def _forget(self) -> None:
        """Forget what was said in front of a member's header: its name, its size, and where that began."""
        self._name: bytes | None = None
        self._pax_size: int | None = None
        self._start: int | None = None

    def __iter__(self) -> Iterator[TarMember | TarFault]:
        while (found := self._next_header()) is not None:
            if isinstance(found, TarFault):
                yield found
                continue
            self._has_ended = False
            entered = self._enter(found, self.position - BLOCK_BYTES)
            if entered is not None:
                yield entered

    def _next_header(self) -> _Header | TarFault | None:
        """Go to the next header, or to where there should be one and is none; ``None`` at the end."""
        if self._is_lost:
            self._is_lost = False
            self._has_ended = True  # nothing more is to be said of the end
            return self._seek_header()
        start = self.position
        if not self._skip():
            self._has_ended = True
            return TarFault("truncated", "the file ends inside a member", start, is_member=False)  # it was handed out
        start = self.position
        while (block := self._take(BLOCK_BYTES)).count(0) == BLOCK_BYTES:
            self._has_ended, start = True, self.position
        if not block and not self._has_ended:
            self._has_ended = True
            return TarFault("no_end", "the file ends without the mark of its end", start, is_member=False)
        header = parse_header(block) if block else None
        if block and header is None:
            self._is_lost = True
            return _bad_header(block, start, is_behind=self._has_ended)
        return header

    def _enter(self, header: _Header, start: int) -> TarMember | TarFault | None:
        """Take up what a header begins: a member, or what is said of the next one."""
        if header.type in {_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL}:
            self._start = start if self._start is None else self._start
            if header.size <= _MAX_EXTENSION_BYTES:
                self._expect(header.size)
                self._read_extension(header)
                return None
            self._is_lost = True
            return TarFault("bad_header", f"{header.size} bytes said of the next member", start, is_member=False)
        if header.more_sparse:
            self._skip_sparse_map()
        size = header.size if self._pax_size is None else self._pax_size
        whole_name = self._name or header.name
        kind = header.kind(whole_name)
        size = 0 if kind in {TarKind.FOLDER, TarKind.LINK, TarKind.DEVICE} else size
        first, name = start if self._start is None else self._start, _text(whole_name)
        self._forget()
        if self._size is not None and self.position + size > self._size:
            self._is_lost = True
            detail = f"{name!a} has {size} bytes, the file {self._size - self.position} behind its header"
            return TarFault("truncated", detail, first, is_member=True)
        self._expect(size)
        return TarMember(name, kind, size, first, self._read_member)

    def _expect(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK_BYTES

    def _read_member(self, size: int) -> bytes:
        piece = self._read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        self.position += len(piece)
        return piece

    def _skip(self) -> bool:
        """Pass over the rest of the current member; whether it was there."""
        while self._left:
            if not self._read_member(_PIECE_BYTES):
                self._left = self._padding = 0
                return False
        padding, self._padding = self._padding, 0
        self._take(padding)  # which some programs leave out behind the last member
        return True

    def _take(self, size: int) -> bytes:
        """Read exactly so many bytes, fewer at the end of the file."""
        piece = self._read(size) if size else b""
        while piece and len(piece) < size and (more := self._read(size - len(piece))):
            piece += more
        self.position += len(piece)
        return piece

    def _read_extension(self, header: _Header) -> None:
        content = b""
        while self._left and (piece := self._read_member(self._left)):
            content += piece
        if header.type == _LONG_NAME:
            self._name = content.partition(b"\0")[0]
        if header.type == _PAX:
            records = _parse_pax(content)
            self._name = records.get(b"path", self._name)
            size = records.get(b"size", b"")
            self._pax_size = int(size) if size.isdigit() and len(size) < _MAX_DIGITS else None

    def _skip_sparse_map(self) -> None:
        while len(block := self._take(BLOCK_BYTES)) == BLOCK_BYTES and block[_SPARSE_GOES_ON]:
            pass

    def _seek_header(self) -> _Header | None:
        """Go to the next block that is a sound header."""
        while len(block := self._take(BLOCK_BYTES)) == BLOCK_BYTES:
            header = parse_header(block)
            if header is not None:
                self._forget()
                return header
        return None


def _bad_header(block: bytes, start: int, *, is_behind: bool) -> TarFault:
    if is_behind:
        return TarFault("junk", "bytes behind the mark of the end", start, is_member=False)
    if len(block) < BLOCK_BYTES:
        return TarFault("truncated", "the file ends inside a header", start, is_member=True)
    return TarFault("bad_header", f"no header: {block[:16]!a}", start, is_member=True)


def parse_header(block: bytes) -> _Header | None:
    """Read the header of a member; ``None`` for bytes that are none, as their checksum says."""
    if len(block) < BLOCK_BYTES:
        return None
    checksum, size = _octal(block[_CHECKSUM]), _number(block[_SIZE])
    if not checksum or size is None:
        return None
    own = block[_CHECKSUM]
    unsigned = sum(block) - sum(own) + len(own) * ord(" ")
    if checksum != unsigned and checksum != unsigned - 256 * _count_high(block):  # old programs: bytes with a sign
        return None
    name = block[_NAME].partition(b"\0")[0]
    prefix = block[_PREFIX].partition(b"\0")[0] if block[_MAGIC] == _POSIX else b""
    kind = block[_TYPE]
    return _Header(prefix + b"/" + name if prefix else name, size, kind, kind == _SPARSE and block[_MORE_SPARSE] != 0)


def _count_high(block: bytes) -> int:
    return sum(byte >= _ASCII for byte in block)


def _octal(field: bytes) -> int | None:
    digits = field.strip(b" \0").partition(b"\0")[0].strip()
    if not digits:
        return 0
    try:
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None


def _number(field: bytes) -> int | None:
    """Read a number in octal digits, or in base 256, as GNU writes large ones."""
    if not field[0] & _BASE_256:
        return _octal(field)
    value = int.from_bytes(field[1:], "big")
    return value if field[0] == _BASE_256 and value < _MAX_SIZE else None


def _parse_pax(content: bytes) -> dict[bytes, bytes]:
    """Read records ``<length> <key>=<value>``, up to the first that is none."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        length, blank, _ = content[at : at + 8].partition(b" ")
        if not blank or not length.isdigit() or int(length) <= len(length) + 1:
            break
        key, equals, value = content[at + len(length) + 1 : at + int(length)].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            break
        records[key] = value[:-1]
        at += int(length)
    return records


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
