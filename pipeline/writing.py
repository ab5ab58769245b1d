"""Writing: a batch's documents, dropped documents and errors under names that follow from it, then its commit."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from pipeline.batch import Batch, Blame
from pipeline.commits import Commit, write_commit
from pipeline.document import MalformedRecord, utf8_size
from pipeline.files import WrittenFile, write_output
from pipeline.parquet import Codec, documents_to_parquet, dropped_to_parquet
from tokenizer.sampling import is_sampled


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a stage's batches are written.

    Attributes:
        run: The run folder.
        stage: The stage's name.
        source: The source's name.
        documents: Folder of the kept documents, relative to the run folder, or ``None`` to write none.
        dropped_text_fraction: Share of the dropped documents whose text is kept beside the reason.
        seed: Which documents those are.
        codec: How kept documents are compressed. What is read once and soon, under ``work/``, may be light.
    """

    run: str
    stage: str
    source: str
    documents: str | None
    dropped_text_fraction: float = 1.0
    seed: int = 0
    codec: Codec = "zstd"


class WriteBatches(beam.PTransform):  # type: ignore[misc]
    """Write each batch's documents, dropped documents and errors, then its commit record.

    File names follow from shard and index alone, so a bundle that is tried again overwrites its own files. Out: the
    name of each batch written.

    Args:
        outputs: Where to.
    """

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self._outputs = outputs

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(write_batch, self._outputs).with_output_types(str)


def write_batch(batch: Batch, outputs: Outputs) -> str:
    """Write one batch and give its name.

    Raises:
        StepFailed: A document that entered left twice or not at all.
    """
    with Blame(batch.name):
        _check_account(batch)
        with batch.timed("write"):
            written = [*_write_documents(batch, outputs), *write_left_out(batch, outputs)]
        bytes_out = sum(utf8_size(document.text) for document in batch.documents)
        commit_batch(batch, outputs, written, kept=len(batch.documents), bytes_out=bytes_out)
    return batch.name


def _check_account(batch: Batch) -> None:
    left = len(batch.documents) + len(batch.dropped) + sum(error.is_record for error in batch.errors)
    if left != batch.read:
        raise RuntimeError(f"{batch.read} records entered the batch, {left} left it")


def _write_documents(batch: Batch, outputs: Outputs) -> Iterator[WrittenFile]:
    if outputs.documents is not None and batch.documents:
        content = documents_to_parquet(batch.documents, outputs.codec)
        path = f"{outputs.documents}/part-{batch.name}.parquet"
        yield write_output(outputs.run, path, content, rows=len(batch.documents))


def write_left_out(batch: Batch, outputs: Outputs) -> Iterator[WrittenFile]:
    """Write what a batch has beside its documents: those that were dropped, errors, and the stage's own files."""
    run, name = outputs.run, batch.name
    if batch.dropped:
        keep = [is_sampled(row.id, outputs.dropped_text_fraction, outputs.seed) for row in batch.dropped]
        content = dropped_to_parquet(batch, outputs.source, outputs.stage, keep)
        path = f"dropped/{outputs.source}/part-{outputs.stage}-{name}.parquet"
        yield write_output(run, path, content, rows=len(batch.dropped))
    if batch.errors:
        path = f"errors/{outputs.source}/part-{outputs.stage}-{name}.jsonl"
        yield write_output(run, path, _error_lines(batch), rows=len(batch.errors))
    for path, (bytes_, rows) in batch.files.items():
        yield write_output(run, path, bytes_, rows=rows)


def _error_lines(batch: Batch) -> bytes:
    rows = (
        {
            "shard": batch.shard,
            "offset": error.offset,
            "inner_offset": error.inner_offset,
            "cause": error.cause,
            "detail": error.detail,
            "is_record": error.is_record,
        }
        for error in batch.errors
    )
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def commit_batch(batch: Batch, outputs: Outputs, written: Sequence[WrittenFile], *, kept: int, bytes_out: int) -> None:
    """Write the commit record of a batch whose files are written: ``kept`` documents of ``bytes_out`` in UTF-8."""
    commit = Commit(
        shard=batch.shard,
        index=batch.index,
        last=batch.last,
        position=batch.position,
        read=batch.read,
        kept=kept,
        dropped=dict(sorted(Counter(str(row.reason) for row in batch.dropped).items())),
        errors=_causes(error for error in batch.errors if error.is_record),
        gaps=_causes(error for error in batch.errors if not error.is_record),
        bytes_in=batch.bytes_in,
        bytes_out=bytes_out,
        seconds=batch.seconds,
        facts=dict(batch.facts),
        outputs=tuple(written),
    )
    write_commit(outputs.run, outputs.stage, commit)


def _causes(errors: Iterable[MalformedRecord]) -> dict[str, int]:
    return dict(sorted(Counter(error.cause for error in errors).items()))
