"""Ranges of Wikipedia's dumps, so that one file of 20 GB keeps all workers busy.

A page belongs to the range in which it begins: in a bzip2 file, to that in which the *stream* starts that its ``<page``
stands in; in plain XML, to that of the tag's first byte. A range begins at its first stream, leaves what stands before
its first page to the range before, and reads on past its end until its last page is closed and the next one begins, so
what lies between two pages is looked at with the first of them. So the ranges of a file give its pages and its faults
each once, whatever their size, for

- multistream dumps, whose streams end with a page, and files by parallel compressors, whose streams cut pages anywhere;
- a single stream: the first range has all of it, the others nothing;
- plain XML;
- damage in any of them: a fault belongs to the page it cuts, or to the page before it.

Each range takes the site's namespaces from the head of the file. A second head in one file counts for the range it
stands in, and an early ``</mediawiki>`` too. So a file whose wiki only its head can tell is not split: behind another
head its pages would be ascribed to the wrong wiki. Archives and gzip files cannot be entered in the middle, and what
is one bzip2 stream has one range only, whatever its size.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from pipeline.document import MalformedRecord, Shard
from pipeline.files import open_read
from pipeline.sources.bz2_streams import DumpBytes, Packing, begins_a_stream, packing_of
from pipeline.sources.mediawiki import MAX_PAGE_BYTES, PageCutter, PageRange
from pipeline.sources.seven_zip import list_members, open_members
from pipeline.sources.wiki_head import DumpHead, wiki_name
from pipeline.sources.wiki_xml import SiteInfo, WikiPage

_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_BEGINNING_BYTES = 16
#: Digits of a range's start in its name, so that names are in the order of the ranges.
_START_DIGITS = 15
#: A stream is looked for in so many bytes behind the first range: those that can be shared out are shorter by far.
_MAX_STREAM_BYTES = 64 << 20

Item = tuple[WikiPage | MalformedRecord, int]


def split_shards(
    shards: Sequence[Shard],
    split_bytes: int | None,
    wiki_of: Callable[[Shard], str] = lambda shard: wiki_name(shard.path),
) -> list[Shard]:
    """Cut files into ranges.

    Args:
        shards: Whole files.
        split_bytes: Size of a range; ``None`` leaves the files whole.
        wiki_of: Gives the wiki of a file where it is known without looking into it, or an empty string.

    Returns:
        The files that are no longer or cannot be split as they are, and the ranges of the others, called
        ``<name>@<start>``, all in order.
    """
    if split_bytes is None:
        return list(shards)
    parts: list[Shard] = []
    for shard in shards:
        if shard.size > split_bytes and wiki_of(shard) and _can_be_split(shard.path, split_bytes):
            parts += cut_shard(shard, split_bytes)
        else:
            parts.append(shard)
    return parts


def cut_shard(shard: Shard, split_bytes: int) -> list[Shard]:
    """Cut a file that is neither an archive nor gzip into ranges, whether that is of use or not."""
    parts = []
    for start in range(0, shard.size, split_bytes):
        end = start + split_bytes if start + split_bytes < shard.size else None
        name = f"{shard.name}@{start:0{_START_DIGITS}d}"
        size = (end or shard.size) - start
        parts.append(dataclasses.replace(shard, name=name, size=size, start=start, end=end))
    return parts


def _can_be_split(path: str, first_bytes: int) -> bool:
    """Tell whether workers can share a file: else one has all of it, and its progress is that of a small part."""
    with open_read(path) as stream:
        beginning = stream.read(_BEGINNING_BYTES)
        if beginning.startswith(_SEVEN_ZIP) or packing_of(beginning) is Packing.GZIP:
            return False
        if packing_of(beginning) is Packing.PLAIN:
            return True
        stream.seek(first_bytes)
        return begins_a_stream(stream, _MAX_STREAM_BYTES)


def _beginning(path: str) -> bytes:
    with open_read(path) as stream:
        return stream.read(_BEGINNING_BYTES)


def read_dump(
    shard: Shard, *, wiki: str = "", namespaces: Mapping[str, int] | None = None, max_page_bytes: int = MAX_PAGE_BYTES
) -> Iterator[Item]:
    """Read a dump file or a range of one.

    Args:
        shard: The file, or a range from :func:`split_shards`.
        wiki: The wiki's name; empty takes it from the file's name or its head.
        namespaces: Numbers of the wiki's namespaces by name in lower case, where dumps before schema 0.6 do not number
            a page's; ``None`` takes the head's.
        max_page_bytes: Longest page to hold in memory.

    Yields:
        Every page and every fault once, in the order of the file, with the bytes of the shard read so far. Of an
        archive, those of each member whose name ends in ``.xml``, one after the other.
    """
    wiki = wiki or wiki_name(shard.path)
    if _beginning(shard.path).startswith(_SEVEN_ZIP):
        yield from _read_archive(shard, wiki, namespaces, max_page_bytes)
        return
    with open_read(shard.path) as stream:
        head = _read_head(stream, wiki, namespaces) if shard.start else None
        stream.seek(shard.start)
        packing = head.packing if head else None
        source = DumpBytes(stream, start=shard.start, end=shard.end, packing=packing)
        part = PageRange(shard.start, shard.end, head)
        cutter = PageCutter(source, wiki, max_page_bytes, part, namespaces)
        for item in cutter:
            yield item, min(cutter.position - shard.start, shard.size)


def read_site(shard: Shard, *, wiki: str = "") -> SiteInfo:
    """Read what the head of a dump file says; an archive's is that of its first member."""
    wiki = wiki or wiki_name(shard.path)
    if _beginning(shard.path).startswith(_SEVEN_ZIP):
        try:
            for _, content in open_members(shard.path, _is_dump):
                return _read_head(_by_pieces(content), wiki).site
        except MalformedRecord:
            pass  # whoever reads the pages is told
        return SiteInfo(wiki=wiki)
    with open_read(shard.path) as stream:
        return _read_head(stream, wiki).site


def _read_head(stream: BinaryIO, wiki: str, namespaces: Mapping[str, int] | None = None) -> DumpHead:
    return PageCutter(DumpBytes(stream), wiki, MAX_PAGE_BYTES, namespaces=namespaces).read_head()


def _read_archive(shard: Shard, wiki: str, namespaces: Mapping[str, int] | None, max_page_bytes: int) -> Iterator[Item]:
    """Read the members of an archive; the bytes of the file are taken to be read in proportion to the members'."""
    try:
        dumps = [member for member in list_members(shard.path) if _is_dump(member.name)]
        total = max(1, sum(member.size for member in dumps))
        before = 0
        for member, content in open_members(shard.path, _is_dump):
            name = wiki or wiki_name(member.name)
            cutter = PageCutter(DumpBytes(_by_pieces(content)), name, max_page_bytes, namespaces=namespaces)
            for item in cutter:
                yield item, shard.size * (before + cutter.position) // total
            before += member.size
        if not dumps:
            yield _empty("no member of the archive ends in .xml"), shard.size
    except MalformedRecord as fault:
        yield fault, shard.size


def _empty(detail: str) -> MalformedRecord:
    return MalformedRecord("mediawiki/empty", detail, offset=0, is_record=False)


def _is_dump(name: str) -> bool:
    return name.lower().endswith(".xml")


def _by_pieces(content: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", _ByPieces(content))


class _ByPieces:
    """A member's bytes, as many as are there at once, so that none are lost where the next ones are damaged."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        """Read on."""
        return self._content.read1(size)  # type: ignore[attr-defined, no-any-return]
