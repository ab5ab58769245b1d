"""Chains of stages side by side: at the same time, within the workers, with the results of one after the other."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from pipeline import lanes
from pipeline.commits import Commit, write_commit
from pipeline.lanes import SideBySide, fair_share
from pipeline.launch import _slots, stage_order
from pipeline.manifest import Manifest, StageOrder
from pipeline.run import Chain, Recipe, Run, RunFailed
from pipeline.runner import Engine
from pipeline.settings import RunSettings, SettingsError, load_settings
from pipeline.stage import Job, LauncherWork, Stage, side_by_side
from tests.shelf import FLAGS, Shelf

ROOT = Path(__file__).parent.parent.parent
SETTINGS = RunSettings.model_validate({"name": "x", "sources": {"c4": {"paths": ["x"]}}})
SECONDS = 60.0


def stage(folder: Path | str, name: str, act: Callable[[], object]) -> Stage:
    """A stage that does something and commits one document."""

    def work() -> None:
        act()
        write_commit(str(folder), name, Commit(name, 0, read=1, kept=1, bytes_in=7))

    return Stage(name, {}, {}, LauncherWork(work, "working", total_bytes=7))


def chain(folder: Path | str, name: str, *acts: Callable[[], object], size: int = 0) -> Chain:
    """A chain of stages ``<name>.0``, ``<name>.1`` and so on."""

    def recipe(run: Run) -> Recipe:
        for place, act in enumerate(acts):
            yield stage(folder, f"{name}.{place}", act)

    return Chain(name, recipe, size)


def new_run(folder: Path, chains: Sequence[str], slots: int = 2, console: Console | None = None, least: int = 1) -> Run:
    order = StageOrder({name: [f"{name}.{place}" for place in range(3)] for name in chains})
    beside = SideBySide(Engine(slots, bytes_per_worker=least), slots)
    quiet = console or Console(quiet=True)
    return Run(str(folder), SETTINGS, Engine(1), quiet, ledger=Manifest(str(folder), order), beside=beside)


def meet(folder: Path, me: str, other: str) -> None:
    """Say in which process one is at work, and wait until another one is."""
    (folder / f"{me}.part").write_text(str(os.getpid()))
    (folder / f"{me}.part").rename(folder / me)
    wait_for(folder / other)


def wait_for(path: Path) -> None:
    until = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} never came"
        time.sleep(0.01)


def count_at_work(folder: Path, me: str) -> None:
    """Write down who is at work while one is."""
    (folder / f"{me}.busy").touch()
    time.sleep(0.2)
    (folder / f"{me}.saw").write_text(str(len(list(folder.glob("*.busy")))))
    (folder / f"{me}.busy").unlink()


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def nothing() -> None:
    return


def test_chains_run_at_the_same_time_in_processes_of_their_own(tmp_path: Path) -> None:
    run = new_run(tmp_path, "ab")
    chains = [
        chain(tmp_path, "a", partial(meet, tmp_path, "a", "b"), nothing),
        chain(tmp_path, "b", partial(meet, tmp_path, "b", "a")),
    ]
    run.beside(run, chains)
    assert list(run.results) == ["a.0", "a.1", "b.0"]
    assert run.results["b.0"].stats["kept"] == 1
    assert sorted(path.stem for path in (tmp_path / "logs").iterdir()) == ["a.0", "a.1", "b.0"]
    assert len({os.getpid(), *(int((tmp_path / name).read_text()) for name in "ab")}) == 3


def test_no_more_chains_are_at_work_than_there_are_workers(tmp_path: Path) -> None:
    run = new_run(tmp_path, "abcd", slots=2)
    run.beside(run, [chain(tmp_path, name, partial(count_at_work, tmp_path, name)) for name in "abcd"])
    assert {path.read_text() for path in tmp_path.glob("*.saw")} <= {"1", "2"}
    assert len(run.results) == 4


def test_results_and_manifest_have_the_order_of_the_chains_whichever_ends_first(tmp_path: Path) -> None:
    run = new_run(tmp_path, "ab")
    last = tmp_path / "work" / "b.1" / "commits"
    run.beside(
        run,
        [chain(tmp_path, "a", partial(wait_for, last), nothing), chain(tmp_path, "b", nothing, nothing)],
    )
    assert list(run.results) == ["a.0", "a.1", "b.0", "b.1"]
    assert list(Manifest(str(tmp_path)).stages) == ["a.0", "a.1", "b.0", "b.1"]


def test_a_chain_that_waits_for_another_one_lends_it_its_worker(tmp_path: Path) -> None:
    def recipe(run: Run) -> Recipe:
        kept = run.results["b.1"].stats["kept"]
        yield stage(tmp_path, f"a.{kept}", nothing)

    run = new_run(tmp_path, "ab", slots=1)
    run.beside(run, [Chain("a", recipe, size=9), chain(tmp_path, "b", nothing, nothing)])
    assert list(run.results) == ["a.1", "b.0", "b.1"]


def test_a_chain_that_waits_for_what_no_stage_gives_ends_the_run(tmp_path: Path) -> None:
    def recipe(run: Run) -> Recipe:
        yield stage(tmp_path, run.results["b.7"].name, nothing)

    run = new_run(tmp_path, "ab")
    with pytest.raises(RunFailed, match=r"^a: waits for b\.7, which no stage gives$"):
        run.beside(run, [Chain("a", recipe), chain(tmp_path, "b", nothing)])


def test_a_failing_stage_stops_the_others_and_what_they_have_committed_stays(tmp_path: Path) -> None:
    done = tmp_path / "work" / "b.0" / "commits" / "b.0-00000.json"
    never = partial(wait_for, tmp_path / "never")

    def break_down() -> None:
        wait_for(tmp_path / "b-waits")
        raise ValueError("no such thing")

    def wait_in_vain() -> None:
        (tmp_path / "b-waits").touch()
        never()

    run = new_run(tmp_path, "ab")
    with pytest.raises(RunFailed, match=r"^a\.0: ValueError: no such thing$") as caught:
        run.beside(run, [chain(tmp_path, "a", break_down), chain(tmp_path, "b", nothing, wait_in_vain)])
    assert "in break_down" in Path(caught.value.log).read_text()
    assert Path(caught.value.log) == tmp_path / "logs" / "a.0.log"
    assert list(Manifest(str(tmp_path)).stages) == ["b.0"]
    assert [path.name for path in done.parent.iterdir()]
    assert not lanes_left()


def lanes_left() -> list[psutil.Process]:
    """Lanes of this process: what the process that they are forked from has started."""
    return [
        lane
        for child in psutil.Process().children()
        if any("multiprocessing.forkserver" in word for word in child.cmdline())
        for lane in child.children(recursive=True)
        if lane.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (lambda: SettingsError("key = 3: too few"), SettingsError, r"^key = 3: too few$"),
        (lambda: RunFailed("a.0: kept nothing", "x.log"), RunFailed, r"^a\.0: kept nothing$"),
        (lambda: OSError(28, "No space left on device"), OSError, r"^\[Errno 28\] No space left on device$"),
        (lambda: TypeError("a bug"), RunFailed, r"^a: TypeError: a bug$"),
        (KeyboardInterrupt, KeyboardInterrupt, r"^$"),
    ],
    ids=["settings", "stage", "system", "bug", "interrupt"],
)
def test_what_a_recipe_raises_is_raised_by_the_run(
    error: Callable[[], BaseException], kind: type[BaseException], message: str, tmp_path: Path
) -> None:
    def recipe(run: Run) -> Recipe:
        if run:
            raise error()
        yield stage(tmp_path, "a.0", nothing)

    run = new_run(tmp_path, "ab")
    with pytest.raises(kind, match=message):
        run.beside(run, [Chain("a", recipe), chain(tmp_path, "b", partial(wait_for, tmp_path / "never"))])
    assert not lanes_left()


def test_a_lane_that_is_killed_ends_the_run_with_one_line_that_names_its_stage(tmp_path: Path) -> None:
    run = new_run(tmp_path, "ab")
    with pytest.raises(RunFailed, match=r"^a\.1: WorkerDied: its process ended with return code -9; was memory short"):
        run.beside(run, [chain(tmp_path, "a", nothing, kill_self), chain(tmp_path, "b", nothing)])


def start_waiting(folder: Path) -> "subprocess.Popen[str]":
    """Start a launcher in a process group of its own, whose two lanes say who they are and wait for ever."""
    program = f"""
