"""Token shards in a run: documents files become flat files of ids, then a manifest of each source.

A token shard takes a fixed list of documents files, in a seeded order inside, so no token crosses a shuffle. Documents
that are held out of training, by a hash of their id, go into files of their own under ``held_out/<source>/``, in the
same format and with a manifest of their own. A file without documents is not written: where all documents of a shard
are held out or left out, its number is missing, and the manifest says which there are.
"""

import functools
import itertools
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
from tokenizer.manifest import MANIFEST_NAME, ShardEntry, held_out_name, shard_name
from tokenizer.sampling import is_held_out, seeded_order
from tokenizer.settings import HeldOutSettings, TokenShardSettings
from tokenizer.shards import pack_shard, source_manifest
from tokenizer.verification import EncodedShard, encode_verified

MANIFESTS = "token_manifests"
TRAINING = "tokens"
HELD_OUT = "held_out"


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
    source: str, files: Sequence[TokenInput], bytes_per_token: float, id_bytes: int, settings: TokenShardSettings
) -> list[TokenUnit]:
    """Share a source's documents files out over token shards.

    Args:
        source: The source.
        files: Its documents files.
        bytes_per_token: What the tokenizer's card says of the source, to estimate tokens from text.
        id_bytes: Bytes of an id.
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
        size += id_bytes * files[place].text_bytes / bytes_per_token
    return [
        TokenUnit(source, index, len(groups), tuple(group), sum(file.size for file in group))
        for index, group in enumerate(groups)
    ]


def tokens_stage(
    run: Run,
    source: str,
    settings: TokenShardSettings,
    held_out: HeldOutSettings | None,
    units: Sequence[TokenUnit],
    inputs: Mapping[str, str],
) -> Stage:
    """Give the stage that writes a source's token shards.

    Args:
        run: The run at work.
        source: The source.
        settings: How they are written.
        held_out: Which documents go into files of their own, the bound on their number worked out.
        units: The shards.
        inputs: Digests of documents and tokenizer.
    """
    name = f"{source}.tokens"

    def build(collection: beam.PCollection) -> beam.PCollection:
        return collection | "WriteTokenShards" >> WriteTokenShards(run.folder, name, settings, held_out)

    key = {**settings.model_dump(mode="json"), "held_out": held_out and held_out.model_dump(mode="json")}
    owns = tuple(f"{folder}/{source}/{source}-*" for folder in (TRAINING, HELD_OUT))
    return Stage(name, key, inputs, UnitWork(units, build, single=True), owns=owns)


class WriteTokenShards(beam.PTransform):  # type: ignore[misc]
    """Encode documents files into token shards.

    In: ``(TokenUnit, _)``. Out: the name of each shard written, exactly once; each document of its files is once in it
    or in the file of those that are held out.

    Args:
        run: The run folder.
        stage: The stage's name.
        settings: Settings of the shards.
        held_out: Which documents are held out.
    """

    def __init__(self, run: str, stage: str, settings: TokenShardSettings, held_out: HeldOutSettings | None) -> None:
        super().__init__()
        self._arguments = run, stage, settings, held_out

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.ParDo(_WriteTokenShard(*self._arguments)).with_output_types(str)


class _WriteTokenShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, run: str, stage: str, settings: TokenShardSettings, held_out: HeldOutSettings | None) -> None:
        self._run, self._stage, self._settings, self._held_out = run, stage, settings, held_out
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
            training, held_out = self._part(encoded.names, encoded.documents)
            with clock.timed("write"):
                name = shard_name(unit.source, unit.index, unit.count)
                outputs = self._write(f"{TRAINING}/{unit.source}", name, training)
                outputs += self._write(f"{HELD_OUT}/{unit.source}", held_out_name(unit.source, unit.index), held_out)
            commit = Commit(
                unit.source,
                unit.index,
                read=len(encoded.documents),
                kept=len(encoded.documents),
                bytes_in=encoded.text_bytes,
                seconds=clock.seconds,
                facts={
                    "tokens": sum(map(len, training)),
                    "held_out_documents": len(held_out),
                    "held_out_tokens": sum(map(len, held_out)),
                    **encoded.facts,
                },
                outputs=outputs,
            )
            write_commit(self._run, self._stage, commit)
        yield unit.name

    def _encode(self, unit: TokenUnit, blame: Blame) -> EncodedShard:
        if self._encoder is None:
            raise RuntimeError("the tokenizer is not loaded")
        return encode_verified(self._encoder, functools.partial(_read, unit, blame), self._settings)

    def _part(self, ids: Sequence[str], documents: Sequence[Ids]) -> tuple[list[Ids], list[Ids]]:
        """Part the documents, in the order they shall lie in, into those to train on and those held out."""
        training: list[Ids] = []
        held_out: list[Ids] = []
        for place in seeded_order(ids, self._settings.seed):
            (held_out if is_held_out(ids[place], self._held_out) else training).append(documents[place])
        return training, held_out

    def _write(self, folder: str, name: str, documents: Sequence[Ids]) -> tuple[WrittenFile, ...]:
        encoder = self._encoder
        if encoder is None:
            raise RuntimeError("the tokenizer is not loaded")
        if not documents:
            return ()
        packed = pack_shard(documents, encoder.dtype, megatron_index=self._settings.megatron_index)
        rows = {name: packed.tokens}
        return tuple(
            write_output(self._run, f"{folder}/{file}", content, rows=rows.get(file, packed.documents))
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
        owns=tuple(f"{folder}/{source}/{MANIFEST_NAME}" for folder in (TRAINING, HELD_OUT) for source in written),
        counts="shards",
    )


def write_manifests(folder: str, settings: TokenShardSettings, written: Mapping[str, StageResult]) -> None:
    """Write each source's manifest of token shards into the run folder, and of those held out where there are any."""
    encoder = load_encoder(folder)
    outputs, shards = [], 0
    for part, source in itertools.product((TRAINING, HELD_OUT), written):
        entries = shard_entries(written[source].commits, f"{part}/{source}/")
        if entries or part == TRAINING:
            content = source_manifest(source, entries, encoder, settings).to_json().encode()
            outputs.append(write_output(folder, f"{part}/{source}/{MANIFEST_NAME}", content, rows=len(entries)))
        shards += len(entries)
    write_commit(folder, MANIFESTS, Commit(MANIFESTS, 0, read=shards, kept=shards, outputs=tuple(outputs)))


def shard_entries(commits: Sequence[Commit], folder: str) -> list[ShardEntry]:
    """Read the entries of a manifest off the commits of its shards, those left out that have no file in the folder."""
    outputs = [[output for output in commit.outputs if output.path.startswith(folder)] for commit in commits]
    return [_shard_entry(files) for files in outputs if files]


def _shard_entry(outputs: Sequence[WrittenFile]) -> ShardEntry:
    files = {output.path.rsplit(".", 1)[1]: output for output in outputs}
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
