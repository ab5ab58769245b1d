"""The bound on what float32 can lose, against float32 itself."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.fasttext_model import ModelFacts
from filters.fasttext_scores import BLOCK, OutputLayer, Partial, mean_rows


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 4000), shift=st.floats(-3, 3), scale=st.sampled_from([1e-3, 1.0, 50.0]), seed=st.integers(0, 9)
)
def test_adding_row_by_row_in_float32_stays_within_the_bound(rows: int, shift: float, scale: float, seed: int) -> None:
    values = (np.random.default_rng(seed).normal(shift, 1, (rows, 4)) * scale).astype(np.float32)
    hidden = np.add.accumulate(values, axis=0, dtype=np.float32)[-1] * np.float32(1 / rows)
    parts = [values[start : start + BLOCK] for start in range(0, rows, BLOCK)]
    lengths = [np.linalg.norm(part, axis=1).sum() for part in parts]
    sums = np.array([part.sum(axis=0) for part in parts], np.float32)
    means = mean_rows(
        Partial(sums, np.array([len(part) for part in parts], np.float32), np.array(lengths, np.float32)),
        np.array([0]),
        np.zeros((0, 4)),
    )
    distance = np.linalg.norm(means.hidden[0] - hidden.astype(np.float64))
    assert distance <= means.errors[0]
    assert means.errors[0] <= 1e-9 + scale * (abs(shift) + 3) * 2 * (rows + 100) * 2**-24 * math.sqrt(4)


def test_two_labels_as_good_as_each_other_are_not_settled() -> None:
    output = np.array([[1.0, 0], [1.0, 1e-9]], np.float32)
    facts = ModelFacts((), output, np.empty(0, np.int32), 1, 0, ("a", "b"), (2, 1), output, hierarchical=False)
    means = mean_rows(
        Partial(output[:1], np.ones(1, np.float32), np.ones(1, np.float32)), np.array([0]), np.zeros((0, 2))
    )
    assert not OutputLayer(facts)(means).sure[0]
