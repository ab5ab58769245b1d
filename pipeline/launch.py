"""Launching a run: everything that can be wrong is looked at first, then the stages of all sources run in order."""

import contextlib
import functools
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import GoogleCloudOptions, StandardOptions
from pydantic import BaseModel
from rich.console import Console

from pipeline import decontamination, lanes, tokens
from pipeline.crawl_settings import CCNET, RUN, CommonCrawlSettings
from pipeline.decontamination_items import list_sets
from pipeline.document import Shard
from pipeline.figures import RunFigures, print_summary, write_summary
from pipeline.files import is_local
from pipeline.funnel import print_funnel, write_report
from pipeline.inputs import below
from pipeline.manifest import Manifest, StageOrder
from pipeline.memory import peak_of_all
from pipeline.run import Chain, Recipe, Run, StagesDone, locked, one_after_another
from pipeline.runner import BYTES_PER_WORKER, Engine, beam_options, default_workers
from pipeline.settings import RunSettings, SettingsError, load_settings
from pipeline.sources import arxiv, books, c4, commoncrawl, github, stackexchange, wikipedia
from pipeline.sources.corpora import Corpus
from pipeline.sources.crawl_documents import DOCUMENTS
from pipeline.stage import StageResult
from pipeline.tokenizer_stages import read_given_model

#: The sources that need no other one, in the order they run. Each module has ``SOURCE``, ``DOCUMENTS``, its last
#: stage, and ``stages``, ``list_inputs`` and ``recipe``, which take its settings.
_FIRST = (wikipedia, stackexchange, books, arxiv, github, c4)
_GLOB = re.compile(r"[*?\[]")


def launch(
    config: str,
    *,
    output: str | None = None,
    workers: int | None = None,
    stages: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    accept_code_change: bool = False,
    flags: Sequence[str] = (),
    bytes_per_worker: int = BYTES_PER_WORKER,
    console: Console,
) -> Run:
    """Run a config.

    Args:
        config: The YAML file.
        output: The run folder, on any of Beam's filesystems; ``runs/<name>`` by default.
        workers: Local worker processes; one a core by default.
        stages: Stages that may run; the others must be up to date. All by default.
        overrides: ``key=value`` each.
        accept_code_change: Whether outputs of other code count as up to date.
        flags: Beam's own flags.
        bytes_per_worker: Input of a stage that makes one more local worker process worth its start.
        console: Where progress is shown; the funnel goes to standard output.

    Returns:
        The run, with the results of its stages.

    Raises:
        SettingsError: A setting, an input or the output folder is wrong; nothing has been written.
        RunFailed: A stage failed; what is committed stays.
    """
    settings = load_settings(RunSettings, config, overrides)
    only = _check_stages(stages, settings)
    beam_options(flags)
    started, start = time.time(), time.monotonic()
    workers = workers or default_workers()
    engine = Engine(workers, tuple(flags), bytes_per_worker)
    slots = 1 if only is not None else _slots(workers, flags)
    beside = lanes.SideBySide(engine, slots) if slots > 1 else one_after_another
    folder, settings, inputs = look(settings, output)
    _check_reach(flags, folder, inputs.files())
    with locked(folder), peak_of_all() as peak:
        manifest = Manifest(folder, stage_order(settings))
        run = Run(folder, settings, engine, console, only, accept_code_change, ledger=manifest, beside=beside)
        run.write_config()
        with contextlib.suppress(StagesDone):
            _execute(run, inputs)
            for name in manifest.order_stages(list(run.results)):
                run.say(name, "no part of this config; what it wrote stays, out of the manifest")
        write_summary(folder, RunFigures(time.monotonic() - start, peak.bytes, workers, started))
        print_funnel(folder, Console())
        print_summary(folder, Console())
        console.print(f"written: {write_report(folder)}", highlight=False, soft_wrap=True)
    return run


def _slots(workers: int, flags: Sequence[str]) -> int:
    """Say how many chains run at once at most; workers of an engine of the user's choice are not ours to count."""
    options = beam_options(flags)
    if workers == 1 or options.view_as(GoogleCloudOptions).job_name is not None:
        return 1  # Dataflow refuses a second job of the same name
    return workers if options.view_as(StandardOptions).runner is None else lanes.JOBS_AT_ONCE


