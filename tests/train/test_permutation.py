import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.permutation import permute


@given(size=st.integers(1, 5000), key=st.text(max_size=20))
def test_every_size_is_permuted_one_to_one(size, key):
    image = permute(np.arange(size), size, key=key)
    np.testing.assert_array_equal(np.sort(image), np.arange(size))


@given(size=st.integers(1, 2**62), data=st.data())
def test_a_number_maps_alike_whatever_it_is_asked_with(size, data):
    index = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=20)), np.int64)
    together = permute(index, size, key="k")
    alone = [int(permute(index[i : i + 1], size, key="k")[0]) for i in range(len(index))]
    assert together.tolist() == alone
    assert all(0 <= image < size for image in alone)
    assert len(set(alone)) == len(set(index.tolist()))


def test_a_huge_permutation_takes_no_memory():
    tracemalloc.start()
    permute(np.arange(64), 684_000_000, key="1.4 T tokens")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_order_is_the_same_on_every_machine():
    assert permute(np.arange(10), 10, key="a").tolist() == [3, 6, 2, 7, 4, 9, 5, 0, 8, 1]


def test_keys_give_unlike_orders():
    size = 1000
    orders = [permute(np.arange(size), size, key=key) for key in ("window/a/0/0", "window/a/0/1", "window/a/1/0")]
    for i, order in enumerate(orders):
        fixed = int((order == np.arange(size)).sum())
        shared = int((order == orders[i - 1]).sum())
        assert fixed < 10
        assert shared < 10  # one is expected by chance


def test_images_are_spread_evenly():
    counts = np.zeros((8, 8))
    for key in range(200):
        order = permute(np.arange(8), 8, key=str(key))
        counts[np.arange(8), order] += 1
    statistic = float(((counts - 25) ** 2 / 25).sum())
    assert statistic < 100  # chi-squared, 49 degrees of freedom: 1 in 40,000 by chance


@pytest.mark.parametrize("index", [[-1], [0, 5], [7]])
def test_a_number_outside_the_range_is_refused(index):
    with pytest.raises(ValueError, match=r"every index must lie in range\(5\)"):
        permute(np.array(index), 5, key="a")


def test_no_number_maps_to_no_number():
    assert permute(np.zeros(0, np.int64), 5, key="a").size == 0
