"""Arrays on disk and on object stores, read by stretches: memory-mapped where possible, else one seek and one read."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.unsignedinteger]


class Readable(Protocol):
    """A file as an array.

    Attributes:
        size: Bytes of the file.
    """

    size: int

    def read(self, start: int, end: int) -> Array:
        """Return items ``start`` to ``end``, read-only."""

    def chunks(self, max_bytes: int) -> Iterator[Array]:
        """Yield all items in order, in stretches of up to ``max_bytes``."""


class MappedFile:
    """A local file as an array; reading copies nothing.

    Attributes:
        size: Bytes of the file.
    """

    def __init__(self, path: str, dtype: np.dtype[np.unsignedinteger]) -> None:
        """Map a file.

        Args:
            path: The file.
            dtype: Type of its items; bytes beyond the last whole item are left out.

        Raises:
            FileNotFoundError: There is no such file.
        """
        self.size = os.path.getsize(path)
        items = self.size // dtype.itemsize
        # An empty file can not be mapped. asarray: slices of a memmap object cost some 2 us each, of an array 0.1 us.
        mapped = np.memmap(path, dtype=dtype, mode="r", shape=(items,)) if items else np.empty(0, dtype)
        self._array: Array = np.asarray(mapped)

    def read(self, start: int, end: int) -> Array:
        """Return items ``start`` to ``end``, read-only."""
        return self._array[start:end]

    def chunks(self, max_bytes: int) -> Iterator[Array]:
        """Yield all items in order, in stretches of up to ``max_bytes``."""
        return in_chunks(self, self._array.dtype.itemsize, max_bytes)


class RangedFile:
    """A file behind an opener, as an array. Reads of several threads take turns; dropping the object closes the file.

    Attributes:
        size: Bytes of the file.
    """

    def __init__(self, path: str, dtype: np.dtype[np.unsignedinteger], open_file: Callable[[str], BinaryIO]) -> None:
        """Open a file.

        Args:
            path: The file, as ``open_file`` understands it.
            dtype: Type of its items.
            open_file: Opens it for reading, binary and seekable.
        """
        self._path = path
        self._dtype = dtype
        self._lock = threading.Lock()
        self._file = open_file(path)
        # Closed when the last reader lets go of this object, be it a thread still reading.
        weakref.finalize(self, self._file.close)
        self.size = self._file.seek(0, os.SEEK_END)

    def read(self, start: int, end: int) -> Array:
        """Return items ``start`` to ``end``, read-only.

        Raises:
            EOFError: The file has become shorter.
        """
        wanted = (end - start) * self._dtype.itemsize
        with self._lock:
            self._file.seek(start * self._dtype.itemsize)
            content = self._read_exactly(wanted)
        return np.frombuffer(content, dtype=self._dtype)

    def chunks(self, max_bytes: int) -> Iterator[Array]:
        """Yield all items in order, in stretches of up to ``max_bytes``."""
        return in_chunks(self, self._dtype.itemsize, max_bytes)

    def _read_exactly(self, wanted: int) -> bytes:
        content = self._file.read(wanted)
        while len(content) < wanted:
            # Raw streams may return less than asked for.
            more = self._file.read(wanted - len(content))
            if not more:
                raise EOFError(f"{self._path} ends {wanted - len(content)} bytes early")
            content += more
        return content


def in_chunks(file: Readable, itemsize: int, max_bytes: int) -> Iterator[Array]:
    """Yield all whole items of a file in order, in stretches of up to ``max_bytes``."""
    step = max_bytes // itemsize
    items = file.size // itemsize
    for start in range(0, items, step):
        yield file.read(start, min(start + step, items))
