"""Books out of files: texts, compressed or not, zip archives of them, Parquet and JSON lines.

A text file is one book, and so is each text in an archive, each row of Parquet and each line of JSON. What a file is
follows from its first bytes; its name tells texts from JSON lines, and archives and Parquet from what took their place,
such as a page that says they were not found. Nothing is written to disk, and no more than a
book of the longest size allowed is held: a longer one is let go when that is known.
"""

from collections.abc import Iterator
from typing import BinaryIO

from pipeline.batch import Batch
from pipeline.books_settings import BooksSettings
from pipeline.document import MalformedRecord
from pipeline.files import open_read
from pipeline.inputs import below
from pipeline.reading import Item, batched
from pipeline.sources.book_archive import read_archive
from pipeline.sources.book_context import SOURCE, BookContext
from pipeline.sources.book_listing import read_listing
from pipeline.sources.book_rows import read_lines, read_parquet
from pipeline.sources.book_units import PARQUET, ROWS, ZIP, BookUnit, book_stem, format_of
from pipeline.sources.decompressed import open_decompressed, read_capped

__all__ = ["SOURCE", "read_books", "read_unit"]

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PARQUET_MAGIC = b"PAR1"
_MAGIC_BYTES = 4


def read_unit(unit: BookUnit, *, batch_bytes: int, settings: BooksSettings, data: str) -> Iterator[Batch]:
    """Read a unit's files into batches, each book once, in the order of the files.

    Args:
        unit: The unit.
        batch_bytes: Text of a batch, in bytes.
        settings: The source's settings.
        data: The config's data root.
    """
    yield from batched(_read_files(unit, settings, data), unit.name, batch_bytes)


def _read_files(unit: BookUnit, settings: BooksSettings, data: str) -> Iterator[tuple[Item, int]]:
    done = 0
    for file in unit.files:
        collection = settings.collection(file.dump)
        listed = read_listing(below(collection.metadata, data)) if collection.metadata is not None else {}
        context = BookContext(file, collection, settings.limits.max_book_bytes, listed)
        with open_read(file.path) as stream:
            for item, position in read_books(stream, context):
                yield item, done + min(position, file.size)
        done += file.size


def read_books(stream: BinaryIO, context: BookContext) -> Iterator[tuple[Item, int]]:
    """Read the books of one file.

    Args:
        stream: The file, from its first byte; archives and Parquet are read by seeking.
        context: What is known of it.

    Yields:
        Each book once, in the order of the file, as document, dropped or malformed, and faults of the whole file as
        :class:`MalformedRecord`; each with the bytes of the file read so far. The text is decoded, nothing else.
    """
    head = stream.read(_MAGIC_BYTES)
    stream.seek(0)
    named = format_of(context.file.below)
    if named == ZIP or head.startswith(_ZIP_MAGIC):
        yield from read_archive(stream, context)
    elif named == PARQUET or head == _PARQUET_MAGIC:
        yield from read_parquet(stream, context)
    elif named == ROWS:
        yield from read_lines(open_decompressed(stream, head, SOURCE), context)
    else:
        yield _read_text(stream, head, context), context.file.size


def _read_text(stream: BinaryIO, head: bytes, context: BookContext) -> Item:
    identifier = context.identifier(book_stem(context.file.below))
    source = open_decompressed(stream, head, SOURCE)
    if source is stream and context.file.size > context.max_book_bytes:
        return context.too_long(identifier, context.file.size, whole=True)
    try:
        data, size = read_capped(source.read, context.max_book_bytes)
    except MalformedRecord as error:
        return error
    if data is None:
        return context.too_long(identifier, size, whole=False)
    return context.book(identifier, data)
