"""How long to wait: between requests, between bytes, and before the next try.

The pauses before another try are exponential with full jitter (Brooker, 2015, "Exponential Backoff And Jitter", AWS
Architecture Blog), drawn from a hash of address and try. One request a second, the default, is what Common Crawl asks
of those who try again (status.commoncrawl.org).
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class FetchSettings(BaseModel):
    """How gently and how stubbornly to download.

    Attributes:
        tries: Failures in a row, with no megabyte gained between them, that end a download.
        connect_seconds: Longest wait for a connection.
        read_seconds: Longest wait for the next byte.
        slowest_bytes_per_second: A body that comes more slowly than this counts as a connection that broke...
        slowest_seconds: ...judged after each of these many seconds of waiting. Bytes that are none of the body (an
            answer's head, the frame of its chunks) may come for ``read_seconds + slowest_seconds`` in a row.
        pause_seconds: Longest pause before the second try; it doubles with each.
        max_pause_seconds: Where it stops doubling.
        max_retry_after_seconds: Longest pause granted to a server that names one.
        rate: Bytes per second at most; ``null`` takes what comes.
        requests_per_second: Requests per second at most; ``null`` does not wait.
        contact: A mail address or page put into ``User-Agent``, so that the server's people can write first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tries: Annotated[int, Field(ge=1, le=1000)] = 8
    connect_seconds: Annotated[float, Field(gt=0)] = 20.0
    read_seconds: Annotated[float, Field(gt=0)] = 60.0
    slowest_bytes_per_second: Annotated[float, Field(ge=0)] = 1000.0
    slowest_seconds: Annotated[float, Field(gt=0)] = 60.0
    pause_seconds: Annotated[float, Field(gt=0)] = 2.0
    max_pause_seconds: Annotated[float, Field(gt=0)] = 120.0
    max_retry_after_seconds: Annotated[float, Field(ge=0)] = 600.0
    rate: Annotated[int, Field(ge=1)] | None = None
    requests_per_second: Annotated[float, Field(gt=0)] | None = 1.0
    contact: Annotated[str, Field(pattern=r"^[!-'*-~]([ -'*-~]{0,198}[!-'*-~])?$")] | None = None


class Pace:
    """Spends no more than an amount a second: each spending is waited for by the next.

    Args:
        per_second: The amount; ``None`` never waits.
        clock: Seconds, monotonic.
        sleep: Waits for seconds.
    """

    def __init__(self, per_second: float | None, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._per_second, self._clock, self._sleep = per_second, clock, sleep
        self._free = clock()

    def spend(self, amount: float) -> None:
        """Wait until everything spent before has been earned, then spend."""
        if self._per_second is None:
            return
        now = self._clock()
        if self._free > now:
            self._sleep(self._free - now)
        self._free = max(self._free, now) + amount / self._per_second


def user_agent(settings: FetchSettings) -> str:
    """Say who asks: project, version and, where it is known, whom to write to."""
    contact = f" (+{settings.contact})" if settings.contact else ""
    return f"llama-corpus/{metadata.version('llama-corpus')}{contact}"


def backoff_seconds(url: str, failures: int, settings: FetchSettings, seed: str = "") -> float:
    """Draw the pause after a number of failures: evenly between nothing and a bound that doubles each time.

    >>> backoff_seconds("http://x/", 1, FetchSettings(pause_seconds=2)) < 2
    True
    """
    bound = min(settings.max_pause_seconds, settings.pause_seconds * 2.0 ** min(failures - 1, 60))
    drawn = hashlib.sha256(f"{seed} {url} {failures}".encode()).digest()[:7]
    return bound * int.from_bytes(drawn, "big") / (1 << 56)


def retry_after_seconds(value: str, now: float) -> float:
    """Read a ``Retry-After``: seconds or a date (RFC 9110, section 10.2.3); 0 where it is neither, or past.

    >>> retry_after_seconds("120", 0), retry_after_seconds("Thu, 01 Jan 1970 00:00:30 GMT", 10)
    (120.0, 20.0)
    """
    if re.fullmatch(r"[0-9]{1,300}", value.strip()):
        return float(value)
    try:
        time_named = parsedate_to_datetime(value)
        moment = (time_named if time_named.tzinfo else time_named.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return max(0.0, moment - now)
