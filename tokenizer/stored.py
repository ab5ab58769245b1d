"""Token shards in an object store: no file is opened, stretches of many files are read in one call.

A request to an object store takes some tens of milliseconds however little it asks for, so what is asked for together
(the last bytes of thousands of shards, the windows of a batch) is handed over together, and whoever talks to the store
has it under way at the same time.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tokenizer.manifest import END_BYTES, Manifest, ShardEntry, TokenShardError
from tokenizer.storage import Array, in_chunks


class Stretch(NamedTuple):
    """A stretch of the bytes of a file; without an end, all from ``start`` on."""

    path: str
    start: int = 0
    end: int | None = None


#: Reads stretches of files and returns them in the same order. A stretch that reaches beyond its file's end may give
#: fewer bytes, or none; a file that is not there must raise ``FileNotFoundError`` with its path as ``filename``.
ReadStretches = Callable[[Sequence[Stretch]], list[bytes]]


class StoredFile:
    """A file in an object store as an array.

    Attributes:
        size: Bytes that the file must have.
    """

    def __init__(self, path: str, dtype: np.dtype[np.unsignedinteger], items: int, read: ReadStretches) -> None:
        """Remember where a file lies; nothing is read.

        Args:
            path: The file, as ``read`` understands it.
            dtype: Type of its items.
            items: How many it must have.
            read: Reads it.
        """
        self.size = items * dtype.itemsize
        self._path = path
        self._dtype = dtype
        self._read = read

    def read(self, start: int, end: int) -> Array:
        """Return items ``start`` to ``end``, read-only.

        Raises:
            TokenShardError: The file is shorter.
        """
        width = self._dtype.itemsize
        (array,) = read_arrays([Stretch(self._path, start * width, end * width)], self._dtype, self._read)
        return array

    def chunks(self, max_bytes: int) -> Iterator[Array]:
        """Yield all items in order, in stretches of up to ``max_bytes``."""
        return in_chunks(self, self._dtype.itemsize, max_bytes)


def read_arrays(stretches: Sequence[Stretch], dtype: np.dtype[np.unsignedinteger], read: ReadStretches) -> list[Array]:
    """Read stretches that have an end, all in one call.

    Raises:
        TokenShardError: A file ends before its stretch does.
    """
    contents = read(stretches)
    for stretch, content in zip(stretches, contents, strict=True):
        if stretch.end is not None and len(content) != stretch.end - stretch.start:
            raise TokenShardError(f"{stretch.path} ends before byte {stretch.end}")
    return [np.frombuffer(content, dtype=dtype) for content in contents]


def read_manifest(path: str, read: ReadStretches) -> bytes:
    """Read a manifest's file.

    Raises:
        TokenShardError: It is missing.
    """
    (content,) = _read(read, [Stretch(path)])
    return content


def check_stored(folder: str, manifest: Manifest, read: ReadStretches) -> None:
    """Hold the sizes of all files and the last end of each shard to the manifest, in one call.

    What lies in a file from its last item on is one item long if the file is as long as it should be.

    Raises:
        TokenShardError: A file is missing, or of another size, or a shard's last end is not its number of tokens.
    """
    files = [file for shard in manifest.shards for file in _files(shard, manifest.id_dtype.itemsize)]
    tails = [Stretch(os.path.join(folder, name), max(size - width, 0)) for name, size, width in files]
    contents = _read(read, tails)
    for tail, content, (_, size, _) in zip(tails, contents, files, strict=True):
        if len(content) != size - tail.start:
            found = f"{tail.start + len(content)} bytes" if content else f"less than {size} bytes"
            raise TokenShardError(f"{tail.path} has {found}, its manifest says {size}")
    for shard, last in zip(manifest.shards, contents[1::2], strict=True):
        shard.check_last_end(int.from_bytes(last, "little"))


def _files(shard: ShardEntry, width: int) -> list[tuple[str, int, int]]:
    """Name, size and width of an item of a shard's two files."""
    return [(shard.name, shard.bytes, width), (shard.ends_name, shard.documents * END_BYTES, END_BYTES)]


def _read(read: ReadStretches, stretches: Sequence[Stretch]) -> list[bytes]:
    try:
        return read(stretches)
    except FileNotFoundError as error:
        raise TokenShardError(f"{error.filename} is missing") from error
