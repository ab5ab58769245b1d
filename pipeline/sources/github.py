"""GitHub: files of repositories under permissive licences.

LLaMA (Touvron et al., 2023, section 2.1): "We only kept projects that are distributed under the Apache, BSD and MIT
licenses. Additionally, we filtered low quality files with heuristics based on the line length or proportion of
alphanumeric characters, and removed boilerplate, such as headers, with regular expressions. Finally, we deduplicate the
resulting dataset at the file level, with exact matches." The stages, each with committed outputs:

1. ``installed``, where what is installed is asked for: write tables of it, as BigQuery's.
2. ``licences``, where a table of its own has them: read what each repository's licence is.
3. ``places`` and ``contents``, where these are two tables, as in BigQuery: lay either into partitions by git's hash
   of the content, so that contents lie with the places where they stand.
4. ``cleaned``: read rows, partitions, folders and archives; leave out what is no file, under another licence, or no
   source; take the headers out; hold the text to the limits; fingerprint it.
5. ``duplicate_ids``: of several files of one id, that of the newest collection stays.
6. ``duplicate_files``: of several files with the same text, after cleaning, the one stays whose id has the smallest
   hash.
7. ``documents``: the files that stay.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam

from pipeline.batch import Batch
from pipeline.commits import Commit
from pipeline.document import Shard
from pipeline.dumps import rank_dumps
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, Kind, plan_passes
from pipeline.files import join
from pipeline.fingerprints import DuplicateReason, FingerprintBatches
from pipeline.github_settings import GithubCollection, GithubSettings
from pipeline.inputs import list_shards
from pipeline.left_out import LeaveCopiesOut
from pipeline.reading import ReadBatches, batched
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources.github_context import SOURCE, GithubContext, collection_of
from pipeline.sources.github_installed import INSTALLED, check_installed, installed_stage, is_installed, use_tables
from pipeline.sources.github_join import JoinedFiles, Partition, PartitionTables, read_partition
from pipeline.sources.github_licences import KeepLicences, load_licences
from pipeline.sources.github_repositories import (
    RepositoryUnit,
    count_outside,
    pack_units,
    place_of,
    read_repositories,
)
from pipeline.sources.github_rows import read_contents, read_licences, read_places, read_rows
from pipeline.sources.github_steps import CleanFiles, count_languages, fingerprint_files
from pipeline.sources.outputs import common_settings, digest_inputs, owned, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork, digest_json
from pipeline.writing import WriteBatches

LICENCES = f"{SOURCE}.licences"
PLACES = f"{SOURCE}.places"
CONTENTS = f"{SOURCE}.contents"
CLEANED = f"{SOURCE}.cleaned"
DUPLICATE_IDS = f"{SOURCE}.duplicate_ids"
DUPLICATE_FILES = f"{SOURCE}.duplicate_files"
DOCUMENTS = f"{SOURCE}.documents"

#: What the tables and folders of a collection are called in the names of their shards.
_ROWS, _FILES, _LICENSES, _REPOSITORIES = "rows", "files", "licenses", "repositories"
#: Files are written before copies are known, and again without them.
CODEC: Final = "lz4"
#: The stages that find copies, with the reason each gives.
COPIES = {DUPLICATE_IDS: DuplicateReason.ID, DUPLICATE_FILES: DuplicateReason.CONTENT}
#: What crosses the shuffle: a fingerprint, and what decides which copy is the first.
_KEY_BYTES = 16


def stages(settings: GithubSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    tables = settings.collections
    installed = [INSTALLED] if is_installed(settings) else []
    licences = [LICENCES] if installed or any(one.licenses for one in tables) else []
    joined = [PLACES, CONTENTS] if installed or any(one.files for one in tables) else []
    return [*installed, *licences, *joined, CLEANED, DUPLICATE_IDS, DUPLICATE_FILES, DOCUMENTS]


def list_inputs(settings: GithubSettings, data: str) -> list[Shard]:
    """List the files of all collections; what each is stands in its shard's ``dump``, as ``<collection>+rows``.

    Raises:
        SettingsError: An entry matches no file, or of its files none is in a repository; or nothing is installed.
    """
    check_installed(settings, data)
    return [
        shard
        for position, collection in enumerate(settings.collections)
        for kind in (_ROWS, _FILES, _LICENSES, _REPOSITORIES)
        for shard in _list(collection, kind, data, f"sources.{SOURCE}.collections.{position}.{kind}")
    ]


def _list(collection: GithubCollection, kind: str, data: str, key: str) -> list[Shard]:
    paths = getattr(collection, kind)
    if paths is None:
        return []
    tree = kind == _REPOSITORIES
    shards = list_shards(SOURCE, f"{collection.id}+{kind}", paths, data=data, key=key, tree=tree)
    if tree and not any(place_of(shard, collection.depth) for shard in shards):
        raise SettingsError(f"{key}: no archive and no file below {collection.depth} folders; is depth right?")
    return shards


def recipe(run: Run, settings: GithubSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from tables, folders and archives to documents.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    _say_what_is_passed_over(run, settings, shards)
    inputs = digest_inputs(run, SOURCE, shards)
    if is_installed(settings):
        written = yield installed_stage(run, settings)
        settings, tables = use_tables(run, settings, written)
        shards, inputs = [*shards, *tables], digest_json([inputs, written.digest])
    licences = (yield _licences(run, settings, shards, inputs)) if LICENCES in stages(settings) else None
    places = contents = None
    counts = _count_partitions(settings, shards)
    if counts:
        places = yield _places(run, settings, shards, inputs, licences, counts)
        contents = yield _contents(run, settings, shards, inputs, counts)
    files: dict[str, JoinedFiles] = {}
    if places is not None and contents is not None:
        files = {name: _joined_files(run, name, places, contents) for name in counts}
    units = _units(run, settings, shards, counts)
    read = {"inputs": inputs, **_digests(licences=licences, places=places, contents=contents)}
    cleaned = yield _cleaned(run, settings, units, read, Joined(_index(run, licences), files))
    ids = yield _duplicates(run, settings, DUPLICATE_IDS, "ids", cleaned, {})
    texts = yield _duplicates(run, settings, DUPLICATE_FILES, "pages", cleaned, {DUPLICATE_IDS: ids})
    yield _documents(run, cleaned, {DUPLICATE_IDS: ids, DUPLICATE_FILES: texts})


def _say_what_is_passed_over(run: Run, settings: GithubSettings, shards: Sequence[Shard]) -> None:
    outside: Counter[str] = Counter()
    for collection in settings.collections:
        outside += count_outside(collection, _of(shards, collection, _REPOSITORIES))
    if outside:
        run.say(CLEANED, f"{sum(outside.values()):,} files are in no repository, and passed over")


def _of(shards: Sequence[Shard], collection: GithubCollection, kind: str) -> list[Shard]:
    return [shard for shard in shards if shard.dump == f"{collection.id}+{kind}"]


def _digests(**results: StageResult | None) -> dict[str, str]:
    return {name: result.digest for name, result in results.items() if result is not None}


def _count_partitions(settings: GithubSettings, shards: Sequence[Shard]) -> dict[str, int]:
    """Say into how many partitions the contents go of each collection that has places in a table of their own."""
    sizes = {
        collection.id: sum(shard.size for shard in _of(shards, collection, _ROWS))
        for collection in settings.collections
        if collection.files
    }
    return {name: max(1, -(-size // settings.partition_bytes)) for name, size in sizes.items()}


def _licences(run: Run, settings: GithubSettings, shards: Sequence[Shard], inputs: str) -> Stage:
    read = functools.partial(_read_batches, read_licences, run.settings.batch_bytes, settings)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Keep" >> KeepLicences(LICENCES)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, LICENCES))
        )

    return Stage(
        LICENCES,
        settings={"columns": _columns(settings), **common_settings(run)},
        inputs={"inputs": inputs},
        work=UnitWork([one for one in shards if one.dump.endswith(f"+{_LICENSES}")], build),
        owns=owned(SOURCE, LICENCES),
        counts="repositories",
    )


def _read_batches(read: Any, batch_bytes: int, settings: GithubSettings, shard: Shard) -> Iterator[Batch]:
    yield from batched(read(shard, settings), shard.name, batch_bytes)


def _columns(settings: GithubSettings) -> list[Any]:
    return [collection.model_dump(mode="json", include={"id", "columns"}) for collection in settings.collections]


def _index(run: Run, licences: StageResult | None) -> tuple[str, ...]:
    """List the files of licences, whatever collection they are of: a repository is the same in all."""
    outputs = licences.outputs(f"work/{LICENCES}/licences/") if licences is not None else []
    return tuple(join(run.folder, output.path) for output in outputs)


def _places(
    run: Run,
    settings: GithubSettings,
    shards: Sequence[Shard],
    inputs: str,
    licences: StageResult | None,
    counts: dict[str, int],
) -> Stage:
    read = functools.partial(
        _read_with_licences, read_places, run.settings.batch_bytes, settings, _index(run, licences)
    )

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Partition" >> PartitionTables(PLACES, counts, "places")
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, PLACES))
        )

    return Stage(
        PLACES,
        settings={**_held_to(settings), "partitions": counts, **common_settings(run)},
        inputs={"inputs": inputs, **_digests(licences=licences)},
        work=UnitWork([one for one in shards if one.dump.endswith(f"+{_FILES}")], build),
        owns=owned(SOURCE, PLACES),
        counts="places",
    )


def _read_with_licences(
    read: Any, batch_bytes: int, settings: GithubSettings, licences: tuple[str, ...], shard: Shard
) -> Iterator[Batch]:
    has_table = settings.collection(collection_of(shard)).licenses is not None
    index = load_licences(licences) if has_table else None
    yield from batched(read(shard, settings, index), shard.name, batch_bytes)


def _held_to(settings: GithubSettings) -> dict[str, Any]:
    """Give the settings that decide what becomes of a file, but for where it lies."""
    given = {"rows", "files", "licenses", "repositories", "installed"}
    collections = [collection.model_dump(mode="json", exclude=given) for collection in settings.collections]
    held = settings.model_dump(mode="json", include={"licences", "limits", "max_file_bytes"})
    return {"collections": collections, **held}


def _contents(
    run: Run, settings: GithubSettings, shards: Sequence[Shard], inputs: str, counts: dict[str, int]
) -> Stage:
    read = functools.partial(_read_batches, read_contents, run.settings.batch_bytes, settings)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Partition" >> PartitionTables(CONTENTS, counts, "contents")
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, CONTENTS))
        )

    asked = {"columns": _columns(settings), "max_file_bytes": settings.max_file_bytes, "partitions": counts}
    tables = [one for one in shards if one.dump.endswith(f"+{_ROWS}") and collection_of(one) in counts]
    return Stage(
        CONTENTS,
        settings={**asked, **common_settings(run)},
        inputs={"inputs": inputs},
        work=UnitWork(tables, build),
        owns=owned(SOURCE, CONTENTS),
        counts="contents",
    )


Unit = Shard | Partition | RepositoryUnit


@dataclass(frozen=True, slots=True)
class Joined:
    """What the stages before have made of tables.

    Attributes:
        licences: The files of licences.
        files: The files of partitions, by collection.
    """

    licences: tuple[str, ...]
    files: Mapping[str, JoinedFiles]


def _units(run: Run, settings: GithubSettings, shards: Sequence[Shard], counts: Mapping[str, int]) -> list[Unit]:
    units: list[Unit] = []
    for collection in settings.collections:
        if collection.id in counts:
            count = counts[collection.id]
            size = sum(shard.size for shard in _of(shards, collection, _ROWS)) // count
            units += [Partition(collection.id, index, count, size) for index in range(count)]
        else:
            units += _of(shards, collection, _ROWS)
        units += pack_units(collection, _of(shards, collection, _REPOSITORIES), run.settings.batch_bytes)
    return units


def _joined_files(run: Run, collection: str, *stages: StageResult) -> JoinedFiles:
    own = [[commit for commit in stage.commits if commit.shard.partition("+")[0] == collection] for stage in stages]
    outputs = [[output for commit in commits for output in commit.outputs] for commits in own]
    arrow = [[output.path for output in listed if output.path.endswith(".arrow")] for listed in outputs]
    places, contents = (tuple(join(run.folder, path) for path in paths) for paths in arrow)
    return JoinedFiles(places, contents)


def _cleaned(
    run: Run, settings: GithubSettings, units: Sequence[Unit], inputs: Mapping[str, str], joined: Joined
) -> Stage:
    read = functools.partial(_read_unit, run.settings.batch_bytes, settings, joined)
    outputs = stage_outputs(run, SOURCE, CLEANED, f"work/{CLEANED}/documents", codec=CODEC)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "CleanFiles" >> CleanFiles(settings)
            | "Fingerprint" >> FingerprintBatches(CLEANED, fingerprint_files)
            | "Write" >> WriteBatches(outputs)
        )

    return Stage(
        CLEANED,
        settings={**_held_to(settings), **common_settings(run)},
        inputs=inputs,
        work=UnitWork(units, build),
        owns=owned(SOURCE, CLEANED),
        counts="files",
    )


def _read_unit(batch_bytes: int, settings: GithubSettings, joined: Joined, unit: Unit) -> Iterator[Batch]:
    """Read a unit of whatever kind into batches."""
    if isinstance(unit, Shard):
        yield from _read_with_licences(read_rows, batch_bytes, settings, joined.licences, unit)
    elif isinstance(unit, RepositoryUnit):
        yield from batched(read_repositories(unit, settings), unit.name, batch_bytes)
    else:
        facts: Counter[str] = Counter()
        items = read_partition(unit, joined.files[unit.collection], GithubContext.of(settings, unit.collection), facts)
        for batch in batched(items, unit.name, batch_bytes):
            if batch.last:
                batch.facts.update(facts)
            yield batch


def _duplicates(
    run: Run, settings: GithubSettings, name: str, kind: Kind, cleaned: StageResult, without: Mapping[str, StageResult]
) -> Stage:
    ranks = rank_dumps(collection.id for collection in settings.collections)
    keys = [_key_file(commit, ranks) for commit in cleaned.commits if commit.kept]
    passes = plan_passes(keys, settings.max_shuffle_bytes)
    work = DuplicateWork(run.folder, name, CLEANED, passes, Keys(kind, without=list(without)), Copies.FIRST_STAYS)
    inputs = {"cleaned": cleaned.digest, **{stage: result.digest for stage, result in without.items()}}
    return Stage(name, {"max_shuffle_bytes": settings.max_shuffle_bytes}, inputs, work, counts="files")


def _key_file(commit: Commit, ranks: Mapping[str, int]) -> KeyFile:
    rank = ranks[commit.shard.partition("+")[0]]
    return KeyFile(commit.shard, commit.index, "corpus", commit.kept, rank=rank, key_bytes=_KEY_BYTES)


def _documents(run: Run, cleaned: StageResult, copies: Mapping[str, StageResult]) -> Stage:
    outputs = stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}")

    def build(units: beam.PCollection) -> beam.PCollection:
        return units | "LeaveCopiesOut" >> LeaveCopiesOut(outputs, COPIES, count_languages)

    return Stage(
        DOCUMENTS,
        settings=common_settings(run),
        inputs={"cleaned": cleaned.digest, **{stage: result.digest for stage, result in copies.items()}},
        work=UnitWork(cleaned.files(run.folder, f"work/{CLEANED}/documents/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="files",
    )
