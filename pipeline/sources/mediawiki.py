"""MediaWiki XML dumps into pages (export schema 0.3 to 0.11; https://www.mediawiki.org/wiki/Help:Export).

The dump is cut at its ``<page>`` and ``</page>`` tags before any XML is parsed, and each page is parsed on its own, so
that a broken page costs itself alone. The cut is sound since a dump writes every ``<`` of a wikitext as ``&lt;``: the
tags cannot stand inside a text. A page that is not closed before the next one begins is an error, and the next one is
read.

Guarantee: pages + errors with ``is_record`` = page starts that can be decompressed, each once, in file order. What is
no page (damage between pages, garbage, a missing end of the dump, a file that is no dump) is an error without
``is_record``; one fault is one error. A dump without pages is no error, an empty file is.

The wiki's name is taken from the file's name (``dewiki-20220720-pages-articles.xml.bz2``), and only where that has
none from ``<dbname>`` or the address in the head: excerpts are often made with the head of another wiki.

A file may be read in ranges (:mod:`pipeline.sources.wiki_ranges`): a range has the pages that begin in it, each with
what lies between it and the next page, so that all ranges together give what the whole file gives.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.document import MalformedRecord
from pipeline.sources.bz2_streams import Damage, DumpBytes, Piece
from pipeline.sources.wiki_head import DumpHead, parse_head, wiki_name
from pipeline.sources.wiki_xml import PageFault, SiteInfo, WikiPage, parse_page

MAX_PAGE_BYTES = 16 << 20  # MediaWiki saves no page of more than 2 MiB, and writes a character as six at most
MAX_HEAD_BYTES = 4 << 20  # siteinfo is some 100 kB
HEAD_SEARCH_BYTES = 64 << 20  # what may stand before the first page, where only the head is read
TAG_BYTES = 128  # longest tag looked for, and so what is kept of bytes that are skipped

_PREFIX = rb"(?:[\w.-]{1,64}:)?"
_PAGE_START = re.compile(rb"<" + _PREFIX + rb"page(?=[\s/>])")
_PAGE_BORDER = re.compile(_PAGE_START.pattern + rb"|(?P<end></" + _PREFIX + rb"page\s{0,32}>)")
_ROOT = re.compile(rb"<" + _PREFIX + rb"mediawiki(?=[\s>])[^<>]{0,4096}>")
_ROOT_END = re.compile(rb"</" + _PREFIX + rb"mediawiki\s{0,32}>")
_BEFORE_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]{0,200}>\s*+)?(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+")
_DOCUMENT_TYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([^\"']{1,40})")


def read_wiki(
    stream: BinaryIO, *, name: str, max_page_bytes: int = MAX_PAGE_BYTES
) -> Iterator[tuple[WikiPage | MalformedRecord, int]]:
    """Read a dump: ``.xml``, ``.xml.gz``, ``.xml.bz2``, multistream or not; the content tells which.

    Args:
        stream: The file, from its first byte; read forward only.
        name: Its name or path, which names the wiki.
        max_page_bytes: Longest ``<page>`` element to hold in memory; a longer one is ``mediawiki/too_long``.

    Yields:
        Every page and every fault, once, in file order; and the bytes of the file read so far. Memory: a few times
        the longest page, at most that allowed, and some 20 MiB.
    """
    cutter = PageCutter(DumpBytes(stream), wiki_name(name), max_page_bytes)
    for item in cutter:
        yield item, cutter.position


@dataclass(frozen=True, slots=True)
class PageRange:
    """The pages that begin in a range of a file: in compressed streams that start there, or in its plain bytes.

    Attributes:
        start: First byte.
        end: End, exclusive; ``None`` for the file's.
        head: What the file's beginning says; not needed by the first range, which reads it.
    """

    start: int = 0
    end: int | None = None
    head: DumpHead | None = None


_WHOLE = PageRange()


class PageCutter(Iterator[WikiPage | MalformedRecord]):
    """Cuts a dump into pages, and looks at what lies between them.

    Args:
        source: The dump's bytes; for a range, from its first byte on.
        wiki: The wiki's name; empty takes it from the head.
        max_page_bytes: Longest ``<page>`` element to hold in memory.
        part: The range; the whole file by default.
        namespaces: What to take for the namespaces of the head; ``None`` takes them.
    """

    def __init__(
        self,
        source: DumpBytes,
        wiki: str,
        max_page_bytes: int,
        part: PageRange = _WHOLE,
        namespaces: Mapping[str, int] | None = None,
    ) -> None:
        self._source = source
        self._pieces: Iterator[Piece | Damage] = iter(self._source)
        self._max_page_bytes = max_page_bytes
        self._buffer = bytearray()
        self._marks = deque([(0, 0)])  # where a stream begins: in the decompressed bytes, in the file
        self._damage: Damage | None = None  # the buffer ends here, and this has still to be reported
        self._wiki, self._part, self._namespaces = wiki, part, namespaces
        self._base = 0 if source.is_compressed else part.start  # decompressed bytes before the buffer
        self._site = part.head.site if part.head else SiteInfo(wiki=wiki, namespaces=namespaces or {})
        self._is_open = part.head is not None and part.head.is_open  # between <mediawiki> and </mediawiki>
        self._is_new = part.head is None  # nothing has been found in the file so far
        self._is_torn = False  # what comes next lies behind damage that has been reported
        self._items = self._read() if part.head is None else self._read_later(part.head)

    def __next__(self) -> WikiPage | MalformedRecord:
        return next(self._items)

    @property
    def position(self) -> int:
        """Bytes of the file consumed so far."""
        return self._source.position

    def read_head(self) -> DumpHead:
        """Read up to the first page, and no more, nor more than :data:`HEAD_SEARCH_BYTES`."""
        is_refused = False
        self._pieces = _beginning_of(self._pieces)
        while True:
            try:
                deque(self._read_gap(), maxlen=0)
            except _Refused:
                is_refused = True
            if is_refused or self._buffer or self._damage is None:
                return DumpHead(self._site, self._source.packing, self._is_open, is_refused)
            self._report_damage(self._damage, self._where(), is_record=False)

    def _read_later(self, head: DumpHead) -> Iterator[WikiPage | MalformedRecord]:
        """Read a range that is not the file's first: what lies before its first page is the range's before it."""
        if not head.is_refused and self._skip_to_page():
            yield self._read_page()
            yield from self._read()

    def _skip_to_page(self) -> bool:
        """Go to the next page; returns whether one begins in the range."""
        while True:
            found = _PAGE_START.search(self._buffer)
            self._drop(found.start() if found else max(0, len(self._buffer) - TAG_BYTES))
            if self._buffer and self._is_beyond():
                return False
            if found:
                return True
            if not self._fill():
                if self._damage is None:
                    return False
                self._damage = None
                self._drop(len(self._buffer))

    def _is_beyond(self) -> bool:
        """Whether the buffer begins behind the range."""
        return self._part.end is not None and self._where()[0] >= self._part.end

    def _read(self) -> Iterator[WikiPage | MalformedRecord]:
        while True:
            is_torn = self._is_torn
            try:
                yield from self._read_gap()
            except _Refused as refused:
                yield refused.error
                return
            if self._buffer:
                if self._is_beyond():
                    return
                yield self._read_page()
            elif self._damage is not None:
                yield self._report_damage(self._damage, (self._damage.offset, 0), is_record=False)
            else:
                break
        if self._is_open and not is_torn:
            yield self._error("mediawiki/truncated", "the file ends before </mediawiki>", self._where())

    def _read_gap(self) -> Iterator[MalformedRecord]:
        """Go to the next page, or to damage or the end, and look at the bytes before it."""
        where = self._where()
        found, dropped = self._find(_PAGE_START, 0, MAX_HEAD_BYTES)
        size = found.start() if found else len(self._buffer)
        gap = bytes(self._buffer[:size])
        self._drop(size)
        is_torn = self._is_torn or self._damage is not None
        garbage = dropped + self._look_at(gap, where)
        if garbage and not is_torn:
            is_dump = found is not None or not self._is_new
            cause = "mediawiki/garbage" if is_dump else "mediawiki/not_a_dump"
            yield self._error(cause, f"{garbage} bytes that are no page, the first {gap[:40]!r}", where)
        elif self._is_new and found is None and not is_torn:
            yield self._error("mediawiki/empty", "nothing in the file", where)
        self._is_new = self._is_torn = False

    def _look_at(self, gap: bytes, where: tuple[int, int]) -> int:
        """Look at bytes between pages: the end of a dump, the head of one, or garbage; returns how much of that."""
        end = _ROOT_END.search(gap) if self._is_open else None
        if end:
            self._is_open = False
            gap = gap[: end.start()] + gap[end.end() :]
        roots = list(_ROOT.finditer(gap))
        if not roots:
            return len(gap.strip(b"\xef\xbb\xbf \t\r\n\0" if self._is_new else b" \t\r\n"))
        if _DOCUMENT_TYPE.search(gap):
            raise _Refused(self._error("mediawiki/document_type", "a document type: no dump has one", where))
        encoding = _ENCODING.search(gap)
        if encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
            raise _Refused(self._error("mediawiki/encoding", f"the encoding is {encoding[1]!r}, not UTF-8", where))
        self._site = parse_head(gap[roots[-1].start() :], self._wiki, self._namespaces)  # those before had no page
        self._is_open = _ROOT_END.search(gap, roots[-1].end()) is None
        self._is_new = False
        before = _BEFORE_ROOT.match(gap)
        return max(0, roots[0].start() - (before.end() if before else 0))

    def _read_page(self) -> WikiPage | MalformedRecord:
        """Read the page at the start of the buffer."""
        where = self._where()
        border, dropped = self._find(_PAGE_BORDER, 1, self._max_page_bytes)
        if border is None:
            self._drop(len(self._buffer))
            if self._damage is not None:
                return self._report_damage(self._damage, where, is_record=True)
            self._is_open = False  # one fault, one error
            return self._error("mediawiki/truncated", "the file ends inside a page", where, is_record=True)
        if not border["end"]:
            self._drop(border.start())
            return self._error("mediawiki/bad_xml", "the next page begins before </page>", where, is_record=True)
        size = dropped + border.end()
        with memoryview(self._buffer) as view:
            element = bytes(view[: border.end()]) if size <= self._max_page_bytes else b""
        self._drop(border.end())
        if not element:
            detail = f"a page of {size} bytes, limit {self._max_page_bytes}"
            return self._error("mediawiki/too_long", detail, where, is_record=True)
        try:
            return parse_page(element, self._site)
        except PageFault as fault:
            return self._error(fault.cause, fault.detail, where, is_record=True)

    def _find(self, pattern: re.Pattern[bytes], begin: int, limit: int) -> tuple[re.Match[bytes] | None, int]:
        """Search the buffer from ``begin`` on, reading as needed; beyond ``limit`` bytes what was searched is dropped.

        Returns:
            The match in the buffer, or ``None`` where damage or the end comes first; and the bytes dropped.
        """
        dropped = 0
        while (found := pattern.search(self._buffer, begin)) is None:
            begin = max(begin, len(self._buffer) - TAG_BYTES)
            if len(self._buffer) > limit:
                self._drop(begin)
                dropped, begin = dropped + begin, 0
            if not self._fill():
                break
        return found, dropped

    def _fill(self) -> bool:
        """Get more bytes; returns whether there are any before the next damage or the end."""
        piece = None if self._damage is not None else next(self._pieces, None)
        if isinstance(piece, Damage):
            self._damage = piece
        elif piece is not None:
            if piece.stream != self._marks[-1][1]:
                self._marks.append((self._base + len(self._buffer), piece.stream))
            self._buffer += piece.data
            return True
        return False

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._base += size

    def _where(self) -> tuple[int, int]:
        """Where the buffer begins: the compressed stream's place in the file, and the place in the stream."""
        while len(self._marks) > 1 and self._marks[1][0] <= self._base:
            self._marks.popleft()
        start, offset = self._marks[0]
        return (offset, self._base - start) if self._source.is_compressed else (self._base, 0)

    def _report_damage(self, damage: Damage, where: tuple[int, int], *, is_record: bool) -> MalformedRecord:
        self._damage, self._is_torn = None, True
        return self._error(damage.cause, damage.detail, where, is_record=is_record)

    def _error(self, cause: str, detail: str, where: tuple[int, int], *, is_record: bool = False) -> MalformedRecord:
        return MalformedRecord(cause, detail, offset=where[0], inner_offset=where[1], is_record=is_record)


def _beginning_of(pieces: Iterator[Piece | Damage]) -> Iterator[Piece | Damage]:
    size = 0
    for piece in pieces:
        yield piece
        size += len(piece.data) if isinstance(piece, Piece) else 0
        if size >= HEAD_SEARCH_BYTES:
            return


class _Refused(Exception):
    """A file that is not read on."""

    def __init__(self, error: MalformedRecord) -> None:
        super().__init__(error.cause)
        self.error = error
