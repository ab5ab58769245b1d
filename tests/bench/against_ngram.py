"""The demo's model beside n-gram models of the same tokens: bits per byte of the documents that its run holds out.

The n-gram models are KenLM's (Heafield et al., 2013; modified Kneser-Ney smoothing, Chen & Goodman, 1998), of token ids
as words. Each gets what serves it best: documents as sentences, whose ``<s>`` and ``</s>`` are BOS and EOS, so that no
n-gram crosses from one document to the next and BOS costs nothing; all of a sentence before a token as context; every
token of every source, where the model sees what the mixture draws; and the probability of its unknown word for each
token that no training document has, though that is one of many. The model predicts the BOS of each document but the
first of a source, too, and has no context at the start of a window. Both divide by the same bytes.
"""

import contextlib
import io
import math
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from filters.kenlm_tools import find_kenlm_tools, load_kenlm
from pipeline.launch import launch
from pipeline.settings import load_settings
from tests.bench.inputs import Inputs
from tests.bench.report import Result
from tests.bench.timing import Spent, measure
from tokenizer.encoding import Ids
from tokenizer.lengths import byte_lengths, text_lengths
from tokenizer.reader import TokenShards

_RUN_CONFIG = os.path.join("configs", "demo.yaml")
_TRAIN_CONFIG = os.path.join("configs", "train", "demo.yaml")
_QUICK_STEPS = 60
_ALL = "all"

#: Documents of each source.
Documents = Mapping[str, list[Ids]]


def compare(inputs: Inputs) -> Iterator[Result]:
    """Run the demo, train its model, a 3-gram and a 5-gram on its token shards, and measure all three."""
    run = os.path.join(inputs.folder, "demo")
    with contextlib.redirect_stdout(io.StringIO()):
        launch(_RUN_CONFIG, output=run, console=Console(quiet=True))
    model, spent, detail = _model(run, quick=inputs.quick)
    training, held_out = _documents(run, "tokens"), _documents(run, "held_out")
    text = _text_bytes(run, held_out)
    bits, seconds = {}, {}
    for order in (3, 5):
        path = os.path.join(inputs.folder, f"{order}.arpa")
        seconds[order] = measure(lambda order=order, path=path: _train_ngram(training, order, path)).seconds  # type: ignore[misc]
        bits[order] = _ngram_bits(path, held_out, text)
    for source, value in model.items():
        three, five = bits[3][source], bits[5][source]
        goal: dict[str, Any] = {}
        if source == _ALL and not inputs.quick:
            goal = {"goal": "below the 3-gram and the 5-gram", "met": value < min(three, five)}
        against = f"5-gram {five:.3f}, 3-gram {three:.3f}"
        yield Result(f"train.ngram.{source}", value, "bits/byte", against=against, ratio=five / value, **goal)
    against = ", ".join(f"{order}-gram {each:.1f} s" for order, each in seconds.items())
    yield Result("train.ngram.seconds", spent.seconds, "s", against=against, cpu_value=spent.cpu_seconds, detail=detail)


def _model(run: str, *, quick: bool) -> tuple[dict[str, float], Spent, str]:
    """Train the model; give its bits per byte by source, what the steps took and what else there is to say."""
    from train.config import TrainSettings
    from train.model import parameter_count

    changes = [f"data={run}", *([f"steps={_QUICK_STEPS}"] if quick else [])]
    settings = load_settings(TrainSettings, _TRAIN_CONFIG, changes)
    losses, settings, spent = _trained(settings)
    tokens = settings.steps * settings.batch * settings.model.context
    detail = f"{parameter_count(settings.model):,} parameters, {tokens:,} tokens in {settings.steps} steps"
    return {name: loss.bits_per_byte for name, loss in losses.items()}, spent, detail


def _trained(settings: Any) -> tuple[Any, Any, Spent]:
    """Take all steps, and measure what comes out of them."""
    import jax

    from train.data import Mixture
    from train.held_out import HeldOut
    from train.shards import open_drawing, open_held_out, with_vocabulary
    from train.step import initial_state, jit_update, plan, state_layout

    drawing = open_drawing(settings.data, settings.sources, seed=settings.seed)
    vocabulary = next(iter(drawing.sources.values())).manifest.vocab_size
    settings = settings.model_copy(update={"model": with_vocabulary(settings.model, vocabulary)})
    mixture = Mixture.of(
        drawing.sources,
        context=settings.model.context,
        batch_size=settings.batch,
        seed=drawing.seed,
        weights=drawing.weights,
        shares=drawing.shares,
    )
    layout, how = plan(settings, jax.devices(), backend=jax.default_backend())
    state = jax.jit(lambda: initial_state(settings), out_shardings=state_layout(settings, layout))()
    step = jit_update(settings, layout, how).lower(state, mixture.batch(0)).compile()

    def take_steps() -> None:
        nonlocal state
        for number in range(settings.steps):
            state, _ = step(state, mixture.batch(number))
        jax.block_until_ready(state)

    spent = measure(take_steps)
    held_out = HeldOut.of(
        open_held_out(settings.data), settings, layout, how, byte_lengths=_byte_lengths(settings.data)
    )
    return held_out.measure(state.params), settings, spent


def _byte_lengths(run: str) -> Any:
    with open(os.path.join(run, "tokenizer", "tokenizer.model"), "rb") as file:
        return byte_lengths(file.read())


def _documents(run: str, kind: str) -> Documents:
    found = {}
    for source in sorted(os.listdir(os.path.join(run, kind))):
        if os.path.isdir(folder := os.path.join(run, kind, source)):
            with TokenShards.open(folder) as shards:
                found[source] = [shards.document(number).copy() for number in range(shards.num_documents)]
    return found


def _text_bytes(run: str, documents: Documents) -> dict[str, int]:
    lengths = _byte_lengths(run)
    return {name: sum(int(text_lengths(each, lengths).sum()) for each in those) for name, those in documents.items()}


def _sentence(document: Ids) -> list[str]:
    """A document as KenLM reads one: BOS and EOS are its own words."""
    return [str(number) for number in document[1:-1]]


def _train_ngram(documents: Documents, order: int, path: str) -> None:
    """Estimate a model; where a source is so regular that no discount can be estimated, KenLM takes its fallback."""
    sentences = "".join(" ".join(_sentence(each)) + "\n" for those in documents.values() for each in those)
    command = [find_kenlm_tools().lmplz, "-o", str(order), "-S", "1G", "-T", os.path.dirname(path), "--arpa", path]
    subprocess.run([*command, "--discount_fallback"], input=sentences.encode(), capture_output=True, check=True)


def _ngram_bits(path: str, documents: Documents, text: Mapping[str, int]) -> dict[str, float]:
    """Bits per byte of each source's documents, the end of each one included, and of all together."""
    model = load_kenlm().Model(path)
    bits = {
        name: -sum(model.score(" ".join(_sentence(each)), bos=True, eos=True) for each in those) / math.log10(2)
        for name, those in documents.items()
    }
    by_source = {name: bits[name] / text[name] for name in bits}
    return by_source | {_ALL: sum(bits.values()) / sum(text.values())}
