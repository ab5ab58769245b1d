"""Where the graphs run: Beam's local runner with a process a core, or any runner through Beam's own flags.

The local runner is chosen explicitly, since plain ``DirectRunner`` first tries to download a binary. Its worker
processes are started by a command of ours, which survives a path with spaces and sends what a worker prints to the
log.
"""

import argparse
import contextlib
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, Self

import apache_beam as beam
import psutil
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.runner import PipelineResult, create_runner
from apache_beam.transforms.environments import SubprocessSDKEnvironment
from google.protobuf import json_format, struct_pb2

from pipeline.settings import SettingsError
from pipeline.stage import Job

_WORKER = "apache_beam.runners.worker.sdk_worker_main"
#: About a second's work on compressed crawl text.
BYTES_PER_WORKER = 8 << 20
_OWNER = "LLAMA_CORPUS_LANE"
_WORKER_GONE = "Worker subprocess exited"
_PATIENCE_SECONDS = 5.0
_INTERRUPTED = f"{_WORKER_GONE} with return code -{signal.SIGINT.value}"


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs jobs.

    Attributes:
        workers: Local worker processes; of no effect with a runner of the user's choice.
        flags: Beam's own flags, as given on the command line.
        bytes_per_worker: Input that makes one more worker process worth its start, which takes a second or two.
    """

    workers: int
    flags: tuple[str, ...] = ()
    bytes_per_worker: int = BYTES_PER_WORKER

    @property
    def is_local(self) -> bool:
        """Whether graphs run in worker processes of this machine, not on a runner of the user's choice."""
        return beam_options(self.flags).view_as(StandardOptions).runner is None

    def workers_for(self, job: Job) -> int:
        """Say how many local worker processes a job is worth."""
        if job.in_launcher:
            return 1
        return min(self.workers, job.units, 1 + job.size // self.bytes_per_worker)

    def run(self, job: Job, log: str) -> None:
        """Run a job to its end.

        Args:
            job: What to run.
            log: A local file that worker processes append what they print to.

        Raises:
            Exception: Whatever the runner makes of a failure.
        """
        if job.call is not None:
            job.call()
        if job.build is not None:
            root = self.pipeline(self.workers_for(job), log)
            job.build(root)
            with WorkersWatched():
                _finish(root.run())

    def pipeline(self, workers: int, log: str) -> beam.Pipeline:
        """Make an empty pipeline on the chosen runner."""
        options = beam_options(self.flags)
        if options.view_as(StandardOptions).runner is not None:
            return beam.Pipeline(options=options)
        if workers <= 1:
            return beam.Pipeline(FnApiRunner(), options=options)
        options.view_as(DirectOptions).direct_num_workers = workers
        command = f"exec {shlex.quote(sys.executable)} -m {_WORKER} >>{shlex.quote(log)} 2>&1"
        environment = SubprocessSDKEnvironment.from_command_string(command)
        return beam.Pipeline(FnApiRunner(environment, provision_info=_provision(self.flags)), options=options)


def _finish(result: PipelineResult) -> None:
    """Wait for a job; on Ctrl-C, end it where it runs, so that it does not go on writing."""
    try:
        result.wait_until_finish()
    except KeyboardInterrupt:
        result.cancel()
        raise


def _provision(flags: Sequence[str]) -> ExtendedProvisionInfo:
    """Hand the user's flags to the worker processes: left to itself the local runner does not, plugins among them."""
    given = PipelineOptions(list(flags)).get_all_options(drop_default=True)
    # A protobuf struct knows no integers, and the workers' parser takes no "2.0" for one.
    plain = {key: str(value) if type(value) is int else value for key, value in given.items()}
    struct = json_format.ParseDict(plain, struct_pb2.Struct())
    return ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(retrieval_token="unused", pipeline_options=struct)  # noqa: S106
    )


class WorkerDied(Exception):
    """A worker process ended before its work: killed for memory, most often."""


