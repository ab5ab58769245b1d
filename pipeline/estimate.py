"""What a plan takes: time, memory, disk, bytes that are shuffled, and with prices its cost on Dataflow.

The volume of each stage follows from the raw files and the measured ratio of text out to bytes in, stage by stage; what
it takes, from the measured figures of a byte (:mod:`pipeline.measured`). Assumed are: cores as fast as those that were
measured; inputs like those; units of work as the recipe cuts them, of which a worker does one at a time (a gzip file is
one unit); as much text a batch as the config says; stages one after the other. Disk and memory of transfers, an object
store's latency and the minutes that a cluster takes to start are not counted.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from pipeline.duplicates import BUCKET_BYTES
from pipeline.measured import Figures, Table, figures_here
from pipeline.plan import Plan, PlannedStage, State
from pipeline.runner import BYTES_PER_WORKER, Engine
from pipeline.stage import Job, LauncherWork, UnitWork
from pipeline.volumes import (
    TEXT,
    bytes_by_kind,
    origins,
    passes_over_text,
    raw_files,
    sampled_bytes,
    shuffle_bound,
)

_HOUR = 3600.0
_GB = 1e9
#: Stages that the launching process works on, on whatever runner.
_OF_LAUNCHER = frozenset(
    {
        "books.candidates",
        "books.duplicates",
        "commoncrawl.ngram_models",
        "commoncrawl.cutoffs",
        "commoncrawl.cited_urls",
        "commoncrawl.reference_model",
        "evaluation_ngrams",
        "matched_ngrams",
        "tokenizer",
        "mixture",
        "token_manifests",
    }
)


class Prices(BaseModel):
    """A price list, in one currency.

    Attributes:
        currency: Its name.
        vcpu_hour: Of a worker's core.
        memory_gb_hour: Of a GB of a worker's memory.
        shuffle_gb: Of a GB that is shuffled.
        disk_gb_month: Of a GB of the run folder, for a month.
        worker_memory_gb: Memory that is paid for with a worker's core.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = "USD"
    vcpu_hour: float
    memory_gb_hour: float
    shuffle_gb: float
    disk_gb_month: float
    worker_memory_gb: float = 8.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stage of the plan takes; numbers are ``None`` where it was never measured, all 0 where it is skipped.

    Attributes:
        name: The stage's name.
        read: Bytes it reads: of raw files, or of text.
        workers: How many workers it keeps busy; 0 for work of the launcher.
        seconds: By the clock.
        core_seconds: Of all workers together.
        memory: Peak bytes on this machine, or of the largest process of a cluster.
        written: Bytes it writes.
        shuffled: Bytes of keys that meet.
        cost: Of its workers and its shuffle; ``None`` without prices.
        is_here: Whether the figures are those of an earlier run in this folder.
    """

    name: str
    read: int | None = 0
    workers: int = 0
    seconds: float | None = 0.0
    core_seconds: float | None = 0.0
    memory: int | None = 0
    written: int | None = 0
    shuffled: int | None = 0
    cost: float | None = None
    is_here: bool = False


@dataclass(slots=True)
class _Volumes:
    """What is known on the way through the plan: text, bytes on disk and units that each stage gives, by its name."""

    text: dict[str, int] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Input:
    """What a stage reads: bytes by kind, bytes on disk, units, and the largest unit's share of the bytes."""

    kinds: Mapping[str, int]
    disk: int
    units: int
    largest: float

    @property
    def size(self) -> int:
        return sum(self.kinds.values())


