"""Our model beside transformers' LlamaForCausalLM, on the same weights."""

import json
import os
import resource
import shutil
import signal

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from tests.train.losses import mean_loss
from train.huggingface import export_checkpoint, places, to_state
from train.huggingface_config import CheckpointError
from train.huggingface_reading import import_checkpoint
from train.model import ModelSettings, init, logits, rotary_table, rotate

TINY = ModelSettings(width=24, heads=3, layers=2, ffn_width=40, vocab_size=37, context=64)
FLOAT32 = jnp.dtype("float32")
SEQUENCE = 64
torch.set_num_threads(1)


def lively_params(settings=TINY, seed=0):
    """Weights large enough that attention is far from uniform, and gains far from one."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: init(settings, key=jax.random.key(0)))
    scale = 2 / np.sqrt(settings.width)
    return jax.tree.map(lambda leaf: (rng.normal(size=leaf.shape) * scale).astype(np.float32), shapes)


def windows(batch=2, seed=1):
    return np.random.default_rng(seed).integers(0, TINY.vocab_size, (batch, SEQUENCE + 1))


def on_device(params):
    return jax.tree.map(jnp.asarray, params)


@jax.jit
def ours(params, tokens, targets):
    """Logits, loss and gradients."""
    scores = logits(params, tokens, TINY, compute_dtype=FLOAT32)
    loss, gradient = jax.value_and_grad(mean_loss)(params, tokens, targets, TINY, compute_dtype=FLOAT32)
    return scores, loss, gradient


def theirs(model, batch):
    """The same of transformers' model, the gradients under its names."""
    model.zero_grad()
    tokens, targets = torch.from_numpy(batch[:, :-1]), torch.from_numpy(batch[:, 1:])
    scores = model(input_ids=tokens).logits
    loss = torch.nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), targets.reshape(-1))
    loss.backward()
    gradient = {name: value.grad.numpy() for name, value in model.named_parameters()}
    return scores.detach().numpy(), loss.item(), gradient


