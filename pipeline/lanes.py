"""Running chains of stages side by side: a process each, within the workers of the run.

Processes and not threads: with a worker each, Beam works in the process that runs the chain, and threads would share
one interpreter. They are forked from one that has imported all this and does nothing else, so that each starts at once.

A chain has a worker for itself from its start to its end, but while it waits for another chain. What workers are left
when no chain waits for its start are shared out job by job, in proportion to the input of the chains that are not done.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from types import ModuleType
from typing import Any

import psutil
from apache_beam.internal.cloudpickle import cloudpickle

from pipeline.lane import Assignment, run_lane
from pipeline.progress import Bars
from pipeline.run import Chain, Run, RunFailed, one_after_another
from pipeline.runner import Engine, WorkerDied, kill_workers_of
from pipeline.settings import SettingsError
from pipeline.stage import StageResult

#: Chains that run at the same time with an engine of the user's choice, whose workers are not ours to count.
JOBS_AT_ONCE = 8
#: What a lane that is asked to stop may take to write down what it has.
_PATIENCE_SECONDS = 15.0
_FORKING = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Runs chains in lanes.

    Attributes:
        engine: Where the graphs run.
        slots: Workers in all, or chains at once.
    """

    engine: Engine
    slots: int

    def __call__(self, run: Run, chains: Sequence[Chain]) -> None:
        """Run chains to their ends and add to the run's results, in the chains' order.

        Single stages that read less in all than makes one more process worth its start run in this one.

        Raises:
            RunFailed: A stage failed, or a lane died; the others have been stopped.
            SettingsError: A setting turned out to be wrong.
            KeyboardInterrupt: The run, or a lane, was interrupted.
        """
        small = (
            all(chain.single for chain in chains) and sum(chain.size for chain in chains) < self.engine.bytes_per_worker
        )
        if small or len(chains) < 2:  # noqa: PLR2004 - there is nothing to run beside
            one_after_another(run, chains)
            return
        _prepare()
        board = _Board(run, self.engine, chains, self.slots)
        try:
            board.work()
        finally:
            board.end()
        for chain in chains:
            run.results.update(board.found[chain.name])


def fair_share(slots: int, free: int, size: int, sizes: Sequence[int]) -> int:
    """Say with how many workers a chain's next job may run.

    Args:
        slots: Workers in all.
        free: Workers that no other chain holds.
        size: Bytes of the chain's input.
        sizes: The same of all chains that are not done, this one too.

    Returns:
        As many as the chain's part of the input, as far as they are free; the one that it has in any case.
    """
    share = round(slots * max(1, size) / sum(max(1, other) for other in sizes))
    return max(1, min(share, free))


def _prepare() -> None:
    """Start the process that lanes are forked from."""
    _FORKING.set_forkserver_preload(["pipeline.lane_preload"])
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # it is for the lanes to be interrupted
    try:
        with _no_main_module():
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Hide the main module: multiprocessing would run it in each lane, where nothing is asked of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@dataclass(slots=True)
class _Lane:
    """A lane as the launching process knows it; ``asks`` is the result it waits for, ``works`` whether a job runs."""

    chain: Chain
    process: ForkServerProcess
    connection: Connection
    held: int = 1
    asks: str = ""
    stage: str = ""
    works: bool = False


