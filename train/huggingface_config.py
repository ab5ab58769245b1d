"""The shape of a LLaMA as Hugging Face's ``config.json`` has it, both ways.

What LLaMA does not have (shared key heads, tied embeddings, scaled rotation, biases) is refused with the key that asks
for it, for a model that leaves it out would load without a word and answer nonsense.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from train.model import ModelSettings

BOS_ID, EOS_ID = 1, 2


class CheckpointError(ValueError):
    """A folder or file that holds no LLaMA this code can run: one line, with the file and the reason."""


def to_config(settings: ModelSettings, *, dtype: str) -> dict[str, Any]:
    """Write a shape down as ``config.json`` of transformers 4 and 5.

    Args:
        settings: The shape, its vocabulary filled in.
        dtype: ``bfloat16`` or ``float32``, under both the key of version 4 and that of version 5.

    Returns:
        The values. Version 5 turns ``rope_theta`` into its own ``rope_parameters``.
    """
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": settings.vocab_size,
        "hidden_size": settings.width,
        "intermediate_size": settings.ffn_size,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.heads,
        "head_dim": settings.head_size,
        "max_position_embeddings": settings.context,
        "rms_norm_eps": settings.norm_eps,
        "rope_theta": settings.rope_theta,
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def from_config(config: Mapping[str, Any], *, origin: str) -> ModelSettings:
    """Read a shape from ``config.json``.

    Args:
        config: The values of the file.
        origin: The file, for messages.

    Returns:
        The shape; its feed-forward width is given, not computed.

    Raises:
        CheckpointError: It is no LLaMA, or one of a kind that cannot be run.
    """
    if fault := next(_faults(config), None):
        raise CheckpointError(f"{origin}: {fault}")
    try:
        return ModelSettings(
            width=config["hidden_size"],
            heads=config["num_attention_heads"],
            layers=config["num_hidden_layers"],
            ffn_width=config["intermediate_size"],
            vocab_size=config["vocab_size"],
            context=config.get("max_position_embeddings", 2048),
            norm_eps=config.get("rms_norm_eps", 1e-6),
            rope_theta=_rotation(config).get("rope_theta", config.get("rope_theta", 10_000.0)),
        )
    except KeyError as error:
        raise CheckpointError(f"{origin}: the key {error.args[0]} is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{origin}: {where or 'the shape'}: {first['msg']}, got {first['input']}") from error


def _faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Say what keeps a model from being a LLaMA of 2023."""
    heads, width = config.get("num_attention_heads"), config.get("hidden_size")
    key_heads, head_size = config.get("num_key_value_heads"), config.get("head_dim")
    rotation = _rotation(config)
    rotation_kind = rotation.get("rope_type", rotation.get("type", "default"))
    if config.get("model_type") != "llama":
        yield f"model_type must be llama, got {config.get('model_type')}"
    if key_heads not in (None, heads):
        yield f"grouped-query attention is not supported: num_key_value_heads={key_heads}, num_attention_heads={heads}"
    if config.get("tie_word_embeddings"):
        yield "tied embeddings are not supported: tie_word_embeddings is true"
    if rotation_kind != "default":
        yield f"scaled rotation is not supported: rope type is {rotation_kind}"
    if config.get("hidden_act", "silu") != "silu":
        yield f"hidden_act must be silu, got {config['hidden_act']}"
    for key in ("attention_bias", "mlp_bias"):
        if config.get(key):
            yield f"biases are not supported: {key} is true"
    if isinstance(heads, int) and isinstance(width, int) and head_size not in (None, width // max(1, heads)):
        yield f"head_dim must be hidden_size / num_attention_heads = {width} / {heads}, got {head_size}"


def _rotation(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What says how positions rotate: ``rope_parameters`` since transformers 5, ``rope_scaling`` before."""
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return found if isinstance(found, Mapping) else {"rope_type": found}
