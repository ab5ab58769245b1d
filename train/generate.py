"""Write text with a model: greedy, by temperature, or from the nucleus (Holtzman et al., 2020, section 3.1).

A batch is compiled twice, for its prompts and for one step; lengths are rounded up so that few shapes occur. What is
drawn for a prompt follows from the seed, the prompt's number and the step alone.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from train.cache import Cache, empty_cache, extend, score
from train.loading import LoadedModel
from train.model import ModelSettings, Params

#: Lengths of prompts and caches are multiples of this.
ROUNDED_TO = 32


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        max_tokens: Most tokens written after a prompt.
        temperature: Scores are divided by it; 0 takes the best token always.
        top_p: Draw from the fewest tokens that hold this much of the probability; 1 draws from all.
        seed: Of the draws.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is out of its range.
        """
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be a number of at least 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")


def complete_texts(model: LoadedModel, prompts: Sequence[str], sampling: Sampling) -> list[str]:
    """Continue each prompt, after a BOS, up to its EOS; the texts come without their prompts."""
    encoded = [ids.tolist() for ids in model.encoder.encode_documents(prompts, bos=True, eos=False)]
    texts = []
    for prompt, written in zip(encoded, complete(model, encoded, sampling), strict=True):
        # The first space of a text alone would be taken for the one that SentencePiece leads in.
        texts.append(model.encoder.decode(prompt + written)[len(model.encoder.decode(prompt)) :])
    return texts


def complete(
    model: LoadedModel,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    stop: Callable[[int, list[int]], bool] = lambda _number, _written: False,
    compute_dtype: jnp.dtype | None = None,
) -> list[list[int]]:
    """Continue each prompt, all of them as one batch.

    Args:
        model: The model.
        prompts: Token ids, BOS included, at least one each.
        sampling: How to choose.
        stop: Called with a prompt's number and what was written after it; true ends it there.
        compute_dtype: Of matrix products; the type of the model's matrices by default.

    Returns:
        The ids after each prompt, without the EOS that ended it. The rotary positions know no limit, so nothing keeps
        a text from growing past the context the model was trained with.

    Raises:
        ValueError: A prompt is empty.
    """
    if not all(prompts):
        raise ValueError(f"prompt {[bool(prompt) for prompt in prompts].index(False)} holds no token, not even BOS")
    written: list[list[int]] = [[] for _ in prompts]
    active = set(range(len(prompts)))
    writer = _Writer(model, prompts, sampling, compute_dtype or model.params.embedding.dtype)
    while active:
        tokens = writer.next_tokens()
        for number in sorted(active):
            if tokens[number] == model.encoder.eos_id:
                active.discard(number)
                continue
            written[number].append(int(tokens[number]))
            if len(written[number]) == sampling.max_tokens or stop(number, written[number]):
                active.discard(number)
    return written


class _Writer:
    """A batch under way: the cache, and the scores of the token to come."""

    def __init__(
        self, model: LoadedModel, prompts: Sequence[Sequence[int]], sampling: Sampling, dtype: jnp.dtype
    ) -> None:
        """Read the prompts."""
        self._model, self._sampling, self._dtype = model, sampling, dtype
        self._lengths = np.array([len(prompt) for prompt in prompts], np.int32)
        longest = _rounded(int(self._lengths.max()))
        rows = np.zeros((len(prompts), longest), np.int32)
        for row, prompt in zip(rows, prompts, strict=True):
            row[: len(prompt)] = prompt
        room = _rounded(longest + sampling.max_tokens)
        cache = empty_cache(model.settings, batch=len(prompts), length=room, dtype=dtype)
        self._scores, self._cache = _read(model.params, rows, self._lengths, cache, model.settings, compute_dtype=dtype)
        self._written = 0

    def next_tokens(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Choose a token for every row, and score the one after it."""
        sampling = self._sampling
        tokens = choose(
            self._scores[:, : self._model.encoder.vocab_size],
            jax.random.fold_in(jax.random.key(sampling.seed), self._written),
            sampling.temperature,
            sampling.top_p,
            greedy=sampling.temperature == 0,
        )
        self._written += 1
        if self._written < sampling.max_tokens:
            at = self._lengths + np.int32(self._written - 1)
            self._scores, self._cache = _step(
                self._model.params, tokens, at, self._cache, self._model.settings, compute_dtype=self._dtype
            )
        return np.asarray(tokens)


@partial(jax.jit, static_argnames="greedy")
def choose(
    scores: Float[Array, "B V"], key: Key[Array, ""], temperature: float, top_p: float, *, greedy: bool
) -> Int[Array, " B"]:
    """Choose a token from each row's scores; a row's draw follows from the key and its number alone."""
    if greedy:
        return jnp.argmax(scores, axis=-1).astype(jnp.int32)
    scores = scores / temperature
    scores = jnp.where(nucleus(scores, top_p), scores, -jnp.inf)
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(len(scores)))
    return jax.vmap(jax.random.categorical)(keys, scores).astype(jnp.int32)


def nucleus(scores: Float[Array, "B V"], top_p: float) -> Bool[Array, "B V"]:
    """Mark the fewest tokens that hold ``top_p`` of a row's probability, the likeliest first; never none."""
    order = jnp.argsort(scores, axis=-1, descending=True)
    ranked = jax.nn.softmax(jnp.take_along_axis(scores, order, axis=-1), axis=-1)
    before = jnp.cumsum(ranked, axis=-1) - ranked
    # Rounding can bring the sum to 1 before the last token.
    marked = (before < top_p) | jnp.asarray(top_p >= 1)
    return jnp.take_along_axis(marked, jnp.argsort(order, axis=-1), axis=-1)


@partial(jax.jit, static_argnames=("settings", "compute_dtype"), donate_argnames="cache")
def _read(
    params: Params,
    tokens: Int[Array, "B T"],
    lengths: Int[Array, " B"],
    cache: Cache,
    settings: ModelSettings,
    *,
    compute_dtype: jnp.dtype,
) -> tuple[Float[Array, "B V"], Cache]:
    """Read the prompts and score the token after each."""
    x, cache = extend(params, tokens, jnp.zeros_like(lengths), cache, settings, compute_dtype=compute_dtype)
    last = jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)[:, 0]
    return score(params, last), cache


@partial(jax.jit, static_argnames=("settings", "compute_dtype"), donate_argnames="cache")
def _step(
    params: Params,
    tokens: Int[Array, " B"],
    at: Int[Array, " B"],
    cache: Cache,
    settings: ModelSettings,
    *,
    compute_dtype: jnp.dtype,
) -> tuple[Float[Array, "B V"], Cache]:
    """Read one token of each row, at its own position, and score the token after it."""
    x, cache = extend(params, tokens[:, None], at, cache, settings, compute_dtype=compute_dtype)
    return score(params, x[:, 0]), cache


def _rounded(length: int) -> int:
    return -(-length // ROUNDED_TO) * ROUNDED_TO
