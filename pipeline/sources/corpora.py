"""Ready corpora: documents that others have cleaned, for a tokenizer, token shards and a mixture of them.

OpenLLaMA (Geng and Liu, 2023) was trained on RedPajama's seven parts (Together Computer, 2023), not on dumps; so may a
model be on Dolma, on FineWeb, or on what another run has exported. Each corpus is a source of its own name; texts stay
as they are. Its stages, each with committed outputs:

1. ``documents``, if no column has ids: the rows that have a text.

or, where one has:

1. ``rows``: the rows that have a text; fingerprints of their ids.
2. ``duplicate_ids``: of the rows of one id the newest stays, of those the first by file and row.
3. ``documents``: the rows that stay.
"""

import functools
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import xxhash

from filters.c4_text import newest_first
from filters.length import check_length
from filters.verdict import Drop
from pipeline.corpora_settings import CorpusSettings
from pipeline.document import Document, Shard
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, plan_passes
from pipeline.fingerprints import DuplicateReason, FingerprintBatches, Fingerprints, gather_fingerprints
from pipeline.inputs import count_suffixes, list_shards
from pipeline.left_out import LeaveCopiesOut
from pipeline.parquet import Codec
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources.corpus_rows import ABSENT, read_shard
from pipeline.sources.outputs import common_settings, digest_inputs, owned, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork
from pipeline.steps import DropDocuments
from pipeline.writing import WriteBatches

_COMPRESSED = re.compile(r"\.(gz|zst)$", re.IGNORECASE)
_SUFFIXES = {".jsonl", ".json", ".ndjson", ".parquet", ".avro"}
#: What crosses the shuffle: a fingerprint, and what decides which copy is the first.
_KEY_BYTES = 16
_UNKNOWN_TIME = (1 << 64) - 1


class Corpus:
    """A corpus as a source of a run; it has what the modules of other sources have.

    Args:
        name: Its name in the config.
    """

    def __init__(self, name: str) -> None:
        self.SOURCE = name
        self.ROWS = f"{name}.rows"
        self.DUPLICATE_IDS = f"{name}.duplicate_ids"
        self.DOCUMENTS = f"{name}.documents"

    def stages(self, settings: CorpusSettings) -> list[str]:
        """Name the stages of :meth:`recipe`, in order."""
        return [self.DOCUMENTS] if settings.id is None else [self.ROWS, self.DUPLICATE_IDS, self.DOCUMENTS]

    def list_inputs(self, settings: CorpusSettings, data: str) -> list[Shard]:
        """List the files, those too that hold no rows.

        Raises:
            SettingsError: An entry matches no file, or no file holds rows.
        """
        key = f"sources.corpora.{self.SOURCE}.paths"
        found = list_shards(self.SOURCE, self.SOURCE, settings.paths, data=data, key=key)
        if not any(has_rows(shard.below) for shard in found):
            raise SettingsError(f"{key}: {len(found)} files, none of them {', '.join(sorted(_SUFFIXES))}")
        return found

    def recipe(self, run: Run, settings: CorpusSettings, shards: Sequence[Shard]) -> Recipe:
        """Give the stages from files to documents.

        Args:
            run: The run at work.
            settings: The corpus' settings.
            shards: The files, from :meth:`list_inputs`.
        """
        first = self.stages(settings)[0]
        read = [shard for shard in shards if has_rows(shard.below)]
        others = [shard.below for shard in shards if not has_rows(shard.below)]
        if others:
            run.say(first, f"files of other kinds, passed over: {count_suffixes(others)}")
        rows = yield self._rows(run, settings, read)
        _say_what_is_absent(run, settings, rows)
        if settings.id is not None:
            newest = yield self._duplicate_ids(run, settings, rows)
            yield self._documents(run, rows, newest)

    def _rows(self, run: Run, settings: CorpusSettings, shards: Sequence[Shard]) -> Stage:
        name = self.stages(settings)[0]
        folder = f"documents/{self.SOURCE}" if name == self.DOCUMENTS else f"work/{name}/documents"
        codec: Codec = "zstd" if name == self.DOCUMENTS else "lz4"
        outputs = stage_outputs(run, self.SOURCE, name, folder, codec=codec)
        read = functools.partial(read_shard, settings=settings, batch_bytes=run.settings.batch_bytes)

        def build(units: beam.PCollection) -> beam.PCollection:
            rows = units | "Read" >> ReadBatches(read)
            if settings.min_chars is not None:
                rows |= "DropShort" >> DropDocuments("length", functools.partial(_check, min_chars=settings.min_chars))
            if settings.id is not None:
                rows |= "Fingerprint" >> FingerprintBatches(name, fingerprint_ids)
            return rows | "Write" >> WriteBatches(outputs)

        asked = settings.model_dump(mode="json", exclude={"paths", "max_shuffle_bytes"})
        files = {"files": digest_inputs(run, self.SOURCE, shards)}
        owns = (*self._own(name), *owned(self.SOURCE, name))
        return Stage(name, {**asked, **common_settings(run)}, files, UnitWork(shards, build), owns, counts="rows")

    def _own(self, name: str) -> tuple[str, ...]:
        return (f"documents/{self.SOURCE}/part-*",) if name == self.DOCUMENTS else ()

    def _duplicate_ids(self, run: Run, settings: CorpusSettings, rows: StageResult) -> Stage:
        keys = [
            KeyFile(commit.shard, commit.index, "corpus", commit.kept, key_bytes=_KEY_BYTES)
            for commit in rows.commits
            if commit.kept
        ]
        passes = plan_passes(keys, settings.max_shuffle_bytes)
        work = DuplicateWork(run.folder, self.DUPLICATE_IDS, self.ROWS, passes, Keys("ids"), Copies.FIRST_STAYS)
        asked = {"max_shuffle_bytes": settings.max_shuffle_bytes}
        return Stage(self.DUPLICATE_IDS, asked, {"rows": rows.digest}, work, counts="ids")

    def _documents(self, run: Run, rows: StageResult, newest: StageResult) -> Stage:
        outputs = stage_outputs(run, self.SOURCE, self.DOCUMENTS, f"documents/{self.SOURCE}")
        copies = {self.DUPLICATE_IDS: DuplicateReason.ID}

        def build(units: beam.PCollection) -> beam.PCollection:
            return units | "LeaveCopiesOut" >> LeaveCopiesOut(outputs, copies, _count_nothing)

        return Stage(
            self.DOCUMENTS,
            settings=common_settings(run),
            inputs={"rows": rows.digest, "duplicate_ids": newest.digest},
            work=UnitWork(rows.files(run.folder, f"work/{self.ROWS}/documents/"), build, single=True),
            owns=(*self._own(self.DOCUMENTS), *owned(self.SOURCE, self.DOCUMENTS)),
            counts="rows",
        )


