"""Fingerprints of a batch: what crosses the shuffle in place of its text, and the masks that come back.

Of each batch one file is kept, some 12 bytes a line: the fingerprints of its lines in order of size, so that a range
of them is a slice; the line each belongs to; the lines repeated inside their own document, which never leave the
batch; and a fingerprint of each document's id.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import xxhash
from numpy.typing import NDArray

from filters.line_dedup import LineDedupReason, fingerprint_lines, remove_lines
from filters.verdict import Drop, Reason
from pipeline.batch import Batch, Blame
from pipeline.document import Document
from pipeline.files import join, open_read, read_bytes


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of one batch.

    Attributes:
        hashes: 64-bit fingerprints of lines, ascending; equal ones in the order of their lines. A line that stands
            twice in a document is there once. Shape (fingerprints,).
        lines: The line of each, counted through the batch. Shape (fingerprints,).
        repeats: Lines that stand in their document before. Shape (repeats,), ascending.
        line_counts: Lines of each document. Shape (documents,).
        ids: 64-bit fingerprint of each document's id. Shape (documents,).
    """

    hashes: NDArray[np.uint64]
    lines: NDArray[np.uint32]
    repeats: NDArray[np.uint32]
    line_counts: NDArray[np.uint32]
    ids: NDArray[np.uint64]

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
        )
        return sink.getvalue()


def fingerprint_documents(documents: Sequence[Document], each: Callable[[Document], object] = id) -> Fingerprints:
    """Fingerprint the documents of a batch.

    Args:
        documents: The documents.
        each: Called with each document before it is worked on.
    """
    parts = []
    for document in documents:
        each(document)
        parts.append(fingerprint_lines(document.text))
    counts = np.array([len(part) for part in parts], np.uint32)
    hashes = np.concatenate(parts) if parts else np.empty(0, np.uint64)
    order = np.argsort(hashes, kind="stable")
    owners = np.repeat(np.arange(len(parts)), counts)[order]
    ascending = hashes[order]
    repeated = np.zeros(len(hashes), np.bool_)
    repeated[1:] = (ascending[1:] == ascending[:-1]) & (owners[1:] == owners[:-1])
    return Fingerprints(
        hashes=ascending[~repeated],
        lines=order[~repeated].astype(np.uint32),
        repeats=np.sort(order[repeated]).astype(np.uint32),
        line_counts=counts,
        ids=np.array([xxhash.xxh3_64_intdigest(document.id.encode()) for document in documents], np.uint64),
    )


def fingerprints_path(stage: str, batch: str) -> str:
    """Give the path of a batch's fingerprints, relative to the run folder."""
    return f"work/{stage}/part-{batch}.npz"


def read_fingerprints(path: str) -> Fingerprints:
    """Read a batch's fingerprints."""
    with open_read(path) as stream, np.load(stream, allow_pickle=False) as arrays:
        return Fingerprints(**{name: arrays[name] for name in arrays.files})


class FingerprintLines(beam.PTransform):  # type: ignore[misc]
    """Fingerprint the lines and ids of each batch's documents; the documents go on unchanged.

    Args:
        stage: The stage that keeps the fingerprints.
    """

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_fingerprint_batch, self._stage).with_output_types(Batch)


def _fingerprint_batch(batch: Batch, stage: str) -> Batch:
    with Blame(batch.name) as blame, batch.timed("fingerprint"):
        found = fingerprint_documents(batch.documents, lambda document: setattr(blame, "document", document.id))
        batch.files[fingerprints_path(stage, batch.name)] = (found.to_bytes(), len(found.lines) + len(found.repeats))
        batch.facts["lines"] = len(found.lines) + len(found.repeats)
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
    mask, parts = _read_mask_part(join(run, *masks_path(stage, batch, 0).split("/")))
    for part in range(1, parts):
        mask |= _read_mask_part(join(run, *masks_path(stage, batch, part).split("/")))[0]
    return mask


def _read_mask_part(path: str) -> tuple[NDArray[np.bool_], int]:
    with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
        bits = np.unpackbits(arrays["bits"], count=int(arrays["size"]))
        return bits.astype(np.bool_), int(arrays["parts"])


class DuplicateReason(Reason):
    """Why a whole document is left out as a copy."""

    ID = "duplicate/id"


class DropDuplicates(beam.PTransform):  # type: ignore[misc]
    """Leave out documents whose id stood before, and take the duplicate lines out of the others.

    A document that has no line left is left out too. The documents must be those that were fingerprinted, read again:
    a batch whose lines do not match its mask stops the run.

    Args:
        run: The run folder.
        ids: The stage that found the ids seen before.
        lines: The stage that found the duplicate lines.
    """

    def __init__(self, run: str, *, ids: str, lines: str) -> None:
        super().__init__()
        self._arguments = run, ids, lines

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_drop_duplicates, *self._arguments).with_output_types(Batch)


def _drop_duplicates(batch: Batch, run: str, ids: str, lines: str) -> Batch:
    if not batch.documents:
        return batch
    with Blame(batch.name) as blame, batch.timed("line_dedup"):
        copies, mask = read_mask(run, ids, batch.name), read_mask(run, lines, batch.name)
        kept, start = [], 0
        for document, is_copy in zip(batch.documents, copies.tolist(), strict=True):
            blame.document = document.id
            removed = mask[start : start + document.text.count("\n") + 1]
            start += document.text.count("\n") + 1
            verdict = Drop(DuplicateReason.ID) if is_copy else _take_lines_out(batch, document, removed)
            if verdict is None:
                kept.append(document)
            else:
                batch.drop(document, verdict)
        if start != len(mask):
            raise RuntimeError(f"{start} lines read again, {len(mask)} were fingerprinted: has the input changed?")
        batch.documents = kept
    return batch


def _take_lines_out(batch: Batch, document: Document, removed: NDArray[np.bool_]) -> Drop | None:
    batch.facts["lines"] += len(removed)
    batch.facts["lines_removed"] += int(removed.sum())
    if removed.all():
        return Drop(LineDedupReason.NO_LINE_LEFT, measured=0, limit=1)
    document.text = remove_lines(document.text, removed)
    return None
