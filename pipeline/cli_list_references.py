"""The command that lists what Wikipedia cites; it imports what it needs when it is called."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from pipeline.references import ReferenceList

_SAMPLE = 300_000  # as many as RedPajama-v1 fetched


def list_references(
    more: Annotated[list[str] | None, typer.Argument(metavar="[MORE]...", help="Further dumps.")] = None,
    *,
    wikipedia: Annotated[
        list[str], typer.Option(metavar="PATH...", help="Dumps of Wikipedia: files, globs or folders, any number.")
    ],
    output: Annotated[str, typer.Option(metavar="FILE", help="The list; .gz compresses it.")],
    refs_only: Annotated[bool, typer.Option(help="Leave out links outside of <ref>.")] = False,
) -> None:
    """List the URLs that Wikipedia cites, to fetch them as the reference classifier's positives."""
    from pipeline import references

    with Console(stderr=True).status("reading the dumps"):
        found = references.list_references([*wikipedia, *(more or [])], output, refs_only=refs_only)
    print("\n".join([*_lines(found, output), "", *_how_to_go_on(found, output)]))  # noqa: T201


def _lines(found: "ReferenceList", output: str) -> list[str]:
    errors = ", ".join(f"{count:,} {cause}" for cause, count in sorted(found.errors.items()))
    lines = [
        f"{found.pages:,} pages, {found.articles:,} of them in namespace 0",
        f"{found.citations:,} URLs cited, {found.unusable:,} of them no valid address",
        f"{found.urls:,} different ones",
        f"{sum(found.errors.values()):,} errors{': ' if errors else ''}{errors}",
    ]
    if found.first_error:
        lines.append(f"the first: {found.first_error}")
    return [*lines, f"written: {output}"]


def _how_to_go_on(found: "ReferenceList", output: str) -> list[str]:
    show = "zcat" if output.endswith(".gz") else "cat"
    sample = min(found.urls, _SAMPLE)
    days = sample / 86_400
    what = "all of them" if sample == found.urls else f"a sample of {sample:,}"
    return [
        f"To fetch {what} politely, one a second ({days:.1f} days), with your own address for the servers' people:",
        f"  {show} {output} | shuf -n {sample} | wget --input-file=- --output-document=/dev/null \\",
        "    --warc-file=references --warc-max-size=1G --no-warc-keep-log --wait=1 --random-wait \\",
        "    --timeout=10 --tries=2 --max-redirect=5 --no-verbose --append-output=wget.log \\",
        "    --user-agent='llama-corpus (you@example.org)'",
        "Then train: in the config of a run, give references*.warc.gz as one more dump of sources.commoncrawl and the",
        "same Wikipedia dumps as sources.commoncrawl.reference.wikipedia.",
    ]
