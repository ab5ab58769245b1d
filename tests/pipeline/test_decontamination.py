"""Decontamination in a run: evaluation sets of every format, what is found, what leaves, and what runs again."""

import gzip
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard
from rich.console import Console

from filters.decontamination import Origins, SharedNgrams
from filters.ngram_words import Words, hash_words, split_words
from pipeline import decontamination, decontamination_search, decontamination_sets
from pipeline.decontamination_items import Item, list_sets, read_items
from pipeline.decontamination_search import count_documents, read_text_buffers, shared_to_bytes
from pipeline.decontamination_settings import DecontaminationSettings, EvaluationSet
from pipeline.decontamination_verdicts import mark_documents
from pipeline.document import Document, MalformedRecord, Shard
from pipeline.jsonlines import documents_from_jsonl, export_documents
from pipeline.launch import launch
from pipeline.parquet import documents_to_parquet
from pipeline.run import Run, RunFailed
from pipeline.runner import Engine
from pipeline.settings import RunSettings, SettingsError
from pipeline.why import fates

ROWS = [{"id": "a", "text": "one two"}, {"id": "b", "text": "three"}]
ITEMS = [("a", ("a", "one two")), ("b", ("b", "three"))]
NUMBERS = [f"number{place}" for place in range(16)]


def items_of(folder: Path, name: str, content: bytes, **asked: Any) -> list[tuple[str, Any]]:
    """Each row as its id and texts, a fault as its cause."""
    (folder / name).write_bytes(content)
    shard = Shard("evaluation", f"s~{name}", str(folder / name), len(content), "s", below=name)
    found = read_items(shard, EvaluationSet(id="s", paths=("x",), **asked))
    return [(one.id, one.texts) if isinstance(one, Item) else (one.cause, one.is_record) for one in found]


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: list[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def latin1_column() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"qqqq": ["one"]}), sink, store_schema=False)
    return sink.getvalue().replace(b"qqqq", b"qq\xe9q")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("x.jsonl", lines(ROWS), id="jsonl"),
        pytest.param("x.jsonl.gz", gzip.compress(lines(ROWS)), id="jsonl.gz"),
        pytest.param("x.jsonl.zst", zstandard.compress(lines(ROWS)), id="jsonl.zst"),
        pytest.param("x.json", json.dumps(ROWS).encode(), id="array"),
        pytest.param("x.json", lines(ROWS), id="lines called json"),
        pytest.param("x.csv", b'id,text\r\na,"one two"\r\nb,three\r\n', id="csv"),
        pytest.param("x.tsv", b"\xef\xbb\xbfid\ttext\na\tone two\nb\tthree\n", id="tsv"),
        pytest.param("x.parquet", parquet(ROWS), id="parquet"),
    ],
)
def test_items_are_the_same_from_every_format(name: str, content: bytes, tmp_path: Path) -> None:
    assert items_of(tmp_path, name, content) == ITEMS
    assert items_of(tmp_path, name, content, fields=("text",), id_field="text") == [
        ("one two", ("one two",)),
        ("three", ("three",)),
    ]


def test_the_items_of_a_text_are_its_paragraphs(tmp_path: Path) -> None:
    content = b"one\r\ntwo\r\n\r\n\r\nthree\n"
    assert items_of(tmp_path, "x.txt", content) == [("x.txt:0", ("one\ntwo",)), ("x.txt:1", ("three",))]


