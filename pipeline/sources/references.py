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

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from filters.citations import cited_urls
from filters.reference import ReferenceScorer
from filters.reference_sample import Page
from filters.reference_training import ReferenceTrainingSettings, train_reference_classifier
from filters.urls import fingerprint_urls, normalize_url
from filters.verdict import Drop, Reason
from pipeline.batch import Batch
from pipeline.commits import Commit, write_commit
from pipeline.crawl_settings import CommonCrawlSettings, ReferenceClassifierSettings
from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.files import join, local_copy, open_read, read_bytes, write_output
from pipeline.inputs import fingerprint_inputs, list_shards
from pipeline.parquet import read_documents
from pipeline.reading import Item, ReadBatches, batched
from pipeline.run import Run
from pipeline.scores import KeepScores, read_with_scores
from pipeline.settings import SettingsError
from pipeline.sources.mediawiki import read_wiki
from pipeline.sources.outputs import common_settings, owned, read_committed, stage_outputs
from pipeline.sources.wiki_xml import WikiPage
from pipeline.stage import BatchFile, LauncherWork, Stage, StageResult, Steps, UnitWork, digest_json
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
MODEL_PATH = "models/reference/reference.bin"
_CITED_PATH = f"work/{CITED}/urls.npy"
#: Negatives drawn for each one asked for, since some fall to the floor of the length or are cited.
_SPARE = 4


class CitationReason(Reason):
    """Why a page of a dump cites nothing here."""

    NOT_AN_ARTICLE = "citation/not_an_article"
    REDIRECT = "citation/redirect"


def stages(settings: ReferenceClassifierSettings) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    return [REFERENCE] if settings.model is not None else [CITATIONS, CITED, SAMPLE, MODEL, REFERENCE]


def list_dumps(settings: ReferenceClassifierSettings, data: str) -> list[Shard]:
    """List the Wikipedia dumps; look at the classifier that is given instead.

    Raises:
        SettingsError: A dump or the classifier is not there, or is none.
    """
    if settings.model is not None:
        try:
            load_scorer(settings.model, None)
        except (OSError, ValueError) as error:
            raise SettingsError(f"{KEY}.model: {' '.join(str(error).split())}") from error
    return list_shards(SOURCE, "wikipedia", settings.wikipedia, data=data, key=f"{KEY}.wikipedia")


def recipe(
    run: Run,
    settings: CommonCrawlSettings,
    scored: StageResult,
    dumps: Sequence[Shard],
    measured: Mapping[str, str],
    check: Callable[[Document], Drop | None],
) -> Steps[str]:
    """Give the stages from scored documents to the classifier's scores.

    Args:
        run: The run at work.
        settings: The source's settings; ``reference`` is set.
        scored: The stage that wrote the documents with their languages.
        dumps: Wikipedia's dumps, from :func:`list_dumps`.
        measured: Stages whose scores ``check`` asks for, with their digests.
        check: Whether a page may train the classifier: by its language and perplexity.

    Returns:
        The digest of the scores.
    """
    asked = settings.reference
    if asked is None:
        raise ValueError("the classifier is switched off")
    files = scored.files(run.folder, f"work/{scored.name}/")
    if asked.model is None:
        cited = yield from _cited(run, dumps)
        inputs = {"scored": scored.digest, "cited": cited.digest, **measured}
        sample = yield _sample(run, settings, inputs, files, scored.stats["kept"], tuple(measured), check)
        trained = yield _model(run, asked.training, sample, cited)
        path, digest = join(run.folder, MODEL_PATH), trained.digest
    else:
        path, digest = asked.model, hashlib.sha256(read_bytes(asked.model)).hexdigest()
    inputs = {"scored": scored.digest, "model": digest}
    result = yield _scores(run, inputs, files, path, settings.language.languages)
    return result.digest


def _cited(run: Run, dumps: Sequence[Shard]) -> Steps[StageResult]:
    """Read all citations of the dumps, and make one sorted array of them."""
    shards = fingerprint_inputs(dumps, run.manifest.known_inputs("wikipedia"))
    run.manifest.record_inputs("wikipedia", shards)
    read = functools.partial(read_citations, batch_bytes=run.settings.batch_bytes)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Fingerprint" >> beam.Map(_fingerprint_citations).with_output_types(Batch)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, CITATIONS))
        )

    inputs = {"wikipedia": digest_json([[file.name, file.checksum] for file in shards])}
    work = UnitWork(dumps, build)
    found = yield Stage(CITATIONS, common_settings(run), inputs, work, owned(SOURCE, CITATIONS), counts="pages")
    paths = [file.path for file in found.files(run.folder, f"work/{CITATIONS}/part-")]
    merge = LauncherWork(functools.partial(write_cited, run.folder, paths), "sorting cited URLs")
    result = yield Stage(CITED, {}, {"citations": found.digest}, merge, counts="URLs")
    return result


def read_citations(shard: Shard, *, batch_bytes: int) -> Iterator[Batch]:
    """Read a dump into batches of articles; the text of each is the URLs it cites, one a line."""
    with open_read(shard.path) as stream:
        items = ((_citations_of(item), position) for item, position in read_wiki(stream, name=shard.path))
        yield from batched(items, shard.name, batch_bytes)


