"""Files on any of Beam's filesystems: reading, listing, and writing that is seen whole or not at all.

A local file appears under its final name by one rename. On an object store a write becomes visible when it is closed
and a rename is a copy, so there files are written under their final name.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems

#: Requests to a filesystem under way at once.
_REQUESTS = 32
_PIECE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A committed output.

    Attributes:
        path: Relative to the run folder.
        bytes: Size.
        sha256: Checksum of the content, hexadecimal.
        rows: Documents or records in it.
    """

    path: str
    bytes: int
    sha256: str
    rows: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON values."""
        return asdict(self)


def is_local(path: str) -> bool:
    """Tell whether a path lies on the local filesystem."""
    return FileSystems.get_scheme(path) is None


def is_file(path: str) -> bool:
    """Tell whether a path that was listed is a file, or a link to one: no pipe, say, whose end would not come."""
    return not is_local(path) or os.path.isfile(path)


def join(folder: str, *parts: str) -> str:
    """Join path parts, which may be paths of parts divided by ``/``, by the rules of the folder's filesystem."""
    return cast("str", FileSystems.join(folder, *(name for part in parts for name in part.split("/"))))


def open_read(path: str) -> BinaryIO:
    """Open a file for reading its bytes as they are: nothing is decompressed by suffix."""
    return cast("BinaryIO", FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))


def read_bytes(path: str) -> bytes:
    """Read a whole file."""
    with open_read(path) as stream:
        return stream.read()


def read_json(path: str) -> Any:
    """Read a JSON file."""
    return json.loads(read_bytes(path))


def exists(path: str) -> bool:
    """Tell whether a file or folder is there."""
    return bool(FileSystems.exists(path))


def match(pattern: str) -> list[FileMetadata]:
    """List the files a glob matches, sorted by path; ``**`` crosses folders. Nothing found is an empty list."""
    found = FileSystems.match([pattern])[0].metadata_list
    return sorted(found, key=lambda file: file.path)


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """Give a path of this machine with the file's content, for libraries that open files themselves."""
    if is_local(path):
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=os.path.splitext(path)[1]) as copy:
        with open_read(path) as stream:
            shutil.copyfileobj(stream, copy, _PIECE_BYTES)
        copy.flush()
        yield copy.name


def write_bytes(path: str, content: bytes) -> None:
    """Write a file that is seen whole or not at all."""
    write_stream(path, lambda stream: _write_all(stream, content))


def write_json(path: str, value: Any) -> None:
    """Write a JSON file, keys in the order given, seen whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def write_stream(path: str, write: Callable[[BinaryIO], object]) -> None:
    """Write a file through ``write``, which is handed an open stream; the file is seen whole or not at all."""
    target = f"{path}.{uuid.uuid4().hex}.partial" if is_local(path) else path
    make_parent(path)
    with FileSystems.create(target, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        write(cast("BinaryIO", stream))
        if target != path:
            stream.flush()
            os.fsync(stream.fileno())  # else a power cut can leave the name without the content
    if target != path:
        os.replace(target, path)


def write_output(run: str, path: str, content: bytes | memoryview, *, rows: int = 0) -> WrittenFile:
    """Write an output of the run and describe it for the manifest.

    Args:
        run: The run folder.
        path: Relative to the run folder.
        content: The file's bytes.
        rows: Documents or records in it.
    """
    write_stream(join(run, path), lambda stream: _write_all(stream, content))
    return WrittenFile(path, len(content), hashlib.sha256(content).hexdigest(), rows)


def make_parent(path: str) -> None:
    """Make the folder of a local file; object stores have none."""
    if is_local(path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)


def delete(paths: Iterable[str]) -> None:
    """Delete files; one that is gone already is no error."""
    given = list(paths)
    with ThreadPoolExecutor(_REQUESTS) as pool:
        there = [path for path, found in zip(given, pool.map(exists, given), strict=True) if found]
    if there:
        FileSystems.delete(there)


def _write_all(stream: BinaryIO, content: bytes | memoryview) -> None:
    """Write in pieces, since some object stores' streams hold a written piece twice."""
    view = memoryview(content)
    stream.writelines(view[start : start + _PIECE_BYTES] for start in range(0, len(view), _PIECE_BYTES))
