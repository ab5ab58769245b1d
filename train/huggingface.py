"""Weights as Hugging Face's LLaMA has them: names, layout, and how they are written.

A linear layer there is ``[out, in]``, here ``[in, out]`` with the heads as an axis of their own. Both rotate pairs half
a head apart, so that no row is permuted (Meta's own files pair neighbours, see :func:`train.model.rotate`). Weights are
written tensor by tensor: memory holds one copy of them and the tensor at hand.
"""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from train.huggingface_config import BOS_ID, EOS_ID, to_config
from train.model import ModelSettings, Params
from train.safetensors_writer import StoredShape, write_safetensors

Weights = NDArray[Any]
Dtype = Literal["bf16", "fp32"]

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
#: Files of a tokenizer, copied into an export where the run has them.
TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
MAX_SHARD_BYTES = 5 * 10**9

_DTYPES = {"bf16": np.dtype(ml_dtypes.bfloat16), "fp32": np.dtype(np.float32)}
_DTYPE_NAMES = {"bf16": "bfloat16", "fp32": "float32"}
_LAYER_NAMES = {
    "attention_norm": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


class Place(NamedTuple):
    """Where a tensor of Hugging Face's lies here: a field of Layer and its number, or one of Params."""

    field: str
    layer: int | None


def places(settings: ModelSettings) -> dict[str, Place]:
    """Give each tensor's place by its name, in the order of the model.

    >>> list(places(ModelSettings(width=4, heads=1, layers=1, vocab_size=8)))[:2]
    ['model.embed_tokens.weight', 'model.layers.0.input_layernorm.weight']
    """
    found = {"model.embed_tokens.weight": Place("embedding", None)}
    for layer in range(settings.layers):
        for field, name in _LAYER_NAMES.items():
            found[f"model.layers.{layer}.{name}.weight"] = Place(field, layer)
    return found | {"model.norm.weight": Place("final_norm", None), "lm_head.weight": Place("unembedding", None)}


def to_hugging_face(weight: Weights, field: str) -> Weights:
    """Turn one weight, of one layer, into Hugging Face's layout."""
    if weight.ndim == 1 or field == "embedding":
        return weight
    # The output projection reads heads, all others write them.
    flat = weight.reshape(-1, weight.shape[-1]) if field == "output" else weight.reshape(weight.shape[0], -1)
    return flat.T


def stored_shape(shape: tuple[int, ...], field: str) -> tuple[int, ...]:
    """The shape that a weight of ``shape``, of one layer, has in Hugging Face's layout."""
    if len(shape) == 1 or field == "embedding":
        return shape
    inputs = math.prod(shape[:-1]) if field == "output" else shape[0]
    return math.prod(shape) // inputs, inputs


def to_state(params: Params, settings: ModelSettings) -> Iterator[tuple[str, Weights]]:
    """Yield each weight under Hugging Face's name and in its layout, one at a time."""
    for name, place in places(settings).items():
        yield name, to_hugging_face(np.asarray(_at(params, place)), place.field)


def export_checkpoint(
    params: Params,
    settings: ModelSettings,
    folder: str,
    *,
    dtype: Dtype = "bf16",
    max_shard_bytes: int = MAX_SHARD_BYTES,
    tokenizer: str | None = None,
) -> list[str]:
    """Write a folder that transformers 4 and 5 load as ``LlamaForCausalLM``.

    It is written beside its place and moved there when it is whole.

    Args:
        params: The weights, on devices or not; they are fetched one tensor at a time.
        settings: Their shape.
        folder: The folder to make; it must not exist, or be empty.
        dtype: ``bf16`` or ``fp32``.
        max_shard_bytes: Most bytes of tensors in one file; a larger tensor has a file of its own.
        tokenizer: Folder whose tokenizer files are copied, those of :data:`TOKENIZER_FILES` that are there.

    Returns:
        The names of the files written, sorted.

    Raises:
        ValueError: The folder holds files.
        OSError: It cannot be written; nothing is left of it.
    """
    if os.path.isdir(folder) and os.listdir(folder):
        raise ValueError(f"{folder}: the folder holds files already; name another one")
    settings = settings.model_copy(update={"vocab_size": params.embedding.shape[0]})
    partial = folder.rstrip("/") + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    try:
        _write_weights(params, settings, partial, dtype=dtype, max_shard_bytes=max_shard_bytes)
        _write_json(partial, CONFIG, to_config(settings, dtype=_DTYPE_NAMES[dtype]))
        generation = {"_from_model_config": True, "bos_token_id": BOS_ID, "eos_token_id": EOS_ID}
        _write_json(partial, "generation_config.json", generation)
        for name in TOKENIZER_FILES:
            if tokenizer and os.path.isfile(os.path.join(tokenizer, name)):
                shutil.copyfile(os.path.join(tokenizer, name), os.path.join(partial, name))
        if os.path.isdir(folder):
            os.rmdir(folder)
        os.replace(partial, folder)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return sorted(os.listdir(folder))


def _at(params: Params, place: Place) -> Any:
    if place.layer is None:
        return getattr(params, place.field)
    return getattr(params.layers, place.field)[place.layer]


def _write_weights(params: Params, settings: ModelSettings, folder: str, *, dtype: Dtype, max_shard_bytes: int) -> None:
    shards = _shards(params, settings, _DTYPES[dtype], max_shard_bytes)
    weights = (weight for _, weight in to_state(params, settings))
    files: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = SINGLE if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        files |= dict.fromkeys(shard, name)
        write_safetensors(os.path.join(folder, name), shard, islice(weights, len(shard)))
    if len(shards) > 1:
        total = sum(stored.num_bytes for shard in shards for stored in shard.values())
        _write_json(folder, INDEX, {"metadata": {"total_size": total}, "weight_map": files})


def _shards(
    params: Params, settings: ModelSettings, dtype: np.dtype[Any], max_shard_bytes: int
) -> list[dict[str, StoredShape]]:
    """Deal the tensors out to files, in order, without fetching one."""
    shards: list[dict[str, StoredShape]] = [{}]
    for name, place in places(settings).items():
        leaf = getattr(params if place.layer is None else params.layers, place.field)
        shape = leaf.shape if place.layer is None else leaf.shape[1:]
        stored = StoredShape(stored_shape(shape, place.field), dtype)
        if shards[-1] and sum(each.num_bytes for each in shards[-1].values()) + stored.num_bytes > max_shard_bytes:
            shards.append({})
        shards[-1][name] = stored
    return shards


def _write_json(folder: str, name: str, content: Mapping[str, Any]) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
