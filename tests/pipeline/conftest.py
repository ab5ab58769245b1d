"""Builders of web-archive bytes, and the way to the shared real inputs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

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
