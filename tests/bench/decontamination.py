"""Decontamination: n-grams of documents looked up, alone and as a share of what a source takes from dump to tokens."""

import gzip
import json
import random
import string
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import yaml
from rich.console import Console

from filters.decontamination import find_shared, gather_ngrams
from filters.ngram_words import hash_words
from pipeline.launch import launch
from tests.bench.github import source_rows, write_tables
from tests.bench.inputs import DUMP, Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.text_sources import write_wikipedia
from tests.bench.timing import compare

_GOAL = 15  # percent of a source's time
_WORDS = 13
_MIN_WORDS = 8
_ITEMS, _ITEM_WORDS = 10_000, 60  # half a million n-grams
_QUOTED = 0.001  # of the items, from documents
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_STAGES = ("shared_ngrams", "decontaminated")


def search(inputs: Inputs) -> Iterator[Result]:
    """Look for n-grams in documents, beside a set of joined words, as decontaminators in plain Python do it."""
    texts = [document.text for document in inputs.documents]
    items = _items(texts)
    encoded = [text.encode() for text in texts]
    ngrams, _, _ = gather_ngrams(hash_words([item.encode() for item in items]), _WORDS, _MIN_WORDS)
    plain = {ngram for item in items for ngram in _plain_ngrams(item)}
    pair = compare(lambda: find_shared(encoded, ngrams), lambda: _search_plainly(texts, plain), runs=3)
    detail = f"{len(ngrams.hashes):,} n-grams, in {len(set(find_shared(encoded, ngrams).documents)):,} documents"
    yield speed("decontamination.search", text_megabytes(texts), pair, against="a set in plain Python", detail=detail)


def _items(texts: Sequence[str]) -> list[str]:
    """Make evaluation items: words of documents, shuffled, and some quotations."""
    draw = random.Random(0)
    words = " ".join(texts[: len(texts) // 8]).split()
    quoted = int(_QUOTED * _ITEMS)
    items = [" ".join(draw.choices(words, k=_ITEM_WORDS)) for _ in range(_ITEMS - quoted)]
    starts = [draw.randrange(len(words) - _ITEM_WORDS) for _ in range(quoted)]
    return [*items, *(" ".join(words[start : start + _ITEM_WORDS]) for start in starts)]


def _search_plainly(texts: Sequence[str], wanted: set[str]) -> list[int]:
    return [sum(ngram in wanted for ngram in _plain_ngrams(text)) for text in texts]


def _plain_ngrams(text: str) -> Iterator[str]:
    words = text.lower().translate(_PUNCTUATION).split()
    return (" ".join(words[start : start + _WORDS]) for start in range(len(words) - _WORDS + 1))


def share(inputs: Inputs) -> Iterator[Result]:
    """Run sources of different speeds to their token shards, and see which part of the time goes into it."""
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        root = Path(folder)
        (root / "items.jsonl").write_text("".join(json.dumps({"text": item}) + "\n" for item in _items(_texts(inputs))))
        for source, settings in _sources(inputs, root).items():
            yield _measure(source, settings, root)


def _texts(inputs: Inputs) -> list[str]:
    return [document.text for document in inputs.documents]


def _sources(inputs: Inputs, folder: Path) -> dict[str, dict[str, Any]]:
    """Give the settings of each source, its inputs written."""
    megabytes = 10 if inputs.quick else 40
    pages = ({"text": text, "url": "http://x", "timestamp": "2019-04-25T12:57:54Z"} for text in _texts(inputs))
    with gzip.open(folder / "c4.json.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(page) + "\n" for page in pages)
    write_tables(folder / "github", source_rows(megabytes))
    dump = write_wikipedia(inputs, folder, megabytes * 1_000_000)
    crawl = {
        "dumps": [{"id": DUMP, "paths": [file.path for file in inputs.wet(1)]}],
        "line_dedup": {"scope": "dump"},
        "perplexity": None,
        "reference": None,
    }
    return {
        "c4": {"paths": [str(folder / "c4.json.gz")]},
        "github": {"collections": [{"id": "bench", "rows": [str(folder / "github")]}]},
        "wikipedia": {"dumps": [{"id": "20220720", "paths": [str(dump)]}]},
        "commoncrawl": crawl,
    }


def _measure(source: str, settings: Mapping[str, Any], folder: Path) -> Result:
    config = {
        "batch_bytes": 16 << 20,
        "sources": {source: dict(settings)},
        "decontamination": {"sets": [{"id": "bench", "paths": [str(folder / "items.jsonl")]}]},
        "tokenizer": {"vocab_size": 4000, "sample_bytes": 2_000_000},
    }
    path = folder / f"{source}.yaml"
    path.write_text(yaml.safe_dump(config))
    with patch("pipeline.batch.time", SimpleNamespace(perf_counter=time.process_time)):  # steps by CPU time
        run = launch(str(path), output=str(folder / source), workers=1, console=Console(quiet=True))
    own = {name.removeprefix(f"{source}."): result for name, result in run.results.items() if name.startswith(source)}
    seconds = {name: sum(result.stats["seconds"].values()) for name, result in own.items()}
    added = sum(seconds.pop(name) for name in _STAGES)
    documents = sum(spent for name, spent in seconds.items() if name not in {"tokenizer_sample", "tokens"})
    whole = sum(seconds.values())
    searched = own["shared_ngrams"].stats
    speeds = {step: searched["bytes_in"] / 1e6 / spent for step, spent in searched["seconds"].items()}
    value = 100 * added / whole
    return Result(
        name=f"decontamination.{source}",
        value=value,
        unit="% of CPU time added",
        against="dump to token shards without it",
        goal=f"< {_GOAL} %",
        met=value < _GOAL,
        detail=(
            f"{searched['bytes_in'] / 1e6:.0f} MB of text; {100 * added / documents:.1f} % of dump to documents; "
            + ", ".join(f"{step} {speed_:.0f} MB/s" for step, speed_ in speeds.items())
        ),
    )
