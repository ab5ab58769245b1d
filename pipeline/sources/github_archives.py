"""A repository as an archive: zip or tar, the latter compressed or not.

An archive is read twice, for its licence may stand behind the files that fall under it. A folder that holds everything,
as in the archives that GitHub hands out, is no part of the paths. Archives in an archive are not opened.
"""

import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from filters.licence_texts import detect_licence
from filters.repository_files import is_licence_file, licences_above
from filters.verdict import Drop
from pipeline.document import MalformedRecord, Shard
from pipeline.files import open_read
from pipeline.reading import Item
from pipeline.sources.decompressed import Decompressed, Readable, Watched, open_decompressed, read_capped
from pipeline.sources.github_context import SOURCE, GithubContext, Place, RepositoryReason
from pipeline.sources.tar_members import TarFault, TarKind, TarMember, TarReader
from pipeline.sources.zip_members import MAX_EXPANSION, ZIP_FAULTS, expansion, fault_of, is_unsafe, overlapping, said

#: What a licence file whose text is not known states.
UNRECOGNISED = "a licence file that is not recognised"
MAX_LICENCE_BYTES = 256 << 10
_MAX_LICENCE_FILES = 1000
_MAGIC_BYTES = 4
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GIT = ".git"
_FREE_BYTES = 16 << 20  # a compressed archive may expand to, whatever its size


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member that may be a file of the repository.

    Attributes:
        name: Its name in the archive.
        kind: What it is.
        size: Bytes it says it has.
        offset: Where it begins: in a zip archive a byte of the file, in a tar archive one of what is decompressed.
        read: Reads on in its content.
        allowed: Bytes it is believed to have at most; what has more is a bomb.
    """

    name: str
    kind: TarKind
    size: int
    offset: int
    read: Callable[[int], bytes]
    allowed: int = 1 << 62


@dataclass(slots=True)
class _Survey:
    """What the first reading finds: the folders at the top, and what licence files hold, by folder."""

    tops: set[str] = field(default_factory=set)
    licences: dict[str, list[str | None]] = field(default_factory=dict)

    def path_of(self, name: str) -> str:
        """Give a member's path in the repository."""
        path = _plain(name)
        return path.partition("/")[2] if len(self.tops) == 1 and "" not in self.tops else path


