"""Orbax without its own words on stderr: what goes wrong is raised as well, and told once, in one line."""

import logging
import os
import sys
from functools import cache


@cache
def quieten() -> None:
    """Keep off stderr what Orbax says beside the error it raises.

    Of the arrays that cannot be written one is raised; the others end in tasks that nobody asks any more.
    """
    for name in ("absl", "asyncio"):
        logging.getLogger(name).addFilter(_not_of_orbax)
    hook = sys.unraisablehook

    def unless_late(event: "sys.UnraisableHookArgs") -> None:
        if not (isinstance(event.exc_value, RuntimeError) and str(event.exc_value) == "Event loop is closed"):
            hook(event)

    sys.unraisablehook = unless_late


def _not_of_orbax(record: logging.LogRecord) -> bool:
    if record.name == "asyncio":
        message = record.getMessage()  # tells the coroutine or the file, both of Orbax
        return not ("was never retrieved" in message and "orbax" in message)
    return f"{os.sep}orbax{os.sep}" not in record.pathname
