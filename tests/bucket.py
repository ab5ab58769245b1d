"""A bucket in a Google Cloud Storage of our own on this machine: the part of its JSON API that reading takes."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

NAME = "bucket"
#: Points TensorStore's ``gs://`` to another server; it is read when a store is opened.
ENDPOINT = "TENSORSTORE_GCS_HTTP_URL"

_OBJECT = f"/storage/v1/b/{NAME}/o/"
_LISTING = _OBJECT.rstrip("/")
_PAGE = 1000


class Request(NamedTuple):
    """A request that was answered.

    Attributes:
        key: The object asked for; empty for a listing.
        status: Of the answer.
        bytes: Length of its body.
    """

    key: str
    status: int
    bytes: int


class Bucket(ThreadingHTTPServer):
    """The bucket: the files of a folder under their paths in it.

    Attributes:
        folder: Where the files lie; what is changed there changes in the bucket.
        requests: What was asked for, in the order answered.
        failing: With which statuses the next requests for a key fail.
    """

    daemon_threads = True
    request_queue_size = 256  # connections that wait to be taken; beyond it they are lost

    def __init__(self, folder: Path) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: list[Request] = []
        self.failing: dict[str, list[int]] = {}

    @property
    def endpoint(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.server_port}"

    def reads(self, ending: str) -> list[Request]:
        """Requests for objects whose names end so."""
        return [request for request in self.requests if request.key.endswith(ending)]


@contextmanager
def serve(folder: Path) -> Iterator[Bucket]:
    """Serve a folder's files as a bucket until the block ends."""
    with Bucket(folder) as bucket:
        thread = threading.Thread(target=bucket.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield bucket
        finally:
            bucket.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer, else the client waits for the next
    server: Bucket

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        key = unquote(url.path.removeprefix(_OBJECT)) if url.path.startswith(_OBJECT) else ""
        if statuses := self.server.failing.get(key):
            self._answer(key, statuses.pop(0), b"<h1>not\nnow</h1>", {})
        elif url.path == _LISTING:
            self._answer("", 200, json.dumps(self._list(parse_qs(url.query))).encode(), {})
        else:
            self._answer(key, *self._read(key))

    def _read(self, key: str) -> tuple[int, bytes, dict[str, str]]:
        path = self.server.folder / key
        if not key or not path.is_file():
            return 404, b"No such object", {}
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            return 200, path.read_bytes(), {}
        start, end = int(asked[1]), min(size, int(asked[2] or size) + 1)
        if start >= size:
            return 416, b"", {"Content-Range": f"bytes */{size}"}
        with path.open("rb") as file:
            file.seek(start)
            return 206, file.read(end - start), {"Content-Range": f"bytes {start}-{end - 1}/{size}"}

    def _list(self, query: Mapping[str, list[str]]) -> dict[str, object]:
        begin, end = query.get("startOffset", [""])[0], query.get("endOffset", [""])[0]
        after = query.get("pageToken", [""])[0]
        paths = (
            path.relative_to(self.server.folder).as_posix() for path in self.server.folder.rglob("*") if path.is_file()
        )
        names = sorted(name for name in paths if begin <= name and (not end or name < end) and name > after)
        page = names[:_PAGE]
        more = {"nextPageToken": page[-1]} if len(names) > _PAGE else {}
        return {"items": [{"name": name, "generation": "1", "size": "1"} for name in page]} | more

    def _answer(self, key: str, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.server.requests.append(Request(key, status, len(body)))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "x-goog-generation": "1", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
