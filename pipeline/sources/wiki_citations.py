"""What counts as cited by Wikipedia: the links of its articles, and the crawl's pages that they name."""

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from filters.citations import cited_urls
from filters.urls import fingerprint_urls, normalize_url
from filters.verdict import Reason
from pipeline.document import Document
from pipeline.sources.wiki_xml import WikiPage

_ARTICLES = 0


class CitationReason(Reason):
    """Why a page of a dump cites nothing here."""

    NOT_AN_ARTICLE = "citation/not_an_article"
    REDIRECT = "citation/redirect"


def citations_of(page: WikiPage, *, refs_only: bool = False) -> list[str] | CitationReason:
    """Give the URLs that an article cites, each once, as they are written; or why the page is none.

    Args:
        page: A page of a dump.
        refs_only: Whether URLs outside of references are left out.
    """
    if page.namespace != _ARTICLES:
        return CitationReason.NOT_AN_ARTICLE
    if page.redirect:
        return CitationReason.REDIRECT
    return cited_urls(page.text, refs_only=refs_only)


def citations_folder(stage: str) -> str:
    """Give the folder of the fingerprints that articles cite, relative to the run folder, with a slash at its end."""
    return f"work/{stage}/citations/"


def fingerprint_citations(
    articles: Sequence[Document], each: Callable[[Document], object]
) -> tuple[NDArray[np.uint64], int]:
    """Fingerprint the URLs that articles cite.

    Args:
        articles: Articles with their wikitext.
        each: Called with each article before it is worked on.

    Returns:
        Fingerprints of normalised URLs, ascending, each once, shape (urls,); and the number of URLs found.
    """
    urls: list[str] = []
    for article in articles:
        each(article)
        urls += cited_urls(article.text)
    return fingerprint_distinct(urls), len(urls)


def fingerprint_distinct(urls: Sequence[str]) -> NDArray[np.uint64]:
    """Give the fingerprints of normalised URLs, ascending, each once, those left out that are none. Shape (urls,)."""
    normalized = [normalize_url(url) for url in urls]
    found: NDArray[np.uint64] = np.unique(fingerprint_urls([url for url in normalized if url]))
    return found


def to_npy(urls: NDArray[np.uint64]) -> bytes:
    """Encode fingerprints as an ``.npy``."""
    sink = io.BytesIO()
    np.save(sink, urls)
    return sink.getvalue()


def are_cited(urls: Sequence[str], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which URLs are among cited ones, given as ascending fingerprints of normalised URLs. Shape (urls,)."""
    normalized = [normalize_url(url) for url in urls]
    is_url = np.array([bool(url) for url in normalized], np.bool_)
    if not len(known) or not normalized:
        return np.zeros(len(normalized), np.bool_)
    found = fingerprint_urls(normalized)
    places = np.minimum(np.searchsorted(known, found), len(known) - 1)
    cited: NDArray[np.bool_] = (known[places] == found) & is_url
    return cited
