"""Books out of zip archives, as Project Gutenberg has them: each member that is a text is a book.

An archive is hostile until it is read: nothing in it is written anywhere, a name that leads out of it is an error, and
so is a member that needs a password, is an archive itself, shares its bytes with another, or expands as no text does.
"""

import zipfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from filters.books import BookReason
from filters.verdict import Drop
from pipeline.document import MalformedRecord
from pipeline.reading import Item
from pipeline.sources.book_context import SOURCE, BookContext
from pipeline.sources.book_units import TEXT, book_stem, format_of
from pipeline.sources.decompressed import Watched, read_capped
from pipeline.sources.zip_members import ZIP_FAULTS, expansion, fault_of, overlapping, said

_ARCHIVES = (".zip", ".gz", ".zst", ".7z", ".tar", ".tgz", ".bz2", ".xz", ".rar")


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
    except ZIP_FAULTS as error:
        watched.check()
        yield MalformedRecord("books/bad_zip", said(error), offset=0, is_record=False), size
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
    shared = overlapping(archive.infolist())
    stems: set[str] = set()
    for index, member in enumerate(archive.infolist()):
        name = member.filename
        stem = book_stem(name)
        is_archive = name.lower().endswith(_ARCHIVES)
        if member.is_dir() or not (is_archive or format_of(name) == TEXT):
            continue
        fault = fault_of(member, SOURCE)
        if is_archive:
            fault = "books/nested_archive", "an archive in an archive"
        elif fault is None and stem in stems:
            fault = "books/duplicate_member", "a second member of this name, suffixes left out"
        elif fault is None and index in shared:
            fault = "books/overlapping_member", "its bytes belong to another member as well"
        if fault is None:
            stems.add(stem)
        yield member, fault


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, context: BookContext, watched: Watched) -> Item:
    identifier = context.identifier(f"{context.file.below}#{book_stem(member.filename)}")
    if member.file_size > context.max_book_bytes:
        return context.too_long(identifier, member.file_size, whole=True)
    believed = expansion(member.compress_size)
    allowed = min(context.max_book_bytes, believed)
    try:
        with archive.open(member) as text:
            data, size = read_capped(text.read, allowed)
    except ZIP_FAULTS as error:
        watched.check()
        return _malformed(member, "books/bad_member", said(error))
    if data is not None:
        return context.book(identifier, data)
    if allowed == believed:
        return _malformed(member, "books/bomb", f"{member.compress_size} bytes expand to more than {allowed}")
    return context.too_long(identifier, size, whole=False)


def _malformed(member: zipfile.ZipInfo, cause: str, detail: str) -> MalformedRecord:
    return MalformedRecord(cause, f"{member.filename!a}: {detail}", offset=member.header_offset)
