"""The whole CommonCrawl path on one core, models given: WET files to documents, and where the time goes."""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from glob import glob

import yaml
from rich.console import Console

from filters.perplexity_card import NgramTrainingSettings
from filters.perplexity_training import train_ngram_model
from filters.reference_sample import Page
from filters.reference_training import ReferenceTrainingSettings, train_reference_classifier
from pipeline.launch import launch
from tests.bench.inputs import DUMP, Inputs, WetFile
from tests.bench.report import Result

_LANGUAGES = ("en", "de")
_TRAINING_BYTES = 2 << 20


def run_whole_path(inputs: Inputs) -> Iterator[Result]:
    """Deduplicate, identify the language, score perplexity and references, and keep what is good."""
    files = inputs.wet(2 if inputs.quick else 4)
    models = _models(inputs)
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        config = os.path.join(folder, "path.yaml")
        with open(config, "w", encoding="utf-8") as stream:
            yaml.safe_dump(_config(inputs, files, models), stream)
        start = time.perf_counter()
        launch(config, output=os.path.join(folder, "run"), workers=1, console=Console(quiet=True))
        elapsed = time.perf_counter() - start
        megabytes = sum(file.text_bytes for file in files) / 1e6
        yield Result(
            name="commoncrawl.whole_path",
            value=megabytes / elapsed,
            unit="MB/s/core",
            detail=_where(os.path.join(folder, "run"), elapsed),
        )


def _models(inputs: Inputs) -> str:
    """Train small models on the pages at hand: speed does not depend on what they have seen."""
    folder = os.path.join(inputs.folder, "models")
    texts = [document.text for document in inputs.documents]
    for language in _LANGUAGES:
        train_ngram_model(texts, language, NgramTrainingSettings(sample_bytes=_TRAINING_BYTES), folder)
    pages = [Page(document.url, document.text) for document in inputs.documents]
    settings = ReferenceTrainingSettings(min_positives=10, min_chars=300)
    trained = train_reference_classifier(pages[::2], pages[1::2], settings)
    with open(os.path.join(folder, "reference.bin"), "wb") as model:
        model.write(trained.model)
    return folder


def _config(inputs: Inputs, files: Sequence[WetFile], models: str) -> dict[str, object]:
    crawl = {
        "dumps": [{"id": DUMP, "paths": [file.path for file in files]}],
        "line_dedup": {"scope": "dump"},
        "language": {"languages": list(_LANGUAGES)},
        "perplexity": {"models": models, "cutoffs": "run"},
        "reference": {"model": os.path.join(models, "reference.bin")},
    }
    return {
        "batch_bytes": inputs.file_bytes // 4,
        "sources": {"commoncrawl": crawl},
        "tokenizer": None,
        "tokens": None,
    }


def _where(run: str, elapsed: float) -> str:
    """Give each step's share of the time; what no step claims is Beam's, the shuffle's and the bookkeeping's."""
    clock: Counter[str] = Counter()
    for path in glob(os.path.join(run, "stats", "*.json")):
        with open(path, encoding="utf-8") as stream:
            clock.update(json.load(stream)["seconds"])
    rest = elapsed - clock.total()
    shares = [*((step, seconds / elapsed) for step, seconds in clock.most_common()), ("the rest", rest / elapsed)]
    return ", ".join(f"{step} {share:.0%}" for step, share in shares)
