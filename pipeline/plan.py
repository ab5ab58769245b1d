"""What a run would do: its stages in order, and for each whether it runs and why. Nothing is written.

The recipes are driven as a run drives them, as far as the results of their stages are there. Behind the first stage of
a recipe that must run, nobody knows yet what the next ones read: they are named alone.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.console import Console

from pipeline import decontamination, tokens
from pipeline.commits import Commit
from pipeline.document import Shard
from pipeline.inputs import InputFile, fingerprint_inputs
from pipeline.launch import Inputs, asked_sources, look
from pipeline.manifest import Manifest
from pipeline.run import UP_TO_DATE, Holding, Recipe, Run
from pipeline.runner import Engine
from pipeline.settings import RunSettings, load_settings
from pipeline.sources import commoncrawl, perplexity
from pipeline.sources.crawl_documents import DOCUMENTS
from pipeline.stage import Group, Stage, StageResult, UnitWork
from pipeline.tokenizer_stages import TOKENIZER


class State(StrEnum):
    """What would become of a stage."""

    SKIPPED = "skipped"
    RUNS = "runs"
    RESUMES = "resumes"
    FOLLOWS = "follows"


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage of the plan.

    Attributes:
        name: The stage's name.
        state: What would become of it.
        why: Why, in a few words.
        stage: The stage; ``None`` for one that follows from another.
        result: What it has left, where it is skipped.
        committed: Its commits that hold.
    """

    name: str
    state: State
    why: str
    stage: Stage | None = None
    result: StageResult | None = None
    committed: Sequence[Commit] = ()

    @property
    def is_left(self) -> bool:
        """Whether there is anything to do."""
        return self.state is not State.SKIPPED


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        run: The run, looked at and never written to.
        manifest: The manifest of an earlier run in its folder, empty where there was none.
        inputs: What its sources read.
        stages: Its stages, in order.
        notes: What the recipes have to say.
    """

    run: Run
    manifest: Manifest
    inputs: Inputs
    stages: Sequence[PlannedStage]
    notes: Sequence[str]


def make_plan(
    config: str,
    *,
    output: str | None = None,
    workers: int = 1,
    overrides: Sequence[str] = (),
    accept_code_change: bool = False,
) -> Plan:
    """Look at a config and its run folder, if there is one.

    Args:
        config: The YAML file.
        output: The run folder; ``runs/<name>`` by default.
        workers: Worker processes.
        overrides: ``key=value`` each.
        accept_code_change: Whether outputs of other code count as up to date.

    Raises:
        SettingsError: A setting, an input or the output folder is wrong.
    """
    folder, settings, inputs = look(load_settings(RunSettings, config, overrides), output)
    said = io.StringIO()
    console = Console(file=said, width=1000)
    run = Run(folder, settings, Engine(workers), console, accept_code_change=accept_code_change)
    run.fingerprint_inputs = glance_at_inputs
    return Plan(run, Manifest(folder), inputs, list(_plan(run, inputs)), said.getvalue().splitlines())


def glance_at_inputs(shards: Sequence[Shard], known: Mapping[str, InputFile]) -> list[InputFile]:
    """Tell whether raw files are those of an earlier run; the content of files that are new is not read.

    Args:
        shards: The files.
        known: Those of the earlier run, by path.
    """
    before = [known.get(shard.path) for shard in shards]
    if all(
        file and (file.name, file.bytes) == (shard.name, shard.size) for file, shard in zip(before, shards, strict=True)
    ):
        return fingerprint_inputs(shards, known)
    return [InputFile(shard.name, shard.path, shard.size, 0, "not looked at") for shard in shards]


class Waits(Exception):
    """A recipe asked for the result of a stage that has to run first."""


class Results(dict[str, StageResult]):
    """Results by name; to ask for one that is to come says which stage must run first."""

    def __init__(self) -> None:
        super().__init__()
        self.coming: dict[str, str] = {}

    def __missing__(self, name: str) -> StageResult:
        raise Waits(self.coming.get(name, name))

    def get(self, name: str, default: Any = None) -> Any:
        """Give a result; the default only where there will never be one."""
        return self[name] if name in self or name in self.coming else default


def _plan(run: Run, inputs: Inputs) -> Iterator[PlannedStage]:
    results, documents = Results(), Results()
    run.results = results
    for source, asked in asked_sources(run.settings):
        recipe = source.recipe(run, asked, inputs.shards[source.SOURCE])
        yield from _drive(run, results, source.stages(asked), recipe)
        _hand_on(source.SOURCE, source.DOCUMENTS, results, documents)
    crawl = run.settings.sources.commoncrawl
    if crawl is not None and inputs.commoncrawl is not None:
        recipe = commoncrawl.recipe(run, crawl, inputs.commoncrawl, documents)
        yield from _drive(run, results, _crawl_stages(run.settings, inputs), recipe)
        _hand_on(commoncrawl.SOURCE, DOCUMENTS, results, documents)
    if run.settings.decontamination is not None:
        looking = decontamination.recipe(run, run.settings.decontamination, inputs.evaluation, documents)
        names = decontamination.stages([*documents, *documents.coming])
        yield from _drive_behind(run, results, documents, names, looking)
    if run.settings.tokenizer is not None:
        names = tokens.stages([*documents, *documents.coming])
        names = names if run.settings.tokens is not None else names[: names.index(TOKENIZER) + 1]
        yield from _drive_behind(run, results, documents, names, tokens.recipe(run, documents))


def _crawl_stages(settings: RunSettings, inputs: Inputs) -> list[str]:
    crawl = settings.sources.commoncrawl
    if crawl is None or inputs.commoncrawl is None:
        return []
    skipped = crawl.perplexity if inputs.commoncrawl.skips_perplexity else None
    left_out = perplexity.stages(skipped) if skipped is not None else []
    return [name for name in commoncrawl.stages(crawl) if name not in left_out]


def _hand_on(source: str, stage: str, results: Results, documents: Results) -> None:
    if stage in results:
        documents[source] = results[stage]
    else:
        documents.coming[source] = stage


def _drive_behind(
    run: Run, results: Results, documents: Results, names: Sequence[str], recipe: Recipe
) -> Iterator[PlannedStage]:
    """Drive a recipe that reads the documents of all sources, once they are there."""
    if documents.coming:
        yield from _follow(results, names, next(iter(documents.coming.values())))
    else:
        yield from _drive(run, results, names, recipe)


def _drive(run: Run, results: Results, names: Sequence[str], recipe: Recipe) -> Iterator[PlannedStage]:
    """Drive a recipe as far as results are there; name the stages behind.

    Args:
        run: The run.
        results: What its stages have left, to which those of this recipe are added.
        names: All the recipe's stages, in order; one that it passes by is no part of the run.
        recipe: The recipe; what it yields may be several stages that do not need each other, which are sent back a
            list.
    """
    reply: Any = None
    last, waits_for = -1, ""
    while not waits_for:
        try:
            item: Any = recipe.send(reply)
        except StopIteration:
            return
        except Waits as wait:
            waits_for = str(wait)
            break
        group = [look_at(run, stage) for stage in (item.stages if isinstance(item, Group) else [item])]
        yield from group
        last = max([last, *(names.index(planned.name) for planned in group if planned.name in names)])
        undone = [planned.name for planned in group if planned.result is None]
        results.coming.update(zip(undone, undone, strict=True))
        waits_for = undone[0] if undone else ""
        found = [planned.result for planned in group]
        results.update({result.name: result for result in found if result is not None})
        reply = found if isinstance(item, Group) else found[0]
    yield from _follow(results, names[last + 1 :], waits_for)


def look_at(run: Run, stage: Stage) -> PlannedStage:
    """Say what would become of a stage whose inputs are there."""
    holding = run.holding(stage)
    result = run.result_of(stage, holding)
    if result is not None:
        return PlannedStage(stage.name, State.SKIPPED, UP_TO_DATE, stage, result, holding.commits)
    state = State.RESUMES if holding.commits else State.RUNS
    return PlannedStage(stage.name, state, _why(stage, holding), stage, None, holding.commits)


def _why(stage: Stage, holding: Holding) -> str:
    if holding.is_stale:
        return "not run yet" if holding.why is None else f"runs again: {holding.why}"
    resumes = []
    if holding.commits:
        left = len(stage.work.missing(holding.commits))
        done = f"{len(holding.commits):,} batches are committed"
        of = f" of {len(stage.work.units):,} units" if isinstance(stage.work, UnitWork) else ""
        resumes = [f"resuming: {done}, {left:,}{of} are left" if left else f"{done}, none is left"]
    return "; ".join([*holding.faults(), *resumes]) or "not finished: nothing is committed"


def _follow(results: Results, names: Iterable[str], stage: str) -> Iterator[PlannedStage]:
    for name in names:
        results.coming[name] = name
        yield PlannedStage(name, State.FOLLOWS, f"follows from {stage}")
