"""The loss on documents that no training step has seen, source by source.

A source's held-out stream, BOS and EOS included, is cut as training windows are: ``context + 1`` tokens, ``context``
apart, documents running on across windows. So each token but the stream's first is predicted once, given up to
``context`` tokens before it and none before its window. The last window, which training leaves out where it is short,
is padded here: a source of fewer tokens than a window is measured too. ``held_out.tokens`` ends the stream early.

Nats per token: the mean over all predicted tokens, EOS and the BOS of each document but the first among them, which is
what training minimises. Bits per byte: the same sum of nats, in bits, over the UTF-8 bytes of text that the predicted
tokens stand for. So a document's end is paid for, as a code that is to be decoded must say where the document ends (the
BOS after it is certain, and costs next to nothing), but has no bytes; the first BOS is neither predicted nor text, and
where documents begin with it all of their text counts.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from tokenizer.lengths import text_lengths
from tokenizer.reader import TokenShards
from train.config import TrainSettings
from train.execution import Execution
from train.model import Params
from train.prefetch import place
from train.sharding import Layout
from train.step import window_scores

#: The name that all sources' tokens together go by.
ALL = "all"


class HeldOutLoss(NamedTuple):
    """How well tokens were predicted.

    Attributes:
        nats_per_token: Mean cross-entropy; not a number where nothing was predicted.
        bits_per_byte: The same per byte of text; not a number where the tokenizer is not known, or there is no text.
        tokens: Tokens predicted.
        bytes: UTF-8 bytes of text they stand for; 0 where the tokenizer is not known.
    """

    nats_per_token: float
    bits_per_byte: float
    tokens: int
    bytes: int


@dataclass(frozen=True)
class Stream:
    """The held-out tokens of a source.

    Attributes:
        shards: Where they lie.
        tokens: How many are predicted, those after the first.
        bytes: Of text they stand for.
        context: Tokens a window predicts.
    """

    shards: TokenShards
    tokens: int
    bytes: int
    context: int

    @property
    def num_windows(self) -> int:
        """Windows, the last of them perhaps not full."""
        return -(-self.tokens // self.context)

    def read(self, window: int) -> NDArray[np.int32]:
        """Read a window of up to ``context + 1`` tokens.

        Raises:
            ValueError: A token is not in the vocabulary that the manifest says.
        """
        start = window * self.context
        ids = self.shards.window(start, min(self.context, self.tokens - start) + 1)
        if (largest := int(ids.max())) >= (size := self.shards.manifest.vocab_size):
            raise ValueError(f"a held-out token shard holds id {largest}, its manifest says vocab_size={size}")
        return ids.astype(np.int32)


@dataclass(frozen=True)
class HeldOut:
    """Held-out documents, ready to be measured. Make one with :meth:`of`.

    Windows of all sources are scored in one row of batches, in order, the last batch filled up with windows of nothing;
    where they lie changes no figure but for the rounding of float32. Nats are summed in float64, here.

    Attributes:
        streams: The sources' tokens, by name.
        rows: Windows scored at a time, on all devices together.
        context: Tokens a window predicts.
        layout: Where they lie.
        score: Gives the nats of each token of a batch but the first of each row, on every device.
    """

    streams: Mapping[str, Stream]
    rows: int
    context: int
    layout: Layout
    score: Any

    @classmethod
    def of(
        cls,
        sources: Mapping[str, TokenShards],
        settings: TrainSettings,
        layout: Layout,
        how: Execution,
        *,
        byte_lengths: NDArray[np.int64] | None,
    ) -> "HeldOut":
        """Prepare to measure.

        Args:
            sources: The opened held-out shards, by name.
            settings: The run's; the vocabulary must be known. As many rows are scored at a time as a step computes.
            layout: Where arrays lie.
            how: The kernels of the run.
            byte_lengths: UTF-8 bytes of text that each id stands for (:func:`tokenizer.lengths.byte_lengths`); ``None``
                where the tokenizer is not at hand.

        Raises:
            ValueError: Shards hold ids that the model or ``byte_lengths`` does not know.
        """
        limits = {"the model": settings.model.vocab_size or 0}
        if byte_lengths is not None:
            limits["the tokenizer"] = len(byte_lengths)
        for name, shards in sources.items():
            _check(name, shards.manifest.vocab_size, limits)
        streams = {name: _stream(shards, settings, byte_lengths) for name, shards in sources.items()}
        rows = settings.batch // settings.accumulate
        return cls(streams, rows, settings.model.context, layout, _jit_score(settings, layout, how))

    def measure(self, params: Params) -> dict[str, HeldOutLoss]:
        """Measure each source, and all their tokens together as ``all``.

        Args:
            params: The weights, laid out as in training. With several processes all of them call this, and all get the
                figures.
        """
        windows = [(name, window) for name, stream in self.streams.items() for window in range(stream.num_windows)]
        nats = dict.fromkeys(self.streams, 0.0)
        for first in range(0, len(windows), self.rows):
            chunk = windows[first : first + self.rows]
            scored = np.asarray(self.score(params, self._batch(chunk)))
            for (name, window), row in zip(chunk, scored, strict=False):
                predicted = self.streams[name].tokens - window * self.context
                nats[name] += float(row[:predicted].sum(dtype=np.float64))
        losses = {name: _loss(nats[name], stream.tokens, stream.bytes) for name, stream in self.streams.items()}
        tokens = sum(stream.tokens for stream in self.streams.values())
        return losses | {ALL: _loss(sum(nats.values()), tokens, sum(each.bytes for each in self.streams.values()))}

    def _batch(self, windows: list[tuple[str, int]]) -> jax.Array:
        """Lay windows over the devices; a process reads those of its own."""

        def rows(numbers: NDArray[np.int64]) -> NDArray[np.int32]:
            read = np.zeros((len(numbers), self.context + 1), np.int32)
            for row, number in zip(read, numbers.tolist(), strict=True):
                if number < len(windows):
                    name, window = windows[number]
                    ids = self.streams[name].read(window)
                    row[: len(ids)] = ids
            return read

        return place(rows, 0, self.rows, self.context + 1, self.layout.batch())


def _check(name: str, vocab_size: int, limits: Mapping[str, int]) -> None:
    if name == ALL:
        raise ValueError(f"held_out: a source may not be named {ALL}, which stands for all sources together")
    for what, size in limits.items():
        if vocab_size > size:
            raise ValueError(f"held_out: the shards of {name} have a vocabulary of {vocab_size}, {what} one of {size}")


def _stream(shards: TokenShards, settings: TrainSettings, byte_lengths: NDArray[np.int64] | None) -> Stream:
    tokens = max(0, shards.num_tokens - 1)
    if settings.held_out is not None and settings.held_out.tokens is not None:
        tokens = min(tokens, settings.held_out.tokens)
    text = 0 if byte_lengths is None else _text_bytes(shards, tokens, byte_lengths)
    return Stream(shards, tokens, text, settings.model.context)


def _text_bytes(shards: TokenShards, tokens: int, byte_lengths: NDArray[np.int64]) -> int:
    """Count the bytes of text of tokens 1 to ``tokens`` of a stream."""
    position = total = 0
    for number in range(shards.num_documents):
        if position > tokens:
            break
        lengths = text_lengths(shards.document(number), byte_lengths)
        total += int(lengths[max(0, 1 - position) : tokens + 1 - position].sum())
        position += len(lengths)
    return total


def _loss(nats: float, tokens: int, text: int) -> HeldOutLoss:
    nan = float("nan")
    return HeldOutLoss(nats / tokens if tokens else nan, nats / np.log(2).item() / text if text else nan, tokens, text)


def _jit_score(settings: TrainSettings, layout: Layout, how: Execution) -> Any:
    def score(params: Params, windows: Int[Array, "B W"]) -> Float[Array, "B T"]:
        chosen, normalizer = window_scores(params, windows, settings, how)
        return normalizer - chosen

    return jax.jit(score, in_shardings=(layout.params(), layout.batch()), out_shardings=layout.whole())
