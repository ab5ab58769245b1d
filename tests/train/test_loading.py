"""Weights for use, and to train further, from this trainer's own checkpoints and from Hugging Face's."""

import hashlib
import os
import shutil

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import train.huggingface_reading
import train.loading
from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer
from train.checkpoint import Checkpoints
from train.config import CheckpointSettings, TrainSettings
from train.huggingface import export_checkpoint
from train.huggingface_config import CheckpointError
from train.loading import initial_params, load_model, tokenizer_folder
from train.model import ModelSettings
from train.restore import DamagedCheckpoint
from train.step import initial_state, plan

SETTINGS = {"data": "nowhere", "optimizer": {"warmup_steps": 1}, "batch": 8, "steps": 10}


def run_settings(vocab_size, **changes):
    model = ModelSettings(width=32, heads=4, layers=2, ffn_width=48, vocab_size=vocab_size, context=16)
    return TrainSettings(**SETTINGS | {"model": model} | changes)


def drawn_state(settings, seed):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: initial_state(settings))
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 10, leaf.dtype), shapes)


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer(["the cat sat on the mat and the dog sat by the door"], TokenizerSettings(vocab_size=300))


@pytest.fixture(scope="module")
def run(tmp_path_factory, trained):
    """The output folder of a run with checkpoints of steps 9 and 10; nothing may be written into it."""
    output = tmp_path_factory.mktemp("output")
    settings = run_settings(trained.vocab_size + 4 - trained.vocab_size % 4)  # divides over meshes
    (output / "tokenizer").mkdir()
    (output / "tokenizer" / "tokenizer.model").write_bytes(trained.model)
    data = {"tokenizer_sha256": hashlib.sha256(trained.model).hexdigest()}
    with Checkpoints(str(output / "checkpoints"), CheckpointSettings()) as checkpoints:
        for step in (9, 10):
            record = {"step": step, "config": settings.model_dump(mode="json"), "data": data}
            checkpoints.save(step, drawn_state(settings, step), record)
    return output


@pytest.fixture
def copied(run, tmp_path):
    """The same, to be spoilt."""
    return shutil.copytree(run, tmp_path / "output")


@pytest.fixture(scope="module")
def settings(trained):
    return run_settings(trained.vocab_size + 4 - trained.vocab_size % 4)


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory, settings):
    """The weights of step 10 as a Hugging Face folder of several files."""
    folder = tmp_path_factory.mktemp("huggingface") / "model"
    params = drawn_state(settings, 10).params
    export_checkpoint(params, settings.model, str(folder), dtype="fp32", max_shard_bytes=60_000)
    return folder


def assert_same(found, expected):
    for array, values in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(array, values)
        assert array.dtype == values.dtype


@pytest.mark.parametrize(("place", "step"), [("", 10), ("checkpoints/10", 10), ("checkpoints/9/", 9)])
def test_a_run_means_its_newest_checkpoint_and_a_step_itself(run, settings, trained, place, step):
    model = load_model(os.path.join(run, place))
    assert model.settings == settings.model
    assert_same(model.params, drawn_state(settings, step).params)
    assert model.encoder.sha256 == hashlib.sha256(trained.model).hexdigest()
    assert tokenizer_folder(os.path.join(run, place)) == os.path.join(run, "tokenizer")


def test_matrices_have_the_dtype_asked_for_and_gains_stay_float32(run, settings):
    model = load_model(str(run), dtype=np.dtype(ml_dtypes.bfloat16))
    expected = drawn_state(settings, 10).params
    assert_same(model.params.layers.query, expected.layers.query.astype(jnp.bfloat16))
    assert_same(model.params.unembedding, expected.unembedding.astype(jnp.bfloat16))
    assert_same(model.params.final_norm, expected.final_norm)
    assert_same(model.params.layers.ffn_norm, expected.layers.ffn_norm)


def test_moments_are_not_read(run, monkeypatch):
    read, names = train.loading.read_array, []
    monkeypatch.setattr(
        train.loading, "read_array", lambda path, name, leaf: (names.append(name), read(path, name, leaf))[1]
    )
    load_model(str(run))
    assert len(names) == 12
    assert all(name.startswith("params/") for name in names)


MESHES = [(1, 1, 1), (1, 4, 2), (2, 2, 2), (1, 2, 4)]


@pytest.mark.parametrize("mesh", MESHES, ids=str)
@pytest.mark.parametrize("kind", ["run", "hugging_face"])
def test_training_goes_on_from_weights_on_any_mesh(request, settings, mesh, kind):
    data, fsdp, tensor = mesh
    wanted = settings.model_copy(
        update={"mesh": settings.mesh.model_copy(update={"data": data, "fsdp": fsdp, "tensor": tensor})}
    )
    layout, _ = plan(wanted, jax.devices(), backend="cpu")
    longer = settings.model.model_copy(update={"context": 512})
    found = initial_params(str(request.getfixturevalue(kind)), longer, layout.params())
    assert_same(found, drawn_state(settings, 10).params)
    for array, place in zip(jax.tree.leaves(found), jax.tree.leaves(layout.params()), strict=True):
        assert array.sharding == place


