"""What a person sees when something goes wrong: one line, the right exit status, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.demo import WEB_ALONE

ROOT = Path(__file__).parent.parent.parent
PROGRAM = "from pipeline.cli import main; main()"

#: A language model that fails on one document of the corpus, inside a worker process.
SABOTAGE = """
import filters.language
real = filters.language.LanguageIdentifier.__call__
def failing(self, texts):
    if any("dredger Margarethe" in text for text in texts):
        raise RuntimeError("the model gave up")
    return real(self, texts)
filters.language.LanguageIdentifier.__call__ = failing
"""


def command(
    *arguments: str, folder: Path, extra_path: Path | None = None, timeout: int = 300
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*([str(extra_path)] if extra_path else []), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def demo(output: Path, *arguments: str) -> Sequence[str]:
    config = str(ROOT / "configs" / "demo.yaml")
    data = f"data={ROOT / 'tests' / 'corpus'}"
    settings = [word for override in (data, *WEB_ALONE) for word in ("--set", override)]
    return "run", config, "--output", str(output), *settings, "--bytes-per-worker", "1", *arguments


def error_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.strip()]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_exception_in_a_stage_is_one_line_with_shard_document_and_cause(workers: str, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SABOTAGE)
    output = tmp_path / "run"
    result = command(*demo(output, "--workers", workers), folder=tmp_path, extra_path=tmp_path / "site")
    assert result.returncode == 1
    lines = error_lines(result)
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert line.startswith("error: commoncrawl.scored: shard MINI-2019-30~")
    assert "document cc/486ca989-dc65-5939-9746-4e7e82fe246b: RuntimeError: the model gave up" in line
    assert lines[-1].startswith("the whole trace: ")
    log = Path(lines[-1].removeprefix("the whole trace: "))
    assert log == output / "logs" / "commoncrawl.scored.log"
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "in failing" in text
    assert not [line for line in lines if "Traceback" in line]
    assert len([line for line in lines if "documents/s" not in line]) < 10  # as it gets on, on a slow machine
    # What was committed stays, and the same command goes on once the cause is gone.
    assert len(list((output / "work" / "commoncrawl.fingerprints" / "commits").iterdir())) > 5
    again = command(*demo(output, "--workers", workers), folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "commoncrawl.fingerprints: up to date, skipped" in again.stderr


def test_a_worker_process_that_is_killed_ends_the_run_with_one_line(tmp_path: Path) -> None:
    output = tmp_path / "run"
    program = [sys.executable, "-c", PROGRAM, *demo(output, "--workers", "2")]
    process = subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    victim = None
    while victim is None and process.poll() is None:
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if any("sdk_worker_main" in part for part in child.cmdline()) and child.exe() == sys_exe()
        ]
        victim = workers[0] if workers else None
        time.sleep(0.05)
    assert victim is not None
    victim.kill()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    (line,) = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert "WorkerDied: Worker subprocess exited with return code -9" in line
    assert "Traceback" not in stderr
    assert command(*demo(output), folder=tmp_path).returncode == 0


@pytest.mark.parametrize(("workers", "group"), [("1", False), ("2", False), ("2", True)])
def test_an_interrupted_run_says_so_and_the_same_command_goes_on(workers: str, group: bool, tmp_path: Path) -> None:
    output = tmp_path / "run"
    program = [sys.executable, "-c", PROGRAM, *demo(output, "--workers", workers, "--set", "batch_bytes=65536")]
    process = subprocess.Popen(
        program, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while process.poll() is None and not list(output.glob("work/commoncrawl.fingerprints/commits/*.json")):
        time.sleep(0.01)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert stderr.splitlines()[-1] == "interrupted; the same command goes on from here"
    assert "Traceback" not in stderr
    again = command(*demo(output, "--workers", "1", "--set", "batch_bytes=65536"), folder=tmp_path)
    assert again.returncode == 0, again.stderr


def sys_exe() -> str:
    """The interpreter behind the virtual environment's link."""
    return os.path.realpath(sys.executable)


def wrong(name: str, arguments: Sequence[str], *parts: str) -> object:
    return pytest.param(arguments, parts, id=name)


