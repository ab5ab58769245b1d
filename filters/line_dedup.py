"""Line deduplication's view of a text: which lines count as equal (CCNet, Wenzek et al. 2020, section 3.1).

Two lines are equal when they are the same after CCNet's ``normalize_for_dedup``: stripped, lower-cased, every digit
``0``, 34 Unicode punctuation marks and the control characters deleted. Accents, ASCII punctuation and inner spaces
count. A normalised line is known by 64 bits: CCNet takes the first half of its SHA-1, we take XXH3, since only
equality is ever asked of it (twice as fast; see DESIGN.md).

Which copies go is decided in the pipeline, where all lines of a window meet; this module only gives the fingerprints
and takes the lines out.
"""

import unicodedata
from enum import StrEnum
from typing import Annotated

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.verdict import Reason


class LineDedupReason(Reason):
    """Why line deduplication leaves a document out."""

    NO_LINE_LEFT = "line_dedup/no_line_left"


class Scope(StrEnum):
    """Which lines are compared with each other."""

    WINDOW = "window"
    DUMP = "dump"
    CORPUS = "corpus"


class Keep(StrEnum):
    """Which copy of a repeated line stays."""

    NONE = "none"
    FIRST = "first"


class LineDedupSettings(BaseModel):
    """Which copies of a line are removed.

    Attributes:
        scope: ``window``: consecutive files of a dump, ``windows_per_dump`` of them; ``dump``: all files of a dump;
            ``corpus``: all files of the run.
        windows_per_dump: CCNet compares 50 of a dump's 1,600 shards with each other, a 32nd of its files.
        keep: ``none`` removes all copies of a line that stands in two documents, as CCNet does; ``first`` keeps the
            copy with the smallest (shard, record, line). Inside one document the first copy always stays, unless the
            line goes altogether.
        max_shuffle_bytes: Bytes of fingerprints that cross the shuffle at once, 8 a line; more are taken in several
            passes, each resumable. ``null`` takes all in one, as a cluster can.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: Scope = Scope.WINDOW
    windows_per_dump: Annotated[int, Field(ge=1)] = 32
    keep: Keep = Keep.NONE
    max_shuffle_bytes: Annotated[int, Field(ge=1 << 20)] | None = 256 << 20

    @model_validator(mode="after")
    def _keep_pages_crawled_twice(self) -> "LineDedupSettings":
        if self.scope is Scope.CORPUS and self.keep is Keep.NONE:
            raise ValueError(
                "scope 'corpus' with keep 'none' deletes every page crawled twice; allowed with scope 'corpus': "
                "keep 'first'"
            )
        return self


#: CCNet's ``UNICODE_PUNCT``, less the full-width digit one: digits are folded before punctuation is deleted.
_PUNCTUATION = "，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
_C1_CONTROLS = "".join(map(chr, range(128, 160)))
_OTHER_DIGITS = "".join(chr(code) for code in range(128, 0x110000) if unicodedata.category(chr(code)) == "Nd")
_REPLACEMENT = dict.fromkeys(_OTHER_DIGITS, "0") | dict.fromkeys(_PUNCTUATION + _C1_CONTROLS, "")
_SPECIAL = frozenset(_REPLACEMENT)
_ASCII = bytes(range(128))
_FOLD_ASCII_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_C0_CONTROLS = bytes([*range(10), *range(11, 32), 127])


def normalize_lines(text: str) -> list[bytes]:
    r"""Normalise each line of a text as CCNet's ``normalize_for_dedup`` does, encoded in UTF-8.

    The whole text is folded at once and split afterwards, and only the non-ASCII characters are looked at one by one:
    the same result as line by line, three times as fast.

    >>> normalize_lines("  Copyright © 2019 “Example”, Inc.\nΑ\tΣ\n")
    [b'copyright \xc2\xa9 0000 example, inc.', b'\xce\xb1\xcf\x83', b'']
    """
    folded = "\n".join([line.strip() for line in text.split("\n")]).lower()
    encoded = folded.encode()
    if len(encoded) > len(folded):
        for char in _SPECIAL.intersection(encoded.translate(None, _ASCII).decode()):
            encoded = encoded.replace(char.encode(), _REPLACEMENT[char].encode())
    return encoded.translate(_FOLD_ASCII_DIGITS, _C0_CONTROLS).split(b"\n")


def fingerprint_lines(text: str) -> NDArray[np.uint64]:
    r"""Fingerprint each line of a text.

    Args:
        text: A document's text; its lines end with LF.

    Returns:
        XXH3-64 of each normalised line, as many as ``text.split("\n")`` has parts; empty lines have one like any.
    """
    digests = b"".join(map(xxhash.xxh3_64_digest, normalize_lines(text)))
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def remove_lines(text: str, removed: NDArray[np.bool_]) -> str:
    """Take lines out of a text.

    Args:
        text: The text that was fingerprinted.
        removed: For each of its lines, whether it goes.

    Returns:
        The other lines, joined with LF; empty when none is left.

    Raises:
        ValueError: ``removed`` is not as long as the text has lines.
    """
    lines = text.split("\n")
    if len(lines) != len(removed):
        raise ValueError(f"{len(lines)} lines in the text, {len(removed)} were fingerprinted")
    if not removed.any():
        return text
    return "\n".join([line for line, gone in zip(lines, removed.tolist(), strict=True) if not gone])
