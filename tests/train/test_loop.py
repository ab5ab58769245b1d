import json
import os
from dataclasses import dataclass, fields
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from tests import token_source
from tests.train.losses import mean_loss
from train import step as step_module
from train.config import TrainSettings
from train.data import Mixture
from train.loop import train
from train.model import ModelSettings, init, parameter_count
from train.report import StepReport, TrainSummary
from train.shards import open_sources, with_vocabulary

VOCABULARY = 48


def cyclic_documents(count=40, length=120, stride=5):
    """Documents in which each id follows from the one before: what a model can learn in a few steps."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, VOCABULARY - 3, count)
    return [
        np.concatenate([[1], 3 + (start + stride * np.arange(length)) % (VOCABULARY - 3), [2]]).astype(np.uint16)
        for start in first
    ]


def write_source(run, source, documents, *, shards=2, tokenizer="a" * 64, vocab_size=VOCABULARY, kind="tokens"):
    split = [documents[index::shards] for index in range(shards)]
    token_source.write_source(run / kind / source, split, vocab_size=vocab_size, tokenizer_sha256=tokenizer)


def settings(run, **changes):
    values = {
        "data": str(run),
        "model": {"width": 32, "heads": 2, "layers": 2, "ffn_multiple": 8, "context": 32},
        "optimizer": {"learning_rate": 1e-2, "warmup_steps": 3},
        "batch": 4,
        "steps": 30,
        "compute_dtype": "float32",
    }
    return TrainSettings(**values | changes)


@pytest.fixture
def run(tmp_path):
    write_source(tmp_path, "a", cyclic_documents())
    return tmp_path


@dataclass(frozen=True)
class Finished:
    folder: Path
    summary: TrainSummary
    reports: list[StepReport]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 30 steps; nothing may be written into its folder."""
    folder, reports = tmp_path_factory.mktemp("run"), []
    write_source(folder, "a", cyclic_documents())
    return Finished(folder, train(settings(folder), report=reports.append), reports)


def test_the_loss_falls(finished):
    assert finished.summary.first_loss > 3.0  # knowing nothing is log(48) = 3.87
    assert finished.summary.last_loss < 1.5
    assert [report.step for report in finished.reports] == list(range(1, 31))


def test_each_step_s_loss_and_gradient_are_those_of_its_own_batch_every_token_predicting_the_next(run):
    still = settings(run, steps=3, optimizer={"learning_rate": 1e-12, "warmup_steps": 0})
    reports = []
    train(still, report=reports.append)
    model = with_vocabulary(still.model, VOCABULARY)
    params = init(model, key=jax.random.key(still.seed))
    data = Mixture.of(open_sources(str(run)), context=32, batch_size=4, seed=still.seed)
    loss_and_gradient = jax.jit(jax.value_and_grad(mean_loss), static_argnames=("settings", "compute_dtype"))
    for step, report in enumerate(reports):
        tokens, targets = jnp.asarray(data.batch(step)[:, :-1]), jnp.asarray(data.batch(step)[:, 1:])
        loss, gradient = loss_and_gradient(params, tokens, targets, model, compute_dtype=jnp.dtype("float32"))
        norm = np.sqrt(sum(float(np.square(leaf).sum()) for leaf in jax.tree.leaves(gradient)))
        assert report.loss == pytest.approx(float(loss), abs=1e-5)
        assert report.grad_norm == pytest.approx(norm, rel=1e-4)
    assert len({round(report.loss, 3) for report in reports}) == 3  # else the wrong batch could pass


def test_a_second_run_gives_the_same_losses_to_the_last_bit(finished, tmp_path):
    again = []
    train(settings(finished.folder, output=str(tmp_path)), report=again.append)
    assert [report.loss for report in again] == [report.loss for report in finished.reports]
    assert [report.grad_norm for report in again] == [report.grad_norm for report in finished.reports]


def test_metrics_hold_a_line_per_step(finished):
    assert finished.summary.output == os.path.join(finished.folder, "train")
    text = Path(finished.summary.output, "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [set(line) for line in lines] == [{field.name for field in fields(StepReport)}] * 30
    assert [line["loss"] for line in lines] == [report.loss for report in finished.reports]
    assert [line["learning_rate"] for line in lines][:3] == pytest.approx([1e-2 / 3, 2e-2 / 3, 1e-2])
    assert lines[-1]["learning_rate"] == pytest.approx(1e-3)


def test_the_written_config_is_what_was_trained_with_the_vocabulary_filled_in(finished):
    written = TrainSettings(**yaml.safe_load(Path(finished.summary.output, "config.yaml").read_text()))
    asked = settings(finished.folder)
    assert written == asked.model_copy(update={"model": asked.model.model_copy(update={"vocab_size": VOCABULARY})})


def test_the_summary_counts_tokens_and_weights(finished):
    ffn = 88  # 2/3 of 128 is 85, rounded up to a multiple of 8
    assert (finished.summary.steps, finished.summary.tokens) == (30, 30 * 4 * 32)
    assert finished.summary.parameters == 2 * 48 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * ffn + 2 * 32) + 32


