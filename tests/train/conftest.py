"""Eight CPU devices, strict dtype promotion, and jaxtyping's shapes checked at every call."""

import os

# Without optimisation, for these tests compile far longer than they compute: half the time.
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=8",
        "--xla_backend_optimization_level=0",
    ]
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
from jaxtyping import install_import_hook

jax.config.update("jax_numpy_dtype_promotion", "strict")
checked = [
    "train.attention",
    "train.cache",
    "train.execution",
    "train.loop",
    "train.loss",
    "train.model",
    "train.spikes",
    "train.step",
]
install_import_hook(checked, "beartype.beartype")
