import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from train.model import ModelSettings, init, is_matrix
from train.optimizer import OptimizerSettings, adamw, learning_rate

SCHEDULE = OptimizerSettings(learning_rate=1e-3, warmup_steps=4, final_fraction=0.1)
TINY = ModelSettings(width=8, heads=2, layers=2, ffn_width=12, vocab_size=10)


def params_of(value):
    shapes = jax.eval_shape(lambda: init(TINY, key=jax.random.key(0)))
    return jax.tree.map(lambda leaf: np.full(leaf.shape, value, np.float32), shapes)


def take_step(optimizer):
    def step(gradient, state, params):
        change, state = optimizer.update(gradient, state, params)
        return jax.tree.map(jnp.add, params, change), state

    return jax.jit(step)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.25e-3),  # the first step is not wasted
        (1, 0.50e-3),
        (3, 1.00e-3),  # the last of the warm-up takes the peak
        (4, 0.1e-3 + 0.9e-3 * (1 + np.cos(np.pi / 8)) / 2),
        (7, 0.55e-3),  # half way down: the mean of peak and final value
        (11, 0.10e-3),  # the last step
        (50, 0.10e-3),
    ],
)
def test_the_learning_rate_rises_linearly_and_falls_by_a_cosine(step, rate):
    assert float(learning_rate(SCHEDULE, steps=12)(jnp.asarray(step))) == pytest.approx(rate, rel=1e-5)


def test_without_a_warm_up_the_rate_falls_from_the_peak():
    settings = OptimizerSettings(learning_rate=1e-3, warmup_steps=0, final_fraction=0.0)
    rates = [float(learning_rate(settings, steps=2)(jnp.asarray(step))) for step in range(2)]
    assert rates == pytest.approx([0.5e-3, 0.0], abs=1e-9)


def test_the_paper_s_schedule_peaks_at_step_2000_and_ends_at_a_tenth():
    rate = learning_rate(OptimizerSettings(), steps=250_000)
    values = [float(rate(jnp.asarray(step))) for step in (999, 1999, 249_999)]
    assert values == pytest.approx([1.5e-4, 3e-4, 3e-5], rel=1e-5)


def reference_adamw(weights, gradients, decays, *, steps):
    """Two equations of Kingma & Ba and the decay of Loshchilov & Hutter, leaf by leaf in float64, by hand."""
    mean = [np.zeros_like(w) for w in weights]
    square = [np.zeros_like(w) for w in weights]
    for n, gradient in enumerate(gradients, start=1):
        norm = np.sqrt(sum((g**2).sum() for g in gradient))
        rate = 1e-3 * n / 4
        for i, g in enumerate(gradient):
            clipped = g * min(1.0, 1.0 / norm)
            mean[i] = 0.9 * mean[i] + 0.1 * clipped
            square[i] = 0.95 * square[i] + 0.05 * clipped**2
            change = mean[i] / (1 - 0.9**n) / (np.sqrt(square[i] / (1 - 0.95**n)) + 1e-8)
            weights[i] = weights[i] - rate * (change + 0.1 * decays[i] * weights[i])
    return weights


@pytest.mark.parametrize("scale", [10.0, 1e-3], ids=["clipped", "not clipped"])
def test_three_steps_of_adamw_equal_a_float64_reference(scale):
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.normal(leaf).astype(np.float32), params_of(0.5))
    leaves, tree = jax.tree.flatten(params)
    gradients = [[rng.normal(size=leaf.shape) * scale for leaf in leaves] for _ in range(3)]
    optimizer = adamw(SCHEDULE, steps=12)
    state, step = jax.jit(optimizer.init)(params), take_step(optimizer)
    for gradient in gradients:
        params, state = step(jax.tree.unflatten(tree, [g.astype(np.float32) for g in gradient]), state, params)
    expected = reference_adamw(
        [np.asarray(leaf, np.float64) for leaf in leaves], gradients, jax.tree.leaves(is_matrix(params)), steps=12
    )
    for ours, theirs in zip(jax.tree.leaves(params), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-7)


def test_a_step_equals_torch_s_adamw_with_its_clipping_and_the_same_schedule():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) / 10, params_of(0.0))
    gradient = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), params)
    theirs = [torch.nn.Parameter(torch.from_numpy(leaf.copy())) for leaf in jax.tree.leaves(params)]
    for weight, slope in zip(theirs, jax.tree.leaves(gradient), strict=True):
        weight.grad = torch.from_numpy(slope.copy())
    groups = [
        {
            "params": [
                w for w, matrix in zip(theirs, jax.tree.leaves(is_matrix(params)), strict=True) if matrix is decays
            ]
        }
        | {"weight_decay": 0.1 if decays else 0.0}
        for decays in (True, False)
    ]
    adam = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    torch.optim.lr_scheduler.LambdaLR(adam, lambda step: (step + 1) / 4)  # the warm-up of SCHEDULE
    assert float(torch.nn.utils.clip_grad_norm_(theirs, 1.0)) > 10
    adam.step()
    optimizer = adamw(SCHEDULE, steps=12)
    ours, _ = take_step(optimizer)(gradient, jax.jit(optimizer.init)(params), params)
    for mine, weight in zip(jax.tree.leaves(ours), theirs, strict=True):
        np.testing.assert_allclose(mine, weight.detach().numpy(), rtol=0, atol=5e-8)


def test_with_no_gradient_matrices_shrink_and_gains_stay():
    params, optimizer = params_of(1.0), adamw(SCHEDULE, steps=12)
    after, _ = take_step(optimizer)(params_of(0.0), jax.jit(optimizer.init)(params), params)
    expected = jax.tree.map(lambda matrix: 1 - 0.25e-3 * 0.1 if matrix else 1.0, is_matrix(params))
    for ours, theirs in zip(jax.tree.leaves(after), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_no_norm_means_no_clipping():
    optimizer = adamw(SCHEDULE.model_copy(update={"max_gradient_norm": None}), steps=12)
    _, state = take_step(optimizer)(params_of(100.0), jax.jit(optimizer.init)(params_of(1.0)), params_of(1.0))
    np.testing.assert_allclose(state[0].mu.embedding, 10.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"learning_rate": 0}, "learning_rate"),
        ({"beta2": 1}, "beta2"),
        ({"max_gradient_norm": 0}, "max_gradient_norm"),
        ({"final_fraction": 1.5}, "final_fraction"),
        ({"momentum": 0.9}, "momentum"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(values, key):
    with pytest.raises(ValidationError, match=key):
        OptimizerSettings(**values)


def test_a_warm_up_as_long_as_the_run_is_refused():
    with pytest.raises(ValueError, match="warmup_steps must be below steps=4, got 4"):
        learning_rate(SCHEDULE, steps=4)