import os, sys
from functools import partial
from pathlib import Path
from tests.pipeline.test_lanes import chain, meet, new_run, nothing, wait_for_ever
folder = Path({str(folder)!r})
run = new_run(folder, "ab")
chains = [chain(folder, me, partial(meet, folder, me, other), wait_for_ever) for me, other in ("ab", "ba")]
try:
    run.beside(run, chains)
except KeyboardInterrupt:
    sys.exit(130)
"""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_ever() -> None:
    while True:
        time.sleep(1)


def pids_of_lanes(folder: Path) -> list[int]:
    """Wait until both lanes are in their second stage."""
    for name in "ab":
        wait_for(folder / "logs" / f"{name}.1.log")
    return [int((folder / name).read_text()) for name in "ab"]


def wait_until_gone(pids: Sequence[int]) -> None:
    until = time.monotonic() + SECONDS
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < until, "a lane has outlived its launcher"
        time.sleep(0.05)


def test_lanes_whose_launcher_is_killed_end_by_themselves(tmp_path: Path) -> None:
    with start_waiting(tmp_path) as launcher:
        pids = pids_of_lanes(tmp_path)
        launcher.kill()
        wait_until_gone(pids)
    assert launcher.returncode == -signal.SIGKILL


@pytest.mark.parametrize("group", [False, True], ids=["launcher alone", "terminal"])
def test_an_interrupt_ends_lanes_in_good_order_and_says_nothing_of_its_own(group: bool, tmp_path: Path) -> None:
    with start_waiting(tmp_path) as launcher:
        pids = pids_of_lanes(tmp_path)
        (os.killpg if group else os.kill)(launcher.pid, signal.SIGINT)
        _, stderr = launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 130
    assert not any(map(psutil.pid_exists, pids))
    said = [line for line in stderr.splitlines() if not line.startswith(("a.0: ", "b.0: "))]
    assert said == []
    assert list(Manifest(str(tmp_path)).stages) == ["a.0", "b.0"]


def test_a_lane_asks_for_workers_and_gets_its_share(tmp_path: Path) -> None:
    """With four workers, a chain of three times the other's input gets three of them, then all four."""

    class Counting(Engine):
        def run(self, job: Job, log: str) -> None:
            (tmp_path / f"{Path(log).stem}.workers").write_text(str(self.workers))
            super().run(job, log)

    run = new_run(tmp_path, "ab", slots=4)
    run.beside = SideBySide(Counting(4), 4)
    monkey = Counting.workers_for
    Counting.workers_for = lambda self, job: self.workers  # type: ignore[method-assign]
    try:
        late = chain(tmp_path, "b", partial(wait_for, tmp_path / "a.0.workers"), size=100)
        early = chain(tmp_path, "a", partial(wait_for, tmp_path / "b.0.workers"), nothing, size=300)
        run.beside(run, [early, late])
    finally:
        Counting.workers_for = monkey  # type: ignore[method-assign]
    assert (tmp_path / "a.0.workers").read_text() == "3"
    assert (tmp_path / "b.0.workers").read_text() == "1"


