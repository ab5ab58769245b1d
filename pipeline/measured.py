"""Measured figures: what a stage takes and leaves for each byte that it reads.

``measured.yaml`` holds those of the project's own benchmark (``make bench BENCH=run.stages``), measured with one worker
on real inputs. Where a run folder has those of an earlier run, they come from there.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from pipeline.commits import Commit, summarize
from pipeline.duplicates import DuplicateWork
from pipeline.files import exists, join, read_json
from pipeline.manifest import Manifest
from pipeline.run import Run
from pipeline.sources.book_shared import SharedWork
from pipeline.stage import Stage, UnitWork
from pipeline.volumes import ANY, TEXT, kind_of_unit, origins, passes_over_text

_TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "measured.yaml")
#: Fewer bytes of a kind of file tell nothing of it.
_LEAST_BYTES = 500_000
#: What a stage leaves out, with its text as far as the config says.
_LEFT_OUT = ("dropped/", "errors/")
#: Stages whose memory grows with what they read, which is bounded by the config.
_GROWING = ("tokenizer", "commoncrawl.ngram_models", "commoncrawl.reference_model")
#: Stages that read some of a source's files, not all.
_READ_APART = ("commoncrawl.citations", "github.licences", "github.places", "github.contents", "github.cleaned")


class Figures(BaseModel):
    """What a stage takes and leaves, by the byte of what it reads.

    Attributes:
        seconds_per_mb: Of one core, for a MB (10^6 bytes) of what it reads, of raw files as they lie on disk, else of
            UTF-8 text.
        text_out: Bytes of text that it lets through.
        written: Bytes that it writes, but for what is left out.
        left_out: Bytes that it writes of what is left out, all their text kept.
        shuffled: Bytes of keys that meet.
        memory_mb: Peak memory of the process that did it, the launcher and the only worker in one.
        memory_per_byte: What that grows by for a byte of what it reads; 0 where it does not grow.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds_per_mb: float = 0.0
    text_out: float = 0.0
    written: float = 0.0
    left_out: float = 0.0
    shuffled: float = 0.0
    memory_mb: float = 0.0
    memory_per_byte: float = 0.0


class Table(BaseModel):
    """The table of figures.

    Attributes:
        measured: When and on what.
        stage_seconds: What a stage takes that has hardly anything to read.
        worker_seconds: What it takes to start worker processes and to end them.
        launcher_mb: Memory of a launcher that does not work itself.
        launcher_per_shuffled_byte: What that grows by for a byte of keys that meet at once, on the local runner.
        batch_bytes: The batches' text that memory was measured at.
        memory_per_batch_byte: What a worker's memory grows by for a byte more of it.
        document_bytes: Text of a page of the crawl.
        stages: Figures of each stage, by the kind of what it reads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    measured: str
    stage_seconds: float
    worker_seconds: float
    launcher_mb: float
    launcher_per_shuffled_byte: float
    batch_bytes: int
    memory_per_batch_byte: float
    document_bytes: float
    stages: Mapping[str, Mapping[str, Figures]]

    def of(self, stage: str, kind: str) -> Figures | None:
        """Give a stage's figures for a kind, else those for any; ``None`` where it was not measured."""
        kinds = self.stages.get(stage, {})
        return kinds.get(kind) or (kinds.get(ANY) if kind != TEXT else None)


