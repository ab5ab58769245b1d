from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.mixture import BLOCKS
from train.data import Mixture

BLOCK = BLOCKS[0]


@dataclass(frozen=True)
class Origin:
    vocab_size: int = 1_000_000
    tokenizer_sha256: str = "a" * 64


@dataclass(frozen=True)
class Stream:
    """Token shards in memory; token i has the id ``first + i``, so a window tells where it lies."""

    num_tokens: int
    first: int = 0
    manifest: Origin = Origin()

    def windows(self, starts, length):
        assert (starts >= 0).all()
        assert (starts + length <= self.num_tokens).all()
        return (self.first + starts[:, None] + np.arange(length)).astype(np.uint32)


def mixture(named, *, context=4, batch_size=8, seed=0, weights=None, shares=None):
    return Mixture.of(named, context=context, batch_size=batch_size, seed=seed, weights=weights, shares=shares)


def starts(data, steps):
    return np.concatenate([data.batch(step)[:, 0] for step in steps]).tolist()


@given(windows=st.integers(1, 200), context=st.integers(1, 9), rest=st.integers(0, 8), seed=st.integers(0, 9))
def test_an_epoch_holds_every_window_exactly_once(windows, context, rest, seed):
    tokens = windows * context + 1 + min(rest, context - 1)
    data = mixture({"a": Stream(tokens)}, context=context, batch_size=1, seed=seed)
    for epoch in range(2):
        seen = starts(data, range(epoch * windows, (epoch + 1) * windows))
        assert sorted(seen) == [n * context for n in range(windows)]


def test_a_window_holds_consecutive_tokens_and_one_more_than_the_context():
    rows = mixture({"a": Stream(401)}, context=4, batch_size=16).batch(3)
    assert rows.shape == (16, 5)
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, rows[:, :1] + np.arange(5))


def test_each_token_but_the_first_is_a_target_once_per_epoch():
    data = mixture({"a": Stream(401)}, context=4, batch_size=10)
    targets = np.concatenate([data.batch(step)[:, 1:] for step in range(10)])
    assert sorted(targets.ravel().tolist()) == list(range(1, 401))


def test_each_epoch_and_each_seed_has_its_own_order():
    data = mixture({"a": Stream(401)}, batch_size=100)
    first, second = starts(data, [0]), starts(data, [1])
    other_seed = starts(mixture({"a": Stream(401)}, batch_size=100, seed=1), [0])
    assert len({tuple(first), tuple(second), tuple(other_seed)}) == 3
    assert first != sorted(first)


@given(step=st.integers(0, 10**9))
def test_a_step_s_batch_does_not_depend_on_the_steps_before(step):
    named = {"a": Stream(900), "b": Stream(555, first=2000)}
    weights = {"a": 3.0, "b": 1.0}
    resumed = mixture(named, weights=weights).batch(step)
    running = mixture(named, weights=weights)
    running.batch(max(0, step - 1))
    np.testing.assert_array_equal(running.batch(step), resumed)


def test_hosts_that_ask_for_their_rows_alone_get_the_rows_of_the_batch():
    data = mixture({"a": Stream(900), "b": Stream(555, first=2000)}, weights={"a": 3.0, "b": 1.0})
    halves = [data.sequences(np.arange(56 + host, 64, 2)) for host in range(2)]
    np.testing.assert_array_equal(data.batch(7)[0::2], halves[0])
    np.testing.assert_array_equal(data.batch(7)[1::2], halves[1])


def test_without_weights_all_windows_of_all_sources_are_seen_once_per_epoch():
    named = {"a": Stream(401), "b": Stream(43, first=1000), "c": Stream(9, first=2000)}
    seen = starts(mixture(named, batch_size=14), range(8))
    expected = [*range(0, 400, 4), *range(1000, 1040, 4), *range(2000, 2008, 4)]
    assert sorted(seen) == expected


