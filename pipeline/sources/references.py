"""The stages around the classifier of Wikipedia's references: gather citations, train it, score every page.

"We trained a linear model to classify pages used as references in Wikipedia v.s. randomly sampled pages" (Touvron et
al. 2023, section 2.1). Positives are the crawl's own pages that Wikipedia cites, negatives as many of its other pages,
both deduplicated, of a wanted language and in a wanted bucket of perplexity, so that all that tells them apart is what
Wikipedia's authors saw in them. Addresses are compared in one form (:mod:`filters.urls`) and travel as 64 bits.
"""

import functools
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from filters.model_files import check_fasttext_file
from filters.reference import ReferenceScorer
from filters.reference_sample import Page
from filters.reference_training import ReferenceTrainingSettings, train_reference_classifier
from filters.verdict import Drop, Reason
from pipeline.batch import Batch, Blame
from pipeline.commits import Commit, write_commit
from pipeline.crawl_settings import RUN, CommonCrawlSettings, ReferenceClassifierSettings
from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.files import WrittenFile, join, local_copy, read_bytes, write_output
from pipeline.parquet import read_documents
from pipeline.reading import Item, ReadBatches, batched
from pipeline.run import Run
from pipeline.scores import KeepScores, read_with_scores
from pipeline.settings import SettingsError
from pipeline.sources import wikipedia
from pipeline.sources.outputs import digest_inputs, owned, pages_of, read_committed, stage_outputs
from pipeline.sources.wiki_citations import are_cited, citations_folder, citations_of, fingerprint_distinct, to_npy
from pipeline.sources.wiki_ranges import read_dump
from pipeline.sources.wiki_xml import WikiPage
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, Steps, UnitWork, digest_outputs
from pipeline.steps import ScoreAll, ScoreDocuments, Scores
from pipeline.writing import WriteBatches
from tokenizer.sampling import is_sampled

SOURCE = "commoncrawl"
CITATIONS = f"{SOURCE}.citations"
CITED = f"{SOURCE}.cited_urls"
SAMPLE = f"{SOURCE}.reference_sample"
MODEL = f"{SOURCE}.reference_model"
REFERENCE = f"{SOURCE}.reference"
KEY = f"sources.{SOURCE}.reference"
#: Under which the manifest keeps dumps that are read for what they cite alone.
_CITING = "wikipedia citations"
MODEL_PATH = "models/reference/reference.bin"
_CITED_PATH = f"work/{CITED}/urls.npy"
#: Negatives drawn for each one asked for, since some fall to the floor of the length or are cited.
_SPARE = 4


@dataclass(frozen=True, slots=True)
class Eligible:
    """Which pages may train the classifier.

    Attributes:
        check: Holds a page to its language and perplexity.
        settings: What it depends on.
        scores: Stages whose scores it asks for, with their digests.
    """

    check: Callable[[Document], Drop | None]
    settings: Mapping[str, Any]
    scores: Mapping[str, str]


def stages(settings: ReferenceClassifierSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    if settings.model is not None:
        return [REFERENCE]
    own = [] if settings.wikipedia == RUN else [CITATIONS]
    return [*own, CITED, SAMPLE, MODEL, REFERENCE]


def list_dumps(settings: ReferenceClassifierSettings, data: str) -> list[Shard]:
    """List the Wikipedia dumps, none where the run reads Wikipedia; look at the classifier that is given instead.

    Raises:
        SettingsError: A dump or the classifier is not there, or is none.
    """
    if settings.model is not None:
        try:
            with local_copy(settings.model) as file:
                check_fasttext_file(file)
            load_scorer(settings.model, None)
        except (OSError, ValueError) as error:
            raise SettingsError(f"{KEY}.model: {' '.join(str(error).split())}") from error
    if settings.wikipedia == RUN:
        return []
    return wikipedia.list_dump(wikipedia.SOURCE, settings.wikipedia, data, f"{KEY}.wikipedia")


def recipe(
    run: Run,
    settings: CommonCrawlSettings,
    scored: StageResult,
    dumps: Sequence[Shard],
    eligible: Eligible,
) -> Steps[str]:
    """Give the stages from scored documents to the classifier's scores.

    Args:
        run: The run at work.
        settings: The source's settings; ``reference`` is set.
        scored: The stage that wrote the documents with their languages.
        dumps: Wikipedia's dumps, from :func:`list_dumps`.
        eligible: Which pages may train the classifier.

    Returns:
        The digest of the scores.
    """
    asked = settings.reference
    if asked is None:
        raise ValueError("the classifier is switched off")
    files = scored.files(run.folder, f"work/{scored.name}/")
    if asked.model is None:
        if asked.wikipedia == RUN:
            found = run.results[wikipedia.PAGES].outputs(citations_folder(wikipedia.PAGES))
        else:
            found = yield from _citations(run, dumps)
        cited = yield _cited(run, found)
        sample = yield _sample(run, settings, scored, cited, eligible)
        trained = yield _model(run, asked.training, sample, cited)
        path, digest = join(run.folder, MODEL_PATH), digest_outputs(trained.outputs(MODEL_PATH))
    else:
        path, digest = asked.model, hashlib.sha256(read_bytes(asked.model)).hexdigest()
    inputs = {"scored": scored.digest, "model": digest}
    result = yield _scores(run, inputs, files, path, settings.language.languages)
    return result.digest


def _citations(run: Run, dumps: Sequence[Shard]) -> Steps[list[WrittenFile]]:
    """Read all citations of the dumps."""
    inputs = {"wikipedia": digest_inputs(run, _CITING, dumps)}
    read = functools.partial(read_citations, batch_bytes=run.settings.batch_bytes)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Fingerprint" >> beam.Map(_fingerprint_citations).with_output_types(Batch)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, CITATIONS))
        )

    work = UnitWork(dumps, build)
    asked = {"batch_bytes": run.settings.batch_bytes}
    found = yield Stage(CITATIONS, asked, inputs, work, owned(SOURCE, CITATIONS), counts="pages")
    return found.outputs(f"work/{CITATIONS}/part-")


