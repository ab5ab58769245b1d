"""The command that says what a run would do and take; it imports what it needs when it is called."""

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pipeline.estimate import Estimate, Prices, Total
    from pipeline.plan import Plan

_WIDTH = 120  # where no terminal says how wide it is
_HERE = "*"
_UNKNOWN = "?"
_DITTO = '"'
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_ASSUMED = (
    "Estimated from the figures of make bench BENCH=run.stages ({measured}), {here}for cores and inputs like those, "
    "stage after stage; side by side the memory of several adds up. For inputs of 50 MB and more time should be "
    "right within a factor of 2, disk within 30 %; a smaller run takes a few seconds more or less. Reading from a "
    "network, and a cluster's start, come on top."
)


def plan(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML config, e.g. configs/demo.yaml.")],
    *,
    output: Annotated[str | None, typer.Option(help="The run folder; runs/<name of the config> by default.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Worker processes, one a core, here or on a cluster; all cores by default."),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config.")
    ] = None,
    prices: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A price list, e.g. configs/prices/dataflow.yaml: what Dataflow would cost."),
    ] = None,
    accept_code_change: Annotated[bool, typer.Option(help="Count outputs made by other code.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say what a run would do and why, and what it takes: time, memory, disk, shuffle. Nothing is written.

    More workers than this machine has cores, or a price list, mean those of a cluster, which shuffle among themselves.
    """
    from pipeline.estimate import Estimator, Prices, add_up
    from pipeline.measured import measured_table
    from pipeline.plan import make_plan
    from pipeline.runner import default_workers
    from pipeline.settings import load_settings

    listed = load_settings(Prices, prices) if prices is not None else None
    count = workers or default_workers()
    planned = make_plan(
        config, output=output, workers=count, overrides=overrides or (), accept_code_change=accept_code_change
    )
    is_cluster = listed is not None or count > default_workers()
    table = measured_table()
    estimates = Estimator(planned, table, workers=count, is_cluster=is_cluster, prices=listed).estimates()
    total = add_up(planned, estimates, listed)
    where = ["--workers", str(workers)] if workers is not None else []
    where = ["--runner=DataflowRunner"] if is_cluster else where
    again = _command(config, output, where, overrides or (), accept_code_change=accept_code_change)
    assumed = _ASSUMED.format(
        measured=table.measured,
        here=f"those marked {_HERE} of an earlier run in this folder, "
        if any(one.is_here for one in estimates)
        else "",
    )
    if as_json:
        found = _as_json(planned, estimates, total, count, assumed, again)
        print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201
        return
    how = f"To run it, with the other flags of your cluster, for {count:,} cores:" if is_cluster else "To run it:"
    _print(planned, estimates, total, count, listed, assumed, [how, again])


def _command(
    config: str, output: str | None, where: Sequence[str], overrides: Sequence[str], *, accept_code_change: bool
) -> str:
    words = ["llama-corpus", "run", config]
    words += ["--output", output] if output is not None else []
    words += [word for override in overrides for word in ("--set", override)]
    words += [*(["--accept-code-change"] if accept_code_change else ()), *where]
    return shlex.join(words)


def _as_json(
    planned: "Plan", estimates: Sequence["Estimate"], total: "Total", workers: int, assumed: str, command: str
) -> dict[str, Any]:
    from dataclasses import asdict

    stages = [
        {"name": stage.name, "state": stage.state.value, "why": stage.why, **asdict(one)}
        for stage, one in zip(planned.stages, estimates, strict=True)
    ]
    return {
        "folder": planned.run.folder,
        "workers": workers,
        "stages": stages,
        "total": asdict(total),
        "notes": list(planned.notes),
        "assumed": assumed,
        "next": command,
    }


def _print(
    planned: "Plan",
    estimates: Sequence["Estimate"],
    total: "Total",
    workers: int,
    prices: "Prices | None",
    assumed: str,
    then: Sequence[str],
) -> None:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(_table(planned, estimates, prices))
    if not any(stage.is_left for stage in planned.stages):
        then = ["Everything is up to date."]
    for line in ("", *_sums(total, workers, prices), *planned.notes, "", assumed, "", *then):
        console.print(line, soft_wrap=line in then)


def _table(planned: "Plan", estimates: Sequence["Estimate"], prices: "Prices | None") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage", no_wrap=True)
    for column in ("reads", "workers", "time", "memory", "writes", "shuffles", *([prices.currency] if prices else ())):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("what happens", overflow="fold")
    above = ""
    for stage, one in zip(planned.stages, estimates, strict=True):
        numbers = _numbers(one, prices) if stage.is_left else [""] * (6 + bool(prices))
        table.add_row(stage.name, *numbers, stage.why if stage.why != above else _DITTO)
        above = stage.why
    return table


def _numbers(one: "Estimate", prices: "Prices | None") -> list[str]:
    cost = [_UNKNOWN if one.cost is None else f"{one.cost:,.2f}"] if prices else []
    workers = str(one.workers) if one.workers else "-"
    if one.seconds is None:
        return [_UNKNOWN] * 6 + cost
    mark = _HERE if one.is_here else ""
    sizes = [say_bytes(size or 0) for size in (one.memory, one.written, one.shuffled)]
    return [say_bytes(one.read or 0), workers, say_seconds(one.seconds) + mark, *sizes, *cost]


def _sums(total: "Total", workers: int, prices: "Prices | None") -> list[str]:
    each = f"{workers:,} worker{'s' if workers > 1 else ''}"
    spent, bytes_of = f"{say_seconds(total.seconds)} with {each}", say_bytes
    sizes = f"{bytes_of(total.memory)} of memory at most, {bytes_of(total.written)} written"
    meet = f"{bytes_of(total.shuffled)} shuffled; {bytes_of(total.there)} are there"
    lines = [f"In all {spent} ({say_seconds(total.core_seconds)} of one core), {sizes}, {meet}."]
    if prices is not None:
        costs = [f"{cost or 0.0:,.2f} {prices.currency}" for cost in (total.workers_cost, total.disk_cost)]
        lines.append(f"On Dataflow {costs[0]} for workers and shuffle, {costs[1]} a month for the run folder.")
    if total.unknown:
        lines.append(f"Never measured, and not in these sums: {', '.join(total.unknown)}")
    return lines


def say_seconds(seconds: float) -> str:
    """Say a time in the unit that fits.

    >>> say_seconds(4.26), say_seconds(200), say_seconds(9000), say_seconds(400_000)
    ('4.3 s', '3.3 min', '2.5 h', '4.6 days')
    """
    for limit, unit, name in ((2 * _MINUTE, 1, "s"), (2 * _HOUR, _MINUTE, "min"), (2 * _DAY, _HOUR, "h")):
        if seconds < limit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / _DAY:,.1f} days"


def say_bytes(size: float) -> str:
    """Say a size in the unit that fits, by powers of 1,000.

    >>> say_bytes(0), say_bytes(999), say_bytes(1_234_000), say_bytes(354e9)
    ('0', '999 B', '1.2 MB', '354 GB')
    """
    if not size:
        return "0"
    for factor, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:,.{0 if size >= 100 * factor else 1}f} {name}"
    return f"{size:.0f} B"
