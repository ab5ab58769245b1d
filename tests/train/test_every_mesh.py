"""Eight devices, every way to divide them: by copies, pieces of weights, pieces of products and of the sequence."""

from functools import cache

import jax
import numpy as np
import pytest

from train.config import TrainSettings
from train.step import initial_state, jit_update, plan, state_layout

STEPS = 4
ONE, ALL = (1, 1, 1, False), 8
MESHES = [
    (data, fsdp, tensor, parallel)
    for data in (1, 2, 4, 8)
    for fsdp in (1, 2, 4, 8)
    for tensor in (1, 2, 4, 8)
    for parallel in (False, True)
    if data * fsdp * tensor == ALL and (tensor > 1 or not parallel)
]


def way(number, mesh):
    """What else changes no result, dealt out over the meshes in turn; parts of 4 rows go to 4 devices at most."""
    parts = 2 if mesh[0] * mesh[1] < ALL else 1
    ways = [{}, {"remat": "full", "loss_chunks": 2}, {"remat": "linears", "accumulate": parts, "loss_chunks": 4}]
    return ways[number % len(ways)]


def settings(mesh, **changes):
    data, fsdp, tensor, parallel = mesh
    return TrainSettings(
        data="nowhere",
        model={"width": 16, "heads": 8, "layers": 2, "ffn_width": 24, "vocab_size": 32, "context": 8},
        optimizer={"learning_rate": 3e-3, "warmup_steps": 1},
        batch=8,
        steps=10,
        compute_dtype="float32",
        mesh={"data": data, "fsdp": fsdp, "tensor": tensor, "sequence_parallel": parallel},
        **changes,
    )


@cache
def first_state():
    return jax.device_get(jax.jit(lambda: initial_state(settings(ONE)))())


def losses_and_weights(config):
    layout, how = plan(config, jax.devices(), backend="cpu")
    state = jax.device_put(first_state(), state_layout(config, layout))
    step = jit_update(config, layout, how)
    losses = []
    for windows in np.random.default_rng(0).integers(0, 32, (STEPS, 8, 9)).astype(np.int32):
        state, metrics = step(state, windows)
        losses.append(float(metrics.loss))
    return losses, jax.device_get(state.params)


@pytest.fixture(scope="module")
def on_one_device():
    return losses_and_weights(settings(ONE))


def test_there_are_sixteen_of_them():
    """Ten ways to write 8 as an ordered product of three, and six of them divide products, with and without T."""
    assert (len(MESHES), sum(parallel for *_, parallel in MESHES)) == (16, 6)


@pytest.mark.parametrize(
    "mesh", MESHES, ids=["x".join(map(str, mesh[:3])) + ("-sequence" if mesh[3] else "") for mesh in MESHES]
)
def test_every_mesh_gives_the_losses_and_weights_of_one_device(on_one_device, mesh, capfd):
    expected_losses, expected = on_one_device
    losses, weights = losses_and_weights(settings(mesh, **way(MESHES.index(mesh), mesh)))
    np.testing.assert_allclose(losses, expected_losses, rtol=0, atol=1e-6)
    for ours, theirs in zip(jax.tree.leaves(weights), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)  # Adam divides by gradients that round differently
    assert len({round(loss, 3) for loss in expected_losses}) == STEPS
    assert "rematerialization" not in capfd.readouterr().err  # XLA would move a whole array where a piece does
