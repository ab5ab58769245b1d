"""Runs that are killed in the middle of a stage, at the same moment however loaded the machine is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Kills the process and all others of its group when a batch is to be committed behind so many others of its stage:
#: the files of that batch are written, its commit is not.
DYING = """
import os, signal
from pathlib import Path
from pipeline import commits
write = commits.write_bytes
def write_or_die(path, content):
    folder = Path({folder!r})
    if Path(path).parent == folder and len(list(folder.glob("*.json"))) >= {count}:
        os.killpg(0, signal.SIGKILL)
    write(path, content)
commits.write_bytes = write_or_die
"""


def commits(output: Path, stage: str) -> dict[str, int]:
    """Give the commits of a stage with the time each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (output / "work" / stage / "commits").glob("*.json")}


def command(output: Path, config: Path | str, *arguments: str) -> list[str]:
    """Give the command line of a run."""
    program = "from pipeline.cli import main; main()"
    return [sys.executable, "-c", program, "run", str(config), "--output", str(output), *arguments]


def run_killed(arguments: Sequence[str], output: Path, stage: str, count: int) -> dict[str, int]:
    """Run a command line of :func:`command` until it dies in a stage behind ``count`` commits; give its commits."""
    site = output.parent / "site"
    site.mkdir(exist_ok=True)
    dying = DYING.format(folder=str(output / "work" / stage / "commits"), count=count)
    (site / "sitecustomize.py").write_text(dying)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    terminal = output.parent / "terminal.txt"
    with terminal.open("ab") as shown:
        done = subprocess.run(
            arguments, cwd=ROOT, start_new_session=True, env=environment, stdout=shown, stderr=shown, check=False
        )
    assert done.returncode == -signal.SIGKILL, f"{stage} was not killed: {terminal.read_text()}"
    time.sleep(0.2)  # for the workers' last breath
    return commits(output, stage)
