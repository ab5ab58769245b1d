"""Wikipedia from small dumps: every page meets the fate its rule gives it, in any number of ranges and workers."""

import bz2
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow.dataset as ds
import pytest
from rich.console import Console

from filters.citations import cited_urls
from filters.urls import fingerprint_urls, normalize_url
from pipeline import launch as launching
from pipeline.commits import list_commits, read_commits
from pipeline.document import Document
from pipeline.leftovers import describe_leftovers
from pipeline.run import Run, RunFailed
from pipeline.settings import SettingsError
from pipeline.sources import wikipedia
from pipeline.sources.wikipedia_steps import DumpReading, check_text
from pipeline.wikipedia_settings import LLAMA_LANGUAGES, WikipediaSettings
from tests.killed import commit_times, run_killed
from tests.recorded import Recorded
from tests.shelf import FLAGS, Shelf

ROOT = Path(__file__).parent.parent.parent
CORPUS = ROOT / "tests" / "corpus"
EVERYTHING = ("documents", "dropped", "errors")
LONG = "This article has enough text to stay where it is, and says so."

Digests = Callable[..., dict[str, str]]


@dataclass(frozen=True)
class Page:
    """A page of a dump and what becomes of it: the text that is kept, or stage and reason, or an error's cause."""

    number: int
    text: str
    fate: str | tuple[str, str]
    title: str = ""
    namespace: int = 0
    redirect: str = ""
    model: str = "wikitext"


def element(page: Page) -> str:
    title = page.title or f"Page {page.number}"
    redirect = f'<redirect title="{escape(page.redirect)}" />' if page.redirect else ""
    return (
        f"<page><title>{escape(title)}</title><ns>{page.namespace}</ns><id>{page.number}</id>{redirect}<revision>"
        f"<timestamp>2022-07-0{page.number % 9 + 1}T10:00:00Z</timestamp><model>{page.model}</model>"
        f"<text>{escape(page.text)}</text></revision></page>\n"
    )


def dump(pages: Sequence[Page], database: str, more: str = "") -> bytes:
    head = f'<mediawiki version="0.10"><siteinfo><dbname>{database}</dbname></siteinfo>\n'
    return f"{head}{''.join(map(element, pages))}{more}</mediawiki>\n".encode()


