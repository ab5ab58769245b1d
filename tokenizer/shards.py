"""Writing token shards: documents' ids become the bytes of flat files, which any filesystem can then take.

The ids' file is the payload that Megatron-core, datatrove, OLMo-core, nanoGPT and a plain memmap all read; everything
beside it is small. :func:`pack_shard` is pure, so that whoever writes decides where the bytes go.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer.encoding import Encoder, Ids
from tokenizer.manifest import (
    MANIFEST_NAME,
    Manifest,
    ShardEntry,
    TokenShardError,
    build_manifest,
    shard_name,
)
from tokenizer.settings import TokenShardSettings

_MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
_MEGATRON_VERSION = 1
#: Megatron-core's codes. It knows no uint32; ids below 2**31 have the bytes of its int32.
_MEGATRON_DTYPES = {2: 8, 4: 4}
_MAX_MEGATRON_TOKENS = (1 << 31) - 1


@dataclass(frozen=True)
class PackedShard:
    """A shard ready to be written.

    Attributes:
        ids: All documents' ids, one after the other.
        ends: Where each document ends, in tokens from the shard's start.
        index: Megatron's index, or ``None``.
        sha256: SHA-256 of the ids' bytes, hexadecimal.
        ends_sha256: SHA-256 of the ends' bytes.
        index_sha256: SHA-256 of the index, or ``None``.
    """

    ids: Ids
    ends: npt.NDArray[np.uint64]
    index: bytes | None
    sha256: str
    ends_sha256: str
    index_sha256: str | None

    @property
    def tokens(self) -> int:
        """Ids in the shard."""
        return len(self.ids)

    @property
    def documents(self) -> int:
        """Documents in the shard."""
        return len(self.ends)

    def entry(self, name: str) -> ShardEntry:
        """Return the shard's entry in the manifest, under the file name of its ids."""
        return ShardEntry(
            name=name,
            tokens=self.tokens,
            documents=self.documents,
            bytes=self.ids.nbytes,
            sha256=self.sha256,
            ends_sha256=self.ends_sha256,
            index_sha256=self.index_sha256,
        )

    def files(self, name: str) -> Iterator[tuple[str, memoryview]]:
        """Yield the shard's files as names and bytes, nothing copied; the ids come last.

        Args:
            name: File name of the ids.
        """
        entry = self.entry(name)
        if self.index is not None:
            yield entry.index_name, memoryview(self.index)
        yield entry.ends_name, _bytes_of(self.ends)
        yield name, _bytes_of(self.ids)


def pack_shard(
    documents: Sequence[npt.NDArray[np.integer]], dtype: np.dtype[np.unsignedinteger], *, megatron_index: bool = False
) -> PackedShard:
    """Concatenate documents into a shard.

    Args:
        documents: Ids of each document, in the order they shall lie in; a document may be empty.
        dtype: Little-endian uint16 or uint32.
        megatron_index: Whether to build Megatron's index too.

    Returns:
        The shard's contents with their checksums. Holds one copy of the ids.

    Raises:
        TokenShardError: An id does not fit the type, or a document is too long for Megatron's index.
    """
    if dtype not in (np.dtype("<u2"), np.dtype("<u4")):
        raise TokenShardError(f"ids are written as little-endian uint16 or uint32, not {dtype}")
    ids = _concatenate(documents, dtype)
    lengths = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
    ends = np.cumsum(lengths).astype("<u8")
    index = build_megatron_index(lengths, dtype.itemsize) if megatron_index else None
    return PackedShard(
        ids=ids,
        ends=ends,
        index=index,
        sha256=hashlib.sha256(_bytes_of(ids)).hexdigest(),
        ends_sha256=hashlib.sha256(_bytes_of(ends)).hexdigest(),
        index_sha256=None if index is None else hashlib.sha256(index).hexdigest(),
    )


