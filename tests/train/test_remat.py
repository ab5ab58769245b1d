import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train.losses import mean_loss
from train.execution import Execution
from train.model import ModelSettings, init
from train.remat import CHEAPEST_FIRST, rematerialize

TINY = ModelSettings(width=16, heads=2, layers=2, ffn_width=24, vocab_size=20, context=8)


def gradient_of(name):
    how = Execution(remat=rematerialize(name))

    def gradient(params, tokens):
        return jax.grad(mean_loss)(params, tokens, tokens, TINY, compute_dtype=jnp.dtype("float32"), how=how)

    return gradient


def inputs():
    params = jax.jit(lambda: init(TINY, key=jax.random.key(0)))()
    return params, jnp.asarray(np.random.default_rng(0).integers(0, 20, (2, 8)), jnp.int32)


def matrix_products(name):
    return str(jax.make_jaxpr(gradient_of(name))(*inputs())).count("dot_general[")


@pytest.mark.parametrize("name", ["linears", "full"])
def test_what_is_computed_twice_changes_no_gradient(name):
    expected = jax.jit(gradient_of("none"))(*inputs())
    ours = jax.jit(gradient_of(name))(*inputs())
    for slope, expected_slope in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(slope, expected_slope, atol=1e-6)


def test_from_none_to_full_ever_more_is_computed_twice():
    """A layer has 9 matrix products: 4 around attention, 2 within, 3 in the feed-forward block."""
    products = {name: matrix_products(name) for name in CHEAPEST_FIRST}
    again = {name: count - products["none"] for name, count in products.items()}
    # The plain attention names nothing to keep, and the last product of a layer is read by no backward pass.
    assert again == {"none": 0, "linears": 2, "offload": 2, "attention": 8, "full": 8}
