"""Training the Wikipedia-reference classifier (Touvron et al. 2023, section 2.1): fastText on cited and random pages.

The paper says no more than "a linear model"; model and settings are RedPajama-v1's, fastText's own defaults. What that
recipe leaves to accident is decided here: a page counts once, by its normalised URL; a cited page is never a random
one; both sides obey the same least length, else length alone tells them apart; both have the same number of pages,
chosen and ordered by a seeded hash; and whole domains are held out, so that no site is on both sides of the figures.

fastText repeats itself only with one thread, and even then it leaves nine tenths of the word vectors as ``malloc`` gave
them (the matrix is filled by ten threads, a tenth each): bytes differ between runs, and leftovers of earlier work end
the training with "Encountered NaN". So it trains in a process of its own in which ``malloc`` gives zeros; the rarer
words start from zero then, which a linear model does not mind. Zeros are promised by glibc alone.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import xxhash
from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.reference import RANDOM_LABEL, REFERENCE_LABEL, ReferenceScorer
from filters.reference_card import ReferenceCard, SideCounts, evaluate
from filters.reference_sample import Page, PageSample, Sampled

#: glibc fills what ``malloc`` gives with the complement of this byte, and what is freed with the byte itself.
_ZEROED_MALLOC = {"MALLOC_PERTURB_": "255"}
_FIT = "import json, sys, fasttext; fasttext.train_supervised(**json.loads(sys.argv[1])).save_model(sys.argv[2])"
_SIDES = {True: "cited", False: "random"}
_LABELS = {True: REFERENCE_LABEL, False: RANDOM_LABEL}


class ReferenceTrainingSettings(BaseModel):
    """How the classifier is trained. Defaults are fastText's own, as RedPajama-v1 left them, on one thread.

    Attributes:
        min_chars: Pages with fewer characters are left out, cited or not; RedPajama asked it of the cited ones alone.
        max_pages: Pages of each side at most; RedPajama fetched some 300,000.
        min_positives: Pages of each side at least; below, nothing is trained.
        held_out_fraction: Share of the registered domains whose pages are measured on and not trained on.
        seed: Of the choice of pages, of their order, of the held-out domains and of fastText.
        lr: Learning rate.
        dim: Length of the word vectors.
        epoch: Passes over the pages. On a few thousand pages fastText's 5 leave all scores near 0.5, in good order but
            of no use to a threshold like 0.25; take more there.
        word_ngrams: Longest run of words that has a vector.
        min_count: Words seen less often have no vector. fastText's 1 gives one to every misspelling: a million words
            of ``dim`` 100 take 400 MB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_chars: Annotated[int, Field(ge=1)] = 1000
    max_pages: Annotated[int, Field(ge=1)] = 300_000
    min_positives: Annotated[int, Field(ge=1)] = 100
    held_out_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 0
    lr: Annotated[float, Field(gt=0, le=1)] = 0.1
    dim: Annotated[int, Field(ge=1, le=1000)] = 100
    epoch: Annotated[int, Field(ge=1)] = 5
    word_ngrams: Annotated[int, Field(ge=1, le=5)] = 1
    min_count: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _enough_fit(self) -> "ReferenceTrainingSettings":
        if self.max_pages < self.min_positives:
            raise ValueError(f"max_pages must be at least min_positives, {self.min_positives}, not {self.max_pages}")
        return self


@dataclass(frozen=True)
class TrainedReference:
    """A trained classifier.

    Attributes:
        model: fastText's model file.
        card: What it was trained on and with, and how it does on the pages held out.
    """

    model: bytes
    card: ReferenceCard


def new_sample(settings: ReferenceTrainingSettings) -> PageSample:
    """Make an empty sample for pages to train on; a context manager."""
    return PageSample(max_pages=settings.max_pages, min_chars=settings.min_chars, seed=settings.seed)


def train_reference_classifier(
    positives: Iterable[Page],
    negatives: Iterable[Page],
    settings: ReferenceTrainingSettings,
    *,
    cited_urls: int | None = None,
) -> TrainedReference:
    """Train the classifier. The same pages and settings give the same bytes, whatever order the pages come in.

    Args:
        positives: Pages that Wikipedia cites, read once and not held.
        negatives: Other pages, read once after them; one that is among the positives is left out.
        settings: How to train.
        cited_urls: Number of URLs known to be cited, for the card.

    Returns:
        The model and its card.

    Raises:
        ValueError: Too few pages of a side, all in held-out domains, or fastText cannot train on them.
    """
    with new_sample(settings) as sample:
        for page in positives:
            sample.add(page, is_reference=True)
        for page in negatives:
            sample.add(page, is_reference=False)
        return train_on_sample(sample, settings, cited_urls=cited_urls)


