"""Killed in the middle of its stages, GitHub ends with the bytes of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from pipeline import launch as launching

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = ("documents", "dropped", "errors")
CONTENTS = 600

Digests = Callable[..., dict[str, str]]


def write_config(folder: Path) -> Path:
    """Write BigQuery's tables and a config with small batches.

    Every third content stands in two places, and every fifth is a copy of the one before it but for its header.
    """
    for name in ("contents", "files", "licenses"):
        (folder / "data" / name).mkdir(parents=True)
    contents = [{"id": f"{number:040x}", "content": content(number)} for number in range(CONTENTS)]
    files = [
        {"repo_name": f"o/r{number % (7 + copy)}", "ref": "main", "path": f"{copy}/{number}.py", "id": f"{number:040x}"}
        for number in range(CONTENTS)
        for copy in range(1 + (number % 3 == 0))
    ]
    licences = [{"repo_name": f"o/r{number}", "license": ["mit", "gpl-2.0"][number == 6]} for number in range(8)]
    for part in range(2):
        pq.write_table(pa.Table.from_pylist(contents[part::2]), folder / "data" / "contents" / f"{part}.parquet")
        pq.write_table(pa.Table.from_pylist(files[part::2]), folder / "data" / "files" / f"{part}.parquet")
    pq.write_table(pa.Table.from_pylist(licences), folder / "data" / "licenses" / "0.parquet")
    source = {
        "collections": [{"id": "D", "rows": ["contents"], "files": ["files"], "licenses": ["licenses"]}],
        "partition_bytes": 1 << 10,
    }
    values = {"data": str(folder / "data"), "batch_bytes": 16 << 10, "sources": {"github": source}}
    config = folder / "run.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    return config


def content(number: int) -> str:
    header = f"# Copyright 2001 The bakers of oven {number}\n\n"
    loaf = number - (number % 5 == 4)
    return header + f"heat_oven(loaf={loaf})\n" * (loaf % 40 + 3)


def commits(output: Path, stage: str) -> dict[str, int]:
    """Give the commits of a stage with the time each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (output / "work" / stage / "commits").glob("*.json")}


def kill_once_committed(config: Path, output: Path, stage: str, count: int) -> dict[str, int]:
    """Start the run as a process group of its own and kill all of it once a stage has that many commits."""
    program = [sys.executable, "-c", "from pipeline.cli import main; main()", "run", str(config)]
    arguments = ["--output", str(output), "--workers", "1"]
    terminal = output.parent / "terminal.txt"
    with terminal.open("ab") as shown:
        process = subprocess.Popen([*program, *arguments], cwd=ROOT, start_new_session=True, stdout=shown, stderr=shown)
    while process.poll() is None and len(commits(output, stage)) < count:
        time.sleep(0.005)
    assert process.poll() is None, terminal.read_text()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.2)
    return commits(output, stage)


def test_killed_in_three_stages_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, digests: Digests
) -> None:
    config, quiet = write_config(tmp_path), Console(quiet=True)
    whole, output = tmp_path / "whole", tmp_path / "run"
    launching.launch(str(config), output=str(whole), workers=1, console=quiet)
    left: dict[str, dict[str, int]] = {}
    for stage in ("github.contents", "github.cleaned", "github.documents"):
        left[stage] = kill_once_committed(config, output, stage, 5)
        assert 0 < len(left[stage]) < len(commits(whole, stage))
        assert not (output / "report.html").exists()
    launching.launch(str(config), output=str(output), workers=1, console=quiet)
    assert digests(output, EVERYTHING) == digests(whole, EVERYTHING)
    assert not list(output.rglob("*.partial"))
    for stage, before in left.items():
        after = commits(output, stage)
        assert {name: after[name] for name in before} == before, "committed batches were written again"
        assert sorted(after) == sorted(commits(whole, stage))
