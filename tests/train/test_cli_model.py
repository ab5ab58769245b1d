import json
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.settings import SettingsError
from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer
from train.huggingface import export_checkpoint
from train.model import Layer, ModelSettings, Params

TEXT = "the cat sat on the mat and the dog sat by the door"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A model that writes one letter for ever; nothing may be written into its folder."""
    folder = tmp_path_factory.mktemp("checkpoint")
    trained = train_tokenizer([TEXT], TokenizerSettings(vocab_size=300))
    (folder / "tokenizer.model").write_bytes(trained.model)
    count, letter = trained.vocab_size, 259
    none = np.zeros
    layers = Layer(
        attention_norm=none((1, 8)), query=none((1, 8, 2, 4)), key=none((1, 8, 2, 4)), value=none((1, 8, 2, 4)),
        output=none((1, 2, 4, 8)), ffn_norm=none((1, 8)), gate=none((1, 8, 12)), up=none((1, 8, 12)),
        down=none((1, 12, 8)),
    )  # fmt: skip
    unembedding = none((8, count))
    unembedding[:, letter] = 1.0
    params = Params(np.ones((count, 8)), layers, np.ones(8), unembedding)
    settings = ModelSettings(width=8, heads=2, layers=1, ffn_width=12, vocab_size=count, context=16)
    export_checkpoint(params, settings, str(folder / "model"), dtype="fp32", tokenizer=str(folder))
    return folder / "model"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments):
    """The one line with which a command refuses."""
    result = run(*arguments)
    assert isinstance(result.exception, SettingsError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_generate_prints_each_prompt_with_what_follows(checkpoint):
    result = run("generate", checkpoint, "--prompt", "the cat", "--prompt", "a", "--max-tokens", 3)
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    written = first.removeprefix("the cat")
    assert written
    assert second == "a" + written


@pytest.fixture(scope="module")
def run_folder(checkpoint, tmp_path_factory):
    """The same model as the output folder of a run."""
    from train.checkpoint import Checkpoints
    from train.config import CheckpointSettings
    from train.huggingface_reading import import_checkpoint

    output = tmp_path_factory.mktemp("output")
    params, settings = import_checkpoint(str(checkpoint))
    (output / "tokenizer").mkdir()
    (output / "tokenizer" / "tokenizer.model").write_bytes((checkpoint / "tokenizer.model").read_bytes())
    with Checkpoints(str(output / "checkpoints"), CheckpointSettings()) as checkpoints:
        record = {"step": 3, "config": {"model": settings.model_dump()}}
        checkpoints.save(3, {"params": jax.tree.map(jnp.asarray, params)}, record)
    return output


def test_a_run_s_output_folder_writes_text_and_is_exported_like_the_model_it_trained(run_folder, checkpoint, tmp_path):
    texts = [
        run("generate", model, "--prompt", "the cat", "--max-tokens", 3).stdout for model in (run_folder, checkpoint)
    ]
    assert texts[0] == texts[1] != ""
    result = run("export-model", run_folder / "checkpoints" / "3", tmp_path / "out", "--dtype", "fp32")
    assert result.exit_code == 0, result.output
    for name in ("model.safetensors", "config.json", "tokenizer.model"):
        assert (tmp_path / "out" / name).read_bytes() == (checkpoint / name).read_bytes()


def test_an_export_as_bf16_and_its_import_tell_the_same_shape(checkpoint, tmp_path):
    result = run("export-model", checkpoint, tmp_path / "out", "--max-shard-gb", "0.001")
    assert result.exit_code == 0, result.output
    assert "config.json, generation_config.json, model.safetensors, tokenizer.model" in result.stdout
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    result = run("import-model", tmp_path / "out", tmp_path / "model.yaml")
    assert result.exit_code == 0, result.output
    shape = ModelSettings(**yaml.safe_load((tmp_path / "model.yaml").read_text()))
    count = shape.vocab_size
    assert shape == ModelSettings(width=8, heads=2, layers=1, ffn_width=12, vocab_size=count, context=16)
    assert f"{2 * 8 * count + 4 * 64 + 3 * 96 + 3 * 8:,} parameters" in result.stdout


def test_an_export_as_gguf_is_one_file(checkpoint, tmp_path):
    from gguf import GGUFReader

    result = run("export-model", checkpoint, tmp_path / "model.gguf", "--format", "gguf", "--dtype", "fp16")
    assert result.exit_code == 0, result.output
    assert len(GGUFReader(tmp_path / "model.gguf").tensors) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["generate", "nowhere", "--prompt", "a"], "nowhere: no checkpoint there: there is no config.json"),
        (["generate", "MODEL", "--prompt", "a", "--top-p", "0"], "top_p must be above 0 and at most 1, got 0.0"),
        (["export-model", "MODEL", "OUT", "--dtype", "fp16"], "--dtype fp16: only --format gguf has it; use bf16 or"),
        (["export-model", "MODEL", "MODEL"], "the folder holds files already"),
        (
            ["evaluate", "MODEL", "--tasks", "t", "--output", "nowhere/r.json"],
            "--output nowhere/r.json: must be a file",
        ),
        (["import-model", "nowhere", "OUT"], "nowhere/config.json: there is no such file"),
        (["import-model", "MODEL", "MODEL/config.json"], "config.json: there is such a file already"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(checkpoint, tmp_path, arguments, line):
    places = {"MODEL": str(checkpoint), "OUT": str(tmp_path / "out")}
    arguments = [argument.replace("MODEL", places["MODEL"]).replace("OUT", places["OUT"]) for argument in arguments]
    assert line in refusal(*arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("lm_eval", ["evaluate", "MODEL", "--tasks", "a"], "[train,eval]"),
        ("gguf", ["export-model", "MODEL", "x", "--format", "gguf"], "[train,gguf]"),
        ("safetensors", ["generate", "MODEL", "--prompt", "a"], "[train]"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(checkpoint, monkeypatch, package, command, extra):
    for name in [name for name in sys.modules if name.split(".")[0] in {package, "train"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    message = refusal(*[argument.replace("MODEL", str(checkpoint)) for argument in command])
    assert package in message
    assert message.endswith(f"install llama-corpus{extra}")