class Estimator:
    """Estimates the stages of a plan, in order.

    Args:
        plan: The plan.
        table: Measured figures.
        workers: Worker processes.
        is_cluster: Whether workers are machines of a cluster, which shuffle among themselves.
        prices: A price list.
    """

    def __init__(
        self, plan: Plan, table: Table, *, workers: int, is_cluster: bool = False, prices: Prices | None = None
    ) -> None:
        self._plan, self._table, self._workers = plan, table, workers
        self._is_cluster, self._prices = is_cluster, prices
        self._settings = plan.run.settings
        self._names = [planned.name for planned in plan.stages]
        self._here = figures_here(plan.run, plan.manifest, self._names)
        self._volumes = _Volumes()

    def estimates(self) -> list[Estimate]:
        """Give the estimate of each stage."""
        return [self._estimate(planned) for planned in self._plan.stages]

    def _estimate(self, planned: PlannedStage) -> Estimate:
        given = self._input_of(planned)
        if planned.result is not None:
            self._volumes.text[planned.name] = int(planned.result.stats["bytes_out"])
            self._volumes.disk[planned.name] = sum(output.bytes for output in planned.result.outputs())
            self._volumes.units[planned.name] = len(planned.result.commits)
            return Estimate(planned.name)
        if given is None:
            return self._unknown(planned.name)
        figures = self._figures(planned.name, given.kinds)
        if figures is None:
            return self._unknown(planned.name)
        return self._stage(planned, given, figures)

    def _unknown(self, name: str) -> Estimate:
        return Estimate(name, None, 0, None, None, None, None, None)

    def _input_of(self, planned: PlannedStage) -> _Input | None:
        before = origins(planned.name, self._settings, self._names)
        volumes = self._volumes
        if any(name not in volumes.text for name in before):
            return None
        work = planned.stage.work if planned.stage is not None else None
        listed = work.units if isinstance(work, UnitWork) else ()
        if not before:
            files = listed or raw_files(planned.name, self._plan.inputs)
            kinds, largest = bytes_by_kind(files), max((file.size for file in files), default=0)
            size = sum(kinds.values())
            return _Input(kinds, size, len(files), largest / max(1, size))
        text, disk = (sum(known[name] for name in before) for known in (volumes.text, volumes.disk))
        units = sum(max(1, volumes.units[name]) for name in before)
        if planned.name.endswith(".tokens") and self._settings.tokens is not None:
            ids = self._figures(planned.name, {TEXT: text})
            units = math.ceil((ids.written if ids else 1.0) * text / self._settings.tokens.shard_bytes)
        units = len(listed) or max(1, units)
        return _Input({TEXT: text * passes_over_text(planned.name, self._settings)}, disk, units, 1 / units)

    def _figures(self, name: str, kinds: Mapping[str, int]) -> Figures | None:
        """Give a stage's figures, those of several kinds weighed by their bytes."""
        here = self._here.get(name)
        found = {kind: self._table.of(name, kind) for kind in kinds}
        known = {kind: figures for kind, figures in found.items() if figures is not None}
        if here is not None:
            measured = next(iter(known.values()), here)
            kept = {key: getattr(measured, key) for key in ("shuffled", "memory_mb", "memory_per_byte")}
            return here.model_copy(update=kept)
        if len(known) < len(kinds) or not known:
            return None
        total = sum(kinds.values()) or len(kinds)
        shares = {kind: (size or 1) / total for kind, size in kinds.items()}
        fields = type(next(iter(known.values()))).model_fields
        return Figures(**{key: sum(shares[kind] * getattr(known[kind], key) for kind in known) for key in fields})

    def _stage(self, planned: PlannedStage, given: _Input, figures: Figures) -> Estimate:
        name, settings = planned.name, self._settings
        full = figures.text_out * given.size / passes_over_text(name, settings)
        documents = sum(size for stage, size in self._volumes.text.items() if stage.endswith(".documents"))
        text = sampled_bytes(name, int(full), documents, settings, self._table.document_bytes)
        share = text / full if full and name.endswith("_sample") else 1.0
        left = _share_left(planned)
        shuffled = int(figures.shuffled * given.size)
        left_out = figures.left_out * settings.dropped_text_fraction
        written = int((figures.written * share + left_out) * given.size)
        self._volumes.text[name], self._volumes.disk[name] = text, written
        self._volumes.units[name] = max(given.units, math.ceil(text / settings.batch_bytes))
        workers = self._workers_for(planned, given, shuffled)
        work = figures.seconds_per_mb * given.size / 1e6 * left
        starts = self._table.worker_seconds if workers > 1 else 0.0
        slowest = max(1 / max(1, workers), given.largest if workers > 1 else 0.0)
        return Estimate(
            name,
            read=given.size,
            workers=workers,
            seconds=self._table.stage_seconds + starts + work * slowest,
            core_seconds=work + starts * workers,
            memory=self._memory(name, figures, given.size, workers, shuffled),
            written=int(written * left),
            shuffled=int(shuffled * left),
            cost=self._cost(workers, work + starts * workers, shuffled * left),
            is_here=name in self._here,
        )

    def _workers_for(self, planned: PlannedStage, given: _Input, shuffled: int) -> int:
        name = planned.name
        if name in _OF_LAUNCHER or (planned.stage is not None and isinstance(planned.stage.work, LauncherWork)):
            return 0
        if self._is_cluster:
            return min(self._workers, max(1, math.ceil(shuffled / BUCKET_BYTES)) if shuffled else given.units)
        job = Job(name, units=given.units, size=given.disk, in_launcher=shuffled > 0)
        return max(1, Engine(self._workers, (), BYTES_PER_WORKER).workers_for(job))

    def _memory(self, name: str, figures: Figures, size: int, workers: int, shuffled: int) -> int:
        table, batch_bytes = self._table, self._settings.batch_bytes
        more = table.memory_per_batch_byte * (batch_bytes - table.batch_bytes) if workers else 0.0
        worker = figures.memory_mb * 1e6 + max(more, table.launcher_mb * 1e6 - figures.memory_mb * 1e6)
        worker += figures.memory_per_byte * size
        if self._is_cluster:
            return int(worker)
        bound = shuffle_bound(name, self._settings)
        at_once = shuffled if bound is None else min(shuffled, bound)
        meeting = table.launcher_per_shuffled_byte * at_once
        launcher = table.launcher_mb * 1e6
        return int(max(worker, launcher) + meeting if workers <= 1 else launcher + workers * worker + meeting)

    def _cost(self, workers: int, core_seconds: float, shuffled: float) -> float | None:
        prices = self._prices
        if prices is None:
            return None
        hours = core_seconds / _HOUR if workers else 0.0
        hour = prices.vcpu_hour + prices.worker_memory_gb * prices.memory_gb_hour
        return hours * hour + shuffled / _GB * prices.shuffle_gb


