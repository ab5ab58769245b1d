"""The tokenizer's commands: what they read and write, their answers, and one line for each wrong input."""

import io
import json
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece

from pipeline.cli_tokenizer import decode, encode, inspect, train
from pipeline.settings import SettingsError
from pipeline.train_ngram import Reading
from pipeline.train_tokenizer import list_sources
from tests.tokenizer.conftest import CODE, STORY

FILES = {
    "README.md",
    "card.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    for name in ("stories", "code"):
        (folder / name).mkdir()
    pq.write_table(pa.table({"id": ["a", "b"], "text": [STORY, STORY * 3]}), folder / "stories" / "a.parquet")
    rows = [{"text": STORY, "language": "en"}, {"text": "lone \ud800 surrogate"}, {"no": "text"}]
    (folder / "stories" / "b.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "stories" / "c.doc").write_text("not read")
    (folder / "code" / "mill.txt").write_text(CODE)
    return folder


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory):
    output = tmp_path_factory.mktemp("made") / "tokenizer"
    settings = ["vocab_size=400", "num_threads=1"]
    train([str(inputs / "stories"), str(inputs / "code" / "mill.txt")], output=str(output), overrides=settings)
    return output


@pytest.fixture
def stdin(monkeypatch):
    def put(content):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    return put


def test_training_writes_model_card_and_hugging_faces_files(made):
    assert {path.name for path in made.iterdir()} == FILES
    card = json.loads((made / "card.json").read_text())
    assert card["sample_bytes_by_source"] == {"mill.txt": len(CODE), "stories": 5 * len(STORY.encode())}
    assert (card["vocab_size"], card["engine"], card["given"], card["documents"]) == (400, "kitoken", False, 4)


def test_training_says_what_was_read_and_what_could_not_be(inputs, tmp_path, capfd):
    train([str(inputs / "stories")], output=str(tmp_path), overrides=["vocab_size=400", "num_threads=1"])
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("400 pieces, trained on 3 documents, ")
    assert said[2].startswith("2 unreadable; the first: ")
    assert said[3] == "1 files are of no format that can be read"
    assert said[4] == f"written: {tmp_path}/tokenizer.model, its card and Hugging Face's files"


def test_the_same_files_and_settings_give_the_same_bytes(inputs, made, tmp_path):
    settings = ["vocab_size=400", "num_threads=1"]
    train([str(inputs / "stories"), str(inputs / "code" / "mill.txt")], output=str(tmp_path), overrides=settings)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == {
        name: (made / name).read_bytes() for name in FILES
    }


def test_the_sample_is_bounded_in_bytes_and_documents_are_cut(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(40):
        (tmp_path / "in" / f"{number}.txt").write_text(f"story {number} of the river\n" * 200)
    train([str(tmp_path / "in")], output=str(tmp_path / "out"), overrides=["sample_bytes=65536", "vocab_size=300"])
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["sample_bytes_by_source"] == {"in": 65536}
    assert card["sample_full"]
    assert card["documents"] < 40


def test_the_sample_follows_the_proportions_asked_for(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("the story of the river\n" * 3000)
    inputs = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    settings = ["sample_bytes=65536", "vocab_size=300", "num_threads=1"]
    train(inputs, output=str(tmp_path / "out"), overrides=[*settings, "proportions={a.txt: 3, b.txt: 1}"])
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["sample_bytes_by_source"] == {"a.txt": 49152, "b.txt": 16384}
    assert card["proportions"] == {"a.txt": 3.0, "b.txt": 1.0}
    with pytest.raises(SettingsError, match=r"^proportions\.c\.txt: no such input; there are a\.txt, b\.txt$"):
        train(inputs, output=str(tmp_path / "out"), overrides=["proportions={a.txt: 1, c.txt: 1}"])


def test_a_file_that_is_given_twice_is_taken_once(inputs, tmp_path):
    (tmp_path / "link.txt").symlink_to(inputs / "code" / "mill.txt")
    given = [inputs / "code", inputs / "code" / "mill.txt", tmp_path / "link.txt", inputs / "code"]
    sources = list_sources(list(map(str, given)), Reading())
    assert [(source.name, len(source.files)) for source in sources] == [("code", 1), ("mill.txt", 0), ("link.txt", 0)]


def test_a_given_model_is_measured_and_exported_but_not_trained(inputs, made, tmp_path, capfd):
    train([str(inputs / "stories")], output=str(tmp_path), overrides=[f"model={made / 'tokenizer.model'}"])
    assert "given, not trained" in capfd.readouterr().out
    for name in FILES - {"card.json", "README.md"}:
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["given"], card["settings"]["model"], card["lines"]) == (True, "tokenizer.model", 0)
    assert "vocab_size is 400, LLaMA's 32000" in card["notes"]
    assert "Given, not trained" in (tmp_path / "README.md").read_text()


def test_a_run_folder_gives_the_sample_it_has_drawn(demo):
    sources = list_sources([str(demo)], Reading())
    assert [source.name for source in sources] == ["commoncrawl"]
    drawn = list((demo / "work" / "commoncrawl.tokenizer_sample").glob("part-*.parquet"))
    assert len(sources[0].files) == len(drawn)


def test_inspection_tells_pieces_settings_digits_and_fertility(inputs, made, capfd):
    inspect(str(made), [str(inputs / "code")])
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("400 pieces: ")
    assert "256 byte" in said[0]
    assert said[1] == "special ids: unk 0 <unk>, bos 1 <s>, eos 2 </s>"
    assert "digits: 7 of 10 ASCII digits are pieces, none is part of a longer piece" in said
    assert "vocab_size is 400, LLaMA's 32000" in said
    assert not [line for line in said if line.startswith(("byte_fallback", "split_digits", "max_sentence_length"))]
    tokens = len(sentencepiece.SentencePieceProcessor(model_file=str(made / "tokenizer.model")).encode(CODE))
    assert said[-1].startswith(f"code: 1 documents, {len(CODE)} bytes, {tokens} tokens: ")


def test_texts_files_and_standard_input_are_encoded_a_line_each(made, tmp_path, stdin, capfd):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(made / "tokenizer.model"))
    (tmp_path / "text").write_text("a\n b")
    encode(str(made), ["the river", ""], files=[str(tmp_path / "text")], bos=True, eos=True)
    wanted = [processor.encode(text, add_bos=True, add_eos=True) for text in ("the river", "", "a\n b")]
    assert [list(map(int, line.split())) for line in capfd.readouterr().out.splitlines()] == wanted
    stdin(b"two\nlines")
    encode(str(made), pieces=True)
    assert capfd.readouterr().out.split() == processor.encode("two\nlines", out_type=str)


def test_ids_are_decoded_from_arguments_and_from_lines(made, stdin, capfd):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(made / "tokenizer.model"))
    decode(str(made), [str(token_id) for token_id in processor.encode(" the  river\t", add_bos=True)])
    assert capfd.readouterr().out == " the  river\t\n"
    stdin("\n".join(",".join(map(str, processor.encode(text))) for text in ("one", "two")).encode())
    decode(str(made))
    assert capfd.readouterr().out == "one\ntwo\n"


