"""Ready corpora: every row meets its fate and is counted once, whatever its file's format, and copies of an id go."""

import gzip
import io
import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from pipeline import launch as launching
from pipeline.corpora_settings import CorpusSettings
from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.files import join
from pipeline.jsonlines import documents_from_jsonl, export_documents
from pipeline.run import Run
from pipeline.settings import SettingsError
from pipeline.sources.corpora import Corpus
from pipeline.sources.corpus_rows import read_corpus
from tests.killed import check_killed_in
from tokenizer.reader import TokenShards

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = ("documents", "dropped", "errors")
Digests = Callable[..., dict[str, str]]
NESTED = {"id": "id", "url": "meta.url", "created": "meta.at", "language": "meta.tongue"}


def lines(*rows: Any) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def parquet(*rows: dict[str, Any], **more: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink, **more)
    return sink.getvalue()


def read(
    content: bytes, place: Path, name: str = "part.jsonl", **asked: Any
) -> list[Document | Dropped | MalformedRecord]:
    path = place / name
    path.write_bytes(content)
    settings = CorpusSettings.model_validate({"paths": [name], **asked})
    found = list(read_corpus(Shard("mine", f"mine~{name}", str(path), len(content), "mine", below=name), settings))
    positions = [position for _, position in found]
    assert positions == sorted(positions)
    assert all(0 <= position <= len(content) for position in positions)
    return [item for item, _ in found]


# One row


def test_a_row_becomes_a_document_with_what_its_columns_say(tmp_path: Path) -> None:
    meta = {"url": "http://a.example/1", "at": "2019-07-16T02:11:22+02:00", "tongue": "en", "stars": 3, "share": 1}
    asked = {**NESTED, "metadata": {"title": "meta.name", "score": "meta.stars", "language_score": "meta.share"}}
    (found,) = read(lines({"text": " a\r\nb ", "id": 7, "meta": {**meta, "name": "One"}}), tmp_path, **asked)
    assert found == Document(
        "7",
        "mine",
        " a\r\nb ",
        "http://a.example/1",
        "en",
        "2019-07-16T00:11:22+00:00",
        {"title": "One", "score": 3, "language_score": 1.0},
    )


def test_what_a_row_does_not_say_stays_empty_and_its_id_is_file_and_row(tmp_path: Path) -> None:
    rows = {"text": "a"}, {"text": "b", "id": None, "meta": None}, {"text": "c", "id": "", "meta": {"url": None}}
    found = read(lines(rows[0], b"\n", rows[1], b"no row\n", rows[2]), tmp_path, **NESTED, metadata={"title": "x.y"})
    assert [item for item in found if isinstance(item, Document)] == [
        Document(f"mine/part.jsonl#{number}", "mine", text) for number, text in ((0, "a"), (1, "b"), (3, "c"))
    ]


def test_the_same_rows_in_all_formats_are_the_same_documents(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"x{number}",
            "text": f"loaf é {number}",
            "meta": {"url": f"u{number}", "at": "2020-01-01", "tongue": "en"},
        }
        for number in range(40)
    ]
    contents = {
        "a.jsonl": lines(*rows),
        "a.json.gz": gzip.compress(lines(*rows)),
        "a.jsonl.zst": zstandard.compress(lines(*rows)),
        "a.parquet": parquet(*rows, row_group_size=7),
    }
    found = {name: read(content, tmp_path, name, **NESTED) for name, content in contents.items()}
    assert found["a.jsonl"][7] == Document("x7", "mine", "loaf é 7", "u7", "en", "2020-01-01T00:00:00+00:00")
    assert {name: items for name, items in found.items() if items != found["a.jsonl"]} == {}


def test_avro_is_read_where_its_columns_are_plain(tmp_path: Path) -> None:
    sink = io.BytesIO()
    fields = [{"name": name, "type": ["null", "string"]} for name in ("id", "text")]
    rows = [{"id": "a", "text": "loaf"}, {"id": None, "text": None}]
    fastavro.writer(sink, {"type": "record", "name": "Row", "fields": fields}, rows, codec="deflate")
    found = read(sink.getvalue(), tmp_path, "a.avro", id="id")
    assert found == [Document("a", "mine", "loaf"), Dropped("mine/a.avro#1", "", "corpus/no_text_value")]