@pytest.mark.parametrize(
    ("slots", "free", "sizes", "share"),
    [
        (4, 4, (300, 100), 3),
        (4, 2, (300, 100), 2),
        (4, 4, (100, 300), 1),
        (16, 16, (1, 10_000), 1),
        (16, 16, (10_000, 1), 16),
        (8, 8, (0, 0), 4),
        (8, 0, (5, 5), 1),
        (2, 2, (7,), 2),
    ],
)
def test_workers_are_shared_by_input_as_far_as_they_are_free(
    slots: int, free: int, sizes: tuple[int, ...], share: int
) -> None:
    assert fair_share(slots, free, sizes[0], sizes) == share


def test_one_chain_alone_runs_in_this_process(tmp_path: Path) -> None:
    seen: list[int] = []
    run = new_run(tmp_path, "a")
    run.beside(run, [chain(tmp_path, "a", lambda: seen.append(os.getpid()))])
    assert seen == [os.getpid()]


def test_a_recipe_gives_a_group_of_stages_and_is_handed_their_results_in_order(tmp_path: Path) -> None:
    def recipe(run: Run) -> Recipe:
        results = yield from side_by_side(
            stage(tmp_path, f"{name}.0", partial(meet, Path(run.folder), name, other)) for name, other in ("ab", "ba")
        )
        both = ",".join(result.name for result in results)
        yield stage(tmp_path, "c.0", partial((tmp_path / "both").write_text, both))

    run = new_run(tmp_path, "abc")
    run.execute(recipe(run))
    assert (tmp_path / "both").read_text() == "a.0,b.0"
    assert list(run.results) == ["a.0", "b.0", "c.0"]


