"""Where each dimension of each array lies: one table from dimension letters to mesh axes.

Three axes: ``data`` holds copies of the model (the only one that crosses slices), ``fsdp`` holds pieces of each weight,
its gradient and its moments, gathered when a layer is computed (ZeRO-3: Rajbhandari et al., 2020), ``tensor`` divides
the matrix products within a layer (Shoeybi et al., 2019). Sequences are divided by data and fsdp. With
``sequence_parallel``, what lies between the matrix products is divided by tensor along the sequence (Korthikanti et
al., 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import optax  # type: ignore[import-untyped]  # optax ships no py.typed marker
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array
from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.model import AXES, Layer, ModelSettings, Params

MESH_AXES = ("data", "fsdp", "tensor")
Axis = str | tuple[str, ...] | None

#: Letter of a dimension -> mesh axis of a weight as it is kept, of a weight in use, of an activation. Letters that are
#: not here lie whole on every device. An axis that an earlier dimension has taken is not given a second time.
TABLE: dict[str, tuple[Axis, Axis, Axis]] = {
    "B": (None, None, ("data", "fsdp")),
    "H": ("tensor", "tensor", "tensor"),
    "F": ("tensor", "tensor", "tensor"),
    "V": ("tensor", "tensor", "tensor"),
    "D": ("fsdp", None, None),
    "b": (None, None, "data"),  # B and D where embeddings are looked up: a piece of the width for many sequences
    "d": (None, None, "fsdp"),
    "T": (None, None, "tensor"),  # with sequence_parallel, and where nothing else takes it
}
_KEPT, _USED, _ACTIVATION = range(3)


class MeshSettings(BaseModel):
    """How many devices each mesh axis has, -1 for all that are left; the default is one device, whatever there is.

    Attributes:
        data: Copies of the model.
        fsdp: Pieces of each weight; the sequences of a batch are divided by ``data * fsdp``.
        tensor: Pieces of each matrix product; must divide the heads.
        sequence_parallel: Divide what lies between matrix products by ``tensor``, along the sequence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: int = Field(default=1, ge=-1)
    fsdp: int = Field(default=1, ge=-1)
    tensor: int = Field(default=1, ge=-1)
    sequence_parallel: bool = False

    @model_validator(mode="after")
    def _one_axis_fills(self) -> "MeshSettings":
        if 0 in self.shape:
            raise ValueError(f"data, fsdp and tensor must be at least 1, or -1 for one of them, got {self}")
        if self.shape.count(-1) > 1:
            raise ValueError(f"only one of data, fsdp and tensor may be -1, got {self}")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Devices along data, fsdp and tensor, as asked for."""
        return self.data, self.fsdp, self.tensor

    def __str__(self) -> str:
        return "x".join(str(size) for size in self.shape)

    def filled(self, devices: int) -> "MeshSettings":
        """Put a number for -1.

        Raises:
            ValueError: The mesh does not take all the devices.
        """
        known = int(np.prod([size for size in self.shape if size > 0]))
        if known != devices and not (-1 in self.shape and devices % known == 0):
            raise ValueError(
                f"mesh data x fsdp x tensor = {self} does not take {devices} devices: "
                f"{known} {'must divide' if -1 in self.shape else 'is not'} {devices}"
            )
        sizes = {name: size if size > 0 else devices // known for name, size in zip(MESH_AXES, self.shape, strict=True)}
        return self.model_copy(update=sizes)


@dataclass(frozen=True)
class Layout:
    """A mesh and what lies where on it.

    Attributes:
        mesh: The devices.
        sequence_parallel: Whether T takes the tensor axis where it is free.
    """

    mesh: Mesh
    sequence_parallel: bool = False

    def spec(self, axes: str, column: int) -> PartitionSpec:
        """Look the letters of ``axes`` up in a column of the table.

        >>> layout = Layout(jax.make_mesh((1, 1, 1), MESH_AXES), sequence_parallel=True)
        >>> tuple(layout.spec("B T D", 2)), tuple(layout.spec("B T H A", 2))
        ((('data', 'fsdp'), 'tensor', None), (('data', 'fsdp'), None, 'tensor', None))
        """
        letters = axes.split()
        found = {letter: TABLE[letter][column] for letter in letters if letter in TABLE}
        others = [axis for letter, axis in found.items() if letter != "T"]
        if not self.sequence_parallel or "tensor" in others:
            found.pop("T", None)
        return _spec(*(found.get(letter) for letter in letters))

    def activation(self, axes: str) -> PartitionSpec:
        """How an activation lies over the mesh."""
        return self.spec(axes, _ACTIVATION)

    def place(self, array: Array, axes: str) -> Array:
        """Lay an activation over the mesh."""
        return _laid(array, self._sharding(axes, _ACTIVATION))

    def gather(self, weight: Array, axes: str) -> Array:
        """Bring a weight from where it is kept to where it is used; its gradient is summed and brought back."""
        return _moved(weight, self._sharding(axes, _USED), self._sharding(axes, _KEPT))

    def scatter(self, gradient: Array, axes: str) -> Array:
        """Sum a gradient over the devices and lay each piece where its weight is kept."""
        return _laid(gradient, self._sharding(axes, _KEPT))

    def params(self) -> Params:
        """Where each weight is kept, layers stacked."""
        stacked = AXES._replace(layers=Layer._make(f"L {axes}" for axes in AXES.layers))
        shardings: Params = jax.tree.map(lambda axes: self._sharding(axes, _KEPT), stacked)
        return shardings

    def moments(self, optimizer: optax.GradientTransformation, moments: Any) -> Any:
        """Where the optimizer's state is kept: moments beside their weights, counters on every device."""
        return optax.tree_utils.tree_map_params(
            optimizer, lambda _, place: place, moments, self.params(), transform_non_params=lambda _: self.whole()
        )

    def whole(self) -> NamedSharding:
        """On every device."""
        return NamedSharding(self.mesh, _spec())

    def batch(self) -> NamedSharding:
        """Where the windows of a step lie: rows divided, positions whole."""
        return self._sharding("B _", _ACTIVATION)

    def _sharding(self, axes: str, column: int) -> NamedSharding:
        return NamedSharding(self.mesh, self.spec(axes, column))