PAGES, DUPLICATES, DOCUMENTS = "wikipedia.pages", "wikipedia.duplicate_ids", "wikipedia.documents"
OLD = [
    Page(1, f"Once. {LONG}", (DOCUMENTS, "duplicate/id")),
    Page(2, f"Only here. {LONG}", f"Only here. {LONG}"),
    Page(10, f"Was an article. {LONG}", f"Was an article. {LONG}"),
]
NEW = [
    Page(1, f"Now ''[[new]]''. {LONG}<ref>[http://a.example/1 A] http://a.example/2</ref>", f"Now new. {LONG}"),
    Page(3, "#REDIRECT [[Page 1]]", (PAGES, "wikipedia/redirect"), redirect="Page 1"),
    Page(4, f"Talk. {LONG}", (PAGES, "wikipedia/not_an_article"), title="Talk:Page 1", namespace=1),
    Page(5, "'''Page''' may be:\n* [[Page 1]]\n* [[Page 2]]\n{{disambiguation}}", (PAGES, "wikipedia/disambiguation")),
    Page(6, ".a { color: red }", (PAGES, "wikipedia/not_wikitext"), model="sanitized-css"),
    Page(7, "", (DOCUMENTS, "wikipedia/empty")),
    Page(8, "{{Infobox|a=b}}", (DOCUMENTS, "wikipedia/empty")),
    Page(9, "Too short.", (DOCUMENTS, "length/too_short")),
    Page(10, "#REDIRECT [[Page 1]]", (PAGES, "wikipedia/redirect"), redirect="Page 1"),
    Page(11, f"The [http://a.example/2 same] in two files. {LONG}", f"The same in two files. {LONG}"),
]
TWICE = [
    Page(11, f"The [http://a.example/2 same] in two files. {LONG}", (DOCUMENTS, "duplicate/id")),
    Page(12, f"<u>AC/DC</u> & more. {LONG}", f"AC/DC & more. {LONG}", title='AC/DC "live" & C++?'),
]
GERMAN = [Page(1, f"[[Datei:A.jpg|mini|Bild]]Deutsch. {LONG}", f"Deutsch. {LONG}", title="Grüße")]
BURMESE = [Page(1, LONG * 40, (PAGES, "wikipedia/language"))]
BROKEN = "<page><title>No id</title><revision><text>x</text></revision></page>\n"
FILES = {
    "old/enwiki-1-pages-articles.xml.bz2": bz2.compress(dump(OLD, "enwiki")),
    "new/enwiki-2-pages-articles1.xml": dump(NEW, "enwiki", more=BROKEN),
    "new/enwiki-2-pages-articles2.xml.bz2": bz2.compress(dump(TWICE, "enwiki")),
    "new/enwiki-2-pages-articles-multistream-index.txt.bz2": bz2.compress(b"616:1:Page 1\n"),
    "new/mywiki-2-pages-articles.xml": dump(BURMESE, "enwiki"),
    "new/german.xml": dump(GERMAN, "dewiki"),
}
DUMPS = [{"id": "20220101", "paths": ["old"]}, {"id": "20220201", "paths": ["new"]}]
FATES = {
    **{("20220101", "enwiki", page.number): page for page in OLD},
    **{("20220201", "enwiki", page.number): page for page in [*TWICE, *NEW]},
    ("20220201", "dewiki", 1): GERMAN[0],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wikis")
    write_files(root, FILES)
    return root


def write_files(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def drive(output: Path | str, data: Path | str, *, batch_bytes: int = 32 << 20, workers: int = 1, **asked: Any) -> Run:
    """Run the source alone; what is no option of the launch is a setting of Wikipedia."""
    options = {key: asked.pop(key) for key in ("flags", "stages", "console", "config") if key in asked}
    values = {"data": str(data), "batch_bytes": batch_bytes, "sources": {"wikipedia": asked}}
    config = Path(options.pop("config", Path(str(output)).parent)) / "wikipedia.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))
    return launching.launch(
        str(config),
        output=str(output),
        workers=workers,
        bytes_per_worker=1,
        **{"console": Console(quiet=True), **options},
    )


@pytest.fixture(scope="module")
def built(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return drive(tmp_path_factory.mktemp("built") / "run", world, dumps=DUMPS, min_chars=20)


def rows(run: Run | Path, kind: str) -> list[dict[str, Any]]:
    folder = Path(run.folder if isinstance(run, Run) else run)
    return ds.dataset(folder / kind / "wikipedia").to_table().to_pylist()


def kept(run: Run | Path) -> dict[str, dict[str, Any]]:
    found = rows(run, "documents")
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


def errors(run: Run) -> list[dict[str, Any]]:
    files = sorted((Path(run.folder) / "errors" / "wikipedia").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def stats(run: Run | Path, stage: str) -> dict[str, Any]:
    folder = Path(run.folder if isinstance(run, Run) else run)
    whole = json.loads((folder / "stats" / f"{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in whole.pop("seconds").values())
    return whole


def size(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def test_every_page_is_kept_with_its_text_or_dropped_for_the_first_rule_it_breaks(built: Run) -> None:
    found = {(row["metadata"]["dump"], row["id"]): row["text"] for row in kept(built).values()}
    expected = {
        (name, f"{wiki}/{number}"): page.fate
        for (name, wiki, number), page in FATES.items()
        if isinstance(page.fate, str)
    }
    assert found == expected
    gone = Counter((row["id"], row["stage"], row["reason"]) for row in rows(built, "dropped"))
    english = Counter(
        (f"enwiki/{page.number}", *page.fate) for page in (*OLD, *NEW, *TWICE) if not isinstance(page.fate, str)
    )
    assert gone == english + Counter([("20220201~mywiki-2-pages-articles.xml", *BURMESE[0].fate)])


def test_a_document_says_where_it_is_from(built: Run) -> None:
    row = kept(built)["enwiki/12"]
    assert row["url"] == "https://en.wikipedia.org/wiki/AC/DC_%22live%22_%26_C%2B%2B%3F"
    assert (row["source"], row["language"], row["created"]) == ("wikipedia", "en", "2022-07-04T10:00:00Z")
    assert row["metadata"]["title"] == 'AC/DC "live" & C++?'
    assert row["metadata"]["original_chars"] == len(TWICE[1].text)
    german = kept(built)["dewiki/1"]  # the head tells the wiki, the wiki what its files are called
    assert (german["language"], german["url"]) == ("de", "https://de.wikipedia.org/wiki/Gr%C3%BC%C3%9Fe")


def test_what_is_dropped_says_why(built: Run) -> None:
    found = {(row["id"], row["reason"]): row for row in rows(built, "dropped")}
    assert found["enwiki/3", "wikipedia/redirect"]["detail"] == "Page 1"
    assert found["enwiki/4", "wikipedia/not_an_article"]["measured"] == 1
    assert found["enwiki/4", "wikipedia/not_an_article"]["url"] == "https://en.wikipedia.org/wiki/Talk:Page_1"
    assert found["enwiki/6", "wikipedia/not_wikitext"]["detail"] == "sanitized-css"
    assert found["enwiki/5", "wikipedia/disambiguation"]["text"] == NEW[3].text
    assert found["enwiki/9", "length/too_short"]["text"] == "Too short."
    assert (found["enwiki/9", "length/too_short"]["measured"], found["enwiki/9", "length/too_short"]["limit"]) == (
        10,
        20,
    )
    assert found["20220201~mywiki-2-pages-articles.xml", "wikipedia/language"]["detail"] == "mywiki"
    (error,) = errors(built)
    assert (error["cause"], error["shard"]) == ("mediawiki/missing_field", "20220201~enwiki-2-pages-articles1.xml")


def test_the_counts_of_every_stage_are_whole(built: Run) -> None:
    articles = [*OLD, *[NEW[index] for index in (0, 3, 5, 6, 7, 9)], *TWICE, *GERMAN]
    assert stats(built, PAGES) == {
        "stage": PAGES,
        "counts": "pages",
        "shards": 5,
        "batches": 5,
        "read": 18,
        "kept": 11,
        "dropped": {
            "wikipedia/disambiguation": 1,
            "wikipedia/language": 1,
            "wikipedia/not_an_article": 1,
            "wikipedia/not_wikitext": 1,
            "wikipedia/redirect": 2,
        },
        "errors": {"mediawiki/missing_field": 1},
        "gaps": {},
        "bytes_in": size([page.text for page in articles]),
        "bytes_out": stats(built, DOCUMENTS)["bytes_in"],
        "facts": {"documents searched for leftovers": 11, "lines": 0, "urls": 4},
    }
    assert stats(built, DUPLICATES) | {"bytes_in": 0, "bytes_out": 0} == {
        "stage": DUPLICATES,
        "counts": "documents",
        "shards": 4,
        "batches": 4,
        "read": 11,
        "kept": 9,
        "dropped": {"ids/duplicate": 2},
        "errors": {},
        "gaps": {},
        "bytes_in": 0,
        "bytes_out": 0,
        "facts": {},
    }
    texts = [row["text"] for row in kept(built).values()]
    gone = ["", "", "Too short.", f"Once. {LONG}", f"The same in two files. {LONG}"]
    german = size([f"Deutsch. {LONG}"])
    assert stats(built, DOCUMENTS) == {
        "stage": DOCUMENTS,
        "counts": "articles",
        "shards": 4,
        "batches": 4,
        "read": 11,
        "kept": 6,
        "dropped": {"duplicate/id": 2, "length/too_short": 1, "wikipedia/empty": 2},
        "errors": {},
        "gaps": {},
        "bytes_in": size([*texts, *gone]),
        "bytes_out": size(texts),
        "facts": {"bytes_de": german, "bytes_en": size(texts) - german, "pages_de": 1, "pages_en": 5},
    }


def test_the_citations_of_every_article_lie_beside_it(built: Run) -> None:
    texts = [page.text for page in (*OLD, *NEW, *TWICE, *GERMAN) if page.namespace == 0 and not page.redirect]
    urls = {normalize_url(url) for text in texts for url in cited_urls(text)}
    files = sorted(Path(built.folder, "work", PAGES, "citations").iterdir())
    assert set(np.concatenate([np.load(path) for path in files]).tolist()) == set(
        fingerprint_urls(sorted(urls)).tolist()
    )
    assert len(urls) == 2


def test_which_dump_is_the_newest_follows_from_the_ids_and_not_from_their_order(
    world: Path, built: Run, tmp_path: Path, digests: Digests
) -> None:
    other = drive(tmp_path / "run", world, dumps=DUMPS[::-1], min_chars=20)
    assert digests(other.folder, EVERYTHING) == digests(built.folder, EVERYTHING)
    renamed = [{"id": "20230101", "paths": ["old"]}, DUMPS[1]]
    assert kept(drive(tmp_path / "renamed", world, dumps=renamed))["enwiki/1"]["text"] == f"Once. {LONG}"


def test_in_one_dump_the_newest_state_of_a_page_stays(world: Path, tmp_path: Path) -> None:
    older = dump(OLD, "enwiki").replace(b"2022-07-", b"2022-06-")
    write_files(tmp_path, {"in/a-enwiki.xml": older, "in/b-enwiki.xml": dump([*NEW, *OLD[1:2]], "enwiki")})
    run = drive(tmp_path / "run", tmp_path, dumps=[{"id": "2022", "paths": ["in"]}])
    assert kept(run)["enwiki/1"]["text"] == NEW[0].fate
    assert kept(run)["enwiki/2"]["created"].startswith("2022-07-")
    assert kept(run)["enwiki/10"]["created"].startswith("2022-06-")


def test_in_one_dump_the_first_file_by_name_has_the_page(built: Run) -> None:
    (row,) = [row for row in rows(built, "dropped") if row["id"] == "enwiki/11"]
    files = [path for path in Path(built.folder, "dropped", "wikipedia").iterdir() if "documents" in path.name]
    holding = [path for path in files if "enwiki/11" in ds.dataset(path).to_table()["id"].to_pylist()]
    assert ["pages-articles2" in path.name for path in holding] == [True]
    assert row["reason"] == "duplicate/id"


def test_killed_while_reading_a_run_gives_the_bytes_of_an_undisturbed_one_that_lists_its_files_otherwise(
    tmp_path: Path, digests: Digests
) -> None:
    asked = {"batch_bytes": 8192, "split_bytes": 8192}
    other_order = corpus_dumps()[::-1]  # the same files, found in another order
    other_order[0]["paths"] = ["wikipedia/20220701/*ru*", "wikipedia/20220701"]
    whole = drive(tmp_path / "whole", CORPUS, dumps=corpus_dumps(), **asked)
    run = tmp_path / "run"
    with pytest.raises(SettingsError, match="no stage none"):  # writes the config and stops
        drive(run, CORPUS, dumps=other_order, stages=["none"], **asked)
    before = run_killed([str(tmp_path / "wikipedia.yaml")], run, PAGES, 4)
    assert len(before) == 4 < len(list_commits(whole.folder, PAGES))
    assert not (run / "documents").exists()
    drive(run, CORPUS, dumps=other_order, **asked)
    assert digests(run, EVERYTHING) == digests(whole.folder, EVERYTHING)
    assert not list(run.rglob("*.partial"))
    after = commit_times(run, PAGES)
    assert {name: after[name] for name in before} == before, "committed batches were written again"


def test_however_files_are_split_the_documents_are_the_same(world: Path, built: Run, tmp_path: Path) -> None:
    run = drive(tmp_path / "run", world, dumps=DUMPS, min_chars=20, split_bytes=1024)
    assert kept(run) == kept(built)
    assert Counter((row["id"], row["reason"]) for row in rows(run, "dropped")) == Counter(
        (row["id"], row["reason"]) for row in rows(built, "dropped")
    )
    assert [(row["cause"], row["offset"]) for row in errors(run)] == [
        (row["cause"], row["offset"]) for row in errors(built)
    ]
    assert stats(run, PAGES)["shards"] > stats(built, PAGES)["shards"] == 5


def test_a_run_goes_on_where_commits_or_files_are_missing(world: Path, tmp_path: Path, digests: Digests) -> None:
    asked = {"dumps": DUMPS, "batch_bytes": 1024, "split_bytes": 2000}
    run = drive(tmp_path / "run", world, **asked)
    before = digests(run.folder, (*EVERYTHING, "work"))
    commits = [Path(path) for path in list_commits(run.folder, PAGES)]
    assert len(commits) > 4
    commits[1].unlink()
    next((Path(run.folder) / "work" / PAGES / "documents").iterdir()).unlink()
    next((Path(run.folder) / "documents" / "wikipedia").iterdir()).unlink()
    stamps = {path: path.stat().st_mtime_ns for path in commits[2:]}
    again = drive(tmp_path / "run", world, **asked)
    now = digests(again.folder, (*EVERYTHING, "work"))
    taken = ("commits", "figures.json")  # how long it took is no part of what was made
    assert {name: digest for name, digest in now.items() if not any(part in name for part in taken)} == {
        name: digest for name, digest in before.items() if not any(part in name for part in taken)
    }
    assert sum(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items()) >= len(stamps) - 1


def test_another_limit_for_the_text_converts_nothing_again(world: Path, tmp_path: Path) -> None:
    drive(tmp_path / "run", world, dumps=DUMPS)
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "run" / "work" / PAGES).rglob("*.parquet"))]
    run = drive(tmp_path / "run", world, dumps=DUMPS, min_chars=20, title_first=True)
    assert [
        path.stat().st_mtime_ns for path in sorted((tmp_path / "run" / "work" / PAGES).rglob("*.parquet"))
    ] == before
    assert "enwiki/9" not in kept(run)
    assert kept(run)["enwiki/2"]["text"] == f"Page 2\n\nOnly here. {LONG}"


def test_lists_of_meanings_are_articles_where_that_is_wanted(world: Path, tmp_path: Path) -> None:
    run = drive(tmp_path / "run", world, dumps=DUMPS, keep_disambiguations=True)
    assert "Page may be:" in kept(run)["enwiki/5"]["text"]


def test_all_languages_are_read_where_none_are_named_and_their_namespaces_from_the_api(
    world: Path, tmp_path: Path
) -> None:
    """The head of ``mywiki`` is another wiki's, and no built-in name tells that ``Pone`` is a file."""
    write_files(tmp_path, {f"new/{name}": (world / "new" / name).read_bytes() for name in ("german.xml",)})
    pages = [Page(1, f"[[Pone:A.jpg|thumb|B]]Text. {LONG}", "")]
    answer = {"query": {"namespaces": {"6": {"id": 6, "*": "Pone", "canonical": "File"}}}}
    write_files(
        tmp_path,
        {
            "new/mywiki-1.xml": dump(pages, "enwiki"),
            "new/dewiktionary-1.xml": dump(pages, "dewiktionary"),
            "api/mywiki-configuration.json": json.dumps(answer).encode(),
        },
    )
    run = drive(tmp_path / "run", tmp_path, dumps=[{"id": "1", "paths": ["new"]}], languages=None, siteinfo="api")
    assert {row["id"]: (row["language"], row["text"]) for row in kept(run).values()} == {
        "dewiki/1": ("de", f"Deutsch. {LONG}"),
        "mywiki/1": ("my", f"Text. {LONG}"),
    }
    assert [(row["reason"], row["detail"]) for row in rows(run, "dropped")] == [("wikipedia/language", "dewiktionary")]


def test_the_config_may_say_which_wiki_files_are_of(world: Path, tmp_path: Path) -> None:
    asked = [{"id": "1", "paths": ["new/german.xml", "new/enwiki-2-pages-articles2.xml.bz2"], "wiki": "zh_yuewiki"}]
    run = drive(tmp_path / "run", world, dumps=asked, languages=["zh-yue"])
    assert {(row["id"], row["language"]) for row in kept(run).values()} == {
        ("zh_yuewiki/1", "yue"),
        ("zh_yuewiki/11", "yue"),
        ("zh_yuewiki/12", "yue"),
    }


def test_pages_whose_wiki_nothing_tells_are_dropped(tmp_path: Path) -> None:
    nameless = dump([Page(5, LONG, "")], "").replace(b"<dbname></dbname>", b"")
    two = dump([Page(n, LONG * 20, "") for n in (6, 7)], "enwiki") + dump([Page(6, LONG, "")], "frwiki")
    write_files(tmp_path, {"in/pages.xml": nameless, "in/joined.xml": two})
    run = drive(tmp_path / "run", tmp_path, dumps=[{"id": "1", "paths": ["in"]}], split_bytes=1024)
    assert [(row["id"], row["reason"]) for row in rows(run, "dropped")] == [("1~pages.xml/5", "wikipedia/unknown_wiki")]
    assert set(kept(run)) == {"enwiki/6", "enwiki/7", "frwiki/6"}  # only its heads tell the wikis: it is not split


def test_an_old_dump_that_names_no_database_has_its_own_namespaces(tmp_path: Path) -> None:
    """Else a caption of Swahili's would be left in the text, since no built-in name tells that ``Picha`` is a file."""
    pages = [Page(1, f"[[Picha:A.jpg|thumb|B]]Habari. {LONG}", "")]
    head = (
        '<base>http://sw.wikipedia.org/wiki/Mwanzo</base><namespaces><namespace key="6">Picha</namespace></namespaces>'
    )
    old = dump(pages, "swwiki").replace(b"<dbname>swwiki</dbname>", head.encode())
    write_files(tmp_path, {"in/swwiki-2009.xml": old})
    run = drive(tmp_path / "run", tmp_path, dumps=[{"id": "1", "paths": ["in"]}], languages=["sw"])
    assert kept(run)["swwiki/1"]["text"] == f"Habari. {LONG}"


def test_a_file_that_is_called_like_a_range_of_another_is_refused(tmp_path: Path) -> None:
    pages = dump([Page(n, LONG * 20, "") for n in (6, 7)], "enwiki")
    write_files(tmp_path, {"in/enwiki.xml": pages, "in/enwiki.xml@000000000001024": b"x"})
    with pytest.raises(SettingsError, match=r"2 files would be called 1~enwiki\.xml@000000000001024"):
        drive(tmp_path / "run", tmp_path, dumps=[{"id": "1", "paths": ["in"]}], split_bytes=1024)


def test_a_run_that_keeps_nothing_fails_and_says_why(tmp_path: Path) -> None:
    write_files(tmp_path, {"in/enwiki.xml": dump([Page(1, "{{Disambig}}", "")], "enwiki")})
    with pytest.raises(RunFailed, match=r"wikipedia\.pages: kept nothing of 1 records: wikipedia/disambiguation 1"):
        drive(tmp_path / "run", tmp_path, dumps=[{"id": "1", "paths": ["in"]}])


def test_damaged_hostile_and_foreign_files_are_errors_and_the_others_are_read(tmp_path: Path) -> None:
    good = bz2.compress(dump([Page(n, f"{n} {LONG}", "") for n in range(1, 4)], "enwiki"))
    levels = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
    long = [Page(number, f"{number} {LONG * 900}", "") for number in range(100, 140)]
    latin = dump([Page(60, "Grüße", ""), Page(61, LONG, "")], "enwiki").replace("ü".encode(), b"\xfc")
    bomb = f"<!DOCTYPE m [<!ENTITY l0 'lol'>{levels}]>".encode() + dump([Page(50, "&l9;", "")], "enwiki")
    files = {
        "good.xml.bz2": good,
        "cut.xml.bz2": bz2.compress(dump(long, "enwiki"), 1)[:-900],
        "bomb.xml": bomb,
        "html.xml": b"<html>404</html>",
        "latin.xml": latin,
        "no.7z": b"7z\xbc\xaf\x27\x1c" + bytes(range(200)),
        "long.xml": dump([Page(70, "x" * 70_000, ""), Page(71, LONG, "")], "enwiki"),
    }
    write_files(tmp_path, {f"in/enwiki-{name}": content for name, content in files.items()})
    run = drive(tmp_path / "run", tmp_path, dumps=[{"id": "1", "paths": ["in"]}], max_page_bytes=1 << 16)
    causes = {
        (row["shard"].partition("enwiki-")[2].partition(".")[0], row["cause"], row["is_record"]) for row in errors(run)
    }
    assert {cause[:2] for cause in causes} >= {
        ("bomb", "mediawiki/document_type"),
        ("html", "mediawiki/not_a_dump"),
        ("latin", "mediawiki/invalid_utf8"),
        ("long", "mediawiki/too_long"),
    }
    assert {shard for shard, _, _ in causes} == {"bomb", "html", "latin", "long", "no", "cut"}
    assert {"enwiki/1", "enwiki/2", "enwiki/3", "enwiki/61", "enwiki/71"} <= kept(run).keys()
    found = stats(run, PAGES)
    assert found["read"] == found["kept"] + sum(found["errors"].values())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dumps": [{"id": "1", "paths": ["none"]}]}, "sources.wikipedia.dumps.0.paths.0: no file matches .*none"),
        (
            {"dumps": [{"id": "1", "paths": ["new/*index*"]}]},
            "sources.wikipedia.dumps.0.paths: .*index.txt.bz2 is the index of a dump, and there is nothing else",
        ),
        ({"dumps": DUMPS, "siteinfo": "none"}, "sources.wikipedia.siteinfo: no file matches .*none/.*"),
        ({"dumps": DUMPS, "siteinfo": "bad"}, "sources.wikipedia.siteinfo: .*dewiki-configuration.xml: no answer .*"),
        (
            {"dumps": [{"id": "1", "paths": ["new/mywiki*"]}], "languages": ["de", "zh-yue"]},
            r"sources.wikipedia.languages: no file is of \['de', 'zh-yue'\], they are of \['mywiki'\]",
        ),
    ],
)
def test_what_is_not_there_is_one_line_before_anything_starts(
    asked: dict[str, Any], message: str, world: Path, tmp_path: Path
) -> None:
    write_files(world, {"bad/dewiki-configuration.xml": b"<api><query/></api>"})
    with pytest.raises(SettingsError, match=f"^{message}$"):
        drive(tmp_path / "run", world, **asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dumps": []}, "at least 1 item"),
        ({"dumps": [DUMPS[0], DUMPS[0]]}, r"dumps must have different ids, not \['20220101', '20220101'\]"),
        ({"dumps": [{"id": "a/b", "paths": ["x"]}]}, "should match pattern"),
        ({"dumps": [{"id": "a", "paths": []}]}, "at least 1 item"),
        ({"dumps": [{"id": "a", "paths": ["x"], "wiki": "de"}]}, "must name a Wikipedia's database"),
        ({"dumps": DUMPS, "languages": []}, "at least 1 item"),
        ({"dumps": [{"id": "a", "paths": ["x"], "wiki": "commonswiki"}]}, "must name a Wikipedia's database"),
        ({"dumps": DUMPS, "languages": ["English"]}, "should match pattern"),
        ({"dumps": DUMPS, "languages": ["english"]}, "no Wikipedia's address begins so"),
        ({"dumps": DUMPS, "languages": ["de", False]}, 'write "no", in quotes'),
        ({"dumps": DUMPS, "languages": ["yue"]}, "the address of that Wikipedia begins with zh-yue"),
        ({"dumps": DUMPS, "languages": ["be-x-old"]}, "the address of that Wikipedia begins with be-tarask"),
        ({"dumps": DUMPS, "split_bytes": 1000}, "greater than or equal to 1024"),
        ({"dumps": DUMPS, "min_chars": -1}, "greater than or equal to 0"),
        ({"dumps": DUMPS, "keep_redirects": True}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WikipediaSettings.model_validate(asked)


def test_settings_written_out_can_be_read_again() -> None:
    settings = WikipediaSettings.model_validate({"dumps": DUMPS, "languages": None, "split_bytes": None})
    assert WikipediaSettings.model_validate(settings.model_dump(mode="json")) == settings
    assert len(LLAMA_LANGUAGES) == 20


def test_only_wikipedias_in_wanted_languages_are_wanted() -> None:
    wikis = ("enwiki", "simplewiki", "zh_yuewiki", "dewiktionary", "commonswiki", "frwiki")
    asked = {languages: DumpReading(1, 1, languages) for languages in (None, ("en", "zh-yue"))}
    assert [wiki for wiki in wikis if asked[None].is_wanted(wiki)] == ["enwiki", "simplewiki", "zh_yuewiki", "frwiki"]
    assert [wiki for wiki in wikis if asked["en", "zh-yue"].is_wanted(wiki)] == ["enwiki", "zh_yuewiki"]


def test_an_article_without_text_goes_and_one_with_enough_stays() -> None:
    def verdict(text: str) -> tuple[str, float, float] | None:
        drop = check_text(Document("enwiki/1", "wikipedia", text), min_chars=5)
        return None if drop is None else (drop.reason.value, drop.measured, drop.limit)

    assert verdict("") == verdict(" \n\u00a0") == ("wikipedia/empty", 0, 1)
    assert verdict("Four") == ("length/too_short", 4, 5)
    assert verdict("Fives") is None


def test_no_text_is_shuffled(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "Engine", Recorded)
    Recorded.shuffled.clear()
    drive(tmp_path / "run", world, dumps=DUMPS)
    assert Recorded.shuffled == [{"Spread"}, {"Spread", "Meet", "Gather"}, {"Spread"}]


# On another filesystem


def test_ranges_archives_and_the_run_may_lie_on_an_object_store(shelf: Shelf, tmp_path: Path, digests: Digests) -> None:
    asked: dict[str, Any] = {"dumps": corpus_dumps(), "split_bytes": 8192}
    shelf.upload(CORPUS / "wikipedia", "dumps/wikipedia")
    here = drive(tmp_path / "here", CORPUS, **asked)
    drive("shelf://results/run", "shelf://dumps", flags=FLAGS, config=tmp_path, **asked)
    shelf.download("results/run", tmp_path / "there")
    assert digests(tmp_path / "there", EVERYTHING) == digests(here.folder, EVERYTHING)


# The miniature dumps that come with the project


def corpus_dumps() -> list[dict[str, Any]]:
    dated = [{"id": name, "paths": [f"wikipedia/{name}"]} for name in ("20220501", "20220701")]
    return [{"id": "20200101", "paths": ["wikipedia/*.xml.bz2"]}, *dated]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return drive(tmp_path_factory.mktemp("corpus") / "run", CORPUS, dumps=corpus_dumps(), split_bytes=8192)


def planted() -> list[dict[str, Any]]:
    import yaml

    return yaml.safe_load((CORPUS / "planted_wiki.yaml").read_text())


@pytest.mark.parametrize("entry", planted(), ids=lambda entry: f"{entry['wiki']}/{entry['id']}")
def test_every_planted_page_has_the_fate_that_is_planned_for_it(entry: dict[str, Any], corpus: Run) -> None:
    name = f"{entry['wiki']}/{entry['id']}"
    if entry["fate"] == "kept":
        text = kept(corpus)[name]["text"]
        assert [part for part in entry["says"] if part not in text] == [], text
        assert [part for part in entry["lacks"] if part in text] == [], text
    elif entry["fate"].startswith("mediawiki/"):
        assert entry["fate"] in {row["cause"] for row in errors(corpus)}
    else:
        assert [row["reason"] for row in rows(corpus, "dropped") if row["id"] == name] == [entry["fate"]]


def test_the_articles_of_the_miniature_dumps_say_what_their_sentences_say(corpus: Run) -> None:

    sys.path.insert(0, str(CORPUS))
    import mini_wikis

    found = kept(corpus)
    for name, wiki in mini_wikis.FILES:
        for page in mini_wikis.articles(wiki, name):
            row = found.get(f"{wiki}/{page.number}")
            if page.prose and row is not None and row["metadata"]["dump"] == name:
                assert [sentence for sentence in page.prose if sentence not in row["text"]] == []
                assert row["metadata"]["title"] == page.title
    dumps = Counter((row["metadata"]["dump"], row["id"].partition("/")[0]) for row in found.values())
    assert dumps == {
        ("20200101", "enwiki"): 40,
        ("20220501", "dewiki"): 1,  # the page that is gone since
        ("20220701", "dewiki"): 33 + 3,
        ("20220701", "frwiki"): 24 + 1,
        ("20220701", "ruwiki"): 24 + 1,
        ("20220701", "srwiki"): 12 + 1,
    }


def test_no_markup_is_left_in_the_miniature_dumps(corpus: Run) -> None:
    assert list(describe_leftovers(corpus.folder)) == [f"{PAGES}: 0 leftovers in 151 documents"]


# Real dumps


def test_real_dumps_of_all_languages(real_data: Path, tmp_path: Path) -> None:
    paths = ["minidumps", "gensim/*table*"]
    dumps = [{"id": "1", "paths": ["pignlproc"]}, {"id": "2", "paths": paths}]
    run = drive(tmp_path / "run", real_data / "wikipedia", dumps=dumps, siteinfo="siteinfo", split_bytes=200_000)
    found = stats(run, PAGES)
    assert found["errors"] == found["gaps"] == {}
    assert found["dropped"]["wikipedia/language"] == 98 - 14
    assert found["read"] == found["kept"] + sum(found["dropped"].values())
    assert list(describe_leftovers(run.folder)) == [f"{PAGES}: 0 leftovers in {found['kept']} documents"]
    languages = Counter(row["language"] for row in kept(run).values())
    assert languages.pop("en") > 15
    assert set(languages) == set(LLAMA_LANGUAGES) - {"en", "ca", "da", "hr", "pt", "sl", "uk"}  # no dumps here
    assert all(row["text"].strip() for row in kept(run).values())
    ranges = [commit for commit in read_commits(list_commits(run.folder, PAGES)) if "@" in commit.shard]
    assert {commit.shard.partition("@")[0] for commit in ranges} == {
        "1~enwiki-20090902-pages-articles-sample.xml",  # the others are one stream each
    }
    assert 0 < max(commit.position for commit in ranges) <= 200_000
    assert wikipedia.stages(WikipediaSettings.model_validate({"dumps": dumps})) == list(run.results)
