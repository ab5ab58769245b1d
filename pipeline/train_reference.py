"""Training the reference classifier from files: what Wikipedia cites, and crawl pages that it may or may not cite.

Pages come from crawl files (WARC, WET) or Parquet documents and are read once, in the order of their names. A page
whose URL is on the list of cited ones is a positive, any other a candidate for the random ones; pages fetched from the
list on purpose are all positives. The list is held as sorted 64-bit fingerprints, 8 bytes a URL.
"""

import contextlib
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.reference_sample import Page, PageSample
from filters.reference_training import ReferenceTrainingSettings, TrainedReference, new_sample, train_on_sample
from filters.urls import fingerprint_urls, normalize_url
from pipeline.document import Document, MalformedRecord
from pipeline.files import join, open_read, write_bytes
from pipeline.inputs import list_shards
from pipeline.references import WikiReading, cited_urls_of, find_dumps
from pipeline.settings import SettingsError
from pipeline.sources.pages import read_pages
from pipeline.sources.wiki_citations import are_cited

_CHUNK_URLS = 1 << 18
_MAX_LINE_BYTES = 1 << 16
_ROWS = 256
_UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)
_COLUMNS = ["url", "text"]
_WAY_OUT = (
    "; list what Wikipedia cites with `llama-corpus list-references`, fetch pages of the list, and give them as "
    "--references"
)

Cited = NDArray[np.uint64]
Progress = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class ReferenceInputs:
    """Where pages and citations come from; each a list of files, folders or globs.

    Attributes:
        pages: Crawl files or Parquet documents.
        wikipedia: MediaWiki dumps, whose citations are taken.
        urls: Lists of cited URLs, one a line, ``.gz`` or plain.
        references: Crawl files or Parquet documents of pages fetched since they are cited.
    """

    pages: Sequence[str]
    wikipedia: Sequence[str] = ()
    urls: Sequence[str] = ()
    references: Sequence[str] = ()


@dataclass(slots=True)
class Reading:
    """What was read, counted while it is read.

    Attributes:
        cited_urls: Different URLs known to be cited.
        not_urls: Lines and citations that are no HTTP URL.
        pages: Pages read as crawl pages.
        cited_pages: Those of them whose URL is cited.
        references: Pages read as fetched references.
        errors: Faults by cause.
        first_error: The first of them, with its file; empty where there is none.
    """

    cited_urls: int = 0
    not_urls: int = 0
    pages: int = 0
    cited_pages: int = 0
    references: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_error: str = ""

    def fault(self, cause: str, path: str, what: object) -> None:
        """Count a fault."""
        self.errors[cause] += 1
        self.first_error = self.first_error or f"{path}: {' '.join(str(what).split())}"


def train_reference(
    inputs: ReferenceInputs, output: str, settings: ReferenceTrainingSettings, progress: Progress
) -> tuple[TrainedReference, Reading]:
    """Train the classifier from files and write ``reference.bin``, ``card.json`` and ``README.md``.

    Args:
        inputs: What to read.
        output: Folder for the three files.
        settings: How to train.
        progress: Called with what is being done.

    Returns:
        The classifier and what was read.

    Raises:
        SettingsError: No such file, nothing cited is given, or too few pages of a side; nothing is written.
    """
    if not (inputs.wikipedia or inputs.urls or inputs.references):
        raise SettingsError("nothing says what is cited: give --wikipedia, --urls or --references")
    reading = Reading()
    pages, references = _list(inputs.pages, "--pages"), _list(inputs.references, "--references")
    dumps = find_dumps(inputs.wikipedia) if inputs.wikipedia else []
    lists = _list(inputs.urls, "--urls")
    cited = read_cited(dumps, lists, reading, progress)
    with new_sample(settings) as sample:
        _gather(sample, references, pages, cited, reading, progress)
        trained = _train(sample, settings, reading, progress)
    write_bytes(join(output, "reference.bin"), trained.model)
    write_bytes(join(output, "card.json"), trained.card.to_json().encode())
    write_bytes(join(output, "README.md"), trained.card.to_markdown().encode())
    return trained, reading


def read_cited(dumps: Sequence[str], lists: Sequence[str], reading: Reading, progress: Progress) -> Cited:
    """Read the URLs that are cited.

    Args:
        dumps: MediaWiki dumps.
        lists: Lists of URLs.
        reading: Counts them.
        progress: Called with what is being done.

    Returns:
        XXH3-64 of the normalised URLs, ascending, each once.
    """
    progress("reading what Wikipedia cites")
    wiki = WikiReading()
    found = merge_fingerprints((url for urls in (cited_urls_of(dumps, wiki), _listed(lists)) for url in urls), reading)
    reading.errors.update(wiki.errors)
    reading.first_error = reading.first_error or wiki.first_error
    reading.cited_urls = len(found)
    return found


