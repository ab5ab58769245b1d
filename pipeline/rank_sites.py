"""Which sites of a StackExchange dump are the largest: LLaMA took "the 28 largest websites" (Touvron et al., 2023).

The paper names neither the sites nor what is counted. Here a site's size is its questions and answers (``PostTypeId`` 1
and 2) that are not deleted, as the run itself would read them; RedPajama-v1 counts the lines of ``Posts.xml``, tag
descriptions and all. Meta sites, where users talk about a site, are left out unless asked for. The list is written with
its counts and the date of its dump, so that it can be kept beside a config.
"""

import multiprocessing
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from pipeline.document import Document, MalformedRecord, Shard
from pipeline.files import read_bytes, write_bytes
from pipeline.inputs import list_shards
from pipeline.settings import SettingsError
from pipeline.sources.stackexchange_files import check_part, posts_bytes, read_items, site_of_path
from pipeline.sources.stackexchange_posts import MAX_ROW_BYTES, SOURCE
from pipeline.stackexchange_settings import SITE

RULE = "questions and answers (PostTypeId 1 and 2) that are not deleted; the most first, equal ones by name"
_DAY = 10  # characters of a date
_META = "meta"


@dataclass(frozen=True, slots=True)
class SiteCount:
    """A site's size.

    Attributes:
        site: The site.
        questions: Its questions.
        answers: Its answers.
        bytes: Bytes of its ``Posts.xml``.
        newest: Day of its newest post, ISO 8601; empty if it has none.
        errors: Rows that cannot be read.
        faults: What is wrong with the file as a whole, by cause: its counts may be too small.
    """

    site: str
    questions: int
    answers: int
    bytes: int
    newest: str
    errors: int
    faults: tuple[str, ...]

    @property
    def posts(self) -> int:
        """What sites are ranked by."""
        return self.questions + self.answers


@dataclass(frozen=True, slots=True)
class FoundSites:
    """The files of a dump that hold posts.

    Attributes:
        shards: One a site, by name.
        nameless: Paths of those whose site neither file nor folder tells.
    """

    shards: tuple[Shard, ...]
    nameless: tuple[str, ...]


def find_sites(folder: str, exclude: Sequence[str] = ()) -> FoundSites:
    """Find the files of every site below a folder.

    Args:
        folder: Archives and folders of a dump, on any of Beam's filesystems.
        exclude: Patterns of files to leave out, of their paths below the folder; ``*`` crosses folders.

    Raises:
        SettingsError: There are none, or two files of one site, or a part of an archive; a pattern matches nothing.
    """
    shards: dict[str, Shard] = {}
    nameless = []
    for file, site in _list_posts(folder, exclude):
        if not re.fullmatch(SITE, site):
            nameless.append(file.path)
            continue
        other = shards.setdefault(site, Shard(SOURCE, f"dump~{site}", file.path, file.size, "dump"))
        if other.path != file.path:
            raise SettingsError(f"FOLDER: {other.path} and {file.path} are both {site}; --exclude leaves one out")
    if nameless and not shards:
        raise SettingsError(f"FOLDER: {nameless[0]} does not tell its site, and no other file does")
    if not shards:
        raise SettingsError(f"FOLDER: no <site>.7z and no <site>/Posts.xml in {folder}")
    return FoundSites(tuple(shards[site] for site in sorted(shards)), tuple(nameless))


def _list_posts(folder: str, exclude: Sequence[str]) -> Iterator[tuple[Shard, str]]:
    """List the files with posts, each with what its name says of the site."""
    files = list_shards(SOURCE, "dump", [folder], data=".", key="FOLDER")
    excluded = {pattern: {file.path for file in files if fnmatchcase(file.below, pattern)} for pattern in exclude}
    for pattern, paths in excluded.items():
        if not paths:
            raise SettingsError(f"--exclude: {pattern!r} matches no file below {folder}")
    for file in files:
        site = site_of_path(file.path)
        if site is not None and not any(file.path in paths for paths in excluded.values()):
            check_part(file.path, "FOLDER")
            yield file, site


