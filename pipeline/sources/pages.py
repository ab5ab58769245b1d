"""Crawl records into documents: the text of WET files, or text taken out of the HTML of WARC files.

WET text is read as CCNet reads it (Wenzek et al., 2020; ``process_wet_file.py``): every line stripped, the first one
taken as title and not as text. Headers are read by name, not by position, which loses every record of the dumps since
mid-2020, and a URL with a blank is kept whole. A line is what LF, CRLF or CR ends and nothing else, so that line
numbers mean the same to every reader; ``str.splitlines`` would also cut at U+2028 and form feeds.

From HTML the whole page's text is taken with Resiliparse (Bevendorff et al., 2018), navigation included as in WET
files, the title from ``<title>``.

C4 knows no title: to it, all that a WET block holds is text (:data:`C4_FORM`). A page of a WARC file gets its title as
the first line then, where Common Crawl's own extraction has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, PositiveInt
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLParserException, HTMLTree

from filters.verdict import Reason
from pipeline.document import Document, Dropped, MalformedRecord, MetadataValue, utc_time
from pipeline.sources.http_response import (
    BadHttp,
    begins_like_binary,
    begins_like_html,
    decode_body,
    parse_response,
)
from pipeline.sources.warc import MAX_RECORD_BYTES, WarcRecord, read_warc

HTTP_OK = 200
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
UNKNOWN_TYPES = frozenset({"", "unknown/unknown", "application/unknown", "*/*"})
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class PageReason(Reason):
    """Why a record of a crawl is no document."""

    WARCINFO = "warc/warcinfo"
    REQUEST = "warc/request"
    METADATA = "warc/metadata"
    REVISIT = "warc/revisit"
    RESOURCE = "warc/resource"
    OTHER_TYPE = "warc/other_type"
    HTTP_STATUS = "warc/http_status"
    NOT_HTML = "warc/not_html"
    HTML_TOO_LONG = "warc/html_too_long"
    EMPTY = "page/empty"


class PageLimits(BaseModel):
    """What one record may cost.

    Attributes:
        max_record_bytes: Longest WARC block to hold; a longer one is the error ``warc/too_long``.
        max_html_bytes: Longest HTML to parse, decompressed. Some markup takes time with its square (109 s for 2 MiB of
            ``<select><b>``); Common Crawl itself cut pages at 1 MiB in the years 2017 to 2020.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_record_bytes: PositiveInt = MAX_RECORD_BYTES
    max_html_bytes: PositiveInt = 2 << 20


DEFAULT_LIMITS = PageLimits()


@dataclass(frozen=True, slots=True)
class PageForm:
    """What pages become.

    Attributes:
        source: The documents' source.
        namespace: What their ids begin with.
        title_apart: Whether the title is metadata, and a page of no other text is dropped; else it is the first line of
            the text, which may be empty.
    """

    source: str
    namespace: str
    title_apart: bool


CCNET_FORM = PageForm("commoncrawl", "cc", title_apart=True)
C4_FORM = PageForm("c4", "c4", title_apart=False)

Item = Document | Dropped | MalformedRecord


def read_pages(
    stream: BinaryIO,
    *,
    name: str = "",
    dump: str = "",
    limits: PageLimits = DEFAULT_LIMITS,
    form: PageForm = CCNET_FORM,
) -> Iterator[tuple[Item, int]]:
    """Read a WARC or WET file.

    Args:
        stream: The file, from its first byte.
        name: Its name; WAT files are told by it.
        dump: The dump it belongs to, for the documents' metadata.
        limits: What one record may cost.
        form: What pages become.

    Yields:
        Every record, once, in file order, as document, dropped or malformed; and the bytes of the file read so far.
    """
    reader = read_warc(stream, name=name, max_record_bytes=limits.max_record_bytes)
    for item in reader:
        page = parse_page(item, dump=dump, limits=limits, form=form) if isinstance(item, WarcRecord) else item
        yield page, reader.position


def parse_page(
    record: WarcRecord, *, dump: str = "", limits: PageLimits = DEFAULT_LIMITS, form: PageForm = CCNET_FORM
) -> Item:
    """Make a document of a ``conversion`` record (WET) or of a ``response`` record that holds HTML.

    Args:
        record: The record.
        dump: The dump it belongs to, for the document's metadata.
        limits: What it may cost.
        form: What it becomes.

    Returns:
        The document; or why it is none, under the id that it would have; or what is wrong with the record.
    """
    try:
        if record.type == "conversion":
            return _parse_conversion(record, dump, form)
        if record.type == "response":
            return _parse_html_response(record, dump, limits, form)
        return _drop(record, form, _REASONS.get(record.type, PageReason.OTHER_TYPE))
    except MalformedRecord as error:
        return error


_REASONS = {
    "warcinfo": PageReason.WARCINFO,
    "request": PageReason.REQUEST,
    "metadata": PageReason.METADATA,
    "revisit": PageReason.REVISIT,
    "resource": PageReason.RESOURCE,
}


