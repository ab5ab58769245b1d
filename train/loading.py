"""Load a trained model, from any kind of checkpoint: for use, or to train it further.

There are two kinds: a Hugging Face LLaMA with the ``tokenizer.model`` beside its weights, and what this trainer left: a
run's output folder, of which the newest checkpoint is taken, or one of its ``checkpoints/<step>``.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding
from jaxtyping import Array
from pydantic import ValidationError

from tokenizer.encoding import Encoder
from tokenizer.engines import EngineName
from tokenizer.folder import MODEL
from train.digest import named
from train.huggingface import CONFIG
from train.huggingface_config import CheckpointError
from train.huggingface_reading import import_checkpoint, place_checkpoint, read_settings
from train.model import ModelSettings, Params, init
from train.restore import Contents, agreed, check_digests, check_fits, read_array, read_contents, steps_in

TOKENIZER = MODEL
CHECKPOINTS, TOKENIZER_FOLDER = "checkpoints", "tokenizer"
_PARAMS = "params/"


class LoadedModel(NamedTuple):
    """A model ready to score and to write text."""

    params: Params
    settings: ModelSettings
    encoder: Encoder


def load_model(path: str, *, dtype: np.dtype[Any] | None = None) -> LoadedModel:
    """Load a checkpoint for use.

    Args:
        path: A Hugging Face LLaMA's folder, a run's output folder or a checkpoint in it.
        dtype: Of the matrices, float32 by default; bfloat16 halves the memory. Gains of norms are float32 in any case.

    Returns:
        The weights on the default device, their shape and the tokenizer.

    Raises:
        CheckpointError: There is no such checkpoint, it is not whole, or its tokenizer is missing or does not fit.
    """
    dtype = dtype or np.dtype(np.float32)
    encoder = load_encoder(os.path.join(tokenizer_folder(path), TOKENIZER))
    if own := own_checkpoint(path):
        contents = read_contents(own)
        _check_tokenizer(encoder, contents, own)
        settings = _model_of(contents, own)
        params = restore_params(own, contents, dtype=dtype)
    else:
        params, settings = _import(path, dtype)
    if encoder.vocab_size > params.embedding.shape[0]:
        raise CheckpointError(
            f"{path}: the tokenizer has {encoder.vocab_size} pieces, the model {params.embedding.shape[0]} embeddings"
        )
    return LoadedModel(params, settings, encoder)


def tokenizer_folder(path: str) -> str:
    """Where the tokenizer files of a checkpoint lie: with Hugging Face's weights, in ``<output>/tokenizer`` of a run.

    Raises:
        CheckpointError: There is no such checkpoint.
    """
    own = own_checkpoint(path)
    return path if own is None else os.path.join(os.path.dirname(os.path.dirname(own)), TOKENIZER_FOLDER)


def own_checkpoint(path: str) -> str | None:
    """Find the checkpoint of this trainer's that a path means; ``None`` if it is a Hugging Face folder.

    Raises:
        CheckpointError: It is neither.
    """
    if os.path.isfile(os.path.join(path, CONFIG)):
        return None
    folder = os.path.join(path, CHECKPOINTS)
    if steps := steps_in(folder):
        return os.path.join(folder, str(steps[-1]))
    whole = os.path.abspath(path)
    parent, step = os.path.split(whole)
    if os.path.basename(parent) == CHECKPOINTS and step in map(str, steps_in(parent)):
        return whole
    raise CheckpointError(
        f"{path}: no checkpoint there: there is no {CONFIG} of a Hugging Face model, "
        f"and no {os.path.join(CHECKPOINTS, '<step>')} of a run"
    )


def restore_params(path: str, contents: Contents, *, dtype: np.dtype[Any]) -> Params:
    """Read the weights of one of this trainer's checkpoints, and not its moments, onto the default device.

    One by one: memory holds the weights in ``dtype`` and one array of all layers in float32.

    Raises:
        DamagedCheckpoint: A file is missing or cut off, or a value is not the one that was saved.
    """
    device = SingleDeviceSharding(jnp.zeros(()).device)

    def cast(name: str, array: Array) -> Array:
        return array if name.endswith("_norm") else array.astype(dtype)

    return _read_params(path, contents, lambda _: device, cast)


def initial_params(path: str, settings: ModelSettings, shardings: Params) -> Params:
    """Place the weights of a checkpoint on a mesh, each piece where it is kept, to train them further.

    Args:
        path: A Hugging Face LLaMA's folder, a run's output folder or a checkpoint in it.
        settings: The model that is trained, its vocabulary known; only its context may be another.
        shardings: Where each weight is kept; with several processes, all must call this.

    Returns:
        The weights in float32.

    Raises:
        CheckpointError: There is no such checkpoint, it is not whole, or it is of another model.
    """
    own = own_checkpoint(path)
    if own is None:
        _check_same(settings, read_settings(path), path)
        return place_checkpoint(path, shardings)
    contents = agreed(partial(read_contents, own), own)
    _check_same(settings, _model_of(contents, own), path)
    places = named(shardings)
    return _read_params(own, contents, places.__getitem__, lambda _, array: array)


def load_encoder(path: str) -> Encoder:
    """Load a SentencePiece model from its file; ids are SentencePiece's own, for there is no text to try engines on.

    Raises:
        CheckpointError: There is none, or it does not fit LLaMA's training.
    """
    try:
        with open(path, "rb") as file:
            return Encoder.from_bytes(file.read(), engines=[EngineName.SENTENCEPIECE])
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file; the tokenizer is read from it") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _model_of(contents: Contents, path: str) -> ModelSettings:
    """Read from a checkpoint's record what model it is of."""
    try:
        return ModelSettings(**contents.record["config"]["model"])
    except (KeyError, TypeError, ValidationError) as error:
        raise CheckpointError(f"{path}: the record of the checkpoint holds no settings of a model") from error


