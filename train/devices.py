"""What is published of the accelerators that a run may be on: their peak speed and their power."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml


@dataclass(frozen=True)
class Published:
    """Figures of one device, see ``devices.yaml``; ``None`` where its vendor gives none.

    Attributes:
        bf16_tflops: Peak of dense matrix products in bfloat16, in 10^12 operations per second.
        watts: Power it is designed for.
    """

    bf16_tflops: float | None = None
    watts: float | None = None


def published(device_kind: str) -> Published:
    """Look a device up by :attr:`jax.Device.device_kind`; of an unknown one nothing is known.

    >>> published("TPU v4").bf16_tflops, published("cpu").bf16_tflops
    (275, None)
    """
    return _table().get(device_kind, Published())


@cache
def _table() -> dict[str, Published]:
    text = resources.files("train").joinpath("devices.yaml").read_text(encoding="utf-8")
    return {kind: Published(**figures) for kind, figures in yaml.safe_load(text).items()}