def _cited(run: Run, found: Sequence[WrittenFile]) -> Stage:
    """Make one sorted array of all citations."""
    paths = [join(run.folder, file.path) for file in found]
    merge = LauncherWork(functools.partial(write_cited, run.folder, paths), "sorting cited URLs")
    return Stage(CITED, {}, {"citations": digest_outputs(found)}, merge, counts="URLs")


def read_citations(shard: Shard, *, batch_bytes: int) -> Iterator[Batch]:
    """Read a dump into batches of articles; the text of each is the URLs it cites, one a line."""
    items = ((_citations_of(item), position) for item, position in read_dump(shard))
    yield from batched(items, shard.name, batch_bytes)


def _citations_of(page: WikiPage | MalformedRecord) -> Item:
    if isinstance(page, MalformedRecord):
        return page
    identity, urls = f"{page.wiki}/{page.id}", citations_of(page)
    return Dropped(identity, "", urls) if isinstance(urls, Reason) else Document(identity, SOURCE, "\n".join(urls))


def _fingerprint_citations(batch: Batch) -> Batch:
    with batch.timed("urls"), Blame(batch.name) as blame:
        urls: list[str] = []
        for page in batch.documents:
            blame.document = page.id
            urls += [url for url in page.text.split("\n") if url]
        found = fingerprint_distinct(urls)
    batch.facts["urls"] = len(urls)
    batch.files[f"work/{CITATIONS}/part-{batch.name}.npy"] = to_npy(found), len(found)
    return batch


def write_cited(folder: str, paths: Sequence[str]) -> None:
    """Merge the fingerprints of cited URLs and write them into the run folder, sorted, each once."""
    parts = [np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) for path in paths]
    urls = np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))
    output = write_output(folder, _CITED_PATH, to_npy(urls), rows=len(urls))
    read = sum(map(len, parts))
    repeated = {"citation/repeated": read - len(urls)} if read > len(urls) else {}
    write_commit(folder, CITED, Commit(CITED, 0, read=read, kept=len(urls), dropped=repeated, outputs=(output,)))


def _sample(
    run: Run,
    settings: CommonCrawlSettings,
    scored: StageResult,
    cited: StageResult,
    eligible: Eligible,
) -> Stage:
    """Draw the pages to train on: all that are cited, and of the others some by their id."""
    training = settings.reference.training if settings.reference is not None else ReferenceTrainingSettings()
    fraction = min(1.0, _SPARE * training.max_pages / max(1, pages_of(scored, settings.language.languages)))
    read = functools.partial(
        read_sample,
        run=run.folder,
        cited=cited.digest,
        eligible=eligible,
        min_chars=training.min_chars,
        fraction=fraction,
        seed=run.settings.seed,
    )

    def build(units: beam.PCollection) -> beam.PCollection:
        outputs = stage_outputs(run, SOURCE, SAMPLE, f"work/{SAMPLE}")
        return units | "Read" >> ReadBatches(read) | "Write" >> WriteBatches(outputs)

    asked = {"fraction": fraction, "seed": run.settings.seed, "min_chars": training.min_chars, **eligible.settings}
    inputs = {"scored": scored.digest, "cited": cited.digest, **eligible.scores}
    work = UnitWork(scored.files(run.folder, f"work/{scored.name}/"), build, single=True)
    return Stage(SAMPLE, asked, inputs, work, may_keep_nothing=True)


