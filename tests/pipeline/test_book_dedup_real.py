"""Near-duplicates among real books: what is found is what comparing all of them finds."""

import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
from numpy.typing import NDArray
from rich.console import Console

from filters.book_clusters import Book, choose_survivors
from filters.book_overlap import count_shared, overlap_of
from filters.book_shingles import fold_words, shingle_hashes
from filters.book_sketch import sketch_book
from pipeline import launch as launching
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.sources.book_candidates import choose_candidates
from pipeline.sources.book_shared import Sent, pair_bucket
from pipeline.sources.book_sketches import Keyed

SETTINGS = BookDedupSettings()
#: Pairs of whole books that are the same work, by what a look at their titles says.
SAME = [
    ("1184-0", "pg1184"),
    ("120-0", "pg120"),
    ("1342", "1342-0"),
    ("1342", "Pride_and_Prejudice_JaneAusten"),
    ("1342", "pandp10"),
    ("1342", "pandp12"),
    ("1342", "pg1342"),
    ("1342-0", "Pride_and_Prejudice_JaneAusten"),
    ("1342-0", "pandp10"),
    ("1342-0", "pandp12"),
    ("1342-0", "pg1342"),
    ("2600-0", "pg2600"),
    ("71agt10", "81agt10"),
    ("7efgm10", "8efgm10"),
    ("7gmnt10", "8gmnt10"),
    ("7isbl10", "8isbl10"),
    ("7wahl10", "8wahl10"),
    ("Anna_Karenina_LeoTolstoy", "pg1399"),
    ("Pride_and_Prejudice_JaneAusten", "pandp10"),
    ("Pride_and_Prejudice_JaneAusten", "pandp12"),
    ("Pride_and_Prejudice_JaneAusten", "pg1342"),
    ("pandp10", "pandp12"),
    ("pandp10", "pg1342"),
    ("pandp12", "pg1342"),
    ("pg161", "pg161__1"),
    ("remus10", "remus11"),
]

Pairs = dict[tuple[str, str], float]
#: Characters and shingles of each book, the longest first.
Shelf = dict[str, tuple[int, NDArray[np.uint64]]]


#: The longest of the books that are unlike all others are left out, for time: they are 3 in 10, and half of the text.
_MAX_UNLIKE_CHARS = 600_000


