"""What stages and runs took: stored, printed and on the page, of the time when each stage last ran."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline import memory
from pipeline.commits import Commit, write_commit
from pipeline.figures import RunFigures, StageFigures, print_summary, summary_html, write_figures, write_summary
from pipeline.manifest import Manifest
from pipeline.memory import Peak, peak_of_all, proportional_bytes, resident_bytes
from pipeline.run import Recipe, Run
from pipeline.runner import Engine
from pipeline.settings import RunSettings
from pipeline.stage import LauncherWork, Stage

SETTINGS = RunSettings.model_validate({"name": "x", "sources": {"c4": {"paths": ["x"]}}})
MIB = 1 << 20
ENTRY: dict[str, Any] = {"outputs": []}


def folder_with_figures(folder: Path) -> str:
    run = str(folder)
    manifest = Manifest(run)
    for stage in ("a.read", "a.ids", "a.tokens", "a.older"):
        manifest.record_stage(stage, ENTRY)
    write_figures(run, "a.read", StageFigures(2.0, 5_000_000, 300 * MIB, 0, finished=99.0))
    write_figures(run, "a.ids", StageFigures(0.04, 0, 310 * MIB, 0, finished=101.0))
    write_figures(run, "a.tokens", StageFigures(4.0, 1_000_000, 1200 * MIB, 7, finished=105.0))
    write_summary(run, RunFigures(6.25, 1500 * MIB, 2, started=100.0))
    return run


def printed(run: str) -> list[list[str]]:
    console = Console(file=io.StringIO())
    print_summary(run, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [line.split() for line in lines]


def test_the_table_tells_seconds_text_speed_and_memory_of_each_stage_and_of_the_run(tmp_path: Path) -> None:
    run = folder_with_figures(tmp_path)
    head, *rows = printed(run)
    assert " ".join(head) == "stage seconds MB of text in MB/s peak MiB"
    assert [" ".join(row) for row in rows] == [
        "a.read 2.0 5.0 2.5 300 skipped; as of when it ran",
        "a.ids 0.0 310",
        "a.tokens 4.0 1.0 0.2 1,200 resumed: 7 batches were there, not counted",
        "this run, 2 workers 6.2 1,500",
    ]


def test_the_same_is_stored_as_json_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    run = folder_with_figures(tmp_path)
    summary = json.loads(Path(run, "stats", "run.json").read_text())
    assert [row["stage"] for row in summary["stages"]] == ["a.read", "a.ids", "a.tokens"]
    assert [row["ran"] for row in summary["stages"]] == [False, True, True]
    assert [row["megabytes_per_second"] for row in summary["stages"]] == [2.5, None, 0.25]
    assert summary["run"] == {"seconds": 6.25, "peak_memory": 1500 * MIB, "workers": 2, "started": 100.0}


def test_the_page_shows_the_same_rows(tmp_path: Path) -> None:
    page = summary_html(folder_with_figures(tmp_path))
    assert page.count("<tr>") == 5
    assert "<tr><th>a.read</th><td>2.0</td><td>5.0</td><td>2.5</td><td>300</td><td>skipped; as of when it ran" in page


def test_before_a_run_has_ended_there_is_nothing_to_print(tmp_path: Path) -> None:
    Manifest(str(tmp_path)).record_stage("a.read", ENTRY)
    assert printed(str(tmp_path)) == []
    assert summary_html(str(tmp_path)) == ""


def three_batches(folder: Path, *, stops: bool) -> Stage:
    """A stage that commits the batches that are missing of three; or only two of them, and fails."""

    def work() -> None:
        for index in range(2 if stops else 3):
            write_commit(str(folder), "s.stage", Commit("s", index, last=index == 2, read=1, kept=1, bytes_in=10**6))
        if stops:
            raise ValueError("stopped")

    class Batches(LauncherWork):
        def jobs(self, committed: Any) -> Any:
            return LauncherWork.jobs(self, committed if len(committed) == 3 else [])

        def missing(self, committed: Any) -> list[str]:
            return [] if len(committed) == 3 else ["a batch"]

    return Stage("s.stage", {}, {}, Batches(work, "three"))


def run_once(folder: Path, stage: Stage) -> dict[str, Any]:
    def recipe() -> Recipe:
        yield stage

    Run(str(folder), SETTINGS, Engine(1), Console(quiet=True)).execute(recipe())
    return dict(json.loads((folder / "work" / "s.stage" / "figures.json").read_text()))


def test_a_resumed_stage_counts_what_it_did_itself_and_a_skipped_one_keeps_its_figures(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"s\.stage: ValueError: stopped"):
        run_once(tmp_path, three_batches(tmp_path, stops=True))
    first = run_once(tmp_path, three_batches(tmp_path, stops=False))
    assert (first["resumed"], first["bytes_in"]) == (2, 1_000_000)
    assert first["peak_memory"] > 10 * MIB
    assert run_once(tmp_path, three_batches(tmp_path, stops=False)) == first


def test_a_stage_that_is_taken_up_again_whole_keeps_its_figures(tmp_path: Path) -> None:
    first = run_once(tmp_path, three_batches(tmp_path, stops=False))
    Manifest(str(tmp_path)).forget_from("s.stage")
    assert run_once(tmp_path, three_batches(tmp_path, stops=False)) == first


def test_a_peak_is_the_largest_of_what_was_seen() -> None:
    peak = Peak()
    for size in (3, 9, 4):
        peak.see(size)
    assert peak.bytes == 9


def test_memory_of_this_process_and_its_children_is_seen() -> None:
    import subprocess
    import sys

    before = resident_bytes()
    hold = "import sys; held = bytearray(b'x' * (80 << 20)); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        grown = resident_bytes() - before
        together = proportional_bytes()
        assert child.stdin is not None
        child.stdin.close()
    assert 80 * MIB < grown < 160 * MIB
    assert together > 80 * MIB


def test_a_run_is_watched_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SECONDS", 0.01)
    sizes: Callable[[], int] = iter(range(1, 10**6)).__next__
    monkeypatch.setattr(memory, "proportional_bytes", sizes)
    with peak_of_all() as peak:
        while peak.bytes < 3:
            pass
    assert peak.bytes >= 3
