"""What each stage of a run costs, stage by stage: the figures that ``llama-corpus plan`` estimates with.

The sample config runs on real inputs with one worker, GitHub's stages on installed sources, C4's on the same crawl
files, and what is left on the miniature dumps. Each job is done by a process of its own, whose CPU time and peak memory
the system tells. Where the machine has other work, CPU time says what an idle one would take; where a job uses several
cores, the clock does: the smaller of both counts. ``build/measured.yaml`` is what becomes ``pipeline/measured.yaml``.
"""

import contextlib
import io
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import yaml
from rich.console import Console

from pipeline.launch import launch
from pipeline.measured import Figures, Spent, measure_stage, with_growth
from pipeline.plan import Plan, make_plan
from pipeline.runner import Engine, log_to
from pipeline.stage import Job
from pipeline.volumes import origins, passes_over_text
from tests.bench.github import source_rows, write_tables
from tests.bench.inputs import BUNDLED, Inputs
from tests.bench.report import Result

_CONFIGS = Path(__file__).parent.parent.parent / "configs"
_OUTPUT = os.path.join("build", "measured.yaml")
_GITHUB_MEGABYTES, _QUICK_MEGABYTES = 40, 5
_DIGITS = 4
_HEAD = """\
# What each stage takes and leaves by the byte that it reads, by the kind of what it reads: text, or raw files (any: all
# that were measured). Written by make bench BENCH=run.stages; pipeline/measured.py says what each figure means.
"""
#: Of the time of a small job, what counts as its own work at least.
_LEAST_SHARE = 0.1
#: The launcher's growth by the byte of keys, with two workers: ``make bench BENCH=run.memory``, 17.2 bytes a line of 8.
_PER_SHUFFLED_BYTE = 2.15
_SMALL_BATCH, _LARGE_BATCH = 4 << 20, 32 << 20
#: Figures of a stage in a table, by kind.
_Kinds = Mapping[str, Figures]


def measure(inputs: Inputs) -> Iterator[Result]:
    """One stage after the other, with one worker; writes the table."""
    _, launcher = _in_child(lambda: _run_empty_job(1))
    stages: dict[str, _Kinds] = {}
    least = document_bytes = 0.0
    for number, (config, overrides) in enumerate(_configs(inputs)):
        output = os.path.join(inputs.folder, f"stages-{number}")
        with _jobs_measured() as costs, contextlib.redirect_stdout(io.StringIO()):
            launch(config, output=output, workers=1, overrides=overrides, console=Console(quiet=True))
        plan = make_plan(config, output=output, overrides=overrides)
        least = least or min(cost.seconds for name, cost in costs.items() if name.endswith(".tokenizer_sample"))
        document_bytes = document_bytes or _document_bytes(plan)
        for name, kinds in _figures(plan, costs, least, launcher).items():
            stages[name] = {**kinds, **stages.get(name, {})}
    table = {
        "measured": f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, Python {platform.python_version()}",
        "stage_seconds": round(least, _DIGITS),
        "worker_seconds": round(_worker_seconds(), _DIGITS),
        "launcher_mb": round(launcher / 1e6, 1),
        "launcher_per_shuffled_byte": _PER_SHUFFLED_BYTE,
        "batch_bytes": _SMALL_BATCH,
        "memory_per_batch_byte": round(_memory_per_batch_byte(inputs), _DIGITS),
        "document_bytes": round(document_bytes),
        "stages": {name: {kind: _plain(one) for kind, one in kinds.items()} for name, kinds in sorted(stages.items())},
    }
    with open(_OUTPUT, "w", encoding="utf-8") as stream:
        stream.write(_HEAD)
        yaml.safe_dump(table, stream, sort_keys=False, width=120, default_flow_style=None)
    yield from (_result(name, kind, one) for name, kinds in stages.items() for kind, one in kinds.items())


def _configs(inputs: Inputs) -> list[tuple[str, list[str]]]:
    """Give the configs to run, each with its overrides; what an earlier one measures counts."""
    demo = (str(_CONFIGS / "demo.yaml"), [f"data={BUNDLED}"])
    if inputs.data == BUNDLED:
        return [demo]
    rows_megabytes = _QUICK_MEGABYTES if inputs.quick else _GITHUB_MEGABYTES
    data, folder = f"data={inputs.data}", Path(inputs.folder, "github")
    _in_child(lambda: _write_github(folder, rows_megabytes))  # whose memory would count as that of all that come after
    questions = os.path.join(BUNDLED, "evaluation", "questions.jsonl")
    looked_for = f"decontamination={{sets: [{{id: questions, paths: [{questions}]}}]}}"
    sample = (str(_CONFIGS / "sample.yaml"), [data, f"sources.github={_github(folder)}", looked_for])
    c4 = str(_CONFIGS / "sample_c4.yaml")
    wet = "sources.c4.dumps=[{id: wet, paths: [commoncrawl/**/*.wet, commoncrawl/**/*.wet.gz]}]"
    return [sample, (c4, [data]), (c4, [data, wet]), demo]


def _write_github(folder: Path, megabytes: int) -> None:
    """Write installed sources as a table of files, and as tables of contents, places and licences."""
    rows = source_rows(megabytes)
    half = len(rows) // 2
    write_tables(folder / "rows", rows[:half])
    numbered = [{**row, "id": f"{number:040x}"} for number, row in enumerate(rows[half:])]
    tables = {
        "contents": [{"id": row["id"], "content": row["content"], "binary": False} for row in numbered],
        "files": [
            {key: row[key] for key in ("id", "repo_name", "ref", "path")} | {"mode": "33188"} for row in numbered
        ],
        "licenses": [{"repo_name": name, "license": "mit"} for name in sorted({row["repo_name"] for row in numbered})],
    }
    for name, table in tables.items():
        write_tables(folder / name, table, name)


