"""The rule of unusual steps, against the same rule in plain Python, and in the step itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train.config import SpikeSettings, TrainSettings
from train.spikes import judge, no_steps
from train.step import initial_state, jit_update, plan

NAN, INF = float("nan"), float("inf")


def judged(settings, pairs):
    """Whether each step is usual, whether it counts, and how many unusual ones stand in a row after it."""
    recent, answers = no_steps(settings), []
    for loss, norm in pairs:
        verdict, recent = judge(recent, jnp.float32(loss), jnp.float32(norm), settings)
        answers.append((bool(verdict.usual), bool(verdict.counts), int(recent.in_a_row)))
    return answers


def test_a_step_that_is_no_number_is_left_out_and_the_next_one_starts_the_count_anew():
    settings = SpikeSettings(action="skip", in_a_row=3)
    found = judged(settings, [(2.0, 1.0), (NAN, 1.0), (2.0, INF), (2.0, 1.0), (-INF, 1.0)])
    assert found == [(True, True, 0), (False, True, 1), (False, True, 2), (True, True, 0), (False, True, 1)]


def test_the_last_unusual_step_in_a_row_ends_the_run_and_nothing_counts_after_it():
    settings = SpikeSettings(action="skip", in_a_row=2)
    found = judged(settings, [(NAN, 1.0), (NAN, 1.0), (2.0, 1.0), (NAN, 1.0)])
    assert found == [(False, True, 1), (False, True, 2), (False, False, 2), (False, False, 2)]


def test_the_first_unusual_step_ends_a_run_that_stops_and_is_not_done():
    found = judged(SpikeSettings(), [(2.0, 1.0), (NAN, 1.0), (2.0, 1.0)])
    assert found == [(True, True, 0), (False, False, 1), (False, False, 1)]


@pytest.mark.parametrize("seed", range(3))
def test_spikes_are_found_as_by_the_rule_in_plain_numbers(seed):
    settings = SpikeSettings(action="skip", window=8, deviations=3.0, in_a_row=1000)
    rng = np.random.default_rng(seed)
    pairs = np.exp(rng.normal(0, 1, (60, 2))).astype(np.float32)
    losses, norms, expected = [], [], []
    for loss, norm in pairs.tolist():
        limits = [np.mean(kept[-8:]) + 3 * np.std(kept[-8:]) if len(kept) >= 8 else INF for kept in (losses, norms)]
        expected.append(loss <= limits[0] and norm <= limits[1])
        if expected[-1]:
            losses.append(loss)
            norms.append(norm)
    assert [usual for usual, _, _ in judged(settings, pairs)] == expected
    assert 1 <= expected.count(False) < 40


def settings(**changes):
    model = {"width": 16, "heads": 2, "layers": 1, "ffn_width": 24, "vocab_size": 12, "context": 8}
    values = {"data": "nowhere", "model": model, "optimizer": {"warmup_steps": 4}, "batch": 8, "steps": 10}
    return TrainSettings(**values | {"compute_dtype": "float32"} | changes)


def steps_of(config, *, poisoned, mesh_devices=1):
    """Take four steps; the weights of those named are made too large to add up before the step, and put back after."""
    layout, how = plan(config, jax.devices()[:mesh_devices], backend="cpu")
    step = jit_update(config, layout, how)
    state = jax.jit(lambda: initial_state(config))()
    windows = np.random.default_rng(0).integers(0, 12, (4, 8, 9)).astype(np.int32)
    states = [jax.device_get(state)]
    for number in range(4):
        if number in poisoned:
            good = jax.device_get(state.params)
            state = state._replace(params=jax.tree.map(lambda leaf: leaf * np.float32(INF), good))
        state, metrics = step(state, windows[number])
        if number in poisoned:
            assert not np.isfinite(float(metrics.loss))
            state = state._replace(params=good)
        states.append(jax.device_get(state))
    return states


def moments(state):
    return [leaf for leaf in jax.tree.leaves(state.moments) if leaf.ndim]


def test_a_skipped_step_changes_no_moment_but_the_schedule_goes_on():
    before, after = steps_of(settings(spikes={"action": "skip"}), poisoned={2})[2:4]
    assert int(after.step) == int(before.step) + 1 == 3
    for old, new in zip(moments(before), moments(after), strict=True):
        np.testing.assert_array_equal(old, new)
    counts = [int(leaf) for leaf in jax.tree.leaves(after.moments) if not leaf.ndim]
    assert set(counts) == {3}


def test_a_run_that_stops_keeps_the_state_of_the_last_good_step():
    states = steps_of(settings(), poisoned={2})
    assert [int(state.step) for state in states] == [0, 1, 2, 2, 2]
    for kept in states[3:]:
        for old, new in zip(jax.tree.leaves(states[2].params), jax.tree.leaves(kept.params), strict=True):
            np.testing.assert_array_equal(old, new)
        for old, new in zip(jax.tree.leaves(states[2].moments), jax.tree.leaves(kept.moments), strict=True):
            np.testing.assert_array_equal(old, new)
