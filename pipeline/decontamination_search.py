"""Looking for the n-grams of evaluation sets in committed documents, and counting what was found.

Each documents file is read for its texts alone, as Arrow's buffers, and leaves a file of the places where a shared
n-gram begins, no text. Which n-grams are common phrases is known when all sources have been read: their counts are
added up in the launching process, one number for each n-gram.
"""

import functools
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.decontamination import DecontaminationReason, Ngrams, Origins, SharedNgrams, find_shared
from filters.ngram_words import split_words
from pipeline.batch import Batch, Blame
from pipeline.commits import Commit, write_commit
from pipeline.decontamination_sets import NGRAMS_PATH, read_ngrams, read_origins
from pipeline.files import join, open_read, read_bytes, write_output
from pipeline.run import Run
from pipeline.sources.outputs import stage_outputs
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, UnitWork, digest_outputs
from pipeline.writing import Outputs, commit_batch, write_left_out

SHARED = "shared_ngrams"
MATCHED = "matched_ngrams"
MATCHED_PATH = f"work/{MATCHED}/ngrams.parquet"
REPORT_PATH = "decontamination/frequent_ngrams.jsonl"
_REPORTED = 100
_READERS, _FILES_AT_ONCE = 16, 256


def shared_path(stage: str, batch: str) -> str:
    """Give the path of a batch's shared n-grams, relative to the run folder."""
    return f"work/{stage}/part-{batch}.npz"


def shared_stage(run: Run, source: str, documents: StageResult, gathered: StageResult) -> Stage:
    """Give the stage that looks for n-grams in a source's documents."""
    name = f"{source}.{SHARED}"
    outputs = stage_outputs(run, source, name)

    def build(units: beam.PCollection) -> beam.PCollection:
        return units | "FindSharedNgrams" >> FindSharedNgrams(outputs)

    work = UnitWork(documents.files(run.folder, f"documents/{source}/"), build, single=True)
    inputs = {"documents": documents.digest, "n-grams": digest_outputs(gathered.outputs(NGRAMS_PATH))}
    return Stage(name, {}, inputs, work)


class FindSharedNgrams(beam.PTransform):  # type: ignore[misc]
    """Look for the n-grams of evaluation sets.

    In: one element a file of documents, ``(file, indices of its committed batches)``. Out: the name of each, exactly
    once, its places of shared n-grams committed.

    Args:
        outputs: Where to.
    """

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self._outputs = outputs

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.ParDo(_FindShared(self._outputs)).with_output_types(str)


class _FindShared(beam.DoFn):  # type: ignore[misc]
    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._ngrams: Ngrams | None = None

    def setup(self) -> None:
        self._ngrams = read_ngrams(self._outputs.run)

    def process(self, element: tuple[BatchFile, frozenset[int]]) -> Iterator[str]:
        file, _ = element
        batch = Batch(file.shard, file.index, position=file.size, last=True)
        with Blame(batch.name):
            if self._ngrams is None:
                self.setup()
            with batch.timed("read"):
                texts = read_text_buffers(file.path)
            with batch.timed("search"):
                found = find_shared(texts, self._ngrams)  # type: ignore[arg-type]
            self._commit(batch, texts, found)
        yield batch.name

    def _commit(self, batch: Batch, texts: Sequence[memoryview], found: SharedNgrams) -> None:
        batch.read, batch.bytes_in = len(texts), sum(map(len, texts))
        sharing = np.unique(found.documents)
        batch.facts += Counter({"words": int(found.counts.sum()), "sharing": len(sharing)})
        if len(sharing):
            path = shared_path(self._outputs.stage, batch.name)
            batch.files[path] = shared_to_bytes(found), len(found.documents)
        written = list(write_left_out(batch, self._outputs))
        commit_batch(batch, self._outputs, written, kept=len(texts), bytes_out=batch.bytes_in)


def read_text_buffers(path: str) -> list[memoryview]:
    """Read the texts of a file of documents as views of Arrow's memory, in UTF-8."""
    with open_read(path) as stream:
        column = pq.ParquetFile(stream).read(columns=["text"], use_threads=False).column("text")
    return [text for chunk in column.chunks for text in _views(chunk)]


def _views(chunk: pa.Array) -> list[memoryview]:
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
    whole = memoryview(data) if data is not None else memoryview(b"")
    return [whole[start:end] for start, end in itertools.pairwise(ends)]


