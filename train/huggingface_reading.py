"""Read a Hugging Face LLaMA: whole, or each piece of a weight where a mesh keeps it.

Of a file only those parts are read that a piece is made of; the layout is that of :mod:`train.huggingface`.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open

from train.huggingface import CONFIG, INDEX, SINGLE, Place, Weights, places, stored_shape
from train.huggingface_config import CheckpointError, from_config
from train.model import ModelSettings, Params, init

Index = tuple[slice, ...]
#: Tensors by their places here, of which parts are read when they are indexed.
Tensors = Mapping[Place, Any]

_READABLE = {"F32", "F16", "BF16"}
#: Old exports carry the rotary wavelengths, which follow from the settings.
_IGNORED = "rotary_emb.inv_freq"


def import_checkpoint(folder: str, *, dtype: np.dtype[Any] | None = None) -> tuple[Params, ModelSettings]:
    """Read a Hugging Face LLaMA: one safetensors file or several with their index, in bf16, fp16 or fp32.

    Args:
        folder: The folder.
        dtype: Of the matrices, float32 by default; the gains of the norms are float32 in any case.

    Returns:
        The weights, as arrays of NumPy, and their shape.

    Raises:
        CheckpointError: It is no LLaMA, one that cannot be run, or its files are not whole.
    """

    def whole(path: Any, leaf: jax.ShapeDtypeStruct) -> Weights:
        kept = np.dtype(np.float32) if dtype is None or path[-1].name.endswith("_norm") else dtype
        return _read(tensors, path[-1].name, (slice(None),) * leaf.ndim, leaf.shape, kept)

    settings = read_settings(folder)
    with _open_weights(folder, settings) as (tensors, shapes):
        params: Params = jax.tree_util.tree_map_with_path(whole, shapes)
    return params, settings


def place_checkpoint(folder: str, shardings: Params) -> Params:
    """Place the weights of a Hugging Face LLaMA on a mesh: each process reads what its own devices keep.

    Args:
        folder: The folder.
        shardings: Where each weight is kept; heads lie whole.

    Returns:
        The weights in float32.

    Raises:
        CheckpointError: It is no LLaMA, one that cannot be run, or its files are not whole.
    """

    def placed(path: Any, leaf: jax.ShapeDtypeStruct, sharding: jax.sharding.Sharding) -> jax.Array:
        def piece(index: Any) -> Weights:
            return _read(tensors, path[-1].name, index, leaf.shape, np.dtype(np.float32))

        return jax.make_array_from_callback(leaf.shape, sharding, piece)

    with _open_weights(folder, read_settings(folder)) as (tensors, shapes):
        params: Params = jax.tree_util.tree_map_with_path(placed, shapes, shardings)
    return params


def read_settings(folder: str) -> ModelSettings:
    """Read the shape of a Hugging Face LLaMA from its ``config.json``.

    Raises:
        CheckpointError: There is none, or it is of no LLaMA that can be run.
    """
    path = os.path.join(folder, CONFIG)
    return from_config(_read_json(path), origin=path)


@contextmanager
def _open_weights(folder: str, settings: ModelSettings) -> Iterator[tuple[Tensors, Params]]:
    """Open all tensors of a model, and give the shapes of our weights.

    Raises:
        CheckpointError: A tensor is missing, is not known or has another shape.
    """
    shapes: Params = jax.eval_shape(lambda: init(settings, key=jax.random.key(0)))
    wanted, tensors = places(settings), {}
    with ExitStack() as stack:
        for path, names in _files(folder).items():
            for name, tensor in _open_file(path, names, stack):
                if name not in wanted:
                    raise CheckpointError(
                        f"{folder}: the tensor {name} is none of a LLaMA's with layers={settings.layers}"
                    )
                field, layer = place = wanted.pop(name)
                shape = getattr(shapes, field).shape if layer is None else getattr(shapes.layers, field).shape[1:]
                found, asked = tensor.get_shape(), list(stored_shape(shape, field))
                if found != asked:
                    raise CheckpointError(f"{folder}: {name} has the shape {found}, config.json asks {asked}")
                tensors[place] = tensor
        if wanted:
            raise CheckpointError(f"{folder}: {len(wanted)} tensors are missing, the first is {next(iter(wanted))}")
        yield tensors, shapes


def _open_file(path: str, wanted: set[str] | None, stack: ExitStack) -> Iterator[tuple[str, Any]]:
    """Open one file and yield its tensors, those of them that are wanted.

    Raises:
        CheckpointError: It is missing, is cut off, or holds numbers of another kind.
    """
    try:
        file = stack.enter_context(safe_open(path, "np"))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a whole safetensors file: {error}") from error
    for name in file.keys():  # noqa: SIM118 -- the file is no mapping
        if name.endswith(_IGNORED) or (wanted is not None and name not in wanted):
            continue
        tensor = file.get_slice(name)
        if (kind := tensor.get_dtype()) not in _READABLE:
            raise CheckpointError(f"{path}: {name} is stored as {kind}, expected one of F32, F16, BF16")
        yield name, tensor


def _read(tensors: Tensors, field: str, index: Index, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Weights:
    """Read a piece of a weight, or of one stacked over the layers."""
    index = tuple(slice(*part.indices(size)[:2]) for part, size in zip(index, shape, strict=True))
    if field in Params._fields:
        return _piece(tensors[Place(field, None)], field, index, shape).astype(dtype)
    read = np.empty([part.stop - part.start for part in index], dtype)
    for place, layer in enumerate(range(index[0].start, index[0].stop)):
        read[place] = _piece(tensors[Place(field, layer)], field, index[1:], shape[1:])
    return read


def _piece(tensor: Any, field: str, index: Index, shape: tuple[int, ...]) -> Weights:
    """Read a piece of one layer's weight, out of the transpose that is stored."""
    if len(shape) == 1 or field == "embedding":
        piece: Weights = tensor[index]
        return piece
    inputs = len(shape) - 1 if field == "output" else 1
    rows, columns = _flat(index[inputs:], shape[inputs:]), _flat(index[:inputs], shape[:inputs])
    turned: Weights = tensor[rows, columns].T
    return turned.reshape([part.stop - part.start for part in index])


def _flat(index: Index, shape: tuple[int, ...]) -> slice:
    """Where a piece lies when its dimensions are made one; only the first of them is ever divided."""
    inner = math.prod(shape[1:])
    return slice(index[0].start * inner, index[0].stop * inner)


def _files(folder: str) -> dict[str, set[str] | None]:
    """Find the files of a folder's weights, each with the names of its tensors, ``None`` for all it holds."""
    index = os.path.join(folder, INDEX)
    if not os.path.isfile(index):
        single = os.path.join(folder, SINGLE)
        if not os.path.isfile(single):
            raise CheckpointError(f"{folder}: holds neither {SINGLE} nor {INDEX}")
        return {single: None}
    weight_map = _read_json(index).get("weight_map")
    if not isinstance(weight_map, Mapping) or not all(isinstance(file, str) for file in weight_map.values()):
        raise CheckpointError(f"{index}: holds no weight_map from names to files")
    files: dict[str, set[str] | None] = {os.path.join(folder, file): set() for file in sorted(weight_map.values())}
    for name, file in weight_map.items():
        names = files[os.path.join(folder, file)]
        if names is not None:
            names.add(name)
    return files


def _read_json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds no JSON object")
    return content
