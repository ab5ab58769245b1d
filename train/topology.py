"""TPU slices that are not there: their devices as the compiler sees them, and its options for each generation."""

import math
import os
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jax
import yaml
from jax.experimental import topologies

_NAME = re.compile(r"(?:(?P<slices>[1-9]\d*)\*)?(?P<generation>\w+):(?P<shape>[1-9]\d*(?:x[1-9]\d*)+)")
#: libtpu asks a cloud machine's metadata server what it runs on, unless it is told.
_NO_METADATA = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v4-8",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # else a second process that compiles at the same time is aborted
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclass(frozen=True)
class Generation:
    """A kind of TPU, see ``tpu.yaml``."""

    dimensions: int
    max_chips: int
    megacore: bool
    hbm_gib: float
    flags: dict[str, str]


@dataclass(frozen=True)
class Topology:
    """Slices of one kind of TPU.

    Attributes:
        name: As it was given.
        kind: The generation.
        slices: How many, joined by the data centre's network.
        shape: Chips along each dimension of one slice's network.
    """

    name: str
    kind: Generation
    slices: int
    shape: tuple[int, ...]

    @property
    def chips(self) -> int:
        """Chips of all slices; each is one device."""
        return self.slices * math.prod(self.shape)

    def devices(self) -> list[jax.Device]:
        """Describe the devices to the compiler; none need be there.

        Raises:
            ValueError: There is no such slice, or no compiler for TPUs.
        """
        os.environ.update({name: value for name, value in _NO_METADATA.items() if name not in os.environ})
        generation = self.name.split("*")[-1].split(":")[0]
        options: dict[str, Any] = {"wrap": _wrap(generation, self.shape)}
        if self.kind.megacore:
            options["chip_config_name"] = "megacore"
        if self.slices > 1:
            options["num_slices"] = self.slices
        size = "x".join(str(length) for length in self.shape)
        try:
            described = topologies.get_topology_desc(f"{generation}:{size}", platform="tpu", **options)
        except (RuntimeError, ValueError, NotImplementedError) as error:
            raise ValueError(f"topology {self.name}: {_first_line(error)}") from error
        return list(described.devices)


def parse_topology(name: str) -> Topology:
    """Read ``v4:4x8x8``, or ``2*v6e:16x16`` for two slices.

    Raises:
        ValueError: It is not of that form, or the generation is not in ``tpu.yaml``.

    >>> parse_topology("2*v5e:16x16").chips
    512
    """
    found, kinds = _NAME.fullmatch(name), _generations()
    if found is None:
        raise ValueError(f"topology {name!r}: must be generation:shape, e.g. v4:4x8x8, or 2*v6e:16x16 for two slices")
    if (kind := kinds.get(found["generation"])) is None:
        raise ValueError(f"topology {name}: the generation must be one of {', '.join(kinds)}")
    shape = tuple(int(length) for length in found["shape"].split("x"))
    if len(shape) != kind.dimensions:
        raise ValueError(f"topology {name}: a slice of {found['generation']} has {kind.dimensions} dimensions")
    if math.prod(shape) > kind.max_chips:
        raise ValueError(f"topology {name}: a slice of {found['generation']} has {kind.max_chips} chips at most")
    return Topology(name, kind, int(found["slices"] or 1), shape)


def _generations() -> dict[str, Generation]:
    text = resources.files("train").joinpath("tpu.yaml").read_text(encoding="utf-8")
    return {name: Generation(**values) for name, values in yaml.safe_load(text).items()}


def _wrap(generation: str, shape: tuple[int, ...]) -> tuple[bool, bool, bool]:
    """Which dimensions of the network are rings: the compiler makes another program of a slice without them.

    >>> _wrap("v4", (4, 4, 8)), _wrap("v4", (2, 2, 1)), _wrap("v5e", (8, 16)), _wrap("v6e", (16, 16))
    ((True, True, True), (False, False, False), (False, True, False), (True, True, False))
    """
    if generation in {"v5e", "v6e"}:
        return (shape == (16, 16), shape[-1] == 16, False)  # noqa: PLR2004 -- a pod's side
    cube = all(length % 4 == 0 for length in shape)
    return (cube, cube, cube)


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.removeprefix("INVALID_ARGUMENT: ")
