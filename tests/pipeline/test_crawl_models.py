"""Models of a crawl that are given, changed between runs, short of text, or trained on samples that must be apart."""

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pytest

from filters.language import LanguageLimits
from filters.perplexity_card import NgramTrainingSettings
from pipeline.crawl_settings import PerplexitySettings
from pipeline.document import Document
from pipeline.parquet import documents_to_parquet
from pipeline.settings import SettingsError
from pipeline.sources import perplexity, references
from pipeline.sources.perplexity_cutoffs import CUTOFFS, given_cutoffs
from pipeline.stage import BatchFile
from tests.kenlm import needs_kenlm

SOURCE = "commoncrawl"
RunDemo = Callable[..., Any]
SHORT = ("tokenizer=null", "tokens=null", "sources.c4=null")
WORDS = ["the", "boat", "lay", "at", "anchor", "until", "morning", "came", "and", "nobody", "went", "ashore"]


def write(path: Path, documents: list[Document]) -> BatchFile:
    path.write_bytes(documents_to_parquet(documents))
    return BatchFile("shard", 0, str(path), path.stat().st_size)


def page(number: int, language: str = "en", text: str = "") -> Document:
    words = [WORDS[(number * place) % len(WORDS)] for place in range(1, 60)]
    url, metadata = f"http://site-{number}.example/", {"language_score": 0.9}
    return Document(f"cc/{number}", SOURCE, text or " ".join(words), url=url, language=language, metadata=metadata)


@needs_kenlm
def test_given_cutoffs_that_change_train_the_classifier_on_other_pages(
    whole_demo: Path, run_demo: RunDemo, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(whole_demo, tmp_path / "copy"))
    cutoffs = tmp_path / "cutoffs.yaml"
    kept = []
    for middle in (5.7, 5.8):
        cutoffs.write_text(f"en: {{head: 5.6, middle: {middle}}}")
        run = run_demo(copy, *SHORT, f"sources.{SOURCE}.perplexity.cutoffs={cutoffs}", whole=True)
        sample = ds.dataset(copy / "work" / references.SAMPLE, exclude_invalid_files=True).to_table().to_pylist()
        assert max(row["metadata"]["perplexity"] for row in sample) < middle
        kept.append(len(sample))
        assert run.results[references.REFERENCE].stats["kept"] == run.results[perplexity.PERPLEXITY].stats["kept"]
    assert kept[0] < kept[1]


@needs_kenlm
def test_given_models_and_cutoffs_keep_the_pages_that_trained_ones_keep(
    whole_demo: Path, run_demo: RunDemo, digests: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    models, cutoffs = whole_demo / "models", whole_demo / "work" / CUTOFFS / "cutoffs.yaml"
    scoring = "{decimals: 3}"
    given = (
        f"sources.{SOURCE}.perplexity={{models: {models / 'perplexity'}, cutoffs: {cutoffs}, scoring: {scoring}}}",
        f"sources.{SOURCE}.reference={{model: {models / 'reference' / 'reference.bin'}}}",
    )
    run_demo(tmp_path / "run", *SHORT, *given, whole=True)
    folder = (f"documents/{SOURCE}",)
    assert digests(tmp_path / "run", folder) == digests(whole_demo, folder)
    again = run_demo(tmp_path / "run", *SHORT, *given, whole=True)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["inputs"]["n-gram models"]
    assert again.results[perplexity.PERPLEXITY].stats["kept"] > 0


@needs_kenlm
def test_a_card_that_changes_scores_nothing_again(whole_demo: Path, run_demo: RunDemo, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole_demo, tmp_path / "copy"))
    key = f"sources.{SOURCE}"
    before = {path: path.stat().st_mtime_ns for path in (copy / "work" / references.REFERENCE).glob("part-*")}
    changes = (f"{key}.reference.training.min_positives=51", f"{key}.perplexity.training.lmplz_memory=512M")
    run_demo(copy, *changes, whole=True)
    assert json.loads((copy / "models" / "reference" / "card.json").read_text())["settings"]["min_positives"] == 51
    assert {path: path.stat().st_mtime_ns for path in before} == before


