"""LLaMA as pure functions over a tree of arrays (Touvron et al., 2023, section 2.2).

A decoder-only transformer (Vaswani et al., 2017) with pre-normalisation by RMSNorm (Zhang & Sennrich, 2019), SwiGLU
feed-forward blocks (Shazeer, 2020) and rotary positions (Su et al., 2021); no biases, input and output embeddings
untied. Master weights are float32; matrices are cast to the compute dtype before use, while normalisation, rotation,
softmax, logits and loss stay in float32.

Dimension letters, in annotations and einsums alike:

    B  batch (sequences)       D  width                   F  feed-forward width
    T  sequence (positions)    H  heads                   V  vocabulary
    S  T again, for keys       A  head size, D = H * A    L  layers
                               R  rotated pairs, A = 2 * R
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key
from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.execution import PLAIN, Execution, saved
from train.loss import chunked_scores

INIT_STD = 0.02


class ModelSettings(BaseModel):
    """The shape of a LLaMA; the defaults are the 6.7B model of the paper's table 2.

    Attributes:
        width: Size of the residual stream.
        heads: Attention heads; their size is ``width / heads``.
        layers: Transformer blocks.
        ffn_multiple: The feed-forward width, 2/3 of ``4 * width``, is rounded up to a multiple of this.
        ffn_width: The feed-forward width itself, instead of the rule above (for tiny models).
        vocab_size: Rows of the embeddings; ``None`` takes the vocabulary of the token shards.
        context: Tokens a sequence holds in training; rotary positions themselves know no limit.
        norm_eps: Added to the mean square in RMSNorm.
        rope_theta: Base of the rotary wavelengths.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=4096, ge=2)
    heads: int = Field(default=32, ge=1)
    layers: int = Field(default=32, ge=1)
    ffn_multiple: int = Field(default=256, ge=1)
    ffn_width: int | None = Field(default=None, ge=1)
    vocab_size: int | None = Field(default=None, ge=2)
    context: int = Field(default=2048, ge=1)
    norm_eps: float = Field(default=1e-6, gt=0, lt=1)
    rope_theta: float = Field(default=10_000.0, gt=1)

    @model_validator(mode="after")
    def _heads_fit(self) -> "ModelSettings":
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got width={self.width} and heads={self.heads}")
        if self.head_size % 2:
            raise ValueError(
                f"the head size width / heads must be even (rotation works on pairs), "
                f"got {self.width} / {self.heads} = {self.head_size}"
            )
        return self

    @property
    def head_size(self) -> int:
        """Width of one attention head (A)."""
        return self.width // self.heads

    @property
    def ffn_size(self) -> int:
        """Feed-forward width (F): ``2/3 * 4 * width``, rounded up to a multiple, unless it is given.

        >>> [ModelSettings(width=width, heads=1).ffn_size for width in (4096, 5120, 6656, 8192)]
        [11008, 13824, 17920, 22016]
        """
        if self.ffn_width is not None:
            return self.ffn_width
        return -(-(8 * self.width // 3) // self.ffn_multiple) * self.ffn_multiple


class Layer(NamedTuple):
    """Weights of one block, or of all blocks stacked along L (as kept, for :func:`jax.lax.scan`)."""

    attention_norm: Float[Array, "*L D"]
    query: Float[Array, "*L D H A"]
    key: Float[Array, "*L D H A"]
    value: Float[Array, "*L D H A"]
    output: Float[Array, "*L H A D"]
    ffn_norm: Float[Array, "*L D"]
    gate: Float[Array, "*L D F"]
    up: Float[Array, "*L D F"]
    down: Float[Array, "*L F D"]


class Params(NamedTuple):
    """All weights of the model; :class:`Layer` holds those of the blocks, stacked."""

    embedding: Float[Array, "V D"]
    layers: Layer
    final_norm: Float[Array, " D"]
    unembedding: Float[Array, "D V"]


#: The dimensions of each weight of one block, by letter, for :mod:`train.sharding` to lay over a mesh; rows of the
#: embedding are looked up, not multiplied, and stay together.
AXES: Any = Params._make(
    ["_ D", Layer._make(["D", "D H A", "D H A", "D H A", "H A D", "D", "D F", "D F", "F D"]), "D", "D V"]
)


def init(settings: ModelSettings, *, key: Key[Array, ""]) -> Params:
    """Draw float32 master weights.

    Matrices are normal with standard deviation 0.02; the two that write into the residual stream, ``output`` and
    ``down``, are scaled by ``1 / sqrt(2 * layers)`` so that its variance does not grow with depth (Radford et al.,
    2019, section 2.3). The paper does not say how LLaMA was initialised. Gains are one.

    Raises:
        ValueError: ``vocab_size`` is not set.
    """
    if settings.vocab_size is None:
        raise ValueError("vocab_size must be set before weights are drawn: the token shards' manifest holds it")
    d, h, a, f = settings.width, settings.heads, settings.head_size, settings.ffn_size
    n, v = settings.layers, settings.vocab_size
    residual = INIT_STD / math.sqrt(2 * n)
    keys = iter(jax.random.split(key, 9))

    def normal(*shape: int, std: float = INIT_STD) -> Array:
        return std * jax.random.normal(next(keys), shape, jnp.float32)

    return Params(
        embedding=normal(v, d),
        layers=Layer(
            attention_norm=jnp.ones((n, d), jnp.float32),
            query=normal(n, d, h, a),
            key=normal(n, d, h, a),
            value=normal(n, d, h, a),
            output=normal(n, h, a, d, std=residual),
            ffn_norm=jnp.ones((n, d), jnp.float32),
            gate=normal(n, d, f),
            up=normal(n, d, f),
            down=normal(n, f, d, std=residual),
        ),
        final_norm=jnp.ones((d,), jnp.float32),
        unembedding=normal(d, v),
    )


def is_matrix(params: Params) -> Params:
    """Mark each weight: true for matrices, false for the gains of the norms, which the field's name ends in.

    Matrices are what is cast to the compute dtype and what weight decay shrinks.
    """
    marks: Params = jax.tree_util.tree_map_with_path(lambda path, _: not path[-1].name.endswith("_norm"), params)
    return marks


def parameter_count(settings: ModelSettings) -> int:
    """Count the weights from their shapes; nothing is allocated.

    >>> parameter_count(ModelSettings(width=4096, heads=32, layers=32, vocab_size=32_000))
    6738415616
    """
    shapes = jax.eval_shape(lambda: init(settings, key=jax.random.key(0)))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def target_scores(
    params: Params,
    tokens: Int[Array, "B T"],
    targets: Int[Array, "B T"],
    settings: ModelSettings,
    *,
    compute_dtype: jnp.dtype,
    how: Execution = PLAIN,
    segments: Int[Array, "B T"] | None = None,
) -> tuple[Float[Array, "B T"], Float[Array, "B T"]]:
    """The logit of each target, and the logarithm of the sum of all exponentiated logits beside it, in float32.

    Their difference is the target's log-probability. No (B, T, V) logits are held where ``how.loss_chunks`` is above 1;
    with 1, computing them twice is still faster than keeping what their derivative needs.
    """
    x = hidden(params, tokens, settings, compute_dtype=compute_dtype, how=how, segments=segments)
    return chunked_scores(x, params.unembedding, targets, how.loss_chunks, how)


def logits(
    params: Params,
    tokens: Int[Array, "B T"],
    settings: ModelSettings,
    *,
    compute_dtype: jnp.dtype,
    how: Execution = PLAIN,
    segments: Int[Array, "B T"] | None = None,
) -> Float[Array, "B T V"]:
    """Score the next token at every position, in float32; position t sees tokens 0 to t only.

    Args:
        params: Master weights; the matrices are cast to ``compute_dtype`` here.
        tokens: Token ids, each below ``vocab_size``: a larger one is clamped by JAX without a word.
        settings: The shape ``params`` was drawn with.
        compute_dtype: Of matrix products and of the residual stream.
        how: Kernels, sharding and memory.
        segments: The document of each token, for a mask that keeps documents apart; ``None`` is LLaMA's way, without.
    """
    x = hidden(params, tokens, settings, compute_dtype=compute_dtype, how=how, segments=segments)
    unembedding = ready(params.unembedding, AXES.unembedding, compute_dtype, how)
    return how.place(jnp.einsum("BTD,DV->BTV", x, unembedding, preferred_element_type=jnp.float32), "B T V")


def hidden(
    params: Params,
    tokens: Int[Array, "B T"],
    settings: ModelSettings,
    *,
    compute_dtype: jnp.dtype,
    how: Execution = PLAIN,
    segments: Int[Array, "B T"] | None = None,
) -> Float[Array, "B T D"]:
    """The residual stream after the last block, normalised: what logits are made from.

    Rows of the embedding are looked up in float32, and so its gradient, a sum over all tokens of the batch, keeps its
    last bits. Each device looks up its piece of the width for many sequences; what is found travels, not the embedding.
    """
    cos, sin = rotary_table(tokens.shape[1], settings.head_size, theta=settings.rope_theta)

    def step(x: Float[Array, "B T D"], layer: Layer) -> tuple[Float[Array, "B T D"], None]:
        layer = jax.tree.map(lambda weight, axes: ready(weight, axes, compute_dtype, how), layer, AXES.layers)
        return block(x, layer, cos, sin, eps=settings.norm_eps, how=how, segments=segments), None

    found = how.place(params.embedding[tokens], "b T d")
    x = how.place(found.astype(compute_dtype), "B T D")
    x, _ = jax.lax.scan(how.remat(step), x, params.layers)
    return rms_norm(x, how.gather(params.final_norm, AXES.final_norm), eps=settings.norm_eps)


def ready(weight: Array, axes: str, dtype: jnp.dtype, how: Execution) -> Array:
    """Make a weight ready for use: matrices are cast first, so that their pieces travel in the compute dtype."""
    return how.gather(weight.astype(dtype) if " " in axes else weight, axes)


def block(
    x: Float[Array, "B T D"],
    layer: Layer,
    cos: Float[Array, "T R"],
    sin: Float[Array, "T R"],
    *,
    eps: float,
    how: Execution = PLAIN,
    segments: Int[Array, "B T"] | None = None,
) -> Float[Array, "B T D"]:
    """One transformer block: attention, then feed-forward, each normalised before and added to ``x`` after."""
    normed = rms_norm(x, layer.attention_norm, eps=eps)
    query = rotate(how.place(jnp.einsum("BTD,DHA->BTHA", normed, layer.query), "B T H A"), cos, sin)
    key = rotate(how.place(jnp.einsum("BTD,DHA->BTHA", normed, layer.key), "B T H A"), cos, sin)
    value = how.place(jnp.einsum("BTD,DHA->BTHA", normed, layer.value), "B T H A")
    query, key, value = saved(query, "query"), saved(key, "key"), saved(value, "value")
    attended = how.place(how.attend(query, key, value, segments), "B T H A")
    x = x + saved(how.place(jnp.einsum("BTHA,HAD->BTD", attended, layer.output), "B T D"), "output")
    return x + how.place(swiglu(rms_norm(x, layer.ffn_norm, eps=eps), layer, how), "B T D")


def rms_norm(x: Float[Array, "*B D"], gain: Float[Array, " D"], *, eps: float) -> Float[Array, "*B D"]:
    """Scale ``x`` to unit root mean square, then by ``gain`` (Zhang & Sennrich, 2019, eq. 4).

    The mean is taken in float32: in bfloat16 the sum of D squares loses its last bits.
    """
    wide = x.astype(jnp.float32)
    inverse = jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + eps)
    return (wide * inverse * gain).astype(x.dtype)


def rotary_table(length: int, head_size: int, *, theta: float) -> tuple[Float[Array, "T R"], Float[Array, "T R"]]:
    """Cosine and sine of ``position * theta ** (-r / R)`` for each rotated pair r (Su et al., 2021, eq. 15)."""
    pairs = head_size // 2
    frequency = theta ** -(jnp.arange(pairs, dtype=jnp.float32) / pairs)
    angle = jnp.arange(length, dtype=jnp.float32)[:, None] * frequency
    return jnp.cos(angle), jnp.sin(angle)


def rotate(x: Float[Array, "B T H A"], cos: Float[Array, "T R"], sin: Float[Array, "T R"]) -> Float[Array, "B T H A"]:
    """Turn pair ``(x[r], x[r + R])`` by the angle of its position, in float32.

    Pairs lie half a head apart, as in Hugging Face's LLaMA; Meta's weights pair neighbours ``(x[2r], x[2r + 1])``,
    which is the same model after a permutation of the rows of ``query`` and ``key``.
    """
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = cos[:, None, :], sin[:, None, :]
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(x.dtype)


def swiglu(x: Float[Array, "B T D"], layer: Layer, how: Execution = PLAIN) -> Float[Array, "B T D"]:
    """``down(silu(gate(x)) * up(x))`` (Shazeer, 2020, eq. 6)."""
    gate = saved(how.place(linear(x, layer.gate), "B T F"), "gate")
    up = saved(how.place(linear(x, layer.up), "B T F"), "up")
    return linear(jax.nn.silu(gate) * up, layer.down)


@jax.custom_vjp
def linear(x: Float[Array, "B T I"], weight: Float[Array, "I O"]) -> Float[Array, "B T O"]:
    """Multiply by a weight; I and O are D and F or the other way round.

    JAX's own derivative asks for the weight's gradient transposed, for which a CPU copies ``B T O`` first: a tenth of a
    step.
    """
    return jnp.einsum("BTI,IO->BTO", x, weight)


def _linear_forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return linear(x, weight), (x, weight)


def _linear_backward(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, weight = kept
    return jnp.einsum("BTO,IO->BTI", slope, weight), jnp.einsum("BTI,BTO->IO", x, slope)


linear.defvjp(_linear_forward, _linear_backward)
