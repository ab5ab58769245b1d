"""The funnel of a run: for each stage how much came in, what was kept, and what left for which reason."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import figures, mixture_table
from pipeline.files import exists, join, read_json, write_bytes
from pipeline.manifest import Manifest


def read_stats(run: str) -> list[dict[str, Any]]:
    """Read the statistics of a run's finished stages, in the order they ran."""
    names = list(Manifest(run).stages)
    return [read_json(join(run, "stats", f"{name}.json")) for name in names]


def funnel_rows(stats: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int, int, int]]:
    """Arrange statistics as rows: stage, what leaves (empty for the whole), in, kept, left out."""
    rows = []
    for stage in stats:
        left = {**stage["dropped"], **{f"error {cause}": count for cause, count in stage["errors"].items()}}
        rows.append((stage["stage"], "", stage["read"], stage["kept"], sum(left.values())))
        rows += [(stage["stage"], reason, 0, 0, count) for reason, count in sorted(left.items(), key=_by_count)]
        rows += [
            (stage["stage"], f"between records: {cause}", 0, 0, count) for cause, count in sorted(stage["gaps"].items())
        ]
    return rows


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def print_funnel(run: str, console: Console) -> None:
    """Print the funnel of a run, and its mixture; as wide as it is where nobody's terminal bounds it."""
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    stats = read_stats(run)
    counts = {stage["stage"]: stage["counts"] for stage in stats}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("stage", "left"),
        ("counts", "left"),
        ("in", "right"),
        ("kept", "right"),
        ("left out", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for stage, reason, read, kept, left in funnel_rows(stats):
        if reason:
            table.add_row("", f"  {reason}", "", "", f"{left:,}")
        else:
            table.add_row(stage, counts[stage], f"{read:,}", f"{kept:,}", f"{left:,}")
    console.print(table)
    mixture_table.print_summary(run, console)


def write_report(run: str) -> str:
    """Write the funnel as one HTML page without any reference outside it, and give its path."""
    stats = read_stats(run)
    counts = {stage["stage"]: stage["counts"] for stage in stats}
    rows = "".join(
        f'<tr class="reason"><td></td><td>{html.escape(reason)}</td><td></td><td></td><td>{left:,}</td></tr>'
        if reason
        else f"<tr><th>{html.escape(stage)}</th><td>{counts[stage]}</td><td>{read:,}</td><td>{kept:,}</td>"
        f"<td>{left:,}</td></tr>"
        for stage, reason, read, kept, left in funnel_rows(stats)
    )
    seconds = "".join(
        f"<tr><th>{html.escape(stage['stage'])}</th><td>{stage['bytes_in'] / 1e6:,.1f}</td>"
        f"<td>{html.escape(', '.join(f'{step} {value:,.2f}' for step, value in stage['seconds'].items()))}</td></tr>"
        for stage in stats
    )
    path = join(run, "report.html")
    page = _PAGE.format(
        rows=rows, mixture=mixture_table.summary_html(run), took=figures.summary_html(run), seconds=seconds
    )
    write_bytes(path, page.encode())
    return path


_PLAIN_WIDTH = 160

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>llama-corpus run</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }}
table {{ border-collapse: collapse; margin: 1em 0 }} td, th {{ padding: .15em .9em .15em 0; text-align: left }}
td:nth-child(n+3), .numbers td {{ text-align: right; font-variant-numeric: tabular-nums }} .reason td {{ color: #666 }}
</style></head><body><h1>What was kept, what left, and why</h1>
<table><tr><th>stage</th><th>counts</th><th>in</th><th>kept</th><th>left out</th></tr>{rows}</table>
{mixture}
<h2>What it took</h2><table>{took}</table>
<h2>Where the time went</h2><table><tr><th>stage</th><th>MB of text</th><th>seconds, all workers, by step</th></tr>
{seconds}</table></body></html>
"""


def has_run(run: str) -> bool:
    """Tell whether a folder holds a run."""
    return bool(exists(join(run, "manifest.json")))
