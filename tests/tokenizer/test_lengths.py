import io

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.encoding import Encoder
from tokenizer.lengths import byte_lengths, text_lengths
from tokenizer.training import LLAMA_TRAINER

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SPACY_TEXT = st.text(st.sampled_from(list(" \t\n\r\0ab1é▁")))
DROPS_SPACES = {"remove_extra_whitespaces": True, "minloglevel": 2}


def test_a_piece_stands_for_its_own_bytes_and_a_control_piece_for_none(encoder, trained):
    lengths = byte_lengths(trained.model)
    by_piece = {encoder.piece(number): length for number, length in enumerate(lengths.tolist())}
    assert len(lengths) == encoder.vocab_size
    assert [by_piece[piece] for piece in ("<unk>", "<s>", "</s>")] == [0, 0, 0]
    assert [by_piece[piece] for piece in ("<0x0A>", "<0xFF>", "e", "▁", "▁▁", "и")] == [1, 1, 1, 1, 2, 2]
    assert [by_piece[piece] for piece in ("▁ledger", "▁за", "ière")] == [7, 5, 5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" ", {"▁▁": 1}),
        ("\n", {"▁": 0, "<0x0A>": 1}),
        ("ℵ", {"▁": 0, "<0xE2>": 1, "<0x84>": 1, "<0xB5>": 1}),
        ("ledger ledger", {"▁ledger": [6, 7]}),
    ],
    ids=["empty", "space", "newline", "byte fallback", "words"],
)
def test_the_space_led_in_before_a_document_is_no_text(encoder, trained, text, expected):
    (ids,) = encoder.encode_documents([text], bos=True, eos=True)
    lengths = text_lengths(ids, byte_lengths(trained.model)).tolist()
    pieces = [encoder.piece(int(number)) for number in ids]
    spelled = [(piece, each) for piece, length in expected.items() for each in np.atleast_1d(length)]
    assert list(zip(pieces, lengths, strict=True)) == [("<s>", 0), *spelled, ("</s>", 0)]


@given(ANY_TEXT | SPACY_TEXT, st.booleans(), st.booleans())
def test_lengths_of_a_document_s_tokens_add_up_to_the_bytes_of_its_text(encoder, trained, text, bos, eos):
    (ids,) = encoder.encode_documents([text], bos=bos, eos=eos)
    lengths = byte_lengths(trained.model)
    kept = lengths.copy()
    assert text_lengths(ids, lengths).sum() == len(encoder.decode(ids).encode())
    assert np.array_equal(lengths, kept)


def test_lengths_of_real_books_add_up(encoder, trained, real_books):
    lengths = byte_lengths(trained.model)
    for book in real_books:
        (ids,) = encoder.encode_documents([book], bos=True, eos=True)
        assert text_lengths(ids, lengths).sum() == len(book.encode())


def test_spaces_that_a_tokenizer_drops_are_no_text(sample):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sample), model_writer=model, vocab_size=500, **LLAMA_TRAINER | DROPS_SPACES
    )
    encoder = Encoder.from_bytes(model.getvalue())
    assert encoder.changes_text
    (ids,) = encoder.encode_documents(["  a  b "], bos=True, eos=True)
    assert text_lengths(ids, byte_lengths(model.getvalue())).sum() == len("a b")