class WorkersWatched(contextlib.AbstractContextManager["WorkersWatched"]):
    """Ends a run whose worker process has died; Beam's local runner waits for it for ever.

    The thread of Beam's that holds a worker process fails when the process does; its failure is caught here, and wakes
    the main thread by the signal of Ctrl-C.

    Raises:
        WorkerDied: One has died.
    """

    def __init__(self) -> None:
        self._died = ""
        self._ended = self._interrupted = False
        self._before = threading.excepthook

    def __enter__(self) -> Self:
        threading.excepthook = self._on_failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        threading.excepthook = self._before
        self._ended = True
        if isinstance(error, KeyboardInterrupt) and self._died:
            raise WorkerDied(f"{self._died}; was memory short? Fewer --workers need less") from error

    def _on_failure(self, failure: threading.ExceptHookArgs) -> None:
        logging.getLogger(__name__).error("a thread failed", exc_info=failure.exc_value)
        if str(failure.exc_value).endswith(_INTERRUPTED) and not self._interrupted:
            self._interrupted = True
            kill_workers()  # Ctrl-C reaches them too; should it have reached only them, this process must wake
            threading.Timer(_PATIENCE_SECONDS, self._wake).start()
        elif _WORKER_GONE in str(failure.exc_value) and not self._died and not self._interrupted:
            self._died = str(failure.exc_value)
            kill_workers()  # Beam's clean-up would wait for the others for ever
            self._wake()

    def _wake(self) -> None:
        if not self._ended:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def kill_workers() -> None:
    """Kill the worker processes of this one."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if _WORKER in child.cmdline():
                child.kill()


def mark_workers() -> None:
    """Let worker processes that this one starts be known as its own when it is gone."""
    os.environ[_OWNER] = str(os.getpid())


def kill_workers_of(owner: int | None) -> None:
    """Kill the worker processes of a process that is gone and had marked them."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _WORKER in process.cmdline() and process.environ().get(_OWNER) == str(owner):
                process.kill()


def beam_options(flags: Sequence[str]) -> PipelineOptions:
    """Read Beam's flags.

    Raises:
        SettingsError: A flag is neither this program's nor Beam's, or has a wrong value.
    """
    _import_runner(flags)
    parser = _Parser(add_help=False, allow_abbrev=False)
    for kind in _option_kinds(PipelineOptions):
        kind._add_argparse_args(parser)  # noqa: SLF001 - Beam only warns of unknown flags, much later
    unknown = parser.parse_known_args(list(flags))[1]
    if unknown:
        raise SettingsError(f"unknown option {unknown[0]}: neither this command's (see --help) nor one of Beam's")
    return PipelineOptions(list(flags))


def _import_runner(flags: Sequence[str]) -> None:
    """Import the runner, so that its own flags are known."""
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    known.add_argument("--runner")
    name = known.parse_known_args(list(flags))[0].runner
    if name is None:
        return
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise SettingsError(f"--runner={name}: {' '.join(str(error).split())}") from error


def _option_kinds(kind: type[PipelineOptions]) -> list[type[PipelineOptions]]:
    return [found for inner in kind.__subclasses__() for found in (inner, *_option_kinds(inner))]


class _Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line; options that Beam declares twice are taken once."""

    def add_argument(self, *names: str, **settings: object) -> argparse.Action:
        known = {option for action in self._actions for option in action.option_strings}
        new = [name for name in names if name not in known]
        return super().add_argument(*new, **settings) if new else self._actions[0]  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise SettingsError(message)


def default_workers() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def log_to(path: str) -> Iterator[None]:
    """Send the log of this process, and what worker processes send it, to a local file instead of the terminal."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    root = logging.getLogger()
    before, level = root.handlers, root.level
    with contextlib.closing(logging.FileHandler(path, encoding="utf-8")) as handler:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.handlers, root.level = [handler], logging.INFO
        try:
            yield
        finally:
            root.handlers, root.level = before, level
