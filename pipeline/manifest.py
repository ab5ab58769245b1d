"""The manifest of a run: for each stage what it read, under which config and code, and what it wrote."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from pipeline.files import exists, join, read_json, write_json
from pipeline.inputs import InputFile
from pipeline.stage import library_versions

FORMAT = "llama-corpus-manifest/1"


class ManifestError(Exception):
    """The run folder holds a manifest that cannot be used: one line, exit status 2."""


@dataclass(frozen=True, slots=True)
class StageOrder:
    """In which order the stages of a run stand in its manifest, and which of them have nothing to do with each other.

    Attributes:
        chains: The stages of each chain, by its name; the stages of a chain read what those before them write.
        needs: The other chains of which a chain reads something, by its name.
        last: The stages that read all chains.
    """

    chains: Mapping[str, Sequence[str]] = field(default_factory=dict)
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    last: Sequence[str] = ()

    def names(self) -> list[str]:
        """Name all stages, in order: that of their dependencies, whichever ends first."""
        return [*(stage for chain in self.chains.values() for stage in chain), *self.last]

    def may_read(self, stage: str, earlier: str) -> bool:
        """Whether a stage may read what an earlier one writes; of stages that are not in this order, too."""
        chain, other = self._chain(stage), self._chain(earlier)
        return not chain or not other or chain == other or other in self.needs.get(chain, ())

    def _chain(self, stage: str) -> str:
        return next((chain for chain, stages in self.chains.items() if stage in stages), "")


class Manifest:
    """``manifest.json`` of a run folder, kept up to date stage by stage.

    Args:
        run: The run folder.
        order: The run's stages; by default they come in the order in which they are recorded.

    Attributes:
        stages: Entry of each finished stage, by name.
    """

    def __init__(self, run: str, order: StageOrder | None = None) -> None:
        self._order = order or StageOrder()
        self._places = {stage: place for place, stage in enumerate(self._order.names())}
        self._settled: set[str] = set()
        self._path = join(run, "manifest.json")
        self._inputs: dict[str, list[dict[str, Any]]] = {}
        self.stages: dict[str, dict[str, Any]] = {}
        if exists(self._path):
            self._load()

    def _load(self) -> None:
        try:
            content = read_json(self._path)
            found, inputs, stages = content["format"], content["inputs"], content["stages"]
        except (ValueError, KeyError, TypeError) as error:
            raise ManifestError(f"{self._path}: not a manifest of this program") from error
        if found != FORMAT:
            raise ManifestError(f"{self._path}: written in format {found}, this version reads {FORMAT}")
        self._inputs, self.stages = inputs, stages

    def known_inputs(self, source: str) -> dict[str, InputFile]:
        """Give the fingerprints of a source's raw files as last recorded, by path."""
        return {entry["path"]: InputFile(**entry) for entry in self._inputs.get(source, [])}

    def record_inputs(self, source: str, files: Sequence[InputFile]) -> None:
        """Record the fingerprints of a source's raw files."""
        self._inputs[source] = [asdict(file) for file in files]

    def record_stage(self, name: str, entry: Mapping[str, Any]) -> None:
        """Record a finished stage and write the manifest, in the order of the run's stages."""
        self.stages[name] = dict(entry)
        self.confirm(name)
        places = self._places
        names = sorted(self.stages, key=lambda stage: places.get(stage, len(places)))
        self.stages = {stage: self.stages[stage] for stage in names}
        self.write()

    def confirm(self, name: str) -> bool:
        """Tell whether a stage is recorded that was found up to date; if so, it stays for the rest of this run."""
        if name in self.stages and name in self._places:
            self._settled.add(name)
        return name in self.stages

    def forget_from(self, name: str) -> list[str]:
        """Take away the entries of a stage that runs again and of the stages after it that may read what it writes.

        Their outputs stay: where it writes the same as before, they are taken up again at no cost. A stage that this
        run has recorded or confirmed stays too: it has not waited for this one, so it reads nothing of it.

        Returns:
            Paths of manifests among these outputs, relative to the run folder, which vouch for what may be outdated.
        """
        names = list(self.stages)
        later = names[names.index(name) + 1 :] if name in names else []
        reading = [one for one in later if one not in self._settled and self._order.may_read(one, name)]
        gone = [stage for stage in (name, *reading) if stage in self.stages]
        outputs = [output["path"] for stage in gone for output in self.stages.pop(stage)["outputs"]]
        if gone:
            self.write()
        return [path for path in outputs if path.endswith("/manifest.json")]

    def order_stages(self, names: Sequence[str]) -> list[str]:
        """Put the entries into the order of their dependencies, and take away those that are no part of the run.

        Returns:
            The names taken away: whatever they wrote is not vouched for any more.
        """
        gone = [name for name in self.stages if name not in names]
        self.stages = {name: self.stages[name] for name in names if name in self.stages}
        self.write()
        return gone

    def write(self) -> None:
        """Write the manifest, seen whole or not at all."""
        content = {
            "format": FORMAT,
            "versions": versions(),
            "inputs": dict(sorted(self._inputs.items())),
            "stages": self.stages,
        }
        write_json(self._path, content)


def versions() -> dict[str, str]:
    """Give the versions of this program and of the libraries that a run's bytes depend on."""
    return {
        "llama-corpus": metadata.version("llama-corpus"),
        "python": platform.python_version(),
        **library_versions(),
    }
