"""Read what :mod:`train.checkpoint` has saved: a tree of arrays, on any mesh, and the record beside it.

A checkpoint is a folder that Orbax wrote: ``state`` holds the arrays, as a database of TensorStore's (OCDBT, of Zarr
arrays), ``record`` a JSON file. The arrays are read from the database itself, not through Orbax: each process reads the
pieces that lie on its own devices, a damaged file is one error in place of one per array, and a single array can be
read. The JSON file holds shape, dtype and digest of each array beside the run's record, and a hash of all of this.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
import tensorstore
from jax.experimental import multihost_utils
from jaxtyping import Array

from train.digest import digests, named
from train.huggingface_config import CheckpointError

STATE, RECORD = "state", "record"
#: What Orbax calls the file of a JSON item.
RECORD_FILE = os.path.join(RECORD, "metadata")
_ANNOTATIONS = re.compile(r" \[(?:tensorstore_spec|source locations|os_error_code)")

_Read = TypeVar("_Read")


class DamagedCheckpoint(CheckpointError):
    """A checkpoint that is no longer what was saved."""


class StoredArray(NamedTuple):
    """What is known of an array without reading it."""

    shape: list[int]
    dtype: str
    digest: int


class Contents(NamedTuple):
    """A checkpoint's JSON file.

    Attributes:
        record: What the run said of itself.
        arrays: What is stored, by the arrays' paths in the tree.
    """

    record: dict[str, Any]
    arrays: dict[str, StoredArray]


def describe(record: Mapping[str, Any], tree: Any) -> dict[str, Any]:
    """Make the JSON file of a checkpoint; with several processes, all must call it."""
    leaves = named(tree)
    arrays = {
        name: StoredArray(list(leaf.shape), leaf.dtype.name, digest)
        for (name, leaf), digest in zip(leaves.items(), digests(list(leaves.values())), strict=True)
    }
    described = {"record": record, "arrays": {name: array._asdict() for name, array in arrays.items()}}
    # As it will be read: JSON turns tuples into lists and numbers that are keys into strings.
    contents: dict[str, Any] = json.loads(json.dumps(described))
    return contents | {"sha256": _sha256(contents)}


def steps_in(folder: str) -> list[int]:
    """Find the whole checkpoints of a folder, the oldest first: one gets its name once it is complete."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def read_contents(path: str) -> Contents:
    """Read the JSON file of a checkpoint.

    Raises:
        DamagedCheckpoint: It is not there, or not as it was written.
    """
    try:
        with open(os.path.join(path, RECORD_FILE), encoding="utf-8") as file:
            contents = json.load(file)
    except (OSError, ValueError) as error:
        raise DamagedCheckpoint(f"{path}: the checkpoint is damaged: {RECORD_FILE}: {one_line(error)}") from error
    if not isinstance(contents, dict) or contents.pop("sha256", None) != _sha256(contents):
        raise DamagedCheckpoint(f"{path}: the checkpoint is damaged: {RECORD_FILE} does not match the hash in it")
    arrays = {name: StoredArray(**array) for name, array in contents["arrays"].items()}
    return Contents(contents["record"], arrays)


def restore(path: str, abstract: Any) -> tuple[Any, dict[str, Any]]:
    """Read a tree of arrays and its record.

    Args:
        path: The checkpoint.
        abstract: A tree of :class:`jax.ShapeDtypeStruct` with shardings, of any mesh; with several processes, all must
            call this.

    Returns:
        The tree, every value as it was saved, and the record.

    Raises:
        DamagedCheckpoint: A file is missing or cut off, or a value is not the one that was saved.
        CheckpointError: Another tree was saved, or arrays of other shapes; what is stored is whole.
    """
    wanted = named(abstract)
    contents = agreed(lambda: read_contents(path), path)
    check_fits(contents.arrays, wanted, path)
    arrays = agreed(lambda: {name: read_array(path, name, leaf) for name, leaf in wanted.items()}, path)
    check_digests(contents.arrays, arrays, path)
    return jax.tree.unflatten(jax.tree.structure(abstract), list(arrays.values())), contents.record


def check_fits(stored: Mapping[str, StoredArray], wanted: Mapping[str, jax.ShapeDtypeStruct], path: str) -> None:
    """Hold what is asked for to what is stored.

    Raises:
        CheckpointError: An array is asked for that is not there, has another shape or dtype, or is not asked for.
    """
    for name, leaf in wanted.items():
        if name not in stored:
            raise CheckpointError(f"{path}: the checkpoint is of another model or optimizer: it holds no {name}")
        found, asked = stored[name], (list(leaf.shape), np.dtype(leaf.dtype).name)
        if (found.shape, found.dtype) != asked:
            raise CheckpointError(
                f"{path}: the checkpoint is of another model: {name} is {found.dtype} of the shape {found.shape}, "
                f"the settings ask {asked[1]} of {asked[0]}"
            )
    if others := [name for name in stored if name not in wanted]:
        raise CheckpointError(f"{path}: the checkpoint is of another model or optimizer: it holds {others[0]} too")


def check_digests(stored: Mapping[str, StoredArray], arrays: Mapping[str, Array], path: str) -> None:
    """Hold what was read to what was saved; with several processes, all must call it.

    Raises:
        DamagedCheckpoint: An array's values are others.
    """
    for (name, _), digest in zip(arrays.items(), digests(list(arrays.values())), strict=True):
        if digest != stored[name].digest:
            raise DamagedCheckpoint(f"{path}: the checkpoint is damaged: {name} holds other values than were saved")


def read_array(path: str, name: str, leaf: jax.ShapeDtypeStruct) -> Array:
    """Read the pieces of an array that lie on this process's devices.

    Args:
        path: The checkpoint.
        name: The array's path in the tree.
        leaf: Its shape, dtype and sharding.

    Raises:
        DamagedCheckpoint: It cannot be read.
    """
    kvstore = {
        "driver": "ocdbt",
        "base": {"driver": "file", "path": os.path.join(os.path.abspath(path), STATE, "")},
        "path": name.replace("/", ".") + "/",
    }
    spec = {"driver": "zarr", "kvstore": kvstore, "fill_missing_data_reads": False}
    places = leaf.sharding.addressable_devices_indices_map(leaf.shape)
    try:
        store = tensorstore.open(spec, open=True, read=True).result()
        # A piece that several devices hold is read once, and all pieces at the same time.
        pieces = {str(index): store[index].read() for index in places.values()}
        held = [jax.device_put(pieces[str(index)].result(), device) for device, index in places.items()]
    except (ValueError, OSError) as error:
        raise DamagedCheckpoint(f"{path}: the checkpoint is damaged: {name}: {one_line(error)}") from error
    return jax.make_array_from_single_device_arrays(leaf.shape, leaf.sharding, held)


def agreed(read: Callable[[], _Read], path: str) -> _Read:
    """Read something in every process, or raise in every process.

    Raises:
        DamagedCheckpoint: This process, or another one, could not read it.
    """
    fault: DamagedCheckpoint | None = None
    try:
        found = read()
    except DamagedCheckpoint as error:
        fault = error
    if jax.process_count() > 1 and np.any(multihost_utils.process_allgather(np.array(fault is not None))):
        fault = fault or DamagedCheckpoint(f"{path}: the checkpoint is damaged: another process could not read it")
    if fault is not None:
        raise fault
    return found


def _sha256(contents: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def one_line(error: BaseException) -> str:
    """Say what went wrong, without TensorStore's specifications."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(_ANNOTATIONS.split(str(error))[0].split())
