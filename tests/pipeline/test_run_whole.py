"""The whole crawl: perplexity, buckets and the classifier, with models that the run trains itself."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow.dataset as ds
import pytest
import sentencepiece
import yaml

from filters.kenlm_tools import load_kenlm
from filters.perplexity_text import normalize_for_perplexity
from pipeline.run import RunFailed
from pipeline.settings import SettingsError
from pipeline.sources import perplexity
from tests.kenlm import needs_kenlm

pytestmark = needs_kenlm

SOURCE = "commoncrawl"
RunDemo = Callable[..., Any]
#: What tests/corpus/evaluation quotes of these two sources, and the item that does.
QUOTED = {
    ("c4", "c4/mini-train.00000-of-00002.json.gz:4", "questions nine words"),
    ("c4", "c4/mini-train.00000-of-00002.json.gz:15", "questions c4"),
    ("commoncrawl", "cc/484be386-9b82-54c5-ab52-2bb24cf116f8", "questions commoncrawl"),
}
CITED = {"sky", "past", "music", "sea", "bird", "health"}


def rows(folder: Path, *columns: str) -> list[dict[str, Any]]:
    return ds.dataset(folder, exclude_invalid_files=True).to_table(columns=list(columns) or None).to_pylist()


def stats(run: Path, stage: str) -> dict[str, Any]:
    return json.loads((run / "stats" / f"{stage}.json").read_text())


@pytest.fixture(scope="module")
def scored(whole_demo: Path) -> list[dict[str, Any]]:
    """The pages as they were before any model was asked, each with what the models said of it."""
    pages: list[dict[str, Any]] = []
    for path in sorted((whole_demo / "work" / f"{SOURCE}.scored").glob("part-*.parquet")):
        texts = ds.dataset(path).to_table().to_pylist()
        of = {
            stage: ds.dataset(whole_demo / "work" / f"{SOURCE}.{stage}" / path.name).to_table().to_pylist()
            for stage in ("perplexity", "reference")
        }
        for text, measured, judged in zip(texts, of["perplexity"], of["reference"], strict=True):
            pages.append({**text, "perplexity": measured["perplexity"], "reference": judged["reference_score"]})
    return pages


def english(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [page for page in pages if page["language"] == "en" and page["metadata"]["language_score"] >= 0.5]


def test_every_page_is_scored_as_bare_sentencepiece_and_kenlm_score_it(
    whole_demo: Path, scored: list[dict[str, Any]]
) -> None:
    models = whole_demo / "models" / "perplexity"
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(models / "en.sp.model"))
    ngrams = load_kenlm().Model(str(models / "en.arpa.bin"))
    for page in scored:
        if page["language"] != "en":
            assert page["perplexity"] is None
            continue
        found = pieces.encode(normalize_for_perplexity(page["text"]), out_type=str)
        expected = 10 ** (-ngrams.score(" ".join(found)) / (len(found) + 1))
        assert page["perplexity"] == round(expected, 3)


def test_the_cutoffs_are_numpys_percentiles_of_all_pages_of_a_wanted_language(
    whole_demo: Path, scored: list[dict[str, Any]]
) -> None:
    cutoffs = yaml.safe_load((whole_demo / "work" / f"{SOURCE}.cutoffs" / "cutoffs.yaml").read_text())
    expected = np.percentile([page["perplexity"] for page in english(scored)], [30, 60])
    assert cutoffs == {"en": {"head": expected[0], "middle": expected[1]}}


def test_a_page_is_kept_when_its_language_its_perplexity_and_the_classifier_agree(
    whole_demo: Path, scored: list[dict[str, Any]]
) -> None:
    head, middle = np.percentile([page["perplexity"] for page in english(scored)], [30, 60])
    expected: Counter[str] = Counter()
    kept = {}
    for page in english(scored):
        bucket = "head" if page["perplexity"] < head else "middle" if page["perplexity"] < middle else "tail"
        if bucket == "tail":
            expected["perplexity/tail"] += 1
        elif page["reference"] < 0.5:
            expected["reference/not_a_reference"] += 1
        else:
            kept[page["id"]] = (bucket, page["text"])
    found = {row["id"]: (row["metadata"]["bucket"], row["text"]) for row in rows(whole_demo / "documents" / SOURCE)}
    assert found == kept
    dropped = stats(whole_demo, f"{SOURCE}.documents")["dropped"]
    assert {reason: count for reason, count in dropped.items() if not reason.startswith("language/")} == expected
    assert expected["perplexity/tail"] == pytest.approx(0.4 * len(english(scored)), abs=5)


def test_the_classifier_scores_a_page_as_bare_fasttext_does(whole_demo: Path, scored: list[dict[str, Any]]) -> None:
    model = fasttext.load_model(str(whole_demo / "models" / "reference" / "reference.bin"))
    for page in english(scored)[::20]:
        line = " ".join(part.strip() for part in page["text"].split("\n"))
        found = model.f.predict(line + "\n", 2, 0.0, "strict")
        probability = next(score for score, label in found if label == "__label__wiki")
        assert page["reference"] == pytest.approx(probability - 1e-5, abs=2e-6)


def test_pages_of_other_languages_are_not_put_to_the_classifier(scored: list[dict[str, Any]]) -> None:
    assert {page["language"] for page in scored if page["reference"] is not None} == {"en"}


def test_positives_are_the_pages_that_the_dump_cites_and_nothing_else(whole_demo: Path) -> None:
    sample = rows(whole_demo / "work" / f"{SOURCE}.reference_sample", "url", "metadata", "text")
    cited = [page for page in sample if page["metadata"]["cited"]]
    assert len(cited) == stats(whole_demo, f"{SOURCE}.reference_sample")["facts"]["cited"] > 50
    for page in sample:  # the dump cites the crawl's English sites on some topics, and nothing else of it
        place = page["url"].split("/")
        assert page["metadata"]["cited"] is (place[2].startswith("english-") and place[3] in CITED), page["url"]
    dump = (whole_demo / "work" / f"{SOURCE}.cited_urls").glob("urls.npy")
    assert np.all(np.diff(np.load(next(dump)).astype(object)) > 0)
    assert all(len(page["text"]) >= 1000 for page in sample)
    card = json.loads((whole_demo / "models" / "reference" / "card.json").read_text())
    assert card["cited"]["read"] == len(cited)
    assert card["random"]["read"] == len(sample) - len(cited)


def test_pages_of_a_dump_that_cite_nothing_leave_with_a_reason(whole_demo: Path) -> None:
    found = stats(whole_demo, f"{SOURCE}.citations")
    assert found["dropped"] == {"citation/not_an_article": 2, "citation/redirect": 2}
    assert found["read"] == found["kept"] + 4


def test_each_model_has_its_card(whole_demo: Path) -> None:
    card = json.loads((whole_demo / "models" / "perplexity" / "en.card.json").read_text())
    assert card["documents"] + card["held_out_documents"] == stats(whole_demo, f"{SOURCE}.ngram_sample")["kept"]
    assert card["requested_vocab_size"] == 4000
    assert {path.name for path in (whole_demo / "models" / "reference").iterdir()} == {
        "reference.bin", "card.json", "README.md",
    }  # fmt: skip


def test_another_threshold_scores_nothing_again(whole_demo: Path, run_demo: RunDemo, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole_demo, tmp_path / "copy"))
    before = {path: path.stat().st_mtime_ns for path in (copy / "work").glob(f"{SOURCE}.*/part-*")}
    run = run_demo(copy, f"sources.{SOURCE}.reference.limits.threshold=0.25", whole=True)
    after = {path: path.stat().st_mtime_ns for path in (copy / "work").glob(f"{SOURCE}.*/part-*")}
    behind = {f"{SOURCE}.{name}" for name in ("shared_ngrams", "decontaminated", "tokenizer_sample")}
    kept = {path: when for path, when in before.items() if path.parent.name not in behind}
    assert {path: after[path] for path in kept} == kept
    reason, counts = "reference/not_a_reference", run.results[f"{SOURCE}.documents"].stats["dropped"]
    assert 0 < counts[reason] < stats(whole_demo, f"{SOURCE}.documents")["dropped"][reason]


def test_without_kenlm_a_run_fails_at_once_or_goes_on_and_counts(
    run_demo: RunDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise FileNotFoundError("lmplz is not installed: run make kenlm")

    monkeypatch.setattr(perplexity, "find_kenlm_tools", missing)
    plain = ("tokenizer=null", "tokens=null", "sources.c4=null", f"sources.{SOURCE}.reference=null")
    with pytest.raises(SettingsError, match="perplexity: lmplz is not installed"):
        run_demo(tmp_path / "fail", *plain, f"sources.{SOURCE}.perplexity.without_kenlm=fail", whole=True)
    assert not (tmp_path / "fail").exists()
    run = run_demo(tmp_path / "skip", *plain, whole=True)
    found = run.results[f"{SOURCE}.documents"].stats
    assert found["facts"] == {"perplexity_skipped": found["read"]}
    assert all(row["metadata"]["bucket"] is None for row in rows(tmp_path / "skip" / "documents" / SOURCE))


def test_too_few_cited_pages_end_the_run_with_one_line_that_names_the_way_out(
    run_demo: RunDemo, tmp_path: Path
) -> None:
    plain = ("tokenizer=null", "tokens=null", "sources.c4=null", f"sources.{SOURCE}.perplexity=null")
    with pytest.raises(RunFailed, match=r"cited pages .*min_positives asks for 5,000.*list-references"):
        run_demo(tmp_path / "run", *plain, f"sources.{SOURCE}.reference.training.min_positives=5000", whole=True)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("perplexity={models: nowhere}", r"perplexity.models: no such file: .*nowhere/en.arpa.bin"),
        ("perplexity.cutoffs=nowhere.yaml", r"perplexity.cutoffs: run, ccnet or a YAML file: .*nowhere.yaml"),
        ("perplexity.head_percentile=70", r"head_percentile 70 must not be above middle_percentile 60"),
        ("perplexity.training.line_joint=' '", r"line_joint: models are asked as they were trained"),
        (
            "perplexity={models: x, head_percentile: 5}",
            r"head_percentile and .* have no effect on cutoffs ccnet",
        ),
        (
            "perplexity={models: x, training: {order: 4}}",
            r"training and train_on have no effect on models",
        ),
        ("perplexity={models: 'foo://bar'}", r"perplexity.models: .*foo"),
        ("perplexity.train_on=books", r"train_on = 'books': input should be 'commoncrawl', 'c4' or 'wikipedia'"),
        ("reference.model=nowhere.bin", r"give either model, a trained classifier, or wikipedia"),
        ("reference={model: nowhere.bin}", r"reference.model: .*nowhere.bin"),
        ("reference={model: x, training: {epoch: 9}}", r"training has no effect on a model that is given"),
        ("reference={model: mini_wiki.py}", r"reference.model: .*mini_wiki.py: no fastText model"),
        ("language_model.model=mini_wiki.py", r"language_model.model: .*mini_wiki.py: no fastText model"),
        ("reference.wikipedia=run", r"reference.wikipedia = 'run': the run does not read wikipedia"),
        ("perplexity.train_on=wikipedia", r"train_on: the run does not read wikipedia"),
        ("reference.wikipedia=[nowhere]", r"reference.wikipedia.0: no file matches .*nowhere"),
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_is_written(
    run_demo: RunDemo, tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        run_demo(tmp_path / "run", f"sources.{SOURCE}.{override}", whole=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_documents_that_an_evaluation_set_quotes_leave_the_token_shards(whole_demo: Path) -> None:
    left = {
        (row["source"], row["id"], row["detail"].partition(":")[0])
        for row in rows(whole_demo / "dropped", "id", "source", "reason", "detail")
        if row["reason"] == "decontamination/shared_ngram"
    }
    assert left == QUOTED
    for source in {source for source, _, _ in QUOTED}:
        documents = stats(whole_demo, f"{source}.documents")["kept"]
        assert stats(whole_demo, f"{source}.tokens")["kept"] == documents - sum(one == source for one, _, _ in QUOTED)
    assert stats(whole_demo, "evaluation_ngrams")["errors"] == {"evaluation/bad_json": 1}
