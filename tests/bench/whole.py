"""Whole recipes through the command line: what a second worker gives, and what memory it takes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil
import yaml

from tests.bench.inputs import DUMP, Inputs, WetFile
from tests.bench.report import Result
from tests.bench.timing import RUNS, Spent, pair_of

_COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]
_WORKER = "sdk_worker_main"
_SCALING_GOAL = 1.6
_FINGERPRINT_BYTES = 16
_WORKER_GROWTH = 1.1
_SAMPLE_SECONDS = 0.1
_QUICK_RUNS = 3


@dataclass(frozen=True, slots=True)
class Peaks:
    """A run of the recipe.

    Attributes:
        seconds: From start to end, by the clock.
        launcher: Peak resident bytes of the launching process.
        workers: The same of the largest worker process; 0 where the launcher works itself.
    """

    seconds: float
    launcher: int
    workers: int


def scale(inputs: Inputs) -> Iterator[Result]:
    """CommonCrawl with one worker and two."""
    files = inputs.wet(8 if inputs.quick else 16)
    megabytes = sum(file.text_bytes for file in files) / 1e6
    yield scale_config(inputs, "run.scaling", _config(inputs, files), megabytes)


def scale_config(inputs: Inputs, name: str, config: Mapping[str, object], megabytes: float) -> Result:
    """One worker and two, in turns, on the same files.

    Args:
        inputs: Where runs are made.
        name: The result's name.
        config: What is run.
        megabytes: Text that is read.
    """
    turns = []
    for _ in range(_QUICK_RUNS if inputs.quick else RUNS):
        two, one = (run_config(inputs, config, workers=workers) for workers in (2, 1))
        turns.append((Spent(two.seconds, two.seconds), Spent(one.seconds, one.seconds)))
    pair = pair_of(turns)
    took = f"{pair.bare.seconds:.1f} s with one worker, {pair.ours.seconds:.1f} s with two"
    detail = (
        f"{megabytes:.0f} MB of text, {took}; peaks {_mib(one.launcher)}, {_mib(two.launcher)} and {_mib(two.workers)}"
    )
    return Result(
        name=name,
        value=megabytes / pair.ours.seconds,
        unit="MB/s",
        against="one worker",
        ratio=pair.ratio,
        goal=f"ratio >= {_SCALING_GOAL}, over 30 s",
        met=pair.ratio >= _SCALING_GOAL,
        detail=detail,
    )


def measure_memory(inputs: Inputs) -> Iterator[Result]:
    """Peak memory at one size and at four times that, with two workers and with the launcher alone."""
    for workers in (2, 1):
        once, fourfold = inputs.wet(2), inputs.wet(8)
        small, large = (run_config(inputs, _config(inputs, files), workers=workers) for files in (once, fourfold))
        lines = sum(file.lines for file in fourfold) - sum(file.lines for file in once)
        yield from _growth(small, large, lines, f"{workers} worker{'s' if workers > 1 else ''}")


def _growth(small: Peaks, large: Peaks, lines: int, setting: str) -> Iterator[Result]:
    growth = (large.launcher - small.launcher) / lines
    yield Result(
        name=f"run.memory.launcher, {setting}",
        value=growth,
        unit="bytes/line more",
        goal=f"<= {_FINGERPRINT_BYTES}",
        met=growth <= _FINGERPRINT_BYTES,
        detail=f"peak {_mib(small.launcher)}, of four times the input {_mib(large.launcher)}",
    )
    if large.workers:
        factor = large.workers / small.workers
        yield Result(
            name=f"run.memory.worker, {setting}",
            value=large.workers / (1 << 20),
            unit="MiB peak",
            against="a fourth of the input",
            ratio=1 / factor,
            goal=f"grows by less than {_WORKER_GROWTH - 1:.0%}",
            met=factor <= _WORKER_GROWTH,
            detail=f"peak {_mib(small.workers)}, of four times the input {_mib(large.workers)}",
        )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def run_config(inputs: Inputs, recipe: Mapping[str, object], *, workers: int, options: Sequence[str] = ()) -> Peaks:
    """Run a config in processes of its own, with further options of ``llama-corpus run``.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        config = os.path.join(folder, "bench.yaml")
        with open(config, "w", encoding="utf-8") as stream:
            yaml.safe_dump(dict(recipe), stream)
        arguments = ["run", config, "--output", os.path.join(folder, "run"), "--workers", str(workers), *options]
        log = os.path.join(folder, "log")
        with open(log, "w", encoding="utf-8") as output:
            start = time.perf_counter()
            with subprocess.Popen([*_COMMAND, *arguments], stdout=output, stderr=output) as process:
                launcher, worker = _watch(process)
            elapsed = time.perf_counter() - start
        if process.returncode:
            with open(log, encoding="utf-8") as output:
                raise RuntimeError(f"the run failed: {output.read()}")
    return Peaks(elapsed, launcher, worker)


def _config(inputs: Inputs, files: Sequence[WetFile]) -> dict[str, object]:
    return {
        "batch_bytes": inputs.file_bytes // 4,
        "sources": {
            "commoncrawl": {
                "dumps": [{"id": DUMP, "paths": [file.path for file in files]}],
                "line_dedup": {"scope": "dump"},
                "perplexity": None,
            }
        },
        "tokenizer": None,
        "tokens": None,
    }


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Wait for a process; give its own peak and the largest of its workers'."""
    root = psutil.Process(process.pid)
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for child in [root, *_workers(root)]:
            peaks[child.pid] = max(peaks.get(child.pid, 0), _peak(child))
        time.sleep(_SAMPLE_SECONDS)
    launcher = peaks.pop(root.pid, 0)
    return launcher, max(peaks.values(), default=0)


def _workers(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [child for child in root.children(recursive=True) if any(_WORKER in word for word in child.cmdline())]
    except psutil.Error:
        return []  # one ended while it was looked at


def _peak(process: psutil.Process) -> int:
    """Give a process's peak resident bytes: the kernel's own count on Linux, else what it holds now."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
            marks = [line.split()[1] for line in status if line.startswith("VmHWM:")]
            return int(marks[0]) << 10 if marks else 0
    except FileNotFoundError:
        return _resident(process)
    except ProcessLookupError:
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
