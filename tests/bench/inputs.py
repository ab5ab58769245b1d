"""What is measured on: real WET text, copied with a salt in its lines until there is enough of it.

In copy *k* each line that only one document of the originals has gets a word that stands for *k*, so it stays unlike
all others; lines that documents share stay as they are, so boilerplate repeats across copies as it does across sites.
The word is of letters: line deduplication folds digits. Files are gzip by record at level 6, and the same bytes
whenever they are made.
"""

import functools
import glob
import itertools
import os
import uuid
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fastwarc.warc import ArchiveIterator, WarcRecordType

from filters.line_dedup import normalize_lines
from pipeline.document import Document, Shard
from pipeline.sources.pages import read_pages

_REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUNDLED = os.path.join(_REPOSITORY, "tests", "corpus")
DUMP = "BENCH-2020-05"

_CREATED = "2020-01-17T00:33:44Z"
_GZIP = 31  # zlib's code for gzip
_GZIP_LEVEL = 6


def find_data() -> str:
    """Find real inputs: ``LLAMA_CORPUS_DATA``, else ``../shared/data`` beside the repository, else the bundled ones."""
    beside = os.path.join(os.path.dirname(_REPOSITORY), "shared", "data")
    return os.environ.get("LLAMA_CORPUS_DATA") or (beside if os.path.isdir(beside) else BUNDLED)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the originals.

    Attributes:
        url: Its address.
        title: Its first line.
        lines: The other lines, each with whether documents share it.
    """

    url: str
    title: str
    lines: tuple[tuple[str, bool], ...]

    def copy(self, number: int) -> str:
        """Give the page's text, title included, with the salt of a copy in the lines that are its own."""
        salt = _salt(number)
        own = [line if shared or not line else f"{line} {salt}" for line, shared in self.lines]
        return "\n".join([self.title, *own]) + "\n"


def _salt(number: int) -> str:
    """Spell a number in letters, as a word that no text has."""
    digits = "abcdefghij"
    return "zqx" + "".join(digits[int(digit)] for digit in str(number))


class Inputs:
    """Inputs of one invocation, made when first asked for, below a folder that the caller takes away.

    Attributes:
        data: Where the originals lie.
        folder: Where files may be written.
        quick: Whether small inputs will do.
        file_bytes: UTF-8 text of a WET file, about.
    """

    def __init__(self, data: str, folder: str, *, quick: bool) -> None:
        self.data = data
        self.folder = folder
        self.quick = quick
        self.file_bytes = 16_000_000 if quick else 64_000_000
        self._files: list[WetFile] = []
        self._copies = self._endless_copies()

    def wet(self, files: int) -> list["WetFile"]:
        """Give the first WET files; the same ones, and more, when more are asked for."""
        while len(self._files) < files:
            path = os.path.join(self.folder, "wet", f"BENCH-{len(self._files):05d}.warc.wet.gz")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._files.append(_write_wet(path, self._copies, self.file_bytes))
        return self._files[:files]

    @functools.cached_property
    def documents(self) -> list[Document]:
        """The pages of the first WET file, as the reader gives them."""
        return list(_documents(self.wet(1)[0].path))

    @functools.cached_property
    def html_files(self) -> list[str]:
        """The largest WARC files of the originals, up to three that FastWARC reads to the end; one when quick."""
        found = [path for path in _crawl_files(self.data) if path.endswith((".warc", ".warc.gz"))]
        found.sort(key=lambda path: (-os.path.getsize(path), path))
        return list(itertools.islice(filter(_has_html, found), 1 if self.quick else 3))

    def _endless_copies(self) -> Iterator[tuple[str, str]]:
        pages = _originals(self.data)
        for number in itertools.count():
            for page in pages:
                yield page.url, page.copy(number)


@dataclass(frozen=True, slots=True)
class WetFile:
    """A WET file.

    Attributes:
        path: The file.
        text_bytes: UTF-8 text of its pages, titles and line ends included.
        lines: Their lines.
    """

    path: str
    text_bytes: int
    lines: int

    @property
    def shard(self) -> Shard:
        """The file as a unit of work."""
        return Shard("commoncrawl", os.path.basename(self.path), self.path, os.path.getsize(self.path), DUMP)


def html_bodies(path: str) -> Iterator[bytes]:
    """Take the HTML of a WARC file's answers out with FastWARC."""
    with open(path, "rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
            if record.http_content_type in {"text/html", "application/xhtml+xml"}:
                yield record.reader.read()


def _has_html(path: str) -> bool:
    try:
        return any(True for _ in html_bodies(path))
    except OSError:
        return False


def text_megabytes(texts: Iterable[str]) -> float:
    """Count UTF-8 bytes, in units of 10^6."""
    return sum(len(text.encode()) for text in texts) / 1e6


def _crawl_files(data: str) -> list[str]:
    found = sorted(glob.glob(os.path.join(data, "commoncrawl", "**"), recursive=True))
    return [path for path in found if os.path.isfile(path) and "malformed" not in path.split(os.sep)]


def _originals(data: str) -> list[Page]:
    files = [path for path in _crawl_files(data) if path.endswith((".wet", ".wet.gz"))]
    documents = [document for path in files for document in _documents(path)]
    if not documents:
        raise FileNotFoundError(f"no page in {os.path.join(data, 'commoncrawl')}: no *.wet or *.wet.gz there")
    normalized = [normalize_lines(document.text) for document in documents]
    seen = Counter(line for lines in normalized for line in set(lines))
    return [_page(document, lines, seen) for document, lines in zip(documents, normalized, strict=True)]


def _page(document: Document, normalized: Sequence[bytes], seen: Counter[bytes]) -> Page:
    lines = zip(document.text.split("\n"), normalized, strict=True)
    title = str(document.metadata.get("title") or "-")
    return Page(document.url, title, tuple((line, seen[key] > 1) for line, key in lines))


def _documents(path: str) -> Iterator[Document]:
    with open(path, "rb") as stream:
        for item, _ in read_pages(stream, name=path, dump=DUMP):
            if isinstance(item, Document):
                yield item


def _write_wet(path: str, pages: Iterator[tuple[str, str]], text_bytes: int) -> WetFile:
    size = lines = count = 0
    with open(path, "wb") as stream:
        while size < text_bytes:
            url, text = next(pages)
            block = text.encode()
            identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{os.path.basename(path)}/{count}")
            stream.write(_gzip(_record(url, block, identity)))
            size, lines, count = size + len(block), lines + text.count("\n"), count + 1
    return WetFile(path, size, lines)


def _record(url: str, block: bytes, identity: uuid.UUID) -> bytes:
    header = (
        "WARC/1.0\r\n"
        "WARC-Type: conversion\r\n"
        f"WARC-Target-URI: {url}\r\n"
        f"WARC-Date: {_CREATED}\r\n"
        f"WARC-Record-ID: <urn:uuid:{identity}>\r\n"
        "Content-Type: text/plain\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return header.encode() + block + b"\r\n\r\n"


def _gzip(content: bytes) -> bytes:
    state = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return state.compress(content) + state.flush()
