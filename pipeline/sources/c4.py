"""C4, the Colossal Clean Crawled Corpus (Raffel et al. 2020, section 2.2), as published or rebuilt from crawls.

LLaMA took it as published (Touvron et al. 2023, section 2.1): "The preprocessing of C4 also contains deduplication and
language identification steps: the main difference with CCNet is the quality filtering, which mostly relies on
heuristics such as presence of punctuation marks or the number of words and sentences in a webpage."

Published, there is one stage, ``documents``: JSON lines become documents, their text as it is.

Rebuilt, the rules come in the order of the code that made the published one (:mod:`filters.c4`); crawl files are read
twice, and each stage has committed outputs:

1. ``urls``: read every record; leave out what is no page, lacks address, text or time, or is too long; fingerprint
   addresses.
2. ``duplicate_urls``: of the pages of one address, the newest stays; of those, the one of the smallest (shard, record).
3. ``cleaned``: read again, take these out; keep the lines that are prose; fingerprint lines, or spans of sentences.
4. ``duplicate_lines`` (or ``duplicate_spans``): each stays on the page whose address has the smallest MD5, once.
5. ``scored``: take the others out; leave out pages of which too little is left; identify the language.
6. ``documents``: keep what is English without bad words; say which split each page belongs to.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import apache_beam as beam

from filters.bad_words import BadWords, read_words
from filters.c4 import C4Reason
from pipeline.c4_settings import C4Dedup, C4Settings
from pipeline.commits import Commit
from pipeline.document import Shard
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, plan_passes
from pipeline.fingerprints import DropDuplicates, FingerprintBatches, take_lines_out
from pipeline.inputs import list_shards
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources import c4_steps as steps
from pipeline.sources.c4_models import bad_words, identification, language_model
from pipeline.sources.commoncrawl import check_read_again
from pipeline.sources.outputs import common_settings, digest_inputs, owned, read_committed, stage_outputs
from pipeline.stage import Stage, StageResult, Steps, UnitWork
from pipeline.steps import DropDocuments, ScoreDocuments
from pipeline.writing import WriteBatches

SOURCE = "c4"
URLS = f"{SOURCE}.urls"
DUPLICATE_URLS = f"{SOURCE}.duplicate_urls"
CLEANED = f"{SOURCE}.cleaned"
DUPLICATE_LINES = f"{SOURCE}.duplicate_lines"
DUPLICATE_SPANS = f"{SOURCE}.duplicate_spans"
SCORED = f"{SOURCE}.scored"
DOCUMENTS = f"{SOURCE}.documents"

#: The first part of the names of published files' shards, where a crawl file's have its dump.
PUBLISHED = "published"

_DUPLICATES = {C4Dedup.LINES: DUPLICATE_LINES, C4Dedup.SPANS: DUPLICATE_SPANS}
_FINGERPRINTS = {C4Dedup.LINES: steps.fingerprint_lines, C4Dedup.SPANS: steps.fingerprint_spans}
_TAKE_OUT = {C4Dedup.LINES: take_lines_out, C4Dedup.SPANS: steps.take_spans_out}
#: What crosses the shuffle: a fingerprint, and what decides which copy is the first.
_KEY_BYTES = 16


def stages(settings: C4Settings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    if settings.paths is not None:
        return [DOCUMENTS]
    duplicates = [_DUPLICATES[settings.dedup]] if settings.dedup in _DUPLICATES else []
    return [URLS, DUPLICATE_URLS, CLEANED, *duplicates, SCORED, DOCUMENTS]


def list_inputs(settings: C4Settings, data: str) -> list[Shard]:
    """List the published files, or the crawl files of all dumps.

    Raises:
        SettingsError: An entry matches no file; or what the rules ask for, a model or a list, is not there.
    """
    key = f"sources.{SOURCE}"
    if settings.paths is not None:
        shards = list_shards(SOURCE, PUBLISHED, settings.paths, data=data, key=f"{key}.paths")
        _check_names(shards)
        return shards
    bad_words(settings, data)
    language_model(settings)
    return [
        shard
        for position, dump in enumerate(settings.dumps or ())
        for shard in list_shards(SOURCE, dump.id, dump.paths, data=data, key=f"{key}.dumps.{position}.paths")
    ]


def _check_names(shards: Sequence[Shard]) -> None:
    """Refuse files of one name in two folders: ids are made of a file's name and a page's line."""
    names = Counter(shard.path.rpartition("/")[2] for shard in shards)
    for name, files in names.items():
        if files > 1:
            raise SettingsError(f"sources.{SOURCE}.paths: {files} files are called {name}; their pages would share ids")


def recipe(run: Run, settings: C4Settings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from published or crawl files to documents.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    inputs = digest_inputs(run, SOURCE, shards)
    if settings.paths is not None:
        yield _published(run, settings, shards, inputs)
        return
    words = bad_words(settings, run.settings.data)
    if words is None:
        run.say(DOCUMENTS, f"sources.{SOURCE}.bad_words is null: pages are kept whatever words they hold")
    addressed = yield _urls(run, settings, shards, inputs)
    newest = yield _duplicate_urls(run, settings, addressed)
    cleaned = yield _cleaned(run, settings, shards, {"dumps": inputs, "urls": newest.digest})
    check_read_again(run, CLEANED, addressed, cleaned)
    duplicates = yield from _duplicates(run, settings, cleaned)
    scored = yield _scored(run, settings, cleaned, duplicates)
    yield _documents(run, settings, scored, words)


def _published(run: Run, settings: C4Settings, shards: Sequence[Shard], inputs: str) -> Stage:
    language = settings.language.language
    read = functools.partial(steps.read_published, batch_bytes=run.settings.batch_bytes, language=language)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Split" >> ScoreDocuments("split", steps.load_splits)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    return Stage(
        DOCUMENTS,
        settings={"language": language, **common_settings(run)},
        inputs={"paths": inputs},
        work=UnitWork(shards, build),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="records",
    )


def _urls(run: Run, settings: C4Settings, shards: Sequence[Shard], inputs: str) -> Stage:
    read = functools.partial(steps.read_shard, batch_bytes=run.settings.batch_bytes)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "DropIncomplete" >> DropDocuments("record", functools.partial(steps.check_page, limits=settings.limits))
            | "Fingerprint" >> FingerprintBatches(URLS, steps.fingerprint_urls)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, URLS))
        )

    return Stage(
        URLS,
        settings={"max_page_chars": settings.limits.max_page_chars, **common_settings(run)},
        inputs={"dumps": inputs},
        work=UnitWork(shards, build),
        owns=owned(SOURCE, URLS),
        counts="records",
    )


def _duplicate_urls(run: Run, settings: C4Settings, addressed: StageResult) -> Stage:
    passes = plan_passes(
        _key_files(addressed.commits, lambda commit: commit.kept),
        settings.max_shuffle_bytes,
    )
    work = DuplicateWork(run.folder, DUPLICATE_URLS, URLS, passes, Keys("ids"), Copies.FIRST_STAYS)
    asked = {"max_shuffle_bytes": settings.max_shuffle_bytes}
    return Stage(DUPLICATE_URLS, asked, {"urls": addressed.digest}, work, counts="documents")


def _cleaned(run: Run, settings: C4Settings, shards: Sequence[Shard], inputs: Mapping[str, str]) -> Stage:
    limits = settings.limits
    read = functools.partial(steps.read_shard_again, batch_bytes=run.settings.batch_bytes, limits=limits)
    fingerprint = _FINGERPRINTS.get(settings.dedup)

    def build(units: beam.PCollection) -> beam.PCollection:
        pages = (
            units
            | "ReadAgain" >> ReadBatches(read)
            | "DropOlder" >> DropDuplicates(run.folder, documents={DUPLICATE_URLS: C4Reason.DUPLICATE_URL})
            | "CleanPages" >> steps.CleanPages(limits)
        )
        if fingerprint is not None:
            pages |= "Fingerprint" >> FingerprintBatches(CLEANED, fingerprint)
        return pages | "Write" >> WriteBatches(stage_outputs(run, SOURCE, CLEANED, f"work/{CLEANED}/documents"))

    return Stage(
        CLEANED,
        settings={"limits": limits.model_dump(mode="json"), "dedup": settings.dedup.value, **common_settings(run)},
        inputs=inputs,
        work=UnitWork(shards, build),
        owns=owned(SOURCE, CLEANED),
    )


def _duplicates(run: Run, settings: C4Settings, cleaned: StageResult) -> Steps[StageResult | None]:
    """Find the lines or spans that stand on another page, or on their own before; ``None`` where none are wanted."""
    stage = _DUPLICATES.get(settings.dedup)
    if stage is None:
        return None
    passes = plan_passes(
        _key_files(cleaned.commits, lambda commit: commit.facts["lines"]),
        settings.max_shuffle_bytes,
    )
    work = DuplicateWork(run.folder, stage, CLEANED, passes, Keys("lines"), Copies.FIRST_STAYS)
    asked = {"max_shuffle_bytes": settings.max_shuffle_bytes}
    inputs = {"cleaned": cleaned.digest}
    return (yield Stage(stage, asked, inputs, work, counts=settings.dedup.value, may_keep_nothing=True))


def _key_files(commits: Sequence[Commit], keys: Callable[[Commit], int]) -> list[KeyFile]:
    """Let the keys of all batches meet that have kept a page."""
    return [
        KeyFile(commit.shard, commit.index, "corpus", keys(commit), key_bytes=_KEY_BYTES)
        for commit in commits
        if commit.kept
    ]


def _scored(run: Run, settings: C4Settings, cleaned: StageResult, duplicates: StageResult | None) -> Stage:
    load, asked, prepare = identification(run, settings)
    check = functools.partial(steps.check_sentences_left, limits=settings.limits)

    def build(units: beam.PCollection) -> beam.PCollection:
        pages = units | "Read" >> ReadBatches(read_committed)
        if duplicates is not None:
            take_out = DropDuplicates(
                run.folder,
                documents={},
                lines=duplicates.name,
                no_line_left=C4Reason.ONLY_DUPLICATE_LINES,
                take_out=_TAKE_OUT[settings.dedup],
            )
            pages = pages | "DropDuplicates" >> take_out | "DropShort" >> DropDocuments("sentences", check)
        return (
            pages
            | "IdentifyLanguage" >> ScoreDocuments("language", load)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, SCORED, f"work/{SCORED}"))
        )

    found = {} if duplicates is None else {"duplicates": duplicates.digest}
    return Stage(
        SCORED,
        settings={
            "dedup": settings.dedup.value,
            "min_sentences": settings.limits.min_sentences,
            "language_model": asked,
            **common_settings(run),
        },
        inputs={"cleaned": cleaned.digest, **found},
        work=UnitWork(cleaned.files(run.folder, f"work/{CLEANED}/documents/"), build, single=True),
        owns=owned(SOURCE, SCORED),
        prepare=prepare,
    )


def _documents(run: Run, settings: C4Settings, scored: StageResult, words: bytes | None) -> Stage:
    language, limits = settings.language, settings.bad_words_limits
    check_language = functools.partial(steps.check_page_language, limits=language.limits)
    check_words = None
    if words is not None:
        listed = BadWords(read_words(words), language.language)
        check_words = functools.partial(steps.check_page_words, words=listed, limits=limits)

    def build(units: beam.PCollection) -> beam.PCollection:
        pages = (
            units | "Read" >> ReadBatches(read_committed) | "KeepLanguage" >> DropDocuments("language", check_language)
        )
        if check_words is not None:
            pages |= "DropBadWords" >> DropDocuments("bad_words", check_words)
        return (
            pages
            | "Split" >> ScoreDocuments("split", steps.load_splits)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    asked = {"language": language.limits.model_dump(mode="json"), "bad_words": None}
    if words is not None:
        sha256 = hashlib.sha256(words).hexdigest()
        asked["bad_words"] = {"sha256": sha256, "in": language.language, **limits.model_dump(mode="json")}
    return Stage(
        DOCUMENTS,
        settings={**asked, **common_settings(run)},
        inputs={"scored": scored.digest},
        work=UnitWork(scored.files(run.folder, f"work/{SCORED}/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
    )
