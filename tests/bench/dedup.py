"""Line deduplication: fingerprints beside CCNet's own loop, and the whole of it with Beam and without.

The whole: WET files read twice, fingerprints written, their shuffle, masks, lines taken out; all of the CommonCrawl
recipe but language identification and documents files. On one core.
"""

import functools
import hashlib
import itertools
import os
import re
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from rich.console import Console

from filters.length import check_length
from filters.line_dedup import Keep, LineDedupSettings, Scope
from pipeline import duplicates
from pipeline.batch import Batch
from pipeline.document import Document, Shard
from pipeline.files import write_output
from pipeline.fingerprints import DropDuplicates, _drop_duplicates, fingerprint_documents
from pipeline.fingerprints import _fingerprint_batch as fingerprint_batch
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.runner import Engine
from pipeline.settings import CommonCrawlSettings, Dump, RunSettings, Sources
from pipeline.sources import commoncrawl
from pipeline.stage import Stage, UnitWork
from pipeline.writing import Outputs, WriteBatches
from tests.bench.inputs import DUMP, Inputs
from tests.bench.report import Result
from tests.bench.timing import RUNS, compare, pair_of, seconds

MIN_CHARS = 300
_GOAL = 20.0
_LINES_REMOVED = "lines_removed"

_PUNCTUATION = re.compile("[，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％►１]")
_CONTROLS = re.compile("[" + "".join(map(chr, [*range(32), *range(127, 160)])) + "]")
_DIGITS = re.compile(r"\d")


def fingerprint(inputs: Inputs) -> Iterator[Result]:
    """Fingerprints of all lines, beside CCNet's normalisation and SHA-1 of one line after the other."""
    documents = inputs.documents
    pair = compare(lambda: fingerprint_documents(documents), lambda: _hash_as_ccnet(documents))
    speed = _text_bytes(documents) / 1e6 / pair.ours
    yield Result("line_dedup.fingerprint", speed, "MB/s/core", "CCNet's regexes and SHA-1 by line", pair.ratio)


def _hash_as_ccnet(documents: Iterable[Document]) -> list[list[bytes]]:
    return [[_ccnet_hash(line) for line in document.text.split("\n")] for document in documents]


def _ccnet_hash(line: str) -> bytes:
    """Hash a line as CCNet does (Wenzek et al. 2020, ``normalize_for_dedup`` and the first half of its SHA-1)."""
    line = line.strip()
    if line:
        line = _DIGITS.sub("0", line.lower())
        line = _CONTROLS.sub("", _PUNCTUATION.sub("", line))
    return hashlib.sha1(line.encode(), usedforsecurity=False).digest()[:8]


def deduplicate(inputs: Inputs) -> Iterator[Result]:
    """The whole of line deduplication on one core: as the pipeline runs it on Beam, and its functions in plain loops."""
    files = inputs.wet(2)
    shards = [file.shard for file in files]
    megabytes = sum(file.text_bytes for file in files) / 1e6
    turns, spent = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
            run = _run(shards, os.path.join(folder, "beam"))
            ours = seconds(functools.partial(_with_beam, run, shards))
            removed = _counted(run)
            clock: Counter[str] = Counter()
            bare = seconds(functools.partial(_without_beam, shards, os.path.join(folder, "plain"), clock))
            if clock.pop(_LINES_REMOVED) != removed:
                raise RuntimeError("lines removed with Beam and without differ")
            turns.append((ours, bare))
            spent.append((_spent(run, ours), _shares(clock, bare)))
    pair = pair_of(turns)
    with_beam, plain = (_median_shares([row[side] for row in spent]) for side in (0, 1))
    speed, plain_speed = megabytes / pair.ours, megabytes / pair.bare
    goal = f">= {_GOAL:.0f} MB/s"
    yield Result(
        "line_dedup.stages", speed, "MB/s/core", "the same without Beam", pair.ratio, goal, speed >= _GOAL, with_beam
    )
    yield Result("line_dedup.plain", plain_speed, "MB/s/core", "", None, goal, plain_speed >= _GOAL, plain)


def _run(shards: Sequence[Shard], folder: str) -> Run:
    crawl = CommonCrawlSettings(
        dumps=(Dump(id=DUMP, paths=tuple(shard.path for shard in shards)),),
        min_chars=MIN_CHARS,
        line_dedup=LineDedupSettings(scope=Scope.DUMP),
    )
    settings = RunSettings(name="bench", sources=Sources(commoncrawl=crawl), tokenizer=None, tokens=None)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        return Run(folder, settings, Engine(1), Console(file=nowhere, quiet=True))


def _with_beam(run: Run, shards: Sequence[Shard]) -> None:
    run.execute(_recipe(run, shards))


