"""Batches: the unit of data that flows through a stage, with the account of what became of each document."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import apache_beam as beam
from apache_beam import coders

from filters.verdict import Drop
from pipeline.document import Document, Dropped, MalformedRecord

#: What an element of a fused stage costs Beam to look at: it samples sizes by encoding elements, which is dear for
#: some 32 MB of text, so the coder below answers with this constant instead.
ESTIMATED_BATCH_BYTES = 1 << 20


@dataclass(slots=True)
class Batch:
    """Documents of one shard, bounded in bytes, and what has become of those that entered.

    Attributes:
        shard: Name of the shard it was read from.
        index: Which of the shard's batches it is, from 0.
        read: How many records entered: documents, records dropped by the parser, and malformed records.
        bytes_in: UTF-8 bytes of the text of the documents that entered.
        documents: Those still kept, in the shard's order.
        dropped: Those left out so far, in the order they left.
        errors: Records that could not be read.
        position: Bytes of the shard's file read when the batch was full.
        last: Whether it is the shard's last.
        seconds: Time spent, by step.
        facts: Counts a stage wants in its statistics beside the ones above; added up over batches.
        files: What a stage writes beside documents, e.g. fingerprints: path in the run folder to content and rows.
    """

    shard: str
    index: int
    read: int = 0
    bytes_in: int = 0
    documents: list[Document] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    errors: list[MalformedRecord] = field(default_factory=list)
    position: int = 0
    last: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    facts: Counter[str] = field(default_factory=Counter)
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The stem of every file written for this batch."""
        return batch_name(self.shard, self.index)

    def drop(self, document: Document, verdict: Drop) -> None:
        """Account for a document that a check has turned away; the caller leaves it out of ``documents``."""
        self.dropped.append(
            Dropped(
                document.id,
                document.url,
                verdict.reason,
                verdict.measured,
                verdict.limit,
                document.text,
                verdict.detail,
            )
        )

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time spent inside to the step's seconds."""
        start = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start


def batch_name(shard: str, index: int) -> str:
    """Name a batch by its shard and index alone.

    >>> batch_name("MINI-2019-30~00000.warc.wet.gz", 3)
    'MINI-2019-30~00000.warc.wet.gz-00003'
    """
    return f"{shard}-{index:05d}"


class StepFailed(Exception):
    """Code of a stage failed on a document: a bug, never a property of the input. Stops the run.

    Attributes:
        shard: The shard or batch at work.
        document: The document at work, or empty.
        cause: The exception, one line.
    """

    def __init__(self, shard: str, document: str, cause: str) -> None:
        super().__init__(shard, document, cause)
        self.shard = shard
        self.document = document
        self.cause = cause

    def __str__(self) -> str:
        where = f"shard {self.shard}" + (f", document {self.document}" if self.document else "")
        return f"{where}: {self.cause}"


class Blame:
    """Context that turns any exception into a :class:`StepFailed` naming shard and document.

    >>> with Blame("shard-0") as blame:
    ...     blame.document = "cc/1"
    ...     1 / 0
    Traceback (most recent call last):
    pipeline.batch.StepFailed: shard shard-0, document cc/1: ZeroDivisionError: division by zero
    """

    def __init__(self, shard: str) -> None:
        self.shard = shard
        self.document = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, StepFailed):
            text = " ".join(str(error).split())
            raise StepFailed(self.shard, self.document, f"{type(error).__name__}: {text}") from error


class BatchCoder(coders.FastPrimitivesCoder):  # type: ignore[misc]
    """Pickles batches as Beam would, but does not pickle one to learn its size."""

    def estimate_size(self, value: Batch) -> int:  # noqa: ARG002
        """Give a constant: see :data:`ESTIMATED_BATCH_BYTES`."""
        return ESTIMATED_BATCH_BYTES

    def _create_impl(self) -> coders.coder_impl.CoderImpl:
        return _BatchCoderImpl(super()._create_impl())


class _BatchCoderImpl(coders.coder_impl.StreamCoderImpl):  # type: ignore[misc]
    def __init__(self, inner: coders.coder_impl.CoderImpl) -> None:
        self._inner = inner

    def encode_to_stream(self, value: Batch, stream: Any, nested: bool) -> None:  # noqa: FBT001
        self._inner.encode_to_stream(value, stream, nested)

    def decode_from_stream(self, stream: Any, nested: bool) -> Batch:  # noqa: FBT001
        batch: Batch = self._inner.decode_from_stream(stream, nested)
        return batch

    def estimate_size(self, value: Batch, nested: bool = False) -> int:  # noqa: ARG002, FBT001, FBT002
        return ESTIMATED_BATCH_BYTES

    def get_estimated_size_and_observables(self, value: Batch, nested: bool = False) -> tuple[int, list[Any]]:  # noqa: ARG002, FBT001, FBT002
        return ESTIMATED_BATCH_BYTES, []


beam.coders.registry.register_coder(Batch, BatchCoder)
