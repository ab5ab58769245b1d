"""A number for each array, by which damage to what was stored is found.

Neither Orbax nor the store below it keeps a checksum of an array's values, so a bit that flips on the way to a disk
and back would go unseen. The digest is a sum modulo 2^32 over an array's elements, each element's bits mixed with its
place: it is the same however the array lies over a mesh, every device sums what it holds, and a change of any one
element changes it. It finds accidents; nothing here keeps an adversary out.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

_GOLDEN = np.uint32(0x9E3779B1)  # 2^32 divided by the golden ratio, odd: spreads neighbouring places (Knuth, 6.4)


def named(tree: Any) -> dict[str, Any]:
    """Give the leaves of a tree by their paths, in the tree's order.

    >>> named({"step": 1, "moments": (2, {"mean": 3})})
    {'moments/0': 2, 'moments/1/mean': 3, 'step': 1}
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def digests(arrays: Sequence[Array]) -> list[int]:
    """Digest arrays where they lie; with several processes, all must call it with their parts of the same arrays."""
    return [int(digest) for digest in jax.device_get(_digests(list(arrays)))]


@jax.jit
def _digests(arrays: list[Array]) -> list[Array]:
    return [_digest(array) for array in arrays]


def _digest(array: Array) -> Array:
    array = array.astype(jnp.uint8) if array.dtype == jnp.bool_ else array
    bits = lax.bitcast_convert_type(array, jnp.dtype(f"uint{8 * array.dtype.itemsize}")).astype(jnp.uint32)
    place, stride = jnp.zeros(array.shape, jnp.uint32), 1
    for axis in reversed(range(array.ndim)):
        steps = lax.broadcasted_iota(jnp.uint32, array.shape, axis)
        place = place + steps * np.uint32(stride % 2**32)
        stride *= array.shape[axis]
    return jnp.sum(_mixed(bits + place * _GOLDEN), dtype=jnp.uint32)


def _mixed(bits: Array) -> Array:
    """Spread 32 bits over 32 bits, one to one (the last step of MurmurHash3: Appleby, 2011)."""
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return bits ^ (bits >> np.uint32(16))
