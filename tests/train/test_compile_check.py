import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli
from train.compile_check import tune
from train.config import TrainSettings
from train.sharding import MeshSettings, build_mesh
from train.topology import parse_topology

pytest.importorskip("libtpu")
CONFIGS = Path(__file__).parents[2] / "configs" / "train"
TINY = [str(CONFIGS / "tiny.yaml"), "--set", "mesh.fsdp=-1"]


def compile_in_a_process_of_its_own(topology, *flags):
    """Without the flags that these tests give to XLA."""
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "compile-check", *TINY]
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    return subprocess.run(
        [*command, "--topology", topology, *flags], env=environment, capture_output=True, text=True, check=False
    )


def compile_here(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["llama-corpus", "compile-check", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return ended.value.code, out, err


@pytest.mark.parametrize(("topology", "limit"), [("v4:2x2x1", "30.75"), ("v5e:2x2", "15.75")])
def test_a_small_model_compiles_for_a_tpu_with_its_kernel_and_collectives_that_overlap(topology, limit):
    done = compile_in_a_process_of_its_own(topology)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout
    assert f"{topology}: 4 chips, mesh data x fsdp x tensor = 1x4x1" in lines
    assert "4,096 tokens per step at once, 4 sequences per chip at a time, remat attention" in lines
    assert re.search(rf"fits: 0\.0\d GiB per chip of {limit}, 0\.02 of them weights and moments", lines)
    assert "Pallas kernels: 2 calls per layer" in lines  # forward and backward; 3 would be one forward too many
    ran, overlapping = map(int, re.search(r"of (\d+) collectives (\d+) overlap", lines).groups())
    assert 0 < overlapping <= ran
    # Each layer's 0.79 M weights travel twice in bfloat16, forward and backward, and their gradients once.
    total = int(re.search(r"collectives per chip and step: (\d+) MB", lines).group(1))
    assert 4 * 3 * 2 * 0.79 < total < 100


def test_a_config_that_does_not_fit_gives_the_figures_and_status_1(monkeypatch, capsys):
    seven = [str(CONFIGS / "7b.yaml"), "--topology", "v5e:2x2", "--set", "batch=4"]
    code, out, err = compile_here(monkeypatch, capsys, *seven)
    assert (code, err) == (1, "")
    needed = float(re.search(r"does not fit: ([\d.]+) GiB per chip of 15\.75", out).group(1))
    assert 6.74e9 * 12 / 4 / 2**30 < needed < 60  # weights and moments alone are 18.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--topology", "v4:2x2x1", "--flag", "xla_tpu_fly=true"], "compiler flags for v4:2x2x1: .*xla_tpu_fly"),
        (["--topology", "v4:2x2x1", "--flag", "fast"], "--flag fast: must be name=value"),
        (["--topology", "v5e:3x3"], "topology v5e:3x3: .*not divisible"),
        (["--topology", "v5e:32x32"], "topology v5e:32x32: a slice of v5e has 256 chips at most"),
        (["--topology", "v4:4x8"], "topology v4:4x8: a slice of v4 has 3 dimensions"),
        (["--topology", "v9:2x2"], "topology v9:2x2: the generation must be one of v4, v5e, v5p, v6e"),
        (["--topology", "v4-8"], "topology 'v4-8': must be generation:shape"),
        (["--topology", "v4:2x2x1", "--set", "mesh.data=3"], "3x-1x1 does not take 4 devices: 3 must divide 4"),
        (["--topology", "v5e:4x4", "--set", "mesh.tensor=8"], "mesh.tensor must divide model.heads, got 8 and 4"),
        (["--topology", "v4:2x2x1", "--set", "batch=6"], "must divide batch / accumulate, got 4 and 6"),
        (["--topology", "v4:2x2x1", "--set", "attention=cudnn"], "attention=cudnn runs on GPUs alone, this is a tpu"),
        (
            ["--topology", "v4:2x2x1", "--set", "model.context=200", "--set", "attention=splash"],
            "attention=splash needs model.context to be a multiple of 128, got 200",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(monkeypatch, capsys, arguments, message):
    code, out, err = compile_here(monkeypatch, capsys, *TINY, *arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: .*{message}.*\n", err)


def test_slices_lie_apart_along_data_alone():
    devices = parse_topology("2*v5e:2x4").devices()
    mesh = build_mesh(MeshSettings(data=4, fsdp=4), devices)
    slices = [{device.slice_index for device in row.flat} for row in mesh.devices]
    assert slices == [{0}, {0}, {1}, {1}]
    with pytest.raises(ValueError, match="data must be a multiple of the 2 slices, got 1"):
        build_mesh(MeshSettings(fsdp=16), devices)


def test_tuning_takes_the_largest_part_then_the_cheapest_remat(monkeypatch):
    """On a machine where a sequence takes 4 GiB with all kept, 2 with the linears', 0.5 with its input alone."""
    taken = {"none": 4.0, "linears": 2.0, "attention": 1.0, "full": 0.5}

    def check(settings, topology, flags):
        peak = taken[settings.remat] * settings.batch / settings.accumulate / topology.chips
        return type("Report", (), {"settings": settings, "fits": peak <= room})

    monkeypatch.setattr("train.compile_check.check", check)
    model = {"width": 256, "heads": 4, "layers": 4, "vocab_size": 512, "context": 256}
    settings = TrainSettings(
        data="x", model=model, batch=32, steps=10, optimizer={"warmup_steps": 1}, mesh={"fsdp": -1}
    )
    found = {}
    for room in (100.0, 16.0, 4.0, 2.0, 0.1):
        *_, last = tune(settings, parse_topology("v4:2x2x1"))
        found[room] = (last.settings.accumulate, last.settings.remat) if last.fits else None
    assert found == {100.0: (1, "none"), 16.0: (1, "linears"), 4.0: (1, "full"), 2.0: (2, "full"), 0.1: None}
