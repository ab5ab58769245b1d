"""A Beam filesystem that is not the local one, with the manners of an object store.

``shelf://<bucket>/<key>`` lies in the folder that the environment variable ``SHELF`` names. There are no folders, a
file is seen when it is closed, and nothing is ever renamed.
"""

import hashlib
import io
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata, FileSystem

PREFIX = "shelf://"


class _Upload(io.BytesIO):
    def __init__(self, place: Path) -> None:
        super().__init__()
        self._place = place

    def close(self) -> None:
        if not self.closed:
            scratch = self._place.with_suffix(f".{os.getpid()}.upload")
            scratch.write_bytes(self.getvalue())
            os.replace(scratch, self._place)
        super().close()


class ShelfFileSystem(FileSystem):
    """Keys are kept as file names with their slashes quoted."""

    @classmethod
    def scheme(cls) -> str:
        return "shelf"

    def join(self, basepath: str, *paths: str) -> str:
        return posixpath.join(basepath, *paths)

    def split(self, path: str) -> tuple[str, str]:
        return posixpath.split(path)

    def mkdirs(self, path: str) -> None:
        raise BeamIOError(f"{path}: there are no folders here")

    def has_dirs(self) -> bool:
        return False

    def _place(self, path: str) -> Path:
        assert path.startswith(PREFIX), path
        return Path(os.environ["SHELF"]) / quote(path.removeprefix(PREFIX), safe="")

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for file in sorted(Path(os.environ["SHELF"]).iterdir()):
            path = PREFIX + unquote(file.name)
            if path.startswith(dir_or_prefix) and not file.name.endswith(".upload"):
                yield FileMetadata(path, file.stat().st_size, file.stat().st_mtime)

    def create(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> BinaryIO:
        return _Upload(self._place(path))

    def open(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> BinaryIO:
        return io.BytesIO(self._place(path).read_bytes())

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise BeamIOError("nothing needs to be copied")

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise BeamIOError("a rename is a copy here")

    def exists(self, path: str) -> bool:
        return self._place(path).exists()

    def size(self, path: str) -> int:
        return self._place(path).stat().st_size

    def last_updated(self, path: str) -> float:
        return self._place(path).stat().st_mtime

    def checksum(self, path: str) -> str:
        return "md5:" + hashlib.md5(self._place(path).read_bytes()).hexdigest()

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            self._place(path).unlink()