def test_times_of_parquet_are_read_and_one_beyond_pythons_costs_its_row_alone(tmp_path: Path) -> None:
    times = pa.array([1577836800, 1 << 40, None], pa.timestamp("s"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a", "b", "c"], "at": times}), sink)
    found = read(sink.getvalue(), tmp_path, "a.parquet", created="at")
    assert [item.created if isinstance(item, Document) else item.cause for item in found] == [  # type: ignore[union-attr]
        "2020-01-01T00:00:00+00:00",
        "corpus/bad_value",
        "",
    ]
    zoned = parquet({"text": "a", "at": datetime(2020, 1, 1, tzinfo=UTC)})
    assert read(zoned, tmp_path, "b.parquet", created="at")[0].created == "2020-01-01T00:00:00+00:00"  # type: ignore[union-attr]


def test_a_row_without_a_text_is_dropped_with_its_reason(tmp_path: Path) -> None:
    rows = (
        {"id": "null", "text": None},
        {"id": "empty", "text": ""},
        {"id": "blank", "text": " \n\t"},
        {"id": "x", "text": "x"},
    )
    found = read(lines(*rows), tmp_path, id="id")
    assert found[:3] == [
        Dropped("null", "", "corpus/no_text_value"),
        Dropped("empty", "", "corpus/empty", 0, 1),
        Dropped("blank", "", "corpus/empty", 0, 1),
    ]
    assert isinstance(found[3], Document)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_text_of_as_many_bytes_as_allowed_stays_and_a_longer_one_goes(tmp_path: Path, name: str) -> None:
    rows = {"text": "é" * 50}, {"text": "é" * 50 + "x"}
    content = parquet(*rows) if name.endswith("parquet") else lines(*rows)
    fits, breaks = read(content, tmp_path, name, max_document_bytes=100)
    assert isinstance(fits, Document)
    assert breaks == Dropped(f"mine/{name}#1", "", "corpus/too_long", 101, 100)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ({"id": "x"}, "corpus/missing_column"),
        ({"text": ["a"]}, "corpus/wrong_type"),
        ({"text": 7}, "corpus/wrong_type"),
        ({"text": "\ud800"}, "corpus/lone_surrogate"),
        ({"text": "a", "id": True}, "corpus/wrong_type"),
        ({"text": "a", "id": {"x": 1}}, "corpus/wrong_type"),
        ({"text": "a", "meta": "http://a.example"}, "corpus/wrong_type"),
        ({"text": "a", "meta": {"url": 1}}, "corpus/wrong_type"),
        ({"text": "a", "meta": {"at": 1577836800}}, "corpus/wrong_type"),
        ({"text": "a", "stars": "3"}, "corpus/wrong_type"),
        ({"text": "a", "stars": True}, "corpus/wrong_type"),
        ({"text": "a", "stars": 1 << 63}, "corpus/wrong_type"),
        ({"text": "a", "share": "0.5"}, "corpus/wrong_type"),
        ({"text": "a", "share": 10**400}, "corpus/wrong_type"),
        ({"text": "a", "is_cited": 1}, "corpus/wrong_type"),
        ([1, 2], "corpus/bad_json"),
        (b'{"text": "a\n', "corpus/bad_json"),
        (b'{"text": "\xff"}\n', "corpus/invalid_utf8"),
    ],
    ids=str,
)
def test_a_row_of_a_wrong_type_is_an_error_with_its_place_and_the_next_one_is_read(
    tmp_path: Path, row: Any, cause: str
) -> None:
    metadata = {"score": "stars", "language_score": "share", "cited": "is_cited"}
    first, last = {"text": "first"}, {"text": "last"}
    found = read(lines(first, row, last), tmp_path, **NESTED, metadata=metadata)
    assert [item.text for item in found if isinstance(item, Document)] == ["first", "last"]
    (error,) = [item for item in found if isinstance(item, MalformedRecord)]
    assert (error.cause, error.offset, error.is_record) == (cause, len(lines(first)), True)


