"""How well a reference classifier does on pages held out, and its card.

RedPajama-v1 published a threshold and no figure; its users found scores of short texts unusable. So the card tells, of
whole domains that were not trained on: precision and recall at the paper's threshold and at RedPajama's, the area
under the ROC curve (the probability that a cited page scores above a random one, ties counted half), whether a score
means what it says, and what becomes of all this when pages are cut short.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from filters.reference import ARGMAX_THRESHOLD, REDPAJAMA_THRESHOLD, reference_text

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

#: Scores a list of texts, as :class:`filters.reference.ReferenceScorer` does.
Score = Callable[[Sequence[str]], list[dict[str, float | None]]]

THRESHOLDS = (ARGMAX_THRESHOLD, REDPAJAMA_THRESHOLD)
CUT_CHARS = (50, 100, 200, 500, 1000)
_BINS = 10
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a threshold makes of the pages; a ratio is ``None`` where nothing stands below its line.

    Attributes:
        threshold: Pages from this score on are called references.
        precision: Share of references among those called so.
        recall: Share of the references that are called so.
        f1: Harmonic mean of the two.
        accuracy: Share of all pages called what they are.
        called: Share of all pages called references.
    """

    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float | None
    called: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """The pages of one tenth of the scores: from ``low`` up to the next, the last with 1.

    Attributes:
        low: Least score.
        pages: How many there are.
        mean_score: Their mean score.
        references: Share of them that are references: where scores mean what they say, the mean score.
    """

    low: float
    pages: int
    mean_score: float | None
    references: float | None


@dataclass(frozen=True, slots=True)
class ShortText:
    """The pages cut to their first characters.

    Attributes:
        chars: How many were left.
        auc: Area under the ROC curve.
        references_called: Share of the references that are called so at the paper's threshold.
        others_called: Share of the other pages that are.
    """

    chars: int
    auc: float | None
    references_called: float | None
    others_called: float | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Figures of the pages held out.

    Attributes:
        pages: How many there are.
        references: How many of them Wikipedia cites.
        unjudged: Pages without a word that the model knows, counted with score 0, since they are dropped.
        auc: Area under the ROC curve; ``None`` where a side has no page.
        decisions: At the thresholds.
        calibration: Ten bins.
        short_text: At the lengths.
    """

    pages: int
    references: int
    unjudged: int
    auc: float | None
    decisions: tuple[Decisions, ...]
    calibration: tuple[Bin, ...]
    short_text: tuple[ShortText, ...]


@dataclass(frozen=True, slots=True)
class SideCounts:
    """What came of the pages of one side.

    Attributes:
        read: Pages given.
        no_url: Left out, without an HTTP URL.
        cited: Left out of the random pages, since they are cited.
        too_short: Left out, too short.
        surplus: Left out as further copies of a URL, beyond the most pages, or beyond what the other side has.
        used: The others.
        domains: Their registered domains.
        held_out: Pages of these in held-out domains.
        held_out_domains: The held-out domains.
    """

    read: int
    no_url: int
    cited: int
    too_short: int
    surplus: int
    used: int
    domains: int
    held_out: int
    held_out_domains: int


@dataclass(frozen=True, slots=True)
class ReferenceCard:
    """What a classifier was trained on and with, and how it does.

    Attributes:
        sha256: Of the model file.
        settings: It was trained with.
        cited_urls: URLs known to be cited; ``None`` where there was no list of them.
        cited: Pages that Wikipedia cites.
        random: Random pages.
        held_out: Figures of the pages held out.
    """

    sha256: str
    settings: Mapping[str, float]
    cited_urls: int | None
    cited: SideCounts
    random: SideCounts
    held_out: HeldOut

    def to_json(self) -> str:
        """Return the card for programs."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def to_markdown(self) -> str:
        """Return the card for people."""
        found = self.held_out
        known = "" if self.cited_urls is None else f"{self.cited_urls:,} cited URLs were known. "
        sides = [[name, *asdict(side).values()] for name, side in (("cited", self.cited), ("random", self.random))]
        lines = [
            "# Wikipedia-reference classifier",
            "",
            "fastText, supervised, labels `wiki` (a page that Wikipedia cites) and `cc` (a random page), after LLaMA",
            f"(Touvron et al. 2023, section 2.1). SHA-256 of the model file: `{self.sha256}`.",
            "",
            *(f"- `{name}`: {value}" for name, value in self.settings.items()),
            "",
            f"{known}Pages, and what came of them:",
            "",
            *_table(["", *SideCounts.__slots__], sides),
            "",
            f"Measured on {found.pages:,} pages of held-out domains, {found.references:,} of them cited;",
            f"{found.unjudged:,} without a known word count as score 0. ROC AUC: {_cell(found.auc)}.",
            "",
            *_table(Decisions.__slots__, [asdict(row).values() for row in found.decisions]),
            "",
            "Calibration: of the pages with a score from `low` up to the next, the share that is cited.",
            "",
            *_table(Bin.__slots__, [asdict(row).values() for row in found.calibration]),
            "",
            "The same pages cut to their first characters; shares called references at 0.5.",
            "",
            *_table(ShortText.__slots__, [asdict(row).values() for row in found.short_text]),
        ]
        return "\n".join(lines) + "\n"


