"""Floating point operations of training, and the share of a device's peak that they take (MFU).

The count is that of Chowdhery et al. (2022, appendix B): what the model asks for, however it is computed.

- Nothing is added for what is computed twice to save memory: rematerialisation lowers the utilisation.
- All scores of attention are counted, though causal masking hides half of them. A kernel that leaves those out does
  less than is counted, by up to half of ``12 L D T``: 2 % of the whole for LLaMA 65B at a context of 2,048, 4 % for 7B.
- The input embedding is counted as a weight, though its rows are looked up, not multiplied: 2 % of LLaMA 7B.
"""

from functools import cache

from train.devices import published
from train.model import ModelSettings, parameter_count

TERA = 1e12


@cache
def flops_per_token(model: ModelSettings) -> float:
    """Operations of a step for each token: ``6 N + 12 L D T``.

    N weights are multiplied and added once on the way forward and twice on the way back. In each of L layers a token's
    scores against T positions and their weighted sum take ``2 * 2 D T`` operations, and as much again twice.

    Args:
        model: The vocabulary must be known.

    >>> flops_per_token(ModelSettings(width=4096, heads=32, layers=32, vocab_size=32_000, context=2048)) / 1e9
    43.65171...
    """
    return 6.0 * parameter_count(model) + 12.0 * model.layers * model.width * model.context


def peak_tflops(device_kind: str, dtype: str) -> float | None:
    """The published peak of a device; ``None`` where it is not known.

    Only bfloat16 has one number: a float32 product runs as one or as several of lesser precision, as JAX is told.

    >>> peak_tflops("NVIDIA H100 80GB HBM3", "bfloat16"), peak_tflops("NVIDIA H100 80GB HBM3", "float32")
    (989, None)
    """
    return published(device_kind).bf16_tflops if dtype == "bfloat16" else None


def mfu(tokens_per_second: float, model: ModelSettings, devices: int, peak_tflops: float) -> float:
    """Model FLOPs utilisation: operations per second over what ``devices`` devices could do at their peak, 0 to 1."""
    return tokens_per_second * flops_per_token(model) / (devices * peak_tflops * TERA)
