"""What becomes of each record of a crawl: a document with the right text, a reason, or an error."""

import functools
import gzip
import io
import itertools
import time
import zlib

import brotli
import pytest
import zstandard

from pipeline.document import METADATA, Document, Dropped, MalformedRecord
from pipeline.sources.http_response import decode_body, parse_response
from pipeline.sources.pages import PageLimits, PageReason, decode_html, html_text, parse_page, read_pages, wet_lines
from pipeline.sources.warc import read_warc

#: Packs bytes without the time, which would be in the names of tests.
pack = functools.partial(gzip.compress, mtime=0)

HTML = b"<!doctype html><html><head><title>A title</title></head><body><p>Some text.</p><p>More.</p></body></html>"
HTML_FIELDS = {"Content-Type": "application/http; msgtype=response"}


def pages(data: bytes, **options) -> list:
    return [item for item, _ in read_pages(io.BytesIO(data), **options)]


def http(body: bytes = HTML, *, status: str = "200 OK", **fields: str) -> bytes:
    """A response; an underscore in a field's name stands for a hyphen."""
    named = {"Content_Type": "text/html; charset=utf-8", **fields}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def response(record, block: bytes, **options):
    """The one item that comes out of a response record."""
    (item,) = pages(record(block, kind="response", fields=HTML_FIELDS), **options)
    return item


def chunked(body: bytes, size: int = 20) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


# WET


def test_a_wet_record_becomes_a_document(record) -> None:
    fields = {
        "WARC-Target-URI": "http://a.org/with a blank?q=ü",
        "WARC-Identified-Content-Language": "eng",
        "WARC-Block-Digest": "sha1:ABC",
    }
    data = record("Title \n  Grüße, world.\t\n\nEnd\n".encode(), number=7, fields=fields)
    assert pages(pack(data), dump="2023-06") == [
        Document(
            id="cc/00000000-0000-4000-8000-000000000007",
            source="commoncrawl",
            text="Grüße, world.\n\nEnd",
            url="http://a.org/with a blank?q=ü",
            created="2023-01-26T22:21:08Z",
            metadata={
                "dump": "2023-06",
                "title": "Title",
                "digest": "sha1:ABC",
                "original_chars": 18,
                "original_lines": 3,
            },
        )
    ]


def test_metadata_are_fields_of_the_schema(record) -> None:
    (document,) = pages(record(b"Title\nText\n"))
    assert set(document.metadata) <= {METADATA.field(i).name for i in range(METADATA.num_fields)}


@pytest.mark.parametrize(
    ("block", "lines"),
    [
        ("T\na\nb\n", ["T", "a", "b"]),
        ("T\na\nb\n\n", ["T", "a", "b", ""]),  # two of the three empty lines that CCNet sees are dropped
        ("T\na\nb", ["T", "a", "b", ""]),  # CCNet sees one empty line, and keeps it
        ("T\r\n  a \r\nb\rc\r\n", ["T", "a", "b", "c"]),
        ("T\na\u2028b\x0bc\x85d\x1ee\n", ["T", "a\u2028b\x0bc\x85d\x1ee"]),
        ("\na\n", ["", "a"]),
        ("", []),
        ("\n", [""]),
        ("T", ["T", ""]),
    ],
)
def test_wet_lines_are_those_ccnet_sees(block: str, lines: list[str]) -> None:
    assert wet_lines(block) == lines


def ccnet_lines(block: str) -> list[str]:
    """Lines of a record in a file of records, by the rule of CCNet's parser, on the file as it lies."""
    file = io.StringIO(block + "\r\n\r\nWARC/1.0\r\n", newline=None)
    seen = []
    for line in file:
        if line.strip() == "WARC/1.0":
            break
        seen.append(line.strip())
    return seen[:-2] if len(seen) > 1 and not seen[-1] and not seen[-2] else seen


@pytest.mark.parametrize("block", ["T\na\n", "T\na", "T\n\n\n", "", "T", "T\n a\n\n\nb \n", "T\r\na\rb\r\n", "\n\n"])
def test_wet_lines_agree_with_ccnets_rule_applied_to_the_file(block: str) -> None:
    assert wet_lines(block) == ccnet_lines(block)


