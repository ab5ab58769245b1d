"""The stages that measure perplexity: train the n-gram models, score every page, find the cut-offs.

CCNet "filters low quality content with an n-gram language model" (Touvron et al. 2023, section 2.1). Its models are of
Wikipedia; a run trains them on documents of its own unless models are given. The percentiles are exact, over all pages
of a wanted language, and so the same however the pages lie in files.
"""

import functools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import apache_beam as beam

from filters.kenlm_tools import find_kenlm_tools, kenlm_version, load_kenlm
from filters.language import LanguageLimits, check_language
from filters.model_files import check_kenlm_file, check_sentencepiece_file
from filters.perplexity import PerplexityScorer
from filters.perplexity_cutoffs import Cutoffs
from filters.perplexity_training import train_ngram_model
from pipeline.batch import Batch
from pipeline.commits import Commit, write_commit
from pipeline.crawl_settings import RUN, CommonCrawlSettings, PerplexitySettings
from pipeline.document import Document, Shard
from pipeline.files import WrittenFile, exists, is_local, join, local_copy, match, read_bytes, write_output
from pipeline.parquet import read_documents
from pipeline.reading import ReadBatches
from pipeline.run import Run
from pipeline.scores import KeepScores
from pipeline.settings import SettingsError
from pipeline.sources.outputs import digest_inputs, read_committed, stage_outputs, text_bytes
from pipeline.sources.perplexity_cutoffs import (
    CUTOFFS,
    cutoffs_stage,
    describe_cutoffs,
    given_cutoffs,
    read_cutoffs,
)
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, Steps, UnitWork, digest_outputs
from pipeline.steps import ScoreAll, ScoreDocuments
from pipeline.writing import WriteBatches
from tokenizer.sampling import is_sampled

SOURCE = "commoncrawl"
SAMPLE = f"{SOURCE}.ngram_sample"
MODELS = f"{SOURCE}.ngram_models"
PERPLEXITY = f"{SOURCE}.perplexity"
KEY = f"sources.{SOURCE}.perplexity"
FOLDER = "models/perplexity"
_NGRAMS, _PIECES = ".arpa.bin", ".sp.model"
_GIVEN = "n-gram models"
#: Whose documents train the models where the config does not say: CCNet's were trained on them.
_WIKIPEDIA = "wikipedia"
#: Share of the scored pages that models may be trained on before it is said.
_KNOWN_TEXT = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """What these stages give: perplexities in score files, and where head, middle and tail part.

    Attributes:
        cutoffs: The cut-offs, by language.
        digest: What the perplexities depend on.
    """

    cutoffs: Cutoffs
    digest: str


