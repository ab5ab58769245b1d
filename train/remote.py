"""Runs in an object store (``gs://bucket/run``), read by TensorStore's key-value stores with many requests under way.

Google Cloud Storage is read with the application's default credentials, S3 with AWS's, both without where there are
none. What fails for a while (too many requests, a server that is gone) TensorStore asks again, for about a quarter of
an hour; what then still fails is a :class:`StoreError`.
"""

import functools
import os
import re
from collections.abc import Sequence
from errno import ENOENT
from typing import Any

import tensorstore as ts

from tokenizer.stored import Stretch

SCHEMES = ("gs", "s3", "http", "https", "file")

#: Requests at a time. TensorStore's 32 would take four times as long for what one host of a small pod reads at once.
_REQUESTS = 128
_CONTEXT: dict[str, Any] = {f"{name}_request_concurrency": {"limit": _REQUESTS} for name in ("gcs", "s3", "http")}

_MAX_CAUSE_CHARS = 300


class StoreError(OSError):
    """An object store did not give what was asked for. The message is one line that names the URL."""


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


def folders_with(url: str, name: str) -> list[str]:
    """List the folders right below ``url`` that hold a file called ``name``, in alphabetical order.

    Raises:
        StoreError: The store refuses, can not be reached or, as plain HTTP, has no listing.
    """
    root, key = _split(url.rstrip("/") + "/")
    try:
        keys = (_store(root) / key).list().result()
    except NotImplementedError as error:
        raise StoreError(f"{url}: plain HTTP has no listing, so sources must be named, and held_out null") from error
    except ValueError as error:
        raise StoreError(f"{url}: {_in_one_line(error)}") from error
    places = (found.decode().split("/") for found in keys)
    return sorted(place[0] for place in places if place[1:] == [name])


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
