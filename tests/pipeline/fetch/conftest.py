"""A server on this machine that behaves as badly as it is told, and clients whose pauses take no time."""

import contextlib
import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rich.console import Console

from pipeline.fetch_http import Client
from pipeline.fetch_manners import FetchSettings
from pipeline.fetch_progress import FetchProgress


@dataclass(frozen=True)
class Reply:
    """What is answered to one request; the last of a path's replies is repeated.

    Attributes:
        body: The file.
        status: Anything but 200 is sent as it is, with the body.
        headers: Sent besides; ``None`` leaves a default one out.
        ranges: Whether ``Range`` and ``If-Range`` are honoured.
        cut: Bytes of the body after which the connection is closed.
        stall: Whether it is held open in silence instead.
        drip: Whether the body comes byte by byte.
        chunked: Whether it is sent in chunks, without a length.
        endless: Whether the body is repeated without end.
        then: Called when ``cut`` bytes have been sent.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    ranges: bool = True
    cut: int | None = None
    stall: bool = False
    drip: bool = False
    chunked: bool = False
    endless: bool = False
    then: Callable[[], object] | None = None


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]


class Server:
    """Files by path, a log of requests."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []
        self.released = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._http.handle_error = lambda *_: None  # clients hang up on purpose
        self._thread = threading.Thread(target=lambda: self._http.serve_forever(0.01), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def put(self, path: str, *replies: Reply | bytes) -> str:
        """Serve replies at a path, one a request; returns the address."""
        self.replies[path] = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]
        return f"{self.url}{path}"

    def methods(self) -> list[str]:
        return [one.method for one in self.asked]

    def ranges(self) -> list[str | None]:
        return [one.headers.get("range") for one in self.asked]

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _next(self, method: str, path: str) -> Reply:
        replies = self.replies.get(path, [Reply(b"nothing here", 404)])
        return replies.pop(0) if len(replies) > 1 and method == "GET" else replies[0]

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.asked.append(Asked(self.command, self.path, headers))
                _answer(self, server._next(self.command, self.path), server.released)

            def do_HEAD(self) -> None:
                self.do_GET()

        return Handler


def _answer(handler: BaseHTTPRequestHandler, reply: Reply, released: threading.Event) -> None:
    status, body, extra = _part_asked_for(handler, reply)
    headers: dict[str, str | None] = {"Content-Length": str(len(body)), **extra, **reply.headers}
    chunked = reply.chunked or reply.endless
    if chunked:
        headers |= {"Content-Length": None, "Transfer-Encoding": "chunked"}
    handler.close_connection = reply.cut is not None or (headers["Content-Length"] is None and not chunked)
    _send_head(handler, status, headers)
    if handler.command == "HEAD":
        return
    for piece in _pieces(body[: reply.cut], reply, released):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    if reply.then is not None:
        reply.then()
    if reply.stall:
        released.wait(5)
    if chunked and reply.cut is None:
        handler.wfile.write(b"0\r\n\r\n")


def _send_head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str | None]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        if value is not None:
            handler.send_header(name, value)
    handler.end_headers()


def _pieces(body: bytes, reply: Reply, released: threading.Event) -> Iterator[bytes]:
    step = 1 if reply.drip else 1 << 16
    while True:
        for start in range(0, len(body), step):
            yield body[start : start + step]
            if reply.drip:
                released.wait(0.002)
        if not reply.endless or released.is_set():
            return


def _part_asked_for(handler: BaseHTTPRequestHandler, reply: Reply) -> tuple[int, bytes, dict[str, str | None]]:
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    version = {reply.headers.get("ETag"), reply.headers.get("Last-Modified")} - {None}
    if not asked or not reply.ranges or reply.status != 200 or handler.headers.get("If-Range") not in version:
        return reply.status, reply.body, {}
    start, size = int(asked.group(1)), len(reply.body)
    if start >= size:
        return 416, b"", {"Content-Range": f"bytes */{size}"}
    return 206, reply.body[start:], {"Content-Range": f"bytes {start}-{size - 1}/{size}"}


class Time:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.passed += seconds

    def clock(self) -> float:
        return self.passed


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def said() -> io.StringIO:
    """What the clients of a test say."""
    return io.StringIO()


@pytest.fixture
def make_client(time: Time, said: io.StringIO) -> Iterator[Callable[..., Client]]:
    """Make clients that ignore the environment and do not really sleep."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> Client:
            clock = settings.pop("clock", time.clock)
            values = FetchSettings(**{"requests_per_second": None, "read_seconds": 5.0, **settings})
            progress = FetchProgress(Console(file=said, width=1000))
            client = Client(values, progress, sleep=time.sleep, clock=clock, now=lambda: 1e9, trust_environment=False)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()
