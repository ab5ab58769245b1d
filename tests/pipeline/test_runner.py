"""Where graphs run: Beam's flags are checked before anything starts, and jobs run to their end."""

import logging
import os
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

from pipeline.runner import Engine, beam_options, default_workers, log_to
from pipeline.settings import SettingsError
from pipeline.stage import Job


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--projekt=x"], "--projekt=x"),
        (["--frobnicate"], "--frobnicate"),
        (["stray"], "stray"),
        (["--region=a", "--frobnicate", "3"], "--frobnicate"),
        (["--runne=DirectRunner"], "--runne=DirectRunner"),
        (["-x"], "-x"),
    ],
)
def test_a_flag_that_is_not_beams_is_refused_by_its_name(flags: list[str], name: str) -> None:
    with pytest.raises(SettingsError, match=f"^unknown option {name}: neither this command's .* nor one of Beam's$"):
        beam_options(flags)


@pytest.mark.parametrize(
    "flags",
    [
        ["--direct_num_workers=many"],
        ["--direct_running_mode=threads"],
        ["--number_of_worker_harness_threads", "x"],
        ["--region"],
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_the_flag(flags: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        beam_options(flags)
    assert flags[0].partition("=")[0] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refused_flag_says_nothing_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError):
        beam_options(["--direct_num_workers=many"])
    assert capsys.readouterr() == ("", "")


def test_beams_own_flags_pass_through_untouched() -> None:
    flags = [
        "--runner=DataflowRunner",
        "--project=p",
        "--region",
        "r",
        "--experiments=a",
        "--experiments=b",
        "--num_workers=5",
        "--save_main_session",
    ]
    options = beam_options(flags)
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert (options.view_as(GoogleCloudOptions).project, options.view_as(GoogleCloudOptions).region) == ("p", "r")
    assert options.get_all_options()["experiments"] == ["a", "b"]
    assert options.view_as(WorkerOptions).num_workers == 5
    assert options.view_as(SetupOptions).save_main_session is True


def test_no_flags_choose_no_runner() -> None:
    assert beam_options([]).view_as(StandardOptions).runner is None


def direct(engine: Engine, workers: int) -> tuple[str, int]:
    root = engine.pipeline(workers, "/tmp/a log")
    return type(root.runner).__name__, root.options.view_as(DirectOptions).direct_num_workers


def test_one_worker_runs_in_this_process_and_more_in_their_own() -> None:
    assert direct(Engine(1), 1) == ("FnApiRunner", 1)
    assert direct(Engine(4), 3) == ("FnApiRunner", 3)


def test_a_runner_of_the_users_choice_is_taken() -> None:
    root = Engine(4, ("--runner=BundleBasedDirectRunner",)).pipeline(4, "log")
    assert type(root.runner).__name__ == "BundleBasedDirectRunner"


def test_a_worker_command_survives_paths_with_spaces() -> None:
    root = Engine(2).pipeline(2, "/tmp/a log/x'y")
    command = root.runner._default_environment.command_string
    assert command.endswith(""">>'/tmp/a log/x'"'"'y' 2>&1""")


def touch(name: str, folder: str) -> None:
    Path(folder, name).write_text("done")


def test_a_job_is_called_built_and_waited_for(tmp_path: Path) -> None:
    def build(root: beam.Pipeline) -> object:
        return root | beam.Create(["a", "b"], reshuffle=False) | beam.Map(touch, str(tmp_path))

    Engine(1).run(Job("both", build=build, call=lambda: touch("called", str(tmp_path))), str(tmp_path / "log"))
    assert {"a", "b", "called"} <= set(os.listdir(tmp_path))


def fail(_: object) -> None:
    raise ValueError("a bug")


def test_a_job_that_fails_raises(tmp_path: Path) -> None:
    job = Job("bad", build=lambda root: root | beam.Create([1], reshuffle=False) | beam.Map(fail))
    with pytest.raises(ValueError, match="a bug"):
        Engine(1).run(job, str(tmp_path / "log"))


@pytest.mark.parametrize(
    ("units", "size", "workers"),
    [(9, 0, 1), (9, 99, 1), (9, 100, 2), (9, 299, 3), (9, 300, 4), (9, 10**9, 4), (1, 10**9, 1), (3, 10**9, 3)],
)
def test_workers_are_bounded_by_cores_units_and_input(units: int, size: int, workers: int) -> None:
    job = Job("x", build=lambda root: None, units=units, size=size)
    assert Engine(4, bytes_per_worker=100).workers_for(job) == workers


def test_a_shuffle_stays_in_the_launching_process() -> None:
    job = Job("x", build=lambda root: None, units=9, size=10**9, in_launcher=True)
    assert Engine(4, bytes_per_worker=1).workers_for(job) == 1


def test_there_is_at_least_one_worker_by_default_and_no_more_than_cores() -> None:
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


def test_while_a_stage_runs_the_log_goes_to_its_file_and_afterwards_back(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    with log_to(str(tmp_path / "logs" / "a.log")):
        logging.getLogger("some.library").info("inside")
    logging.getLogger("some.library").info("outside")
    content = (tmp_path / "logs" / "a.log").read_text()
    assert "INFO some.library: inside" in content
    assert "outside" not in content
    assert (list(root.handlers), root.level) == before
