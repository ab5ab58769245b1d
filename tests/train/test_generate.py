from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer
from train.generate import Sampling, choose, complete, complete_texts, nucleus
from train.huggingface import export_checkpoint
from train.huggingface_config import CheckpointError
from train.loading import LoadedModel, load_model
from train.model import ModelSettings, init, logits

TINY = ModelSettings(width=24, heads=3, layers=2, ffn_width=40, vocab_size=37, context=64)
FLOAT32 = jnp.dtype("float32")
#: Of different lengths, one longer than what shapes are rounded to.
PROMPTS = [[1], [1, 7, 30, 5], np.random.default_rng(3).integers(3, 37, 40).tolist()]
jit_logits = jax.jit(logits, static_argnames=("settings", "compute_dtype"))
torch.set_num_threads(1)


def lively_model(seed=0, **encoder):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: init(TINY, key=jax.random.key(0)))
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.4, jnp.float32), shapes)
    return LoadedModel(params, TINY, SimpleNamespace(**{"eos_id": -1, "vocab_size": 37} | encoder))


def without_cache(model, prompt, count):
    """The best token of the whole model run on the whole text, again and again."""
    text = list(prompt)
    for _ in range(count):
        padded = jnp.asarray([text + [0] * (64 - len(text))], jnp.int32)
        text.append(int(jnp.argmax(jit_logits(model.params, padded, TINY, compute_dtype=FLOAT32)[0, len(text) - 1])))
    return text[len(prompt) :]


@pytest.fixture(scope="module")
def greedy():
    """Twelve tokens after each prompt, which no end of a text cuts short."""
    return complete(lively_model(), PROMPTS, Sampling(max_tokens=12))


def test_greedy_writing_takes_the_best_token_of_the_model_without_cache(greedy):
    model = lively_model()
    assert greedy == [without_cache(model, prompt, 12) for prompt in PROMPTS]
    assert len({tuple(text) for text in greedy}) == 3  # else the prompts would not matter


def test_greedy_writing_is_that_of_transformers(greedy, tmp_path):
    export_checkpoint(lively_model().params, TINY, str(tmp_path / "m"), dtype="fp32")
    model = LlamaForCausalLM.from_pretrained(tmp_path / "m", dtype=torch.float32)
    for prompt, text in zip(PROMPTS, greedy, strict=True):
        given = torch.tensor([prompt])
        options = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        written = model.generate(given, attention_mask=torch.ones_like(given), **options)
        assert written[0, len(prompt) :].tolist() == text


def test_a_text_ends_before_its_eos_and_the_others_go_on(greedy):
    eos = greedy[1][4]
    texts = complete(lively_model(eos_id=eos), PROMPTS, Sampling(max_tokens=12))
    assert texts == [text[: text.index(eos)] if eos in text else text for text in greedy]
    assert {len(text) for text in texts} > {12}


def test_a_text_ends_where_the_caller_says(greedy):
    texts = complete(lively_model(), PROMPTS, Sampling(max_tokens=12), stop=lambda n, text: n == 1 and len(text) == 3)
    assert texts == [greedy[0], greedy[1][:3], greedy[2]]


def test_draws_follow_from_the_seed_and_the_prompt_s_number_alone():
    model = lively_model()
    drawn = complete(model, PROMPTS[:2], Sampling(max_tokens=12, temperature=1.0, seed=5))
    assert complete(model, PROMPTS[:1], Sampling(max_tokens=12, temperature=1.0, seed=5)) == drawn[:1]
    assert complete(model, PROMPTS[:2], Sampling(max_tokens=12, temperature=1.0, seed=6)) != drawn
    twice = complete(model, [PROMPTS[0]] * 2, Sampling(max_tokens=12, temperature=1.0, seed=5))
    assert twice[0] != twice[1]
    assert len(set(drawn[0])) > 3  # each step draws anew


