"""From the demo's shards to a checkpoint that other software loads: the same text, the same scores."""

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import json
from pathlib import Path

import lm_eval.models  # noqa: F401 -- registers the harness's own backends
import numpy as np
import pytest
import torch
import yaml
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer, LlamaForCausalLM
from typer.testing import CliRunner

from pipeline.cli import app
from train.evaluate import evaluate

ROOT = Path(__file__).parents[2]
PROMPT, TOKENS = "The history of the town", 12


def command(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def trained(demo, tmp_path_factory):
    """A model that has seen the demo's corpus for a few steps, as its output folder; nothing may be written there."""
    output = tmp_path_factory.mktemp("trained")
    sets = (
        f"data={demo}",
        f"output={output}",
        "steps=30",
        "optimizer.warmup_steps=5",
        "batch=4",
        "model.context=64",
        "sources=null",
    )
    printed = command(
        "train", str(ROOT / "configs/train/demo.yaml"), *(arg for each in sets for arg in ("--set", each))
    )
    assert "training loss fell" in printed
    assert "held-out loss" in printed
    return output


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    command("export-model", str(trained), str(folder), "--dtype", "fp32")
    return folder


def test_a_trained_model_is_whole_by_itself(trained, demo):
    assert (trained / "tokenizer" / "tokenizer.model").read_bytes() == (demo / "tokenizer/tokenizer.model").read_bytes()
    assert yaml.safe_load((trained / "config.yaml").read_text())["steps"] == 30
    measured = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])["held_out"]
    assert {path.name for path in (demo / "held_out").iterdir()} | {"all"} == set(measured)
    assert all(0 < loss["bits_per_byte"] < 16 for loss in measured.values())


def test_transformers_writes_the_same_text(trained, exported):
    ours = command("generate", str(trained), "--prompt", PROMPT, "--max-tokens", str(TOKENS)).removesuffix("\n")
    tokenizer = AutoTokenizer.from_pretrained(exported)
    model = LlamaForCausalLM.from_pretrained(exported, dtype=torch.float32)
    written = model.generate(**tokenizer(PROMPT, return_tensors="pt"), max_new_tokens=TOKENS, do_sample=False)
    assert ours == tokenizer.decode(written[0], skip_special_tokens=True)
    assert len(ours) > len(PROMPT) + 5


def test_a_task_has_the_same_scores_from_jax_and_from_transformers(trained, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    command(
        *("evaluate", str(trained), "--tasks", "demo_continuations", "--offline"),
        *("--include-path", "configs/evaluation", "--output", str(tmp_path / "ours.json")),
    )
    ours = json.loads((tmp_path / "ours.json").read_text())["results"]["demo_continuations"]
    tokenizer = AutoTokenizer.from_pretrained(exported)
    model = LlamaForCausalLM.from_pretrained(exported, dtype=torch.float32)
    backend = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, add_bos_token=True)
    theirs = evaluate(backend, ["demo_continuations"], include_path="configs/evaluation")["results"]
    for metric in ("acc,none", "acc_norm,none"):
        assert ours[metric] == theirs["demo_continuations"][metric]
    assert np.isfinite(ours["acc,none"])
