"""Line deduplication with the pipeline's own functions, called one after the other: what Beam is measured beside."""

import itertools
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from filters.length import check_length
from filters.line_dedup import LineDedupReason
from pipeline.batch import Batch
from pipeline.document import Shard
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, _decide, _send, _write_mask, plan_passes
from pipeline.files import write_output
from pipeline.fingerprints import _drop_duplicates, _fingerprint_batch, fingerprint_documents, take_lines_out
from pipeline.settings import RunSettings
from pipeline.sources.crawl_dedup import (
    COPY_REASONS,
    DUPLICATE_IDS,
    DUPLICATE_LINES,
    DUPLICATE_PAGES,
    FINGERPRINTS,
    read_shard,
    read_shard_again,
)
from tests.bench.inputs import DUMP

MIN_CHARS = 300

#: Seconds by step.
Clock = defaultdict[str, float]


def add(clock: Clock, seconds: Mapping[str, float]) -> None:
    """Add the seconds of each step."""
    for step, more in seconds.items():
        clock[step] += more


class PlainDedup:
    """One deduplication.

    Attributes:
        clock: Seconds by step.
        facts: Lines seen, and lines taken out.
    """

    def __init__(self, folder: str) -> None:
        """Take a folder for fingerprints and masks."""
        self.clock: Clock = defaultdict(float)
        self.facts: dict[str, int] = {}
        self._folder = folder
        self._batch_bytes: int = RunSettings.model_fields["batch_bytes"].default

    def run(self, shards: Sequence[Shard]) -> None:
        """Read the files, find the duplicates, read the files again and take the duplicates out."""
        ids, lines = [], []
        for shard in shards:
            for batch in self._read(read_shard(shard, batch_bytes=self._batch_bytes)):
                self._fingerprint(batch)
                ids.append(KeyFile(shard.name, batch.index, "ids", len(batch.documents)))
                lines.append(KeyFile(shard.name, batch.index, DUMP, batch.facts["lines"]))
        self._find_duplicates(DUPLICATE_IDS, Keys("ids"), ids, Copies.FIRST_STAYS)
        without_ids = Keys("pages", without=[DUPLICATE_IDS])
        self._find_duplicates(DUPLICATE_PAGES, without_ids, ids, Copies.FIRST_RANK_STAYS)
        without_copies = Keys("lines", without=[DUPLICATE_IDS, DUPLICATE_PAGES])
        self._find_duplicates(DUPLICATE_LINES, without_copies, lines, Copies.NONE_STAYS)
        for shard in shards:
            for batch in self._read(read_shard_again(shard, batch_bytes=self._batch_bytes, min_chars=MIN_CHARS)):
                self._take_lines_out(batch)

    def _read(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            with self._timed("read"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _fingerprint(self, batch: Batch) -> None:
        batch.documents = [page for page in batch.documents if check_length(page.text, MIN_CHARS) is None]
        _fingerprint_batch(batch, FINGERPRINTS, fingerprint_documents)
        add(self.clock, batch.seconds)
        with self._timed("write"):
            for path, (content, rows) in batch.files.items():
                write_output(self._folder, path, content, rows=rows)

    def _find_duplicates(self, stage: str, keys: Keys, files: Sequence[KeyFile], copies: Copies) -> None:
        passes = plan_passes(files, None)
        work = DuplicateWork(self._folder, stage, FINGERPRINTS, passes, keys, copies)
        with self._timed("shuffle"):
            slices = itertools.chain.from_iterable(passes)
            sent = itertools.chain.from_iterable(_send(one, self._folder, FINGERPRINTS, keys) for one in slices)
            answers = itertools.chain.from_iterable(_decide(group, copies) for group in _grouped(sent).items())
            for batch in _grouped(answers).items():
                _write_mask(batch, work)

    def _take_lines_out(self, batch: Batch) -> None:
        done = _drop_duplicates(
            batch, self._folder, COPY_REASONS, DUPLICATE_LINES, LineDedupReason.NO_LINE_LEFT, take_lines_out
        )
        add(self.clock, done.seconds)
        for fact, count in done.facts.items():
            self.facts[fact] = self.facts.get(fact, 0) + count

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.clock[step] += time.perf_counter() - start


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
