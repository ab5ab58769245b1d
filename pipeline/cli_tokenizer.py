"""The commands of ``llama-corpus tokenizer``; each imports what it needs when it is called."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipeline.settings import SettingsError

if TYPE_CHECKING:
    from pipeline.train_ngram import Reading
    from tokenizer.card import TokenizerCard
    from tokenizer.encoding import Encoder

app = typer.Typer(
    name="tokenizer", help="Train a tokenizer, look at one, and turn texts into ids and back.", no_args_is_help=True
)

_FILES = "Files, globs or folders: .parquet, .jsonl[.gz|.zst], .txt[.gz]"
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A tokenizer.model, a tokenizer's folder or a run folder.")]
Texts = Annotated[
    list[str] | None, typer.Argument(metavar="TEXT...", help="Each a document; standard input by default.")
]
TextFiles = Annotated[
    list[str] | None, typer.Option("--file", metavar="FILE", help="A file that is one document; repeatable.")
]


@app.command()
def train(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help=f"{_FILES}; or a run folder, for its sample.")
    ],
    *,
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Where the tokenizer goes.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a setting: vocab_size=8000, or model=PATH of a given one."
        ),
    ] = None,
) -> None:
    """Train a tokenizer with LLaMA's settings on clean text; write model, card and Hugging Face's files."""
    from pipeline.launch import check_folder
    from pipeline.settings import settings_of
    from pipeline.train_tokenizer import make_tokenizer
    from tokenizer.settings import TokenizerSettings

    check_folder(output, "--output")
    settings = settings_of(TokenizerSettings, overrides or [])
    with Console(stderr=True).status("listing the inputs") as status:
        card, reading = make_tokenizer(inputs, output, settings, status.update)
    _print(_lines(card, reading, output))


@app.command()
def inspect(
    model: Model,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE...", help=f"{_FILES} to count tokens of.")] = None,
) -> None:
    """Say what a tokenizer is, how it differs from LLaMA's, and how many tokens it makes of files."""
    from pipeline.train_ngram import Reading
    from pipeline.train_tokenizer import list_sources
    from tokenizer.card import measure_fertility
    from tokenizer.encoding import Encoder
    from tokenizer.inspection import describe_fertility, describe_model
    from tokenizer.model_file import read_model_file

    content = _read_model(model)
    encoder = Encoder.from_bytes(content)
    reading = Reading()
    sources = list_sources(files or [], reading)
    _print(describe_model(read_model_file(content), encoder))
    for source in sources:
        texts = source.texts(reading, lambda _: None)
        _print([f"{source.name}: {describe_fertility(measure_fertility(encoder, {'': texts})[''])}"])
    _print([f"the first that is unreadable: {reading.first_fault}"] if reading.first_fault else [])


@app.command()
def encode(
    model: Model,
    texts: Texts = None,
    *,
    files: TextFiles = None,
    pieces: Annotated[bool, typer.Option("--pieces", help="Print pieces, not ids.")] = False,
    bos: Annotated[bool, typer.Option("--bos", help="Begin each document with BOS.")] = False,
    eos: Annotated[bool, typer.Option("--eos", help="End each document with EOS.")] = False,
) -> None:
    """Turn texts into ids, a line for each document."""
    encoder = _plain_encoder(model)
    try:
        documents = encoder.encode_documents(_documents(texts, files), bos=bos, eos=eos)
    except ValueError as error:
        raise SettingsError(f"TEXT: {error}") from error
    shown = encoder.piece if pieces else str
    _print(" ".join(shown(int(token_id)) for token_id in ids) for ids in documents)


@app.command()
def decode(
    model: Model,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID...", help="Ids of one document; by default each line of standard input."),
    ] = None,
) -> None:
    """Turn ids back into text: the ids of one document, or those of standard input, a document a line."""
    encoder = _plain_encoder(model)
    lines = [" ".join(ids)] if ids else _stdin().splitlines()
    for line in lines:
        try:
            text = encoder.decode([int(word) for word in line.replace(",", " ").split()])
        except (ValueError, OverflowError) as error:
            raise SettingsError(f"ID: {error}") from error
        _print([text])


def _documents(texts: list[str] | None, files: list[str] | None) -> list[str]:
    from pipeline.files import read_bytes

    documents = list(texts or [])
    for path in files or []:
        try:
            documents.append(read_bytes(path).decode())
        except OSError as error:
            raise SettingsError(f"--file {path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"--file {path}: not UTF-8 text at byte {error.start}") from error
    return documents if texts or files else [_stdin()]


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"standard input: not UTF-8 text at byte {error.start}") from error


def _plain_encoder(model: str) -> "Encoder":
    """Load a model for a text or two, for which trying engines takes longer than SentencePiece does."""
    from tokenizer.encoding import Encoder
    from tokenizer.engines import EngineName

    return Encoder.from_bytes(_read_model(model), engines=[EngineName.SENTENCEPIECE])


def _read_model(path: str) -> bytes:
    from pipeline.files import exists, is_file, join, read_bytes
    from tokenizer.model_file import UnsuitableModel, load_processor

    places = [path, join(path, "tokenizer.model"), join(path, "tokenizer", "tokenizer.model")]
    found = next((place for place in places if is_file(place) and exists(place)), None)
    if found is None:
        raise SettingsError(f"MODEL {path}: no tokenizer.model there")
    content = read_bytes(found)
    try:
        load_processor(content)
    except UnsuitableModel as error:
        raise SettingsError(f"MODEL {found}: {error}") from error
    return content


def _lines(card: "TokenizerCard", reading: "Reading", output: str) -> Iterable[str]:
    from tokenizer.inspection import describe_fertility

    lowered = "" if card.vocab_size == card.requested_vocab_size else f" of {card.requested_vocab_size:,} asked for"
    done = (
        "given, not trained" if card.given else f"trained on {card.documents:,} documents, {card.sample_bytes:,} bytes"
    )
    yield f"{card.vocab_size:,} pieces{lowered}, {done}; ids are computed by {card.engine}"
    yield from card.warnings
    yield from (f"{source}: {describe_fertility(counts)}" for source, counts in card.fertility.items())
    if reading.unreadable:
        yield f"{reading.unreadable:,} unreadable; the first: {reading.first_fault}"
    if reading.other_files:
        yield f"{reading.other_files:,} files are of no format that can be read"
    yield f"written: {output}/tokenizer.model, its card and Hugging Face's files"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.buffer.flush()
