"""Builders of web-archive bytes, and the way to the shared real inputs."""

import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shelf import Shelf, set_up_shelf

RECORD_ID = "<urn:uuid:00000000-0000-4000-8000-{:012d}>"


def build_record(
    block: bytes = b"text\n",
    *,
    kind: str = "conversion",
    number: int = 0,
    length: str | None = None,
    fields: dict[str, str | None] | None = None,
    newline: bytes = b"\r\n",
    ending: bytes = b"\r\n\r\n",
) -> bytes:
    """One WARC record; ``length`` overrides Content-Length, a field that is ``None`` is left out."""
    named: dict[str, str | None] = {
        "WARC-Type": kind,
        "WARC-Record-ID": RECORD_ID.format(number),
        "WARC-Date": "2023-01-26T22:21:08Z",
        "WARC-Target-URI": f"http://example.org/{number}",
        "Content-Type": "text/plain",
        "Content-Length": str(len(block)) if length is None else length,
        **(fields or {}),
    }
    lines = [f"{name}: {value}".encode() for name, value in named.items() if value is not None]
    return newline.join([b"WARC/1.0", *lines, b"", b""]) + block + ending


@pytest.fixture(scope="session")
def record() -> Callable[..., bytes]:
    return build_record


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real inputs; tests that need it skip where it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    root = Path(os.environ.get("LLAMA_CORPUS_DATA", beside))
    if not root.is_dir():
        pytest.skip("no shared real inputs here")
    return root


#: A version line, then a field: a name of at most 64 characters, and its colon.
START = re.compile(rb"WARC/[01]\.\d{1,3}[ \t]{0,16}\r?\n[A-Za-z][\w-]{0,63}[ \t]{0,16}:", re.ASCII)


def count_record_starts(data: bytes) -> int:
    """Record starts by brute force: every gzip magic is tried, and no block holds a start of its own.

    A file whose gzip magics lead to no record is not compressed; a block may hold these three bytes.
    """
    texts, at = [], 0
    while data[:5] != b"WARC/" and (at := data.find(b"\x1f\x8b\x08", at)) >= 0:
        out, used = inflate_all(data, at)
        texts.append(out)
        at += used or 1
    return sum(len(START.findall(text)) for text in texts) or len(START.findall(data))


def inflate_all(data: bytes, at: int) -> tuple[bytes, int]:
    """What zlib makes of the member at ``at``, to the byte before a fault; its size, or 0 if it is damaged."""
    state, out, step = zlib.decompressobj(31), bytearray(), 4096
    i = at
    while i < len(data) and not state.eof:
        before = state.copy()
        try:
            out += state.decompress(data[i : i + step])
        except zlib.error:
            if step == 1:
                return bytes(out), 0
            state, step = before, 1
            continue
        i += step
    return bytes(out), (min(i, len(data)) - len(state.unused_data) - at) * state.eof


@pytest.fixture(scope="session")
def count_starts() -> Callable[[bytes], int]:
    """Count the record starts in a file's bytes, another way than the reader."""
    return count_record_starts


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty object store, known to this process and to workers."""
    return set_up_shelf(tmp_path / "shelf", monkeypatch)
