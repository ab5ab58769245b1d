"""Settings of books: the collections they come from, how they are read, and what a book is held to."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from filters.books import BookLimits
from filters.encoding import python_name
from pipeline.book_dedup_settings import BookDedupSettings


class BookKind(StrEnum):
    """What is taken out of the books of a collection beside wrong line ends.

    ``gutenberg``: Project Gutenberg's headers, licences and credits; a number in a file's name is the ebook's.
    ``plain``: nothing. ``auto``: as ``gutenberg`` where the marks of Project Gutenberg are found, else nothing.
    """

    GUTENBERG = "gutenberg"
    PLAIN = "plain"
    AUTO = "auto"


class BookCollection(BaseModel):
    """One collection of books, such as Project Gutenberg or Books3.

    Attributes:
        id: Its name, the first part of its books' ids, and their ``metadata.dump``.
        paths: Globs, folders, files, or lists of paths, relative to ``data``. Read are texts (``.txt`` or ``.text``),
            ``.zip`` with texts in it, ``.parquet``, and JSON lines (``.jsonl``, ``.ndjson`` or ``.json``, one object a
            line); texts and lines may be compressed (``.gz``, ``.zst``). Files of other kinds are passed over, and the
            run says how many.
        kind: What is taken out of its books.
        encoding: The encoding of its texts, as Python names it; ``null`` finds out for each.
        metadata: PG-19's ``metadata.csv`` (number, title, year of publication, address a row), relative to ``data``.
            The number is the name of the book's file, of its member of an archive, or its id.
        text_column: The column or field with the text, in Parquet and JSON lines.
        id_column: The one with the id; of several books of one id the first by file and row stays. ``null`` numbers
            the rows of each file, and so are rows whose id is null or empty.
        title_column: The one with the title, which JSON may leave out; ``null`` where there is none.
        author_column: The one with the author, in the same way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    kind: BookKind = BookKind.AUTO
    encoding: str | None = None
    metadata: Annotated[str, Field(min_length=1)] | None = None
    text_column: Annotated[str, Field(min_length=1)] = "text"
    id_column: Annotated[str, Field(min_length=1)] | None = None
    title_column: Annotated[str, Field(min_length=1)] | None = None
    author_column: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        if encoding is None:
            return None
        name = python_name(encoding)
        if name is None:
            raise ValueError("no text encoding that Python knows, such as utf-8 or cp1252")
        return name


class BooksSettings(BaseModel):
    """Books: Project Gutenberg and Books3 in LLaMA.

    Attributes:
        collections: Where they come from.
        limits: What a book is held to.
        dedup: Which books go as near-duplicates of others; ``null`` keeps all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    collections: Annotated[tuple[BookCollection, ...], Field(min_length=1)]
    limits: BookLimits = BookLimits()
    dedup: BookDedupSettings | None = BookDedupSettings()

    @model_validator(mode="after")
    def _ids_differ(self) -> "BooksSettings":
        names = [collection.id for collection in self.collections]
        if len(set(names)) < len(names):
            raise ValueError(f"collections must have different ids, not {names}")
        return self

    def collection(self, identifier: str) -> BookCollection:
        """Give the collection of an id."""
        return next(collection for collection in self.collections if collection.id == identifier)
