"""What a downloaded file must be: checksums, first bytes, gzip that is whole to its end (RFC 1952).

Nothing that is fetched is HTML, so a page of it is a fault whatever is known of the file: servers and proxies send
pages to sign in, or to say sorry, with status 200.
"""

import hashlib
import re
from dataclasses import dataclass

from isal import isal_zlib

GZIP_HEAD = b"\x1f\x8b\x08"
_GZIP_WINDOW = 31  # zlib's code for "gzip, with its header and checksum"
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html)", re.IGNORECASE)
_READ_BYTES = 1 << 20
_SLICE_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class Checks:
    """What is known of a file before it comes.

    Attributes:
        sha256: Of the whole file, hexadecimal.
        md5: The same, where nothing better is published.
        head: The bytes it begins with.
        gzip: Whether it is gzip, to be walked member by member to the end.
    """

    sha256: str | None = None
    md5: str | None = None
    head: bytes = b""
    gzip: bool = False

    @property
    def tell_whole_from_part(self) -> bool:
        """Whether a file that passes cannot be cut short."""
        return self.gzip or self.sha256 is not None or self.md5 is not None


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found in a file.

    Attributes:
        bytes: Its size.
        sha256: Its checksum, hexadecimal.
        fault: What is wrong with it; empty where nothing is.
    """

    bytes: int
    sha256: str
    fault: str = ""


def inspect_file(path: str, checks: Checks) -> Inspected:
    """Read a file once, from end to end, and hold it to the checks."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    walk = GzipWalk() if checks.gzip else None
    size, head, page = 0, b"", False
    with open(path, "rb") as stream:
        while piece := stream.read(_READ_BYTES):
            if not size:
                head, page = piece[: len(checks.head)], _HTML.match(piece) is not None
            size += len(piece)
            sha256.update(piece)
            if checks.md5 is not None:
                md5.update(piece)
            if walk is not None:
                walk.feed(piece)
    fault = _hash_fault(checks, sha256.hexdigest(), md5.hexdigest())
    if page:
        fault = "begins with HTML: an error page, or one to sign in, and not what was asked for"
    elif head != checks.head:
        fault = f"begins with {head!r} instead of {checks.head!r}"
    elif walk is not None and (broken := walk.finish()):
        fault = broken
    return Inspected(size, sha256.hexdigest(), fault)


def _hash_fault(checks: Checks, sha256: str, md5: str) -> str:
    if checks.sha256 not in {None, sha256}:
        return f"has the SHA-256 {sha256} instead of {checks.sha256}"
    if checks.md5 not in {None, md5}:
        return f"has the MD5 {md5} instead of {checks.md5}"
    return ""


class GzipWalk:
    """Inflates gzip members one after the other and keeps nothing; memory stays at some 1 MiB."""

    def __init__(self) -> None:
        self._state = isal_zlib.decompressobj(_GZIP_WINDOW)
        self._fed = self._members = 0
        self._open = False
        self._fault = ""

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the file; nothing more is inflated after a fault."""
        self._fed += len(piece)
        at = 0
        while at < len(piece) and not self._fault:
            self._open = True
            # In slices, for what lies behind a member's end is copied, and members may be a kilobyte each.
            given = piece[at : at + _SLICE_BYTES]
            _, left = self._inflate(given)
            at += len(given) - left

    def finish(self) -> str:
        """Say what is wrong with the file, if anything; nothing may be fed afterwards."""
        more = True
        while self._open and more and not self._fault:
            more, _ = self._inflate(b"")
        if self._open or not self._members:
            return self._fault or f"ends inside gzip member {self._members + 1}, at byte {self._fed}"
        return self._fault

    def _inflate(self, piece: bytes) -> tuple[bool, int]:
        """Inflate some; returns whether anything came out, and how many bytes of the piece are left."""
        try:
            came = bool(self._state.decompress(piece, _READ_BYTES))
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub types the class as an instance
            self._fault = f"is damaged gzip in member {self._members + 1}, before byte {self._fed}: {error}"
            return False, 0
        if not self._state.eof:
            return came, len(self._state.unconsumed_tail)
        left = len(self._state.unused_data)
        self._members += 1
        self._open = False
        self._state = isal_zlib.decompressobj(_GZIP_WINDOW)
        return came, left
