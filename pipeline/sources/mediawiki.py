"""MediaWiki XML dumps into pages (export schema 0.3 to 0.11; https://www.mediawiki.org/wiki/Help:Export).

The dump is cut at its ``<page>`` and ``</page>`` tags before any XML is parsed, and each page is parsed on its own, so
that a broken page costs itself alone. The cut is sound since a dump writes every ``<`` of a wikitext as ``&lt;``: the
tags cannot stand inside a text. A page that is not closed before the next one begins is an error, and the next one is
read.

Guarantee: pages + errors with ``is_record`` = page starts that can be decompressed, each once, in file order. What is
no page (damage between pages, garbage, a missing end of the dump, a file that is no dump) is an error without
``is_record``; one fault is one error. A dump without pages is no error, an empty file is.

The wiki's name is taken from the file's name (``dewiki-20220720-pages-articles.xml.bz2``), and only where that has
none from ``<dbname>`` in the head: excerpts are often made with the head of another wiki.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO
from xml.sax.saxutils import unescape

from pipeline.document import MalformedRecord
from pipeline.sources.bz2_streams import Damage, DumpBytes
from pipeline.sources.wiki_xml import PageFault, SiteInfo, WikiPage, parse_page

MAX_PAGE_BYTES = 64 << 20
MAX_HEAD_BYTES = 4 << 20  # siteinfo is some 100 kB
TAG_BYTES = 128  # longest tag looked for, and so what is kept of bytes that are skipped

_PREFIX = rb"(?:[\w.-]{1,64}:)?"
_PAGE_START = re.compile(rb"<" + _PREFIX + rb"page(?=[\s/>])")
_PAGE_BORDER = re.compile(_PAGE_START.pattern + rb"|(?P<end></" + _PREFIX + rb"page\s{0,32}>)")
_ROOT = re.compile(rb"<" + _PREFIX + rb"mediawiki(?=[\s>])[^<>]{0,4096}>")
_ROOT_END = re.compile(rb"</" + _PREFIX + rb"mediawiki\s{0,32}>")
_BEFORE_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]{0,200}>\s*+)?(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+")
_DOCUMENT_TYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([^\"']{1,40})")
_VERSION = re.compile(rb"\sversion\s{0,9}=\s{0,9}[\"']([0-9.]{1,9})[\"']")
_DBNAME = re.compile(rb"<" + _PREFIX + rb"dbname>([^<]{1,80})<")
_NAMESPACE = re.compile(
    rb"<" + _PREFIX + rb"namespace\s[^<>]{0,200}?key=[\"'](-?[0-9]{1,9})[\"'][^<>]{0,200}>([^<]{1,400})<"
)
_WIKI = re.compile(
    r"(?<![a-z0-9_])[a-z][a-z0-9_]*"
    r"(?:wiki|wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikiversity|wikivoyage|wikimedia)(?![a-z0-9_])"
)


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
    cutter = _PageCutter(stream, name, max_page_bytes)
    for item in cutter:
        yield item, cutter.position


def wiki_name(path: str) -> str:
    """Give the wiki's name as the name of a dump file has it, or an empty string.

    >>> wiki_name("dumps/mini-enwiki-20200101-pages-articles.xml.bz2"), wiki_name("wiki.xml")
    ('enwiki', '')
    """
    found = _WIKI.search(path.replace("\\", "/").rpartition("/")[2].lower())
    return found[0] if found else ""


class _PageCutter(Iterator[WikiPage | MalformedRecord]):
    """Cuts a dump into pages, and looks at what lies between them."""

    def __init__(self, stream: BinaryIO, name: str, max_page_bytes: int) -> None:
        self._source = DumpBytes(stream)
        self._pieces = iter(self._source)
        self._max_page_bytes = max_page_bytes
        self._buffer = bytearray()
        self._base = 0  # decompressed bytes before the buffer
        self._marks = deque([(0, 0)])  # where a stream begins: in the decompressed bytes, in the file
        self._damage: Damage | None = None  # the buffer ends here, and this has still to be reported
        self._wiki = wiki_name(name)
        self._site = SiteInfo(wiki=self._wiki)
        self._is_open = False  # between <mediawiki> and </mediawiki>
        self._is_new = True  # nothing has been found in the file so far
        self._is_torn = False  # what comes next lies behind damage that has been reported
        self._items = self._read()

    def __next__(self) -> WikiPage | MalformedRecord:
        return next(self._items)

    @property
    def position(self) -> int:
        """Bytes of the file consumed so far."""
        return self._source.position

    def _read(self) -> Iterator[WikiPage | MalformedRecord]:
        while True:
            is_torn = self._is_torn
            try:
                yield from self._read_gap()
            except _Refused as refused:
                yield refused.error
                return
            if self._buffer:
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
        root = _ROOT.search(gap)
        if root is None:
            return len(gap.strip(b"\xef\xbb\xbf \t\r\n\0" if self._is_new else b" \t\r\n"))
        if _DOCUMENT_TYPE.search(gap):
            raise _Refused(self._error("mediawiki/document_type", "a document type: no dump has one", where))
        encoding = _ENCODING.search(gap)
        if encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
            raise _Refused(self._error("mediawiki/encoding", f"the encoding is {encoding[1]!r}, not UTF-8", where))
        self._site = _read_head(gap[root.start() :], self._wiki)
        self._is_open = _ROOT_END.search(gap, root.end()) is None
        self._is_new = False
        before = _BEFORE_ROOT.match(gap)
        return max(0, root.start() - (before.end() if before else 0))

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


class _Refused(Exception):
    """A file that is not read on."""

    def __init__(self, error: MalformedRecord) -> None:
        super().__init__(error.cause)
        self.error = error


def _read_head(head: bytes, wiki: str) -> SiteInfo:
    """Read what the head says; ``wiki`` is the name already known, or empty."""
    dbname, version = _DBNAME.search(head), _VERSION.search(head)
    names = {
        unescape(name.decode("utf-8", "replace")).strip().lower(): int(key) for key, name in _NAMESPACE.findall(head)
    }
    return SiteInfo(
        wiki=wiki or (dbname[1].decode("utf-8", "replace").strip() if dbname else ""),
        version=version[1].decode() if version else "",
        namespaces=names,
    )
