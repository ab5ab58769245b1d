"""Cross-entropy without the logits of a whole batch.

The softmax over V entries is taken in pieces of the vocabulary with a running maximum and sum (Milakov & Gimelshein,
2018), and the backward pass computes each piece's logits a second time, so that only ``V / chunks`` of them are held.
Pieces are of the vocabulary, not of the sequence: each piece's part of the weight's gradient is then complete at once,
and is summed over devices once, where pieces of the sequence would sum all of it for each piece or hold it whole.

Letters are those of :mod:`train.model`; v is a piece of V, N the number of pieces.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from train.execution import Execution

Scores = tuple[Float[Array, "B T"], Float[Array, "B T"]]
Residuals = tuple[Float[Array, "B T D"], Float[Array, "D V"], Int[Array, "B T"], Float[Array, "B T"]]


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def chunked_scores(
    x: Float[Array, "B T D"],
    unembedding: Float[Array, "D V"],
    targets: Int[Array, "B T"],
    chunks: int,
    how: Execution,
) -> Scores:
    """The logit of each target and the log-sum-exp of all logits, both in float32.

    Args:
        x: The normalised residual stream, in the compute dtype.
        unembedding: Master weights; a piece is cast and gathered when its turn comes.
        targets: Token ids below V.
        chunks: Pieces of the vocabulary; must divide V.
        how: Where the arrays lie.
    """
    return _forward(x, unembedding, targets, chunks, how)[0]


def _forward(
    x: Float[Array, "B T D"], unembedding: Float[Array, "D V"], targets: Int[Array, "B T"], chunks: int, how: Execution
) -> tuple[Scores, Residuals]:
    def step(carry: tuple[Array, Array, Array], piece: tuple[Array, Array]) -> tuple[tuple[Array, Array, Array], None]:
        largest, total, chosen = carry
        number, weight = piece
        scores = _scores(x, weight, how)
        peak = jnp.maximum(largest, scores.max(axis=-1))
        total = total * jnp.exp(largest - peak) + jnp.exp(scores - peak[..., None]).sum(axis=-1)
        here = _is_target(targets, number, chunks, scores.shape[-1])
        return (peak, total, chosen + jnp.where(here, scores, 0.0).sum(axis=-1)), None

    zero = jnp.zeros(targets.shape, jnp.float32)
    start = (jnp.full(targets.shape, -jnp.inf, jnp.float32), zero, zero)
    numbered = (jnp.arange(chunks, dtype=targets.dtype), _pieces(unembedding, chunks))
    (peak, total, chosen), _ = jax.lax.scan(step, start, numbered)
    normalizer = peak + jnp.log(total)
    return (chosen, normalizer), (x, unembedding, targets, normalizer)


def _backward(
    chunks: int, how: Execution, residuals: Residuals, slopes: Scores
) -> tuple[Float[Array, "B T D"], Float[Array, "D V"], None]:
    """With p the softmax, a logit's slope is ``p * slope of the log-sum-exp + [target] * slope of the target's``."""
    x, unembedding, targets, normalizer = residuals
    of_chosen, of_normalizer = slopes

    def step(of_x: Array, piece: tuple[Array, Array]) -> tuple[Array, Array]:
        number, weight = piece
        scores = _scores(x, weight, how)
        here = _is_target(targets, number, chunks, scores.shape[-1])
        slope = jnp.exp(scores - normalizer[..., None]) * of_normalizer[..., None]
        slope = how.place((slope + jnp.where(here, of_chosen[..., None], 0.0)).astype(x.dtype), "B T V")
        of_weight = jnp.einsum("BTD,BTv->Dv", x, slope, preferred_element_type=jnp.float32)
        used = how.gather(weight.astype(x.dtype), "D V")
        of_x = of_x + jnp.einsum("BTv,Dv->BTD", slope, used, preferred_element_type=jnp.float32)
        return how.place(of_x, "B T D"), how.scatter(of_weight, "D V")

    start = how.place(jnp.zeros(x.shape, jnp.float32), "B T D")
    numbered = (jnp.arange(chunks, dtype=targets.dtype), _pieces(unembedding, chunks))
    of_x, of_pieces = jax.lax.scan(step, start, numbered)
    return of_x.astype(x.dtype), jnp.moveaxis(of_pieces, 0, -1).reshape(unembedding.shape), None


chunked_scores.defvjp(_forward, _backward)


def _scores(x: Float[Array, "B T D"], weight: Float[Array, "D v"], how: Execution) -> Float[Array, "B T v"]:
    used = how.gather(weight.astype(x.dtype), "D V")
    return how.place(jnp.einsum("BTD,Dv->BTv", x, used, preferred_element_type=jnp.float32), "B T V")


def _pieces(unembedding: Float[Array, "D V"], chunks: int) -> Float[Array, "N D v"]:
    """Deal the columns out in turn, column c to piece ``c % N``, so that each piece lies over all devices, too."""
    d, v = unembedding.shape
    return jnp.moveaxis(unembedding.reshape(d, v // chunks, chunks), -1, 0)


def _is_target(targets: Int[Array, "B T"], piece: Int[Array, ""], chunks: int, size: int) -> Bool[Array, "B T v"]:
    place = jnp.where(targets % chunks == piece, targets // chunks, -1)
    return place[..., None] == jnp.arange(size, dtype=targets.dtype)
