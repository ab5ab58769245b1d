"""Installed distributions as an input of a run: what is in them, not where or when they were installed, decides."""

import json
import os
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from rich.console import Console

from pipeline import launch as launching
from pipeline.github_settings import GithubSettings
from pipeline.run import Run
from pipeline.settings import SettingsError
from pipeline.sources import github
from pipeline.sources.github_installed import INSTALLED, check_installed
from tests.corpus.mini_code import BODY
from tests.installed import install

EVERYTHING = ("documents", "dropped", "errors")
Digests = Callable[..., dict[str, str]]


def install_some(place: Path, version: str = "1.0") -> None:
    shutil.rmtree(place, ignore_errors=True)
    notice = b"# Copyright 2020 The bakers\n\n"
    own = {"oven/__init__.py": notice + f"{BODY}# of {version}\n".encode(), "oven/oven.so": b"\x7fELF\0"}
    install(place, "Oven_Kit", version, "License-Expression: MIT\n", own, "gone.py,,\n../../bin/oven,,\n")
    install(place, "gnu", "3", "License: GPL-3.0-only\n", {"gnu.py": f"{BODY}# gnu\n".encode()})
    install(place, "shelf", "2", "License: BSD-3-Clause\n", {"shelf.py": f"{BODY}# shelf\n".encode()})


def drive(output: Path, folder: Path, *, said: StringIO | None = None, workers: int = 1, **asked: Any) -> Run:
    collection = {"id": "here", "installed": {"folder": str(folder), **asked}}
    values = {"data": str(output.parent), "sources": {"github": {"collections": [collection]}}}
    config = output.parent / "config.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    console = Console(quiet=True) if said is None else Console(file=said, width=200)
    return launching.launch(str(config), output=str(output), workers=workers, console=console)


def rows_of(run: Run, folder: str) -> list[dict[str, Any]]:
    return ds.dataset(Path(run.folder) / folder / "github").to_table().to_pylist()


def test_installed_distributions_are_documents_without_an_address(tmp_path: Path) -> None:
    install_some(tmp_path / "site-packages")
    run = drive(tmp_path / "run", tmp_path / "site-packages")
    names = ("installed", "licences", "places", "contents", "cleaned", "duplicate_ids", "duplicate_files", "documents")
    assert list(run.results) == [f"github.{name}" for name in names]
    assert {row["id"]: (row["text"], row["url"], row["metadata"]["licence"]) for row in rows_of(run, "documents")} == {
        "github/pypi/oven-kit@1.0:oven/__init__.py": (f"{BODY}# of 1.0\n", "", "MIT"),
        "github/pypi/shelf@2:shelf.py": (f"{BODY}# shelf\n", "", "BSD-3-Clause"),
    }
    assert {(row["reason"], row["stage"]) for row in rows_of(run, "dropped")} == {
        ("licence/not_permitted", "github.cleaned"),
        ("github/binary", "github.contents"),
    }
    (file,) = (tmp_path / "run" / "errors" / "github").iterdir()
    error = json.loads(file.read_text())
    assert (error["shard"], error["cause"]) == ("pypi/oven-kit@1.0", "github/unreadable_file")
    assert error["detail"] == "gone.py is listed and cannot be read"
    stats = json.loads((tmp_path / "run" / "stats" / f"{INSTALLED}.json").read_text())
    assert (stats["read"], stats["kept"], stats["errors"]) == (5, 4, {"github/unreadable_file": 1})


def test_where_and_when_they_were_installed_changes_no_byte_and_runs_nothing_again(
    tmp_path: Path, digests: Digests
) -> None:
    install_some(tmp_path / "site-packages")
    drive(tmp_path / "run", tmp_path / "site-packages")
    moved = tmp_path / "elsewhere" / "lib"
    shutil.copytree(tmp_path / "site-packages", moved)
    for path in moved.rglob("*"):
        os.utime(path, (0, 0))
    drive(tmp_path / "other", moved)
    work = f"work/{INSTALLED}/here"
    assert digests(tmp_path / "other", (*EVERYTHING, work)) == digests(tmp_path / "run", (*EVERYTHING, work))
    said = StringIO()
    run = drive(tmp_path / "run", moved, said=said)
    assert [f"{stage}: up to date, skipped" in said.getvalue() for stage in run.results] == [True] * 8


def test_an_upgrade_makes_the_tables_again_and_nothing_of_the_old_version_stays(tmp_path: Path) -> None:
    place = tmp_path / "site-packages"
    install_some(place)
    drive(tmp_path / "run", place, distributions=["oven.kit"])
    install_some(place, "1.1")
    said = StringIO()
    run = drive(tmp_path / "run", place, distributions=["oven.kit"], said=said)
    assert f"{INSTALLED}: runs again: what it reads of here has changed" in said.getvalue()
    assert "another environment gives other documents" in said.getvalue()
    assert [row["id"] for row in rows_of(run, "documents")] == ["github/pypi/oven-kit@1.1:oven/__init__.py"]


def test_a_run_that_was_stopped_before_its_commit_makes_the_tables_again(tmp_path: Path, digests: Digests) -> None:
    install_some(tmp_path / "site-packages")
    drive(tmp_path / "run", tmp_path / "site-packages")
    before = digests(tmp_path / "run", (*EVERYTHING, f"work/{INSTALLED}/here"))
    shutil.rmtree(tmp_path / "run" / "work" / INSTALLED / "commits")
    drive(tmp_path / "run", tmp_path / "site-packages")
    assert digests(tmp_path / "run", (*EVERYTHING, f"work/{INSTALLED}/here")) == before


def test_the_running_interpreters_distributions_are_the_default_and_a_missing_one_is_named(tmp_path: Path) -> None:
    def asked(*names: str) -> GithubSettings:
        return GithubSettings.model_validate({"collections": [{"id": "x", "installed": {"distributions": names}}]})

    check_installed(asked("pydantic", "PyYAML"), str(tmp_path))
    assert github.list_inputs(asked("pydantic"), str(tmp_path)) == []
    with pytest.raises(SettingsError, match=r"github.collections.0.installed: .*: no-such-thing is not installed"):
        check_installed(asked("pydantic", "no-such-thing"), str(tmp_path))


@pytest.mark.parametrize(
    ("collection", "message"),
    [
        ({"installed": {}, "rows": ["a"]}, "give rows, which are tables, or repositories, or installed"),
        ({"installed": {}, "files": ["a"]}, "files and licenses are tables beside rows"),
        ({"installed": {"distributions": []}}, "installed.distributions"),
        ({"installed": {"folder": "absent"}}, "installed: .*absent: no Python distribution is installed there"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:30],
)
def test_a_wrong_setting_is_one_line_that_names_it(collection: Any, message: str, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    sources = {"github": {"collections": [{"id": "x", **collection}]}}
    config.write_text(json.dumps({"data": str(tmp_path), "sources": sources, "tokenizer": None, "tokens": None}))
    with pytest.raises(SettingsError, match=message):
        launching.launch(str(config), output=str(tmp_path / "run"), console=Console(quiet=True))
    assert not (tmp_path / "run").exists()
