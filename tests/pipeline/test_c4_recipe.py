"""C4 rebuilt from small crawls and taken as published: every page meets the fate its rule gives it."""

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from rich.console import Console

from pipeline import launch as launching
from pipeline.c4_settings import C4Settings
from pipeline.run import Run, RunFailed
from pipeline.settings import SettingsError
from pipeline.sources import c4
from tests.killed import commit_times, run_killed
from tests.recorded import Recorded

ROOT = Path(__file__).parent.parent.parent
NEW, OLD = "2019-04-25T12:57:54Z", "2019-04-24T12:57:54Z"
UUID = "00000000-0000-4000-8000-{:012d}"
EVERYTHING = ("documents", "dropped", "errors")

Digests = Callable[..., dict[str, str]]


def prose(number: int) -> list[str]:
    """Three lines that pass every rule, a sentence each, of their own for each number."""
    return [
        f"The baker of the old town sold {number} loaves of bread before noon.",
        f"Her brother carried number {number} home through the rain and the mud.",
        f"Nobody in the village could remember a morning as busy as number {number}.",
    ]


def german(number: int) -> list[str]:
    return [
        f"Der Bäcker der alten Stadt verkaufte {number} Brote vor dem Mittag.",
        f"Sein Bruder trug das Brot Nummer {number} durch den Regen nach Hause.",
        f"Niemand im Dorf konnte sich an einen Morgen wie den Morgen {number} erinnern.",
    ]


def padded(lines: Sequence[str], chars: int) -> list[str]:
    """Add a line without an end mark, so that the page has that many characters."""
    return [*lines, "x" * (chars - len("\n".join(lines)) - 1)]


def md5(text: str) -> int:
    return int(hashlib.md5(text.encode()).hexdigest(), 16)


def by_md5(*names: str) -> list[str]:
    """Addresses of pages, the one with the smallest MD5 first."""
    return sorted((f"http://example.org/{name}" for name in names), key=md5)


@dataclass
class Page:
    """A page and what becomes of it: the text that is kept, or stage, reason, measured number and limit."""

    lines: Sequence[str]
    fate: str | tuple[str, str, float | None, float | None]
    url: str | None = None
    date: str | None = NEW
    number: int = field(default=-1)

    @property
    def id(self) -> str:
        return "c4/" + UUID.format(self.number)


SHARED = by_md5("shared-one", "shared-two")
COPIED = by_md5("copied-one", "copied-two")
FEW = by_md5("few-one", "few-two")
VALIDATION = next(f"http://www.example.org/v{i}/" for i in range(100_000) if md5(f"example.org/v{i}") % 1000 == 0)

RULES = {
    "plain": Page(["A day at the market", *prose(0)], "\n".join(prose(0))),
    "no address": Page(prose(1), ("c4.urls", "c4/no_url", None, None), url=""),
    "no content": Page(["Content-Type: text/html", "", "WARC is a format."], ("c4.urls", "c4/no_content", 0, 1)),
    "no time": Page(prose(3), ("c4.urls", "c4/no_timestamp", None, None), date=None),
    "no such time": Page(prose(3), ("c4.urls", "c4/no_timestamp", None, None), date="last Thursday"),
    "too long": Page(padded(prose(4), 190_001), ("c4.urls", "c4/too_long", 190_001, 190_000)),
    "just short enough": Page(padded(prose(5), 190_000), "\n".join(prose(5))),
    "lines": Page(
        [
            *prose(6),
            "This line has no end mark at all",
            "And this line just ends like this...",
            "Too few words here.",
            "Please enable JavaScript in your browser now.",
            "We use cookies on this page every day.",
            "x" * 1001 + " is a long word in this line.",
            "The river is long [1] and quite deep[citation needed].",
            "The mountain is very high indeed. [2]",
            "{ open the menu of this page",
            "Lorem ipsum dolor sit amet",
            "This javascript line has a { in it too.",
        ],
        "\n".join([*prose(6), "The river is long  and quite deep."]),
    ),
    "lorem ipsum": Page(
        ["Home", *prose(7), "Here comes Lorem Ipsum to fill the page."],
        ("c4.cleaned", "c4/lorem_ipsum", None, None),
    ),
    "curly bracket": Page(
        [*prose(8), "The function begins with { and ends later.", "This line has no end mark"],
        ("c4.cleaned", "c4/curly_bracket", None, None),
    ),
    "no line left": Page(["Home", "About us"], ("c4.cleaned", "c4/no_line_left", 0, 1)),
    "two sentences": Page(prose(9)[:2], ("c4.cleaned", "c4/few_sentences", 2, 3)),
    "three sentences in the title line": Page(
        ["The cat sat on the mat. The dog lay on the rug. The bird flew over the house."],
        "The cat sat on the mat. The dog lay on the rug. The bird flew over the house.",
    ),
    "German": Page(german(1), ("c4.documents", "language/not_wanted", None, None)),
    "numbers": Page(
        ["1 2 3 4 5!", "6 7 8 9 10!", "11 12 13 14 15!"], ("c4.documents", "language/unidentified", 0, 0.99)
    ),
    "two languages": Page([*prose(10), *german(2)], ("c4.documents", "language/low_score", 0.857143, 0.99)),
    "bad word": Page(
        [*prose(11), "What a gribble that was, they all said."], ("c4.documents", "bad_words/found", None, None)
    ),
    "bad word inside another": Page(
        [*prose(12), "What gribbles they were, they all said."],
        "\n".join([*prose(12), "What gribbles they were, they all said."]),
    ),
    "validation": Page(prose(13), "\n".join(prose(13)), url=VALIDATION),
}

