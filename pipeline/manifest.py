"""The manifest of a run: for each stage what it read, under which config and code, and what it wrote."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

from pipeline.files import exists, join, read_json, write_json
from pipeline.inputs import InputFile
from pipeline.stage import library_versions

FORMAT = "llama-corpus-manifest/1"


class ManifestError(Exception):
    """The run folder holds a manifest that cannot be used: one line, exit status 2."""


class Manifest:
    """``manifest.json`` of a run folder, kept up to date stage by stage.

    Attributes:
        stages: Entry of each finished stage, by name.
    """

    def __init__(self, run: str) -> None:
        self._path = join(run, "manifest.json")
        self._inputs: dict[str, list[dict[str, Any]]] = {}
        self.stages: dict[str, dict[str, Any]] = {}
        if exists(self._path):
            self._load()

    def _load(self) -> None:
        try:
            content = read_json(self._path)
            found = content["format"]
            self._inputs, self.stages = content["inputs"], content["stages"]
        except (ValueError, KeyError, TypeError) as error:
            raise ManifestError(f"{self._path}: not a manifest of this program") from error
        if found != FORMAT:
            raise ManifestError(f"{self._path}: written in format {found}, this version reads {FORMAT}")
        self._inputs = content["inputs"]
        self.stages = content["stages"]

    def known_inputs(self, source: str) -> dict[str, InputFile]:
        """Give the fingerprints of a source's raw files as last recorded, by path."""
        return {entry["path"]: InputFile(**entry) for entry in self._inputs.get(source, [])}

    def record_inputs(self, source: str, files: Sequence[InputFile]) -> None:
        """Record the fingerprints of a source's raw files."""
        self._inputs[source] = [asdict(file) for file in files]

    def record_stage(self, name: str, entry: Mapping[str, Any]) -> None:
        """Record a finished stage and write the manifest."""
        self.stages[name] = dict(entry)
        self.write()

    def forget_from(self, name: str) -> list[str]:
        """Take away the entries of a stage that runs again and of all stages after it, which read what it writes.

        Their outputs stay: where it writes the same as before, they are taken up again at no cost.

        Returns:
            Paths of manifests among these outputs, relative to the run folder, which vouch for what may be outdated.
        """
        names = list(self.stages)
        later = names[names.index(name) :] if name in names else []
        outputs = [output["path"] for stage in later for output in self.stages.pop(stage)["outputs"]]
        if later:
            self.write()
        return [path for path in outputs if path.endswith("/manifest.json")]

    def order_stages(self, names: Sequence[str]) -> list[str]:
        """Put the entries into the order the stages ran in, and take away those of stages that are no part of the run.

        Returns:
            The names taken away: whatever they wrote is not vouched for any more.
        """
        gone = [name for name in self.stages if name not in names]
        self.stages = {name: self.stages[name] for name in names if name in self.stages}
        self.write()
        return gone

    def write(self) -> None:
        """Write the manifest, seen whole or not at all."""
        content = {"format": FORMAT, "versions": versions(), "inputs": self._inputs, "stages": self.stages}
        write_json(self._path, content)


def versions() -> dict[str, str]:
    """Give the versions of this program and of the libraries that a run's bytes depend on."""
    return {
        "llama-corpus": metadata.version("llama-corpus"),
        "python": platform.python_version(),
        **library_versions(),
    }
