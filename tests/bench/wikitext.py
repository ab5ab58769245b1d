"""Wikitext to text on real articles, beside bare mwparserfromhell, which does less."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import mwparserfromhell

from filters.wiki_names import WikiNames, names_of
from filters.wikitext import wikitext_to_text
from pipeline.sources.mediawiki import read_wiki
from pipeline.sources.wiki_xml import WikiPage
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_QUICK_ARTICLES = 40
_ARTICLES = 130

Articles = Sequence[tuple[str, WikiNames]]


def convert(inputs: Inputs) -> Iterator[Result]:
    """Articles of some hundred wikis through our reading of wikitext, beside ``parse(text).strip_code()``."""
    articles = _articles(Path(inputs.data) / "wikipedia" / "minidumps", _QUICK_ARTICLES if inputs.quick else _ARTICLES)
    megabytes = text_megabytes(text for text, _ in articles)
    pair = compare(functools.partial(_convert, articles), functools.partial(_strip, articles), runs=3)
    kept = text_megabytes(_convert(articles))
    detail = f"{len(articles)} articles, {kept / megabytes:.0%} of their bytes are text"
    yield speed(
        "wikipedia.wikitext",
        megabytes,
        pair,
        against="mwparserfromhell, strip_code",
        detail=detail,
        goal="ratio >= 1.0",
        met=pair.ratio >= 1,
    )


def _articles(folder: Path, count: int) -> Articles:
    found: list[tuple[str, WikiNames]] = []
    for path in sorted(folder.glob("*.bz2")):
        with path.open("rb") as stream:
            pages = [page for page, _ in read_wiki(stream, name=path.name) if isinstance(page, WikiPage)]
        names = names_of(path.name.partition("-")[0])
        found += [(page.text, names) for page in pages if page.namespace == 0 and not page.redirect]
    return found[:count]


def _convert(articles: Articles) -> list[str]:
    return [wikitext_to_text(text, names).text for text, names in articles]


def _strip(articles: Articles) -> list[str]:
    return [str(mwparserfromhell.parse(text).strip_code()) for text, _ in articles]
