"""The trainer's data: batches alone, ahead of a step, through Grain, and what a step waits for them."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.inputs import Inputs
from tests.bench.report import Result, speed
from tests.bench.timing import RUNS, Pair, Spent, compare, measure, pair_of
from tests.token_source import write_source
from tokenizer.reader import TokenShards

_CONFIG = os.path.join("configs", "train", "demo.yaml")
#: Table 1 of the paper, in percent.
_PROPORTIONS = {"a": 67.0, "b": 15.0, "c": 4.5, "d": 4.5, "e": 4.5, "f": 2.5, "g": 2.0}
_CONTEXT = 2048
_BATCH, _QUICK_BATCH = 2048, 256
_HOSTS = 64
_BATCHES = 4
_TOKENS, _QUICK_TOKENS = 64_000_000, 4_000_000
_VOCABULARY = 2_000
_STEPS = 20
_WAIT_GOAL = 0.01


def load(inputs: Inputs) -> Iterator[Result]:
    """Batches of 4 M tokens by the paper's mixture, of random ids; then the demo model's steps with their data."""
    from train.data import Mixture

    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder, contextlib.ExitStack() as opened:
        named = {}
        for name, tokens in _sources(inputs):
            write_source(Path(folder, name), tokens, vocab_size=_VOCABULARY)
            named[name] = opened.enter_context(TokenShards.open(os.path.join(folder, name)))
        rows = _QUICK_BATCH if inputs.quick else _BATCH
        mixture = Mixture.of(named, context=_CONTEXT, batch_size=rows, seed=0, weights=_PROPORTIONS)
        yield from _alone(mixture)
        yield _with_the_step(named)


def _sources(inputs: Inputs) -> Iterator[tuple[str, list[list[Any]]]]:
    rng, tokens = np.random.default_rng(0), _QUICK_TOKENS if inputs.quick else _TOKENS
    for name, percent in _PROPORTIONS.items():
        yield name, [[rng.integers(3, _VOCABULARY, int(tokens * percent / 400), np.uint16)] for _ in range(4)]


def _alone(mixture: Any) -> Iterator[Result]:
    """Each way to a batch, beside the plainest one."""
    largest = max((pool.sources[0] for pool in mixture.pools), key=lambda shards: shards.num_tokens)
    rows = mixture.batch_size
    starts = np.random.default_rng(0).integers(0, largest.num_tokens - _CONTEXT, rows)
    amount = _BATCHES * rows * _CONTEXT

    def batches() -> None:
        for step in range(_BATCHES):
            mixture.batch(step)

    def windows() -> None:
        for _ in range(_BATCHES):
            largest.windows(starts, _CONTEXT + 1).astype(np.int32)

    def result(name: str, ways: tuple[Callable[[], object], Callable[[], object]], **fields: Any) -> Result:
        return speed(f"train.data.{name}", amount, compare(*ways), unit="tokens/s", **fields)

    yield result(
        "batch",
        (batches, windows),
        against="windows of one source",
        detail=f"batches of {rows} sequences of {_CONTEXT} tokens",
    )
    against = "Mixture.batch"
    yield result("prefetch", (lambda: _prefetched(mixture), batches), against=against, detail="one device")
    yield result("grain", (lambda: _by_grain(mixture), batches), against=against, detail="reads by Grain's 16 threads")
    yield _of_a_host(mixture)


def _of_a_host(mixture: Any) -> Result:
    rows = max(1, mixture.batch_size // _HOSTS)
    index = np.arange(rows, dtype=np.int64)

    def slices() -> None:
        for step in range(_HOSTS):
            mixture.sequences(step * mixture.batch_size + index)

    pair = compare(slices, lambda: mixture.batch(0))
    detail = f"{rows} rows in {1e3 * pair.ours.seconds / _HOSTS:.2f} ms; ratio: {_HOSTS} slices beside a whole batch"
    amount = _HOSTS * rows * _CONTEXT
    return speed("train.data.host", amount, pair, unit="tokens/s", against="Mixture.batch", detail=detail)


def _prefetched(mixture: Any) -> None:
    import jax

    from train.prefetch import Prefetch

    everywhere = jax.sharding.NamedSharding(jax.make_mesh((1,), ("all",)), jax.sharding.PartitionSpec())
    with Prefetch(mixture, everywhere, first=0, last=_BATCHES) as batches:
        for batch in batches:
            batch.block_until_ready()


def _by_grain(mixture: Any) -> None:
    import grain

    from train.grain_source import Windows

    source = Windows(mixture, sequences=_BATCHES * mixture.batch_size)
    for _ in grain.MapDataset.source(source).batch(mixture.batch_size).to_iter_dataset():
        pass


def _with_the_step(named: dict[str, TokenShards]) -> Result:
    """Steps of the demo model on batches made ahead, beside the same steps on a batch that is there."""
    import jax

    from pipeline.settings import load_settings
    from train.beginning import first_state
    from train.config import TrainSettings
    from train.data import Mixture
    from train.prefetch import Prefetch
    from train.shards import with_vocabulary
    from train.step import lower_update, plan

    settings = load_settings(TrainSettings, _CONFIG, ["data=."])
    settings = settings.model_copy(update={"model": with_vocabulary(settings.model, _VOCABULARY)})
    mixture = Mixture.of(named, context=settings.model.context, batch_size=settings.batch, seed=0, weights=_PROPORTIONS)
    layout, how = plan(settings, jax.devices(), backend=jax.default_backend())
    resident = jax.device_put(mixture.batch(0), layout.batch())
    step = lower_update(settings, layout, how).compile()
    waits: list[float] = []

    def run(batches: Iterator[Any]) -> Spent:
        state = jax.block_until_ready(first_state(settings, layout))

        def steps() -> None:
            nonlocal state
            for batch in batches:
                state, metrics = step(state, batch)
                metrics.loss.block_until_ready()

        return measure(steps)

    def ahead() -> Spent:
        with Prefetch(mixture, layout.batch(), first=0, last=_STEPS + 1) as batches:
            next(batches)
            begun = batches.waited
            spent = run(batches)
        waits.append((batches.waited - begun) / spent.seconds)
        return spent

    turns = [(ahead(), run(iter([resident] * _STEPS))) for _ in range(RUNS + 1)][1:]
    return _waiting(pair_of(turns), float(np.median(waits[1:])), settings.batch * settings.model.context)


def _waiting(pair: Pair, waited: float, tokens: int) -> Result:
    return speed(
        "train.data.with_step",
        _STEPS * tokens,
        pair,
        unit="tokens/s",
        against="steps on one batch",
        goal=f"waits for < {_WAIT_GOAL:.0%} of its time",
        met=waited < _WAIT_GOAL,
        detail=f"the demo model's step waits for data during {waited:.3%} of its time",
    )
