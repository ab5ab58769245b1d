"""Files of a Common Crawl dump: which of them, where they go, and the list by which a config names them.

A dump publishes ``crawl-data/<dump>/wet.paths.gz``, one path a line. CCNet calls the files segments and cuts the list
into runs of neighbours (``mine.py``: shard k of 1,600 is ``[k n / 1600, (k + 1) n / 1600)``), so the first N in listed
order, or N from a place on, are what a CCNet shard consists of. With a seed the choice is spread instead: the list is
cut into N equal runs and one file drawn from each, which stands for the whole dump.
"""

import gzip
import hashlib
import itertools
import os
import re
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import yaml

from pipeline.fetch import Download, fetch, read_source
from pipeline.fetch_checks import GZIP_HEAD, Checks
from pipeline.fetch_http import Client, FetchError, is_web_address
from pipeline.fetch_places import CRAWL_URL, DUMPS_URL, Kind
from pipeline.files import is_local, write_bytes
from pipeline.settings import SettingsError

_MAX_LIST_BYTES = 16 << 20
_MAX_LISTED_BYTES = 256 << 20
_MAX_FILE_BYTES = 16 << 30
_MAX_PATH_CHARS = 1000
_MAX_PATHS = 2_000_000
_DUMP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# No part begins with a dot, so none is hidden and none climbs; no character means something to a glob, a URL or YAML.
_PATH = re.compile(r"(?:[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]{0,199}/)*[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]{0,199}")
_HINTS = {
    403: "refused, as Common Crawl refuses those it finds too fast: wait a day, then lower --requests-per-second and "
    "--rate, and give --contact",
    404: f"no such file; the ids of the dumps are listed at {DUMPS_URL}",
    503: "slow down",
}


