"""Books out of zip archives, as Project Gutenberg has them: each member that is a text is a book.

An archive is hostile until it is read: nothing in it is written anywhere, a name that leads out of it is an error, and
so is a member that needs a password, is an archive itself, shares its bytes with another, or expands as no text does.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from filters.books import BookReason
from filters.verdict import Drop
from pipeline.document import MalformedRecord
from pipeline.reading import Item
from pipeline.sources.book_context import BookContext, Watched, read_capped
from pipeline.sources.book_units import TEXT, book_stem, format_of

#: No text deflates further; a run of one byte does so a thousandfold.
MAX_EXPANSION = 100
_FREE_BYTES = 1 << 20  # a member may expand to, whatever its size
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # LZMA's memory is the archive's to choose
_ARCHIVES = (".zip", ".gz", ".zst", ".7z", ".tar", ".tgz", ".bz2", ".xz", ".rar")
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(RuntimeError, ValueError, OverflowError, LookupError),
    OSError,  # of bzip2, and of a place that cannot be
)


def read_archive(stream: BinaryIO, context: BookContext) -> Iterator[tuple[Item, int]]:
    """Read the texts of an archive in the order of its directory.

    Ids are ``<collection>/<archive>#<member without suffix>``. Members of other kinds (pages of HTML, pictures) are no
    books and are passed over.

    Raises:
        OSError: The archive cannot be read for no fault of its own.
    """
    size = context.file.size
    watched = Watched(stream)
    try:
        archive = zipfile.ZipFile(cast("BinaryIO", watched))
    except _FAULTS as error:
        watched.check()
        yield MalformedRecord("books/bad_zip", _said(error), offset=0, is_record=False), size
        return
    with archive:
        done, read = 0, 0
        for member, fault in _members(archive):
            done = min(size, done + member.compress_size)
            item = _malformed(member, *fault) if fault else _read_member(archive, member, context, watched)
            read += 1
            yield item, done
        if not read:
            yield context.drop(context.identifier(context.file.below), Drop(BookReason.NO_TEXT_MEMBER, 0, 1)), size


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, tuple[str, str] | None]]:
    """Give the members that are texts or faults, the latter with cause and detail."""
    overlapping = _overlapping(archive.infolist())
    stems: set[str] = set()
    for index, member in enumerate(archive.infolist()):
        name = member.filename
        stem = book_stem(name)
        is_archive = name.lower().endswith(_ARCHIVES)
        if member.is_dir() or not (is_archive or format_of(name) == TEXT):
            continue
        fault = _fault(member)
        if is_archive:
            fault = "books/nested_archive", "an archive in an archive"
        elif fault is None and stem in stems:
            fault = "books/duplicate_member", "a second member of this name, suffixes left out"
        elif fault is None and index in overlapping:
            fault = "books/overlapping_member", "its bytes belong to another member as well"
        if fault is None:
            stems.add(stem)
        yield member, fault


def _fault(member: zipfile.ZipInfo) -> tuple[str, str] | None:
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or parts[0].endswith(":"):
        return "books/unsafe_member", "the name leads out of the archive"
    if member.flag_bits & _ENCRYPTED:
        return "books/encrypted_member", "a password is needed"
    if member.compress_type not in _METHODS:
        return "books/unknown_compression", f"method {member.compress_type}"
    return None


def _overlapping(members: list[zipfile.ZipInfo]) -> set[int]:
    """Find members whose bytes begin before those of the one in front of them end."""
    found, end = set(), 0
    for index in sorted(range(len(members)), key=lambda index: members[index].header_offset):
        if members[index].header_offset < end:
            found.add(index)
        end = max(end, members[index].header_offset + members[index].compress_size)
    return found


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, context: BookContext, watched: Watched) -> Item:
    identifier = context.identifier(f"{context.file.below}#{book_stem(member.filename)}")
    if member.file_size > context.max_book_bytes:
        return context.too_long(identifier, member.file_size, whole=True)
    expansion = max(_FREE_BYTES, MAX_EXPANSION * member.compress_size)
    allowed = min(context.max_book_bytes, expansion)
    try:
        with archive.open(member) as text:
            data, size = read_capped(text.read, allowed)
    except _FAULTS as error:
        watched.check()
        return _malformed(member, "books/bad_member", _said(error))
    if data is not None:
        return context.book(identifier, data)
    if allowed == expansion:
        return _malformed(member, "books/bomb", f"{member.compress_size} bytes expand to more than {allowed}")
    return context.too_long(identifier, size, whole=False)


def _malformed(member: zipfile.ZipInfo, cause: str, detail: str) -> MalformedRecord:
    return MalformedRecord(cause, f"{member.filename!a}: {detail}", offset=member.header_offset)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)!a}"
