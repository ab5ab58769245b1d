"""Making the tokenizer in a run: a sample of each source's documents, then SentencePiece in the launching process.

The tokenizer is SentencePiece BPE with "all numbers split into individual digits", falling "back to bytes to decompose
unknown UTF-8 characters" (Touvron et al. 2023, section 2.1). The sample is drawn in the mixture's proportions and
bounded in bytes; documents held out of training are never in it. A tokenizer that is given takes the place of the
trained one, and the sample then is what it is measured on. Workers only load the model.
"""

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam

from pipeline.batch import Batch
from pipeline.commits import Commit, write_commit
from pipeline.document import Document, utf8_size
from pipeline.files import join, read_bytes, write_output
from pipeline.parquet import read_texts
from pipeline.reading import ReadBatches
from pipeline.run import Run
from pipeline.settings import SettingsError
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, UnitWork
from pipeline.token_inputs import TokenInput, read_kept
from pipeline.writing import Outputs, WriteBatches
from tokenizer.card import TokenizerCard
from tokenizer.drawing import cut_documents, draw_documents, drawing_fraction, sample_quotas
from tokenizer.encoding import Encoder
from tokenizer.engines import ENGINES, EngineName
from tokenizer.folder import CARD, MODEL, describe_tokenizer, first_texts, tokenizer_files
from tokenizer.model_file import UnsuitableModel, load_processor
from tokenizer.sampling import is_held_out, is_sampled
from tokenizer.settings import HeldOutSettings, TokenizerSettings
from tokenizer.training import given_tokenizer, train_tokenizer

TOKENIZER = "tokenizer"
MODEL_PATH = f"{TOKENIZER}/{MODEL}"
CARD_PATH = f"{TOKENIZER}/{CARD}"

#: Text of each source whose tokens are counted for the tokenizer's card, and on which its engine is tried.
FERTILITY_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Draw:
    """Which documents of a source are drawn for the sample.

    Attributes:
        fraction: Share of its documents.
        seed: Decides which.
        held_out: Which are held out of training and never drawn.
    """

    fraction: float
    seed: int
    held_out: HeldOutSettings | None


def plan_draws(
    settings: TokenizerSettings,
    text_bytes: Mapping[str, int],
    proportions: Mapping[str, float] | None,
    held_out: HeldOutSettings | None,
) -> dict[str, Draw]:
    """Decide how much is drawn of each source.

    Args:
        settings: The tokenizer's settings.
        text_bytes: UTF-8 bytes of each source's text.
        proportions: The mixture's proportions, if any.
        held_out: Which documents are held out of training.
    """
    drawable = 1.0 if held_out is None else 1.0 - held_out.fraction
    sizes = {source: int(size * drawable) for source, size in text_bytes.items()}
    quotas = _quotas(settings, sizes, proportions)
    return {
        source: Draw(drawing_fraction(quotas[source], size), settings.seed, held_out) for source, size in sizes.items()
    }


def _quotas(
    settings: TokenizerSettings, text_bytes: Mapping[str, int], proportions: Mapping[str, float] | None
) -> dict[str, int]:
    if settings.model is not None:
        return {source: min(size, FERTILITY_BYTES) for source, size in text_bytes.items()}
    return sample_quotas(text_bytes, proportions, settings.sample_bytes)


def sample_stage(run: Run, source: str, files: Sequence[TokenInput], digest: str, draw: Draw) -> Stage:
    """Give the stage that draws a source's part of the sample."""
    name = f"{source}.tokenizer_sample"

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(functools.partial(read_sample, source=source, draw=draw))
            | "Write" >> WriteBatches(Outputs(run.folder, name, source, f"work/{name}"))
        )

    held_out = None if draw.held_out is None else draw.held_out.model_dump(mode="json")
    settings = {"fraction": draw.fraction, "seed": draw.seed, "held_out": held_out}
    work = UnitWork(files, build, single=True)
    return Stage(name, settings, {"documents": digest}, work, may_keep_nothing=True)


def read_sample(file: TokenInput, *, source: str, draw: Draw) -> Iterator[Batch]:
    """Read the documents of a file that are in the sample, their ids and texts alone."""
    documents = [
        Document(name, source, text)
        for name, text in zip(*read_kept(file), strict=True)
        if is_sampled(name, draw.fraction, draw.seed) and not is_held_out(name, draw.held_out)
    ]
    yield Batch(file.shard, file.index, read=len(documents), documents=documents, position=file.size, last=True)


def tokenizer_stage(
    run: Run,
    settings: TokenizerSettings,
    proportions: Mapping[str, float] | None,
    text_bytes: Mapping[str, int],
    samples: Mapping[str, StageResult],
) -> Stage:
    """Give the stage that trains the tokenizer, or takes the one that is given."""
    files = {name: result.files(run.folder, f"work/{result.name}/part-") for name, result in samples.items()}
    asked = settings.model_dump(mode="json")
    if settings.model is not None:
        asked = {"model": hashlib.sha256(read_given_model(settings.model)).hexdigest(), "seed": settings.seed}
    shares = {"proportions": dict(proportions)} if proportions is not None else {"text_bytes": dict(text_bytes)}
    make = functools.partial(make_and_write, run.folder, settings, proportions, text_bytes, files)
    return Stage(
        TOKENIZER,
        settings={**asked, **shares},
        inputs={source: result.digest for source, result in samples.items()},
        work=LauncherWork(make, "training"),
        owns=(f"{TOKENIZER}/*",),
    )