def merge_fingerprints(urls: Iterable[str], reading: Reading) -> Cited:
    """Fingerprint the URLs, in memory for twice the different ones; see :func:`read_cited`."""
    whole, parts, waiting = np.empty(0, np.uint64), [np.empty(0, np.uint64)], 0
    stream = iter(urls)
    while chunk := list(islice(stream, _CHUNK_URLS)):
        normalized = [url for url in map(normalize_url, chunk) if url]
        reading.not_urls += len(chunk) - len(normalized)
        parts.append(np.unique(fingerprint_urls(normalized)))
        waiting += len(parts[-1])
        if waiting > max(len(whole), _CHUNK_URLS):
            whole, parts, waiting = np.unique(np.concatenate([whole, *parts])), [], 0
    return np.unique(np.concatenate([whole, *parts]))


def read_pages_of(path: str, reading: Reading) -> Iterator[Page]:
    """Read the pages of a crawl file or of a Parquet file of documents; faults are counted."""
    try:
        with open_read(path) as stream:
            if path.endswith(".parquet"):
                yield from _parquet_pages(stream)
                return
            for item, _ in read_pages(stream, name=path):
                if isinstance(item, MalformedRecord):
                    reading.fault(item.cause, path, item)
                elif isinstance(item, Document):
                    yield Page(item.url, item.text)
    except MalformedRecord as error:
        reading.fault(error.cause, path, error)
    except _UNREADABLE as error:
        reading.fault("file/unreadable", path, error or type(error).__name__)


def _list(paths: Sequence[str], key: str) -> list[str]:
    return [shard.path for shard in list_shards("reference", "pages", paths, data=".", key=key)]


def _parquet_pages(stream: BinaryIO) -> Iterator[Page]:
    file = pq.ParquetFile(stream)
    if missing := [name for name in _COLUMNS if name not in file.schema_arrow.names]:
        raise MalformedRecord("parquet/no_column", f"there is no column {missing[0]}", offset=0, is_record=False)
    for batch in file.iter_batches(batch_size=_ROWS, columns=_COLUMNS):
        columns = [batch.column(name).to_pylist() for name in _COLUMNS]
        yield from (Page(url or "", text or "") for url, text in zip(*columns, strict=True))


def _listed(lists: Sequence[str]) -> Iterator[str]:
    for path in lists:
        try:
            with open_read(path) as raw, contextlib.ExitStack() as opened:
                packed = path.endswith(".gz")
                stream = cast("BinaryIO", opened.enter_context(gzip.open(raw))) if packed else raw
                while line := stream.readline(_MAX_LINE_BYTES):
                    if url := line.decode(errors="replace").strip():
                        yield url
        except _UNREADABLE as error:
            raise SettingsError(f"--urls {path}: cannot be read: {' '.join(str(error).split())}") from error


def _gather(
    sample: PageSample,
    references: Sequence[str],
    pages: Sequence[str],
    cited: Cited,
    reading: Reading,
    progress: Progress,
) -> None:
    """Fill the sample, references first, so that none of them comes to stand among the random pages."""
    for number, path in enumerate(references, 1):
        progress(f"reading references, file {number} of {len(references)}")
        for page in read_pages_of(path, reading):
            reading.references += 1
            sample.add(page, is_reference=True)
    for number, path in enumerate(pages, 1):
        progress(f"reading pages, file {number} of {len(pages)}")
        for page in read_pages_of(path, reading):
            known = bool(are_cited([page.url], cited)[0])
            reading.pages += 1
            reading.cited_pages += known
            sample.add(page, is_reference=known)


def _train(
    sample: PageSample, settings: ReferenceTrainingSettings, reading: Reading, progress: Progress
) -> TrainedReference:
    few = sample.available(is_reference=True) < settings.min_positives
    progress("training the classifier")
    try:
        return train_on_sample(sample, settings, cited_urls=reading.cited_urls)
    except ValueError as error:
        raise SettingsError(f"{_summary(reading)}: {error}{_WAY_OUT if few else ''}") from error


def _summary(reading: Reading) -> str:
    fetched = f" and {reading.references:,} fetched references" if reading.references else ""
    return (
        f"of {reading.cited_urls:,} cited URLs, {reading.cited_pages:,} are among the {reading.pages:,} pages "
        f"given{fetched}, {reading.errors.total():,} errors"
    )
