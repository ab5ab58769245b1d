"""Running the stages of a config in order: skip what holds, resume what is half done, take away what is stale."""

import contextlib
import fcntl
import functools
import glob
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import InitVar, asdict, dataclass, field
from typing import Any, Protocol

import yaml
from rich.console import Console

from pipeline.batch import StepFailed
from pipeline.commits import Commit, commit_path, damaged_commits, list_commits, read_commits, summarize
from pipeline.document import Shard
from pipeline.figures import StageFigures, read_figures, write_figures
from pipeline.files import delete, exists, is_local, join, match, read_json, write_bytes, write_json
from pipeline.inputs import InputFile, fingerprint_inputs
from pipeline.manifest import Manifest, versions
from pipeline.progress import ShowsBars, StageProgress
from pipeline.runner import WorkerDied, log_to
from pipeline.settings import RunSettings, SettingsError
from pipeline.stage import Group, Job, Stage, StageResult, code_version, digest_json, digest_outputs

UP_TO_DATE = "up to date, skipped"
#: A recipe yields its stages in order and is handed each one's result; of a group all results at once.
Recipe = Generator[Stage | Group, StageResult, None]


class RunFailed(Exception):
    """A stage failed: one line, exit status 1; what is committed stays.

    Attributes:
        log: The file with the whole trace.
    """

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


class StagesDone(Exception):
    """All stages asked for by ``--stages`` are up to date, and the next one is not."""


class RunsJobs(Protocol):
    """Where the graphs run."""

    def run(self, job: Job, log: str) -> None:
        """Run a job to its end; see :class:`pipeline.runner.Engine`."""


class Ledger(Protocol):
    """What a run notes of stages and inputs; see :class:`pipeline.manifest.Manifest`."""

    def known_inputs(self, source: str) -> dict[str, InputFile]:
        """Give the fingerprints of raw files as last recorded."""

    def record_inputs(self, source: str, files: Sequence[InputFile]) -> None:
        """Record them."""

    def record_stage(self, name: str, entry: Mapping[str, Any]) -> None:
        """Record a finished stage."""

    def confirm(self, name: str) -> bool:
        """Tell whether a stage that is up to date is recorded."""

    def forget_from(self, name: str) -> list[str]:
        """Take away the entries of a stage and of what may read it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Stages that run one after the other, and need no other chain, or ask for what they need of it.

    Attributes:
        name: What it is called in messages.
        recipe: Gives the stages. It may travel to another process.
        size: Bytes of input, by which chains share workers.
        needed: Whether another chain asks for its results.
        single: Whether it is one stage, whose input says what it is worth.
    """

    name: str
    recipe: "Callable[[Run], Recipe]"
    size: int = 0
    needed: bool = False
    single: bool = False


