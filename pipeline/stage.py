"""What a stage is: a named piece of work with committed outputs, and the key that tells whether they still hold.

A stage's key is a hash of its part of the config and of the content of what it reads. Outputs made under another key,
or by other code, are stale: they are taken away before the stage starts, and never read.
"""

import functools
import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Protocol, TypeVar

import apache_beam as beam

import filters
import pipeline
import tokenizer
from pipeline.batch import batch_name
from pipeline.commits import Commit
from pipeline.files import WrittenFile, join

_LIBRARIES = (
    "apache-beam",
    "babel",
    "charset-normalizer",
    "datasketch",
    "fastavro",
    "fasttext-numpy2",
    "kitoken",
    "langdetect",
    "licenseclassifier",
    "numpy",
    "nupunkt",
    "packaging",
    "publicsuffixlist",
    "py7zr",
    "pyarrow",
    "resiliparse",
    "sentencepiece",
    "xxhash",
)


@dataclass(frozen=True, slots=True)
class Job:
    """One Beam pipeline, or one piece of work of the launching process.

    Attributes:
        label: What it is called in messages.
        build: Builds the graph on a pipeline; ``None`` for work of the launching process.
        call: The work of the launching process.
        units: How many units it works on, which bounds the workers worth starting.
        size: Bytes of these units, which does so too.
        in_launcher: Whether the local runner is to run it without worker processes, because they would only hand
            back what crosses the shuffle.
    """

    label: str
    build: Callable[[beam.Pipeline], object] | None = None
    call: Callable[[], None] | None = None
    units: int = 1
    size: int = 0
    in_launcher: bool = False


class Work(Protocol):
    """What a stage does, in jobs that each skip what is committed."""

    def jobs(self, committed: Sequence[Commit]) -> Iterator[Job]:
        """Give the jobs still to run."""

    def missing(self, committed: Sequence[Commit]) -> list[str]:
        """Name what is not committed yet; empty when the stage is done."""

    def done_bytes(self, committed: Sequence[Commit]) -> int:
        """Count the bytes of input behind the commits."""

    @property
    def total_bytes(self) -> int:
        """Bytes of input."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A piece of a run with an entry of its own in the manifest.

    Attributes:
        name: ``<source>.<what it makes>``.
        settings: The part of the config it depends on, as JSON values.
        inputs: Digests of what it reads, by name.
        work: What it does.
        owns: Globs, relative to the run folder, of the outputs that are its own beside ``work/<name>/``.
        may_keep_nothing: Whether an empty result is a result; else it is a failure.
        counts: What its statistics count.
        prepare: Called once before the jobs, in the launching process.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    work: Work
    owns: tuple[str, ...] = ()
    may_keep_nothing: bool = False
    counts: str = "documents"
    prepare: Callable[[], None] | None = None

    def key(self) -> str:
        """Hash what the outputs depend on, but for the code."""
        return digest_json({"name": self.name, "settings": self.settings, "inputs": self.inputs})


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A committed documents file as the unit of a later stage.

    Attributes:
        shard: The shard its batch was read from.
        index: The batch's index.
        path: The file.
        size: Bytes on disk.
    """

    shard: str
    index: int
    path: str
    size: int

    @property
    def name(self) -> str:
        """The batch's name."""
        return batch_name(self.shard, self.index)


@dataclass(frozen=True, slots=True)
class UnitWork:
    """Work on units, each read into batches that are committed one by one.

    Attributes:
        units: The units; the largest are started first.
        build: Builds the stage on a collection of ``(unit, indices of its committed batches)``.
        single: Whether each unit is one batch, whose name is the unit's.
    """

    units: Sequence[Any]
    build: Callable[[beam.PCollection], beam.PCollection]
    single: bool = False

    @property
    def total_bytes(self) -> int:
        """Bytes of input."""
        return sum(unit.size for unit in self.units)

    def jobs(self, committed: Sequence[Commit]) -> Iterator[Job]:
        """Give one job over the units that are not done, if any."""
        rest = self._rest(committed)
        if rest:
            build = functools.partial(_build_units, rest, self.build)
            yield Job("units", build=build, units=len(rest), size=sum(unit.size for unit, _ in rest))

    def missing(self, committed: Sequence[Commit]) -> list[str]:
        """Name the units whose last batch is not committed, or one before it."""
        return [unit.name for unit, _ in self._rest(committed)]

    def done_bytes(self, committed: Sequence[Commit]) -> int:
        """Count the bytes read so far; a unit whose last batch is there counts whole."""
        sizes = {unit.name: unit.size for unit in self.units}
        if self.single:
            return sum(sizes.get(batch_name(commit.shard, commit.index), 0) for commit in committed)
        done: dict[str, int] = {}
        for commit in committed:
            read = sizes.get(commit.shard, 0) if commit.last else commit.position
            done[commit.shard] = max(done.get(commit.shard, 0), read)
        return sum(done.values())

    def _rest(self, committed: Sequence[Commit]) -> list[tuple[Any, frozenset[int]]]:
        batches: dict[str, set[int]] = {}
        ends: dict[str, int] = {}
        for commit in committed:
            batches.setdefault(commit.shard, set()).add(commit.index)
            if commit.last:
                ends[commit.shard] = commit.index
        done = {shard for shard, end in ends.items() if len(batches[shard]) == end + 1}
        if self.single:
            done = {batch_name(commit.shard, commit.index) for commit in committed}
        rest = [unit for unit in self.units if unit.name not in done]
        rest.sort(key=lambda unit: (-unit.size, unit.name))
        return [(unit, frozenset(batches.get(unit.name, ()))) for unit in rest]


