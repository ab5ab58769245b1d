"""Checkpoints: how long training is held, how long until one is whole, how long until it is restored."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.bench.inputs import Inputs
from tests.bench.report import Result, speed
from tests.bench.timing import RUNS, Pair, Spent, measure, median, pair_of

_MODEL = {"width": 512, "heads": 8, "layers": 8, "vocab_size": 32_000, "context": 512}
_QUICK_MODEL = _MODEL | {"layers": 1, "vocab_size": 2_000}


def save_and_restore(inputs: Inputs) -> Iterator[Result]:
    """A state of 60 M parameters and their moments, all noise, on one device."""
    import jax

    from train.checkpoint import Checkpoints
    from train.config import CheckpointSettings

    state = _noise(_QUICK_MODEL if inputs.quick else _MODEL)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), state)
    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    held, saved, restored = [], [], []
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        plain = os.path.join(folder, "plain")
        with Checkpoints(os.path.join(folder, "checkpoints"), CheckpointSettings(keep=1)) as checkpoints:
            for step in range(RUNS + 1):
                held.append(measure(lambda step=step: checkpoints.save(step, state, {})))
                rest = measure(checkpoints.wait)
                whole = Spent(held[-1].seconds + rest.seconds, held[-1].cpu_seconds + rest.cpu_seconds)
                saved.append((whole, measure(lambda: _write(plain, arrays))))
                reading = measure(lambda step=step: jax.block_until_ready(checkpoints.restore(step, shapes)[0]))
                restored.append((reading, measure(lambda: _read(plain, arrays))))
            stored = _size_of(os.path.join(checkpoints.folder, str(RUNS)))
    first, usual = held[0].seconds, median(held[1:]).seconds
    detail = (
        f"training is held for {usual:.2f} s of {median([whole for whole, _ in saved[1:]]).seconds:.2f} "
        f"(the first time {first:.2f}); {stored / 1e6:,.0f} MB on disk"
    )
    yield _speed("save", size, pair_of(saved[1:]), against="one plain file, flushed", detail=detail)
    detail = f"{size / 1e6:,.0f} MB, each array held to its digest"
    yield _speed("restore", size, pair_of(restored[1:]), against="one plain file", detail=detail)


def _speed(name: str, size: int, pair: Pair, **fields: Any) -> Result:
    return speed(f"train.checkpoint.{name}", size / 1e6, pair, unit="MB/s", **fields)


def _noise(model: dict[str, int]) -> Any:
    import jax

    from train.config import TrainSettings
    from train.step import initial_state

    values = {"data": "nowhere", "model": model, "optimizer": {"warmup_steps": 1}, "batch": 1, "steps": 10}
    shapes = jax.eval_shape(lambda: initial_state(TrainSettings.model_validate(values)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jax.device_put(np.asarray(rng.standard_normal(leaf.shape), leaf.dtype)), shapes)


def _write(path: str, arrays: list[Any]) -> None:
    with open(path, "wb") as file:
        for array in arrays:
            array.tofile(file)
        file.flush()
        os.fsync(file.fileno())


def _read(path: str, arrays: list[Any]) -> None:
    with open(path, "rb") as file:
        for array in arrays:
            np.fromfile(file, array.dtype, array.size)


def _size_of(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)