def _with_whole_paths(settings: RunSettings) -> RunSettings:
    """Make the config's root and the models below it absolute: workers have working directories of their own."""
    data = absolute(settings.data)
    crawl, rebuilt = settings.sources.commoncrawl, settings.sources.c4
    if crawl is not None:
        models = {
            "language_model": _below(data, crawl.language_model, "model"),
            "perplexity": _below(data, crawl.perplexity, "models", "cutoffs"),
            "reference": _below(data, crawl.reference, "model"),
        }
        crawl = crawl.model_copy(update=models)
    if rebuilt is not None:
        rebuilt = rebuilt.model_copy(update={"language_model": _below(data, rebuilt.language_model, "model")})
    sources = settings.sources.model_copy(update={"commoncrawl": crawl, "c4": rebuilt})
    tokenizer = _below(data, settings.tokenizer, "model")
    return settings.model_copy(update={"data": data, "sources": sources, "tokenizer": tokenizer})


def _below(data: str, settings: BaseModel | None, *keys: str) -> BaseModel | None:
    """Put the paths of some keys below ``data``."""
    if settings is None:
        return None
    paths = {key: getattr(settings, key) for key in keys}
    whole = {key: below(path, data) for key, path in paths.items() if path not in {None, RUN, CCNET}}
    return settings.model_copy(update=whole)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run reads: the shards of sources that need no other, the crawl's, and files of evaluation sets."""

    shards: Mapping[str, Sequence[Shard]]
    commoncrawl: commoncrawl.CrawlInputs | None
    evaluation: Sequence[Sequence[Shard]] = ()

    def of(self, source: str) -> Sequence[Shard]:
        """List what a source reads."""
        if source != commoncrawl.SOURCE or self.commoncrawl is None:
            return self.shards.get(source, ())
        return *self.commoncrawl.shards, *self.commoncrawl.wikipedia

    def files(self) -> list[str]:
        """List the paths that workers must be able to open."""
        crawl = self.commoncrawl
        shards = [shard for source in (*self.shards, commoncrawl.SOURCE) for shard in self.of(source)]
        return [*(shard.path for shard in shards), *(() if crawl is None else crawl.models)]


def asked_sources(settings: RunSettings) -> list[tuple[Any, Any]]:
    """Give the sources of a config that need no other, in the order they run, each with its settings."""
    pairs = [(source, getattr(settings.sources, source.SOURCE)) for source in _FIRST]
    ready = [(Corpus(name), asked) for name, asked in settings.sources.corpora.items()]
    return [*((source, asked) for source, asked in pairs if asked is not None), *ready]


def _list_inputs(settings: RunSettings) -> Inputs:
    crawl = settings.sources.commoncrawl
    return Inputs(
        {source.SOURCE: source.list_inputs(asked, settings.data) for source, asked in asked_sources(settings)},
        commoncrawl.list_inputs(crawl, settings.data) if crawl is not None else None,
        list_sets(settings.decontamination, settings.data) if settings.decontamination is not None else (),
    )


def look(settings: RunSettings, output: str | None) -> tuple[str, RunSettings, Inputs]:
    """Look at all that can be wrong with a run's folders and inputs; nothing is written.

    Returns:
        The run folder, the settings with whole paths, and what the sources read.

    Raises:
        SettingsError: A folder or an input is wrong.
    """
    check_folder(output or "runs", "--output")
    check_folder(settings.data, "data")
    whole = _with_whole_paths(settings)
    inputs = _list_inputs(whole)
    if whole.tokenizer is not None and whole.tokenizer.model is not None:
        read_given_model(whole.tokenizer.model)
    return absolute(output or f"runs/{settings.name}"), whole, inputs


class _Documents(Mapping[str, StageResult]):
    """The results of sources' last stages, looked up when they are asked for: they may have to be waited for."""

    def __init__(self, results: Mapping[str, StageResult], last: Mapping[str, str]) -> None:
        self._results, self._last = results, last

    def __getitem__(self, source: str) -> StageResult:
        return self._results[self._last[source]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)


