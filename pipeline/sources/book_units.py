"""Which files hold books, what each book is called, and how files are packed into units of work.

A mirror of Project Gutenberg has seventy thousand files; a unit each would be as many tasks, commits and documents
files. So consecutive files are packed, by their sorted names, into units of about a batch.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.document import Shard
from pipeline.inputs import count_suffixes

TEXT, ZIP, PARQUET, ROWS = "text", "zip", "parquet", "rows"

_COMPRESSED = re.compile(r"\.(gz|zst)$", re.IGNORECASE)
_FORMATS = {
    ".txt": TEXT,
    ".text": TEXT,
    ".zip": ZIP,
    ".parquet": PARQUET,
    ".jsonl": ROWS,
    ".ndjson": ROWS,
    ".json": ROWS,
}
#: How much larger a text is than its compressed file, roughly: books deflate to two fifths.
_EXPANSION = 2.5


@dataclass(frozen=True, slots=True)
class BookUnit:
    """Files of one collection that are read one after the other.

    Attributes:
        name: Its first file's, with the number of the others: it follows from the list of files alone.
        size: Bytes on disk.
        files: The files, by name.
    """

    name: str
    size: int
    files: tuple[Shard, ...]


def format_of(name: str) -> str | None:
    """Tell by its name how a file holds books; ``None`` for a file that holds none.

    >>> format_of("1342-0.txt.gz"), format_of("part-0.JSONL"), format_of("1342-h.htm")
    ('text', 'rows', None)
    """
    return _FORMATS.get(os.path.splitext(_COMPRESSED.sub("", name))[1].lower())


def book_stem(name: str) -> str:
    """Give the name of a text file without its suffixes.

    >>> book_stem("1/3/1342-0.txt.gz")
    '1/3/1342-0'
    """
    return os.path.splitext(_COMPRESSED.sub("", name))[0]


def is_row(identifier: str) -> bool:
    """Tell whether an id ends in a row's place in its file, which is no name of the book.

    >>> is_row("books3/part-0.parquet#1342"), is_row("gutenberg/1342.zip#1342"), is_row("gutenberg/1342")
    (True, False, False)
    """
    return format_of(identifier.rpartition("#")[0]) in {ROWS, PARQUET}


def count_others(files: Iterable[Shard]) -> str:
    """Say how many files have which suffixes, those of compressed files aside.

    >>> count_others([Shard("books", name, "", 0, below=name) for name in ("a.htm", "b/c.HTM.gz", "README")])
    '2 .htm, 1 without a suffix'
    """
    return count_suffixes(_COMPRESSED.sub("", file.below) for file in files)


def pack_units(files: Iterable[Shard], unit_bytes: int) -> list[BookUnit]:
    """Pack files into units of some ``unit_bytes`` of text.

    Args:
        files: The files, sorted by name; those of a collection lie together.
        unit_bytes: Where a unit is full. A file that is larger is a unit of its own, as is one that holds many books.
    """
    return [
        BookUnit(_unit_name(group), sum(file.size for file in group), tuple(group))
        for group in _groups(files, unit_bytes)
    ]


def _unit_name(group: Sequence[Shard]) -> str:
    return group[0].name + (f"+{len(group) - 1}" if len(group) > 1 else "")


def _groups(files: Iterable[Shard], unit_bytes: int) -> Iterator[list[Shard]]:
    group: list[Shard] = []
    size = 0.0
    for file in files:
        weight = _weight(file)
        if group and (size + weight > unit_bytes or file.dump != group[0].dump):
            yield group
            group, size = [], 0.0
        group.append(file)
        size += weight
    if group:
        yield group


def _weight(file: Shard) -> float:
    plain = format_of(file.below) == TEXT and not _COMPRESSED.search(file.below)
    return file.size * (1 if plain else _EXPANSION)
