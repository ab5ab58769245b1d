"""Compile a training step for TPUs that are not there, and read off whether it fits and what it sends.

XLA's compiler for TPUs runs on any machine. What it gives is exact as to memory, kernels and collectives of the program
that would run; of speed it says nothing.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax

from train.config import TrainSettings
from train.hlo import Counts, count
from train.remat import CHEAPEST_FIRST, Remat
from train.sharding import MeshSettings
from train.step import lower_update, plan
from train.topology import Topology

_GIB = 2**30
#: "Used 48.60G of 30.75G hbm", and for temporaries alone "(29.02G) exceeds available HBM (15.75G)".
_OVERFLOW = re.compile(r"([\d.]+)([KMGT])\)? (?:of|exceeds available HBM) \(?([\d.]+)([KMGT])", re.IGNORECASE)
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class CompileReport:
    """A step compiled, or not.

    Attributes:
        topology: The slices.
        mesh: Its sizes filled in.
        settings: What was compiled.
        peak_gib: Memory of a chip at its fullest, in GiB; what it would take at least if it does not fit.
        limit_gib: What the compiler lets a program have.
        state_gib: Of the peak, weights and moments; 0 if it does not fit.
        counts: Collectives and kernels of a step; ``None`` if it does not fit: then there is no program.
        flags: Options of the compiler.
        seconds: Time to compile.
    """

    topology: Topology
    mesh: MeshSettings
    settings: TrainSettings
    peak_gib: float
    limit_gib: float
    state_gib: float
    counts: Counts | None
    flags: dict[str, str]
    seconds: float

    @property
    def fits(self) -> bool:
        """Whether a chip's memory holds it."""
        return self.counts is not None

    @property
    def rows_per_chip(self) -> float:
        """Sequences on a chip at a time."""
        return self.settings.batch / self.settings.accumulate / self.topology.chips

    @property
    def kernels_per_layer(self) -> float | None:
        """Calls of Pallas kernels per layer and part of the batch: forward and backward."""
        runs = self.settings.model.layers * self.settings.accumulate
        return None if self.counts is None else self.counts.kernels / runs

    def lines(self) -> list[str]:
        """Describe it to a person."""
        settings, mesh = self.settings, self.mesh
        parallel = ", sequence-parallel" if mesh.sequence_parallel else ""
        times = "at once" if settings.accumulate == 1 else f"in {settings.accumulate} parts"
        verdict = f"{'fits' if self.fits else 'does not fit'}: {self.peak_gib:.2f} GiB per chip of {self.limit_gib:.2f}"
        per_chip = f"{self.rows_per_chip:g} sequences per chip at a time"
        head = [
            f"{self.topology.name}: {self.topology.chips} chips, mesh data x fsdp x tensor = {mesh}{parallel}",
            f"{settings.batch * settings.model.context:,} tokens per step {times}, {per_chip}, remat {settings.remat}",
        ]
        if self.counts is None:
            return [*head, verdict]
        return [
            *head,
            f"{verdict}, {self.state_gib:.2f} of them weights and moments",
            f"collectives per chip and step: {_megabytes(self.counts)}",
            f"of {self.counts.collectives:,} collectives {self.counts.asynchronous:,} overlap with computation",
            f"Pallas kernels: {self.kernels_per_layer:g} calls per layer",
            f"compiler flags: {len(self.flags)}, all valid",
            f"compiled in {self.seconds:.0f} s",
        ]


def _megabytes(counts: Counts) -> str:
    kinds = ", ".join(f"{kind} {size / 1e6:,.0f}" for kind, size in counts.bytes_by_kind.items())
    return f"{counts.bytes / 1e6:,.0f} MB" + (f" ({kinds})" if kinds else "")


def check(settings: TrainSettings, topology: Topology, flags: Mapping[str, str] | None = None) -> CompileReport:
    """Compile the step of ``settings``.

    Args:
        settings: The model's vocabulary must be set.
        topology: What to compile for.
        flags: Options of the compiler beside those of the generation.

    Raises:
        ValueError: Settings, mesh and chips do not fit each other, there is no such slice, or no such flag.
    """
    if settings.model.vocab_size is None:
        raise ValueError("model.vocab_size must be set: no token shards are read here")
    devices = topology.devices()
    mesh = settings.mesh.filled(len(devices))
    options = {**topology.kind.flags, **(flags or {})}
    begun = time.perf_counter()
    layout, how = plan(settings, devices, backend="tpu")
    lowered = lower_update(settings, layout, how)
    try:
        compiled = lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:
        peak, limit = _overflow(error, topology)
        elapsed = time.perf_counter() - begun
        return CompileReport(topology, mesh, settings, peak, limit, 0.0, None, options, elapsed)
    memory = compiled.memory_analysis()
    peak, kept = memory.peak_memory_in_bytes / _GIB, memory.argument_size_in_bytes / _GIB
    counts, elapsed = count(compiled.as_text()), time.perf_counter() - begun
    return CompileReport(topology, mesh, settings, peak, topology.kind.hbm_gib, kept, counts, options, elapsed)


def _overflow(error: jax.errors.JaxRuntimeError, topology: Topology) -> tuple[float, float]:
    """Read what was asked for, at least, and what there is, in GiB, from the compiler's refusal.

    Raises:
        ValueError: It refused for another reason, such as a flag that it does not know.
    """
    message = str(error)
    if used := _OVERFLOW.search(message):
        asked, asked_unit, limit, limit_unit = used.groups()
        return float(asked) * _UNITS[asked_unit] / _GIB, float(limit) * _UNITS[limit_unit] / _GIB
    if "compile option" in message or "flag" in message.lower():
        raise ValueError(f"compiler flags for {topology.name}: {message.strip().splitlines()[0]}") from error
    raise error


def tune(
    settings: TrainSettings, topology: Topology, flags: Mapping[str, str] | None = None
) -> Iterator[CompileReport]:
    """Try the largest part of the batch with the remat that computes least a second time, then others, until one fits.

    The part comes first: each part gathers all weights and sums all gradients again, while remat costs a third of the
    forward pass at most. ``offload`` is left out: it fits where ``linears`` does not, but its cost is the host's.
    """
    mesh = settings.mesh.filled(topology.chips)
    divisor = mesh.data * mesh.fsdp
    for accumulate in _divisors(settings.batch // divisor if settings.batch % divisor == 0 else 1):
        for remat in _tried():
            report = check(settings.model_copy(update={"accumulate": accumulate, "remat": remat}), topology, flags)
            yield report
            if report.fits:
                return


def _tried() -> list[Remat]:
    return [name for name in CHEAPEST_FIRST if name != "offload"]


def _divisors(number: int) -> list[int]:
    """Divide ``number`` without rest.

    >>> _divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
