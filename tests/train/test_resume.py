"""A run that is interrupted in any way and goes on is the run that was never interrupted."""

import os
import re
import resource
import shutil
import signal
import socket
from functools import partial

import jax
import numpy as np
import pytest

from tests.train.test_loop import VOCABULARY, cyclic_documents, settings, write_source
from tests.train.trained import curve, held_out, saved_state, saved_steps, start
from train import beginning
from train.checkpoint import Checkpoints, UnsavedCheckpoint
from train.data import Mixture
from train.held_out import HeldOut
from train.lock import locked
from train.loop import UnreadableData, train
from train.record import OtherRun
from train.shards import with_vocabulary
from train.stopping import Stopped

STEPS = 12
quietly = partial(train, report=lambda _: None)


def run_of(folder, **changes):
    """Settings of a run of twelve steps, saved every four, measured every six."""
    return settings(folder, **{"steps": STEPS, "checkpoint": {"every": 4}, "held_out": {"every": 6}} | changes)


def known(config):
    return config.model_copy(update={"model": with_vocabulary(config.model, VOCABULARY)})


def stop_after(step):
    """Ask this process to end once a step is told: the step after it is under way then, and is the last."""
    return lambda report: os.kill(os.getpid(), signal.SIGTERM) if report.step == step else None


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Token shards of one source, with held-out documents; nothing may be written there."""
    folder = tmp_path_factory.mktemp("data")
    write_source(folder, "a", cyclic_documents())
    write_source(folder, "a", cyclic_documents(count=3, length=50, stride=7), kind="held_out", shards=1)
    return folder


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("undisturbed"))
    quietly(run_of(data, output=output))
    return output


def test_a_run_is_saved_every_few_steps_and_at_its_end_and_measured_at_its_end_too(undisturbed):
    assert saved_steps(undisturbed) == [4, 8, 12]
    assert sorted(held_out(undisturbed)) == [6, 12]
    assert set(held_out(undisturbed)[12]) == {"a", "all"}
    assert [step for step, *_ in curve(undisturbed)] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("killed_after", [6, 11])
def test_a_run_killed_at_any_step_ends_with_the_same_losses_and_weights_to_the_last_bit(
    data, undisturbed, tmp_path, killed_after
):
    config = run_of(data, output=str(tmp_path))
    process = start(config, after=killed_after, signal=signal.SIGKILL)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == -signal.SIGKILL, errors
    # The newest may not have been whole yet; with the second the first is.
    whole = saved_steps(tmp_path)
    assert whole[-1:] in ([], [4], [8])
    assert whole or killed_after < 8
    assert quietly(config).resumed_from == (whole[-1] if whole else None)
    assert curve(tmp_path) == curve(undisturbed)
    assert held_out(tmp_path) == held_out(undisturbed)
    pairs = zip(
        saved_state(tmp_path, STEPS, known(config)), saved_state(undisturbed, STEPS, known(config)), strict=True
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_asked_to_end_saves_its_last_step_and_goes_on_to_the_same_end(data, undisturbed, tmp_path):
    config = run_of(data, output=str(tmp_path))
    with pytest.raises(Stopped, match="stopped after step 7, which is saved") as stopped:
        train(config, report=stop_after(6))
    assert stopped.value.signal == signal.SIGTERM
    assert saved_steps(tmp_path) == [4, 7]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert quietly(config).resumed_from == 7
    assert curve(tmp_path) == curve(undisturbed)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error", "a-00000.bin"), ValueError("a-00000.bin:\ntorn")])
def test_data_that_cannot_be_read_any_more_end_a_run_after_it_is_saved(data, undisturbed, tmp_path, monkeypatch, error):
    config = run_of(data, output=str(tmp_path))
    sequences = Mixture.sequences

    def failing(mixture, rows):
        if rows[0] >= 6 * config.batch:
            raise error
        return sequences(mixture, rows)

    told = r"the batch of step 7 cannot be read: .*a-00000\.bin.*; the state after step 6 is saved"
    with monkeypatch.context() as patched:
        patched.setattr(Mixture, "sequences", failing)
        with pytest.raises(UnreadableData, match=told):
            quietly(config)
    assert saved_steps(tmp_path) == [4, 6]
    assert quietly(config).resumed_from == 6
    assert curve(tmp_path) == curve(undisturbed)


def test_held_out_documents_that_cannot_be_read_any_more_end_a_run_after_it_is_saved(data, tmp_path, monkeypatch):
    config = run_of(data, output=str(tmp_path), held_out={"every": 7})

    def failing(self, params):
        raise FileNotFoundError(2, "No such file or directory", "held_out/a/a-00000.bin")

    with monkeypatch.context() as patched:
        patched.setattr(HeldOut, "measure", failing)
        told = r"held-out documents cannot be read: .*a-00000\.bin.*; the state after step 7 is saved"
        with pytest.raises(UnreadableData, match=told):
            quietly(config)
    assert saved_steps(tmp_path) == [4, 7]


def test_what_cannot_be_read_is_told_where_the_state_cannot_be_saved_either(data, tmp_path, monkeypatch):
    def failing(self, *_):
        raise OSError(5, "Input/output error", "a-00000.bin")

    def unsaved(self, *_):
        raise UnsavedCheckpoint("checkpoints/6: the checkpoint could not be saved: No space left on device")

    monkeypatch.setattr(HeldOut, "measure", failing)
    monkeypatch.setattr(Checkpoints, "save", unsaved)
    with pytest.raises(UnreadableData, match=r"a-00000\.bin.*; checkpoints/6: .*could not be saved: No space left"):
        quietly(run_of(data, output=str(tmp_path), checkpoint={"every": 100}))


@pytest.mark.parametrize(
    "changes",
    [
        {"mesh": {"fsdp": 4}},
        {"mesh": {"data": 2, "fsdp": 2, "tensor": 2}, "remat": "full", "accumulate": 1, "loss_chunks": 2},
    ],
    ids=["fsdp", "all three"],
)
def test_a_run_goes_on_on_another_mesh_with_the_same_losses_but_for_rounding(
    data, undisturbed, tmp_path, changes, monkeypatch
):
    with pytest.raises(Stopped):
        train(run_of(data, output=str(tmp_path)), report=stop_after(6))
    config = run_of(data, output=str(tmp_path), **changes)
    some = jax.devices()[: np.prod(list(changes["mesh"].values()))]
    monkeypatch.setattr("jax.devices", lambda: some)
    quietly(config)
    losses, expected = ([loss for _, loss, *_ in curve(output)] for output in (tmp_path, undisturbed))
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_a_finished_run_has_nothing_left_to_do_and_says_the_same(data, undisturbed, tmp_path):
    config = run_of(data, output=str(tmp_path))
    first, again = quietly(config), quietly(config)
    assert (again.resumed_from, again.steps, again.last_loss) == (STEPS, STEPS, first.last_loss)
    assert again.held_out == first.held_out
    written = (tmp_path / "config.yaml").read_text()
    quietly(config.model_copy(update={"seed": 1}), accept_change=True)
    assert (tmp_path / "config.yaml").read_text() == written  # it says what the weights were made with
    assert curve(tmp_path) == curve(undisturbed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 13}, "steps is 13, but the checkpoints in .* were made with 12: .*--start-over.*--accept-change"),
        (
            {"optimizer": {"learning_rate": 1e-3, "warmup_steps": 3}},
            r"optimizer\.learning_rate is 0\.001, but .* 0\.01",
        ),
        (
            {"model": {"width": 32, "heads": 4, "layers": 2, "ffn_multiple": 8, "context": 32}},
            r"model\.heads is 4, .* 2: name another output or begin anew with --start-over$",
        ),
        # The first in the alphabet could be accepted, but not the other.
        (
            {"batch": 2, "model": {"width": 64, "heads": 2, "layers": 2, "ffn_multiple": 8, "context": 32}},
            r"model\.ffn_size is 176, .* 88: name another output or begin anew with --start-over$",
        ),
        (
            {"optimizer": {"learning_rate": 1e-2, "warmup_steps": 3, "max_gradient_norm": None}},
            r"optimizer\.max_gradient_norm is None, .* 1\.0: .* --start-over$",
        ),
        ({"spikes": {"window": 64}}, r"spikes\.window is 64, .* 128: .* --start-over$"),
        ({"seed": 1}, "data.seed is 1, but .* 0"),
    ],
    ids=["steps", "learning rate", "model", "two", "clipping", "window", "seed"],
)
def test_a_run_with_other_settings_does_not_go_on_from_the_checkpoints(data, undisturbed, changes, message):
    before = curve(undisturbed)
    with pytest.raises(OtherRun, match=message) as error:
        quietly(run_of(data, output=undisturbed, **changes))
    assert "\n" not in str(error.value)
    assert curve(undisturbed) == before


def test_a_run_on_other_data_does_not_go_on_from_the_checkpoints(undisturbed, tmp_path):
    write_source(tmp_path, "a", cyclic_documents(count=41))
    with pytest.raises(OtherRun, match=r"data\.sources\.a\.manifest_sha256 is .*, but the checkpoints in"):
        quietly(run_of(tmp_path, output=undisturbed))


def test_data_that_have_moved_are_the_same_data(undisturbed, tmp_path):
    write_source(tmp_path, "a", cyclic_documents())
    assert quietly(run_of(tmp_path, output=undisturbed)).resumed_from == STEPS


def test_a_feed_forward_that_is_as_wide_is_the_same_however_it_is_said(data, undisturbed):
    model = {"width": 32, "heads": 2, "layers": 2, "ffn_width": 88, "context": 32}
    assert quietly(run_of(data, output=undisturbed, model=model)).resumed_from == STEPS


def test_a_change_that_is_accepted_goes_on_and_one_that_starts_over_begins_anew(data, tmp_path):
    config = run_of(data, output=str(tmp_path), held_out=None)
    with pytest.raises(Stopped):
        train(config, report=stop_after(4))
    longer = run_of(data, output=str(tmp_path), held_out=None, steps=14)
    assert quietly(longer, accept_change=True).resumed_from == 5
    assert [step for step, *_ in curve(tmp_path)] == list(range(1, 15))
    other = quietly(longer.model_copy(update={"batch": 2}), accept_change=True)
    assert other.tokens == 14 * 4 * 32  # those it was trained on, not those of the settings
    assert quietly(config, start_over=True).resumed_from is None
    assert saved_steps(tmp_path) == [4, 8, 12]


@pytest.mark.parametrize(
    ("start_from", "message"),
    [("nowhere", r"nowhere: no checkpoint there"), ("OUTPUT", r"is what --start-over would delete")],
)
def test_starting_over_deletes_nothing_where_it_could_not_begin(data, undisturbed, start_from, message):
    config = run_of(data, output=undisturbed, start_from=start_from.replace("OUTPUT", undisturbed))
    with pytest.raises(ValueError, match=message):
        quietly(config, start_over=True)
    assert saved_steps(undisturbed) == [4, 8, 12]
    assert len(curve(undisturbed)) == STEPS


def test_a_run_does_not_begin_anew_unasked_where_all_checkpoints_were_damaged(data, undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path / "out")
    for step in saved_steps(tmp_path / "out"):
        os.remove(tmp_path / "out" / "checkpoints" / str(step) / "record" / "metadata")
    config = run_of(data, output=str(tmp_path / "out"))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"none of the checkpoints in .* can be read, they lie in damaged"):
            quietly(config)
    assert len(curve(tmp_path / "out")) == STEPS
    quietly(config, start_over=True)
    assert saved_steps(tmp_path / "out") == [4, 8, 12]
    assert not (tmp_path / "out" / "damaged").exists()


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_is_at_work(data, tmp_path):
    config = run_of(data, output=str(tmp_path / "out"), held_out=None)
    with locked(config.output), pytest.raises(ValueError, match=r"output=.*: another run is at work in this folder"):
        quietly(config)
    assert os.listdir(config.output) == [".lock"]


def test_a_full_disk_leaves_the_tokenizer_that_a_run_has_copied(tmp_path):
    place = tmp_path / "tokenizer.model"
    place.write_bytes(b"whole")
    room, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3, most))
    try:
        with pytest.raises(OSError, match=re.escape(str(place))):
            beginning._write(str(place), b"other")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    assert place.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["tokenizer.model"]


def test_a_shorter_run_is_not_taken_from_a_later_checkpoint(data, undisturbed):
    with pytest.raises(ValueError, match=r"steps=11, but .* holds a checkpoint of step 12"):
        quietly(run_of(data, output=undisturbed, steps=11), accept_change=True)


def test_two_processes_train_as_one_end_together_and_one_process_goes_on_from_there(data, undisturbed, tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    mesh = {"data": 2, "tensor": 2, "fsdp": 2}

    def train_until(after, asked_by):
        """Train with two processes, one of which is asked to end after a step; return the step that both ended at."""
        hosts = {"coordinator": f"127.0.0.1:{port}", "processes": 2}
        processes = [
            start(
                run_of(data, output=str(tmp_path), mesh=mesh, hosts=hosts | {"process": number}),
                devices=4,
                after=after if number == 0 else None,
                signal=asked_by,
            )
            for number in range(2)
        ]
        answers = [process.communicate(timeout=300) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], answers
        # Gloo greets on stdout.
        said = [[line for line in answer.splitlines() if line.startswith("stopped")] for answer, _ in answers]
        assert said[0] == said[1] != []
        return int(said[0][0].split()[1])

    stopped = train_until(3, signal.SIGTERM)
    assert 3 < stopped == saved_steps(tmp_path)[-1] < 8
    assert stopped < train_until(stopped + 1, signal.SIGINT) < STEPS
    assert quietly(run_of(data, output=str(tmp_path), mesh=mesh)).steps == STEPS
    losses, expected = ([loss for _, loss, *_ in curve(output)] for output in (tmp_path, undisturbed))
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    measured, alone = (
        [held_out(output)[step]["a"]["nats_per_token"] for step in (6, 12)] for output in (tmp_path, undisturbed)
    )
    np.testing.assert_allclose(measured, alone, rtol=1e-6)


def test_a_process_whose_partner_is_killed_ends_at_once_with_one_line(data, tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    hosts = {"coordinator": f"127.0.0.1:{port}", "processes": 2}
    first, killed = (
        start(
            run_of(data, output=str(tmp_path), mesh={"data": 2}, hosts=hosts | {"process": number}, steps=100_000),
            devices=1,
            after=20,
            signal=signal.SIGKILL * number,  # 0 is no signal
        )
        for number in range(2)
    )
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    _, said = first.communicate(timeout=60)
    assert first.returncode == 1, said
    assert said.splitlines()[-1].startswith("error: ")


def test_metrics_that_are_gone_are_told_of_where_a_run_goes_on(data, tmp_path, capsys):
    config = run_of(data, output=str(tmp_path))
    with pytest.raises(Stopped):
        train(config, report=stop_after(6))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_text("".join([*lines[:3], "torn\n", *lines[4:]]))
    quietly(config)
    assert "the metrics of 4 of these steps are lost: metrics.jsonl does not hold them" in capsys.readouterr().err
    assert [step for step, *_ in curve(tmp_path)] == [1, 2, 3, 8, 9, 10, 11, 12]
