import grain
import numpy as np
import pytest
from absl import flags

from tests.token_source import write_source
from train.data import Mixture
from train.grain_source import Windows, inputs_and_targets
from train.shards import open_sources

CONTEXT = 8
BATCH = 16
STEPS = 6


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    for source, tokens in (("a", 900), ("b", 300)):
        write_source(folder / "tokens" / source, [[rng.integers(3, 400, tokens).astype(np.uint16)] for _ in range(2)])
    return folder


def mixture(run, seed=5, weights=None):
    weights = {"a": 3.0, "b": 1.0} if weights is None else weights
    return Mixture.of(open_sources(str(run)), context=CONTEXT, batch_size=BATCH, seed=seed, weights=weights)


@pytest.fixture(scope="module")
def source(run):
    return Windows(mixture(run), sequences=STEPS * BATCH)


@pytest.fixture(scope="module")
def batches(run):
    return [mixture(run).batch(step) for step in range(STEPS)]


def test_it_is_a_source_that_grain_reads_by_batches(source):
    assert isinstance(source, grain.sources.RandomAccessDataSource)
    data = grain.MapDataset.source(source)
    together, alone = data._getitems([3, 95]), [source[3], source[np.int64(95)]]
    np.testing.assert_equal(together, alone)


def test_grain_s_batches_without_a_shuffle_are_the_run_s(source, batches):
    data = grain.MapDataset.source(source).batch(BATCH, drop_remainder=True)
    assert len(data) == STEPS
    np.testing.assert_array_equal([element["tokens"] for element in data], batches)
    np.testing.assert_array_equal([element["tokens"] for element in data.to_iter_dataset()], batches)


def test_the_slices_of_all_hosts_together_are_the_run_s_batches(source, batches):
    hosts = [grain.MapDataset.source(source)[host::4].batch(BATCH // 4) for host in range(4)]
    for step, batch in enumerate(batches):
        for host, part in enumerate(hosts):
            np.testing.assert_array_equal(part[step]["tokens"], batch[host::4])


def test_grain_may_shuffle_further_and_loses_nothing(run):
    data = mixture(run)
    source = Windows(data, sequences=STEPS * BATCH)
    shuffled = [element["tokens"].tolist() for element in grain.MapDataset.source(source).seed(1).shuffle()]
    expected = data.sequences(np.arange(STEPS * BATCH)).tolist()
    assert shuffled != expected
    assert sorted(shuffled) == sorted(expected)


def test_an_iterator_goes_on_from_its_state_in_another_process_s_source(run, source, batches):
    first = iter(grain.MapDataset.source(source).batch(BATCH).to_iter_dataset())
    next(first), next(first)
    state = first.get_state()
    assert state == {"next_index": 2}
    second = iter(
        grain.MapDataset.source(Windows(mixture(run), sequences=STEPS * BATCH)).batch(BATCH).to_iter_dataset()
    )
    second.set_state(state)
    np.testing.assert_array_equal([element["tokens"] for element in second], batches[2:])


def loader(source):
    sampler = grain.samplers.IndexSampler(num_records=len(source), shuffle=False, num_epochs=1)
    return grain.DataLoader(data_source=source, sampler=sampler, worker_count=0)


def test_a_data_loader_s_state_fits_the_same_data_wherever_it_lies_and_no_other(run, source, tmp_path):
    elements = iter(loader(source))
    for _ in range(5):
        next(elements)
    state = elements.get_state()
    (tmp_path / "tokens").symlink_to(run / "tokens")
    moved = iter(loader(Windows(mixture(tmp_path), sequences=len(source))))
    moved.set_state(state)
    np.testing.assert_equal(next(moved), source[5])
    for other in (mixture(run, seed=6), mixture(run, weights={"a": 1.0, "b": 1.0})):
        with pytest.raises(ValueError, match="Windows"):
            iter(loader(Windows(other, sequences=len(source)))).set_state(state)


def test_grain_s_worker_processes_open_the_files_themselves(source, batches):
    flags.FLAGS(["pytest"])
    data = grain.MapDataset.source(source).batch(BATCH).to_iter_dataset()
    workers = data.mp_prefetch(grain.MultiprocessingOptions(num_workers=1))
    elements = iter(workers)
    np.testing.assert_array_equal([element["tokens"] for element in elements], batches)


def test_the_representation_tells_what_decides_the_order(source):
    assert repr(source) == (
        f"Windows(96 sequences of 8 tokens by tokenizer {'a' * 64}, in each block 750 of a's 224 windows, "
        "250 of b's 74 windows, seed 5)"
    )


def test_a_source_is_as_long_as_its_sources_have_windows_unless_said(run, source):
    assert len(source) == STEPS * BATCH
    assert len(Windows(mixture(run))) == (1800 - 1) // CONTEXT + (600 - 1) // CONTEXT


@pytest.mark.parametrize("index", [-1, STEPS * BATCH])
def test_a_sequence_that_is_not_there_is_refused(source, index):
    with pytest.raises(IndexError, match="of 96"):
        source[index]


def test_inputs_and_targets_are_a_window_less_its_last_and_its_first_token(source):
    element = grain.MapDataset.source(source).map(inputs_and_targets)[7]
    tokens = source[7]["tokens"]
    np.testing.assert_array_equal(element.pop("inputs"), tokens[:8])
    np.testing.assert_array_equal(element.pop("targets"), tokens[1:])
    for side in ("inputs", "targets"):
        assert element.pop(f"{side}_position").tolist() == list(range(8))
        assert element.pop(f"{side}_segmentation").tolist() == [1] * 8
    assert element == {}
    assert tokens.dtype == np.int32
