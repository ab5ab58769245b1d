"""What a training run says of itself: a report per step, a summary, and progress on stderr."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    tokens_per_second: float

    def line(self, steps: int) -> str:
        """The report in one line.

        >>> StepReport(10, 7.25, 1.5, 3e-4, 12345.6).line(100)
        'step 10/100  loss 7.2500  grad norm 1.50  learning rate 3.00e-04  12,346 tokens/s'
        """
        return (
            f"step {self.step}/{steps}  loss {self.loss:.4f}  grad norm {self.grad_norm:.2f}  "
            f"learning rate {self.learning_rate:.2e}  {self.tokens_per_second:,.0f} tokens/s"
        )


@dataclass(frozen=True)
class TrainSummary:
    """A finished run.

    Attributes:
        steps: Steps done.
        tokens: Tokens predicted, over all steps.
        parameters: Weights of the model.
        first_loss: Mean loss of the first steps (up to five, at most half of all), in nats per token.
        last_loss: Mean loss of as many last steps.
        compile_seconds: Time to compile the step.
        seconds: Time of the steps themselves.
        output: Folder with ``metrics.jsonl`` and ``config.yaml``.
    """

    steps: int
    tokens: int
    parameters: int
    first_loss: float
    last_loss: float
    compile_seconds: float
    seconds: float
    output: str


def ends_of(losses: Sequence[float]) -> tuple[float, float]:
    """Mean of the first and of the last losses: up to five, at most half of all.

    >>> ends_of([9.0, 8.0, 7.0, 6.0])
    (8.5, 6.5)
    """
    count = max(1, min(AVERAGED_STEPS, len(losses) // 2))
    return sum(losses[:count]) / count, sum(losses[-count:]) / count


@contextmanager
def progress(*, steps: int, log_every: int) -> Iterator[Callable[[StepReport], None]]:
    """Show reports on stderr: a bar on a terminal, else a line every ``log_every`` steps and one for the last."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("", total=steps)
            yield lambda report: bar.update(
                task,
                completed=report.step,
                description=f"loss {report.loss:.4f}  {report.tokens_per_second:,.0f} tokens/s",
            )
    else:
        yield lambda report: _log(report, steps, log_every)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def _log(report: StepReport, steps: int, log_every: int) -> None:
    if report.step % log_every == 0 or report.step == steps:
        sys.stderr.write(report.line(steps) + "\n")
        sys.stderr.flush()
