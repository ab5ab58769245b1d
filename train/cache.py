"""The model run one token after another: keys and values of earlier positions are kept, not computed again.

The same block as :func:`train.model.block`, with two differences: every sequence of a batch stands at a position of its
own, and attention reads from a cache of fixed length S, so that one compilation serves all steps. Prompts of different
lengths lie at the start of their rows; what a row's padding leaves in the cache is past its position, hence masked, and
overwritten by the time the position comes.

Dimension letters are those of :mod:`train.model`; S is the length of the cache.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from train.model import Layer, ModelSettings, Params, is_matrix, rms_norm, rotary_table, rotate, swiglu


class Cache(NamedTuple):
    """Rotated keys, and values, of all layers."""

    key: Float[Array, "L B S H A"]
    value: Float[Array, "L B S H A"]


def empty_cache(settings: ModelSettings, *, batch: int, length: int, dtype: jnp.dtype) -> Cache:
    """A cache for ``batch`` sequences of up to ``length`` tokens."""
    shape = (settings.layers, batch, length, settings.heads, settings.head_size)
    return Cache(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))


def extend(
    params: Params,
    tokens: Int[Array, "B T"],
    start: Int[Array, " B"],
    cache: Cache,
    settings: ModelSettings,
    *,
    compute_dtype: jnp.dtype,
) -> tuple[Float[Array, "B T D"], Cache]:
    """Run T more tokens of each sequence.

    Args:
        params: The weights.
        tokens: The tokens, of which a sequence may end earlier: later ones do not touch earlier ones.
        start: Each sequence's position of its first token here, the number of its tokens in the cache.
        cache: Keys and values of the positions before ``start``.
        settings: The shape of the weights.
        compute_dtype: Of matrix products, and of the cache.

    Returns:
        The normed residual stream, which :func:`score` turns into scores, and the cache with the tokens in it.
    """
    params = jax.tree.map(
        lambda weight, matrix: weight.astype(compute_dtype) if matrix else weight, params, is_matrix(params)
    )
    positions = start[:, None] + jnp.arange(tokens.shape[1])
    table = rotary_table(cache.key.shape[2], settings.head_size, theta=settings.rope_theta)
    cos, sin = (each[positions] for each in table)

    def step(x: Float[Array, "B T D"], at: tuple[Layer, Cache]) -> tuple[Float[Array, "B T D"], Cache]:
        layer, kept = at
        normed = rms_norm(x, layer.attention_norm, eps=settings.norm_eps)
        query, key = (
            _rotate_each(jnp.einsum("BTD,DHA->BTHA", normed, weight), cos, sin) for weight in (layer.query, layer.key)
        )
        value = jnp.einsum("BTD,DHA->BTHA", normed, layer.value)
        kept = Cache(_put(kept.key, key, positions), _put(kept.value, value, positions))
        x = x + jnp.einsum("BTHA,HAD->BTD", _attend(query, kept, positions), layer.output)
        return x + swiglu(rms_norm(x, layer.ffn_norm, eps=settings.norm_eps), layer), kept

    x, cache = jax.lax.scan(step, params.embedding[tokens], (params.layers, cache))
    return rms_norm(x, params.final_norm, eps=settings.norm_eps), cache


def score(params: Params, x: Float[Array, "B D"]) -> Float[Array, "B V"]:
    """Score the next token, in float32."""
    unembedding = params.unembedding.astype(x.dtype)
    return jnp.einsum("BD,DV->BV", x, unembedding, preferred_element_type=jnp.float32)


def _rotate_each(
    x: Float[Array, "B T H A"], cos: Float[Array, "B T R"], sin: Float[Array, "B T R"]
) -> Float[Array, "B T H A"]:
    """Rotate each sequence by its own positions."""
    return jax.vmap(lambda x, cos, sin: rotate(x[None], cos, sin)[0])(x, cos, sin)


def _put(
    kept: Float[Array, "B S H A"], new: Float[Array, "B T H A"], positions: Int[Array, "B T"]
) -> Float[Array, "B S H A"]:
    return kept.at[jnp.arange(len(kept))[:, None], positions].set(new, mode="drop")


def _attend(query: Float[Array, "B T H A"], kept: Cache, positions: Int[Array, "B T"]) -> Float[Array, "B T H A"]:
    """Attend to the own and earlier positions of the cache, the softmax in float32."""
    scores = jnp.einsum("BTHA,BSHA->BHTS", query, kept.key, preferred_element_type=jnp.float32)
    past = jnp.arange(kept.key.shape[1]) <= positions[:, None, :, None]
    scores = jnp.where(past, scores / math.sqrt(query.shape[-1]), -jnp.inf)
    return jnp.einsum("BHTS,BSHA->BTHA", jax.nn.softmax(scores, axis=-1).astype(kept.value.dtype), kept.value)
