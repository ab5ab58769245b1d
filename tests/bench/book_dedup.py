"""Book deduplication: sketches beside plain datasketch, and the whole chain with its peak memory. On one core.

On the real books below the folder of inputs; without them, on pages put together into books.
"""

import functools
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import xxhash
import yaml
from datasketch import MinHash

from filters.book_shingles import shingle_hashes
from filters.book_sketch import sketch_book
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.sources import book_dedup, books
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_GOAL = 8.0
_COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]
_SETTINGS = BookDedupSettings()
_BOOK_CHARS = 400_000
_TEXT_BYTES, _QUICK_BYTES = 24_000_000, 6_000_000


def sketch(inputs: Inputs) -> Iterator[Result]:
    """Shingles, samples and signatures, beside datasketch's MinHash of each shingle's xxh32, in batches."""
    texts = _some(inputs)
    pair = compare(functools.partial(_sketch, texts), functools.partial(_sketch_bare, texts), runs=3)
    megabytes = text_megabytes(texts)
    value = megabytes / pair.ours.seconds
    yield speed(
        "books.signatures",
        megabytes,
        pair,
        against="datasketch, xxh32 of each shingle in batches",
        goal=f">= {_GOAL:.0f} MB/s",
        met=value >= _GOAL,
        detail=f"{len(texts)} books, {megabytes:.0f} MB; ours folds words and samples shingles too",
    )


def _sketch(texts: Sequence[str]) -> None:
    for text in texts:
        hashes = shingle_hashes(text, words=_SETTINGS.shingle_words, chars=_SETTINGS.shingle_chars)
        sketch_book(hashes, _SETTINGS.shape)


def _sketch_bare(texts: Sequence[str]) -> None:
    size, permutations = _SETTINGS.shingle_words, _SETTINGS.bands * _SETTINGS.rows
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        minhash = MinHash(num_perm=permutations, hashfunc=xxhash.xxh32_intdigest)
        minhash.update_batch({" ".join(words[at : at + size]).encode() for at in range(len(words) - size + 1)})


def _some(inputs: Inputs) -> list[str]:
    """Give some books, every so many of those there are."""
    wanted = _QUICK_BYTES if inputs.quick else _TEXT_BYTES
    texts = _books(inputs)
    step = max(1, sum(map(len, texts)) // wanted)
    return texts[::step]


def _books(inputs: Inputs) -> list[str]:
    paths = sorted(glob.glob(os.path.join(inputs.data, "gutenberg", "**", "*.txt*"), recursive=True))
    if paths:
        return [_read(path) for path in paths]
    pages = "\n".join(page.text for page in inputs.documents)
    return [pages[start : start + _BOOK_CHARS] for start in range(0, len(pages), _BOOK_CHARS)]


def _read(path: str) -> str:
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as stream:
        content = stream.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def deduplicate(inputs: Inputs) -> Iterator[Result]:
    """All of it through the command line: sketches, shuffle, candidates, overlaps, books written again."""
    texts = _some(inputs) if inputs.quick else _books(inputs)
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        peak = _run(folder, texts)
        run = os.path.join(folder, "run")
        seconds = _seconds(run)
        documents = _stats(run, book_dedup.DOCUMENTS)
        candidates = _stats(run, book_dedup.stages()[1])["kept"]
    megabytes = documents["bytes_in"] / 1e6
    total = sum(seconds.values())
    shares = ", ".join(f"{name} {spent / total:.0%}" for name, spent in seconds.items())
    yield Result(
        name="books.dedup",
        value=megabytes / total,
        unit="MB/s/core",
        detail=f"{documents['read']} books, {megabytes:.0f} MB, {candidates} candidates, "
        f"{documents['read'] - documents['kept']} near-duplicates; {shares}; peak of the run {peak >> 20} MiB",
    )


def _run(folder: str, texts: Sequence[str]) -> int:
    """Run books alone in a process of its own and give its peak resident bytes.

    Raises:
        RuntimeError: It failed.
    """
    with open(os.path.join(folder, "books.jsonl"), "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    config = os.path.join(folder, "bench.yaml")
    with open(config, "w", encoding="utf-8") as stream:
        collection = {"id": "bench", "paths": [os.path.join(folder, "books.jsonl")]}
        yaml.safe_dump({"sources": {"books": {"collections": [collection]}}, "tokenizer": None, "tokens": None}, stream)
    log = os.path.join(folder, "log")
    with open(log, "w", encoding="utf-8") as output:
        arguments = ["run", config, "--output", os.path.join(folder, "run"), "--workers", "1"]
        process = subprocess.Popen([*_COMMAND, *arguments], stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        with open(log, encoding="utf-8") as output:
            raise RuntimeError(f"the run failed: {output.read()}")
    return usage.ru_maxrss << 10


def _seconds(run: str) -> dict[str, float]:
    """Give the seconds of each stage, of the first one only those of the sketches."""
    with open(os.path.join(run, "manifest.json"), encoding="utf-8") as stream:
        stages = json.load(stream)["stages"]
    spent = {"sketches": _stats(run, books.CLEANED)["seconds"]["sketch"]}
    return spent | {name.partition(".")[2]: float(stages[name]["seconds"]) for name in book_dedup.stages()}


def _stats(run: str, stage: str) -> Any:
    with open(os.path.join(run, "stats", f"{stage}.json"), encoding="utf-8") as stream:
        return json.load(stream)
