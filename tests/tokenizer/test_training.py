import hashlib
import io
import os
import re
import subprocess
import sys

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from tokenizer.settings import TokenizerSettings
from tokenizer.training import LLAMA_TRAINER, split_line, train_tokenizer, training_lines

SMALL = TokenizerSettings(vocab_size=400, num_threads=2)


def pieces_of(model: bytes) -> list[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def train_by_hand(lines: list[str], **options) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, minloglevel=2, **{**LLAMA_TRAINER, **options}
    )
    return model.getvalue()


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(4, 40))
def test_the_pieces_of_a_line_fit_and_concatenate_to_it(line, max_bytes):
    pieces = list(split_line(line, max_bytes))
    assert "".join(pieces) == line
    assert all(0 < len(piece.encode()) <= max_bytes for piece in pieces)


@pytest.mark.parametrize(
    ("line", "max_bytes", "pieces"),
    [
        ("", 4, []),
        ("12345678", 8, ["12345678"]),
        ("123456789", 8, ["12345678", "9"]),
        ("one twoo", 8, ["one twoo"]),
        ("one two three", 8, ["one two ", "three"]),
        ("one  two", 5, ["one  ", "two"]),
        ("éééé", 5, ["éé", "éé"]),
        ("a\u3000bcd", 5, ["a\u3000", "bcd"]),
        ("        x", 4, ["    ", "    ", "x"]),
    ],
)
def test_a_line_is_cut_after_whitespace_else_between_characters(line, max_bytes, pieces):
    assert list(split_line(line, max_bytes)) == pieces


def test_documents_become_their_lines_without_empty_ones_and_without_the_reserved_character():
    assert list(training_lines(["one\n\n two\n", "", "bar \u2585chart\u2585"], SMALL)) == [
        "one",
        " two",
        "bar ",
        "chart",
    ]


def test_the_sample_ends_before_the_line_that_would_exceed_its_bound():
    settings = TokenizerSettings(sample_bytes=1 << 16)
    trained = train_tokenizer(("x" * 999 + "é" for _ in range(100)), settings)  # 1,001 bytes each
    assert (trained.lines, trained.documents, trained.sample_bytes) == (65, 66, 65 * 1001)
    assert trained.sample_full


def test_a_sample_of_exactly_its_bound_is_whole():
    trained = train_tokenizer(["x" * 4096] * 16, TokenizerSettings(sample_bytes=1 << 16))
    assert (trained.sample_bytes, trained.sample_full) == (1 << 16, False)


def test_what_the_sample_held_is_counted(trained, sample):
    lines = [line for text in sample for line in text.split("\n") if line]
    assert (trained.documents, trained.lines) == (4, len(lines))
    assert trained.sample_bytes == sum(len(line.encode()) for line in lines)
    assert (trained.split_lines, trained.reserved_characters, trained.sample_full) == (0, 0, False)
    assert trained.sha256 == hashlib.sha256(trained.model).hexdigest()


def test_the_model_stores_llamas_settings(trained):
    stored = sentencepiece_model_pb2.ModelProto.FromString(trained.model)
    spec, normalizer = stored.trainer_spec, stored.normalizer_spec
    assert spec.model_type == sentencepiece_model_pb2.TrainerSpec.BPE
    assert spec.character_coverage == pytest.approx(0.99995)
    assert (spec.max_sentence_length, spec.max_sentencepiece_length) == (4192, 16)
    assert (spec.input_sentence_size, spec.shuffle_input_sentence) == (200_000_000, True)
    assert all(
        [
            spec.split_digits,
            spec.byte_fallback,
            spec.split_by_unicode_script,
            spec.split_by_number,
            spec.split_by_whitespace,
            spec.allow_whitespace_only_pieces,
        ]
    )
    assert not spec.train_extremely_large_corpus
    assert (spec.unk_id, spec.bos_id, spec.eos_id, spec.pad_id, spec.unk_surface) == (0, 1, 2, -1, " \u2047 ")
    assert (normalizer.name, normalizer.precompiled_charsmap) == ("identity", b"")
    assert (normalizer.add_dummy_prefix, normalizer.remove_extra_whitespaces) == (True, False)


