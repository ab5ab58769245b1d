"""Books that overlap with longer ones go, for one that stays, whatever the workers, the order and the interruptions."""

import functools
import itertools
import json
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipeline import launch as launching
from pipeline.book_dedup_settings import BookDedupSettings
from pipeline.run import Run
from pipeline.sources import book_candidates, book_dedup, book_verify, books
from pipeline.sources.book_tables import BOOKS, CANDIDATES, encode_table
from pipeline.why import fates

Digests = Callable[..., dict[str, str]]

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = ("documents", "dropped", "work")
_SYLLABLES = [first + vowel for first in "bcdfghklmnprstvz" for vowel in "aiou"]
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}


def prose(seed: str, words: int, syllables: list[str] = _SYLLABLES) -> list[str]:
    """Words of three syllables, drawn with a seed."""
    rng = random.Random(seed)
    return ["".join(rng.choices(syllables, k=3)) for _ in range(words)]


def lines(words: list[str], width: int = 11) -> str:
    return "\n".join(" ".join(words[start : start + width]) for start in range(0, len(words), width))


def part_of(words: list[str], share: float, seed: str) -> str:
    """A text of as many words, less a few, of which that share of the runs are runs of the other."""
    kept = round(len(words) * share)
    return lines(words[:kept] + prose(seed, len(words) - kept - 3), 9)


def library() -> dict[str, str]:
    """Books by id, with pairs planted among unlike ones."""
    bases = {name: prose(name, 3000) for name in ("exact", "most", "over", "under", "chapters")}
    anthology = [prose(f"story {number}", 450) for number in range(10)]
    german = prose("german", 2500, [*_SYLLABLES, "mä", "sö", "tü", "äß"])
    japanese = "".join(
        random.Random("japanese").choices("はがのをにでとも猫我輩名前無生見当暗所泣記憶人間書捕煮食話掌", k=4000)
    )
    chapters = [bases["chapters"][start : start + 300] for start in range(0, 3000, 300)]
    random.Random("order").shuffle(chapters)
    chain = prose("chain", 4000)
    return {
        **{name: lines(words) for name, words in bases.items()},
        "exact copy": lines(bases["exact"], 7).upper(),
        "most copy": part_of(bases["most"], 0.95, "most copy"),
        "over copy": part_of(bases["over"], 0.91, "over copy"),
        "under copy": part_of(bases["under"], 0.89, "under copy"),
        "chapters reordered": lines([word for chapter in chapters for word in chapter][:-1]),
        "anthology": lines([word for story in anthology for word in story]),
        "novella": lines(anthology[4]),
        "eight bits": lines(german),
        "seven bits": re.sub("[äöüß]", lambda found: _UMLAUTS[found[0]], lines(german)),
        "japanese": japanese,
        "japanese in lines": "\n".join(japanese[start : start + 40] for start in range(0, 3900, 40)),
        "chain long": lines(chain[:3000]),
        "chain middle": lines(chain[200:3180]),
        "chain short": lines(chain[400:3370]),
        "one line": "It was a dark and stormy night.",
        "the same line": "It was a dark and stormy night!",
        "one word": "buffalo " * 5000,
        "no word": "* * *\n" * 300,
        "no word either": "* * *\n" * 300,
        **{f"unlike {number}": lines(prose(f"unlike {number}", 800)) for number in range(20)},
    }


#: Books that go, and for which.
GOES = {
    "exact copy": "exact",
    "most copy": "most",
    "over copy": "over",
    "chapters reordered": "chapters",
    "novella": "anthology",
    "eight bits": "seven bits",  # the longest stays, and an umlaut is longer in ASCII
    "japanese in lines": "japanese",  # line breaks are longer too, but it ends before the other
    "chain middle": "chain long",
    "the same line": "one line",
}


def write_library(root: Path, shelf: Mapping[str, str], files: int = 3) -> None:
    root.mkdir(parents=True)
    rows = [json.dumps({"id": name, "text": text}) + "\n" for name, text in shelf.items()]
    for number in range(files):
        (root / f"part-{number}.jsonl").write_text("".join(rows[number::files]))