def one_after_another(run: "Run", chains: Sequence[Chain]) -> None:
    """Run chains in their order, in this process."""
    for chain in chains:
        run.execute(chain.recipe(run))


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds of a stage's outputs.

    Attributes:
        commits: The commits made under its key and code whose files are there.
        is_stale: Whether the stage was never run under this key and code, so that nothing holds.
        why: Why what it has written does not hold any more; ``None`` where it has written nothing.
        damaged: Paths of commits that cannot be read.
        lost: Commits whose outputs are gone or changed size.
    """

    commits: Sequence[Commit] = ()
    is_stale: bool = False
    why: str | None = None
    damaged: Sequence[str] = ()
    lost: Sequence[Commit] = ()

    def faults(self) -> list[str]:
        """Say what is wrong with what is there."""
        damaged = f"{len(self.damaged)} commits cannot be read; their batches are made again"
        lost = f"outputs of {len(self.lost)} batches are gone or changed size; they are made again"
        return [*([damaged] if self.damaged else ()), *([lost] if self.lost else ())]


@dataclass(slots=True)
class Run:
    """One run folder at work.

    Attributes:
        folder: The run folder.
        settings: The config as resolved.
        engine: Where the graphs run.
        console: Where progress is shown.
        only: Stages that may run; ``None`` for all. Others must be up to date.
        accept_code_change: Whether outputs of other code count as up to date.
        ledger: The run's manifest; that of the folder by default.
        beside: Runs chains of stages that do not need each other, and adds to the results.
        bars: Where bars of running stages are shown; by default on the console.
        results: What the finished stages left, by name.
        fingerprint_inputs: Looks at the content of raw files, given those of an earlier run by path.
    """

    folder: str
    settings: RunSettings
    engine: RunsJobs
    console: Console
    only: frozenset[str] | None = None
    accept_code_change: bool = False
    ledger: InitVar[Ledger | None] = None
    beside: "Callable[[Run, Sequence[Chain]], None]" = one_after_another
    bars: ShowsBars | None = None
    manifest: Ledger = field(init=False)
    results: dict[str, StageResult] = field(default_factory=dict)
    fingerprint_inputs: Callable[[Sequence[Shard], Mapping[str, InputFile]], list[InputFile]] = fingerprint_inputs

    def __post_init__(self, ledger: Ledger | None) -> None:
        self.manifest = ledger if ledger is not None else Manifest(self.folder)

    def __reduce__(self) -> tuple[Callable[[], "Run"], tuple[()]]:
        """Travel as a word for the run at work: what names it in another process means the one there."""
        return run_at_work, ()

    def say(self, stage: str, text: str) -> None:
        """Print a line about a stage."""
        self.console.print(f"{stage}: {text}", highlight=False, soft_wrap=True, markup=False)

    def execute(self, recipe: Recipe) -> None:
        """Run the stages of a recipe, each once the one before it is done; those of a group side by side."""
        result: Any = None
        with contextlib.suppress(StopIteration):
            while True:
                step = recipe.send(result) if result is not None else next(recipe)
                if isinstance(step, Group):
                    result = self._together(step.stages)
                else:
                    result = self.results[step.name] = self._stage(step)

    def _together(self, stages: Sequence[Stage]) -> list[StageResult]:
        chains = [
            Chain(stage.name, functools.partial(_alone, stage), stage.work.total_bytes, single=True) for stage in stages
        ]
        self.beside(self, chains)
        return [self.results[stage.name] for stage in stages]

    def write_config(self) -> None:
        """Write the config as resolved, with the versions of what read it."""
        content = {"versions": versions(), **self.settings.model_dump(mode="json")}
        write_bytes(join(self.folder, "config.yaml"), yaml.safe_dump(content, sort_keys=False).encode())

    def log_path(self, stage: str) -> str:
        """Give the local file a stage logs to: in the run folder where that is local."""
        if is_local(self.folder):
            return os.path.join(os.path.abspath(self.folder), "logs", f"{stage}.log")
        name = f"llama-corpus-{digest_json(self.folder)[:12]}"
        return os.path.join(tempfile.gettempdir(), name, f"{stage}.log")

    def _stage(self, stage: Stage) -> StageResult:
        holding = self._still_valid(stage)
        if (result := self.result_of(stage, holding)) is not None:
            self.say(stage.name, UP_TO_DATE)
            return result
        if self.only is not None and stage.name not in self.only:
            if self.only <= self.results.keys():
                raise StagesDone
            raise SettingsError(f"--stages: {stage.name} is not up to date and must run first; add it to --stages")
        return self._finish(stage, holding.commits)

    def _finish(self, stage: Stage, committed: Sequence[Commit]) -> StageResult:
        start = time.monotonic()
        resumed = len(committed)
        if committed:
            self.say(stage.name, f"resuming: {resumed} batches are committed")
        self._distrust(stage)
        peak = self._run_jobs(stage, committed)
        commits = read_commits(list_commits(self.folder, stage.name))
        missing = stage.work.missing(commits)
        if missing:
            raise RunFailed(f"{stage.name}: ended without {missing[0]} (of {len(missing)})", self.log_path(stage.name))
        result = _result(stage, commits)
        self._check_keeps_something(stage, result)
        seconds = time.monotonic() - start
        if len(commits) > resumed or not resumed:
            size = result.stats["bytes_in"] - sum(commit.bytes_in for commit in committed)
            write_figures(self.folder, stage.name, StageFigures(seconds, size, peak, resumed, time.time()))
            took = seconds
        else:  # nothing was left to do: what it took when it was done
            before = read_figures(self.folder, stage.name)
            took = seconds if before is None else before.seconds
        self._record(stage, result, took)
        self.say(stage.name, _done(result.stats, seconds))
        return result

    def _run_jobs(self, stage: Stage, committed: Sequence[Commit]) -> int:
        """Do a stage's work and give the peak of memory."""
        log = self.log_path(stage.name)
        progress = StageProgress(self.folder, stage, committed, self.console, self.bars)
        with log_to(log), _Failures(stage.name, log), progress:
            if stage.prepare is not None:
                stage.prepare()
            for job in stage.work.jobs(committed):
                self.engine.run(job, log)
        return progress.memory.bytes

    def _check_keeps_something(self, stage: Stage, result: StageResult) -> None:
        if result.stats["kept"] or stage.may_keep_nothing:
            return
        reasons = [*result.stats["dropped"].items(), *result.stats["errors"].items(), *result.stats["gaps"].items()]
        why = ", ".join(f"{reason} {count}" for reason, count in reasons) or "nothing was read"
        raise RunFailed(
            f"{stage.name}: kept nothing of {result.stats['read']} records: {why}", self.log_path(stage.name)
        )

    def _record(self, stage: Stage, result: StageResult, seconds: float) -> None:
        write_json(join(self.folder, "stats", f"{stage.name}.json"), result.stats)
        entry = {
            "key": stage.key(),
            "code": code_version(),
            "settings": dict(stage.settings),
            "inputs": dict(stage.inputs),
            "digest": result.digest,
            "seconds": round(seconds, 3),
            "outputs": [asdict(output) for output in result.outputs()],
        }
        self.manifest.record_stage(stage.name, entry)

    def holding(self, stage: Stage) -> Holding:
        """Look what holds of a stage's outputs; nothing is changed."""
        before, key = _read_key(self._key_path(stage)), _key_of(stage)
        if before is None:
            return Holding(is_stale=True)
        if _differs(before, key, accept_code_change=self.accept_code_change):
            return Holding(is_stale=True, why=explain(before, key))
        damaged = set(damaged_commits(self.folder, stage.name))
        commits = read_commits(path for path in list_commits(self.folder, stage.name) if path not in damaged)
        there = _sizes(self.folder, commits)
        sound = [all(there.get(out.path) == out.bytes for out in commit.outputs) for commit in commits]
        valid = [commit for commit, is_sound in zip(commits, sound, strict=True) if is_sound]
        lost = [commit for commit, is_sound in zip(commits, sound, strict=True) if not is_sound]
        return Holding(valid, damaged=sorted(damaged), lost=lost)

    def result_of(self, stage: Stage, holding: Holding) -> StageResult | None:
        """Give the result of a stage that is up to date, else ``None``."""
        if stage.work.missing(holding.commits) or not self.manifest.confirm(stage.name):
            return None
        return _result(stage, holding.commits)

    def _still_valid(self, stage: Stage) -> Holding:
        """Look what holds of a stage's outputs; take away what does not."""
        delete(path for path in self._files_of(stage) if path.endswith(".partial"))
        found = self.holding(stage)
        if found.is_stale:
            if found.why is not None:
                self.say(stage.name, f"runs again: {found.why}")
            self._forget(stage)
            if self.only is None or stage.name in self.only:
                write_json(self._key_path(stage), _key_of(stage))
        for fault in found.faults():
            self.say(stage.name, fault)
        delete([*found.damaged, *(commit_path(self.folder, stage.name, commit) for commit in found.lost)])
        return found

    def _key_path(self, stage: Stage) -> str:
        return join(self.folder, "work", stage.name, "key.json")

    def _forget(self, stage: Stage) -> None:
        if self.only is not None and stage.name not in self.only:
            return
        self._distrust(stage)
        delete(self._files_of(stage))

    def _distrust(self, stage: Stage) -> None:
        """Take this stage and the later ones out of the manifest, with the token manifests that vouch for them."""
        delete(join(self.folder, path) for path in self.manifest.forget_from(stage.name))

    def _files_of(self, stage: Stage) -> list[str]:
        patterns = (f"work/{stage.name}/**", f"stats/{stage.name}.json", *stage.owns)
        return [file.path for pattern in patterns for file in match(join(self.folder, pattern))]


