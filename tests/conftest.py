"""What all tests share: no network, and one undisturbed run of the demo to compare with."""

import hashlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from rich.console import Console

from pipeline.launch import launch
from pipeline.run import Run
from tests.demo import TEXTS_ALONE, WEB_ALONE, WITHOUT_MODELS

ROOT = Path(__file__).parent.parent
LOOPBACK = {"127.0.0.1", "localhost", "::1", "::", "0.0.0.0", ""}


# No test is timed: machines are noisy. Property tests draw the same examples each time, so that a failure is the
# change's own; --hypothesis-profile=exploring draws new ones.
STEADY = "steady"
settings.register_profile(
    STEADY, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("exploring", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(STEADY)


def pytest_configure() -> None:
    """Keep Hypothesis from drawing constants of our own modules: which are loaded depends on the tests before."""
    own, none = providers._get_local_constants, Constants()
    providers._get_local_constants = lambda: none if settings.get_current_profile_name() == STEADY else own()
    # A shell starts what runs in the background with Ctrl-C ignored, and so would be what tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes that are no text by their length: gzip holds the time, and all processes must find the same names."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) and not val.isascii() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files of whole runs, which take longest, come first, lest one process be left alone with them."""
    items.sort(key=lambda item: "test_run_" not in item.path.name)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> None:
    """Refuse to connect to anything but this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise PermissionError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inputs; tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("LLAMA_CORPUS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real inputs: set LLAMA_CORPUS_DATA")
    return folder


@pytest.fixture(scope="session")
def digests() -> Callable[..., dict[str, str]]:
    """Give the SHA-256 of every file below folders of a run."""

    def of(run: Path | str, folders: Sequence[str] = ("documents", "tokens")) -> dict[str, str]:
        files = [path for name in folders for path in sorted((Path(run) / name).rglob("*")) if path.is_file()]
        assert files
        return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return of


@pytest.fixture(scope="session")
def run_demo() -> Callable[..., Run]:
    """Run the demo's config, by default the crawl without models: what brute force can trace.

    ``whole`` adds C4 and the models of the crawl, ``others`` the sources that are not of the web; ``texts`` runs
    these alone.
    """

    def run(
        output: Path | str,
        *overrides: str,
        workers: int = 1,
        flags: Sequence[str] = (),
        whole: bool = False,
        others: bool = False,
        texts: bool = False,
        stages: Sequence[str] | None = None,
    ) -> Run:
        left_out = (*(() if whole else WITHOUT_MODELS), *(() if others else WEB_ALONE))
        if texts:
            left_out = TEXTS_ALONE
        return launch(
            str(ROOT / "configs" / "demo.yaml"),
            output=str(output),
            workers=workers,
            stages=stages,
            overrides=[f"data={ROOT / 'tests' / 'corpus'}", *left_out, *overrides],
            flags=flags,
            bytes_per_worker=1,
            console=Console(quiet=True),
        )

    return run


@pytest.fixture(scope="session")
def whole_demo(tmp_path_factory: pytest.TempPathFactory, run_demo: Callable[..., Run]) -> Path:
    """A finished run of the whole demo, all models trained, with two workers. Not to be written to."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    run_demo(output, workers=2, whole=True)
    return output


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, run_demo: Callable[..., Run]) -> Path:
    """A finished run of the demo with two workers. Not to be written to."""
    output = tmp_path_factory.mktemp("runs") / "demo"
    run_demo(output, workers=2)
    return output