def evaluate(score: Score, pages: Iterable[tuple[str, bool]]) -> HeldOut:
    """Measure a classifier.

    Args:
        score: The classifier.
        pages: Texts, each with whether it is a reference; read once, a few hundred held at a time.

    Returns:
        The figures.
    """
    labels: list[bool] = []
    found: list[float | None] = []
    of_cuts: dict[int, list[float | None]] = {chars: [] for chars in CUT_CHARS}
    stream = iter(pages)
    while chunk := list(islice(stream, _CHUNK)):
        texts = [reference_text(text) for text, _ in chunk]
        labels += [label for _, label in chunk]
        found += _scores_of(score, texts)
        for chars in CUT_CHARS:
            of_cuts[chars] += _scores_of(score, [text[:chars] for text in texts])
    truth, whole = np.array(labels, np.bool_), _as_array(found)
    return HeldOut(
        pages=len(truth),
        references=int(truth.sum()),
        unjudged=found.count(None),
        auc=roc_auc(whole, truth),
        decisions=tuple(decide(whole, truth, threshold) for threshold in THRESHOLDS),
        calibration=calibrate(whole, truth),
        short_text=tuple(_short_text(chars, _as_array(scores), truth) for chars, scores in of_cuts.items()),
    )


def roc_auc(scores: Scores, labels: Labels) -> float | None:
    """Give the probability that a reference scores above another page, a tie counted half (Mann and Whitney 1947).

    Args:
        scores: Shape (pages,).
        labels: Shape (pages,), whether each is a reference.

    Returns:
        From 0 to 1; ``None`` where a side has no page.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return None
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]
    above = float(ranks[labels].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def decide(scores: Scores, labels: Labels, threshold: float) -> Decisions:
    """Count what a threshold makes of the pages, those exactly at it called references."""
    called = scores >= threshold
    right = int((called & labels).sum())
    return Decisions(
        threshold=threshold,
        precision=_ratio(right, int(called.sum())),
        recall=_ratio(right, int(labels.sum())),
        f1=_ratio(2 * right, int(called.sum()) + int(labels.sum())),
        accuracy=_ratio(int((called == labels).sum()), len(labels)),
        called=_ratio(int(called.sum()), len(labels)),
    )


def calibrate(scores: Scores, labels: Labels) -> tuple[Bin, ...]:
    """Sort pages into ten bins of equal width by score, and compare scores with the truth."""
    place = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    rows = []
    for number in range(_BINS):
        inside = place == number
        pages = int(inside.sum())
        mean = _ratio(float(scores[inside].sum()), pages)
        rows.append(Bin(number / _BINS, pages, mean, _ratio(int(labels[inside].sum()), pages)))
    return tuple(rows)


def _short_text(chars: int, scores: Scores, labels: Labels) -> ShortText:
    called = scores >= ARGMAX_THRESHOLD
    return ShortText(
        chars=chars,
        auc=roc_auc(scores, labels),
        references_called=_ratio(int((called & labels).sum()), int(labels.sum())),
        others_called=_ratio(int((called & ~labels).sum()), int((~labels).sum())),
    )


def _scores_of(score: Score, texts: Sequence[str]) -> list[float | None]:
    return [row["reference_score"] for row in score(texts)]


def _as_array(scores: Sequence[float | None]) -> Scores:
    return np.array([0.0 if score is None else score for score in scores], np.float64)


def _ratio(above: float, below: int) -> float | None:
    return above / below if below else None


def _table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    head = [name.replace("_", " ") for name in names]
    cells = [[_cell(value) for value in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["--:"] * len(head), *cells)]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