_at_work: list[Run] = []


def run_at_work() -> Run:
    """Give the run that this process is at work on, where it is at work for another one."""
    return _at_work[-1]


def set_at_work(run: Run) -> None:
    """Say which run this process is at work on."""
    _at_work.append(run)


def _alone(stage: Stage, run: Run) -> Recipe:  # noqa: ARG001 - as every recipe
    yield stage


def _key_of(stage: Stage) -> dict[str, Any]:
    return {"key": stage.key(), "code": code_version(), "settings": stage.settings, "inputs": stage.inputs}


def _read_key(path: str) -> dict[str, Any] | None:
    """Read a stage's key; one that is not there, or was cut by a power failure, is none."""
    try:
        key: dict[str, Any] = read_json(path) if exists(path) else {}
    except ValueError:
        return None
    return key if {"key", "code", "settings", "inputs"} <= key.keys() else None


def _result(stage: Stage, commits: Sequence[Commit]) -> StageResult:
    outputs = [output for commit in commits for output in commit.outputs]
    stats = {"stage": stage.name, "counts": stage.counts, **summarize(commits)}
    return StageResult(stage.name, commits, digest_outputs(outputs), stats)


def _done(stats: dict[str, Any] | Any, seconds: float) -> str:
    parts = [f"{stats['read']:,} {stats['counts']} in, {stats['kept']:,} kept"]
    if stats["bytes_in"]:
        parts.append(f"{stats['bytes_in'] / 1e6:,.1f} MB of text")
    if "tokens_per_worker_second" in stats:
        parts.append(f"{stats['tokens_per_worker_second']:,} tokens/s a worker")
    if stats["facts"].get("differing_documents"):
        parts.append(f"{stats['facts']['differing_documents']:,} documents with other ids than SentencePiece's, mended")
    return ", ".join([*parts, f"{seconds:,.1f} s"])


