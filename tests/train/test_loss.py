import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train.losses import cross_entropy
from train.execution import PLAIN
from train.loss import chunked_scores

B, T, D, V = 2, 5, 8, 24


def inputs(scale=1.0):
    rng = np.random.default_rng(0)
    x, weight = scale * rng.normal(size=(B, T, D)), rng.normal(size=(D, V))
    targets = rng.integers(0, V, (B, T))
    return jnp.asarray(x, jnp.float32), jnp.asarray(weight, jnp.float32), jnp.asarray(targets, jnp.int32)


def chunked(x, weight, targets, chunks, z=0.0):
    chosen, normalizer = chunked_scores(x, weight, targets, chunks, PLAIN)
    return jnp.mean(normalizer - chosen) + z * jnp.mean(jnp.square(normalizer))


def plain(x, weight, targets, z=0.0):
    scores = jnp.einsum("BTD,DV->BTV", x, weight)
    return cross_entropy(scores, targets) + z * jnp.mean(jnp.square(jax.nn.logsumexp(scores, axis=-1)))


@pytest.mark.parametrize("chunks", [1, 3, 24])
@pytest.mark.parametrize("z", [0.0, 0.1], ids=["plain", "z-loss"])
def test_the_loss_in_pieces_and_its_gradients_are_those_of_the_whole(chunks, z):
    loss, slopes = jax.value_and_grad(chunked, argnums=(0, 1))(*inputs(), chunks, z)
    expected, expected_slopes = jax.value_and_grad(plain, argnums=(0, 1))(*inputs(), z)
    assert float(loss) == pytest.approx(float(expected), abs=1e-6)
    for slope, expected_slope in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(slope, expected_slope, atol=1e-6)
        assert np.abs(expected_slope).max() > 0.01


def test_huge_scores_stay_finite_in_pieces():
    loss, slopes = jax.value_and_grad(chunked, argnums=(0, 1))(*inputs(scale=1e4), 3)
    assert np.isfinite(float(loss))
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_the_weight_s_gradient_is_float32_and_the_stream_s_in_the_compute_dtype():
    x, weight, targets = inputs()
    of_x, of_weight = jax.grad(chunked, argnums=(0, 1))(x.astype(jnp.bfloat16), weight, targets, 3)
    assert (of_x.dtype, of_weight.dtype) == (jnp.bfloat16, jnp.float32)


@pytest.mark.parametrize(("chunks", "held"), [(1, True), (3, False)])
def test_in_pieces_the_logits_of_all_positions_are_never_held_at_once(chunks, held):
    program = str(jax.make_jaxpr(jax.grad(chunked, argnums=(0, 1)), static_argnums=3)(*inputs(), chunks))
    assert (f"[{B},{T},{V}]" in program) is held
    assert f"[{B},{T},{V // chunks}]" in program
