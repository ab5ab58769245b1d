"""Files as libraries read them: watched, decompressed, and in bounded pieces."""

from collections.abc import Callable
from typing import BinaryIO, cast

import pyarrow as pa

from pipeline.document import MalformedRecord

PIECE_BYTES = 1 << 20
_AT_ONCE_BYTES = 1 << 16  # decompressed; what is asked for with a fault is lost with it
_CODECS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


class Watched:
    """A file as libraries read it: not to be closed, and a failure to read it not taken for a fault of its content.

    Args:
        stream: The file.
    """

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        try:
            return self._stream.read(size)
        except Exception as error:
            self._failure = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; one that cannot be is a fault of the content that names it."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Give the place."""
        return self._stream.tell()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def close(self) -> None:
        """Leave the file open."""

    def check(self) -> None:
        """Raise the error with which reading failed, if it has: what a library makes of that says nothing."""
        if self._failure is not None:
            raise self._failure


class Decompressed:
    """The bytes of a compressed file.

    Args:
        stream: The file, from its first byte.
        codec: ``gzip`` or ``zstd``; several members or frames are read as one.
        source: The source's name, under which a fault is counted: ``<source>/bad_gzip``.
    """

    def __init__(self, stream: BinaryIO, codec: str, source: str) -> None:
        self._stream, self._cause = stream, f"{source}/bad_{codec}"
        self._source = Watched(stream)
        self._inner = pa.CompressedInputStream(pa.PythonFile(cast("BinaryIO", self._source), mode="r"), codec)

    def read(self, size: int) -> bytes:
        """Read on, which may give less than asked for; nothing at the end.

        Raises:
            MalformedRecord: The file is damaged or cut.
        """
        try:
            return bytes(self._inner.read(min(size, _AT_ONCE_BYTES)))
        except (OSError, pa.ArrowException) as error:
            self._source.check()
            raise MalformedRecord(self._cause, str(error), offset=0) from error

    def tell(self) -> int:
        """Give the bytes of the compressed file read so far."""
        return self._stream.tell()


Readable = BinaryIO | Decompressed


def open_decompressed(stream: BinaryIO, head: bytes, source: str) -> Readable:
    """Give what decompresses a file, if its first bytes say that it is compressed."""
    codec = next((codec for magic, codec in _CODECS if head.startswith(magic)), None)
    return stream if codec is None else Decompressed(stream, codec, source)


def read_capped(read: Callable[[int], bytes], max_bytes: int) -> tuple[bytes | None, int]:
    """Read a whole text unless it is too long.

    Returns:
        The text, ``None`` if it is too long, and the bytes read.
    """
    pieces, size = [], 0
    while piece := read(PIECE_BYTES):
        size += len(piece)
        if size > max_bytes:
            return None, size
        pieces.append(piece)
    return b"".join(pieces), size
