"""Miniature books and planted bad ones through the stages: every one meets its fate and is counted once."""

import gzip
import importlib.util
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from rich.console import Console

from pipeline import launch as launching
from pipeline.books_settings import BookCollection, BooksSettings
from pipeline.leftovers import describe_leftovers
from pipeline.run import Run
from pipeline.settings import SettingsError
from pipeline.sources import books
from tests.killed import commit_times, run_killed
from tests.shelf import FLAGS, Shelf

ROOT = Path(__file__).parent.parent.parent
CORPUS = ROOT / "tests" / "corpus"
EVERYTHING = ("documents", "dropped", "errors")
LINES = "\n".join(f"The miller rose early on day {day} and went down to look at the river." for day in range(40)) + "\n"
LICENCE = "\n\n".join(f"1.{'ABCDEF'[i % 6]}.  Project Gutenberg-tm electronic works, term {i}." for i in range(60))
EMPTY_BOOK = f"The Project Gutenberg EBook of Nothing\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n{LICENCE}\n"
MAX = 64 << 10

Digests = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def mini() -> ModuleType:
    """The generator of the miniature books."""
    sys.path.insert(0, str(CORPUS))
    try:
        spec = importlib.util.spec_from_file_location("mini_books", CORPUS / "mini_books.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(CORPUS))
    return module


def zipped(members: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def parquet(texts: list[str | None]) -> bytes:
    whole = io.BytesIO()
    pq.write_table(pa.table({"text": texts, "title": ["T"] * len(texts)}), whole)
    return whole.getvalue()


#: Files beside the miniature, with the fates of the books in them: a reason, a cause of an error, or kept.
BAD: dict[str, tuple[bytes, dict[str, tuple[str, float | None, float | None] | str]]] = {
    "empty.txt": (b" \r\n", {"empty": ("books/empty", 0, 1)}),
    "long.txt": (b"x" * (MAX + 1), {"long": ("books/too_long", MAX + 1, MAX)}),
    # decompressed 65,536 bytes at a time: the second piece is over the limit
    "long-2.txt.gz": (gzip.compress(b"x" * (3 << 20), mtime=0), {"long-2": ("books/too_long", 2 << 16, MAX)}),
    "picture.txt": (b"\x89PNG\0words", {"picture": ("encoding/not_text", 1, 0)}),
    "unknown.txt": (
        "ж".encode() * 400 + b"\xff\xfe" * 200,
        {"unknown": ("encoding/undecodable", 400, 1)},
    ),
    "notice.txt": (b"x" * 999, {"notice": ("books/too_short", 999, 1000)}),
    "enough.txt": (b"x" * 1000, {"enough": "kept"}),
    "nothing.txt": (EMPTY_BOOK.encode(), {"nothing": ("books/only_boilerplate", 0, 1)}),
    "pictures.zip": (zipped({"a.png": b"x"}), {"pictures.zip": ("books/no_text_member", 0, 1)}),
    "mixed.zip": (zipped({"../up.txt": b"x", "good.txt": LINES.encode()}), {"mixed.zip#good": "kept"}),
    "cut.txt.gz": (gzip.compress(LINES.encode(), mtime=0)[:-9], {}),
    "rows.parquet": (
        parquet([LINES, None]),
        {"rows.parquet#0": "kept", "rows.parquet#1": ("books/no_text_value", None, None)},
    ),
}
ERRORS = {"books/bad_gzip": 1, "books/unsafe_member": 1}
IGNORED = {"cover.jpg": b"\xff\xd8", "1342-h/1342-h.htm": b"<p>no book"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mini: ModuleType) -> Path:
    root = tmp_path_factory.mktemp("world")
    mini.write(str(root))
    for name, content in {**{name: content for name, (content, _) in BAD.items()}, **IGNORED}.items():
        path = root / "bad" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


COLLECTIONS = (
    {"id": "gutenberg", "paths": ("gutenberg",)},
    {"id": "books3", "paths": ("books3/**/*.jsonl",), "kind": "plain", "id_column": "name", "title_column": "title"},
    {"id": "bad", "paths": ("bad",), "title_column": "title"},
)


def drive(output: Path, data: Path | str, *, batch_bytes: int = 32 << 20, workers: int = 1, **asked: Any) -> Run:
    """Run the source alone; what is no option of the launch is a setting of books."""
    options = {key: asked.pop(key) for key in ("flags", "accept_code_change") if key in asked}
    return launching.launch(
        write_config(output.parent / f"{output.name}.json", data, batch_bytes, **asked),
        output=str(output) if "shelf" not in str(data) else "shelf://results/run",
        workers=workers,
        bytes_per_worker=1,
        console=Console(quiet=True),
        **options,
    )


def write_config(path: Path, data: Path | str, batch_bytes: int, **asked: Any) -> str:
    source = {"collections": COLLECTIONS, "limits": {"max_book_bytes": MAX}, "dedup": None, **asked}
    values = {"data": str(data), "batch_bytes": batch_bytes, "sources": {"books": source}}
    path.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    return str(path)


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return drive(tmp_path_factory.mktemp("whole") / "run", world)


def read(run: Run, folder: str) -> dict[str, dict[str, Any]]:
    rows = ds.dataset(Path(run.folder) / folder / "books").to_table().to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def test_the_bundled_files_are_those_of_the_generator(mini: ModuleType) -> None:
    bundled = CORPUS / "books"
    made = mini.files()
    assert {str(path.relative_to(bundled)) for path in bundled.rglob("*") if path.is_file()} == set(made)
    for path, content in made.items():
        if not path.endswith((".gz", ".zip")):  # how these are packed depends on their versions
            assert (bundled / path).read_bytes() == content, path
    assert sum(path.stat().st_size for path in bundled.rglob("*")) < 300_000


def test_of_each_miniature_book_the_text_is_left(whole: Run, mini: ModuleType) -> None:
    found = read(whole, "documents")
    assert set(mini.BODIES) == {name for name in found if not name.startswith("bad/")}
    for name, bodies in mini.BODIES.items():
        wanted = [mini.body(body, edition=2 if name.endswith("tower-2") else 1).split() for body in bodies]
        words = found[name]["text"].replace("“", "").replace("”", "").replace(" — so it was said.", "").split()
        if "hafen" in name:
            quoted = [word.replace("„", '"').replace('""', '"').replace("“", '"') for word in wanted[0]]
            wanted = [mini.seven_bit(" ".join(quoted)).split() if "7hafen" in name else quoted]
            words = found[name]["text"].split()
        assert words == [word for body in wanted for word in body], name


def test_what_headers_and_columns_say_goes_with_the_books(whole: Run) -> None:
    found = read(whole, "documents")
    harbour, hafen = found["gutenberg/harbour-0"], found["gutenberg/8hafen10"]
    assert (harbour["url"], harbour["language"]) == ("https://www.gutenberg.org/ebooks/90001", "en")
    assert (harbour["created"], hafen["created"]) == ("2011-03-05T00:00:00+00:00", "1999-05-01T00:00:00+00:00")
    assert (harbour["metadata"]["title"], harbour["metadata"]["author"]) == ("Harbour", "A. Grammar")
    assert (hafen["metadata"]["title"], hafen["metadata"]["author"]) == ("Hafen", "A. Grammar")
    encodings = {name.rpartition("/")[2]: row["metadata"]["encoding"] for name, row in found.items()}
    assert (encodings["harbour-0"], encodings["8hafen10"]) == ("utf-8", "iso8859-1")
    assert (encodings["7hafen10"], encodings["market-8"]) == ("ascii", "cp1252")
    sea = found["books3/sea"]
    assert (sea["metadata"]["title"], sea["metadata"]["dump"], sea["url"]) == ("The Sea", "books3", "")
    assert "\r" not in sea["text"]
    assert found["bad/rows.parquet#0"]["metadata"]["title"] == "T"


def test_books_without_marks_keep_every_character(whole: Run) -> None:
    found = read(whole, "documents")
    assert found["bad/mixed.zip#good"]["text"] == LINES
    assert found["gutenberg/kitchen"]["text"] == (CORPUS / "books" / "gutenberg" / "kitchen.txt").read_text()


@pytest.mark.parametrize("name", BAD)
def test_each_bad_book_leaves_with_its_reason(name: str, whole: Run) -> None:
    kept, dropped = read(whole, "documents"), read(whole, "dropped")
    for book, fate in BAD[name][1].items():
        assert (f"bad/{book}" in kept) == (fate == "kept")
        if not isinstance(fate, str):
            row = dropped[f"bad/{book}"]
            assert (row["reason"], row["measured"], row["limit"], row["stage"]) == (*fate, books.CLEANED)


def test_what_cannot_be_read_is_an_error_with_its_file(whole: Run) -> None:
    rows = [
        json.loads(line)
        for path in (Path(whole.folder) / "errors" / "books").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert sorted(row["cause"] for row in rows) == sorted(ERRORS)


def stats(run: Run, stage: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(run.folder) / "stats" / f"{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in found.pop("seconds").values())
    return found


def test_every_book_is_accounted_for(whole: Run, mini: ModuleType) -> None:
    kept, dropped = read(whole, "documents"), read(whole, "dropped")
    size = sum(len(row["text"].encode()) for row in kept.values())
    fates = [fate for _, found in BAD.values() for fate in found.values()]
    reasons = [fate[0] for fate in fates if not isinstance(fate, str)] + ["books/too_short", "books/empty"]
    found = stats(whole, books.CLEANED)
    facts = found.pop("facts")
    assert facts.pop("documents searched for leftovers") == len(kept) - 2  # but for those taken as plain
    removed = sum(row["metadata"]["original_chars"] - len(row["text"]) for row in kept.values())
    assert facts.pop("chars removed") == removed + len(EMPTY_BOOK)
    assert facts.pop("lines") == 0  # of the ids alone are there fingerprints
    marked = 8 + 1  # of the miniature, and the one that is all licence
    assert facts == {
        "books with marks of Project Gutenberg": marked,
        "removed header": marked + 1,  # two in the anthology
        "removed footer": 9,
        "removed credits": 9,
        "removed notes": 7,
        "removed licence": 1,
    }
    assert found.pop("bytes_in") > size
    assert found == {
        "stage": "books.cleaned",
        "counts": "books",
        "shards": 3,
        "batches": 3,
        "read": len(kept) + len(dropped) + sum(ERRORS.values()),
        "kept": len(mini.BODIES) + fates.count("kept"),
        "dropped": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        "errors": ERRORS,
        "gaps": {},
        "bytes_out": size,
    }
    documents = stats(whole, books.DOCUMENTS)
    assert (documents["read"], documents["kept"], documents["bytes_out"]) == (len(kept), len(kept), size)
    assert list(describe_leftovers(whole.folder)) == [f"books.cleaned: 0 leftovers in {len(kept) - 2} documents"]


def test_two_workers_and_another_order_of_paths_change_no_byte(
    world: Path, tmp_path: Path, digests: Digests, whole: Run
) -> None:
    turned = [{**COLLECTIONS[0], "paths": ("gutenberg/t*", "gutenberg/**", "gutenberg/8hafen10.txt")}, *COLLECTIONS[1:]]
    one = drive(tmp_path / "one", world, batch_bytes=24_000)
    two = drive(tmp_path / "two", world, batch_bytes=24_000, workers=2, collections=turned)
    assert stats(one, books.CLEANED)["shards"] > 8
    assert digests(one.folder, EVERYTHING) == digests(two.folder, EVERYTHING)
    assert read(one, "documents") == read(whole, "documents")


def test_a_killed_run_ends_with_the_bytes_of_an_undisturbed_one(world: Path, tmp_path: Path, digests: Digests) -> None:
    undisturbed = drive(tmp_path / "undisturbed", world, batch_bytes=4096)
    output = tmp_path / "killed"
    config = write_config(tmp_path / "killed.json", world, 4096)
    before = run_killed([config, "--accept-code-change"], output, books.CLEANED, 3)
    assert len(before) == 3 < len(commit_times(undisturbed.folder, books.CLEANED))
    drive(output, world, batch_bytes=4096, accept_code_change=True)
    after = commit_times(output, books.CLEANED)
    assert {name: after[name] for name in before} == before, "committed batches were made again"
    assert digests(output, EVERYTHING) == digests(undisturbed.folder, EVERYTHING)


def test_books_may_lie_on_an_object_store(
    world: Path, tmp_path: Path, shelf: Shelf, digests: Digests, whole: Run
) -> None:
    shelf.upload(world, "dumps")
    drive(tmp_path / "run", "shelf://dumps", flags=FLAGS)
    shelf.download("results/run", tmp_path / "run")
    assert digests(tmp_path / "run", EVERYTHING) == digests(whole.folder, EVERYTHING)


def test_a_listed_book_has_its_title_and_year_and_a_changed_list_is_read_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    (data / "train" / "10.txt").write_text(LINES)
    (data / "metadata.csv").write_text("10,The Mill,1815,http://example.org/10\n")
    asked = {"collections": [{"id": "pg19", "paths": ("train",), "metadata": "metadata.csv"}]}
    (row,) = read(drive(tmp_path / "run", data, **asked), "documents").values()
    assert (row["id"], row["url"], row["created"]) == ("pg19/10", "http://example.org/10", "1815-01-01T00:00:00+00:00")
    assert row["metadata"]["title"] == "The Mill"
    (data / "metadata.csv").write_text("10,The Old Mill,1815,http://example.org/10\n")
    (row,) = read(drive(tmp_path / "run", data, **asked), "documents").values()
    assert row["metadata"]["title"] == "The Old Mill"


def write_rows(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    for name, found in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return folder


@pytest.mark.parametrize("dedup", [None, {}])
def test_of_books_with_one_id_the_first_by_file_and_row_stays(dedup: dict[str, Any] | None, tmp_path: Path) -> None:
    rows = [{"id": f"{i}", "text": LINES.replace("day", f"day {i} of year")} for i in range(6)]
    other = {"id": "2", "text": LINES.replace("miller", "fisher")}
    twice = {"id": "5", "text": LINES.replace("miller", "baker")}
    short = {"id": "9", "text": "x"}
    kept = {"id": "9", "text": LINES.replace("miller", "smith")}
    write_rows(tmp_path / "data", {"a/1.jsonl": [*rows[:4], short], "a/2.jsonl": [rows[5], twice, other, kept]})
    asked = {"collections": [{"id": "a", "paths": ["a"], "id_column": "id"}], "dedup": dedup}
    run = drive(tmp_path / "run", tmp_path / "data", **asked)
    found = read(run, "documents")
    assert {name: row["text"] for name, row in found.items()} == {
        **{f"a/{i}": rows[i]["text"] for i in (0, 1, 2, 3, 5)},
        "a/9": kept["text"],
    }
    dropped = ds.dataset(Path(run.folder) / "dropped" / "books").to_table().to_pylist()
    stage = books.DOCUMENTS if dedup is None else books.UNIQUE
    assert sorted((row["id"], row["reason"], row["stage"]) for row in dropped) == [
        ("a/2", "duplicate/id", stage),
        ("a/5", "duplicate/id", stage),
        ("a/9", "books/too_short", books.CLEANED),
    ]
    if dedup is None:
        other_batches = drive(tmp_path / "other", tmp_path / "data", batch_bytes=4096, **asked)
        assert read(other_batches, "documents") == found
    settings = BooksSettings.model_validate(asked)
    assert list(run.results) == books.stages(settings)


def test_where_no_id_is_there_twice_the_books_are_not_written_again(tmp_path: Path) -> None:
    rows = [{"id": f"{i}", "text": LINES.replace("day", f"day {i} of year")} for i in range(4)]
    write_rows(tmp_path / "data", {"a/1.jsonl": rows})
    asked = {"collections": [{"id": "a", "paths": ["a"], "id_column": "id"}], "dedup": {}}
    run = drive(tmp_path / "run", tmp_path / "data", **asked)
    assert set(read(run, "documents")) == {f"a/{i}" for i in range(4)}
    wanted = books.stages(BooksSettings.model_validate(asked))
    assert list(run.results) == [stage for stage in wanted if stage != books.UNIQUE]


def test_a_row_s_place_is_no_number_of_an_ebook(tmp_path: Path) -> None:
    text = f"{LINES}\n\nEnd of Project Gutenberg's The Mill\n"
    write_rows(tmp_path / "data", {"a/1.jsonl": [{"text": text}] * 3, "b/2.jsonl": [{"text": text, "id": 1342}]})
    collections = [{"id": "a", "paths": ["a"]}, {"id": "b", "paths": ["b"], "id_column": "id"}]
    run = drive(tmp_path / "run", tmp_path / "data", collections=collections)
    urls = {name: row["url"] for name, row in read(run, "documents").items()}
    assert urls == {**{f"a/1.jsonl#{i}": "" for i in range(3)}, "b/1342": "https://www.gutenberg.org/ebooks/1342"}


def test_files_of_other_kinds_are_said_to_be_passed_over(world: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    launching.launch(
        write_config(tmp_path / "run.json", world, 32 << 20), output=str(tmp_path / "run"), workers=1, console=console
    )
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.count("passed over") == 1
    assert "books.cleaned: files of other kinds, passed over: 1 .htm, 1 .jpg\n" in said


@pytest.mark.parametrize(
    ("collection", "message"),
    [
        ({"id": "a", "paths": ("nowhere",)}, r"collections\.0\.paths\.0: no file matches"),
        ({"id": "a", "paths": ("bad/1342-h",)}, r"collections\.0\.paths: 1 files, none of them \.txt"),
        ({"id": "a", "paths": ("twins",)}, r"2 files are called a but for their suffixes; they would share an id"),
        ({"id": "a", "paths": ("parts",)}, r"a text is called p\.zip#a, as a book in the file p\.zip would be"),
        ({"id": "a", "paths": ("bytes",)}, r"the file name b'.xff\.txt' is not UTF-8; rename it"),
        ({"id": "a", "paths": ("gutenberg",), "metadata": "no.csv"}, r"no\.csv: no list of books"),
    ],
)
def test_inputs_that_cannot_be_right_are_refused_before_the_run(
    collection: dict[str, Any], message: str, world: Path, tmp_path: Path
) -> None:
    (world / "twins").mkdir(exist_ok=True)
    (world / "twins" / "a.txt").write_text("a")
    (world / "twins" / "a.txt.gz").write_bytes(gzip.compress(b"a"))
    for folder, names in {"parts": (b"p.zip", b"p.zip#a.txt"), "bytes": (b"\xff.txt",)}.items():
        (world / folder).mkdir(exist_ok=True)
        for name in names:
            (world / folder / os.fsdecode(name)).write_text("a")
    with pytest.raises(SettingsError, match=message):
        drive(tmp_path / "run", world, collections=[collection])
    assert not (tmp_path / "run").exists()


def test_settings_are_checked() -> None:
    one = {"id": "a", "paths": ("x",)}
    with pytest.raises(ValidationError, match="different ids"):
        BooksSettings.model_validate({"collections": [one, one]})
    with pytest.raises(ValidationError, match="no text encoding that Python knows"):
        BookCollection.model_validate({**one, "encoding": "klingon"})
    with pytest.raises(ValidationError, match="no text encoding that Python knows"):
        BookCollection.model_validate({**one, "encoding": "zlib"})
    with pytest.raises(ValidationError, match="no text encoding that Python knows"):
        BookCollection.model_validate({**one, "encoding": "unicode_escape"})
    assert BookCollection.model_validate({**one, "encoding": "Latin-1"}).encoding == "iso8859-1"


def test_real_books_go_through(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "gutenberg" / "jomat18-etexts").is_dir():
        pytest.skip("no real books here")
    folders = ("gutenberg/jomat18-etexts", "gutenberg/pride-and-prejudice-editions", "gutenberg/non-pg")
    asked = {"collections": [{"id": "gutenberg", "paths": folders}], "limits": {}}
    run = drive(tmp_path / "run", real_data, **asked)
    found = read(run, "documents")
    assert len(found) == 18
    assert found["gutenberg/1342-0"]["url"] == "https://www.gutenberg.org/ebooks/1342"
    assert {row["url"] for name, row in found.items() if "pandp" in name} == {found["gutenberg/1342-0"]["url"]}
    assert list(describe_leftovers(run.folder)) == ["books.cleaned: 0 leftovers in 18 documents"]
    assert not (Path(run.folder) / "dropped").exists()
