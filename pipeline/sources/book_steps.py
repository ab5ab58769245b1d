"""The steps that make a text the text of a book: what does not belong to it goes, and what is too short is left out."""

from collections.abc import Callable, Sequence

import apache_beam as beam
import numpy as np
import xxhash

from filters.books import BookReason, check_book_length
from filters.gutenberg import find_leftovers, strip_gutenberg
from filters.gutenberg_fields import Header, number_of_file
from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.books_settings import BookKind, BooksSettings
from pipeline.document import Document
from pipeline.fingerprints import Fingerprints, gather_fingerprints
from pipeline.leftovers import LeftoverNotes
from pipeline.sources.book_units import is_row

_EBOOK = "https://www.gutenberg.org/ebooks/{}"


class CleanBooks(beam.PTransform):  # type: ignore[misc]
    """Take out what Project Gutenberg has put around its books, and leave out what is then no book.

    Each book that comes in goes on with its text, address, language and title, or is dropped. What was removed is
    counted in the batch's facts, what should have been in the leftovers of the stage.

    Args:
        stage: The stage's name.
        settings: The source's settings.
    """

    def __init__(self, stage: str, settings: BooksSettings) -> None:
        super().__init__()
        self._stage, self._settings = stage, settings

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_clean_batch, self._stage, self._settings).with_output_types(Batch)


def _clean_batch(batch: Batch, stage: str, settings: BooksSettings) -> Batch:
    kept = []
    notes = LeftoverNotes(batch, stage)
    with Blame(batch.name) as blame, batch.timed("clean"):
        for book in batch.documents:
            blame.document = book.id
            kind = settings.collection(str(book.metadata["dump"])).kind
            verdict = _strip(batch, book, kind) or check_book_length(book.text, settings.limits)
            if verdict is not None:
                batch.drop(book, verdict)
                continue
            kept.append(book)
            if kind is not BookKind.PLAIN:
                notes.add(book.id, find_leftovers(book.text))
    batch.documents = kept
    notes.write()
    return batch


def _strip(batch: Batch, book: Document, kind: BookKind) -> Drop | None:
    if kind is BookKind.PLAIN:
        return None
    stripped = strip_gutenberg(book.text)
    batch.facts["books with marks of Project Gutenberg"] += stripped.is_gutenberg
    batch.facts["chars removed"] += len(book.text) - len(stripped.text)
    for removed in stripped.removed:
        batch.facts[f"removed {removed.kind}"] += 1
    if stripped.is_gutenberg or kind is BookKind.GUTENBERG:
        _describe(book, stripped.header)
    if stripped.is_gutenberg and not stripped.text.strip():
        return Drop(BookReason.ONLY_BOILERPLATE, 0, 1)
    book.text = stripped.text
    return None


def _describe(book: Document, header: Header) -> None:
    number = header.number or (0 if is_row(book.id) else number_of_file(book.id))
    book.url = book.url or (_EBOOK.format(number) if number else "")
    book.language = book.language or header.language
    book.created = book.created or header.released
    for name, value in (("title", header.title), ("author", header.author)):
        if value and not book.metadata.get(name):
            book.metadata[name] = value


def fingerprint_ids(books: Sequence[Document], each: Callable[[Document], object]) -> Fingerprints:
    """Fingerprint the ids of books; of one id the first by file and place comes first.

    Args:
        books: The books.
        each: Called with each before it is worked on.
    """
    ids = []
    for book in books:
        each(book)
        ids.append(xxhash.xxh3_64_intdigest(book.id.encode()))
    return gather_fingerprints([np.empty(0, np.uint64)] * len(ids), ids=np.array(ids, np.uint64))
