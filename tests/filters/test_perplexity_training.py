"""Training: what is counted is counted again by brute force, and the files are held to the tools' own answers."""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
import sentencepiece
from pydantic import ValidationError

from filters.kenlm_tools import find_kenlm_tools, load_kenlm
from filters.perplexity_card import NgramCard, NgramTrainingSettings
from filters.perplexity_text import normalize_for_perplexity
from filters.perplexity_training import NgramToolFailed, train_ngram_model
from tests.kenlm import needs_kenlm

SYLLABLES = ["ka", "lo", "mi", "ne", "ru", "sá", "to", "vï"]
ALL = NgramTrainingSettings(vocab_size=300, num_threads=2, held_out_fraction=0.0)


def documents(count: int, seed: int = 0, words: int = 60) -> list[str]:
    """Documents of made-up words in lines, with numbers and capitals."""
    random = Random(seed)
    vocabulary = ["".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(80)]
    weights = [1 / (rank + 1) for rank in range(80)]
    return [
        "\n".join(
            " ".join([*random.choices(vocabulary, weights, k=words // 3), str(random.randint(1, 99))]).capitalize()
            for _ in range(3)
        )
        for _ in range(count)
    ]


def splitter_of(folder: Path, name: str = "xx") -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.sp.model"))


def train(texts: Sequence[str], folder: Path, settings: NgramTrainingSettings = ALL) -> NgramCard:
    return train_ngram_model(texts, "xx", settings, str(folder))


def lines_of(texts: Sequence[str]) -> list[str]:
    return [normalize_for_perplexity(text) for text in texts]


@needs_kenlm
def test_the_model_holds_every_ngram_of_the_text_in_pieces(tmp_path):
    texts = documents(30)
    card = train(texts, tmp_path)
    words = [["<s>", *splitter_of(tmp_path).encode_as_pieces(line), "</s>"] for line in lines_of(texts)]
    ngrams = [
        {tuple(row[at : at + order]) for row in words for at in range(len(row) - order + 1)} for order in range(1, 6)
    ]
    assert card.ngrams == (len(ngrams[0]) + 1, *(len(found) for found in ngrams[1:]))  # one more for <unk>
    model = load_kenlm().Model(str(tmp_path / "xx.arpa.bin"))
    assert model.order == 5
    assert max(length for _, length, _ in model.full_scores(" ".join(words[0][1:-1]))) == 5


@needs_kenlm
def test_equal_texts_and_settings_give_equal_bytes_whatever_the_memory_for_sorting(tmp_path):
    one = train(documents(30), tmp_path / "one")
    other = train(documents(30), tmp_path / "other", ALL.model_copy(update={"lmplz_memory": "64M"}))
    assert (one.ngrams_sha256, one.pieces_sha256) == (other.ngrams_sha256, other.pieces_sha256)
    assert train(documents(31), tmp_path / "third").ngrams_sha256 != one.ngrams_sha256


@needs_kenlm
def test_the_folder_holds_the_two_files_of_the_card_and_the_card_and_no_more(tmp_path):
    card = train(documents(10), tmp_path / "new" / "folder")
    files = {path.name: path for path in (tmp_path / "new" / "folder").iterdir()}
    assert set(files) == {"xx.arpa.bin", "xx.sp.model", "xx.card.json", "xx.card.md"}
    assert card.ngrams_sha256 == hashlib.sha256(files["xx.arpa.bin"].read_bytes()).hexdigest()
    assert card.pieces_sha256 == hashlib.sha256(files["xx.sp.model"].read_bytes()).hexdigest()
    assert NgramCard.model_validate_json(files["xx.card.json"].read_text()) == card
    assert json.loads(files["xx.card.json"].read_text())["settings"]["order"] == 5
    assert card.ngrams_sha256 in files["xx.card.md"].read_text()
    assert (card.sentencepiece_version, card.kenlm_version) == (sentencepiece.__version__, "0.3.0")


@needs_kenlm
def test_the_card_counts_documents_bytes_and_empty_ones(tmp_path):
    texts = documents(8)
    card = train([*texts, "", " \n", "\x00", "\u200b"], tmp_path)  # SentencePiece leaves nothing of the last
    assert (card.documents, card.empty_documents, card.sample_full) == (8, 4, False)
    assert card.sample_bytes == sum(len(line.encode()) for line in lines_of(texts))
    assert card.piece_sample_bytes == card.sample_bytes + len("\u200b".encode())
    assert "8 documents" in card.to_markdown()
    assert "4 documents" in card.to_markdown()


@needs_kenlm
def test_a_vocabulary_the_text_cannot_fill_is_the_largest_that_sentencepiece_allows(tmp_path):
    texts = documents(10)
    card = train(texts, tmp_path, ALL.model_copy(update={"vocab_size": 65_536}))
    assert card.requested_vocab_size == 65_536
    assert card.vocab_size == splitter_of(tmp_path).get_piece_size() < 65_536
    with pytest.raises(RuntimeError, match=rf"value <= {card.vocab_size}\b"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines_of(texts)),
            model_prefix=str(tmp_path / "hard"),
            model_type="unigram",
            vocab_size=65_536,
            character_coverage=ALL.character_coverage,
            num_threads=2,
            minloglevel=3,
        )
    assert f"{card.vocab_size:,} pieces of 65,536 requested, the most the sample yields" in card.to_markdown()
    small = train(texts, tmp_path / "small", ALL.model_copy(update={"vocab_size": 40}))
    assert small.vocab_size == 40
    assert "40 pieces of 40 requested.\n" in small.to_markdown()


@needs_kenlm
def test_the_pieces_are_those_of_a_plain_training_on_the_lines(tmp_path):
    texts = documents(20, seed=1)
    assert max(map(len, lines_of(texts))) < ALL.max_line_bytes
    card = train(texts, tmp_path, ALL.model_copy(update={"vocab_size": 50}))
    assert card.repeated_passages == 0
    size = card.vocab_size
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines_of(texts)),
        model_prefix=str(tmp_path / "plain.sp"),
        model_type="unigram",
        vocab_size=50,
        character_coverage=0.9995,
        num_threads=2,
        minloglevel=2,
    )
    plain = splitter_of(tmp_path, "plain")
    ours = splitter_of(tmp_path)
    assert [ours.id_to_piece(i) for i in range(size)] == [plain.id_to_piece(i) for i in range(size)]
    assert [ours.get_score(i) for i in range(size)] == [plain.get_score(i) for i in range(size)]


