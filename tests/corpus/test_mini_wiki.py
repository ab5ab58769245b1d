"""The miniature Wikipedia dump is what its generator writes, and cites the miniature crawl as it says."""

import bz2
import os
from collections import Counter
from xml.etree import ElementTree

import generate
import mini_wiki
import pytest

from filters.citations import cited_urls
from filters.urls import normalize_url
from pipeline.sources.mediawiki import read_wiki

PATH = os.path.join(generate.FOLDER, "wikipedia", mini_wiki.FILE)


@pytest.fixture(scope="module")
def pages() -> list:
    with open(PATH, "rb") as stream:
        return [item for item, _ in read_wiki(stream, name=PATH)]


def test_the_generator_writes_the_committed_dump_again(tmp_path):
    beside = [entry.name for entry in os.scandir(os.path.dirname(PATH)) if entry.is_file()]
    assert beside == [mini_wiki.FILE]
    with open(mini_wiki.write(str(tmp_path)), "rb") as again, open(PATH, "rb") as before:
        assert again.read() == before.read()


def test_the_dump_is_several_bzip2_streams_with_head_and_end_apart():
    with open(PATH, "rb") as source:
        data = source.read()
    parts = []
    while data:
        state = bz2.BZ2Decompressor()
        parts.append(state.decompress(data))
        data = state.unused_data
    assert len(parts) == 7
    assert b"<page>" not in parts[0] + parts[-1]
    assert [part.count(b"<page>") for part in parts[1:-1]] == [9, 9, 9, 9, 8]
    assert ElementTree.fromstring(b"".join(parts)).tag == "{http://www.mediawiki.org/xml/export-0.10/}mediawiki"


def test_the_reader_finds_the_pages_that_were_written(pages):
    written = mini_wiki.articles()
    assert [(page.title, page.text, page.namespace, page.redirect) for page in pages] == [
        (article.title, article.text, article.namespace, article.redirect) for article in written
    ]
    assert {page.wiki for page in pages} == {"enwiki"}
    assert Counter((page.namespace, bool(page.redirect)) for page in pages) == {
        (0, False): 40,
        (0, True): 2,
        (1, False): 1,
        (10, False): 1,
    }


def test_every_citation_is_found_whatever_its_form_and_spelling_and_no_decoy(pages):
    for page, article in zip(pages, mini_wiki.articles(), strict=True):
        if page.namespace == 0:
            found = dict.fromkeys(map(normalize_url, cited_urls(page.text)))
            assert list(found) == list(map(normalize_url, article.cites)), page.title
            assert not any("decoy" in url for url in found)


def test_about_half_of_the_english_pages_are_cited_by_whole_sites():
    english = [page for page in generate.volume_pages() if page.language == "eng"]
    cited = {page.url for page in mini_wiki.cited_pages()}
    assert cited == {url for article in mini_wiki.articles() for url in article.cites if "library-" not in url}
    assert 0.4 < len(cited) / len(english) < 0.6
    by_site: dict[str, set[bool]] = {}
    for page in english:
        by_site.setdefault(page.url.split("/")[2], set()).add(page.url in cited)
    assert all(len(fates) == 1 for fates in by_site.values())
    dumps = Counter(page.key.split("/")[0] for page in mini_wiki.cited_pages())
    assert min(dumps.values()) > 80


def test_the_addresses_of_no_crawl_are_in_no_crawl():
    crawled = {page.url for page in generate.volume_pages()} | {str(entry["url"]) for entry in generate.read_planted()}
    for number in range(mini_wiki.ARTICLES):
        assert mini_wiki.ELSEWHERE.format(number) not in crawled