CASES = [
    wrong(
        "unknown key",
        ["--set", "sources.commoncrawl.min_char=3"],
        "unknown key sources.commoncrawl.min_char; did you mean min_chars? Allowed: ",
    ),
    wrong(
        "unknown source",
        ["--set", "sources.commoncrowl={}"],
        "unknown key sources.commoncrowl; did you mean commoncrawl?",
    ),
    wrong("wrong type", ["--set", "batch_bytes=lots"], "batch_bytes = 'lots': input should be a valid integer"),
    wrong(
        "out of range",
        ["--set", "dropped_text_fraction=2"],
        "dropped_text_fraction = 2: input should be less than or equal to 1",
    ),
    wrong(
        "all copies over the whole corpus",
        ["--set", "sources.commoncrawl.line_dedup.scope=corpus"],
        "sources.commoncrawl.line_dedup: scope 'corpus' with keep 'none' deletes every page crawled twice; allowed",
    ),
    wrong(
        "not a choice",
        ["--set", "sources.commoncrawl.line_dedup.keep=last"],
        "keep = 'last': input should be 'none' or 'first'",
    ),
    wrong(
        "missing input",
        ["--set", "data=/nowhere/at/all"],
        "sources.c4.paths.0: no file matches /nowhere/at/all/",
    ),
    wrong(
        "missing model",
        ["--set", "sources.commoncrawl.language_model.model=/no/lid.bin"],
        "sources.commoncrawl.language_model.model",
        "/no/lid.bin",
    ),
    wrong("override without a value", ["--set", "data"], "--set data: must be key=value"),
    wrong(
        "unknown stage",
        ["--stages", "commoncrawl.document"],
        "--stages: no stage commoncrawl.document; the stages of this config are",
    ),
    wrong(
        "unknown option",
        ["--wrokers=2"],
        "unknown option --wrokers=2: neither this command's (see --help) nor one of Beam's",
    ),
    wrong("unknown runner", ["--runner=FastRunner"], "--runner=FastRunner: Unexpected pipeline runner"),
    wrong(
        "wrong value of a Beam flag", ["--direct_num_workers=many"], "--direct_num_workers: invalid int value: 'many'"
    ),
]


@pytest.mark.parametrize(("arguments", "parts"), CASES)
def test_a_wrong_setting_is_one_line_status_2_and_nothing_written(
    arguments: Sequence[str], parts: Sequence[str], tmp_path: Path
) -> None:
    result = command(*demo(tmp_path / "run", *arguments), folder=tmp_path)
    assert result.returncode == 2, result.stderr
    (line,) = error_lines(result)
    for part in parts:
        assert part in line
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_output_folder_is_one_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = command(*demo(tmp_path / "file" / "run"), folder=tmp_path)
    assert result.returncode == 2
    (line,) = error_lines(result)
    assert line.startswith(f"error: --output {tmp_path / 'file' / 'run'}: cannot write there: ")
    unknown = command(*demo(tmp_path / "x"), "--output", "nosuch://bucket/run", folder=tmp_path)
    assert unknown.returncode == 2
    (line,) = error_lines(unknown)
    assert line.startswith("error: --output nosuch://bucket/run: ")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("sources: [", "not YAML"),
        ("- a list", "a config is a mapping of keys to values, not list"),
        ("data: .\n", "sources is missing"),
        (
            "sources: {}\n",
            "sources: give at least one of wikipedia, stackexchange, books, arxiv, github, c4, commoncrawl",
        ),
    ],
)
def test_a_config_that_is_none_is_one_line_and_status_2(content: str, part: str, tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text(content)
    result = command("run", str(config), folder=tmp_path)
    assert result.returncode == 2
    (line,) = error_lines(result)
    assert part in line
    assert line.startswith(f"error: {config}: ")
    missing = command("run", str(tmp_path / "no.yaml"), folder=tmp_path)
    assert (missing.returncode, error_lines(missing)) == (
        2,
        [f"error: {tmp_path / 'no.yaml'}: cannot read the config: No such file or directory"],
    )


def test_a_folder_that_a_glob_could_not_tell_from_a_pattern_is_refused(tmp_path: Path) -> None:
    result = command(*demo(tmp_path / "run[1]"), folder=tmp_path)
    assert result.returncode == 2
    assert error_lines(result) == [f"error: --output {tmp_path / 'run[1]'}: *, ? and [ are not allowed in its path"]
    assert list(tmp_path.iterdir()) == []


def test_dataflow_is_not_given_local_paths(tmp_path: Path) -> None:
    result = command(*demo(tmp_path / "run"), "--runner=DataflowRunner", folder=tmp_path)
    assert result.returncode == 2
    expected = f"error: --runner=DataflowRunner: {tmp_path / 'run'} is a local path, which its workers cannot see"
    assert error_lines(result) == [expected]
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "run").mkdir()
    with open(tmp_path / "run" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = command(*demo(tmp_path / "run"), folder=tmp_path)
    assert result.returncode == 2
    assert error_lines(result) == [f"error: --output {tmp_path / 'run'}: another run is at work in this folder"]


def test_commands_on_a_folder_without_a_run_say_so(tmp_path: Path) -> None:
    for arguments in (["report", "."], ["why", ".", "cc/1"], ["export", ".", "out"]):
        result = command(*arguments, folder=tmp_path)
        assert (result.returncode, error_lines(result)) == (2, ["error: .: no run there (no manifest.json)"])


def test_training_on_a_folder_without_tokens_is_one_line_and_status_2(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "train" / "demo.yaml")
    result = command("train", config, "--set", f"data={tmp_path}", folder=tmp_path)
    assert result.returncode == 2
    (line,) = error_lines(result)
    assert str(tmp_path) in line
