from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from train.config import TrainSettings
from train.model import ModelSettings, parameter_count

CONFIGS = Path(__file__).parents[2] / "configs" / "train"
SMALL = {"data": "runs/x", "batch": 8, "steps": 100, "optimizer": {"warmup_steps": 10}}


def load(name):
    return yaml.safe_load((CONFIGS / name).read_text())


def test_the_demo_is_a_small_model_on_a_short_run():
    settings = TrainSettings(**load("demo.yaml"))
    assert settings.steps >= 60
    assert 128 <= settings.model.context <= 256
    for vocab_size in (2000, 8000):
        model = settings.model.model_copy(update={"vocab_size": vocab_size})
        assert 0.8e6 < parameter_count(model) < 4e6


@pytest.mark.parametrize(
    ("name", "billions", "ffn"), [("7b", 6.7, 11008), ("13b", 13.0, 13824), ("33b", 32.5, 17920), ("65b", 65.2, 22016)]
)
def test_the_paper_s_models_have_the_paper_s_sizes(name, billions, ffn):
    settings = ModelSettings(**load(f"models/{name}.yaml"))
    assert parameter_count(settings) // 10**8 / 10 == billions  # the paper cuts 65.29 to 65.2
    assert settings.ffn_size == ffn
    assert (settings.context, settings.head_size) == (2048, 128)


@pytest.mark.parametrize(
    ("name", "rate", "tokens"),
    [
        ("3b", 3e-4, 1.0e12),
        ("7b", 3e-4, 1.0e12),
        ("13b", 3e-4, 1.0e12),
        ("33b", 1.5e-4, 1.4e12),
        ("65b", 1.5e-4, 1.4e12),
    ],
)
def test_the_paper_s_runs_have_the_paper_s_rates_batches_and_tokens(name, rate, tokens):
    settings = TrainSettings(**load(f"{name}.yaml"))
    assert settings.model == ModelSettings(**load(f"models/{name}.yaml"))
    optimizer = settings.optimizer
    assert (optimizer.learning_rate, optimizer.warmup_steps, optimizer.final_fraction) == (rate, 2000, 0.1)
    assert (optimizer.beta1, optimizer.beta2, optimizer.weight_decay, optimizer.max_gradient_norm) == (
        0.9,
        0.95,
        0.1,
        1,
    )
    assert settings.batch * settings.model.context == 4 * 2**20
    assert settings.batch * settings.model.context * settings.steps == pytest.approx(tokens, rel=1e-5)


def test_the_small_models_are_a_tiny_one_and_openllama_s_3b():
    tiny, three = (ModelSettings(**load(f"models/{name}.yaml")) for name in ("tiny", "3b"))
    assert parameter_count(tiny) == 2 * 8192 * 256 + 4 * (4 * 256**2 + 3 * 256 * 768 + 2 * 256) + 256
    assert parameter_count(three) == 3_426_473_600  # as its card says
    assert TrainSettings(**load("tiny.yaml")).model == tiny


def test_output_lies_under_the_data_unless_it_is_given():
    assert TrainSettings(**SMALL).output_folder == "runs/x/train"
    assert TrainSettings(**SMALL, output="y").output_folder == "y"


def test_settings_survive_their_own_yaml():
    settings = TrainSettings(**SMALL, sources={"a": 0.5}, model={"width": 16, "heads": 2})
    assert TrainSettings(**yaml.safe_load(yaml.safe_dump(settings.model_dump()))) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "x"}, "dataset"),
        ({"data": ""}, "data"),
        ({"batch": 0}, "batch"),
        ({"steps": 10}, r"optimizer\.warmup_steps must be below steps=10, got 10"),
        ({"compute_dtype": "float16"}, "'bfloat16' or 'float32'"),
        ({"sources": {}}, "sources must name at least one source"),
        ({"sources": {"a": 1, "b": 0}}, r"sources\.b must be a number above 0, got 0"),
        ({"sources": {"a": float("nan")}}, r"sources\.a must be a number above 0, got nan"),
        ({"model": {"width": 10, "heads": 3}}, "width must be a multiple of heads, got width=10 and heads=3"),
        ({"model": {"widht": 10}}, "widht"),
        ({"seed": -1}, "seed"),
        ({"trace": {"first": 101}}, "trace.first must be at most steps=100, got 101"),
        ({"accumulate": 3}, "accumulate must divide batch=8, got 3"),
        ({"remat": "some"}, "'none', 'full', 'attention', 'linears' or 'offload'"),
        ({"attention": "flash"}, "'auto', 'splash', 'cudnn' or 'reference'"),
        ({"mesh": {"pipeline": 2}}, "mesh.pipeline"),
        ({"z_loss": 0}, "z_loss"),
        ({"data": "gs://b/run"}, r"output must be a folder that all processes see, got gs://b/run/train"),
        ({"hosts": {"coordinator": "a:1", "processes": 2}}, "hosts: give coordinator, processes and process, or none"),
        ({"hosts": {"coordinator": "a:1", "processes": 2, "process": 2}}, "must be below hosts.processes=2, got 2"),
        ({"spikes": {"action": "ignore"}}, "'stop' or 'skip'"),
        ({"checkpoint": {"every": 0}}, "checkpoint.every"),
    ],
)
def test_an_impossible_setting_is_refused_with_key_and_value(changes, message):
    with pytest.raises(ValidationError, match=message):
        TrainSettings(**SMALL | changes)
