"""Results: a table for people, JSON for programs."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.timing import Pair, Spent


@dataclass(frozen=True, slots=True)
class Result:
    """One figure.

    Attributes:
        name: ``<what>.<part>``.
        value: The figure.
        unit: Its unit; a MB is 10^6 bytes of UTF-8 text.
        against: What it stands beside, measured in the same run; empty for nothing.
        ratio: Our speed over that of ``against``; ``None`` where there is none.
        goal: What was hoped for, in words; empty for nothing.
        met: Whether it was reached; ``None`` without a goal.
        cpu_value: The figure with CPU time in place of the clock's: what an idle machine would show; ``None`` where the
            work is spread over processes.
        detail: Where the time goes, or what else there is to say.
    """

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    cpu_value: float | None = None
    detail: str = ""


def speed(name: str, amount: float, pair: Pair, **fields: Any) -> Result:
    """Give the result of a comparison.

    Args:
        name: The result's name.
        amount: Work done in a run, in the result's unit times seconds.
        pair: What it took.
        **fields: The result's other fields.
    """
    return alone(name, amount, pair.ours, ratio=pair.ratio, **fields)


def alone(name: str, amount: float, spent: Spent, **fields: Any) -> Result:
    """Give the result of work that stands beside nothing."""
    values = {"value": amount / spent.seconds, "cpu_value": amount / spent.cpu_seconds}
    return Result(name=name, **{"unit": "MB/s/core", **values, **fields})


def print_results(results: Sequence[Result], console: Console, title: str) -> None:
    """Print results as a table."""
    table = Table(title=title, title_justify="left", caption_justify="left", caption=_CAPTION)
    for column in ("name", "value", "by CPU time", "unit", "ratio", "against", "goal", ""):
        table.add_column(
            column, justify="right" if column in {"value", "by CPU time", "ratio"} else "left", overflow="fold"
        )
    for result in results:
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        verdict = {None: "", True: "met", False: "[red]missed[/red]"}[result.met]
        cpu = "" if result.cpu_value is None else _short(result.cpu_value)
        table.add_row(result.name, _short(result.value), cpu, result.unit, ratio, result.against, result.goal, verdict)
    console.print(table)
    for result in results:
        if result.detail:
            console.print(f"{result.name}: {result.detail}", highlight=False, soft_wrap=True)


_CAPTION = (
    "MB: 10^6 bytes of UTF-8 text. Medians of alternating runs, ours then bare; ratio: our speed over the bare "
    "calls', the median of the turns. Values and ratios by the clock; on a busy machine CPU time says what an idle one "
    "would show."
)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write_results(results: Sequence[Result], path: str) -> None:
    """Write results as a JSON list."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    rows = [asdict(result) for result in results]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