def _github(folder: Path) -> str:
    """Give the settings of these tables."""
    bigquery = {"id": "bigquery", "rows": [str(folder / "contents")]}
    bigquery |= {name: [str(folder / name)] for name in ("files", "licenses")}
    return yaml.safe_dump({"collections": [{"id": "rows", "rows": [str(folder / "rows")]}, bigquery]})


def _document_bytes(plan: Plan) -> float:
    found = [one.result.stats for one in plan.stages if one.result and one.name == "commoncrawl.scored"]
    return found[0]["bytes_out"] / max(1, found[0]["kept"]) if found else 0.0


def _figures(plan: Plan, costs: Mapping[str, "Cost"], least: float, base: int) -> dict[str, _Kinds]:
    names = [planned.name for planned in plan.stages]
    text = {planned.name: int(planned.result.stats["bytes_out"]) for planned in plan.stages if planned.result}
    found: dict[str, _Kinds] = {}
    for planned in plan.stages:
        if planned.stage is None or planned.name not in costs:
            continue
        cost, before = costs[planned.name], origins(planned.name, plan.run.settings, names)
        passes = passes_over_text(planned.name, plan.run.settings)
        read = sum(text[name] for name in before) * passes if before else None
        spent = Spent(max(cost.seconds - least, _LEAST_SHARE * cost.seconds), cost.peak)
        kinds = measure_stage(planned.stage, planned.committed, spent, read)
        found[planned.name] = {
            kind: with_growth(planned.name, one, read or 0, base / 1e6) for kind, one in kinds.items()
        }
    return found


def _plain(figures: Figures) -> dict[str, float]:
    values = {name: float(f"{value:.{_DIGITS}g}") for name, value in figures.model_dump().items()}
    return {name: value for name, value in values.items() if value}


def _result(name: str, kind: str, figures: Figures) -> Result:
    speed = 1 / figures.seconds_per_mb if figures.seconds_per_mb else 0.0
    return Result(name=f"run.stages {name} {kind}", value=speed, unit="MB/s/core, of what it reads")


def _worker_seconds() -> float:
    """Measure what each of two worker processes, which start side by side, adds to a job that has nothing to do."""
    one = min(_in_child(lambda: _run_empty_job(1))[0] for _ in range(3))
    two = min(_in_child(lambda: _run_empty_job(2))[0] for _ in range(3))
    return (two - one) / 2


def _memory_per_batch_byte(inputs: Inputs) -> float:
    """Measure by how much more memory a worker takes for larger batches."""
    peaks = []
    for batch_bytes in (_SMALL_BATCH, _LARGE_BATCH):
        config = {
            "batch_bytes": batch_bytes,
            "sources": {
                "commoncrawl": {"dumps": [{"id": "wet", "paths": [inputs.wet(1)[0].path]}], "perplexity": None}
            },
            "tokenizer": None,
            "tokens": None,
        }
        path = os.path.join(inputs.folder, f"batches-{batch_bytes}.yaml")
        with open(path, "w", encoding="utf-8") as stream:
            yaml.safe_dump(config, stream)
        with _jobs_measured() as costs, contextlib.redirect_stdout(io.StringIO()):
            launch(path, output=path.removesuffix(".yaml"), workers=1, console=Console(quiet=True))
        peaks.append(costs["commoncrawl.scored"].peak)
    return max(0.0, (peaks[1] - peaks[0]) / (_LARGE_BATCH - _SMALL_BATCH))


@dataclass(slots=True)
class Cost:
    """What the jobs of a stage took.

    Attributes:
        seconds: The smaller of CPU and clock time, of all jobs.
        peak: Resident bytes of the process at most.
    """

    seconds: float = 0.0
    peak: int = 0


@contextlib.contextmanager
def _jobs_measured() -> Iterator[dict[str, Cost]]:
    """Measure every job that is run inside, by stage, each in a process of its own."""
    costs: dict[str, Cost] = {}
    run = Engine.run

    def measured(self: Engine, job: Job, log: str) -> None:
        cost = costs.setdefault(os.path.basename(log).removesuffix(".log"), Cost())
        seconds, peak = _in_child(lambda: run(self, job, log))
        cost.seconds, cost.peak = cost.seconds + seconds, max(cost.peak, peak)

    Engine.run = measured  # type: ignore[method-assign]
    try:
        yield costs
    finally:
        Engine.run = run  # type: ignore[method-assign]


def _in_child(work: Callable[[], object]) -> tuple[float, int]:
    start = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the child's only way to tell
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError("a job failed; its trace is above")
    return min(time.perf_counter() - start, used.ru_utime + used.ru_stime), used.ru_maxrss << 10


def _run_empty_job(workers: int) -> None:
    with log_to(os.devnull):
        Engine(workers).run(_empty_job(), os.devnull)


def _empty_job() -> Job:
    return Job("empty", build=_build_empty, units=2, size=1 << 40)


def _build_empty(root: beam.Pipeline) -> beam.PCollection:
    return root | beam.Create([0, 1]) | beam.GroupBy(int)