def count_sites(
    shards: Sequence[Shard], workers: int, tell: Callable[[SiteCount], object] = lambda _: None
) -> list[SiteCount]:
    """Count the posts of sites, the largest first.

    Args:
        shards: Their files, from :func:`find_sites`.
        workers: Local processes; the largest file is begun first.
        tell: Called with each site once it is counted.
    """
    counts = []
    for count in _count_each(sorted(shards, key=lambda shard: -shard.size), workers):
        tell(count)
        counts.append(count)
    return sorted(counts, key=lambda count: (-count.posts, count.site))


def _count_each(shards: Sequence[Shard], workers: int) -> Iterator[SiteCount]:
    if workers == 1 or len(shards) == 1:
        yield from map(count_site, shards)
        return
    with ProcessPoolExecutor(min(workers, len(shards)), multiprocessing.get_context("spawn")) as pool:
        for counted in as_completed([pool.submit(count_site, shard) for shard in shards]):
            yield counted.result()


def count_site(shard: Shard) -> SiteCount:
    """Count the posts of one file."""
    kinds: Counter[bool] = Counter()
    newest, errors, faults = "", 0, []
    for item, _ in read_items(shard, MAX_ROW_BYTES):
        if isinstance(item, Document):
            kinds[bool(item.metadata["is_question"])] += 1
            newest = max(newest, item.created[:_DAY])
        elif isinstance(item, MalformedRecord):
            errors += item.is_record
            if not item.is_record or item.cause.endswith("/truncated"):
                faults.append(item.cause)
    site = shard.name.partition("~")[2]
    return SiteCount(site, kinds[True], kinds[False], posts_bytes(shard), newest, errors, tuple(faults))


def is_meta(site: str) -> bool:
    """Tell a site about a site.

    >>> is_meta("french.meta.stackexchange.com"), is_meta("meta.stackoverflow.com"), is_meta("metal.example")
    (True, True, False)
    """
    return _META in site.split(".")


def rank(counts: Iterable[SiteCount], *, top: int, include_meta: bool) -> dict[str, Any]:
    """Give the list of the largest sites, as it is written.

    Args:
        counts: All sites, the largest first.
        top: How many are taken.
        include_meta: Whether meta sites are ranked with the others.
    """
    every = list(counts)
    meta = [] if include_meta else [count for count in every if is_meta(count.site)]
    ranked = [count for count in every if count not in meta]
    return {
        "rule": RULE + ("" if include_meta else "; meta sites are left out"),
        "newest_post": max((count.newest for count in every), default=""),
        "top": top,
        "sites": [_entry(count) for count in ranked[:top]],
        "smaller": [_entry(count) for count in ranked[top:]],
        "meta": [_entry(count) for count in meta],
    }


def _entry(count: SiteCount) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "site": count.site,
        "posts": count.posts,
        "questions": count.questions,
        "answers": count.answers,
        "bytes": count.bytes,
        "newest_post": count.newest,
    }
    if count.errors:
        entry["errors"] = count.errors
    if count.faults:
        entry["faults"] = sorted(set(count.faults))
    return entry


def write_ranking(path: str, ranking: Mapping[str, Any]) -> None:
    """Write the list; equal counts give equal bytes."""
    write_bytes(path, yaml.safe_dump(dict(ranking), sort_keys=False).encode())


def read_ranking(path: str) -> Sequence[str]:
    """Read the sites out of a list that :func:`write_ranking` wrote.

    Raises:
        SettingsError: The file cannot be read, or is no such list.
    """
    try:
        content = yaml.safe_load(read_bytes(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"sources.{SOURCE}.sites: cannot read {path}: {' '.join(str(error).split())}") from error
    entries = content.get("sites") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"sources.{SOURCE}.sites: {path} has no list of sites; llama-corpus rank-sites writes one")
    return [_site_of_entry(entry, path) for entry in entries]


def _site_of_entry(entry: object, path: str) -> str:
    site = entry.get("site") if isinstance(entry, dict) else entry
    if not isinstance(site, str) or not re.fullmatch(SITE, site):
        raise SettingsError(f"sources.{SOURCE}.sites: {path}: {site!r} is no site, such as beer.stackexchange.com")
    return site
