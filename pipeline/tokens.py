"""From documents to tokens: a sample of them trains the tokenizer, and their ids become token shards.

The tokenizer is SentencePiece BPE with "all numbers split into individual digits", falling "back to bytes to decompose
unknown UTF-8 characters" (Touvron et al. 2023, section 2.1). It is trained in the launching process, from a sample
bounded in bytes; workers only load it. A token shard takes a fixed list of documents files, in a seeded order inside,
so no token crosses a shuffle.

Stages: ``<source>.tokenizer_sample`` and ``<source>.tokens`` for each source, ``tokenizer`` and ``token_manifests``
for the run.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam

from pipeline.batch import Batch, Blame, batch_name
from pipeline.commits import Commit, write_commit
from pipeline.document import utf8_size
from pipeline.files import WrittenFile, join, read_bytes, read_json, write_output
from pipeline.parquet import read_documents, read_texts
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, UnitWork
from pipeline.writing import Outputs, WriteBatches
from tokenizer.card import TokenizerCard, measure_fertility
from tokenizer.encoding import Encoder, Ids
from tokenizer.manifest import MANIFEST_NAME, ShardEntry, shard_name
from tokenizer.sampling import is_sampled, seeded_order
from tokenizer.settings import TokenizerSettings, TokenShardSettings
from tokenizer.shards import pack_shard, source_manifest
from tokenizer.training import train_tokenizer

TOKENIZER = "tokenizer"
MANIFESTS = "token_manifests"
MODEL_PATH = "tokenizer/tokenizer.model"
CARD_PATH = "tokenizer/card.json"

#: Text of each source whose tokens are counted for the tokenizer's card.
_FERTILITY_BYTES = 4 << 20


def stages(sources: Sequence[str]) -> list[str]:
    """Name the stages of :func:`recipe`."""
    samples = [f"{source}.tokenizer_sample" for source in sources]
    return [*samples, TOKENIZER, *(f"{source}.tokens" for source in sources), MANIFESTS]


def recipe(run: Run, documents: Mapping[str, StageResult]) -> Recipe:
    """Give the stages from documents to token shards.

    Args:
        run: The run at work.
        documents: The result of each source's last stage.
    """
    settings, tokens = run.settings.tokenizer, run.settings.tokens
    if settings is None:
        return
    files = {source: result.files(run.folder, f"documents/{source}/") for source, result in documents.items()}
    total = sum(result.stats["bytes_out"] for result in documents.values())
    fraction = min(1.0, settings.sample_bytes / max(1, total))
    samples = {}
    for source, result in documents.items():
        samples[source] = yield _sample(run, source, files[source], result.digest, fraction, settings.seed)
    trained = yield _tokenizer(run, settings, samples)
    if tokens is None:
        return
    fertility = read_json(join(run.folder, CARD_PATH))["fertility"]
    written = {}
    for source, result in documents.items():
        bytes_per_token = fertility[source]["bytes_per_token"] or 1.0
        units = plan_token_shards(source, files[source], result, bytes_per_token, tokens)
        inputs = {"documents": result.digest, "tokenizer": trained.digest}
        written[source] = yield _tokens(run, source, tokens, units, inputs)
    yield _manifests(run, tokens, written)


def _sample(run: Run, source: str, files: Sequence[BatchFile], digest: str, fraction: float, seed: int) -> Stage:
    name = f"{source}.tokenizer_sample"

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(functools.partial(read_sample, fraction=fraction, seed=seed))
            | "Write" >> WriteBatches(Outputs(run.folder, name, source, f"work/{name}"))
        )

    work = UnitWork(files, build, single=True)
    return Stage(name, {"fraction": fraction, "seed": seed}, {"documents": digest}, work, may_keep_nothing=True)


def read_sample(file: BatchFile, *, fraction: float, seed: int) -> Iterator[Batch]:
    """Read the documents of a file that are in the sample."""
    documents = [document for document in read_documents(file.path) if is_sampled(document.id, fraction, seed)]
    yield Batch(file.shard, file.index, read=len(documents), documents=documents, position=file.size, last=True)


def _tokenizer(run: Run, settings: TokenizerSettings, samples: Mapping[str, StageResult]) -> Stage:
    files = {name: result.files(run.folder, f"work/{result.name}/part-") for name, result in samples.items()}
    return Stage(
        TOKENIZER,
        settings=settings.model_dump(mode="json"),
        inputs={source: result.digest for source, result in samples.items()},
        work=LauncherWork(functools.partial(train_and_write, run.folder, settings, files), "training"),
        owns=("tokenizer/*",),
    )


def train_and_write(folder: str, settings: TokenizerSettings, files: Mapping[str, Sequence[BatchFile]]) -> None:
    """Train the tokenizer on sampled documents and write model and card into the run folder."""
    sizes = {source: sum(map(utf8_size, _texts(found))) for source, found in files.items()}
    trained = train_tokenizer((text for found in files.values() for text in _texts(found)), settings)
    encoder = Encoder.from_bytes(trained.model)
    fertility = measure_fertility(encoder, {source: _some_texts(found) for source, found in files.items()})
    card = TokenizerCard.of(trained, sample_bytes_by_source=sizes, fertility=fertility)
    outputs = (
        write_output(folder, MODEL_PATH, trained.model, rows=trained.vocab_size),
        write_output(folder, CARD_PATH, card.to_json().encode()),
        write_output(folder, "tokenizer/README.md", card.to_markdown().encode()),
    )
    size = sum(sizes.values())
    write_commit(
        folder,
        TOKENIZER,
        Commit(
            TOKENIZER,
            0,
            read=trained.documents,
            kept=trained.documents,
            bytes_in=size,
            facts={"vocab_size": trained.vocab_size, "split_lines": trained.split_lines},
            outputs=outputs,
        ),
    )


def _texts(files: Sequence[BatchFile]) -> Iterator[str]:
    for file in files:
        yield from read_texts(file.path)[1]


def _some_texts(files: Sequence[BatchFile]) -> Iterator[str]:
    left = _FERTILITY_BYTES
    for text in _texts(files):
        if left <= 0:
            return
        left -= utf8_size(text)
        yield text


@dataclass(frozen=True, slots=True)
class TokenUnit:
    """The documents files of one token shard.

    Attributes:
        source: The source.
        index: The shard's number.
        count: How many shards the source has.
        paths: The files, in order.
        size: Their bytes on disk.
    """

    source: str
    index: int
    count: int
    paths: tuple[str, ...]
    size: int

    @property
    def name(self) -> str:
        """The name its commit goes under."""
        return batch_name(self.source, self.index)


def plan_token_shards(
    source: str,
    files: Sequence[BatchFile],
    documents: StageResult,
    bytes_per_token: float,
    settings: TokenShardSettings,
) -> list[TokenUnit]:
    """Share a source's documents files out over token shards.

    Args:
        source: The source.
        files: Its documents files.
        documents: The stage that wrote them, which knows the bytes of text in each.
        bytes_per_token: What the tokenizer's card says of the source, to estimate tokens from text.
        settings: The shards' target size and the seed of the files' order.

    Returns:
        The shards, closed as soon as the estimate reaches the target size; each file in exactly one.
    """
    text_bytes = {batch_name(commit.shard, commit.index): commit.bytes_out for commit in documents.commits}
    groups: list[list[BatchFile]] = []
    size = float(settings.shard_bytes)
    for place in seeded_order([file.name for file in files], settings.seed):
        if size >= settings.shard_bytes:
            groups.append([])
            size = 0.0
        groups[-1].append(files[place])
        size += 2 * text_bytes[files[place].name] / bytes_per_token
    return [
        TokenUnit(source, index, len(groups), tuple(file.path for file in group), sum(file.size for file in group))
        for index, group in enumerate(groups)
    ]


def _tokens(
    run: Run, source: str, settings: TokenShardSettings, units: Sequence[TokenUnit], inputs: Mapping[str, str]
) -> Stage:
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
        self._encoder = Encoder.from_bytes(read_bytes(join(self._run, MODEL_PATH)))

    def process(self, element: tuple[TokenUnit, frozenset[int]]) -> Iterator[str]:
        unit = element[0]
        clock = Batch(unit.name, 0)
        with Blame(unit.name) as blame:
            if self._encoder is None:
                self.setup()
            with clock.timed("encode"):
                ids, documents, size = self._encode(unit, blame)
            with clock.timed("write"):
                outputs = self._write(unit, [documents[place] for place in seeded_order(ids, self._settings.seed)])
            tokens = sum(map(len, documents))
            commit = Commit(
                unit.source,
                unit.index,
                read=len(documents),
                kept=len(documents),
                bytes_in=size,
                seconds=clock.seconds,
                facts={"tokens": tokens},
                outputs=outputs,
            )
            write_commit(self._run, self._stage, commit)
        yield unit.name

    def _encode(self, unit: TokenUnit, blame: Blame) -> tuple[list[str], list[Ids], int]:
        encoder = self._encoder
        if encoder is None:
            raise RuntimeError("the tokenizer is not loaded")
        ids: list[str] = []
        documents: list[Ids] = []
        size = 0
        for path in unit.paths:
            blame.document = path
            names, texts = read_texts(path)
            ids += names
            documents += encoder.encode_documents(texts, bos=self._settings.bos, eos=self._settings.eos)
            size += sum(map(utf8_size, texts))
        return ids, documents, size

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


def _manifests(run: Run, settings: TokenShardSettings, written: Mapping[str, StageResult]) -> Stage:
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
    encoder = Encoder.from_bytes(read_bytes(join(folder, MODEL_PATH)))
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
