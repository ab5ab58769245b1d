"""The commands of ``llama-corpus fetch``: dumps, models and word lists from their makers' servers."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from rich.console import Console

from pipeline.fetch_places import BAD_WORDS_URL, CCNET_URL, CRAWL_URL, LID_SHA256, LID_URL, Kind
from pipeline.settings import parse_settings

if TYPE_CHECKING:
    from pipeline.fetch_http import Client

_HELP = (
    "Download dumps, models and word lists; the same command goes on where the last one ended.\n\n"
    "The default addresses are those that the makers publish. They were never tried: every test of these commands ran "
    "against a server on the same machine."
)
_INTERRUPTED = 130
_INCOMPLETE = 1

app = typer.Typer(name="fetch", help=_HELP, no_args_is_help=True)

Output = Annotated[str, typer.Option(metavar="FOLDER", help="Where the files go, a local folder.")]
BaseUrl = Annotated[str, typer.Option(metavar="URL", help="The server, or a mirror of it.")]
Verify = Annotated[bool, typer.Option("--verify", help="Read files that are there already, and check them again.")]
Rate = Annotated[int | None, typer.Option(min=1, metavar="BYTES", help="Bytes per second at most; no limit if absent.")]
Requests = Annotated[float, typer.Option(help="Requests per second at most.")]
Tries = Annotated[int, typer.Option(min=1, help="Failures in a row that end a download.")]
Contact = Annotated[
    str | None,
    typer.Option(
        envvar="LLAMA_CORPUS_CONTACT",
        help="Your mail address or page, sent along so that the server's people can write.",
    ),
]
Languages = Annotated[list[str], typer.Argument(metavar="LANG...", help="Codes of languages, e.g. en de.")]


@app.command()
def crawl(
    dump: Annotated[str, typer.Argument(metavar="DUMP", help="A dump's id, e.g. CC-MAIN-2019-30.")],
    *,
    segments: Annotated[int, typer.Option(min=1, help="How many files, neighbours in the dump's list.")],
    output: Output,
    kind: Annotated[Kind, typer.Option(help="Extracted text, or the pages as served.")] = Kind.WET,
    first: Annotated[int, typer.Option(min=0, help="Position of the first file in the list, from 0.")] = 0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Spread the files over the dump: one drawn from each equal run of its list."),
    ] = None,
    base_url: BaseUrl = CRAWL_URL,
    verify: Verify = False,
    rate: Rate = None,
    requests_per_second: Requests = 1.0,
    tries: Tries = 8,
    contact: Contact = None,
) -> None:
    """Download files of a Common Crawl dump and print the lines that put them into a config."""
    from pipeline.fetch_crawl import Choice, config_lines, fetch_crawl

    choice = Choice(segments, first, seed)
    with _client(output, rate, requests_per_second, tries, contact) as client:
        part = fetch_crawl(dump, kind, choice, output, client, base_url=base_url, verify=verify)
    print(config_lines(part, output), end="")  # noqa: T201
    if part.failed:
        print(f"error: {len(part.failed)} of {segments} files could not be had: {part.failed[0]}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(_INCOMPLETE)


@app.command()
def language_model(
    *,
    output: Output,
    base_url: BaseUrl = LID_URL,
    sha256: Annotated[str | None, typer.Option(help="The SHA-256 it must have, if another than the known one.")] = None,
    verify: Verify = False,
    rate: Rate = None,
    requests_per_second: Requests = 1.0,
    tries: Tries = 8,
    contact: Contact = None,
) -> None:
    """Download fastText's lid.176.bin, which CCNet used (126 MB), and print the lines that put it into a config."""
    from pipeline.fetch_models import fetch_language_model

    with _client(output, rate, requests_per_second, tries, contact) as client:
        wanted = LID_SHA256 if sha256 is None else sha256
        path = fetch_language_model(output, client, base_url=base_url, sha256=wanted, verify=verify)
    lines = {"sources": {"commoncrawl": {"language_model": {"model": os.path.abspath(path)}}}}
    print(yaml.safe_dump(lines, sort_keys=False), end="")  # noqa: T201


@app.command()
def ccnet_models(
    languages: Languages,
    *,
    output: Output,
    base_url: BaseUrl = CCNET_URL,
    verify: Verify = False,
    rate: Rate = None,
    requests_per_second: Requests = 1.0,
    tries: Tries = 8,
    contact: Contact = None,
) -> None:
    """Download CCNet's n-gram and SentencePiece models of languages (gigabytes each), with lines for a config."""
    from pipeline.fetch_models import fetch_ccnet_models

    with _client(output, rate, requests_per_second, tries, contact) as client:
        fetch_ccnet_models(languages, output, client, base_url=base_url, verify=verify)
    lines = {"sources": {"commoncrawl": {"perplexity": {"models": os.path.abspath(output)}}}}
    print(yaml.safe_dump(lines, sort_keys=False), end="")  # noqa: T201


@app.command()
def bad_words(
    languages: Languages,
    *,
    output: Output,
    base_url: BaseUrl = BAD_WORDS_URL,
    verify: Verify = False,
    rate: Rate = None,
    requests_per_second: Requests = 1.0,
    tries: Tries = 8,
    contact: Contact = None,
) -> None:
    """Download the lists of bad words that C4 used and print their paths, each for sources.c4.bad_words of a config."""
    from pipeline.fetch_models import fetch_bad_words

    with _client(output, rate, requests_per_second, tries, contact) as client:
        paths = fetch_bad_words(languages, output, client, base_url=base_url, verify=verify)
    print("\n".join(map(os.path.abspath, paths)))  # noqa: T201  # a config's paths begin at its data


@contextlib.contextmanager
def _client(
    output: str, rate: int | None, requests_per_second: float, tries: int, contact: str | None
) -> Iterator["Client"]:
    from pipeline.fetch_http import Client
    from pipeline.fetch_manners import FetchSettings
    from pipeline.fetch_progress import FetchProgress

    values = {"rate": rate, "requests_per_second": requests_per_second, "tries": tries, "contact": contact}
    settings = parse_settings(FetchSettings, values, origin="fetch")
    progress = FetchProgress(Console(stderr=True))
    try:
        with Client(settings, progress, seed=socket.gethostname()) as client:
            yield client
    except KeyboardInterrupt:
        print(f"interrupted; {output} keeps what came, and the same command goes on from there", file=sys.stderr)  # noqa: T201
        raise typer.Exit(_INTERRUPTED) from None
