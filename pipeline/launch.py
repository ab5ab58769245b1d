"""Launching a run: everything that can be wrong is looked at first, then the stages of all sources run in order."""

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import StandardOptions
from pydantic import BaseModel
from rich.console import Console

from pipeline import tokens
from pipeline.crawl_settings import CCNET, RUN
from pipeline.document import Shard
from pipeline.files import is_local
from pipeline.funnel import print_funnel, write_report
from pipeline.inputs import below
from pipeline.run import Run, StagesDone, locked
from pipeline.runner import BYTES_PER_WORKER, Engine, beam_options, default_workers
from pipeline.settings import RunSettings, SettingsError, load_settings
from pipeline.sources import arxiv, books, c4, commoncrawl, github, stackexchange, wikipedia
from pipeline.sources.crawl_documents import DOCUMENTS
from pipeline.stage import StageResult

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
    check_folder(output or "runs", "--output")
    check_folder(settings.data, "data")
    folder = absolute(output or f"runs/{settings.name}")
    settings = _with_whole_paths(settings)
    inputs = _list_inputs(settings)
    _check_reach(flags, folder, inputs.files())
    with locked(folder):
        engine = Engine(workers or default_workers(), tuple(flags), bytes_per_worker)
        run = Run(folder, settings, engine, console, only, accept_code_change)
        run.write_config()
        with contextlib.suppress(StagesDone):
            _execute(run, inputs)
        print_funnel(folder, Console())
        console.print(f"written: {write_report(folder)}", highlight=False, soft_wrap=True)
    return run


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
    return settings.model_copy(update={"data": data, "sources": sources})


def _below(data: str, settings: BaseModel | None, *keys: str) -> BaseModel | None:
    """Put the paths of some keys below ``data``."""
    if settings is None:
        return None
    paths = {key: getattr(settings, key) for key in keys}
    whole = {key: below(path, data) for key, path in paths.items() if path not in {None, RUN, CCNET}}
    return settings.model_copy(update=whole)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What the sources of a run read: the shards of those that need no other, and the crawl's."""

    shards: Mapping[str, Sequence[Shard]]
    commoncrawl: commoncrawl.CrawlInputs | None

    def files(self) -> list[str]:
        """List the paths that workers must be able to open."""
        crawl = self.commoncrawl
        shards = [shard for listed in self.shards.values() for shard in listed]
        shards += () if crawl is None else (*crawl.shards, *crawl.wikipedia)
        return [*(shard.path for shard in shards), *(() if crawl is None else crawl.models)]


def _asked(settings: RunSettings) -> list[tuple[Any, Any]]:
    """Give the sources of a config that need no other, in the order they run, each with its settings."""
    pairs = [(source, getattr(settings.sources, source.SOURCE)) for source in _FIRST]
    return [(source, asked) for source, asked in pairs if asked is not None]


def _list_inputs(settings: RunSettings) -> _Inputs:
    crawl = settings.sources.commoncrawl
    return _Inputs(
        {source.SOURCE: source.list_inputs(asked, settings.data) for source, asked in _asked(settings)},
        commoncrawl.list_inputs(crawl, settings.data) if crawl is not None else None,
    )


def _execute(run: Run, inputs: _Inputs) -> None:
    documents: dict[str, StageResult] = {}
    sources = run.settings.sources
    for source, asked in _asked(run.settings):
        run.execute(source.recipe(run, asked, inputs.shards[source.SOURCE]))
        documents[source.SOURCE] = run.results[source.DOCUMENTS]
    if sources.commoncrawl is not None and inputs.commoncrawl is not None:
        run.execute(commoncrawl.recipe(run, sources.commoncrawl, inputs.commoncrawl, documents))
        documents[commoncrawl.SOURCE] = run.results[DOCUMENTS]
    run.execute(tokens.recipe(run, documents))
    for name in run.manifest.order_stages(list(run.results)):
        run.say(name, "no part of this config; what it wrote stays, out of the manifest")


def stage_names(settings: RunSettings) -> list[str]:
    """Name the stages of a config, in order."""
    crawl = settings.sources.commoncrawl
    own: list[str] = []
    sources: list[str] = []
    for source, asked in _asked(settings):
        own, sources = [*own, *source.stages(asked)], [*sources, source.SOURCE]
    if crawl is not None:
        own, sources = [*own, *commoncrawl.stages(crawl)], [*sources, commoncrawl.SOURCE]
    if settings.tokenizer is None:
        return own
    return [*own, *tokens.stages(sources)]


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


#: What a plan has of a launch: it looks at the same things and starts nothing.
Inputs = _Inputs
asked_sources = _asked


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
    return absolute(output or f"runs/{settings.name}"), whole, _list_inputs(whole)
