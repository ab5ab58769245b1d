"""The training loop: read a batch, take a step, report it, save it from time to time.

The state of a run is its weights, AdamW's moments, what :mod:`train.spikes` remembers and the step number; the data
follow from the step number alone (:mod:`train.data`). So the same settings give the same losses, bit for bit on the
same mesh, whether a run is interrupted or not; another mesh or another number of processes rounds otherwise.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax

from train import energy
from train.beginning import Begun, begin, clear, first_state, write_inputs
from train.checkpoint import Checkpoints
from train.config import TrainSettings
from train.flops import mfu, peak_tflops
from train.held_out import HeldOut
from train.hosts import is_first, joined
from train.huggingface_config import CheckpointError
from train.inputs import Inputs, open_inputs
from train.loading import CHECKPOINTS
from train.lock import locked
from train.metrics import Metrics, read_history
from train.model import parameter_count
from train.prefetch import Prefetch
from train.profiling import Profiler
from train.record import Spent, record_of
from train.remote import is_url
from train.report import StepReport, TrainSummary, ends_of, progress
from train.sharding import Layout
from train.spikes import most_in_a_row
from train.step import Metrics as OnDevice
from train.step import State, Update, lower_update, plan
from train.stopping import Stopped, Stopping

Report = Callable[[StepReport], None]
_Read = TypeVar("_Read")


class UnreadableData(OSError):
    """What could be read when the run began, or at an earlier step, no longer can."""


def train(
    settings: TrainSettings,
    *,
    report: Report | None = None,
    start_over: bool = False,
    accept_change: bool = False,
) -> TrainSummary | None:
    """Train a model to its last step, from its first or from the newest checkpoint in its output folder.

    Writes to ``settings.output_folder``: ``checkpoints/<step>``, ``metrics.jsonl``, ``config.yaml`` (the settings, the
    vocabulary filled in), ``tokenizer/`` and what else is wanted. Of several processes the first writes, and all write
    their parts of the checkpoints.

    Args:
        settings: What to train. Its model's vocabulary is taken from the token shards where it is ``None``.
        report: Called after each step, in place of the progress on stderr.
        start_over: Delete first what an earlier run left in the output folder: checkpoints, metrics, traces.
        accept_change: Go on from a checkpoint that was made with other settings or data.

    Returns:
        What has become of the run; ``None`` in all processes but the first.

    Raises:
        ValueError: The token shards or the checkpoints do not fit the settings; at most empty folders are written.
        CheckpointError: A checkpoint could not be read or written; those before it are whole.
        FloatingPointError: Too many unusual steps; the message names the last. The state before them is saved.
        UnreadableData: The token shards could not be read any more. The state is saved, if there is one process.
        Stopped: SIGTERM or Ctrl-C; the state is saved.
    """
    with ExitStack() as stack:
        stack.enter_context(joined(settings.hosts))
        if is_url(settings.data):
            _notify(f"reading {settings.data}")
        inputs = stack.enter_context(open_inputs(settings))
        settings = inputs.settings
        if settings.held_out is not None and not inputs.held_out:
            _notify(f"{settings.data} holds no held-out documents: no loss on them is measured")
        layout, how = plan(settings, jax.devices(), backend=jax.default_backend())
        measured = HeldOut.of(inputs.held_out, settings, layout, how, byte_lengths=inputs.byte_lengths())
        stack.enter_context(locked(settings.output_folder))
        begun = None
        if start_over:
            # Before anything is deleted: what it starts from may not be there, or not fit.
            begun = Begun(first_state(settings, layout), 0)
            clear(settings)
        folder = os.path.join(settings.output_folder, CHECKPOINTS)
        checkpoints = stack.enter_context(Checkpoints(folder, settings.checkpoint))
        begun = begun or begin(inputs, layout, checkpoints, notify=_notify, accept_change=accept_change)
        clock = time.perf_counter()
        # Ahead of the first step, so that no step's time holds it.
        step: Update | None = lower_update(settings, layout, how).compile() if begun.step < settings.steps else None
        compile_seconds = time.perf_counter() - clock
        if step is not None:
            write_inputs(inputs)
        metrics = stack.enter_context(
            Metrics(
                settings.output_folder,
                resume_from=begun.step if begun.is_resumed else None,
                tensorboard=settings.tensorboard,
                enabled=is_first(),
            )
        )
        if begun.is_resumed and is_first() and (known := read_history(settings.output_folder).steps) < begun.step:
            _notify(f"the metrics of {begun.step - known} of these steps are lost: metrics.jsonl does not hold them")
        loop = _Loop(
            inputs, layout, checkpoints, metrics, measured, begun, begun.state, compile_seconds=compile_seconds
        )
        if step is not None:
            loop.run(step, report)
        return loop.summary() if is_first() else None


@dataclass
class _Loop:
    """A run under way.

    Attributes:
        inputs: What it reads, and its settings.
        layout: Where arrays lie.
        checkpoints: Where it is saved.
        metrics: Where it is recorded.
        measured: The held-out documents.
        begun: Where it began.
        state: Weights and all else, after the last step that was launched.
        compile_seconds: Time to compile the step.
    """

    inputs: Inputs
    layout: Layout
    checkpoints: Checkpoints
    metrics: Metrics
    measured: HeldOut
    begun: Begun
    state: State
    compile_seconds: float
    _show: Report = field(default=lambda _: None)
    _pending: tuple[int, OnDevice, float] | None = None
    _started: float = field(default_factory=time.perf_counter)
    _clock: float = field(default_factory=time.perf_counter)

    @property
    def settings(self) -> TrainSettings:
        """Those of the run."""
        return self.inputs.settings

    def run(self, step: Update, report: Report | None) -> None:
        """Take all steps that are left."""
        settings, first = self.settings, self.begun.step
        with ExitStack() as stack:
            stopping = stack.enter_context(Stopping())
            batches = stack.enter_context(
                Prefetch(self.inputs.mixture, self.layout.batch(), first=first, last=settings.steps)
            )
            profiler = stack.enter_context(Profiler(settings.trace, settings.output_folder))
            self._show = stack.enter_context(_shown(settings, report, first=first))
            self._started = self._clock = time.perf_counter()
            for done in range(first + 1, settings.steps + 1):
                profiler.before(done, self.state)
                waited = batches.waited
                windows = self._read(f"the batch of step {done}", lambda: next(batches))
                self.state, launched = step(self.state, windows)
                # The device is at work already: what the step before said can be read without it having to wait.
                self._tell()
                self._pending = done, launched, batches.waited - waited
                if (is_asked := stopping.asked(done)) or self._is_saved(done) or self._is_measured(done):
                    self._tell()
                    self._rest(done, save=is_asked)
                if is_asked and done < settings.steps:
                    self.checkpoints.wait()
                    raise Stopped(done, stopping.signal)
            self.checkpoints.wait()

    def _read(self, what: str, read: Callable[[], _Read]) -> _Read:
        """Read, and where that fails save what there is first."""
        try:
            return read()
        except (OSError, ValueError) as error:
            self._tell()
            saved = ""
            if jax.process_count() == 1:  # all processes save together, and the others may have read theirs
                try:
                    saved = self._save_at_once()
                except CheckpointError as unsaved:
                    saved = f"; {unsaved}"
            raise UnreadableData(f"{what} cannot be read: {' '.join(str(error).split())}{saved}") from error

    def summary(self) -> TrainSummary:
        """Say what has become of the run."""
        settings, begun = self.settings, self.begun
        history = read_history(settings.output_folder)
        first, last = ends_of(history.losses)
        spent = self._spent(settings.steps)
        working = spent.step_device_seconds
        return TrainSummary(
            steps=settings.steps,
            tokens=spent.tokens,
            parameters=parameter_count(settings.model),
            first_loss=first,
            last_loss=last,
            compile_seconds=self.compile_seconds,
            seconds=spent.seconds,
            output=settings.output_folder,
            mfu=self._utilisation(spent.tokens / working, devices=1) if working else None,
            held_out=history.held_out,
            skipped=history.skipped,
            resumed_from=begun.step if begun.is_resumed else None,
            energy=energy.of(
                settings.energy, device_seconds=spent.device_seconds, device_kind=self._device.device_kind
            ),
        )

    def _is_saved(self, done: int) -> bool:
        return done == self.settings.steps or not done % self.settings.checkpoint.every

    def _is_measured(self, done: int) -> bool:
        held_out = self.settings.held_out
        return held_out is not None and (not done % held_out.every or done == self.settings.steps)

    def _rest(self, done: int, *, save: bool) -> None:
        """Between two steps: measure, save."""
        if self._is_measured(done) and self.measured.streams:
            losses = self._read("held-out documents", lambda: self.measured.measure(self.state.params))
            self.metrics.held_out(done, losses)
        if save or self._is_saved(done):
            self._save(done)
        self._clock = time.perf_counter()

    def _save(self, done: int) -> None:
        record = record_of(self.settings, self.inputs.drawing, step=done, spent=self._spent(done))
        self.checkpoints.save(done, self.state, record)

    def _spent(self, done: int) -> Spent:
        """What the steps up to ``done`` have taken."""
        settings, before, devices = self.settings, self.begun.spent, self.layout.mesh.size
        seconds = time.perf_counter() - self._started
        return Spent(
            tokens=before.tokens + (done - self.begun.step) * settings.batch * settings.model.context,
            seconds=before.seconds + seconds,
            step_device_seconds=before.step_device_seconds + devices * seconds,
            device_seconds=before.device_seconds + devices * (seconds + self.compile_seconds),
        )

    def _tell(self) -> None:
        """Report the step before, if it has not been.

        Raises:
            FloatingPointError: It was unusual, and no more such steps are allowed.
        """
        if self._pending is None:
            return
        (step, launched, waited), self._pending = self._pending, None
        values = jax.device_get(launched)
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        has_ended = int(values.in_a_row) >= most_in_a_row(self.settings.spikes)
        if not has_ended or self.settings.spikes.action == "skip":
            report = self._report(step, values, seconds, waited)
            self.metrics.step(report)
            self._show(report)
        if has_ended:
            self._end(step, values)

    def _report(self, step: int, values: OnDevice, seconds: float, waited: float) -> StepReport:
        speed = self.settings.batch * self.settings.model.context / seconds
        return StepReport(
            step=step,
            loss=float(values.loss),
            grad_norm=float(values.grad_norm),
            learning_rate=float(values.learning_rate),
            tokens_per_second=speed,
            tokens_per_second_per_device=speed / self.layout.mesh.size,
            mfu=self._utilisation(speed, devices=self.layout.mesh.size),
            seconds=seconds,
            data_seconds=waited,
            skipped=int(values.in_a_row) > 0,
        )

    def _end(self, step: int, values: OnDevice) -> None:
        """Save what there was before the unusual step, and say what was unusual."""
        saved = self._save_at_once()
        rows = "" if int(values.in_a_row) == 1 else f", the last of {int(values.in_a_row)} unusual steps in a row"
        raise FloatingPointError(
            f"step {step}: loss is {float(values.loss)}, norm of the gradient {float(values.grad_norm)}{rows}{saved}; "
            "a lower optimizer.learning_rate, a longer optimizer.warmup_steps or spikes.action=skip may help "
            "(with --accept-change, to go on from what is saved)"
        )

    def _save_at_once(self) -> str:
        """Save what there is, wait for it, and say so."""
        done = int(jax.device_get(self.state.step))
        if not done:
            return ""
        self._save(done)
        self.checkpoints.wait()
        return f"; the state after step {done} is saved"

    @property
    def _device(self) -> jax.Device:
        device: jax.Device = self.layout.mesh.devices.flat[0]
        return device

    def _utilisation(self, tokens_per_second: float, *, devices: int) -> float | None:
        settings = self.settings
        peak = settings.peak_tflops or peak_tflops(self._device.device_kind, settings.compute_dtype)
        return mfu(tokens_per_second, settings.model, devices, peak) if peak else None


def _shown(settings: TrainSettings, report: Report | None, *, first: int) -> Any:
    if report is not None:
        return nullcontext(report)
    if not is_first():
        return nullcontext(lambda _: None)
    return progress(steps=settings.steps, log_every=settings.log_every, first=first)


def _notify(line: str) -> None:
    if is_first():
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
