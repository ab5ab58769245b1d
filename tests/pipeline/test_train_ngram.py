"""Training from files: every format, what is left out and counted, and the command's answers."""

import gzip
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import zstandard

from pipeline import train_ngram as module
from pipeline.cli_ngram import train_ngram_lm
from pipeline.document import Document
from pipeline.inputs import list_shards
from pipeline.jsonlines import documents_to_jsonl
from pipeline.parquet import documents_to_parquet
from pipeline.settings import SettingsError
from pipeline.train_ngram import Reading, read_texts_of
from tests.kenlm import needs_kenlm


def write(folder: Path, **files: bytes | str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder)


def row(text: object, **fields: object) -> str:
    return json.dumps({"text": text, **fields}, ensure_ascii=False) + "\n"


def read(folder: str, language: str = "en") -> tuple[list[str], Reading]:
    reading, said = Reading(), []
    files = list_shards("ngram", language, [folder], data=".", key="INPUT")
    texts = list(read_texts_of(files, language, reading, said.append))
    assert said[-1] == f"training on {len(texts):,} documents"
    return texts, reading


def document(number: int, text: str, language: str) -> Document:
    return Document(f"test/{number}", "test", text, language=language)


def test_documents_of_a_run_in_the_language_are_read(tmp_path):
    rows = [document(1, "one", "en"), document(2, "zwei", "de"), document(3, "three", ""), document(4, "four", "en")]
    folder = write(tmp_path, a__parquet=bytes(documents_to_parquet(rows)), b__jsonl__zst=documents_to_jsonl(rows[:2]))
    texts, reading = read(folder)
    assert texts == ["one", "three", "four", "one"]
    assert reading == Reading(files=2, documents=4, other_language=2)


def test_every_format_is_read_in_the_order_of_the_names(tmp_path):
    pq.write_table(pa.table({"text": ["three", None]}), tmp_path / "c.parquet")
    folder = write(
        tmp_path,
        a__jsonl=row("one") + "\n" + row("one and a half")[:-1],
        b__jsonl__gz=gzip.compress(row("two", language="en").encode())
        + gzip.compress(row("zwei", language="de").encode()),
        d__jsonl__zst=zstandard.compress(row("four").encode())
        + zstandard.compress(row("4", metadata={"language": "fr"}).encode()),
        e__txt="five\nlines",
        f__txt__gz=gzip.compress("sïx".encode()),
    )
    texts, reading = read(folder)
    assert texts == ["one", "one and a half", "two", "three", "", "four", "five\nlines", "sïx"]
    assert reading == Reading(files=6, documents=8, other_language=2)


