import io

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.encoding import Encoder
from tokenizer.model_file import UnsuitableModel
from tokenizer.settings import TokenizerSettings
from tokenizer.training import LLAMA_TRAINER, train_tokenizer

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"))
SPACY_TEXT = st.text(st.sampled_from(list(" \t\n\r\0ab1é")))


def ids_of(encoder, text):
    (ids,) = encoder.encode_documents([text], bos=False, eos=False)
    return ids


def pieces_of(encoder, text):
    return [encoder.piece(int(i)) for i in ids_of(encoder, text)]


@given(ANY_TEXT | SPACY_TEXT, st.booleans(), st.booleans())
def test_decoding_gives_back_the_text(encoder, text, bos, eos):
    (ids,) = encoder.encode_documents([text], bos=bos, eos=eos)
    assert encoder.decode(ids) == text


@given(st.lists(ANY_TEXT, max_size=6))
def test_a_batch_is_encoded_in_order_as_sentencepiece_does_it(encoder, trained, texts):
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    documents = encoder.encode_documents(texts, bos=True, eos=True)
    assert [document.tolist() for document in documents] == processor.encode(texts, add_bos=True, add_eos=True)


def test_real_books_come_back_whole(encoder, real_books):
    assert [encoder.decode(ids_of(encoder, book)) for book in real_books] == real_books


def test_bos_and_eos_stand_where_they_are_asked_for(encoder):
    lengths = {}
    for bos in (False, True):
        for eos in (False, True):
            (ids,) = encoder.encode_documents(["river"], bos=bos, eos=eos)
            assert (ids[0] == 1) is np.bool_(bos)
            assert (ids[-1] == 2) is np.bool_(eos)
            lengths[bos, eos] = len(ids)
    assert lengths[True, True] == lengths[False, False] + 2


def test_an_empty_text_is_bos_and_eos_alone(encoder):
    (ids,) = encoder.encode_documents([""], bos=True, eos=True)
    assert ids.tolist() == [1, 2]
    assert ids_of(encoder, "").tolist() == []
    assert encoder.encode_documents([], bos=True, eos=True) == []


def test_each_ascii_and_full_width_digit_is_a_token():
    trained = train_tokenizer(["１２ ３４５ １２ １２ 12 12 12 345 x12 x12"], TokenizerSettings(num_threads=1))
    encoder = Encoder.from_bytes(trained.model)
    assert pieces_of(encoder, "１２12") == ["▁", "１", "２", "1", "2"]
    assert pieces_of(encoder, " 12")[-2:] == ["1", "2"]
    texts = [piece for piece in map(encoder.piece, range(259, encoder.vocab_size)) if len(piece) > 1]
    assert not [piece for piece in texts if any(char.isdigit() for char in piece)]


def test_digits_of_other_scripts_are_joined_as_sentencepiece_joins_them():
    trained = train_tokenizer(["٣٤٥ ٣٤٥ ٣٤٥ १२३ १२३ १२३ a"], TokenizerSettings(num_threads=1))
    pieces = pieces_of(Encoder.from_bytes(trained.model), "٣٤٥ १२३")
    assert pieces == sentencepiece.SentencePieceProcessor(model_proto=trained.model).encode("٣٤٥ १२३", out_type=str)
    assert any(len(piece.strip("▁")) > 1 for piece in pieces)


def test_characters_without_a_piece_become_their_bytes(encoder):
    assert pieces_of(encoder, "漢") == ["▁", "<0xE6>", "<0xBC>", "<0xA2>"]
    assert pieces_of(encoder, "😀")[1:] == ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]


def test_nul_tab_and_newline_are_byte_pieces(encoder):
    assert pieces_of(encoder, "a\0\t\nb") == ["▁a", "<0x00>", "<0x09>", "<0x0A>", "b"]


def test_the_space_symbol_decodes_to_a_space(encoder):
    assert encoder.decode(ids_of(encoder, "a▁b")) == "a b"
    assert ids_of(encoder, "a▁b").tolist() == ids_of(encoder, "a b").tolist()


@given(ANY_TEXT)
def test_no_text_yields_the_unknown_piece(encoder, text):
    assert encoder.unk_id not in ids_of(encoder, text)


def test_a_lone_surrogate_is_refused_with_its_place(encoder):
    with pytest.raises(ValueError, match=r"character 5 of the text is the lone surrogate U\+D83D"):
        encoder.encode_documents(["fine", "not x\ud83d fine"], bos=True, eos=True)


def test_a_lone_surrogate_leaves_the_encoder_usable(encoder):
    with pytest.raises(ValueError, match="surrogate"):
        encoder.encode_documents(["mill \udc00 wheel"], bos=True, eos=True)
    assert encoder.decode(ids_of(encoder, "mill wheel")) == "mill wheel"


