"""Progress: a line that is redrawn on a terminal, plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from pipeline.fetch_progress import FetchProgress


@pytest.fixture
def stream():
    return io.StringIO()


def test_elsewhere_a_line_comes_every_fifteen_seconds(stream, time):
    progress = FetchProgress(Console(file=stream, width=200), time.clock)
    progress.begin("f[1].gz", 10_000_000, 50_000_000)
    for _ in range(4):
        time.sleep(5)
        progress.advance(1_000_000)
    progress.end()
    # 3 MB in 15 s are 0.2 MB/s; 37 MB are left: 185 s.
    assert stream.getvalue() == "f[1].gz: 13.0 of 50.0 MB, 0.20 MB/s, ETA 3:05\n"


def test_without_a_length_there_is_no_time_left_to_tell(stream, time):
    progress = FetchProgress(Console(file=stream), time.clock)
    progress.begin("f", 0, None)
    time.sleep(2)
    progress.advance(4_000_000)
    assert progress.describe() == "f: 4.0 MB, 2.00 MB/s"


def test_on_a_terminal_one_line_is_redrawn_and_taken_down(stream, time):
    progress = FetchProgress(Console(file=stream, force_terminal=True, width=120), time.clock)
    progress.begin("f[1].gz", 0, 2_000_000)
    progress.advance(1_000_000)
    progress.begin("g", 0, None)
    progress.end()
    progress.end()
    shown = stream.getvalue()
    assert "f[1].gz" in shown
    assert "1.0/2.0 MB" in shown
    assert "\n\n" not in shown


def test_lines_are_said_as_they_are(stream):
    FetchProgress(Console(file=stream, width=20)).say("a [red]long[/red] line that nobody breaks")
    assert stream.getvalue() == "a [red]long[/red] line that nobody breaks\n"