def drive(
    output: Path, data: Path, *, workers: int = 1, batch_bytes: int = 40_000, dedup: Any = (), **options: Any
) -> Run:
    config = write_config(output, data, batch_bytes=batch_bytes, dedup=dedup)
    return launching.launch(
        config,
        output=str(output),
        workers=workers,
        **{"bytes_per_worker": 1, "console": Console(quiet=True), **options},
    )


def write_config(output: Path, data: Path, *, batch_bytes: int = 40_000, dedup: Any = ()) -> str:
    collection = {"id": "lib", "paths": ["."], "kind": "plain", "id_column": "id"}
    asked = {"collections": [collection], "limits": {"min_chars": None}}
    config = output.parent / f"{output.name}.json"
    values = {
        "data": str(data),
        "batch_bytes": batch_bytes,
        "sources": {"books": {**asked, "dedup": None if dedup is None else dict(dedup)}},
        "tokenizer": None,
        "tokens": None,
    }
    config.write_text(json.dumps(values))
    return str(config)


def rows(run: Run, folder: str) -> list[dict[str, Any]]:
    path = Path(run.folder) / folder
    return ds.dataset(path, format="parquet").to_table().to_pylist() if path.is_dir() else []


def gone(run: Run) -> dict[str, str]:
    return {plain(row["id"]): plain(row["detail"]) for row in rows(run, "dropped/books")}


def plain(identifier: str) -> str:
    return identifier.removeprefix("lib/")


@pytest.fixture(scope="module")
def contents(digests: Digests) -> Digests:
    """The checksums of all that the stages write, but for the commits, which hold times, and the keys of the code."""

    def of(folder: str, folders: tuple[str, ...] = EVERYTHING) -> dict[str, str]:
        found = digests(folder, folders)
        return {path: sha256 for path, sha256 in found.items() if not path.endswith(".json")}

    return of


@pytest.fixture(scope="module")
def shelf() -> dict[str, str]:
    return library()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shelf: dict[str, str]) -> Path:
    root = tmp_path_factory.mktemp("books") / "library"
    write_library(root, shelf)
    return root


@pytest.fixture(scope="module")
def deduplicated(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return drive(tmp_path_factory.mktemp("runs") / "one", world)


def test_books_that_overlap_with_one_that_stays_go(deduplicated: Run, shelf: dict[str, str]) -> None:
    assert list(deduplicated.results)[-6:] == book_dedup.stages()
    assert gone(deduplicated) == GOES
    kept = {plain(row["id"]): row["text"] for row in rows(deduplicated, "documents/books")}
    assert kept == {name: text for name, text in shelf.items() if name not in GOES}
    for row in rows(deduplicated, "dropped/books"):
        assert (row["reason"], row["limit"], row["stage"]) == ("book_dedup/near_duplicate", 0.9, "books.documents")
        assert row["text"] == shelf[plain(row["id"])]


def overlap(one: str, other: str) -> float:
    """The overlap of two texts of plain words, by sets of tuples."""
    sets = shingles_of(one), shingles_of(other)
    return len(sets[0] & sets[1]) / min(map(len, sets))


@functools.cache
def shingles_of(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[place : place + 5]) for place in range(max(1, len(words) - 4))}


PLAIN = ("exact", "most", "over", "under", "chapters", "anthology", "novella", "chain", "unlike", "one word")


def test_overlaps_are_those_of_all_pairs_compared(deduplicated: Run, shelf: dict[str, str]) -> None:
    known = [plain(row["id"]) for row in pq.read_table(book(deduplicated, "books")).to_pylist()]
    found = {
        frozenset((known[row["one"]], known[row["other"]])): row["overlap"]
        for path in sorted(Path(deduplicated.folder).glob("work/books.overlaps/part-*"))
        for row in pq.read_table(path).to_pylist()
    }
    texts = {name: text for name, text in shelf.items() if name.startswith(PLAIN)}
    compared = 0
    for one, other in itertools.combinations(texts, 2):
        expected = overlap(texts[one], texts[other])
        pair = frozenset((one, other))
        assert pair in found or expected < 0.8, f"{one}, {other}: {expected} was not measured"
        if pair in found:
            assert found[pair] == expected
            compared += 1
    assert compared >= 8
    assert 0.88 < found[frozenset(("under", "under copy"))] < 0.9 < found[frozenset(("over", "over copy"))] < 0.92
    assert found[frozenset(("seven bits", "eight bits"))] == 1.0
    assert found[frozenset(("japanese", "japanese in lines"))] == 1.0
    assert found[frozenset(("chain middle", "chain short"))] > 0.9


