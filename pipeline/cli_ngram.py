"""The command that trains an n-gram model; it imports what it needs when it is called."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipeline.settings import SettingsError

if TYPE_CHECKING:
    from filters.perplexity_card import NgramCard
    from pipeline.train_ngram import Reading

_LANGUAGE = r"^[a-z]{2,3}$"


def train_ngram_lm(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Files, globs or folders: .parquet, .jsonl[.gz|.zst], .txt[.gz]."),
    ],
    *,
    language: Annotated[str, typer.Option(help="The language to train on, e.g. en.")],
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Where the model goes.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. vocab_size=32000.")
    ] = None,
) -> None:
    """Train the n-gram model of a language on clean text, as CCNet does on Wikipedia."""
    import re

    from filters.perplexity_card import NgramTrainingSettings
    from filters.perplexity_training import NgramToolFailed
    from pipeline.launch import check_folder
    from pipeline.settings import settings_of
    from pipeline.train_ngram import train_ngram

    if not re.fullmatch(_LANGUAGE, language):
        raise SettingsError(f"--language {language!r}: must be a code of two or three letters, e.g. en")
    check_folder(output, "--output")
    settings = settings_of(NgramTrainingSettings, overrides or [])
    console = Console(stderr=True)
    try:
        with console.status("listing the inputs") as status:
            card, reading = train_ngram(inputs, language, output, settings, status.update)
    except NgramToolFailed as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None
    print("\n".join(_lines(card, reading, output)))  # noqa: T201


def _lines(card: "NgramCard", reading: "Reading", output: str) -> list[str]:
    lowered = "" if card.vocab_size == card.requested_vocab_size else f" of {card.requested_vocab_size:,} asked for"
    left_out = {
        "empty": card.empty_documents,
        "in other languages": reading.other_language,
        "unreadable": reading.unreadable,
        "held out": card.held_out_documents,
    }
    lines = [
        f"{card.documents:,} documents of {card.sample_bytes:,} bytes",
        ", ".join(f"{count:,} {what}" for what, count in left_out.items()),
        f"{card.vocab_size:,} pieces{lowered}, {sum(card.ngrams):,} n-grams up to order {len(card.ngrams)}",
    ]
    if card.held_out_perplexity is not None:
        lines.append(f"perplexity of the documents held out: {card.held_out_perplexity:,.1f}")
    if reading.first_fault:
        lines.append(f"the first that is unreadable: {reading.first_fault}")
    if reading.other_files:
        lines.append(f"{reading.other_files:,} files are of no format that can be read")
    return [*lines, f"written: {output}/{card.language}.arpa.bin, {card.language}.sp.model and their card"]
