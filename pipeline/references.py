"""All URLs that Wikipedia's dumps cite, and the list of those to fetch.

The classifier's positives are pages that Wikipedia cites (Touvron et al., 2023, section 2.1). A crawl holds some of
them; RedPajama-v1 fetched 300,000 of the 38 million addresses in the English dump of April 2023. The list is sorted
outside of memory, in runs that are merged, and two addresses are one where :func:`filters.urls.normalize_url` makes
them one: of all spellings the live page's address comes before a copy's in a web archive, and then the smallest.
"""

import gzip
import heapq
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from filters.urls import normalize_url
from filters.verdict import Reason
from pipeline.document import MalformedRecord
from pipeline.files import is_local, make_parent, open_read, write_stream
from pipeline.inputs import list_shards
from pipeline.settings import SettingsError
from pipeline.sources.mediawiki import read_wiki
from pipeline.sources.wiki_citations import citations_of

RUN_URLS = 250_000  # different URLs held in memory, some 100 MB
MAX_RUNS = 64  # files merged at once


@dataclass(slots=True)
class WikiReading:
    """What was read of dumps, counted while it is read.

    Attributes:
        pages: Pages of any namespace.
        articles: Pages of namespace 0, but for redirects.
        citations: URLs cited, each once a page.
        errors: Faults by cause.
        first_error: The first of them, with its file.
    """

    pages: int = 0
    articles: int = 0
    citations: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_error: str = ""


@dataclass(frozen=True, slots=True)
class ReferenceList:
    """What :func:`list_references` wrote.

    Attributes:
        urls: Different URLs, the lines of the list.
        pages: Pages read, of any namespace.
        errors: Faults of the dumps, by cause.
        articles: Pages whose URLs were looked at.
        citations: URLs found, each once a page.
        unusable: Those of them that are no HTTP URL with a valid host.
        first_error: The first fault, with its file; empty where there is none.
    """

    urls: int
    pages: int
    errors: dict[str, int]
    articles: int
    citations: int
    unusable: int
    first_error: str


def find_dumps(paths: Sequence[str], *, data: str = ".", key: str = "--wikipedia") -> list[str]:
    """List dump files.

    Args:
        paths: Globs, folders, files or path lists; relative ones lie below ``data``.
        data: Root of relative paths.
        key: What the paths were given as, for messages.

    Raises:
        SettingsError: An entry matches no file.
    """
    return [shard.path for shard in list_shards("wikipedia", "wikipedia", paths, data=data, key=key)]


def cited_urls_of(paths: Sequence[str], reading: WikiReading, *, refs_only: bool = False) -> Iterator[str]:
    """Give all URLs that the articles of dumps cite.

    Args:
        paths: Dump files.
        reading: Counts what is read, faults included.
        refs_only: Whether URLs outside of references are left out.

    Yields:
        URLs as they are written, in file order, each once an article.
    """
    for path in paths:
        with open_read(path) as stream:
            for item, _ in read_wiki(stream, name=path):
                if isinstance(item, MalformedRecord):
                    reading.errors[item.cause] += 1
                    reading.first_error = reading.first_error or f"{path}: {item}"
                    continue
                reading.pages += 1
                urls = citations_of(item, refs_only=refs_only)
                if not isinstance(urls, Reason):
                    reading.articles += 1
                    reading.citations += len(urls)
                    yield from urls


def list_references(paths: Sequence[str], output: str, *, refs_only: bool = False) -> ReferenceList:
    """Write the different URLs that dumps cite, one a line, sorted by their normalised form.

    Args:
        paths: Globs, folders or files of dumps.
        output: The list; compressed where its name ends in ``.gz``. It appears when it is whole.
        refs_only: Whether URLs outside of references are left out.

    Raises:
        SettingsError: No such file, no URL found, or ``output`` is a folder.
    """
    dumps = find_dumps(paths)
    if is_local(output) and os.path.isdir(output):
        raise SettingsError(f"--output {output}: is a folder, must be a file")
    make_parent(output)
    reading, unusable = WikiReading(), 0

    def lines() -> Iterator[tuple[str, bytes]]:
        nonlocal unusable
        for url in cited_urls_of(dumps, reading, refs_only=refs_only):
            key = normalize_url(url)
            if key:
                yield key, _sort_line(key, url)
            else:
                unusable += 1

    folder = os.path.dirname(os.path.abspath(output)) if is_local(output) else None
    with tempfile.TemporaryDirectory(prefix=".references-", dir=folder) as scratch:
        runs = _write_runs(lines(), scratch)
        if not runs:
            raise SettingsError(f"--wikipedia: no URL found in {_describe(reading, len(dumps))}")
        urls = _write_list(_merge(runs), output)
    return ReferenceList(
        urls, reading.pages, dict(reading.errors), reading.articles, reading.citations, unusable, reading.first_error
    )


def _sort_line(key: str, url: str) -> bytes:
    """Put what decides between spellings in front of one; what stands behind ``#`` is not sent to a server."""
    is_copy = normalize_url(url, unwrap=False) != key
    return f"{key}\t{is_copy:d}\t{url.partition('#')[0]}\n".encode()


def _describe(reading: WikiReading, files: int) -> str:
    first = f", the first: {reading.first_error}" if reading.first_error else ""
    return f"{files} files with {reading.pages} pages and {reading.errors.total()} errors{first}"


def _write_runs(lines: Iterable[tuple[str, bytes]], scratch: str) -> list[str]:
    """Write sorted runs of lines, one line a key; at most :data:`MAX_RUNS` of them remain."""
    runs: list[str] = []
    best: dict[str, bytes] = {}
    for key, line in lines:
        known = best.get(key)
        if known is None or line < known:
            best[key] = line
        if len(best) == RUN_URLS:
            runs.append(_write_run(sorted(best.values()), scratch))
            best = {}
            if len(runs) == MAX_RUNS:
                merged = _write_run(_merge(runs), scratch)
                for run in runs:
                    os.unlink(run)
                runs = [merged]
    if best:
        runs.append(_write_run(sorted(best.values()), scratch))
    return runs


def _write_run(lines: Iterable[bytes], scratch: str) -> str:
    with tempfile.NamedTemporaryFile(dir=scratch, delete=False) as run:
        run.writelines(lines)
    return run.name


def _merge(runs: Sequence[str]) -> Iterator[bytes]:
    """Merge sorted runs; of lines of one key the first stays."""
    streams: list[BinaryIO] = []
    try:
        for run in runs:
            streams.append(open(run, "rb"))  # noqa: PERF401,SIM115  # each is closed, even when a later one fails
        last = b""
        for line in heapq.merge(*streams):
            key = line.partition(b"\t")[0]
            if key != last:
                yield line
            last = key
    finally:
        for stream in streams:
            stream.close()


def _write_list(lines: Iterable[bytes], output: str) -> int:
    urls = 0

    def write(stream: BinaryIO) -> None:
        nonlocal urls
        for line in lines:
            stream.write(line.rpartition(b"\t")[2])
            urls += 1

    def write_compressed(stream: BinaryIO) -> None:
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed:
            write(packed)  # type: ignore[arg-type]  # a BinaryIO but in name

    write_stream(output, write_compressed if output.endswith(".gz") else write)
    return urls
