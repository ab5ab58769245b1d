"""One download: gone on with where it broke off, checked, and seen under its name only when it is whole.

A part is gone on with only if the server names the version it belongs to (``Range`` with ``If-Range``, RFC 9110,
section 14); a server that has another version, or knows no ranges, sends the file from its start. A download without
a length, whose end cannot be told from a broken connection, must have a checksum or be gzip. Beside each finished
file stands ``.<file>.source.json``: where it came from, its size, SHA-256, version and date. A file that has one, and
the size it names, is kept where the server cannot be asked.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from pipeline.fetch_checks import Checks, Inspected, inspect_file
from pipeline.fetch_http import OK, PARTIAL, RANGE_NOT_SATISFIABLE, Answer, Client, FetchError, MayPass
from pipeline.fetch_partial import Partial, Whole, beside, whole_of
from pipeline.files import write_json

#: A whole file that fails its checks is fetched once more, for bits do flip on the way.
_WHOLE_DOWNLOADS = 2
_NOTE = "source.json"
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch.

    Attributes:
        url: Where it is.
        path: Where it goes.
        checks: What is known of it.
        max_bytes: What it must not exceed.
        hints: What a status means at this server, for messages.
    """

    url: str
    path: str
    checks: Checks = field(default_factory=Checks)
    max_bytes: int = 1 << 40
    hints: Mapping[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return os.path.basename(self.path)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file came from: the content of ``.<file>.source.json``.

    Attributes:
        url: Its address.
        bytes: Its size.
        sha256: Its checksum, hexadecimal.
        etag: Its version, as the server names it; may be empty.
        last_modified: When it was changed on the server; may be empty.
        date: When it was fetched, UTC.
    """

    url: str
    bytes: int
    sha256: str
    etag: str
    last_modified: str
    date: str


def fetch(download: Download, client: Client, *, verify: bool = False) -> Source:
    """Make sure that a file is there and whole.

    Args:
        download: The file.
        client: How to ask for it.
        verify: Read a file that is there already once more, and compare it with its checksum.

    Returns:
        Where the file came from.

    Raises:
        FetchError: It cannot be had; what came of it is kept.
    """
    if os.path.lexists(download.path):
        source = _keep(download, client, verify=verify)
        if source is not None:
            return source
    with Partial(download.path) as part:
        try:
            found, whole = _fetch_whole(download, client, part)
        finally:
            client.progress.end()
        part.finish()
    source = _record(download, client, found, whole)
    client.progress.say(f"{download.name}: {found.bytes} bytes, SHA-256 {found.sha256}")
    return source


def read_source(path: str) -> Source | None:
    """Read the note of where a file came from; ``None`` where there is no note, no file, or one of another size."""
    try:
        with open(beside(path, _NOTE), encoding="utf-8") as stream:
            source = Source(**json.load(stream))
        return source if source.bytes == os.path.getsize(path) and isinstance(source.sha256, str) else None
    except (OSError, ValueError, TypeError):
        return None


def _keep(download: Download, client: Client, *, verify: bool) -> Source | None:
    """Decide whether a file that is there is the one that is wanted."""
    known = read_source(download.path)
    whole, silent = _compare(download, client, known)
    said = f"{download.name}: already there, {os.path.getsize(download.path)} bytes"
    if silent:
        said += f"; could not be compared with the server's: {silent}"
    fault = _outdated(download, known, whole)
    if known and not verify and not fault and download.checks.sha256 in {None, known.sha256}:
        client.progress.say(said)
        return known
    found = inspect_file(download.path, download.checks)
    fault = fault or found.fault
    if known and known.sha256 != found.sha256:
        fault = fault or f"has the SHA-256 {found.sha256} instead of {known.sha256}"
    if fault:
        client.progress.say(f"{download.name}: {fault}; fetched again")
        return None
    client.progress.say(said)
    return known or _record(download, client, found, whole)


def _compare(download: Download, client: Client, known: Source | None) -> tuple[Whole, str]:
    """Ask what the server has, or say why it does not tell; only a file with a note can do without its answer.

    A server that failed for all its files is not asked about the next of them, lest each waits for all the tries.
    """
    host = urlsplit(download.url).netloc
    if known is not None and host in client.silent:
        return Whole(download.url), client.silent[host]
    try:
        return client.persist(download.url, lambda: _ask(download, client)), ""
    except FetchError as error:
        if known is None:
            raise
        if error.others_too:
            client.silent[host] = str(error)
        return Whole(download.url), str(error)


def _outdated(download: Download, known: Source | None, whole: Whole) -> str:
    """Say what, in size or version, tells a file that is there from the server's; empty where nothing does."""
    size = os.path.getsize(download.path)
    if whole.length not in {None, size}:
        return f"has {size} bytes here and {whole.length} on the server"
    if known and known.url == download.url and known.etag and whole.etag not in {"", known.etag}:
        return "has changed on the server"
    if known is None and whole.length is None and not download.checks.tell_whole_from_part:
        return "cannot be told from a part of it"
    return ""


def _ask(download: Download, client: Client) -> Whole:
    with client.request("HEAD", download.url, hints=download.hints) as answer:
        return whole_of(download.url, answer) if answer.status == OK else Whole(download.url)


def _fetch_whole(download: Download, client: Client, part: Partial) -> tuple[Inspected, Whole]:
    whole_downloads = 0

    def attempt() -> tuple[Inspected, Whole]:
        nonlocal whole_downloads
        whole = _transfer(download, client, part)
        found = inspect_file(part.path, download.checks)
        if not found.fault:
            return found, whole
        part.restart()
        whole_downloads += 1
        if whole_downloads == _WHOLE_DOWNLOADS:
            raise FetchError(f"{download.url}: the file {found.fault} (whole downloads: {whole_downloads})")
        raise MayPass(f"the file {found.fault}")

    return client.persist(download.url, attempt, done=lambda: part.size)


def _transfer(download: Download, client: Client, part: Partial) -> Whole:
    """Ask for what is missing, once, and append it."""
    known = part.whole(download.url) if part.size else None
    if known is None or not known.validator or part.size > (known.length or part.size):
        part.restart()
    elif part.size == known.length:
        return known
    headers = {}
    if known is not None and part.size:
        headers = {"Range": f"bytes={part.size}-", "If-Range": known.validator}
    with client.request("GET", download.url, headers, download.hints) as answer:
        whole = _begin(download, part, known, answer)
        if part.size:
            client.progress.say(f"{download.name}: going on at byte {part.size}")
        client.progress.begin(download.name, part.size, whole.length)
        if answer.status != RANGE_NOT_SATISFIABLE:
            _copy(download, client, part, answer, whole)
    return whole


def _begin(download: Download, part: Partial, known: Whole | None, answer: Answer) -> Whole:
    """Make the part ready for what the server sends: the rest of it, or the whole file."""
    if known is not None and part.size and answer.status in {PARTIAL, RANGE_NOT_SATISFIABLE}:
        return _go_on(part, known, answer)
    if answer.status != OK:
        raise FetchError(f"{download.url}: the server answered {answer.status} to a request for the whole file")
    whole = whole_of(download.url, answer)
    if answer.headers.get("Content-Encoding", "identity") != "identity" and not download.checks.gzip:
        raise FetchError(f"{download.url}: the server compresses what it sends, though asked not to")
    if not answer.ends_openly and not download.checks.tell_whole_from_part:
        raise FetchError(f"{download.url}: the server does not say how long the file is, and no checksum is known")
    if whole.length is not None and whole.length > download.max_bytes:
        raise FetchError(f"{download.url}: {whole.length} bytes, more than the {download.max_bytes} allowed")
    part.restart(whole)
    return whole


def _go_on(part: Partial, known: Whole, answer: Answer) -> Whole:
    """Check that the server goes on with the same file where the part ends.

    ``If-Range`` is not trusted alone, for some servers ignore it: the rest must name the version, by ``ETag`` or
    ``Last-Modified``, and neither may differ.
    """
    start, length = _content_range(answer, known)
    versions = {"ETag": known.etag, "Last-Modified": known.last_modified}
    named = {name: answer.headers[name] for name in versions if name in answer.headers}
    same = named.items() <= versions.items() and known.length in {None, length}
    if answer.status == RANGE_NOT_SATISFIABLE and length == part.size and same:
        return known
    if answer.status == PARTIAL and start == part.size and same and named:
        return Whole(known.url, known.etag, known.last_modified, length)
    part.restart()
    raise MayPass("the server has another version, or another part, than the one begun with; starting over")


def _content_range(answer: Answer, known: Whole) -> tuple[int | None, int | None]:
    """Give the first byte and the length of the whole that ``Content-Range`` names; ``*`` leaves it as it was."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if not found:
        return None, None
    start, length = found.groups()
    return int(start) if start else None, known.length if length == "*" else int(length)


def _copy(download: Download, client: Client, part: Partial, answer: Answer, whole: Whole) -> None:
    limit = download.max_bytes if whole.length is None else min(whole.length, download.max_bytes)
    for piece in client.pieces(answer):
        if part.size + len(piece) > limit:
            part.restart()
            raise FetchError(f"{download.url}: the server sends more than {limit} bytes")
        part.append(piece)
        client.progress.advance(len(piece))
    if whole.length is not None and part.size < whole.length:
        raise MayPass(f"the body ended after {part.size} of {whole.length} bytes")


def _record(download: Download, client: Client, found: Inspected, whole: Whole) -> Source:
    date = datetime.fromtimestamp(client.now(), UTC).isoformat(timespec="seconds")
    source = Source(download.url, found.bytes, found.sha256, whole.etag, whole.last_modified, date)
    write_json(beside(download.path, _NOTE), asdict(source))
    return source
