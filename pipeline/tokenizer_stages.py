"""Training the tokenizer in a run: a sample of each source's documents, then SentencePiece in the launching process.

The tokenizer is SentencePiece BPE with "all numbers split into individual digits", falling "back to bytes to decompose
unknown UTF-8 characters" (Touvron et al. 2023, section 2.1). The sample is bounded in bytes; workers only load the
model.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam

from pipeline.batch import Batch
from pipeline.commits import Commit, write_commit
from pipeline.document import utf8_size
from pipeline.files import write_output
from pipeline.parquet import read_texts
from pipeline.reading import ReadBatches
from pipeline.run import Run
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, UnitWork
from pipeline.token_inputs import TokenInput, read_kept_documents
from pipeline.writing import Outputs, WriteBatches
from tokenizer.card import TokenizerCard, measure_fertility
from tokenizer.encoding import Encoder
from tokenizer.sampling import is_sampled
from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer

TOKENIZER = "tokenizer"
MODEL_PATH = "tokenizer/tokenizer.model"
CARD_PATH = "tokenizer/card.json"

#: Text of each source whose tokens are counted for the tokenizer's card.
_FERTILITY_BYTES = 4 << 20


def sample_stage(run: Run, source: str, files: Sequence[TokenInput], digest: str, fraction: float, seed: int) -> Stage:
    """Give the stage that draws a source's part of the sample."""
    name = f"{source}.tokenizer_sample"

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(functools.partial(read_sample, fraction=fraction, seed=seed))
            | "Write" >> WriteBatches(Outputs(run.folder, name, source, f"work/{name}"))
        )

    work = UnitWork(files, build, single=True)
    return Stage(name, {"fraction": fraction, "seed": seed}, {"documents": digest}, work, may_keep_nothing=True)


def read_sample(file: TokenInput, *, fraction: float, seed: int) -> Iterator[Batch]:
    """Read the documents of a file that are in the sample."""
    documents = [document for document in read_kept_documents(file) if is_sampled(document.id, fraction, seed)]
    yield Batch(file.shard, file.index, read=len(documents), documents=documents, position=file.size, last=True)


def tokenizer_stage(run: Run, settings: TokenizerSettings, samples: Mapping[str, StageResult]) -> Stage:
    """Give the stage that trains the tokenizer."""
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
