"""Which pages the reference classifier is trained on: a bounded, seeded sample that does not depend on their order.

Each side holds the pages whose seeded hash of the normalised URL is smallest, each URL once: of its copies the one
whose text has the smallest hash. So the same pages give the same sample however often and in whatever order they come.
Texts wait in a file without a name, not in memory.
"""

import heapq
import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import BinaryIO, Self

import xxhash

from filters.reference import LABEL_PREFIX, reference_text
from filters.urls import normalize_url, registered_domain

_LABEL_WORD = re.compile(rf"(?<![^ \r\t\v\f\0]){LABEL_PREFIX}[^ \r\t\v\f\0]*")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the classifier sees it.

    Attributes:
        url: Its address.
        text: Its text.
    """

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """A page of the sample.

    Attributes:
        order: Seeded hash of its normalised URL.
        key: Fingerprint of its normalised URL.
        digest: Hash of its text.
        start: Where its text begins in the sample's file.
        size: Bytes of its text.
        domain: Its registered domain.
        is_reference: Its side.
    """

    order: int
    key: int
    digest: int
    start: int
    size: int
    domain: str
    is_reference: bool


def training_text(text: str) -> str:
    """Put a text into the form the model is trained on: the form it is asked in, without words that look like labels.

    fastText passes over such words when it is asked; in a training line they would be labels.
    """
    line = reference_text(text)
    return _LABEL_WORD.sub("", line) if LABEL_PREFIX in line else line


class PageSample:
    """Gathers pages of both sides.

    Memory holds some 400 bytes for a page of the sample and 60 for the URL of any reference seen. The file holds each
    text that had a place when it came: of *n* pages for *k* places, some *k* (1 + ln(*n* / *k*)) texts a side.

    Args:
        max_pages: Pages of each side at most.
        min_chars: Least characters of a page.
        seed: Of the choice.
    """

    def __init__(self, *, max_pages: int, min_chars: int, seed: int) -> None:
        self._min_chars = min_chars
        self._seed = seed
        self._sides = {True: _Side(max_pages), False: _Side(max_pages)}
        self._references: set[int] = set()
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the texts' file back."""
        self._file.close()

    def add(self, page: Page, *, is_reference: bool) -> None:
        """Take a page in, or count why not.

        A random page whose URL came as a reference is left out, so references are to be added first, unless the caller
        tells the sides apart by the URL alone.
        """
        counts, url = self._sides[is_reference].counts, normalize_url(page.url)
        counts["read"] += 1
        key = xxhash.xxh3_64_intdigest(url.encode())
        if not url:
            counts["no_url"] += 1
        elif not is_reference and key in self._references:
            counts["cited"] += 1
        elif len(page.text) < self._min_chars:
            counts["too_short"] += 1
        else:
            self._offer(page.text, url, key, is_reference)
        if is_reference and url:
            self._references.add(key)

    def counts(self, *, is_reference: bool) -> Counter[str]:
        """Give a side's counts: ``read``, and of these ``no_url``, ``cited`` and ``too_short``."""
        return self._sides[is_reference].counts

    def available(self, *, is_reference: bool) -> int:
        """Count the pages that a side has."""
        return len(self._sides[is_reference].pages)

    def balanced(self) -> list[Sampled]:
        """Give as many pages of one side as of the other, the smallest orders first, sides mixed."""
        number = min(self.available(is_reference=side) for side in (True, False))
        pages = [page for side in self._sides.values() for page in sorted(side.pages.values(), key=_rank)[:number]]
        return sorted(pages, key=_rank)

    def text(self, page: Sampled) -> str:
        """Give a page's text in the form of :func:`training_text`."""
        self._file.seek(page.start)
        return self._file.read(page.size).decode()

    def _offer(self, text: str, url: str, key: int, is_reference: bool) -> None:  # noqa: FBT001
        side, order = self._sides[is_reference], xxhash.xxh3_64_intdigest(url.encode(), seed=self._seed)
        if not side.has_place(order, key):
            return
        line = training_text(text).encode(errors="replace")
        digest = xxhash.xxh3_64_intdigest(line)
        if key in side.pages and side.pages[key].digest <= digest:
            return
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(line)
        side.put(Sampled(order, key, digest, start, len(line), registered_domain(url), is_reference))


class _Side:
    """The pages of one side that have the smallest orders so far."""

    def __init__(self, max_pages: int) -> None:
        self._max_pages = max_pages
        self._largest_first: list[tuple[int, int]] = []
        self.pages: dict[int, Sampled] = {}
        self.counts: Counter[str] = Counter()

    def has_place(self, order: int, key: int) -> bool:
        return key in self.pages or len(self.pages) < self._max_pages or order < -self._largest_first[0][0]

    def put(self, page: Sampled) -> None:
        if page.key not in self.pages:
            heapq.heappush(self._largest_first, (-page.order, page.key))
        self.pages[page.key] = page
        if len(self.pages) > self._max_pages:
            del self.pages[heapq.heappop(self._largest_first)[1]]


def _rank(page: Sampled) -> tuple[int, int]:
    return page.order, page.key