@functools.cache
def measured_table() -> Table:
    """Load the figures that come with the project."""
    with open(_TABLE, encoding="utf-8") as stream:
        return Table.model_validate(yaml.safe_load(stream))


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stage took, all its work together.

    Attributes:
        seconds: Of one core.
        memory: Peak bytes; 0 where it is not known.
    """

    seconds: float
    memory: int = 0


def measure_stage(stage: Stage, commits: Sequence[Commit], spent: Spent, read: int | None) -> dict[str, Figures]:
    """Give the figures of a finished stage.

    Args:
        stage: The stage.
        commits: What it committed.
        spent: What it took.
        read: Bytes of text that it read; ``None`` for raw files, whose sizes its units tell.
    """
    if read is None and isinstance(stage.work, UnitWork):
        return _by_kind(stage.work, commits, spent)
    shuffled = stage.work.total_bytes if isinstance(stage.work, DuplicateWork | SharedWork) else 0
    figures = _figures(commits, spent.seconds, max(1, read or 0), shuffled, spent.memory)
    return {TEXT: figures}


def _by_kind(work: UnitWork, commits: Sequence[Commit], spent: Spent) -> dict[str, Figures]:
    """Share a stage's time out over the kinds of files by what their batches took."""
    kinds = {unit.name: kind_of_unit(unit) for unit in work.units}
    groups: dict[str, list[Commit]] = {ANY: list(commits)}
    sizes: dict[str, int] = {ANY: work.total_bytes}
    for unit in work.units:
        sizes[kinds[unit.name]] = sizes.get(kinds[unit.name], 0) + unit.size
    for commit in commits:
        if kinds[commit.shard] != ANY:
            groups.setdefault(kinds[commit.shard], []).append(commit)
    whole = _step_seconds(commits) or 1.0
    return {
        kind: _figures(own, spent.seconds * _step_seconds(own) / whole, max(1, sizes[kind]), 0, spent.memory)
        for kind, own in groups.items()
        if kind == ANY or sizes[kind] >= _LEAST_BYTES
    }


def _figures(commits: Sequence[Commit], seconds: float, read: int, shuffled: int, memory: int) -> Figures:
    outputs = [output for commit in commits for output in commit.outputs]
    left_out = sum(output.bytes for output in outputs if output.path.startswith(_LEFT_OUT))
    return Figures(
        seconds_per_mb=seconds / read * 1e6,
        text_out=sum(commit.bytes_out for commit in commits) / read,
        written=(sum(output.bytes for output in outputs) - left_out) / read,
        left_out=left_out / read,
        shuffled=shuffled / read,
        memory_mb=memory / 1e6,
    )


def _step_seconds(commits: Sequence[Commit]) -> float:
    return float(sum(summarize(commits)["seconds"].values()))


def with_growth(name: str, figures: Figures, read: int, base: float) -> Figures:
    """Tell memory that grows with the input from what the process takes anyway, for the stages where it does."""
    if name not in _GROWING:
        return figures
    grows = max(0.0, figures.memory_mb - base) * 1e6 / max(1, read)
    return figures.model_copy(update={"memory_mb": base, "memory_per_byte": grows})


def figures_here(run: Run, manifest: Manifest, names: Sequence[str]) -> dict[str, Figures]:
    """Give what an earlier run in the same folder took and left, by stage, as far as its records tell.

    They do not for samples, whose share may have been another, and for files that a source reads for one stage alone.
    """
    found = {}
    share = run.settings.dropped_text_fraction or 1.0
    for name in names:
        entry, stats = manifest.stages.get(name), _read_stats(run, name)
        read = _read_before(run, manifest, name, names)
        if entry is None or stats is None or not read:
            continue
        outputs = entry["outputs"]
        left_out = sum(output["bytes"] for output in outputs if output["path"].startswith(_LEFT_OUT))
        written = sum(output["bytes"] for output in outputs) - left_out
        seconds = sum(stats["seconds"].values()) or entry["seconds"]
        found[name] = Figures(
            seconds_per_mb=seconds / (read * passes_over_text(name, run.settings)) * 1e6,
            text_out=stats["bytes_out"] / read,
            written=written / read,
            left_out=left_out / read / share,
        )
    return found


def _read_before(run: Run, manifest: Manifest, name: str, names: Sequence[str]) -> int:
    """Say how many bytes a stage read in an earlier run; 0 where that cannot be told."""
    if name.endswith("_sample") or name in _READ_APART:
        return 0
    stages = origins(name, run.settings, names)
    if not stages:
        return sum(file.bytes for file in manifest.known_inputs(name.partition(".")[0]).values())
    stats = [_read_stats(run, origin) for origin in stages]
    return sum(int(one["bytes_out"]) for one in stats if one is not None)


def _read_stats(run: Run, name: str) -> dict[str, Any] | None:
    path = join(run.folder, "stats", f"{name}.json")
    if not exists(path):
        return None
    stats: dict[str, Any] = read_json(path)
    return stats
