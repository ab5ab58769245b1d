"""Raw input files: which there are, what each is called in the run, and a fingerprint of its content.

Inputs are given as globs (``**`` crosses folders), folders, or lists of paths (``*.paths``, ``*.paths.gz``, one path a
line relative to the config's ``data``, as Common Crawl publishes them), on any of Beam's filesystems.
"""

import gzip
import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from apache_beam.io.filesystem import FileMetadata, FileSystem
from apache_beam.io.filesystems import FileSystems

from pipeline.document import Shard
from pipeline.files import is_file, is_local, join, match, open_read, read_bytes
from pipeline.settings import SettingsError

_GLOB = re.compile(r"[*?\[]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=@~-]")
_MAX_NAME = 160
_LISTS = (".paths", ".paths.gz")
_GIT = ".git"
_MOST_SUFFIXES = 8  # to be named
#: Requests to an object store under way at once.
_REQUESTS = 64


def list_shards(
    source: str, dump: str, paths: Sequence[str], *, data: str, key: str, tree: bool = False
) -> list[Shard]:
    """List the files of one dump as shards.

    Args:
        source: The source's name.
        dump: The dump's id, the first part of each shard's name.
        paths: Globs, folders, files or path lists; relative ones lie below ``data``.
        data: The config's data root.
        key: The config key the paths stand under, for messages.
        tree: Whether folders are trees of someone's files. Hidden files are listed then, but for those of git, and
            so are links and what is no file, at which the caller must look; they have no size.

    Returns:
        The shards, each file once, sorted by name, whatever the order they were given or found in.

    Raises:
        SettingsError: An entry matches no file.
    """
    files: dict[str, Shard] = {}
    for position, entry in enumerate(paths):
        try:
            found = list(_expand(entry, data, tree=tree))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{key}.{position}: {error}: {below(entry, data)}") from error
        if not found:
            raise SettingsError(f"{key}.{position}: no file matches {below(entry, data)}")
        for name, file in found:
            _refuse_bytes(name, key)
            shard_name = _shard_name(dump, name)
            shard = Shard(source, shard_name, file.path, file.size_in_bytes, dump, below=name)
            files[file.path] = max(shard, files.get(file.path, shard), key=lambda one: (len(one.name), one.name))
    shards = sorted(files.values(), key=lambda shard: (shard.name, shard.path))
    for one, other in itertools.pairwise(shards):
        if one.name == other.name:
            raise SettingsError(f"{key}: {one.path} and {other.path} would both be called {one.name}")
    return shards


def _refuse_bytes(name: str, key: str) -> None:
    """Refuse a name that is not UTF-8: neither the manifest nor an id can hold it.

    Raises:
        SettingsError: It is such a name.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(f"{key}: the file name {os.fsencode(name)!r} is not UTF-8; rename it") from error


def _expand(entry: str, data: str, *, tree: bool) -> Iterable[tuple[str, FileMetadata]]:
    path = below(entry, data)
    if path.endswith(_LISTS):
        content = read_bytes(path)
        lines = (gzip.decompress(content) if path.endswith(".gz") else content).decode().split()
        with ThreadPoolExecutor(_REQUESTS) as pool:
            found = dict(zip(lines, pool.map(lambda line: match(below(line, data)), lines), strict=True))
        missing = [line for line, files in found.items() if not files]
        if missing:
            raise FileNotFoundError(f"{missing[0]} is missing")
        return [(line, file) for line, files in found.items() for file in files]
    if _GLOB.search(path):
        root = path[: path.rindex("/", 0, _first_glob(path)) + 1]
        _refuse_links(root, tree=tree)
        # Beam's ** wants at least one folder, a shell's does not.
        patterns = {path, path.replace("/**/", "/")}
        both = {file.path: file for pattern in sorted(patterns) for file in match(pattern)}
        if tree:
            wanted = re.compile("|".join(map(FileSystem.translate_pattern, sorted(patterns))))
            both.update((file.path, file) for file in _irregular(root) if wanted.fullmatch(file.path))
        return _visible(root, [both[name] for name in sorted(both)], tree=tree)
    if is_local(path) and os.path.isfile(path):
        return [(os.path.basename(path), file) for file in match(path)]
    _refuse_links(path, tree=tree)
    files = {file.path: file for file in (*match(path.rstrip("/") + "/**"), *(_irregular(path) if tree else ()))}
    inside = _visible(path.rstrip("/") + "/", list(files.values()), tree=tree)
    if inside or (is_local(path) and os.path.isdir(path)):
        return inside
    return [(path.rsplit("/", 1)[-1], file) for file in match(path)]


def _refuse_links(root: str, *, tree: bool) -> None:
    """Refuse what a walk would pass over in silence, or wait for.

    Raises:
        FileNotFoundError: A link below a local root leads to a folder, or nowhere; or there is a pipe or device.
    """
    for file in () if tree else _irregular(root):
        kind = "a link to a folder or to nothing" if os.path.islink(file.path) else "no file"
        raise FileNotFoundError(f"{file.path} is {kind}, which is not read")


def _irregular(root: str) -> Iterator[FileMetadata]:
    """List below a local root the links that lead to no file, and pipes, sockets and devices; as empty files."""
    for folder, folders, names in os.walk(root) if is_local(root) else ():
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for path in (os.path.join(folder, name) for name in (*links, *names)):
            if not os.path.isfile(path):
                yield FileMetadata(path, 0)


def _visible(root: str, files: Sequence[FileMetadata], *, tree: bool) -> list[tuple[str, FileMetadata]]:
    """Name files by their path below the root; hidden files and folders are not input, nor are lists of paths."""
    named = [(file.path.removeprefix(root), file) for file in files]
    if tree:
        return [(name, file) for name, file in named if _GIT not in name.split("/")]
    shown = [(name, file) for name, file in named if not name.endswith(_LISTS)]
    return [(name, file) for name, file in shown if not any(part.startswith(".") for part in name.split("/"))]


def _first_glob(path: str) -> int:
    found = _GLOB.search(path)
    return found.start() if found else len(path)


def below(entry: str, data: str) -> str:
    """Put a path below the config's ``data``, unless it is absolute or has a filesystem of its own."""
    if not is_local(entry) or os.path.isabs(entry):
        return entry
    return join(data, entry)


