"""Writes WET and WARC records byte by byte in Common Crawl's layout (ISO 28500:2017, and the dumps themselves).

Header order, the line ends (CRLF in headers, LF in a conversion record's block) and the digests (SHA-1 in base 32) are
those of the dumps; two CRLF end a record. The deflated body of an HTTP response is made of stored blocks, so that its
bytes, length and digest do not depend on the zlib version; gzip members of the files do.
"""

import base64
import gzip
import hashlib
import struct
import uuid
import zlib
from dataclasses import dataclass

from mini_pages import Page

Headers = list[tuple[str, str]]
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "http://example.org/llama-corpus/mini")


@dataclass(frozen=True)
class Http:
    """How a response was sent.

    Attributes:
        status: Status line after the version, such as ``200 OK``.
        content_type: Value of Content-Type.
        is_packed: Sent gzip-encoded and in chunks, and stored so.
        is_unpacked: The crawler has undone a gzip encoding and says so in a header of its own, as Common Crawl does.
    """

    status: str = "200 OK"
    content_type: str = "text/html; charset=utf-8"
    is_packed: bool = False
    is_unpacked: bool = False


def record_uuid(key: str) -> str:
    """Return the UUID of the record named ``key``."""
    return str(uuid.uuid5(_NAMESPACE, key))


def record(headers: Headers, block: bytes) -> bytes:
    """Put a record together; the headers are written as they are, right or wrong."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return b"WARC/1.0\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def gzip_member(data: bytes) -> bytes:
    """Compress with a fixed time, so that nothing but zlib's version decides the bytes."""
    return gzip.compress(data, 9, mtime=0)


def warcinfo(file_name: str, dump: str, date: str) -> bytes:
    """Write the record that opens a file."""
    lines = [
        "Software-Info: llama-corpus miniature dump",
        f"isPartOf: {dump}",
        "operator: nobody (nobody@example.org)",
        "description: Invented pages in the layout of a Common Crawl dump",
        "publisher: llama-corpus",
    ]
    block = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
    headers = [
        ("WARC-Type", "warcinfo"),
        ("WARC-Date", date),
        ("WARC-Filename", file_name),
        ("WARC-Record-ID", _urn(f"{file_name}/warcinfo")),
        ("Content-Type", "application/warc-fields"),
        ("Content-Length", str(len(block))),
    ]
    return record(headers, block)


def conversion(page: Page, block: bytes, *, has_language: bool, length: int, has_id: bool) -> bytes:
    """Write a page as a WET record.

    Args:
        page: The page, for the headers.
        block: Its bytes.
        has_language: Whether the header of dumps since mid-2020 is there.
        length: What Content-Length says.
        has_id: Whether WARC-Record-ID is there.
    """
    headers = [
        ("WARC-Type", "conversion"),
        ("WARC-Target-URI", page.url),
        ("WARC-Date", page.date),
        *([("WARC-Record-ID", _urn(page.key))] if has_id else []),
        ("WARC-Refers-To", _urn(f"{page.key}/response")),
        ("WARC-Block-Digest", digest(block)),
        *([("WARC-Identified-Content-Language", page.language)] if has_language else []),
        ("Content-Type", "text/plain"),
        ("Content-Length", str(length)),
    ]
    return record(headers, block)


def exchange(page: Page, payload: bytes, http: Http, info: str) -> list[bytes]:
    """Write the three records of a fetched address: request, response and metadata.

    The response has the id of ``page.key`` itself; the others add ``/request`` and ``/metadata`` to the key.
    """
    host, _, path = page.url.removeprefix("http://").partition("/")
    question = f"GET /{path} HTTP/1.1\r\nUser-Agent: CCBot/2.0\r\nAccept: text/html\r\nHost: {host}\r\n\r\n".encode()
    answer = _response(payload, http)
    facts = b"fetchTimeMs: 258\r\ncharset-detected: UTF-8\r\n\r\n"
    return [
        record(_headers("request", page, question, info, f"{page.key}/request"), question),
        record(_response_headers(page, answer, info), answer),
        record(_headers("metadata", page, facts, info, f"{page.key}/metadata"), facts),
    ]


def digest(data: bytes) -> str:
    """Return the SHA-1 of ``data`` as WARC files write it."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def _urn(key: str) -> str:
    return f"<urn:uuid:{record_uuid(key)}>"


def _headers(kind: str, page: Page, block: bytes, info: str, key: str) -> Headers:
    media = {"request": "application/http; msgtype=request", "metadata": "application/warc-fields"}[kind]
    return [
        ("WARC-Type", kind),
        ("WARC-Date", page.date),
        ("WARC-Record-ID", _urn(key)),
        ("Content-Length", str(len(block))),
        ("Content-Type", media),
        ("WARC-Warcinfo-ID", _urn(info)),
        *([("WARC-Concurrent-To", _urn(page.key))] if kind == "metadata" else []),
        *([("WARC-IP-Address", "192.0.2.7")] if kind == "request" else []),
        ("WARC-Target-URI", page.url),
    ]


def _response_headers(page: Page, block: bytes, info: str) -> Headers:
    payload = block.split(b"\r\n\r\n", 1)[1]  # as it was sent, chunks and all, which is how warcio reads the standard
    return [
        ("WARC-Type", "response"),
        ("WARC-Date", page.date),
        ("WARC-Record-ID", _urn(page.key)),
        ("Content-Length", str(len(block))),
        ("Content-Type", "application/http; msgtype=response"),
        ("WARC-Warcinfo-ID", _urn(info)),
        ("WARC-Concurrent-To", _urn(f"{page.key}/request")),
        ("WARC-IP-Address", "192.0.2.7"),
        ("WARC-Target-URI", page.url),
        ("WARC-Payload-Digest", digest(payload)),
        ("WARC-Block-Digest", digest(block)),
    ]


def _response(body: bytes, http: Http) -> bytes:
    lines = [f"HTTP/1.1 {http.status}", "Server: mini", f"Content-Type: {http.content_type}"]
    if http.is_packed:
        body = _chunked(_stored_gzip(body))
        lines += ["Content-Encoding: gzip", "Transfer-Encoding: chunked"]
    elif http.is_unpacked:
        lines += ["X-Crawler-Content-Encoding: gzip", f"Content-Length: {len(body)}"]
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def _stored_gzip(data: bytes) -> bytes:
    """Wrap ``data`` (up to 65,535 bytes) as gzip with one stored block (RFC 1951, section 3.2.4; RFC 1952)."""
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    block = struct.pack("<BHH", 1, len(data), len(data) ^ 0xFFFF) + data
    return header + block + struct.pack("<II", zlib.crc32(data), len(data))


def _chunked(data: bytes) -> bytes:
    size = 200
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
