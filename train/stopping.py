"""Ends a run between two steps when the machine asks for it, so that nothing done is lost.

The first SIGTERM (a preemption, a time limit) or Ctrl-C asks the run to save and to end; a second one ends it at once.
Of several processes one may be asked alone: JAX's preemption service tells the others, and all stop after the same
step. It knows of SIGTERM, so Ctrl-C is handed on to it as one.
"""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import jax
from jax.experimental import multihost_utils


class Stopped(Exception):
    """A run was asked to end and has saved its state.

    Attributes:
        step: Steps that are done and saved.
        signal: What asked.
    """

    def __init__(self, step: int, asked_by: signal.Signals | None) -> None:
        super().__init__(f"stopped after step {step}, which is saved")
        self.step = step
        self.signal = asked_by


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Listens within a ``with`` block of the main thread; elsewhere it is never asked to stop.

    Attributes:
        signal: What was caught; ``None`` so far.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            alone = jax.process_count() == 1
            handlers = dict.fromkeys(_SIGNALS, self._caught) if alone else {signal.SIGINT: self._handed_on}
            self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave signals as they were."""
        self._restore()

    def asked(self, step: int) -> bool:
        """Whether to end after ``step``, the same in all processes; all must ask after each step."""
        if jax.process_count() == 1:
            return self.signal is not None
        if multihost_utils.reached_preemption_sync_point(step):
            self.signal = signal.SIGTERM
        return self.signal is not None

    def _caught(self, number: int, _: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()

    def _handed_on(self, _: int, __: FrameType | None) -> None:
        self._restore()
        os.kill(os.getpid(), signal.SIGTERM)

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)
