import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.checkpoint import Checkpoints, superseded
from train.config import CheckpointSettings, TrainSettings
from train.digest import named
from train.huggingface_config import CheckpointError
from train.restore import DamagedCheckpoint
from train.step import initial_state, plan, state_layout

MODEL = {"width": 32, "heads": 4, "layers": 2, "ffn_width": 48, "vocab_size": 64, "context": 8}
KEEP_ALL = CheckpointSettings(keep=100)
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def abstract_state(mesh=(1, 1, 1), **model):
    """What a state of a run looks like on a mesh."""
    data, fsdp, tensor = mesh
    values = {"data": "nowhere", "model": MODEL | model, "optimizer": {"warmup_steps": 1}, "batch": 8, "steps": 10}
    run = TrainSettings(**values, mesh={"data": data, "fsdp": fsdp, "tensor": tensor})
    layout, _ = plan(run, jax.devices(), backend="cpu")
    shapes = jax.eval_shape(lambda: initial_state(run))
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        shapes,
        state_layout(run, layout),
    )


@cache
def drawn(seed=0):
    """A state of which every value is noise, and a few are no numbers at all."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        values = rng.normal(size=leaf.shape) * 10
        if leaf.ndim > 1 and leaf.dtype == jnp.float32:
            values.reshape(-1)[:4] = [np.nan, -0.0, np.inf, 1e-42]
        return values.astype(leaf.dtype)

    return jax.tree.map(draw, abstract_state())


def placed(tree, abstract):
    return jax.tree.map(lambda values, leaf: jax.device_put(values, leaf.sharding), tree, abstract)


def assert_same_bits(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for (name, array), values in zip(named(found).items(), named(expected).values(), strict=True):
        assert array.dtype == values.dtype, name
        assert np.asarray(array).tobytes() == np.asarray(values).tobytes(), name


def abstract_of(tree):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), tree)


def small(step, size=8):
    """A state that is quickly saved, of values that tell its step."""
    return {"step": jnp.asarray(step), "weights": jnp.full((size, 2), step, jnp.float32)}


@pytest.mark.parametrize(
    ("saved", "restored"),
    [
        ((2, 2, 2), (2, 2, 2)),
        ((2, 2, 2), (1, 8, 1)),
        ((1, 8, 1), (1, 1, 1)),
        ((1, 1, 1), (1, 2, 4)),
        ((8, 1, 1), (1, 1, 1)),
    ],
    ids=str,
)
def test_a_state_comes_back_bit_for_bit_on_any_mesh(tmp_path, saved, restored):
    state = placed(drawn(), abstract_state(saved))
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        checkpoints.save(3, state, {"step": 3, "config": {"a": [1.5, None]}})
        checkpoints.wait()
        target = abstract_state(restored)
        found, record = checkpoints.restore(3, target)
        assert checkpoints.record(3) == record == {"step": 3, "config": {"a": [1.5, None]}}
    assert_same_bits(found, drawn())
    for array, leaf in zip(jax.tree.leaves(found), jax.tree.leaves(target), strict=True):
        assert array.sharding == leaf.sharding


@settings(max_examples=15)
@given(
    values=st.lists(st.integers(0, 2**32 - 1), min_size=12, max_size=12),
    dtype=st.sampled_from(["float32", "int32", "uint32"]),
    record=st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False) | st.text() | st.none()),
)
def test_any_bits_and_any_record_come_back(tmp_path_factory, values, dtype, record):
    state = {"a": [jnp.asarray(np.array(values, "u4").view(dtype))], "b": jnp.asarray(values[0] % 2 == 1)}
    with Checkpoints(str(tmp_path_factory.mktemp("run") / "checkpoints"), KEEP_ALL) as checkpoints:
        checkpoints.save(0, state, record)
        checkpoints.wait()
        found, back = checkpoints.restore(0, abstract_of(state))
    assert_same_bits(found, state)
    assert back == record


def orbax_arrays(checkpoint):
    """What Orbax reads of a checkpoint, as arrays of NumPy."""
    with ocp.PyTreeCheckpointer() as reader:
        tree = reader.metadata(checkpoint / "state").item_metadata.tree
        arrays = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        return reader.restore(checkpoint / "state", restore_args=arrays)


def test_orbax_itself_reads_what_is_saved(tmp_path):
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        checkpoints.save(3, placed(drawn(), abstract_state((1, 8, 1))), {"step": 3})
    found = named(orbax_arrays(tmp_path / "checkpoints" / "3"))
    assert found.keys() == named(drawn()).keys()
    assert_same_bits(list(found.values()), [named(drawn())[name] for name in found])
    manager = ocp.CheckpointManager(tmp_path / "checkpoints", options=ocp.CheckpointManagerOptions(read_only=True))
    assert manager.all_steps() == [3]
    manager.close()


def test_a_state_may_be_given_away_while_it_is_saved(tmp_path):
    """The step takes its state's memory for the next one; what is saved is the old one all the same."""
    step = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf + 1, state), donate_argnums=0)
    state = {"weights": jnp.zeros((1 << 20,), jnp.float32)}
    target = abstract_of(state)
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        for number in range(4):
            checkpoints.save(number, state, {})
            for _ in range(5):
                state = step(state)
        checkpoints.wait()
        for number in range(4):
            found, _ = checkpoints.restore(number, target)
            assert (np.asarray(found["weights"]) == 5 * number).all()


