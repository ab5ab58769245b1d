"""Real texts that are read in moments: sentences of 75 languages, and the beginnings of documents of each source."""

import bz2
import gzip
import html
import itertools
import json
import re
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

DOCUMENTS = 100
SENTENCES = 10_000
#: Characters of a document that are taken: its beginning, where front matter is, is the oddest part of many.
CHARS = 4000


def sentences(data: Path) -> list[str]:
    """Give sentences of 75 languages, as many of each."""
    files = sorted((data / "langid" / "lingua-sentences").glob("*.txt"))
    found = [file.read_text().splitlines() for file in files]
    return [line for row in itertools.zip_longest(*found) for line in row if line][:SENTENCES]


def documents(data: Path, count: int = DOCUMENTS, chars: int = CHARS) -> dict[str, list[str]]:
    """Give the beginnings of documents of each source, in the form the raw files have."""
    return {
        source: [text[:chars] for text in itertools.islice(texts, count)]
        for source, texts in {
            "c4": _c4(data),
            "books": _books(data, chars),
            "wikipedia": _wikipedia(data),
            "stackexchange": _stackexchange(data),
            "arxiv": _arxiv(data),
            "commoncrawl": _commoncrawl(data),
            "github": _code(chars),
        }.items()
    }


def _c4(data: Path) -> Iterator[str]:
    for path in sorted((data / "c4").glob("*.json.gz")):
        with gzip.open(path) as stream:
            yield from (json.loads(line)["text"] for line in stream)


def _books(data: Path, chars: int) -> Iterator[str]:
    """Give stretches of books: there are fewer than a hundred."""
    for start in range(0, 10 * chars, chars):
        for path in sorted((data / "gutenberg").rglob("*.txt")):
            yield _head(path, start + chars)[start:]


def _wikipedia(data: Path) -> Iterator[str]:
    for path in sorted((data / "wikipedia" / "gensim").glob("enwiki-latest*.bz2")):
        with bz2.open(path, "rt") as stream:
            pages = re.split(r"<text[^>]*>", stream.read(2_000_000))[1:]
        yield from (html.unescape(page.split("</text>")[0]) for page in pages)


def _stackexchange(data: Path) -> Iterator[str]:
    for path in sorted((data / "stackexchange").glob("*/Posts.xml")):
        with path.open() as stream:
            yield from (html.unescape(body) for body in re.findall(r' Body="([^"]*)"', stream.read(1_000_000)))


def _arxiv(data: Path) -> Iterator[str]:
    for path in sorted((data / "arxiv" / "eprints-repacked").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name.endswith(".tex") else None
                if content is not None:
                    yield content.read().decode(errors="replace")


def _commoncrawl(data: Path) -> Iterator[str]:
    for path in sorted((data / "commoncrawl").rglob("*.wet")):
        yield from _head(path, 1_000_000).split("WARC/1.0")[1:]
    for path in sorted((data / "commoncrawl").rglob("*.wet.gz")):
        with gzip.open(path) as stream:
            yield from stream.read(1_000_000).decode(errors="replace").split("WARC/1.0")[1:]


def _code(chars: int) -> Iterator[str]:
    """Give files of installed packages."""
    for path in sorted(Path(sysconfig.get_paths()["purelib"], "pip").rglob("*.py")):
        yield _head(path, chars)


def _head(path: Path, chars: int) -> str:
    with path.open(errors="replace") as stream:
        return stream.read(chars)
