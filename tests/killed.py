"""A run that is killed in the middle of a stage: by its own hand, since a test that watches it may come too late."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from pipeline import launch as launching

ROOT = Path(__file__).parent.parent
EVERYTHING = ("documents", "dropped", "errors")
#: The command line, in one process, which ends as by ``kill -9`` when a stage has so many commits, and the files of one
#: more batch without its commit.
_PROGRAM = """
import json, os, signal, sys
from pipeline import cli, writing
from pipeline.commits import list_commits

killed_in, count = json.loads(sys.argv.pop(1))
write = writing.write_commit

def write_or_die(run, stage, commit):
    if stage == killed_in and len(list_commits(run, stage)) >= count:
        os.kill(os.getpid(), signal.SIGKILL)
    write(run, stage, commit)

writing.write_commit = write_or_die
cli.main()
"""


def run_killed(arguments: Sequence[str], output: Path, stage: str, count: int) -> dict[str, int]:
    """Start a run with one worker, and let it be killed where it would commit one batch more than so many.

    Args:
        arguments: Of ``llama-corpus run``, but for ``--output`` and ``--workers``.
        output: The run folder.
        stage: The stage.
        count: How many commits it has then.

    Returns:
        The stage's commits, with the time each was written.
    """
    program = [sys.executable, "-c", _PROGRAM, json.dumps([stage, count]), "run", *arguments]
    command = [*program, "--output", str(output), "--workers", "1"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, f"{stage} was not killed:\n{done.stdout}\n{done.stderr}"
    return commit_times(output, stage)


def commit_times(output: Path | str, stage: str) -> dict[str, int]:
    """Give the commits of a stage with the time each was written."""
    return {path.name: path.stat().st_mtime_ns for path in Path(output, "work", stage, "commits").glob("*.json")}


def check_killed_in(stages: Sequence[str], config: Path, folder: Path, digests: Callable[..., dict[str, str]]) -> None:
    """Check that a run that is killed in each of some stages ends with the bytes of an undisturbed one.

    Args:
        stages: The stages, in their order.
        config: The run's config.
        folder: Where both runs are made.
        digests: The fixture of that name.
    """
    quiet, whole, output = Console(quiet=True), folder / "whole", folder / "run"
    launching.launch(str(config), output=str(whole), workers=1, console=quiet)
    left: dict[str, dict[str, int]] = {}
    for stage in stages:
        left[stage] = run_killed([str(config)], output, stage, 5)
        assert len(left[stage]) == 5 < len(commit_times(whole, stage))
        assert not (output / "report.html").exists()
    launching.launch(str(config), output=str(output), workers=1, console=quiet)
    assert digests(output, EVERYTHING) == digests(whole, EVERYTHING)
    assert not list(output.rglob("*.partial"))
    for stage, before in left.items():
        after = commit_times(output, stage)
        assert {name: after[name] for name in before} == before, "committed batches were written again"
        assert sorted(after) == sorted(commit_times(whole, stage))