def _build_units(
    units: Sequence[tuple[Any, frozenset[int]]],
    build: Callable[[beam.PCollection], beam.PCollection],
    root: beam.Pipeline,
) -> beam.PCollection:
    return build(root | "Units" >> SpreadUnits(units))


class SpreadUnits(beam.PTransform):  # type: ignore[misc]
    """Start a graph from units, spread over the workers and worked on by themselves.

    A key each through a GroupByKey: Beam's local runner deals the groups out to its workers in their order, so that
    units sorted by size are shared evenly; other runners see as many groups as units.
    """

    def __init__(self, units: Sequence[Any]) -> None:
        super().__init__()
        self._units = list(enumerate(units))

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        """Apply."""
        return (
            root
            | "List" >> beam.Create(self._units, reshuffle=False)
            | "Spread" >> beam.GroupByKey()
            | "Take" >> beam.FlatMap(_values)
        )


def _values(group: tuple[int, Any]) -> Iterator[Any]:
    yield from group[1]


@dataclass(frozen=True, slots=True)
class LauncherWork:
    """Work of the launching process, committed as one.

    Attributes:
        call: Does it and writes its commit.
        label: What it is called in messages.
        total_bytes: Bytes of input.
    """

    call: Callable[[], None]
    label: str
    total_bytes: int = 0

    def jobs(self, committed: Sequence[Commit]) -> Iterator[Job]:
        """Give the job unless it is done."""
        if not committed:
            yield Job(self.label, call=self.call)

    def missing(self, committed: Sequence[Commit]) -> list[str]:
        """Name the work unless it is done."""
        return [] if committed else [self.label]

    def done_bytes(self, committed: Sequence[Commit]) -> int:
        """Count all or nothing."""
        return self.total_bytes if committed else 0


@dataclass(frozen=True, slots=True)
class Group:
    """Stages of which none reads what another one writes; see :func:`side_by_side`."""

    stages: tuple[Stage, ...]


def side_by_side(stages: Iterable[Stage]) -> Generator[Group, Any, "list[StageResult]"]:
    """Hand a run several stages at once, of which none needs another one.

    A recipe says ``results = yield from side_by_side(stages)``. They may run in processes of their own, so what they
    are made of must be picklable by cloudpickle; the run at work may be among it.

    Returns:
        Their results, in the order of the stages.
    """
    results: list[StageResult] = yield Group(tuple(stages))
    return results


T = TypeVar("T")
#: Yields stages in order, is handed each one's result, and gives what they found.
Steps = Generator[Stage, "StageResult", T]


def digest_json(value: Any) -> str:
    """Hash a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def digest_outputs(outputs: Sequence[WrittenFile]) -> str:
    """Hash what later stages may read of a stage's outputs: paths and checksums, but of what was left out."""
    read = [output for output in outputs if not output.path.startswith(("dropped/", "errors/"))]
    return digest_json(sorted([output.path, output.sha256] for output in read))


def library_versions() -> dict[str, str]:
    """Give the versions of the libraries, and of Python's tables of characters, that a run's bytes depend on."""
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    return {**versions, "unicode": unicodedata.unidata_version}


@functools.cache
def code_version() -> str:
    """Hash the source of the packages that make a run's bytes, and the versions of the libraries they use."""
    digest = hashlib.sha256(json.dumps(library_versions(), sort_keys=True).encode())
    for package in (filters, pipeline, tokenizer):
        for folder, _, names in sorted(os.walk(os.path.dirname(str(package.__file__)))):
            for name in sorted(names):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    below = os.path.relpath(path, os.path.dirname(str(package.__file__)))
                    with open(path, "rb") as stream:
                        digest.update(f"{package.__name__}/{below}\0".encode() + stream.read())
    return digest.hexdigest()


@dataclass(slots=True)
class StageResult:
    """What a finished stage left: its commits, in the order of shards and batches, and the digest of its outputs."""

    name: str
    commits: Sequence[Commit]
    digest: str
    stats: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self, prefix: str = "") -> list[WrittenFile]:
        """List the outputs below a path of the run folder."""
        return [output for commit in self.commits for output in commit.outputs if output.path.startswith(prefix)]

    def files(self, run: str, prefix: str) -> list[BatchFile]:
        """List the outputs below a path as units, those of a batch without any left out."""
        return [
            BatchFile(commit.shard, commit.index, join(run, output.path), output.bytes)
            for commit in self.commits
            for output in commit.outputs
            if output.path.startswith(prefix)
        ]
