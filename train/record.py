"""What a checkpoint says of its run beside the weights, and whether a run may go on from it.

A run that goes on under other settings or on other data would be neither the old one nor a new one; so whatever decides
a weight is compared, key by key. What only decides how it is computed (mesh, kernels, memory, the number of processes)
may change, and changes results by rounding alone.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from train.config import TrainSettings
from train.model import ModelSettings
from train.shards import Drawing

#: Keys of the settings that decide no weight.
_FREE = frozenset(
    {
        "data",  # the same shards may lie elsewhere: they are compared by their manifests
        "verify",
        "sources",  # as drawn, among what is compared of the data
        "accumulate",
        "loss_chunks",
        "attention",
        "remat",
        "mesh",
        "checkpoint",
        "held_out",
        "trace",
        "energy",
        "hosts",
        "peak_tflops",
        "tensorboard",
        "log_every",
        "output",
    }
)

#: Keys that decide which arrays there are and their shapes: no checkpoint can be read with others.
_SHAPES = frozenset(
    {"model.width", "model.heads", "model.layers", "model.ffn_size", "model.vocab_size", "spikes.window"}
)
_CLIPPED = "optimizer.max_gradient_norm"


@dataclass(frozen=True)
class Spent:
    """What the steps of a run have taken, in all its tries.

    Attributes:
        tokens: That were trained on.
        seconds: Of the steps.
        step_device_seconds: The same, times the devices at work.
        device_seconds: That devices were held, compilation included.
    """

    tokens: int = 0
    seconds: float = 0.0
    step_device_seconds: float = 0.0
    device_seconds: float = 0.0


class OtherRun(ValueError):
    """The checkpoints are of a run with other settings or other data."""


def record_of(settings: TrainSettings, drawing: Drawing, *, step: int, spent: Spent) -> dict[str, Any]:
    """Say what a state belongs to, as JSON values.

    Args:
        settings: With the vocabulary filled in.
        drawing: What the run draws from.
        step: Steps done: the next one's data follow from it.
        spent: What they have taken.
    """
    return {
        "step": step,
        "spent": asdict(spent),
        "version": metadata.version("llama-corpus"),
        "config": settings.model_dump(mode="json"),
        "data": describe(drawing),
    }


def describe(drawing: Drawing) -> dict[str, Any]:
    """Name the data so that other data have another description: manifests hold the hash of each shard."""
    first = next(iter(drawing.sources.values())).manifest
    return {
        "tokenizer_sha256": first.tokenizer_sha256,
        "seed": drawing.seed,
        "weights": None if drawing.weights is None else dict(sorted(drawing.weights.items())),
        "shares": None if drawing.shares is None else dict(sorted(drawing.shares.items())),
        "sources": {
            name: {
                "tokens": source.num_tokens,
                "manifest_sha256": hashlib.sha256(source.manifest.to_json().encode()).hexdigest(),
            }
            for name, source in sorted(drawing.sources.items())
        },
    }


def check_same_run(saved: Mapping[str, Any], wanted: Mapping[str, Any], *, where: str) -> None:
    """Hold the record of a checkpoint to that of the run that is to go on from it.

    Raises:
        OtherRun: Something that decides a weight differs. The message names the first key whose change cannot be
            accepted, else the first.
    """
    differences = list(_differences(_deciding(saved), _deciding(wanted), ""))
    if not differences:
        return
    final = next((found for found in differences if _is_final(*found)), None)
    key, before, now = final or differences[0]
    ways = "name another output, begin anew with --start-over, or go on all the same with --accept-change"
    if final:
        ways = "name another output or begin anew with --start-over"
    raise OtherRun(f"{key} is {now}, but the checkpoints in {where} were made with {before}: {ways}")


def _is_final(key: str, before: Any, now: Any) -> bool:
    """Whether arrays differ. A gradient that is clipped has a state of its own among the moments."""
    return key in _SHAPES or (key == _CLIPPED and None in (before, now))


def _deciding(record: Mapping[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in record["config"].items() if key not in _FREE}
    model = dict(config["model"])
    # Said in two ways, of which only what comes of them decides.
    size = ModelSettings.model_construct(**model).ffn_size
    model = {key: value for key, value in model.items() if key not in ("ffn_width", "ffn_multiple")}
    return config | {"model": model | {"ffn_size": size}, "data": record["data"]}


def _differences(before: Any, now: Any, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two trees of JSON values differ, by dotted key."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        if before != now:
            yield prefix, before, now
        return
    for key in sorted(before.keys() | now.keys()):
        yield from _differences(before.get(key), now.get(key), f"{prefix}.{key}" if prefix else key)
