"""How a model is computed: kernels, sharding and memory, apart from what is computed.

:mod:`train.model` says what LLaMA is; it asks an :class:`Execution` where its arrays lie, which kernel attends and what
is kept for the backward pass. Arrays are named by their dimension letters (the legend in :mod:`train.model`), so the
model knows neither mesh nor backend.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, Int

from train.attention import causal_attention

Attend = Callable[
    [Float[Array, "B T H A"], Float[Array, "B S H A"], Float[Array, "B S H A"], Int[Array, "B T"] | None],
    Float[Array, "B T H A"],
]
Placing = Callable[[Array, str], Array]


def stay(array: Array, axes: str) -> Array:  # noqa: ARG001 -- the same arguments for all ways of placing
    """Leave an array where it is: on one device."""
    return array


def saved(array: Array, name: str) -> Array:
    """Name what a rematerialisation may keep, see :mod:`train.remat`."""
    named: Array = checkpoint_name(array, name)
    return named


def keep_all(step: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a step computes for its backward pass."""
    return step


@dataclass(frozen=True)
class Execution:
    """How a model is computed; none of it changes a result, but for rounding.

    Attributes:
        attend: Causal attention over query, key, value and, if documents are kept apart, their numbers.
        place: Lays an activation over the mesh, e.g. ``place(x, "B T D")``.
        gather: Brings a weight from where it is kept to where it is used; its gradient goes the other way.
        scatter: Lays a gradient of a weight where the weight is kept.
        remat: Wraps the step of the scan over layers, deciding what it keeps for the backward pass.
        loss_chunks: Pieces of the vocabulary whose logits are held one at a time.
    """

    attend: Attend = causal_attention
    place: Placing = stay
    gather: Placing = stay
    scatter: Placing = stay
    remat: Callable[[Callable[..., Any]], Callable[..., Any]] = keep_all
    loss_chunks: int = 1


PLAIN = Execution()
