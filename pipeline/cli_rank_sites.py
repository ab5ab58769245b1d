"""The command that ranks the sites of a StackExchange dump; it imports what it needs when it is called."""

import itertools
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.rank_sites import SiteCount


def rank_sites(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A dump: <site>.7z, <site>-Posts.7z or <site>/Posts.xml below it.")
    ],
    *,
    output: Annotated[str, typer.Option(metavar="FILE", help="Where the list goes, e.g. sites.yaml.")],
    top: Annotated[int, typer.Option(min=1, help="How many sites to take; LLaMA took 28.")] = 28,
    include_meta: Annotated[bool, typer.Option(help="Rank the sites about sites with the others.")] = False,
    allow_damaged: Annotated[bool, typer.Option(help="Count what can be read of damaged files.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Leave out files by their paths below FOLDER, as *-2015/*; repeatable."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local processes; all cores by default.")] = None,
) -> None:
    """Find the largest sites of a StackExchange dump, by questions and answers, for sources.stackexchange.sites."""
    from pipeline.rank_sites import count_sites, find_sites, rank, write_ranking

    found = find_sites(folder, exclude or ())
    for path in found.nameless:
        hint = "named <site>/Posts.xml or <site>.7z it would count"
        print(f"warning: left out: {path} does not tell its site; {hint}", file=sys.stderr)  # noqa: T201
    counted = itertools.count(1)
    counts = count_sites(
        found.shards,
        workers or os.cpu_count() or 1,
        tell=lambda count: print(  # noqa: T201
            f"counted {next(counted)} of {len(found.shards)}: {count.site}, {count.posts:,} posts", file=sys.stderr
        ),
    )
    damaged = [count for count in counts if count.faults]
    for count in damaged:
        print(f"{_worst(allow_damaged)}: {count.site}: {', '.join(sorted(set(count.faults)))}", file=sys.stderr)  # noqa: T201
    if damaged and not allow_damaged:
        print("error: their counts would be too small; --allow-damaged takes what can be read", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1)
    ranking = rank(counts, top=top, include_meta=include_meta)
    write_ranking(output, ranking)
    print("\n".join(_lines(ranking["sites"], counts, output)))  # noqa: T201


def _worst(allowed: bool) -> str:  # noqa: FBT001
    return "warning" if allowed else "error"


def _lines(sites: list[dict[str, int]], counts: "list[SiteCount]", output: str) -> list[str]:
    taken = sum(site["posts"] for site in sites)
    total = sum(count.posts for count in counts)
    return [
        *(f"{site['posts']:>12,}  {site['site']}" for site in sites),
        f"{len(sites)} of {len(counts)} sites, {taken:,} of {total:,} posts",
        f"written: {output}",
    ]
