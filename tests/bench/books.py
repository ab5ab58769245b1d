"""Books: bytes into cleaned texts, beside the plainest way: UTF-8 or Latin-1, and what lies between the two marks."""

import functools
import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from filters.encoding import Decoded, decode_text
from filters.gutenberg import find_leftovers, strip_gutenberg
from filters.gutenberg_fields import declared_encoding
from tests.bench.inputs import Inputs
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_GOAL = 15  # MB/s
_QUICK_BOOKS = 20
_BUNDLED = Path(__file__).parent.parent / "corpus" / "books" / "gutenberg"
_START = re.compile(r"^\*+ ?START OF (?:THE|THIS) PROJECT GUTENBERG.*$", re.MULTILINE)
_END = re.compile(r"^\*+ ?END OF (?:THE|THIS) PROJECT GUTENBERG.*$", re.MULTILINE)


def clean(inputs: Inputs) -> Iterator[Result]:
    """Books through decoding, taking out of licences and credits, and the search for what is left of them."""
    books = _books(inputs)
    megabytes = sum(map(len, books)) / 1e6
    pair = compare(functools.partial(_clean, books), functools.partial(_clean_bare, books), runs=3)
    value = megabytes / pair.ours.seconds
    left = sum(len(text) for text in _clean(books))
    detail = f"{len(books)} books, {megabytes:.0f} MB, {left:,} characters left; the plain way leaves credits and notes"
    goal = {"goal": f">= {_GOAL} MB/s", "met": value >= _GOAL}
    yield speed("books.clean", megabytes, pair, against="cutting between the two marks", detail=detail, **goal)


def _books(inputs: Inputs) -> list[bytes]:
    found = sorted(Path(inputs.data or _BUNDLED).glob("gutenberg/*/*.txt*")) or sorted(_BUNDLED.glob("*.txt*"))
    files = [file.read_bytes() for file in (found[:: len(found) // _QUICK_BOOKS or 1] if inputs.quick else found)]
    return [gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data for data in files]


def _clean(books: Sequence[bytes]) -> list[str]:
    texts = []
    for data in books:
        decoded = decode_text(data, declared_encoding(data))
        if isinstance(decoded, Decoded):
            texts.append(strip_gutenberg(decoded.text).text)
            list(find_leftovers(texts[-1]))
    return texts


def _clean_bare(books: Sequence[bytes]) -> list[str]:
    texts = []
    for data in books:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        text = text.replace("\r\n", "\n")
        start, end = _START.search(text), _END.search(text)
        texts.append(text[start.end() if start else 0 : end.start() if end else len(text)].strip())
    return texts
