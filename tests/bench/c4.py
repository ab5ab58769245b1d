"""C4: page and line rules, language, bad words and the reader of the published files, each beside the plainest way."""

import functools
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence

import langdetect
from langdetect.lang_detect_exception import LangDetectException

from filters.bad_words import BadWords
from filters.c4 import C4Limits, clean_page
from filters.c4_language import LangDetect
from filters.c4_text import Sentences, c4_lines
from pipeline.sources.c4_files import read_c4
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_CLEAN_GOAL = 15  # MB/s
_LANGUAGE_PAGES = 400
_LISTED = 400  # words of a list, about as many as the one that C4 took

_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_POLICY = re.compile("terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies")


def clean_pages(inputs: Inputs) -> Iterator[Result]:
    """Pages through the page and line rules, with sentences and without, beside a plain loop over their lines."""
    pages = _pages(inputs)
    count = Sentences().count
    megabytes = text_megabytes(pages)
    for name, ours, bare in (
        ("c4.clean", count, lambda line: count(line, 1 << 30)),
        ("c4.clean_without_sentences", lambda _, enough: enough, lambda _: 3),
    ):
        pair = compare(functools.partial(_clean, pages, ours), functools.partial(_clean_all_bare, pages, bare), runs=3)
        value = megabytes / pair.ours.seconds
        goal = {"goal": f">= {_CLEAN_GOAL} MB/s", "met": value >= _CLEAN_GOAL}
        kept = sum(page is not None for page in _clean(pages, ours))
        detail = f"{kept:,} of {len(pages):,} pages kept"
        yield speed(name, megabytes, pair, against="a plain loop over the lines", detail=detail, **goal)


def _pages(inputs: Inputs) -> list[str]:
    return [c4_lines(f"{document.metadata['title']}\n{document.text}") for document in inputs.documents]


def _clean(pages: Sequence[str], count: Callable[[str, int], int]) -> list[str | None]:
    limits = C4Limits()
    return [clean_page(page, limits, count).text for page in pages]


def _clean_all_bare(pages: Sequence[str], count: Callable[[str], int]) -> list[str | None]:
    return [_clean_bare(page, count) for page in pages]


def _clean_bare(text: str, count: Callable[[str], int]) -> str | None:
    kept, sentences = [], 0
    for stripped in map(str.strip, text.splitlines()):
        if any(len(word) > 1000 for word in stripped.split()):
            continue
        line = _CITATION.sub("", stripped)
        if not line.endswith((".", "?", "!", '"')) or line.endswith("...") or len(line.split()) < 5:
            continue
        lowered = line.lower()
        if "lorem ipsum" in lowered or ("{" in line and "javascript" not in lowered):
            return None
        if "javascript" in lowered or _POLICY.search(lowered):
            continue
        sentences += count(line)
        kept.append(line)
    return "\n".join(kept) if sentences >= 3 else None


def identify_language(inputs: Inputs) -> Iterator[Result]:
    """Cleaned pages through our langdetect, beside the package's own ``detect_langs``."""
    pages = [page for page in _clean(_pages(inputs), lambda _, enough: enough) if page is not None][:_LANGUAGE_PAGES]
    detect = LangDetect()
    langdetect.DetectorFactory.seed = 0
    pair = compare(lambda: detect(pages), lambda: [_detect_bare(page) for page in pages], runs=3)
    yield speed("c4.language", text_megabytes(pages), pair, against="langdetect itself")


def _detect_bare(text: str) -> object:
    try:
        return langdetect.detect_langs(text)
    except LangDetectException:
        return None


def find_bad_words(inputs: Inputs) -> Iterator[Result]:
    """Pages through a list of words that are found nowhere, beside C4's single regular expression."""
    pages = _pages(inputs)
    words = [f"{first}{second}{third}zq" for first in "bdfgklmnprst" for second in "aeiou" for third in "bdgklnrt"]
    listed = [*words[: _LISTED - 40], *(f"{word} {word}" for word in words[-40:])]
    pattern = re.compile(rf"(?:\W|^)({'|'.join(map(re.escape, listed))})(?:\W|$)")
    found = BadWords(listed, "en")
    pages = pages[: len(pages) // 8]
    pair = compare(
        lambda: [found.found_in(page) for page in pages],
        lambda: [pattern.search(page.lower()) for page in pages],
        runs=3,
    )
    yield speed("c4.bad_words", text_megabytes(pages), pair, against=f"one pattern of {len(listed)} words")


def read_published(inputs: Inputs) -> Iterator[Result]:
    """Pages packed as the published files are into documents, beside gzip and json alone."""
    rows = [{"text": one.text, "timestamp": one.created, "url": one.url} for one in inputs.documents]
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), 6)
    pair = compare(lambda: sum(1 for _ in read_c4(io.BytesIO(packed), name="bench")), lambda: _read_bare(packed))
    yield speed("c4.read", text_megabytes(row["text"] for row in rows), pair, against="bare gzip and json")


def _read_bare(packed: bytes) -> int:
    with gzip.open(io.BytesIO(packed)) as lines:
        return sum(1 for line in lines if json.loads(line))