def _citations_of(page: WikiPage | MalformedRecord) -> Item:
    if isinstance(page, MalformedRecord):
        return page
    identity = f"{page.wiki}/{page.id}"
    if page.namespace != 0:
        return Dropped(identity, "", CitationReason.NOT_AN_ARTICLE)
    if page.redirect:
        return Dropped(identity, "", CitationReason.REDIRECT)
    return Document(identity, SOURCE, "\n".join(cited_urls(page.text)))


def _fingerprint_citations(batch: Batch) -> Batch:
    urls = [normalize_url(url) for page in batch.documents for url in page.text.split("\n") if url]
    batch.facts["urls"] = len(urls)
    found = np.unique(fingerprint_urls([url for url in urls if url]))
    batch.files[f"work/{CITATIONS}/part-{batch.name}.npy"] = _npy(found), len(found)
    return batch


def write_cited(folder: str, paths: Sequence[str]) -> None:
    """Merge the fingerprints of cited URLs and write them into the run folder, sorted, each once."""
    parts = [np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) for path in paths]
    urls = np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))
    output = write_output(folder, _CITED_PATH, _npy(urls), rows=len(urls))
    read = sum(map(len, parts))
    repeated = {"citation/repeated": read - len(urls)} if read > len(urls) else {}
    write_commit(folder, CITED, Commit(CITED, 0, read=read, kept=len(urls), dropped=repeated, outputs=(output,)))


def _npy(array: NDArray[np.uint64]) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def _sample(
    run: Run,
    settings: CommonCrawlSettings,
    inputs: Mapping[str, str],
    files: Sequence[BatchFile],
    pages: int,
    scores: tuple[str, ...],
    check: Callable[[Document], Drop | None],
) -> Stage:
    """Draw the pages to train on: all that are cited, and of the others some by their id."""
    training = settings.reference.training if settings.reference is not None else ReferenceTrainingSettings()
    fraction = min(1.0, _SPARE * training.max_pages / max(1, pages))
    read = functools.partial(
        read_sample,
        run=run.folder,
        scores=scores,
        check=check,
        min_chars=training.min_chars,
        fraction=fraction,
        seed=run.settings.seed,
    )

    def build(units: beam.PCollection) -> beam.PCollection:
        outputs = stage_outputs(run, SOURCE, SAMPLE, f"work/{SAMPLE}")
        return units | "Read" >> ReadBatches(read) | "Write" >> WriteBatches(outputs)

    perplexity = settings.perplexity
    asked = {
        "fraction": fraction,
        "seed": run.settings.seed,
        "min_chars": training.min_chars,
        "language": settings.language.model_dump(mode="json"),
        "buckets": None if perplexity is None else perplexity.buckets.model_dump(mode="json"),
    }
    return Stage(SAMPLE, asked, inputs, UnitWork(files, build, single=True), may_keep_nothing=True)


def read_sample(
    file: BatchFile,
    *,
    run: str,
    scores: Sequence[str],
    check: Callable[[Document], Drop | None],
    min_chars: int,
    fraction: float,
    seed: int,
) -> Iterator[Batch]:
    """Read the pages of a file that the classifier may be trained on, with whether each is cited."""
    known = _load_cited(join(run, _CITED_PATH))
    for batch in read_with_scores(file, run=run, stages=scores):
        pages = [page for page in batch.documents if len(page.text) >= min_chars and check(page) is None]
        cited = are_cited([page.url for page in pages], known)
        for page, is_cited in zip(pages, cited.tolist(), strict=True):
            page.metadata["cited"] = is_cited
        batch.documents = [page for page in pages if page.metadata["cited"] or is_sampled(page.id, fraction, seed)]
        batch.read = len(batch.documents)
        batch.facts["cited"] = int(cited.sum())
        yield batch


def are_cited(urls: Sequence[str], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which URLs are among cited ones, given as ascending fingerprints. Shape (urls,)."""
    found = fingerprint_urls([normalize_url(url) for url in urls])
    if not len(known):
        return np.zeros(len(found), np.bool_)
    places = np.minimum(np.searchsorted(known, found), len(known) - 1)
    is_url = np.array([bool(normalize_url(url)) for url in urls], np.bool_)
    cited: NDArray[np.bool_] = (known[places] == found) & is_url
    return cited


@functools.lru_cache(maxsize=1)
def _load_cited(path: str) -> NDArray[np.uint64]:
    with local_copy(path) as file:
        urls: NDArray[np.uint64] = np.load(file, allow_pickle=False)
        return urls


def _model(run: Run, settings: ReferenceTrainingSettings, sample: StageResult, cited: StageResult) -> Stage:
    paths = [file.path for file in sample.files(run.folder, f"work/{SAMPLE}/part-")]
    call = functools.partial(train_and_write, run.folder, settings, paths, cited.stats["kept"])
    return Stage(
        MODEL,
        settings=settings.model_dump(mode="json"),
        inputs={"sample": sample.digest},
        work=LauncherWork(call, "training the classifier"),
        owns=("models/reference/*",),
    )


def train_and_write(folder: str, settings: ReferenceTrainingSettings, paths: Sequence[str], cited_urls: int) -> None:
    """Train the classifier on sampled pages and write it, with its card, into the run folder.

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
    pages = sum(1 for side in sides for _ in side())
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