@pytest.mark.parametrize("block", [b"", b"Only a title\n", b"Title\n \n\t\n"])
def test_a_wet_record_without_text_is_dropped(record, block: bytes) -> None:
    assert pages(record(block, number=1)) == [
        Dropped("cc/00000000-0000-4000-8000-000000000001", "http://example.org/1", PageReason.EMPTY, 0, 1)
    ]


def test_a_wet_record_that_is_not_utf8_is_an_error_at_its_offset(record) -> None:
    first = pack(record(b"Title\nText\n"))
    _, error, last = pages(first + pack(record(b"Title\ncaf\xe9\n")) + first)
    assert isinstance(error, MalformedRecord)
    assert (error.cause, error.offset, error.inner_offset, error.is_record) == ("wet/invalid_utf8", len(first), 0, True)
    assert last.text == "Text"


def test_a_record_without_an_id_is_an_error(record) -> None:
    (error,) = pages(record(b"Title\nText\n", fields={"WARC-Record-ID": None}))
    assert (error.cause, error.is_record) == ("warc/no_record_id", True)


@pytest.mark.parametrize(
    ("date", "created"),
    [
        ("2023-01-26T22:21:08Z", "2023-01-26T22:21:08Z"),
        ("2023-01-26T22:21:08.123456Z", "2023-01-26T22:21:08.123456Z"),
        ("2023-01-26T23:21:08+01:00", "2023-01-26T22:21:08+00:00"),
        ("2023-01-26", "2023-01-26T00:00:00+00:00"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_the_crawl_time_is_utc_or_empty(record, date: str | None, created: str) -> None:
    (document,) = pages(record(b"Title\nText\n", fields={"WARC-Date": date}))
    assert document.created == created


# Records that are no page: one for each reason


def fixture_of(reason: PageReason, record) -> bytes:
    by_response = {
        PageReason.HTTP_STATUS: http(status="404 Not Found"),
        PageReason.NOT_HTML: http(b"{}", Content_Type="application/json"),
        PageReason.HTML_TOO_LONG: http(HTML + b" " * 2000),
        PageReason.EMPTY: http(b"<html><title>T</title><script>x()</script></html>"),
    }
    if reason in by_response:
        return record(by_response[reason], kind="response", fields=HTML_FIELDS)
    return record(b"", kind="continuation" if reason is PageReason.OTHER_TYPE else reason.value.partition("/")[2])


EXPECTED = {
    PageReason.HTTP_STATUS: (404, 200),
    PageReason.HTML_TOO_LONG: (len(HTML) + 2000, 1000),
    PageReason.EMPTY: (0, 1),
}


@pytest.mark.parametrize("reason", PageReason)
def test_each_reason_has_its_record(record, reason: PageReason) -> None:
    limits = PageLimits(max_html_bytes=1000)
    (dropped,) = pages(fixture_of(reason, record), limits=limits)
    assert (dropped.reason, dropped.measured, dropped.limit) == (reason, *EXPECTED.get(reason, (None, None)))
    assert dropped.id == "cc/00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (1001, False)])
def test_html_at_the_limit_is_kept(record, size: int, kept: bool) -> None:
    body = HTML.ljust(size)
    limits = PageLimits(max_html_bytes=1000)
    assert isinstance(response(record, http(body), limits=limits), Document) is kept
    packed = http(pack(body), Content_Encoding="gzip")
    assert isinstance(response(record, packed, limits=limits), Document) is kept


def test_a_response_of_another_protocol_is_no_html(record) -> None:
    (dropped,) = pages(record(b"20130101\ta.org. 1.2.3.4", kind="response", fields={"Content-Type": "text/dns"}))
    assert dropped.reason == PageReason.NOT_HTML


def test_a_picture_that_is_called_html_is_no_html(record) -> None:
    assert response(record, http(b"\x89PNG\r\n\x1a\n")).reason == PageReason.NOT_HTML


# HTML


def test_an_html_response_becomes_a_document(record) -> None:
    fields = {**HTML_FIELDS, "WARC-Target-URI": "<http://a.org/>", "WARC-Payload-Digest": "sha1:P"}
    (document,) = pages(record(http(), kind="response", number=3, fields=fields), dump="d")
    assert document == Document(
        id="cc/00000000-0000-4000-8000-000000000003",
        source="commoncrawl",
        text="Some text.\n\nMore.",
        url="http://a.org/",
        created="2023-01-26T22:21:08Z",
        metadata={
            "dump": "d",
            "title": "A title",
            "digest": "sha1:P",
            "original_chars": 17,
            "original_lines": 3,
        },
    )


@pytest.mark.parametrize("body", [HTML, b"  <!-- x --><p>Some text.</p><p>More.</p>", b"\xef\xbb\xbf<HTML >" + HTML])
def test_html_without_a_content_type_is_recognised(record, body: bytes) -> None:
    assert response(record, http(body, Content_Type="")).text == "Some text.\n\nMore."


def test_text_without_a_content_type_is_no_html(record) -> None:
    assert response(record, http(b"plain text <b>", Content_Type="")).reason == PageReason.NOT_HTML


def test_xhtml_is_html(record) -> None:
    assert response(record, http(Content_Type="Application/XHTML+xml")).text == "Some text.\n\nMore."


def deflate_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", pack(HTML)),
        ("x-gzip", pack(HTML[:40]) + pack(HTML[40:])),
        ("gzip", pack(HTML)[:-4]),  # cut short behind the text
        ("gzip", HTML),  # the crawler had unpacked it
        ("deflate", zlib.compress(HTML)),
        ("deflate", deflate_raw(HTML)),
        ("deflate", HTML),
        ("br", brotli.compress(HTML)),
        ("br", HTML),
        ("zstd", zstandard.compress(HTML)),
        ("deflate, gzip", pack(zlib.compress(HTML))),
        ("identity", HTML),
        ("utf-8", HTML),
    ],
)
def test_content_codings_are_undone(record, coding: str, body: bytes) -> None:
    assert response(record, http(body, Content_Encoding=coding)).text == "Some text.\n\nMore."


@pytest.mark.parametrize(
    "body", [pack(HTML)[:10] + b"\x07" * 50, pack(HTML)[:-8] + b"\0" * 8], ids=["inflate", "checksum"]
)
def test_a_damaged_content_coding_is_an_error(record, body: bytes) -> None:
    assert response(record, http(body, Content_Encoding="gzip")).cause == "http/bad_encoding"


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstandard.compress)]
)
def test_a_bomb_is_unpacked_only_to_the_limit(coding: str, pack) -> None:
    block = http(pack(bytes(20_000_000)), Content_Encoding=coding)
    assert len(decode_body(parse_response(block), max_bytes=5000)) == 5001


