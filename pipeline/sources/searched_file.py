"""A file that is read forward through a buffer, with room to go back a little and look again behind a fault."""

from typing import BinaryIO

READ_BYTES = 1 << 18  # asked of the stream at once


class SearchedFile:
    """What readers of files made of compressed parts have in common.

    Args:
        stream: The file, from its first byte; read forward only.
        lookback_bytes: Kept behind the reading position, to look for a part inside a damaged one.
    """

    def __init__(self, stream: BinaryIO, lookback_bytes: int) -> None:
        self._stream = stream
        self._lookback = lookback_bytes
        self._buffer = bytearray()
        self._base = 0  # file offset of the first byte in the buffer
        self._at = 0  # index in the buffer of the next byte to read
        self._exhausted = False
        self._searched_again = 0

    @property
    def position(self) -> int:
        """Bytes of the file consumed so far."""
        return self._base + self._at

    def _fill(self, wanted: int) -> bool:
        """Read until ``wanted`` bytes lie ahead; returns whether they do."""
        while len(self._buffer) - self._at < wanted and not self._exhausted:
            if self._at > self._lookback:
                self._base += self._at - self._lookback
                del self._buffer[: self._at - self._lookback]
                self._at = self._lookback
            data = self._stream.read(READ_BYTES)
            self._buffer += data
            self._exhausted = not data
        return len(self._buffer) - self._at >= wanted

    def _go_back(self, damaged: int) -> None:
        """Go back behind the start of a damaged part, as far as its bytes are still here.

        Where a piece of the file is missing, the decompressor runs some way into the next part before it notices. All
        going back together stays below the bytes that the file has given so far, so that work is linear in it.
        """
        back = self.position - max(damaged + 1, self._base)
        if self._searched_again + back <= self.position + self._lookback:
            self._searched_again += back
            self._at -= back