def book(run: Run, table: str) -> Path:
    return Path(run.folder) / f"work/books.candidates/{table}.parquet"


def stats(run: Run, stage: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(run.folder) / f"stats/{stage}.json").read_text())
    del found["seconds"]
    return found


def test_every_stage_accounts_for_every_book_and_pair(deduplicated: Run, shelf: dict[str, str]) -> None:
    cleaned, documents = stats(deduplicated, books.CLEANED), stats(deduplicated, book_dedup.DOCUMENTS)
    shared, candidates = (stats(deduplicated, name) for name in ("books.shared", "books.candidates"))
    overlaps, duplicates = (stats(deduplicated, name) for name in ("books.overlaps", "books.duplicates"))
    assert cleaned["kept"] == documents["read"] == duplicates["read"] == len(shelf)
    assert cleaned["batches"] > 6
    assert shared["read"] == cleaned["facts"]["sketch_keys"] == shared["kept"]
    assert shared["facts"]["pairs"] == candidates["read"] >= candidates["kept"]
    assert candidates["kept"] == overlaps["read"] == overlaps["kept"] == duplicates["facts"]["pairs"]
    assert candidates["facts"]["books"] == stats(deduplicated, "books.shingles")["kept"]
    for counted in (documents, duplicates):
        assert counted["dropped"] == {"book_dedup/near_duplicate": len(GOES)}
        assert counted["kept"] == len(shelf) - len(GOES)
    assert duplicates["facts"]["pairs_over"] == len(GOES) + 1  # and the end of the chain


def test_two_workers_and_another_order_of_books_change_no_decision(
    world: Path, tmp_path: Path, shelf: dict[str, str], contents: Digests, deduplicated: Run
) -> None:
    # Worker processes take seconds to start, so only the stage that sketches has two.
    size = sum(path.stat().st_size for path in world.iterdir())
    two = drive(tmp_path / "two", world, workers=2, bytes_per_worker=size)
    logs = {path.stem for path in (tmp_path / "two/logs").iterdir() if "sdk_worker" in path.read_text()}
    assert logs == {"books.cleaned"}
    assert contents(two.folder, EVERYTHING) == contents(deduplicated.folder, EVERYTHING)
    shuffled = list(shelf.items())
    random.Random(7).shuffle(shuffled)
    write_library(tmp_path / "shuffled", dict(shuffled), files=2)
    other = drive(tmp_path / "other", tmp_path / "shuffled", batch_bytes=32 << 20)
    assert gone(other) == GOES


def commits(folder: str | Path, stage: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path(folder, "work", stage, "commits").glob("*.json")}


def test_lost_commits_of_many_buckets_are_made_again_and_the_others_are_not(
    world: Path, tmp_path: Path, contents: Digests, monkeypatch: pytest.MonkeyPatch, deduplicated: Run
) -> None:
    planned, seen = book_candidates.plan_passes, []

    def tiny(files: Any, max_bytes: int | None) -> Any:
        assert max_bytes == 256 << 20
        seen.append(planned(files, 12_000))
        return seen[-1]

    monkeypatch.setattr(book_candidates, "plan_passes", tiny)
    monkeypatch.setattr("pipeline.duplicates.BUCKET_BYTES", 4_000)
    monkeypatch.setattr(book_verify, "UNIT_BYTES", 50_000)
    first = drive(tmp_path / "run", world)
    assert len(seen[0]) > 2
    assert seen[0][0][0].buckets > 2
    folders = ("documents", "dropped", "work/books.duplicates")
    assert contents(first.folder, folders) == contents(deduplicated.folder, folders)
    expected = contents(first.folder, EVERYTHING)
    manifest = Path(first.folder) / "manifest.json"
    before, lost = {}, {}
    for stage in ("books.shared", "books.shingles", "books.overlaps"):
        before[stage] = commits(first.folder, stage)
        assert len(before[stage]) > 3
        lost[stage] = set(sorted(before[stage])[1:3])
        for name in lost[stage]:
            (Path(first.folder) / "work" / stage / "commits" / name).unlink()
        manifest.write_text(json.dumps(_without(json.loads(manifest.read_text()), stage)))
    drive(tmp_path / "run", world)
    for stage, times in before.items():
        after = commits(first.folder, stage)
        assert {name for name in times if times[name] != after[name]} == lost[stage]
    assert contents(first.folder, EVERYTHING) == expected


