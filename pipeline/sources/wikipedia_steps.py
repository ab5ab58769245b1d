"""The steps of Wikipedia as the pipeline takes them: articles out of dumps, their citations, and their text.

Which pages are articles is decided on the wikitext; conversion is :mod:`filters.wikitext`'s. The order the steps come
in is :mod:`pipeline.sources.wikipedia`'s.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import apache_beam as beam
import numpy as np
import xxhash

from filters.length import check_length
from filters.verdict import Drop, Reason
from filters.wiki_names import WikiNames, names_of
from filters.wikitext import find_leftovers, is_disambiguation, wikitext_to_text
from pipeline.batch import Batch, Blame
from pipeline.document import Document, Dropped, MalformedRecord, Shard, utc_time
from pipeline.fingerprints import Fingerprints, gather_fingerprints
from pipeline.leftovers import LeftoverNotes
from pipeline.reading import Item, batched
from pipeline.sources.wiki_citations import citations_folder, fingerprint_citations, to_npy
from pipeline.sources.wiki_head import wiki_name
from pipeline.sources.wiki_ranges import read_dump, read_site
from pipeline.sources.wiki_sites import language_of, page_url, site_code
from pipeline.sources.wiki_xml import WikiPage

SOURCE = "wikipedia"
_ARTICLES = 0
_WIKITEXT = "wikitext"
_TIME_BITS = 40  # seconds since 1970, of any year that can be written


class WikipediaReason(Reason):
    """Why a dump, a page or its text is left out, in the order they are tried."""

    LANGUAGE = "wikipedia/language"
    UNKNOWN_WIKI = "wikipedia/unknown_wiki"
    NOT_AN_ARTICLE = "wikipedia/not_an_article"
    REDIRECT = "wikipedia/redirect"
    NOT_WIKITEXT = "wikipedia/not_wikitext"
    DISAMBIGUATION = "wikipedia/disambiguation"
    EMPTY = "wikipedia/empty"


@dataclass(frozen=True, slots=True)
class DumpReading:
    """How dumps are read; every worker is given it.

    Attributes:
        batch_bytes: Wikitext of a batch, in bytes of UTF-8.
        max_page_bytes: Longest page to hold in memory.
        languages: Codes of the languages that are read, as in addresses; ``None`` for all.
        wikis: The wiki of each dump of which the config says it, by the dump's id.
        siteinfo: Numbers of the namespaces of wikis by name, where they are known better than from a dump's head.
    """

    batch_bytes: int
    max_page_bytes: int
    languages: Sequence[str] | None
    wikis: Mapping[str, str] = field(default_factory=dict)
    siteinfo: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def wiki_of(self, shard: Shard) -> str:
        """Give the wiki of a file as the config or its name has it, or an empty string."""
        return self.wikis.get(shard.dump) or wiki_name(shard.path)

    def is_left_out(self, shard: Shard) -> bool:
        """Tell whether a file is known not to be read, before it is opened."""
        wiki = self.wiki_of(shard)
        return bool(wiki) and not self.is_wanted(wiki)

    def is_wanted(self, wiki: str) -> bool:
        """Tell whether a wiki is a Wikipedia in a wanted language."""
        code = site_code(wiki)
        return bool(code) and (self.languages is None or code in self.languages)


def read_articles(shard: Shard, *, reading: DumpReading) -> Iterator[Batch]:
    """Read a dump file, or a range of one, into batches: articles with their wikitext, and the pages that are none.

    A file that is known to be of an unwanted language is not read: it is one dropped record.
    """
    yield from batched(_read_items(shard, reading), shard.name, reading.batch_bytes)


def _read_items(shard: Shard, reading: DumpReading) -> Iterator[tuple[Item, int]]:
    wiki = reading.wiki_of(shard)
    if reading.is_left_out(shard):
        yield Dropped(shard.name, "", WikipediaReason.LANGUAGE, detail=wiki), shard.size
        return
    pages = read_dump(shard, wiki=wiki, namespaces=reading.siteinfo.get(wiki), max_page_bytes=reading.max_page_bytes)
    for page, position in pages:
        yield page if isinstance(page, MalformedRecord) else article_of(page, shard, reading), position


def article_of(page: WikiPage, shard: Shard, reading: DumpReading) -> Document | Dropped:
    """Give an article with its wikitext for a text, or why the page is none."""
    if not page.wiki:
        return Dropped(f"{shard.name}/{page.id}", "", WikipediaReason.UNKNOWN_WIKI)
    identity = f"{page.wiki}/{page.id}"
    if not reading.is_wanted(page.wiki):
        return Dropped(identity, "", WikipediaReason.LANGUAGE, detail=page.wiki)
    url = page_url(page.wiki, page.title)
    if page.namespace != _ARTICLES:
        return Dropped(identity, url, WikipediaReason.NOT_AN_ARTICLE, page.namespace, _ARTICLES)
    if page.redirect:
        return Dropped(identity, url, WikipediaReason.REDIRECT, detail=page.redirect)
    if page.model != _WIKITEXT:
        return Dropped(identity, url, WikipediaReason.NOT_WIKITEXT, detail=page.model)
    return Document(
        identity,
        SOURCE,
        page.text,
        url=url,
        language=language_of(page.wiki),
        created=utc_time(page.timestamp) if page.timestamp else "",
        metadata={"title": page.title, "dump": shard.dump, "original_chars": len(page.text)},
    )


class KeepCitations(beam.PTransform):  # type: ignore[misc]
    """Write the fingerprints of the URLs that each batch's articles cite beside them; the articles go on unchanged.

    Args:
        stage: The stage that keeps them.
    """

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_keep_citations, self._stage).with_output_types(Batch)


def _keep_citations(batch: Batch, stage: str) -> Batch:
    with Blame(batch.name) as blame, batch.timed("urls"):
        found, read = fingerprint_citations(batch.documents, lambda page: setattr(blame, "document", page.id))
        batch.facts["urls"] = read
        if len(found):
            batch.files[f"{citations_folder(stage)}part-{batch.name}.npy"] = to_npy(found), len(found)
    return batch


class ConvertArticles(beam.PTransform):  # type: ignore[misc]
    """Turn the wikitext of articles into text, and leave out the pages that list the meanings of a word.

    Each article goes on with its text, which may be empty, or is dropped with its wikitext. Markup that is left in a
    text is counted and noted.

    Args:
        stage: The stage that notes what is left.
        shards: The files and ranges, whose heads name the namespaces.
        reading: How they are read.
        keep_disambiguations: Whether all articles go on.
    """

    def __init__(
        self, stage: str, shards: Sequence[Shard], reading: DumpReading, *, keep_disambiguations: bool
    ) -> None:
        super().__init__()
        self._convert = _Convert(stage, {shard.name: shard for shard in shards}, reading, keep_disambiguations)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.ParDo(self._convert).with_output_types(Batch)


class _Convert(beam.DoFn):  # type: ignore[misc]
    def __init__(
        self,
        stage: str,
        shards: Mapping[str, Shard],
        reading: DumpReading,
        keep_disambiguations: bool,  # noqa: FBT001
    ) -> None:
        self._stage, self._shards, self._reading = stage, shards, reading
        self._keep_disambiguations = keep_disambiguations
        self._names: dict[tuple[str, str], WikiNames] = {}

    def process(self, batch: Batch) -> Iterator[Batch]:
        notes = LeftoverNotes(batch, self._stage)
        kept = []
        with Blame(batch.name) as blame, batch.timed("convert"):
            for page in batch.documents:
                blame.document = page.id
                verdict = self._convert_page(page, self._names_for(batch.shard, page), notes)
                if verdict is None:
                    kept.append(page)
                else:
                    batch.drop(page, verdict)
            notes.write()
        batch.documents = kept
        yield batch

    def _convert_page(self, page: Document, names: WikiNames, notes: LeftoverNotes) -> Drop | None:
        if not self._keep_disambiguations and is_disambiguation(page.text, names):
            return Drop(WikipediaReason.DISAMBIGUATION)
        converted = wikitext_to_text(page.text, names)
        notes.add(page.id, find_leftovers(converted, names))
        page.text = converted.text
        return None

    def _names_for(self, shard: str, page: Document) -> WikiNames:
        """Give the names of a page's wiki: as its API has them, else as the dump's head does if it is its own."""
        wiki = page.id.partition("/")[0]
        file = self._shards[shard]
        key = (file.path, wiki)
        if key not in self._names:
            known = self._reading.siteinfo.get(wiki)
            if known is None:
                site = read_site(file, wiki=wiki)
                known = site.namespaces if site.database == wiki else {}
            self._names[key] = names_of(wiki, known)
        return self._names[key]


def fingerprint_ids(
    pages: Sequence[Document], each: Callable[[Document], object], *, ranks: Mapping[str, int]
) -> Fingerprints:
    """Fingerprint the ids of articles; of one article that of the first dump comes first, in a dump its newest state.

    Args:
        pages: The articles.
        each: Called with each before it is worked on.
        ranks: The place of each dump, the newest first, by its id.
    """
    ids, order = [], []
    for page in pages:
        each(page)
        ids.append(xxhash.xxh3_64_intdigest(page.id.encode()))
        order.append(ranks[str(page.metadata["dump"])] << _TIME_BITS | newest_first(page.created))
    no_lines = [np.empty(0, np.uint64)] * len(ids)
    return gather_fingerprints(no_lines, ids=np.array(ids, np.uint64), order=np.array(order, np.uint64))


def newest_first(created: str) -> int:
    """Give a number of 40 bits that is the smaller, the later a time is; the largest where it cannot be read.

    >>> newest_first("2022-07-01T00:00:00Z") < newest_first("2022-06-30T23:59:59Z") < newest_first("")
    True
    """
    try:
        seconds = int(datetime.fromisoformat(created).timestamp())
    except (ValueError, OverflowError):
        seconds = 0
    latest = (1 << _TIME_BITS) - 1
    return latest - min(max(seconds, 0), latest)


def check_text(page: Document, min_chars: int) -> Drop | None:
    """Decide whether an article has enough text."""
    if not page.text.strip():
        return Drop(WikipediaReason.EMPTY, measured=0, limit=1)
    return check_length(page.text, min_chars)


class PutTitlesFirst(beam.PTransform):  # type: ignore[misc]
    """Put the title of each article and a blank line before its text."""

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_put_titles_first).with_output_types(Batch)


def _put_titles_first(batch: Batch) -> Batch:
    for page in batch.documents:
        page.text = f"{page.metadata['title']}\n\n{page.text}"
    return batch
