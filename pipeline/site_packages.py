"""Installed Python distributions as the tables of BigQuery's ``github_repos``: a way to try the source without it.

A distribution is a repository ``pypi/<name>`` whose ref is the version; its files are those its ``RECORD`` lists, but
for what the installation made: metadata, byte code, and paths of this machine. Contents are named by git's hash, as in
BigQuery, and like there what is binary or longer than a mebibyte has no content.
"""

import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from packaging.utils import canonicalize_name

from filters.licence_texts import detect_licence
from filters.licences import spdx_id
from pipeline.files import join, match, write_bytes
from pipeline.settings import SettingsError

MAX_CONTENT_BYTES = 1 << 20
#: Text of one file of contents.
PART_BYTES = 32 << 20
_CLASSIFIER = "License ::"
_NO_LICENCES = {"OSI Approved", "DFSG approved"}  # what classifiers say of licences, and name none
_LONG = 200  # characters of a licence field that is no name but a text
_FILE_MODE = 0o100644
_INSTALLED = (".dist-info", ".egg-info", "__pycache__")
#: What an editable installation writes: where its checkout lies.
_EDITABLE = re.compile(r"__editable__[^/]*|[^/]+\.pth")

CONTENTS = pa.schema(
    [
        ("id", pa.string()),
        ("size", pa.int64()),
        ("content", pa.string()),
        ("binary", pa.bool_()),
        ("copies", pa.int64()),
        ("sample_repo_name", pa.string()),
        ("sample_ref", pa.string()),
        ("sample_path", pa.string()),
        ("sample_mode", pa.int64()),
    ]
)
FILES = pa.schema(
    [(name, pa.string()) for name in ("repo_name", "ref", "path")] + [("mode", pa.int64()), ("id", pa.string())]
)
LICENSES = pa.schema([("repo_name", pa.string()), ("license", pa.string())])


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        repositories: Distributions.
        files: Files of them.
        contents: Different contents among them.
        without_licence: Distributions that state no licence.
        missing: Files that are listed and are not there.
    """

    repositories: int
    files: int
    contents: int
    without_licence: int
    missing: int


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file of a distribution.

    Attributes:
        repository: The distribution, ``pypi/<name>``.
        ref: Its version.
        path: The path that it lists.
        place: Where the file lies.
        id: Git's hash of its content; ``None`` where it cannot be read.
    """

    repository: str
    ref: str
    path: str
    place: str
    id: str | None


def write_tables(folder: str, output: str) -> Written:
    """Write the tables ``contents``, ``files`` and ``licenses`` of what is installed in a folder.

    Args:
        folder: A ``site-packages``.
        output: The folder to write to, on any of Beam's filesystems; nothing may be in it.

    Returns:
        What was written; the same bytes for the same folder.

    Raises:
        SettingsError: No distribution is installed there, or something is in ``output``.
    """
    found = find_distributions(folder)
    if match(join(output, "**")):
        raise SettingsError(f"--output {output}: not empty")
    listed = list_files(found)
    for path, content, _ in encode_tables(found, listed):
        write_bytes(join(output, path), content)
    there = [file for file in listed if file.id is not None]
    without = sum(licence_of(one) is None for one in found)
    return Written(len(found), len(there), len({file.id for file in there}), without, len(listed) - len(there))


def find_distributions(folder: str, names: Sequence[str] | None = None) -> list[Distribution]:
    """List what is installed in a folder, by name and version; an entry without a name is none.

    By the standard library's own finder: the package ``importlib_metadata``, once loaded, answers ``distributions()``
    instead of it, and leaves out files that are listed and not there.

    Args:
        folder: A ``site-packages``.
        names: Those to take; ``None`` for all.

    Raises:
        SettingsError: None is installed there, or one of the names is not.
    """
    found = MetadataPathFinder.find_distributions(DistributionFinder.Context(path=[folder]))
    named = {(_name(one), one.version): one for one in found if one.metadata["Name"]}
    if not named:
        raise SettingsError(f"{folder}: no Python distribution is installed there")
    if names is None:
        return [named[key] for key in sorted(named)]
    wanted = {canonicalize_name(name): name for name in names}
    chosen: list[Distribution] = [
        named[key] for key in sorted(named) if canonicalize_name(named[key].metadata["Name"]) in wanted
    ]
    absent = wanted.keys() - {canonicalize_name(one.metadata["Name"]) for one in chosen}
    if absent:
        raise SettingsError(f"{folder}: {wanted[min(absent)]} is not installed there")
    return chosen


def describe(found: Sequence[Distribution]) -> list[list[Any]]:
    """Say what decides the tables of distributions: names, versions, licences, and what is recorded of the files."""
    return [[_name(one), one.version, licence_of(one), _recorded(one)] for one in found]


