"""StackExchange dumps into documents: a question and its answers each, from the highest score to the lowest.

LLaMA (Touvron et al., 2023, section 2.1): "We kept the data from the 28 largest websites, removed the HTML tags from
text and sorted the answers by score (from highest to lowest)." Two stages, each with committed outputs:

1. ``posts``: read every row of every ``Posts.xml``; leave out what is neither question nor answer; lay the others into
   partitions, so that answers lie with their question.
2. ``documents``: read a partition at a time; join; take the HTML out; write the question and its answers.

Which files hold posts is told in :mod:`pipeline.sources.stackexchange_files`.
"""

import dataclasses
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import apache_beam as beam

from pipeline.batch import Batch
from pipeline.document import Shard
from pipeline.files import join
from pipeline.inputs import below, list_shards
from pipeline.rank_sites import read_ranking
from pipeline.reading import ReadBatches, batched
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources.outputs import common_settings, digest_inputs, owned, stage_outputs
from pipeline.sources.stackexchange_files import (
    check_part,
    posts_bytes,
    read_items,
    site_of,
    site_of_path,
    split_shards,
)
from pipeline.sources.stackexchange_join import JoinRules, Partition, PartitionPosts, PostsFile, read_partition
from pipeline.sources.stackexchange_posts import SOURCE
from pipeline.stackexchange_settings import SITE, StackExchangeDump, StackExchangeSettings
from pipeline.stage import Stage, StageResult, UnitWork
from pipeline.writing import WriteBatches

POSTS = f"{SOURCE}.posts"
DOCUMENTS = f"{SOURCE}.documents"


def stages(settings: StackExchangeSettings) -> list[str]:  # noqa: ARG001  # every source names its stages so
    """Name the stages of :func:`recipe`, in order."""
    return [POSTS, DOCUMENTS]


def list_inputs(settings: StackExchangeSettings, data: str) -> list[Shard]:
    """List the files with the posts of the sites asked for, one a dump and site.

    Raises:
        SettingsError: An entry matches no such file, a site asked for is in no dump; or, of the sites asked for: a
            file does not tell its site, is a part of an archive, or a dump has two files of one site.
    """
    key = f"sources.{SOURCE}"
    wanted = _wanted_sites(settings, data)
    shards: dict[str, Shard] = {}
    for position, dump in enumerate(settings.dumps):
        for shard in _list_dump(dump, data, f"{key}.dumps.{position}", wanted):
            other = shards.setdefault(shard.name, shard)
            if other.path != shard.path:
                raise SettingsError(f"{key}.dumps.{position}: {other.path} and {shard.path} are both {shard.name}")
    missing = sorted((wanted or set()) - {site_of(shard) for shard in shards.values()})
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise SettingsError(f"{key}.sites: no file of {missing[0]} in the dumps{more}")
    return [shards[name] for name in sorted(shards)]


def _list_dump(dump: StackExchangeDump, data: str, key: str, wanted: Collection[str] | None) -> Iterator[Shard]:
    """List the files of a dump with posts; where sites are asked for, files of others may have any name."""
    found = False
    for file in _list_files(dump, data, f"{key}.paths"):
        site = site_of_path(file.path)
        if site is None:
            continue
        found = True
        site = dump.site or site
        if wanted is not None and site not in wanted:
            continue
        check_part(file.path, f"{key}.paths")
        if not re.fullmatch(SITE, site):
            raise SettingsError(f"{key}.site: needed, since {file.path} does not tell its site: {site} is none")
        yield dataclasses.replace(file, name=f"{dump.id}~{site}")
    if not found:
        raise SettingsError(f"{key}.paths: no <site>.7z and no <site>/Posts.xml among the files")


def _list_files(dump: StackExchangeDump, data: str, key: str) -> Iterator[Shard]:
    """List the files of each entry by itself: those of two sites have the same names below their folders."""
    for position, entry in enumerate(dump.paths):
        try:
            yield from list_shards(SOURCE, dump.id, [entry], data=data, key=key)
        except SettingsError as error:
            raise SettingsError(str(error).replace(f"{key}.0", f"{key}.{position}", 1)) from error