def _shard_name(dump: str, name: str) -> str:
    """Name a shard by its dump and relative path; a path with other characters, or too long a one, adds a hash."""
    plain = f"{dump}~{name.replace('/', '~')}"
    safe = _UNSAFE.sub("_", plain)
    if safe == plain and len(safe) <= _MAX_NAME and "~" not in name:
        return safe
    return f"{safe[:_MAX_NAME]}~~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A raw file as the manifest knows it.

    Attributes:
        name: The shard's name.
        path: Where it lies.
        bytes: Size.
        modified: Time of its last change, seconds; only a hint that it need not be hashed again.
        checksum: ``sha256:…`` of a local file, else what the object store says of its content.
    """

    name: str
    path: str
    bytes: int
    modified: float
    checksum: str


def fingerprint_inputs(shards: Sequence[Shard], known: Mapping[str, InputFile]) -> list[InputFile]:
    """Fingerprint the content of every shard's file.

    Args:
        shards: The shards.
        known: Files of an earlier run, by path: one of the same size and time is not read again.
    """
    here = all(is_local(shard.path) for shard in shards)
    with ThreadPoolExecutor(os.cpu_count() if here else _REQUESTS) as pool:
        return list(pool.map(lambda shard: _fingerprint(shard, known.get(shard.path)), shards))


def _fingerprint(shard: Shard, known: InputFile | None) -> InputFile:
    if not is_file(shard.path):
        return InputFile(shard.name, shard.path, 0, 0, "link" if os.path.islink(shard.path) else "no file")
    modified = float(FileSystems.last_updated(shard.path))
    if known is not None and (known.bytes, known.modified, known.name) == (shard.size, modified, shard.name):
        return known
    return InputFile(shard.name, shard.path, shard.size, modified, checksum(shard.path))


def checksum(path: str) -> str:
    """Give what tells a file's content from another: SHA-256, or an object store's own checksum."""
    return f"sha256:{_sha256(path)}" if is_local(path) else str(FileSystems.checksum(path))


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open_read(path) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def count_suffixes(names: Iterable[str]) -> str:
    """Say how many files have which suffixes, the most frequent first.

    >>> count_suffixes(["a.xml", "b/c.XML", "README"])
    '2 .xml, 1 without a suffix'
    """
    suffixes = Counter(os.path.splitext(name)[1].lower() for name in names)
    named = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in named[:_MOST_SUFFIXES]]
    others = sum(count for _, count in named[_MOST_SUFFIXES:])
    return ", ".join([*parts, f"{others:,} of other kinds"] if others else parts)
