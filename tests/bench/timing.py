"""Timing: alternating runs, since machines are noisy and a figure means something beside another of the same minute."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RUNS = 5


@dataclass(frozen=True, slots=True)
class Spent:
    """What a piece of work took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of this process, all its threads together.
    """

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Medians of two pieces of work, run in turns.

    Attributes:
        ours: What ours took.
        bare: What the other took.
        ratio: Our speed over the other's, by the clock: the median over the turns, so that what slows the machine
            down for a while slows both sides.
    """

    ours: Spent
    bare: Spent
    ratio: float


def compare(ours: Callable[[], object], bare: Callable[[], object], runs: int = RUNS) -> Pair:
    """Measure two pieces of work in turns, after one turn that does not count."""
    measure(ours)
    measure(bare)
    return pair_of([(measure(ours), measure(bare)) for _ in range(runs)])


def pair_of(turns: Sequence[tuple[Spent, Spent]]) -> Pair:
    """Sum turns of ``(ours, bare)`` up in medians."""
    ratio = statistics.median(bare.seconds / ours.seconds for ours, bare in turns)
    return Pair(median([ours for ours, _ in turns]), median([bare for _, bare in turns]), ratio)


def median(spent: Sequence[Spent]) -> Spent:
    """Take the medians of several runs."""
    return Spent(statistics.median(run.seconds for run in spent), statistics.median(run.cpu_seconds for run in spent))


def measure(work: Callable[[], object]) -> Spent:
    """Do a piece of work once, garbage of earlier work collected first."""
    gc.collect()
    start, cpu_start = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - start, time.process_time() - cpu_start)