def test_fields_lead_through_objects_and_lists_and_default_to_texts_at_the_top(tmp_path: Path) -> None:
    row = {"q": "why", "n": 3, "choices": ["x", "y", 4], "deep": {"lists": [{"t": "p"}, {"t": ["q", 1]}, {}]}}
    assert items_of(tmp_path, "x.json", json.dumps(row).encode()) == [("x.json:0", ("why", "x", "y"))]
    found = items_of(tmp_path, "x.json", json.dumps(row).encode(), fields=("deep.lists.t", "q"), id_field="n")
    assert found == [("3", ("p", "q", "why"))]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.jsonl", b'{"id": "a"}\n{"id": \n[1]\n\xff\n\n{"id": "b"}\n',
         ["a", "bad_json", "bad_json", "invalid_utf8", "b"]),
        ("x.jsonl.gz", gzip.compress(b'{"id": "a"}\n' * 3)[:-8], None),
        ("x.json", b"[1, {}]", ["bad_json", "x.json:1"]),
        ("x.json", b"{", ["bad_json"]),
        ("x.csv", b"id,text\na,b\nc\nd,e,f\n", ["a", "bad_row", "bad_row"]),
        ("x.csv", b"id,text\n\xff,b\n", ["invalid_utf8"]),
        ("x.csv", b"text,id,text\none,a,two\n", ["duplicate_column"]),
        ("x.jsonl", b'{"id": "\\ud800x", "text": "one"}\n', ["?x"]),
        ("x.parquet", b"PAR1, it says", ["bad_parquet"]),
        ("x.parquet", latin1_column(), ["bad_parquet"]),
    ],
    ids=["lines", "cut gzip", "array", "object", "columns", "latin1", "one name twice", "half a pair", "parquet",
         "latin1 name"],
)  # fmt: skip
def test_what_cannot_be_read_is_counted_and_the_rest_is_read(
    name: str, content: bytes, expected: list[str] | None, tmp_path: Path
) -> None:
    found = [name.removeprefix("evaluation/") for name, _ in items_of(tmp_path, name, content)]
    assert found == expected if expected is not None else found[-1] == "bad_gzip"


def test_texts_are_read_as_views_whatever_their_length(tmp_path: Path) -> None:
    texts = ["", "ä" * 3, "", "x" * 70_000, "漢"]
    path = tmp_path / "part.parquet"
    path.write_bytes(documents_to_parquet([Document(str(at), "s", text) for at, text in enumerate(texts)]))
    assert [bytes(view).decode() for view in read_text_buffers(str(path))] == texts


def places(*pairs: tuple[int, int]) -> SharedNgrams:
    documents, ngrams = np.array(pairs, np.int64).reshape(-1, 2).T
    counts = np.full(documents.max(initial=-1) + 1, 20, np.int64)
    return SharedNgrams(documents, np.arange(len(pairs)), ngrams, counts)


def test_documents_are_counted_once_for_each_ngram(tmp_path: Path) -> None:
    files = [places((0, 5), (0, 5), (0, 2), (3, 5)), places((0, 5), (1, 1))]
    for number, found in enumerate(files):
        (tmp_path / str(number)).write_bytes(shared_to_bytes(found))
    counts = count_documents([str(tmp_path / str(number)) for number in range(2)], 7)
    assert counts.tolist() == [0, 1, 1, 0, 0, 3, 0]