def wet_lines(text: str) -> list[str]:
    r"""Cut the text of a WET record into lines as CCNet sees them; the first is the title.

    CCNet reads on to the next record, so it sees the blank line that ends the record as one more line; when the last
    two lines are empty, it drops both. Common Crawl's own blocks end in a line end and so never keep an empty last
    line; a block that does not, keeps one.

    >>> wet_lines("Title\n text \n"), wet_lines("Title\n text")
    (['Title', 'text'], ['Title', 'text', ''])
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = list(map(str.strip, text.split("\n")))
    return [*lines, ""] if lines[-1] else lines[:-1]


def decode_html(body: bytes, charset: str) -> str:
    """Decode HTML by its byte order mark, the charset of the HTTP header, its ``meta`` element, or a guess.

    In this order: the mark outranks the header, as in browsers, and bytes that are UTF-8 outrank ``meta``, for other
    encodings hardly ever look like it. A charset that does not fit at all gives way to the guess; where it nearly
    fits (pages are cut in the middle of a character), bytes that cannot be decoded become U+FFFD.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    declared = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    if declared is None:
        text = body.decode("utf-8", "replace")
        if not text.isascii() and _nearly_fits(text):
            return text
        declared = detect_encoding(body, from_html_meta=True) or "utf-8"
        if declared.startswith("utf-16"):  # an element that can be read as ASCII does not stand in UTF-16
            declared = "utf-8"
    text = body.decode(declared, "replace")
    if _nearly_fits(text):
        return text
    return body.decode(detect_encoding(body) or "utf-8", "replace")


def _nearly_fits(text: str) -> bool:
    """Whether more than half of the characters beyond ASCII, if there are any, could be decoded."""
    if "\ufffd" not in text:
        return True
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text.count("\ufffd") * 2 < beyond_ascii


def html_text(html: str) -> tuple[str, str]:
    r"""Take title and text out of a page: all that is visible, line by line, blank lines between paragraphs.

    >>> html_text("<title>T</title><nav>Home</nav><p>One<br>two<p>three")
    ('T', 'Home\n\nOne\ntwo\n\nthree')
    """
    tree = HTMLTree.parse(html)
    text = extract_plain_text(tree, preserve_formatting=True, main_content=False, list_bullets=False, alt_texts=False)
    return tree.title or "", "\n".join(map(str.strip, text.split("\n"))).strip("\n")


def _parse_conversion(record: WarcRecord, dump: str, form: PageForm) -> Item:
    try:
        block = record.block.decode()
    except UnicodeDecodeError as error:
        raise _malformed(record, "wet/invalid_utf8", str(error)) from error
    title, *lines = wet_lines(block) or [""]
    return _document(record, form, title, "\n".join(lines), dump, digest="warc-block-digest")


def _parse_html_response(record: WarcRecord, dump: str, limits: PageLimits, form: PageForm) -> Item:
    if not record.headers.get("content-type", "application/http").lower().startswith("application/http"):
        return _drop(record, form, PageReason.NOT_HTML)  # an answer of the name service, say
    try:
        response = parse_response(record.block)
        if response.status != HTTP_OK:
            return _drop(record, form, PageReason.HTTP_STATUS, response.status, HTTP_OK)
        if response.mime_type not in HTML_TYPES | UNKNOWN_TYPES:
            return _drop(record, form, PageReason.NOT_HTML)
        body = decode_body(response, max_bytes=limits.max_html_bytes)
    except BadHttp as error:
        raise _malformed(record, error.cause, error.detail) from error
    if begins_like_binary(body) or (response.mime_type in UNKNOWN_TYPES and not begins_like_html(body)):
        return _drop(record, form, PageReason.NOT_HTML)
    if len(body) > limits.max_html_bytes:
        return _drop(record, form, PageReason.HTML_TOO_LONG, len(body), limits.max_html_bytes)
    try:
        title, text = html_text(decode_html(body, response.charset))
    except HTMLParserException as error:
        raise _malformed(record, "html/unparsable", str(error)) from error
    return _document(record, form, title, text, dump, digest="warc-payload-digest")


def _document(
    record: WarcRecord, form: PageForm, title: str, text: str, dump: str, *, digest: str
) -> Document | Dropped:
    if not form.title_apart:
        text = f"{title}\n{text}"
    elif not text.strip():
        return _drop(record, form, PageReason.EMPTY, 0, 1)
    metadata: dict[str, MetadataValue] = {
        "dump": dump,
        "title": title if form.title_apart else None,
        "digest": record.headers.get(digest, ""),
        "original_chars": len(text),
        "original_lines": text.count("\n") + 1,
    }
    return Document(
        _id(record, form),
        form.source,
        text,
        url=_url(record),
        created=utc_time(record.headers.get("warc-date", "")),
        metadata=metadata,
    )


def _drop(
    record: WarcRecord, form: PageForm, reason: PageReason, measured: float | None = None, limit: float | None = None
) -> Dropped:
    return Dropped(_id(record, form), _url(record), reason, measured, limit)


def _malformed(record: WarcRecord, cause: str, detail: str) -> MalformedRecord:
    return MalformedRecord(cause, detail, offset=record.offset, inner_offset=record.inner_offset)


def _id(record: WarcRecord, form: PageForm) -> str:
    """The namespace and the record's UUID; or its whole URI where that is no UUID."""
    identity = record.headers.get("warc-record-id", "").strip("<> ").removeprefix("urn:uuid:")
    if not identity:
        raise _malformed(record, "warc/no_record_id", f"a {record.type} record without WARC-Record-ID")
    return f"{form.namespace}/{identity}"


def _url(record: WarcRecord) -> str:
    """The target URI, out of the angle brackets that wget puts around it."""
    url = record.headers.get("warc-target-uri", "")
    return url[1:-1] if url.startswith("<") and url.endswith(">") else url