def test_the_largest_numbers_of_64_bits_are_taken(tmp_path: Path) -> None:
    rows = [{"text": "a", "stars": value} for value in ((1 << 63) - 1, -(1 << 63))]
    found = read(lines(*rows), tmp_path, metadata={"score": "stars"})
    assert [item.metadata["score"] for item in found if isinstance(item, Document)] == [(1 << 63) - 1, -(1 << 63)]


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("fault", ["cut", "damaged"])
def test_a_damaged_file_gives_what_is_before_the_fault_and_one_error_that_says_where(
    tmp_path: Path, codec: str, fault: str
) -> None:
    rng = random.Random(3)
    rows = [{"text": rng.randbytes(500).hex()} for _ in range(1000)]
    whole = lines(*rows)
    content = bytearray(gzip.compress(whole) if codec == "gzip" else zstandard.compress(whole))
    middle = len(content) // 2
    content[middle : None if fault == "cut" else middle + 40] = b"" if fault == "cut" else b"\0" * 40
    found = read(bytes(content), tmp_path)
    documents = [item.text for item in found if isinstance(item, Document)]
    assert documents == [row["text"] for row in rows[: len(documents)]]
    assert len(documents) > 100 or codec == "zstd"  # whose blocks of 128 KiB come whole or not at all
    errors = [item for item in found if isinstance(item, MalformedRecord)]
    assert [error.cause for error in errors if not error.is_record] == [f"corpus/bad_{codec}"]
    assert (errors[-1].offset, errors[-1].is_record) == (0, False)
    assert errors[-1].inner_offset == len(lines(*rows[: len(documents)])) or fault == "damaged"
    assert errors[-1].inner_offset >= len(lines(*rows[: len(documents)]))


def test_a_file_that_is_no_table_is_one_error(tmp_path: Path) -> None:
    for name, cause in (("a.parquet", "bad_parquet"), ("a.avro", "bad_avro"), ("a.json", "bad_json")):
        assert [item.cause for item in read(b"<html>", tmp_path, name)] == [f"corpus/{cause}"]  # type: ignore[union-attr]
    without = read(parquet({"content": "a"}), tmp_path, "b.parquet")
    assert [item.cause for item in without] == ["corpus/missing_column"]  # type: ignore[union-attr]
    misnamed = parquet({"text": "a", "name": "b"}, store_schema=False).replace(b"name", b"n\xffme")
    found = read(misnamed, tmp_path, "c.parquet")
    assert [item.cause for item in found] == ["corpus/bad_parquet"]  # type: ignore[union-attr]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "at", "tongue"]), inner),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(["id", "text", "meta", "stars"]), JSON), max_size=8))
def test_rows_of_any_values_are_documents_dropped_or_errors_each_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    place = tmp_path_factory.getbasetemp()
    found = read(lines(*rows), place, "any.jsonl", **NESTED, metadata={"score": "stars"})
    assert len(found) == len(rows)
    assert all(isinstance(item, Document | Dropped) or item.is_record for item in found)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4), st.sampled_from([0, 1, 2]))
def test_any_changed_byte_gives_documents_or_errors(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]], which: int
) -> None:
    content = bytearray(CONTENTS[which])
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    assert read(bytes(content), tmp_path_factory.getbasetemp(), ("x.json", "x.json.gz", "x.parquet")[which], **NESTED)


ROWS = [{"id": str(n), "text": f"loaf {n}", "meta": {"url": "u", "at": "2020-01-01", "tongue": "en"}} for n in range(9)]
CONTENTS = (lines(*ROWS), gzip.compress(lines(*ROWS), mtime=0), parquet(*ROWS))


# Whole runs


def drive(output: Path, data: Path, corpora: dict[str, Any], workers: int = 1, **values: Any) -> Run:
    config = output.parent / f"{output.name}.yaml"
    asked = {"data": str(data), "sources": {"corpora": corpora}, "tokenizer": None, "tokens": None, **values}
    config.write_text(json.dumps(asked))  # JSON is YAML
    return launching.launch(
        str(config), output=str(output), workers=workers, bytes_per_worker=1, console=Console(quiet=True)
    )


def rows_of(run: Run | Path, folder: str, source: str) -> list[dict[str, Any]]:
    place = Path(getattr(run, "folder", run)) / folder / source
    return ds.dataset(place).to_table().to_pylist() if place.exists() else []


def kept(run: Run | Path, source: str) -> dict[str, str]:
    rows = rows_of(run, "documents", source)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["source"] for row in rows} <= {source}
    return {row["id"]: row["text"] for row in rows}