def shared_to_bytes(found: SharedNgrams) -> bytes:
    """Encode places of shared n-grams, with the words of the documents that have some."""
    sharing = np.unique(found.documents)
    sink = io.BytesIO()
    np.savez(
        sink,
        documents=found.documents.astype(np.uint32),
        words=found.words.astype(np.uint32),
        ngrams=found.ngrams.astype(np.uint32),
        counts=found.counts[sharing].astype(np.uint32),
    )
    return sink.getvalue()


def read_shared(path: str) -> SharedNgrams:
    """Read places of shared n-grams; ``counts`` speaks of the documents that have some alone."""
    with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
        return SharedNgrams(*(arrays[name].astype(np.int64) for name in ("documents", "words", "ngrams", "counts")))


def matched_stage(
    run: Run, gathered: StageResult, searched: Mapping[str, StageResult], max_documents: int | None
) -> Stage:
    """Give the stage that counts in how many documents of all sources each n-gram stands."""
    paths = [
        join(run.folder, output.path)
        for result in searched.values()
        for output in result.outputs(f"work/{result.name}/")
    ]
    call = functools.partial(count_and_write, run.folder, paths, max_documents)
    inputs = {"n-grams": gathered.digest, **{source: result.digest for source, result in searched.items()}}
    settings, work = {"max_documents": max_documents}, LauncherWork(call, "counting n-grams")
    return Stage(MATCHED, settings, inputs, work, owns=(REPORT_PATH,), may_keep_nothing=True, counts="n-grams")


def count_and_write(folder: str, paths: Sequence[str], max_documents: int | None) -> None:
    """Count documents by n-gram, and write which n-grams were found, whence they come and whether they count."""
    origins, texts = read_origins(folder)
    counts = count_documents(paths, len(origins.texts))
    matched = np.flatnonzero(counts)
    frequent = counts[matched] > (counts.max(initial=0) if max_documents is None else max_documents)
    table = _table(matched, counts[matched], frequent, origins, texts)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    outputs = (
        write_output(folder, MATCHED_PATH, sink.getvalue(), rows=len(matched)),
        write_output(folder, REPORT_PATH, _report(table), rows=min(_REPORTED, len(matched))),
    )
    left_out = int(frequent.sum())
    dropped = {str(DecontaminationReason.TOO_FREQUENT): left_out} if left_out else {}
    kept = len(matched) - left_out
    write_commit(folder, MATCHED, Commit(MATCHED, 0, read=len(matched), kept=kept, dropped=dropped, outputs=outputs))


def count_documents(paths: Sequence[str], ngrams: int) -> NDArray[np.int64]:
    """Count the documents that have each n-gram."""
    counts = np.zeros(ngrams, np.int64)
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(paths), _FILES_AT_ONCE):
            for found in pool.map(read_shared, paths[start : start + _FILES_AT_ONCE]):
                documents = found.documents.max(initial=0) + 1
                pairs = np.unique(found.ngrams * documents + found.documents)
                there, times = np.unique(pairs // documents, return_counts=True)
                counts[there] += times
    return counts


def _table(
    matched: NDArray[np.int64],
    counts: NDArray[np.int64],
    frequent: NDArray[np.bool_],
    origins: Origins,
    texts: pa.Table,
) -> pa.Table:
    """Describe the n-grams that were found, in the order of their hashes."""
    rows = texts.select(["set", "item"]).take(pa.array(origins.texts[matched]))
    return pa.table(
        {
            "ngram": pa.array(matched, pa.uint32()),
            "documents": pa.array(counts, pa.uint64()),
            "too_frequent": pa.array(frequent),
            "set": rows.column("set").combine_chunks(),
            "item": rows.column("item").combine_chunks(),
            "words": pa.array(_words_of(matched, origins, texts.column("text")), pa.string()),
        }
    )


def _words_of(matched: NDArray[np.int64], origins: Origins, texts: pa.ChunkedArray) -> list[str]:
    """Give the words of n-grams; each text is held and split once, however many n-grams it has."""
    found = [""] * len(matched)
    owners = origins.texts[matched]
    places = np.argsort(owners, kind="stable").tolist()
    for owner, group in itertools.groupby(places, owners.__getitem__):
        words = split_words(texts[int(owner)].as_py())
        for place in group:
            first, length = int(origins.words[matched[place]]), int(origins.lengths[matched[place]])
            found[place] = " ".join(words[first : first + length])
    return found


def _report(table: pa.Table) -> bytes:
    """Give the n-grams that most documents have, a line each."""
    ordered = table.sort_by([("documents", "descending"), ("words", "ascending")]).slice(0, _REPORTED)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in ordered.drop_columns("ngram").to_pylist())
    return "".join(lines).encode()