def _differs(before: dict[str, Any], now: dict[str, Any], *, accept_code_change: bool) -> bool:
    return before["key"] != now["key"] or (before["code"] != now["code"] and not accept_code_change)


def explain(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in one line why a stage's outputs do not hold any more."""
    for part in ("settings", "inputs"):
        old, new = _flat(before[part]), _flat(now[part])
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                return (
                    f"{key} was {old.get(key)!r}, is {new.get(key)!r}"
                    if part == "settings"
                    else f"what it reads of {key} has changed"
                )
    return "the code has changed (--accept-code-change keeps the outputs)"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    parts = (_flat(inner, f"{prefix}.{key}" if prefix else key) for key, inner in value.items())
    return {key: inner for part in parts for key, inner in part.items()}


def _sizes(run: str, commits: Sequence[Commit]) -> dict[str, int]:
    """Look up the sizes of committed outputs, one listing a folder."""
    folders = {out.path.rsplit("/", 1)[0] for commit in commits for out in commit.outputs}
    return {
        f"{folder}/{file.path.rsplit('/', 1)[-1]}": file.size_in_bytes
        for folder in folders
        for file in match(join(run, *folder.split("/"), "*"))
    }


class _Failures(contextlib.AbstractContextManager["_Failures"]):
    """Turns whatever a runner raises into one line, with the whole trace in the log."""

    def __init__(self, stage: str, log: str) -> None:
        self._stage, self._log = stage, log

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, RunFailed | SettingsError | StagesDone):
            return
        chain = list(_chain(error))
        if any(isinstance(inner, KeyboardInterrupt) for inner in chain) and not isinstance(error, WorkerDied):
            raise KeyboardInterrupt from error  # Beam wraps even that
        with open(self._log, "a", encoding="utf-8") as log:
            log.write("".join(traceback.format_exception(error)))
        raise RunFailed(f"{self._stage}: {_cause(error)}", self._log) from error


def _cause(error: BaseException) -> str:
    """Find the one line that tells a failure: ours, wherever the runner has put it, else the last one of the trace."""
    ours = [inner for inner in _chain(error) if isinstance(inner, StepFailed)]
    if ours:
        return str(ours[-1])  # Beam adds words of its own to the ones it raises again
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    marked = [line.partition("StepFailed: ")[2] for line in lines if "StepFailed: " in line]
    if marked:
        return marked[0].split(" [while running")[0]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold a local run folder, so that no second process works in it.

    Raises:
        SettingsError: Another process holds it, or it cannot be written.
    """
    if not is_local(folder):
        yield
        return
    made = _make_folder(folder)
    path = os.path.join(folder, ".lock")
    with open(path, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"--output {folder}: another run is at work in this folder") from error
        yield
    if made and not glob.glob(os.path.join(folder, "*")):
        os.remove(path)


def _make_folder(folder: str) -> bool:
    new = not os.path.exists(folder)
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(f"--output {folder}: cannot write there: {error.strerror}") from error
    return new
