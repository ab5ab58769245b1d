"""Progress of downloads: one line that is redrawn on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_LINE_SECONDS = 15.0
_MINUTE = 60


class FetchProgress:
    """Shows how far the file under way is: megabytes, megabytes per second, time left.

    Args:
        console: Where to show it.
        clock: Seconds, monotonic.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._name, self._total = "", 0
        self._done = self._before = 0
        self._start = self._line = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def say(self, line: str) -> None:
        """Show a line of its own."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def begin(self, name: str, done: int, total: int | None) -> None:
        """Start a file, or go on with one.

        Args:
            name: What to call it.
            done: Bytes that are there already.
            total: Bytes of the whole, if they are known.
        """
        self.end()
        self._name, self._total = name, total or 0
        self._done = self._before = done
        self._start = self._line = self._clock()
        if self._console.is_terminal:
            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(name.replace("[", r"\["), total=total, completed=done)

    def advance(self, count: int) -> None:
        """Count bytes that came."""
        self._done += count
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        elif self._clock() - self._line >= _LINE_SECONDS:
            self._line = self._clock()
            self.say(self.describe())

    def describe(self) -> str:
        """Say how far the file is."""
        seconds = max(self._clock() - self._start, 1e-9)
        speed = (self._done - self._before) / seconds
        whole = f" of {self._total / 1e6:.1f}" if self._total else ""
        line = f"{self._name}: {self._done / 1e6:.1f}{whole} MB, {speed / 1e6:.2f} MB/s"
        if not self._total or speed <= 0:
            return line
        left = round(max(0, self._total - self._done) / speed)
        return f"{line}, ETA {left // _MINUTE}:{left % _MINUTE:02d}"

    def end(self) -> None:
        """Take the line down."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
