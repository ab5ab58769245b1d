"""The sequences of a run as a Grain data source, so that other JAX trainers see the same tokens in the same order.

Element ``i`` is sequence ``i`` of the run (:meth:`train.data.Mixture.sequences`): already shuffled and mixed, so that
Grain's ``batch(batch_size)`` without a shuffle gives what :meth:`train.data.Mixture.batch` gives, and an iterator's
state is a number. Nothing of Grain is imported: its ``RandomAccessDataSource`` is a protocol.
"""

import operator
from collections.abc import Mapping, Sequence
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from train.data import Mixture

Element = dict[str, NDArray[np.int32]]


class Windows:
    """A Grain ``RandomAccessDataSource`` of ``{"tokens": (context + 1,)}``, int32, each token but the first a target.

    A copy that goes to one of Grain's worker processes opens the files there. Grain holds ``repr`` of a source beside a
    checkpoint's: it tells what decides the order, and not where the files lie.
    """

    def __init__(self, mixture: Mixture, *, sequences: int | None = None) -> None:
        """Make a source of a mixture.

        Args:
            mixture: Draws the sequences.
            sequences: How many the source has, steps times batch size of the run; ``None`` takes as many as all sources
                have windows. Drawing goes on beyond that, epoch after epoch, while Grain's ``repeat`` draws the same
                again.
        """
        self._mixture = mixture
        self._length = sum(pool.num_windows for pool in mixture.pools) if sequences is None else sequences

    def __len__(self) -> int:
        """Number of sequences."""
        return self._length

    def __getitem__(self, index: SupportsIndex) -> Element:
        """Return a sequence.

        Raises:
            IndexError: There is none of this number.
        """
        (element,) = self._getitems([index])
        return element

    def _getitems(self, indices: Sequence[SupportsIndex]) -> list[Element]:
        """Return several sequences, read together; Grain calls it where it makes batches."""
        numbers = np.fromiter(map(operator.index, indices), np.int64, len(indices))
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self._length:
            raise IndexError(f"sequences {numbers.min()}..{numbers.max()} of {self._length}")
        return [{"tokens": row} for row in self._mixture.sequences(numbers)]

    def __repr__(self) -> str:
        mixture = self._mixture
        pools = ", ".join(
            f"{share} of {pool.name}'s {pool.num_windows} windows"
            for share, pool in zip(mixture.shares, mixture.pools, strict=True)
        )
        tokenizer = mixture.pools[0].sources[0].manifest.tokenizer_sha256
        return (
            f"Windows({self._length} sequences of {mixture.context} tokens by tokenizer {tokenizer}, "
            f"in each block {pools}, seed {mixture.seed})"
        )


def inputs_and_targets(element: Mapping[str, NDArray[np.int32]]) -> Element:
    """Make of an element what MaxText's trainer takes, every position counted and all of a window one segment.

    For ``map`` after a source. Other trainers take ``inputs`` and ``targets`` alone, some of them as ``labels``.
    """
    tokens = element["tokens"]
    inputs, targets = tokens[:-1], tokens[1:]
    position, segment = np.arange(len(inputs), dtype=np.int32), np.ones(len(inputs), np.int32)
    return {
        "inputs": inputs,
        "targets": targets,
        "inputs_position": position,
        "targets_position": position,
        "inputs_segmentation": segment,
        "targets_segmentation": segment,
    }
