"""A run of several processes that is killed in the middle of a stage: all of them at once, by the hand of one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.killed import commit_times

ROOT = Path(__file__).parent.parent
PROGRAM = "from pipeline.cli import main; main()"

#: Read by each process when it starts: kills them all when a batch is to be committed behind so many others of its
#: stage. The files of that batch are written, its commit is not; another process is wherever it happens to be.
_DYING = """
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


def run_group_killed(arguments: Sequence[str], output: Path, stage: str, count: int) -> dict[str, int]:
    """Start a run as a process group of its own, and let it be killed where it would commit one batch more.

    Args:
        arguments: Of ``llama-corpus``.
        output: The run folder.
        stage: The stage.
        count: How many commits it has then.

    Returns:
        The stage's commits, with the time each was written.
    """
    site = output.parent / "site"
    site.mkdir(exist_ok=True)
    dying = _DYING.format(folder=str(output / "work" / stage / "commits"), count=count)
    (site / "sitecustomize.py").write_text(dying)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, start_new_session=True, check=False, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, f"{stage} was not killed:\n{done.stdout}\n{done.stderr}"
    time.sleep(0.2)  # for what a worker had asked of the system when it died
    return commit_times(output, stage)
