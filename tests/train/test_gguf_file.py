from functools import cache

import gguf
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sentencepiece
from gguf import GGMLQuantizationType, GGUFReader

from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer
from train.gguf_file import export_gguf
from train.huggingface import to_state
from train.model import ModelSettings, init, rotary_table, rotate

SETTINGS = ModelSettings(width=32, heads=2, layers=2, ffn_width=64, vocab_size=300, context=48)


@cache
def tokenizer():
    text = "the cat sat on the mat and the dog sat by the door"
    return train_tokenizer([text], TokenizerSettings(vocab_size=290)).model


def params():
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: init(SETTINGS, key=jax.random.key(0)))
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)


def read(path):
    reader = GGUFReader(path)
    return reader, {tensor.name: tensor for tensor in reader.tensors}


@pytest.fixture
def exported(tmp_path):
    export_gguf(params(), SETTINGS, tokenizer(), str(tmp_path / "model.gguf"), dtype="fp32")
    return read(tmp_path / "model.gguf")


def test_all_weights_but_queries_and_keys_lie_there_as_in_hugging_face(exported):
    _, tensors = exported
    ggml = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, SETTINGS.layers)
    state = dict(to_state(params(), SETTINGS))
    names = {ggml.get_name(name, try_suffixes=(".weight",)): name for name in state}
    assert tensors.keys() == names.keys()
    for name, tensor in tensors.items():
        assert tensor.tensor_type == GGMLQuantizationType.F32
        if "attn_q" not in name and "attn_k" not in name:
            np.testing.assert_array_equal(tensor.data, state[names[name]])


def test_queries_and_keys_that_turn_neighbouring_pairs_give_the_same_attention(exported):
    """Scores from the file by Meta's rotation, as complex numbers, beside ours from the weights by halves."""
    _, tensors = exported
    length, heads, size = SETTINGS.context, SETTINGS.heads, SETTINGS.head_size
    x = np.random.default_rng(1).normal(size=(length, SETTINGS.width))

    def turned(name):
        pairs = (x @ tensors[f"blk.1.{name}.weight"].data.T.astype(np.float64)).reshape(length, heads, size // 2, 2)
        angles = np.outer(np.arange(length), 10_000.0 ** (-2 * np.arange(size // 2) / size))
        return (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)[:, None]

    theirs = np.einsum("THR,SHR->HTS", turned("attn_q"), turned("attn_k").conj()).real
    table = rotary_table(length, size, theta=10_000.0)
    given = jnp.asarray(x[None], jnp.float32)
    query, key = (
        rotate(jnp.einsum("BTD,DHA->BTHA", given, jnp.asarray(weight[1])), *table)
        for weight in (params().layers.query, params().layers.key)
    )
    ours = jnp.einsum("BTHA,BSHA->BHTS", query, key)[0]
    assert np.std(theirs) > 100
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


def test_the_shape_is_told_in_llama_cpp_s_keys(exported):
    reader, _ = exported
    found = {name.removeprefix("llama."): field.contents() for name, field in reader.fields.items()}
    assert found["general.architecture"] == "llama"
    assert found["attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert {key: found[key] for key in ("context_length", "embedding_length", "block_count", "vocab_size")} == {
        "context_length": 48,
        "embedding_length": 32,
        "block_count": 2,
        "vocab_size": 300,
    }
    assert (found["attention.head_count"], found["attention.head_count_kv"]) == (2, 2)
    assert (found["rope.dimension_count"], found["rope.freq_base"], found["feed_forward_length"]) == (16, 10_000.0, 64)


def test_the_tokenizer_s_pieces_scores_and_types_lie_inside(exported):
    reader, _ = exported
    found = {name.removeprefix("tokenizer.ggml."): field.contents() for name, field in reader.fields.items()}
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer())
    count = processor.get_piece_size()
    padding = range(count, 300)
    assert len(padding) >= 2
    assert found["model"] == "llama"
    assert found["tokens"] == [processor.id_to_piece(n) for n in range(count)] + [f"[PAD{n}]" for n in padding]
    assert found["scores"][:count] == pytest.approx([processor.get_score(n) for n in range(count)])
    unknown, control, byte, normal, unused = [2], [3, 3], [6] * 256, [1] * (count - 259), [5] * len(padding)
    assert found["token_type"] == unknown + control + byte + normal + unused
    ids = [found[f"{name}_token_id"] for name in ("unknown", "bos", "eos")]
    assert ids == [0, 1, 2]
    assert (found["add_bos_token"], found["add_eos_token"], found["add_space_prefix"]) == (True, False, True)


@pytest.mark.parametrize(("dtype", "kind", "bits"), [("fp16", "F16", 11), ("bf16", "BF16", 8)])
def test_halves_round_the_matrices_and_keep_the_norms(tmp_path, dtype, kind, bits):
    export_gguf(params(), SETTINGS, tokenizer(), str(tmp_path / "model.gguf"), dtype=dtype)
    _, tensors = read(tmp_path / "model.gguf")
    up, norm = tensors["blk.0.ffn_up.weight"], tensors["blk.0.ffn_norm.weight"]
    expected = params().layers.up[0].T
    assert up.tensor_type.name == kind
    found = gguf.quants.dequantize(up.data, up.tensor_type)
    np.testing.assert_allclose(found, expected, rtol=2.0**-bits)
    assert (found != expected).any()
    np.testing.assert_array_equal(norm.data, params().layers.ffn_norm[0])


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "model.gguf").write_text("mine")
    with pytest.raises(ValueError, match="there is such a file already"):
        export_gguf(params(), SETTINGS, tokenizer(), str(tmp_path / "model.gguf"))
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]
