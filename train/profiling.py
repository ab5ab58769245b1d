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
        self._stop()

    def before(self, step: int, state: Any) -> None:
        """Begin or end the recording before a step is launched, once the steps before it are computed."""
        settings = self._settings
        if settings is None:
            return
        if step == settings.first:
            jax.block_until_ready(state)
            jax.profiler.start_trace(self._folder)
            self._is_recording = True
        elif self._is_recording and step == settings.first + settings.steps:
            jax.block_until_ready(state)
            self._stop()

    def _stop(self) -> None:
        if self._is_recording:
            jax.profiler.stop_trace()
            self._is_recording = False
