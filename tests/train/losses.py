"""Mean cross-entropies in nats per token: of a model, and of logits by the formula itself."""

import jax
import jax.numpy as jnp

from train.execution import PLAIN
from train.model import target_scores


def mean_loss(params, tokens, targets, settings, *, compute_dtype, how=PLAIN):
    """Loss of ``targets`` given ``tokens``, both ``(B, T)``."""
    chosen, normalizer = target_scores(params, tokens, targets, settings, compute_dtype=compute_dtype, how=how)
    return jnp.mean(normalizer - chosen)


def cross_entropy(scores, targets):
    """``logsumexp(scores) - scores[target]``, the mean over all positions of ``(B, T, V)`` logits."""
    chosen = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - chosen)