@given(
    steps=st.sets(st.integers(0, 60), min_size=1),
    keep=st.integers(1, 8),
    keep_every=st.none() | st.integers(1, 12),
)
def test_what_is_deleted_is_neither_among_the_newest_nor_a_multiple(steps, keep, keep_every):
    deleted = superseded(steps, CheckpointSettings(keep=keep, keep_every=keep_every))
    for step in steps:
        newer = sum(other > step for other in steps)
        kept = newer < keep or (keep_every is not None and step % keep_every == 0)
        assert (step in deleted) != kept


def test_old_checkpoints_go_once_a_newer_one_is_whole(tmp_path):
    with Checkpoints(str(tmp_path / "checkpoints"), CheckpointSettings(keep=2, keep_every=3)) as checkpoints:
        for step, kept in enumerate([[1], [1, 2], [2, 3], [3, 4], [3, 4, 5], [3, 5, 6], [3, 6, 7]], 1):
            checkpoints.save(step, small(step), {})
            checkpoints.wait()
            assert checkpoints.steps() == kept
            assert sorted(os.listdir(checkpoints.folder)) == sorted(map(str, kept))
        for step in kept:
            assert_same_bits(checkpoints.restore(step, abstract_of(small(0)))[0], small(step))


def test_a_folder_that_no_save_has_named_is_no_checkpoint(tmp_path):
    for name in ("0500", "+5", "5.0", "x", "٥"):
        (tmp_path / name).mkdir()
    with Checkpoints(str(tmp_path), KEEP_ALL) as checkpoints:
        assert checkpoints.steps() == []
        assert checkpoints.restore_newest(abstract_of(small(0)), notify=print) is None