def read_sample(
    file: BatchFile,
    *,
    run: str,
    cited: str,
    eligible: Eligible,
    min_chars: int,
    fraction: float,
    seed: int,
) -> Iterator[Batch]:
    """Read the pages of a file that the classifier may be trained on, with whether each is cited.

    Args:
        file: The documents file.
        run: The run folder.
        cited: The digest of the cited URLs, which lie in the run folder.
        eligible: Which pages may train it.
        min_chars: Shorter pages may not.
        fraction: Share of the pages that are not cited to take.
        seed: Of their choice.
    """
    known = _load_cited(join(run, _CITED_PATH), cited)
    for batch in read_with_scores(file, run=run, stages=tuple(eligible.scores)):
        pages = [page for page in batch.documents if len(page.text) >= min_chars and eligible.check(page) is None]
        for page, is_cited in zip(pages, are_cited([page.url for page in pages], known).tolist(), strict=True):
            page.metadata["cited"] = is_cited
            batch.facts["cited"] += is_cited
        batch.documents = [
            page for page in pages if page.metadata["cited"] or is_sampled(f"{SAMPLE} {page.id}", fraction, seed)
        ]
        batch.read = len(batch.documents)
        yield batch


@functools.lru_cache(maxsize=1)
def _load_cited(path: str, digest: str) -> NDArray[np.uint64]:  # noqa: ARG001 - the same path may hold others later
    with local_copy(path) as file:
        urls: NDArray[np.uint64] = np.load(file, allow_pickle=False)
        return urls


def _model(run: Run, settings: ReferenceTrainingSettings, sample: StageResult, cited: StageResult) -> Stage:
    paths = [file.path for file in sample.files(run.folder, f"work/{SAMPLE}/part-")]
    pages = sample.stats["kept"]
    call = functools.partial(train_and_write, run.folder, settings, paths, pages=pages, cited_urls=cited.stats["kept"])
    return Stage(
        MODEL,
        settings=settings.model_dump(mode="json"),
        inputs={"sample": sample.digest, "cited": cited.digest},
        work=LauncherWork(call, "training the classifier"),
        owns=("models/reference/*",),
    )


def train_and_write(
    folder: str, settings: ReferenceTrainingSettings, paths: Sequence[str], *, pages: int, cited_urls: int
) -> None:
    """Train the classifier on sampled pages and write it, with its card, into the run folder.

    Args:
        folder: The run folder.
        settings: How it is trained.
        paths: Files of sampled pages.
        pages: Pages in them.
        cited_urls: URLs that Wikipedia cites.

    Raises:
        ValueError: Too few of the crawl's pages are cited.
    """
    sides = [functools.partial(_pages_of, paths, cited=cited) for cited in (True, False)]
    try:
        trained = train_reference_classifier(sides[0](), sides[1](), settings, cited_urls=cited_urls)
    except ValueError as error:
        ways = f"llama-corpus list-references writes the URLs to fetch, {KEY}.model takes a classifier trained on them"
        raise ValueError(f"{error} (Wikipedia cites {cited_urls:,} URLs); {ways}") from error
    card = trained.card
    outputs = (
        write_output(folder, MODEL_PATH, trained.model),
        write_output(folder, "models/reference/card.json", card.to_json().encode()),
        write_output(folder, "models/reference/README.md", card.to_markdown().encode()),
    )
    write_commit(
        folder, MODEL, Commit(MODEL, 0, read=pages, kept=pages, facts={"cited_urls": cited_urls}, outputs=outputs)
    )


def _pages_of(paths: Sequence[str], *, cited: bool) -> Iterator[Page]:
    for path in paths:
        for page in read_documents(path):
            if page.metadata.get("cited", False) is cited:
                yield Page(page.url, page.text)


def _scores(
    run: Run, inputs: Mapping[str, str], files: Sequence[BatchFile], model: str, languages: Sequence[str] | None
) -> Stage:
    load = functools.partial(load_scorer, model, languages)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "ScoreReference" >> ScoreDocuments("reference", load)
            | "KeepScores" >> KeepScores(REFERENCE, ("reference_score",))
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, REFERENCE))
        )

    asked = {"languages": list(languages or ())}
    return Stage(REFERENCE, asked, inputs, UnitWork(files, build, single=True))


def load_scorer(path: str, languages: Sequence[str] | None) -> ScoreAll:
    """Load the classifier on a worker; it is not asked about pages of unwanted languages, which go anyway."""
    with local_copy(path) as file:
        score = ReferenceScorer(file)

    def score_wanted(pages: Sequence[Document]) -> Sequence[Scores]:
        wanted = [languages is None or page.language in languages for page in pages]
        scores = iter(score([page.text for page, is_wanted in zip(pages, wanted, strict=True) if is_wanted]))
        return [next(scores) if is_wanted else {} for is_wanted in wanted]

    return score_wanted
