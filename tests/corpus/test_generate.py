"""The miniature dumps are what the generator writes, and the fates of their pages are what two traces agree on."""

import os
import re
from collections import Counter
from typing import Any

import brute_force
import generate
import pytest
import yaml
from brute_force import inflate
from mini_pages import LANGUAGE_CODES
from warcio.archiveiterator import ArchiveIterator
from write_fates import write_fates

DUMPS = os.path.join(generate.FOLDER, "commoncrawl")
PATHS = [path for path, _ in generate.FILES.values()]
HAND = {entry["name"]: entry for entry in generate.read_planted()}


def content(folder: str, path: str) -> bytes:
    with open(os.path.join(folder, path), "rb") as source:
        data = source.read()
    return inflate(data) if path.endswith(".gz") else data


def members(data: bytes) -> int:
    """Count gzip members by their headers: no time, deflate, no flags."""
    return len(re.findall(rb"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02", data))


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    with open(os.path.join(generate.FOLDER, "fates.yaml"), encoding="utf-8") as source:
        return yaml.safe_load(source)


@pytest.fixture(scope="module")
def windows() -> dict[str, Counter[str]]:
    return {}


@pytest.fixture(scope="module")
def records(windows) -> dict[str, list[brute_force.Record]]:
    dumps = {dump: brute_force.read_dump(DUMPS, dump) for dump in ("MINI-2019-30", "MINI-2020-05")}
    brute_force.mark_copies([dumps[dump] for dump in sorted(dumps, reverse=True)])
    windows.update({dump: brute_force.deduplicate(part) for dump, part in dumps.items()})
    return dumps


def test_the_generator_writes_the_committed_dumps_again(tmp_path):
    generate.write(str(tmp_path))
    committed = {f"{dump}/{name}" for dump in os.listdir(DUMPS) for name in os.listdir(os.path.join(DUMPS, dump))}
    assert committed == set(PATHS)
    for path in PATHS:
        again, before = content(str(tmp_path), path), content(DUMPS, path)
        if "truncated" in path_key(path):  # how far a cut member can be read depends on zlib
            again, before = again.rsplit(b"WARC/1.0", 1)[0], before.rsplit(b"WARC/1.0", 1)[0]
        assert again == before, path


def path_key(path: str) -> str:
    return next(key for key, (name, _) in generate.FILES.items() if name == path)


@pytest.mark.parametrize("name", sorted(HAND))
def test_every_planted_page_is_in_the_bytes_of_its_file(name):
    planted = generate.planted_page(HAND[name])
    data = content(DUMPS, generate.FILES[planted.file][0])
    assert f"WARC-Target-URI: {planted.page.url}\r\n".encode() in data
    if planted.damage == "truncated":
        assert planted.block[:100] in data
        assert planted.block not in data
    elif planted.http is not None and planted.http.is_packed:
        assert planted.block not in data
        assert planted.block[:180] in data  # stored, not deflated: the border of the first two chunks parts the bytes
    else:
        assert planted.block in data


def test_gzip_files_hold_a_member_a_record_but_for_one_that_is_a_single_member(table):
    for path in PATHS:
        if not path.endswith(".gz"):
            continue
        dump, name = path.split("/")
        with open(os.path.join(DUMPS, path), "rb") as source:
            data = source.read()
        starts = table["totals"][dump]["files"][name]["record_starts"]
        assert members(data) == (1 if path_key(path) == "2019/whole" else starts), path


def test_only_the_newer_dump_names_the_language_of_its_pages():
    for key, (path, _) in generate.FILES.items():
        data = content(DUMPS, path)
        pages = data.count(b"WARC-Type: conversion\r\n")
        assert data.count(b"\r\nWARC-Identified-Content-Language: ") == (pages if key.startswith("2020") else 0), path


def test_the_fates_traced_by_hand_are_those_found_by_brute_force(table):
    rows = {row["name"]: row for row in table["pages"]}
    for name, entry in HAND.items():
        row, reason = rows[name], None if entry["fate"] == "kept" else entry["fate"]
        assert (name, row["reason"]) == (name, reason)
        assert row["outcome"] == ("kept" if not reason else "error" if "damage" in entry else "dropped")
        if reason != "language/low_score":
            assert (name, row["measured"]) == (name, entry.get("measured"))
        assert (name, row["limit"]) == (name, entry.get("limit"))
        if not reason and "long_line" not in entry:
            assert row["text"].split("\n") == hand_text(entry)


