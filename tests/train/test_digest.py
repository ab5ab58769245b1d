import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

from train.digest import digests, named


def by_hand(array):
    """The digest in 64-bit arithmetic, element after element."""
    total = 0
    for place, bits in enumerate(array.reshape(-1).view(f"u{array.itemsize}").tolist()):
        mixed = (bits + place * 0x9E3779B1) % 2**32
        mixed = (mixed ^ (mixed >> 16)) * 0x85EBCA6B % 2**32
        mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35 % 2**32
        total += mixed ^ (mixed >> 16)
    return total % 2**32


def drawn(shape, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) * 100).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16", "int8", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4, 5), (0, 3)], ids=str)
def test_a_digest_is_the_sum_of_mixed_bits(shape, dtype):
    array = drawn(shape, ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    assert digests([jnp.asarray(array)]) == [by_hand(array)]


@pytest.mark.parametrize("spec", [(None, None), ("x", None), (None, "y"), (("x", "y"), None), ("y", "x")], ids=str)
def test_a_digest_is_the_same_however_the_array_lies(spec):
    mesh = jax.make_mesh((2, 4), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    array = drawn((8, 16))
    laid = jax.device_put(array, NamedSharding(mesh, PartitionSpec(*spec)))
    assert digests([laid]) == [by_hand(array)]


@given(place=st.integers(0, 119), bit=st.integers(0, 31))
def test_a_bit_that_flips_changes_the_digest(place, bit):
    array = drawn((4, 5, 6))
    flipped = array.copy()
    flipped.view("u4").reshape(-1)[place] ^= np.uint32(1 << bit)
    assert digests([jnp.asarray(flipped)]) != digests([jnp.asarray(array)])


def test_pieces_that_change_places_or_are_zeros_change_the_digest():
    array = drawn((8, 1 << 12)).astype(ml_dtypes.bfloat16).astype(np.float32)
    swapped = array[[4, 1, 2, 3, 0, 5, 6, 7]]
    emptied = array * (np.arange(8) != 3)[:, None].astype(np.float32)
    assert len({*digests([jnp.asarray(each) for each in (array, swapped, emptied)])}) == 3


def test_leaves_are_named_by_their_paths():
    assert named({"b": [1, (2, 3)], "a": {"c": 4}}) == {"a/c": 4, "b/0": 1, "b/1/0": 2, "b/1/1": 3}