@dataclass(slots=True)
class _Board:
    """The launching process while lanes are at work: it owns what they share, and answers them."""

    run: Run
    engine: Engine
    chains: Sequence[Chain]
    slots: int
    found: dict[str, dict[str, StageResult]] = field(init=False)
    _queue: list[Chain] = field(init=False)
    _lanes: dict[Connection, _Lane] = field(default_factory=dict)
    _bars: Bars = field(init=False)
    _answers: Mapping[str, Callable[..., Any]] = field(init=False)
    _shown: Mapping[str, Callable[..., None]] = field(init=False)
    _told: Mapping[str, Callable[..., None]] = field(init=False)

    def __post_init__(self) -> None:
        self.found = {chain.name: {} for chain in self.chains}
        # Those that others wait for first, then the largest: the end is not to wait for one that started late.
        self._queue = sorted(self.chains, key=lambda chain: (not chain.needed, -chain.size))
        self._bars = Bars(self.run.console)
        manifest = self.run.manifest
        asked = ("known_inputs", "record_inputs", "record_stage", "confirm", "forget_from")
        self._answers = {name: getattr(manifest, name) for name in asked}
        write = functools.partial(self.run.console.print, end="", highlight=False, markup=False, soft_wrap=True)
        self._shown = {
            "print": write,
            "start_bar": self._bars.start,
            "update_bar": self._bars.update,
            "stop_bar": self._bars.stop,
        }
        self._told = {
            "result": self._take_result,
            "wait": self._let_wait,
            "workers": self._lend,
            "give_back": self._take_back,
            "done": self._close,
            "failed": self._fail,
        }

    def work(self) -> None:
        """Start lanes and answer them until all chains are done."""
        assignment = cloudpickle.dumps(self._assignment())
        while self._queue or self._lanes:
            self._answer_waiting()
            while self._queue and self._free() > self._owed():
                self._start(self._queue.pop(0), assignment)
            if all(lane.asks for lane in self._lanes.values()):
                lane = next(iter(self._lanes.values()))
                raise RunFailed(f"{lane.chain.name}: waits for {lane.asks}, which no stage gives", self._log(lane))
            for connection in wait(list(self._lanes)):
                self._hear(self._lanes[connection])  # type: ignore[index]

    def end(self) -> None:
        """Stop the lanes that are still at work; what they have committed stays."""
        self._bars.stop_all()
        for connection in self._lanes:
            with contextlib.suppress(OSError):
                connection.send(None)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for lane in list(self._lanes.values()):
            lane.process.join(max(0.0, deadline - time.monotonic()))
            _kill(lane.process)
            self._close(lane)

    def _assignment(self) -> Assignment:
        console = self.run.console
        return Assignment(
            self.run.folder,
            self.run.settings,
            self.engine,
            self.run.accept_code_change,
            console.width,
            console.is_terminal,
            dict(os.environ),
        )

    def _start(self, chain: Chain, assignment: bytes) -> None:
        ours, theirs = _FORKING.Pipe()
        arguments = theirs, self.run.log_path(chain.name), assignment, cloudpickle.dumps(chain)
        process = _FORKING.Process(target=run_lane, args=arguments, name=chain.name)
        with _no_main_module():
            process.start()
        theirs.close()
        self._lanes[ours] = _Lane(chain, process, ours)

    def _free(self) -> int:
        return self.slots - sum(lane.held for lane in self._lanes.values())

    def _owed(self) -> int:
        """Count the workers that lanes will ask for with their next job; a job keeps those that it began with."""
        return sum(
            max(0, self._share(lane) - lane.held) for lane in self._lanes.values() if not lane.works and not lane.asks
        )

    def _share(self, lane: _Lane) -> int:
        waiting = [chain.size for chain in self._queue]
        sizes = [*waiting, *(other.chain.size for other in self._lanes.values())]
        return fair_share(self.slots, lane.held + self._free(), lane.chain.size, sizes)

    def _hear(self, lane: _Lane) -> None:
        try:
            what, arguments = lane.connection.recv()
        except (EOFError, OSError):
            self._died(lane)
        if what in self._answers:
            lane.stage = arguments[0] if what in {"confirm", "forget_from"} else lane.stage
            self._reply(lane, self._answers[what](*arguments))
        elif what in self._shown:
            self._shown[what](*arguments)
        else:
            self._told[what](lane, *arguments)

    def _take_result(self, lane: _Lane, result: StageResult) -> None:
        self.found[lane.chain.name][result.name] = result

    def _let_wait(self, lane: _Lane, stage: str) -> None:
        lane.asks, lane.held = stage, 0

    def _lend(self, lane: _Lane, wanted: int) -> None:
        lane.works = True
        lane.held = min(wanted, self._share(lane)) if self.engine.is_local else 1
        self._reply(lane, lane.held)

    def _take_back(self, lane: _Lane) -> None:
        lane.works, lane.held = False, 1

    def _fail(self, lane: _Lane, kind: str, message: str, log: str) -> None:
        self._close(lane)
        raise _failure(kind, message, log)

    def _answer_waiting(self) -> None:
        """Let lanes go on whose result is there, if a worker is free."""
        known = {name: result for results in self.found.values() for name, result in results.items()}
        for lane in self._lanes.values():
            if lane.asks in known and self._free() > 0:
                self._reply(lane, known[lane.asks])
                lane.asks, lane.held = "", 1

    def _reply(self, lane: _Lane, answer: object) -> None:
        with contextlib.suppress(OSError):  # it has died, and its end of the pipe says so
            lane.connection.send((answer,))

    def _died(self, lane: _Lane) -> None:
        self._close(lane)
        kill_workers_of(lane.process.pid)
        gone = f"its process ended with return code {lane.process.exitcode}"
        name = lane.stage or lane.chain.name
        raise RunFailed(
            f"{name}: {WorkerDied.__name__}: {gone}; was memory short? Fewer --workers need less", self._log(lane)
        )

    def _log(self, lane: _Lane) -> str:
        return self.run.log_path(lane.stage or lane.chain.name)

    def _close(self, lane: _Lane) -> None:
        self._lanes.pop(lane.connection)
        lane.connection.close()
        lane.process.join(_PATIENCE_SECONDS)
        _kill(lane.process)


def _failure(kind: str, message: str, log: str) -> BaseException:
    if kind == "interrupted":
        return KeyboardInterrupt()
    if kind == "settings":
        return SettingsError(message)
    return OSError(message) if kind == "system" else RunFailed(message, log)


def _kill(lane: ForkServerProcess) -> None:
    """Kill a lane that has not ended, and what it has started."""
    if not lane.is_alive():
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(lane.pid)
        for one in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