def has_rows(name: str) -> bool:
    """Tell by its name whether a file holds rows.

    >>> has_rows("a/part-0.jsonl.zst"), has_rows("part-0.PARQUET"), has_rows("README.md"), has_rows("a.txt.gz")
    (True, True, False, False)
    """
    return os.path.splitext(_COMPRESSED.sub("", name))[1].lower() in _SUFFIXES


def fingerprint_ids(rows: Sequence[Document], each: Callable[[Document], object]) -> Fingerprints:
    """Fingerprint the ids of rows; the newest row comes first, one of an unknown time last.

    Args:
        rows: The rows.
        each: Called with each before it is worked on.
    """
    ids, order = [], []
    for row in rows:
        each(row)
        ids.append(xxhash.xxh3_64_intdigest(row.id.encode()))
        age = newest_first(row.created)
        order.append(_UNKNOWN_TIME if age is None else age)
    no_lines = [np.empty(0, np.uint64)] * len(ids)
    return gather_fingerprints(no_lines, ids=np.array(ids, np.uint64), order=np.array(order, np.uint64))


def _check(row: Document, min_chars: int) -> Drop | None:
    return check_length(row.text, min_chars)


def _count_nothing(table: pa.Table) -> Counter[str]:  # noqa: ARG001 - as every count
    return Counter()


def _say_what_is_absent(run: Run, settings: CorpusSettings, rows: StageResult) -> None:
    """Say what the config has a column for and no document has: the column may be called otherwise."""
    facts, read = rows.stats["facts"], rows.stats["read"] - sum(rows.stats["errors"].values())
    documents = read - sum(count for reason, count in rows.stats["dropped"].items() if reason.startswith("corpus/"))
    for name, column in settings.columns().items():
        if documents and facts.get(f"{ABSENT}{name}") == documents:
            run.say(rows.name, f"no row has {column} for {name}; is it called so?")