def build_megatron_index(lengths: npt.NDArray[np.int64], itemsize: int) -> bytes:
    """Build the ``.idx`` that Megatron-core's ``IndexedDataset`` reads beside the ids, each document one sequence.

    Layout, little-endian: 9 bytes of magic, version (uint64), type code (uint8), sequences (uint64), documents + 1
    (uint64), then for each sequence its length in tokens (int32) and its offset in bytes (int64), and the number of
    the first sequence of each document with the total behind it (int64).

    Args:
        lengths: Tokens of each document.
        itemsize: Bytes of an id, 2 or 4.

    Raises:
        TokenShardError: A document is longer than an int32 can say.
    """
    if len(lengths) and lengths.max() > _MAX_MEGATRON_TOKENS:
        raise TokenShardError(f"Megatron's index allows {_MAX_MEGATRON_TOKENS} tokens a document, got {lengths.max()}")
    offsets = (np.cumsum(lengths) - lengths) * itemsize
    header = struct.pack("<QBQQ", _MEGATRON_VERSION, _MEGATRON_DTYPES[itemsize], len(lengths), len(lengths) + 1)
    first_sequences = np.arange(len(lengths) + 1, dtype="<i8")
    arrays = (lengths.astype("<i4"), offsets.astype("<i8"), first_sequences)
    return b"".join([_MEGATRON_MAGIC, header, *(array.tobytes() for array in arrays)])


def group_documents(lengths: Sequence[int], itemsize: int, shard_bytes: int) -> list[range]:
    """Cut a row of documents into shards.

    Args:
        lengths: Tokens of each document.
        itemsize: Bytes of an id.
        shard_bytes: Target size in bytes; a shard is closed as soon as it reaches it, so only the last is smaller.

    Returns:
        Each shard's documents, as a range of positions; one empty range where there are none.
    """
    groups: list[range] = []
    start = size = 0
    for position, length in enumerate(lengths):
        size += length * itemsize
        if size >= shard_bytes:
            groups.append(range(start, position + 1))
            start, size = position + 1, 0
    if start < len(lengths) or not groups:
        groups.append(range(start, len(lengths)))
    return groups


def write_shards(
    folder: str,
    source: str,
    documents: Sequence[npt.NDArray[np.integer]],
    encoder: Encoder,
    settings: TokenShardSettings,
) -> Manifest:
    """Write documents as token shards into a local folder, the manifest last.

    Args:
        folder: Made where it is missing; files of the same names are replaced.
        source: The source's name, which begins the files' names.
        documents: The documents' ids in order, BOS and EOS as ``settings`` says already in them.
        encoder: What encoded them.
        settings: How to cut.

    Returns:
        The manifest that was written.
    """
    os.makedirs(folder, exist_ok=True)
    groups = group_documents([len(document) for document in documents], encoder.dtype.itemsize, settings.shard_bytes)
    entries = []
    for index, group in enumerate(groups):
        members = [documents[position] for position in group]
        packed = pack_shard(members, encoder.dtype, megatron_index=settings.megatron_index)
        name = shard_name(source, index, len(groups))
        for file_name, content in packed.files(name):
            _write(os.path.join(folder, file_name), content)
        entries.append(packed.entry(name))
    manifest = source_manifest(source, entries, encoder, settings)
    _write(os.path.join(folder, MANIFEST_NAME), manifest.to_json().encode())
    return manifest


def source_manifest(
    source: str, entries: Sequence[ShardEntry], encoder: Encoder, settings: TokenShardSettings
) -> Manifest:
    """Make a source's manifest from its shards' entries and what they were written with.

    Args:
        source: The source's name.
        entries: One entry a shard, in the order of their numbers.
        encoder: What encoded the documents.
        settings: How they were written.
    """
    return build_manifest(
        source,
        entries,
        vocab_size=encoder.vocab_size,
        tokenizer_sha256=encoder.sha256,
        dtype=encoder.dtype,
        bos_id=encoder.bos_id,
        eos_id=encoder.eos_id,
        bos=settings.bos,
        eos=settings.eos,
    )


def _concatenate(documents: Sequence[npt.NDArray[np.integer]], dtype: np.dtype[np.unsignedinteger]) -> Ids:
    ids = np.concatenate(documents) if documents else np.empty(0, dtype)
    if ids.size and ids.dtype != dtype:
        if ids.dtype.kind not in "iu":
            raise TokenShardError(f"ids must be integers, got {ids.dtype}")
        if ids.min() < 0 or ids.max() > np.iinfo(dtype).max:
            raise TokenShardError(f"ids {ids.min()}..{ids.max()} do not fit into {dtype.name}")
    return ids.astype(dtype, copy=False)


def _bytes_of(array: npt.NDArray[np.generic]) -> memoryview:
    # A view as bytes first: memoryview can not cast an array without elements.
    return array.view(np.uint8).data


def _write(path: str, content: bytes | memoryview) -> None:
    """Write a file under its final name only when it is whole."""
    with open(path + ".tmp", "wb") as file:
        file.write(content)
    os.replace(path + ".tmp", path)