def read_archive(shard: Shard, repository: str, context: GithubContext) -> Iterator[tuple[Item, int]]:
    """Read the files of an archive.

    Args:
        shard: The archive.
        repository: The repository it holds.
        context: What its files are held to.

    Yields:
        Each file once, in the order of the archive, as document, dropped or malformed, and faults of the archive; with
        the bytes read so far, of which half belong to the first reading.
    """
    survey = _Survey()
    position = half = shard.size // 2
    with open_read(shard.path) as stream:
        for entry in _entries(stream, shard):
            if isinstance(entry, _Entry):
                _look_at(entry, survey)
    with open_read(shard.path) as stream:
        for entry in _entries(stream, shard):
            position = max(position, min(shard.size, half + stream.tell() // 2))
            if isinstance(entry, MalformedRecord):
                yield entry, position
            elif entry.kind is not TarKind.FOLDER:
                yield _item(entry, survey, repository, context), position


def stated(path: str, licences: dict[str, list[str | None]]) -> list[str]:
    """Give what the licence files at or above a file state; nothing where there are none."""
    found = licences_above(path, licences)
    if found is None:
        return []
    return sorted({one for one in found if one is not None}) or [UNRECOGNISED]


def _look_at(entry: _Entry, survey: _Survey) -> None:
    if entry.kind is TarKind.FOLDER or is_unsafe(entry.name):
        return
    path = _plain(entry.name)
    survey.tops.add(path.partition("/")[0] if "/" in path else "")
    if entry.kind is TarKind.FILE and is_licence_file(path) and len(survey.licences) < _MAX_LICENCE_FILES:
        try:
            data, _ = read_capped(entry.read, min(MAX_LICENCE_BYTES, entry.allowed))
        except (MalformedRecord, *ZIP_FAULTS):
            return  # the second reading tells
        found = None if data is None else detect_licence(data.decode(errors="replace"))
        survey.licences.setdefault(path.rpartition("/")[0], []).append(found)


def _plain(name: str) -> str:
    """Write a name as a path: bytes that are no UTF-8 as escapes, without parts that lead nowhere.

    >>> _plain("./a//b.c")
    'a/b.c'
    """
    text = name.encode(errors="backslashreplace").decode()
    return "/".join(part for part in text.split("/") if part not in {"", "."})


def _item(entry: _Entry, survey: _Survey, repository: str, context: GithubContext) -> Item:
    if is_unsafe(entry.name):
        detail = f"{entry.name!a}: the name leads out of the archive"[:200]
        return MalformedRecord(f"{SOURCE}/unsafe_member", detail, offset=0, inner_offset=entry.offset)
    path = survey.path_of(entry.name)
    place = Place(repository, context.collection.ref, path)
    if entry.kind is not TarKind.FILE or not path or _GIT in path.split("/"):
        return context.drop(place, Drop(RepositoryReason.NOT_A_FILE, detail=entry.kind))
    licences = stated(_plain(entry.name), survey.licences)
    refused = context.check_place(place, licences, None)
    if refused is not None:
        return context.drop(place, refused)
    return read_file(place, licences, context, entry.read, entry.size, entry.offset, entry.allowed)


def read_file(
    place: Place,
    licences: list[str],
    context: GithubContext,
    read: Callable[[int], bytes],
    size: int,
    offset: int = 0,
    allowed: int = 1 << 62,
) -> Item:
    """Read one file, unless it is too long.

    Args:
        place: Where it stands.
        licences: What is stated of its licence.
        context: What it is held to.
        read: Reads on in it.
        size: Bytes it says it has.
        offset: Where it begins, for errors.
        allowed: Bytes it is believed to have at most.
    """
    if size > context.max_file_bytes:
        return context.too_long(place, size)
    try:
        data, found = read_capped(read, min(context.max_file_bytes, allowed))
    except MalformedRecord as fault:
        return MalformedRecord(fault.cause, fault.detail, offset=0, inner_offset=offset)
    except ZIP_FAULTS as error:
        return MalformedRecord(f"{SOURCE}/bad_member", f"{place.path!a}: {said(error)}"[:200], offset=offset)
    if data is not None:
        return context.from_bytes(place, licences, data)
    if found > allowed:
        return MalformedRecord(f"{SOURCE}/bomb", f"{place.path!a}: expands to more than {allowed}"[:200], offset=offset)
    return context.too_long(place, found, whole=False)


def _entries(stream: BinaryIO, shard: Shard) -> Iterator[_Entry | MalformedRecord]:
    head = stream.read(_MAGIC_BYTES)
    stream.seek(0)
    if head.startswith(_ZIP_MAGIC) or shard.path.lower().endswith(".zip"):
        yield from _zip_entries(stream)
        return
    try:
        yield from _tar_entries(open_decompressed(stream, head, SOURCE), shard)
    except MalformedRecord as fault:
        where = {"offset": fault.offset, "inner_offset": fault.inner_offset}
        yield MalformedRecord(fault.cause, fault.detail, is_record=False, **where)


def _tar_entries(archive: Readable, shard: Shard) -> Iterator[_Entry | MalformedRecord]:
    size = None if isinstance(archive, Decompressed) else shard.size
    for member in TarReader(_bounded(archive), size):
        if isinstance(member, TarFault):
            cause = f"{SOURCE}/tar_{member.cause}"
            yield MalformedRecord(
                cause, member.detail, offset=0, inner_offset=member.offset, is_record=member.is_member
            )
        else:
            yield _Entry(member.name, member.kind, member.size, member.offset, _whole(member))


def _bounded(archive: Readable) -> Callable[[int], bytes]:
    """Read an archive as long as it expands as text does; what expands further is a bomb."""
    done = 0

    def read(size: int) -> bytes:
        nonlocal done
        piece = archive.read(size)
        done += len(piece)
        if done > _FREE_BYTES + MAX_EXPANSION * archive.tell():
            detail = f"{archive.tell()} bytes expand to more than {done}"
            raise MalformedRecord(f"{SOURCE}/bomb", detail, offset=0, inner_offset=done)
        return piece

    return read


def _whole(member: TarMember) -> Callable[[int], bytes]:
    """Read a member, and do not take the end of the archive for its end."""
    left = member.size

    def read(size: int) -> bytes:
        nonlocal left
        piece = member.read(size)
        left -= len(piece)
        if left and not piece:
            raise MalformedRecord(f"{SOURCE}/truncated", f"{member.name!a}: the archive ends inside it"[:200], offset=0)
        return piece

    return read


def _zip_entries(stream: BinaryIO) -> Iterator[_Entry | MalformedRecord]:
    watched = Watched(stream)
    try:
        archive = zipfile.ZipFile(cast("BinaryIO", watched))
    except ZIP_FAULTS as error:
        watched.check()
        yield MalformedRecord(f"{SOURCE}/bad_zip", said(error)[:200], offset=0, is_record=False)
        return
    with archive:
        members = archive.infolist()
        shared = overlapping(members)
        for index, member in enumerate(members):
            fault = fault_of(member, SOURCE)
            if fault is None and index in shared:
                fault = f"{SOURCE}/overlapping_member", "its bytes belong to another member as well"
            if fault is not None:
                detail = f"{member.filename!a}: {fault[1]}"[:200]
                yield MalformedRecord(fault[0], detail, offset=member.header_offset)
            else:
                yield _zip_entry(archive, member, watched)


def _zip_entry(archive: zipfile.ZipFile, member: zipfile.ZipInfo, watched: Watched) -> _Entry:
    mode = member.external_attr >> 16
    kind = TarKind.FOLDER if member.is_dir() else TarKind.LINK if stat.S_ISLNK(mode) else TarKind.FILE
    opened: list[BinaryIO] = []

    def read(size: int) -> bytes:
        try:
            if not opened:
                opened.append(cast("BinaryIO", archive.open(member)))
            return opened[0].read(size)
        except ZIP_FAULTS:
            watched.check()
            raise

    return _Entry(member.filename, kind, member.file_size, member.header_offset, read, expansion(member.compress_size))