def stats(run: Run | Path, stage: str) -> dict[str, Any]:
    whole = json.loads((Path(getattr(run, "folder", run)) / "stats" / f"{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in whole.pop("seconds").values())
    return whole


OLD, NEW = "2019-01-01T00:00:00Z", "2021-01-01T00:00:00Z"
WEB = {
    "a.jsonl.gz": [
        {"id": "1", "text": "one, of 2019", "meta": {"at": OLD, "url": "u1"}},
        {"id": "2", "text": "two, of 2021", "meta": {"at": NEW}},
        {"id": "3", "text": "three, here first"},
        {"id": "4", "text": "four, of no time"},
        {"id": "5", "text": "5"},
        {"text": "without an id"},
    ],
    "b/c.parquet": [
        {"id": "1", "text": "one, of 2021", "meta": {"at": NEW, "url": "u1"}},
        {"id": "2", "text": "two, of 2019", "meta": {"at": OLD, "url": None}},
        {"id": "3", "text": "three, here second", "meta": None},
        {"id": "4", "text": "four, of 2019", "meta": {"at": OLD, "url": None}},
        {"id": "6", "text": " ", "meta": None},
    ],
}
BREAD = "".join(f"loaf {number}\n" for number in range(200))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    (root / "web" / "b").mkdir(parents=True)
    (root / "web" / "a.jsonl.gz").write_bytes(gzip.compress(lines(*WEB["a.jsonl.gz"], b"no row\n"), mtime=0))
    (root / "web" / "b" / "c.parquet").write_bytes(parquet(*WEB["b/c.parquet"]))
    (root / "web" / "README.md").write_text("About it.\n")
    (root / "plain").mkdir()
    for part in range(3):
        rows = [{"id": "same", "text": f"{part} {number}\n{BREAD}"} for number in range(12)]
        (root / "plain" / f"{part}.jsonl").write_bytes(lines(*rows))
    return root


CORPORA = {
    "wikipedia": {"paths": ["web"], "id": "id", "created": "meta.at", "url": "meta.url", "min_chars": 2},
    "mine_2": {"paths": ["plain"], "url": "adress"},
}
SMALL = {"batch_bytes": 4 << 10}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    output = tmp_path_factory.mktemp("runs") / "run"
    run = drive(output, data, CORPORA, **SMALL)
    assert list(run.results) == ["wikipedia.rows", "wikipedia.duplicate_ids", "wikipedia.documents", "mine_2.documents"]
    return output


def test_of_rows_with_one_id_the_newest_stays_and_of_those_alike_the_first(finished: Path) -> None:
    assert kept(finished, "wikipedia") == {
        "1": "one, of 2021",
        "2": "two, of 2021",
        "3": "three, here first",
        "4": "four, of 2019",
        "wikipedia/a.jsonl.gz#5": "without an id",
    }
    gone = {(row["text"], row["reason"], row["measured"]) for row in rows_of(finished, "dropped", "wikipedia")}
    assert gone == {
        ("one, of 2019", "duplicate/id", None),
        ("two, of 2019", "duplicate/id", None),
        ("three, here second", "duplicate/id", None),
        ("four, of no time", "duplicate/id", None),
        ("5", "length/too_short", 1),
        (None, "corpus/empty", 0),
    }


def test_every_stage_accounts_for_every_row(finished: Path) -> None:
    rows, documents = stats(finished, "wikipedia.rows"), stats(finished, "wikipedia.documents")
    assert (rows["read"], rows["kept"]) == (12, 9)
    assert rows["dropped"] == {"corpus/empty": 1, "length/too_short": 1}
    assert rows["errors"] == {"corpus/bad_json": 1}
    assert rows["facts"] == {"lines": 0, "without created": 5, "without id": 1, "without url": 8}
    assert (documents["read"], documents["kept"], documents["dropped"]) == (9, 5, {"duplicate/id": 4})
    plain = stats(finished, "mine_2.documents")
    assert (plain["read"], plain["kept"], plain["shards"]) == (36, 36, 3)
    assert plain["batches"] > 3
    (file,) = (finished / "errors" / "wikipedia").iterdir()
    error = json.loads(file.read_text())
    inner = len(lines(*WEB["a.jsonl.gz"]))
    assert (error["shard"], error["offset"], error["inner_offset"]) == ("wikipedia~a.jsonl.gz", 0, inner)


def test_without_a_column_of_ids_every_row_stays_and_is_called_by_its_place(finished: Path) -> None:
    assert kept(finished, "mine_2") == {
        f"mine_2/{part}.jsonl#{number}": f"{part} {number}\n{BREAD}" for part in range(3) for number in range(12)
    }


def test_a_column_that_no_row_has_and_files_that_hold_no_rows_are_named(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    sources = {"corpora": {**CORPORA, "mine_2": {"paths": ["plain/0.jsonl"], "url": "adress"}}}
    config.write_text(json.dumps({"data": str(data), "sources": sources, "tokenizer": None, "tokens": None}))
    said = Console(file=io.StringIO(), width=200)
    launching.launch(str(config), output=str(tmp_path / "run"), workers=1, console=said)
    told = said.file.getvalue()  # type: ignore[attr-defined]
    assert "wikipedia.rows: files of other kinds, passed over: 1 .md\n" in told
    assert "mine_2.documents: no row has adress for url; is it called so?\n" in told
    assert "wikipedia.rows: no row has" not in told


def test_two_workers_give_the_same_bytes(finished: Path, data: Path, tmp_path: Path, digests: Digests) -> None:
    drive(tmp_path / "run", data, {"wikipedia": CORPORA["wikipedia"]}, workers=2, **SMALL)
    folders = [f"{name}/wikipedia" for name in EVERYTHING]
    assert digests(tmp_path / "run", folders) == digests(finished, folders)


def test_lost_commits_and_files_are_made_again_with_the_same_bytes(
    finished: Path, data: Path, tmp_path: Path, digests: Digests
) -> None:
    again = tmp_path / "run"
    shutil.copytree(finished, again)
    for stage in ("wikipedia.rows", "wikipedia.duplicate_ids", "wikipedia.documents", "mine_2.documents"):
        commits = sorted((again / "work" / stage / "commits").glob("*.json"))
        commits[0].unlink()
    shutil.rmtree(again / "documents" / "mine_2")
    drive(again, data, CORPORA, **SMALL)
    assert digests(again, EVERYTHING) == digests(finished, EVERYTHING)


def test_a_killed_run_ends_with_the_same_bytes(data: Path, tmp_path: Path, digests: Digests) -> None:
    config = tmp_path / "config.yaml"
    asked = {"sources": {"corpora": {"mine_2": CORPORA["mine_2"]}}, "tokenizer": None, "tokens": None}
    config.write_text(json.dumps({"data": str(data), **SMALL, **asked}))
    check_killed_in(["mine_2.documents"], config, tmp_path, digests)


def test_what_a_run_exports_comes_back_as_it_was(finished: Path, tmp_path: Path) -> None:
    export_documents(str(finished), str(tmp_path / "exported"))
    paths, columns = ["wikipedia"], {"id": "id", "url": "metadata.url", "created": "created"}
    back = drive(tmp_path / "back", tmp_path / "exported", {"wikipedia": {"paths": paths, **columns}})
    by_id = [sorted(rows_of(run, "documents", "wikipedia"), key=lambda row: str(row["id"])) for run in (finished, back)]
    assert by_id[0] == by_id[1]
    (file,) = sorted((tmp_path / "exported" / "mine_2").glob("*0.jsonl-00000.jsonl.zst"))
    with open(file, "rb") as stream:
        documents = list(documents_from_jsonl(stream))
    asked = CorpusSettings(paths=("x",), id="id")
    shard = Shard("mine_2", "x", str(file), file.stat().st_size, below="x")
    assert documents == [item for item, _ in read_corpus(shard, asked)]


def test_documents_of_a_run_are_a_corpus_too(finished: Path, tmp_path: Path) -> None:
    columns = {"id": "id", "url": "url", "created": "created"}
    own = {"own": {"paths": [join(str(finished), "documents", "wikipedia")], **columns}}
    assert kept(drive(tmp_path / "own", tmp_path, own), "own") == kept(finished, "wikipedia")


#: What RedPajama's programs write into "meta", and a folder and suffix of each part.
REDPAJAMA: dict[str, tuple[str, dict[str, Any]]] = {
    "commoncrawl": ("common_crawl/2019-30/en_head_0000.jsonl.zst", {"pred_label": "__label__wiki", "wiki_prob": 0.5}),
    "c4": ("c4/c4-train.00000-of-01024.jsonl", {"timestamp": OLD, "url": "http://a.example", "language": "en"}),
    "github": ("github/filtered_0.sampled.jsonl", {"repo_name": "a/b", "language": [{"name": "C", "bytes": "9"}]}),
    "wikipedia": ("wikipedia/wiki.jsonl", {"title": "A", "url": "http://w", "language": "de", "timestamp": "20230320"}),
    "books": ("book/book.jsonl", {"short_book_title": "A", "publication_date": 1899}),
    "arxiv": ("arxiv/arxiv_0.jsonl", {"timestamp": "2014-01-01T00:00:00", "language": "en", "url": "http://x"}),
    "stackexchange": ("stackexchange/stackexchange.jsonl", {"language": "en", "question_score": "7"}),
}


def test_the_config_of_openllama_makes_a_tokenizer_token_shards_and_a_mixture_of_redpajamas_rows(
    tmp_path: Path,
) -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 7))) for _ in range(300)]
    texts: dict[str, list[str]] = {}
    for name, (place, meta) in REDPAJAMA.items():
        texts[name] = [" ".join(rng.choices(words, k=100)) for _ in range(20)]
        content = lines(*({"text": text, "meta": meta} for text in texts[name]))
        path = tmp_path / "data" / "redpajama" / place
        path.parent.mkdir(parents=True)
        path.write_bytes(zstandard.compress(content) if path.suffix == ".zst" else content)
    few = ["tokenizer.vocab_size=400", "tokenizer.sample_bytes=65536", "tokenizer.num_threads=1"]
    launching.launch(
        str(ROOT / "configs" / "openllama.yaml"),
        output=str(tmp_path / "run"),
        workers=1,
        overrides=[f"data={tmp_path / 'data'}", *few, "tokens.shard_bytes=4096", "mixture.budget_tokens=100000"],
        console=Console(quiet=True),
    )
    for name in REDPAJAMA:
        assert sorted(kept(tmp_path / "run", name).values()) == sorted(texts[name])
        with TokenShards.open(str(tmp_path / "run" / "tokens" / name)) as shards:
            assert 0 < shards.num_documents <= 20
    row = rows_of(tmp_path / "run", "documents", "wikipedia")[0]
    assert (row["url"], row["language"], row["metadata"]["title"]) == ("http://w", "de", "A")
    assert row["created"] == "2023-03-20T00:00:00+00:00"
    plan = json.loads((tmp_path / "run" / "tokens" / "mixture.json").read_text())
    assert {name: round(1210 * part["proportion"]) for name, part in plan["sources"].items()} == {
        "commoncrawl": 878,
        "c4": 175,
        "github": 59,
        "wikipedia": 24,
        "books": 26,
        "arxiv": 28,
        "stackexchange": 20,
    }


