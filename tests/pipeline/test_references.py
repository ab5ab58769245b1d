"""The list of what Wikipedia cites: what is in it, what is counted, and that it needs no memory to speak of."""

import bz2
import glob
import gzip
import os
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
import typer
from typer.testing import CliRunner

from filters.citations import cited_urls
from filters.urls import normalize_url
from pipeline import references
from pipeline.cli_list_references import list_references as command
from pipeline.references import ReferenceList, WikiReading, cited_urls_of, find_dumps, list_references
from pipeline.settings import SettingsError
from pipeline.sources.mediawiki import read_wiki

PAGE = "<page><title>{title}</title><ns>{ns}</ns><id>{id}</id><revision><text>{text}</text></revision></page>\n"


def write_dump(path: Path, *texts: str, namespace: int = 0, broken: str = "") -> str:
    pages = [PAGE.format(title=f"P{i}", ns=namespace, id=i, text=escape(text)) for i, text in enumerate(texts)]
    path.write_bytes(bz2.compress(f"<mediawiki>{''.join(pages)}{broken}</mediawiki>".encode()))
    return str(path)


def lines_of(path: Path | str) -> list[str]:
    data = Path(path).read_bytes()
    text = (gzip.decompress(data) if str(path).endswith(".gz") else data).decode()
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


def test_every_article_of_every_file_is_read_and_everything_counted(tmp_path) -> None:
    first = write_dump(tmp_path / "a.bz2", "[http://a.org x] http://b.org", "http://a.org", broken="<page></page>")
    second = write_dump(tmp_path / "b.bz2", "http://talk.org", namespace=1)
    reading = WikiReading()
    assert list(cited_urls_of([first, second], reading)) == ["http://a.org", "http://b.org", "http://a.org"]
    assert (reading.pages, reading.articles, reading.citations) == (3, 2, 3)
    assert reading.errors == {"mediawiki/missing_field": 1}
    assert reading.first_error.startswith(f"{first}: mediawiki/missing_field at byte 0+")


def test_the_list_is_sorted_and_has_each_page_once(tmp_path) -> None:
    dump = write_dump(
        tmp_path / "a.bz2",
        "http://b.org/x http://www.a.org/?q=1#part https://a.org/?q=1 http://b.org/x/",
        "http://c.org [https://web.archive.org/web/20190101000000/http://d.org/gone d] http://a-b.org/ü",
        "[https://web.archive.org/web/20190101000000/http://c.org c] http://a.b$c/",
        "[https://web.archive.org/web/20190101000000/http://x.e.org e] https://x.e.org https://e.org",
    )
    output = tmp_path / "new" / "urls.txt"
    found = list_references([dump], str(output))
    assert lines_of(output) == [
        "http://a-b.org/ü",
        "http://www.a.org/?q=1",
        "http://b.org/x",
        "http://c.org",
        "https://web.archive.org/web/20190101000000/http://d.org/gone",
        "https://e.org",
        "https://x.e.org",
    ]
    assert found == ReferenceList(urls=7, pages=4, errors={}, articles=4, citations=12, unusable=1, first_error="")
    assert os.listdir(output.parent) == ["urls.txt"]


def test_only_references_are_listed_when_that_is_wanted(tmp_path) -> None:
    dump = write_dump(tmp_path / "a.bz2", "http://a.org <ref>http://b.org</ref>")
    list_references([dump], str(tmp_path / "urls"), refs_only=True)
    assert lines_of(tmp_path / "urls") == ["http://b.org"]


def test_the_order_of_files_and_the_number_of_runs_make_no_difference(tmp_path, monkeypatch) -> None:
    texts = [f"http://h{i * 7919 % 500}.org/{'/' * (i % 2)}#{i} https://h{i % 500}.org/" for i in range(900)]
    one = write_dump(tmp_path / "one.bz2", *texts[:450])
    two = write_dump(tmp_path / "two.bz2", *texts[450:])
    list_references([one, two], str(tmp_path / "a.txt"))
    for run_urls, max_runs in ((1, 2), (7, 3), (100, 64)):
        monkeypatch.setattr(references, "RUN_URLS", run_urls)
        monkeypatch.setattr(references, "MAX_RUNS", max_runs)
        assert list_references([two, one], str(tmp_path / "b.txt")).urls == len(lines_of(tmp_path / "a.txt"))
        assert (tmp_path / "b.txt").read_bytes() == (tmp_path / "a.txt").read_bytes()
    best: dict[str, str] = {}
    for text in texts:
        for url in cited_urls(text):
            bare, key = url.partition("#")[0], normalize_url(url)
            best[key] = min(bare, best.get(key, bare))
    assert lines_of(tmp_path / "a.txt") == [best[key] for key in sorted(best)]


