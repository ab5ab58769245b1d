"""The trainer's step beside the same model in plain transformers and torch, on the CPU."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.bench.inputs import Inputs
from tests.bench.report import Result, speed
from tests.bench.timing import RUNS, Spent, measure, median, pair_of

#: Model, sequences of a batch, steps of a turn.
_SIZES: dict[str, tuple[dict[str, int], int, int]] = {
    "1.4 M": ({"width": 128, "heads": 4, "layers": 2, "ffn_multiple": 32, "vocab_size": 4000, "context": 128}, 4, 20),
    "7.6 M": ({"width": 256, "heads": 4, "layers": 4, "vocab_size": 8192, "context": 256}, 16, 2),
    "25 M": ({"width": 512, "heads": 8, "layers": 5, "vocab_size": 8192, "context": 512}, 2, 2),
}
_BATCHES = 4
_TURNS, _QUICK_TURNS = RUNS, 2

Steps = Callable[[int], float]


def train(inputs: Inputs) -> Iterator[Result]:
    """Steps in float32 with AdamW and clipping; the faster of torch's two ways to attend is what we stand beside."""
    for name, (model, rows, steps) in _SIZES.items():
        settings = _settings(model, rows)
        ours, compiling = _ours(settings)
        others = {kind: _theirs(settings, kind) for kind in ("sdpa", "eager")}
        turns: dict[str, list[tuple[Spent, Spent]]] = {kind: [] for kind in others}
        for way in (ours, *others.values()):
            way(2)
        for _ in range(_QUICK_TURNS if inputs.quick else _TURNS):
            spent = measure(lambda steps=steps, ours=ours: ours(steps))
            for kind, way in others.items():
                turns[kind].append((spent, measure(lambda steps=steps, way=way: way(steps))))
        best = min(turns, key=lambda kind: median([theirs for _, theirs in turns[kind]]).seconds)
        pair = pair_of(turns[best])
        tokens = steps * rows * model["context"]
        yield speed(
            f"train.step, {name}",
            tokens,
            pair,
            unit="tokens/s",
            against=f"torch, {best}",
            goal="1.3",
            met=pair.ratio >= 1.3,
            detail=f"{compiling.seconds:.1f} s to compile",
        )


def _settings(model: dict[str, int], rows: int) -> Any:
    from train.config import TrainSettings

    values = {"data": "nowhere", "model": model, "batch": rows, "steps": 1000, "compute_dtype": "float32"}
    return TrainSettings.model_validate(values | {"optimizer": {"learning_rate": 1e-3, "warmup_steps": 30}})


def _batches(settings: Any) -> np.ndarray[Any, np.dtype[np.int32]]:
    shape = _BATCHES, settings.batch, settings.model.context + 1
    return np.random.default_rng(0).integers(0, settings.model.vocab_size, shape).astype(np.int32)


def _ours(settings: Any) -> tuple[Steps, Spent]:
    """Steps that end with the loss read, and what it took to compile them."""
    import jax

    from train.beginning import first_state
    from train.step import lower_update, plan

    layout, how = plan(settings, jax.devices(), backend="cpu")
    state = first_state(settings, layout)
    batches, made = _batches(settings), []
    compiling = measure(lambda: made.append(lower_update(settings, layout, how).compile()))
    (step,), held = made, [state]

    def run(steps: int) -> float:
        for number in range(steps):
            held[0], metrics = step(held[0], batches[number % _BATCHES])
        return float(metrics.loss)

    return run, compiling


def _theirs(settings: Any, attention: str) -> Steps:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(os.cpu_count() or 1)
    shape = settings.model
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=shape.width,
            num_attention_heads=shape.heads,
            num_hidden_layers=shape.layers,
            intermediate_size=shape.ffn_size,
            vocab_size=shape.vocab_size,
            max_position_embeddings=shape.context,
            rms_norm_eps=shape.norm_eps,
            tie_word_embeddings=False,
            use_cache=False,
            attn_implementation=attention,
        )
    )
    model = model.float().train()
    decays = [
        {"params": [leaf for leaf in model.parameters() if (leaf.ndim > 1) is matrix]} for matrix in (True, False)
    ]
    decays[1]["weight_decay"] = 0.0
    optimizer = torch.optim.AdamW(decays, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    batches = torch.from_numpy(_batches(settings).astype(np.int64))

    def run(steps: int) -> float:
        for number in range(steps):
            windows = batches[number % _BATCHES]
            logits = model(input_ids=windows[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return run
