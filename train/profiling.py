"""Records steps with JAX's profiler, for TensorBoard or Perfetto."""

import os
from types import TracebackType
from typing import Any, Self

import jax

from train.config import TraceSettings

FOLDER = "trace"


class Profiler:
    """Records some steps; leaving the ``with`` block ends a recording that is under way."""

    def __init__(self, settings: TraceSettings | None, output: str) -> None:
        """Say which steps, and the run's folder."""
        self._settings = settings
        self._folder = os.path.join(output, FOLDER)
        self._is_recording = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the recording."""
        if self._is_recording:
            jax.profiler.stop_trace()
            self._is_recording = False

    def before(self, step: int, state: Any) -> None:
        """Begin or end the recording before a step is launched, once the steps before it are computed."""
        if self._settings is None:
            return
        begins, ends = step == self._settings.first, step == self._settings.first + self._settings.steps
        if begins or (ends and self._is_recording):
            jax.block_until_ready(state)
        if begins:
            jax.profiler.start_trace(self._folder)
            self._is_recording = True
        elif ends and self._is_recording:
            jax.profiler.stop_trace()
            self._is_recording = False