_ENDINGS = {Kind.WET: ".wet.gz", Kind.WARC: ".warc.gz"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files of a dump to take.

    Attributes:
        segments: How many.
        first: Position of the first in the published list, from 0.
        seed: Draws one file from each of ``segments`` equal runs of the list instead; ``None`` takes neighbours.
    """

    segments: int
    first: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and self.first:
            raise SettingsError("--first and --seed exclude each other: neighbours, or files spread over the dump")


@dataclass(frozen=True, slots=True)
class CrawlPart:
    """What was fetched of a dump.

    Attributes:
        dump: The dump's id.
        paths: The list's path below the folder, for a config's ``paths``.
        fetched: The files asked for that are there.
        failed: The files that could not be had, and why.
    """

    dump: str
    paths: str
    fetched: tuple[str, ...]
    failed: tuple[str, ...]


def fetch_crawl(
    dump: str,
    kind: Kind,
    choice: Choice,
    output: str,
    client: Client,
    *,
    base_url: str = CRAWL_URL,
    verify: bool = False,
) -> CrawlPart:
    """Fetch some files of a dump below a folder, under their own paths, and write the list of what is there of it.

    A file that is missing, or not whole on the server, is left out of the list and told; the others are fetched. Files
    of earlier downloads stay in the list, so that a config that names it loses none.

    Args:
        dump: The dump's id, e.g. ``CC-MAIN-2019-30``.
        kind: WET or WARC.
        choice: Which files.
        output: A local folder.
        client: How to ask.
        base_url: The server.
        verify: Read files that are there already once more.

    Raises:
        SettingsError: The dump's id, the folder or the choice cannot be.
        FetchError: The server refuses, or does not answer any more; what came stays.
    """
    base_url = check_place(base_url, output)
    if not _DUMP.fullmatch(dump):
        raise SettingsError(f"DUMP {dump!r}: must be an id as listed at {DUMPS_URL}, e.g. CC-MAIN-2019-30")
    list_path = f"crawl-data/{dump}/{kind}.paths"
    listed = _fetch_list(f"{list_path}.gz", kind, output, client, base_url, verify=verify)
    chosen = choose(listed, choice, dump)
    failed = _fetch_files(chosen, output, client, base_url, verify=verify)
    fetched = tuple(path for path in chosen if path not in set(failed))
    there = _there(listed, set(chosen), set(fetched), output)
    if len(there) > len(fetched):
        client.progress.say(f"{list_path}: files of earlier downloads that stay listed: {len(there) - len(fetched)}")
    write_bytes(os.path.join(output, list_path), "".join(f"{path}\n" for path in there).encode())
    return CrawlPart(dump, list_path, fetched, failed)


def _fetch_files(chosen: Sequence[str], output: str, client: Client, base_url: str, *, verify: bool) -> tuple[str, ...]:
    """Fetch files one after the other, and give those that could not be had."""
    failed = []
    for position, path in enumerate(chosen, start=1):
        client.progress.say(f"file {position} of {len(chosen)}: {path}")
        try:
            fetch(_download(path, output, base_url, _MAX_FILE_BYTES), client, verify=verify)
        except FetchError as error:
            if error.others_too:
                raise
            client.progress.say(f"left out: {error}")
            failed.append(path)
    return tuple(failed)


def _there(listed: Sequence[str], chosen: Container[str], fetched: Container[str], output: str) -> list[str]:
    """Give the files of a dump that are whole here, in its order: those just fetched, and those with a note."""
    return [path for path in listed if path in fetched or (path not in chosen and read_source(_local(path, output)))]


def choose(paths: Sequence[str], choice: Choice, dump: str = "the dump") -> list[str]:
    """Take files from a list, in its order.

    >>> choose(["a", "b", "c", "d"], Choice(2)), choose(["a", "b", "c", "d"], Choice(2, first=1))
    (['a', 'b'], ['b', 'c'])

    Raises:
        SettingsError: The list has not as many.
    """
    count, wanted = len(paths), choice.segments
    if choice.first >= count:
        raise SettingsError(f"--first {choice.first}: {dump} has {count} files, positions 0 to {count - 1}")
    if choice.first + wanted > count or wanted < 1:
        begin = f" from --first {choice.first} on" if choice.first else ""
        raise SettingsError(
            f"--segments {wanted}: {dump} has {count} files; ask for 1 to {count - choice.first}{begin}"
        )
    if choice.seed is None:
        return list(paths[choice.first : choice.first + wanted])
    edges = [run * count // wanted for run in range(wanted + 1)]
    runs = itertools.pairwise(edges)
    return [paths[low + _draw(choice.seed, run) % (high - low)] for run, (low, high) in enumerate(runs)]


def _draw(seed: int, run: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{run}".encode()).digest()[:8], "big")


def _fetch_list(path: str, kind: Kind, output: str, client: Client, base_url: str, *, verify: bool) -> list[str]:
    download = _download(path, output, base_url, _MAX_LIST_BYTES)
    fetch(download, client, verify=verify)
    return read_list(download.path, kind)


def read_list(path: str, kind: Kind, *, max_bytes: int = _MAX_LISTED_BYTES) -> list[str]:
    """Read a published list of paths, each once, in its order.

    Args:
        path: A local ``.paths.gz``.
        kind: What it lists.
        max_bytes: Of its text.

    Raises:
        FetchError: It is no such list, is too long, or names anything but files below the root.
    """
    try:
        with gzip.open(path) as stream:
            paths = list(dict.fromkeys(_paths(stream, path, kind, max_bytes)))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FetchError(f"{path}: not gzip: {error}") from error
    if not paths:
        raise FetchError(f"{path}: lists nothing")
    return paths


def _paths(stream: gzip.GzipFile, origin: str, kind: Kind, max_bytes: int) -> Iterator[str]:
    read = count = 0
    while line := stream.readline(_MAX_PATH_CHARS + 2):
        read += len(line)
        if read > max_bytes or count == _MAX_PATHS:
            raise FetchError(f"{origin}: more than {max_bytes} bytes or {_MAX_PATHS} paths, as no list of a dump has")
        if path := line.strip():
            count += 1
            yield _checked(path, origin, kind)


def _checked(line: bytes, origin: str, kind: Kind) -> str:
    text = line.decode("utf-8", "backslashreplace")
    if len(text) <= _MAX_PATH_CHARS and _PATH.fullmatch(text) and text.endswith(_ENDINGS[kind]):
        return text
    raise FetchError(f"{origin}: {text[:200]!r} is no path of a {_ENDINGS[kind]} file below the root")


def _download(path: str, output: str, base_url: str, max_bytes: int) -> Download:
    checks = Checks(gzip=True, head=GZIP_HEAD)
    return Download(f"{base_url}/{path}", _local(path, output), checks, max_bytes, _HINTS)


def _local(path: str, output: str) -> str:
    return os.path.join(output, *path.split("/"))


def check_place(base_url: str, output: str) -> str:
    """Check where to fetch from and where to, and give the address without a slash at its end.

    Raises:
        SettingsError: It is no address of http or https, or no local folder.
    """
    if not is_web_address(base_url) or re.search(r"[\s?#]", base_url):
        raise SettingsError(f"--base-url {base_url!r}: must be an address of http or https, without ? and #")
    if not is_local(output) or (os.path.lexists(output) and not os.path.isdir(output)):
        raise SettingsError(f"--output {output}: must be a local folder; copy it to an object store afterwards")
    return base_url.rstrip("/")


def config_lines(part: CrawlPart, output: str) -> str:
    """Give the lines of YAML by which a config reads what was fetched."""
    dump = {"id": part.dump, "paths": [part.paths]}
    return yaml.safe_dump({"data": output, "sources": {"commoncrawl": {"dumps": [dump]}}}, sort_keys=False)