def _without(manifest: dict[str, Any], stage: str) -> dict[str, Any]:
    return {**manifest, "stages": {name: entry for name, entry in manifest["stages"].items() if name != stage}}


def test_another_limit_measures_nothing_again(world: Path, tmp_path: Path, deduplicated: Run) -> None:
    shutil.copytree(deduplicated.folder, tmp_path / "run")
    measured = [books.CLEANED, *book_dedup.stages()[:4]]
    before = {stage: commits(tmp_path / "run", stage) for stage in [*measured, "books.duplicates"]}
    run = drive(tmp_path / "run", world, dedup={"max_overlap": 0.94})
    after = {stage: commits(tmp_path / "run", stage) for stage in before}
    assert {stage for stage in before if before[stage] != after[stage]} == {"books.duplicates"}
    left = {name: survivor for name, survivor in GOES.items() if not name.startswith(("over", "chain"))}
    assert gone(run) == left


def test_a_book_that_changes_in_nothing_that_is_compared_is_written_anew(tmp_path: Path) -> None:
    shelf = {"a": lines(prose("a", 300)), "b": lines(prose("b", 300)), "a again": lines(prose("a", 290))}
    write_library(tmp_path / "books", shelf, files=1)
    assert gone(drive(tmp_path / "run", tmp_path / "books")) == {"a again": "a"}
    shutil.rmtree(tmp_path / "books")
    write_library(tmp_path / "books", {**shelf, "b": shelf["b"].replace("\n", ",", 1)}, files=1)
    run = drive(tmp_path / "run", tmp_path / "books")
    assert gone(run) == {"a again": "a"}
    assert {plain(row["id"]): row["text"] for row in rows(run, "documents/books")}["b"].count(",") == 1


def test_without_deduplication_all_books_stay(world: Path, tmp_path: Path, shelf: dict[str, str]) -> None:
    run = drive(tmp_path / "run", world, dedup=None)
    assert not set(run.results) & set(book_dedup.stages()[:-1])
    assert {plain(row["id"]) for row in rows(run, "documents/books")} == set(shelf)
    assert not list(Path(run.folder).glob("work/books.cleaned/sketches/*"))


def test_a_book_in_many_copies_leaves_one_and_a_volume_that_prints_it_leaves_none(tmp_path: Path) -> None:
    words = prose("classic", 1500)
    copies = {f"copy {number:02d}": lines(words, 6 + number % 5) + f" {number:02d}" for number in range(50)}
    unlike = {f"unlike {number}": lines(prose(f"unlike {number}", 500)) for number in range(5)}
    write_library(tmp_path / "copies", {**copies, **unlike})
    run = drive(tmp_path / "run", tmp_path / "copies")
    kept = {plain(row["id"]) for row in rows(run, "documents/books")}
    assert len(kept & copies.keys()) == 1
    assert unlike.keys() <= kept
    assert stats(run, "books.candidates")["kept"] < 400, "all pairs of fifty copies are 1225"
    volume = lines([*prose("before", 4000), *words, *prose("after", 4000)])
    write_library(tmp_path / "volume", {**copies, **unlike, "volume": volume})
    run = drive(tmp_path / "with_volume", tmp_path / "volume")
    assert {plain(row["id"]) for row in rows(run, "documents/books")} == {"volume", *unlike}


