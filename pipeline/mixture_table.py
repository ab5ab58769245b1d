"""The mixture as tables: a run's summary in the shape of the paper's table 1, and a plan worked out for a budget."""

import html
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.files import join, read_json
from pipeline.manifest import Manifest
from pipeline.mixture_stage import MIXTURE, read_plan
from tokenizer.mixture import MixturePlan

_COLUMNS = ("source", "sampling prop.", "epochs", "disk size", "documents", "tokens", "held-out tokens")
_PLAN_COLUMNS = (
    "source", "sampling prop.", "in a block", "tokens", "drawn", "epochs", "asked", "repeated", "never drawn",
    "one epoch at a budget of",
)  # fmt: skip
_NONE = "–"
_WIDTH = 200
_UNIT = 1000
_SMALL = 0.01


def summary_rows(run: str) -> list[tuple[str, ...]]:
    """Arrange what a run has made as the rows of table 1 (Touvron et al., 2023), the total last.

    Disk size is that of the documents as the run wrote them, compressed. Documents are all that were kept; tokens are
    those of the training shards, which the ones held out are no part of.

    Args:
        run: The run folder.

    Returns:
        The rows; none where the run has not come to a mixture.
    """
    stages = Manifest(run).stages
    if MIXTURE not in stages:
        return []
    plan = read_plan(run)
    made = {name: _made(run, stages, name) for name in [*plan.sources, *plan.left_out]}
    order = sorted(made, key=lambda name: (-plan.sources[name].proportion if name in plan.sources else 0.0, name))
    rows = [(name, *_drawn(plan, name), *_cells(made[name])) for name in order]
    total = [sum(column) for column in zip(*made.values(), strict=True)]
    trained = sum(source.tokens for source in plan.sources.values())
    return [*rows, ("total", "100.0 %", f"{plan.budget_tokens / trained:.2f}", *_cells(total))]


def _made(run: str, stages: dict[str, dict[str, Any]], source: str) -> tuple[int, int, int, int]:
    """Give a source's bytes of documents, documents, tokens and held-out tokens."""
    outputs = [output for entry in stages.values() for output in entry["outputs"]]
    size = sum(output["bytes"] for output in outputs if output["path"].startswith(f"documents/{source}/"))
    stats = read_json(join(run, "stats", f"{source}.tokens.json"))
    facts = stats["facts"]
    return size, stats["kept"], facts["tokens"], facts["held_out_tokens"]


def _drawn(plan: MixturePlan, name: str) -> tuple[str, str]:
    if name not in plan.sources:
        return _NONE, _NONE
    source = plan.sources[name]
    return _percent(source.proportion), f"{source.epochs:.2f}"


def _percent(fraction: float) -> str:
    """Write a fraction as the paper does, with further digits where it is small."""
    return f"{100 * fraction:.1f} %" if fraction > _SMALL else f"{100 * fraction:.2g} %"


def _cells(made: Sequence[int]) -> tuple[str, ...]:
    size, *counts = made
    return (human_bytes(size), *(f"{count:,}" for count in counts))


def human_bytes(size: float) -> str:
    """Write bytes as the paper does.

    >>> human_bytes(3.3e12), human_bytes(783e9), human_bytes(999_900), human_bytes(12)
    ('3.3 TB', '783 GB', '1 MB', '12 B')
    """
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    place = 0
    while size >= _UNIT - 0.5 and place < len(units) - 1:
        size, place = size / _UNIT, place + 1
    return f"{size:.3g} {units[place]}"


def print_summary(run: str, console: Console) -> None:
    """Print :func:`summary_rows`, if there are any, and what might not be expected of the mixture."""
    rows = summary_rows(run)
    if rows:
        console.print(_table(_COLUMNS, rows))
        _say(console, read_plan(run).notes())


def summary_html(run: str) -> str:
    """Give :func:`summary_rows` as a section of a page; empty where there are none."""
    rows = summary_rows(run)
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = "".join(
        f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in read_plan(run).notes())
    return f'<h2>The corpus</h2><table class="numbers"><tr>{head}</tr>{body}</table>{notes}'


def print_plan(plan: MixturePlan) -> None:
    """Print what a plan means for each source, and over which budget each would be seen once."""
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(_table(_PLAN_COLUMNS, plan_rows(plan)))
    block = "one population" if plan.block is None else f"blocks of {plan.block:,} sequences"
    _say(console, [f"over {plan.budget_tokens:,} tokens, drawn from {block}", *plan.notes()])


def plan_rows(plan: MixturePlan) -> list[tuple[str, ...]]:
    """Arrange a plan as rows, the largest proportion first."""
    rows = []
    for name, source in sorted(plan.sources.items(), key=lambda item: (-item[1].proportion, item[0])):
        asked = _NONE if source.asked_epochs is None else f"{source.asked_epochs:.2f}"
        share = _NONE if source.share is None else f"{source.share:,}"
        counts = (source.repeated_tokens, source.unused_tokens, plan.one_epoch_budget(name))
        rows.append(
            (
                name,
                _percent(source.proportion),
                share,
                f"{source.tokens:,}",
                f"{source.drawn_tokens:,}",
                f"{source.epochs:.2f}",
                asked,
                *(f"{count:,}" for count in counts),
            )
        )
    return rows


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name == columns[0] else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _say(console: Console, lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