def test_of_hugging_face_s_files_each_device_reads_its_piece_alone(hugging_face, settings, monkeypatch):
    read, sizes = train.huggingface_reading._piece, []

    def counting(*arguments):
        piece = read(*arguments)
        sizes.append(piece.size)
        return piece

    monkeypatch.setattr(train.huggingface_reading, "_piece", counting)
    wanted = settings.model_copy(update={"mesh": settings.mesh.model_copy(update={"fsdp": 4, "tensor": 2})})
    layout, _ = plan(wanted, jax.devices(), backend="cpu")
    found = initial_params(str(hugging_face), settings.model, layout.params())
    assert max(sizes) == settings.model.vocab_size * settings.model.width // 4  # the embedding's rows lie whole
    held = sum(piece.data.size for array in jax.tree.leaves(found) for piece in array.addressable_shards)
    assert sum(sizes) <= held


@pytest.mark.parametrize("kind", ["run", "hugging_face"])
@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"width": 64}, "model.width must be that of the checkpoint PATH, 32, got 64"),
        ({"heads": 2}, "model.heads must be that of the checkpoint PATH, 4, got 2"),
        ({"layers": 3}, "model.layers must be that of the checkpoint PATH, 2, got 3"),
        ({"ffn_width": 64}, "model.ffn_width must be that of the checkpoint PATH, 48, got 64"),
        ({"vocab_size": 400}, "model.vocab_size must be that of the checkpoint PATH, SIZE, got 400"),
        ({"vocab_size": 64}, "model.vocab_size must be that of the checkpoint PATH, SIZE, got 64"),
        ({"norm_eps": 1e-5}, "model.norm_eps must be that of the checkpoint PATH, 1e-06, got 1e-05"),
        ({"rope_theta": 5e5}, "model.rope_theta must be that of the checkpoint PATH, 10000.0, got 500000.0"),
    ],
    ids=lambda value: "=".join(map(str, next(iter(value.items())))) if isinstance(value, dict) else "",
)
def test_a_model_that_is_not_the_checkpoint_s_is_refused_by_key_and_value(request, settings, kind, change, asked):
    path = str(request.getfixturevalue(kind))
    layout, _ = plan(settings, jax.devices(), backend="cpu")
    with pytest.raises(CheckpointError) as raised:
        initial_params(path, settings.model.model_copy(update=change), layout.params())
    assert str(raised.value) == asked.replace("PATH", path).replace("SIZE", str(settings.model.vocab_size))


def test_a_path_that_is_no_checkpoint_is_refused_in_one_line(run, tmp_path):
    for path in (tmp_path, run / "checkpoints", run / "checkpoints" / "8", tmp_path / "nowhere"):
        with pytest.raises(
            CheckpointError, match=r"no checkpoint there: there is no config\.json of a Hugging Face mo"
        ) as told:
            load_model(str(path))
        assert str(told.value).startswith(f"{path}: ")


def test_another_tokenizer_than_the_run_s_is_refused(copied):
    other = train_tokenizer(["a dog sat by another door"], TokenizerSettings(vocab_size=290))
    (copied / "tokenizer" / "tokenizer.model").write_bytes(other.model)
    with pytest.raises(CheckpointError, match=r"tokenizer/tokenizer\.model: its hash is [0-9a-f]{64}, that of the run"):
        load_model(str(copied))
    (copied / "tokenizer" / "tokenizer.model").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.model: there is no such file"):
        load_model(str(copied))


def test_a_damaged_checkpoint_is_told_and_not_replaced_by_an_older_one(copied):
    for path in (copied / "checkpoints" / "10" / "state").rglob("*.ocdbt"):
        path.write_bytes(b"")
    with pytest.raises(DamagedCheckpoint, match=r"checkpoints/10: the checkpoint is damaged: params/embedding: "):
        load_model(str(copied))
    assert load_model(str(copied / "checkpoints" / "9")).settings.layers == 2


def test_a_record_of_no_model_is_refused_in_one_line(tmp_path, trained):
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.model").write_bytes(trained.model)
    with Checkpoints(str(tmp_path / "checkpoints"), CheckpointSettings()) as checkpoints:
        checkpoints.save(1, {"weights": jnp.ones(3)}, {"config": {}})
    with pytest.raises(CheckpointError, match="1: the record of the checkpoint holds no settings of a model"):
        load_model(str(tmp_path))
