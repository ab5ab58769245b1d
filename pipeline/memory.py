"""What a process and those it has started hold in memory, looked at now and then."""

import contextlib
import threading
import time
from collections.abc import Iterator

import psutil

_SECONDS = 0.5
#: Looking takes at most a part in this of the time.
_SHARE = 20.0
#: In the command line of the process that lanes are made of, which waits, and of theirs.
_LANES = "multiprocessing.forkserver"


def resident_bytes() -> int:
    """Count what this process and those it has started hold, but for lanes; a shared page once for each process."""
    own = psutil.Process()
    return _resident(own) + sum(_resident(child) for child in own.children(recursive=True) if not _is_of_lanes(child))


def proportional_bytes() -> int:
    """Count what this process and all below it hold: a page that n of them share as an n-th for each, on Linux."""
    own = psutil.Process()
    return sum(_proportional(process) for process in (own, *own.children(recursive=True)))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it has ended


def _proportional(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return _resident(process)
    except psutil.Error:
        return 0
    return int(getattr(full, "pss", full.rss))


def _is_of_lanes(process: psutil.Process) -> bool:
    try:
        return any(_LANES in word for word in process.cmdline())
    except psutil.Error:
        return True


class Peak:
    """The most that was seen.

    Attributes:
        bytes: The most; 0 before the first look.
    """

    def __init__(self) -> None:
        self.bytes = 0

    def see(self, size: int) -> None:
        """Take note of a size."""
        self.bytes = max(self.bytes, size)


@contextlib.contextmanager
def peak_of_all() -> Iterator[Peak]:
    """Watch this process and all below it in a thread, and give the peak of what they hold together."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        pause = 0.0
        while not stop.wait(pause):
            start = time.monotonic()
            peak.see(proportional_bytes())
            pause = max(_SECONDS, _SHARE * (time.monotonic() - start))

    thread = threading.Thread(target=watch, name="memory of the run", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