@needs_kenlm
def test_a_document_longer_than_a_training_line_is_cut_and_not_skipped(tmp_path):
    (long,) = documents(1, words=3000)
    rare = long + "\nЖ" + "ж" * 500
    card = train([rare, "short"], tmp_path, ALL.model_copy(update={"max_line_bytes": 64}))
    assert card.split_documents == 1
    pieces = splitter_of(tmp_path)
    assert all(pieces.piece_to_id(letter) != pieces.unk_id() for letter in "kamiж")


@needs_kenlm
def test_the_reserved_character_does_not_take_the_text_around_it_away(tmp_path):
    card = train([text.replace(" ", " \u2585") for text in documents(5)], tmp_path)
    assert card.reserved_characters == sum(text.count(" ") for text in documents(5))
    assert card.vocab_size > 50


@needs_kenlm
def test_bounds_on_documents_and_bytes_end_the_reading(tmp_path):
    read = []

    def endless() -> Iterator[str]:
        while True:
            read.append(1)
            yield documents(1, seed=len(read))[0]

    card = train_ngram_model(endless(), "xx", ALL.model_copy(update={"max_documents": 12}), str(tmp_path))
    assert (card.documents, len(read), card.sample_full) == (12, 13, True)
    size = sum(len(documents(1, seed=seed)[0]) for seed in range(1, 6))
    exact = sum(len(lines_of(documents(1, seed=seed))[0]) for seed in range(1, 6))
    assert exact < size
    for bound, count in ((exact, 5), (exact - 1, 4)):
        read.clear()
        card = train_ngram_model(endless(), "xx", ALL.model_copy(update={"sample_bytes": bound}), str(tmp_path))
        assert (card.documents, card.sample_full) == (count, True)
    assert ", where its bound ended it" in card.to_markdown()


