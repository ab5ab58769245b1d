"""Causal attention by kernel: none stores the T x T weights but the plain one, none but it computes what is masked.

On TPUs Pallas' splash attention, on GPUs cuDNN's flash attention, elsewhere the formula itself, which the others are
tested against (Dao et al., 2022; Rabe & Staats, 2021; "not storing the attention weights and not computing the
key/query scores that are masked": Touvron et al., 2023, section 2.4).
"""
# ruff: noqa: F722 -- the strings in the annotations are jaxtyping's dimensions, not forward references

import math
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu import splash_attention as splash
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int

Kernel = Literal["auto", "splash", "cudnn", "reference"]
LANES = 128  # splash cuts sequences into blocks of a multiple of this
_BLOCK = 1024
RESIDUALS = "attention"
"""Name of what a kernel leaves for its own backward pass: the output and the log-sum-exp of each row."""


def causal_attention(
    query: Float[Array, "B T H A"],
    key: Float[Array, "B S H A"],
    value: Float[Array, "B S H A"],
    segments: Int[Array, "B T"] | None = None,
) -> Float[Array, "B T H A"]:
    """Attend to the own and earlier positions: ``softmax(q k / sqrt(A)) v``, the softmax in float32.

    With ``segments``, to those of the own document alone.
    """
    scores = jnp.einsum("BTHA,BSHA->BHTS", query, key, preferred_element_type=jnp.float32)
    seen = jnp.tri(query.shape[1], key.shape[1], dtype=bool)[None, None]
    if segments is not None:
        seen = seen & (segments[:, None, :, None] == segments[:, None, None, :])
    scores = jnp.where(seen, scores / math.sqrt(query.shape[-1]), -jnp.inf)
    return jnp.einsum("BHTS,BSHA->BTHA", jax.nn.softmax(scores, axis=-1).astype(value.dtype), value)


def choose_kernel(kernel: Kernel, *, backend: str, context: int, dtype: str, documents: bool) -> Kernel:
    """Decide which kernel attends.

    ``auto`` takes splash on a TPU and cuDNN on a GPU where they can do what is asked, else the plain formula.

    Raises:
        ValueError: A kernel is named that runs elsewhere, or that would leave out a part of what is asked.
    """
    faults = {
        "splash": _splash_fault(backend, context),
        "cudnn": _cudnn_fault(backend, dtype, documents=documents),
    }
    if kernel == "auto":
        fitting: dict[str, Kernel] = {"tpu": "splash", "gpu": "cudnn"}
        kernel = fitting.get(backend, "reference")
        return "reference" if faults.get(kernel) else kernel
    if fault := faults.get(kernel):
        raise ValueError(f"attention={kernel} {fault}")
    return kernel


def _splash_fault(backend: str, context: int) -> str | None:
    if backend == "gpu":
        return "runs on TPUs alone, this is a gpu; auto and reference are allowed here"
    if context % LANES:
        return f"needs model.context to be a multiple of {LANES}, got {context}"
    return None


def _cudnn_fault(backend: str, dtype: str, *, documents: bool) -> str | None:
    if backend != "gpu":
        return f"runs on GPUs alone, this is a {backend}; auto and reference are allowed here"
    if dtype != "bfloat16":
        return f"computes in bfloat16 alone, got compute_dtype={dtype}"
    if documents:
        return "would ignore document_mask; auto and reference keep documents apart on a GPU"
    return None


def cudnn_attention(
    query: Float[Array, "B T H A"],
    key: Float[Array, "B S H A"],
    value: Float[Array, "B S H A"],
    segments: Int[Array, "B T"] | None = None,
) -> Float[Array, "B T H A"]:
    """Attend by cuDNN.

    Raises:
        ValueError: Documents are to be kept apart, which JAX's cuDNN attention would ignore without a word.
    """
    if segments is not None:
        raise ValueError("attention=cudnn would ignore document_mask")
    attended: Array = jax.nn.dot_product_attention(query, key, value, is_causal=True, implementation="cudnn")
    return attended


def splash_attention(
    query: Float[Array, "B T H A"],
    key: Float[Array, "B S H A"],
    value: Float[Array, "B S H A"],
    segments: Int[Array, "B T"] | None = None,
    *,
    mesh: Mesh,
    layout: PartitionSpec,
    interpret: bool = False,
) -> Float[Array, "B T H A"]:
    """Attend by Pallas' splash kernel, each device its own sequences and heads.

    Args:
        query: Not yet divided by ``sqrt(A)``: the kernel does not, so it is done here.
        key: As long as ``query``.
        value: As long as ``query``.
        segments: The document of each position.
        mesh: The devices.
        layout: How the four dimensions lie over the mesh; T and A must be whole.
        interpret: Run on a CPU, slowly, for tests.
    """
    scaled = (query.astype(jnp.float32) / math.sqrt(query.shape[-1])).astype(query.dtype)
    rows = None if segments is None else PartitionSpec(layout[0])
    attend = jax.shard_map(
        partial(_splash_on_one_device, interpret=interpret),
        mesh=mesh,
        in_specs=(layout, layout, layout, rows),
        out_specs=layout,
        check_vma=False,
    )
    attended: Array = attend(scaled, key, value, segments)
    return attended


def _splash_on_one_device(
    query: Array, key: Array, value: Array, segments: Array | None, *, interpret: bool
) -> Float[Array, "B T H A"]:
    _, length, heads, size = query.shape
    kernel = splash.make_splash_mha_single_device(
        splash.MultiHeadMask([splash.CausalMask((length, length))] * heads),
        block_sizes=_blocks(length),
        residual_checkpoint_name=RESIDUALS,
        interpret=interpret,
    )

    def attend(q: Array, k: Array, v: Array, rows: Array | None = None) -> Any:
        return kernel(q, k, v, segment_ids=None if rows is None else splash.SegmentIds(rows, rows))

    heads_first = [_padded(array.swapaxes(1, 2)) for array in (query, key, value)]
    for_each_sequence: Any = jax.vmap(attend)
    attended: Array = for_each_sequence(*heads_first, segments).swapaxes(1, 2)[..., :size]
    return attended


def _padded(array: Array) -> Array:
    """Fill the heads up to a multiple of 64 with zeros, which change no score (OpenLLaMA 3B has heads of 100)."""
    missing = -array.shape[-1] % 64
    return jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]) if missing else array


def _blocks(length: int) -> splash.BlockSizes:
    block = max(size for size in range(LANES, min(length, _BLOCK) + 1, LANES) if length % size == 0)
    return splash.BlockSizes(
        block_q=block,
        block_kv=block,
        block_kv_compute=block,
        block_q_dkv=block,
        block_kv_dkv=block,
        block_kv_dkv_compute=block,
        use_fused_bwd_kernel=True,
    )


def document_numbers(tokens: Int[Array, "B T"], *, bos_id: int | None, eos_id: int | None) -> Int[Array, "B T"]:
    """Number the documents of each window: a new one begins at BOS and after EOS; both together begin one.

    >>> document_numbers(jnp.array([[7, 2, 1, 8, 2, 9]]), bos_id=1, eos_id=2).tolist()
    [[0, 0, 1, 1, 1, 2]]
    """
    begins = jnp.zeros(tokens.shape, bool)
    if bos_id is not None:
        begins = begins | (tokens == bos_id)
    if eos_id is not None:
        begins = begins.at[:, 1:].set(begins[:, 1:] | (tokens[:, :-1] == eos_id))
    return jnp.cumsum(begins, axis=1, dtype=jnp.int32)
