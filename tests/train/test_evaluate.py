"""Our model behind lm-evaluation-harness, beside the harness's own backend on the exported model; all offline."""

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import json
from collections import Counter
from pathlib import Path

import datasets
import jax
import jax.numpy as jnp
import lm_eval.models  # noqa: F401 -- registers the harness's own backends
import numpy as np
import pytest
import sentencepiece
import torch
import yaml
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from typer.testing import CliRunner

from pipeline.cli import app
from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer
from train.evaluate import evaluate, table
from train.harness import HarnessModel
from train.huggingface import export_checkpoint
from train.loading import load_model
from train.model import ModelSettings, init, logits

STORY = "The miller kept his ledger by the window, and every evening he wrote down what the river had done that day."
QUESTIONS = [
    {"question": "What did the miller keep?", "choices": ["a ledger", "a river", "rye"], "label": 0},
    {"question": "When did he write?", "choices": ["in the morning", "every evening"], "label": 1},
    {"question": "Where?", "choices": ["by the window, every day", "nowhere", "on the mill", "at 12"], "label": 2},
]
CONTEXT = 64
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A folder of three local tasks."""
    folder = tmp_path_factory.mktemp("tasks")
    texts = [{"text": STORY}, {"text": STORY[20:] + " " + STORY}, {"text": "é"}]
    shared = {"dataset_path": "json", "test_split": "test", "metadata": {"version": 1}}

    def write(name, rows, **config):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        data = {"dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(shared | data | {"task": name} | config))

    choice = {
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    write("mill_choice", QUESTIONS, **choice)
    write(
        "mill_text",
        texts,
        output_type="loglikelihood_rolling",
        doc_to_text="",
        doc_to_target="{{text}}",
        metric_list=[{"metric": "bits_per_byte"}, {"metric": "word_perplexity"}],
    )
    write(
        "mill_words",
        QUESTIONS,
        output_type="generate_until",
        doc_to_text="{{question}}",
        doc_to_target="{{choices[label]}}",
        generation_kwargs={"until": ["e"], "max_gen_toks": 12},
        metric_list=[{"metric": "exact_match"}],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
        patch.setenv("DISABLE_MULTIPROC", "1")
        yield str(folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A model of random weights, large enough to differ from question to question, and its tokenizer."""
    folder = tmp_path_factory.mktemp("checkpoint")
    trained = train_tokenizer([STORY, *(json.dumps(row) for row in QUESTIONS)], TokenizerSettings(vocab_size=340))
    (folder / "tokenizer.model").write_bytes(trained.model)
    settings = ModelSettings(width=24, heads=3, layers=2, ffn_width=40, vocab_size=trained.vocab_size, context=CONTEXT)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: init(settings, key=jax.random.key(0)))
    params = jax.tree.map(lambda leaf: (rng.normal(size=leaf.shape) * 0.4).astype(np.float32), shapes)
    # Bytes alone are no UTF-8, which each decoder mends in its own way: this model never writes them.
    params.unembedding[:, 3:259] = 0
    export_checkpoint(params, settings, str(folder / "model"), dtype="fp32", tokenizer=str(folder))
    return folder / "model"


@pytest.fixture(scope="module")
def ours(checkpoint):
    return HarnessModel(load_model(str(checkpoint)), batch_size=4)


@pytest.fixture(scope="module")
def theirs(checkpoint):
    """The harness's own backend; BOS is led in by its tokenizer where ``add_bos_token`` says so."""
    model = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    return HFLM(pretrained=model, tokenizer=hugging_face_tokenizer(checkpoint), batch_size=1, add_bos_token=True)


