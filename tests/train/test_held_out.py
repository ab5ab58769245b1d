"""Losses on held-out documents beside those of transformers' model, each token scored on its own."""

import math

import jax
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests import token_source
from tokenizer.manifest import held_out_name
from train.config import TrainSettings
from train.held_out import HeldOut
from train.huggingface import to_state
from train.model import init
from train.shards import open_held_out
from train.step import plan

VOCABULARY, CONTEXT = 40, 8
MODEL = {"width": 16, "heads": 2, "layers": 2, "ffn_width": 24, "vocab_size": VOCABULARY, "context": CONTEXT}
BOS, EOS = 1, 2
#: Id n stands for n bytes; BOS, EOS and the unknown piece for none.
LENGTHS = np.where(np.arange(VOCABULARY) > EOS, np.arange(VOCABULARY), 0).astype(np.int64)
#: Text of each source's documents in ids: over several windows, of less than one, of whole windows, of none.
SOURCES = {"long": [12, 1, 0, 20], "short": [3], "whole": [14, 5], "nothing": []}
torch.set_num_threads(1)


def document(length, rng):
    return np.array([BOS, *rng.integers(3, VOCABULARY, length), EOS], np.uint16)


def documents_of(name):
    rng = np.random.default_rng(len(name))
    return [document(length, rng) for length in SOURCES[name]]


def write_source(run, name, documents, *, vocab_size=VOCABULARY):
    place, names = run / "held_out" / name, [held_out_name(name, 0)]
    token_source.write_source(place, [documents], names=names, vocab_size=vocab_size)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    for name in SOURCES:
        write_source(folder, name, documents_of(name))
    return folder


@pytest.fixture(scope="module")
def params():
    """Weights large enough that what came before matters."""
    rng = np.random.default_rng(0)
    model = settings().model
    shapes = jax.eval_shape(lambda: init(model, key=jax.random.key(0)))
    return jax.tree.map(lambda leaf: (rng.normal(size=leaf.shape) * 0.5).astype(np.float32), shapes)


@pytest.fixture(scope="module")
def expected(params):
    """Nats of each token but the first, by transformers: one prefix of its window at a time."""
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=CONTEXT, rms_norm_eps=1e-6,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.load_state_dict({name: torch.tensor(np.asarray(each)) for name, each in to_state(params, settings().model)})
    return {name: list(nats_of(model, stream_of(name))) for name in SOURCES}


@pytest.fixture(scope="module")
def found(run, params):
    return measured(run, params)


def stream_of(name):
    return np.concatenate([np.empty(0, np.uint16), *documents_of(name)]).astype(np.int64)


@torch.no_grad()
def nats_of(model, stream):
    for position in range(1, len(stream)):
        window = (position - 1) // CONTEXT * CONTEXT
        scores = model(input_ids=torch.from_numpy(stream[None, window:position])).logits[0, -1].double()
        yield (torch.logsumexp(scores, -1) - scores[stream[position]]).item()


def settings(**changes):
    values = {"data": "nowhere", "model": MODEL, "optimizer": {"warmup_steps": 1}, "batch": 8, "steps": 10}
    return TrainSettings(**values | {"compute_dtype": "float32", "loss_chunks": 2} | changes)


def measured(run, params, *, lengths=LENGTHS, **changes):
    config = settings(**changes)
    layout, how = plan(config, jax.devices(), backend="cpu")
    held_out = HeldOut.of(open_held_out(str(run)), config, layout, how, byte_lengths=lengths)
    return held_out.measure(jax.device_put(params, layout.params()))


MESHES = {
    "one device": {},
    "data": {"mesh": {"data": 8}},
    "all axes": {"mesh": {"data": 2, "fsdp": 2, "tensor": 2, "sequence_parallel": True}, "accumulate": 2},
}


@pytest.mark.parametrize("changes", MESHES.values(), ids=MESHES)
def test_each_token_is_scored_once_as_transformers_scores_it_on_any_mesh(run, params, expected, changes):
    found = measured(run, params, **changes)
    assert list(found) == [*sorted(SOURCES), "all"]
    for name, nats in expected.items():
        assert found[name].tokens == len(nats)
        if nats:
            assert found[name].nats_per_token == pytest.approx(np.mean(nats), abs=2e-6)
    everything = [nat for nats in expected.values() for nat in nats]
    assert found["all"].tokens == len(everything) == 40 + 4 + 22
    assert found["all"].nats_per_token == pytest.approx(np.mean(everything), abs=2e-6)
    assert np.std(everything) > 0.5  # else a token more or less would go unseen


