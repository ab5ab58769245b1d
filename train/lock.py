"""One run at a time in an output folder: two would tear each other's checkpoints and mix their metrics."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from train.hosts import is_first

_NAME = ".lock"


@contextmanager
def locked(output: str) -> Iterator[None]:
    """Hold an output folder for as long as the block lasts; of several processes the first holds it for all.

    The system lets go of it when the process ends, however it ends. A file system without locks is not locked.

    Raises:
        ValueError: Another run holds it, or it cannot be made or written to.
    """
    if not is_first():
        yield
        return
    try:
        os.makedirs(output, exist_ok=True)
        lock = open(os.path.join(output, _NAME), "w", encoding="utf-8")  # noqa: SIM115 -- closed below
    except OSError as error:
        raise ValueError(f"output={output}: nothing can be written there: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"output={output}: another run is at work in this folder; name another one") from error
        except OSError:
            pass  # a file system without locks
        yield
