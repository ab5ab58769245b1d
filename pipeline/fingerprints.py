"""Fingerprints of a batch: what crosses the shuffle in place of its text, and the masks that come back.

Of each batch one file is kept, some 12 bytes a line: the fingerprints of its lines in order of size, so that a range
of them is a slice; the line each belongs to; the lines repeated inside their own document, which never leave the
batch; and two fingerprints of each document: of its id, or of the key it is known by, and of its content.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
import numpy as np
import xxhash
from numpy.typing import NDArray

from filters.line_dedup import LineDedupReason, fingerprint_lines, remove_lines
from filters.verdict import Drop, Reason
from pipeline.batch import Batch, Blame
from pipeline.document import Document
from pipeline.files import join, open_read, read_bytes


def _no_keys() -> NDArray[np.uint64]:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of one batch.

    Attributes:
        hashes: 64-bit fingerprints of lines, ascending; equal ones in the order of their lines. A line that stands
            twice in a document is there once. Shape (fingerprints,).
        lines: The line of each, counted through the batch. Shape (fingerprints,).
        repeats: Lines that stand in their document before. Shape (repeats,), ascending.
        line_counts: Lines of each document. Shape (documents,).
        ids: 64-bit fingerprint of each document's id, or of another key it is known by. Shape (documents,).
        pages: 64-bit fingerprint of each document's content, title and text. Shape (documents,), or (0,).
        order: What decides which copy comes first, before the place in the files: the smallest does. Shape
            (documents,), or (0,) where the place alone decides.
    """

    hashes: NDArray[np.uint64]
    lines: NDArray[np.uint32]
    repeats: NDArray[np.uint32]
    line_counts: NDArray[np.uint32]
    ids: NDArray[np.uint64]
    pages: NDArray[np.uint64] = field(default_factory=_no_keys)
    order: NDArray[np.uint64] = field(default_factory=_no_keys)

    @property
    def documents(self) -> NDArray[np.int64]:
        """The document each of ``hashes`` belongs to. Shape (fingerprints,)."""
        return np.repeat(np.arange(len(self.line_counts)), self.line_counts)[self.lines]

    def to_bytes(self) -> bytes:
        """Encode as an uncompressed ``.npz``; equal fingerprints give equal bytes."""
        sink = io.BytesIO()
        np.savez(
            sink,
            hashes=self.hashes,
            lines=self.lines,
            repeats=self.repeats,
            line_counts=self.line_counts,
            ids=self.ids,
            pages=self.pages,
            order=self.order,
        )
        return sink.getvalue()


def fingerprint_documents(documents: Sequence[Document], each: Callable[[Document], object] = id) -> Fingerprints:
    """Fingerprint lines, ids and content of the documents of a batch.

    Args:
        documents: The documents.
        each: Called with each document before it is worked on.
    """
    parts, ids, pages = [], [], []
    for document in documents:
        each(document)
        parts.append(fingerprint_lines(document.text))
        ids.append(xxhash.xxh3_64_intdigest(document.id.encode()))
        pages.append(fingerprint_content(document))
    return gather_fingerprints(parts, ids=np.array(ids, np.uint64), pages=np.array(pages, np.uint64))


def fingerprint_content(document: Document) -> int:
    """Give the 64 bits a document's title and text are known by."""
    return xxhash.xxh3_64_intdigest(f"{document.metadata.get('title', '')}\n{document.text}".encode())


def gather_fingerprints(
    parts: Sequence[NDArray[np.uint64]],
    *,
    ids: NDArray[np.uint64],
    pages: NDArray[np.uint64] | None = None,
    order: NDArray[np.uint64] | None = None,
) -> Fingerprints:
    """Put the fingerprints of a batch's documents into order.

    Args:
        parts: For each document the fingerprints of its lines, in their order.
        ids: Fingerprint of each document's id. Shape (documents,).
        pages: Fingerprint of each document's content. Shape (documents,).
        order: What decides between copies before their place does. Shape (documents,).
    """
    counts = np.array([len(part) for part in parts], np.uint32)
    hashes = np.concatenate([_no_keys(), *parts])
    by_size = np.argsort(hashes, kind="stable")
    owners = np.repeat(np.arange(len(parts)), counts)[by_size]
    ascending = hashes[by_size]
    repeated = np.zeros(len(hashes), np.bool_)
    repeated[1:] = (ascending[1:] == ascending[:-1]) & (owners[1:] == owners[:-1])
    return Fingerprints(
        hashes=ascending[~repeated],
        lines=by_size[~repeated].astype(np.uint32),
        repeats=np.sort(by_size[repeated]).astype(np.uint32),
        line_counts=counts,
        ids=ids,
        pages=_no_keys() if pages is None else pages,
        order=_no_keys() if order is None else order,
    )


def fingerprints_path(stage: str, batch: str) -> str:
    """Give the path of a batch's fingerprints, relative to the run folder."""
    return f"work/{stage}/part-{batch}.npz"


def read_fingerprints(path: str) -> Fingerprints:
    """Read a batch's fingerprints."""
    with open_read(path) as stream, np.load(stream, allow_pickle=False) as arrays:
        return Fingerprints(**{name: arrays[name] for name in arrays.files})


class FingerprintBatches(beam.PTransform):  # type: ignore[misc]
    """Fingerprint each batch's documents; the documents go on unchanged.

    Args:
        stage: The stage that keeps the fingerprints.
        fingerprint: Gives the fingerprints of documents; it calls its second argument with each one.
    """

    def __init__(
        self,
        stage: str,
        fingerprint: Callable[[Sequence[Document], Callable[[Document], object]], Fingerprints] = fingerprint_documents,
    ) -> None:
        super().__init__()
        self._arguments = stage, fingerprint

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_fingerprint_batch, *self._arguments).with_output_types(Batch)