ACROSS = {
    "older": Page(prose(20), ("c4.cleaned", "c4/duplicate_url", None, None), "http://www.example.org/news/", OLD),
    "newest, first file": Page(prose(21), "\n".join(prose(21)), "http://example.org/news?utm_source=feed"),
    "newest, same file": Page(prose(22), ("c4.cleaned", "c4/duplicate_url", None, None), "https://example.org/news"),
    "newest, later file": Page(prose(23), ("c4.cleaned", "c4/duplicate_url", None, None), "http://example.org/news"),
    "older, later file": Page(prose(24), ("c4.cleaned", "c4/duplicate_url", None, None), "http://example.org/t", OLD),
    "newer, last file": Page(prose(25), "\n".join(prose(25)), "http://example.org/t"),
    "old but not too long": Page(prose(26), "\n".join(prose(26)), "http://example.org/long", OLD),
    "new but too long": Page(
        padded(prose(27), 200_000), ("c4.urls", "c4/too_long", 200_000, 190_000), "http://example.org/long"
    ),
    "shares a line, not the smallest": Page(
        [*prose(28), "This line stands on two pages of the crawl."], "\n".join(prose(28)), SHARED[1]
    ),
    "shares a line, the smallest": Page(
        [*prose(29), "  THIS line stands on two pages of the crawl. "],
        "\n".join([*prose(29), "THIS line stands on two pages of the crawl."]),
        SHARED[0],
    ),
    "copied lines": Page(prose(30), ("c4.scored", "c4/only_duplicate_lines", 0, 1), COPIED[1]),
    "all lines, and more": Page(
        [*prose(30), "And there was more to tell."], "\n".join([*prose(30), "And there was more to tell."]), COPIED[0]
    ),
    "one line is a copy": Page([*prose(31)], ("c4.scored", "c4/few_sentences_left", 2, 3), FEW[1]),
    "has that line": Page([*prose(32), prose(31)[1].upper()], "\n".join([*prose(32), prose(31)[1].upper()]), FEW[0]),
    "a line three times": Page(
        [*prose(33), prose(33)[0].upper(), prose(33)[0]],
        "\n".join(prose(33)),
    ),
}

#: Files of the crawl by name; the names decide which copy comes first where the times do not.
FILES = {
    "A/a.warc.wet": list(RULES),
    "A/b.warc.wet.gz": [name for name in ACROSS if name not in {"newest, later file", "newer, last file"}],
    "B/c.warc.wet": ["newest, later file", "newer, last file"],
}
PAGES = {**RULES, **ACROSS}
for number, page in enumerate(PAGES.values()):
    page.number = number
    page.url = f"http://example.org/page-{number}" if page.url is None else page.url or None