def test_the_first_and_last_losses_are_means_over_the_run_s_ends(finished):
    losses = [report.loss for report in finished.reports]
    assert finished.summary.first_loss == pytest.approx(np.mean(losses[:5]))
    assert finished.summary.last_loss == pytest.approx(np.mean(losses[-5:]))


def test_without_a_terminal_progress_is_a_line_every_few_steps_and_one_for_the_last(run, capsys):
    train(settings(run, steps=7, log_every=3, held_out=None, output=str(run / "elsewhere")))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 3/7", "step 6/7", "step 7/7"]
    assert (run / "elsewhere" / "metrics.jsonl").exists()
    assert not (run / "train").exists()


def test_only_the_weighted_sources_are_read(finished, tmp_path):
    write_source(tmp_path, "a", cyclic_documents())
    write_source(tmp_path, "b", cyclic_documents(count=1, length=3), shards=1)  # too short for a window
    reports = []
    train(settings(tmp_path, sources={"a": 0.3}), report=reports.append)
    assert [report.loss for report in reports] == [report.loss for report in finished.reports]
    with pytest.raises(ValueError, match=r"source b holds 5 tokens, one window of model\.context=32 takes 33"):
        train(settings(tmp_path))


def test_a_diverging_run_ends_with_the_step_s_name(run, monkeypatch):
    poison_after(monkeypatch, steps=2)
    reports = []
    with pytest.raises(FloatingPointError, match=r"step 3: loss is nan"):
        train(settings(run), report=reports.append)
    assert [report.step for report in reports] == [1, 2]


def poison_after(monkeypatch, *, steps):
    """Make the weights not a number once ``steps`` are done, as an overflow would."""
    update = step_module.update

    def poisoned(*arguments):
        state, metrics = update(*arguments)
        broken = jnp.where(state.step >= steps, jnp.nan, 1.0)
        return state._replace(params=jax.tree.map(lambda leaf: leaf * broken, state.params)), metrics

    monkeypatch.setattr(step_module, "update", poisoned)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"document_mask": {"bos_id": 3}}, "document_mask.bos_id must be that of the token shards, 1, or null, got 3"),
        ({"mesh": {"data": 3}}, "mesh data x fsdp x tensor = 3x1x1 does not take 8 devices"),
        ({"sources": {"b": 1}}, r"sources\.b: no such token shards in .*tokens, there are a"),
        ({"model": {"width": 32, "heads": 2, "vocab_size": 47}}, "model.vocab_size must be at least .* 48, .* got 47"),
        ({"model": {"width": 32, "heads": 2, "context": 5000}}, "source a holds 4880 tokens, .* takes 5001"),
    ],
)
def test_settings_that_do_not_fit_the_shards_are_refused_before_anything_is_written(run, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        train(settings(run, **changes))
    assert "\n" not in str(error.value)
    assert not (run / "train").exists()


def test_a_folder_without_token_shards_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"data=.* holds no token shards: there is no .*tokens/\*/manifest\.json"):
        train(settings(tmp_path))


def test_shards_of_two_tokenizers_are_refused(run):
    write_source(run, "b", cyclic_documents(), tokenizer="b" * 64)
    with pytest.raises(ValueError, match="sources a and b were made by different tokenizers"):
        train(settings(run))


def test_a_vocabulary_larger_than_the_shards_pads_the_embeddings():
    plain, padded = (with_vocabulary(ModelSettings(width=32, heads=2, vocab_size=size), 48) for size in (None, 64))
    assert (plain.vocab_size, padded.vocab_size) == (48, 64)
    assert parameter_count(padded) - parameter_count(plain) == 2 * 16 * 32


def test_windows_come_from_the_stream_of_all_shards_in_order(run):
    stream = np.concatenate([*cyclic_documents()[0::2], *cyclic_documents()[1::2]])
    data = Mixture.of(open_sources(str(run)), context=32, batch_size=152, seed=0)
    rows = data.batch(0)  # one epoch: (4880 - 1) // 32 windows
    expected = {tuple(stream[start : start + 33].tolist()) for start in range(0, 4847, 32)}
    assert {tuple(row) for row in rows.tolist()} == expected