# Settings


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        ({"a.b": {"paths": ["x"]}}, r"sources.corpora.a.b.\[key\] = 'a.b'"),
        ({"a": {"paths": []}}, "sources.corpora.a.paths"),
        ({"a": {"paths": ["x"], "txt": "y"}}, r"unknown key sources.corpora.a.txt; did you mean text\?"),
        ({"a": {"paths": ["x"], "url": "meta..url"}}, "sources.corpora.a.url = 'meta..url'"),
        (
            {"a": {"paths": ["x"], "metadata": {"titel": "t"}}},
            "no field of documents is called titel; allowed: dump, title",
        ),
        ({"a": {"paths": ["absent"]}}, "sources.corpora.a.paths.0: no file matches"),
        ({"a": {"paths": ["web/README.md"]}}, "sources.corpora.a.paths: 1 files, none of them .avro, .json, .jsonl"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:40],
)
def test_a_wrong_setting_is_one_line_that_names_it(data: Path, tmp_path: Path, corpora: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        drive(tmp_path / "run", data, corpora)
    assert not (tmp_path / "run").exists()


def test_a_corpus_has_the_name_of_a_source_only_where_the_run_does_not_make_that_itself(
    data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(json.dumps({"data": str(data), "sources": {"corpora": {"c4": {"paths": ["plain"]}}}}))
    with pytest.raises(SettingsError, match="corpora: c4 is the name of a source that the run makes from dumps, too"):
        launching.launch(str(config), overrides=["sources.c4.paths=[x]"], console=Console(quiet=True))
    settings = CorpusSettings(paths=("x",))
    assert Corpus("c4").stages(settings) == ["c4.documents"]


def test_settings_refuse_what_is_no_number_of_characters() -> None:
    assert CorpusSettings(paths=("x",), min_chars=1).min_chars == 1
    with pytest.raises(ValidationError):
        CorpusSettings(paths=("x",), min_chars=0)