def _fingerprint_batch(
    batch: Batch,
    stage: str,
    fingerprint: Callable[[Sequence[Document], Callable[[Document], object]], Fingerprints],
) -> Batch:
    with Blame(batch.name) as blame, batch.timed("fingerprint"):
        found = fingerprint(batch.documents, lambda document: setattr(blame, "document", document.id))
        lines = len(found.lines) + len(found.repeats)
        batch.files[fingerprints_path(stage, batch.name)] = (found.to_bytes(), lines or len(found.ids))
        batch.facts["lines"] = lines
    return batch


def masks_path(stage: str, batch: str, part: int) -> str:
    """Give the path of a part of a batch's mask, relative to the run folder."""
    return f"work/{stage}/part-{batch}.{part:03d}.npz"


def mask_to_bytes(mask: NDArray[np.bool_], parts: int) -> bytes:
    """Encode a mask, a bit each, with the number of parts that make it whole."""
    sink = io.BytesIO()
    np.savez(sink, bits=np.packbits(mask), size=np.int64(len(mask)), parts=np.int64(parts))
    return sink.getvalue()


def read_mask(run: str, stage: str, batch: str) -> NDArray[np.bool_]:
    """Read a batch's mask: what any of its parts marks.

    Returns:
        Whether each line, or document, of the batch is marked. Shape (lines,) or (documents,).
    """
    mask, parts = read_mask_part(join(run, masks_path(stage, batch, 0)))
    for part in range(1, parts):
        mask |= read_mask_part(join(run, masks_path(stage, batch, part)))[0]
    return mask


def read_mask_part(path: str) -> tuple[NDArray[np.bool_], int]:
    """Read a part of a mask, and of how many parts it is one."""
    with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
        bits = np.unpackbits(arrays["bits"], count=int(arrays["size"]))
        return bits.astype(np.bool_), int(arrays["parts"])


class DuplicateReason(Reason):
    """Why a whole document is left out as a copy."""

    ID = "duplicate/id"
    CONTENT = "duplicate/content"


class DropDuplicates(beam.PTransform):  # type: ignore[misc]
    """Leave out documents that are copies, and take the duplicate lines out of the others.

    A document that has no line left is left out too. The documents must be those that were fingerprinted, read again:
    a batch that does not match its masks stops the run.

    Args:
        run: The run folder.
        documents: The stages that found copies of documents, with the reason each gives, in order.
        lines: The stage that found the duplicate lines, if any.
        no_line_left: The reason of a document that has no line left.
        take_out: Takes out of a text what the mask from here on marks; gives the text and how many marks were its own.
    """

    def __init__(
        self,
        run: str,
        *,
        documents: Mapping[str, Reason],
        lines: str | None = None,
        no_line_left: Reason = LineDedupReason.NO_LINE_LEFT,
        take_out: "TakeOut | None" = None,
    ) -> None:
        super().__init__()
        self._arguments = run, dict(documents), lines, no_line_left, take_out or take_lines_out

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_drop_duplicates, *self._arguments).with_output_types(Batch)


#: Text and mask to the text that is left (empty: nothing) and the marks that were its own.
TakeOut = Callable[[str, NDArray[np.bool_]], tuple[str, int]]


def take_lines_out(text: str, marks: NDArray[np.bool_]) -> tuple[str, int]:
    """Take the marked lines out of a text; nothing is left when all are marked."""
    own = text.count("\n") + 1
    removed = marks[:own]
    return ("" if removed.all() else remove_lines(text, removed)), own


def _drop_duplicates(
    batch: Batch,
    run: str,
    documents: Mapping[str, Reason],
    lines: str | None,
    no_line_left: Reason,
    take_out: TakeOut,
) -> Batch:
    if not batch.documents:
        return batch
    with Blame(batch.name) as blame, batch.timed("dedup"):
        copies = find_copies(run, documents, batch.name, len(batch.documents))
        kept: list[Document] = []
        mask = read_mask(run, lines, batch.name) if lines is not None else None
        start = 0
        for place, document in enumerate(batch.documents):
            blame.document = document.id
            text, own = (document.text, 0) if mask is None else take_out(document.text, mask[start:])
            verdict = copies.get(place)
            if verdict is None and mask is not None:
                batch.facts["lines"] += own
                batch.facts["lines_removed"] += int(mask[start : start + own].sum())
                verdict = None if text else Drop(no_line_left, measured=0, limit=1)
            start += own
            if verdict is None:
                document.text = text
                kept.append(document)
            else:
                batch.drop(document, verdict)
        if mask is not None and start != len(mask):
            raise RuntimeError(f"{start} lines read again, {len(mask)} were fingerprinted: has the input changed?")
        batch.documents = kept
    return batch


def find_copies(run: str, stages: Mapping[str, Reason], batch: str, documents: int) -> dict[int, Drop]:
    """Give the verdict of each document that is a copy, by its place in the batch.

    Args:
        run: The run folder.
        stages: The stages that found copies, with the reason each gives; the first one's holds.
        batch: The batch's name.
        documents: How many documents it has, which must be those that were fingerprinted.
    """
    found: dict[int, Drop] = {}
    for stage, reason in stages.items():
        mask = read_mask(run, stage, batch)
        if len(mask) != documents:
            counts = f"{documents} documents read again, {len(mask)} were fingerprinted"
            raise RuntimeError(f"{counts}: has the input changed?")
        for place in np.flatnonzero(mask).tolist():
            found.setdefault(place, Drop(reason))
    return found