def test_a_text_is_held_and_split_once_however_many_ngrams_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [" ".join(f"{name}{number}" for number in range(5000)) for name in "ab"]
    owners = np.arange(4000) % 2  # in the order of their hashes, those of both texts are mixed
    origins = Origins(owners.astype(np.uint32), np.arange(4000, dtype=np.uint32), np.full(4000, 2, np.uint8))
    rows = pa.table({"set": ["s", "t"], "item": ["1", "2"], "text": texts})
    (tmp_path / "found").write_bytes(shared_to_bytes(places((0, 7), (0, 8), *((1, at) for at in range(100, 4000)))))
    asked: list[str] = []
    monkeypatch.setattr(decontamination_search, "read_origins", lambda _: (origins, rows))
    monkeypatch.setattr(decontamination_search, "split_words", lambda text: asked.append(text) or split_words(text))
    tracemalloc.start()
    decontamination_search.count_and_write(str(tmp_path), [str(tmp_path / "found")], None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert asked == texts
    assert peak < 200 * sum(map(len, texts))  # a copy for each n-gram would be 2,000 times
    written = pq.read_table(tmp_path / decontamination_search.MATCHED_PATH).to_pylist()
    assert [(row["set"], row["item"], row["words"]) for row in written[:3]] == [
        ("t", "2", "b7 b8"),
        ("s", "1", "a8 a9"),
        ("s", "1", "a100 a101"),
    ]
    assert len(written) == 3902


def test_texts_of_evaluation_sets_are_hashed_some_bytes_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sizes: list[int] = []

    def watched(texts: Sequence[bytes]) -> Words:
        sizes.append(sum(map(len, texts)))
        return hash_words(texts)

    monkeypatch.setattr(decontamination_sets, "hash_words", watched)
    (tmp_path / "long.jsonl").write_bytes(lines([{"q": "word " * 40_000}] * 5))
    gather(tmp_path, {"sets": [{"id": "long", "paths": ["long.jsonl"]}]})
    assert sizes == [600_000, 400_000]  # cut once 512 KiB are reached


def gather(folder: Path, settings: dict[str, Any]) -> str:
    """Run decontamination's stages without any document, and give what was said."""
    asked = DecontaminationSettings.model_validate(settings)
    config = {
        "name": "t",
        "data": str(folder),
        "sources": {"c4": {"paths": ["*.json.gz"]}},
        "decontamination": settings,
    }
    said = io.StringIO()
    run = Run(str(folder / "run"), RunSettings.model_validate(config), Engine(1), Console(file=said, width=500))
    run.execute(decontamination.recipe(run, asked, list_sets(asked, str(folder)), {}))
    return said.getvalue()


def test_a_set_that_nothing_is_looked_for_of_beside_others_is_said_each_time(tmp_path: Path) -> None:
    squad = {"version": "1.1", "data": [{"paragraphs": [{"context": ITEM}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(squad))
    (tmp_path / "made.jsonl").write_bytes(lines([{"q": ITEM}]))
    sets: list[dict[str, Any]] = [{"id": "made", "paths": ["made.jsonl"]}, {"id": "squad", "paths": ["squad.json"]}]
    warning = (
        "evaluation_ngrams: no text of squad is looked for: none is long enough; "
        "does decontamination.sets.1.fields name its texts?\n"
    )
    for _ in range(2):
        said = gather(tmp_path, {"sets": sets})
        assert warning in said
        assert "no text of made" not in said
    sets[1]["fields"] = ["data.paragraphs.context"]
    assert "is looked for" not in gather(tmp_path, {"sets": sets})


def test_a_document_is_judged_by_the_ngrams_that_count() -> None:
    matched = pa.table(
        {
            "ngram": pa.array([1, 4, 6], pa.uint32()),
            "too_frequent": [False, True, False],
            "set": ["s", "s", "t"],
            "item": ["1", "4", "6"],
            "words": ["w1", "w4", "w6"],
        }
    )
    found = places((0, 4), (0, 6), (0, 1), (2, 4), (5, 1))
    found = SharedNgrams(found.documents, found.words, found.ngrams, np.array([30, 10, 20], np.int64))
    documents, marks = mark_documents(found, matched, 0)
    assert documents == [0, 5]
    assert marks == {
        "shared_ngrams": [2, 1], "words": [30, 20], "set": ["t", "s"], "item": ["6", "1"], "ngram": ["w6", "w1"],
    }  # fmt: skip
    assert mark_documents(found, matched, 1)[0] == [0]
    assert mark_documents(found, matched, 2)[0] == []


ITEM = " ".join(NUMBERS[1:15])  # fourteen words: two n-grams
TEXTS = {
    "clean": "A page that shares nothing with anybody. " * 3,
    "whole": f"Zero, {ITEM.upper()}!",
    "twelve": f"Zero {' '.join(NUMBERS[1:13])} and so on.",
    "thirteen": f"x {' '.join(NUMBERS[2:15])}",
    "short item": "they say: the answer, of course, is forty-two and a half, always",
    "across": " ".join(NUMBERS[1:9]),
    "phrase": "This phrase is printed on every page of the site by its owner's order.",
}
EVALUATION = {
    "whole": {"q": ITEM},
    "short": {"q": "The answer of course is fortytwo and a half"},
    "tiny": {"q": "The answer of course"},
}


class Small:
    """A run on C4's files of some pages, made in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pages = folder, dict(TEXTS)
        self.settings: dict[str, Any] = {"sets": [{"id": "made", "paths": ["*.jsonl"]}]}
        self.items: dict[str, Any] = dict(EVALUATION)
        self.ran: set[str] = set()  # stages that worked last

    def run(self) -> Run:
        for number in (0, 1):
            rows = list(self.pages.items())[number::2]
            pages = lines(
                [{"text": text, "url": f"http://{name}", "timestamp": "2019-04-25T12:57:54Z"} for name, text in rows]
            )
            (self.folder / f"c4-{number}.json.gz").write_bytes(gzip.compress(pages, mtime=0))
        (self.folder / "made.jsonl").write_bytes(
            lines([{"id": name, **row} for name, row in self.items.items()]) + b"{\n"
        )
        config = {
            "data": str(self.folder),
            "sources": {"c4": {"paths": ["*.json.gz"]}},
            "decontamination": self.settings,
            "tokenizer": {"vocab_size": 400, "sample_bytes": 1 << 16},
        }
        (self.folder / "small.yaml").write_text(yaml.safe_dump(config))
        before = self._commits()
        config = str(self.folder / "small.yaml")
        run = launch(config, output=str(self.folder / "run"), workers=1, console=Console(quiet=True))
        self.ran = {path.parts[-3] for path, when in self._commits().items() if before.get(path) != when}
        return run

    def _commits(self) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in self.folder.glob("run/work/*/commits/*.json")}

    def rows(self, folder: str) -> list[dict[str, Any]]:
        return list(ds.dataset(self.folder / "run" / folder, exclude_invalid_files=True).to_table().to_pylist())

    def dropped(self) -> dict[str, tuple[float, float, str]]:
        found = self.rows("dropped/c4")
        return {row["url"].removeprefix("http://"): (row["measured"], row["limit"], row["detail"]) for row in found}


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


def test_contaminated_documents_leave_the_tokens_and_everything_adds_up(small: Small) -> None:
    run = small.run()
    short = "made short: the answer of course is fortytwo and a half"
    assert small.dropped() == {
        "whole": (2, 0, f"made whole: {' '.join(NUMBERS[1:14])}"),
        "thirteen": (1, 0, f"made whole: {' '.join(NUMBERS[2:15])}"),
        "short item": (1, 0, short),
    }
    stats = {name: result.stats for name, result in run.results.items()}
    gathered = stats["evaluation_ngrams"]
    assert (gathered["read"], gathered["kept"]) == (4, 2)
    assert gathered["dropped"] == {"decontamination/too_short": 1}
    assert gathered["errors"] == {"evaluation/bad_json": 1}
    assert gathered["facts"] == {"texts": 6, "ngrams": 3, "texts_too_short": 4}
    assert stats["c4.shared_ngrams"]["facts"] == {
        "words": sum(len(split_words(text)) for text in TEXTS.values()),
        "sharing": 3,
    }
    assert (stats["matched_ngrams"]["read"], stats["matched_ngrams"]["kept"]) == (3, 3)
    judged = stats["c4.decontaminated"]
    assert (judged["read"], judged["kept"], judged["dropped"]) == (7, 4, {"decontamination/shared_ngram": 3})
    kept = [text for name, text in TEXTS.items() if name not in small.dropped()]
    assert judged["bytes_out"] == sum(len(text.encode()) for text in kept)
    assert stats["c4.tokens"]["read"] == 4
    assert stats["c4.tokens"]["bytes_in"] == judged["bytes_out"]
    assert len(small.rows("documents/c4")) == 7
    folder = str(small.folder / "run")
    (line,) = fates(folder, "http://whole")
    assert (
        "left out by c4.decontaminated: decontamination/shared_ngram, measured 2, limit 0, made whole: number1" in line
    )
    (line,) = fates(folder, "http://twelve")
    assert "kept, in " in line
    assert "marked" not in line
    assert exported(folder, small.folder / "out") == {name: None for name in TEXTS if name not in small.dropped()}


def exported(run: str, output: Path) -> dict[str, Any]:
    found = {}
    for path in export_documents(run, str(output)):
        content = zstandard.ZstdDecompressor().stream_reader(Path(path).read_bytes()).read().decode()
        for row in map(json.loads, content.splitlines()):
            found[row["metadata"]["url"].removeprefix("http://")] = row["metadata"].get("contaminated")
        with Path(path).open("rb") as stream:
            assert not [one for one in documents_from_jsonl(stream) if isinstance(one, MalformedRecord)]
    return found


def test_marked_documents_stay_and_are_said_to_be(small: Small) -> None:
    small.settings["action"] = "mark"
    run = small.run()
    assert run.results["c4.decontaminated"].stats["kept"] == run.results["c4.tokens"].stats["read"] == 7
    assert run.results["c4.decontaminated"].stats["facts"] == {"contaminated": 3}
    folder = str(small.folder / "run")
    (line,) = fates(folder, "http://whole")
    assert line.endswith(f"; marked: 2 n-grams shared with made whole: {' '.join(NUMBERS[1:14])}")
    marks = exported(folder, small.folder / "out")
    assert {name for name, mark in marks.items() if mark} == {"whole", "thirteen", "short item"}
    assert marks["thirteen"] == {
        "shared_ngrams": 1, "words": 14, "set": "made", "item": "whole", "ngram": " ".join(NUMBERS[2:15]),
    }  # fmt: skip


def test_an_ngram_of_as_many_documents_as_allowed_counts_and_of_one_more_does_not(small: Small) -> None:
    small.settings["max_documents"] = 3
    phrase = "this phrase is printed on every page of the site"
    small.items["phrase"] = {"q": phrase}
    small.pages |= {f"copy{number}": f"{TEXTS['phrase']} {number}" for number in range(2)}
    assert {"phrase", "copy0", "copy1"} <= set(small.run().results and small.dropped())
    small.pages["copy2"] = f"{TEXTS['phrase']} 2"
    run = small.run()
    assert set(small.dropped()) == {"whole", "thirteen", "short item"}
    assert run.results["matched_ngrams"].stats["dropped"] == {"decontamination/too_frequent": 1}
    report = (small.folder / "run" / "decontamination" / "frequent_ngrams.jsonl").read_text().splitlines()
    assert json.loads(report[0]) == {
        "documents": 4, "too_frequent": True, "set": "made", "item": "phrase", "words": phrase,
    }  # fmt: skip
    small.settings["max_documents"] = None
    small.run()
    assert {"phrase", "copy0", "copy1", "copy2"} <= set(small.dropped())


def test_token_shards_are_made_again_when_other_documents_leave_and_only_then(small: Small) -> None:
    small.run()
    searches = {"evaluation_ngrams", "c4.shared_ngrams"}
    judges = {"matched_ngrams", "c4.decontaminated", "token_manifests"}  # the last whenever a stage before it has run
    tokens = {"c4.tokenizer_sample", "tokenizer", "c4.tokens", "token_manifests", "mixture"}
    small.run()
    assert small.ran == set()
    small.items["other"] = {"q": "A question that is in none of the pages, and in no other place either."}
    small.run()
    assert small.ran == searches | judges
    small.settings["sets"][0]["id"] = "renamed"
    small.run()
    assert small.ran == {"evaluation_ngrams"} | judges
    assert small.dropped()["whole"][2].startswith("renamed whole: ")
    small.settings["max_ngrams"] = 1
    small.run()
    assert set(small.dropped()) == {"whole"}
    assert small.ran == {"c4.decontaminated", *tokens}
    small.settings["action"] = "mark"
    small.run()
    assert small.ran == {"c4.decontaminated", *tokens}
    assert not (small.folder / "run" / "dropped").exists() or small.dropped() == {}


def test_a_set_that_nothing_can_be_looked_for_of_ends_the_run(small: Small) -> None:
    small.items = {"tiny": {"q": "too short"}}
    with pytest.raises(RunFailed, match="evaluation_ngrams: kept nothing of 2 records: decontamination/too_short 1"):
        small.run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sets": [{"id": "a", "paths": ["none/*"]}]}, "decontamination.sets.0.paths.0: no file matches .*none"),
        ({"sets": [{"id": "a", "paths": ["made.jsonl"], "fields": ["q", "p"]}]},
         "decontamination.sets.0: no row has the field 'p'; the first one has id, q"),
        ({"sets": [{"id": "a", "paths": ["made.jsonl"], "id_field": "name"}]},
         "decontamination.sets.0: no row has the field 'name'; the first one has id, q"),
        ({"sets": [{"id": "a", "paths": ["empty.jsonl"]}]},
         "decontamination.sets.0.paths: no item could be read: the files are empty"),
        ({"sets": [{"id": "a", "paths": ["made.jsonl"]}], "ngram_words": 65},
         "decontamination.ngram_words = 65: input should be less than or equal to 64"),
        ({"sets": [{"id": "a", "paths": ["made.jsonl"]}] * 2},
         "decontamination.sets: two sets are called a; each needs an id of its own"),
        ({"sets": []}, "decontamination.sets"),
    ],
    ids=["no file", "no field", "no id", "empty", "too long", "twice", "no set"],
)  # fmt: skip
def test_a_wrong_setting_is_one_line_before_anything_is_written(
    small: Small, settings: dict[str, Any], message: str
) -> None:
    (small.folder / "empty.jsonl").write_bytes(b"\n")
    small.settings = settings
    with pytest.raises(SettingsError, match=message) as raised:
        small.run()
    assert "\n" not in str(raised.value)
    assert not (small.folder / "run").exists()


def test_no_setting_leaves_all_out_by_default() -> None:
    settings = DecontaminationSettings(sets=(EvaluationSet(id="a", paths=("x",)),))
    assert (settings.ngram_words, settings.max_ngrams, settings.max_documents, settings.action) == (13, 0, 10, "drop")
    assert Counter(settings.model_fields_set) == Counter(["sets"])