def _spec(*axes: Axis) -> PartitionSpec:
    return PartitionSpec(*axes)


def _laid(array: Array, sharding: NamedSharding) -> Array:
    laid: Array = jax.lax.with_sharding_constraint(array, sharding)
    return laid


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _moved(weight: Array, used: NamedSharding, kept: NamedSharding) -> Array:
    return _laid(_laid(weight, kept), used)


def _moved_forward(weight: Array, used: NamedSharding, kept: NamedSharding) -> tuple[Array, None]:
    return _moved(weight, used, kept), None


def _moved_backward(used: NamedSharding, kept: NamedSharding, _: None, gradient: Array) -> tuple[Array]:  # noqa: ARG001
    return (_laid(gradient, kept),)


_moved.defvjp(_moved_forward, _moved_backward)


def build_mesh(settings: MeshSettings, devices: Sequence[jax.Device]) -> Mesh:
    """Lay devices out so that neighbours on a mesh axis are neighbours in the network, slices apart along ``data``.

    Raises:
        ValueError: The mesh does not take all the devices, or its data axis does not divide over the slices.
    """
    settings = settings.filled(len(devices))
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    if slices == 1:
        grid = mesh_utils.create_device_mesh(settings.shape, devices=devices, allow_split_physical_axes=True)
    elif settings.data % slices:
        raise ValueError(f"mesh.data must be a multiple of the {slices} slices, got {settings.data}")
    else:
        within = (settings.data // slices, settings.fsdp, settings.tensor)
        grid = mesh_utils.create_hybrid_device_mesh(
            within, (slices, 1, 1), devices=devices, allow_split_physical_axes=True
        )
    return Mesh(grid, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES))


def check_divides(mesh: MeshSettings, model: ModelSettings, *, rows: int, loss_chunks: int) -> None:
    """Hold model and batch to a mesh whose sizes are known.

    Args:
        mesh: Devices along each axis.
        model: Its vocabulary must be known.
        rows: Sequences computed at a time, on all devices together.
        loss_chunks: Pieces of the vocabulary.

    Raises:
        ValueError: A dimension does not divide by the axis it lies on.
    """
    vocabulary = model.vocab_size or 0
    wanted = [
        ("loss_chunks", loss_chunks, "model.vocab_size", vocabulary),
        ("mesh.tensor", mesh.tensor, "model.heads", model.heads),
        ("mesh.tensor", mesh.tensor, "the feed-forward width", model.ffn_size),
        ("mesh.tensor", mesh.tensor, "model.vocab_size / loss_chunks", vocabulary // loss_chunks),
        ("mesh.fsdp", mesh.fsdp, "model.width", model.width),
        ("mesh.data x mesh.fsdp", mesh.data * mesh.fsdp, "batch / accumulate", rows),
    ]
    if mesh.sequence_parallel:
        wanted.append(("mesh.tensor (sequence_parallel)", mesh.tensor, "model.context", model.context))
    for key, divisor, name, size in wanted:
        if size % divisor:
            raise ValueError(f"{key} must divide {name}, got {divisor} and {size}")
