"""An end to each wait for a server, whatever drips in meanwhile.

A socket's timeout begins anew with every byte, and ``http.client`` reads an answer's head, a row of ``100 Continue``,
a chunk's extension and trailers each inside one call, for as long as bytes come. So the stream that it reads from looks
at the clock before every read of the socket. That needs no thread, so none is left behind.
"""

import functools
import io
from collections.abc import Callable
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class TooSlowError(OSError):
    """A server that keeps a connection busy without getting on."""


class Watch:
    """The time by which what is waited for must be there.

    Args:
        seconds: The longest wait, silence included.
        clock: Seconds, monotonic.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._until = 0.0

    def begin(self) -> None:
        """Start another wait."""
        self._until = self._clock() + self._seconds

    def check(self) -> None:
        """Look at the clock.

        Raises:
            TooSlowError: The wait is over.
        """
        if self._clock() > self._until:
            raise TooSlowError(f"the server sends, but nothing to go on with came in {self._seconds:g} s")


class WatchedAdapter(HTTPAdapter):
    """Connections of requests, straight or through any proxy, whose answers are watched from their first byte on."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        super().__init__()

    def get_connection_with_tls_context(self, *given: Any, **options: Any) -> Any:
        """Give the pool that requests would take; the connections it opens are watched."""
        pool: Any = super().get_connection_with_tls_context(*given, **options)
        # Called and no more by urllib3, with what it says of the connection; the pool's own class is not touched.
        pool.ConnectionCls = functools.partial(_open, type(pool).ConnectionCls, self._watch)
        return pool


def _open(kind: Callable[..., Any], watch: Watch, **options: Any) -> Any:
    connection = kind(**options)
    connection.response_class = functools.partial(_answer, watch)
    return connection


def _answer(watch: Watch, *given: Any, **options: Any) -> HTTPResponse:
    """Make what ``http.client`` reads an answer from; the wait for the answer's head begins."""
    answer = HTTPResponse(*given, **options)
    answer.fp = io.BufferedReader(_Watched(answer.fp.detach(), watch))
    watch.begin()
    return answer


class _Watched(io.RawIOBase):
    """A socket's stream that looks at the clock before each read."""

    def __init__(self, stream: io.RawIOBase, watch: Watch) -> None:
        self._stream, self._watch = stream, watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._watch.check()
        return self._stream.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
