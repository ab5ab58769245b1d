"""The manifest of a source's token shards: what the headerless files hold, so that no reader has to guess.

Flat id files say neither their width nor their tokenizer, and readers of such files have silently taken one width for
the other; here a reader refuses whatever does not match. One ``manifest.json`` lies in each source's folder beside its
shards ``<source>-00000-of-00004.bin`` (ids), ``.ends`` (cumulative document ends in tokens, little-endian uint64, the
content of datatrove's ``.ds.index``) and, where asked for, ``.idx`` (Megatron's index).
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FORMAT: Final = "llama-corpus-token-shards"
VERSION: Final = 1
MANIFEST_NAME = "manifest.json"
END_BYTES = 8

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+\.bin$")]


class TokenShardError(ValueError):
    """Token shards that are not what their manifest, or their user, says they are. The message is one line."""


class ShardEntry(BaseModel):
    """One shard of a source.

    Attributes:
        name: File name of the ids; the ends lie beside it under :attr:`ends_name`.
        tokens: Ids in the shard, BOS and EOS included.
        documents: Documents in the shard.
        bytes: Size of the ids in bytes.
        sha256: SHA-256 of the ids' file, hexadecimal.
        ends_sha256: SHA-256 of the ends' file.
        index_sha256: SHA-256 of Megatron's index, ``None`` where none is written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: FileName
    tokens: Count
    documents: Count
    bytes: Count
    sha256: Sha256
    ends_sha256: Sha256
    index_sha256: Sha256 | None = None

    @property
    def ends_name(self) -> str:
        """File name of the cumulative document ends."""
        return self.name.removesuffix(".bin") + ".ends"

    @property
    def index_name(self) -> str:
        """File name of Megatron's index."""
        return self.name.removesuffix(".bin") + ".idx"

    def check_last_end(self, last: int) -> None:
        """Hold the last of the ends, 0 where there is none, to the number of tokens.

        Raises:
            TokenShardError: They differ.
        """
        if last != self.tokens:
            raise TokenShardError(f"{self.ends_name} ends at token {last}, its shard has {self.tokens}")


class Manifest(BaseModel):
    """All that a reader needs to know of a source's token shards.

    Attributes:
        format: Always :data:`FORMAT`.
        version: Version of the format, :data:`VERSION`.
        source: The source's name.
        dtype: Width of an id.
        byte_order: Always little.
        vocab_size: Pieces of the tokenizer; ids lie below it.
        tokenizer_sha256: SHA-256 of the tokenizer's model file.
        bos_id: The id that begins a document.
        eos_id: The id that ends a document.
        bos: Whether documents begin with it.
        eos: Whether documents end with it.
        tokens: Ids in all shards.
        documents: Documents in all shards.
        shards: The shards in order; token and document numbers run through them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["llama-corpus-token-shards"] = FORMAT
    version: Literal[1] = VERSION
    source: Annotated[str, Field(min_length=1)]
    dtype: Literal["uint16", "uint32"]
    byte_order: Literal["little"] = "little"
    vocab_size: Annotated[int, Field(ge=1, le=1 << 31)]
    tokenizer_sha256: Sha256
    bos_id: Count
    eos_id: Count
    bos: bool
    eos: bool
    tokens: Count
    documents: Count
    shards: list[ShardEntry]

    @model_validator(mode="after")
    def _sums_agree(self) -> Self:
        if self.tokens != sum(shard.tokens for shard in self.shards):
            raise ValueError(f"tokens is {self.tokens}, the shards hold {sum(shard.tokens for shard in self.shards)}")
        if self.documents != sum(shard.documents for shard in self.shards):
            raise ValueError(f"documents is {self.documents}, the shards hold another number")
        if self.vocab_size > np.iinfo(self.dtype).max + 1:
            raise ValueError(f"a vocabulary of {self.vocab_size} does not fit into {self.dtype}")
        for shard in self.shards:
            if shard.bytes != shard.tokens * self.id_dtype.itemsize:
                raise ValueError(f"{shard.name}: {shard.tokens} tokens of {self.dtype} are not {shard.bytes} bytes")
        return self

    @property
    def id_dtype(self) -> np.dtype[np.unsignedinteger]:
        """The ids' NumPy type, little-endian on every machine."""
        return np.dtype(self.dtype).newbyteorder("<")

    def to_json(self) -> str:
        """Return the manifest file's content; equal manifests give equal bytes."""
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes, path: str = MANIFEST_NAME) -> Self:
        """Read a manifest file's content.

        Args:
            content: What the file holds.
            path: The file, for messages.

        Raises:
            TokenShardError: It is no manifest, one of another version, or it contradicts itself.
        """
        try:
            raw: Any = json.loads(content)
        except ValueError as error:
            raise TokenShardError(f"{path} is not JSON: {error}") from error
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise TokenShardError(f"{path} is no manifest of format {FORMAT}")
        if raw.get("version") != VERSION:
            raise TokenShardError(f"{path} has version {raw.get('version')}, this reader reads {VERSION}")
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "manifest"
            raise TokenShardError(f"{path}: {where}: {first['msg']}") from error


def shard_name(source: str, index: int, count: int) -> str:
    """Name a shard's file of ids.

    >>> shard_name("wikipedia", 0, 4)
    'wikipedia-00000-of-00004.bin'
    """
    if not 0 <= index < count:
        raise ValueError(f"shard {index} of {count}: the index must lie in 0..{count - 1}")
    return f"{source}-{index:05d}-of-{count:05d}.bin"


def held_out_name(source: str, index: int) -> str:
    """Name a file of held-out documents by the shard whose documents files they stand in.

    Most shards of a large run have one and few of a small run do, so a count in the name would say nothing.

    >>> held_out_name("wikipedia", 2)
    'wikipedia-00002.bin'
    """
    return f"{source}-{index:05d}.bin"


def build_manifest(
    source: str,
    shards: Sequence[ShardEntry],
    *,
    vocab_size: int,
    tokenizer_sha256: str,
    dtype: np.dtype[np.unsignedinteger],
    bos_id: int,
    eos_id: int,
    bos: bool,
    eos: bool,
) -> Manifest:
    """Make the manifest of a source from its shards' entries.

    Args:
        source: The source's name.
        shards: One entry a shard, in the order of their numbers.
        vocab_size: Pieces of the tokenizer.
        tokenizer_sha256: SHA-256 of its model file.
        dtype: The ids' type, as :attr:`tokenizer.encoding.Encoder.dtype` gives it.
        bos_id: The id that begins a document.
        eos_id: The id that ends a document.
        bos: Whether documents begin with it.
        eos: Whether documents end with it.

    Returns:
        The manifest, its counts summed.
    """
    return Manifest.model_validate(
        {
            "source": source,
            "dtype": dtype.name,
            "vocab_size": vocab_size,
            "tokenizer_sha256": tokenizer_sha256,
            "bos_id": bos_id,
            "eos_id": eos_id,
            "bos": bos,
            "eos": eos,
            "tokens": sum(shard.tokens for shard in shards),
            "documents": sum(shard.documents for shard in shards),
            "shards": list(shards),
        }
    )