TITLE = "The town was quiet on the morning of the fair."
HTML = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    + f"<title>{TITLE}</title><p>{'<p>'.join(prose(40))}<p>Imprint".encode()
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\nnothing"


def write_world(root: Path, record: Callable[..., bytes]) -> None:
    for name, pages in FILES.items():
        records = []
        for page in (PAGES[page] for page in pages):
            block = "".join(f"{line}\n" for line in page.lines).encode()
            fields = {"WARC-Target-URI": page.url, "WARC-Date": page.date}
            records.append(record(block, number=page.number, fields=fields))
        write_file(root / name, records)
    more = [
        record(b"isPartOf: A\r\n", kind="warcinfo", number=900, fields={"WARC-Target-URI": None}),
        record(HTML, kind="response", number=901, fields={"Content-Type": "application/http", "WARC-Date": NEW}),
        record(NOT_FOUND, kind="response", number=902, fields={"Content-Type": "application/http"}),
        record(b"broken \xff\xfe text.\n", number=903),
    ]
    write_file(root / "B" / "d.warc", more)
    (root / "words.txt").write_text("gribble\n\nfrabjous day\n")


def write_file(path: Path, records: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    zipped = path.suffix == ".gz"
    path.write_bytes(b"".join(gzip.compress(one, mtime=0) if zipped else one for one in records))


def write_config(path: Path, data: Path, batch_bytes: int, **asked: Any) -> str:
    values = {
        "data": str(data),
        "batch_bytes": batch_bytes,
        "sources": {"c4": asked},
        "tokenizer": None,
        "tokens": None,
    }
    path.write_text(json.dumps(values))  # JSON is YAML
    return str(path)


def drive(output: Path, data: Path, *, batch_bytes: int = 32 << 20, workers: int = 1, **options: Any) -> Run:
    """Run the source alone; what is no option of the launch is a setting of C4."""
    others = {key: options.pop(key) for key in ("accept_code_change", "console") if key in options}
    run = launching.launch(
        write_config(output.parent / "c4.yaml", data, batch_bytes, **options),
        output=str(output),
        workers=workers,
        bytes_per_worker=1,
        **{"console": Console(quiet=True), **others},
    )
    assert list(run.results) == c4.stages(C4Settings.model_validate(options))
    return run


DUMPS = ({"id": "A", "paths": ("A",)}, {"id": "B", "paths": ("B",)})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, record: Callable[..., bytes]) -> Path:
    root = tmp_path_factory.mktemp("world")
    write_world(root, record)
    return root


@pytest.fixture(scope="module")
def rebuilt(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    output = tmp_path_factory.mktemp("rebuilt") / "run"
    return drive(output, world, dumps=DUMPS, bad_words="words.txt")


def kept(run: Run | Path) -> dict[str, dict[str, Any]]:
    folder = Path(run.folder if isinstance(run, Run) else run)
    rows = ds.dataset(folder / "documents" / "c4").to_table().to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def dropped(run: Run) -> dict[str, dict[str, Any]]:
    rows = ds.dataset(Path(run.folder) / "dropped" / "c4").to_table().to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if isinstance(page.fate, str)])
def test_a_page_is_kept_with_the_lines_that_no_rule_removes(name: str, rebuilt: Run) -> None:
    page = PAGES[name]
    row = kept(rebuilt)[page.id]
    assert row["text"] == page.fate
    assert (row["url"], row["source"], row["language"], row["created"]) == (page.url, "c4", "en", page.date)
    assert page.id not in dropped(rebuilt)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if not isinstance(page.fate, str)])
def test_a_page_is_dropped_by_the_first_rule_it_breaks(name: str, rebuilt: Run) -> None:
    page = PAGES[name]
    stage, reason, measured, limit = page.fate
    row = dropped(rebuilt)[page.id]
    assert (row["stage"], row["reason"], row["url"], row["limit"]) == (stage, reason, page.url or "", limit)
    assert row["measured"] == (None if measured is None else pytest.approx(measured, abs=1e-5))
    assert page.id not in kept(rebuilt)


