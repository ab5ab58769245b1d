"""Which tokens a training step sees: a pure function of the step number, the seed and the settings.

A source's token stream is cut into windows of ``context + 1`` tokens, ``context`` apart, so that each token but the
first is a target once (a remainder shorter than a window is left out); documents run on across windows, as LLaMA was
trained, without a document mask. Sequence ``i`` of the run (``step * batch + row``) is drawn in O(1), so a run resumes
at any step, on any number of hosts, without a position file.

Without weights all windows of all sources form one population: each is seen exactly once per epoch, in an order drawn
afresh every epoch. With weights, each block of 1,000 sequences holds a fixed number of every source, in an order drawn
per block, and a source starts its next epoch when its own windows are used up: the paper's mixture, whose epochs differ
by source (Touvron et al., 2023, table 1, with proportions in thousandths). Shares are therefore exact to 1/1000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.permutation import permute

BLOCK = 1000
"""Sequences in which every source of a weighted mixture holds its share exactly."""


class Origin(Protocol):
    """What the manifest of a folder of token shards says of its ids."""

    @property
    def vocab_size(self) -> int:
        """Ids lie below this."""

    @property
    def tokenizer_sha256(self) -> str:
        """Hash of the tokenizer model that made the ids."""


class TokenSource(Protocol):
    """What is asked of a folder of token shards; :class:`tokenizer.reader.TokenShards` is one."""

    @property
    def num_tokens(self) -> int:
        """Length of the token stream, BOS and EOS included."""

    @property
    def manifest(self) -> Origin:
        """Vocabulary and tokenizer of the ids."""

    def windows(self, starts: NDArray[np.int64], length: int) -> NDArray[np.unsignedinteger]:
        """Tokens ``start`` to ``start + length`` for each start, as one row each."""


@dataclass(frozen=True)
class Pool:
    """Sources whose windows are drawn as one population, each once per epoch.

    Attributes:
        name: Keys the order of the windows.
        sources: Token streams; no window crosses from one into the next.
        ends: Running total of windows after each source.
        context: Tokens a window predicts.
    """

    name: str
    sources: tuple[TokenSource, ...]
    ends: NDArray[np.int64]
    context: int

    @classmethod
    def over(cls, named: Mapping[str, TokenSource], *, context: int) -> "Pool":
        """Pool the sources of ``named``.

        Raises:
            ValueError: A source has too few tokens for one window.
        """
        names = sorted(named)
        counts = [_count_windows(name, named[name], context) for name in names]
        return cls("+".join(names), tuple(named[name] for name in names), np.cumsum(counts, dtype=np.int64), context)

    @property
    def num_windows(self) -> int:
        """Windows in one epoch."""
        return int(self.ends[-1])

    def draw(self, ordinal: NDArray[np.int64], *, seed: int) -> NDArray[np.int32]:
        """Return the windows drawn ``ordinal``-th from this pool, one per row of ``context + 1`` tokens."""
        epoch, position = np.divmod(ordinal, self.num_windows)
        window = np.empty_like(position)
        for number in np.unique(epoch):
            key = f"window/{self.name}/{seed}/{number}"
            window[epoch == number] = permute(position[epoch == number], self.num_windows, key=key)
        return self._read(window)

    def _read(self, window: NDArray[np.int64]) -> NDArray[np.int32]:
        rows = np.empty((len(window), self.context + 1), np.int32)
        owner = np.searchsorted(self.ends, window, side="right")
        for number in np.unique(owner):
            source, first = self.sources[number], self.ends[number - 1] if number else 0
            starts = (window[owner == number] - first) * self.context
            rows[owner == number] = _known(source.windows(starts, self.context + 1), source.manifest.vocab_size)
        return rows


@dataclass(frozen=True)
class Mixture:
    """The sequences of a training run.

    Attributes:
        pools: What is drawn from.
        shares: Sequences of each pool in a block of 1,000.
        batch_size: Sequences per step.
        seed: Keys every order.
    """

    pools: tuple[Pool, ...]
    shares: tuple[int, ...]
    batch_size: int
    seed: int

    @classmethod
    def of(
        cls,
        named: Mapping[str, TokenSource],
        *,
        context: int,
        batch_size: int,
        seed: int,
        weights: Mapping[str, float] | None = None,
    ) -> "Mixture":
        """Mix ``named`` sources by ``weights``, or by their numbers of windows where there are none.

        Raises:
            ValueError: No source, a source too short for one window, one without tokens, or of another tokenizer than
                the others; a weight too small for one sequence in 1,000.
        """
        _check_one_tokenizer(named)
        if weights is None or len(weights) == 1:
            chosen = named if weights is None else {name: named[name] for name in weights}
            return cls((Pool.over(chosen, context=context),), (BLOCK,), batch_size, seed)
        shares = apportion(weights)
        names = sorted(weights)
        pools = tuple(Pool.over({name: named[name]}, context=context) for name in names)
        return cls(pools, tuple(shares[name] for name in names), batch_size, seed)

    def batch(self, step: int) -> NDArray[np.int32]:
        """Return the windows of a step, the first being step 0: ``batch_size`` rows of ``context + 1`` tokens."""
        first = step * self.batch_size
        return self.sequences(np.arange(first, first + self.batch_size, dtype=np.int64))

    def sequences(self, index: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return sequences of the run by number, one per row; hosts that share a step ask for their rows alone."""
        pool, ordinal = self.assign(index)
        rows = np.empty((len(index), self.pools[0].context + 1), np.int32)
        for number in np.unique(pool):
            rows[pool == number] = self.pools[number].draw(ordinal[pool == number], seed=self.seed)
        return rows

    def assign(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Decide which pool each sequence of the run comes from, and which draw of that pool it is.

        Over a block of 1,000 sequences, a pool's draws are ``share`` consecutive numbers, each taken once.
        """
        if len(self.pools) == 1:
            return np.zeros_like(index), index
        block, position = np.divmod(index, BLOCK)
        slot = np.empty_like(position)
        for number in np.unique(block):
            key = f"block/{self.seed}/{number}"
            slot[block == number] = permute(position[block == number], BLOCK, key=key)
        ends = np.cumsum(self.shares)
        pool = np.searchsorted(ends, slot, side="right")
        shares = np.asarray(self.shares)
        return pool, block * shares[pool] + slot - (ends - shares)[pool]


def apportion(weights: Mapping[str, float], total: int = BLOCK) -> dict[str, int]:
    """Split ``total`` by ``weights`` into whole numbers, the leftovers going to the largest remainders.

    Raises:
        ValueError: A weight is too small to be given one.

    >>> apportion({"crawl": 0.67, "c4": 0.15, "github": 0.045, "other": 0.135})
    {'crawl': 670, 'c4': 150, 'github': 45, 'other': 135}
    """
    exact = {name: total * weight / sum(weights.values()) for name, weight in weights.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    starved = [name for name, share in shares.items() if share == 0]
    if starved:
        raise ValueError(
            f"sources.{starved[0]} must be at least 1/{total} of all weights, got {weights[starved[0]]} of "
            f"{sum(weights.values())}"
        )
    return shares


def _count_windows(name: str, source: TokenSource, context: int) -> int:
    if source.num_tokens <= context:
        raise ValueError(
            f"source {name} holds {source.num_tokens} tokens, one window of model.context={context} takes {context + 1}"
        )
    return (source.num_tokens - 1) // context


def _check_one_tokenizer(named: Mapping[str, TokenSource]) -> None:
    if not named:
        raise ValueError("no source of tokens is given")
    (first, reference), *others = named.items()
    expected = reference.manifest.tokenizer_sha256
    for name, source in others:
        if (found := source.manifest.tokenizer_sha256) != expected:
            raise ValueError(
                f"sources {first} and {name} were made by different tokenizers: {expected[:12]} and {found[:12]}"
            )


def _known(tokens: NDArray[np.unsignedinteger], vocab_size: int) -> NDArray[np.int32]:
    """Refuse ids the model has no row for; JAX would clamp them without a word."""
    if (largest := int(tokens.max())) >= vocab_size:
        raise ValueError(f"a token shard holds id {largest}, its manifest says vocab_size={vocab_size}")
    return tokens.astype(np.int32)
