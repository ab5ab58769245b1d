import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from tests.train.losses import cross_entropy, mean_loss
from train.attention import causal_attention
from train.model import (
    Layer,
    ModelSettings,
    Params,
    init,
    is_matrix,
    logits,
    parameter_count,
    rms_norm,
    rotary_table,
    rotate,
)

TINY = ModelSettings(width=24, heads=3, layers=2, ffn_width=40, vocab_size=37, context=11)
FLOAT32 = jnp.dtype("float32")
STATIC = ("settings", "compute_dtype")
jit_init = jax.jit(lambda settings, seed: init(settings, key=jax.random.key(seed)), static_argnums=0)
jit_logits = jax.jit(logits, static_argnames=STATIC)
jit_loss = jax.jit(mean_loss, static_argnames=STATIC)
jit_gradient = jax.jit(jax.grad(mean_loss), static_argnames=STATIC)


def lively_params(settings=TINY, seed=0):
    """Weights large enough that attention is far from uniform, and gains far from one, all in float64."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: init(settings, key=jax.random.key(0)))
    fan_in = jax.tree.map(lambda leaf: float(np.sqrt(settings.width)), shapes)
    return jax.tree.map(lambda leaf, root: rng.normal(size=leaf.shape) * 2 / root, shapes, fan_in)


def tokens_and_targets(settings=TINY, batch=2, seed=1):
    windows = np.random.default_rng(seed).integers(0, settings.vocab_size, (batch, settings.context + 1))
    return jnp.asarray(windows[:, :-1], jnp.int32), jnp.asarray(windows[:, 1:], jnp.int32)


def on_device(params):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)


def reference_logits(params, tokens, settings):
    """LLaMA written down a second time: one sequence, one head, one position at a time, in float64."""

    def norm(x, gain):
        return x / np.sqrt((x * x).sum(-1, keepdims=True) / x.shape[-1] + settings.norm_eps) * gain

    def turn(x):
        half = x.shape[-1] // 2
        angles = np.outer(np.arange(len(x)), settings.rope_theta ** (-2 * np.arange(half) / x.shape[-1]))
        pairs = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
        return np.hstack([pairs.real, pairs.imag])

    def attend(query, key, value):
        out = np.zeros_like(value)
        for t in range(len(query)):
            score = np.exp(key[: t + 1] @ query[t] / np.sqrt(query.shape[-1]))
            out[t] = score @ value[: t + 1] / score.sum()
        return out

    def one(sequence):
        x = params.embedding[sequence]
        for n in range(settings.layers):
            w = Layer(*(leaf[n] for leaf in params.layers))
            y = norm(x, w.attention_norm)
            for h in range(settings.heads):
                heads = attend(turn(y @ w.query[:, h]), turn(y @ w.key[:, h]), y @ w.value[:, h])
                x = x + heads @ w.output[h]
            y = norm(x, w.ffn_norm)
            gate = y @ w.gate
            x = x + (gate / (1 + np.exp(-gate)) * (y @ w.up)) @ w.down
        return norm(x, params.final_norm) @ params.unembedding

    return np.stack([one(sequence) for sequence in tokens])


def reference_loss(params, tokens, targets, settings=TINY):
    probability = np.exp(reference_logits(params, tokens, settings))
    probability /= probability.sum(-1, keepdims=True)
    rows, columns = np.indices(targets.shape)
    return float(-np.log(probability[rows, columns, targets]).mean())


def test_logits_and_loss_equal_a_float64_reference():
    params, (tokens, targets) = lively_params(), tokens_and_targets()
    expected = reference_logits(params, tokens, TINY)
    assert np.std(expected) > 0.5  # else the tolerance below says little
    scores = jit_logits(on_device(params), tokens, TINY, compute_dtype=FLOAT32)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    loss = jit_loss(on_device(params), tokens, targets, TINY, compute_dtype=FLOAT32)
    assert float(loss) == pytest.approx(reference_loss(params, tokens, targets), abs=1e-5)


def test_gradients_equal_central_differences_of_the_float64_reference():
    params, (tokens, targets) = lively_params(), tokens_and_targets()
    gradient = jit_gradient(on_device(params), tokens, targets, TINY, compute_dtype=FLOAT32)
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(2)
    for number, (leaf, slope) in enumerate(zip(leaves, jax.tree.leaves(gradient), strict=True)):
        direction = rng.normal(size=leaf.shape)
        direction *= 1e-4 / np.linalg.norm(direction)

        def loss_at(sign, number=number, direction=direction):
            moved = [other + sign * direction if i == number else other for i, other in enumerate(leaves)]
            return reference_loss(jax.tree.unflatten(tree, moved), tokens, targets)

        measured = (loss_at(+1) - loss_at(-1)) / 2e-4
        assert measured == pytest.approx(float(np.vdot(slope, direction)) / 1e-4, abs=2e-6, rel=1e-4), number


def test_a_pair_of_a_head_lies_half_a_head_apart_and_turns_by_its_position():
    x = np.random.default_rng(3).normal(size=(1, 5, 1, 8)).astype(np.float32)
    cos, sin = rotary_table(5, 8, theta=100.0)
    turned = np.asarray(rotate(jnp.asarray(x), cos, sin))
    for position in range(5):
        for pair in range(4):
            angle = position * 100.0 ** (-pair / 4)
            a, b = x[0, position, 0, pair], x[0, position, 0, pair + 4]
            expected = a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)
            np.testing.assert_allclose(turned[0, position, 0, [pair, pair + 4]], expected, atol=1e-5)


def test_rotated_products_depend_on_the_distance_alone():
    query, key = np.random.default_rng(4).normal(size=(2, 1, 1, 1, 16)).astype(np.float32)
    cos, sin = rotary_table(32, 16, theta=10_000.0)
    turned_query = np.asarray(rotate(jnp.asarray(np.repeat(query, 32, axis=1)), cos, sin))[0, :, 0]
    turned_key = np.asarray(rotate(jnp.asarray(np.repeat(key, 32, axis=1)), cos, sin))[0, :, 0]
    products = turned_query @ turned_key.T
    for distance in range(-31, 32):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-5)
    assert np.ptp(products[0]) > 0.1


@pytest.mark.parametrize("changed", [1, 5, 10])
def test_changing_a_token_changes_no_logit_before_it_and_all_after(changed):
    params, (tokens, _) = on_device(lively_params()), tokens_and_targets()
    other = tokens.at[:, changed].set((tokens[:, changed] + 1) % TINY.vocab_size)
    before = np.asarray(jit_logits(params, tokens, TINY, compute_dtype=FLOAT32))
    after = np.asarray(jit_logits(params, other, TINY, compute_dtype=FLOAT32))
    np.testing.assert_array_equal(before[:, :changed], after[:, :changed])
    assert (np.abs(before - after)[:, changed:].max(axis=-1) > 1e-4).all()


def test_attention_to_equal_keys_is_the_running_mean_of_the_values():
    value = jnp.arange(4, dtype=jnp.float32).reshape(1, 4, 1, 1)
    query = key = jnp.ones((1, 4, 1, 1), jnp.float32)
    np.testing.assert_allclose(causal_attention(query, key, value)[0, :, 0, 0], [0, 0.5, 1, 1.5], atol=1e-6)


def test_attention_scores_are_divided_by_the_root_of_the_head_size():
    query = jnp.full((1, 2, 1, 4), 1.0)
    key = jnp.zeros((1, 2, 1, 4)).at[0, 1].set(0.5)
    value = jnp.zeros((1, 2, 1, 4)).at[0, 1].set(1.0)
    weight = 1 / (1 + np.exp(-4 * 0.5 / 2))
    np.testing.assert_allclose(causal_attention(query, key, value)[0, 1, 0], np.full(4, weight), atol=1e-6)


def test_rms_norm_in_bfloat16_takes_its_mean_in_float32():
    x = jnp.full((4096,), 3.0, jnp.bfloat16)
    normed = rms_norm(x, jnp.full((4096,), 2.0, jnp.float32), eps=1e-6)
    assert normed.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(normed, np.float32), 2.0)


def test_cross_entropy_of_even_scores_is_the_logarithm_of_the_vocabulary():
    loss = cross_entropy(jnp.full((2, 3, 50), 7.0), jnp.zeros((2, 3), jnp.int32))
    assert float(loss) == pytest.approx(np.log(50), abs=1e-6)


def test_cross_entropy_of_huge_scores_stays_finite():
    scores = jnp.array([[[1e30, 0.0, -1e30]]])
    assert float(cross_entropy(scores, jnp.array([[0]]))) == 0.0


def test_a_bfloat16_model_gives_float32_logits_near_those_of_float32():
    params, (tokens, _) = on_device(lively_params()), tokens_and_targets()
    exact = jit_logits(params, tokens, TINY, compute_dtype=FLOAT32)
    rough = jit_logits(params, tokens, TINY, compute_dtype=jnp.dtype("bfloat16"))
    assert rough.dtype == jnp.float32
    error = float(np.abs(rough - exact).max() / np.std(exact))
    assert 1e-4 < error < 0.2  # bfloat16 keeps 8 bits: equality would mean that nothing was cast


def test_a_fresh_model_knows_nothing():
    settings = ModelSettings(width=64, heads=4, layers=3, vocab_size=500, context=32)
    tokens, targets = tokens_and_targets(settings, batch=4)
    loss = jit_loss(jit_init(settings, 0), tokens, targets, settings, compute_dtype=FLOAT32)
    assert float(loss) == pytest.approx(np.log(500), abs=0.05)


def test_weights_are_drawn_at_0_02_and_residual_writers_smaller_by_the_root_of_twice_the_depth():
    params = jit_init(ModelSettings(width=128, heads=4, layers=8, vocab_size=1000), 1)
    spread = jax.tree.map(lambda leaf: float(np.std(leaf)), params)
    plain, writer = pytest.approx(0.02, rel=0.02), pytest.approx(0.005, rel=0.02)
    assert spread == Params(plain, Layer(0, plain, plain, plain, writer, 0, plain, plain, writer), 0, plain)
    assert all((np.asarray(gain) == 1).all() for gain in (params.layers.attention_norm, params.layers.ffn_norm))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {FLOAT32}


def test_all_weights_are_matrices_but_the_gains_of_the_norms():
    params = jax.eval_shape(lambda: init(TINY, key=jax.random.key(0)))
    layers = Layer(False, True, True, True, True, False, True, True, True)
    assert is_matrix(params) == Params(True, layers, False, True)


@pytest.mark.parametrize(
    ("width", "heads", "layers", "ffn", "millions"),
    [
        (4096, 32, 32, 11008, 6738.4),
        (5120, 40, 40, 13824, 13015.9),
        (6656, 52, 60, 17920, 32528.9),
        (8192, 64, 80, 22016, 65285.7),
    ],
)
def test_the_paper_s_shapes_have_the_paper_s_parameter_counts(width, heads, layers, ffn, millions):
    settings = ModelSettings(width=width, heads=heads, layers=layers, vocab_size=32_000)
    assert settings.ffn_size == ffn
    by_hand = 2 * 32_000 * width + layers * (4 * width**2 + 3 * width * ffn + 2 * width) + width
    assert parameter_count(settings) == by_hand
    assert parameter_count(settings) / 1e6 == pytest.approx(millions, abs=0.1)


def test_the_feed_forward_width_can_be_given():
    assert ModelSettings(width=24, heads=3, ffn_width=40).ffn_size == 40
    assert ModelSettings(width=24, heads=3, ffn_multiple=8).ffn_size == 64


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 100, "heads": 3}, "width must be a multiple of heads, got width=100 and heads=3"),
        ({"width": 9, "heads": 3}, "must be even .* got 9 / 3 = 3"),
        ({"depth": 4}, "depth"),
        ({"layers": 0}, "layers"),
        ({"vocab_size": 1}, "vocab_size"),
        ({"rope_theta": 1.0}, "rope_theta"),
    ],
)
def test_an_impossible_shape_is_refused_by_name(values, message):
    with pytest.raises(ValidationError, match=message):
        ModelSettings(**values)


def test_weights_are_not_drawn_without_a_vocabulary():
    with pytest.raises(ValueError, match="vocab_size must be set"):
        init(ModelSettings(width=24, heads=3), key=jax.random.key(0))


def test_a_batch_of_the_wrong_rank_is_refused_by_jaxtyping():
    with pytest.raises(Exception, match="tokens"):
        jit_logits(on_device(lively_params()), jnp.zeros(4, jnp.int32), TINY, compute_dtype=FLOAT32)
