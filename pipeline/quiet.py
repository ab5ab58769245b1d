"""What libraries say while they load, and threads of Beam's while they end, is no one's business on a terminal."""

import logging
import os
import threading
from glob import glob
from importlib.util import find_spec

#: Where the chips of a TPU machine are, by generation.
_TPU_CHIPS = ("/dev/accel*", "/dev/vfio/[0-9]*")


def keep_quiet() -> None:
    """Send what libraries log, and what threads of theirs raise, to the log of this process, if there is one.

    JAX looks for a TPU only where there is one, unless ``JAX_PLATFORMS`` says what to look for.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    if find_spec("libtpu") and not any(map(glob, _TPU_CHIPS)):
        # Else JAX asks libtpu, which complains at length that it is not on a TPU machine.
        os.environ.setdefault("JAX_PLATFORMS", "cuda,cpu" if find_spec("jax_cuda12_plugin") else "cpu")
    threading.excepthook = lambda failure: logging.getLogger(__name__).error(
        "a thread failed", exc_info=failure.exc_value
    )
