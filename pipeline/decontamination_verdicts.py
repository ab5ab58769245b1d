"""What becomes of documents that share n-grams with evaluation sets: marked, and by ``drop`` left out.

Documents files stay as they are. A source's marks say which of its documents are contaminated and with what; a mask of
bits says which the tokenizer's and the token shards' stages leave out, and is there only where one is.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.decontamination import SharedNgrams, check_shared
from pipeline.batch import Batch, Blame, batch_name
from pipeline.decontamination_search import MATCHED_PATH, read_shared
from pipeline.decontamination_settings import DecontaminationSettings
from pipeline.document import utf8_size
from pipeline.files import join, read_bytes
from pipeline.fingerprints import mask_to_bytes, masks_path
from pipeline.parquet import read_table, table_to_documents
from pipeline.run import Run
from pipeline.sources.outputs import owned, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork
from pipeline.writing import Outputs, commit_batch, write_left_out

DECONTAMINATED = "decontaminated"

_MARKS = pa.schema(
    [
        ("document", pa.uint32()),
        ("id", pa.string()),
        ("url", pa.string()),
        ("dropped", pa.bool_()),
        ("shared_ngrams", pa.uint32()),
        ("words", pa.uint32()),
        ("set", pa.string()),
        ("item", pa.string()),
        ("ngram", pa.string()),
    ]
)


def stage_name(source: str) -> str:
    """Name the stage of a source."""
    return f"{source}.{DECONTAMINATED}"


def marks_path(source: str, batch: str) -> str:
    """Give the path of a batch's marks, relative to the run folder."""
    return f"work/{stage_name(source)}/part-{batch}.parquet"


