"""Write a safetensors file tensor by tensor.

The library wants all tensors of a file in memory at once; the format asks for their shapes only: eight bytes of header
length, a JSON header of names, types, shapes and offsets, then the tensors' bytes one after another.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_NAMES = {"float32": "F32", "bfloat16": "BF16"}
_ALIGNMENT = 8


class StoredShape(NamedTuple):
    """What a tensor takes in the file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def num_bytes(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def write_safetensors(path: str, stored: Mapping[str, StoredShape], tensors: Iterable[NDArray[Any]]) -> None:
    """Write tensors to a file; only one of them is held at a time.

    Args:
        path: The file.
        stored: Names, shapes and types, in the order of the tensors.
        tensors: The tensors, converted here to the type they are stored with.

    Raises:
        OSError: The file cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, each in stored.items():
        end = offset + each.num_bytes
        header[name] = {"dtype": _NAMES[each.dtype.name], "shape": list(each.shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    with open(path, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for each, tensor in zip(stored.values(), tensors, strict=True):
            file.write(np.ascontiguousarray(tensor, dtype=each.dtype).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())
