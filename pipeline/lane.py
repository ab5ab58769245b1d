"""A lane: a process that runs one chain of stages, and asks the launching process for all that chains share.

That process owns the manifest, the terminal and the workers; a pipe leads to it. When it is gone, so is the lane.
"""

import contextlib
import importlib
import io
import os
import queue
import signal
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import IO, Any, cast

from apache_beam.internal.cloudpickle import cloudpickle
from apache_beam.options.pipeline_options import SetupOptions
from rich.console import Console

from pipeline.inputs import InputFile
from pipeline.quiet import keep_quiet
from pipeline.run import Chain, Run, RunFailed, set_at_work
from pipeline.runner import Engine, beam_options, kill_workers, mark_workers
from pipeline.settings import RunSettings, SettingsError
from pipeline.stage import Job, StageResult

#: What the last words of a lane may take.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a lane is told once.

    Attributes:
        folder: The run folder.
        settings: The config as resolved.
        engine: Where the graphs run.
        accept_code_change: Whether outputs of other code count as up to date.
        width: Characters of a line that is shown.
        bars: Whether bars are shown.
        environment: The launching process's.
    """

    folder: str
    settings: RunSettings
    engine: Engine
    accept_code_change: bool
    width: int
    bars: bool
    environment: Mapping[str, str]


class Link:
    """A lane's end of the pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        # A thread writes, since a signal could cut the main one short in the middle of a message.
        self._writer = threading.Thread(target=self._write, name="to the launching process", daemon=True)
        self._writer.start()
        threading.Thread(target=self._listen, name="from the launching process", daemon=True).start()

    def tell(self, what: str, *arguments: object) -> None:
        """Say something that needs no answer."""
        self._outbox.put(ForkingPickler.dumps((what, arguments)))

    def ask(self, what: str, *arguments: object) -> Any:
        """Say something and wait for the answer."""
        self.tell(what, *arguments)
        return self._replies.get()

    def flush(self) -> None:
        """Wait until all is said, or nobody listens any more."""
        self._outbox.put(None)
        self._writer.join(_PATIENCE_SECONDS)

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the other thread sees to it
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)

    def _listen(self) -> None:
        """Take answers in; ``None`` alone asks to stop. Behind a closed pipe nobody is left to work for."""
        try:
            while (reply := self._connection.recv()) is not None:
                self._replies.put(reply[0])
            os.kill(os.getpid(), signal.SIGINT)
            kill_workers()  # a terminal interrupts them too, and Beam's clean-up waits for them
            while True:
                self._connection.recv()
        except (EOFError, OSError):
            kill_workers()
            os._exit(1)


class LinkedLedger:
    """The manifest at the other end."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def known_inputs(self, source: str) -> dict[str, InputFile]:
        """Give the fingerprints of a source's raw files as last recorded, by path."""
        known: dict[str, InputFile] = self._link.ask("known_inputs", source)
        return known

    def record_inputs(self, source: str, files: Sequence[InputFile]) -> None:
        """Record the fingerprints of a source's raw files."""
        self._link.ask("record_inputs", source, files)

    def record_stage(self, name: str, entry: Mapping[str, Any]) -> None:
        """Record a finished stage."""
        self._link.ask("record_stage", name, entry)

    def confirm(self, name: str) -> bool:
        """Tell whether a stage that is up to date is recorded."""
        return bool(self._link.ask("confirm", name))

    def forget_from(self, name: str) -> list[str]:
        """Take away the entries of a stage and of what may read it."""
        paths: list[str] = self._link.ask("forget_from", name)
        return paths