@needs_kenlm
def test_the_pieces_come_from_the_first_documents_within_their_bound(tmp_path):
    texts = ["a ka", "b lo", "c mi"]  # of four bytes each
    for bound, used in ((1, 1), (7, 1), (8, 2), (11, 2), (12, 3)):
        card = train(texts, tmp_path, ALL.model_copy(update={"piece_sample_bytes": bound}))
        assert (card.piece_sample_bytes, card.sample_bytes, card.documents) == (4 * used, 12, 3)
        pieces = splitter_of(tmp_path)
        assert [pieces.piece_to_id(letter) != pieces.unk_id() for letter in "abc"] == [True] * used + [False] * (
            3 - used
        )


@needs_kenlm
def test_documents_held_out_are_not_trained_on_and_measured(tmp_path):
    texts = documents(200, words=30)
    settings = ALL.model_copy(update={"held_out_fraction": 0.2})
    card = train(texts, tmp_path, settings)
    assert card.documents + card.held_out_documents == 200
    assert 20 <= card.held_out_documents <= 60
    # A copy stays on the side of its original.
    twice = train([*texts, *texts], tmp_path / "twice", settings)
    assert (twice.documents, twice.held_out_documents) == (2 * card.documents, 2 * card.held_out_documents)
    other = train(texts, tmp_path / "other", settings.model_copy(update={"seed": 1}))
    assert other.held_out_perplexity != card.held_out_perplexity


