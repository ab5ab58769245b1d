"""What a block keeps for its backward pass, by name; what is not kept is computed a second time.

From most memory to least: ``none`` keeps all. ``linears`` keeps the outputs of the linear layers, as LLaMA did
("we save the activations that are expensive to compute, such as the outputs of linear layers", Touvron et al., 2023,
section 2.4), and what the attention kernel needs. ``offload`` keeps the same in the host's memory, for TPUs with fast
hosts. ``attention`` keeps what the attention kernel needs, so that it runs once forward and once backward. ``full``
keeps the input of the block alone (Chen et al., 2016).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax

from train.attention import RESIDUALS

Remat = Literal["none", "full", "attention", "linears", "offload"]
LINEARS = ("query", "key", "value", "output", "gate", "up")
"""Outputs of linear layers that the backward pass reads; that of ``down`` is not among them, it is only added up."""

#: From the one that computes least a second time to the one that computes most.
CHEAPEST_FIRST: tuple[Remat, ...] = ("none", "linears", "offload", "attention", "full")


def rematerialize(name: Remat) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what to wrap a step of the scan over layers with."""
    if name == "none":
        return _keep
    return partial(jax.checkpoint, policy=_policy(name), prevent_cse=False)


def _keep(step: Callable[..., Any]) -> Callable[..., Any]:
    return step


def _policy(name: Remat) -> Any:
    policies = jax.checkpoint_policies
    if name == "attention":
        return policies.save_only_these_names(RESIDUALS)
    if name == "linears":
        return policies.save_only_these_names(RESIDUALS, *LINEARS)
    if name == "offload":
        return policies.save_and_offload_only_these_names(
            names_which_can_be_saved=[RESIDUALS],
            names_which_can_be_offloaded=list(LINEARS),
            offload_src="device",
            offload_dst="pinned_host",
        )
    return policies.nothing_saveable