def test_a_step_that_is_there_is_left_as_it_is(tmp_path):
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        checkpoints.save(1, small(1), {"first": True})
        checkpoints.save(1, small(2), {"first": False})
        checkpoints.wait()
        assert checkpoints.record(1) == {"first": True}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A checkpoint of step 5; nothing may be written into its folder."""
    folder = tmp_path_factory.mktemp("whole")
    with Checkpoints(str(folder / "checkpoints"), KEEP_ALL) as checkpoints:
        checkpoints.save(5, placed(drawn(), abstract_state()), {"step": 5})
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    """The same, to be spoilt."""
    return shutil.copytree(whole, tmp_path / "run")


def kinds(checkpoint):
    """The files of a checkpoint by what they are; of the data, the file with the most."""
    files = sorted((path for path in checkpoint.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    return {"/".join(part for part in path.relative_to(checkpoint).parts if len(part) < 32): path for path in files}


KINDS = {
    "record/metadata", "state/manifest.ocdbt", "state/d", "state/ocdbt.process_0/d", "state/_METADATA",
    "state/ocdbt.process_0/manifest.ocdbt", "_CHECKPOINT_METADATA", "commit_success.txt", "state/commit_success.txt",
    "record/commit_success.txt",
}  # fmt: skip
#: Files that no array hangs on: without them, every value is the one that was saved.
NOT_NEEDED = {
    "state/_METADATA", "state/ocdbt.process_0/manifest.ocdbt", "_CHECKPOINT_METADATA", "commit_success.txt",
    "state/commit_success.txt", "record/commit_success.txt",
}  # fmt: skip


def test_these_are_the_files_of_a_checkpoint(whole):
    assert kinds(whole / "checkpoints" / "5").keys() == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("how", ["cut", "emptied", "removed"])
def test_a_file_that_is_not_whole_is_told_in_one_line_unless_nothing_hangs_on_it(copied, kind, how):
    path = kinds(copied / "checkpoints" / "5")[kind]
    content = path.read_bytes()
    path.unlink()
    if how != "removed":
        path.write_bytes(content[: len(content) // 2] if how == "cut" else b"")
    with Checkpoints(str(copied / "checkpoints"), KEEP_ALL) as checkpoints:
        assert checkpoints.steps() == [5]
        if kind in NOT_NEEDED:
            assert_same_bits(checkpoints.restore(5, abstract_state())[0], drawn())
            return
        with pytest.raises(DamagedCheckpoint) as raised:
            checkpoints.restore(5, abstract_state())
    assert str(raised.value).startswith(f"{copied / 'checkpoints' / '5'}: the checkpoint is damaged: ")
    assert "\n" not in str(raised.value)
    assert "tensorstore_spec" not in str(raised.value)


@settings(max_examples=30)
@given(kind=st.sampled_from(sorted(KINDS - NOT_NEEDED)), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_bit_that_flips_in_a_file_is_found_or_changes_no_value(whole, tmp_path_factory, kind, where, bit):
    folder = shutil.copytree(whole, tmp_path_factory.mktemp("flipped") / "run")
    path = kinds(folder / "checkpoints" / "5")[kind]
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with Checkpoints(str(folder / "checkpoints"), KEEP_ALL) as checkpoints:
        try:
            found, record = checkpoints.restore(5, abstract_state())
        except DamagedCheckpoint as error:
            assert "the checkpoint is damaged" in str(error)  # noqa: PT017 -- either is right
        else:
            assert_same_bits(found, drawn())
            assert record == {"step": 5}


def test_a_value_that_is_another_one_is_found_by_its_digest(copied):
    """What the store below does not notice: a bit in the midst of the values."""
    values = drawn().params.embedding.tobytes()
    data = (copied / "checkpoints" / "5" / "state" / "ocdbt.process_0" / "d").iterdir()
    path, content = next((path, content) for path in data if values in (content := bytearray(path.read_bytes())))
    content[content.index(values) + len(values) // 2] ^= 1
    path.write_bytes(content)
    stored = orbax_arrays(copied / "checkpoints" / "5")
    assert stored["params"]["embedding"].tobytes() != values  # Orbax reads it without a word
    with (
        Checkpoints(str(copied / "checkpoints"), KEEP_ALL) as checkpoints,
        pytest.raises(DamagedCheckpoint, match="damaged: params/embedding holds other values than were saved"),
    ):
        checkpoints.restore(5, abstract_state())


def test_damaged_checkpoints_are_moved_aside_and_the_next_older_one_is_taken(tmp_path):
    target, told = abstract_of(small(0)), []
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        assert checkpoints.restore_newest(target, notify=told.append) is None
        for step in (10, 20, 30):
            checkpoints.save(step, small(step), {"step": step})
        checkpoints.wait()
        for step in (20, 30):
            (tmp_path / "checkpoints" / str(step) / "record" / "metadata").write_text("{")
        step, state, record = checkpoints.restore_newest(target, notify=told.append)
        assert (step, record) == (10, {"step": 10})
        assert_same_bits(state, small(10))
        assert [line.split("; moved to ")[1] for line in told] == [f"{tmp_path}/damaged/30", f"{tmp_path}/damaged/20"]
        assert told[0].startswith(f"{tmp_path}/checkpoints/30: the checkpoint is damaged: record/metadata: ")
        checkpoints.save(20, small(20), {"again": True})
        checkpoints.wait()
        assert checkpoints.restore_newest(target, notify=told.append)[0] == 20
        (tmp_path / "checkpoints" / "20" / "record" / "metadata").write_text("{}")
        assert checkpoints.restore_newest(target, notify=told.append)[0] == 10
        assert told[2].endswith(f"{tmp_path}/damaged/20-2")
    assert sorted(os.listdir(tmp_path / "damaged")) == ["20", "20-2", "30"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: abstract_state(vocab_size=72), r"params/embedding is float32 of the shape \[64, 32\], the "),
        (lambda state: state._replace(step=jax.ShapeDtypeStruct((), jnp.float32)), "step is int32 of the shape"),
        (lambda state: state._replace(moments=()), "of another model or optimizer: it holds moments/1/0/count too"),
        (lambda state: state._replace(params={"more": state.step}), "holds no params/more"),
    ],
    ids=["shape", "dtype", "fewer", "others"],
)
def test_a_checkpoint_of_another_model_is_refused_and_stays(copied, change, message):
    with (
        Checkpoints(str(copied / "checkpoints"), KEEP_ALL) as checkpoints,
        pytest.raises(CheckpointError, match=message) as raised,
    ):
        checkpoints.restore_newest(change(abstract_state()), notify=pytest.fail)
    assert not isinstance(raised.value, DamagedCheckpoint)
    assert str(copied / "checkpoints" / "5") in str(raised.value)
    assert "\n" not in str(raised.value)
    assert os.listdir(copied / "checkpoints") == ["5"]


def test_what_an_interrupted_run_left_is_taken_away(copied):
    for name in ("6.orbax-checkpoint-tmp", "7.orbax-checkpoint-tmp-123", "4.deleted"):
        (copied / "checkpoints" / name / "state").mkdir(parents=True)
    (copied / "checkpoints" / "notes").mkdir()
    with Checkpoints(str(copied / "checkpoints"), KEEP_ALL) as checkpoints:
        assert checkpoints.steps() == [5]
        assert sorted(os.listdir(checkpoints.folder)) == ["5", "notes"]


SCRIPT = """
import os, resource, signal, sys, time
import jax.numpy as jnp
from train.checkpoint import Checkpoints
from train.config import CheckpointSettings
from train.huggingface_config import CheckpointError

