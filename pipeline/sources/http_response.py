"""HTTP responses as crawlers store them, down to the bytes of the body (RFC 9110, RFC 9112).

Crawlers store what the server sent, or what they made of it, and the header does not tell which: Common Crawl's
bodies are decoded, wget's may still be chunked. So a body that does not look as its header says is taken as it lies,
and one that ends early is taken as far as it goes, as browsers do; one that breaks in the middle is an error.
"""

import io
import re
import zlib
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import zstandard

from pipeline.sources.warc import parse_headers

_STATUS_LINE = re.compile(rb"HTTP/[0-9.]{1,4}[ \t]+([0-9]{3})(?![0-9])[^\n]*\n?")
_HEADER_END = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n|")

#: What a document that is HTML begins with (WHATWG MIME Sniffing, section 7.1), behind white space and a mark.
_HTML_SIGN = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*<(?:!--|"
    rb"(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P)[ >])",
    re.IGNORECASE,
)
_BINARY_SIGNS = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
_ZSTD_WINDOW_BYTES = 8 << 20  # the most a server may ask of a client (RFC 9659)


#: Headers are joined and searched as one string, so their length is bounded.
_MAX_HEADER_BYTES = 256 << 10
_SLICE_BYTES = 4096


class BadHttp(Exception):
    """A response that cannot be read.

    Attributes:
        cause: ``"http/bad_status"``, ``"http/bad_chunk"`` or ``"http/bad_encoding"``.
        detail: One line for a person.
    """

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response.

    Attributes:
        status: The status code.
        headers: Fields, names in lower case; of a repeated field the first.
        body: The body as stored, possibly chunked and compressed.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def mime_type(self) -> str:
        """The content type without its parameters, in lower case; empty where none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset of the content type, or empty."""
        found = re.search(r"charset\s*=\s*[\"']?([^\s\"';,]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        return found[1] if found else ""


def parse_response(block: bytes) -> HttpResponse:
    """Split a response into status, headers and body.

    Raises:
        BadHttp: It does not begin with a status line, or its header does not end.
    """
    status_line = _STATUS_LINE.match(block)
    if not status_line:
        raise BadHttp("http/bad_status", f"the block begins with {block[:40]!r}")
    end = _HEADER_END.search(block, status_line.end() - 1, _MAX_HEADER_BYTES)
    if end is None and len(block) > _MAX_HEADER_BYTES:
        raise BadHttp("http/bad_header", f"no end of the header in the first {_MAX_HEADER_BYTES} bytes")
    size = end.end() if end else len(block)
    return HttpResponse(int(status_line[1]), parse_headers(block[:size]), block[size:])


def decode_body(response: HttpResponse, *, max_bytes: int) -> bytes:
    """Undo transfer and content encodings.

    Args:
        response: The response.
        max_bytes: Where to stop decompressing.

    Returns:
        The body; longer than ``max_bytes`` where it was cut, or was never compressed.

    Raises:
        BadHttp: A chunk or the compressed data are damaged.
    """
    body = response.body
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        body = _join_chunks(body)
    for coding in reversed(response.headers.get("content-encoding", "").lower().split(",")):
        body = _decompress(body, coding.strip(), max_bytes + 1)
    return body


def begins_like_html(body: bytes) -> bool:
    """Whether a body without a content type is HTML (WHATWG MIME Sniffing, section 7.1)."""
    return _HTML_SIGN.match(body) is not None


def begins_like_binary(body: bytes) -> bool:
    """Whether a body that is called HTML is in truth a picture, an archive or a PDF file."""
    return body.startswith(_BINARY_SIGNS)


def _join_chunks(body: bytes) -> bytes:
    pieces, at = [], 0
    while size_line := _CHUNK_SIZE.match(body, at):
        size, begin = int(size_line[1], 16), size_line.end()
        pieces.append(body[begin : begin + size])
        line_end = _LINE_END.match(body, min(begin + size, len(body)))
        at = line_end.end() if line_end else len(body)
        if size == 0 or at >= len(body):
            return b"".join(pieces)
    if pieces and b"\n" not in body[at:]:
        return b"".join(pieces)  # cut short in a size line
    if pieces:
        raise BadHttp("http/bad_chunk", f"byte {at} of the body should begin a chunk: {body[at : at + 20]!r}")
    return body  # the crawler had joined them


def _decompress(body: bytes, coding: str, most: int) -> bytes:
    """Undo one content coding, ``most`` bytes at most. As in browsers, an unknown coding is none."""
    try:
        if coding in {"gzip", "x-gzip"}:
            return _gunzip(body, most) if body.startswith(b"\x1f\x8b") else body
        if coding == "deflate":
            wrapped = body[:1] == b"\x78" and int.from_bytes(body[:2]) % 31 == 0
            return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS).decompress(body, most)
        if coding == "br":
            return _unbrotli(body, most)
        if coding == "zstd" and body.startswith(b"\x28\xb5\x2f\xfd"):
            unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
            return unpacker.stream_reader(io.BytesIO(body), read_across_frames=True).read(most)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        if begins_like_html(body):
            return body
        raise BadHttp("http/bad_encoding", f"{coding}: {error}") from error
    return body


def _gunzip(body: bytes, most: int) -> bytes:
    """Inflate gzip members until what follows is none; a last member may be cut short."""
    pieces, size, at = [], 0, 0
    while size < most and body.startswith(b"\x1f\x8b", at):
        state = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while at < len(body) and size < most and not state.eof:
            part = body[at : at + _SLICE_BYTES]  # zlib copies what it leaves: of a slice, not of the whole rest
            piece = state.decompress(part, most - size)
            at += len(part) - len(state.unused_data or state.unconsumed_tail)
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)


def _unbrotli(body: bytes, most: int) -> bytes:
    state = brotli.Decompressor()
    pieces = [state.process(body, output_buffer_limit=most)]
    while sum(map(len, pieces)) < most and (piece := state.process(b"", output_buffer_limit=most)):
        pieces.append(piece)
    return b"".join(pieces)[:most]