@pytest.mark.parametrize(("least", "processes"), [(14, 2), (15, 1)])
def test_a_group_that_reads_little_runs_in_this_process(least: int, processes: int, tmp_path: Path) -> None:
    def note(name: str) -> Stage:
        return stage(tmp_path, name, lambda: (tmp_path / name).write_text(str(os.getpid())))

    def recipe() -> Recipe:
        yield from side_by_side([note("a.0"), note("b.0")])

    run = new_run(tmp_path, "ab", least=least)
    run.execute(recipe())
    pids = {int((tmp_path / name).read_text()) for name in ("a.0", "b.0")}
    assert len(pids) == processes
    assert (os.getpid() in pids) == (processes == 1)


def test_what_holds_the_run_at_work_means_the_lanes_own_run_there(tmp_path: Path) -> None:
    def recipe(run: Run) -> Recipe:
        def say() -> None:
            run.say("a.0", "from inside")

        results = yield from side_by_side([stage(tmp_path, "a.0", say), stage(tmp_path, "b.0", nothing)])
        assert len(results) == 2

    console = Console(file=io.StringIO(), width=200)
    run = new_run(tmp_path, "ab", console=console)
    run.execute(recipe(run))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "a.0: from inside\n" in text
    assert "b.0: 1 documents in, 1 kept, 0.0 MB of text, " in text


def test_lanes_show_a_bar_each_on_a_terminal(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    run = new_run(tmp_path, "ab", console=console)
    run.beside(
        run, [chain(tmp_path, "a", partial(meet, tmp_path, "a", "b")), chain(tmp_path, "b", two_looks(tmp_path))]
    )
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "━" in text
    assert "working, " in text


def two_looks(folder: Path) -> Callable[[], None]:
    def act() -> None:
        time.sleep(1.2)  # a bar is moved twice a second
        meet(folder, "b", "a")

    return act


@pytest.mark.parametrize(
    ("overrides", "needs"),
    [
        ((), set()),
        (("sources.commoncrawl.perplexity.train_on=c4",), {"c4"}),
        (("sources.commoncrawl.perplexity.train_on=null",), {"wikipedia"}),
        (("sources.commoncrawl.reference.wikipedia=run",), {"wikipedia"}),
        (("sources.commoncrawl.perplexity=null", "sources.commoncrawl.reference=null"), set()),
    ],
)
def test_the_crawl_depends_on_what_its_models_are_trained_on(overrides: Sequence[str], needs: set[str]) -> None:
    settings = load_settings(RunSettings, str(ROOT / "configs" / "demo.yaml"), overrides)
    order = stage_order(settings)
    sources = ["wikipedia", "stackexchange", "books", "arxiv", "github", "c4", "commoncrawl"]
    assert list(order.chains) == sources
    assert {source for source in sources if order.may_read("commoncrawl.scored", f"{source}.documents")} == {
        *needs,
        "commoncrawl",
    }
    assert all(order.may_read("tokenizer", f"{source}.documents") for source in sources)
    assert not order.may_read("books.documents", "wikipedia.documents")


def test_an_engine_of_the_users_choice_bounds_the_jobs_at_once_by_a_constant() -> None:
    assert _slots(3, []) == 3
    assert _slots(3, ["--runner=BundleBasedDirectRunner"]) == lanes.JOBS_AT_ONCE
    assert _slots(1, ["--runner=BundleBasedDirectRunner"]) == 1
    assert _slots(3, ["--runner=DataflowRunner", "--job_name=mine"]) == 1


def test_lanes_know_the_filesystems_that_flags_name(shelf: Shelf, tmp_path: Path) -> None:
    folder = "shelf://results/run"
    beside = SideBySide(Engine(2, tuple(FLAGS)), 2)
    run = Run(folder, SETTINGS, Engine(1), Console(quiet=True), beside=beside)
    chains = [chain(folder, "a", nothing), chain(folder, "b", nothing)]
    run.beside(run, chains)
    assert list(run.results) == ["a.0", "b.0"]
    shelf.download("results/run", tmp_path / "run")
    assert sorted(path.parent.parent.name for path in (tmp_path / "run").rglob("commits/*.json")) == ["a.0", "b.0"]