def _recorded(distribution: Distribution) -> list[list[Any]]:
    taken = {path for path, _ in _paths(distribution)}
    rows = ((str(one).replace("\\", "/"), one.hash, one.size) for one in distribution.files or ())
    return sorted(
        [path, f"{digest.mode}={digest.value}" if digest else "", size] for path, digest, size in rows if path in taken
    )


def _name(distribution: Distribution) -> str:
    return f"pypi/{distribution.metadata['Name'].lower().replace('_', '-')}"


def _paths(distribution: Distribution) -> Iterator[tuple[str, str]]:
    """Give path and place of a distribution's files, by path; files outside of the folder are not its source."""
    listed = {str(path).replace("\\", "/"): path for path in distribution.files or ()}
    for name in sorted(listed):
        parts = name.split("/")
        own = ".." not in parts and parts[0] and not any(part.endswith(_INSTALLED) for part in parts)
        if own and not _EDITABLE.fullmatch(name):
            yield name, str(distribution.locate_file(listed[name]))


def licence_of(distribution: Distribution) -> str | None:
    """Give the licence a distribution states: its expression, its classifiers, or its licence field.

    Several classifiers are all taken to bind, since they do not say that one may choose.
    """
    expression = distribution.metadata["License-Expression"]
    if expression:
        return str(expression)
    classifiers = distribution.metadata.get_all("Classifier") or []
    names = [one.rpartition("::")[2].strip() for one in classifiers if one.startswith(_CLASSIFIER)]
    known = list(dict.fromkeys(spdx_id(name) or name for name in names if name not in _NO_LICENCES))
    stated = str(distribution.metadata["License"] or "").strip()
    if known and not (len(known) == 1 and spdx_id(known[0]) is None and spdx_id(stated)):
        return " AND ".join(known)
    if len(stated) > _LONG or "\n" in stated:
        return detect_licence(stated) or stated.split("\n")[0][:_LONG]
    return stated if stated and stated.upper() != "UNKNOWN" else None


def list_files(found: Sequence[Distribution]) -> list[InstalledFile]:
    """List the files of distributions, those too that cannot be read."""
    return [
        InstalledFile(_name(one), one.version, path, place, _blob_id(place))
        for one in found
        for path, place in _paths(one)
    ]


def encode_tables(found: Sequence[Distribution], listed: Sequence[InstalledFile]) -> Iterator[tuple[str, bytes, int]]:
    """Encode the tables of distributions.

    Args:
        found: The distributions.
        listed: Their files.

    Yields:
        Each file of a table: its path, ``<table>/part-…``, its bytes, which are the same for the same distributions,
        and its rows.
    """
    files = [file for file in listed if file.id is not None]
    licences = [(_name(one), licence_of(one)) for one in found]
    places = [(file.repository, file.ref, file.path, _FILE_MODE, file.id) for file in files]
    yield "licenses/part-00000.parquet", _encode(LICENSES, licences), len(licences)
    yield "files/part-00000.parquet", _encode(FILES, places), len(places)
    for number, rows in enumerate(_parts(files)):
        yield f"contents/part-{number:05d}.parquet", _encode(CONTENTS, rows), len(rows)


def _blob_id(place: str) -> str | None:
    """Give git's hash of a file's content; ``None`` for one that cannot be read."""
    try:
        with open(place, "rb") as stream:
            digest = hashlib.sha1(b"blob %d\0" % os.fstat(stream.fileno()).st_size, usedforsecurity=False)
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except OSError:
        return None
    return digest.hexdigest()


def _parts(files: Sequence[InstalledFile]) -> Iterator[list[tuple[Any, ...]]]:
    """Give the rows of contents, each content once where it stands first, in parts of bounded size."""
    copies = Counter(file.id for file in files)
    part: list[tuple[Any, ...]] = []
    held = 0
    for file in {file.id: file for file in reversed(files)}.values():
        size, content = _read(file.place)
        is_binary = content is None and size <= MAX_CONTENT_BYTES
        sample = file.repository, file.ref, file.path, _FILE_MODE
        part.append((file.id, size, content, is_binary, copies[file.id], *sample))
        held += len(content or "")
        if held > PART_BYTES:
            yield part
            part, held = [], 0
    if part:
        yield part


def _read(place: str) -> tuple[int, str | None]:
    """Give the size of a file and its text, if it is one."""
    size = os.path.getsize(place)
    if size > MAX_CONTENT_BYTES:
        return size, None
    with open(place, "rb") as stream:
        data = stream.read()
    try:
        return size, None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return size, None


def _encode(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> bytes:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return sink.getvalue()
