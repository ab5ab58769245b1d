"""The part of a file that has come so far, kept so that the next try or the next run goes on where this one ended.

``.<file>.partial`` holds the bytes, ``.<file>.partial.json`` what the server said of the whole file they belong to. As
all hidden files they are no input, so a folder may be read while something in it is still under way.
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from pipeline.fetch_http import Answer, FetchError
from pipeline.files import write_json

_SENDABLE = re.compile(r"[ -~]{1,1000}")


@dataclass(frozen=True, slots=True)
class Whole:
    """What a server says of a whole file.

    Attributes:
        url: Where it was asked for.
        etag: Its version, as the server names it; may be empty.
        last_modified: When it was changed; may be empty.
        length: Its size in bytes, if known.
    """

    url: str
    etag: str = ""
    last_modified: str = ""
    length: int | None = None

    @property
    def validator(self) -> str:
        """What tells the server which version is being gone on with; a weak ETag may not (RFC 9110, 13.1.5)."""
        named = self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified
        return named if _SENDABLE.fullmatch(named) else ""


def whole_of(url: str, answer: Answer) -> Whole:
    """Take what an answer of status 200 says of the file."""
    return Whole(url, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""), answer.length)


def beside(path: str, ending: str) -> str:
    """Name a file of the downloader's own that belongs to another.

    >>> beside("crawl/1.wet.gz", "partial")
    'crawl/.1.wet.gz.partial'
    """
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{ending}")


class Partial:
    """A file under way, locked against other processes while it is open.

    Args:
        path: The path of the finished file.

    Attributes:
        size: Bytes that are there.
    """

    def __init__(self, path: str) -> None:
        self._final = path
        self.path = beside(path, "partial")
        self._note = beside(path, "partial.json")
        self._file = -1
        self.size = 0

    def __enter__(self) -> Self:
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._lock()
            self.size = os.lseek(self._file, 0, os.SEEK_END)
        except BaseException:
            os.close(self._file)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the part for the next run; an empty one is not worth keeping."""
        if self._file < 0:
            return
        if not self.size:
            _remove(self._note)
            _remove(self.path)
        with contextlib.ExitStack() as closing:
            closing.callback(os.close, self._file)
            os.fsync(self._file)

    def _lock(self) -> None:
        """Refuse to write what another process writes; it may have finished and renamed the file just opened."""
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(self._file), os.stat(self.path)):
                return
        raise FetchError(f"{self._final}: another process is downloading it")

    def whole(self, url: str) -> Whole | None:
        """Say what is known of the file that the part belongs to, if it came from this address."""
        try:
            with open(self._note, encoding="utf-8") as stream:
                known = json.load(stream)
        except (OSError, ValueError):
            return None
        if not isinstance(known, Mapping) or known.get("url") != url:
            return None
        etag, last_modified, length = known.get("etag"), known.get("last_modified"), known.get("length")
        if not isinstance(etag, str) or not isinstance(last_modified, str) or not isinstance(length, int | None):
            return None
        return Whole(url, etag, last_modified, length)

    def restart(self, whole: Whole | None = None) -> None:
        """Throw away what is there and note which file comes now."""
        os.ftruncate(self._file, 0)
        self.size = os.lseek(self._file, 0, os.SEEK_SET)
        if whole is None:
            _remove(self._note)
        else:
            write_json(self._note, asdict(whole))

    def append(self, piece: bytes) -> None:
        """Write at the end.

        Raises:
            FetchError: The disk is full, or refuses otherwise; what is there stays.
        """
        view = memoryview(piece)
        try:
            while view:
                written = os.write(self._file, view)
                self.size += written
                view = view[written:]
        except OSError as error:
            kept = f"{self.path} keeps {self.size} bytes, and the same command goes on from there"
            raise FetchError(f"{self.path}: {error.strerror}; {kept}", others_too=True) from error

    def finish(self) -> None:
        """Give the file its name, once its bytes are on the disk."""
        os.fsync(self._file)
        os.replace(self.path, self._final)
        os.close(self._file)
        self._file = -1
        _remove(self._note)
        folder = os.open(os.path.dirname(self._final) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
