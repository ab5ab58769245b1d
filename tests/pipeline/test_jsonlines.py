"""JSON lines: Dolma's fields out, the same documents back in, faults told and not swallowed."""

import io
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.document import Document, MalformedRecord
from pipeline.jsonlines import documents_from_jsonl, documents_to_jsonl, export_documents
from pipeline.manifest import Manifest
from pipeline.parquet import documents_to_parquet
from pipeline.settings import SettingsError
from tokenizer.sampling import is_held_out
from tokenizer.settings import HeldOutSettings

TEXT = st.text(max_size=40)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "dump": TEXT,
        "title": TEXT,
        "original_chars": st.integers(),
        "language_score": st.floats(allow_nan=False, allow_infinity=False),
    },
)
DOCUMENTS = st.lists(st.builds(Document, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, METADATA), max_size=8)
GOOD = b'{"id": "1", "text": "a", "source": "s"}\n'


def lines_of(content: bytes) -> list[str]:
    with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
        return reader.read().decode("utf-8").split("\n")


def read(content: bytes) -> list[Document | MalformedRecord]:
    return list(documents_from_jsonl(io.BytesIO(content)))


def read_plain(text: bytes) -> list[Document | MalformedRecord]:
    return read(zstandard.compress(text))


@settings(deadline=None)
@given(DOCUMENTS)
def test_documents_come_back_as_they_were(documents: list[Document]) -> None:
    assert read(documents_to_jsonl(documents)) == documents


def test_the_fields_are_dolmas_and_ours_travel_in_the_metadata() -> None:
    document = Document("cc/1", "commoncrawl", "日本\n\u2028x", "http://x", "ja", "2020-01-01", {"dump": "D"})
    first, *rest = lines_of(documents_to_jsonl([document]))
    assert rest == [""]
    assert json.loads(first) == {
        "id": "cc/1",
        "text": "日本\n\u2028x",
        "source": "commoncrawl",
        "created": "2020-01-01",
        "metadata": {"url": "http://x", "language": "ja", "dump": "D"},
    }
    assert "日本" in first


def test_equal_documents_give_equal_bytes() -> None:
    make = [Document(str(number), "s", "text" * number) for number in range(50)]
    assert documents_to_jsonl(make) == documents_to_jsonl(list(make))


def test_a_file_of_the_dolma_toolkit_is_read_as_far_as_we_have_a_place_for_it() -> None:
    row = {
        "id": "x",
        "text": "t",
        "source": "wiki",
        "added": "2024",
        "created": "2020",
        "version": "v1",
        "metadata": {"url": "u", "revision": {"deep": [1]}, "title": "T"},
    }
    (found,) = read_plain(json.dumps(row).encode())
    assert found == Document("x", "wiki", "t", "u", "", "2020", {"title": "T"})


def test_a_document_needs_no_more_than_id_and_text() -> None:
    assert read_plain(b'{"id": 7, "text": ""}') == [Document("7", "", "")]


@pytest.mark.parametrize("field", ["source", "created", "metadata"])
def test_a_field_that_is_null_is_empty(field: str) -> None:
    assert read_plain(json.dumps({"id": "1", "text": "t", field: None}).encode()) == [Document("1", "", "t")]


@pytest.mark.parametrize("field", ["url", "language"])
def test_metadata_that_is_null_is_empty(field: str) -> None:
    row = {"id": "1", "text": "t", "metadata": {field: None}}
    assert read_plain(json.dumps(row).encode()) == [Document("1", "", "t")]