class LinkedResults(dict[str, StageResult]):
    """The results of a lane's own stages; the launching process is told of each, and asked for those of others."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def __setitem__(self, name: str, result: StageResult) -> None:
        super().__setitem__(name, result)
        self._link.tell("result", result)

    def __missing__(self, name: str) -> StageResult:
        result: StageResult = self._link.ask("wait", name)
        super().__setitem__(name, result)  # known now; the other end need not be told
        return result


class LinkedBars:
    """The terminal at the other end."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def start(self, stage: str, total: int, done: int) -> None:
        """Show a stage's bar."""
        self._link.tell("start_bar", stage, total, done)

    def update(self, stage: str, done: int, text: str) -> None:
        """Move it."""
        self._link.tell("update_bar", stage, done, text)

    def stop(self, stage: str) -> None:
        """Take it away."""
        self._link.tell("stop_bar", stage)


class LinkedEngine:
    """Runs jobs with as many workers as the launching process can spare."""

    def __init__(self, link: Link, engine: Engine) -> None:
        self._link, self._engine = link, engine

    def run(self, job: Job, log: str) -> None:
        """Run a job to its end."""
        workers = self._link.ask("workers", self._engine.workers_for(job))
        try:
            replace(self._engine, workers=workers).run(job, log)
        finally:
            self._link.tell("give_back")


class _Lines(io.TextIOBase):
    """What is printed on it appears where the launching process prints."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def write(self, text: str) -> int:
        self._link.tell("print", text)
        return len(text)


def run_lane(connection: Connection, log: str, assignment: bytes, chain: bytes) -> None:
    """Run a chain of stages in this process, and end it.

    Args:
        connection: The pipe to the launching process.
        log: Where the trace of a bug goes that is no stage's.
        assignment: An :class:`Assignment`, pickled.
        chain: A :class:`pipeline.run.Chain`, pickled; it may hold the run at work.
    """
    interruptible()
    keep_quiet()
    link = Link(connection)
    with Ending(link, log):
        given: Assignment = cloudpickle.loads(assignment)
        run = _open(link, given)
        set_at_work(run)
        asked: Chain = cloudpickle.loads(chain)
        run.execute(asked.recipe(run))
    kill_workers()
    link.flush()
    os._exit(0)


def interruptible() -> None:
    """Raise KeyboardInterrupt at the first SIGINT, and at no other one: a terminal sends it, and then the launcher."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _open(link: Link, given: Assignment) -> Run:
    os.environ.update(given.environment)
    mark_workers()
    for plugin in beam_options(given.engine.flags).view_as(SetupOptions).beam_plugins or ():
        importlib.import_module(plugin.rpartition(".")[0])
    console = Console(file=cast(IO[str], _Lines(link)), width=given.width, color_system=None, force_terminal=False)
    run = Run(
        given.folder,
        given.settings,
        LinkedEngine(link, given.engine),
        console,
        accept_code_change=given.accept_code_change,
        ledger=LinkedLedger(link),
        bars=LinkedBars(link) if given.bars else None,
    )
    run.results = LinkedResults(link)
    return run


class Ending(contextlib.AbstractContextManager["Ending"]):
    """Tells the launching process how a lane ended: what is raised there then is what would be raised here."""

    def __init__(self, link: Link, log: str) -> None:
        self._link, self._log = link, log

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is None:
            self._link.tell("done")
        elif isinstance(error, KeyboardInterrupt):
            self._link.tell("failed", "interrupted", "", "")
        elif isinstance(error, RunFailed):
            self._link.tell("failed", "run", str(error), error.log)
        elif isinstance(error, SettingsError):
            self._link.tell("failed", "settings", str(error), "")
        elif isinstance(error, OSError):
            self._link.tell("failed", "system", str(error), "")
        else:
            self._link.tell("failed", "run", self._bug(error), self._log)
        return True

    def _bug(self, error: BaseException) -> str:
        os.makedirs(os.path.dirname(self._log), exist_ok=True)
        with open(self._log, "a", encoding="utf-8") as log:
            log.write("".join(traceback.format_exception(error)))
        return (
            f"{os.path.basename(self._log).removesuffix('.log')}: {traceback.format_exception_only(error)[-1].strip()}"
        )
