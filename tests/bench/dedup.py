"""Line deduplication: fingerprints beside CCNet's own loop, and the whole of it with Beam and without.

The whole: WET files read twice, fingerprints written, their shuffle, masks, lines taken out; all of the CommonCrawl
recipe but language identification and documents files. On one core.
"""

import dataclasses
import functools
import hashlib
import logging
import os
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from rich.console import Console

from filters.line_dedup import LineDedupSettings, Scope
from pipeline.crawl_settings import CommonCrawlSettings
from pipeline.document import Document, Shard
from pipeline.dumps import Dump
from pipeline.fingerprints import DropDuplicates, fingerprint_documents
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.runner import Engine
from pipeline.settings import RunSettings, Sources
from pipeline.sources import commoncrawl, crawl_dedup
from pipeline.stage import Stage, UnitWork
from pipeline.writing import Outputs, WriteBatches
from tests.bench.inputs import DUMP, Inputs, text_megabytes
from tests.bench.plain_dedup import MIN_CHARS, Clock, PlainDedup, add
from tests.bench.report import Result, alone, speed
from tests.bench.timing import RUNS, compare, measure, pair_of

_GOAL = 20.0

_PUNCTUATION = re.compile("[，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％►１]")
_CONTROLS = re.compile("[" + "".join(map(chr, [*range(32), *range(127, 160)])) + "]")
_DIGITS = re.compile(r"\d")


def fingerprint(inputs: Inputs) -> Iterator[Result]:
    """Fingerprints of all lines, beside CCNet's normalisation and SHA-1 of one line after the other."""
    documents = inputs.documents
    pair = compare(lambda: fingerprint_documents(documents), lambda: _hash_as_ccnet(documents))
    megabytes = text_megabytes(document.text for document in documents)
    yield speed("line_dedup.fingerprint", megabytes, pair, against="CCNet's regexes and SHA-1 by line")


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
    """The whole of line deduplication on one core: on Beam, as the pipeline runs it, and without."""
    files = inputs.wet(2)
    shards = [file.shard for file in files]
    megabytes = sum(file.text_bytes for file in files) / 1e6
    turns, spent = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
            run = _run(shards, os.path.join(folder, "beam"))
            ours = measure(functools.partial(_with_beam, run, shards))
            removed = _counted(run)
            plain = PlainDedup(os.path.join(folder, "plain"))
            bare = measure(functools.partial(plain.run, shards))
            if plain.facts != removed:
                raise RuntimeError(f"with Beam {dict(removed)}, without {dict(plain.facts)}")
            turns.append((ours, bare))
            spent.append((_spent(run, ours.seconds), _shares(plain.clock, bare.seconds)))
    pair = pair_of(turns)
    with_beam, by_hand = (_median_shares([row[side] for row in spent]) for side in (0, 1))
    stages = speed("line_dedup.stages", megabytes, pair, against="the same without Beam", detail=with_beam)
    functions = alone("line_dedup.plain", megabytes, pair.bare, detail=by_hand)
    for result in (stages, functions):
        yield dataclasses.replace(result, goal=f">= {_GOAL:.0f} MB/s", met=result.value >= _GOAL)


def _run(shards: Sequence[Shard], folder: str) -> Run:
    crawl = CommonCrawlSettings(
        dumps=(Dump(id=DUMP, paths=tuple(shard.path for shard in shards)),),
        min_chars=MIN_CHARS,
        line_dedup=LineDedupSettings(scope=Scope.DUMP),
        perplexity=None,
    )
    settings = RunSettings(name="bench", sources=Sources(commoncrawl=crawl), tokenizer=None, tokens=None)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        return Run(folder, settings, Engine(1), Console(file=nowhere, quiet=True))


def _with_beam(run: Run, shards: Sequence[Shard]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    run.execute(_recipe(run, shards))
    root.handlers, root.level = before  # a run sends the log of its process to a file, and that one is about to go


def _recipe(run: Run, shards: Sequence[Shard]) -> Recipe:
    """The CommonCrawl recipe up to the second reading, of which only the lines taken out are counted."""
    crawl = run.settings.sources.commoncrawl
    if crawl is None:
        raise ValueError("the run reads no CommonCrawl")
    whole = commoncrawl.recipe(run, crawl, commoncrawl.CrawlInputs(shards))
    stage = next(whole)
    while stage.name != commoncrawl.SCORED:
        stage = whole.send((yield stage))
    read = functools.partial(
        crawl_dedup.read_shard_again, batch_bytes=run.settings.batch_bytes, min_chars=crawl.min_chars
    )

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "ReadAgain" >> ReadBatches(read)
            | "DropDuplicates"
            >> DropDuplicates(run.folder, documents=crawl_dedup.COPY_REASONS, lines=crawl_dedup.DUPLICATE_LINES)
            | "Count" >> WriteBatches(Outputs(run.folder, "counted", commoncrawl.SOURCE, None, 0.0))
        )

    yield Stage("counted", settings={}, inputs=stage.inputs, work=UnitWork(shards, build))


def _counted(run: Run) -> dict[str, int]:
    return dict(run.results["counted"].stats["facts"])


def _spent(run: Run, total: float) -> dict[str, float]:
    """Give each step's share of the time with Beam; what no step claims is Beam's and the bookkeeping's."""
    clock: Clock = defaultdict(float)
    for name, result in run.results.items():
        add(clock, result.stats["seconds"] or {"shuffle": run.manifest.stages[name]["seconds"]})
    return _shares(clock, total)


def _shares(clock: Clock, total: float) -> dict[str, float]:
    shares = {step: spent / total for step, spent in clock.items()}
    return {**shares, "the rest": 1 - sum(shares.values())}


def _median_shares(rows: Sequence[dict[str, float]]) -> str:
    medians = {step: statistics.median(row[step] for row in rows) for step in rows[0]}
    ordered = sorted(medians.items(), key=lambda item: -item[1])
    return ", ".join(f"{step} {share:.0%}" for step, share in ordered)
