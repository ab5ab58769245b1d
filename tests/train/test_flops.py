import pytest

from train.devices import published
from train.flops import flops_per_token, mfu, peak_tflops
from train.model import ModelSettings


def llama(width, heads, layers, *, context=2048):
    return ModelSettings(width=width, heads=heads, layers=layers, vocab_size=32_000, context=context)


def test_a_token_takes_six_operations_a_weight_and_twelve_a_score():
    tiny = ModelSettings(width=4, heads=2, layers=3, vocab_size=10, ffn_width=6, context=5)
    weights = 2 * 10 * 4 + 3 * (4 * 4 * 4 + 3 * 4 * 6 + 2 * 4) + 4
    assert flops_per_token(tiny) == 6 * weights + 12 * 3 * 4 * 5


# 65B by hand: 80 x (4 x 8192^2 + 3 x 8192 x 22016 + 2 x 8192) + 2 x 32000 x 8192 + 8192 = 65,285,660,672 weights, so
# 391.714 GFLOP and 12 x 80 x 8192 x 2048 = 16.106 GFLOP a token. The paper's 380 tokens/s on an A100 of 312 TFLOP/s.
def test_llama_65b_at_the_papers_speed_uses_half_of_an_a100():
    model = llama(8192, 64, 80)
    assert flops_per_token(model) == pytest.approx(407.820e9, rel=1e-5)
    assert mfu(380, model, 1, 312) == pytest.approx(0.49670, abs=1e-5)
    assert mfu(380 * 2048, model, 2048, 312) == pytest.approx(0.49670, abs=1e-5)


# 6,738,415,616 weights: 40.430 + 3.221 GFLOP a token, 1,900 tokens/s on a TPU v4 of 275 TFLOP/s.
def test_llama_7b_at_open_llamas_speed_uses_three_tenths_of_a_tpu_v4():
    assert mfu(1900, llama(4096, 32, 32), 1, 275) == pytest.approx(0.30159, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "tflops"),
    [
        ("TPU v4", 275),
        ("TPU v5 lite", 197),
        ("TPU v5", 459),
        ("TPU v6 lite", 918),
        ("TPU7x", 2307 / 2),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H200", 989),
        ("NVIDIA B200", 2250),
    ],
)
def test_known_devices_have_a_peak_in_bfloat16_alone(kind, tflops):
    assert peak_tflops(kind, "bfloat16") == tflops
    assert peak_tflops(kind, "float32") is None


def test_of_other_devices_nothing_is_known():
    assert peak_tflops("cpu", "bfloat16") is None
    assert published("NVIDIA H100").watts is None


@pytest.mark.parametrize("topology", ["v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2"])
def test_each_generation_that_programs_are_compiled_for_is_known_by_the_name_its_devices_have(topology):
    pytest.importorskip("libtpu")
    from train.topology import parse_topology

    kinds = {device.device_kind for device in parse_topology(topology).devices()}
    assert all(peak_tflops(kind, "bfloat16") for kind in kinds)
