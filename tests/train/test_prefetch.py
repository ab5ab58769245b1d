import threading
import time

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from train.data import Mixture
from train.prefetch import Prefetch, place
from train.sharding import Layout, MeshSettings, build_mesh

CONTEXT = 4
STEPS = 5


class Origin:
    vocab_size = 1_000_000
    tokenizer_sha256 = "a" * 64


class Stream:
    """Token shards in memory; token i has the id i."""

    num_tokens = 4001
    manifest = Origin()

    def __init__(self, *, fail_from=None, pause=0.0):
        self.reads, self.fail_from, self.pause = 0, fail_from, pause

    def windows(self, starts, length):
        time.sleep(self.pause)
        self.reads += 1
        if self.fail_from is not None and self.reads >= self.fail_from:
            raise OSError("the disk is gone")
        return (starts[:, None] + np.arange(length)).astype(np.uint32)


def mixture(stream=None, batch_size=16):
    return Mixture.of({"a": stream or Stream()}, context=CONTEXT, batch_size=batch_size, seed=0)


def batch_sharding(**mesh):
    settings = MeshSettings(**mesh)
    return Layout(build_mesh(settings, jax.devices()[: int(np.prod(settings.shape))])).batch()


MESHES = [{}, {"data": 8}, {"fsdp": 8}, {"data": 2, "fsdp": 4}, {"data": 2, "tensor": 4}, {"fsdp": 2, "tensor": 2}]


def name_of(mesh):
    return "-".join(f"{axis}{size}" for axis, size in mesh.items()) or "one"


@pytest.mark.parametrize("mesh", MESHES, ids=name_of)
def test_the_batches_are_those_of_the_mixture_on_any_mesh_each_row_read_once(mesh):
    asked, sharding = [], batch_sharding(**mesh)

    def rows_of(index):
        asked.extend(index.tolist())
        return mixture().sequences(index)

    batch = place(rows_of, 3 * 16, 16, CONTEXT + 1, sharding)
    np.testing.assert_array_equal(batch, mixture().batch(3))
    assert asked == list(range(48, 64))
    assert (batch.sharding, batch.dtype) == (sharding, np.int32)
    with Prefetch(mixture(), sharding, first=0, last=STEPS) as batches:
        made = [np.asarray(batch) for batch in batches]
    np.testing.assert_array_equal(made, [mixture().batch(step) for step in range(STEPS)])


def test_rows_and_tokens_may_both_be_divided():
    mesh = jax.make_mesh((2, 4), ("rows", "tokens"))
    count = np.arange(6 * 8, dtype=np.int32).reshape(6, 8)
    placed = place(lambda index: count[index], 0, 6, 8, NamedSharding(mesh, P("rows", "tokens")))
    np.testing.assert_array_equal(placed, count)
    assert {shard.data.shape for shard in placed.addressable_shards} == {(3, 2)}


class Hosts:
    """A sharding of which this process holds only some devices' part, as one of several processes does."""

    def __init__(self, sharding, devices):
        self.sharding, self.devices = sharding, devices

    def addressable_devices_indices_map(self, shape):
        return {device: index for device, index in self.sharding.devices_indices_map(shape).items() if self.has(device)}

    def has(self, device):
        return device.id in self.devices


@pytest.mark.parametrize("hosts", [1, 2, 4, 8])
@pytest.mark.parametrize("mesh", MESHES[1:5], ids=name_of)
def test_changing_the_number_of_hosts_changes_no_batch(monkeypatch, mesh, hosts):
    sharding, each = batch_sharding(**mesh), 8 // hosts
    read, batch = {}, np.full((16, CONTEXT + 1), -1, np.int32)

    def gather(shape, held, part, dtype):
        for index in held.addressable_devices_indices_map(shape).values():
            batch[index] = part(index)

    def rows_of(index):
        read[host] = index - 32
        return mixture().sequences(index)

    monkeypatch.setattr(jax, "make_array_from_callback", gather)
    for host in range(hosts):
        place(rows_of, 32, 16, CONTEXT + 1, Hosts(sharding, range(host * each, (host + 1) * each)))
    np.testing.assert_array_equal(batch, mixture().batch(2))
    rows_at_once = 16 // (mesh.get("data", 1) * mesh.get("fsdp", 1))  # those of one device
    for host, rows in read.items():
        groups = {device * 16 // 8 // rows_at_once for device in range(host * each, (host + 1) * each)}
        assert len(rows) == len(groups) * rows_at_once == len(set(rows.tolist()))


def test_batches_begin_at_any_step_and_end_before_the_last():
    with Prefetch(mixture(), batch_sharding(), first=7, last=9) as batches:
        np.testing.assert_array_equal(next(batches), mixture().batch(7))
        np.testing.assert_array_equal(next(batches), mixture().batch(8))
        with pytest.raises(StopIteration):
            next(batches)
    with Prefetch(mixture(), batch_sharding(), first=9, last=9) as batches:
        assert list(batches) == []


def wait_for(true):
    for _ in range(2000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it never came")


def test_as_many_batches_as_the_depth_says_are_made_ahead_and_no_more():
    stream = Stream()
    with Prefetch(mixture(stream), batch_sharding(), first=0, last=100, depth=3) as batches:
        wait_for(lambda: stream.reads == 3)
        next(batches)
        wait_for(lambda: stream.reads == 4)
        time.sleep(0.02)
        assert stream.reads == 4


def test_what_goes_wrong_in_the_thread_is_raised_where_its_batch_is_asked_for_and_no_batch_is_left_out():
    with Prefetch(mixture(Stream(fail_from=3)), batch_sharding(), first=0, last=STEPS) as batches:
        np.testing.assert_array_equal(next(batches), mixture().batch(0))
        np.testing.assert_array_equal(next(batches), mixture().batch(1))
        for _ in range(2):
            with pytest.raises(OSError, match="the disk is gone"):
                next(batches)


def test_nothing_more_is_read_once_a_batch_could_not_be_made():
    stream = Stream(fail_from=1, pause=0.02)
    with (
        Prefetch(mixture(stream), batch_sharding(), first=0, last=STEPS) as batches,
        pytest.raises(OSError, match="the disk is gone"),
    ):
        next(batches)
    assert stream.reads == 1


def test_leaving_early_ends_the_thread_and_makes_no_further_batch():
    stream = Stream(pause=0.02)
    with Prefetch(mixture(stream), batch_sharding(), first=0, last=1000, depth=50) as batches:
        next(batches)
    reads = stream.reads
    assert reads < 50
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
    with pytest.raises(StopIteration):
        next(batches)
    assert stream.reads == reads


def test_only_the_time_that_a_step_waits_is_counted():
    slow = Stream(pause=0.05)
    with Prefetch(mixture(slow), batch_sharding(), first=0, last=3) as batches:
        assert len(list(batches)) == 3
        assert batches.waited > 0.1
    with Prefetch(mixture(), batch_sharding(), first=0, last=2) as batches:
        wait_for(lambda: all(batch.done() for batch in batches._ahead))
        next(batches)
        assert batches.waited < 0.05