def test_a_name_that_ends_in_gz_is_compressed_and_the_bytes_stay_the_same(tmp_path) -> None:
    dump = write_dump(tmp_path / "a.bz2", "http://a.org http://b.org")
    list_references([dump], str(tmp_path / "one.gz"))
    list_references([dump], str(tmp_path / "two.gz"))
    assert lines_of(tmp_path / "one.gz") == ["http://a.org", "http://b.org"]
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_dumps_are_given_as_files_globs_and_folders(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    one, two = (write_dump(tmp_path / "in" / name, "http://a.org") for name in ("a.bz2", "b.bz2"))
    assert find_dumps([str(tmp_path / "in")]) == [one, two]
    assert find_dumps([one, str(tmp_path / "in" / "*.bz2")]) == [one, two]
    assert find_dumps(["in/b.bz2"], data=str(tmp_path)) == [two]


def test_what_cannot_be_done_is_one_line_and_leaves_nothing(tmp_path) -> None:
    dump = write_dump(tmp_path / "a.bz2", "no link")
    page = tmp_path / "page.html"
    page.write_text("<html></html>")
    missing = str(tmp_path / "none*.bz2")
    before = sorted(os.listdir(tmp_path))
    for paths, output, message in (
        ([missing], tmp_path / "urls", r"--wikipedia\.0: no file matches .*none"),
        ([dump], tmp_path / "urls", "--wikipedia: no URL found in 1 files with 1 pages and 0 errors"),
        ([str(page)], tmp_path / "urls", "no URL found in 1 files with 0 pages and 1 errors, the first: .*not_a_dump"),
        ([dump], tmp_path, "--output .*: is a folder, must be a file"),
    ):
        with pytest.raises(SettingsError, match=message) as caught:
            list_references(paths, str(output))
        assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


# The command


@pytest.fixture
def invoke():
    app = typer.Typer()
    app.command()(command)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_prints_what_it_read_and_how_to_go_on(tmp_path, invoke) -> None:
    one = write_dump(tmp_path / "a.bz2", "http://a.org http://b.org", broken="<page></page>")
    two = write_dump(tmp_path / "b.bz2", "http://a.org", "http://a.b$c/")
    output = tmp_path / "urls.txt.gz"
    result = invoke("--wikipedia", one, two, "--output", output)
    assert result.exit_code == 0, result.output
    printed = result.output.splitlines()
    assert printed[:4] == [
        "3 pages, 3 of them in namespace 0",
        "4 URLs cited, 1 of them no valid address",
        "2 different ones",
        "1 errors: 1 mediawiki/missing_field",
    ]
    assert printed[5] == f"written: {output}"
    wget = next(line for line in printed if "wget" in line)
    assert wget.startswith(f"  zcat {output} | shuf -n 2 | wget --input-file=- ")
    assert all(option in result.output for option in ("--warc-file=", "--wait=1", "--timeout=10", "--tries=2"))
    assert "sources.commoncrawl.reference.wikipedia" in printed[-1]


def test_the_command_takes_the_option_several_times_and_references_only(tmp_path, invoke) -> None:
    one = write_dump(tmp_path / "a.bz2", "<ref>http://a.org</ref> http://b.org")
    two = write_dump(tmp_path / "b.bz2", "<ref>http://c.org</ref>")
    result = invoke("--wikipedia", one, "--wikipedia", two, "--output", tmp_path / "u", "--refs-only")
    assert result.exit_code == 0, result.output
    assert lines_of(tmp_path / "u") == ["http://a.org", "http://c.org"]
    assert isinstance(invoke("--wikipedia", tmp_path / "x", "--output", tmp_path / "u").exception, SettingsError)


# Real dumps


def test_real_dumps_give_what_a_plain_search_of_their_xml_gives(real_data) -> None:
    """The other method: ElementTree, and one regular expression over the text without comments.

    It ends a URL at the same characters and takes punctuation off every URL, so the comparison does too.
    """
    folder = str(real_data / "wikipedia")
    ours: set[tuple[str, str]] = set()
    theirs: set[tuple[str, str]] = set()
    for path in sorted(glob.glob(f"{folder}/minidumps/*.bz2")):
        with open(path, "rb") as stream:
            for item, _ in read_wiki(stream, name=path):
                ours |= {(path, url.rstrip(".,;:!?')")) for url in cited_urls(item.text) if item.namespace == 0}
        with bz2.open(path) as stream:
            root = ElementTree.fromstring(stream.read())
        for element in root.iter("{http://www.mediawiki.org/xml/export-0.10/}page"):
            text = element.findtext(".//{*}text") or ""
            if element.findtext("{*}ns") != "0":
                continue
            text = re.sub(r"<!--.*?-->|<nowiki>.*?</nowiki>", "", text, flags=re.DOTALL)
            for url in re.findall(r"https?://[^\s|\]}<>\"\u200c]+", text):
                if "{{" not in url:  # one that runs into a template is another matter
                    theirs.add((path, url.partition("''")[0].rstrip(".,;:!?')")))
    assert len(ours) > 4000
    missed = {url for _, url in theirs - ours}
    added = {url for _, url in ours - theirs}
    assert len(missed) <= 5, missed
    assert len(added) <= 25, added
    assert all("&#" in url or "&amp;" in url for url in missed), missed


def test_real_dumps_as_a_whole(real_data, tmp_path) -> None:
    folder = real_data / "wikipedia"
    paths = [str(folder / "minidumps"), str(folder / "gensim"), str(folder / "pignlproc")]
    found = list_references(paths, str(tmp_path / "urls.txt"))
    assert (found.pages, found.articles, found.errors) == (347, 241, {})
    urls = lines_of(tmp_path / "urls.txt")
    assert len(urls) == found.urls
    assert found.citations > found.urls > 7000
    assert sorted({normalize_url(url) for url in urls}) == [normalize_url(url) for url in urls]
