"""Sketches of a batch of books: the step that makes them, and the two files that keep them beside the documents.

One holds the keys that meet those of all other books, one says of each book how long it is.
"""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from filters.book_shingles import shingle_hashes
from filters.book_sketch import Sketch, sketch_book
from pipeline.batch import Batch, Blame, batch_name
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.document import Document
from pipeline.files import join, read_bytes
from pipeline.sources.book_tables import SKETCHED, encode_table, read_table

#: Bytes a key takes in the shuffle: 64 bits, and which book of the batch it is of.
KEY_BYTES = 12
#: How many keys a batch has, among its facts.
KEYS_FACT = "sketch_keys"

_READERS = 16
_LAST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Keyed:
    """Keys of the books of a batch.

    Attributes:
        keys: Ascending; of equal ones, the book that comes first. Shape (keys,).
        books: The book each is of, by its place in the batch. Shape (keys,).
    """

    keys: NDArray[np.uint64]
    books: NDArray[np.uint32]

    def between(self, low: int, high: int) -> "Keyed":
        """Take the keys from ``low`` up to ``high`` (exclusive)."""
        start = int(np.searchsorted(self.keys, np.uint64(low)))
        end = len(self.keys) if high > _LAST else int(np.searchsorted(self.keys, np.uint64(high)))
        return Keyed(self.keys[start:end], self.books[start:end])


@dataclass(frozen=True, slots=True)
class BatchKeys:
    """What the books of a batch are compared by.

    Attributes:
        samples: Their sampled shingles.
        bands: Keys of the bands of their signatures.
    """

    samples: Keyed
    bands: Keyed

    def to_bytes(self) -> bytes:
        """Encode as an uncompressed ``.npz``; equal keys give equal bytes."""
        sink = io.BytesIO()
        np.savez(
            sink,
            samples=self.samples.keys,
            sample_books=self.samples.books,
            bands=self.bands.keys,
            band_books=self.bands.books,
        )
        return sink.getvalue()


@dataclass(frozen=True, slots=True)
class BatchBooks:
    """What is known of the books of a batch.

    Attributes:
        shard: The batch's shard.
        index: Its index.
        ids: The documents' ids, in order.
        chars: Characters of each text. Shape (books,).
        shingles: Distinct shingles of each. Shape (books,).
        samples: Sampled shingles of each. Shape (books,).
    """

    shard: str
    index: int
    ids: Sequence[str]
    chars: NDArray[np.int64]
    shingles: NDArray[np.int64]
    samples: NDArray[np.int64]


def read_keys(run: str, stage: str, batch: str) -> BatchKeys:
    """Read the keys of a batch."""
    with np.load(io.BytesIO(read_bytes(join(run, _keys_path(stage, batch)))), allow_pickle=False) as arrays:
        samples = Keyed(arrays["samples"], arrays["sample_books"])
        return BatchKeys(samples, Keyed(arrays["bands"], arrays["band_books"]))


def read_books(run: str, stage: str, batches: Sequence[tuple[str, int]]) -> list[BatchBooks]:
    """Read what is known of the books of batches, in the order given."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda batch: _read_books(run, stage, *batch), batches))


def _read_books(run: str, stage: str, shard: str, index: int) -> BatchBooks:
    table = read_table(join(run, _books_path(stage, batch_name(shard, index))))
    chars, shingles, samples = (table.column(name).to_numpy() for name in ("chars", "shingles", "samples"))
    return BatchBooks(shard, index, table.column("id").to_pylist(), chars, shingles, samples)


def _keys_path(stage: str, batch: str) -> str:
    return f"work/{stage}/sketches/keys-{batch}.npz"


def _books_path(stage: str, batch: str) -> str:
    return f"work/{stage}/sketches/books-{batch}.parquet"


class SketchBooks(beam.PTransform):  # type: ignore[misc]
    """Sketch the books of each batch; they go on unchanged. A batch without books has no sketches.

    To stand before the step that writes the documents: a book is known by its place among them.

    Args:
        stage: The stage that keeps the sketches.
        settings: How books are sketched.
    """

    def __init__(self, stage: str, settings: BookDedupSettings) -> None:
        super().__init__()
        self._arguments = stage, settings

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_sketch_batch, *self._arguments).with_output_types(Batch)


def _sketch_batch(batch: Batch, stage: str, settings: BookDedupSettings) -> Batch:
    if not batch.documents:
        return batch
    found = []
    with Blame(batch.name) as blame, batch.timed("sketch"):
        for book in batch.documents:
            blame.document = book.id
            hashes = shingle_hashes(book.text, words=settings.shingle_words, chars=settings.shingle_chars)
            found.append(sketch_book(hashes, settings.shape))
        keys = BatchKeys(_gather([one.samples for one in found]), _gather([one.bands for one in found]))
        batch.files[_keys_path(stage, batch.name)] = keys.to_bytes(), len(found)
        batch.files[_books_path(stage, batch.name)] = _describe(batch.documents, found), len(found)
        batch.facts[KEYS_FACT] = len(keys.samples.keys) + len(keys.bands.keys)
    return batch


def _describe(books: Sequence[Document], sketches: Sequence[Sketch]) -> bytes:
    columns = {
        "id": [book.id for book in books],
        "chars": [len(book.text) for book in books],
        "shingles": [sketch.shingles for sketch in sketches],
        "samples": [len(sketch.samples) for sketch in sketches],
    }
    return encode_table(columns, SKETCHED)


def _gather(parts: Sequence[NDArray[np.uint64]]) -> Keyed:
    keys = np.concatenate(parts)
    books = np.repeat(np.arange(len(parts), dtype=np.uint32), [len(part) for part in parts])
    order = np.argsort(keys, kind="stable")
    return Keyed(keys[order], books[order])
