"""Batches on the devices ahead of time: each process reads only the rows that its own devices hold.

A batch is one array over all devices of the run, cut by its sharding. Which process reads a row follows from where the
row lies, so the number of processes changes no batch, and each row is read once in all where the batch is divided over
the processes.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import jax
import numpy as np
from jax.sharding import NamedSharding
from numpy.typing import NDArray

from train.data import Mixture

#: Reads rows by number, one row of tokens for each.
RowsOf = Callable[[NDArray[np.int64]], NDArray[np.int32]]
#: Which part of an array a device holds; ``None`` is all of it.
Index = tuple[slice, ...] | None

_WHOLE = slice(None), slice(None)


def place(rows_of: RowsOf, first: int, rows: int, width: int, sharding: NamedSharding) -> jax.Array:
    """Lay rows of tokens over the devices of all processes.

    Args:
        rows_of: Reads rows by their numbers. It is asked once, for the rows that this process's devices hold, in
            ascending order; a row that several of them hold is read once.
        first: Number of the first row.
        rows: How many rows the array has.
        width: Tokens of a row.
        sharding: Where the array lies; each process calls this for the same rows.

    Returns:
        The whole array, ``(rows, width)``, of which this process holds its part.
    """
    held = _held_rows(sharding, rows, width)
    content = rows_of(first + held)

    def part(index: Index) -> NDArray[np.int32]:
        which, tokens = index or _WHOLE
        begin, end, _ = which.indices(rows)
        return content[slice(*np.searchsorted(held, (begin, end))), tokens]

    return jax.make_array_from_callback((rows, width), sharding, part, dtype=np.int32)


def _held_rows(sharding: NamedSharding, rows: int, width: int) -> NDArray[np.int64]:
    is_held = np.zeros(rows, np.bool_)
    for index in sharding.addressable_devices_indices_map((rows, width)).values():
        which, _ = index or _WHOLE
        is_held[which] = True
    return np.flatnonzero(is_held)


class Prefetch:
    """The batches of some steps in order, each made in a thread while the steps before it are computed.

    Usable as an iterator within a ``with`` block, whose end ends the thread, after the batch it is at.

    Attributes:
        waited: Seconds in all that ``next`` has waited for batches that were not yet there.
    """

    def __init__(self, mixture: Mixture, sharding: NamedSharding, *, first: int, last: int, depth: int = 2) -> None:
        """Begin to read.

        Args:
            mixture: Draws the batches.
            sharding: Where they lie.
            first: The first step, counted from 0.
            last: The step to end before.
            depth: Batches that are made ahead, held beside the one in use.
        """
        self.waited = 0.0
        self._mixture = mixture
        self._sharding = sharding
        self._steps = iter(range(first, last))
        self._has_failed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: deque[Future[jax.Array]] = deque()
        for _ in range(depth):
            self._order()

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> jax.Array:
        """Return the next step's batch.

        Raises:
            StopIteration: All steps are done.
            Exception: What went wrong while the batch was made, as it was raised; asked again, it is raised again.
        """
        if not self._ahead:
            raise StopIteration
        begun = time.perf_counter()
        batch = self._ahead[0].result()
        self.waited += time.perf_counter() - begun
        self._ahead.popleft()
        self._order()
        return batch

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread; batches that it has not begun are not made."""
        self._thread.shutdown(cancel_futures=True)
        self._ahead.clear()

    def _order(self) -> None:
        for step in self._steps:
            self._ahead.append(self._thread.submit(self._make, step))
            return

    def _make(self, step: int) -> jax.Array:
        if self._has_failed:
            raise RuntimeError("a batch before this one could not be made")
        size = self._mixture.batch_size
        self._has_failed = True  # until it is made
        batch = place(self._mixture.sequences, step * size, size, self._mixture.context + 1, self._sharding)
        self._has_failed = False
        return batch