def _share_left(planned: PlannedStage) -> float:
    """Say how much of a stage is still to do."""
    if planned.state is not State.RESUMES or planned.stage is None:
        return 1.0
    work = planned.stage.work
    if not work.missing(planned.committed):
        return 0.0
    return 1 - work.done_bytes(planned.committed) / work.total_bytes if work.total_bytes else 1.0


@dataclass(frozen=True, slots=True)
class Total:
    """What all stages take together, as far as they were measured.

    Attributes:
        seconds: By the clock, one stage after the other.
        core_seconds: Of all workers together.
        memory: Peak bytes.
        written: Bytes.
        there: Bytes that lie in the run folder already, of stages that are skipped.
        shuffled: Bytes.
        workers_cost: Cost of workers and shuffle; ``None`` without prices.
        disk_cost: Cost of a month of the run folder.
        unknown: Stages that were never measured.
    """

    seconds: float
    core_seconds: float
    memory: int
    written: int
    there: int
    shuffled: int
    workers_cost: float | None
    disk_cost: float | None
    unknown: Sequence[str]


def add_up(plan: Plan, estimates: Sequence[Estimate], prices: Prices | None) -> Total:
    """Add up the stages of a plan."""
    results = [planned.result for planned in plan.stages if planned.result is not None]
    there = sum(output.bytes for result in results for output in result.outputs())
    written = sum(one.written or 0 for one in estimates)
    return Total(
        seconds=sum(one.seconds or 0.0 for one in estimates),
        core_seconds=sum(one.core_seconds or 0.0 for one in estimates),
        memory=max((one.memory or 0 for one in estimates), default=0),
        written=written,
        there=there,
        shuffled=sum(one.shuffled or 0 for one in estimates),
        workers_cost=None if prices is None else sum(one.cost or 0.0 for one in estimates),
        disk_cost=None if prices is None else (there + written) / _GB * prices.disk_gb_month,
        unknown=[one.name for one in estimates if one.seconds is None],
    )