def test_a_dropped_page_keeps_the_text_it_had_when_it_was_dropped(rebuilt: Run) -> None:
    assert dropped(rebuilt)[PAGES["curly bracket"].id]["text"] == "\n".join(PAGES["curly bracket"].lines)
    assert dropped(rebuilt)[PAGES["one line is a copy"].id]["text"] == "\n".join([prose(31)[0], prose(31)[2]])


def test_the_title_of_a_web_page_is_the_first_line_of_its_text(rebuilt: Run) -> None:
    row = kept(rebuilt)["c4/" + UUID.format(901)]
    assert row["text"] == "\n".join([TITLE, *prose(40)])
    assert row["metadata"]["title"] is None
    assert row["metadata"]["dump"] == "B"


def test_lines_and_characters_are_counted_before_the_rules(rebuilt: Run) -> None:
    lines = [line for line in PAGES["lines"].lines if line.strip()]
    found = kept(rebuilt)[PAGES["lines"].id]["metadata"]
    assert (found["original_lines"], found["original_chars"]) == (14, len("\n".join(lines)))
    assert found["language_score"] > 0.99


def test_one_page_in_a_thousand_is_for_validation_by_the_md5_of_its_address(rebuilt: Run) -> None:
    assert {row["url"] for row in kept(rebuilt).values() if row["metadata"]["split"] == "validation"} == {VALIDATION}
    assert {row["metadata"]["split"] for row in kept(rebuilt).values()} == {"validation", "train"}


