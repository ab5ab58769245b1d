"""Reading token shards: any window of any length at any position, in constant time, from disk or an object store.

All shards of a source read as one row of tokens. What does not match its manifest is refused when it is opened.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from tokenizer.encoding import Ids
from tokenizer.manifest import MANIFEST_NAME, Manifest, TokenShardError
from tokenizer.storage import MappedFile, RangedFile, Readable
from tokenizer.stored import ReadStretches, StoredFile, Stretch, check_stored, read_arrays, read_manifest

OpenFile = Callable[[str], BinaryIO]

_VERIFY_BYTES = 16 << 20

#: Files of ids, and as many of ends, kept open at a time: a mapping holds a file descriptor, a process has some 1,024,
#: and a large source has thousands of shards.
_MAX_OPEN_FILES = 256


class TokenShards:
    """The token shards of one source. Make one with :meth:`open`; usable as a context manager.

    Attributes:
        manifest: The source's manifest.
        num_tokens: Ids in all shards.
        num_documents: Documents in all shards.
        dtype: The ids' type, little-endian.
    """

    def __init__(
        self,
        folder: str,
        manifest: Manifest,
        open_file: OpenFile | None = None,
        read_stretches: ReadStretches | None = None,
    ) -> None:
        """Take over a manifest; files are opened as they are read."""
        self._folder = folder
        self._open_file = open_file
        self._read_stretches = read_stretches
        self.manifest = manifest
        self.num_tokens = manifest.tokens
        self.num_documents = manifest.documents
        self.dtype = manifest.id_dtype
        self._first_tokens = _starts([shard.tokens for shard in manifest.shards])
        self._first_documents = _starts([shard.documents for shard in manifest.shards])

        def open_ids(number: int) -> Readable:
            shard = manifest.shards[number]
            return self._open(shard.name, manifest.id_dtype, shard.tokens)

        def open_ends(number: int) -> Readable:
            shard = manifest.shards[number]
            return self._open(shard.ends_name, np.dtype("<u8"), shard.documents)

        self._ids = lru_cache(_MAX_OPEN_FILES)(open_ids)
        self._ends = lru_cache(_MAX_OPEN_FILES)(open_ends)

    @classmethod
    def open(
        cls,
        folder: str,
        *,
        tokenizer_sha256: str | None = None,
        verify: bool = False,
        open_file: OpenFile | None = None,
        read_stretches: ReadStretches | None = None,
    ) -> Self:
        """Open a source's folder.

        Args:
            folder: Where ``manifest.json`` and the shards lie.
            tokenizer_sha256: The tokenizer the ids must come from; ``None`` takes any.
            verify: Whether to read every file whole and check its SHA-256, the order of the ends and the range of the
                ids, several shards at a time. Without it, sizes and each shard's last end are checked.
            open_file: Opens a path for reading in binary, seekable, on filesystems that can not be memory-mapped;
                reads are then one seek and one read each. A missing file must raise ``FileNotFoundError``. ``None``
                memory-maps local files.
            read_stretches: Reads from an object store, in place of ``open_file``. Opening takes two calls of it, many
                windows take one.

        Returns:
            The opened shards.

        Raises:
            TokenShardError: Anything is missing or does not match.
        """
        path = os.path.join(folder, MANIFEST_NAME)
        content = read_manifest(path, read_stretches) if read_stretches else _read_manifest(path, open_file)
        manifest = Manifest.from_json(content, path)
        if tokenizer_sha256 not in (None, manifest.tokenizer_sha256):
            raise TokenShardError(
                f"{folder} was written with tokenizer {manifest.tokenizer_sha256}, expected {tokenizer_sha256}"
            )
        opened = cls(folder, manifest, open_file, read_stretches)
        if read_stretches:
            check_stored(folder, manifest, read_stretches)
        else:
            opened._check()
        if verify:
            opened._verify()
        return opened

    def window(self, start: int, length: int) -> Ids:
        """Read a stretch of tokens, over documents' and shards' borders alike.

        Args:
            start: Number of the first token.
            length: Tokens to read.

        Returns:
            The ids, read-only where they come from one shard.

        Raises:
            IndexError: The window reaches outside the tokens.
        """
        if start < 0 or length < 0 or start + length > self.num_tokens:
            raise IndexError(f"window {start}..{start + length} lies outside the {self.num_tokens} tokens")
        parts = [self._ids(number).read(first, last) for number, first, last in self._parts(start, length)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, self.dtype)

    def windows(self, starts: npt.ArrayLike, length: int) -> Ids:
        """Read many windows of one length.

        Args:
            starts: Number of each window's first token, ``(n,)``.
            length: Tokens of each window.

        Returns:
            The ids, ``(n, length)``, a copy.

        Raises:
            IndexError: A window reaches outside the tokens.
        """
        positions = np.asarray(starts, dtype=np.int64)
        if positions.ndim != 1:
            raise ValueError(f"starts must have one dimension, got shape {positions.shape}")
        if length < 0 or (len(positions) and not 0 <= positions.min() <= positions.max() <= self.num_tokens - length):
            raise IndexError(f"windows of {length} reach outside the {self.num_tokens} tokens")
        rows = np.empty((len(positions), length), dtype=self.dtype)
        if not length:
            return rows
        if self._read_stretches:
            return self._fill(rows, positions, self._read_stretches)
        numbers = np.searchsorted(self._first_tokens, positions, side="right") - 1
        offsets = positions - self._first_tokens[numbers]
        inside = positions + length <= self._first_tokens[numbers + 1]
        for row, number, offset, is_inside in zip(
            rows, numbers.tolist(), offsets.tolist(), inside.tolist(), strict=True
        ):
            if is_inside:
                row[:] = self._ids(number).read(offset, offset + length)
            else:
                row[:] = self.window(int(self._first_tokens[number]) + offset, length)
        return rows

    def document(self, number: int) -> Ids:
        """Read one document, with the BOS and EOS that were written around it.

        Args:
            number: The document's number, counted through all shards.

        Raises:
            IndexError: There is no such document.
            TokenShardError: The ends of its shard are out of order there.
        """
        if not 0 <= number < self.num_documents:
            raise IndexError(f"document {number} of {self.num_documents}")
        shard = int(np.searchsorted(self._first_documents, number, side="right")) - 1
        inner = number - int(self._first_documents[shard])
        bounds = self._ends(shard).read(max(inner - 1, 0), inner + 1).astype(np.int64)
        start, end = (int(bounds[0]) if inner else 0), int(bounds[-1])
        if not start <= end <= self.manifest.shards[shard].tokens:
            raise TokenShardError(f"{self.manifest.shards[shard].ends_name}: document {inner} is {start}..{end}")
        return self._ids(shard).read(start, end)

    def close(self) -> None:
        """Close the files. Arrays that were read stay valid; another read opens its file again."""
        self._ids.cache_clear()
        self._ends.cache_clear()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        """Go to another process, where the files are opened anew."""
        return type(self), (self._folder, self.manifest, self._open_file, self._read_stretches)

    def _open(self, name: str, dtype: np.dtype[np.unsignedinteger], items: int) -> Readable:
        path = os.path.join(self._folder, name)
        if self._read_stretches:
            return StoredFile(path, dtype, items, self._read_stretches)
        return _open(path, dtype, items, self._open_file)

    def _parts(self, start: int, length: int) -> Iterator[tuple[int, int, int]]:
        """Yield the shards that a window lies in, and where in each it begins and ends."""
        number = int(np.searchsorted(self._first_tokens, start, side="right")) - 1
        while length > 0:
            offset = start - int(self._first_tokens[number])
            taken = min(length, self.manifest.shards[number].tokens - offset)
            if taken:
                yield number, offset, offset + taken
            start, length, number = start + taken, length - taken, number + 1

    def _fill(self, rows: Ids, positions: npt.NDArray[np.int64], read: ReadStretches) -> Ids:
        """Read windows from an object store in one call."""
        parts = [list(self._parts(start, rows.shape[1])) for start in positions.tolist()]
        arrays = iter(read_arrays([self._stretch(*part) for row in parts for part in row], self.dtype, read))
        for row, its_parts in zip(rows, parts, strict=True):
            np.concatenate([next(arrays) for _ in its_parts], out=row)
        return rows

    def _stretch(self, number: int, first: int, last: int) -> Stretch:
        path = os.path.join(self._folder, self.manifest.shards[number].name)
        return Stretch(path, first * self.dtype.itemsize, last * self.dtype.itemsize)

    def _check(self) -> None:
        """Open both files of each shard, which compares their sizes, and compare the last ends."""
        for number, shard in enumerate(self.manifest.shards):
            self._ids(number)
            ends = self._ends(number)
            shard.check_last_end(int(ends.read(shard.documents - 1, shard.documents)[0]) if shard.documents else 0)

    def _verify(self) -> None:
        """Read all shards whole, several at a time; what is raised is the first shard's that is not as it should be."""
        with ThreadPoolExecutor(thread_name_prefix="verify") as threads:
            for _ in threads.map(self._verify_shard, range(len(self.manifest.shards))):
                pass

    def _verify_shard(self, number: int) -> None:
        """Read a shard whole, some MiB at a time."""
        shard = self.manifest.shards[number]
        digest, ends_digest = hashlib.sha256(), hashlib.sha256()
        largest_id = previous_end = 0
        is_ascending = True
        for ids in self._ids(number).chunks(_VERIFY_BYTES):
            digest.update(ids.tobytes())
            largest_id = max(largest_id, int(ids.max()))
        for ends in self._ends(number).chunks(_VERIFY_BYTES):
            ends_digest.update(ends.tobytes())
            is_ascending = is_ascending and bool(previous_end <= ends[0] and (ends[:-1] <= ends[1:]).all())
            previous_end = int(ends[-1])
        _check_hash(shard.name, digest.hexdigest(), shard.sha256)
        _check_hash(shard.ends_name, ends_digest.hexdigest(), shard.ends_sha256)
        if largest_id >= self.manifest.vocab_size:
            raise TokenShardError(f"{shard.name} holds id {largest_id}, the vocabulary {self.manifest.vocab_size} ids")
        if not is_ascending:
            raise TokenShardError(f"{shard.ends_name} is not in ascending order")


def _read_manifest(path: str, open_file: OpenFile | None) -> bytes:
    try:
        with open_file(path) if open_file else open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise TokenShardError(f"{path} is missing") from error


def _open(path: str, dtype: np.dtype[np.unsignedinteger], items: int, open_file: OpenFile | None) -> Readable:
    try:
        file: Readable = RangedFile(path, dtype, open_file) if open_file else MappedFile(path, dtype)
    except FileNotFoundError as error:
        raise TokenShardError(f"{path} is missing") from error
    if file.size != items * dtype.itemsize:
        raise TokenShardError(f"{path} has {file.size} bytes, its manifest says {items * dtype.itemsize}")
    return file


def _check_hash(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise TokenShardError(f"{name} has SHA-256 {found}, its manifest says {expected}")


def _starts(counts: list[int]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *counts], dtype=np.int64)