folder, how = sys.argv[1:]
large = {"step": jnp.asarray(2), "weights": [jnp.ones((1 << 18, 2), jnp.float32)] * 20}
small = {"step": jnp.asarray(1), "weights": jnp.full((8, 2), 1, jnp.float32)}
with Checkpoints(folder, CheckpointSettings(keep=1)) as checkpoints:
    checkpoints.save(1, small, {"step": 1})
    checkpoints.wait()
    if how == "kill":
        checkpoints._checkpointer.handler.finalize = lambda *_: time.sleep(60)
        checkpoints.save(2, large, {"step": 2})
        while not any("tmp" in name for name in os.listdir(folder)):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    for attempt in range(2):
        checkpoints.save(2, large, {"step": 2})
        try:
            checkpoints.wait()
        except CheckpointError as error:
            print(error)
        print(checkpoints.steps(), os.listdir(folder))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    checkpoints.save(3, large, {"step": 3})
"""


def run_script(folder, how):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    command = [sys.executable, "-c", SCRIPT, str(folder), how]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_full_disk_is_one_line_and_the_checkpoint_before_stays_whole(tmp_path):
    """A limit on the size of files stands in for the disk: both fail while an array is written."""
    done = run_script(tmp_path / "checkpoints", "fill")
    assert (done.returncode, done.stderr) == (0, "")
    line = f"{tmp_path}/checkpoints/2: the checkpoint could not be saved: File too large"
    assert done.stdout.splitlines() == [line, "[1] ['1']"] * 2
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        assert checkpoints.steps() == [3]  # there was room again


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path):
    done = run_script(tmp_path / "checkpoints", "kill")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "")
    assert len(os.listdir(tmp_path / "checkpoints")) == 2
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        assert os.listdir(checkpoints.folder) == ["1"]
        step, state, _ = checkpoints.restore_newest(abstract_of(small(1)), notify=pytest.fail)
        assert step == 1
        assert_same_bits(state, small(1))
        checkpoints.save(2, small(2), {})
        checkpoints.wait()
        assert checkpoints.steps() == [1, 2]


@pytest.fixture
def unwritable(tmp_path):
    """A folder that may not be written, not by root either."""
    folder = tmp_path / "checkpoints"
    folder.mkdir(mode=0o555)
    root = os.geteuid() == 0
    back = os.getcwd()
    os.chdir(tmp_path)
    if root:
        os.seteuid(65534)
    yield "checkpoints"
    if root:
        os.seteuid(0)
    os.chdir(back)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file/run: checkpoints cannot be written there: Not a directory$"):
        Checkpoints(str(tmp_path / "file" / "run"), KEEP_ALL)


def test_a_folder_without_permission_is_one_line(unwritable):
    with pytest.raises(CheckpointError, match=r"/checkpoints: checkpoints cannot be written there: Permission denied$"):
        Checkpoints(unwritable, KEEP_ALL)


@contextmanager
def full():
    """A limit on the size of files stands in for a full disk."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