def test_records_that_are_no_pages_are_dropped_and_broken_ones_are_errors(rebuilt: Run) -> None:
    found = dropped(rebuilt)
    assert found["c4/" + UUID.format(900)]["reason"] == "warc/warcinfo"
    assert found["c4/" + UUID.format(902)]["reason"] == "warc/http_status"
    (file,) = (Path(rebuilt.folder) / "errors" / "c4").iterdir()
    (error,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (error["cause"], error["shard"], error["is_record"]) == ("wet/invalid_utf8", "B~d.warc", True)


def stats(run: Run, stage: str) -> dict[str, Any]:
    whole = json.loads((Path(run.folder) / "stats" / f"{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in whole.pop("seconds").values())
    return whole


def size(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def whole_texts(names: Sequence[str]) -> list[str]:
    """The texts of pages as C4 takes them out of their blocks; of none that has lines like headers."""
    return ["\n".join(line.strip() for line in PAGES[name].lines) for name in names]


HTML_TEXT = "\n".join([TITLE, *prose(40), "Imprint"])
INCOMPLETE = [name for name, page in PAGES.items() if page.fate[0] == "c4.urls"]
COMPLETE = [name for name in PAGES if name not in INCOMPLETE]
ENTERED_SCORED = [
    name for name, page in PAGES.items() if isinstance(page.fate, str) or page.fate[0] in {"c4.scored", "c4.documents"}
]


def cleaned_texts() -> list[str]:
    """What cleaning leaves of the pages, before lines are compared: all of their lines but of the page ``lines``."""
    wanted = {
        "plain": prose(0),
        "just short enough": prose(5),
        "lines": [*prose(6), "The river is long  and quite deep."],
    }
    lines = [wanted.get(name, PAGES[name].lines) for name in ENTERED_SCORED]
    return ["\n".join(line.strip() for line in of_page) for of_page in [*lines, [TITLE, *prose(40)]]]


def test_every_stage_accounts_for_every_page_and_line(rebuilt: Run) -> None:
    # The page without content has no text: its lines look like headers.
    read_bytes = size(whole_texts([name for name in PAGES if name != "no content"])) + size([HTML_TEXT])
    complete_bytes = size(whole_texts(COMPLETE)) + size([HTML_TEXT])
    assert stats(rebuilt, c4.URLS) == {
        "stage": "c4.urls",
        "counts": "records",
        "shards": 4,
        "batches": 4,
        "read": 38,
        "kept": 29,
        "dropped": {
            "c4/no_content": 1,
            "c4/no_timestamp": 2,
            "c4/no_url": 1,
            "c4/too_long": 2,
            "warc/http_status": 1,
            "warc/warcinfo": 1,
        },
        "errors": {"wet/invalid_utf8": 1},
        "gaps": {},
        "bytes_in": read_bytes,
        "bytes_out": complete_bytes,
        "facts": {"lines": 0},
    }
    assert stats(rebuilt, c4.DUPLICATE_URLS) == {
        "stage": "c4.duplicate_urls",
        "counts": "documents",
        "shards": 4,
        "batches": 4,
        "read": 29,
        "kept": 25,
        "dropped": {"ids/duplicate": 4},
        "errors": {},
        "gaps": {},
        "bytes_in": 0,
        "bytes_out": 0,
        "facts": {},
    }
    assert stats(rebuilt, c4.CLEANED) == {
        "stage": "c4.cleaned",
        "counts": "documents",
        "shards": 4,
        "batches": 4,
        "read": 29,
        "kept": 21,
        "dropped": {
            "c4/curly_bracket": 1,
            "c4/duplicate_url": 4,
            "c4/few_sentences": 1,
            "c4/lorem_ipsum": 1,
            "c4/no_line_left": 1,
        },
        "errors": {},
        "gaps": {},
        "bytes_in": complete_bytes,
        "bytes_out": size(cleaned_texts()),
        "facts": {
            "lines": 74,
            "lines_few_words": 1,
            "lines_javascript": 2,
            "lines_long_word": 2,
            "lines_no_end_mark": 10,
            "lines_policy": 1,
        },
    }
    assert stats(rebuilt, c4.DUPLICATE_LINES) == {
        "stage": "c4.duplicate_lines",
        "counts": "lines",
        "shards": 4,
        "batches": 4,
        "read": 74,
        "kept": 67,
        "dropped": {"lines/duplicate": 5, "lines/repeated": 2},
        "errors": {},
        "gaps": {},
        "bytes_in": 0,
        "bytes_out": 0,
        "facts": {},
    }
    scored = [row["text"] for row in dropped(rebuilt).values() if row["stage"] == "c4.documents"]
    documents = [row["text"] for row in kept(rebuilt).values()]
    assert stats(rebuilt, c4.SCORED) == {
        "stage": "c4.scored",
        "counts": "documents",
        "shards": 4,
        "batches": 4,
        "read": 21,
        "kept": 19,
        "dropped": {"c4/few_sentences_left": 1, "c4/only_duplicate_lines": 1},
        "errors": {},
        "gaps": {},
        "bytes_in": size(cleaned_texts()),
        "bytes_out": size([*documents, *scored]),
        "facts": {"lines": 74, "lines_removed": 7},
    }
    assert stats(rebuilt, c4.DOCUMENTS) == {
        "stage": "c4.documents",
        "counts": "documents",
        "shards": 4,
        "batches": 4,
        "read": 19,
        "kept": 15,
        "dropped": {
            "bad_words/found": 1,
            "language/low_score": 1,
            "language/not_wanted": 1,
            "language/unidentified": 1,
        },
        "errors": {},
        "gaps": {},
        "bytes_in": size([*documents, *scored]),
        "bytes_out": size(documents),
        "facts": {},
    }


def test_two_workers_and_another_order_of_files_change_no_byte(
    world: Path, tmp_path: Path, digests: Digests, rebuilt: Run
) -> None:
    asked = {"bad_words": "words.txt", "batch_bytes": 4096}
    turned = ({"id": "B", "paths": ("B/d*", "B/*.wet")}, {"id": "A", "paths": ("A/b.warc.wet.gz", "A/**", "A/a*")})
    one = drive(tmp_path / "one", world, dumps=DUMPS, **asked)
    two = drive(tmp_path / "two", world, dumps=turned, workers=2, **asked)
    assert stats(one, c4.CLEANED)["batches"] > 8
    assert digests(one.folder, EVERYTHING) == digests(two.folder, EVERYTHING)
    assert kept(one) == kept(rebuilt)


def test_many_passes_find_what_one_pass_finds(
    world: Path, tmp_path: Path, digests: Digests, monkeypatch: pytest.MonkeyPatch, rebuilt: Run
) -> None:
    plan, passes = c4.plan_passes, []

    def tiny(files: Any, max_bytes: int | None) -> Any:
        passes.append(len(plan(files, 300)))
        return plan(files, 300)

    monkeypatch.setattr(c4, "plan_passes", tiny)
    many = drive(tmp_path / "many", world, dumps=DUMPS, bad_words="words.txt")
    assert passes == [2, 4]  # 29 addresses and 74 lines, 16 bytes each
    assert digests(many.folder, EVERYTHING) == digests(rebuilt.folder, EVERYTHING)


def test_killed_in_each_stage_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    world: Path, tmp_path: Path, digests: Digests
) -> None:
    asked = {"dumps": DUMPS, "bad_words": "words.txt", "batch_bytes": 2048}
    undisturbed = drive(tmp_path / "undisturbed", world, **asked)
    output = tmp_path / "killed"
    config = write_config(tmp_path / "killed.yaml", world, **asked)
    for stage in (c4.URLS, c4.CLEANED, c4.SCORED):
        before = run_killed([config, "--accept-code-change"], output, stage, 3)
        assert len(before) == 3 < len(commit_times(undisturbed.folder, stage))
    drive(output, world, accept_code_change=True, **asked)
    assert {name: commit_times(output, c4.SCORED)[name] for name in before} == before, (
        "committed batches were made again"
    )
    assert digests(output, EVERYTHING) == digests(undisturbed.folder, EVERYTHING)
    assert not list(output.rglob("*.partial"))


SPANNED = by_md5("spans-one", "spans-two")
ONE, TWO, THREE = "The cat sat on the mat.", "The dog lay on the rug.", "The bird flew over the house."


def span_world(root: Path, record: Callable[..., bytes]) -> None:
    """Two pages that share three sentences, on one line here and on two there; one that shares only two of them."""
    pages = [
        (SPANNED[1], [f"{prose(50)[0]} {ONE}", f"{TWO}  {THREE.upper()}", *prose(50)[1:]]),
        (SPANNED[0], [*prose(51), f"{ONE} {TWO} {THREE}"]),
        ("http://example.org/two-of-three", [*prose(52), f"{ONE} {TWO} Nobody saw it fly."]),
    ]
    records = [
        record("".join(f"{line}\n" for line in lines).encode(), number=number, fields={"WARC-Target-URI": url})
        for number, (url, lines) in enumerate(pages)
    ]
    write_file(root / "A" / "a.warc.wet", records)


def test_with_spans_three_sentences_in_a_row_stay_on_one_page(tmp_path: Path, record: Callable[..., bytes]) -> None:
    span_world(tmp_path, record)
    run = drive(tmp_path / "run", tmp_path, dumps=({"id": "A", "paths": ("A",)},), dedup="spans")
    texts = [row["text"] for _, row in sorted(kept(run).items())]
    assert texts == [
        "\n".join(prose(50)),
        "\n".join([*prose(51), f"{ONE} {TWO} {THREE}"]),
        "\n".join([*prose(52), f"{ONE} {TWO} Nobody saw it fly."]),
    ]
    found = stats(run, c4.DUPLICATE_SPANS)
    assert (found["counts"], found["read"], found["dropped"]) == ("spans", 12, {"lines/duplicate": 1})
    assert stats(run, c4.SCORED)["facts"] == {"lines": 12, "lines_removed": 1}


def test_without_deduplication_lines_stay_wherever_they_stand(tmp_path: Path, record: Callable[..., bytes]) -> None:
    span_world(tmp_path, record)
    lines = "".join(f"{line}\n" for line in prose(51)).encode()
    write_file(tmp_path / "A" / "b.warc.wet", [record(lines, number=9)])
    run = drive(tmp_path / "run", tmp_path, dumps=({"id": "A", "paths": ("A",)},), dedup="none")
    assert c4.DUPLICATE_LINES not in run.results
    assert kept(run)["c4/" + UUID.format(9)]["text"] == "\n".join(prose(51))
    assert len(kept(run)) == 4


def test_a_run_without_a_list_of_bad_words_says_so_in_one_line(world: Path, tmp_path: Path) -> None:
    with open(tmp_path / "said.txt", "w", encoding="utf-8") as said:
        run = drive(tmp_path / "run", world, dumps=DUMPS, console=Console(file=said))
    lines = [line for line in (tmp_path / "said.txt").read_text().splitlines() if "bad_words" in line]
    assert lines == ["c4.documents: sources.c4.bad_words is null: pages are kept whatever words they hold"]
    assert PAGES["bad word"].id in kept(run)


def test_fasttext_may_identify_the_language_in_its_place(world: Path, tmp_path: Path) -> None:
    asked = {"detector": "fasttext", "min_probability": 0.5}
    run = drive(tmp_path / "run", world, dumps=DUMPS, language=asked)
    assert PAGES["plain"].id in kept(run)
    assert kept(run)[PAGES["plain"].id]["metadata"]["language_score"] == round(
        kept(run)[PAGES["plain"].id]["metadata"]["language_score"], 2
    )
    assert dropped(run)[PAGES["German"].id]["reason"] == "language/not_wanted"
    card = json.loads((tmp_path / "run" / "models" / "c4_language" / "card.json").read_text())
    assert card["detector"] == "fasttext"


def test_another_threshold_for_the_language_identifies_nothing_again(world: Path, tmp_path: Path) -> None:
    drive(tmp_path / "run", world, dumps=DUMPS)
    before = {stage: commit_times(tmp_path / "run", stage) for stage in (c4.URLS, c4.CLEANED, c4.SCORED, c4.DOCUMENTS)}
    run = drive(tmp_path / "run", world, dumps=DUMPS, language={"min_probability": 0.5})
    after = {stage: commit_times(tmp_path / "run", stage) for stage in before}
    assert {stage for stage in before if before[stage] != after[stage]} == {c4.DOCUMENTS}
    assert PAGES["two languages"].id in kept(run)


def test_a_list_of_words_that_changes_is_applied_anew(world: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("nothing like it\n")
    run = drive(tmp_path / "run", world, dumps=DUMPS, bad_words=str(words))
    assert PAGES["bad word"].id in kept(run)
    words.write_text("gribble\n")
    run = drive(tmp_path / "run", world, dumps=DUMPS, bad_words=str(words))
    assert dropped(run)[PAGES["bad word"].id]["reason"] == "bad_words/found"


def test_an_input_that_loses_its_end_between_the_readings_stops_the_run(
    tmp_path: Path, record: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    span_world(tmp_path, record)
    read = c4.steps.read_shard_again

    def shorter(shard: Any, **options: Any) -> Any:
        first, _ = read(shard, **options)
        first.last = True
        yield first

    monkeypatch.setattr(c4.steps, "read_shard_again", shorter)
    message = (
        r"c4\.cleaned: shard A~a.warc.wet: 1 pages when it was fingerprinted, 0 when read again: the input changed"
    )
    with pytest.raises(RunFailed, match=message):
        drive(tmp_path / "run", tmp_path, batch_bytes=1024, dumps=({"id": "A", "paths": ("A",)},))


def test_an_input_whose_pages_change_in_number_stops_the_run(
    tmp_path: Path, record: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    span_world(tmp_path, record)
    read = c4.steps.read_shard_again

    def shorter(shard: Any, **options: Any) -> Any:
        for batch in read(shard, **options):
            batch.documents, batch.read = batch.documents[1:], batch.read - 1
            yield batch

    monkeypatch.setattr(c4.steps, "read_shard_again", shorter)
    with pytest.raises(RunFailed, match=r"2 documents read again, 3 were fingerprinted: has the input changed\?"):
        drive(tmp_path / "run", tmp_path, dumps=({"id": "A", "paths": ("A",)},))


PUBLISHED = [
    {"text": "Not a word is changed\n\n here, {nor} a line", "timestamp": "2019-04-25T12:57:54Z", "url": "http://a.b/"},
    {"text": "Second page.", "timestamp": "2019-04-25T12:57:55Z", "url": VALIDATION},
]


def test_published_pages_pass_as_they_are(tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in PUBLISHED) + '{"text": "", "timestamp": "", "url": ""}\n{"text"\n'
    (tmp_path / "c4-train.00000.json.gz").write_bytes(gzip.compress(lines.encode()))
    run = drive(tmp_path / "run", tmp_path, paths=("*.json.gz",))
    rows = kept(run)
    assert {name: row["text"] for name, row in rows.items()} == {
        "c4/c4-train.00000.json.gz:1": PUBLISHED[0]["text"],
        "c4/c4-train.00000.json.gz:2": PUBLISHED[1]["text"],
    }
    assert [row["metadata"]["split"] for _, row in sorted(rows.items())] == ["train", "validation"]
    assert {row["language"] for row in rows.values()} == {"en"}
    assert stats(run, c4.DOCUMENTS) == {
        "stage": "c4.documents",
        "counts": "records",
        "shards": 1,
        "batches": 1,
        "read": 4,
        "kept": 2,
        "dropped": {"c4_file/empty": 1},
        "errors": {"c4/bad_json": 1},
        "gaps": {},
        "bytes_in": size([row["text"] for row in PUBLISHED]),
        "bytes_out": size([row["text"] for row in PUBLISHED]),
        "facts": {},
    }


def test_published_files_of_one_name_are_refused_since_their_pages_would_share_ids(tmp_path: Path) -> None:
    for folder in ("en", "en.noblocklist"):
        write_file(tmp_path / folder / "c4-train.00000.json", [b"{}\n"])
    with pytest.raises(SettingsError) as error:
        c4.list_inputs(C4Settings(paths=("**/*.json",)), str(tmp_path))
    assert str(error.value) == ("sources.c4.paths: 2 files are called c4-train.00000.json; their pages would share ids")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"bad_words": "none.txt"}, "sources.c4.bad_words: .*none.txt"),
        ({"bad_words": "empty.txt"}, "sources.c4.bad_words: the list of bad words is empty.*empty.txt"),
        ({"bad_words": "latin.txt"}, "sources.c4.bad_words: 'utf-8' codec can't decode.*latin.txt"),
        (
            {"language": {"detector": "fasttext"}, "language_model": {"model": "none.bin"}},
            "sources.c4.language_model.model: .*none.bin",
        ),
        ({"dumps": ({"id": "A", "paths": ("none",)},)}, "sources.c4.dumps.0.paths.0: no file matches .*none"),
    ],
)
def test_what_is_not_there_is_one_line_before_anything_starts(
    asked: dict[str, Any], message: str, world: Path, tmp_path: Path
) -> None:
    for name, content in {"empty.txt": b"\n \n", "latin.txt": b"caf\xe9\n"}.items():
        write_file(tmp_path / name, [content])
    dump = {"id": "A", "paths": (str(world / "A"),)}
    settings = C4Settings.model_validate({"dumps": (dump,), **asked})
    with pytest.raises(SettingsError, match=f"^{message}$"):
        c4.list_inputs(settings, str(tmp_path))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "give either paths, the published C4, or dumps"),
        ({"paths": ("a",), "dumps": DUMPS}, "give either paths, the published C4, or dumps"),
        ({"dumps": (DUMPS[0], DUMPS[0])}, r"dumps must have different ids, not \['A', 'A'\]"),
        ({"paths": ("a",), "dedup": "spans"}, "dedup has no effect on paths, the published C4"),
        ({"paths": ("a",), "bad_words": "a.txt"}, "bad_words has no effect on paths"),
        ({"dumps": DUMPS, "dedup": "pages"}, "'lines', 'spans' or 'none'"),
        ({"dumps": DUMPS, "max_shuffle_bytes": (1 << 20) - 1}, "greater than or equal to 1048576"),
        ({"dumps": DUMPS, "min_words": 3}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        C4Settings.model_validate(asked)


def test_settings_written_out_can_be_read_again() -> None:
    for asked in ({"paths": ("a",), "language": {"language": "de"}}, {"dumps": DUMPS, "dedup": "spans"}):
        settings = C4Settings.model_validate(asked)
        assert C4Settings.model_validate(settings.model_dump(mode="json")) == settings


def test_no_text_is_shuffled(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "Engine", Recorded)
    Recorded.shuffled.clear()
    drive(tmp_path / "run", world, dumps=DUMPS, bad_words="words.txt")
    plain, shuffle = {"Spread"}, {"Spread", "Meet", "Gather"}
    assert Recorded.shuffled == [plain, shuffle, plain, shuffle, plain, plain]