def test_the_same_front_matter_makes_no_candidates(tmp_path: Path) -> None:
    front = prose("front matter", 400)
    shelf = {f"book {number:03d}": lines(front + prose(f"book {number}", 700)) for number in range(150)}
    write_library(tmp_path / "books", shelf)
    run = drive(tmp_path / "run", tmp_path / "books", batch_bytes=32 << 20)
    assert gone(run) == {}
    shared = stats(run, "books.shared")
    common = 150 * round(shared["dropped"]["keys/common"] / 150)
    assert shared["dropped"] == {"keys/common": common}
    assert shared["facts"]["pairs"] + shared["facts"]["pairs_far"] < 5 * len(shelf)
    assert stats(run, "books.candidates")["kept"] < len(shelf)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"candidate_overlap": 0.95}, "candidate_overlap must be at most max_overlap (0.9)"),
        ({"max_overlap": 1.0}, "less than 1"),
        ({"max_overlap": 90}, "less than 1"),
        ({"bands": 0}, "greater than or equal to 1"),
        ({"max_books_per_shingle": 1}, "greater than or equal to 2"),
        ({"similarity": 0.9}, "not permitted"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        BookDedupSettings.model_validate(asked)


def test_tables_of_equal_columns_have_equal_bytes() -> None:
    empty: dict[str, list[int]] = {field.name: [] for field in CANDIDATES}
    assert encode_table(empty, CANDIDATES) == encode_table(dict(reversed(empty.items())), CANDIDATES)
    with pytest.raises(KeyError):
        encode_table({}, BOOKS)


def test_a_file_that_repeats_a_line_takes_no_longer_work_out_and_a_book_printed_twice_goes(tmp_path: Path) -> None:
    novel, novella = prose("novel", 3000), prose("novella", 400)
    shelf = {
        "novel": lines([*novel, *["never"] * 5]),
        "a line over and over": "Never, never, never!\n" * 2000,
        "anthology": lines([*prose("another", 1200), *novella]),
        "novella five times": "\n".join([lines(novella)] * 5),
    }
    assert [name for name in shelf if len(shelf[name]) == max(map(len, shelf.values()))] == ["a line over and over"]
    assert len(shelf["novella five times"]) > len(shelf["anthology"])
    write_library(tmp_path / "books", shelf, files=2)
    run = drive(tmp_path / "run", tmp_path / "books", dedup={"sample_every": 1})
    assert gone(run) == {"a line over and over": "novel", "novella five times": "anthology"}


@pytest.mark.parametrize(
    "shelf",
    [
        {"alone": lines(prose("alone", 300))},
        {"stars": "* * *\n" * 300, "dashes": "— – —\n" * 300, "stars again": "* * *\n" * 300},
        {"unlike": lines(prose("unlike", 300)), "other": lines(prose("other", 300))},
    ],
    ids=["one book", "books without a word", "books that share nothing"],
)
def test_where_nothing_can_be_compared_all_books_stay(tmp_path: Path, shelf: dict[str, str]) -> None:
    write_library(tmp_path / "books", shelf, files=1)
    run = drive(tmp_path / "run", tmp_path / "books")
    assert {plain(row["id"]): row["text"] for row in rows(run, "documents/books")} == shelf
    assert stats(run, "books.candidates")["read"] == stats(run, "books.overlaps")["read"] == 0
    assert gone(drive(tmp_path / "run", tmp_path / "books")) == {}, "and a second run skips the stages"


def editions(base: list[str], number: int, seed: str) -> dict[str, str]:
    """Editions that each leave out and change some of a book, so that some pairs are near-duplicates and some not."""
    rng, found = random.Random(seed), {}
    chapters = [base[start : start + 50] for start in range(0, len(base), 50)]
    for edition in range(number):
        share = rng.choice([0.0, 0.02, 0.05, 0.09, 0.14])
        changed = [
            prose(f"{seed} {edition} {place}", 50) if rng.random() < share else chapter
            for place, chapter in enumerate(chapters)
        ]
        found[f"{seed} {edition:02d}"] = lines(
            [word for chapter in changed[: rng.choice([20, 30, 40])] for word in chapter]
        )
    return found


def test_of_fifty_editions_those_go_that_overlap_with_one_that_stays_and_no_others(tmp_path: Path) -> None:
    shelf = editions(prose("editions", 2000), 50, "edition")
    write_library(tmp_path / "books", shelf)
    run = drive(tmp_path / "run", tmp_path / "books")
    sizes = {name: len(shingles_of(text)) for name, text in shelf.items()}
    kept: list[str] = []
    left: dict[str, set[str]] = {}
    for name in sorted(shelf, key=lambda name: (-sizes[name], -len(shelf[name]), name)):
        near = {other for other in kept if overlap(shelf[name], shelf[other]) > 0.9}
        if near:
            left[name] = near
        else:
            kept.append(name)
    assert stats(run, "books.shared")["dropped"]["keys/common"] > 0
    assert len(left) > 10
    assert len(kept) > 5
    found = gone(run)
    assert found.keys() == left.keys()
    for row in rows(run, "dropped/books"):
        name, survivor = plain(row["id"]), plain(row["detail"])
        assert survivor in left[name]
        assert row["measured"] == overlap(shelf[name], shelf[survivor]) > 0.9
        (line,) = fates(run.folder, row["id"])
        assert f"left out by books.documents: book_dedup/near_duplicate, measured {row['measured']:g}" in line
        assert f", limit 0.9, {row['detail']}, in " in line


#: Three passes, and a unit for each pair of books.
IN_PASSES = {"sample_every": 1, "rows": 30, "bands": 2, "max_shuffle_bytes": 1 << 20}
PAIR_BYTES = 50_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More keys than the smallest bound on what meets at once."""
    shelf = {f"book {number:02d}": lines(prose(f"book {number}", 4000)) for number in range(42)}
    for number in range(9):
        shelf[f"copy {number:02d}"] = part_of(prose(f"book {number}", 4000), 0.88 + number / 100, "copy")
    root = tmp_path_factory.mktemp("large") / "library"
    write_library(root, shelf)
    return root


@pytest.fixture(scope="module")
def in_passes(large: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_verify, "UNIT_BYTES", PAIR_BYTES)
        return drive(tmp_path_factory.mktemp("passes") / "many", large, dedup=IN_PASSES)


def test_a_bound_on_what_meets_at_once_changes_nothing_that_is_found(
    large: Path, tmp_path: Path, contents: Digests, in_passes: Run
) -> None:
    one = drive(tmp_path / "one", large, dedup={**IN_PASSES, "max_shuffle_bytes": None})
    assert len(commits(one.folder, "books.shared")) == 1
    assert len(commits(in_passes.folder, "books.shared")) == 3
    texts = {plain(row["id"]): row["text"] for run in ("documents", "dropped") for row in rows(one, f"{run}/books")}
    pairs = [(f"copy {number:02d}", f"book {number:02d}") for number in range(9)]
    expected = {copy: book for copy, book in pairs if overlap(texts[copy], texts[book]) > 0.9}
    assert 4 < len(expected) < 9
    assert gone(one) == expected
    folders = ("documents", "dropped", "work/books.candidates", "work/books.duplicates")
    assert contents(in_passes.folder, folders) == contents(one.folder, folders)


def test_a_run_killed_before_commits_ends_with_the_bytes_of_an_undisturbed_one(
    large: Path, tmp_path: Path, contents: Digests, monkeypatch: pytest.MonkeyPatch, in_passes: Run
) -> None:
    output = tmp_path / "killed"
    shutil.copytree(in_passes.folder, output)
    for stage in book_dedup.stages():
        shutil.rmtree(output / "work" / stage, ignore_errors=True)
    shutil.rmtree(output / "documents")
    config = write_config(output, large, dedup=IN_PASSES)
    arguments = ["run", config, "--output", str(output), "--workers", "1", "--accept-code-change"]
    program = [sys.executable, "-c", KILLED, *arguments]
    assert subprocess.run(program, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == -signal.SIGKILL
    before = commits(output, "books.shared")
    assert len(before) == 1
    assert len(list((output / "work/books.shared").glob("part-*"))) == 2, "of the other the commit is missing"
    monkeypatch.setattr(book_verify, "UNIT_BYTES", PAIR_BYTES)
    drive(output, large, dedup=IN_PASSES, accept_code_change=True)
    after = commits(output, "books.shared")
    assert {name: after[name] for name in before} == before
    assert contents(output, EVERYTHING) == contents(in_passes.folder, EVERYTHING)


#: Kills itself where the second pass would commit its bucket; what that found is written.
KILLED = """
import os, signal, sys
from pipeline import cli
from pipeline.sources import book_shared

write, written = book_shared.write_commit, []

def write_or_die(run, stage, commit):
    if written:
        os.kill(os.getpid(), signal.SIGKILL)
    written.append(commit)
    write(run, stage, commit)

book_shared.write_commit = write_or_die
cli.main()
"""