def _execute(run: Run, inputs: Inputs) -> None:
    last = {source.SOURCE: source.DOCUMENTS for source, _ in asked_sources(run.settings)}
    crawl = run.settings.sources.commoncrawl
    needed = _needs(crawl) if crawl is not None else frozenset()
    chains = [
        _chain(source.SOURCE, functools.partial(_recipe, source, asked, inputs.shards[source.SOURCE]), inputs, needed)
        for source, asked in asked_sources(run.settings)
    ]
    if crawl is not None and inputs.commoncrawl is not None:
        recipe = functools.partial(_crawl_recipe, crawl, inputs.commoncrawl, last)
        chains.append(_chain(commoncrawl.SOURCE, recipe, inputs, needed))
        last = {**last, commoncrawl.SOURCE: DOCUMENTS}
    run.beside(run, chains)
    documents = _Documents(run.results, last)
    if run.settings.decontamination is not None:
        run.execute(decontamination.recipe(run, run.settings.decontamination, inputs.evaluation, documents))
    run.execute(tokens.recipe(run, documents))


def _recipe(source: Any, asked: Any, shards: Sequence[Shard], run: Run) -> Recipe:
    recipe: Recipe = source.recipe(run, asked, shards)
    return recipe


def _crawl_recipe(
    asked: CommonCrawlSettings, given: commoncrawl.CrawlInputs, last: Mapping[str, str], run: Run
) -> Recipe:
    return commoncrawl.recipe(run, asked, given, _Documents(run.results, last))


def _chain(source: str, recipe: Callable[[Run], Recipe], inputs: Inputs, needed: frozenset[str]) -> Chain:
    return Chain(source, recipe, sum(shard.size for shard in inputs.of(source)), source in needed)


def _needs(crawl: CommonCrawlSettings) -> frozenset[str]:
    """Name the sources of which the crawl's models may read something, if the run reads them."""
    trained_on = crawl.perplexity.train_on or wikipedia.SOURCE if crawl.perplexity is not None else ""
    cited = wikipedia.SOURCE if crawl.reference is not None and crawl.reference.wikipedia == RUN else ""
    return frozenset({trained_on, cited} - {"", commoncrawl.SOURCE})


def stage_order(settings: RunSettings) -> StageOrder:
    """Say which stages a config has, in order, and which depend on each other."""
    chains = {source.SOURCE: source.stages(asked) for source, asked in asked_sources(settings)}
    needs = {}
    crawl = settings.sources.commoncrawl
    if crawl is not None:
        chains[commoncrawl.SOURCE] = commoncrawl.stages(crawl)
        needs[commoncrawl.SOURCE] = _needs(crawl)
    last = decontamination.stages(list(chains)) if settings.decontamination is not None else []
    last += tokens.stages(list(chains)) if settings.tokenizer is not None else []
    return StageOrder(chains, needs, last)


def stage_names(settings: RunSettings) -> list[str]:
    """Name the stages of a config, in order."""
    return stage_order(settings).names()


def _check_stages(stages: Sequence[str] | None, settings: RunSettings) -> frozenset[str] | None:
    if stages is None:
        return None
    known = stage_names(settings)
    unknown = [name for name in stages if name not in known]
    if unknown:
        raise SettingsError(f"--stages: no stage {unknown[0]}; the stages of this config are {', '.join(known)}")
    return frozenset(stages)


def absolute(path: str) -> str:
    """Make a local path absolute: workers have working directories of their own."""
    return os.path.abspath(path) if is_local(path) else path


def _check_reach(flags: Sequence[str], folder: str, files: Sequence[str]) -> None:
    """Refuse local paths on Dataflow, whose workers have disks of their own."""
    runner = beam_options(flags).view_as(StandardOptions).runner or ""
    local = [path for path in (folder, *files) if is_local(path)]
    if runner.rsplit(".", 1)[-1] == "DataflowRunner" and local:
        raise SettingsError(f"--runner={runner}: {local[0]} is a local path, which its workers cannot see")


def check_folder(path: str, key: str) -> None:
    """Check that a folder's path can be used.

    Raises:
        SettingsError: Its filesystem is not known, or a glob could not tell it from a pattern.
    """
    try:
        FileSystems.get_filesystem(path)
    except ValueError as error:
        raise SettingsError(f"{key} {path}: {' '.join(str(error).split())}") from error
    if _GLOB.search(absolute(path)):
        raise SettingsError(f"{key} {path}: *, ? and [ are not allowed in its path")
