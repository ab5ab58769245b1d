"""The files of a StackExchange dump: which hold posts, of which site, how many bytes of them, and in which ranges.

A file holds one site: ``<site>.7z``, ``<site>-Posts.7z`` (the largest sites have an archive for each table) or
``<site>/Posts.xml``. The tables beside it (comments, users, votes, history) are not read. Case does not count.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator

from pipeline.document import MalformedRecord, Shard
from pipeline.files import open_read
from pipeline.settings import SettingsError
from pipeline.sources.seven_zip import list_members, open_members
from pipeline.sources.stackexchange_posts import Item, read_posts

_OTHER_TABLES = ("-badges", "-comments", "-posthistory", "-postlinks", "-tags", "-users", "-votes")
_POSTS_TABLE = "-posts"
_POSTS_FILE = "posts.xml"
_ARCHIVE = ".7z"
_PART = re.compile(r"\.7z\.[0-9]{3}\Z", re.IGNORECASE)


def site_of_path(path: str) -> str | None:
    """Give the site that a file of a dump is named after, or ``None`` for a file without posts.

    >>> site_of_path("dump/stackoverflow.com-Posts.7z"), site_of_path("beer.stackexchange.com/Posts.xml")
    ('stackoverflow.com', 'beer.stackexchange.com')
    >>> site_of_path("dump/stackoverflow.com-Posts/Posts.xml")
    'stackoverflow.com'
    >>> site_of_path("dump/stackoverflow.com-Votes.7z") is None
    True
    """
    folder, _, name = path.replace("\\", "/").lower().rpartition("/")
    if name == _POSTS_FILE:
        return folder.rpartition("/")[2].removesuffix(_POSTS_TABLE)
    name = _PART.sub(_ARCHIVE, name)
    stem = name.removesuffix(_ARCHIVE)
    return None if stem == name or stem.endswith(_OTHER_TABLES) else stem.removesuffix(_POSTS_TABLE)


def is_part(path: str) -> bool:
    """Tell a part of an archive that was cut into files of some size, which is not read.

    >>> is_part("stackoverflow.com.7z.001"), is_part("stackoverflow.com.7z")
    (True, False)
    """
    return _PART.search(path) is not None


def check_part(path: str, key: str) -> None:
    """Refuse a part of an archive.

    Raises:
        SettingsError: It is one.
    """
    if is_part(path):
        whole = path.rpartition(".")[0]
        raise SettingsError(f"{key}: {path} is a part of an archive; join them: cat {whole}.* > {whole}")


def site_of(shard: Shard) -> str:
    """Give a shard's site; its name is ``<dump>~<site>``, with ``@<range>`` for a range of a file."""
    return shard.name.partition("~")[2].partition("@")[0]


def posts_bytes(shard: Shard) -> int:
    """Give the bytes of a file's ``Posts.xml``; of an archive that cannot be read, its own."""
    if not shard.path.lower().endswith(_ARCHIVE):
        return shard.size
    try:
        return sum(member.size for member in list_members(shard.path) if _is_posts(member.name))
    except MalformedRecord:
        return shard.size


def _is_posts(name: str) -> bool:
    return name.replace("\\", "/").rpartition("/")[2].lower() == _POSTS_FILE


def split_shards(shards: Iterable[Shard], split_bytes: int) -> list[Shard]:
    """Split each ``Posts.xml`` that is not in an archive into ranges of so many bytes."""
    ranges = []
    for shard in shards:
        if shard.path.lower().endswith(_ARCHIVE) or shard.size <= split_bytes:
            ranges.append(shard)
            continue
        for index, start in enumerate(range(0, shard.size, split_bytes)):
            end = start + split_bytes if start + split_bytes < shard.size else None
            size, name = min(split_bytes, shard.size - start), f"{shard.name}@{index:05d}"
            ranges.append(dataclasses.replace(shard, name=name, size=size, start=start, end=end))
    return ranges


def read_items(shard: Shard, max_row_bytes: int) -> Iterator[tuple[Item, int]]:
    """Read the posts of a file, or of a range of one; what is wrong with it is an error among them.

    Yields:
        As :func:`pipeline.sources.stackexchange_posts.read_posts`, with the bytes of the file read so far.
    """
    site = site_of(shard)
    if not shard.path.lower().endswith(_ARCHIVE):
        with open_read(shard.path) as stream:
            yield from read_posts(
                stream, site=site, dump=shard.dump, start=shard.start, end=shard.end, max_row_bytes=max_row_bytes
            )
        return
    try:
        _check_members(shard.path)
        for member, stream in open_members(shard.path, _is_posts):
            rows = read_posts(stream, site=site, dump=shard.dump, is_packed=True, max_row_bytes=max_row_bytes)
            yield from ((item, shard.size * position // max(member.size, 1)) for item, position in rows)
    except MalformedRecord as fault:
        yield fault, shard.size


def _check_members(path: str) -> None:
    """Look whether an archive holds the posts of one site: of two they would have the same numbers.

    Raises:
        MalformedRecord: It holds none, or more than one ``Posts.xml``.
    """
    names = [member.name for member in list_members(path) if _is_posts(member.name)]
    if not names:
        detail = "no Posts.xml in the archive"
        raise MalformedRecord("stackexchange/no_posts", detail, offset=0, is_record=False)
    if len(names) > 1:
        detail = f"{len(names)} of them: {', '.join(names[:3])}"[:200]
        raise MalformedRecord("stackexchange/several_posts", detail, offset=0, is_record=False)
