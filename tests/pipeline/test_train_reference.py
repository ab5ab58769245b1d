"""Training from files: crawl files, Parquet, lists and dumps; what is counted, what is refused, what comes out."""

import gzip
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from filters.reference import ReferenceScorer
from filters.reference_training import ReferenceTrainingSettings
from filters.urls import normalize_url, registered_domain
from pipeline import train_reference as module
from pipeline.cli_reference import train_reference_classifier
from pipeline.document import Document
from pipeline.parquet import documents_to_parquet
from pipeline.settings import SettingsError
from pipeline.sources.wiki_citations import are_cited
from pipeline.train_reference import (
    Reading,
    ReferenceInputs,
    merge_fingerprints,
    read_cited,
    read_pages_of,
    train_reference,
)

SETTINGS = ReferenceTrainingSettings(min_chars=100, min_positives=10, held_out_fraction=0.3, dim=10, epoch=20)
KINDS = {
    True: ["survey", "archive", "census", "geology", "treaty"],
    False: ["sale", "cart", "coupon", "login", "click"],
}
BUILD = Callable[..., bytes]
WIKI = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/"><siteinfo><dbname>enwiki</dbname></siteinfo>
<page><title>Quay</title><ns>0</ns><id>1</id><revision><id>2</id><text xml:space="preserve">{}</text></revision></page>
</mediawiki>"""


def text_of(number: int) -> str:
    """Even pages speak as references do, odd ones as shops do."""
    words = KINDS[number % 2 == 0] + ["the", "of", "and", "to"]
    return "\n".join(" ".join(random.Random(number).choices(words, k=8)) for _ in range(6))


def url_of(number: int) -> str:
    return f"http://site{number % 30}.example/{number}"


def write_wet(path: Path, record: BUILD, numbers: range) -> str:
    records = [
        record(f"Title\n{text_of(n)}\n".encode(), number=n, fields={"WARC-Target-URI": url_of(n)}) for n in numbers
    ]
    path.write_bytes(b"".join(map(gzip.compress, records)))
    return str(path)


def write_parquet(path: Path, numbers: range) -> str:
    pages = [Document(f"cc/{number}", "commoncrawl", text_of(number), url=url_of(number)) for number in numbers]
    path.write_bytes(documents_to_parquet(pages))
    return str(path)


def cited_url(number: int) -> str:
    return url_of(number).replace("http://", "https://www.") + "/#fragment"


def write_list(path: Path, numbers: range) -> str:
    content = "\n".join(["not a URL", "", *map(cited_url, numbers)]).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def train(inputs: ReferenceInputs, output: Path, settings: ReferenceTrainingSettings = SETTINGS):
    return train_reference(inputs, str(output), settings, lambda _: None)


def test_cited_pages_of_a_crawl_are_told_from_the_others(tmp_path: Path, record: BUILD) -> None:
    pages = [
        write_wet(tmp_path / "a.warc.wet.gz", record, range(60)),
        write_parquet(tmp_path / "b.parquet", range(60, 140)),
    ]
    listed = write_list(tmp_path / "urls.txt.gz", range(0, 200, 2))
    trained, reading = train(ReferenceInputs(pages, urls=[listed]), tmp_path / "out")
    assert (reading.cited_urls, reading.not_urls) == (100, 1)
    assert (reading.pages, reading.cited_pages, reading.references) == (140, 70, 0)
    assert not reading.errors
    assert trained.card.cited.used == trained.card.random.used == 70
    assert trained.card.held_out.auc is not None
    assert trained.card.held_out.auc > 0.99
    assert (tmp_path / "out" / "reference.bin").read_bytes() == trained.model
    assert json.loads((tmp_path / "out" / "card.json").read_text())["cited_urls"] == 100
    assert (tmp_path / "out" / "README.md").read_text() == trained.card.to_markdown()
    scorer = ReferenceScorer(str(tmp_path / "out" / "reference.bin"))
    scores = [row["reference_score"] for row in scorer([text_of(1000), text_of(1001)])]
    assert scores[0] > 0.5 > scores[1]


def test_the_same_pages_in_other_files_give_the_same_bytes(tmp_path: Path, record: BUILD) -> None:
    listed = write_list(tmp_path / "urls.txt", range(0, 140, 2))
    one = [write_parquet(tmp_path / "all.parquet", range(140))]
    other = [write_parquet(tmp_path / "a.parquet", range(80, 140)), write_parquet(tmp_path / "b.parquet", range(80))]
    first, _ = train(ReferenceInputs(one, urls=[listed]), tmp_path / "one")
    second, _ = train(ReferenceInputs(other, urls=[listed]), tmp_path / "other")
    assert first.model == second.model
    assert first.card == second.card


def test_fetched_references_are_positives_and_never_random_pages(tmp_path: Path, record: BUILD) -> None:
    references = write_wet(tmp_path / "fetched.warc.wet.gz", record, range(0, 80, 2))
    pages = write_parquet(tmp_path / "pages.parquet", range(100))
    trained, reading = train(ReferenceInputs([pages], references=[references]), tmp_path / "out")
    assert (reading.references, reading.pages, reading.cited_pages) == (40, 100, 0)
    assert trained.card.random.cited == 40
    assert trained.card.cited.used == trained.card.random.used == 40


def test_dumps_of_wikipedia_say_what_is_cited(tmp_path: Path) -> None:
    cites = "".join(f"&lt;ref&gt;[{cited_url(number)} a title]&lt;/ref&gt;" for number in range(0, 60, 2))
    dump = tmp_path / "enwiki-20200101-pages-articles.xml"
    dump.write_text(WIKI.format(cites))
    pages = write_parquet(tmp_path / "pages.parquet", range(80))
    _, reading = train(ReferenceInputs([pages], wikipedia=[str(dump)]), tmp_path / "out")
    assert (reading.cited_urls, reading.cited_pages, dict(reading.errors)) == (30, 30, {})


def test_too_few_cited_pages_say_both_numbers_and_the_way_out_and_write_nothing(tmp_path: Path) -> None:
    pages = write_parquet(tmp_path / "pages.parquet", range(100))
    listed = write_list(tmp_path / "urls.txt", range(0, 18, 2))
    with pytest.raises(SettingsError) as failure:
        train(ReferenceInputs([pages], urls=[listed]), tmp_path / "out")
    message = str(failure.value)
    assert message.startswith("of 9 cited URLs, 9 are among the 100 pages given, 0 errors: 9 cited pages")
    assert "`llama-corpus list-references`" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_too_few_other_pages_do_not_send_anyone_for_references(tmp_path: Path) -> None:
    pages = write_parquet(tmp_path / "pages.parquet", range(0, 100, 2))
    listed = write_list(tmp_path / "urls.txt", range(100))
    with pytest.raises(SettingsError, match="0 random pages of at least 100 characters") as failure:
        train(ReferenceInputs([pages], urls=[listed]), tmp_path / "out")
    assert "list-references" not in str(failure.value)


def test_nothing_that_says_what_is_cited_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give --wikipedia, --urls or --references"):
        train(ReferenceInputs([write_parquet(tmp_path / "pages.parquet", range(5))]), tmp_path / "out")


@pytest.mark.parametrize("key", ["pages", "wikipedia", "urls", "references"])
def test_files_that_are_not_there_are_named_with_their_flag(tmp_path: Path, key: str) -> None:
    given_paths = {
        "pages": [write_parquet(tmp_path / "p.parquet", range(5))],
        "urls": [write_list(tmp_path / "u", range(5))],
    }
    with pytest.raises(SettingsError, match=rf"^--{key}\.0: .*missing"):
        train(ReferenceInputs(**{**given_paths, key: [str(tmp_path / "missing.x")]}), tmp_path / "out")


def broken_files(tmp_path: Path, record: BUILD) -> dict[str, str]:
    """A file for each fault, each beginning with what can be read, where the format allows."""
    good = gzip.compress(record(b"Title\ntext\n"))
    (tmp_path / "cut.warc.wet.gz").write_bytes(good + good[:-20])
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "plain.txt").write_bytes(b"hello")
    pq.write_table(pa.table({"id": ["1"], "text": ["x"]}), tmp_path / "no_url.parquet")
    return {
        "gzip/truncated": "cut.warc.wet.gz",
        "file/unreadable": "no.parquet",
        "parquet/no_column": "no_url.parquet",
    }


def test_what_cannot_be_read_is_counted_and_the_rest_is_read(tmp_path: Path, record: BUILD) -> None:
    found = {}
    for cause, name in broken_files(tmp_path, record).items():
        reading = Reading()
        pages = list(read_pages_of(str(tmp_path / name), reading))
        found[cause] = (len(pages), reading.errors.total(), name in reading.first_error)
    assert found == {
        "gzip/truncated": (1, 1, True),
        "file/unreadable": (0, 1, True),
        "parquet/no_column": (0, 1, True),
    }


def test_null_texts_and_urls_are_empty_ones(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": [None, "http://a.example/"], "text": ["x", None]}), tmp_path / "a.parquet")
    pages = list(read_pages_of(str(tmp_path / "a.parquet"), Reading()))
    assert [(page.url, page.text) for page in pages] == [("", "x"), ("http://a.example/", "")]


def test_a_damaged_list_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt.gz"
    path.write_bytes(gzip.compress(random.Random(1).randbytes(5000))[:-100])
    with pytest.raises(SettingsError, match=r"--urls .*urls\.txt\.gz: cannot be read"):
        read_cited([], [str(path)], Reading(), lambda _: None)


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 7), st.integers(0, 45))
def test_cited_urls_are_found_however_they_came_in_chunks(numbers: list[int], chunk: int, asked: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK_URLS", chunk)
        cited = merge_fingerprints((cited_url(number) for number in numbers), Reading())
    assert cited.dtype == np.uint64
    assert cited.tolist() == sorted({xxhash.xxh3_64_intdigest(normalize_url(url_of(n)).encode()) for n in numbers})
    assert are_cited([url_of(asked)], cited).tolist() == [asked in numbers]


def test_what_is_no_url_is_never_cited() -> None:
    reading = Reading()
    cited = merge_fingerprints(["", "no URL", "http://a.example/"], reading)
    assert (len(cited), reading.not_urls) == (1, 2)
    assert are_cited(["", "no URL either"], cited).tolist() == [False, False]


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(train_reference_classifier)
    return app


def test_the_command_writes_a_model_and_says_how_good_it_is(tmp_path: Path, command: typer.Typer) -> None:
    pages, listed = write_parquet(tmp_path / "p.parquet", range(140)), write_list(tmp_path / "u.txt", range(0, 140, 2))
    arguments = ["--pages", pages, "--urls", listed, "--output", str(tmp_path / "out")]
    values = ["min_chars=100", "min_positives=10", "dim=10", "epoch=20", "held_out_fraction=0.3"]
    found = CliRunner().invoke(command, [*arguments, *(part for value in values for part in ("--set", value))])
    assert found.exit_code == 0, found.output
    assert "140 pages, 70 of them cited; 0 fetched references" in found.output
    assert "70 pages of each side" in found.output
    assert "ROC AUC 1.000" in found.output
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["settings"]["dim"] == 10
    assert card["sha256"] == hashlib.sha256((tmp_path / "out" / "reference.bin").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("min_chars", "must be key=value"),
        ("min_char=5", "min_char.*did you mean min_chars"),
        ("min_chars=0", "min_chars"),
        ("min_chars=[", "not YAML"),
        ("max_pages=5", "max_pages must be at least min_positives, 100"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, command: typer.Typer, value: str, message: str) -> None:
    arguments = ["--pages", "none", "--urls", "none", "--output", str(tmp_path / "out"), "--set", value]
    found = CliRunner().invoke(command, arguments)
    assert isinstance(found.exception, SettingsError)
    assert "\n" not in str(found.exception)
    with pytest.raises(SettingsError, match=message):
        raise found.exception


def test_the_shared_dumps_cite_none_of_the_shared_pages(real_data: Path, tmp_path: Path) -> None:
    inputs = ReferenceInputs(
        [str(real_data / "commoncrawl" / "derived" / "*.wet.gz")],
        wikipedia=[str(real_data / "wikipedia" / "gensim" / "*table-markup*.bz2")],
    )
    with pytest.raises(SettingsError, match=r"^of [\d,]+ cited URLs, 0 are among the 1,068 pages given"):
        train(inputs, tmp_path / "out", ReferenceTrainingSettings())


def test_real_pages_of_german_sites_are_told_from_the_others(real_data: Path, tmp_path: Path) -> None:
    """Planted: every page below .de is cited. What tells them apart is their language, so it can be learnt."""
    crawl = sorted((real_data / "commoncrawl" / "derived").glob("*.wet.gz"))
    urls = [page.url for file in crawl for page in read_pages_of(str(file), Reading())]
    planted = [url for url in urls if registered_domain(url).endswith(".de")]
    (tmp_path / "urls.txt").write_text("\n".join(planted))
    inputs = ReferenceInputs([str(file) for file in crawl], urls=[str(tmp_path / "urls.txt")])
    trained, reading = train(inputs, tmp_path / "out", ReferenceTrainingSettings())
    assert reading.cited_pages == len(planted) > 100
    assert trained.card.held_out.auc is not None
    assert trained.card.held_out.auc > 0.75
    assert trained.card.random.too_short > 0
