"""Installed distributions as BigQuery's tables: the same bytes each time, and only what is theirs."""

import hashlib
import subprocess
from pathlib import Path

import importlib_metadata  # noqa: F401  # libraries load it, and metadata behave otherwise then
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.settings import SettingsError
from pipeline.site_packages import write_tables
from tests.installed import install


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "site-packages"
    classifiers = "Classifier: License :: OSI Approved :: MIT License\nClassifier: Programming Language :: C\n"
    files = {"oven/__init__.py": b"heat = 250\n", "oven/oven.so": b"\x7fELF\0", "oven/__pycache__/a.pyc": b"\0"}
    install(place, "Oven_Kit", "1.0", "License-Expression: MIT OR Apache-2.0\n", files, "../../bin/oven,,\n")
    install(place, "shelf", "2.1", classifiers, {"shelf.py": b"heat = 250\n", "long.py": b"#" * ((1 << 20) + 1)})
    install(place, "bread", "3", "License: BSD\n", {"bread.py": b"x = 1\n" * 9, "latin.py": b"# \xe9\n"}, "gone.py,,\n")
    install(place, "bare", "0", "", {"bare.py": b"y = 2\n"})
    return place


def tables(output: Path) -> dict[str, list[dict[str, object]]]:
    return {
        name: [row for path in sorted((output / name).iterdir()) for row in pq.read_table(path).to_pylist()]
        for name in ("contents", "files", "licenses")
    }


def test_distributions_are_repositories_and_their_files_have_the_hashes_of_git(folder: Path, tmp_path: Path) -> None:
    written = write_tables(str(folder), str(tmp_path / "out"))
    found = tables(tmp_path / "out")
    assert {row["repo_name"]: row["license"] for row in found["licenses"]} == {
        "pypi/bare": None,
        "pypi/bread": "BSD",
        "pypi/oven-kit": "MIT OR Apache-2.0",
        "pypi/shelf": "MIT",
    }
    places = [(row["repo_name"], row["ref"], row["path"], row["mode"]) for row in found["files"]]
    assert places == [
        ("pypi/bare", "0", "bare.py", 33188),
        ("pypi/bread", "3", "bread.py", 33188),
        ("pypi/bread", "3", "latin.py", 33188),
        ("pypi/oven-kit", "1.0", "oven/__init__.py", 33188),
        ("pypi/oven-kit", "1.0", "oven/oven.so", 33188),
        ("pypi/shelf", "2.1", "long.py", 33188),
        ("pypi/shelf", "2.1", "shelf.py", 33188),
    ]
    contents = {row["sample_path"]: row for row in found["contents"]}
    assert set(contents) == {path for _, _, path, _ in places} - {"shelf.py"}
    heat = contents["oven/__init__.py"]
    assert (heat["content"], heat["size"], heat["copies"], heat["binary"]) == ("heat = 250\n", 11, 2, False)
    assert [
        (contents[name]["content"], contents[name]["binary"]) for name in ("oven/oven.so", "latin.py", "long.py")
    ] == [
        (None, True),
        (None, True),
        (None, False),
    ]
    assert (written.repositories, written.files, written.contents, written.missing) == (4, 7, 6, 1)
    assert written.without_licence == 1
    named = subprocess.run(
        ["git", "hash-object", str(folder / "bread.py")], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert contents["bread.py"]["id"] == named


def test_what_says_where_a_checkout_lies_is_no_file_of_a_distribution(tmp_path: Path) -> None:
    place = tmp_path / "site-packages"
    files = {"__editable__.oven-1.pth": b"/checkout\n", "__editable___oven_1_finder.py": b"AT = '/checkout'\n"}
    install(place, "oven", "1", "", {**files, "oven.pth": b"/checkout\n", "oven/__editable__.py": b"x = 1\n"})
    assert write_tables(str(place), str(tmp_path / "out")).files == 1
    assert [row["path"] for row in tables(tmp_path / "out")["files"]] == ["oven/__editable__.py"]


def test_the_same_bytes_come_out_again(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_tables(str(folder), str(tmp_path / name))
    digests = [
        {path.relative_to(tmp_path / name): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        for name in ("one", "two")
        if (files := [path for path in (tmp_path / name).rglob("*") if path.is_file()])
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 3


def test_the_command_writes_them_and_says_how_many(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["github-rows", str(folder), "--output", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert "4 distributions, 1 of which state no licence, 7 files, 6 contents" in result.output
    assert "1 files are listed and cannot be read" in result.output


def test_what_is_no_site_packages_and_a_folder_in_use_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no Python distribution is installed there"):
        write_tables(str(tmp_path / "absent"), str(tmp_path / "out"))
    write_tables(str(folder), str(tmp_path / "out"))
    with pytest.raises(SettingsError, match="not empty"):
        write_tables(str(folder), str(tmp_path / "out"))
