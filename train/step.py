"""One step of training as a pure function of state and batch, for a mesh of any shape.

The loop calls it, and so does the compiler that checks it for a machine that is not there.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]  # optax ships no py.typed marker
from jaxtyping import Array, Float, Int

from train.attention import causal_attention, choose_kernel, cudnn_attention, document_numbers, splash_attention
from train.config import TrainSettings
from train.execution import PLAIN, Attend, Execution
from train.model import Params, init, target_scores
from train.optimizer import adamw, learning_rate
from train.remat import rematerialize
from train.sharding import Layout, build_mesh, check_divides
from train.spikes import Recent, Verdict, judge, no_steps


class State(NamedTuple):
    """All that a step changes; ``step`` is the number of steps done and with it the position in the data."""

    step: Int[Array, ""]
    params: Params
    moments: Any
    recent: Recent


class Metrics(NamedTuple):
    """What a step says of itself, still on the device; ``in_a_row`` counts unusual steps, this one included."""

    loss: Float[Array, ""]
    grad_norm: Float[Array, ""]
    learning_rate: Float[Array, ""]
    in_a_row: Int[Array, ""]


Update = Callable[[State, Any], tuple[State, Metrics]]


def initial_state(settings: TrainSettings) -> State:
    """Weights drawn from the seed, moments at zero, step 0."""
    params = init(settings.model, key=jax.random.key(settings.seed))
    moments = adamw(settings.optimizer, steps=settings.steps).init(params)
    return State(jnp.zeros((), jnp.int32), params, moments, no_steps(settings.spikes))


def update(
    state: State, windows: Int[Array, "B W"], settings: TrainSettings, how: Execution = PLAIN
) -> tuple[State, Metrics]:
    """Take one step on windows of W = T + 1 tokens, each token but a window's first being a target.

    An unusual step (:mod:`train.spikes`) changes no weight and no moment. One that is skipped counts as done, so that
    the schedule and the data go on; one that ends the run does not, and whatever is launched after it changes nothing.
    """
    optimizer = adamw(settings.optimizer, steps=settings.steps)
    loss, gradient = loss_and_gradient(state.params, windows, settings, how)
    norm = optax.tree.norm(gradient)
    change, moments = optimizer.update(gradient, state.moments, state.params)
    verdict, recent = judge(state.recent, loss, norm, settings.spikes)
    rate = jnp.asarray(learning_rate(settings.optimizer, steps=settings.steps)(state.step))
    updated = State(state.step + 1, optax.apply_updates(state.params, change), moments, recent)
    return choose(verdict, updated, state), Metrics(loss, norm, rate, recent.in_a_row)


def choose(verdict: Verdict, updated: State, before: State) -> State:
    """Take the counters of ``updated`` where the step counts, the weights and moments where it is usual."""

    def chosen(new: Array, old: Array) -> Array:
        counts = jnp.issubdtype(new.dtype, jnp.integer)
        return jnp.where(verdict.counts if counts else verdict.usual, new, old)

    step, params, moments = jax.tree.map(chosen, updated[:3], before[:3])
    return State(step, params, moments, updated.recent)


def loss_and_gradient(
    params: Params, windows: Int[Array, "B W"], settings: TrainSettings, how: Execution
) -> tuple[Float[Array, ""], Params]:
    """The mean loss of a batch and its gradient, in ``settings.accumulate`` parts one after the other.

    Parts are of equal size, so the mean of their means is the mean of all. Each takes every n-th row: rows that lie on
    a device stay there.
    """
    of_part = jax.value_and_grad(partial(_objective, settings=settings, how=how), has_aux=True)
    if settings.accumulate == 1:
        (_, loss), gradient = of_part(params, windows)
        return loss, gradient

    def add(total: tuple[Array, Params], part: Int[Array, "b W"]) -> tuple[tuple[Array, Params], None]:
        (_, loss), gradient = of_part(params, how.place(part, "B _"))
        return jax.tree.map(jnp.add, total, (loss, gradient)), None

    parts = windows.reshape(-1, settings.accumulate, windows.shape[1]).swapaxes(0, 1)
    zero = jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, params)
    total, _ = jax.lax.scan(add, zero, parts)
    mean: tuple[Array, Params] = jax.tree.map(lambda summed: summed / settings.accumulate, total)
    return mean


def _objective(
    params: Params, windows: Int[Array, "B W"], settings: TrainSettings, how: Execution
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """What is minimised, and the cross-entropy beside it, without the z-loss (Chowdhery et al., 2022, section 5)."""
    chosen, normalizer = window_scores(params, windows, settings, how)
    loss = jnp.mean(normalizer - chosen)
    if settings.z_loss is None:
        return loss, loss
    return loss + settings.z_loss * jnp.mean(jnp.square(normalizer)), loss


def window_scores(
    params: Params, windows: Int[Array, "B W"], settings: TrainSettings, how: Execution
) -> tuple[Float[Array, "B T"], Float[Array, "B T"]]:
    """Score each window's tokens but the first by the tokens before it: :func:`train.model.target_scores`."""
    tokens, targets = windows[:, :-1], windows[:, 1:]
    documents = settings.document_mask
    return target_scores(
        params,
        tokens,
        targets,
        settings.model,
        compute_dtype=jnp.dtype(settings.compute_dtype),
        how=how,
        segments=None
        if documents is None
        else document_numbers(tokens, bos_id=documents.bos_id, eos_id=documents.eos_id),
    )