def hugging_face_tokenizer(checkpoint):
    """The same tokenizer without SentencePiece: merges recovered from the order of the pieces."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(checkpoint / "tokenizer.model"))
    pieces = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    splits = [(piece[:cut], piece[cut:]) for piece in pieces[259:] for cut in range(1, len(piece))]
    merges = [pair for pair in splits if pair[0] in vocabulary and pair[1] in vocabulary]
    merges.sort(key=lambda pair: -processor.get_score(vocabulary["".join(pair)]))
    backend = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = decoders.Strip(" ", 1, 0)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def requests(kind, *arguments):
    return [Instance(kind, {}, each, number, (None, None, None)) for number, each in enumerate(arguments)]


def test_likelihoods_equal_those_of_the_harness_s_own_backend(ours, theirs):
    pairs = [(f"Question: {row['question']}\nAnswer:", f" {choice}") for row in QUESTIONS for choice in row["choices"]]
    pairs += [("", "A text without context"), ("The context ends in a space ", "here"), (STORY[:30], STORY[30:50])]
    found, expected = (each.loglikelihood(requests("loglikelihood", *pairs)) for each in (ours, theirs))
    assert np.std([score for score, _ in expected]) > 1
    np.testing.assert_allclose([score for score, _ in found], [score for score, _ in expected], atol=2e-5)
    assert [best for _, best in found] == [best for _, best in expected]
    assert ours.truncated == 0


def test_a_context_that_is_too_long_loses_its_start_but_not_its_bos(checkpoint):
    model = HarnessModel(load_model(str(checkpoint)), batch_size=4)
    context, rest = STORY * 3, " the end"
    ((score, best),) = model.loglikelihood(requests("loglikelihood", (context, rest)))
    whole = model.tok_encode(context + rest)
    count = len(whole) - len(model.tok_encode(context))
    kept = [1, *whole[-CONTEXT:]]
    params, settings, _ = model.model
    run = jax.jit(logits, static_argnames=("settings", "compute_dtype"))
    scores = np.asarray(run(params, jnp.asarray([kept[:-1]], jnp.int32), settings, compute_dtype=jnp.dtype("float32")))
    chosen = scores[0, -count:].astype(np.float64)
    expected = chosen[range(count), kept[-count:]] - np.log(np.exp(chosen).sum(-1))
    assert score == pytest.approx(expected.sum(), abs=1e-4)
    assert best == (chosen.argmax(-1).tolist() == kept[-count:])
    assert model.truncated == 1
    with pytest.raises(ValueError, match=r"a continuation of \d+ tokens exceeds the context of 64"):
        model.loglikelihood(requests("loglikelihood", ("a", STORY * 3)))


def test_a_task_s_scores_are_the_same_from_our_model_and_from_transformers(ours, theirs, tasks):
    found, expected = (
        evaluate(model, ["mill_choice", "mill_words"], include_path=tasks, scoring="characters")["results"]
        for model in (ours, theirs)
    )
    assert found == expected
    assert found["mill_choice"]["acc_characters,none"] == found["mill_choice"]["acc_norm,none"]


def test_texts_are_scored_whole_as_by_the_harness_each_token_once(ours, theirs, tasks):
    """The harness would score the BOS of its tokenizer too, given itself; so its tokenizer leads in none here."""
    theirs.add_bos_token = False
    found, expected = (
        evaluate(model, ["mill_text"], include_path=tasks)["results"]["mill_text"] for model in (ours, theirs)
    )
    theirs.add_bos_token = True
    for metric in ("bits_per_byte,none", "word_perplexity,none"):
        assert found[metric] == pytest.approx(expected[metric], rel=1e-5)
    assert len(ours.tok_encode(STORY * 2)) > CONTEXT  # so that windows have rolled


def test_writing_stops_at_the_first_stop_sequence_as_in_the_harness(ours, theirs):
    wishes = [(text, {"until": ["e", "th"], "max_gen_toks": 12}) for text in (STORY[:60], "The", "When did he?")]
    wishes.append(("What", {"until": [], "max_gen_toks": 5}))
    found, expected = (each.generate_until(requests("generate_until", *wishes)) for each in (ours, theirs))
    assert found == expected
    assert any(found)


class Oracle(LM):
    """Knows each answer's likelihood: of the three answers one is likeliest, one per character, one after "Answer:"."""

    def loglikelihood(self, requests):
        given = {" ab": -2.0, " abcdefgh": -4.0, " abc": -2.9}
        alone = {" ab": -1.0, " abcdefgh": -3.5, " abc": -5.0}
        asked = [request.args for request in requests]
        return [((alone if context == "Answer:" else given)[text], False) for context, text in asked]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError

    def generate_until(self, requests):
        raise NotImplementedError


