"""Several processes that train one model, each with devices of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
from jax.experimental import multihost_utils

from train.config import HostSettings


@contextmanager
def joined(hosts: HostSettings | None) -> Iterator[None]:
    """Join the other processes of a run for as long as the block lasts; ``None`` is a run of one process.

    Must come before anything asks JAX for its devices. Processes on CPUs send each other their sums by gloo.

    Raises:
        ValueError: The other processes were not met.
    """
    if hosts is None:
        yield
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(hosts.coordinator, hosts.processes, hosts.process)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"hosts: this process could not join the others: {' '.join(str(error).split())}") from error
    try:
        yield
    finally:
        jax.distributed.shutdown()


def is_first() -> bool:
    """Whether this is the process that writes what is written once."""
    return jax.process_index() == 0


def meet(name: str) -> None:
    """Wait for all processes to come to the same place."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
