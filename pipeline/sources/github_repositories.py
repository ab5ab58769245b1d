"""Repositories as folders and archives: which files belong to which, and how they are packed into units of work.

An archive is a unit. Files of folders are packed by their sorted names into units of about a batch, each with the
licence files of the repositories it has files of.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from filters.licence_texts import detect_licence
from filters.repository_files import is_licence_file
from filters.verdict import Drop
from pipeline.document import Shard
from pipeline.files import is_file, is_local, open_read
from pipeline.github_settings import GithubCollection, GithubSettings
from pipeline.reading import Item
from pipeline.sources.decompressed import read_capped
from pipeline.sources.github_archives import MAX_LICENCE_BYTES, read_archive, read_file, stated
from pipeline.sources.github_context import GithubContext, Place, RepositoryReason, collection_of

_ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tar\.gz|tar\.zst)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RepositoryUnit:
    """An archive, or files of folders that are read one after the other.

    Attributes:
        name: Its first file's, with the number of the others: it follows from the list of files alone.
        size: Bytes on disk.
        files: The files, by name, each with its repository and its path there; an archive's path is empty.
        licences: The licence files of these repositories: repository, folder and file.
    """

    name: str
    size: int
    files: tuple[tuple[str, str, Shard], ...]
    licences: tuple[tuple[str, str, str], ...] = ()


def place_of(shard: Shard, depth: int) -> tuple[str, str] | None:
    """Give a file's repository and its path there, which is empty for an archive; ``None`` if it is in none.

    >>> place_of(Shard("github", "", "", 0, below="owner/name/src/a.py"), 2)
    ('owner/name', 'src/a.py')
    >>> place_of(Shard("github", "", "", 0, below="owner/name-1.0.tar.gz"), 2)
    ('owner/name-1.0', '')
    >>> place_of(Shard("github", "", "", 0, below="owner/README"), 2) is None
    True
    """
    parts = shard.below.split("/")
    if len(parts) > depth:
        return "/".join(parts[:depth]), "/".join(parts[depth:])
    return (_ARCHIVE.sub("", shard.below), "") if _ARCHIVE.search(shard.below) else None


def pack_units(collection: GithubCollection, shards: Iterable[Shard], unit_bytes: int) -> list[RepositoryUnit]:
    """Pack the files of a collection into units of some ``unit_bytes``, archives by themselves."""
    files = sorted(
        (*place, shard.name, shard) for shard in shards if (place := place_of(shard, collection.depth)) is not None
    )
    found = [(repository, path, shard) for repository, path, _, shard in files]
    archives = [RepositoryUnit(file[2].name, file[2].size, (file,)) for file in found if not file[1]]
    plain = [file for file in found if file[1]]
    licences: dict[str, list[tuple[str, str, str]]] = {}
    for repository, path, shard in plain:
        if is_licence_file(path) and is_file(shard.path):
            licences.setdefault(repository, []).append((repository, path.rpartition("/")[0], shard.path))
    return [*archives, *(_unit(group, licences) for group in _groups(plain, unit_bytes))]


def _unit(group: Sequence[tuple[str, str, Shard]], licences: dict[str, list[tuple[str, str, str]]]) -> RepositoryUnit:
    name = group[0][2].name + (f"+{len(group) - 1}" if len(group) > 1 else "")
    repositories = dict.fromkeys(repository for repository, _, _ in group)
    own = tuple(one for repository in repositories for one in licences.get(repository, ()))
    return RepositoryUnit(name, sum(shard.size for _, _, shard in group), tuple(group), own)


def _groups(files: Sequence[tuple[str, str, Shard]], unit_bytes: int) -> Iterator[list[tuple[str, str, Shard]]]:
    group: list[tuple[str, str, Shard]] = []
    size = 0
    for file in files:
        weight = file[2].size + 512
        if group and size + weight > unit_bytes:
            yield group
            group, size = [], 0
        group.append(file)
        size += weight
    if group:
        yield group


def read_repositories(unit: RepositoryUnit, settings: GithubSettings) -> Iterator[tuple[Item, int]]:
    """Read a unit's files, each once, in their order, as document or dropped; of an archive its files."""
    context = GithubContext.of(settings, collection_of(unit.files[0][2]))
    licences: dict[str, dict[str, list[str | None]]] = {}
    for repository, folder, path in unit.licences:
        licences.setdefault(repository, {}).setdefault(folder, []).append(_licence_of(path))
    done = 0
    for repository, path, shard in unit.files:
        if not path and is_file(shard.path):
            yield from read_archive(shard, repository, context)
            continue
        done += shard.size
        place = Place(repository, context.collection.ref, path)
        yield _read_file(place, stated(path, licences.get(repository, {})), shard, context), done


def _licence_of(path: str) -> str | None:
    with open_read(path) as stream:
        data, _ = read_capped(stream.read, MAX_LICENCE_BYTES)
    return None if data is None else detect_licence(data.decode(errors="replace"))


def _read_file(place: Place, licences: list[str], shard: Shard, context: GithubContext) -> Item:
    if is_local(shard.path) and os.path.islink(shard.path):
        return context.drop(place, Drop(RepositoryReason.NOT_A_FILE, detail="link"))
    if not is_file(shard.path):
        return context.drop(place, Drop(RepositoryReason.NOT_A_FILE, detail="special"))
    refused = context.check_place(place, licences, None)
    if refused is not None:
        return context.drop(place, refused)
    with open_read(shard.path) as stream:
        return read_file(place, licences, context, stream.read, shard.size)


def count_outside(collection: GithubCollection, shards: Iterable[Shard]) -> Counter[str]:
    """Count files that are in no repository, since too few folders are above them, by their suffix."""
    outside = [shard for shard in shards if place_of(shard, collection.depth) is None]
    return Counter(os.path.splitext(shard.below)[1].lower() for shard in outside)