BAD_LINES = {
    "no JSON": b"{",
    "not an object": b"[1]",
    "a bare string": b'"text"',
    "no id": b'{"text": "a"}',
    "id null": b'{"id": null, "text": "a"}',
    "no text": b'{"id": "1"}',
    "text null": b'{"id": "1", "text": null}',
    "text a number": b'{"id": "1", "text": 3}',
    "half a surrogate pair": b'{"id": "1", "text": "\\ud800"}',
    "half a surrogate pair in the id": b'{"id": "\\ud800", "text": "a"}',
    "metadata no object": b'{"id": "1", "text": "a", "metadata": "x"}',
    "not UTF-8": b'{"id": "1", "text": "\xff"}',
    "too deep": b'{"id": "1", "text": "a", "metadata": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_that_is_no_document_is_told_and_the_lines_around_it_are_read(line: bytes) -> None:
    before, bad, after = read_plain(GOOD + line + b"\n" + GOOD)
    assert before == after == Document("1", "s", "a")
    assert isinstance(bad, MalformedRecord)
    assert (bad.cause, bad.offset, bad.is_record) == ("jsonl/bad_line", len(GOOD), True)


def test_blank_lines_are_no_records() -> None:
    assert read_plain(b"\n" + GOOD + b"\n  \n" + GOOD.rstrip(b"\n")) == [Document("1", "s", "a")] * 2


def test_an_empty_file_holds_nothing() -> None:
    assert read_plain(b"") == []


def test_frames_one_behind_the_other_are_read_through() -> None:
    assert read(zstandard.compress(GOOD) + zstandard.compress(GOOD)) == [Document("1", "s", "a")] * 2


def whole() -> bytes:
    return documents_to_jsonl([Document(str(number), "s", f"{number * 7919} text") for number in range(2000)])


@pytest.mark.parametrize("left", [5, 0.5, -5, -1], ids=["5 bytes", "half", "all but 5", "all but 1"])
def test_a_cut_file_ends_with_an_error(left: float) -> None:
    content = whole()
    cut = content[: int(len(content) * left)] if left == 0.5 else content[: int(left)]
    *documents, last = read(cut)
    assert isinstance(last, MalformedRecord)
    assert (last.cause, last.is_record) == ("jsonl/bad_zstd", False)
    ids = [one.id for one in documents if isinstance(one, Document)]
    assert ids == [str(number) for number in range(len(ids))]


def test_a_damaged_file_ends_with_an_error() -> None:
    content = bytearray(whole())
    content[len(content) // 2] ^= 0xFF
    last = read(bytes(content))[-1]
    assert isinstance(last, MalformedRecord)
    assert (last.cause, last.is_record) == ("jsonl/bad_zstd", False)


def test_what_is_not_zstd_is_an_error() -> None:
    (found,) = read(GOOD)
    assert isinstance(found, MalformedRecord)
    assert found.cause == "jsonl/bad_zstd"


def test_a_run_is_exported_file_by_file(tmp_path: Path) -> None:
    documents = {
        "commoncrawl/part-a-00000": [Document("1", "commoncrawl", "x"), Document("2", "commoncrawl", "y")],
        "commoncrawl/part-a-00001": [Document("3", "commoncrawl", "z")],
        "wikipedia/part-b-00000": [Document("4", "wikipedia", "w", metadata={"title": "T"})],
    }
    for name, held in documents.items():
        path = tmp_path / "run" / "documents" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(documents_to_parquet(held))
    with pytest.raises(SettingsError, match="no documents are finished"):
        export_documents(str(tmp_path / "run"), str(tmp_path / "out"))
    outputs = [{"path": f"documents/{name}.parquet"} for name in documents]
    Manifest(str(tmp_path / "run")).record_stage("both.documents", {"outputs": outputs})
    written = export_documents(str(tmp_path / "run"), str(tmp_path / "out"))
    assert written == [str(tmp_path / "out" / f"{name}.jsonl.zst") for name in documents]
    assert [read(Path(path).read_bytes()) for path in written] == list(documents.values())


def test_held_out_documents_are_marked_and_files_of_another_export_refused(tmp_path: Path) -> None:
    documents = [Document(str(number), "c4", "x") for number in range(40)]
    path, out = tmp_path / "documents" / "c4" / "part-a-00000.parquet", tmp_path / "out"
    path.parent.mkdir(parents=True)
    path.write_bytes(documents_to_parquet(documents))
    manifest = Manifest(str(tmp_path))
    manifest.record_stage("c4.documents", {"outputs": [{"path": "documents/c4/part-a-00000.parquet"}]})
    (written,) = export_documents(str(tmp_path), str(out))
    assert not any(
        "held_out" in row["metadata"] for row in map(json.loads, filter(None, lines_of(Path(written).read_bytes())))
    )
    settings = HeldOutSettings(fraction=0.3)
    manifest.record_stage("c4.tokens", {"outputs": [], "settings": {"held_out": settings.model_dump(mode="json")}})
    export_documents(str(tmp_path), str(out))
    marked = {
        row["id"]
        for row in map(json.loads, filter(None, lines_of(Path(written).read_bytes())))
        if row["metadata"].get("held_out")
    }
    assert marked == {document.id for document in documents if is_held_out(document.id, settings)}
    assert 0 < len(marked) < len(documents)
    (out / "c4" / "part-a-00001.jsonl.zst").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"part-a-00001\.jsonl\.zst: of another export; take it away or export"):
        export_documents(str(tmp_path), str(out))


def test_documents_of_a_run_whose_decontamination_is_not_finished_are_not_exported(tmp_path: Path) -> None:
    documents = [Document("1", "c4", "x")]
    path, out = tmp_path / "documents" / "c4" / "part-a-00000.parquet", str(tmp_path / "out")
    path.parent.mkdir(parents=True)
    path.write_bytes(documents_to_parquet(documents))
    manifest = Manifest(str(tmp_path))
    manifest.record_stage("c4.documents", {"outputs": [{"path": "documents/c4/part-a-00000.parquet"}]})
    config = tmp_path / "config.yaml"
    config.write_text("decontamination: {sets: [{id: a, paths: [x]}]}\n")
    with pytest.raises(SettingsError, match=r"^[^\n]*: c4\.decontaminated is not finished; run its config to the end"):
        export_documents(str(tmp_path), out)
    assert not Path(out).exists()
    manifest.record_stage("c4.decontaminated", {"outputs": []})
    assert len(export_documents(str(tmp_path), out)) == 1
    manifest.forget_from("c4.decontaminated")
    config.write_text("decontamination: null\n")
    assert len(export_documents(str(tmp_path), out)) == 1