def test_a_short_text_lowers_the_vocabulary_to_the_number_sentencepiece_names(sample):
    trained = train_tokenizer(sample, TokenizerSettings(num_threads=2))
    lines = list(training_lines(sample, TokenizerSettings()))
    with pytest.raises(RuntimeError, match="Vocabulary size too high") as refusal:
        train_by_hand(lines, vocab_size=32000, character_coverage=0.99995, num_threads=2)
    named = int(re.search(r"value <= (\d+)", str(refusal.value))[1])
    assert (trained.requested_vocab_size, trained.vocab_size) == (32000, named)
    asked = train_by_hand(lines, vocab_size=named, character_coverage=0.99995, num_threads=2)
    assert pieces_of(trained.model) == pieces_of(asked)


def test_a_vocabulary_that_the_text_fills_is_the_one_of_the_hard_limit(trained, sample):
    lines = list(training_lines(sample, SMALL))
    by_hand = train_by_hand(lines, vocab_size=500, character_coverage=0.99995, num_threads=2)
    assert pieces_of(trained.model) == pieces_of(by_hand)
    assert trained.vocab_size == trained.requested_vocab_size == 500


@pytest.mark.parametrize("texts", [[], [""], ["\n\n", "\u2585"]])
def test_a_sample_without_text_is_refused(texts):
    with pytest.raises(ValueError, match=f"no text to train a tokenizer on: {len(texts)} documents"):
        train_tokenizer(texts, SMALL)


def test_a_vocabulary_without_room_for_the_characters_is_refused_with_the_number_needed():
    letters = "".join(map(chr, range(0x4E00, 0x4E80)))
    # 128 letters, the word boundary, 256 bytes and 3 special pieces
    with pytest.raises(ValueError, match=r"vocab_size 300 is too small: .* need 388"):
        train_tokenizer([letters], TokenizerSettings(vocab_size=300, num_threads=2))


def test_a_lone_surrogate_is_refused_by_document():
    with pytest.raises(ValueError, match="training document 2 holds a lone surrogate"):
        train_tokenizer(["fine", "not \ud800 fine"], SMALL)


def test_an_error_of_the_text_source_comes_through_as_it_is():
    def texts():
        yield "some text"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match=r"^the disk is gone$"):
        train_tokenizer(texts(), SMALL)


def test_sentencepiece_itself_takes_a_line_of_exactly_the_limit_and_loses_a_longer_one():
    def has_piece(size):
        line = "Q" + "ab " * 21 + "a" * (size - 64)
        model = train_by_hand([line, "ab ab"], vocab_size=280, hard_vocab_limit=False, max_sentence_length=70)
        return "Q" in pieces_of(model) or "▁Q" in pieces_of(model)

    assert has_piece(70)
    assert not has_piece(71)


@pytest.mark.parametrize("size", [63, 64, 65, 66, 128, 129])
def test_a_line_around_the_limit_is_never_lost(size):
    line = "é" + "ab" * 200
    line = line.encode()[:size].decode()
    trained = train_tokenizer([line], TokenizerSettings(vocab_size=264, max_line_bytes=64, num_threads=1))
    assert "é" in "".join(pieces_of(trained.model))
    assert trained.sample_bytes == size
    assert trained.split_lines == (size > 64)


def test_a_line_of_a_megabyte_is_trained_on_whole():
    line = "".join(f"{number:x}" for number in range(230_000)) + "é"
    assert len(line) > 1_000_000
    trained = train_tokenizer([line], SMALL)
    assert trained.sample_bytes == len(line.encode())
    assert trained.split_lines == 1
    assert trained.lines == -(-len(line.encode()) // 4192)


def test_text_around_the_reserved_character_is_trained_on():
    trained = train_tokenizer(["left\u2585right é"], TokenizerSettings(vocab_size=300, num_threads=1))
    assert "é" in "".join(pieces_of(trained.model))
    assert trained.reserved_characters == 1


def test_equal_texts_give_equal_bytes_in_every_process(trained, sample):
    program = (
        "import hashlib, sys; from tokenizer.settings import TokenizerSettings; "
        "from tokenizer.training import train_tokenizer; "
        "settings = TokenizerSettings(vocab_size=500, num_threads=2); "
        "print(hashlib.sha256(train_tokenizer(eval(sys.argv[1]), settings).model).hexdigest())"
    )
    for seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", program, repr(sample)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert result.stdout.strip() == trained.sha256


def test_training_is_silent(capfd, sample):
    train_tokenizer(sample, SMALL)
    assert capfd.readouterr() == ("", "")
