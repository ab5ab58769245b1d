"""The funnel: rows from statistics, on the terminal and as a page."""

import io
import json
import re
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.funnel import funnel_rows, has_run, print_funnel, read_stats, write_report
from pipeline.manifest import Manifest


def stats(stage: str, **more: Any) -> dict[str, Any]:
    empty = {"read": 0, "kept": 0, "dropped": {}, "errors": {}, "gaps": {}, "facts": {}, "seconds": {}, "bytes_in": 0}
    return {"stage": stage, "counts": "documents", **empty, **more}


STAGES = [
    stats(
        "cc.fingerprints",
        counts="records",
        read=1_200,
        kept=1_000,
        dropped={"length/too_short": 150, "a/b": 20, "page/empty": 20},
        errors={"warc/bad": 10},
        gaps={"warc/garbage": 3},
        bytes_in=2_500_000,
        seconds={"read": 1.25, "write": 2},
    ),
    stats("cc.documents", read=1_000, kept=1_000),
    stats("cc.tokens", read=1_000, kept=990, facts={"tokens": 123_456}, dropped={"<&>/x": 10}),
]


def run_folder(folder: Path) -> str:
    manifest = Manifest(str(folder))
    (folder / "stats").mkdir()
    for stage in STAGES:
        (folder / "stats" / f"{stage['stage']}.json").write_text(json.dumps(stage))
        manifest.record_stage(stage["stage"], {})
    return str(folder)


def test_each_stage_is_a_row_and_each_reason_one_below_it_the_most_frequent_first() -> None:
    assert funnel_rows(STAGES) == [
        ("cc.fingerprints", "", 1200, 1000, 200),
        ("cc.fingerprints", "length/too_short", 0, 0, 150),
        ("cc.fingerprints", "a/b", 0, 0, 20),
        ("cc.fingerprints", "page/empty", 0, 0, 20),
        ("cc.fingerprints", "error warc/bad", 0, 0, 10),
        ("cc.fingerprints", "between records: warc/garbage", 0, 0, 3),
        ("cc.documents", "", 1000, 1000, 0),
        ("cc.tokens", "", 1000, 990, 10),
        ("cc.tokens", "<&>/x", 0, 0, 10),
    ]


def test_what_came_in_is_kept_or_left_out_and_gaps_are_no_records() -> None:
    for _, reason, read, kept, left in funnel_rows(STAGES):
        assert reason or read == kept + left


def test_the_statistics_are_read_in_the_order_the_stages_ran(tmp_path: Path) -> None:
    assert read_stats(run_folder(tmp_path)) == STAGES


def test_the_terminal_shows_every_row_with_its_numbers(tmp_path: Path) -> None:
    out = io.StringIO()
    print_funnel(run_folder(tmp_path), Console(file=out, width=200))
    lines = [re.sub(r" +", " ", line).strip() for line in out.getvalue().splitlines()]
    assert lines == [
        "stage counts in kept left out",
        "cc.fingerprints records 1,200 1,000 200",
        "length/too_short 150",
        "a/b 20",
        "page/empty 20",
        "error warc/bad 10",
        "between records: warc/garbage 3",
        "cc.documents documents 1,000 1,000 0",
        "cc.tokens documents 1,000 990 10",
        "<&>/x 10",
    ]


def test_the_report_is_one_page_that_refers_to_nothing_outside(tmp_path: Path) -> None:
    path = write_report(run_folder(tmp_path))
    page = Path(path).read_text(encoding="utf-8")
    assert path == str(tmp_path / "report.html")
    assert not re.search(r"https?:|src=|href=|url\(|@import|<script", page)
    assert "<th>cc.fingerprints</th><td>records</td><td>1,200</td><td>1,000</td><td>200</td>" in page
    assert "<td>&lt;&amp;&gt;/x</td><td></td><td></td><td>10</td>" in page
    assert "<td>2.5</td><td>read 1.25, write 2.00</td>" in page


def test_a_folder_without_a_manifest_holds_no_run(tmp_path: Path) -> None:
    assert not has_run(str(tmp_path))
    assert has_run(run_folder(tmp_path))