def test_chunks_are_joined(record) -> None:
    assert response(record, http(chunked(HTML), Transfer_Encoding="chunked")).text == "Some text.\n\nMore."
    packed = http(chunked(pack(HTML)), Transfer_Encoding="chunked", Content_Encoding="gzip")
    assert response(record, packed).text == "Some text.\n\nMore."


def test_a_body_that_was_joined_already_is_taken_as_it_lies(record) -> None:
    assert response(record, http(HTML, Transfer_Encoding="chunked")).text == "Some text.\n\nMore."


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_chunks_that_end_early_are_taken_as_far_as_they_go(record, cut: int) -> None:
    block = http(chunked(HTML)[:-cut], Transfer_Encoding="chunked")
    assert response(record, block).text.startswith("Some text.")


def test_chunks_that_break_in_the_middle_are_an_error(record) -> None:
    broken = chunked(HTML[:40])[:-5] + b"no size\r\n" + chunked(HTML[40:])
    assert response(record, http(broken, Transfer_Encoding="chunked")).cause == "http/bad_chunk"


@pytest.mark.parametrize("block", [b"", HTML, b"HTTP/1.1 ok\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n"])
def test_a_response_without_a_status_line_is_an_error(record, block: bytes) -> None:
    assert response(record, block).cause == "http/bad_status"


