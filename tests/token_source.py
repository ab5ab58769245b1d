"""Token shards of a source, written as the pipeline writes them, for tests of what reads them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tokenizer.manifest import build_manifest, shard_name
from tokenizer.shards import pack_shard

Documents = Sequence[NDArray[np.unsignedinteger]]


def write_source(
    folder: Path,
    shards: Sequence[Documents],
    *,
    names: Sequence[str] = (),
    vocab_size: int = 400,
    tokenizer_sha256: str = "a" * 64,
) -> None:
    """Write shards, each of some documents, into a new folder named after the source, and their manifest."""
    folder.mkdir(parents=True)
    entries = []
    for number, documents in enumerate(shards):
        packed = pack_shard(documents, np.dtype("<u2"))
        name = names[number] if names else shard_name(folder.name, number, len(shards))
        for file_name, content in packed.files(name):
            (folder / file_name).write_bytes(content)
        entries.append(packed.entry(name))
    manifest = build_manifest(
        folder.name,
        entries,
        vocab_size=vocab_size,
        tokenizer_sha256=tokenizer_sha256,
        dtype=np.dtype("<u2"),
        bos_id=1,
        eos_id=2,
        bos=True,
        eos=True,
    )
    (folder / "manifest.json").write_text(manifest.to_json())