def _wanted_sites(settings: StackExchangeSettings, data: str) -> set[str] | None:
    if settings.sites is None:
        return None
    if isinstance(settings.sites, str):
        return set(read_ranking(below(settings.sites, data)))
    return set(settings.sites)


def recipe(run: Run, settings: StackExchangeSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from dumps to documents.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    inputs = digest_inputs(run, SOURCE, shards)
    counts = _count_partitions(shards, settings.partition_bytes)
    posts = yield _posts(run, settings, shards, counts, inputs)
    yield _documents(run, settings, counts, posts)


def _count_partitions(shards: Iterable[Shard], partition_bytes: int) -> dict[str, int]:
    """Say into how many partitions each site's posts go: by the bytes of ``Posts.xml`` in all its dumps."""
    sizes: dict[str, int] = {}
    for shard in shards:
        sizes[site_of(shard)] = sizes.get(site_of(shard), 0) + posts_bytes(shard)
    return {site: max(1, -(-size // partition_bytes)) for site, size in sorted(sizes.items())}


def _posts(
    run: Run, settings: StackExchangeSettings, shards: Sequence[Shard], counts: Mapping[str, int], inputs: str
) -> Stage:
    limit = settings.limits.max_row_bytes
    read = functools.partial(read_shard, batch_bytes=run.settings.batch_bytes, max_row_bytes=limit)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Partition" >> PartitionPosts(POSTS, counts)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, POSTS))
        )

    asked = {"partition_bytes": settings.partition_bytes, "split_bytes": settings.split_bytes}
    return Stage(
        POSTS,
        settings={"max_row_bytes": limit, **asked, **common_settings(run)},
        inputs={"dumps": inputs},
        work=UnitWork(split_shards(shards, settings.split_bytes), build),
        owns=owned(SOURCE, POSTS),
        counts="posts",
    )


def read_shard(shard: Shard, *, batch_bytes: int, max_row_bytes: int) -> Iterator[Batch]:
    """Read the posts of a file, or of a range of one, into batches."""
    yield from batched(read_items(shard, max_row_bytes), shard.name, batch_bytes)


def _documents(run: Run, settings: StackExchangeSettings, counts: Mapping[str, int], posts: StageResult) -> Stage:
    rules = JoinRules(
        question_marker=settings.question_marker,
        answer_marker=settings.answer_marker,
        min_answer_score=settings.min_answer_score,
        max_question_bytes=settings.limits.max_question_bytes,
        round_bytes=2 * settings.partition_bytes,
    )
    read = functools.partial(
        read_partition,
        files=_posts_files(run, posts),
        stage=DOCUMENTS,
        rules=rules,
        batch_bytes=run.settings.batch_bytes,
    )

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    return Stage(
        DOCUMENTS,
        settings={**dataclasses.asdict(rules), "partitions": dict(counts), **common_settings(run)},
        inputs={"posts": posts.digest},
        work=UnitWork(_partitions(counts, posts), build),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="questions",
    )


def _posts_files(run: Run, posts: StageResult) -> dict[str, list[PostsFile]]:
    """List the files of each site's posts, in the order of shards and batches."""
    files: dict[str, list[PostsFile]] = {}
    for commit in posts.commits:
        dump, _, rest = commit.shard.partition("~")
        for output in commit.outputs:
            if output.path.endswith(".arrow"):
                file = PostsFile(join(run.folder, output.path), dump)
                files.setdefault(rest.partition("@")[0], []).append(file)
    return files


def _partitions(counts: Mapping[str, int], posts: StageResult) -> list[Partition]:
    sizes = dict.fromkeys(counts, 0)
    for commit in posts.commits:
        site = commit.shard.partition("~")[2].partition("@")[0]
        sizes[site] += sum(output.bytes for output in commit.outputs if output.path.endswith(".arrow"))
    return [
        Partition(site, index, count, sizes[site] // count) for site, count in counts.items() for index in range(count)
    ]
