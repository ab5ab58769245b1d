"""Buckets on a local stand-in for an object store (tests/plugins/shelf_filesystem.py), for tests of runs there."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

PLUGINS = Path(__file__).parent / "plugins"
#: What a run's workers need to know of it.
FLAGS = ["--beam_plugins=shelf_filesystem.ShelfFileSystem"]


@dataclass(frozen=True)
class Shelf:
    """The store.

    Attributes:
        folder: Where its objects lie.
    """

    folder: Path

    def upload(self, folder: Path, bucket: str) -> None:
        """Put all files below a folder into a bucket, which may have a path behind it."""
        for path in folder.rglob("*"):
            if path.is_file():
                key = f"{bucket}/{path.relative_to(folder).as_posix()}"
                (self.folder / quote(key, safe="")).write_bytes(path.read_bytes())

    def download(self, bucket: str, folder: Path) -> None:
        """Write all objects of a bucket below a folder."""
        for file in self.folder.iterdir():
            key = unquote(file.name)
            if key.startswith(f"{bucket}/"):
                target = folder / key.removeprefix(f"{bucket}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())


def set_up_shelf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Make an empty store that this process and its workers know."""
    folder.mkdir()
    monkeypatch.setenv("SHELF", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    monkeypatch.syspath_prepend(str(PLUGINS))
    import shelf_filesystem

    assert shelf_filesystem.ShelfFileSystem.scheme() == "shelf"
    return Shelf(folder)