@pytest.mark.parametrize("told_by", ["save", "wait", "exit"])
def test_an_error_while_saving_is_told_once_by_whatever_comes_next(tmp_path, told_by):
    checkpoints, told = Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL), []
    with full(), pytest.raises(CheckpointError, match=r"/checkpoints/1: the checkpoint could not be saved: \S.*$"):
        save_and_go_on(checkpoints, told_by, told)
    assert told == ["saving", told_by]
    checkpoints.wait()
    assert os.listdir(tmp_path / "checkpoints") == []


def save_and_go_on(checkpoints, told_by, told):
    with checkpoints:
        checkpoints.save(1, small(1, size=1 << 16), {})
        told += ["saving", told_by]
        if told_by == "save":
            checkpoints.save(2, small(2), {})
        elif told_by == "wait":
            checkpoints.wait()
        else:
            return
        told.append("not told")


def test_a_folder_that_goes_away_is_one_line(tmp_path):
    with Checkpoints(str(tmp_path / "checkpoints"), KEEP_ALL) as checkpoints:
        shutil.rmtree(tmp_path / "checkpoints")
        (tmp_path / "checkpoints").write_text("in the way")
        with pytest.raises(
            CheckpointError, match=r"checkpoints/1: the checkpoint could not be saved: Not a directory$"
        ):
            checkpoints.save(1, small(1), {})


def test_a_record_says_what_json_says(whole):
    contents = json.loads((whole / "checkpoints" / "5" / "record" / "metadata").read_text())
    assert contents["record"] == {"step": 5}
    assert contents["arrays"].keys() == named(drawn()).keys()


TWO = """
import sys
import jax
jax.config.update("jax_cpu_collectives_implementation", "gloo")
process, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
jax.distributed.initialize(f"localhost:{port}", 2, process)
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import train.restore
from train.checkpoint import Checkpoints
from train.config import CheckpointSettings
from train.restore import DamagedCheckpoint, read_array

mesh = jax.make_mesh((2, 2), ("x", "y"), axis_types=(AxisType.Auto,) * 2)
rows = NamedSharding(mesh, PartitionSpec(("x", "y"))), NamedSharding(mesh, PartitionSpec())
values = np.arange(8 * 300, dtype=np.float32).reshape(8, 300), np.arange(3, dtype=np.int32)
state = {
    name: jax.make_array_from_callback(array.shape, place, lambda index, array=array: array[index])
    for name, array, place in zip(("weights", "step"), values, rows)
}
abstract = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding) for name, leaf in state.items()}

def unreadable_here(path, name, leaf):
    if process == 1 and path.endswith("/4"):
        raise DamagedCheckpoint(f"{path}: the checkpoint is damaged: cannot be read here")
    return read_array(path, name, leaf)

train.restore.read_array = unreadable_here
with Checkpoints(folder, CheckpointSettings(keep=2)) as checkpoints:
    for step in (2, 3, 4):
        checkpoints.save(step, state, {"step": step})
    checkpoints.wait()
    assert checkpoints.steps() == [3, 4]
    step, found, record = checkpoints.restore_newest(abstract, notify=lambda line: print(line.split(": ", 1)[1]))
    for name in state:
        for piece, saved in zip(found[name].addressable_shards, state[name].addressable_shards):
            assert np.array_equal(piece.data, saved.data)
print(step, record)
"""


def test_two_processes_save_and_restore_as_one(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    folder = tmp_path / "checkpoints"
    command = [sys.executable, "-c", TWO]
    running = [
        subprocess.Popen([*command, str(process), str(port), str(folder)], env=environment, text=True, **PIPES)
        for process in range(2)
    ]
    try:
        told = [process.communicate(timeout=120) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert [process.returncode for process in running] == [0, 0], told
    moved, last = f"; moved to {tmp_path}/damaged/4", "3 {'step': 3}"
    assert [[line for line in out.splitlines() if not line.startswith("[Gloo]")] for out, _ in told] == [
        ["the checkpoint is damaged: another process could not read it" + moved, last],
        ["the checkpoint is damaged: cannot be read here" + moved, last],
    ]
    with Checkpoints(str(folder), KEEP_ALL) as checkpoints:
        found, _ = checkpoints.restore(
            3, abstract_of({"weights": jnp.zeros((8, 300)), "step": jnp.zeros(3, jnp.int32)})
        )
    assert np.array_equal(found["weights"].reshape(-1), np.arange(2400))
