import glob
import json
import math
import os
import resource
import signal
import struct
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train import tensorboard as events
from train.held_out import HeldOutLoss
from train.metrics import Metrics
from train.report import StepReport

STEP = StepReport(1, 7.25, 1.5, 3e-4, 8000.0, 1000.0, 0.5, 0.5, 0.125)
LOSSES = {"c4": HeldOutLoss(4.5, 1.75, 12_345, 40_000), "all": HeldOutLoss(4.5, math.nan, 12_345, 0)}
EVERY = 3  # steps between two losses on held-out documents
STEPS = 7


def record(output, steps, **settings):
    """Write the metrics of some steps as a run does: a step's line, then what was measured after it."""
    with Metrics(str(output), **settings) as metrics:
        for step in steps:
            metrics.step(replace(STEP, step=step, loss=8.0 - step / 16))
            if step % EVERY == 0:
                metrics.held_out(step, LOSSES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The lines of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    record(folder, range(1, STEPS + 1), tensorboard=False)
    return (folder / "metrics.jsonl").read_bytes()


def read_events(path):
    """The events of a file, by tensorboardX's protocol buffers and checksums, none of which wrote it."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    data, found = Path(path).read_bytes(), []
    while data:
        (length,), (crc,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        payload, (payload_crc,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert (crc, payload_crc) == (masked_crc32c(data[:8]), masked_crc32c(payload))
        found.append(Event.FromString(payload))
        data = data[16 + length :]
    return found


def scalars(path):
    return {(value.tag, event.step): value.simple_value for event in read_events(path) for value in event.summary.value}


def event_files(folder):
    return sorted(glob.glob(os.path.join(folder, "tensorboard", "events.out.tfevents.*")))


def test_a_line_is_a_steps_report_or_the_losses_on_held_out_documents(tmp_path):
    with Metrics(str(tmp_path)) as metrics:
        metrics.step(STEP)
        metrics.held_out(1, LOSSES)
    step, held_out = (json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert step == asdict(STEP)
    assert held_out == {
        "step": 1,
        "held_out": {
            "c4": {"nats_per_token": 4.5, "bits_per_byte": 1.75, "tokens": 12_345, "bytes": 40_000},
            "all": {"nats_per_token": 4.5, "bits_per_byte": None, "tokens": 12_345, "bytes": 0},
        },
    }


def test_each_line_is_in_the_file_before_the_next_is_written(tmp_path):
    with Metrics(str(tmp_path)) as metrics:
        for count in (1, 2):
            metrics.step(replace(STEP, step=count))
            assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == count


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
def test_what_is_no_number_is_null_for_every_reader_of_json(tmp_path, value):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    with Metrics(str(tmp_path)) as metrics:
        metrics.step(replace(STEP, loss=value, mfu=None, skipped=True))
    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert (line["loss"], line["mfu"], line["skipped"], line["grad_norm"]) == (None, None, True, 1.5)


def test_a_run_that_begins_replaces_the_record_of_an_earlier_one(tmp_path):
    for steps in (5, 2):
        record(tmp_path, range(1, steps + 1))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    (path,) = event_files(tmp_path)
    assert max(step for _, step in scalars(path)) == 2


def test_a_process_that_is_not_the_first_writes_nothing_and_cuts_nothing(tmp_path, whole):
    record(tmp_path / "none", [1, 2, 3], enabled=False)
    assert not (tmp_path / "none").exists()
    (tmp_path / "metrics.jsonl").write_bytes(whole)
    record(tmp_path, [3], enabled=False, resume_from=2)
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole


def bytes_up_to(lines, step):
    return sum(len(line) for line in lines.splitlines(keepends=True) if json.loads(line)["step"] <= step)


@given(data=st.data(), resume_from=st.integers(0, STEPS))
def test_a_run_killed_at_any_byte_and_resumed_has_the_lines_of_one_that_was_not(
    tmp_path_factory, whole, data, resume_from
):
    written = data.draw(st.integers(bytes_up_to(whole, resume_from), len(whole)), label="bytes written when killed")
    folder = tmp_path_factory.mktemp("killed")
    (folder / "metrics.jsonl").write_bytes(whole[:written])
    with Metrics(str(folder), resume_from=resume_from, tensorboard=False):
        assert (folder / "metrics.jsonl").read_bytes() == whole[: bytes_up_to(whole, resume_from)]
    record(folder, range(resume_from + 1, STEPS + 1), resume_from=resume_from, tensorboard=False)
    assert (folder / "metrics.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "torn",
    [
        b'{"step": 1, "loss"',
        b'{"step": 1}',
        b'{"step": 1}\n',
        b"\0" * 50 + b"\n",
        b"[1]\n",
        b'{"loss": 1.0}\n',
        b'{"step": "1"}\n',
    ],
    ids=[
        "half a line",
        "no end",
        "neither a loss nor held out",
        "zeros of a lost disk",
        "not an object",
        "no step",
        "a step that is no number",
    ],
)
def test_a_torn_line_is_cut_off_with_what_follows(tmp_path, torn):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 2.0, "skipped": false}\n' + torn)
    record(tmp_path, [2], resume_from=1, tensorboard=False)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_resuming_where_no_record_is_begins_one(tmp_path):
    record(tmp_path / "moved", [5], resume_from=4)
    assert json.loads((tmp_path / "moved" / "metrics.jsonl").read_text())["step"] == 5


@pytest.mark.parametrize(
    ("room", "file"),
    [(200, "metrics.jsonl"), (280, "events.out.tfevents"), (30, "events.out.tfevents")],
    ids=["a line", "an event", "the head of the events"],
)
def test_a_full_disk_is_an_error_of_one_line_that_names_the_file(tmp_path, room, file):
    """A limit on the size of files stands in for the disk. A line takes 207 bytes, the events' head 40, a step 265."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large: ") as error, Metrics(str(tmp_path)) as metrics:
            metrics.step(STEP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert file in str(error.value)
    assert "\n" not in str(error.value)


def test_tensorboard_reads_every_figure_of_a_step_that_is_known(tmp_path):
    with Metrics(str(tmp_path)) as metrics:
        metrics.step(STEP)
        metrics.step(replace(STEP, step=300, loss=math.nan, mfu=None, skipped=True))
        metrics.held_out(300, LOSSES)
    (path,) = event_files(tmp_path)
    assert read_events(path)[0].file_version == "brain.Event:2"
    found = scalars(path)
    of_step = {
        "loss": 7.25,
        "grad_norm": 1.5,
        "learning_rate": pytest.approx(3e-4),
        "tokens_per_second": 8000,
        "tokens_per_second_per_device": 1000,
        "mfu": 0.5,
        "seconds": 0.5,
        "data_seconds": 0.125,
        "skipped": 0,
    }
    assert {tag: value for (tag, step), value in found.items() if step == 1} == {
        f"train/{name}": value for name, value in of_step.items()
    }
    assert ("train/mfu", 300) not in found
    assert math.isnan(found["train/loss", 300])
    assert found["train/skipped", 300] == 1
    assert found["held_out/c4/nats_per_token", 300] == 4.5
    assert found["held_out/c4/bits_per_byte", 300] == 1.75


def test_a_resumed_run_tells_tensorboard_to_forget_the_steps_after_its_checkpoint(tmp_path):
    from tensorboardX.proto.event_pb2 import SessionLog

    record(tmp_path, range(1, 6))
    (first,) = event_files(tmp_path)
    before = Path(first).read_bytes()
    record(tmp_path, [4, 5], resume_from=3)
    record(tmp_path, [4, 5], resume_from=3)  # within the same second
    files = event_files(tmp_path)
    assert len(files) == 3
    assert files[0] == first
    assert Path(first).read_bytes() == before
    for path in files[1:]:
        version, restart, *steps = read_events(path)
        assert version.file_version == "brain.Event:2"
        assert (restart.step, restart.session_log.status) == (4, SessionLog.START)
        assert [event.step for event in steps] == [4, 5]


@given(
    values=st.dictionaries(st.text(), st.floats(width=32, allow_nan=False), max_size=5),
    step=st.integers(0, 2**62),
    wall_time=st.floats(allow_nan=False),
)
def test_any_scalars_are_read_back(tmp_path_factory, values, step, wall_time):
    path = tmp_path_factory.mktemp("events") / "events"
    path.write_bytes(events.scalars(values, step, wall_time))
    (event,) = read_events(path)
    assert (event.step, event.wall_time) == (step, wall_time)
    assert {value.tag: value.simple_value for value in event.summary.value} == values


def test_torch_is_not_imported_to_write_for_tensorboard(tmp_path):
    program = "import sys; from train.metrics import Metrics; Metrics(sys.argv[1]); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    assert len(event_files(tmp_path)) == 1
