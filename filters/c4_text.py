"""C4's view of a page: its lines, its address, its sentences, and the keys that say which of two copies stays.

The method is that of Raffel et al. (2020, section 2.2), in the detail of the code that made the published C4
(``c4_utils.py`` of TensorFlow Datasets, version 3). That code decides the keys by MD5, and so do we wherever an order
or a remainder is asked of them; a line's key is only ever compared for equality and is XXH3, as in
:mod:`filters.line_dedup`.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import nupunkt
import xxhash
from numpy.typing import NDArray

_HEADER_STARTS = ("WARC", "CONTENT-", "Content-")
_SCHEME = re.compile(r"https?://(www\.)?")
_TRACKING = re.compile(r"\?(utm_|ref|feed).*")
_VALIDATION_PART = 1000  # of this many pages, one
_MICROSECOND = timedelta(microseconds=1)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
_HEAD_CHARS = 1024  # of a text, nearly always enough to find three sentences


def c4_lines(block: str) -> str:
    r"""Take the lines of a WET block that C4 takes for content.

    C4 reads a WET file line by line, headers and text alike, and leaves out every line that begins like a header, in
    the text too. The title is a line like any other. Lines end as in a file opened as text (LF, CRLF, CR); the other
    line ends of Unicode end one only later, in :func:`filters.c4.clean_page`. Text taken out of HTML is read the same.

    Args:
        block: A record's block; for a document of :mod:`pipeline.sources.pages`, title, LF and text.

    Returns:
        The lines, stripped, none empty, joined with LF.

    >>> c4_lines("Title\r\n\r\n  One.\nContent-Type is a header.\n")
    'Title\nOne.'
    """
    if "\r" in block:
        block = block.replace("\r\n", "\n").replace("\r", "\n")
    lines = [stripped for line in block.split("\n") if (stripped := line.strip())]
    return "\n".join([line for line in lines if not line.startswith(_HEADER_STARTS)])


def url_key(url: str) -> str:
    """Give the address under which pages are one page: without scheme, ``www.`` and tracking; case counts.

    The scheme goes wherever it stands, in the archived address inside an archive's as well, and a query goes to its
    end when its first name begins with ``utm_``, ``ref`` or ``feed``, so ``?reference=1`` goes too.

    >>> url_key("https://www.example.com/a/?utm_source=x&id=1")
    'example.com/a'
    """
    return _TRACKING.sub("", _SCHEME.sub("", url)).rstrip("/")


def is_validation(url: str) -> bool:
    """Whether C4 puts a page into its validation split, one page in a thousand; which text it has does not matter."""
    return url_hash(url) % _VALIDATION_PART == 0


def url_hash(url: str) -> int:
    """Give the 128 bits that C4 draws by: MD5 of the :func:`url_key`, the first byte the highest."""
    return int.from_bytes(_md5(url_key(url)))


def page_order(url: str) -> int:
    """Give a page's place in the order that decides whose copy of a line stays: the smallest.

    Args:
        url: The page's address as crawled, not its :func:`url_key`.

    Returns:
        The first 64 bits of its MD5, the first byte the highest, so that they order as the whole hash does.
    """
    return int.from_bytes(_md5(url)[:8])


def _md5(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def newest_first(timestamp: str) -> int | None:
    """Give a crawl time's place in the order that decides which copy of a page stays: the smallest, so the newest.

    C4 compares the texts of the timestamps and keeps the newer one; among equal ones it keeps what it meets first.

    Args:
        timestamp: ISO 8601; without an offset it is UTC.

    Returns:
        The microseconds to the end of the year 9999, which fit into 64 bits; ``None`` where it is no time.

    >>> newest_first("2019-04-25T12:57:54Z") < newest_first("2019-04-25T12:57:53.999999Z")
    True
    """
    try:
        time = datetime.fromisoformat(timestamp)
        utc = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (_LAST_MOMENT - utc) // _MICROSECOND


def line_keys(text: str) -> NDArray[np.uint64]:
    r"""Give the keys by which line deduplication compares lines: XXH3-64 of each line, stripped and lower-cased.

    Args:
        text: A cleaned page; its lines end with LF.

    Returns:
        One key for each part of ``text.split("\n")``.

    >>> keys = line_keys("One line.\n ONE LINE. \nAnother.")
    >>> bool(keys[0] == keys[1] != keys[2])
    True
    """
    lowered = "\n".join([line.strip() for line in text.split("\n")]).lower()
    digests = b"".join(map(xxhash.xxh3_64_digest, lowered.encode().split(b"\n")))
    return np.frombuffer(digests, ">u8").astype(np.uint64)


class Sentences:
    """Sentence borders by Punkt (Kiss & Strunk, 2006), in nupunkt's implementation and with its English model.

    C4 takes NLTK's Punkt with NLTK's English model, which is no part of that package and has to be downloaded.
    nupunkt's is, but it knows more abbreviations: of 666 published pages, of which each has three sentences by C4's
    own count, it finds fewer in 7. NLTK's parameters in nupunkt's algorithm would be neither the one nor the other,
    so they cannot be given.
    """

    def __init__(self) -> None:
        self._tokenizer = nupunkt.load_default_model()

    def count(self, text: str, enough: int) -> int:
        """Count sentences as far as it matters.

        A border depends on the word before it and on the one behind it alone. So what is found in the beginning of a
        text, cut before a blank, less one for the cut, is found in the whole as well.

        Args:
            text: A line or a page; a line end is a blank like others.
            enough: How many are enough.

        Returns:
            The number of sentences, or ``enough`` where there are more. A text that is not blank has one at least.
        """
        cut = _before_blank(text, _HEAD_CHARS)
        if cut < len(text) and len(self.spans(text[:cut])) > enough:
            return enough
        return min(len(self.spans(text)), enough)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Give the sentences of a text as ``(start, end)``, in characters, all that is not blank between and around.

        What has more than 1,000 characters and no blank is no prose and ends no sentence: nupunkt's time grows with
        the square of it, and C4's rules take such lines out.
        """
        if len(text) > _MAX_WORD_CHARS and max(map(len, text.split()), default=0) > _MAX_WORD_CHARS:
            text = _LONG_WORD.sub(lambda word: "x" * len(word.group()), text)
        return [_stripped(text, start, end) for start, end in self._tokenizer.span_tokenize(text)]


_MAX_WORD_CHARS = 1000
_LONG_WORD = re.compile(r"\S{1001,}")
_BLANK = re.compile(r"\s")


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    sentence = text[start:end]
    return end - len(sentence.lstrip()), start + len(sentence.rstrip())


def _before_blank(text: str, at_least: int) -> int:
    found = _BLANK.search(text, at_least)
    return len(text) if found is None else found.start()