def assert_equal_models(params, model):
    batch = windows()
    tokens, targets = jnp.asarray(batch[:, :-1], jnp.int32), jnp.asarray(batch[:, 1:], jnp.int32)
    scores, loss, gradient = ours(on_device(params), tokens, targets)
    their_scores, their_loss, their_gradient = theirs(model, batch)
    assert np.std(their_scores) > 0.5  # else the tolerances below say little
    np.testing.assert_allclose(scores, their_scores, atol=1e-5)
    assert float(loss) == pytest.approx(their_loss, abs=1e-5)
    named = dict(to_state(gradient, TINY))
    assert named.keys() == their_gradient.keys()
    for name, value in named.items():
        assert np.abs(their_gradient[name]).max() > 1e-4, name
        np.testing.assert_allclose(value, their_gradient[name], atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An export in fp32 of two files and more; nothing may be written into it."""
    folder = tmp_path_factory.mktemp("exports") / "model"
    export_checkpoint(lively_params(), TINY, str(folder), dtype="fp32", max_shard_bytes=20_000)
    return folder


@pytest.fixture
def copied(exported, tmp_path):
    """The export, to be spoilt."""
    return shutil.copytree(exported, tmp_path / "copy")


def test_an_exported_model_has_the_logits_loss_and_gradients_of_transformers_llama(exported):
    model = LlamaForCausalLM.from_pretrained(exported, dtype=torch.float32)
    assert_equal_models(lively_params(), model)


def test_an_imported_model_has_the_logits_loss_and_gradients_of_transformers_llama(tmp_path):
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=37, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
        max_position_embeddings=64, initializer_range=0.2, rms_norm_eps=1e-6,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" in name:  # else gains that change places would go unseen
                value.mul_(0.7 + 0.3 * torch.rand_like(value))
    model.save_pretrained(tmp_path, max_shard_size="10KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    params, settings = import_checkpoint(str(tmp_path))
    assert settings == TINY
    assert_equal_models(params, model)


def test_rotated_queries_are_those_of_transformers_at_every_position(exported):
    """One layer's query projection and rotation alone, at positions up to the context's end."""
    model = LlamaForCausalLM.from_pretrained(exported, dtype=torch.float32)
    x = np.random.default_rng(7).normal(size=(1, SEQUENCE, 24)).astype(np.float32)
    states = model.model.layers[1].self_attn.q_proj(torch.from_numpy(x)).view(1, SEQUENCE, 3, 8).transpose(1, 2)
    cos, sin = model.model.rotary_emb(states, torch.arange(SEQUENCE)[None])
    expected = apply_rotary_pos_emb(states, states, cos, sin)[0].transpose(1, 2).detach().numpy()
    query = jnp.einsum("BTD,DHA->BTHA", jnp.asarray(x), jnp.asarray(lively_params().layers.query[1]))
    found = rotate(query, *rotary_table(SEQUENCE, 8, theta=TINY.rope_theta))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_query_whose_pairs_are_neighbours_fails_the_comparison(exported):
    """What Meta's layout without its permutation would give: near enough for a loose test, and wrong."""
    params = lively_params()
    meta = params.layers.query.reshape(2, 24, 3, 2, 4).swapaxes(-1, -2).reshape(2, 24, 3, 8)
    wrong = params._replace(layers=params.layers._replace(query=meta))
    model = LlamaForCausalLM.from_pretrained(exported, dtype=torch.float32)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_equal_models(wrong, model)


@pytest.mark.parametrize("name", ["query", "key", "value", "gate", "up"])
def test_weights_of_equal_shape_do_not_change_places(name):
    """Every field ends in the tensor of its own name, traced by a constant."""
    params = jax.tree.map(np.zeros_like, lively_params())
    marked = params._replace(layers=params.layers._replace(**{name: np.ones_like(getattr(params.layers, name))}))
    nonzero = {tensor for tensor, weight in to_state(marked, TINY) if weight.any()}
    theirs = {"query": "self_attn.q_proj", "key": "self_attn.k_proj", "value": "self_attn.v_proj"}
    suffix = theirs.get(name, f"mlp.{name}_proj")
    assert nonzero == {f"model.layers.{n}.{suffix}.weight" for n in range(2)}


def test_export_and_import_give_back_every_weight_bit_for_bit(exported):
    params, settings = import_checkpoint(str(exported))
    assert settings == TINY
    for found, expected in zip(jax.tree.leaves(params), jax.tree.leaves(lively_params()), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32


def test_bf16_holds_the_weights_rounded_and_is_loaded_by_transformers_as_such(tmp_path):
    params = lively_params()
    assert export_checkpoint(params, TINY, str(tmp_path / "m")) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
    rounded = dict(to_state(jax.tree.map(lambda leaf: leaf.astype(ml_dtypes.bfloat16), params), TINY))
    stored = load_file(tmp_path / "m" / "model.safetensors")
    for name, weight in rounded.items():
        np.testing.assert_array_equal(stored[name], weight)
    model = LlamaForCausalLM.from_pretrained(tmp_path / "m")
    assert model.dtype == torch.bfloat16
    assert (model.config.bos_token_id, model.config.eos_token_id) == (1, 2)
    back, _ = import_checkpoint(str(tmp_path / "m"), dtype=np.dtype(ml_dtypes.bfloat16))
    assert back.layers.query.dtype == ml_dtypes.bfloat16
    assert back.final_norm.dtype == np.float32


def test_no_file_is_larger_than_asked_and_the_index_names_every_tensor_s_file(exported):
    index = json.loads((exported / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == places(TINY).keys()
    files = sorted(set(index["weight_map"].values()))
    assert files == [f"model-{n:05}-of-{len(files):05}.safetensors" for n in range(1, len(files) + 1)]
    held = {file: load_file(exported / file) for file in files}
    assert all(sum(tensor.nbytes for tensor in tensors.values()) <= 20_000 for tensors in held.values())
    assert {name: file for file, tensors in held.items() for name in tensors} == index["weight_map"]
    assert index["metadata"]["total_size"] == sum(leaf.nbytes for leaf in jax.tree.leaves(lively_params()))
    with safe_open(exported / files[0], "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_the_config_speaks_to_transformers_4_and_5(exported):
    config = json.loads((exported / "config.json").read_text())
    assert config["rope_theta"] == 10_000.0
    assert config["dtype"] == config["torch_dtype"] == "float32"
    assert config["num_key_value_heads"] == config["num_attention_heads"] == 3
    assert LlamaConfig.from_pretrained(exported).rope_parameters == {"rope_theta": 10_000.0, "rope_type": "default"}


def test_the_tokenizer_files_that_are_there_are_copied(tmp_path):
    (tmp_path / "tokenizer").mkdir()
    for name in ("tokenizer.model", "tokenizer.json", "card.json"):
        (tmp_path / "tokenizer" / name).write_text(name)
    export_checkpoint(lively_params(), TINY, str(tmp_path / "m"), tokenizer=str(tmp_path / "tokenizer"))
    assert (tmp_path / "m" / "tokenizer.json").read_text() == "tokenizer.json"
    assert (tmp_path / "m" / "tokenizer.model").exists()
    assert not (tmp_path / "m" / "card.json").exists()


def test_an_export_never_overwrites(exported, tmp_path):
    (tmp_path / "other").write_text("mine")
    with pytest.raises(ValueError, match="holds files already"):
        export_checkpoint(lively_params(), TINY, str(tmp_path))
    assert os.listdir(tmp_path) == ["other"]


def test_a_full_disk_leaves_nothing_of_an_export(tmp_path):
    """A limit on the size of files stands in for the disk: both fail while a tensor is written."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            export_checkpoint(lively_params(), TINY, str(tmp_path / "m"), dtype="fp32")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mistral"}, "model_type must be llama, got mistral"),
        ({"num_key_value_heads": 1}, "grouped-query attention is not supported: num_key_value_heads=1"),
        ({"tie_word_embeddings": True}, "tied embeddings are not supported"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "scaled rotation is not supported: rope type is linear"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "scaled rotation is not supported: rope type is llama3"),
        ({"attention_bias": True}, "biases are not supported: attention_bias is true"),
        ({"hidden_act": "gelu"}, "hidden_act must be silu, got gelu"),
        ({"head_dim": 16}, "head_dim must be hidden_size / num_attention_heads = 24 / 3, got 16"),
        ({"hidden_size": 25}, "width must be a multiple of heads, got width=25"),
        ({"hidden_size": "wide"}, "width: Input should be a valid integer.*got wide"),
        ({"vocab_size": 38}, r"model.embed_tokens.weight has the shape \[37, 24\], config.json asks \[38, 24\]"),
        ({"num_hidden_layers": 1}, "model.layers.1.input_layernorm.weight is none of a LLaMA's with layers=1"),
        ({"num_hidden_layers": 3}, "9 tensors are missing, the first is model.layers.2.input_layernorm.weight"),
    ],
)
def test_what_is_no_llama_or_does_not_fit_is_refused_in_one_line(copied, changes, message):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(CheckpointError, match=message) as raised:
        import_checkpoint(str(copied))
    assert "\n" not in str(raised.value)
    assert str(copied) in str(raised.value)


def cut(folder):
    path = sorted(folder.glob("*.safetensors"))[1]
    path.write_bytes(path.read_bytes()[:-1])


def keep_an_integer(folder):
    path = folder / "model-00001-of-00003.safetensors"
    save_file({name: tensor.astype(np.int32) for name, tensor in load_file(path).items()}, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "model-00002-of-00003.safetensors: not a whole safetensors file"),
        (lambda folder: (folder / "model-00003-of-00003.safetensors").unlink(), "model-00003.*not a whole safetensors"),
        (lambda folder: (folder / "config.json").unlink(), "config.json: there is no such file"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json: holds no JSON object"),
        (lambda folder: (folder / "model.safetensors.index.json").unlink(), "holds neither model.safetensors nor"),
        (lambda folder: (folder / "model.safetensors.index.json").write_text("{}"), "holds no weight_map"),
        (keep_an_integer, "is stored as I32, expected one of F32, F16, BF16"),
    ],
    ids=["cut", "file-missing", "no-config", "broken-config", "list-config", "no-index", "empty-index", "integers"],
)
def test_a_folder_that_is_not_whole_is_refused_with_the_file(copied, spoil, message):
    spoil(copied)
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(str(copied))


def test_old_exports_with_rotary_wavelengths_and_a_single_fp16_file_are_read(copied):
    tensors = {}
    for path in copied.glob("*.safetensors"):
        tensors |= load_file(path)
        path.unlink()
    (copied / "model.safetensors.index.json").unlink()
    halves = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    halves["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.zeros(4, np.float32)
    save_file(halves, copied / "model.safetensors")
    params, _ = import_checkpoint(str(copied))
    np.testing.assert_array_equal(params.layers.up, lively_params().layers.up.astype(np.float16).astype(np.float32))