def test_a_nucleus_of_almost_nothing_is_greedy(greedy):
    assert complete(lively_model(), PROMPTS, Sampling(max_tokens=12, temperature=1.0, top_p=1e-6)) == greedy


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_by_their_probability_at_the_temperature(temperature):
    probability, rows = np.array([0.1, 0.5, 0.3, 0.1]), 20_000
    scores = jnp.asarray(np.tile(np.log(probability), (rows, 1)), jnp.float32)
    counts = np.bincount(choose(scores, jax.random.key(0), temperature, 1.0, greedy=False), minlength=4)
    expected = probability ** (1 / temperature) / (probability ** (1 / temperature)).sum()
    assert (np.abs(counts - rows * expected) < 4 * np.sqrt(rows * expected * (1 - expected))).all()


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(1e-6, {2}), (0.49, {2}), (0.51, {2, 0}), (0.79, {2, 0}), (0.81, {2, 0, 3}), (0.96, {0, 1, 2, 3})],
)
def test_the_nucleus_is_the_fewest_tokens_that_hold_its_probability(top_p, kept):
    scores = jnp.log(jnp.asarray([[0.3, 0.05, 0.5, 0.15]], jnp.float32))
    assert set(np.flatnonzero(nucleus(scores, top_p)[0]).tolist()) == kept
    drawn = choose(jnp.tile(scores, (20_000, 1)), jax.random.key(1), 1.0, top_p, greedy=False)
    assert set(np.asarray(drawn).tolist()) == kept


def test_rows_of_the_embedding_that_pad_the_vocabulary_are_never_written():
    model = lively_model(vocab_size=30)
    loud = model.params._replace(unembedding=model.params.unembedding.at[:, 30:].mul(100.0))
    (text,) = complete(model._replace(params=loud), PROMPTS[1:2], Sampling(max_tokens=12))
    assert max(text) < 30
    (unlimited,) = complete(lively_model()._replace(params=loud), PROMPTS[1:2], Sampling(max_tokens=12))
    assert max(unlimited) >= 30


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"temperature": -0.1}, "temperature must be a number of at least 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature must be a number of at least 0, got nan"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1, got 1.1"),
    ],
)
def test_an_impossible_way_to_choose_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**values)


def test_a_prompt_without_even_a_bos_is_refused():
    with pytest.raises(ValueError, match="prompt 1 holds no token"):
        complete(lively_model(), [[1], []], Sampling())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A model of random weights with a tokenizer of its own; nothing may be written into it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    trained = train_tokenizer(["the cat sat on the mat and the dog sat by the door"], TokenizerSettings(vocab_size=300))
    (folder / "tokenizer.model").write_bytes(trained.model)
    settings = ModelSettings(width=16, heads=2, layers=1, ffn_width=24, vocab_size=trained.vocab_size + 4, context=32)
    params = jax.jit(lambda: init(settings, key=jax.random.key(0)))()
    export_checkpoint(params, settings, str(folder / "model"), tokenizer=str(folder))
    return folder / "model"


def test_a_loaded_model_continues_texts_with_their_spaces(checkpoint):
    model = load_model(str(checkpoint))
    assert model.encoder.engine_name == "sentencepiece"  # no other was tried on any text
    (cat,) = model.encoder.encode_documents(["the cat sat"], bos=True, eos=False)
    (the,) = model.encoder.encode_documents(["the"], bos=True, eos=False)
    wanted = cat[len(the) :].tolist()
    assert cat[: len(the)].tolist() == the.tolist()
    table = np.zeros((304, 16), np.float32)
    for position, token in enumerate([*cat.tolist(), model.encoder.eos_id]):
        table[token, position] = 1.0
    # A model that knows one text by heart: no layer writes, and each embedding points at the next one's column.
    still = jax.tree.map(jnp.zeros_like, model.params.layers)
    unembedding = np.zeros((16, 304), np.float32)
    for before, after in zip(cat.tolist(), [*cat.tolist()[1:], model.encoder.eos_id], strict=True):
        unembedding[:, after] += table[before]
    params = model.params._replace(
        embedding=jnp.asarray(table), layers=still, final_norm=jnp.ones(16), unembedding=jnp.asarray(unembedding)
    )
    assert complete(model._replace(params=params), [the.tolist()], Sampling(max_tokens=20)) == [wanted]
    assert complete_texts(model._replace(params=params), ["the"], Sampling(max_tokens=20)) == [" cat sat"]


def test_a_checkpoint_without_a_fitting_tokenizer_is_refused_in_one_line(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint there: there is no config\.json"):
        load_model(str(tmp_path))
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tokenizer.model").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.model: there is no such file"):
        load_model(str(tmp_path))
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match="not a SentencePiece model"):
        load_model(str(tmp_path))
    large = train_tokenizer(["".join(map(chr, range(0x4E00, 0x4E80)))], TokenizerSettings(vocab_size=1000))
    (tmp_path / "tokenizer.model").write_bytes(large.model)
    with pytest.raises(CheckpointError, match=f"the tokenizer has {large.vocab_size} pieces, the model 304 embeddings"):
        load_model(str(tmp_path))