def test_bits_per_byte_divide_by_the_text_without_the_space_led_in(found, expected):
    texts = {name: [each[1:-1].astype(int) for each in documents_of(name)] for name in SOURCES}
    counts = {name: sum(int(text.sum()) - 1 for text in each if len(text)) for name, each in texts.items()}
    for name, nats in expected.items():
        assert found[name].bytes == counts[name]
        if nats:
            assert found[name].bits_per_byte == pytest.approx(sum(nats) / math.log(2) / counts[name], rel=2e-6)
    assert found["all"].bytes == sum(counts.values())
    total = sum(sum(nats) for nats in expected.values())
    assert found["all"].bits_per_byte == pytest.approx(total / math.log(2) / sum(counts.values()), rel=2e-6)


def test_what_has_no_tokens_has_no_loss(found):
    nothing = found["nothing"]
    assert (nothing.tokens, nothing.bytes) == (0, 0)
    assert math.isnan(nothing.nats_per_token)
    assert math.isnan(nothing.bits_per_byte)


def test_without_a_tokenizer_there_are_no_bits_per_byte(run, params, found):
    known, unknown = found["all"], measured(run, params, lengths=None)["all"]
    assert (unknown.nats_per_token, unknown.tokens, unknown.bytes) == (known.nats_per_token, known.tokens, 0)
    assert math.isnan(unknown.bits_per_byte)


@pytest.mark.parametrize("tokens", [1, 16, 17, 39, 41])
def test_a_limit_scores_the_first_tokens_of_each_source(run, params, expected, tokens):
    found = measured(run, params, held_out={"tokens": tokens})["long"]
    nats = expected["long"][:tokens]
    assert found.tokens == len(nats) == min(tokens, 40)
    assert found.nats_per_token == pytest.approx(np.mean(nats), abs=2e-6)
    assert found.bytes == bytes_of_first("long", tokens)


def bytes_of_first(name, tokens):
    """Count bytes token by token; in each document the first with text has a space that is none."""
    lengths = []
    for each in documents_of(name):
        own = [int(number) if number > EOS else 0 for number in each]
        if len(own) > 2:
            own[1] -= 1
        lengths += own
    return sum(lengths[1 : tokens + 1])


def test_documents_are_kept_apart_where_the_run_keeps_them_apart(run, params, expected):
    apart = measured(run, params, document_mask={})
    assert apart["short"].nats_per_token == pytest.approx(np.mean(expected["short"]), abs=2e-6)  # one document
    assert abs(apart["long"].nats_per_token - np.mean(expected["long"])) > 1e-3


def test_no_held_out_shards_give_a_figure_of_nothing(tmp_path, params):
    (found,) = measured(tmp_path, params).items()
    assert found[0] == "all"
    assert (found[1].tokens, found[1].bytes) == (0, 0)


def test_shards_that_the_model_or_the_tokenizer_does_not_know_are_refused(tmp_path, params):
    write_source(tmp_path, "more", [document(3, np.random.default_rng(0))], vocab_size=VOCABULARY + 1)
    with pytest.raises(ValueError, match="the shards of more have a vocabulary of 41, the model one of 40"):
        measured(tmp_path, params, lengths=None)
    model = MODEL | {"vocab_size": 42}
    with pytest.raises(ValueError, match="the shards of more have a vocabulary of 41, the tokenizer one of 40"):
        measured(tmp_path, params, model=model)


def test_an_id_beyond_the_manifest_s_vocabulary_is_refused(tmp_path, params):
    write_source(tmp_path, "less", [document(3, np.random.default_rng(0))], vocab_size=4)
    with pytest.raises(ValueError, match=r"holds id \d+, its manifest says vocab_size=4"):
        measured(tmp_path, params)


def test_a_source_may_not_be_named_as_all_of_them_together(tmp_path, params):
    write_source(tmp_path, "all", [document(3, np.random.default_rng(0))])
    with pytest.raises(ValueError, match="a source may not be named all"):
        measured(tmp_path, params)