@pytest.fixture
def oracle_tasks(tasks, tmp_path):
    """One question with the answer that the harness chooses, two with that per character, three with the last."""
    rows = [{"question": "?", "choices": ["ab", "abcdefgh", "abc"], "label": n} for n in (0, 1, 1, 2, 2, 2)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with open(f"{tasks}/mill_choice.yaml") as file:
        config = yaml.safe_load(file)
    config["dataset_kwargs"] = {"data_files": {"test": str(tmp_path / "rows.jsonl")}}
    for name in ("openbookqa_like", "piqa_like"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config | {"task": name}))
    return str(tmp_path)


def test_the_paper_normalises_by_characters_or_by_the_likelihood_after_answer(oracle_tasks):
    def scores(scoring, *names):
        results = evaluate(Oracle(), names, include_path=oracle_tasks, scoring=scoring)
        metrics = ("acc", "acc_norm", "acc_characters", "acc_answer")
        return [[results["results"][name].get(f"{metric},none") for metric in metrics] for name in names], results

    found, results = scores("characters", "openbookqa_like")
    assert found == [[1 / 6, 2 / 6, 2 / 6, None]]
    # The standard error of two right answers of six is sqrt(1/3 * 2/3 / 5).
    line = next(line for line in table(results).splitlines() if "acc_characters" in line)
    assert "0.3333" in line
    assert "0.2108" in line
    assert scores("llama", "openbookqa_like", "piqa_like")[0] == [
        [1 / 6, 2 / 6, None, 3 / 6],
        [1 / 6, 2 / 6, 2 / 6, None],
    ]


class Knowing(Oracle):
    """Knows which continuations are right."""

    def __init__(self, rows):
        super().__init__()
        self.right = {(row["context"], f" {row['choices'][row['label']]}") for row in rows}

    def loglikelihood(self, requests):
        return [(-1.0 if request.args in self.right else -90.0, False) for request in requests]


def test_the_questions_about_the_demo_s_corpus_have_one_right_answer_of_four_and_no_favourite_place(tasks, monkeypatch):
    folder = Path(__file__).parents[2] / "configs" / "evaluation"
    rows = [json.loads(line) for line in (folder / "demo_continuations.jsonl").read_text().splitlines()]
    assert len(rows) >= 20
    assert [len(set(row["choices"])) for row in rows] == [4] * len(rows)
    places = Counter(row["label"] for row in rows)
    assert max(places.values()) - min(places.values()) <= 1
    monkeypatch.chdir(folder.parents[1])
    results = evaluate(Knowing(rows), ["demo_continuations"], include_path=str(folder))
    assert results["n-samples"]["demo_continuations"]["effective"] == len(rows)
    assert results["results"]["demo_continuations"]["acc,none"] == 1


def test_a_task_or_folder_that_does_not_exist_is_refused(tasks):
    with pytest.raises(ValueError, match="include_path nowhere: there is no such folder"):
        evaluate(Oracle(), ["mill_choice"], include_path="nowhere")


def test_the_command_prints_a_table_and_writes_the_results(ours, checkpoint, tasks, tmp_path, monkeypatch):
    """Beside its commands' other tests it would load the harness a second time."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    arguments = ["evaluate", str(checkpoint), "--tasks", "mill_choice", "--include-path", tasks, "--offline"]
    result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "r.json"), "--batch-size", "4"])
    assert result.exit_code == 0, result.output
    assert "mill_choice" in result.stdout
    assert "|acc_norm|" in result.stdout
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["truncated"] == 0
    expected = evaluate(ours, ["mill_choice"], include_path=tasks)["results"]
    assert written["results"] == expected