def hand_text(entry: dict[str, Any]) -> list[str]:
    text = entry["kept"] if "kept" in entry else entry["text"]
    return text.removesuffix("\n").split("\n")


def test_lines_that_planted_pages_of_other_languages_lose_are_those_traced_by_hand(records):
    kept = {record.url: record.kept for part in records.values() for record in part if record.lines}
    entries = [entry for entry in HAND.values() if entry["fate"] == "language/not_wanted"]
    assert len(entries) == 7
    for entry in entries:
        assert kept[entry["url"]] == hand_text(entry), entry["name"]


def test_the_totals_are_those_that_brute_force_counts(table, records, windows):
    for dump, part in records.items():
        expected = table["totals"][dump]
        assert windows[dump] == expected["window"]
        assert brute_force.totals(part) == {key: expected[key] for key in brute_force.totals(part)}
        for name, row in expected["files"].items():
            assert brute_force.totals([record for record in part if record.file == f"{dump}/{name}"]) == row


def test_every_record_of_a_dump_ends_exactly_once(table):
    for row in table["totals"].values():
        ends = sum(row["left_out_while_reading"].values())
        ends += row["copies_of_newer_pages"] + row["pages_without_line_left"]
        assert ends + sum(row["documents"].values()) == row["record_starts"]


@pytest.mark.skipif("LLAMA_CORPUS_LID" not in os.environ, reason="LLAMA_CORPUS_LID names no language model file")
def test_the_fates_are_written_again_with_the_language_model(tmp_path):
    write_fates(DUMPS, os.environ["LLAMA_CORPUS_LID"], str(tmp_path / "fates.yaml"))
    with open(os.path.join(generate.FOLDER, "fates.yaml"), encoding="utf-8") as committed:
        assert (tmp_path / "fates.yaml").read_text(encoding="utf-8") == committed.read()


@pytest.mark.parametrize("key", ["2019/0", "2019/plain", "2020/0", "2020/html"])
def test_another_reader_finds_sound_files_sound(key, table):
    path = generate.FILES[key][0]
    dump, name = path.split("/")
    with open(os.path.join(DUMPS, path), "rb") as source:
        kinds = Counter()
        for record in ArchiveIterator(source, check_digests="raise"):
            record.content_stream().read()
            kinds[record.rec_type] += 1
    assert kinds == table["totals"][dump]["files"][name]["kinds"]


def test_the_planted_pages_cover_every_fate_and_have_ids_of_their_own(table):
    assert len(HAND) >= 40
    assert Counter(row["reason"] for row in table["pages"]).keys() >= {
        None,
        "page/empty",
        "length/too_short",
        "warc/request",
        "warc/metadata",
        "warc/http_status",
        "warc/not_html",
        "warc/truncated",
        "warc/bad_length",
        "warc/no_record_id",
        "wet/invalid_utf8",
        "line_dedup/no_line_left",
        "language/low_score",
        "language/not_wanted",
    }
    ids = [row["id"] for row in table["pages"] if row["id"]]
    assert len(ids) == len(set(ids)) == len(table["pages"]) - 1


def test_the_dumps_are_small_on_disk_and_large_enough_to_train_on():
    sizes = [os.path.getsize(os.path.join(DUMPS, path)) for path in PATHS]
    assert sum(sizes) < 1_600_000
    assert max(sizes) < 900_000
    assert 3_000_000 < sum(len(content(DUMPS, path)) for path in PATHS) < 5_000_000


def test_three_quarters_of_the_volume_is_english_of_several_thousand_words():
    pages = generate.volume_pages()
    sizes: Counter[str] = Counter()
    for page in pages:
        sizes[page.language] += len(page.body)
    assert sizes.keys() == set(LANGUAGE_CODES.values())
    assert 0.70 < sizes["eng"] / sizes.total() < 0.80
    words = Counter(
        word for page in pages if page.language == "eng" for word in re.findall("[a-z]+", page.body.decode().lower())
    )
    assert sum(count > 1 for count in words.values()) > 5000


def test_hardly_any_paragraph_repeats_by_accident(records):
    for part in records.values():
        owners = Counter(line for record in part for line in set(record.lines) if len(line) > 150)
        # The exact copies are planted: no paragraph of the volume has a twin, though a few could without harm.
        assert sum(count > 1 for count in owners.values()) <= 3