def train_on_sample(
    sample: PageSample, settings: ReferenceTrainingSettings, *, cited_urls: int | None = None
) -> TrainedReference:
    """Train the classifier on a sample already gathered; see :func:`train_reference_classifier`.

    Args:
        sample: The pages.
        settings: How to train.
        cited_urls: Number of URLs known to be cited, for the card.
    """
    require_pages(sample, settings)
    pages = sample.balanced()
    training = [page for page in pages if not is_held_out(page.domain, settings)]
    held_out = [page for page in pages if is_held_out(page.domain, settings)]
    _require_both_sides(training, settings)
    with tempfile.TemporaryDirectory() as folder:
        lines, path = os.path.join(folder, "pages.txt"), os.path.join(folder, "reference.bin")
        _write_lines(lines, sample, training)
        _fit(lines, path, settings)
        figures = evaluate(ReferenceScorer(path), ((sample.text(page), page.is_reference) for page in held_out))
        with open(path, "rb") as stream:
            model = stream.read()
    card = ReferenceCard(
        sha256=hashlib.sha256(model).hexdigest(),
        settings=settings.model_dump(),
        cited_urls=cited_urls,
        cited=_count(sample, training, held_out, is_reference=True),
        random=_count(sample, training, held_out, is_reference=False),
        held_out=figures,
    )
    return TrainedReference(model, card)


def require_pages(sample: PageSample, settings: ReferenceTrainingSettings) -> None:
    """Check that each side has pages enough.

    Raises:
        ValueError: One has not, with its number.
    """
    for side, name in _SIDES.items():
        number = sample.available(is_reference=side)
        if number < settings.min_positives:
            raise ValueError(
                f"{number:,} {name} pages of at least {settings.min_chars:,} characters, each URL once; "
                f"min_positives asks for {settings.min_positives:,} of each side"
            )


def is_held_out(domain: str, settings: ReferenceTrainingSettings) -> bool:
    """Tell by a seeded hash whether a domain's pages are measured on, not trained on."""
    drawn = xxhash.xxh3_64_intdigest(f"held out/{domain}".encode(), seed=settings.seed)
    return drawn < settings.held_out_fraction * 2.0**64


def _require_both_sides(training: Sequence[Sampled], settings: ReferenceTrainingSettings) -> None:
    for side, name in _SIDES.items():
        if not any(page.is_reference is side for page in training):
            raise ValueError(
                f"all {name} pages are of held-out domains: held_out_fraction {settings.held_out_fraction} and seed "
                f"{settings.seed} leave none to train on; give pages of more sites, or another seed"
            )


def _write_lines(path: str, sample: PageSample, pages: Sequence[Sampled]) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{_LABELS[page.is_reference]} {sample.text(page)}\n" for page in pages)


def _fit(lines: str, path: str, settings: ReferenceTrainingSettings) -> None:
    arguments = {
        "input": lines,
        "lr": settings.lr,
        "dim": settings.dim,
        "epoch": settings.epoch,
        "wordNgrams": settings.word_ngrams,
        "minCount": settings.min_count,
        "seed": settings.seed,
        "thread": 1,
        "verbose": 0,
    }
    command = [sys.executable, "-P", "-c", _FIT, json.dumps(arguments), path]
    done = subprocess.run(  # noqa: S603 - our own interpreter and our own program
        command, env={**os.environ, **_ZEROED_MALLOC}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        what = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ValueError(f"fastText cannot train on these pages with lr {settings.lr}: {what}")


def _count(
    sample: PageSample, training: Sequence[Sampled], held_out: Sequence[Sampled], *, is_reference: bool
) -> SideCounts:
    counts = sample.counts(is_reference=is_reference)
    kept = [page.domain for page in training if page.is_reference is is_reference]
    measured = [page.domain for page in held_out if page.is_reference is is_reference]
    used = len(kept) + len(measured)
    left_out = {reason: counts[reason] for reason in ("no_url", "cited", "too_short")}
    return SideCounts(
        read=counts["read"],
        **left_out,
        surplus=counts["read"] - sum(left_out.values()) - used,
        used=used,
        domains=len({*kept, *measured}),
        held_out=len(measured),
        held_out_domains=len(set(measured)),
    )