def make_and_write(
    folder: str,
    settings: TokenizerSettings,
    proportions: Mapping[str, float] | None,
    text_bytes: Mapping[str, int],
    files: Mapping[str, Sequence[BatchFile]],
) -> None:
    """Train the tokenizer on sampled documents, or take the given one, and write its folder into the run folder.

    Args:
        folder: The run folder.
        settings: The tokenizer's settings.
        proportions: Share of each source in the sample; ``None`` goes by ``text_bytes``.
        text_bytes: UTF-8 bytes of each source's whole text, of which some was drawn.
        files: The documents drawn of each source.
    """
    chosen, left_over = _choose(settings, text_bytes if proportions is None else proportions, files)
    if settings.model is None:
        texts = (text for found in files.values() for text in _texts(found, chosen))
        trained = replace(train_tokenizer(texts, settings), sample_full=left_over)
    else:
        named = TokenizerSettings(model=os.path.basename(settings.model), seed=settings.seed)
        trained = given_tokenizer(read_given_model(settings.model), named, documents=sum(map(len, chosen.values())))
    sizes = _sizes(files, chosen)
    card = describe_tokenizer(
        trained,
        {source: first_texts(_texts(found, chosen), FERTILITY_BYTES) for source, found in files.items()},
        sample_bytes_by_source=sizes,
        proportions=proportions,
    )
    outputs = tuple(
        write_output(folder, f"{TOKENIZER}/{name}", content, rows=trained.vocab_size if name == MODEL else 0)
        for name, content in tokenizer_files(trained, card).items()
    )
    facts = {"vocab_size": trained.vocab_size, "split_lines": trained.split_lines}
    commit = Commit(
        TOKENIZER,
        0,
        read=trained.documents,
        kept=trained.documents,
        bytes_in=sum(sizes.values()),
        facts=facts,
        outputs=outputs,
    )
    write_commit(folder, TOKENIZER, commit)


def read_given_model(path: str) -> bytes:
    """Read a model that is given.

    Raises:
        SettingsError: It is not there, is none, or is not fit for LLaMA's training.
    """
    try:
        model = read_bytes(path)
        load_processor(model)
    except OSError as error:
        raise SettingsError(f"tokenizer.model: {error.strerror or error}: {path}") from error
    except UnsuitableModel as error:
        raise SettingsError(f"tokenizer.model: {path}: {error}") from error
    return model


def load_encoder(folder: str) -> Encoder:
    """Load a run's tokenizer with the engine that its card names; what was refused is not tried again."""
    engine = EngineName(TokenizerCard.from_json(read_bytes(join(folder, CARD_PATH))).engine)
    return Encoder.from_bytes(read_bytes(join(folder, MODEL_PATH)), engines=ENGINES[ENGINES.index(engine) :])


#: Bytes to take of each chosen document, by its place in a file, by the file's path.
_Chosen = Mapping[str, Mapping[int, int]]


def _choose(
    settings: TokenizerSettings, shares: Mapping[str, float], files: Mapping[str, Sequence[BatchFile]]
) -> tuple[_Chosen, bool]:
    """Fill each source's quota from what was drawn of it, whose sizes are known only now; say if any is left over."""
    drawn = {source: [_names_and_sizes(file) for file in found] for source, found in files.items()}
    drawn_bytes = {source: sum(sum(sizes) for _, sizes in listed) for source, listed in drawn.items()}
    quotas = _quotas(settings, drawn_bytes, shares)
    chosen: dict[str, dict[int, int]] = {}
    for source, listed in drawn.items():
        names = [name for part, _ in listed for name in part]
        sizes = [size for _, part in listed for size in part]
        places = [
            (file.path, place)
            for file, (part, _) in zip(files[source], listed, strict=True)
            for place in range(len(part))
        ]
        for number, size in draw_documents(names, sizes, quotas[source], settings.seed).items():
            path, place = places[number]
            chosen.setdefault(path, {})[place] = size
    return chosen, sum(quotas.values()) < sum(drawn_bytes.values())


def _names_and_sizes(file: BatchFile) -> tuple[list[str], list[int]]:
    names, texts = read_texts(file.path)
    return names, list(map(utf8_size, texts))


def _texts(files: Sequence[BatchFile], chosen: _Chosen) -> Iterator[str]:
    for file in files:
        if file.path in chosen:
            yield from cut_documents(read_texts(file.path)[1], chosen[file.path])


def _sizes(files: Mapping[str, Sequence[BatchFile]], chosen: _Chosen) -> dict[str, int]:
    return {
        source: sum(sum(chosen[file.path].values()) for file in found if file.path in chosen)
        for source, found in files.items()
    }
