"""What a training run says of itself: a report per step, a summary, and progress on stderr."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from train.energy import Energy
from train.held_out import HeldOutLoss

AVERAGED_STEPS = 5


@dataclass(frozen=True)
class StepReport:
    """One step of training.

    Attributes:
        step: Steps done, this one included; the first is 1.
        loss: Mean cross-entropy of the step's tokens before its update, in nats per token.
        grad_norm: Global norm of the gradient before clipping.
        learning_rate: The rate the step's update was taken with.
        tokens_per_second: Tokens of the step over the time since the report before, compilation not counted.
        tokens_per_second_per_device: The same, shared among the devices.
        mfu: Model FLOPs utilisation, 0 to 1 (:mod:`train.flops`); ``None`` where the devices' peak is not known.
        seconds: Time since the report before.
        data_seconds: Part of it in which the loop waited for data.
        skipped: The step was unusual and changed nothing.
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    tokens_per_second: float
    tokens_per_second_per_device: float
    mfu: float | None
    seconds: float
    data_seconds: float
    skipped: bool = False

    def line(self, steps: int, *, seconds_left: float | None = None) -> str:
        """The report in one line.

        >>> StepReport(10, 7.25, 1.5, 3e-4, 12345.6, 12345.6, None, 0.8, 0.0).line(100, seconds_left=72)
        'step 10/100  loss 7.2500  grad norm 1.50  learning rate 3.00e-04  12,346 tokens/s  0:01:12 left'
        """
        left = "" if seconds_left is None else f"  {_clock(seconds_left)} left"
        return f"step {self.step}/{steps}  {self.figures()}{left}"

    def figures(self) -> str:
        """What is known of the step.

        >>> StepReport(1, 7.25, 1.5, 3e-4, 8000.0, 1000.0, 0.4965, 0.8, 0.0, skipped=True).figures()
        'loss 7.2500  grad norm 1.50  learning rate 3.00e-04  8,000 tokens/s, 1,000 a device  MFU 49.6 %  skipped'
        """
        one = self.tokens_per_second_per_device == self.tokens_per_second
        device = "" if one else f", {self.tokens_per_second_per_device:,.0f} a device"
        mfu = "" if self.mfu is None else f"  MFU {self.mfu:.1%}".replace("%", " %")
        return (
            f"loss {self.loss:.4f}  grad norm {self.grad_norm:.2f}  learning rate {self.learning_rate:.2e}  "
            f"{self.tokens_per_second:,.0f} tokens/s{device}{mfu}{'  skipped' if self.skipped else ''}"
        )


@dataclass(frozen=True)
class TrainSummary:
    """A finished run.

    Attributes:
        steps: Steps done, those before it was resumed included.
        tokens: Tokens predicted, over all steps.
        parameters: Weights of the model.
        first_loss: Mean loss of the first steps (up to five, at most half of all), in nats per token.
        last_loss: Mean loss of as many last steps.
        compile_seconds: Time to compile the step.
        seconds: Time of the steps themselves, those before it was resumed included.
        output: Folder with ``metrics.jsonl`` and ``config.yaml``.
        mfu: Model FLOPs utilisation over all steps, 0 to 1; ``None`` where the devices' peak is not known.
        held_out: The last loss measured on held-out documents, by source.
        skipped: Steps that were unusual and changed nothing.
        resumed_from: The step that the run went on from; ``None`` if it began at the first.
        energy: What the run took; ``None`` where the devices' power is not known.
    """

    steps: int
    tokens: int
    parameters: int
    first_loss: float
    last_loss: float
    compile_seconds: float
    seconds: float
    output: str
    mfu: float | None = None
    held_out: Mapping[str, HeldOutLoss] = field(default_factory=dict)
    skipped: int = 0
    resumed_from: int | None = None
    energy: Energy | None = None

    @property
    def tokens_per_second(self) -> float:
        """Tokens over the time of the steps; not a number where they took none."""
        return self.tokens / self.seconds if self.seconds > 0 else math.nan

    def lines(self) -> list[str]:
        """What is printed at the end of a run."""
        verb = "fell" if self.last_loss < self.first_loss else "did not fall"
        took = f"{self.seconds:.1f} s, and {self.compile_seconds:.1f} s to compile"
        mfu = "" if self.mfu is None else f", {self.mfu:.1%}".replace("%", " %") + " of the devices' peak (MFU)"
        unknown = "not known, since the devices' power is not; energy.watts says it"
        return [
            f"{self.parameters:,} parameters, {self.steps} steps over {self.tokens:,} tokens in {took}",
            *([f"resumed from step {self.resumed_from}"] if self.resumed_from is not None else []),
            f"{self.tokens_per_second:,.0f} tokens/s{mfu}",
            *([f"skipped as unusual: {self.skipped} of {self.steps} steps"] if self.skipped else []),
            f"training loss {verb}: {self.first_loss:.3f} to {self.last_loss:.3f} nats per token",
            *_held_out_table(self.held_out),
            f"energy: {unknown if self.energy is None else self.energy.line()}",
            f"written: {self.output}",
        ]


def _held_out_table(losses: Mapping[str, HeldOutLoss]) -> Iterator[str]:
    if not losses:
        return
    width = max(len("held-out loss"), *(len(source) + 2 for source in losses))
    yield f"{'held-out loss':<{width}}  nats per token  bits per byte  {'tokens':>13}"
    for source, loss in losses.items():
        bits = "-" if math.isnan(loss.bits_per_byte) else f"{loss.bits_per_byte:.4f}"
        yield f"  {source:<{width - 2}}  {loss.nats_per_token:>14.4f}  {bits:>13}  {loss.tokens:>13,}"


def ends_of(losses: Sequence[float]) -> tuple[float, float]:
    """Mean of the first and of the last losses: up to five, at most half of all; not a number where there are none.

    >>> ends_of([9.0, 8.0, 7.0, 6.0])
    (8.5, 6.5)
    """
    if not losses:
        return math.nan, math.nan
    count = max(1, min(AVERAGED_STEPS, len(losses) // 2))
    return sum(losses[:count]) / count, sum(losses[-count:]) / count


@contextmanager
def progress(
    *, steps: int, log_every: int, first: int = 0, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[StepReport], None]]:
    """Show reports on stderr: a bar on a terminal, else a line every ``log_every`` steps and one for the last.

    The time that is left is what the steps so far took on average, checkpoints and held-out losses included. A skipped
    step has its line in any case.

    Args:
        steps: Of the whole run.
        log_every: Steps between two lines.
        first: Steps done before, where a run is resumed.
        clock: Tells the seconds.
    """
    begun = clock()

    def left(report: StepReport) -> float:
        return (clock() - begun) / max(1, report.step - first) * (steps - report.step)

    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("", total=steps, completed=first, left="")
            yield lambda report: bar.update(
                task, completed=report.step, description=report.figures(), left=f"{_clock(left(report))} left"
            )
    else:
        yield lambda report: _log(report, steps, log_every, left(report))


def _bar(console: Console) -> Progress:
    """Figures come last: they are what a narrow terminal wraps."""
    columns = (
        BarColumn(bar_width=20, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", table_column=Column()),
    )
    return Progress(*columns, console=console)


def _log(report: StepReport, steps: int, log_every: int, seconds_left: float) -> None:
    if report.step % log_every == 0 or report.step == steps or report.skipped:
        sys.stderr.write(report.line(steps, seconds_left=seconds_left) + "\n")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> _clock(59.6), _clock(100 * 3600)
    ('0:01:00', '100:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
