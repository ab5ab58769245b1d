import io

import pytest
import sentencepiece

from tokenizer.encoding import Encoder
from tokenizer.inspection import describe_model
from tokenizer.model_file import UnsuitableModel, load_processor, merge_spaces, model_notes, read_model_file
from tokenizer.training import LLAMA_TRAINER


def train_by_hand(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab ab 12 cd ab cd ab ab", "ab cd 12 cd"]),
        model_writer=model,
        minloglevel=2,
        **{**LLAMA_TRAINER, "vocab_size": 268, "character_coverage": 0.99995, "num_threads": 80, **options},
    )
    return model.getvalue()


def test_pieces_are_read_with_score_and_kind(trained):
    file = read_model_file(trained.model)
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    assert [piece.text for piece in file.pieces] == [processor.id_to_piece(i) for i in range(500)]
    assert [piece.score for piece in file.pieces] == [processor.get_score(i) for i in range(500)]
    assert [piece.kind for piece in file.pieces[:4]] == ["unknown", "control", "control", "byte"]
    assert {piece.kind for piece in file.pieces[259:]} == {"normal"}


def test_a_model_of_llamas_settings_differs_in_the_size_of_its_vocabulary_alone():
    assert read_model_file(train_by_hand()).differences == {"vocab_size": (268, 32000)}


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"split_digits": False}, "split_digits is false, LLaMA's true"),
        ({"character_coverage": 1.0}, "character_coverage is 1.0, LLaMA's 0.99995"),
        ({"hard_vocab_limit": False}, "hard_vocab_limit is false, LLaMA's true"),
        ({"remove_extra_whitespaces": True}, "spaces at the ends of a text are dropped and runs of them merged"),
    ],
)
def test_each_difference_is_a_note(options, note):
    notes = model_notes(read_model_file(train_by_hand(**options)))
    assert [line for line in notes if line.startswith(note)]


def test_the_models_that_ship_with_sentencepieces_tests_are_refused_with_reasons(real_data):
    for path in sorted((real_data / "models" / "sentencepiece").glob("*.model")):
        with pytest.raises(UnsuitableModel, match="the algorithm is unigram, not bpe; byte fallback has 0 of 256"):
            load_processor(path.read_bytes())


@pytest.mark.parametrize("text", ["", " ", "   ", "a", " a  b ", "  \n  a", "\t  \t"])
def test_spaces_are_merged_as_sentencepiece_does(text):
    processor = sentencepiece.SentencePieceProcessor(model_proto=train_by_hand(remove_extra_whitespaces=True))
    normalized = processor.normalize(text).replace("▁", " ")
    assert (f" {merge_spaces(text)}" if merge_spaces(text) else "") == normalized


def test_a_model_with_pieces_put_in_by_hand_is_refused():
    model = train_by_hand(user_defined_symbols=["<ab cd>", "12"], vocab_size=270)
    with pytest.raises(UnsuitableModel, match=r"training: 2 pieces are user-defined, the first '<ab cd>'$"):
        load_processor(model)


def test_a_model_with_rules_of_its_own_for_characters_is_refused(tmp_path):
    (tmp_path / "rules.tsv").write_text("78\t79\n")  # x becomes y
    model = train_by_hand(normalization_rule_tsv=str(tmp_path / "rules.tsv"))
    assert sentencepiece.SentencePieceProcessor(model_proto=model).normalize("x") == "▁y"
    with pytest.raises(UnsuitableModel, match=r"training: the normaliser is not identity with a space led in$"):
        load_processor(model)


def test_a_model_with_a_piece_that_is_not_utf_8_is_refused():
    model = train_by_hand()
    assert model.count(b"\n\2ab\x15") == 1  # the piece's field, its length, its text, the score's field
    with pytest.raises(UnsuitableModel, match=r"^piece \d+ of the tokenizer is not UTF-8: b'a\\xff'$"):
        load_processor(model.replace(b"\n\2ab\x15", b"\n\2a\xff\x15"))


def test_a_model_that_joins_digits_is_described_so():
    model = train_by_hand(split_digits=False, hard_vocab_limit=False, vocab_size=300)
    lines = list(describe_model(read_model_file(model), Encoder.from_bytes(model)))
    assert [line for line in lines if line.startswith("digits: ") and "longer pieces hold an ASCII digit" in line]