def test_wrong_inputs_are_one_line_each(made, tmp_path, stdin):
    (tmp_path / "latin1").write_bytes(b"caf\xe9")
    (tmp_path / "junk.model").write_bytes(b"junk")
    stdin(b"\xff")
    calls = {
        "MODEL nowhere: no tokenizer.model there": lambda: encode("nowhere", ["a"]),
        "not a SentencePiece model": lambda: inspect(str(tmp_path / "junk.model")),
        "ids must lie in 0..399": lambda: decode(str(made), ["400"]),
        "ID: invalid literal": lambda: decode(str(made), ["x"]),
        "not UTF-8 text at byte 3": lambda: encode(str(made), files=[str(tmp_path / "latin1")]),
        "standard input: not UTF-8 text at byte 0": lambda: encode(str(made)),
        "--file none: No such file": lambda: encode(str(made), files=["none"]),
        "TEXT: character 1 of the text is the lone surrogate": lambda: encode(str(made), ["a\ud800"]),
        "no file matches": lambda: train(["nothing"], output=str(tmp_path)),
        "none of 1 files": lambda: train([str(tmp_path / "junk.model")], output=str(tmp_path)),
        "a given tokenizer is not trained, so leave out vocab_size": lambda: train(
            [str(tmp_path)], output=str(tmp_path), overrides=["model=x", "vocab_size=500"]
        ),
        "tokenizer.model: No such file or directory: x": lambda: train(
            [str(tmp_path)], output=str(tmp_path), overrides=["model=x"]
        ),
    }
    for message, call in calls.items():
        with pytest.raises(SettingsError) as raised:
            call()
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_sample_without_text_is_one_line(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(SettingsError, match="INPUT: no text to train a tokenizer on"):
        train([str(tmp_path / "empty.txt")], output=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