def _check_tokenizer(encoder: Encoder, contents: Contents, path: str) -> None:
    """Hold a tokenizer to the one that made the run's token shards, where the record knows it."""
    data = contents.record.get("data")
    wanted = data.get("tokenizer_sha256") if isinstance(data, dict) else None
    if wanted not in (None, encoder.sha256):
        raise CheckpointError(
            f"{os.path.join(tokenizer_folder(path), TOKENIZER)}: its hash is {encoder.sha256}, "
            f"that of the run's tokenizer {wanted}"
        )


def _read_params(
    path: str,
    contents: Contents,
    place: Callable[[str], jax.sharding.Sharding],
    finish: Callable[[str, Array], Array],
) -> Params:
    """Read weight by weight, hold each to its digest and finish it before the next is read."""
    settings = _model_of(contents, path)
    shapes = jax.eval_shape(lambda: init(settings, key=jax.random.key(0)))
    found = []
    for name, leaf in named({"params": shapes}).items():
        wanted = jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place(name.removeprefix(_PARAMS)))
        check_fits({name: contents.arrays[name]} if name in contents.arrays else {}, {name: wanted}, path)
        array = agreed(partial(read_array, path, name, wanted), path)
        check_digests(contents.arrays, {name: array}, path)
        found.append(finish(name, array))
    params: Params = jax.tree.unflatten(jax.tree.structure(shapes), found)
    return params


def _import(path: str, dtype: np.dtype[Any]) -> tuple[Params, ModelSettings]:
    params, settings = import_checkpoint(path, dtype=dtype)
    leaves, tree = jax.tree.flatten(params)
    del params
    for number in range(len(leaves)):
        # One by one, so that no second copy of all lies beside the first.
        leaves[number] = jnp.asarray(leaves[number])
    return jax.tree.unflatten(tree, leaves), settings


def _check_same(settings: ModelSettings, found: ModelSettings, path: str) -> None:
    """Hold a model to the one of a checkpoint.

    Raises:
        CheckpointError: They differ in more than the context.
    """
    for key in ("width", "heads", "layers", "ffn_size", "vocab_size", "norm_eps", "rope_theta"):
        asked, there = getattr(settings, key), getattr(found, key)
        if asked != there:
            name = "ffn_width" if key == "ffn_size" else key
            raise CheckpointError(f"model.{name} must be that of the checkpoint {path}, {there}, got {asked}")
