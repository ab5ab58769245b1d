"""Distributions as pip lays them down, for a site-packages of a test's own."""

from pathlib import Path


def install(folder: Path, name: str, version: str, metadata: str, files: dict[str, bytes], listed: str = "") -> None:
    """Write a distribution's files and what pip writes beside them; ``listed`` goes to the end of its ``RECORD``."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    own = "".join(f"{path},,\n" for path in (*files, f"{info.name}/METADATA", f"{info.name}/RECORD"))
    (info / "RECORD").write_text(own + listed)
