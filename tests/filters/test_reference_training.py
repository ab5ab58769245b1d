"""Training on pages written here: what is learnt, that bytes repeat, and that no site is on both sides."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from filters import reference_training
from filters.reference import ReferenceScorer
from filters.reference_card import roc_auc
from filters.reference_sample import Page
from filters.reference_training import (
    ReferenceTrainingSettings,
    is_held_out,
    new_sample,
    train_on_sample,
    train_reference_classifier,
)
from filters.urls import registered_domain

SETTINGS = ReferenceTrainingSettings(
    min_chars=200, min_positives=20, max_pages=500, held_out_fraction=0.3, dim=20, epoch=20
)
SCHOLARLY = [
    "survey",
    "archive",
    "census",
    "geology",
    "treaty",
    "parish",
    "chronicle",
    "measured",
    "volume",
    "appendix",
]
SELLING = ["sale", "discount", "cart", "shipping", "coupon", "click", "login", "cookies", "bestseller", "newsletter"]
COMMON = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "for",
    "with",
    "on",
    "as",
    "by",
    "at",
    "from",
    "it",
    "this",
    "be",
    "are",
    "was",
    "or",
]


def page(words: list[str], number: int, site: str) -> Page:
    draw = random.Random(f"{site}{number}")
    text = "\n".join(" ".join(draw.choices(words + COMMON, k=8)) for _ in range(10))
    return Page(f"http://{site}{number % 40}.example/{number}", text)


CITED = [page(SCHOLARLY, number, "press") for number in range(200)]
RANDOM = [page(SELLING, number, "shop") for number in range(260)]


@pytest.fixture(scope="module")
def trained():
    return train_reference_classifier(CITED, RANDOM, SETTINGS)


def test_two_unlike_populations_are_told_apart_on_sites_never_seen(trained) -> None:
    found = trained.card.held_out
    assert found.auc is not None
    assert found.auc > 0.99
    assert found.decisions[0].accuracy is not None
    assert found.decisions[0].accuracy > 0.95
    assert found.short_text[-1].auc == found.auc  # no page is longer


def test_one_population_cut_in_two_by_site_is_not_told_apart() -> None:
    pages = [page(SCHOLARLY, number, "same") for number in range(400)]
    sides = [[one for one in pages if (int(one.url.rsplit("/", 1)[1]) % 40 < 20) is side] for side in (True, False)]
    found = train_reference_classifier(sides[0], sides[1], SETTINGS).card.held_out
    assert found.auc is not None
    assert 0.3 < found.auc < 0.7


def test_the_same_pages_in_another_order_give_the_same_bytes(trained) -> None:
    shuffle = random.Random(4)
    again = train_reference_classifier(shuffle.sample(CITED, len(CITED)), shuffle.sample(RANDOM, len(RANDOM)), SETTINGS)
    assert again.model == trained.model
    assert again.card == trained.card
    assert trained.card.sha256 == hashlib.sha256(trained.model).hexdigest()


def test_bytes_do_not_depend_on_the_hash_seed_or_on_what_malloc_leaves_behind(trained, tmp_path: Path) -> None:
    """fastText alone fails this: nine tenths of its matrix are never written before they are read."""
    program = (
        "import sys, importlib.util as u\n"
        "spec = u.spec_from_file_location('t', sys.argv[1]); t = u.module_from_spec(spec); spec.loader.exec_module(t)\n"
        "print(t.train_reference_classifier(t.CITED, t.RANDOM, t.SETTINGS).card.sha256)\n"
    )
    environment = {**os.environ, "MALLOC_PERTURB_": "85", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == trained.card.sha256


def test_another_seed_gives_another_model(trained) -> None:
    other = train_reference_classifier(CITED, RANDOM, SETTINGS.model_copy(update={"seed": 1}))
    assert other.card.sha256 != trained.card.sha256


def test_the_seed_is_fasttexts_too(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"__label__{'wiki' if n % 2 else 'cc'} word{n}\n" for n in range(200)))
    digests = set()
    for number, seed in enumerate((3, 3, 4)):
        path = tmp_path / f"{number}.bin"
        chosen = SETTINGS.model_copy(update={"seed": seed})
        reference_training._fit(str(tmp_path / "lines.txt"), str(path), chosen)
        digests.add((seed, hashlib.sha256(path.read_bytes()).hexdigest()))
    assert [seed for seed, _ in sorted(digests)] == [3, 4]
    assert len({digest for _, digest in digests}) == 2


def test_both_sides_have_as_many_pages_and_every_page_is_counted(trained) -> None:
    cited, others = trained.card.cited, trained.card.random
    assert (cited.read, others.read) == (200, 260)
    assert cited.used == others.used == 200
    assert (cited.surplus, others.surplus) == (0, 60)
    assert cited.domains == 40


def test_no_site_is_trained_on_and_measured_on(trained, monkeypatch) -> None:
    trained_on, measured_on = set(), set()
    write, evaluate = reference_training._write_lines, reference_training.evaluate

    def write_and_note(path, sample, pages) -> None:
        trained_on.update(one.domain for one in pages)
        write(path, sample, pages)

    def evaluate_and_note(scorer, pages):
        rows = list(pages)
        measured_on.update(site_of[text] for text, _ in rows)
        return evaluate(scorer, rows)

    site_of = {one.text.replace("\n", " "): registered_domain(one.url) for one in CITED + RANDOM}
    monkeypatch.setattr(reference_training, "_write_lines", write_and_note)
    monkeypatch.setattr(reference_training, "evaluate", evaluate_and_note)
    again = train_reference_classifier(CITED, RANDOM, SETTINGS)
    assert trained_on
    assert measured_on
    assert not trained_on & measured_on
    assert all(is_held_out(domain, SETTINGS) for domain in measured_on)
    counts = again.card.cited, again.card.random
    assert sum(side.held_out_domains for side in counts) == len(measured_on)
    assert sum(side.domains for side in counts) == len(trained_on | measured_on)
    assert sum(side.held_out for side in counts) == again.card.held_out.pages


def test_the_cards_figures_are_those_of_scoring_the_held_out_pages_again(trained, tmp_path: Path) -> None:
    (tmp_path / "reference.bin").write_bytes(trained.model)
    scorer = ReferenceScorer(str(tmp_path / "reference.bin"))
    with new_sample(SETTINGS) as sample:
        for one in CITED:
            sample.add(one, is_reference=True)
        for one in RANDOM:
            sample.add(one, is_reference=False)
        rows = [(sample.text(one), one.is_reference) for one in sample.balanced() if is_held_out(one.domain, SETTINGS)]
    scores = np.array([row["reference_score"] for row in scorer([text for text, _ in rows])])
    assert roc_auc(scores, np.array([label for _, label in rows])) == trained.card.held_out.auc
    assert len(rows) == trained.card.held_out.pages


def test_held_out_domains_are_about_the_share_asked_for() -> None:
    settings = ReferenceTrainingSettings(held_out_fraction=0.1)
    share = sum(is_held_out(f"site{number}.example", settings) for number in range(10_000)) / 10_000
    assert share == pytest.approx(0.1, abs=0.012)  # four standard deviations


def test_labels_in_a_text_train_nothing(trained) -> None:
    poisoned = [Page(one.url, f"__label__cc __label__third {one.text}\n__label__cc") for one in CITED]
    clean = [Page(one.url, f"  {one.text}\n") for one in CITED]
    models = [train_reference_classifier(side, RANDOM, SETTINGS) for side in (poisoned, clean)]
    assert [one.card.sha256 for one in models] == [trained.card.sha256] * 2


@pytest.mark.parametrize(("number", "enough"), [(19, False), (20, True)])
@pytest.mark.parametrize("side", ["cited", "random"])
def test_too_few_pages_of_a_side_are_refused_with_their_number(number: int, enough: bool, side: str) -> None:
    few = {"cited": (CITED[:number], RANDOM), "random": (CITED, RANDOM[:number])}[side]
    if enough:
        assert train_reference_classifier(*few, SETTINGS).card.cited.used == 20
        return
    with pytest.raises(ValueError, match=rf"^19 {side} pages of at least 200 characters.*min_positives asks for 20"):
        train_reference_classifier(*few, SETTINGS)


def test_sites_that_are_all_held_out_are_refused() -> None:
    domain = next(f"only{n}.example" for n in range(100) if is_held_out(f"only{n}.example", SETTINGS))
    cited = [Page(f"http://{domain}/{number}", one.text) for number, one in enumerate(CITED)]
    with pytest.raises(ValueError, match=r"all cited pages are of held-out domains: held_out_fraction 0\.3 and seed 0"):
        train_reference_classifier(cited, RANDOM, SETTINGS)


def test_a_training_that_fails_says_so(monkeypatch) -> None:
    monkeypatch.setattr(reference_training, "_FIT", "raise RuntimeError('Encountered NaN.')")
    with pytest.raises(ValueError, match=r"cannot train on these pages with lr 0.1: RuntimeError: Encountered NaN\."):
        train_reference_classifier(CITED, RANDOM, SETTINGS)


def test_the_number_of_known_citations_is_put_on_the_card() -> None:
    with new_sample(SETTINGS) as sample:
        for one in CITED:
            sample.add(one, is_reference=True)
        for one in RANDOM:
            sample.add(one, is_reference=False)
        assert train_on_sample(sample, SETTINGS, cited_urls=8571).card.cited_urls == 8571


def test_the_defaults_are_fasttexts_own() -> None:
    found = ReferenceTrainingSettings()
    assert (found.lr, found.dim, found.epoch, found.word_ngrams, found.min_count) == (0.1, 100, 5, 1, 1)
    assert (found.min_chars, found.max_pages) == (1000, 300_000)


@pytest.mark.parametrize(
    "values",
    [
        {"min_chars": 0},
        {"held_out_fraction": 0},
        {"held_out_fraction": 1},
        {"lr": 0},
        {"seed": -1},
        {"seed": 1 << 31},
        {"thread": 2},
        {"max_pages": 99},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ReferenceTrainingSettings.model_validate(values)