def stages(settings: PerplexitySettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    trained = [] if settings.models is not None else [SAMPLE, MODELS]
    return [*trained, PERPLEXITY, *([CUTOFFS] if settings.cutoffs_from == RUN else [])]


def check(settings: PerplexitySettings, languages: Sequence[str] | None) -> bool:
    """Look at everything that can be wrong before a run starts.

    Args:
        settings: The settings.
        languages: The wanted languages; ``None`` for all.

    Returns:
        Whether perplexity can be measured; ``False`` where KenLM is missing and the settings say to go on.

    Raises:
        SettingsError: Models or cut-offs are missing or wrong.
    """
    given_cutoffs(settings)
    try:
        if settings.models is None:
            find_kenlm_tools()
        else:
            load_kenlm()
            _check_models(_given_models(settings.models, languages))
    except FileNotFoundError as error:
        if settings.without_kenlm == "skip":
            return False
        raise SettingsError(f"{KEY}: {error}; or set {KEY} to null") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{KEY}.models: {' '.join(str(error).split())}") from error
    return True


def _check_models(models: Mapping[str, tuple[str, str]]) -> None:
    """Look into given models that lie on this machine.

    Raises:
        ValueError: A file is no model.
    """
    for ngrams, pieces in models.values():
        if is_local(ngrams):
            check_kenlm_file(ngrams)
            check_sentencepiece_file(pieces)


def recipe(
    run: Run, settings: CommonCrawlSettings, scored: StageResult, others: Mapping[str, StageResult]
) -> Steps[Measured]:
    """Give the stages from scored documents to perplexities and cut-offs.

    Args:
        run: The run at work.
        settings: The source's settings; ``perplexity`` is set.
        scored: The stage that wrote the documents with their languages.
        others: The last stages of other sources, which may train the models.
    """
    asked = settings.perplexity
    if asked is None:
        raise ValueError("perplexity is switched off")
    files = scored.files(run.folder, f"work/{scored.name}/")
    if asked.models is None:
        wanted = asked.train_on or _WIKIPEDIA
        is_made = wanted not in run.settings.sources.corpora  # of ready documents the languages are not counted
        texts = others.get(wanted, scored) if is_made else scored
        sample = yield _sample(run, settings, texts)
        if texts is scored:
            _warn_of_known_text(run, sample, scored)
        trained = yield _models(run, asked, settings.language.languages, sample)
        models, digest = _trained_models(run.folder, trained), digest_outputs(_model_files(trained))
    else:
        models = _given_models(asked.models, settings.language.languages)
        digest = _digest_of(run, models)
    perplexity = yield _perplexity(run, asked, {"scored": scored.digest, "models": digest}, files, models)
    cutoffs = given_cutoffs(asked)
    if cutoffs is None:
        found = yield cutoffs_stage(run, asked, settings.language, perplexity)
        cutoffs = read_cutoffs(run.folder)
        run.say(CUTOFFS, describe_cutoffs(cutoffs, found.stats["facts"]))
        return Measured(cutoffs, perplexity.digest)
    if missing := sorted(models.keys() - cutoffs.keys()):
        text = f"there are no cut-offs for {', '.join(missing)}: their pages are in no bucket but all"
        run.say(PERPLEXITY, f"{asked.cutoffs_from}: {text}")
    return Measured(cutoffs, perplexity.digest)


def _warn_of_known_text(run: Run, sample: StageResult, scored: StageResult) -> None:
    """Say when models are to score mostly what they were trained on: a small crawl, or a large sample."""
    trained, pages = sample.stats["kept"], scored.stats["kept"]
    if trained > _KNOWN_TEXT * pages:
        text = f"{trained:,} of the {pages:,} pages that they score: to these pages they give low perplexities"
        run.say(MODELS, f"the models are trained on {text}")


def _sample(run: Run, settings: CommonCrawlSettings, texts: StageResult) -> Stage:
    """Draw the documents that the models are trained on, bounded in bytes."""
    bound = settings.perplexity.training.sample_bytes if settings.perplexity is not None else 0
    fractions = {language: min(1.0, bound / size) for language, size in text_bytes(texts).items() if size}
    read = functools.partial(read_sample, limits=settings.language, fractions=fractions, seed=run.settings.seed)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, SAMPLE, f"work/{SAMPLE}"))
        )

    limits = settings.language.model_dump(mode="json")
    asked = {"fractions": fractions, "seed": run.settings.seed, "language": limits}
    prefix = f"work/{texts.name}/" if texts.name.startswith(SOURCE) else f"documents/{texts.name.split('.')[0]}/"
    work = UnitWork(texts.files(run.folder, prefix), build, single=True)
    return Stage(SAMPLE, asked, {"documents": texts.digest}, work)


def read_sample(
    file: BatchFile, *, limits: LanguageLimits, fractions: Mapping[str, float], seed: int
) -> Iterator[Batch]:
    """Read the documents of a file that are in the sample: a wanted language, and drawn by their id."""
    rest = fractions.get("", 0.0)
    found = [
        document
        for document in read_documents(file.path)
        # With the name of the stage: pages drawn here must not be likelier drawn for the classifier too.
        if is_sampled(f"{SAMPLE} {document.id}", fractions.get(document.language, rest), seed)
        and _is_wanted(document, limits)
    ]
    yield Batch(file.shard, file.index, read=len(found), documents=found, position=file.size, last=True)


def _is_wanted(document: Document, limits: LanguageLimits) -> bool:
    score = document.metadata.get("language_score", 1.0)  # other sources know their language
    return check_language(document.language, float(score or 0.0), limits) is None


def _models(run: Run, settings: PerplexitySettings, languages: Sequence[str] | None, sample: StageResult) -> Stage:
    files = sample.files(run.folder, f"work/{SAMPLE}/part-")
    call = functools.partial(train_models, run.folder, settings, languages, [file.path for file in files])
    return Stage(
        MODELS,
        settings={
            "training": settings.training.model_dump(mode="json", exclude={"lmplz_memory"}),
            "languages": list(languages or ()),
            "kenlm": kenlm_version(),
        },
        inputs={"sample": sample.digest},
        work=LauncherWork(call, "training n-gram models", sum(file.size for file in files)),
        owns=(f"{FOLDER}/*",),
    )