def test_a_response_that_is_only_a_header_has_no_text(record) -> None:
    assert response(record, b"HTTP/1.0 200 OK\r\nContent-Type: text/html").reason == PageReason.EMPTY
    assert response(record, b"HTTP/1.0 200 OK\n\n").reason == PageReason.NOT_HTML


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("ü".encode(), "utf-8", "ü"),
        ("ü".encode("latin-1"), "ISO-8859-1", "ü"),
        (b"\x80", "iso-8859-1", "€"),  # which in browsers means Windows-1252
        (b"\xef\xbb\xbf" + "ü".encode(), "iso-8859-1", "ü"),
        (b"\xff\xfe" + "ü".encode("utf-16-le"), "", "ü"),
        ('<meta charset="windows-1251">Привет'.encode("cp1251"), "", '<meta charset="windows-1251">Привет'),
        ('<meta charset="windows-1251">ü'.encode(), "utf-8", '<meta charset="windows-1251">ü'),
        ('<meta charset="utf-16">ü'.encode(), "", '<meta charset="utf-16">ü'),
        (b'<meta charset="utf-16">x', "", '<meta charset="utf-16">x'),
        (b"text \xff" + "ü text ".encode() * 40, "", "text \ufffd" + "ü text " * 40),
        ("日本語のページです。".encode("shift_jis"), "no-such-charset", "日本語のページです。"),
        (("größer " * 40).encode("cp1252"), "utf-8", "größer " * 40),
        (b"text \xff" + "ü text ".encode() * 40, "utf-8", "text \ufffd" + "ü text " * 40),
    ],
)
def test_html_is_decoded_by_mark_header_meta_or_guess(body: bytes, charset: str, text: str) -> None:
    assert decode_html(body, charset) == text


def test_html_text_is_what_is_visible() -> None:
    html = (
        "<title> One\n &amp; two </title><nav><a href=x>Home</a></nav><style>p{}</style><script>x()</script>"
        "<h1>Head</h1><ul><li>a<li>b</ul><!-- no --><noscript>no</noscript><img alt=no><p>x<br>  y  </p>"
    )
    assert html_text(html) == ("One & two", "Home\n\nHead\n\na\nb\n\nx\ny")


def test_deeply_nested_html_is_parsed_in_bounded_time() -> None:
    start = time.process_time()
    assert html_text("<div><table><tr><td>" * 50_000 + "end")[1] == "end"
    assert time.process_time() - start < 10


# All together


def test_items_come_with_the_bytes_read_so_far(record) -> None:
    members = [pack(record(b"T\nText\n", number=i)) for i in range(3)]
    positions = [position for _, position in read_pages(io.BytesIO(b"".join(members)))]
    assert positions == list(itertools.accumulate(map(len, members)))


def test_real_wget_pages_agree_with_the_wet_file_made_of_them(data_root) -> None:
    """The WET file holds Resiliparse's full text, lists and pictures marked, so words are compared and not lines."""
    root = data_root / "commoncrawl"
    with (root / "dolma-wget/sample-0000.warc.gz").open("rb") as stream:
        html = {item.url: item for item, _ in read_pages(stream) if isinstance(item, Document)}
    with (root / "derived/wget-sample-0000.derived.warc.wet.gz").open("rb") as stream:
        wet = {item.url: item for item, _ in read_pages(stream) if isinstance(item, Document)}
    assert len(html) == 22
    for url, page in wet.items():
        words = set(f"{page.metadata['title']} {page.text}".split())
        assert len(words & set(html[url].text.split())) > 0.9 * len(words), url


def test_every_real_record_becomes_one_item(data_root) -> None:
    for path in sorted((data_root / "commoncrawl").rglob("*.w*.gz")):
        with path.open("rb") as stream:
            records = sum(1 for _ in read_warc(stream, name=path.name))
        with path.open("rb") as stream:
            items = [item for item, _ in read_pages(stream, name=path.name)]
        assert len(items) == records
        assert all(isinstance(item, Document | Dropped | MalformedRecord) for item in items)
        documents = [item for item in items if isinstance(item, Document)]
        assert all(document.text.strip() and document.url for document in documents)


def test_a_record_that_is_parsed_alone_gives_the_same(record) -> None:
    (item,) = read_warc(io.BytesIO(record(b"T\nText\n")))
    assert parse_page(item, dump="d").text == "Text"