def _recipe(run: Run, shards: Sequence[Shard]) -> Recipe:
    """The CommonCrawl recipe up to the second reading, of which only the lines taken out are counted."""
    crawl = run.settings.sources.commoncrawl
    if crawl is None:
        raise ValueError("the run reads no CommonCrawl")
    whole = commoncrawl.recipe(run, crawl, shards)
    stage = next(whole)
    while stage.name != commoncrawl.SCORED:
        stage = whole.send((yield stage))
    read = functools.partial(
        commoncrawl.read_shard_again, batch_bytes=run.settings.batch_bytes, min_chars=crawl.min_chars
    )

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "ReadAgain" >> ReadBatches(read)
            | "DropDuplicates"
            >> DropDuplicates(run.folder, ids=commoncrawl.DUPLICATE_IDS, lines=commoncrawl.DUPLICATE_LINES)
            | "Count" >> WriteBatches(Outputs(run.folder, "counted", commoncrawl.SOURCE, None, 0.0))
        )

    yield Stage("counted", settings={}, inputs=stage.inputs, work=UnitWork(shards, build))


def _counted(run: Run) -> int:
    return int(run.results["counted"].stats["facts"][_LINES_REMOVED])


def _without_beam(shards: Sequence[Shard], folder: str, clock: Counter[str]) -> None:
    """Do the same with the same functions, one after the other."""
    batch_bytes = RunSettings.model_fields["batch_bytes"].default
    batches, facts = [], Counter[str]()
    for shard in shards:
        for batch in _timed_read(commoncrawl.read_shard(shard, batch_bytes=batch_bytes), clock):
            batches.append(_first_pass(batch, shard, folder, clock))
    start = time.perf_counter()
    for stage, keys, files, keep in _shuffles(batches):
        _find_duplicates(folder, stage, keys, files, keep)
    clock["shuffle"] += time.perf_counter() - start
    for shard in shards:
        again = commoncrawl.read_shard_again(shard, batch_bytes=batch_bytes, min_chars=MIN_CHARS)
        for batch in _timed_read(again, clock):
            done = _drop_duplicates(batch, folder, commoncrawl.DUPLICATE_IDS, commoncrawl.DUPLICATE_LINES)
            clock.update(batch.seconds)
            facts.update(done.facts)
    clock[_LINES_REMOVED] = facts[_LINES_REMOVED]


def _timed_read(batches: Iterator[Batch], clock: Counter[str]) -> Iterator[Batch]:
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        clock["read"] += time.perf_counter() - start
        if batch is None:
            return
        yield batch


def _first_pass(batch: Batch, shard: Shard, folder: str, clock: Counter[str]) -> tuple[Shard, int, int, int]:
    """Fingerprint a batch; give its shard, its index, its documents and its lines."""
    batch.documents = [page for page in batch.documents if check_length(page.text, MIN_CHARS) is None]
    fingerprint_batch(batch, commoncrawl.FINGERPRINTS)
    with batch.timed("write"):
        for path, (content, rows) in batch.files.items():
            write_output(folder, path, content, rows=rows)
    clock.update(batch.seconds)
    return shard, batch.index, len(batch.documents), batch.facts["lines"]


def _shuffles(
    batches: Sequence[tuple[Shard, int, int, int]],
) -> Iterator[tuple[str, duplicates.Keys, list[duplicates.KeyFile], Keep]]:
    ids = [duplicates.KeyFile(shard.name, index, "ids", documents) for shard, index, documents, _ in batches]
    lines = [duplicates.KeyFile(shard.name, index, DUMP, count) for shard, index, _, count in batches]
    yield commoncrawl.DUPLICATE_IDS, duplicates.Keys("ids"), ids, Keep.FIRST
    keys = duplicates.Keys("lines", ids_stage=commoncrawl.DUPLICATE_IDS)
    yield commoncrawl.DUPLICATE_LINES, keys, lines, Keep.NONE


def _find_duplicates(
    folder: str, stage: str, keys: duplicates.Keys, files: Sequence[duplicates.KeyFile], keep: Keep
) -> None:
    passes = duplicates.plan_passes(files, None)
    work = duplicates.DuplicateWork(folder, stage, commoncrawl.FINGERPRINTS, passes, keys, keep)
    slices = itertools.chain.from_iterable(passes)
    sent = (duplicates._send(slice_, folder, work.fingerprints, keys) for slice_ in slices)
    met = _grouped(itertools.chain.from_iterable(sent))
    answers = itertools.chain.from_iterable(duplicates._decide(group, keep) for group in met.items())
    for batch in _grouped(answers).items():
        duplicates._write_mask(batch, work)


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _spent(run: Run, total: float) -> Counter[str]:
    """Give each step's share of the time with Beam; what no step claims is Beam's and the bookkeeping's."""
    clock: Counter[str] = Counter()
    for name, result in run.results.items():
        if result.stats["seconds"]:
            clock.update(result.stats["seconds"])
        else:
            clock["shuffle"] += run.manifest.stages[name]["seconds"]
    return _shares(clock, total)


def _shares(clock: Counter[str], total: float) -> Counter[str]:
    shares = Counter({step: spent / total for step, spent in clock.items()})
    shares["the rest"] = 1 - sum(shares.values())
    return shares


def _median_shares(rows: Sequence[Counter[str]]) -> str:
    medians = {step: statistics.median(row[step] for row in rows) for step in rows[0]}
    ordered = sorted(medians.items(), key=lambda item: -item[1])
    return ", ".join(f"{step} {share:.0%}" for step, share in ordered)


def _text_bytes(documents: Iterable[Document]) -> int:
    return sum(len(document.text.encode()) for document in documents)