def read_marks(run: str, stages: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Read the marks of a run.

    Args:
        run: The run folder.
        stages: The finished stages, from the manifest: what an earlier config has marked does not count.

    Returns:
        Of each documents file, by its path below the run folder, a row for each contaminated document.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, entry in stages.items():
        source, _, last = name.rpartition(".")
        paths = [output["path"] for output in entry["outputs"]] if last == DECONTAMINATED else []
        for path in (path for path in paths if path.startswith("work/") and path.endswith(".parquet")):
            marks = pq.read_table(io.BytesIO(read_bytes(join(run, path))))
            found[f"documents/{source}/{path.rsplit('/', 1)[1]}"] = marks.to_pylist()
    return found


@dataclass(frozen=True, slots=True)
class SearchedFile:
    """A committed documents file that was looked through, as the unit of a stage.

    Attributes:
        shard: The shard its batch was read from.
        index: The batch's index.
        path: The file.
        size: Bytes of its shared n-grams, if any.
        shared: Their file, or ``None``.
        documents: How many documents it has.
        text_bytes: UTF-8 bytes of their text.
    """

    shard: str
    index: int
    path: str
    size: int
    shared: str | None
    documents: int
    text_bytes: int

    @property
    def name(self) -> str:
        """The batch's name."""
        return batch_name(self.shard, self.index)


def verdicts_stage(
    run: Run,
    source: str,
    settings: DecontaminationSettings,
    documents: StageResult,
    searched: StageResult,
    matched: StageResult,
) -> Stage:
    """Give the stage that marks a source's contaminated documents."""
    name = stage_name(source)
    outputs = stage_outputs(run, source, name)

    def build(units: beam.PCollection) -> beam.PCollection:
        return units | "MarkContaminated" >> MarkContaminated(outputs, settings.max_ngrams, settings.action)

    kept = {
        "dropped_text_fraction": run.settings.dropped_text_fraction,
        "seed": run.settings.seed,
        "max_ngrams": settings.max_ngrams,
        "action": settings.action,
    }
    inputs = {"documents": documents.digest, "shared n-grams": searched.digest, "matched n-grams": matched.digest}
    work = UnitWork(_units(run.folder, source, documents, searched), build, single=True)
    return Stage(name, kept, inputs, work, owns=owned(source, name))


def _units(run: str, source: str, documents: StageResult, searched: StageResult) -> list[SearchedFile]:
    paths = {file.name: file.path for file in documents.files(run, f"documents/{source}/")}
    found = {file.name: file for file in searched.files(run, f"work/{searched.name}/")}
    units = []
    for commit in searched.commits:
        name = batch_name(commit.shard, commit.index)
        shared = found.get(name)
        size, path = (0, None) if shared is None else (shared.size, shared.path)
        units.append(SearchedFile(commit.shard, commit.index, paths[name], size, path, commit.read, commit.bytes_in))
    return units


class MarkContaminated(beam.PTransform):  # type: ignore[misc]
    """Mark the documents that share more n-grams with evaluation sets than they may.

    In: ``(SearchedFile, _)``. Out: the name of each, exactly once, its marks committed, and by ``drop`` its mask and
    the documents left out.

    Args:
        outputs: Where to.
        max_ngrams: Shared n-grams that a document may have.
        action: ``drop`` or ``mark``.
    """

    def __init__(self, outputs: Outputs, max_ngrams: int, action: str) -> None:
        super().__init__()
        self._arguments = outputs, max_ngrams, action == "drop"

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.ParDo(_MarkContaminated(*self._arguments)).with_output_types(str)


class _MarkContaminated(beam.DoFn):  # type: ignore[misc]
    def __init__(self, outputs: Outputs, max_ngrams: int, drops: bool) -> None:  # noqa: FBT001
        self._outputs, self._max_ngrams, self._drops = outputs, max_ngrams, drops
        self._matched: pa.Table | None = None

    def setup(self) -> None:
        self._matched = pq.read_table(io.BytesIO(read_bytes(join(self._outputs.run, MATCHED_PATH))))

    def process(self, element: tuple[SearchedFile, frozenset[int]]) -> Iterator[str]:
        unit, _ = element
        batch = Batch(unit.shard, unit.index, unit.documents, unit.text_bytes, position=unit.size, last=True)
        with Blame(batch.name), batch.timed("judge"):
            if self._matched is None:
                self.setup()
            left = self._judge(unit, batch) if unit.shared is not None else 0
        kept = batch.read - len(batch.dropped)
        written = list(write_left_out(batch, self._outputs))
        commit_batch(batch, self._outputs, written, kept=kept, bytes_out=batch.bytes_in - left)
        yield batch.name

    def _judge(self, unit: SearchedFile, batch: Batch) -> int:
        """Mark a file's documents, and give the bytes of text of those left out."""
        if unit.shared is None or self._matched is None:
            raise RuntimeError("nothing was found in this file")
        places, marks = mark_documents(read_shared(unit.shared), self._matched, self._max_ngrams)
        if not places:
            return 0
        documents = table_to_documents(read_table(unit.path).take(places))
        columns: Mapping[str, Sequence[object]] = {
            "document": places,
            "id": [document.id for document in documents],
            "url": [document.url for document in documents],
            "dropped": [self._drops] * len(places),
            **marks,
        }
        table = pa.table([pa.array(columns[column.name], column.type) for column in _MARKS], schema=_MARKS)
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        batch.files[marks_path(self._outputs.source, batch.name)] = sink.getvalue(), len(places)
        batch.facts["contaminated"] += len(places)
        if not self._drops:
            return 0
        mask = np.zeros(batch.read, np.bool_)
        mask[places] = True
        batch.files[masks_path(self._outputs.stage, batch.name, 0)] = mask_to_bytes(mask, 1), len(places)
        for row, document in zip(table.to_pylist(), documents, strict=True):
            detail = f"{row['set']} {row['item']}: {row['ngram']}"
            verdict = check_shared(row["shared_ngrams"], self._max_ngrams, detail)
            if verdict is not None:
                batch.drop(document, verdict)
        return sum(utf8_size(document.text) for document in documents)


def mark_documents(
    found: SharedNgrams, matched: pa.Table, max_ngrams: int
) -> tuple[list[int], dict[str, Sequence[object]]]:
    """Judge the documents of a file.

    Args:
        found: Their places of shared n-grams.
        matched: All n-grams that were found anywhere, and whether they count.
        max_ngrams: Shared n-grams that a document may have.

    Returns:
        Which documents have more, ascending, and of each how many, of how many words, and what the first one is.
    """
    rows = np.searchsorted(matched.column("ngram").to_numpy(), found.ngrams)
    counts = ~matched.column("too_frequent").to_numpy()[rows]
    documents, rows = found.documents[counts], rows[counts]
    places, first, shared = np.unique(documents, return_index=True, return_counts=True)
    over = np.array([check_shared(count, max_ngrams) is not None for count in shared.tolist()], np.bool_)
    sharing: NDArray[np.int64] = np.unique(found.documents)
    origins = matched.take(pa.array(rows[first[over]]))
    marks: dict[str, Sequence[object]] = {
        "shared_ngrams": shared[over].tolist(),
        "words": found.counts[np.searchsorted(sharing, places[over])].tolist(),
        "set": origins.column("set").to_pylist(),
        "item": origins.column("item").to_pylist(),
        "ngram": origins.column("words").to_pylist(),
    }
    return places[over].tolist(), marks
