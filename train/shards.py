"""Find the token shards that a run of the pipeline left, and hold a model's vocabulary to them."""

import os
from collections.abc import Collection

from tokenizer.manifest import MANIFEST_NAME, Manifest
from tokenizer.reader import TokenShards
from train.config import DocumentMask
from train.model import ModelSettings


def open_sources(run: str, names: Collection[str] | None = None) -> dict[str, TokenShards]:
    """Open ``<run>/tokens/<source>`` for each source.

    Args:
        run: A run folder of the pipeline.
        names: The sources wanted; ``None`` opens all there are.

    Returns:
        The sources by name, in alphabetical order.

    Raises:
        ValueError: There are no token shards, none of a wanted name, or they do not match their manifest.
    """
    folder = os.path.join(run, "tokens")
    present = _sources_in(folder)
    if not present:
        raise ValueError(f"data={run} holds no token shards: there is no {os.path.join(folder, '*', MANIFEST_NAME)}")
    if missing := sorted(set(names or ()) - set(present)):
        raise ValueError(f"sources.{missing[0]}: no such token shards in {folder}, there are {', '.join(present)}")
    return {name: TokenShards.open(os.path.join(folder, name)) for name in sorted(names or present)}


def with_vocabulary(model: ModelSettings, vocab_size: int) -> ModelSettings:
    """Give the model the vocabulary of the shards where it names none; a larger one pads the embeddings.

    Raises:
        ValueError: The model's own vocabulary is smaller than that of the shards.
    """
    if model.vocab_size is None:
        return model.model_copy(update={"vocab_size": vocab_size})
    if model.vocab_size < vocab_size:
        raise ValueError(
            f"model.vocab_size must be at least that of the token shards, {vocab_size}, or null, got {model.vocab_size}"
        )
    return model


def check_documents(mask: DocumentMask, manifest: Manifest) -> None:
    """Hold a document mask to what the shards say of their documents.

    Raises:
        ValueError: It looks for an id that the shards do not begin or end documents with.
    """
    written = {
        "bos_id": manifest.bos_id if manifest.bos else None,
        "eos_id": manifest.eos_id if manifest.eos else None,
    }
    for key, found in written.items():
        if (asked := getattr(mask, key)) not in {found, None}:
            raise ValueError(f"document_mask.{key} must be that of the token shards, {found}, or null, got {asked}")


def _sources_in(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name, MANIFEST_NAME)))
