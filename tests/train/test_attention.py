from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from train.attention import causal_attention, choose_kernel, cudnn_attention, document_numbers, splash_attention
from train.config import TrainSettings
from train.sharding import MeshSettings, build_mesh
from train.step import initial_state, jit_update, plan

DOCUMENTS = np.repeat([[0, 1, 2], [0, 0, 1]], [100, 28, 128], axis=1).astype(np.int32)


def heads(size, length=256, seed=0):
    """Query, key, value and a direction to take gradients along, of 2 sequences and 2 heads."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=(4, 2, length, 2, size)), jnp.float32)


def with_gradients(attend, documents):
    def along(query, key, value, direction):
        out = attend(query, key, value, documents)
        return jnp.vdot(out, direction), out

    return jax.jit(jax.value_and_grad(along, argnums=(0, 1, 2), has_aux=True))


@pytest.mark.parametrize("size", [64, 20], ids=["heads of 64", "heads of 20, filled up"])
def test_splash_gives_what_the_formula_gives_and_its_gradients(size):
    mesh = build_mesh(MeshSettings(fsdp=2, tensor=2), jax.devices()[:4])
    layout = PartitionSpec(("data", "fsdp"), None, "tensor", None)
    documents = jnp.asarray(DOCUMENTS) if size == 64 else None
    splash = partial(splash_attention, mesh=mesh, layout=layout, interpret=True)
    (_, ours), slopes = with_gradients(splash, documents)(*heads(size))
    (_, expected), expected_slopes = with_gradients(causal_attention, documents)(*heads(size))
    np.testing.assert_allclose(ours, expected, atol=2e-6)
    for slope, expected_slope in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(slope, expected_slope, atol=2e-4)
        assert np.abs(expected_slope).max() > 0.5


def test_documents_kept_apart_attend_as_if_each_stood_alone():
    query, key, value, _ = heads(8)
    together = np.asarray(causal_attention(query, key, value, jnp.asarray(DOCUMENTS)))
    for row, lengths in enumerate([[100, 28, 128], [128, 128]]):
        end = 0
        for length in lengths:
            piece = np.s_[row : row + 1, end : end + length]
            alone = causal_attention(query[piece], key[piece], value[piece])
            np.testing.assert_allclose(together[piece], alone, atol=1e-6)
            end += length


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        ({"bos_id": 1, "eos_id": 2}, [0, 0, 1, 1, 1, 2, 2]),
        ({"bos_id": 1, "eos_id": None}, [0, 0, 1, 1, 1, 1, 1]),
        ({"bos_id": None, "eos_id": 2}, [0, 0, 1, 1, 1, 2, 2]),
        ({"bos_id": None, "eos_id": None}, [0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_a_document_begins_at_bos_and_after_eos(ids, numbers):
    tokens = jnp.array([[7, 2, 1, 8, 2, 9, 2]], jnp.int32)
    assert document_numbers(tokens, **ids)[0].tolist() == numbers


@pytest.mark.parametrize(
    ("backend", "changes", "kernel"),
    [
        ("tpu", {}, "splash"),
        ("tpu", {"context": 100}, "reference"),
        ("gpu", {}, "cudnn"),
        ("gpu", {"dtype": "float32"}, "reference"),
        ("gpu", {"documents": True}, "reference"),
        ("cpu", {}, "reference"),
    ],
)
def test_auto_takes_the_kernel_of_the_backend_where_it_can_do_what_is_asked(backend, changes, kernel):
    asked = {"context": 2048, "dtype": "bfloat16", "documents": False}
    assert choose_kernel("auto", backend=backend, **asked | changes) == kernel


@pytest.mark.parametrize(
    ("kernel", "backend", "changes", "message"),
    [
        ("cudnn", "gpu", {"documents": True}, "attention=cudnn would ignore document_mask"),
        ("cudnn", "gpu", {"dtype": "float32"}, "in bfloat16 alone, got compute_dtype=float32"),
        ("cudnn", "tpu", {}, "attention=cudnn runs on GPUs alone, this is a tpu"),
        ("splash", "gpu", {}, "attention=splash runs on TPUs alone, this is a gpu"),
        ("splash", "tpu", {"context": 2047}, "model.context to be a multiple of 128, got 2047"),
    ],
)
def test_a_kernel_that_cannot_do_what_is_asked_is_refused(kernel, backend, changes, message):
    asked = {"context": 2048, "dtype": "bfloat16", "documents": False}
    with pytest.raises(ValueError, match=message):
        choose_kernel(kernel, backend=backend, **asked | changes)


def test_cudnn_refuses_documents_even_where_nothing_was_chosen():
    query, key, value, _ = heads(8)
    with pytest.raises(ValueError, match="would ignore document_mask"):
        cudnn_attention(query, key, value, jnp.asarray(DOCUMENTS))


def test_the_step_for_a_gpu_calls_cudnn_forward_and_backward(monkeypatch):
    # There is no GPU to ask for its library: one that is new enough is taken for granted.
    library = "jax._src.cudnn.fused_attention_stablehlo"
    monkeypatch.setattr(f"{library}.check_cudnn_version", lambda: 91000)
    monkeypatch.setattr(f"{library}.check_compute_capability", lambda _: True)
    model = {"width": 128, "heads": 2, "layers": 2, "vocab_size": 32, "context": 128}
    values = {"data": "nowhere", "model": model, "batch": 2, "steps": 10, "optimizer": {"warmup_steps": 1}}
    settings = TrainSettings(**values)
    layout, how = plan(settings, jax.devices(), backend="gpu")
    state = jax.eval_shape(lambda: initial_state(settings))
    windows = jax.ShapeDtypeStruct((2, 129), jnp.int32)
    program = jit_update(settings, layout, how).trace(state, windows).lower(lowering_platforms=("cuda",)).as_text()
    assert program.count("@__cudnn$fmhaSoftmax(") == program.count("@__cudnn$fmhaSoftmaxBackward(") == 1