def plan(settings: TrainSettings, devices: list[jax.Device], *, backend: str) -> tuple[Layout, Execution]:
    """Decide where arrays lie and which kernels run.

    Args:
        settings: The vocabulary must be known.
        devices: All devices of the run, of all hosts; a mesh of one takes the first.
        backend: ``tpu``, ``gpu`` or ``cpu``.

    Raises:
        ValueError: Mesh, model, batch and devices do not fit each other, or no such kernel runs there.
    """
    if settings.mesh.shape == (1, 1, 1) and jax.process_count() == 1:
        devices = devices[:1]
    mesh = settings.mesh.filled(len(devices))
    rows = settings.batch // settings.accumulate
    check_divides(mesh, settings.model, rows=rows, loss_chunks=settings.loss_chunks)
    layout = Layout(build_mesh(mesh, devices), sequence_parallel=mesh.sequence_parallel)
    how = Execution(
        attend=_attend(settings, layout, backend),
        place=layout.place,
        gather=layout.gather,
        scatter=layout.scatter,
        remat=rematerialize(settings.remat),
        loss_chunks=settings.loss_chunks,
    )
    return layout, how


def _attend(settings: TrainSettings, layout: Layout, backend: str) -> Attend:
    kernel = choose_kernel(
        settings.attention,
        backend=backend,
        context=settings.model.context,
        dtype=settings.compute_dtype,
        documents=settings.document_mask is not None,
    )
    if kernel == "splash":
        heads = layout.activation("B T H A")
        return partial(splash_attention, mesh=layout.mesh, layout=heads, interpret=backend == "cpu")
    return cudnn_attention if kernel == "cudnn" else causal_attention


def state_layout(settings: TrainSettings, layout: Layout) -> Any:
    """Where each part of the state is kept: a tree of shardings."""
    optimizer = adamw(settings.optimizer, steps=settings.steps)
    shapes = jax.eval_shape(lambda: initial_state(settings))
    whole = layout.whole()
    recent = jax.tree.map(lambda _: whole, shapes.recent)
    return State._make([whole, layout.params(), layout.moments(optimizer, shapes.moments), recent])


def state_shapes(settings: TrainSettings, layout: Layout) -> Any:
    """The state without its values: a tree of shapes, each with its sharding."""

    def shaped(leaf: jax.ShapeDtypeStruct, sharding: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    return jax.tree.map(shaped, jax.eval_shape(lambda: initial_state(settings)), state_layout(settings, layout))


def jit_update(settings: TrainSettings, layout: Layout, how: Execution) -> Any:
    """The step for a mesh, not yet compiled. It donates its state: the new one takes the old one's memory."""
    state = state_layout(settings, layout)
    return jax.jit(
        lambda state, windows: update(state, windows, settings, how),
        in_shardings=(state, layout.batch()),
        out_shardings=(state, layout.whole()),
        donate_argnums=0,
    )


def lower_update(settings: TrainSettings, layout: Layout, how: Execution) -> Any:
    """The step as a program for its mesh, ready for ``compile``; nothing is computed and no array made."""
    state = jax.eval_shape(lambda: initial_state(settings))
    windows = jax.ShapeDtypeStruct((settings.batch, settings.model.context + 1), jnp.int32)
    return jit_update(settings, layout, how).lower(state, windows)
