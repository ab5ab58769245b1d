"""Reading token shards: any window of any length at any position, in constant time, from disk or an object store.

All shards of a source read as one row of tokens. What does not match its manifest is refused when it is opened.
"""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from tokenizer.encoding import Ids
from tokenizer.manifest import MANIFEST_NAME, Manifest, ShardEntry, TokenShardError
from tokenizer.storage import MappedFile, RangedFile

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

    def __init__(self, folder: str, manifest: Manifest, open_file: OpenFile | None) -> None:
        """Take over a manifest; files are opened as they are read."""
        self.manifest = manifest
        self.num_tokens = manifest.tokens
        self.num_documents = manifest.documents
        self.dtype = manifest.id_dtype
        self._first_tokens = _starts([shard.tokens for shard in manifest.shards])
        self._first_documents = _starts([shard.documents for shard in manifest.shards])

        def open_ids(number: int) -> MappedFile | RangedFile:
            shard = manifest.shards[number]
            return _open(folder, shard.name, manifest.id_dtype, shard.tokens, open_file)

        def open_ends(number: int) -> MappedFile | RangedFile:
            shard = manifest.shards[number]
            return _open(folder, shard.ends_name, np.dtype("<u8"), shard.documents, open_file)

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
    ) -> Self:
        """Open a source's folder.

        Args:
            folder: Where ``manifest.json`` and the shards lie.
            tokenizer_sha256: The tokenizer the ids must come from; ``None`` takes any.
            verify: Whether to read every file whole and check its SHA-256, the order of the ends and the range of the
                ids. Without it, sizes and each shard's last end are checked.
            open_file: Opens a path for reading in binary, seekable, on filesystems that can not be memory-mapped;
                reads are then one seek and one read each. A missing file must raise ``FileNotFoundError``. ``None``
                memory-maps local files.

        Returns:
            The opened shards.

        Raises:
            TokenShardError: Anything is missing or does not match.
        """
        manifest = Manifest.from_json(_read_manifest(os.path.join(folder, MANIFEST_NAME), open_file))
        if tokenizer_sha256 not in (None, manifest.tokenizer_sha256):
            raise TokenShardError(
                f"{folder} was written with tokenizer {manifest.tokenizer_sha256}, expected {tokenizer_sha256}"
            )
        opened = cls(folder, manifest, open_file)
        for number, shard in enumerate(manifest.shards):
            opened._check(number, shard)
            if verify:
                opened._verify(number, shard)
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
        number = int(np.searchsorted(self._first_tokens, start, side="right")) - 1
        parts: list[Ids] = []
        while length > 0:
            offset = start - int(self._first_tokens[number])
            taken = min(length, self.manifest.shards[number].tokens - offset)
            if taken:
                parts.append(self._ids(number).read(offset, offset + taken))
            start, length, number = start + taken, length - taken, number + 1
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

    def _check(self, number: int, shard: ShardEntry) -> None:
        """Open both files of a shard, which compares their sizes, and compare the last end."""
        self._ids(number)
        last = int(self._ends(number).read(shard.documents - 1, shard.documents)[0]) if shard.documents else 0
        if last != shard.tokens:
            raise TokenShardError(f"{shard.ends_name} ends at token {last}, its shard has {shard.tokens}")

    def _verify(self, number: int, shard: ShardEntry) -> None:
        """Read a shard whole, some MiB at a time."""
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


def _open(
    folder: str, name: str, dtype: np.dtype[np.unsignedinteger], items: int, open_file: OpenFile | None
) -> MappedFile | RangedFile:
    path = os.path.join(folder, name)
    try:
        file = RangedFile(path, dtype, open_file) if open_file else MappedFile(path, dtype)
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