def train_models(
    folder: str, settings: PerplexitySettings, languages: Sequence[str] | None, paths: Sequence[str]
) -> None:
    """Train the models of each language on sampled documents and write them, with their cards, into the run folder.

    A language gets no model where the sample has no document of it, or too little text to train on; that is counted.

    Raises:
        ValueError: A language that the config names cannot be trained on its documents.
    """
    sampled = Counter(document.language for path in paths for document in read_documents(path))
    read = sampled.total()
    wanted = sorted(sampled if languages is None else languages)
    with tempfile.TemporaryDirectory() as scratch:
        for language in wanted:
            texts = (one.text for path in paths for one in read_documents(path) if one.language == language)
            try:
                if sampled[language]:
                    train_ngram_model(texts, language, settings.training, scratch)
            except ValueError as error:
                if languages is not None:
                    raise ValueError(f"language {language}: {error}") from error
                sampled[language] = 0
        names = sorted(os.listdir(scratch))
        outputs = tuple(_copy_in(folder, os.path.join(scratch, name)) for name in names)
    models = sum(sampled[language] > 0 for language in wanted)
    kept = sum(sampled[language] for language in wanted)
    dropped = {"ngrams/too_little_text": read - kept} if read > kept else {}
    facts = {"languages": models, "languages_without_text": len(wanted) - models}
    write_commit(folder, MODELS, Commit(MODELS, 0, read=read, kept=kept, dropped=dropped, facts=facts, outputs=outputs))


def _copy_in(folder: str, path: str) -> WrittenFile:
    return write_output(folder, f"{FOLDER}/{os.path.basename(path)}", read_bytes(path))


def _model_files(trained: StageResult) -> list[WrittenFile]:
    """List the models without their cards, which no score depends on."""
    return [output for output in trained.outputs(FOLDER) if output.path.endswith((_NGRAMS, _PIECES))]


def _trained_models(folder: str, trained: StageResult) -> dict[str, tuple[str, str]]:
    names = [output.path.rsplit("/", 1)[1] for output in _model_files(trained)]
    languages = [name.removesuffix(_NGRAMS) for name in names if name.endswith(_NGRAMS)]
    return {language: _paths(join(folder, FOLDER), language) for language in languages}


def _paths(folder: str, language: str) -> tuple[str, str]:
    return join(folder, f"{language}{_NGRAMS}"), join(folder, f"{language}{_PIECES}")


def _given_models(folder: str, languages: Sequence[str] | None) -> dict[str, tuple[str, str]]:
    """Find the models of a folder.

    Raises:
        SettingsError: A wanted language has none, or none is there at all.
    """
    if languages is None:
        names = [os.path.basename(file.path) for file in match(join(folder, "*"))]
        languages = [name.removesuffix(_NGRAMS) for name in names if name.endswith(_NGRAMS)]
    if not languages:
        raise SettingsError(f"{KEY}.models: no <language>{_NGRAMS} in {folder}")
    found = {language: _paths(folder, language) for language in languages}
    for path in (path for paths in found.values() for path in paths):
        if not exists(path):
            raise SettingsError(f"{KEY}.models: no such file: {path}")
    return found


def _digest_of(run: Run, models: Mapping[str, tuple[str, str]]) -> str:
    """Digest given models, which are read again only where size or time has changed."""
    found = [file for language in sorted(models) for path in models[language] for file in match(path)]
    shards = [Shard(SOURCE, os.path.basename(file.path), file.path, file.size_in_bytes) for file in found]
    return digest_inputs(run, _GIVEN, shards)


def _perplexity(
    run: Run,
    settings: PerplexitySettings,
    inputs: Mapping[str, str],
    files: Sequence[BatchFile],
    models: Mapping[str, tuple[str, str]],
) -> Stage:
    load = functools.partial(load_scorer, dict(models), settings)
    fields = ("language_score", "perplexity")

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "ScorePerplexity" >> ScoreDocuments("perplexity", load)
            | "KeepScores" >> KeepScores(PERPLEXITY, fields)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, PERPLEXITY))
        )

    work = UnitWork(files, build, single=True)
    return Stage(PERPLEXITY, {**settings.scoring.model_dump(mode="json"), "kenlm": kenlm_version()}, inputs, work)


def load_scorer(models: Mapping[str, tuple[str, str]], settings: PerplexitySettings) -> ScoreAll:
    """Load the n-gram models on a worker."""
    with ExitStack() as stack:
        local = {
            language: (stack.enter_context(local_copy(ngrams)), stack.enter_context(local_copy(pieces)))
            for language, (ngrams, pieces) in models.items()
        }
        score = PerplexityScorer(local, settings.scoring)
    return lambda pages: score([page.text for page in pages], [page.language for page in pages])
