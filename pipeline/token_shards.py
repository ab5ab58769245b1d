"""Token shards in a run: documents files become flat files of ids, then a manifest of each source.

A token shard takes a fixed list of documents files, in a seeded order inside, so no token crosses a shuffle.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam

from pipeline.batch import Batch, Blame, batch_name
from pipeline.commits import Commit, write_commit
from pipeline.files import WrittenFile, write_output
from pipeline.run import Run
from pipeline.stage import LauncherWork, Stage, StageResult, UnitWork
from pipeline.token_inputs import TokenInput, read_kept
from pipeline.tokenizer_stages import load_encoder
from tokenizer.encoding import Encoder, Ids
from tokenizer.manifest import MANIFEST_NAME, ShardEntry, shard_name
from tokenizer.sampling import seeded_order
from tokenizer.settings import TokenShardSettings
from tokenizer.shards import pack_shard, source_manifest
from tokenizer.verification import EncodedShard, encode_verified

MANIFESTS = "token_manifests"


@dataclass(frozen=True, slots=True)
class TokenUnit:
    """The documents files of one token shard.

    Attributes:
        source: The source.
        index: The shard's number.
        count: How many shards the source has.
        files: The files, in order.
        size: Their bytes on disk.
    """

    source: str
    index: int
    count: int
    files: tuple[TokenInput, ...]
    size: int

    @property
    def name(self) -> str:
        """The name its commit goes under."""
        return batch_name(self.source, self.index)


def plan_token_shards(
    source: str, files: Sequence[TokenInput], bytes_per_token: float, settings: TokenShardSettings
) -> list[TokenUnit]:
    """Share a source's documents files out over token shards.

    Args:
        source: The source.
        files: Its documents files.
        bytes_per_token: What the tokenizer's card says of the source, to estimate tokens from text.
        settings: The shards' target size and the seed of the files' order.

    Returns:
        The shards, closed as soon as the estimate reaches the target size; each file in exactly one.
    """
    groups: list[list[TokenInput]] = []
    size = float(settings.shard_bytes)
    for place in seeded_order([file.name for file in files], settings.seed):
        if size >= settings.shard_bytes:
            groups.append([])
            size = 0.0
        groups[-1].append(files[place])
        size += 2 * files[place].text_bytes / bytes_per_token
    return [
        TokenUnit(source, index, len(groups), tuple(group), sum(file.size for file in group))
        for index, group in enumerate(groups)
    ]


def tokens_stage(
    run: Run, source: str, settings: TokenShardSettings, units: Sequence[TokenUnit], inputs: Mapping[str, str]
) -> Stage:
    """Give the stage that writes a source's token shards."""
    name = f"{source}.tokens"

    def build(collection: beam.PCollection) -> beam.PCollection:
        return collection | "WriteTokenShards" >> WriteTokenShards(run.folder, name, settings)

    work = UnitWork(units, build, single=True)
    return Stage(name, settings.model_dump(mode="json"), inputs, work, owns=(f"tokens/{source}/{source}-*",))


class WriteTokenShards(beam.PTransform):  # type: ignore[misc]
    """Encode documents files into token shards.

    In: ``(TokenUnit, _)``. Out: the name of each shard written, exactly once; each document of its files is in it
    once.

    Args:
        run: The run folder.
        stage: The stage's name.
        settings: Settings of the shards.
    """

    def __init__(self, run: str, stage: str, settings: TokenShardSettings) -> None:
        super().__init__()
        self._arguments = run, stage, settings

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.ParDo(_WriteTokenShard(*self._arguments)).with_output_types(str)


class _WriteTokenShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, run: str, stage: str, settings: TokenShardSettings) -> None:
        self._run, self._stage, self._settings = run, stage, settings
        self._encoder: Encoder | None = None

    def setup(self) -> None:
        self._encoder = load_encoder(self._run)

    def process(self, element: tuple[TokenUnit, frozenset[int]]) -> Iterator[str]:
        unit = element[0]
        clock = Batch(unit.name, 0)
        with Blame(unit.name) as blame:
            if self._encoder is None:
                self.setup()
            with clock.timed("encode"):
                encoded = self._encode(unit, blame)
            ids, documents = encoded.names, encoded.documents
            with clock.timed("write"):
                outputs = self._write(unit, [documents[place] for place in seeded_order(ids, self._settings.seed)])
            tokens = sum(map(len, documents))
            commit = Commit(
                unit.source,
                unit.index,
                read=len(documents),
                kept=len(documents),
                bytes_in=encoded.text_bytes,
                seconds=clock.seconds,
                facts={"tokens": tokens, **encoded.facts},
                outputs=outputs,
            )
            write_commit(self._run, self._stage, commit)
        yield unit.name

    def _encode(self, unit: TokenUnit, blame: Blame) -> EncodedShard:
        if self._encoder is None:
            raise RuntimeError("the tokenizer is not loaded")
        return encode_verified(self._encoder, functools.partial(_read, unit, blame), self._settings)

    def _write(self, unit: TokenUnit, documents: Sequence[Ids]) -> tuple[WrittenFile, ...]:
        encoder = self._encoder
        if encoder is None:
            raise RuntimeError("the tokenizer is not loaded")
        packed = pack_shard(documents, encoder.dtype, megatron_index=self._settings.megatron_index)
        name = shard_name(unit.source, unit.index, unit.count)
        rows = {name: packed.tokens}
        return tuple(
            write_output(self._run, f"tokens/{unit.source}/{file}", content, rows=rows.get(file, packed.documents))
            for file, content in packed.files(name)
        )


def _read(unit: TokenUnit, blame: Blame) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    for file in unit.files:
        blame.document = file.path
        yield read_kept(file)


def manifests_stage(run: Run, settings: TokenShardSettings, written: Mapping[str, StageResult]) -> Stage:
    """Give the stage that writes the manifest of each source's token shards."""
    return Stage(
        MANIFESTS,
        settings=settings.model_dump(mode="json"),
        inputs={source: result.digest for source, result in written.items()},
        work=LauncherWork(functools.partial(write_manifests, run.folder, settings, written), "manifests"),
        owns=tuple(f"tokens/{source}/{MANIFEST_NAME}" for source in written),
        counts="shards",
    )


def write_manifests(folder: str, settings: TokenShardSettings, written: Mapping[str, StageResult]) -> None:
    """Write each source's manifest of token shards into the run folder."""
    encoder = load_encoder(folder)
    outputs, shards = [], 0
    for source, result in written.items():
        entries = [shard_entry(commit) for commit in result.commits]
        manifest = source_manifest(source, entries, encoder, settings)
        content = manifest.to_json().encode()
        outputs.append(write_output(folder, f"tokens/{source}/{MANIFEST_NAME}", content, rows=len(entries)))
        shards += len(entries)
    write_commit(folder, MANIFESTS, Commit(MANIFESTS, 0, read=shards, kept=shards, outputs=tuple(outputs)))


def shard_entry(commit: Commit) -> ShardEntry:
    """Read a shard's entry of the manifest off its commit."""
    files = {output.path.rsplit(".", 1)[1]: output for output in commit.outputs}
    ids, ends, index = files["bin"], files["ends"], files.get("idx")
    return ShardEntry(
        name=ids.path.rsplit("/", 1)[1],
        tokens=ids.rows,
        documents=ends.rows,
        bytes=ids.bytes,
        sha256=ids.sha256,
        ends_sha256=ends.sha256,
        index_sha256=None if index is None else index.sha256,
    )
