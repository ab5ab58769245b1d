"""Which tokens a training step sees: a pure function of the step number, the seed and the settings.

A source's token stream is cut into windows of ``context + 1`` tokens, ``context`` apart, so that each token but the
first is a target once (a remainder shorter than a window is left out); documents run on across windows, as LLaMA was
trained, without a document mask. Sequence ``i`` of the run (``step * batch + row``) is drawn in O(1), so a run resumes
at any step, on any number of hosts, without a position file.

Without weights all windows of all sources form one population: each is seen exactly once per epoch, in an order drawn
afresh every epoch. With weights, each block of sequences holds a fixed number of every source, in an order drawn per
block, and a source starts its next epoch, in another order, when its own windows are used up: the paper's mixture,
whose epochs differ by source (Touvron et al., 2023, table 1). A block is 1,000 sequences, which holds the paper's
proportions exactly; finer ones get a longer block (:func:`tokenizer.mixture.share_out`). This is rule 1 of drawing
(:data:`tokenizer.mixture.DRAWING`): whoever changes which window is drawn when gives it another number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tokenizer.mixture import share_out
from train.permutation import permute


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
        shares: Sequences of each pool in a block, whose length is their sum.
        batch_size: Sequences per step.
        seed: Keys every order.
    """

    pools: tuple[Pool, ...]
    shares: tuple[int, ...]
    batch_size: int
    seed: int

    @property
    def context(self) -> int:
        """Tokens a sequence predicts; it has one more."""
        return self.pools[0].context

    @property
    def block(self) -> int:
        """Sequences in which every pool has its share exactly."""
        return sum(self.shares)

    @classmethod
    def of(
        cls,
        named: Mapping[str, TokenSource],
        *,
        context: int,
        batch_size: int,
        seed: int,
        weights: Mapping[str, float] | None = None,
        shares: Mapping[str, int] | None = None,
    ) -> "Mixture":
        """Mix ``named`` sources by ``weights``, or by their numbers of windows where there are none.

        Args:
            named: The sources.
            context: Tokens a window predicts.
            batch_size: Sequences per step.
            seed: Keys every order.
            weights: Proportion of each source in any unit, for only the sources named.
            shares: Sequences of each source in a block, as a plan has them, in place of weights.

        Raises:
            ValueError: No source, a source too short for one window, one without tokens, or of another tokenizer than
                the others; a weight too small for a block.
        """
        _check_one_tokenizer(named)
        if shares is None and weights is not None:
            _, shares = share_out(weights)
        if shares is None or len(shares) == 1:
            chosen = named if shares is None else {name: named[name] for name in shares}
            return cls((Pool.over(chosen, context=context),), (1,), batch_size, seed)
        names = sorted(shares)
        pools = tuple(Pool.over({name: named[name]}, context=context) for name in names)
        return cls(pools, tuple(shares[name] for name in names), batch_size, seed)

    def batch(self, step: int) -> NDArray[np.int32]:
        """Return the windows of a step, the first being step 0: ``batch_size`` rows of ``context + 1`` tokens."""
        first = step * self.batch_size
        return self.sequences(np.arange(first, first + self.batch_size, dtype=np.int64))

    def sequences(self, index: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return sequences of the run by number, one per row; hosts that share a step ask for their rows alone."""
        pool, ordinal = self.assign(index)
        rows = np.empty((len(index), self.context + 1), np.int32)
        for number in np.unique(pool):
            rows[pool == number] = self.pools[number].draw(ordinal[pool == number], seed=self.seed)
        return rows

    def assign(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Decide which pool each sequence of the run comes from, and which draw of that pool it is.

        Over a block, a pool's draws are ``share`` consecutive numbers, each taken once.
        """
        if len(self.pools) == 1:
            return np.zeros_like(index), index
        block, position = np.divmod(index, self.block)
        slot = np.empty_like(position)
        for number in np.unique(block):
            key = f"block/{self.seed}/{number}"
            slot[block == number] = permute(position[block == number], self.block, key=key)
        ends = np.cumsum(self.shares)
        pool = np.searchsorted(ends, slot, side="right")
        shares = np.asarray(self.shares)
        return pool, block * shares[pool] + slot - (ends - shares)[pool]


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
