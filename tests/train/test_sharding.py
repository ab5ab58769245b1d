import jax
import pytest
from jax.sharding import PartitionSpec
from pydantic import ValidationError

from train.config import TrainSettings
from train.model import AXES, ModelSettings, init
from train.sharding import MESH_AXES, Layout, MeshSettings, build_mesh, check_divides
from train.step import initial_state, plan, state_layout

MODEL = {"width": 32, "heads": 4, "layers": 2, "ffn_width": 48, "vocab_size": 8, "context": 16}


def settings(**changes):
    values = {
        "data": "nowhere",
        "model": MODEL,
        "optimizer": {"learning_rate": 3e-3, "warmup_steps": 1},
        "batch": 8,
        "steps": 10,
        "compute_dtype": "float32",
    }
    return TrainSettings(**values | changes)


def test_weights_and_moments_are_divided_over_fsdp_and_tensor():
    config = settings(mesh={"data": 2, "fsdp": 2, "tensor": 2})
    layout, _ = plan(config, jax.devices(), backend="cpu")
    where = state_layout(config, layout)
    shapes = jax.eval_shape(lambda: initial_state(config))
    held = jax.tree.map(lambda sharding, leaf: sharding.shard_shape(leaf.shape), where, shapes)
    assert held.params.layers.query == (2, 16, 2, 8)
    assert held.params.layers.down == (2, 24, 16)
    assert held.params.embedding == (8, 16)
    assert held.params.unembedding == (16, 4)
    assert held.moments[1][0].mu == held.moments[1][0].nu == held.params
    assert layout.batch().shard_shape((8, 17)) == (2, 17)


def test_the_axes_of_every_weight_name_its_dimensions():
    shapes = jax.eval_shape(lambda: init(ModelSettings(**MODEL), key=jax.random.key(0)))
    sizes = {"D": 32, "H": 4, "A": 8, "F": 48, "V": 8, "_": 8}
    stacked = AXES._replace(layers=[f"L {axes}" for axes in AXES.layers])
    named = [tuple((sizes | {"L": 2})[letter] for letter in axes.split()) for axes in jax.tree.leaves(stacked)]
    assert named == [leaf.shape for leaf in jax.tree.leaves(shapes)]


def test_a_sequence_lies_over_tensor_only_where_asked_for_and_nothing_else_does():
    mesh = build_mesh(MeshSettings(data=2, fsdp=2, tensor=2), jax.devices())
    rows = ("data", "fsdp")
    assert Layout(mesh).activation("B T D") == PartitionSpec(rows, None, None)
    parallel = Layout(mesh, sequence_parallel=True)
    assert parallel.activation("B T D") == PartitionSpec(rows, "tensor", None)
    assert parallel.activation("B T F") == PartitionSpec(rows, None, "tensor")


def test_minus_one_takes_the_devices_that_are_left():
    assert MeshSettings(data=2, fsdp=-1, tensor=2).filled(8).shape == (2, 2, 2)
    assert build_mesh(MeshSettings(fsdp=-1), jax.devices()).shape == dict(zip(MESH_AXES, (1, 8, 1), strict=True))


@pytest.mark.parametrize(
    ("mesh", "message"),
    [
        ({"data": 3, "fsdp": -1}, "data x fsdp x tensor = 3x-1x1 does not take 8 devices: 3 must divide 8"),
        ({"fsdp": 4}, "data x fsdp x tensor = 1x4x1 does not take 8 devices: 4 is not 8"),
        ({"fsdp": 2, "tensor": 8}, "2x8 does not take 8 devices: 16 is not 8"),
    ],
)
def test_a_mesh_that_does_not_match_the_devices_is_refused(mesh, message):
    with pytest.raises(ValueError, match=message):
        build_mesh(MeshSettings(**mesh), jax.devices())


@pytest.mark.parametrize(
    ("mesh", "message"),
    [({"data": -1, "fsdp": -1}, "only one of data, fsdp and tensor"), ({"tensor": 0}, "at least 1, or -1")],
)
def test_an_impossible_mesh_is_refused_when_it_is_written(mesh, message):
    with pytest.raises(ValidationError, match=message):
        MeshSettings(**mesh)


@pytest.mark.parametrize(
    ("mesh", "changes", "message"),
    [
        ({"tensor": 8}, {}, "mesh.tensor must divide model.heads, got 8 and 4"),
        ({"tensor": 4}, {"ffn_width": 50}, "mesh.tensor must divide the feed-forward width, got 4 and 50"),
        ({"fsdp": 24}, {}, "mesh.fsdp must divide model.width, got 24 and 32"),
        ({"data": 16}, {}, "mesh.data x mesh.fsdp must divide batch / accumulate, got 16 and 8"),
        ({"tensor": 4, "sequence_parallel": True}, {"context": 18}, "must divide model.context, got 4 and 18"),
        ({}, {"vocab_size": 63}, "loss_chunks must divide model.vocab_size, got 2 and 63"),
    ],
)
def test_a_dimension_that_does_not_divide_is_refused_by_name(mesh, changes, message):
    with pytest.raises(ValueError, match=message):
        check_divides(MeshSettings(**mesh), ModelSettings(**MODEL | changes), rows=8, loss_chunks=2)
