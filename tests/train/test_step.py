from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train.config import TrainSettings
from train.execution import PLAIN
from train.model import is_matrix, logits
from train.step import initial_state, loss_and_gradient, plan

MODEL = {"width": 16, "heads": 2, "layers": 2, "ffn_width": 24, "vocab_size": 12, "context": 8}


def settings(**changes):
    values = {"data": "nowhere", "model": MODEL, "optimizer": {"warmup_steps": 1}, "batch": 8, "steps": 10}
    return TrainSettings(**values | {"compute_dtype": "float32"} | changes)


@pytest.fixture(scope="module")
def params():
    """Matrices ten times as large as fresh ones, so that logits are far from even."""
    fresh = jax.device_get(jax.jit(lambda: initial_state(settings()).params)())
    return jax.tree.map(lambda leaf, matrix: leaf * np.float32(10 if matrix else 1), fresh, is_matrix(fresh))


@pytest.fixture(scope="module")
def windows():
    return jnp.asarray(np.random.default_rng(0).integers(0, 12, (8, 9)), jnp.int32)


@pytest.fixture(scope="module")
def whole(params, windows):
    return of(settings(), params, windows)


def of(config, params, windows):
    return compiled(config)(params, windows)


@cache
def compiled(config):
    return jax.jit(partial(loss_and_gradient, settings=config, how=PLAIN))


def test_a_batch_in_parts_has_the_loss_and_gradient_of_the_whole(params, windows, whole):
    loss, gradient = of(settings(accumulate=4), params, windows)
    assert float(loss) == pytest.approx(float(whole[0]), abs=1e-6)
    for slope, expected in zip(jax.tree.leaves(gradient), jax.tree.leaves(whole[1]), strict=True):
        np.testing.assert_allclose(slope, expected, atol=1e-6)
        assert np.abs(expected).max() > 1e-3


def test_the_z_loss_pulls_on_the_logits_and_is_not_in_the_loss_that_is_told(params, windows, whole):
    weight = 0.1
    loss, gradient = of(settings(z_loss=weight), params, windows)
    assert float(loss) == pytest.approx(float(whole[0]), abs=1e-6)

    def z(params):
        scores = logits(params, windows[:, :-1], settings().model, compute_dtype=jnp.dtype("float32"))
        return weight * jnp.mean(jax.nn.logsumexp(scores, axis=-1) ** 2)

    for slope, plain, pull in zip(
        *map(jax.tree.leaves, (gradient, whole[1], jax.jit(jax.grad(z))(params))), strict=True
    ):
        np.testing.assert_allclose(slope, plain + pull, atol=1e-5)


def test_a_document_mask_makes_a_token_blind_to_the_document_before(params):
    masked = settings(document_mask={"bos_id": 1, "eos_id": 2}, batch=1)
    window = jnp.array([[5, 6, 2, 1, 7, 8, 9, 3, 4]], jnp.int32)
    # A token of the first document changes: the loss must change by as much as it does for that document alone.
    losses = [float(of(masked, params, window.at[0, :2].set(jnp.array(first)))[0]) for first in ([5, 6], [5, 9])]
    plain = [
        float(of(settings(batch=1), params, window.at[0, :2].set(jnp.array(first)))[0]) for first in ([5, 6], [5, 9])
    ]
    own = [first_document_loss(params, [5, 6, 2, 1]), first_document_loss(params, [5, 9, 2, 1])]
    assert (losses[0] - losses[1]) * 8 == pytest.approx((own[0] - own[1]) * 3, abs=1e-5)
    assert abs((plain[0] - plain[1]) * 8 - (own[0] - own[1]) * 3) > 1e-3


def first_document_loss(params, tokens):
    window = jnp.array([tokens], jnp.int32)
    return float(of(settings(batch=1, model=MODEL | {"context": len(tokens) - 1}), params, window)[0])


def test_a_mesh_of_one_takes_the_first_of_many_devices():
    layout, _ = plan(settings(), jax.devices(), backend="cpu")
    assert layout.mesh.devices.tolist() == [[[jax.devices()[0]]]]
    with pytest.raises(ValueError, match="1x2x1 does not take 8 devices"):
        plan(settings(mesh={"fsdp": 2}), jax.devices(), backend="cpu")
