"""What libraries say while they load, and threads of Beam's while they end, is no one's business on a terminal."""

import logging
import threading


def keep_quiet() -> None:
    """Send what libraries log, and what threads of theirs raise, to the log of this process, if there is one."""
    logging.getLogger().addHandler(logging.NullHandler())
    threading.excepthook = lambda failure: logging.getLogger(__name__).error(
        "a thread failed", exc_info=failure.exc_value
    )
