"""Progress is read off the committed files: shards, documents/s, MB/s and ETA, as lines or as a bar."""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import progress
from pipeline.commits import Commit, write_commit
from pipeline.progress import StageProgress
from pipeline.stage import Stage, UnitWork


@dataclass(frozen=True)
class Unit:
    name: str
    size: int


STAGE = Stage("s.stage", {}, {}, UnitWork([Unit("a", 4_000_000), Unit("b", 6_000_000)], build=lambda units: units))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(progress, "_LOCAL_SECONDS", 0.01)
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    return


def watch(run: Path, console: Console, committed: list[Commit], new: list[Commit], *, until: str) -> str:
    """Give what is shown until a text is in it, or half a minute is over."""
    stream = console.file
    assert isinstance(stream, io.StringIO)
    with StageProgress(str(run), STAGE, committed, console):
        for commit in new:
            write_commit(str(run), STAGE.name, commit)
        for _ in range(600):
            if until in stream.getvalue():
                break
            time.sleep(0.05)
    return stream.getvalue()


def test_without_a_terminal_lines_tell_shards_speed_share_and_eta(tmp_path: Path) -> None:
    text = watch(
        tmp_path,
        Console(file=io.StringIO(), width=200),
        [],
        [Commit("a", 0, read=500, position=4_000_000)],
        until="40 %",
    )
    line = text.splitlines()[-1]
    assert line.startswith("s.stage: 1 shards, ")
    assert " documents/s, " in line
    assert " MB/s, 40 %, ETA 0:0" in line


def test_a_shard_half_read_counts_by_the_bytes_read(tmp_path: Path) -> None:
    half = Commit("b", 0, read=1, last=False, position=3_000_000)
    text = watch(tmp_path, Console(file=io.StringIO(), width=200), [], [half], until="30 %")
    assert "s.stage: 0 shards, " in text
    assert " 30 %, ETA" in text


def test_what_an_earlier_run_committed_counts_as_done_but_not_for_the_speed(tmp_path: Path) -> None:
    before = Commit("a", 0, read=500, position=4_000_000)
    write_commit(str(tmp_path), STAGE.name, before)
    text = watch(tmp_path, Console(file=io.StringIO(), width=200), [before], [], until="ETA")
    assert "s.stage: 1 shards, 0 documents/s, 0.0 MB/s, ETA unknown" in text


def test_on_a_terminal_a_bar_shows_the_same(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    text = watch(tmp_path, console, [], [Commit("a", 0, read=500, position=4_000_000)], until="1 shards, ")
    assert "s.stage" in text
    assert "1 shards, " in text
    assert "MB/s" in text
    assert "━" in text
