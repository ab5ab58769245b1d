"""Find the token shards and the mixture that a run of the pipeline left, and hold a model's vocabulary to them.

A run lies in a folder, or behind a URL (:mod:`train.remote`).
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tokenizer.manifest import MANIFEST_NAME, Manifest
from tokenizer.mixture import PLAN_NAME, MixturePlan
from tokenizer.reader import TokenShards
from tokenizer.stored import Stretch
from train import remote
from train.config import DocumentMask
from train.model import ModelSettings


@dataclass(frozen=True)
class Drawing:
    """What a training run draws from, and how: by weights of its own, or by the plan of the run it reads.

    Attributes:
        sources: The opened sources, by name.
        weights: Proportions, in any unit.
        shares: Sequences of each source in a block; with neither, all windows are one population.
        seed: Keys every order.
    """

    sources: Mapping[str, TokenShards]
    weights: Mapping[str, float] | None
    shares: Mapping[str, int] | None
    seed: int


def open_drawing(run: str, weights: Mapping[str, float] | None, *, seed: int, verify: bool = False) -> Drawing:
    """Open the sources that training draws from.

    Args:
        run: A run folder of the pipeline, or its URL.
        weights: Proportions for only the sources named, in place of the run's own plan. ``None`` takes the plan, or all
            sources by their numbers of windows where the run has none.
        seed: Of the training run. By a plan, orders are keyed by the sum of its seed and this one, so that 0 draws as
            the plan says and each other number makes another run of it.
        verify: Whether to read all shards whole and hold them to their checksums, several at a time.

    Raises:
        ValueError: The token shards do not match their manifest or the plan, or a source is not there.
        OSError: The run's files can not be read.
    """
    plan = read_plan(run) if weights is None else None
    if plan is None:
        return Drawing(open_sources(run, weights, verify=verify), weights, None, seed)
    sources = open_sources(run, plan.sources, verify=verify, named_by=f"{PLAN_NAME}: sources")
    for name, source in sources.items():
        if source.num_tokens != plan.sources[name].tokens:
            raise ValueError(
                f"{PLAN_NAME} was made for {plan.sources[name].tokens} tokens of {name}, its shards hold "
                f"{source.num_tokens}: run the pipeline again, or give sources"
            )
    return Drawing(sources, None, plan.shares, plan.seed + seed)


def read_plan(run: str) -> MixturePlan | None:
    """Read the plan of the mixture that a run of the pipeline left, if it did.

    Raises:
        ValueError: It is damaged, or drawn by another rule than this trainer's.
    """
    path = os.path.join(run, "tokens", PLAN_NAME)
    try:
        return MixturePlan.from_json(_read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_sources(
    run: str, names: Collection[str] | None = None, *, verify: bool = False, named_by: str = "sources"
) -> dict[str, TokenShards]:
    """Open ``<run>/tokens/<source>`` for each source.

    Args:
        run: A run folder of the pipeline, or its URL.
        names: The sources wanted; ``None`` opens all there are.
        verify: Whether to read all shards whole and hold them to their checksums.
        named_by: Who wants them, for the message where one is not there.

    Returns:
        The sources by name, in alphabetical order.

    Raises:
        ValueError: There are no token shards, none of a wanted name, or they do not match their manifest.
    """
    folder = os.path.join(run, "tokens")
    if names is None or not remote.is_url(run):  # a store lists all files of all shards to tell which sources there are
        present = _sources_in(folder)
        if not present:
            place = os.path.join(folder, "*", MANIFEST_NAME)
            raise ValueError(f"data={run} holds no token shards: there is no {place}")
        if gone := sorted(set(names or ()) - set(present)):
            raise ValueError(f"{named_by}.{gone[0]}: no such token shards in {folder}, there are {', '.join(present)}")
        names = names or present
    read = remote.read_stretches if remote.is_url(run) else None
    return {
        name: TokenShards.open(os.path.join(folder, name), verify=verify, read_stretches=read) for name in sorted(names)
    }


def open_held_out(run: str, *, tokenizer_sha256: str | None = None, verify: bool = False) -> dict[str, TokenShards]:
    """Open ``<run>/held_out/<source>`` for each source of which documents are held out, in alphabetical order.

    Args:
        run: A run folder of the pipeline, or its URL.
        tokenizer_sha256: The tokenizer of the shards that are trained on; ``None`` takes any.
        verify: Whether to read all of them whole and hold them to their checksums.

    Raises:
        ValueError: They do not match their manifest, or are of another tokenizer.
        OSError: They can not be read.
    """
    folder = os.path.join(run, "held_out")
    read = remote.Blocks() if remote.is_url(run) else None
    return {
        name: TokenShards.open(
            os.path.join(folder, name), tokenizer_sha256=tokenizer_sha256, verify=verify, read_stretches=read
        )
        for name in _sources_in(folder)
    }


def read_folder(folder: str, known: Sequence[str]) -> dict[str, bytes]:
    """Read the files right in a folder of a run, as its tokenizer's, by name; none where there is no such folder.

    Args:
        folder: A path or a URL.
        known: The files that are read where a store does not tell what there is.
    """
    if remote.is_url(folder):
        return remote.read_folder(folder, known)
    if not os.path.isdir(folder):
        return {}
    names = (name for name in sorted(os.listdir(folder)) if os.path.isfile(os.path.join(folder, name)))
    return {name: _read(os.path.join(folder, name)) for name in names}


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
    if remote.is_url(folder):
        return remote.folders_with(folder, MANIFEST_NAME)
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name, MANIFEST_NAME)))


def _read(path: str) -> bytes:
    if remote.is_url(path):
        return remote.read_stretches([Stretch(path)])[0]
    with open(path, "rb") as file:
        return file.read()
