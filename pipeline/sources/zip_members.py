"""Members of zip archives, which are hostile until they are read: what is wrong with one, and how far it may expand."""

import struct
import zipfile
import zlib
from collections.abc import Sequence

#: No text deflates further; a run of one byte does so a thousandfold.
MAX_EXPANSION = 100
_FREE_BYTES = 1 << 20  # a member may expand to, whatever its size
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # LZMA's memory is the archive's to choose
#: What reading a damaged archive raises.
ZIP_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, OverflowError, LookupError),
    OSError,  # of bzip2, and of a place that cannot be
)


def is_unsafe(name: str) -> bool:
    """Tell a name that leads out of the archive.

    >>> is_unsafe("../x"), is_unsafe("/etc/passwd"), is_unsafe("C:/x"), is_unsafe("a/b..c")
    (True, True, True, False)
    """
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or parts[0].endswith(":")


def fault_of(member: zipfile.ZipInfo, source: str) -> tuple[str, str] | None:
    """Say what is wrong with a member by its entry: cause, under the source's name, and detail."""
    if is_unsafe(member.filename):
        return f"{source}/unsafe_member", "the name leads out of the archive"
    if member.flag_bits & _ENCRYPTED:
        return f"{source}/encrypted_member", "a password is needed"
    if member.compress_type not in _METHODS:
        return f"{source}/unknown_compression", f"method {member.compress_type}"
    return None


def overlapping(members: Sequence[zipfile.ZipInfo]) -> set[int]:
    """Find members whose bytes begin before those of the one in front of them end."""
    found, end = set(), 0
    for index in sorted(range(len(members)), key=lambda index: members[index].header_offset):
        if members[index].header_offset < end:
            found.add(index)
        end = max(end, members[index].header_offset + members[index].compress_size)
    return found


def expansion(compressed: int) -> int:
    """Give the bytes that so many compressed ones are believed to hold at most."""
    return max(_FREE_BYTES, MAX_EXPANSION * compressed)


def said(error: Exception) -> str:
    """Put an error of a library into one line of ASCII."""
    return f"{type(error).__name__}: {str(error)!a}"
