"""The classifier of references takes the citations of the run's own Wikipedia, which is not read again for it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from filters.urls import fingerprint_urls, normalize_url
from pipeline.crawl_settings import ReferenceClassifierSettings
from pipeline.launch import launch, stage_names
from pipeline.run import Run
from pipeline.settings import RunSettings, SettingsError, parse_settings
from pipeline.sources import references

CORPUS = Path(__file__).parent.parent / "corpus"
CITED = "commoncrawl.cited_urls"


def config(cited_by: Any, **sources: Any) -> dict[str, Any]:
    training = {"min_positives": 50, "epoch": 5, "held_out_fraction": 0.3, "seed": 1}
    crawl = {
        "dumps": [{"id": "MINI-2020-05", "paths": ["commoncrawl/MINI-2020-05"]}],
        "line_dedup": {"scope": "dump"},
        "perplexity": None,
        "reference": {"wikipedia": cited_by, "training": training},
    }
    return {"data": str(CORPUS), "sources": {"commoncrawl": crawl, **sources}, "tokenizer": None, "tokens": None}


def drive(folder: Path, values: dict[str, Any], **options: Any) -> Run:
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps(values))
    return launch(
        str(folder / "config.yaml"),
        output=str(folder / "run"),
        workers=1,
        bytes_per_worker=1,
        console=Console(quiet=True),
        **options,
    )


def wikipedia(*paths: str, **asked: Any) -> dict[str, Any]:
    return {"dumps": [{"id": "20200101", "paths": list(paths)}], **asked}


def cited(run: Run) -> list[int]:
    return np.load(Path(run.folder) / "work" / CITED / "urls.npy").tolist()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Run:
    values = config("run", wikipedia=wikipedia("wikipedia/*.xml.bz2", split_bytes=9000))
    return drive(tmp_path_factory.mktemp("own"), values)


def test_the_cited_urls_are_those_that_the_runs_own_articles_cite(own: Run) -> None:
    sys.path.insert(0, str(CORPUS))
    import mini_wiki

    urls = [normalize_url(url) for article in mini_wiki.articles() for url in article.cites]
    assert cited(own) == np.unique(fingerprint_urls(urls)).tolist()


def test_the_same_dumps_read_for_the_classifier_alone_cite_the_same(own: Run, tmp_path: Path) -> None:
    values = config(["wikipedia/*.xml.bz2"])
    stages = stage_names(parse_settings(RunSettings, {"name": "x", **values}, origin="x"))
    run = drive(tmp_path, values, stages=stages[: stages.index(CITED) + 1])
    assert run.results[references.CITATIONS].stats["dropped"] == {"citation/not_an_article": 2, "citation/redirect": 2}
    assert cited(run) == cited(own)


def test_no_dump_is_read_for_citations_and_the_classifier_is_trained(own: Run) -> None:
    assert references.CITATIONS not in own.results
    assert list(own.results) == stage_names(own.settings)
    assert own.results["commoncrawl.reference_sample"].stats["facts"]["cited"] > 50
    assert own.results["commoncrawl.documents"].stats["kept"] > 50


def test_articles_that_change_without_their_citations_train_nothing_again(own: Run) -> None:
    values = config("run", wikipedia=wikipedia("wikipedia/*.xml.bz2", split_bytes=9000, title_first=True))
    model = Path(own.folder) / "models" / "reference" / "reference.bin"
    before = model.stat().st_mtime_ns
    again = drive(Path(own.folder).parent, values)
    assert again.results["wikipedia.documents"].digest != own.results["wikipedia.documents"].digest
    assert again.results[CITED].commits == own.results[CITED].commits
    assert model.stat().st_mtime_ns == before


def test_where_other_dumps_are_read_their_citations_take_the_place_of_those_before(own: Run) -> None:
    before = cited(own)
    values = config("run", wikipedia=wikipedia("wikipedia/20220701/srwiki*", split_bytes=9000))
    stages = stage_names(own.settings)
    again = drive(Path(own.folder).parent, values, stages=stages[: stages.index(CITED) + 1])
    urls = [normalize_url(f"http://wiki-srwiki.example/{number}") for number in range(1, 13)]
    assert set(cited(again)) == set(fingerprint_urls(urls).tolist())
    assert not set(cited(again)) & set(before)
    assert not list(Path(own.folder, "documents", "wikipedia").glob("*enwiki*"))


def test_a_run_that_does_not_read_wikipedia_cannot_take_its_citations() -> None:
    with pytest.raises(SettingsError, match=r"commoncrawl\.reference\.wikipedia"):
        parse_settings(RunSettings, {"name": "x", **config("run")}, origin="x.yaml")


def test_paths_and_run_are_what_may_be_given() -> None:
    assert ReferenceClassifierSettings(wikipedia="run").wikipedia == "run"
    assert ReferenceClassifierSettings(wikipedia=("a", "b")).wikipedia == ("a", "b")
    with pytest.raises(ValueError, match="run"):
        ReferenceClassifierSettings.model_validate({"wikipedia": "own"})
    with pytest.raises(ValueError, match="either model"):
        ReferenceClassifierSettings.model_validate({"wikipedia": "run", "model": "a.bin"})
