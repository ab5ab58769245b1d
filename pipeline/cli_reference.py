"""The command that trains a reference classifier; it imports what it needs when it is called."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from filters.reference_card import ReferenceCard
    from pipeline.train_reference import Reading

_Paths = list[str] | None


def train_reference_classifier(
    *,
    pages: Annotated[list[str], typer.Option(metavar="PATH", help="Crawl files or Parquet documents; repeatable.")],
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Where the model and its card go.")],
    wikipedia: Annotated[_Paths, typer.Option(metavar="PATH", help="MediaWiki dumps; repeatable.")] = None,
    urls: Annotated[_Paths, typer.Option(metavar="FILE", help="Cited URLs, one a line; repeatable.")] = None,
    references: Annotated[
        _Paths, typer.Option(metavar="PATH", help="Pages fetched from list-references; repeatable.")
    ] = None,
    overrides: Annotated[
        _Paths, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. min_positives=1000.")
    ] = None,
) -> None:
    """Train the classifier of pages that Wikipedia cites against random pages."""
    from filters.reference_training import ReferenceTrainingSettings
    from pipeline.launch import check_folder
    from pipeline.settings import settings_of
    from pipeline.train_reference import ReferenceInputs, train_reference

    check_folder(output, "--output")
    settings = settings_of(ReferenceTrainingSettings, overrides or [])
    inputs = ReferenceInputs(pages, wikipedia or [], urls or [], references or [])
    with Console(stderr=True).status("listing the inputs") as status:
        trained, reading = train_reference(inputs, output, settings, status.update)
    print("\n".join(_lines(trained.card, reading, output)))  # noqa: T201


def _lines(card: "ReferenceCard", reading: "Reading", output: str) -> list[str]:
    found, paper = card.held_out, card.held_out.decisions[0]
    lines = [
        f"{reading.cited_urls:,} cited URLs, {reading.not_urls:,} citations that are none",
        f"{reading.pages:,} pages, {reading.cited_pages:,} of them cited; {reading.references:,} fetched references",
        f"{reading.errors.total():,} errors" + (f", the first: {reading.first_error}" if reading.first_error else ""),
        f"{card.cited.used:,} pages of each side, {found.pages:,} of both held out",
        f"held out: ROC AUC {_cell(found.auc)}, precision {_cell(paper.precision)}, recall {_cell(paper.recall)}",
    ]
    return [*lines, f"written: {output}/reference.bin, card.json, README.md"]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
