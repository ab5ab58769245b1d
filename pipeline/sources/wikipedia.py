"""Wikipedia in twenty languages (Touvron et al. 2023, section 2.1).

"We add Wikipedia dumps from the June-August 2022 period, covering 20 languages, which use either the Latin or Cyrillic
scripts: bg, ca, cs, da, de, en, es, fr, hr, hu, it, nl, pl, pt, ro, ru, sl, sr, sv, uk. We process the data to remove
hyperlinks, comments and other formatting boilerplate."

The paper does not say which pages count. Here they are the articles: namespace 0, no redirects, no lists of a word's
meanings. The stages, each with committed outputs:

1. ``pages``: read the dumps, long files in ranges; leave out what is no article; convert wikitext to text; fingerprint
   the articles' ids, and the URLs that they cite: those of older states of a page too, and of lists of meanings.
2. ``duplicate_ids``: of an article in several dumps of a wiki, that of the newest dump stays; of several in one dump
   the newest state, then that in the first file by name. An article that later became a redirect, or was deleted,
   stays as the dump has it that still does.
3. ``documents``: take the others out, and the articles without text.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence

import apache_beam as beam

from pipeline.document import Shard
from pipeline.dumps import rank_dumps
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, plan_passes
from pipeline.fingerprints import DropDuplicates, DuplicateReason, FingerprintBatches
from pipeline.inputs import below, list_shards
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources import wikipedia_steps as steps
from pipeline.sources.outputs import (
    common_settings,
    count_languages,
    digest_inputs,
    owned,
    read_committed,
    stage_outputs,
)
from pipeline.sources.wiki_ranges import split_shards
from pipeline.sources.wiki_siteinfo import read_siteinfo
from pipeline.stage import Stage, StageResult, UnitWork, digest_json
from pipeline.steps import DropDocuments
from pipeline.wikipedia_settings import WikipediaSettings
from pipeline.writing import WriteBatches

SOURCE = steps.SOURCE
PAGES = f"{SOURCE}.pages"
DUPLICATE_IDS = f"{SOURCE}.duplicate_ids"
DOCUMENTS = f"{SOURCE}.documents"
_KEY = f"sources.{SOURCE}"

#: What crosses the shuffle: a fingerprint, and what decides which copy is the first.
_KEY_BYTES = 16
#: The index that lies beside a multistream dump.
_INDEX = "-multistream-index"


def stages(settings: WikipediaSettings) -> list[str]:  # noqa: ARG001 - as every source's
    """Name the stages of :func:`recipe`, in order."""
    return [PAGES, DUPLICATE_IDS, DOCUMENTS]


def list_inputs(settings: WikipediaSettings, data: str) -> list[Shard]:
    """List the files of all dumps, whole.

    Raises:
        SettingsError: An entry matches no dump, no dump is of a wanted language, or what the wikis' API says is not
            there.
    """
    _siteinfo(settings, data)
    shards = [
        shard
        for position, dump in enumerate(settings.dumps)
        for shard in list_dump(dump.id, dump.paths, data, f"{_KEY}.dumps.{position}.paths")
    ]
    _refuse_equal_names(shards)
    reading = _reading(settings, 1, {})
    if all(map(reading.is_left_out, shards)):
        wikis = sorted(set(map(reading.wiki_of, shards)))
        raise SettingsError(f"{_KEY}.languages: no file is of {list(settings.languages or ())}, they are of {wikis}")
    return shards


def _refuse_equal_names(shards: Sequence[Shard]) -> None:
    names = Counter(shard.name for shard in shards)
    for name, count in names.items():
        if count > 1:
            raise SettingsError(f"{_KEY}.dumps: {count} files would be called {name}")


def list_dump(dump: str, paths: Sequence[str], data: str, key: str) -> list[Shard]:
    """List the files of a dump but for the indexes beside them.

    Raises:
        SettingsError: An entry matches no file, or nothing but indexes.
    """
    found = list_shards(SOURCE, dump, paths, data=data, key=key)
    dumps = [shard for shard in found if _INDEX not in shard.path.rpartition("/")[2]]
    if found and not dumps:
        raise SettingsError(f"{key}: {found[0].path} is the index of a dump, and there is nothing else")
    return dumps


def _siteinfo(settings: WikipediaSettings, data: str) -> dict[str, dict[str, int]]:
    if settings.siteinfo is None:
        return {}
    try:
        return read_siteinfo(below(settings.siteinfo, data))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{_KEY}.siteinfo: {' '.join(str(error).split())}") from error


def _reading(
    settings: WikipediaSettings, batch_bytes: int, siteinfo: Mapping[str, Mapping[str, int]]
) -> steps.DumpReading:
    return steps.DumpReading(
        batch_bytes=batch_bytes,
        max_page_bytes=settings.max_page_bytes,
        languages=settings.languages,
        wikis={dump.id: dump.wiki for dump in settings.dumps if dump.wiki is not None},
        siteinfo=siteinfo,
    )


def recipe(run: Run, settings: WikipediaSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from dumps to documents.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    inputs = {"dumps": digest_inputs(run, SOURCE, shards)}
    reading = _reading(settings, run.settings.batch_bytes, _siteinfo(settings, run.settings.data))
    left_out = [shard for shard in shards if reading.is_left_out(shard)]
    wanted = [shard for shard in shards if not reading.is_left_out(shard)]
    parts = [*left_out, *split_shards(wanted, settings.split_bytes, reading.wiki_of)]
    _refuse_equal_names(parts)
    pages = yield _pages(run, settings, reading, parts, inputs)
    newest = yield _duplicate_ids(run, settings, pages)
    yield _documents(run, settings, pages, newest)


def _pages(
    run: Run,
    settings: WikipediaSettings,
    reading: steps.DumpReading,
    parts: Sequence[Shard],
    inputs: Mapping[str, str],
) -> Stage:
    keep_disambiguations = settings.keep_disambiguations
    ranks = rank_dumps(dump.id for dump in settings.dumps)
    fingerprint = functools.partial(steps.fingerprint_ids, ranks=ranks)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(functools.partial(steps.read_articles, reading=reading))
            | "KeepCitations" >> steps.KeepCitations(PAGES)
            | "Convert" >> steps.ConvertArticles(PAGES, parts, reading, keep_disambiguations=keep_disambiguations)
            | "Fingerprint" >> FingerprintBatches(PAGES, fingerprint)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, PAGES, f"work/{PAGES}/documents"))
        )

    asked = {
        "split_bytes": settings.split_bytes,
        "max_page_bytes": settings.max_page_bytes,
        "languages": sorted(settings.languages) if settings.languages is not None else None,
        "wikis": dict(reading.wikis),
        "siteinfo": digest_json(reading.siteinfo),
        "keep_disambiguations": keep_disambiguations,
    }
    work = UnitWork(parts, build)
    return Stage(PAGES, {**asked, **common_settings(run)}, inputs, work, owned(SOURCE, PAGES), counts="pages")


def _duplicate_ids(run: Run, settings: WikipediaSettings, pages: StageResult) -> Stage:
    keys = [
        KeyFile(commit.shard, commit.index, "corpus", commit.kept, key_bytes=_KEY_BYTES)
        for commit in pages.commits
        if commit.kept
    ]
    passes = plan_passes(keys, settings.max_shuffle_bytes)
    work = DuplicateWork(run.folder, DUPLICATE_IDS, PAGES, passes, Keys("ids"), Copies.FIRST_STAYS)
    asked = {"max_shuffle_bytes": settings.max_shuffle_bytes}
    return Stage(DUPLICATE_IDS, asked, {"pages": pages.digest}, work)


def _documents(run: Run, settings: WikipediaSettings, pages: StageResult, newest: StageResult) -> Stage:
    check = functools.partial(steps.check_text, min_chars=settings.min_chars)

    def build(units: beam.PCollection) -> beam.PCollection:
        articles = (
            units
            | "Read" >> ReadBatches(read_committed)
            | "DropOlder" >> DropDuplicates(run.folder, documents={DUPLICATE_IDS: DuplicateReason.ID})
            | "DropShort" >> DropDocuments("length", check)
        )
        if settings.title_first:
            articles |= "PutTitlesFirst" >> steps.PutTitlesFirst()
        return (
            articles
            | "CountLanguages" >> beam.Map(count_languages)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    return Stage(
        DOCUMENTS,
        settings={"min_chars": settings.min_chars, "title_first": settings.title_first, **common_settings(run)},
        inputs={"pages": pages.digest, "duplicate_ids": newest.digest},
        work=UnitWork(pages.files(run.folder, f"work/{PAGES}/documents/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="articles",
    )
