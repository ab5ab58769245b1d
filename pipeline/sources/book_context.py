"""What the readers of books share: ids, and what becomes of bytes that are no book."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.books import BookReason
from filters.encoding import decode_text
from filters.gutenberg_fields import declared_encoding
from filters.verdict import Drop
from pipeline.books_settings import BookCollection
from pipeline.document import Document, Dropped, Shard
from pipeline.reading import Item
from pipeline.sources.book_listing import ListedBook

SOURCE = "books"

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
