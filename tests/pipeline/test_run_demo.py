"""The demo from end to end: every planted page meets the fate that was traced for it by hand."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import sentencepiece
import yaml

from pipeline.jsonlines import documents_from_jsonl, export_documents
from pipeline.parquet import read_documents
from pipeline.why import fates
from tokenizer.reader import TokenShards

CORPUS = Path(__file__).parent.parent / "corpus"
FATES = yaml.safe_load((CORPUS / "fates.yaml").read_text(encoding="utf-8"))
SOURCE = "commoncrawl"


@pytest.fixture(scope="module")
def kept(demo: Path) -> dict[str, dict[str, Any]]:
    rows = ds.dataset(demo / "documents" / SOURCE).to_table().to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


@pytest.fixture(scope="module")
def dropped(demo: Path) -> list[dict[str, Any]]:
    return ds.dataset(demo / "dropped" / SOURCE).to_table().to_pylist()


@pytest.fixture(scope="module")
def errors(demo: Path) -> list[dict[str, Any]]:
    files = sorted((demo / "errors" / SOURCE).glob("part-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def stats(run: Path, stage: str) -> dict[str, Any]:
    return json.loads((run / "stats" / f"{stage}.json").read_text())


def planted(outcome: str) -> list[Any]:
    return [pytest.param(page, id=page["name"]) for page in FATES["pages"] if page["outcome"] == outcome]


@pytest.mark.parametrize("page", planted("kept"))
def test_a_planted_page_is_kept_with_the_text_that_was_traced(page: dict[str, Any], kept: dict[str, Any]) -> None:
    row = kept[page["id"]]
    text = row["text"]
    assert row["url"] == page["url"]
    assert row["metadata"]["language_score"] == pytest.approx(page["language_score"], abs=0.011)
    if "text" in page:
        assert text == page["text"]
    else:
        found = (hashlib.sha256(text.encode()).hexdigest(), len(text), text.count("\n") + 1)
        assert found == (page["sha256"], page["chars"], page["lines"])


@pytest.mark.parametrize("page", planted("dropped"))
def test_a_planted_page_is_dropped_for_the_reason_that_was_traced(
    page: dict[str, Any], dropped: list[dict[str, Any]], kept: dict[str, Any]
) -> None:
    rows = [row for row in dropped if row["id"] == page["id"]]
    assert [(row["stage"], row["reason"], row["url"]) for row in rows] == [
        (page["stage"], page["reason"], page["url"] or "")
    ]
    assert page["id"] not in kept
    assert (rows[0]["measured"], rows[0]["limit"]) == (
        pytest.approx(page["measured"], abs=0.011) if page["measured"] is not None else None,
        page["limit"],
    )


@pytest.mark.parametrize("page", planted("error"))
def test_a_planted_record_is_an_error_of_the_file_it_stands_in(
    page: dict[str, Any], errors: list[dict[str, Any]], kept: dict[str, Any], dropped: list[dict[str, Any]]
) -> None:
    shard = page["file"].replace("/", "~")
    assert page["reason"] in [error["cause"] for error in errors if error["shard"] == shard]
    assert page["id"] is None or (page["id"] not in kept and page["id"] not in {row["id"] for row in dropped})


def test_kept_dropped_and_errors_add_up_to_the_records_an_independent_counter_finds(
    demo: Path, kept: dict[str, Any], dropped: list[dict[str, Any]], errors: list[dict[str, Any]]
) -> None:
    starts = sum(total["record_starts"] for total in FATES["totals"].values())
    assert len(kept) + len(dropped) + len(errors) == starts
    assert stats(demo, f"{SOURCE}.fingerprints")["read"] == starts


def test_each_reason_is_counted_as_often_as_an_independent_counter_finds_it(demo: Path) -> None:
    expected: Counter[str] = Counter()
    for total in FATES["totals"].values():
        expected.update(total["left_out_while_reading"])
        expected.update({key: count for key, count in total["documents"].items() if key != "kept"})
        expected["line_dedup/no_line_left"] += total["pages_without_line_left"]
        expected["duplicate/content"] += total["copies_of_newer_pages"]
    found: Counter[str] = Counter()
    for stage in ("fingerprints", "scored", "documents"):
        summary = stats(demo, f"{SOURCE}.{stage}")
        found.update({**summary["dropped"], **summary["errors"]})
        assert summary["gaps"] == {}
    assert found == expected
    assert stats(demo, f"{SOURCE}.documents")["kept"] == sum(
        total["documents"]["kept"] for total in FATES["totals"].values()
    )


def test_as_many_lines_go_as_a_dictionary_over_all_lines_finds(demo: Path) -> None:
    window = FATES["totals"]["MINI-2019-30"]["window"]
    files = [path.name for path in (CORPUS / SOURCE / "MINI-2019-30").iterdir()]
    commits = [json.loads(path.read_text()) for path in (demo / "work/commoncrawl.duplicate_lines/commits").iterdir()]
    mine = [commit for commit in commits if any(name in commit["shard"] for name in files)]
    assert sum(commit["read"] for commit in mine) == window["lines"]
    assert sum(commit["read"] - commit["kept"] for commit in mine) == window["removed_lines"]


def test_every_stage_passes_on_what_the_next_one_reads(demo: Path) -> None:
    chain = ("fingerprints", "duplicate_ids", "scored", "documents", "tokenizer_sample", "tokens")
    summaries = [stats(demo, f"{SOURCE}.{stage}") for stage in chain]
    for summary in summaries:
        left = sum(summary["dropped"].values()) + sum(summary["errors"].values())
        assert summary["read"] == summary["kept"] + left
    assert [summary["read"] for summary in summaries[1:]] == [
        summaries[0]["kept"],  # ids
        summaries[0]["kept"],  # scored
        summaries[2]["kept"],  # documents
        summaries[3]["kept"] - summaries[5]["facts"]["held_out_documents"],  # sample: all that are trained on
        summaries[3]["kept"],  # tokens
    ]


def test_the_run_folder_holds_what_the_contract_names(demo: Path) -> None:
    present = {path.name for path in demo.iterdir()}
    assert {
        "config.yaml", "work", "documents", "dropped", "errors", "models", "tokenizer", "tokens", "stats",
        "manifest.json", "report.html",
    } <= present  # fmt: skip
    assert not list(demo.rglob("*.partial"))


def test_the_manifest_names_every_output_with_its_checksum(demo: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_text())
    listed = {out["path"]: out["sha256"] for stage in manifest["stages"].values() for out in stage["outputs"]}
    for path, sha256 in listed.items():
        assert hashlib.sha256((demo / path).read_bytes()).hexdigest() == sha256
    there = {
        str(path.relative_to(demo))
        for folder in ("documents", "dropped", "errors", "tokens", "tokenizer")
        for path in (demo / folder).rglob("*")
        if path.is_file()
    }
    assert there <= listed.keys()
    raw = manifest["inputs"][SOURCE]
    assert {file["checksum"] for file in raw} == {
        "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest() for path in (CORPUS / SOURCE).rglob("*.w*")
    }


def test_dropped_text_is_kept_beside_its_reason(dropped: list[dict[str, Any]]) -> None:
    for row in dropped:
        had_text = row["reason"].split("/")[0] in {"length", "duplicate", "line_dedup", "language"}
        assert (row["text"] is not None) == had_text


def test_why_tells_the_fate_of_a_page_by_id_and_by_url(demo: Path) -> None:
    page = next(page for page in FATES["pages"] if page["name"] == "length-299")
    assert list(fates(str(demo), page["id"])) == list(fates(str(demo), page["url"]))
    (line,) = fates(str(demo), page["id"])
    assert "left out by commoncrawl.fingerprints: length/too_short, measured 299, limit 300" in line
    assert list(fates(str(demo), "cc/nothing-of-the-kind")) == []


def is_held_out(id_: str, fraction: float) -> bool:
    hashed = hashlib.blake2b(b"held out\0" + id_.encode(), digest_size=8, key=bytes(8))
    return int.from_bytes(hashed.digest(), "big") < fraction * 2**64


@pytest.mark.parametrize("folder", ["tokens", "held_out"])
def test_the_token_shards_hold_every_kept_document_once_in_its_part(
    demo: Path, kept: dict[str, Any], folder: str
) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(demo / "tokenizer" / "tokenizer.model"))
    texts = [row["text"] for id_, row in kept.items() if is_held_out(id_, 0.05) is (folder == "held_out")]
    expected = Counter((1, *processor.encode(text), 2) for text in texts)
    with TokenShards.open(str(demo / folder / SOURCE), verify=True) as shards:
        assert len(shards.manifest.shards) > 1
        found = Counter(tuple(shards.document(number).tolist()) for number in range(shards.num_documents))
    assert found == expected


def test_exported_json_lines_hold_the_same_documents(demo: Path, tmp_path: Path) -> None:
    written = export_documents(str(demo), str(tmp_path))
    assert len(written) == len(list((demo / "documents" / SOURCE).iterdir()))
    for path in written:
        with open(path, "rb") as stream:
            back = list(documents_from_jsonl(stream))
        assert back == read_documents(
            str(demo / "documents" / SOURCE / Path(path).name.replace(".jsonl.zst", ".parquet"))
        )


def test_documents_files_can_be_read_as_one_table(demo: Path) -> None:
    table = ds.dataset(demo / "documents" / SOURCE).to_table()
    assert table.schema.field("metadata").type.field("language_score").type == pa.float64()