def read_text(path: Path) -> str:
    """The text between the marks of Project Gutenberg, where it has them."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    start = [found.end() for found in _START.finditer(text[:40_000])] or [0]
    end = _END.search(text, len(text) - len(text) // 20 - 30_000 if len(text) > 100_000 else start[-1])
    return text[start[-1] : end.start() if end else None]


_START = re.compile(r"^\*\*\* ?START OF[^*]*\*\*\*|^\*END\*? ?THE SMALL PRINT.*", re.MULTILINE)
_END = re.compile(r"^(?:\*\*\* ?END OF|End of (?:the |The )?Project Gutenberg)", re.MULTILINE)


@pytest.fixture(scope="module")
def shelf(data_root: Path) -> Shelf:
    """Characters and shingles of each book, by the name of its file."""
    paths = sorted(path for path in (data_root / "gutenberg").rglob("*.txt*"))
    if not paths:
        pytest.skip("no real books here")
    texts = {path.name.split(".")[0]: read_text(path) for path in paths}
    same = {name for pair in SAME for name in pair}
    texts = {name: text for name, text in texts.items() if name in same or len(text) < _MAX_UNLIKE_CHARS}
    return {
        name: (
            len(text),
            shingle_hashes(text, words=SETTINGS.shingle_words, chars=SETTINGS.shingle_chars),
        )
        for name, text in sorted(texts.items(), key=lambda item: (-len(item[1]), item[0]))
    }


@pytest.fixture(scope="module")
def compared(shelf: Shelf) -> NDArray[np.float64]:
    """The overlap of every book with every other: each shingle with the book it is of, sorted, and all equal ones met.

    The place of the book takes the last 8 bits, so shingles are told apart by 56.
    """
    sizes = np.array([len(hashes) for _, hashes in shelf.values()])
    count = len(sizes)
    places = np.repeat(np.arange(count, dtype=np.uint64), sizes)
    both = np.sort(np.concatenate([hashes for _, hashes in shelf.values()]) & ~np.uint64(255) | places)
    shingles, owners = both >> np.uint64(8), (both & np.uint64(255)).astype(np.int64)
    shared = np.zeros((count, count), np.int64)
    starts = np.flatnonzero(shingles[1:] == shingles[:-1])
    for apart in range(1, count):
        starts = starts[starts + apart < len(shingles)]
        starts = starts[shingles[starts] == shingles[starts + apart]]
        pairs = owners[starts] * count + owners[starts + apart]
        shared += np.bincount(pairs, minlength=count * count).reshape(count, count)
    return shared / np.minimum.outer(sizes, sizes)


@pytest.fixture(scope="module")
def by_sketches(shelf: Shelf) -> tuple[Pairs, int]:
    """The overlaps of all candidates, and how many pairs share a key."""
    return measure_candidates({name: hashes for name, (_, hashes) in shelf.items()})


def measure_candidates(shelf: dict[str, NDArray[np.uint64]]) -> tuple[Pairs, int]:
    """Find candidates as the stages do, all keys in one bucket, and measure them."""
    sketches = [sketch_book(hashes, SETTINGS.shape) for hashes in shelf.values()]
    sent = [
        Sent(name, *(Keyed(keys, np.full(len(keys), rank, np.uint32)) for keys in (sketch.samples, sketch.bands)))
        for rank, (name, sketch) in enumerate(zip(shelf, sketches, strict=True))
    ]
    bucket = pair_bucket(sent, SETTINGS)
    samples = np.array([len(sketch.samples) for sketch in sketches])
    pairs, _ = choose_candidates(bucket, samples, SETTINGS.candidate_overlap)
    names, hashes = list(shelf), list(shelf.values())
    overlaps = {
        (names[one], names[other]): overlap(hashes[one], hashes[other])
        for one, other in zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True)
    }
    return overlaps, len(bucket.pairs) + bucket.far


def overlap(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    return overlap_of(count_shared(one, other), len(one), len(other))


def test_what_is_found_is_what_comparing_all_pairs_finds(
    shelf: Shelf, compared: NDArray[np.float64], by_sketches: tuple[Pairs, int]
) -> None:
    names = list(shelf)
    over = {(names[i], names[j]) for i, j in np.argwhere(compared > SETTINGS.max_overlap).tolist()}
    measured, met = by_sketches
    found = {pair for pair, overlap in measured.items() if overlap > SETTINGS.max_overlap}
    assert {tuple(sorted(pair)) for pair in over} == set(SAME)
    assert found == over
    for (one, other), overlap in measured.items():
        assert overlap == pytest.approx(compared[names.index(one), names.index(other)], abs=1e-9)
    assert len(measured) < 2 * len(over), "hardly a pair is measured in vain"
    assert met > 1000, "though many share a phrase"


#: Words of the smaller text of a planted pair, and of the larger one at each ratio.
SMALLER, LARGER = 2000, {1.0: 2000, 0.5: 4000, 0.1: 20_000}


def test_99_in_100_planted_pairs_of_real_prose_are_found_whatever_their_sizes(data_root: Path) -> None:
    shelf: dict[str, NDArray[np.uint64]] = {}
    planted: Pairs = {}
    rng = random.Random(5)
    for name, words, others in _prose(data_root / "gutenberg"):
        start = 0
        for ratio, size in LARGER.items():
            larger = words[start : start + size]
            start += size
            for share in (0.85, 0.92, 0.97):
                kept = round(SMALLER * share)
                place = rng.randrange(size - kept + 1)
                filler = rng.randrange(len(others) - SMALLER)
                smaller = larger[place : place + kept] + others[filler : filler + SMALLER - kept]
                pair = f"{name} {ratio} {share} larger", f"{name} {ratio} {share}"
                for text, of in zip((larger, smaller), pair, strict=True):
                    shelf[of] = shingle_hashes(" ".join(text), words=5, chars=8)
                planted[pair] = overlap(shelf[pair[0]], shelf[pair[1]])
    measured, _ = measure_candidates(shelf)
    for ratio in LARGER:
        over = {pair for pair, share in planted.items() if f" {ratio} " in pair[0] and share > SETTINGS.max_overlap}
        assert len(over) >= 40
        assert len(over & measured.keys()) >= 0.99 * len(over)


def _prose(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Give the words of some real books, with words of another."""
    paths = [path for path in sorted(root.rglob("*.txt*")) if path.stat().st_size > 200_000][:60:2]
    if not paths:
        pytest.skip("no real books here")
    texts = [(path.name, fold_words(read_text(path)[:400_000])) for path in paths]
    long = [(name, words) for name, words in texts if len(words) > sum(LARGER.values())]
    for number, (name, words) in enumerate(long):
        yield name, words, long[number - 1][1]


def test_of_each_work_the_edition_that_holds_the_most_stays(shelf: Shelf, by_sketches: tuple[Pairs, int]) -> None:
    books = [Book(name, len(hashes), chars) for name, (chars, hashes) in shelf.items()]
    places = {name: place for place, name in enumerate(shelf)}
    pairs = [(places[one], places[other], overlap) for (one, other), overlap in by_sketches[0].items()]
    gone = {books[one.book].id: books[one.survivor].id for one in choose_survivors(books, pairs, SETTINGS.max_overlap)}
    works = _works()
    stay = {min(work, key=lambda name: (-len(shelf[name][1]), -shelf[name][0], name)) for work in works}
    assert gone.keys() == {name for work in works for name in work} - stay
    assert all(any({name, survivor} <= work for work in works) for name, survivor in gone.items())


def _works() -> list[set[str]]:
    works: list[set[str]] = []
    for pair in SAME:
        joined = [work for work in works if work & set(pair)]
        works = [work for work in works if work not in joined] + [set(pair).union(*joined)]
    return works


def test_a_run_on_real_editions_keeps_one_of_each(data_root: Path, tmp_path: Path) -> None:
    folders = ("jomat18-etexts", "pride-and-prejudice-editions")
    if not (data_root / "gutenberg" / folders[0]).is_dir():
        pytest.skip("no real books here")
    config = tmp_path / "books.json"
    collections = [{"id": folder, "paths": [folder]} for folder in folders]
    values = {"data": str(data_root / "gutenberg"), "sources": {"books": {"collections": collections}}}
    config.write_text(json.dumps({**values, "batch_bytes": 2_000_000, "tokenizer": None, "tokens": None}))
    launching.launch(str(config), output=str(tmp_path / "run"), workers=1, console=Console(quiet=True))
    kept = ds.dataset(tmp_path / "run/documents/books").to_table(columns=["id"]).column("id").to_pylist()
    names = {identifier.split("/")[1] for identifier in kept}
    assert names == {"71agt10", "7efgm10", "7gmnt10", "7isbl10", "7wahl10", "remus10", "1342-0"}
