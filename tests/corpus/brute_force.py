"""Works out by brute force what becomes of every page; ``write_fates.py`` writes the result down.

Independent of the pipeline: it imports none of its packages, holds whole dumps in memory and follows the rules of
CCNet (``process_wet_file.py``, ``text_normalizer.py``, ``dedup.py``) line by line with a dictionary from each line's
normal form to the pages that have it. Two things of CCNet's are left out, as in the pipeline: a body line ``WARC/1.0``
does not cut the page, and headers are read by name.
"""

import base64
import gzip
import hashlib
import html
import html.parser
import os
import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MIN_CHARS = 300
_PUNCTUATION = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
_DELETED = dict.fromkeys([*map(ord, _PUNCTUATION), *range(32), *range(127, 160)])
_START = b"WARC/1.0\r\n"


@dataclass
class Record:
    """A record and what became of it.

    Attributes:
        file: Path below the dumps' folder.
        kind: WARC-Type.
        uuid: Of WARC-Record-ID, or empty.
        url: WARC-Target-URI, or empty.
        cause: Why it is no page, or empty for a page.
        measured: The number that goes with ``cause``.
        title: The page's title.
        lines: The page's lines without the title.
        is_copy: Whether a page of a newer dump has the same title and lines.
        kept: What line deduplication leaves of them.
    """

    file: str
    kind: str
    uuid: str
    url: str
    cause: str = ""
    measured: int | None = None
    title: str = ""
    lines: list[str] = field(default_factory=list)
    is_copy: bool = False
    kept: list[str] = field(default_factory=list)


def read_dump(folder: str, dump: str) -> list[Record]:
    """Read all records of a dump, files in the order of their names."""
    records: list[Record] = []
    for name in sorted(os.listdir(os.path.join(folder, dump))):
        with open(os.path.join(folder, dump, name), "rb") as source:
            data = source.read()
        records += read_records(f"{dump}/{name}", inflate(data) if name.endswith(".gz") else data)
    return records


def inflate(data: bytes) -> bytes:
    """Decompress all gzip members, and of one that is cut what there is."""
    text = b""
    while data:
        member = zlib.decompressobj(31)
        text += member.decompress(data)
        data = member.unused_data
    return text


def read_records(file: str, data: bytes) -> Iterator[Record]:
    """Walk over the records by their lengths; after a wrong length, look for the next first line after CRLF CRLF."""
    start = 0
    while start < len(data):
        end_of_head = data.index(b"\r\n\r\n", start) + 4
        head = dict(line.split(": ", 1) for line in data[start:end_of_head].decode().split("\r\n")[1:] if line)
        end = end_of_head + int(head["Content-Length"])
        uuid = head.get("WARC-Record-ID", "").removeprefix("<urn:uuid:").removesuffix(">")
        record = Record(file, head["WARC-Type"], uuid, head.get("WARC-Target-URI", ""))
        if data[end : end + 4] == b"\r\n\r\n":
            judge(record, head, data[end_of_head:end])
            start = end + 4
        else:
            record.cause = "warc/truncated" if end > len(data) else "warc/bad_length"
            following = data.find(b"\r\n\r\n" + _START, end_of_head)
            start = following + 4 if following >= 0 else len(data)
        yield record


def judge(record: Record, head: dict[str, str], block: bytes) -> None:
    """Fill in the page's lines, or why there is none."""
    if not record.uuid:
        record.cause = "warc/no_record_id"
        return
    if record.kind in ("warcinfo", "request", "metadata"):
        record.cause = f"warc/{record.kind}"
        return
    if head.get("WARC-Block-Digest", "") != "sha1:" + base64.b32encode(hashlib.sha1(block).digest()).decode():
        raise ValueError(f"{record.url}: wrong digest")
    if record.kind == "response":
        record.lines = response_lines(record, block)
    else:
        try:
            record.title, *record.lines = (line.strip() for line in block.decode().removesuffix("\n").split("\n"))
        except UnicodeDecodeError:
            record.cause = "wet/invalid_utf8"
    chars = len("\n".join(record.lines))
    if not record.cause and chars < MIN_CHARS:
        record.cause, record.measured = ("length/too_short" if chars else "page/empty"), chars


