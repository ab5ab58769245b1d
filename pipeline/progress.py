"""Progress of a stage, taken from its committed files, so that it works on every runner with a shared filesystem."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pipeline.commits import Commit, list_commits, read_commits
from pipeline.files import is_local
from pipeline.memory import Peak, resident_bytes
from pipeline.stage import LauncherWork, Stage

_LOCAL_SECONDS = 0.5
_REMOTE_SECONDS = 15.0
_LINE_SECONDS = 15.0
#: Looking takes at most a part in this of the time.
_SHARE = 20.0


class ShowsBars(Protocol):
    """Where the bars of running stages are shown."""

    def start(self, stage: str, total: int, done: int) -> None:
        """Show a stage's bar."""

    def update(self, stage: str, done: int, text: str) -> None:
        """Move it."""

    def stop(self, stage: str) -> None:
        """Take it away."""


class Bars:
    """One bar for each running stage, on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._shown = Progress(console=console)

    def start(self, stage: str, total: int, done: int) -> None:
        """Show a stage's bar."""
        if not self._tasks:
            self._shown = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[done]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._shown.start()
        self._tasks[stage] = self._shown.add_task(stage, total=total, completed=done, done="")

    def update(self, stage: str, done: int, text: str) -> None:
        """Move it."""
        if stage in self._tasks:
            self._shown.update(self._tasks[stage], completed=done, done=text)

    def stop(self, stage: str) -> None:
        """Take it away."""
        if stage in self._tasks:
            self._shown.remove_task(self._tasks.pop(stage))
            if not self._tasks:
                self._shown.stop()

    def stop_all(self) -> None:
        """Take all away."""
        for stage in list(self._tasks):
            self.stop(stage)


class StageProgress:
    """Watches a stage's commits in a thread and shows shards done, documents/s, MB/s of input and ETA.

    A bar on a terminal; elsewhere a plain line every 15 seconds.

    Args:
        run: The run folder.
        stage: The stage.
        committed: What was committed before it started, which counts as done but not for the speed.
        console: Where to show lines.
        bars: Where to show the bar; by default where lines go, if that is a terminal.

    Attributes:
        memory: The peak of what this process and its workers held meanwhile.
    """

    def __init__(
        self, run: str, stage: Stage, committed: Sequence[Commit], console: Console, bars: ShowsBars | None = None
    ) -> None:
        self.memory = Peak()
        self._run, self._stage, self._console = run, stage, console
        self._bars = bars or (Bars(console) if console.is_terminal else None)
        self._commits = list(committed)
        self._paths = set(list_commits(run, stage.name))
        self._before = stage.work.done_bytes(self._commits)
        self._documents = 0
        self._start = self._line = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"progress of {stage.name}", daemon=True)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start(self._stage.name, max(1, self._stage.work.total_bytes), self._before)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.memory.see(resident_bytes())
        if self._bars is not None:
            self._bars.stop(self._stage.name)

    def _watch(self) -> None:
        """Look at memory twice a second, and at the commits as often as their filesystem bears it."""
        between = _LOCAL_SECONDS if is_local(self._run) else _REMOTE_SECONDS
        pause, due = _LOCAL_SECONDS, time.monotonic() + between
        while not self._stop.wait(pause):
            start = time.monotonic()
            self.memory.see(resident_bytes())
            if start >= due:
                self._look()
                self._show()
                between = max(between, _SHARE * (time.monotonic() - start))
                due = time.monotonic() + between
            pause = max(_LOCAL_SECONDS, min(between, _SHARE * (time.monotonic() - start)))

    def _look(self) -> None:
        new = [path for path in list_commits(self._run, self._stage.name) if path not in self._paths]
        self._paths.update(new)
        commits = read_commits(new)
        self._commits += commits
        self._documents += sum(commit.read for commit in commits)

    def _show(self) -> None:
        done = self._stage.work.done_bytes(self._commits)
        seconds = time.monotonic() - self._start
        text = self.describe(done, seconds)
        eta = "" if isinstance(self._stage.work, LauncherWork) else f", {self._eta(done, seconds)}"
        if self._bars is not None:
            self._bars.update(self._stage.name, done, text)
        elif time.monotonic() - self._line >= _LINE_SECONDS:
            self._line = time.monotonic()
            self._console.print(f"{self._stage.name}: {text}{eta}", highlight=False)

    def describe(self, done: int, seconds: float) -> str:
        """Say how far the stage is; of work that the launching process does in one go, how long it has taken."""
        if isinstance(self._stage.work, LauncherWork):
            return f"{self._stage.work.label}, {seconds:.0f} s so far"
        shards = sum(commit.last for commit in self._commits)
        speed = (done - self._before) / 1e6 / max(seconds, 1e-9)
        return f"{shards} shards, {self._documents / max(seconds, 1e-9):,.0f} documents/s, {speed:,.1f} MB/s"

    def _eta(self, done: int, seconds: float) -> str:
        new, rest = done - self._before, self._stage.work.total_bytes - done
        if new <= 0:
            return "ETA unknown"
        left = round(seconds * rest / new)
        return f"{100 * done / max(1, self._stage.work.total_bytes):.0f} %, ETA {left // 60}:{left % 60:02d}"
