"""Timing: alternating runs, since machines are noisy and a figure means something beside another of the same minute."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RUNS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds of two pieces of work, run in turns.

    Attributes:
        ours: Median seconds of ours.
        bare: Median seconds of the other.
        ratio: Our speed over the other's: the median over the turns.
    """

    ours: float
    bare: float
    ratio: float


def compare(ours: Callable[[], object], bare: Callable[[], object], runs: int = RUNS) -> Pair:
    """Time two pieces of work in turns, after one turn that does not count."""
    seconds(ours)
    seconds(bare)
    return pair_of([(seconds(ours), seconds(bare)) for _ in range(runs)])


def pair_of(turns: Sequence[tuple[float, float]]) -> Pair:
    """Sum turns of ``(ours, bare)`` seconds up in medians.

    The ratio is taken turn by turn, so that what slows the machine down for a while slows both sides.
    """
    return Pair(
        ours=statistics.median(ours for ours, _ in turns),
        bare=statistics.median(bare for _, bare in turns),
        ratio=statistics.median(bare / ours for ours, bare in turns),
    )


def seconds(work: Callable[[], object]) -> float:
    """Time a piece of work once, garbage of earlier work collected first."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Give the median seconds of a piece of work."""
    return statistics.median(seconds(work) for _ in range(runs))
