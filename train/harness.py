"""Our model as lm-evaluation-harness asks for one (Gao et al., 2021).

Every text begins with BOS, as every document did in training; where a text is cut to the context, BOS stays. A text
that is scored whole (``loglikelihood_rolling``) is scored given BOS, which is not scored itself. Batches are padded to
a few lengths, powers of two up to the context, so that a whole evaluation compiles a handful of programs.
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from train.generate import Sampling, complete
from train.loading import LoadedModel
from train.model import ModelSettings, Params, logits

MIN_LENGTH = 32
_DEFAULT_MAX_TOKENS = 256

#: Log-likelihood of a continuation in nats, and whether greedy writing would give it.
Score = tuple[float, bool]
#: What is scored, as texts (for the cache of the harness, or nothing), context ids, continuation ids.
Request = tuple[Any, list[int], list[int]]


class HarnessModel(TemplateLM):  # type: ignore[misc]  # lm_eval ships no types
    """A loaded model behind the harness's interface.

    Attributes:
        truncated: Requests whose context was cut from the left to fit the model's.
    """

    def __init__(self, model: LoadedModel, *, batch_size: int = 8, seed: int = 0) -> None:
        """Take a model.

        Args:
            model: The model.
            batch_size: Sequences scored or written at once.
            seed: Of the draws, for tasks that sample.
        """
        super().__init__()
        self.model = model
        self.batch_size = batch_size
        self.max_length = model.settings.context
        self.truncated = 0
        self._seed = seed

    @property
    def eot_token_id(self) -> int:
        """The id that ends a text."""
        return self.model.encoder.eos_id

    @property
    def prefix_token_id(self) -> int:
        """The id that a text without context is scored given."""
        return self.model.encoder.bos_id

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:  # noqa: FBT001 -- the harness's signature
        """Encode a text, after a BOS unless that is refused."""
        return self._encode(string, bos=add_special_tokens is not False)

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:  # noqa: ARG002, FBT001, FBT002 -- the same
        """Score whole texts, each token once, in windows of the model's context."""
        windows, owners = [], []
        for owner, request in enumerate(requests):
            (text,) = request.args
            for window in get_rolling_token_windows(
                token_list=self._encode(text, bos=False),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            ):
                windows.append((None, *make_disjoint_window(window)))
                owners.append(owner)
        totals = [0.0] * len(requests)
        for owner, (score, _) in zip(owners, self._loglikelihood_tokens(windows), strict=True):
            totals[owner] += score
        return totals

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:  # noqa: ARG002, FBT001, FBT002 -- the same
        """Continue texts up to the first of their stop sequences, the EOS or the task's limit."""
        groups: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(json.dumps(request.args[1], sort_keys=True, default=str), []).append(number)
        texts = [""] * len(requests)
        for numbers in groups.values():
            wishes = normalize_gen_kwargs(requests[numbers[0]].args[1], _DEFAULT_MAX_TOKENS)
            prompts = {number: self._prompt(requests[number].args[0], wishes["max_gen_toks"]) for number in numbers}
            ordered = sorted(numbers, key=lambda number, prompts=prompts: -len(prompts[number]))  # type: ignore[misc]
            for chunk in _chunks(ordered, self.batch_size):
                for number, text in zip(chunk, self._write([prompts[number] for number in chunk], wishes), strict=True):
                    texts[number] = text
        return texts

    def _loglikelihood_tokens(self, requests: Sequence[Request], **_: Any) -> list[Score]:
        """Score continuations given their contexts, the longest first."""
        windows = [self._window(context, continuation) for _, context, continuation in requests]
        scores: list[Score] = [(0.0, True)] * len(requests)
        ordered = sorted(range(len(requests)), key=lambda number: -len(windows[number]))
        for chunk in _chunks(ordered, self.batch_size):
            likelihood, best = self._run([windows[number] for number in chunk])
            for row, number in enumerate(chunk):
                end = len(windows[number]) - 1
                part = slice(end - len(requests[number][2]), end)
                scores[number] = float(likelihood[row, part].sum(dtype=np.float64)), bool(best[row, part].all())
        return scores

    def _run(self, windows: list[list[int]]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Score each token of each window but its first, in one batch of a length that occurs often."""
        rows = np.zeros((self.batch_size, self._length_for(len(windows[0]) - 1) + 1), np.int32)
        for row, window in zip(rows, windows, strict=False):
            row[: len(window)] = window
        params, settings, _ = self.model
        likelihood, best = score_tokens(params, rows, settings, compute_dtype=params.embedding.dtype)
        return np.asarray(likelihood), np.asarray(best)

    def _window(self, context: list[int], continuation: list[int]) -> list[int]:
        """Join both, cut from the left to the model's context and one token more, but for BOS.

        Raises:
            ValueError: The continuation alone is longer than the context of the model.
        """
        if len(continuation) > self.max_length:
            raise ValueError(f"a continuation of {len(continuation)} tokens exceeds the context of {self.max_length}")
        return self._cut(context + continuation, self.max_length + 1)

    def _prompt(self, text: str, max_tokens: int) -> list[int]:
        if max_tokens >= self.max_length:
            raise ValueError(f"the task writes up to {max_tokens} tokens, the model's context is {self.max_length}")
        return self._cut(self._encode(text, bos=True), self.max_length - max_tokens)

    def _cut(self, ids: list[int], length: int) -> list[int]:
        """Keep the last ``length`` ids, the first of them made BOS."""
        if len(ids) <= length:
            return ids
        self.truncated += 1
        return [self.prefix_token_id, *ids[len(ids) - length + 1 :]]

    def _write(self, prompts: list[list[int]], wishes: Any) -> list[str]:
        """Continue prompts, as one batch of the usual size."""
        until = handle_stop_sequences(wishes["until"], eos=None)
        decode = self.model.encoder.decode
        sampling = Sampling(
            max_tokens=wishes["max_gen_toks"],
            temperature=float(wishes.get("temperature") or 0.0),
            top_p=float(wishes.get("top_p") or 1.0),
            seed=self._seed,
        )
        padding = [[self.prefix_token_id]] * (self.batch_size - len(prompts))
        written = complete(
            self.model,
            prompts + padding,
            sampling,
            stop=lambda number, ids: number >= len(prompts) or any(term and term in decode(ids) for term in until),
        )
        return [postprocess_generated_text(decode(ids), until, None) for ids in written[: len(prompts)]]

    def _encode(self, text: str, *, bos: bool) -> list[int]:
        (ids,) = self.model.encoder.encode_documents([text], bos=bos, eos=False)
        return [int(number) for number in ids]

    def _length_for(self, tokens: int) -> int:
        """Round up to a power of two, at most the context."""
        return min(self.max_length, max(MIN_LENGTH, 1 << (tokens - 1).bit_length()))


@partial(jax.jit, static_argnames=("settings", "compute_dtype"))
def score_tokens(
    params: Params, windows: Int[Array, "B W"], settings: ModelSettings, *, compute_dtype: jnp.dtype
) -> tuple[Float[Array, "B T"], Bool[Array, "B T"]]:
    """Score each token given those before it; W = T + 1.

    Returns:
        Log-likelihoods in nats, and whether the token is the best one.
    """
    scores = logits(params, windows[:, :-1], settings, compute_dtype=compute_dtype)
    targets = windows[:, 1:]
    chosen = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
    return chosen - jax.nn.logsumexp(scores, axis=-1), jnp.argmax(scores, axis=-1) == targets


def _chunks(numbers: list[int], size: int) -> list[list[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
