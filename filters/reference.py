"""The quality filter: keep pages that look like what Wikipedia cites (Touvron et al. 2023, section 2.1).

LLaMA trained "a linear model to classify pages used as references in Wikipedia v.s. randomly sampled pages, and
discarded pages not classified as references"; RedPajama-v1 made that a fastText model of the labels ``wiki`` and ``cc``
and kept pages from a probability of 0.25 on. The paper's rule, the likelier label, is the default here, RedPajama's a
setting; its models load as they are. :mod:`filters.reference_training` trains one.

The model sees a text as one line, as RedPajama gives it (``" ".join(text.strip().splitlines())``): all line ends of
Unicode count. fastText gives out a probability with 0.00001 added to it; here it is taken off again. A word that
fastText takes for the end of the line, ``</s>``, is left out, since it would hide from the model all that follows, and
a lone surrogate, which fastText refuses, becomes a question mark.
"""

import re
from collections.abc import Sequence
from typing import Annotated

import fasttext
from pydantic import BaseModel, ConfigDict, Field

from filters.verdict import Drop, Reason

LABEL_PREFIX = "__label__"
REFERENCE_LABEL = f"{LABEL_PREFIX}wiki"
RANDOM_LABEL = f"{LABEL_PREFIX}cc"

#: RedPajama-v1's threshold (``cc_classifier.sh``), for whoever wants its choice of pages.
REDPAJAMA_THRESHOLD = 0.25
#: The paper's: of two labels the likelier.
ARGMAX_THRESHOLD = 0.5

_SMEAR = 1e-5
_DECIMALS = 6
_LINE_END_WORD = re.compile(r"(?<![^ \r\t\v\f\0])</s>(?![^ \r\t\v\f\0])")
_BETWEEN_WORDS = re.compile(r"[ \n\r\t\v\f\0]+")


class ReferenceReason(Reason):
    """Rules of :func:`check_reference`, in the order they are tried."""

    NO_KNOWN_WORD = "reference/no_known_word"
    NOT_A_REFERENCE = "reference/not_a_reference"


class ReferenceLimits(BaseModel):
    """Which pages count as references.

    Attributes:
        threshold: Least probability of being a reference, from 0 to 1; a page exactly at it is kept. ``null`` keeps
            what the model calls a reference, as the paper does; RedPajama took 0.25.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


def reference_text(text: str) -> str:
    r"""Put a text into the form in which the model is trained and asked: one line.

    >>> reference_text(" One\u2028\n two, three \n")
    'One   two, three'
    """
    line = " ".join(text.strip().splitlines())
    if "</s>" in line:
        line = _LINE_END_WORD.sub("", line).strip()
    return line if line.isascii() else line.encode(errors="replace").decode()


class ReferenceScorer:
    """A loaded classifier: a score, which never decides.

    Args:
        path: The model file, on this machine.

    Raises:
        ValueError: The file is no fastText model, or its labels are not the two.
    """

    def __init__(self, path: str) -> None:
        self._model = fasttext.load_model(path).f
        labels = set(self._model.getLabels("strict")[0])
        if labels != {REFERENCE_LABEL, RANDOM_LABEL}:
            found = ", ".join(sorted(labels)[:5]) or "none"
            raise ValueError(
                f"{path}: no reference classifier: its labels must be {REFERENCE_LABEL} and {RANDOM_LABEL}, "
                f"it has {len(labels)}: {found}"
            )
        # fastText hashes runs of words whether it knows the words or not, so the answer does not tell.
        self._hashes_unknown_words = self._model.getArgs().wordNgrams > 1
        self._of_nothing = self._predict("")

    def __call__(self, texts: Sequence[str]) -> list[dict[str, float | None]]:
        """Score texts.

        Args:
            texts: Documents' texts.

        Returns:
            For each, ``reference_score``: the probability that it is a reference, rounded to six decimals; ``None``
            where it holds no word that the model knows, so that the model would only say what it says of nothing, or of
            runs of words that share a place with others by chance.
        """
        return [{"reference_score": self._score(reference_text(text))} for text in texts]

    def _score(self, line: str) -> float | None:
        score = self._predict(line)
        may_be_of_nothing = self._hashes_unknown_words or score == self._of_nothing
        if may_be_of_nothing and not self._knows_a_word(line):
            return None
        return round(min(max(score - _SMEAR, 0.0), 1.0), _DECIMALS)

    def _predict(self, line: str) -> float:
        found = self._model.predict(f"{line}\n", 2, 0.0, "strict")
        return next((float(score) for score, label in found if label == REFERENCE_LABEL), 0.0)

    def _knows_a_word(self, line: str) -> bool:
        words = (word for word in _BETWEEN_WORDS.split(line) if word and not word.startswith(LABEL_PREFIX))
        return any(self._model.getWordId(word) >= 0 for word in words)


def check_reference(score: float | None, limits: ReferenceLimits) -> Drop | None:
    """Decide whether a page is worth keeping by the classifier's word.

    Args:
        score: What a :class:`ReferenceScorer` gave.
        limits: What to keep.

    Returns:
        ``None`` to keep the page, else the first rule it breaks.

    >>> check_reference(0.5, ReferenceLimits()) is None
    True
    """
    threshold = ARGMAX_THRESHOLD if limits.threshold is None else limits.threshold
    if score is None:
        return Drop(ReferenceReason.NO_KNOWN_WORD, limit=threshold)
    if score < threshold:
        return Drop(ReferenceReason.NOT_A_REFERENCE, measured=score, limit=threshold)
    return None
