"""Load a trained model for use: weights, shape and tokenizer, from any kind of checkpoint."""

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tokenizer.encoding import Encoder
from tokenizer.engines import EngineName
from train.huggingface import CONFIG, import_checkpoint
from train.huggingface_config import CheckpointError
from train.model import ModelSettings, Params

TOKENIZER = "tokenizer.model"


class LoadedModel(NamedTuple):
    """A model ready to score and to write text."""

    params: Params
    settings: ModelSettings
    encoder: Encoder


def load_model(path: str, *, dtype: np.dtype[Any] | None = None) -> LoadedModel:
    """Load a checkpoint: today a Hugging Face LLaMA with the ``tokenizer.model`` beside its weights.

    Args:
        path: The checkpoint's folder.
        dtype: Of the matrices, float32 by default; bfloat16 halves the memory.

    Returns:
        The weights on the default device, their shape and the tokenizer.

    Raises:
        CheckpointError: There is no such checkpoint, it is not whole, or its tokenizer is missing or does not fit.
    """
    if not os.path.isfile(os.path.join(path, CONFIG)):
        raise CheckpointError(f"{path}: no checkpoint there: there is no {CONFIG}")
    encoder = load_encoder(os.path.join(path, TOKENIZER))
    params, settings = import_checkpoint(path, dtype=dtype)
    if encoder.vocab_size > params.embedding.shape[0]:
        raise CheckpointError(
            f"{path}: the tokenizer has {encoder.vocab_size} pieces, the model {params.embedding.shape[0]} embeddings"
        )
    leaves, tree = jax.tree.flatten(params)
    del params
    for number in range(len(leaves)):
        # One by one, so that no second copy of all lies beside the first.
        leaves[number] = jnp.asarray(leaves[number])
    return LoadedModel(jax.tree.unflatten(tree, leaves), settings, encoder)


def tokenizer_folder(path: str) -> str:
    """Where the tokenizer files of a checkpoint lie: in its own folder, for those of Hugging Face."""
    return path


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
