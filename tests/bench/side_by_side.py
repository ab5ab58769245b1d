"""All sources of a config through the command line: side by side, and one after the other, with two workers each."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.launch import stage_names
from pipeline.settings import RunSettings, parse_settings
from tests.bench.inputs import Inputs
from tests.bench.report import Result
from tests.bench.timing import Spent, pair_of
from tests.bench.whole import Peaks, run_config

_ROOT = Path(__file__).parent.parent.parent
_WORKERS = 2
_DEMO_TURNS, _QUICK_TURNS = 5, 1


def compare_orders(inputs: Inputs) -> Iterator[Result]:
    """The demo's seven sources; and all real inputs, once."""
    demo = _config("demo.yaml", str(_ROOT / "tests" / "corpus"))
    yield _compare(inputs, "run.side_by_side, demo", demo, _QUICK_TURNS if inputs.quick else _DEMO_TURNS)
    if inputs.data and not inputs.quick:
        yield _compare(inputs, "run.side_by_side, real inputs", _config("sample.yaml", inputs.data), 1)


def _config(name: str, data: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((_ROOT / "configs" / name).read_text(encoding="utf-8"))
    return {**config, "data": os.path.abspath(data)}


def _compare(inputs: Inputs, name: str, config: Mapping[str, Any], turns: int) -> Result:
    """Take turns; a run that names all its stages does them one after the other."""
    settings = parse_settings(RunSettings, {"name": "bench", **config}, origin=name)
    in_order = ("--stages", ",".join(stage_names(settings)))
    runs: list[tuple[Peaks, Peaks]] = []
    for _ in range(turns):
        beside = run_config(inputs, config, workers=_WORKERS)
        runs.append((beside, run_config(inputs, config, workers=_WORKERS, options=in_order)))
    pair = pair_of([(_spent(beside), _spent(after)) for beside, after in runs])
    return Result(
        name=name,
        value=pair.ours.seconds,
        unit="s",
        against="one after the other",
        ratio=pair.ratio,
        goal="ratio > 1",
        met=pair.ratio > 1,
        detail=f"two workers, {pair.bare.seconds:.1f} s one after the other; from start to end of the command",
    )


def _spent(run: Peaks) -> Spent:
    return Spent(run.seconds, run.seconds)
