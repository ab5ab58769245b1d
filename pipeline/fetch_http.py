"""HTTP as a polite guest uses it: one request at a time, paced, and failures that may pass tried again.

Decides which answers are final and which may pass, how far redirections are followed, and when a body that drips or
breaks off is given up. How long to wait is decided in ``fetch_manners``.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Self, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, ReadTimeoutError

from pipeline.fetch_manners import FetchSettings, Pace, backoff_seconds, retry_after_seconds, user_agent
from pipeline.fetch_progress import FetchProgress
from pipeline.fetch_watch import Watch, WatchedAdapter

T = TypeVar("T")

OK, PARTIAL, RANGE_NOT_SATISFIABLE = 200, 206, 416
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({429, 500, 502, 503, 504})
_FORBIDDEN = 403
_HEAD_UNKNOWN = frozenset({405, 501})
_MAX_REDIRECTS = 5
_PIECE_BYTES = 1 << 18
#: A download that gained this much since the last failure begins to count its tries anew.
_GAIN_BYTES = 1 << 20
_MAX_REASON_CHARS = 200


class FetchError(OSError):
    """A download that failed for good, in one line.

    Attributes:
        others_too: Whether other files of the same server would fail as well.
    """

    def __init__(self, message: str, *, others_too: bool = False) -> None:
        super().__init__(message)
        self.others_too = others_too


class MayPass(Exception):
    """A failure that may pass.

    Attributes:
        seconds: How long the server asks to be left alone.
    """

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Answer:
    """A server's answer whose body is still to be read.

    Attributes:
        status: The status code.
        headers: By name, upper and lower case alike.
    """

    def __init__(
        self, response: requests.Response, settings: FetchSettings, clock: Callable[[], float], watch: Watch
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._raw, self._settings, self._clock, self._watch = response.raw, settings, clock, watch
        self._waited = self._came = 0.0

    @property
    def length(self) -> int | None:
        """Bytes of the body as promised, if they are."""
        promised = self.headers.get("Content-Length", "")
        return int(promised) if re.fullmatch(r"[0-9]{1,18}", promised) else None

    @property
    def ends_openly(self) -> bool:
        """Whether the end of the body can be told from a connection that broke."""
        return self.length is not None or "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def read(self, most: int) -> bytes:
        """Read what is there, as it was sent: nothing is decompressed. Empty at the end.

        Raises:
            MayPass: The connection broke, the server went silent or drips, or the body ended early.
        """
        start = self._clock()
        self._watch.begin()
        try:
            piece: bytes = self._raw.read1(most, decode_content=False) or b""
        except ReadTimeoutError as error:
            raise MayPass(f"no byte came for {self._settings.read_seconds:g} s") from error
        except (HTTPError, HTTPException, OSError) as error:
            raise MayPass(_reason(error)) from error
        self._waited += self._clock() - start
        self._came += len(piece)
        if self._waited >= self._settings.slowest_seconds:
            if self._came < self._settings.slowest_bytes_per_second * self._waited:
                raise MayPass(f"only {self._came:.0f} bytes came in {self._waited:.0f} s")
            self._waited = self._came = 0.0
        return piece


class Client:
    """One connection at a time, paced, patient.

    Args:
        settings: How gently and how stubbornly.
        progress: Where waits are told.
        sleep: Waits for seconds.
        clock: Seconds, monotonic.
        now: Seconds since 1970.
        seed: Distinguishes the pauses of clients that fail together.
        trust_environment: Whether proxies, certificates and ``~/.netrc`` of the environment are used.

    Attributes:
        silent: Servers, by name and port, that would not say what they have, and why.
    """

    def __init__(
        self,
        settings: FetchSettings,
        progress: FetchProgress,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        seed: str = "",
        trust_environment: bool = True,
    ) -> None:
        self.settings, self.progress = settings, progress
        self.now = now
        self.silent: dict[str, str] = {}
        self._sleep, self._clock, self._seed = sleep, clock, seed
        self._requests = Pace(settings.requests_per_second, clock, sleep)
        self._bytes = Pace(settings.rate, clock, sleep)
        # Nothing may be silent, nor be sent without getting on, for longer than this.
        self._watch = Watch(settings.read_seconds + settings.slowest_seconds, clock)
        self._session = _OneHop()
        self._session.trust_env = trust_environment
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, WatchedAdapter(self._watch))
        # A body that a proxy or server compresses on its way has neither the length nor the bytes of the file.
        self._session.headers.update({"User-Agent": user_agent(settings), "Accept-Encoding": "identity"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    @contextlib.contextmanager
    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, hints: Mapping[int, str] | None = None
    ) -> Iterator[Answer]:
        """Ask once, follow redirections to http and https, and give an answer of status 200, 206 or 416.

        A server that does not know ``HEAD`` may also answer 405 or 501 to it.

        Args:
            method: ``GET`` or ``HEAD``.
            url: The address.
            headers: Sent besides the client's own.
            hints: What a status means at this server, added to its message.

        Raises:
            MayPass: The answer, or that none came, may pass.
            FetchError: It will not.
        """
        address = url
        for _ in range(_MAX_REDIRECTS + 1):
            self._requests.spend(1)
            with contextlib.closing(self._send(method, address, headers or {})) as response:
                if response.status_code not in _REDIRECTS:
                    self._judge(response, address, hints or {})
                    yield Answer(response, self.settings, self._clock, self._watch)
                    return
                address = _redirected(address, response.headers.get("Location", ""))
        raise FetchError(f"{url}: redirected more than {_MAX_REDIRECTS} times")

    def persist(self, url: str, attempt: Callable[[], T], *, done: Callable[[], int] = lambda: 0) -> T:
        """Try until it succeeds, with pauses.

        Args:
            url: The address, for messages and pauses.
            attempt: One try.
            done: Bytes that have come so far.

        Raises:
            FetchError: ``settings.tries`` tries in a row failed without getting on.
        """
        failures, best = 0, done()
        while True:
            try:
                return attempt()
            except MayPass as failure:
                if done() >= best + _GAIN_BYTES:
                    failures, best = 0, done()
                failures += 1
                if failures >= self.settings.tries:
                    raise FetchError(f"{url}: {failure} (tries: {failures})", others_too=True) from failure
                pause = max(backoff_seconds(url, failures, self.settings, self._seed), failure.seconds)
                self.progress.say(f"{url}: {failure}; again in {pause:.1f} s")
                self._sleep(pause)

    def pieces(self, answer: Answer) -> Iterator[bytes]:
        """Read a body piece by piece, no faster than the settings allow."""
        rate = self.settings.rate
        most = _PIECE_BYTES if rate is None else max(1, min(_PIECE_BYTES, rate // 4))
        while piece := answer.read(most):
            self._bytes.spend(len(piece))
            yield piece

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        timeouts = (self.settings.connect_seconds, self.settings.read_seconds)
        try:
            return self._session.request(
                method, url, headers=dict(headers), stream=True, allow_redirects=False, timeout=timeouts
            )
        except requests.Timeout as error:
            raise MayPass("no answer in time") from error
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise MayPass(_reason(error)) from error
        except requests.RequestException as error:
            raise FetchError(f"{url}: {_reason(error)}") from error

    def _judge(self, response: requests.Response, url: str, hints: Mapping[int, str]) -> None:
        status = response.status_code
        if status in {OK, PARTIAL, RANGE_NOT_SATISFIABLE}:
            return
        if response.request.method == "HEAD" and status in _HEAD_UNKNOWN:
            return
        hint = f": {hints[status]}" if status in hints else ""
        if status in _PASSING:
            asked = retry_after_seconds(response.headers.get("Retry-After", ""), self.now())
            raise MayPass(f"the server answered {status}{hint}", min(asked, self.settings.max_retry_after_seconds))
        raise FetchError(f"{url}: the server answered {status}{hint}", others_too=status == _FORBIDDEN)


class _OneHop(requests.Session):
    """A session that leaves redirections alone: requests reads their bodies, however long, even if not to follow."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None


def is_web_address(url: str) -> bool:
    """Tell whether an address is one of http or https, with a host and without a password."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _redirected(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if not location or not is_web_address(target):
        raise FetchError(f"{url}: redirected to {location!r}, which is no address of http or https")
    if url.startswith("https:") and not target.startswith("https:"):
        raise FetchError(f"{url}: redirected to {location!r}, which is not encrypted any more")
    return target


def _reason(error: BaseException) -> str:
    """Say in a line what lies at the bottom of a failure."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    if isinstance(inner, MaxRetryError) and inner.reason is not None:
        inner = inner.reason
    if isinstance(inner, ProtocolError) and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    text = " ".join(str(inner).split()) or type(inner).__name__
    return text[:_MAX_REASON_CHARS]
