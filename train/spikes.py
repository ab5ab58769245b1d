"""Which steps are unusual, by a rule that is part of the step itself and of its state.

A step whose loss or gradient is no number, or far above those before it, would spoil the weights and AdamW's moments
for thousands of steps. The rule is that of :class:`train.config.SpikeSettings`. It runs where the step runs: no host
has to see the loss first. What it remembers is saved with the weights, so a resumed run judges alike.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from train.config import SpikeSettings


class Recent(NamedTuple):
    """The last usual steps, W of them, in a ring; all zeros at first.

    Attributes:
        losses: Their losses.
        norms: The norms of their gradients.
        usual: Usual steps so far.
        in_a_row: Unusual steps since the last usual one.
    """

    losses: Float[Array, " W"]
    norms: Float[Array, " W"]
    usual: Int[Array, ""]
    in_a_row: Int[Array, ""]


class Verdict(NamedTuple):
    """Whether a step changes the weights (``usual``) and whether it is done (``counts``)."""

    usual: Bool[Array, ""]
    counts: Bool[Array, ""]


def no_steps(settings: SpikeSettings) -> Recent:
    """What is known before the first step."""
    none, nothing = jnp.zeros((settings.window,), jnp.float32), jnp.zeros((), jnp.int32)
    return Recent(none, none, nothing, nothing)


def most_in_a_row(settings: SpikeSettings) -> int:
    """Unusual steps in a row that end a run."""
    return 1 if settings.action == "stop" else settings.in_a_row


def judge(
    recent: Recent, loss: Float[Array, ""], norm: Float[Array, ""], settings: SpikeSettings
) -> tuple[Verdict, Recent]:
    """Judge a step. Once a run has ended nothing changes any more, whatever is still computed."""
    ended = recent.in_a_row >= most_in_a_row(settings)
    usual = jnp.isfinite(loss) & jnp.isfinite(norm)
    if settings.deviations is not None:
        is_known = recent.usual >= settings.window
        for value, before in ((loss, recent.losses), (norm, recent.norms)):
            usual &= ~is_known | (value <= before.mean() + settings.deviations * before.std())
    usual &= ~ended
    slot = recent.usual % settings.window
    after = Recent(
        jnp.where(usual, recent.losses.at[slot].set(loss), recent.losses),
        jnp.where(usual, recent.norms.at[slot].set(norm), recent.norms),
        recent.usual + usual.astype(jnp.int32),
        jnp.where(usual, 0, recent.in_a_row + (~ended).astype(jnp.int32)),
    )
    return Verdict(usual, usual | (~ended & (settings.action == "skip"))), after
