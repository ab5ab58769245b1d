"""The command line: where the packages meet, each imported by the command that needs it."""

import contextlib
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console

from pipeline import cli_fetch, cli_model, cli_tokenizer
from pipeline.cli_compile_check import compile_check
from pipeline.cli_github_rows import github_rows
from pipeline.cli_list_references import list_references
from pipeline.cli_mixture import mixture
from pipeline.cli_ngram import train_ngram_lm
from pipeline.cli_plan import plan
from pipeline.cli_rank_sites import rank_sites
from pipeline.cli_reference import train_reference_classifier
from pipeline.quiet import keep_quiet
from pipeline.settings import SettingsError

app = typer.Typer(
    name="llama-corpus",
    help="From raw dumps to LLaMA's pre-training corpus, tokenizer, token shards and a trained model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_INTERRUPTED = 130
_BEAM_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}

Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config.")]
RunFolder = Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")]


def _print_version(*, wanted: bool) -> None:
    if wanted:
        print(f"llama-corpus {metadata.version('llama-corpus')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda value: _print_version(wanted=value))
    ] = False,
) -> None:
    """From raw dumps to LLaMA's pre-training corpus, tokenizer, token shards and a trained model."""


@app.command(context_settings=_BEAM_FLAGS)
def run(
    context: typer.Context,
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML config, e.g. configs/demo.yaml.")],
    *,
    output: Annotated[str | None, typer.Option(help="The run folder; runs/<name of the config> by default.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local processes; all cores by default.")] = None,
    bytes_per_worker: Annotated[
        int | None, typer.Option(min=1, help="Input of a stage that makes one more process worth its start.")
    ] = None,
    stages: Annotated[str | None, typer.Option(help="Comma-separated stages that may run; all by default.")] = None,
    overrides: Set = None,
    accept_code_change: Annotated[bool, typer.Option(help="Keep outputs made by other code.")] = False,
) -> None:
    """Run a config from raw dumps to token shards; the same command resumes. Other flags are passed to Beam."""
    from pipeline.launch import launch
    from pipeline.runner import BYTES_PER_WORKER

    with _interruptible("the same command goes on from here"):
        launch(
            config,
            output=output,
            workers=workers,
            stages=None if stages is None else stages.split(","),
            overrides=overrides or [],
            accept_code_change=accept_code_change,
            flags=context.args,
            bytes_per_worker=bytes_per_worker or BYTES_PER_WORKER,
            console=Console(stderr=True),
        )


@app.command()
def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML config, e.g. configs/train/demo.yaml.")],
    *,
    overrides: Set = None,
    start_over: Annotated[
        bool,
        typer.Option(help="Delete what an earlier training left in the output folder: checkpoints, metrics, traces."),
    ] = False,
    accept_change: Annotated[
        bool, typer.Option(help="Go on from checkpoints that were made with other settings or data.")
    ] = False,
) -> None:
    """Train a model on a run's token shards; the same command resumes from the newest checkpoint."""
    from pipeline.settings import load_settings

    try:
        from train.checkpoint import UnsavedCheckpoint
        from train.config import TrainSettings
        from train.loop import UnreadableData
        from train.loop import train as train_model
        from train.stopping import Stopped
    except ModuleNotFoundError as error:
        raise SettingsError(f"the trainer needs {error.name}: install llama-corpus[train]") from error

    settings = load_settings(TrainSettings, config, overrides or [])
    try:
        with _interruptible("the same command goes on from the newest checkpoint"):
            summary = train_model(settings, start_over=start_over, accept_change=accept_change)
    except (FloatingPointError, UnreadableData, UnsavedCheckpoint) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None
    except ValueError as error:
        raise SettingsError(" ".join(str(error).split())) from error
    except Stopped as stopped:
        print(f"{stopped}; the same command goes on from here", file=sys.stderr)  # noqa: T201
        raise typer.Exit(128 + (stopped.signal or 0)) from None
    if summary is not None:
        print("\n".join(summary.lines()))  # noqa: T201


@app.command()
def report(folder: RunFolder) -> None:
    """Print the funnel of a run and what its stages took, and write both as report.html."""
    from pipeline.figures import print_summary
    from pipeline.funnel import print_funnel, write_report

    _require_run(folder)
    print_funnel(folder, Console())
    print_summary(folder, Console())
    print(f"written: {write_report(folder)}")  # noqa: T201


@app.command()
def why(
    folder: RunFolder,
    wanted: Annotated[str, typer.Argument(metavar="URL-OR-ID", help="A document's URL or id.")],
) -> None:
    """Say what became of a document: kept, or left out in which stage and for what reason."""
    from pipeline.why import fates

    _require_run(folder)
    lines = list(fates(folder, wanted))
    if not lines:
        raise SettingsError(f"{wanted}: no record of that id or URL entered the run {folder}")
    print("\n".join(lines))  # noqa: T201


@app.command()
def leftovers(folder: RunFolder) -> None:
    """Count the markup that the cleaning stages of a run have left in their documents, with examples."""
    from pipeline.leftovers import describe_leftovers

    _require_run(folder)
    lines = list(describe_leftovers(folder))
    print("\n".join(lines) or "no stage of this run takes markup out")  # noqa: T201


@app.command()
def export(
    folder: RunFolder,
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder for <source>/part-*.jsonl.zst.")],
) -> None:
    """Write a run's documents as JSON lines with the fields of the Dolma toolkit."""
    from pipeline.jsonlines import export_documents

    _require_run(folder)
    written = export_documents(folder, output)
    print(f"written: {len(written)} files below {output}")  # noqa: T201


app.command()(plan)
app.command("compile-check")(compile_check)
app.command()(train_ngram_lm)
app.command()(train_reference_classifier)
app.command("github-rows")(github_rows)
app.command("list-references")(list_references)
app.command("rank-sites")(rank_sites)
app.command()(mixture)
app.command()(cli_model.generate)
app.command()(cli_model.evaluate)
app.command("export-model")(cli_model.export_model)
app.command("import-model")(cli_model.import_model)
app.add_typer(cli_fetch.app)
app.add_typer(cli_tokenizer.app)


@contextlib.contextmanager
def _interruptible(what_then: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; {what_then}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(_INTERRUPTED) from None


def _require_run(folder: str) -> None:
    from pipeline.funnel import has_run
    from pipeline.launch import check_folder

    check_folder(folder, "RUN")
    if not has_run(folder):
        raise SettingsError(f"{folder}: no run there (no manifest.json)")


def main() -> None:
    """Run the command line: status 0 done, 1 failed while running, 2 wrong usage, config or input."""
    keep_quiet()
    sys.exit(_main())


def _main() -> int:
    from pipeline.manifest import ManifestError
    from pipeline.run import RunFailed

    try:
        app(standalone_mode=True)
    except (SettingsError, ManifestError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return 1
    except RunFailed as error:
        print(f"error: {error}\nthe whole trace: {error.log}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