def test_what_cannot_be_read_is_counted_and_the_rest_is_read(tmp_path):
    lines = [row("one"), "{bad\n", row(5), '["text"]\n', '{"id": 1}\n', "[" * 100_000 + "\n", row("two")]
    whole = gzip.compress("".join(row(f"number {number}") for number in range(5000)).encode())
    pq.write_table(pa.table({"words": ["none"]}), tmp_path / "e.parquet")
    folder = write(
        tmp_path,
        a__jsonl="".join(lines).encode() + b'{"text": "\xff"}\n' + row("three").encode(),
        b__txt=b"\xff\xfe",
        c__parquet=b"PAR1 and no more",
        d__jsonl__gz=whole[: len(whole) // 2],
        f__jsonl__zst=zstandard.compress(row("four").encode()) + b"garbage",
        g__txt="five",
    )
    texts, reading = read(folder)
    half = [text for text in texts if text.startswith("number")]
    assert [text for text in texts if text not in half] == ["one", "two", "three", "five"]
    assert half == [f"number {number}" for number in range(len(half))]
    assert 0 < len(half) < 5000
    assert (reading.files, reading.unreadable, reading.documents) == (7, 6 + 5, len(texts))
    assert reading.first_fault.startswith(f"{tmp_path}/a.jsonl, line 2: JSONDecodeError")


def test_records_longer_than_allowed_are_counted_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", 40)
    fits, too_long = row("x" * (40 - len(row("")))), row("y" * 400)
    folder = write(tmp_path, a__jsonl=too_long + fits + too_long[:-1], b__txt="z" * 40, c__txt="z" * 41)
    texts, reading = read(folder)
    assert texts == [json.loads(fits)["text"], "z" * 40]
    assert reading.unreadable == 3
    assert "line 1: longer than 40 bytes" in reading.first_fault


STORY = "The miller kept his ledger by the window, and every evening he wrote down what the river had done.\n"


@needs_kenlm
def test_the_command_trains_and_says_on_what(tmp_path, capsys):
    folder = write(tmp_path / "in", a__jsonl=row(STORY * 3) * 20 + row("x", language="de") + "{\n", b__bin="?")
    train_ngram_lm([folder], language="en", output=str(tmp_path / "out"), overrides=["order=3", "held_out_fraction=0"])
    said = capsys.readouterr().out
    assert "20 documents of" in said
    assert "0 empty, 1 in other languages, 1 unreadable, 0 held out" in said
    assert "of 65,536 asked for" in said
    assert "up to order 3" in said
    assert "a.jsonl, line 22" in said
    assert "1 files are of no format" in said
    card = json.loads((tmp_path / "out" / "en.card.json").read_text())
    assert (card["settings"]["order"], card["documents"]) == (3, 20)
    assert (tmp_path / "out" / "en.arpa.bin").stat().st_size > 1000


@needs_kenlm
@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (row(STORY), {"inputs": ["nowhere/*.jsonl"]}, r"^INPUT\.0: no file matches .*nowhere"),
        (row(STORY), {"language": "fr"}, r"^no text to train .* \(1 files, 0 documents in fr, 1 in other languages, 0"),
        ("{bad\n", {}, r"^no text .* 1 unreadable; the first: .*a\.jsonl, line 1: JSONDecodeError"),
        (row(STORY), {"language": "English"}, r"^--language 'English': must be a code"),
        (row(STORY), {"overrides": ["ordr=3"]}, "^--set: unknown key ordr; did you mean order"),
        (row(STORY), {"overrides": ["order=9"]}, "^--set: order = 9: input should be less than or equal to 6$"),
        (row(STORY), {"overrides": ["order"]}, "^--set order: must be key=value"),
        (row(STORY), {"overrides": ["vocab_size=8", "held_out_fraction=0"]}, "^vocab_size 8 is too small"),
    ],
)
def test_wrong_usage_is_one_line_and_trains_nothing(tmp_path, content, options, said):
    folder = write(tmp_path / "in", a__jsonl=content.replace('"}', '", "language": "en"}'))
    output = tmp_path / "out"
    given = {"inputs": [folder], "language": "en", "output": str(output), **options}
    with pytest.raises(SettingsError, match=said) as raised:
        train_ngram_lm(given.pop("inputs"), **given)
    assert "\n" not in str(raised.value)
    assert not output.exists() or list(output.iterdir()) == []


def test_files_of_no_known_format_are_no_input(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_kenlm_tools", lambda: None)
    with pytest.raises(SettingsError, match=r"none of 1 files ends in \.parquet, "):
        train_ngram_lm([write(tmp_path, a__csv="a,b")], language="en", output=str(tmp_path / "out"))


def test_a_run_folder_is_refused_since_it_holds_dropped_documents_too(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_kenlm_tools", lambda: None)
    with pytest.raises(SettingsError, match=r"is a run: give .*documents/<source>"):
        train_ngram_lm([str(demo)], language="en", output=str(tmp_path / "out"))


def test_without_kenlm_the_command_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match=r"lmplz is not installed.*make kenlm"):
        train_ngram_lm([write(tmp_path / "in", a__txt=STORY)], language="en", output=str(tmp_path / "out"))


@needs_kenlm
def test_a_kenlm_that_fails_is_status_one_and_one_line(tmp_path, capsys):
    folder = write(tmp_path / "in", a__txt=STORY)
    overrides = ["lmplz_memory=1b", "held_out_fraction=0"]
    with pytest.raises(typer.Exit) as raised:
        train_ngram_lm([folder], language="en", output=str(tmp_path / "out"), overrides=overrides)
    assert raised.value.exit_code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: lmplz failed with status")
