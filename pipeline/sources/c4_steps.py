"""The steps of C4 as the pipeline takes them: pages out of files, the keys by which copies are found, and the rules.

Everything here is a rule of :mod:`filters.c4` or its neighbours, put on a document or a batch; the order they come in
is :mod:`pipeline.sources.c4`'s.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import xxhash
from numpy.typing import NDArray

from filters.bad_words import BadWords, BadWordsLimits, check_bad_words
from filters.c4 import C4Limits, check_length, check_record, check_sentences, clean_page
from filters.c4_language import LangDetect
from filters.c4_spans import remove_spans, span_keys
from filters.c4_text import Sentences, c4_lines, is_validation, line_keys, newest_first, page_order, url_key
from filters.language import LanguageIdentifier, LanguageLimits, LanguageModelSettings, check_language
from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.document import Document, Shard
from pipeline.files import local_copy, open_read
from pipeline.fingerprints import Fingerprints, gather_fingerprints
from pipeline.reading import batched
from pipeline.sources.c4_files import read_c4
from pipeline.sources.pages import C4_FORM, Item, read_pages
from pipeline.steps import ScoreAll

_Each = Callable[[Document], object]


def read_published(shard: Shard, *, batch_bytes: int, language: str) -> Iterator[Batch]:
    """Read a file of the published C4 into batches."""
    with open_read(shard.path) as stream:
        yield from batched(read_c4(stream, name=shard.path, language=language), shard.name, batch_bytes)


def read_shard(shard: Shard, *, batch_bytes: int) -> Iterator[Batch]:
    """Read a crawl file into batches: pages, records that are none, and malformed ones."""
    with open_read(shard.path) as stream:
        pages = read_pages(stream, name=shard.path, dump=shard.dump, form=C4_FORM)
        yield from batched(((_take_lines(page), position) for page, position in pages), shard.name, batch_bytes)


def read_shard_again(shard: Shard, *, batch_bytes: int, limits: C4Limits) -> Iterator[Batch]:
    """Read the same batches again, holding only the pages whose addresses were compared."""
    for batch in read_shard(shard, batch_bytes=batch_bytes):
        batch.documents = [page for page in batch.documents if check_page(page, limits) is None]
        batch.dropped, batch.errors, batch.read = [], [], len(batch.documents)
        yield batch


def _take_lines(page: Item) -> Item:
    """Take the lines that C4 sees; what the page measured before its rules is measured on them."""
    if isinstance(page, Document):
        page.text = c4_lines(page.text)
        page.metadata["original_chars"] = len(page.text)
        page.metadata["original_lines"] = page.text.count("\n") + bool(page.text)
    return page


def check_page(page: Document, limits: C4Limits) -> Drop | None:
    """Decide whether a page has an address, a text and a time, and is not too long."""
    return check_record(page.url, page.text, page.created) or check_length(page.text, limits)


def fingerprint_urls(pages: Sequence[Document], each: _Each) -> Fingerprints:
    """Fingerprint the addresses of pages; the newest page comes first.

    Args:
        pages: Pages that :func:`check_page` has let through.
        each: Called with each page before it is worked on.
    """
    ids, order = [], []
    for page in pages:
        each(page)
        ids.append(xxhash.xxh3_64_intdigest(url_key(page.url).encode()))
        order.append(newest_first(page.created) or 0)
    no_lines = [np.empty(0, np.uint64)] * len(ids)
    return gather_fingerprints(no_lines, ids=np.array(ids, np.uint64), order=np.array(order, np.uint64))


def fingerprint_lines(pages: Sequence[Document], each: _Each) -> Fingerprints:
    """Fingerprint the lines of cleaned pages; the page with the smallest MD5 of its address comes first."""
    return _fingerprint_parts(pages, each, line_keys)


def fingerprint_spans(pages: Sequence[Document], each: _Each) -> Fingerprints:
    """Fingerprint the spans of three sentences of cleaned pages; the pages' order is that of their lines."""
    return _fingerprint_parts(pages, each, lambda text: span_keys(text, _sentences())[0])


def _fingerprint_parts(
    pages: Sequence[Document], each: _Each, keys: Callable[[str], NDArray[np.uint64]]
) -> Fingerprints:
    parts, ids, order = [], [], []
    for page in pages:
        each(page)
        parts.append(keys(page.text))
        ids.append(xxhash.xxh3_64_intdigest(page.id.encode()))
        order.append(page_order(page.url))
    return gather_fingerprints(parts, ids=np.array(ids, np.uint64), order=np.array(order, np.uint64))


def take_spans_out(text: str, marks: NDArray[np.bool_]) -> tuple[str, int]:
    """Take the sentences of marked spans out of a text; gives what is left and how many marks were its own."""
    keys, borders = span_keys(text, _sentences())
    return remove_spans(text, borders, marks[: len(keys)]), len(keys)


class CleanPages(beam.PTransform):  # type: ignore[misc]
    """Take out the lines that are no prose, and leave out the pages that are none (:func:`filters.c4.clean_page`).

    Each page that comes in goes on with its lines, or is dropped with its whole text. The lines removed are counted in
    the batch's facts, by :class:`filters.c4.C4LineReason`.

    Args:
        limits: What pages and lines are held to.
    """

    def __init__(self, limits: C4Limits) -> None:
        super().__init__()
        self._limits = limits

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_clean_batch, self._limits).with_output_types(Batch)


def _clean_batch(batch: Batch, limits: C4Limits) -> Batch:
    kept = []
    with Blame(batch.name) as blame, batch.timed("clean"):
        for page in batch.documents:
            blame.document = page.id
            cleaned = clean_page(page.text, limits, _sentences().count)
            batch.facts.update({reason.value: lines for reason, lines in cleaned.removed.items()})
            if cleaned.drop is not None:
                batch.drop(page, cleaned.drop)
            else:
                page.text = cleaned.text or ""
                kept.append(page)
    batch.documents = kept
    return batch


def check_sentences_left(page: Document, limits: C4Limits) -> Drop | None:
    """Decide whether deduplication has left enough of a page."""
    return check_sentences(page.text, limits, _sentences().count)


@functools.cache
def _sentences() -> Sentences:
    """Load the model of sentence borders, once a worker; it never changes, so threads may share it."""
    return Sentences()


def load_langdetect() -> ScoreAll:
    """Load langdetect's profiles on a worker."""
    identify = LangDetect()
    return lambda pages: identify([page.text for page in pages])


def load_fasttext(path: str, settings: LanguageModelSettings) -> ScoreAll:
    """Load fastText's language model on a worker."""
    with local_copy(path) as file:
        identify = LanguageIdentifier(file, settings)
    return lambda pages: identify([page.text for page in pages])


def check_page_language(page: Document, limits: LanguageLimits) -> Drop | None:
    """Decide by the language identified before whether a page is kept."""
    return check_language(page.language, float(page.metadata["language_score"] or 0), limits)


def check_page_words(page: Document, words: BadWords, limits: BadWordsLimits) -> Drop | None:
    """Decide whether a page is free of bad words."""
    return check_bad_words(page.text, page.url, words, limits)


def load_splits() -> ScoreAll:
    """Give what tells the split a page is in, ``train`` or ``validation``, by its address."""
    return lambda pages: [{"split": "validation" if is_validation(page.url) else "train"} for page in pages]