@needs_kenlm
def test_the_sample_of_a_rare_language_is_as_large_as_that_of_a_frequent_one(run_demo: RunDemo, tmp_path: Path) -> None:
    key = f"sources.{SOURCE}"
    run = run_demo(
        tmp_path / "run",
        *SHORT,
        f"{key}.reference=null",
        f"{key}.language.languages=[en, fr]",
        f"{key}.perplexity.training={{sample_bytes: 60000, vocab_size: 600, held_out_fraction: 0}}",
        whole=True,
    )
    sample = ds.dataset(tmp_path / "run" / "work" / perplexity.SAMPLE, exclude_invalid_files=True).to_table()
    size: Counter[str] = Counter()
    for row in sample.to_pylist():
        size[row["language"]] += len(row["text"].encode())
    assert set(size) == {"en", "fr"}
    assert all(20_000 < count < 120_000 for count in size.values())
    assert run.results[perplexity.MODELS].stats["facts"]["languages"] == 2


@needs_kenlm
def test_a_language_of_too_little_text_gets_no_model_and_stops_only_a_run_that_names_it(tmp_path: Path) -> None:
    documents = [page(number) for number in range(40)] + [page(40, "xx", "ж")]
    file = write(tmp_path / "part-0.parquet", documents)
    training = NgramTrainingSettings(vocab_size=40, held_out_fraction=0, num_threads=1)
    settings = PerplexitySettings(training=training)
    alphabet = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    rare = write(tmp_path / "part-1.parquet", [page(41, "zz", alphabet)])
    paths = [file.path, rare.path]
    perplexity.train_models(str(tmp_path), settings, None, paths)
    (commit,) = (tmp_path / "work" / perplexity.MODELS / "commits").iterdir()
    found = json.loads(commit.read_text())
    assert (found["read"], found["kept"], found["dropped"]) == (42, 41, {"ngrams/too_little_text": 1})
    assert {Path(output["path"]).name for output in found["outputs"]} >= {"en.arpa.bin", "en.sp.model"}
    with pytest.raises(ValueError, match=r"language zz: .*vocab_size 40 is too small"):
        perplexity.train_models(str(tmp_path), settings, ["en", "zz"], paths)


def test_pages_that_train_one_model_are_no_likelier_to_train_the_other(tmp_path: Path) -> None:
    file = write(tmp_path / "part-0.parquet", [page(number) for number in range(2000)])
    (batch,) = perplexity.read_sample(file, limits=LanguageLimits(), fractions={"en": 0.5}, seed=0)
    output = tmp_path / "work" / references.CITED / "urls.npy"
    output.parent.mkdir(parents=True)
    np.save(output, np.empty(0, np.uint64))
    eligible = references.Eligible(lambda _: None, {}, {})
    (negatives,) = references.read_sample(
        file, run=str(tmp_path), cited="", eligible=eligible, min_chars=1, fraction=0.5, seed=0
    )
    both = {document.id for document in batch.documents} & {document.id for document in negatives.documents}
    assert 430 < len(both) < 570


def test_cited_urls_of_an_earlier_run_are_not_taken_for_those_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "urls.npy"
    for digest, urls in (("a", [1, 2]), ("b", [3])):
        sink = io.BytesIO()
        np.save(sink, np.array(urls, np.uint64))
        path.write_bytes(sink.getvalue())
        assert references._load_cited(str(path), digest).tolist() == urls


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("en: {head: 520, middle: 340}", r"en: head 520 must not be above middle 340"),
        ("en: {head: .nan, middle: 4}", r"head = nan: input should be a finite number"),
        ("en: {head: 1, middle: 2, tail: 3}", r"unknown key tail\. Allowed: head, middle"),
        ("en: {head: 1}", r"en: middle is missing"),
        ("", r"must map languages to their head and middle"),
        ("[1, 2]", r"must map languages to their head and middle"),
    ],
)
def test_a_file_of_cutoffs_is_looked_at_before_the_run(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "cutoffs.yaml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=message) as caught:
        given_cutoffs(PerplexitySettings(cutoffs=str(file)))
    assert "\n" not in str(caught.value)


def test_cutoffs_on_no_known_filesystem_are_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"perplexity\.cutoffs: run, ccnet or a YAML file: .*foo"):
        given_cutoffs(PerplexitySettings(cutoffs="foo://bar"))