def response_lines(record: Record, block: bytes) -> list[str]:
    """Read an HTTP response's text, the title left out."""
    head, body = block.split(b"\r\n\r\n", 1)
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    status = int(head.split()[1])
    if status != 200:
        record.cause, record.measured = "warc/http_status", status
        return []
    if "html" not in fields["Content-Type"]:
        record.cause = "warc/not_html"
        return []
    if fields.get("Transfer-Encoding") == "chunked":
        body = b"".join(chunks(body))
    if fields.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    declared = re.search(rb"charset=([\w-]+)", body)
    text = body.decode(declared[1].decode() if declared else "utf-8")
    title = re.search("<title>(.*?)</title>", text, re.DOTALL)
    record.title = html.unescape(title[1]).strip() if title else ""
    reader = BlockLines()
    reader.feed(text)
    return reader.end_line().lines


def chunks(body: bytes) -> Iterator[bytes]:
    """Take a chunked body apart (RFC 9112, section 7.1)."""
    while body[:3] != b"0\r\n":
        size, body = body.split(b"\r\n", 1)
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


class BlockLines(html.parser.HTMLParser):
    """One line of text for each block element of the simple pages that the dumps hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style", "title")
        self._edge(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "title")
        self._edge(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._line += data

    def _edge(self, tag: str) -> None:
        if tag not in ("b", "em"):
            self.end_line()

    def end_line(self) -> "BlockLines":
        """Close the line, unless nothing stands on it."""
        if text := " ".join(self._line.split()):
            self.lines.append(text)
        self._line = ""
        return self


def normal_form(line: str) -> str:
    """Fold case and digits, delete Unicode punctuation and control characters (CCNet, ``normalize_for_dedup``)."""
    lower = line.strip().lower()
    return "".join("0" if unicodedata.category(char) == "Nd" else char for char in lower).translate(_DELETED)


def mark_copies(dumps: list[list[Record]]) -> None:
    """Mark the pages that stand, title and lines, in a newer dump; the newest comes first."""
    newer: set[tuple[str, ...]] = set()
    for records in dumps:
        pages = [record for record in records if not record.cause]
        for page in pages:
            page.is_copy = (page.title, *page.lines) in newer
        newer.update((page.title, *page.lines) for page in pages)


def deduplicate(records: list[Record]) -> Counter[str]:
    """Remove from the pages of one window each line that two of them have, and repetitions inside a page."""
    pages = [record for record in records if not record.cause and not record.is_copy]
    owners: dict[str, set[int]] = defaultdict(set)
    for index, page in enumerate(pages):
        for line in page.lines:
            owners[normal_form(line)].add(index)
    for page in pages:
        seen: set[str] = set()
        for line in page.lines:
            form = normal_form(line)
            if len(owners[form]) == 1 and form not in seen:
                page.kept.append(line)
            seen.add(form)
    lines = sum(len(page.lines) for page in pages)
    return Counter(
        lines=lines,
        distinct_lines=len(owners),
        lines_in_several_pages=sum(len(ids) > 1 for ids in owners.values()),
        removed_lines=lines - sum(len(page.kept) for page in pages),
    )


def totals(records: list[Record]) -> dict[str, Any]:
    """Count what was read from a dump or a file and what line deduplication left."""
    pages = [record for record in records if not record.cause]
    return {
        "record_starts": len(records),
        "kinds": dict(sorted(Counter(record.kind for record in records).items())),
        "left_out_while_reading": dict(sorted(Counter(record.cause for record in records if record.cause).items())),
        "pages": len(pages),
        "copies_of_newer_pages": sum(page.is_copy for page in pages),
        "pages_without_line_left": sum(not page.kept and not page.is_copy for page in pages),
        "lines": sum(len(page.lines) for page in pages),
        "lines_kept": sum(len(page.kept) for page in pages),
        "chars_kept": sum(len("\n".join(page.kept)) for page in pages),
    }