def test_with_weights_every_block_holds_each_source_s_share():
    named = {"a": Stream(401), "b": Stream(401, first=1000), "c": Stream(401, first=2000)}
    data = mixture(named, batch_size=BLOCK // 4, weights={"a": 0.67, "b": 0.15, "c": 0.18})
    for block in range(3):
        sources = Counter(start // 1000 for start in starts(data, range(4 * block, 4 * block + 4)))
        assert sources == {0: 670, 1: 150, 2: 180}


def test_with_weights_each_source_has_its_own_epochs():
    named = {"a": Stream(2001), "b": Stream(401, first=10_000)}
    data = mixture(named, batch_size=BLOCK, weights={"a": 1, "b": 1})
    seen = Counter(starts(data, [0]))
    assert {seen[start] for start in range(0, 2000, 4)} == {1}  # 500 windows, 500 draws
    assert {seen[start] for start in range(10_000, 10_400, 4)} == {5}  # 100 windows, 500 draws


def test_with_weights_a_source_s_draws_are_numbered_without_gap_from_block_to_block():
    named = {"a": Stream(401), "b": Stream(401), "c": Stream(401)}
    data = mixture(named, weights={"a": 0.67, "b": 0.15, "c": 0.18})
    pool, ordinal = data.assign(np.arange(3 * BLOCK))
    for number, share in enumerate((670, 150, 180)):
        assert sorted(ordinal[pool == number].tolist()) == list(range(3 * share))


def test_with_weights_sources_lie_mixed_within_a_block():
    named = {"a": Stream(401), "b": Stream(401, first=1000)}
    order = [start // 1000 for start in starts(mixture(named, weights={"a": 1, "b": 1}, batch_size=BLOCK), [0])]
    changes = sum(a != b for a, b in pairwise(order))
    assert 400 < changes < 600  # 500 expected of a fair shuffle, standard deviation 16


def test_with_shares_of_a_plan_a_longer_block_holds_them_exactly():
    named = {"a": Stream(401), "b": Stream(401, first=1000), "c": Stream(401, first=2000)}
    data = mixture(named, batch_size=5_000, shares={"c": 101, "a": 6_700, "b": 3_199})
    for block in range(2):
        sources = Counter(start // 1000 for start in starts(data, [2 * block, 2 * block + 1]))
        assert sources == {0: 6_700, 1: 3_199, 2: 101}
    first_half = Counter(start // 1000 for start in starts(data, [0]))
    assert 20 < first_half[2] < 81  # 50 expected, standard deviation 5


def test_finer_weights_than_thousandths_get_a_block_that_holds_them():
    named = {"a": Stream(4001), "b": Stream(401, first=10_000)}
    data = mixture(named, batch_size=10_000, weights={"a": 0.9975, "b": 0.0025})
    assert Counter(start // 10_000 for start in starts(data, [0])) == {0: 9_975, 1: 25}


@given(
    tokens=st.lists(st.integers(20, 2_000), min_size=2, max_size=4),
    shares=st.lists(st.integers(1, 700), min_size=4, max_size=4),
    seed=st.integers(0, 99),
)
def test_each_source_s_draws_are_its_windows_once_an_epoch_whatever_the_shares(tokens, shares, seed):
    named = {"abcd"[place]: Stream(count, first=10_000 * place) for place, count in enumerate(tokens)}
    chosen = {name: shares[place] for place, name in enumerate(named)}
    block = sum(chosen.values())
    seen = starts(mixture(named, batch_size=3 * block, shares=chosen, seed=seed), [0])
    for place, name in enumerate(named):
        windows = [start % 10_000 for start in seen if start // 10_000 == place]
        assert len(windows) == 3 * chosen[name]
        whole, rest = divmod(len(windows), (tokens[place] - 1) // 4)
        counts = Counter(windows)
        assert set(counts.values()) <= {whole, whole + 1}
        assert sum(count == whole + 1 for count in counts.values()) == rest


@given(step=st.integers(0, 10**6), hosts=st.sampled_from([1, 2, 4, 8]))
def test_the_rows_of_all_hosts_one_after_the_other_are_the_batch(step, hosts):
    named = {"a": Stream(900), "b": Stream(555, first=2000)}
    data = mixture(named, batch_size=16, weights={"a": 3.0, "b": 1.0})
    rows = 16 // hosts
    first = step * 16
    parts = [data.sequences(first + np.arange(host * rows, (host + 1) * rows)) for host in range(hosts)]
    np.testing.assert_array_equal(np.concatenate(parts), data.batch(step))


def test_a_source_is_drawn_in_another_order_each_epoch_of_its_own():
    named = {"a": Stream(401), "b": Stream(2001, first=10_000)}
    seen = starts(mixture(named, batch_size=BLOCK, weights={"a": 1, "b": 1}), [0])
    of_a = [start for start in seen if start < 10_000]
    pool, ordinal = mixture(named, weights={"a": 1, "b": 1}).assign(np.arange(BLOCK))
    by_draw = [start for _, start in sorted(zip(ordinal[pool == 0].tolist(), of_a, strict=True))]
    epochs = [by_draw[at : at + 100] for at in range(0, 500, 100)]
    assert all(sorted(epoch) == list(range(0, 400, 4)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_the_order_of_the_names_in_a_config_changes_nothing():
    named = {"a": Stream(401), "b": Stream(401, first=1000)}
    other = dict(reversed(named.items()))
    for weights in (None, {"a": 2, "b": 1}):
        turned = weights and dict(reversed(weights.items()))
        expected = mixture(named, weights=weights).batch(5)
        np.testing.assert_array_equal(mixture(other, weights=turned).batch(5), expected)


def test_a_single_weight_is_the_source_itself_each_window_once():
    data = mixture({"a": Stream(401), "b": Stream(401)}, batch_size=100, weights={"a": 0.2})
    assert sorted(starts(data, [0])) == list(range(0, 400, 4))


def test_a_source_shorter_than_a_window_is_refused_with_what_is_there_and_what_is_needed():
    with pytest.raises(ValueError, match=r"source b holds 4 tokens, one window of model\.context=4 takes 5"):
        mixture({"a": Stream(401), "b": Stream(4)})
    assert mixture({"b": Stream(5)}).pools[0].num_windows == 1


def test_sources_of_two_tokenizers_are_refused():
    with pytest.raises(ValueError, match="sources a and b were made by different tokenizers: aaaaaaaaaaaa and bbbb"):
        mixture({"a": Stream(401), "b": Stream(401, manifest=Origin(tokenizer_sha256="b" * 64))})


def test_no_source_is_refused():
    with pytest.raises(ValueError, match="no source of tokens"):
        mixture({})


def test_an_id_beyond_the_vocabulary_is_refused_rather_than_clamped():
    with pytest.raises(ValueError, match=r"a token shard holds id 4[0-9]*, its manifest says vocab_size=400"):
        mixture({"a": Stream(401, manifest=Origin(vocab_size=400))}, batch_size=100).batch(0)
    assert mixture({"a": Stream(401, manifest=Origin(vocab_size=401))}, batch_size=100).batch(0).max() == 400