@pytest.mark.parametrize("ids", [[-1], [500], [3, 70_000]])
def test_ids_outside_the_vocabulary_are_refused(encoder, ids):
    with pytest.raises(ValueError, match=r"ids must lie in 0\.\.499"):
        encoder.decode(ids)


def test_bytes_that_are_not_utf8_decode_to_the_replacement_character(encoder):
    assert encoder.decode([encoder.byte_ids[0xFF]]) == "\ufffd"


def test_the_encoder_tells_what_readers_must_know(encoder, trained):
    assert (encoder.vocab_size, encoder.unk_id, encoder.bos_id, encoder.eos_id) == (500, 0, 1, 2)
    assert (encoder.sha256, encoder.dtype) == (trained.sha256, np.dtype("<u2"))
    assert encoder.byte_ids == tuple(range(3, 259))


def test_ids_are_arrays_of_the_encoders_type(encoder):
    assert all(ids.dtype == np.uint16 for ids in encoder.encode_documents(["a", "", "b c"], bos=False, eos=True))


def test_a_vocabulary_beyond_65536_pieces_gives_uint32_ids():
    ideographs = [chr(i) for i in (*range(0x3400, 0x4DB0), *range(0x4E00, 0x9FFF), *range(0x20000, 0x2A6D0))]
    lines = "\n".join("".join(ideographs[i : i + 500]) for i in range(0, len(ideographs), 500))
    trained = train_tokenizer([lines], TokenizerSettings(vocab_size=80_000, character_coverage=1.0, num_threads=2))
    assert trained.vocab_size > 65_536
    encoder = Encoder.from_bytes(trained.model)
    (ids,) = encoder.encode_documents([ideographs[-1] + " " + lines], bos=False, eos=False)
    assert (ids.dtype, ids.max() > 65_535) == (np.dtype("<u4"), True)
    assert encoder.decode(ids) == ideographs[-1] + " " + lines


def train_by_hand(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab ab ab cd ab cd ab ab", "ab cd ab cd"]),
        model_writer=model,
        minloglevel=2,
        hard_vocab_limit=False,
        **{**LLAMA_TRAINER, "vocab_size": 300, **options},
    )
    return model.getvalue()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"byte_fallback": False}, "byte fallback has 0 of 256 byte pieces"),
        ({"bos_id": 2, "eos_id": 1}, "bos id is 2, not 1; eos id is 1, not 2"),
        ({"bos_id": -1}, "bos id is -1, not 1"),
        ({"unk_id": 3}, "unk id is 3, not 0"),
        ({"normalization_rule_name": "nmt_nfkc"}, "the normaliser is not identity"),
        ({"model_type": "unigram", "vocab_size": 270}, "the algorithm is unigram, not bpe"),
        ({"add_dummy_prefix": False}, "the normaliser is not identity"),
    ],
)
def test_a_model_that_does_not_fit_llamas_training_is_refused(options, fault):
    with pytest.raises(UnsuitableModel, match=fault):
        Encoder.from_bytes(train_by_hand(**options))


def test_a_model_that_merges_spaces_is_encoded_by_sentencepiece_and_says_that_it_changes_text():
    model = train_by_hand(remove_extra_whitespaces=True)
    encoder = Encoder.from_bytes(model)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert (encoder.changes_text, encoder.engine_name) == (True, "sentencepiece")
    assert ids_of(encoder, "  ab   cd ").tolist() == processor.encode("  ab   cd ")
    assert encoder.decode(ids_of(encoder, "  ab   cd ")) == "ab cd"


@pytest.mark.parametrize("junk", [b"", b"not a model"])
def test_bytes_that_are_no_model_are_refused(junk):
    with pytest.raises(UnsuitableModel, match="not a SentencePiece model"):
        Encoder.from_bytes(junk)


def test_a_vocabulary_with_pieces_over_spaces_is_encoded_as_sentencepiece_does_it():
    model = train_by_hand(split_by_whitespace=False)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    encoder = Encoder.from_bytes(model)
    assert any("b▁" in encoder.piece(i) for i in range(encoder.vocab_size))
    assert ids_of(encoder, "ab cd ab ab").tolist() == processor.encode("ab cd ab ab")


def test_another_engine_can_stand_behind_the_encoder(trained):
    encoder = Encoder.from_bytes(trained.model, engine=lambda text: bytes([len(text), 0]))
    (ids,) = encoder.encode_documents(["abc"], bos=True, eos=True)
    assert ids.tolist() == [1, 3, 2]
