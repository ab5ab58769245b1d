"""Runs in an object store (``gs://bucket/run``), read by TensorStore's key-value stores with many requests under way.

Google Cloud Storage is read with the application's default credentials, S3 with AWS's, both without where there are
none. What fails for a while (too many requests, a server that is gone) TensorStore asks again, for about a quarter of
an hour; what then still fails is a :class:`StoreError`.
"""

import contextlib
import functools
import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from errno import ENOENT
from typing import Any

import tensorstore as ts

from tokenizer.stored import Stretch

SCHEMES = ("gs", "s3", "http", "https", "file")

#: Requests at a time. TensorStore's 32 would take four times as long for what one host of a small pod reads at once.
_REQUESTS = 128
_CONTEXT: dict[str, Any] = {f"{name}_request_concurrency": {"limit": _REQUESTS} for name in ("gcs", "s3", "http")}

_BLOCK_BYTES = 1 << 20
_MAX_BLOCKS = 128
_MAX_CAUSE_CHARS = 300

_Block = tuple[str, int]


class StoreError(OSError):
    """An object store did not give what was asked for. The message is one line that names the URL."""


class NoListing(StoreError):
    """An object store does not tell which files it holds."""


def is_url(path: str) -> bool:
    """Tell a URL from a local path.

    >>> is_url("gs://bucket/run"), is_url("/mnt/run")
    (True, False)
    """
    return re.match(r"[a-z][a-z0-9+.-]*://", path) is not None


def read_stretches(stretches: Sequence[Stretch]) -> list[bytes]:
    """Read stretches of files by URL, all under way together; neighbours in one file may share a request.

    Returns:
        The bytes in the order asked for, none for a stretch that reaches beyond the end of its file.

    Raises:
        FileNotFoundError: A file is not there; ``filename`` is its URL.
        StoreError: The store refuses, or can not be reached.
    """
    batch = ts.Batch()
    asked = [_ask(stretch, batch) for stretch in stretches]
    batch.submit()
    return [_content(stretch.path, future) for stretch, future in zip(stretches, asked, strict=True)]


class Blocks:
    """Reads stretches of files that are read in order and again, by blocks of 1 MiB of which the last used are kept.

    Held-out documents are read one by one, and every measurement reads the same. Not for several threads.
    """

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._kept: OrderedDict[_Block, bytes] = OrderedDict()

    def __call__(self, stretches: Sequence[Stretch]) -> list[bytes]:
        """Read as :func:`read_stretches` does; stretches without an end are read by it."""
        if any(stretch.end is None for stretch in stretches):
            return read_stretches(stretches)
        wanted = dict.fromkeys(block for stretch in stretches for block in _blocks(stretch))
        blocks = {block: self._kept[block] for block in wanted if block in self._kept}
        blocks |= _read_blocks([block for block in wanted if block not in blocks])
        for block, content in blocks.items():
            self._kept[block] = content
            self._kept.move_to_end(block)
        while len(self._kept) > _MAX_BLOCKS:
            self._kept.popitem(last=False)
        return [_cut(stretch, blocks) for stretch in stretches]


def _blocks(stretch: Stretch) -> Iterable[_Block]:
    first, last = stretch.start // _BLOCK_BYTES, -(-(stretch.end or 0) // _BLOCK_BYTES)
    return ((stretch.path, number) for number in range(first, last))


def _read_blocks(blocks: Sequence[_Block]) -> dict[_Block, bytes]:
    """Read blocks; what lies beyond a file's end comes as nothing, so a last block is asked for again, without end."""
    starts = [Stretch(path, number * _BLOCK_BYTES) for path, number in blocks]
    contents = read_stretches([stretch._replace(end=stretch.start + _BLOCK_BYTES) for stretch in starts])
    short = [place for place, content in enumerate(contents) if not content]
    for place, content in zip(short, read_stretches([starts[place] for place in short]), strict=True):
        contents[place] = content
    return dict(zip(blocks, contents, strict=True))


def _cut(stretch: Stretch, blocks: dict[_Block, bytes]) -> bytes:
    content = b"".join(blocks[block] for block in _blocks(stretch))
    skipped = stretch.start % _BLOCK_BYTES
    return content[skipped : skipped + (stretch.end or 0) - stretch.start]


def read_folder(url: str, known: Sequence[str]) -> dict[str, bytes]:
    """Read the files right in a folder, by name; none where there is no such folder.

    Args:
        url: The folder.
        known: The files that are looked for where a store has no listing, as plain HTTP.

    Raises:
        StoreError: The store refuses or can not be reached.
    """
    try:
        names = [name for name in _list(url) if name and "/" not in name]  # consoles make folders files
    except NoListing:
        return _read_known(url, known)
    return dict(zip(names, read_stretches([Stretch(f"{url.rstrip('/')}/{name}") for name in names]), strict=True))


def _read_known(url: str, names: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            (found[name],) = read_stretches([Stretch(f"{url.rstrip('/')}/{name}")])
    return found


def folders_with(url: str, name: str) -> list[str]:
    """List the folders right below ``url`` that hold a file called ``name``, in alphabetical order.

    Raises:
        StoreError: The store refuses, can not be reached or, as plain HTTP, has no listing.
    """
    places = (found.split("/") for found in _list(url))
    return sorted(place[0] for place in places if place[1:] == [name])


def _list(url: str) -> list[str]:
    """List all files below a folder by their paths in it, in alphabetical order."""
    root, key = _split(url.rstrip("/") + "/")
    try:
        keys = (_store(root) / key).list().result()
    except NotImplementedError as error:
        raise NoListing(f"{url}: plain HTTP has no listing, so sources must be named, and held_out null") from error
    except ValueError as error:
        raise StoreError(f"{url}: {_in_one_line(error)}") from error
    return sorted(found.decode() for found in keys)


def _ask(stretch: Stretch, batch: ts.Batch) -> Any:
    if stretch.start == stretch.end:
        return None
    root, key = _split(stretch.path)
    return _store(root).read(key, byte_range=slice(stretch.start, stretch.end), batch=batch)


def _content(url: str, future: Any) -> bytes:
    if future is None:
        return b""
    try:
        result = future.result()
    except ValueError as error:
        if str(error).startswith("OUT_OF_RANGE"):
            return b""
        raise StoreError(f"{url}: {_in_one_line(error)}") from error
    if result.state == "missing":
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), url)
    content: bytes = result.value
    return content


def _split(url: str) -> tuple[str, str]:
    """Cut a URL into the root of its store and the key in it.

    >>> _split("gs://bucket/run/tokens"), _split("file:///mnt/run")
    (('gs://bucket/', 'run/tokens'), ('file:///', 'mnt/run'))
    """
    scheme, _, rest = url.partition("://")
    host, _, key = rest.partition("/")
    return f"{scheme}://{host}/", key


@functools.cache
def _store(root: str) -> Any:
    if root.partition("://")[0] not in SCHEMES:
        raise ValueError(f"{root}: only {', '.join(f'{scheme}://' for scheme in SCHEMES)} can be read")
    try:
        return ts.KvStore.open(root, context=ts.Context(_CONTEXT)).result()
    except ValueError as error:
        raise ValueError(f"{root}: {_in_one_line(error)}") from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).replace("\\n", " ").split())[:_MAX_CAUSE_CHARS]
