"""The training loop: read a batch, take a step, report it.

The state of a run is its weights, AdamW's moments and the step number; the data follow from the step number alone
(:mod:`train.data`). On one machine the same settings give the same losses, bit for bit.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import asdict

import jax
import yaml

from train.config import TrainSettings
from train.data import Mixture
from train.execution import Execution
from train.model import parameter_count
from train.report import StepReport, TrainSummary, ends_of, progress
from train.sharding import Layout
from train.shards import check_documents, open_drawing, with_vocabulary
from train.step import Metrics, State, Update, initial_state, jit_update, plan, state_layout


def train(settings: TrainSettings, *, report: Callable[[StepReport], None] | None = None) -> TrainSummary:
    """Train a model from its first step to its last.

    Writes ``metrics.jsonl``, one :class:`train.report.StepReport` per line, and ``config.yaml``, the settings with the
    vocabulary filled in, to ``settings.output_folder``; both replace those of an earlier run.

    Args:
        settings: What to train. Its model's vocabulary is taken from the token shards where it is ``None``.
        report: Called after each step, in place of the progress on stderr.

    Raises:
        ValueError: The token shards do not fit the settings; nothing has been written.
        FloatingPointError: The loss or the gradient is no longer a number; the message names the step.
    """
    with ExitStack() as stack:
        drawing = open_drawing(settings.data, settings.sources, seed=settings.seed)
        for source in drawing.sources.values():
            stack.enter_context(source)
        manifest = next(iter(drawing.sources.values())).manifest
        if settings.document_mask is not None:
            check_documents(settings.document_mask, manifest)
        settings = settings.model_copy(update={"model": with_vocabulary(settings.model, manifest.vocab_size)})
        mixture = Mixture.of(
            drawing.sources,
            context=settings.model.context,
            batch_size=settings.batch,
            seed=drawing.seed,
            weights=drawing.weights,
            shares=drawing.shares,
        )
        laid = plan(settings, jax.devices(), backend=jax.default_backend())
        losses, compile_seconds, seconds = _run(settings, mixture, laid, report)
    first, last = ends_of(losses)
    return TrainSummary(
        steps=settings.steps,
        tokens=settings.steps * settings.batch * settings.model.context,
        parameters=parameter_count(settings.model),
        first_loss=first,
        last_loss=last,
        compile_seconds=compile_seconds,
        seconds=seconds,
        output=settings.output_folder,
    )


def _run(
    settings: TrainSettings,
    mixture: Mixture,
    laid: tuple[Layout, Execution],
    report: Callable[[StepReport], None] | None,
) -> tuple[list[float], float, float]:
    """Return the loss of each step, the seconds of compilation and those of the steps."""
    os.makedirs(settings.output_folder, exist_ok=True)
    with open(os.path.join(settings.output_folder, "config.yaml"), "w", encoding="utf-8") as config:
        yaml.safe_dump(settings.model_dump(), config, sort_keys=False)
    begun = time.perf_counter()
    compiled, state = _compile(settings, mixture, *laid)
    started = time.perf_counter()
    losses = []
    shown = nullcontext(report) if report else progress(steps=settings.steps, log_every=settings.log_every)
    metrics_path = os.path.join(settings.output_folder, "metrics.jsonl")
    with shown as show, open(metrics_path, "w", encoding="utf-8", buffering=1) as metrics:
        for done in _steps(compiled, state, mixture, settings, devices=laid[0].mesh.size):
            metrics.write(json.dumps(asdict(done)) + "\n")
            losses.append(done.loss)
            show(done)
    return losses, started - begun, time.perf_counter() - started


def _compile(settings: TrainSettings, mixture: Mixture, layout: Layout, how: Execution) -> tuple[Update, State]:
    """Draw the first state and compile the step ahead, so that no step's time holds it."""
    state = jax.jit(lambda: initial_state(settings), out_shardings=state_layout(settings, layout))()
    return jit_update(settings, layout, how).lower(state, mixture.batch(0)).compile(), state


def _steps(
    step: Update, state: State, mixture: Mixture, settings: TrainSettings, *, devices: int
) -> Iterator[StepReport]:
    """Take all steps; a step is reported once the next one is under way, so the device never waits for a report."""
    clock = time.perf_counter()
    pending: Metrics | None = None
    for number in range(settings.steps + 1):
        launched = None
        if number < settings.steps:
            state, launched = step(state, mixture.batch(number))
        if pending is not None:
            values = jax.device_get(pending)
            elapsed, clock = time.perf_counter() - clock, time.perf_counter()
            yield _report(number, values, settings.batch * settings.model.context, elapsed, devices)
        pending = launched


def _report(step: int, metrics: Metrics, tokens: int, seconds: float, devices: int) -> StepReport:
    """Read a step's numbers.

    Raises:
        FloatingPointError: The loss or the norm of the gradient is not finite.
    """
    loss, grad_norm = float(metrics.loss), float(metrics.grad_norm)
    if not (math.isfinite(loss) and math.isfinite(grad_norm)):
        raise FloatingPointError(
            f"step {step}: loss is {loss}, norm of the gradient {grad_norm}; "
            "a lower optimizer.learning_rate or a longer optimizer.warmup_steps may help"
        )
    return StepReport(
        step,
        loss,
        grad_norm,
        float(metrics.learning_rate),
        tokens_per_second=tokens / seconds,
        tokens_per_second_per_device=tokens / seconds / devices,
        mfu=None,
        seconds=seconds,
        data_seconds=0.0,
    )
