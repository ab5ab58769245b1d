"""The record of a training run: ``metrics.jsonl``, and event files for TensorBoard beside it.

A line is a step's :class:`train.report.StepReport`, or the losses on held-out documents once they were measured:
``{"step": ..., "held_out": {source: {"nats_per_token": ..., "bits_per_byte": ..., "tokens": ..., "bytes": ...}}}``.
What is not a finite number is ``null``. Steps come in order, what belongs to a step before what belongs to the next.
"""

import glob
import json
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from io import FileIO
from types import TracebackType
from typing import Any, Self

from train import tensorboard as events
from train.held_out import HeldOutLoss
from train.report import StepReport

LINES = "metrics.jsonl"
FOLDER = "tensorboard"


class Metrics:
    """Writes what a run says of itself, each line at once.

    A run that begins replaces the record of an earlier one. A run that is resumed from a step cuts off what was written
    of later steps, a line that was torn too: the lines are those of a run that was never interrupted, but for times.
    That takes that all lines of a step are written before its checkpoint is.

    Raises:
        OSError: A file cannot be written, as on a full disk; the message names it.
    """

    def __init__(
        self, output: str, *, resume_from: int | None = None, tensorboard: bool = True, enabled: bool = True
    ) -> None:
        """Open the files.

        Args:
            output: Folder of the run, made where it is missing.
            resume_from: Steps that the checkpoint holds which the run goes on from; ``None`` begins anew.
            tensorboard: Write for TensorBoard too.
            enabled: Without it nothing is written, opened or cut; for all processes of a run but the first.
        """
        self._lines: FileIO | None = None
        self._events: FileIO | None = None
        with ExitStack() as files:
            if enabled:
                os.makedirs(output, exist_ok=True)
                self._lines = files.enter_context(_open_lines(os.path.join(output, LINES), resume_from))
            if enabled and tensorboard:
                self._events = files.enter_context(_open_events(os.path.join(output, FOLDER), resume_from))
                append(self._events, _opening(resume_from))
            self._files = files.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def step(self, report: StepReport) -> None:
        """Record a step."""
        fields = asdict(report)
        self._write(fields, {f"train/{name}": value for name, value in fields.items() if name != "step"}, report.step)

    def held_out(self, step: int, losses: Mapping[str, HeldOutLoss]) -> None:
        """Record the losses on held-out documents after a step, by source."""
        fields = {source: loss._asdict() for source, loss in losses.items()}
        tags = {
            f"held_out/{source}/{name}": values[name]
            for source, values in fields.items()
            for name in ("nats_per_token", "bits_per_byte")
        }
        self._write({"step": step, "held_out": fields}, tags, step)

    def _write(self, line: Mapping[str, Any], tags: Mapping[str, float | None], step: int) -> None:
        if self._lines is not None:
            append(self._lines, json.dumps(_finite(line)).encode() + b"\n")
        if self._events is not None:
            known = {tag: float(value) for tag, value in tags.items() if value is not None}
            append(self._events, events.scalars(known, step, time.time()))


@dataclass(frozen=True)
class History:
    """What a run's record says of all its steps.

    Attributes:
        steps: How many it tells of.
        losses: Of each step, in order; a step whose loss was no number is left out.
        skipped: Steps that changed nothing.
        held_out: The last losses on held-out documents, by source.
    """

    steps: int = 0
    losses: Sequence[float] = ()
    skipped: int = 0
    held_out: Mapping[str, HeldOutLoss] = field(default_factory=dict)


def read_history(output: str) -> History:
    """Read the record in a run's folder."""
    losses: list[float] = []
    steps = skipped = 0
    held_out: dict[str, HeldOutLoss] = {}
    with open(os.path.join(output, LINES), "rb") as lines:
        for line in map(json.loads, lines):
            if "held_out" in line:
                held_out = {source: _measured(values) for source, values in line["held_out"].items()}
            else:
                steps += 1
                skipped += line["skipped"]
                losses += [] if line["loss"] is None else [line["loss"]]
    return History(steps, losses, skipped, held_out)


def _measured(values: Mapping[str, Any]) -> HeldOutLoss:
    return HeldOutLoss._make(math.nan if values[name] is None else values[name] for name in HeldOutLoss._fields)


def append(file: FileIO, data: bytes) -> None:
    """Write all of ``data`` at once; what goes wrong names the file.

    Nothing is kept back: a buffer that could not be written would raise once more when the file is closed.
    """
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, file.name) from error


def _open_lines(path: str, resume_from: int | None) -> FileIO:
    if resume_from is None:
        return FileIO(path, "w")
    if os.path.exists(path):
        os.truncate(path, sum(len(line) for line in _lines_up_to(path, resume_from)))
    return FileIO(path, "a")


def _lines_up_to(path: str, step: int) -> Iterator[bytes]:
    """The lines before the first that is of a later step, or that a kill has torn."""
    with open(path, "rb") as lines:
        for line in lines:
            written = _step_of(line)
            if written is None or written > step:
                return
            yield line


def _step_of(line: bytes) -> int | None:
    """The step a line is of; ``None`` for one that is not whole, or none of ours."""
    if not line.endswith(b"\n"):
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    is_known = isinstance(fields, dict) and ("held_out" in fields or {"loss", "skipped"} <= fields.keys())
    step = fields.get("step") if is_known else None
    return step if isinstance(step, int) else None


def _open_events(folder: str, resume_from: int | None) -> FileIO:
    """Begin an event file. TensorBoard reads those of a folder in the order of their names, hence the time in it."""
    os.makedirs(folder, exist_ok=True)
    earlier = glob.glob(os.path.join(glob.escape(folder), "events.out.tfevents.*"))
    if resume_from is None:
        for path in earlier:
            os.remove(path)
        earlier = []
    name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{len(earlier)}"
    return FileIO(os.path.join(folder, name), "x")


def _opening(resume_from: int | None) -> bytes:
    """The first records of an event file."""
    now = time.time()
    return events.header(now) + (b"" if resume_from is None else events.restart(resume_from + 1, now))


def _finite(value: Any) -> Any:
    """JSON has no name for what is not a number; Python's own is not read by others.

    >>> _finite({"loss": float("nan"), "held_out": {"c4": {"tokens": 3}}})
    {'loss': None, 'held_out': {'c4': {'tokens': 3}}}
    """
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
