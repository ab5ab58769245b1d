"""The reference classifier: scoring beside fastText's own ``predict``, and training."""

import os
from collections.abc import Iterator

import fasttext
import xxhash

from filters.reference import ReferenceScorer
from filters.reference_sample import Page
from filters.reference_training import ReferenceTrainingSettings, TrainedReference, train_reference_classifier
from filters.urls import registered_domain
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, alone, speed
from tests.bench.timing import compare, measure

_GOAL = 0.85
_SETTINGS = ReferenceTrainingSettings(min_positives=20)


def reference(inputs: Inputs) -> Iterator[Result]:
    """A classifier trained on half of the sites against the other half, then the score of every page."""
    trained: list[TrainedReference] = []
    spent = measure(lambda: trained.append(_train(inputs)))
    pages = trained[0].card.cited.used + trained[0].card.random.used
    yield alone("reference.train", pages, spent, unit="pages/s", cpu_value=None, detail="sampling and figures included")
    path = os.path.join(inputs.folder, "reference.bin")
    with open(path, "wb") as stream:
        stream.write(trained[0].model)
    yield _score(inputs, path)


def _train(inputs: Inputs) -> TrainedReference:
    pages = [Page(document.url, document.text) for document in inputs.documents]
    halves = [[page for page in pages if _is_cited(page.url) is side] for side in (True, False)]
    return train_reference_classifier(halves[0], halves[1], _SETTINGS)


def _is_cited(url: str) -> bool:
    return xxhash.xxh3_64_intdigest(registered_domain(url).encode()) % 2 == 0


def _score(inputs: Inputs, path: str) -> Result:
    texts = [document.text for document in inputs.documents]
    scorer, model = ReferenceScorer(path), fasttext.load_model(path)
    pair = compare(lambda: scorer(texts), lambda: [model.predict(text.replace("\n", " ")) for text in texts])
    return speed(
        "reference.score",
        text_megabytes(texts),
        pair,
        against="bare fastText predict",
        goal=f"ratio >= {_GOAL}",
        met=pair.ratio >= _GOAL,
    )
