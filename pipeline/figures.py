"""What each stage took, and the whole run: seconds, speed, memory. Nothing that these depend on enters any output."""

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.files import exists, join, read_json, write_json
from pipeline.manifest import Manifest

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class StageFigures:
    """What a stage took when it last ran.

    Attributes:
        seconds: By the clock, from its start, or from where it was resumed, to its end.
        bytes_in: UTF-8 bytes of the text of documents that entered in that time; 0 where it reads no documents.
        peak_memory: The most bytes that the process at work and its workers held, as seen twice a second.
        resumed: Batches that were committed before by a run that was stopped; neither time nor text is of them.
        finished: When it ended, in seconds since 1970.
    """

    seconds: float
    bytes_in: int
    peak_memory: int
    resumed: int
    finished: float


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What a run took.

    Attributes:
        seconds: By the clock.
        peak_memory: The most bytes that all its processes held together; pages that they share counted once, on Linux.
        workers: Workers asked for.
        started: When it began, in seconds since 1970.
    """

    seconds: float
    peak_memory: int
    workers: int
    started: float


def write_figures(run: str, stage: str, figures: StageFigures) -> None:
    """Keep a stage's figures beside its commits, with which they are taken away."""
    write_json(_path(run, stage), asdict(figures))


def read_figures(run: str, stage: str) -> StageFigures | None:
    """Read what a stage took when it last ran, if that is kept."""
    path = _path(run, stage)
    return StageFigures(**read_json(path)) if exists(path) else None


def _path(run: str, stage: str) -> str:
    return join(run, "work", stage, "figures.json")


def write_summary(run: str, figures: RunFigures) -> None:
    """Write ``stats/run.json``: the figures of all stages in the manifest, in order, and of the run."""
    rows = [row for name in Manifest(run).stages if (row := _row(run, name, figures.started)) is not None]
    write_json(join(run, "stats", "run.json"), {"stages": rows, "run": asdict(figures)})


def _row(run: str, stage: str, started: float) -> dict[str, Any] | None:
    figures = read_figures(run, stage)
    if figures is None:
        return None  # of a run by an older version
    speed = figures.bytes_in / 1e6 / figures.seconds if figures.bytes_in and figures.seconds else None
    ran = figures.finished >= started
    return {"stage": stage, "ran": ran, **asdict(figures), "megabytes_per_second": speed}


def read_summary(run: str) -> dict[str, Any] | None:
    """Read what :func:`write_summary` wrote; ``None`` where no run has come to its end."""
    path = join(run, "stats", "run.json")
    summary: dict[str, Any] | None = read_json(path) if exists(path) else None
    return summary


def _cells(row: dict[str, Any]) -> list[str]:
    speed = row["megabytes_per_second"]
    remark = "" if row["ran"] else "skipped; as of when it ran"
    if row["resumed"]:
        resumed = f"resumed: {row['resumed']:,} batches were there, not counted"
        remark = f"{remark}; {resumed}" if remark else resumed
    return [
        row["stage"],
        f"{row['seconds']:,.1f}",
        f"{row['bytes_in'] / 1e6:,.1f}" if row["bytes_in"] else "",
        f"{speed:,.1f}" if speed is not None else "",
        f"{row['peak_memory'] / _MIB:,.0f}",
        remark,
    ]


def _total(run: dict[str, Any]) -> list[str]:
    workers = f"{run['workers']} worker{'s' if run['workers'] > 1 else ''}"
    return [f"this run, {workers}", f"{run['seconds']:,.1f}", "", "", f"{run['peak_memory'] / _MIB:,.0f}", ""]


_PLAIN_WIDTH = 160
_COLUMNS = ("stage", "seconds", "MB of text in", "MB/s", "peak MiB", "")


def print_summary(run: str, console: Console) -> None:
    """Print what the stages and the run took, if a run has come to its end; as wide as it is but on a terminal."""
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    summary = read_summary(run)
    if summary is None:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(_COLUMNS):
        table.add_column(name, justify="right" if 0 < place < len(_COLUMNS) - 1 else "left", no_wrap=True)
    for cells in (*map(_cells, summary["stages"]), _total(summary["run"])):
        table.add_row(*cells)
    console.print(table)


def summary_html(run: str) -> str:
    """Give the same as rows of an HTML table, with their head."""
    summary = read_summary(run)
    if summary is None:
        return ""
    rows = [_html_row(_COLUMNS, "th"), *(_html_row(_cells(row), "td") for row in summary["stages"])]
    return "".join([*rows, _html_row(_total(summary["run"]), "td")])


def _html_row(cells: Sequence[str], tag: str) -> str:
    first, *rest = map(html.escape, cells)
    return f"<tr><th>{first}</th>{''.join(f'<{tag}>{cell}</{tag}>' for cell in rest)}</tr>"
