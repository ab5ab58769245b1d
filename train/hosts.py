"""Several processes that train one model, each with devices of its own."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import jax
from jax.experimental import multihost_utils

from train.config import HostSettings

#: How long JAX waits for all processes to begin, too.
_WAIT_SECONDS = 300
#: How long a process that failed waits for the others to end with it.
_LEAVE_SECONDS = 10
#: How long one attempt to reach process 0 may take: a firewall answers nothing.
_CONNECT_SECONDS = 2.0
_MOST_CHARS = 400


class DeviceError(OSError):
    """A device failed: it is out of memory, or another process that it works with is gone. One line."""


@contextmanager
def joined(hosts: HostSettings | None) -> Iterator[None]:
    """Join the other processes of a run for as long as the block lasts; ``None`` is a run of one process.

    Must come before anything asks JAX for its devices. Processes on CPUs send each other their sums by gloo.

    Raises:
        ValueError: The other processes were not met.
        DeviceError: A device failed, in a run of one process. Of several, this one is ended with that line and status
            1, and so is a process that fails in another way while the others go on.
    """
    if hosts is None:
        try:
            yield
        except jax.errors.JaxRuntimeError as error:
            raise DeviceError(_one_line(error)) from error
        return
    if hosts.coordinator is not None:
        _await(hosts.coordinator, is_first=hosts.process == 0)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(hosts.coordinator, hosts.processes, hosts.process)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"hosts: this process could not join the others: {' '.join(str(error).split())}") from error
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        _end(f"a device failed, or another process has ended: {_one_line(error)}")
    except BaseException as error:
        # Of all processes, or of this one alone: then the others never come to the leave-taking.
        leaving = threading.Thread(target=jax.distributed.shutdown, daemon=True)
        leaving.start()
        leaving.join(_LEAVE_SECONDS)
        if leaving.is_alive():
            _end(_one_line(error) or type(error).__name__)
        raise
    jax.distributed.shutdown()


def _end(why: str) -> NoReturn:
    """End this process at once: JAX's own end would wait for the others, then abort with a stack trace."""
    sys.stderr.write(f"error: {why}\n")
    sys.stderr.flush()
    os._exit(1)


def _await(coordinator: str, *, is_first: bool, seconds: float = _WAIT_SECONDS) -> None:
    """Wait for process 0, saying so: JAX waits without a word, and where it waits in vain it aborts the process.

    Raises:
        ValueError: It cannot be reached, or there is no such address.
    """
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"hosts.coordinator must be host:port, got {coordinator}")
    if is_first:
        sys.stderr.write(f"waiting for the other processes at {coordinator}, for {seconds:g} s at most\n")
        return
    end, has_told = time.monotonic() + seconds, False
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            if time.monotonic() >= end:
                raise ValueError(
                    f"hosts.coordinator={coordinator}: process 0 cannot be reached there: {error.strerror or error}"
                ) from error
        else:
            return
        if not has_told:
            sys.stderr.write(f"waiting for process 0 at {coordinator}, for {seconds:g} s at most\n")
            has_told = True
        time.sleep(min(0.5, seconds))


def _one_line(error: BaseException) -> str:
    """What XLA says, without its remarks."""
    return " ".join(str(error).split())[:_MOST_CHARS]


def is_first() -> bool:
    """Whether this is the process that writes what is written once."""
    return jax.process_index() == 0


def meet(name: str) -> None:
    """Wait for all processes to come to the same place."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
