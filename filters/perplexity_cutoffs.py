"""Cut-offs of perplexity between head, middle and tail: CCNet's published ones, or a run's own percentiles.

CCNet (Wenzek et al. 2020, section 3.3; ``PerplexityBucket``) cuts each language at the 30th and 60th percentile of a
sample of its pages, in figures rounded to tens (``data/cutoff.csv``). They belong to CCNet's own models; a perplexity
of another model stands on another scale, so a run that trains its models takes the percentiles of its own documents.
These are exact: perplexities are rounded, so counting how often each value occurs is small however many documents
there are.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import yaml
from numpy.typing import NDArray

HEAD_PERCENTILE = 30.0
MIDDLE_PERCENTILE = 60.0

_CCNET = "ccnet_cutoffs.yaml"


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A language's cut-offs.

    Attributes:
        head: A document below it is in the head.
        middle: A document below it, and not in the head, is in the middle.
    """

    head: float
    middle: float


#: Cut-offs by language code.
Cutoffs = Mapping[str, Cutoff]


@functools.cache
def ccnet_cutoffs() -> Cutoffs:
    """Give CCNet's cut-offs of those among LLaMA's 20 languages that it has.

    >>> ccnet_cutoffs()["en"]
    Cutoff(head=340.0, middle=520.0)
    """
    content = yaml.safe_load(resources.files("filters").joinpath(_CCNET).read_text(encoding="utf-8"))
    return {language: Cutoff(float(row["head"]), float(row["middle"])) for language, row in content.items()}


def cutoffs_of(
    counts: Mapping[str, Mapping[float, int]],
    head_percentile: float = HEAD_PERCENTILE,
    middle_percentile: float = MIDDLE_PERCENTILE,
) -> dict[str, Cutoff]:
    """Take cut-offs from the perplexities of a run's documents.

    Args:
        counts: For each language, how many documents have each perplexity.
        head_percentile: Share of a language's documents, in percent, that are to be in the head.
        middle_percentile: The same of head and middle together.

    Returns:
        The cut-offs, languages in alphabetical order; a language without documents has none.

    Raises:
        ValueError: The percentiles are not in order within 0 and 100, or a count is negative.
    """
    if not 0 <= head_percentile <= middle_percentile <= 100:  # noqa: PLR2004
        raise ValueError(
            f"head_percentile {head_percentile} and middle_percentile {middle_percentile} must be in this order "
            "from 0 to 100"
        )
    wanted = (head_percentile, middle_percentile)
    return {
        language: Cutoff(*exact_percentiles(list(found), list(found.values()), wanted))
        for language, found in sorted(counts.items())
        if any(found.values())
    }


def exact_percentiles(values: Sequence[float], counts: Sequence[int], percentiles: Sequence[float]) -> list[float]:
    """Take percentiles of values that occur several times, as if they were written out one by one.

    Linear interpolation between the neighbours (Hyndman & Fan 1996, type 7), to the last bit what ``np.percentile``
    gives for ``np.repeat(values, counts)``, in memory for the distinct values only.

    Args:
        values: Finite numbers, in any order; one that stands there twice counts twice.
        counts: How often each occurs, 0 or more.
        percentiles: From 0 to 100.

    Returns:
        One number for each percentile.

    Raises:
        ValueError: There is nothing to take percentiles of, a count is negative, a value not finite, or a percentile
            out of range.

    >>> exact_percentiles([1.0, 9.0], [3, 1], [50, 100])
    [1.0, 9.0]
    """
    numbers, ends = _sorted(values, counts)
    wanted = np.asarray(percentiles, dtype=np.float64)
    if ((wanted < 0) | (wanted > 100)).any():  # noqa: PLR2004
        raise ValueError(f"percentiles must be from 0 to 100, not {list(percentiles)}")
    last = int(ends[-1]) - 1
    places = last * (wanted / 100)
    below = np.minimum(np.floor(places).astype(np.int64), last)
    low = numbers[np.searchsorted(ends, below, side="right")]
    high = numbers[np.searchsorted(ends, np.minimum(below + 1, last), side="right")]
    weight, step = places - below, high - low
    # From the nearer end, as NumPy does it: the far one would lose the last bit.
    found: list[float] = np.where(weight < 0.5, low + step * weight, high - step * (1 - weight)).tolist()  # noqa: PLR2004
    return found


def _sorted(values: Sequence[float], counts: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sort values; give them with the number of occurrences up to and with each."""
    numbers, occurrences = np.asarray(values, dtype=np.float64), np.asarray(counts, dtype=np.int64)
    if numbers.shape != occurrences.shape:
        raise ValueError(f"{len(numbers)} values and {len(occurrences)} counts")
    if (occurrences < 0).any() or not np.isfinite(numbers).all():
        raise ValueError("values must be finite and counts 0 or more")
    if not occurrences.any():
        raise ValueError("no values to take percentiles of")
    order = np.argsort(numbers, kind="stable")
    return numbers[order], occurrences[order].cumsum()
