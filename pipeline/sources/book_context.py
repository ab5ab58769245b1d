"""What the readers of books share: ids, what becomes of bytes that are no book, and decompression in bounded pieces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import pyarrow as pa

from filters.books import BookReason
from filters.encoding import decode_text
from filters.gutenberg_fields import declared_encoding
from filters.verdict import Drop
from pipeline.books_settings import BookCollection
from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.reading import Item
from pipeline.sources.book_listing import ListedBook

SOURCE = "books"

PIECE_BYTES = 1 << 20
_CODECS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_NOTHING = b"\0\x1a\t\n\v\f\r \xef\xbb\xbf"  # what a file may have that holds no text


@dataclass(frozen=True, slots=True)
class BookContext:
    """What the readers of one file go by.

    Attributes:
        file: The file.
        collection: The collection it belongs to.
        max_book_bytes: Longest text to hold.
        listed: What the collection's list says of its books, by the names of their files.
    """

    file: Shard
    collection: BookCollection
    max_book_bytes: int
    listed: Mapping[str, ListedBook] = field(default_factory=dict)

    def identifier(self, name: str) -> str:
        """Give the id of a book by its name in the collection, which may be bytes taken for text."""
        plain = name.encode(errors="backslashreplace").decode()
        return f"{self.collection.id}/{plain}"

    def drop(self, identifier: str, drop: Drop) -> Dropped:
        """Account for a book that is let go before it is a document."""
        return Dropped(identifier, "", drop.reason, drop.measured, drop.limit, detail=drop.detail)

    def too_long(self, identifier: str, size: int, *, whole: bool) -> Dropped:
        """Account for a book that is longer than allowed.

        Args:
            identifier: Its id.
            size: Bytes counted.
            whole: Whether these are all it has; else reading ended when they were too many.
        """
        detail = None if whole else "at least that many bytes: the rest was not read"
        return self.drop(identifier, Drop(BookReason.TOO_LONG, size, self.max_book_bytes, detail))

    def book(self, identifier: str, data: bytes) -> Item:
        """Make a document of the bytes of a text."""
        if not data.strip(_NOTHING):
            return self.drop(identifier, Drop(BookReason.EMPTY, 0, 1))
        decoded = decode_text(data, declared_encoding(data), forced=self.collection.encoding)
        if isinstance(decoded, Drop):
            return self.drop(identifier, decoded)
        return self.document(identifier, decoded.text, decoded.encoding)

    def document(self, identifier: str, text: str, encoding: str, *, is_named: bool = True) -> Document:
        """Make a document of a text, with what is known of it beside.

        Args:
            identifier: Its id.
            text: The text.
            encoding: What it was in.
            is_named: Whether the id ends in a name of its own, by which it is looked up in the list; else in a place.
        """
        document = Document(identifier, SOURCE, text)
        document.metadata.update(dump=self.collection.id, encoding=encoding, original_chars=len(text))
        listed = self.listed.get(identifier.rpartition("/")[2].rpartition("#")[2]) if is_named else None
        if listed is not None:
            document.url, document.created = listed.url, listed.published
            document.metadata["title"] = listed.title
        return document


class Watched:
    """A file as libraries read it: not to be closed, and a failure to read it not taken for a fault of its content.

    Args:
        stream: The file.
    """

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        try:
            return self._stream.read(size)
        except Exception as error:
            self._failure = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; one that cannot be is a fault of the content that names it."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Give the place."""
        return self._stream.tell()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def close(self) -> None:
        """Leave the file open."""

    def check(self) -> None:
        """Raise the error with which reading failed, if it has: what a library makes of that says nothing."""
        if self._failure is not None:
            raise self._failure


class Decompressed:
    """The bytes of a compressed file.

    Args:
        stream: The file, from its first byte.
        codec: ``gzip`` or ``zstd``; several members or frames are read as one.
    """

    def __init__(self, stream: BinaryIO, codec: str) -> None:
        self._stream, self._codec = stream, codec
        self._source = Watched(stream)
        self._inner = pa.CompressedInputStream(pa.PythonFile(cast("BinaryIO", self._source), mode="r"), codec)

    def read(self, size: int) -> bytes:
        """Read on.

        Raises:
            MalformedRecord: The file is damaged or cut.
        """
        try:
            return bytes(self._inner.read(size))
        except (OSError, pa.ArrowException) as error:
            self._source.check()
            raise MalformedRecord(f"books/bad_{self._codec}", str(error), offset=0) from error

    def tell(self) -> int:
        """Give the bytes of the compressed file read so far."""
        return self._stream.tell()


Readable = BinaryIO | Decompressed


def open_decompressed(stream: BinaryIO, head: bytes) -> Readable:
    """Give what decompresses a file, if its first bytes say that it is compressed."""
    codec = next((codec for magic, codec in _CODECS if head.startswith(magic)), None)
    return stream if codec is None else Decompressed(stream, codec)


def read_capped(read: Callable[[int], bytes], max_bytes: int) -> tuple[bytes | None, int]:
    """Read a whole text unless it is too long.

    Returns:
        The text, ``None`` if it is too long, and the bytes read.
    """
    pieces, size = [], 0
    while piece := read(PIECE_BYTES):
        size += len(piece)
        if size > max_bytes:
            return None, size
        pieces.append(piece)
    return b"".join(pieces), size