@needs_kenlm
def test_the_perplexity_of_the_held_out_documents_is_that_of_all_their_words(tmp_path):
    known, unknown = documents(20), documents(4, seed=9)
    chosen = iter([False] * 20 + [True] * 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("filters.perplexity_training._is_held_out", lambda line, settings: next(chosen))
        card = train([*known, *unknown], tmp_path, ALL.model_copy(update={"held_out_fraction": 0.5}))
    model, pieces = load_kenlm().Model(str(tmp_path / "xx.arpa.bin")), splitter_of(tmp_path)
    rows = [" ".join(pieces.encode_as_pieces(line)) for line in lines_of(unknown)]
    words = sum(len(row.split()) + 1 for row in rows)
    assert (card.documents, card.held_out_documents, card.held_out_pieces) == (20, 4, words - 4)
    assert card.held_out_perplexity == pytest.approx(10 ** (-sum(map(model.score, rows)) / words))
    assert f"perplexity {card.held_out_perplexity:,.1f}" in card.to_markdown()
    assert "Held out: nothing" in train(known, tmp_path).to_markdown()


@needs_kenlm
def test_lines_are_joined_as_set(tmp_path):
    apart = train(["one\ntwo"] * 3, tmp_path, ALL.model_copy(update={"line_joint": " "}))
    assert (apart.sample_bytes, train(["one\ntwo"] * 3, tmp_path).sample_bytes) == (3 * 7, 3 * 6)


@needs_kenlm
def test_a_text_that_spells_kenlms_own_symbols_is_trained_on(tmp_path):
    texts = ["日本語の文章です " * 400 + "<s> 日本 </s> 日本 <unk>"] * 3
    card = train(texts, tmp_path, ALL.model_copy(update={"character_coverage": 0.98}))
    assert {"<s>", "</s>", "<unk>"} <= set(splitter_of(tmp_path).encode_as_pieces(lines_of(texts)[0]))
    assert card.documents == 3


@pytest.mark.parametrize("texts", [[], ["", "\n"], ["\x00"]])
@needs_kenlm
def test_nothing_to_train_on_is_an_error_and_leaves_nothing(tmp_path, texts):
    with pytest.raises(ValueError, match="no text to train an n-gram model on"):
        train(texts, tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_kenlm
def test_a_vocabulary_smaller_than_the_alphabet_names_the_size_it_needs(tmp_path):
    settings = ALL.model_copy(update={"vocab_size": 10})
    with pytest.raises(ValueError, match="vocab_size 10 is too small") as raised:
        train(documents(10), tmp_path, settings)
    needed = int(re.search(r"need (\d+)$", str(raised.value))[1])
    train(documents(10), tmp_path, settings.model_copy(update={"vocab_size": needed + 1}))


@needs_kenlm
def test_a_lone_surrogate_does_not_stop_the_training(tmp_path):
    assert train([*documents(5), "a \ud800 b"], tmp_path).documents == 6


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """An installation whose programs are the shell scripts it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def write(**scripts: str) -> Path:
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        return folder

    return write


@needs_kenlm
def test_the_tools_are_found_beside_python_else_on_the_path(tools, tmp_path, monkeypatch):
    folder = tools(lmplz="", build_binary="")
    assert find_kenlm_tools() == (str(folder / "lmplz"), str(folder / "build_binary"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(folder))
    assert find_kenlm_tools() == (str(folder / "lmplz"), str(folder / "build_binary"))


@needs_kenlm
def test_the_card_names_the_program_that_counted_by_its_bytes(tmp_path, monkeypatch):
    installed = find_kenlm_tools()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    script = f'#!/bin/sh\nexec "{installed.lmplz}" "$@"\n'
    (folder / "lmplz").write_text(script)
    (folder / "lmplz").chmod(0o755)
    here = train(documents(5), tmp_path / "here")
    monkeypatch.setattr("filters.kenlm_tools.sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{folder}:{Path(installed.build_binary).parent}:/usr/bin:/bin")
    there = train(documents(5), tmp_path / "there")
    assert there.ngrams_sha256 == here.ngrams_sha256
    assert here.lmplz_sha256 == hashlib.sha256(Path(installed.lmplz).read_bytes()).hexdigest()
    assert there.lmplz_sha256 == hashlib.sha256(script.encode()).hexdigest()
    assert f"`{there.lmplz_sha256}`" in there.to_markdown()


@needs_kenlm
def test_a_missing_tool_names_the_way_to_install_it(tools, tmp_path):
    tools(lmplz="")
    with pytest.raises(FileNotFoundError, match=r"KenLM's build_binary is not installed.* run make kenlm"):
        find_kenlm_tools()
    with pytest.raises(FileNotFoundError, match="make kenlm"):
        train(documents(1), tmp_path / "model")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo 'the last word' >&2; echo >&2; exit 3", "lmplz failed with status 3: the last word"),
        ("exit 1", "lmplz failed with status 1: nothing was written to stderr"),
        ("kill -9 $$", "lmplz failed with status -9: nothing"),
    ],
)
@needs_kenlm
def test_a_tool_that_fails_is_one_line_and_leaves_no_model(tools, tmp_path, script, said):
    tools(lmplz=script, build_binary="")
    with pytest.raises(NgramToolFailed, match=said):
        train(documents(3), tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_the_defaults_are_ccnets():
    settings = NgramTrainingSettings()
    assert (settings.vocab_size, settings.character_coverage, settings.order) == (65_536, 0.9995, 5)
    assert (settings.max_documents, settings.line_joint) == (1_000_000, "")


@pytest.mark.parametrize(
    "values",
    [
        {"order": 1},
        {"order": 7},
        {"held_out_fraction": 1.0},
        {"lmplz_memory": "lots"},
        {"lmplz_memory": "1G; rm"},
        {"line_joint": "\n"},
        {"vocab_size": 7},
        {"max_line_bytes": 63},
        {"threads": 1},
        {"vocab_size": "300"},
    ],
)
def test_wrong_settings_are_refused(values):
    with pytest.raises(ValidationError):
        NgramTrainingSettings(**values)


@needs_kenlm
def test_a_text_that_repeats_itself_is_given_to_sentencepiece_once(tmp_path):
    once = train_ngram_model(documents(60, words=300), "en", ALL, str(tmp_path / "once"))
    twice = train_ngram_model(documents(60, words=300) * 2, "en", ALL, str(tmp_path / "twice"))
    assert twice.documents == 2 * once.documents
    assert twice.pieces_sha256 == once.pieces_sha256
    assert twice.repeated_passages >= once.documents > 0
