"""``Posts.xml`` of a StackExchange dump into posts: one ``<row ... />`` for each, its fields in attributes.

The file is cut at its row tags before any XML is parsed, and each row is parsed on its own, so that a broken row costs
itself alone and no entity that a document type might declare is known. The cut is sound: XML has no ``<`` inside an
attribute, so a row ends before the next ``<`` whatever its text. For the same reason a file can be read in byte ranges:
a row belongs to the range that holds its ``<``, and what lies behind a row up to the next one goes with it. (Rows in a
comment would be read like others; no dump has comments.)

Guarantee: posts + dropped + errors with ``is_record`` = row starts, each once, in file order, and the same for any
split. What is no row (garbage, a missing end, a file that holds no posts) is an error without ``is_record``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from xml.parsers.expat import ExpatError, ParserCreate

from filters.stackexchange import StackExchangeReason
from pipeline.document import Document, Dropped, MalformedRecord, utc_time

SOURCE = "stackexchange"
MAX_ROW_BYTES = 16 << 20

QUESTION, ANSWER = 1, 2

Item = Document | Dropped | MalformedRecord

_READ_BYTES = 1 << 18
_MAX_HEAD_BYTES = 1 << 16  # real heads have some 60
_HELD_BYTES = 1 << 12  # of what lies between rows, the part that is looked at
_ROW = re.compile(rb"<row(?=[\s/>])")
_ROW_BYTES = 5  # what the pattern above looks at
_WHOLE_ROW = re.compile(rb"<row(?=[\s/>])(?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+>")
_ROOT = re.compile(rb"<posts(?=[\s/>])[^<>]{0,1024}>")
_TAG = re.compile(rb"<([A-Za-z]\w{0,63})[\s/>]")
_DOCUMENT_TYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([^\"']{1,40})")
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]{0,200}>\s*+)?(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+")
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_ROW_END = re.compile(rb"</row\s{0,9}>")
_END = re.compile(rb"</posts\s{0,9}>")
_BLANK = b" \t\r\n\0"
_NUMBER = re.compile(r"-?[0-9]{1,18}")  # fits 64 bits
_TAGS = re.compile(r"[<|]([^<>|]+)(?=[>|])")


def read_posts(
    stream: BinaryIO,
    *,
    site: str,
    dump: str,
    start: int = 0,
    end: int | None = None,
    is_packed: bool = False,
    max_row_bytes: int = MAX_ROW_BYTES,
) -> Iterator[tuple[Item, int]]:
    """Read the posts of a ``Posts.xml``, or of a byte range of it.

    Args:
        stream: The file, from its first byte; read forward only, but for one seek where ``start`` is not 0. It may
            raise :class:`MalformedRecord` where it is damaged, which becomes an error and ends the reading.
        site: The site, which goes into ids and addresses.
        dump: The dump's id.
        start: First byte of the range.
        end: End of the range, exclusive; ``None`` for the end of the file.
        is_packed: Whether the stream comes out of an archive, so that its offsets are not the file's.
        max_row_bytes: Longest row to hold in memory; a longer one is ``stackexchange/row_too_long``.

    Yields:
        Every row that starts in the range, once, in file order, as document, dropped or malformed, and faults between
        rows; each with the bytes of the stream read so far, from ``start``. A document is a question or an answer, its
        text the raw HTML; ``metadata`` holds ``dump``, ``title``, ``score`` and ``tags``, and for the join ``post``
        (its number) and ``question`` (its question's number; of a question, its own). Memory: a few times the longest
        row allowed.
    """
    cutter = _RowCutter(stream, max_row_bytes)
    for piece in _cut(cutter, start, end):
        yield _read_piece(piece, site, dump, is_packed=is_packed), cutter.position - start


@dataclass(frozen=True, slots=True)
class _Piece:
    """A row as it stands, or a fault; and where in the stream it begins."""

    offset: int
    row: bytes = b""
    fault: "_Fault | None" = None
    is_record: bool = True


class _Fault(Exception):
    """What is wrong with a row or with the file."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(cause, detail)
        self.cause, self.detail = cause, detail


def _cut(cutter: "_RowCutter", start: int, end: int | None) -> Iterator[_Piece]:
    try:
        has_root = cutter.open(start)
    except _Fault as fault:
        if start == 0:  # the first range reports what is wrong with the file, the others leave it alone
            yield _Piece(0, fault=fault, is_record=False)
        return
    gap = cutter.skip(end if start else None)
    if start == 0:
        yield from _check_gap(gap, has_root=has_root, is_torn=False)
    while cutter.at_row and (end is None or cutter.position < end):
        piece = cutter.take()
        yield piece
        if piece.fault is None or not cutter.is_at_end:
            gap = cutter.skip(None)
            yield from _check_gap(gap, has_root=has_root, is_torn=_is_torn(piece, gap))


def _is_torn(piece: _Piece, gap: "_Gap") -> bool:
    """Tell a row that does not end as rows do, so that what follows it is its own."""
    is_closed = piece.row.endswith(b"/>") or (
        piece.row.endswith(b">") and _ROW_END.match(gap.held.lstrip()) is not None
    )
    return piece.fault is not None or not is_closed


def _check_gap(gap: "_Gap", *, has_root: bool, is_torn: bool) -> Iterator[_Piece]:
    """Look at what lies between rows; ``is_torn`` says that it follows a broken row and has no error of its own."""
    ends = [found for found in (_ROW_END.match(gap.held.lstrip()), _END.search(gap.held)) if found]
    garbage = gap.size - sum(len(found[0].translate(None, _BLANK)) for found in ends) - gap.head_size
    if gap.is_last and gap.fault is not None:
        yield _Piece(gap.end, fault=gap.fault, is_record=False)
    elif gap.is_last and has_root and not gap.is_closed and _END.search(gap.held) is None:
        yield _Piece(gap.end, fault=_Fault("stackexchange/truncated", "it ends before </posts>"), is_record=False)
    elif garbage > 0 and not is_torn:
        fault = _Fault("stackexchange/garbage", f"{garbage} bytes that are no row, the first {gap.held[:40]!r}")
        yield _Piece(gap.offset, fault=fault, is_record=False)


@dataclass(slots=True)
class _Gap:
    """What lies before a row, or behind the last one.

    Attributes:
        offset: Where its first byte that is not blank stands.
        size: Bytes that are not blank.
        held: Its first bytes, and its last ones.
        head_size: Of these bytes, those of the file's head.
        is_closed: Whether the head holds the whole file, as ``<posts />`` does.
        is_last: Whether the stream ends behind it.
        end: Where it ends.
        fault: What has ended the stream, if it is damaged.
    """

    offset: int
    size: int = 0
    held: bytes = b""
    head_size: int = 0
    is_closed: bool = False
    is_last: bool = False
    end: int = 0
    fault: _Fault | None = None

    def add(self, data: bytes) -> None:
        """Take more bytes; blanks before the first that is none move the beginning."""
        if self.size == 0:
            self.offset += len(data) - len(data.lstrip(_BLANK))
        self.size += len(data.translate(None, _BLANK))
        self.held += data
        if len(self.held) > 2 * _HELD_BYTES:
            self.held = self.held[:_HELD_BYTES] + self.held[-_HELD_BYTES:]


class _RowCutter:
    """A stream through a buffer that begins at a row, or at the end."""

    def __init__(self, stream: BinaryIO, max_row_bytes: int) -> None:
        self._stream = stream
        self._max_row_bytes = max_row_bytes
        self._buffer = bytearray()
        self._base = 0
        self._head = b""
        self._fault: _Fault | None = None
        self._is_exhausted = False

    @property
    def position(self) -> int:
        """Where in the stream the buffer begins."""
        return self._base

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return not self._buffer and not self._fill()

    @property
    def at_row(self) -> bool:
        """Whether a row begins here."""
        while len(self._buffer) < _ROW_BYTES and self._fill():
            pass
        return _ROW.match(self._buffer) is not None

    def open(self, start: int) -> bool:
        """Look at the file's head and go to ``start``; returns whether the head opens ``<posts>``.

        Raises:
            _Fault: The file is none that can be read.
        """
        while len(self._buffer) < _MAX_HEAD_BYTES and self._fill():
            pass
        head = bytes(self._buffer[:_MAX_HEAD_BYTES])
        found = _ROW.search(head)
        self._head = head[: found.start()] if found else head
        has_root = _check_head(self._head, self._fault, has_row=found is not None)
        if start:
            self._stream.seek(start)
            self._buffer.clear()
            self._base, self._is_exhausted, self._fault = start, False, None
        return has_root

    def skip(self, end: int | None) -> _Gap:
        """Go to the next row that starts before ``end``, and give what lies before it."""
        gap = _Gap(self._base)
        if self._base == 0:
            root = _ROOT.search(self._head)
            gap.head_size = len(self._head[: root.end()].translate(None, _BLANK)) if root else _prolog(self._head)
            gap.is_closed = root is not None and root[0].endswith(b"/>")
        while (found := _ROW.search(self._buffer)) is None:
            gap.add(self._drop(max(0, len(self._buffer) - _ROW_BYTES + 1)))
            if (end is not None and self._base >= end) or not self._fill():
                break
        gap.add(self._drop(found.start() if found else len(self._buffer) if self._is_exhausted else 0))
        gap.is_last, gap.end, gap.fault = found is None and self._is_exhausted, self._base, self._fault
        return gap

    def take(self) -> _Piece:
        """Take the row that begins here: to its own end, or where it has none up to the next ``<``."""
        offset, begin, dropped = self._base, 1, 0
        while (found := self._buffer.find(b"<", begin)) < 0:
            begin = len(self._buffer)
            if begin > self._max_row_bytes:
                if not dropped and _WHOLE_ROW.match(self._buffer):
                    break  # what makes it so long stands behind it
                dropped, begin = dropped + len(self._drop(begin)), 0
            if not self._fill():
                break
        row = self._drop(self._end_of_row(len(self._buffer) if found < 0 else found)).rstrip(_BLANK)
        return self._piece(offset, row, dropped, is_cut=found < 0 and (dropped > 0 or not row.endswith(b"/>")))

    def _end_of_row(self, limit: int) -> int:
        """Find where the row in the buffer ends; one that does not end before ``limit`` is taken to end there."""
        closed = self._buffer.find(b"/>", 0, limit) + len(b"/>")
        if closed > 1 and not self._buffer[closed:limit].strip(_BLANK):
            return closed  # as all rows of real dumps
        whole = _WHOLE_ROW.match(self._buffer, 0, limit)
        return whole.end() if whole else limit

    def _piece(self, offset: int, row: bytes, dropped: int, *, is_cut: bool) -> _Piece:
        size = dropped + len(row)
        if is_cut:
            return _Piece(offset, fault=self._fault or _Fault("stackexchange/truncated", "it ends inside a row"))
        if size > self._max_row_bytes:
            detail = f"a row of {size} bytes, limit {self._max_row_bytes}"
            return _Piece(offset, fault=_Fault("stackexchange/row_too_long", detail))
        return _Piece(offset, row)

    def _fill(self) -> bool:
        """Read more; returns whether there was any."""
        if self._is_exhausted:
            return False
        try:
            data = self._stream.read(_READ_BYTES)
        except MalformedRecord as damage:
            data, self._fault = b"", _Fault(damage.cause, damage.detail)
        self._buffer += data
        self._is_exhausted = not data
        return bool(data)

    def _drop(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._base += size
        return data


def _check_head(head: bytes, damage: _Fault | None, *, has_row: bool) -> bool:
    """Look at what stands before the first row; returns whether that is ``<posts>``.

    Raises:
        _Fault: The file is none that can be read.
    """
    if head.startswith(_UTF16):
        raise _Fault("stackexchange/encoding", "the encoding is UTF-16, not UTF-8")
    if _DOCUMENT_TYPE.search(head):
        raise _Fault("stackexchange/document_type", "a document type: no dump has one")
    encoding = _ENCODING.search(head)
    if encoding and encoding[1].lower() not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise _Fault("stackexchange/encoding", f"the encoding is {encoding[1]!r}, not UTF-8")
    root = _ROOT.search(head)
    if root is None and not has_row:
        cause = "stackexchange/not_posts" if head.strip(_BLANK) else "stackexchange/empty"
        raise damage or _Fault(cause, f"it begins with {head[:40]!r}")
    other = _TAG.search(head[: root.start()] if root else head)
    if other:
        raise _Fault("stackexchange/not_posts", f"its rows are those of <{other[1].decode('utf-8', 'replace')}>")
    return root is not None


def _prolog(head: bytes) -> int:
    found = _PROLOG.match(head)
    return len(found[0].translate(None, _BLANK)) if found else 0


def _read_piece(piece: _Piece, site: str, dump: str, *, is_packed: bool) -> Item:
    fault = piece.fault
    if fault is None:
        try:
            return _read_row(_parse_row(piece.row), site, dump)
        except _Fault as found:
            fault = found
    offset, inner = (0, piece.offset) if is_packed else (piece.offset, 0)
    return MalformedRecord(fault.cause, fault.detail, offset=offset, inner_offset=inner, is_record=piece.is_record)


def _parse_row(row: bytes) -> dict[str, str]:
    fields: list[dict[str, str]] = []
    parser = ParserCreate("utf-8")
    parser.StartElementHandler = lambda _name, attributes: fields.append(attributes)
    try:
        parser.Parse(row if row.endswith(b"/>") else row + b"</row>", True)  # noqa: FBT003  # expat has no name for it
    except ExpatError as error:
        raise _bad_row(row, error) from error
    return fields[0]


def _bad_row(row: bytes, error: ExpatError) -> _Fault:
    try:
        row.decode()
    except UnicodeDecodeError as wrong:
        return _Fault("stackexchange/invalid_utf8", f"byte {wrong.start} of the row: {wrong.reason}")
    return _Fault("stackexchange/bad_xml", f"{error}: {row[:80]!r}")


def _read_row(fields: dict[str, str], site: str, dump: str) -> Document | Dropped:
    number = _number(fields, "Id", least=1)
    kind = _number(fields, "PostTypeId")
    identity, url = f"{site}/{number}", f"https://{site}/{'a' if kind == ANSWER else 'questions'}/{number}"
    if kind not in {QUESTION, ANSWER}:
        return Dropped(identity, f"https://{site}/posts/{number}", StackExchangeReason.OTHER_POST_TYPE, kind)
    if fields.get("DeletionDate"):
        return Dropped(identity, url, StackExchangeReason.DELETED)
    question = number if kind == QUESTION else _number(fields, "ParentId", least=1)
    return Document(
        identity,
        SOURCE,
        fields.get("Body", ""),
        url=url,
        created=utc_time(fields.get("CreationDate", "")),
        metadata={
            "dump": dump,
            "title": fields.get("Title", "") if kind == QUESTION else "",
            "score": _number(fields, "Score"),
            "tags": ",".join(_TAGS.findall(fields.get("Tags", ""))),
            "post": number,
            "question": question,
            "is_question": kind == QUESTION,
        },
    )


def _number(fields: dict[str, str], name: str, least: int | None = None) -> int:
    """Read a field that is a whole number.

    Raises:
        _Fault: It is missing, no number, or smaller than it can be.
    """
    value = fields.get(name)
    if value is None:
        raise _Fault("stackexchange/missing_field", f"row {fields.get('Id', '')[:20]!r} has no {name}")
    if not _NUMBER.fullmatch(value) or (least is not None and int(value) < least):
        raise _Fault("stackexchange/bad_number", f"row {fields.get('Id', '')[:20]!r}: {name} is {value[:20]!r}")
    return int(value)
