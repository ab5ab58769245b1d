"""Scores without texts: what a model says of each document, in files beside the documents it was asked about.

A score file holds a batch's scores in the order of its documents, so that a later stage reads both side by side and a
model's word costs a few bytes a document on disk, not the text once more.
"""

import io
from collections.abc import Iterator, Sequence

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.batch import Batch
from pipeline.document import METADATA, Document
from pipeline.files import join, open_read
from pipeline.parquet import read_documents
from pipeline.stage import BatchFile

_LANGUAGE = "language"


def scores_path(stage: str, batch: str) -> str:
    """Give the path of a batch's scores, relative to the run folder."""
    return f"work/{stage}/part-{batch}.parquet"


class KeepScores(beam.PTransform):  # type: ignore[misc]
    """Put the scores of each batch's documents into a score file; the documents go on unchanged.

    Args:
        stage: The stage that keeps the scores.
        fields: The metadata fields to keep beside the language.
    """

    def __init__(self, stage: str, fields: Sequence[str]) -> None:
        super().__init__()
        self._arguments = stage, tuple(fields)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_keep_scores, *self._arguments).with_output_types(Batch)


def _keep_scores(batch: Batch, stage: str, fields: Sequence[str]) -> Batch:
    if batch.documents:
        content = scores_to_parquet(batch.documents, fields)
        batch.files[scores_path(stage, batch.name)] = content, len(batch.documents)
    return batch


def scores_to_parquet(documents: Sequence[Document], fields: Sequence[str]) -> bytes:
    """Encode the language and some metadata fields of documents; equal ones give equal bytes."""
    columns = {_LANGUAGE: pa.array([document.language for document in documents], pa.string())}
    for name in fields:
        columns[name] = pa.array([document.metadata.get(name) for document in documents], METADATA.field(name).type)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def read_scores(path: str) -> pa.Table:
    """Read a score file."""
    with open_read(path) as stream:
        return pq.ParquetFile(stream).read()


def read_with_scores(file: BatchFile, *, run: str, stages: Sequence[str]) -> Iterator[Batch]:
    """Read a committed documents file as the batch it was, with what later stages have said of its documents.

    Args:
        file: The documents file.
        run: The run folder.
        stages: The stages whose scores are put into the metadata.

    Raises:
        RuntimeError: A score file speaks of another number of documents.
    """
    documents = read_documents(file.path)
    for stage in stages if documents else ():
        _attach(documents, read_scores(join(run, scores_path(stage, file.name))), stage)
    yield Batch(file.shard, file.index, read=len(documents), documents=documents, position=file.size, last=True)


def _attach(documents: Sequence[Document], scores: pa.Table, stage: str) -> None:
    if scores.num_rows != len(documents):
        raise RuntimeError(f"{len(documents)} documents, {scores.num_rows} scores of {stage}")
    for name in scores.column_names:
        if name == _LANGUAGE:
            continue
        for document, value in zip(documents, scores.column(name).to_pylist(), strict=True):
            if value is not None:
                document.metadata[name] = value
