import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import engines
from tokenizer.encoding import Encoder
from tokenizer.engine_trial import BATTERY, around_pieces
from tokenizer.engines import EngineName, KitokenEngine, choose_engine, cut_text, first_difference, sentencepiece_engine
from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer

UINT16 = np.dtype("<u2")

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
#: What engines might differ on: spaces in runs, controls, NUL, U+2581, emoji, combining marks, repeated letters.
AWKWARD = [" ", "  ", " " * 17, "\n", "\r\n", "\t", "\0", "\x1f", "▁", "▁▁", "é", "e\u0301", "漢", "\u3000", "\u200d"]
AWKWARD += [
    "👨\u200d👩\u200d👧",
    "🇩🇪",
    "👍🏽",
    "\U0010ffff",
    "aaaa",
    "abab",
    "the",
    " river",
    "return",
    "<s>",
    "<0x41>",
    "ﬁ",
]
AWKWARD_TEXT = st.lists(st.sampled_from(AWKWARD), max_size=40).map("".join)
DIGITS = st.text(st.characters(categories=["Nd", "Nl", "No"]) | st.sampled_from(" .,"))
#: Few letters in long rows: many merges compete, and which goes first decides.
REPETITIVE = st.text(st.sampled_from("ab "), max_size=200)


@pytest.fixture(scope="module")
def repetitive_model():
    """A model whose pieces overlap themselves: runs of a and b up to 16 long."""
    lines = ["".join("ab"[bits >> place & 1] for place in range(9)) for bits in range(512)]
    lines += ["a" * 16, "b" * 16, "ab" * 8, "aab" * 5, "abb" * 5] * 20
    return train_tokenizer(lines, TokenizerSettings(vocab_size=420, num_threads=1)).model


@pytest.fixture(scope="module", params=["trained", "repetitive"])
def both(request, trained, repetitive_model):
    """kitoken and SentencePiece on a model."""
    model = trained.model if request.param == "trained" else repetitive_model
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return KitokenEngine(model, UINT16, part_chars=7), sentencepiece_engine(processor, UINT16)


@given(ANY_TEXT | AWKWARD_TEXT | DIGITS | REPETITIVE)
def test_kitoken_in_parts_gives_the_ids_of_sentencepiece(both, text):
    kitoken, reference = both
    assert kitoken(text) == reference(text)


@given(ANY_TEXT | AWKWARD_TEXT | DIGITS | REPETITIVE)
def test_the_chosen_engine_gives_the_ids_of_sentencepiece(encoder, trained, text):
    (ids,) = encoder.encode_documents([text], bos=False, eos=False)
    assert ids.tolist() == sentencepiece.SentencePieceProcessor(model_proto=trained.model).encode(text)


@given(AWKWARD_TEXT, st.integers(1, 9))
def test_parts_are_the_text_but_for_spaces_that_the_led_in_one_stands_for(text, part_chars):
    parts = list(cut_text(text, part_chars))
    joined = "".join(part if skip or not number else f" {part}" for number, (part, skip) in enumerate(parts))
    assert joined == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("ab", [("ab", 0)]),
        ("ab cd", [("ab", 0), ("cd", 0)]),
        ("ab  cd", [("ab", 0), (" cd", 0)]),
        ("ab\ncd", [("ab", 0), ("\ncd", 1)]),
        ("ab \ncd", [("ab", 0), ("\ncd", 0)]),  # the space is the one led in: its id stays
        ("ab▁ cd", [("ab▁ cd", 0)]),  # U+2581 and the space are one run
        ("ab ", [("ab ", 0)]),
        ("ab\n", [("ab\n", 0)]),
        ("a cd", [("a cd", 0)]),
    ],
)
def test_a_text_is_cut_at_the_first_border_after_two_characters(text, parts):
    assert list(cut_text(text, 2)) == parts


def test_a_text_with_borders_is_encoded_in_small_parts():
    text = "\n".join(" ".join(["miller"] * 50) for _ in range(200))
    assert max(len(part) for part, _ in cut_text(text, 1000)) <= 1000 + len("miller ")


@pytest.mark.parametrize("unit", ["a", " ", "7", "漢字", "the", "=", "\0", "😀"])
def test_a_document_of_megabytes_without_a_border_is_encoded_whole(encoder, unit):
    text = unit * (1_000_000 // len(unit.encode()))
    (ids,) = encoder.encode_documents([text], bos=False, eos=False)
    assert encoder.decode(ids) == text


def test_ten_megabytes_without_a_border_lose_nothing(encoder):
    (seven,) = encoder.encode_documents(["7"], bos=False, eos=False)
    (ids,) = encoder.encode_documents(["7" * 10_000_000], bos=False, eos=False)
    assert len(ids) == 10_000_001
    assert ids[0] == seven[0]
    assert (ids[1:] == seven[1]).all()


def test_the_fastest_engine_is_chosen_for_a_trained_model(encoder):
    assert (encoder.engine_name, encoder.refused_engines) == ("kitoken", {})


def test_an_engine_with_other_ids_is_passed_over_and_the_reason_kept(trained, monkeypatch):
    class Wrong:
        def __init__(self, model, dtype):
            self._right = KitokenEngine(model, dtype)

        def __call__(self, text):
            return self._right(text)[: -2 if text == "the 12th" else None]

    monkeypatch.setattr(engines, "KitokenEngine", Wrong)
    assert Encoder.from_bytes(trained.model).engine_name == "kitoken"
    encoder = Encoder.from_bytes(trained.model, trial=["fine", "the 12th"])
    assert encoder.engine_name == "segments"
    (reason,) = encoder.refused_engines.values()
    assert reason.startswith("other ids than SentencePiece's for text ")
    assert reason.endswith("which begins 'the 12th'")


def test_a_vocabulary_with_pieces_over_spaces_is_left_to_sentencepiece(trained):
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    choice = choose_engine(processor, UINT16, tuple(EngineName), changes_text=True)
    assert choice.name == "sentencepiece"
    assert choice.refused == dict.fromkeys(("kitoken", "segments"), "the model's normaliser changes text")


@pytest.mark.parametrize("name", EngineName)
def test_an_engine_can_be_asked_for(trained, name):
    encoder = Encoder.from_bytes(trained.model, engines=[name])
    assert (encoder.engine_name, encoder.refused_engines) == (name, {})


def test_the_first_text_that_differs_is_named():
    assert first_difference(str.encode, str.encode, ["a", "b"]) == ""
    differing = first_difference(str.encode, lambda text: text.upper().encode(), ["1", "b" * 30])
    assert differing == f"other ids than SentencePiece's for text 1 of its trial, which begins '{'b' * 20}'"


def test_the_trial_holds_what_engines_may_differ_on():
    trial = "".join([*BATTERY, *around_pieces(["<s>", "x", "<s>"])])
    assert all(part in trial for part in ("   ", "\0", "▁▁", "😀", "０１", "aaaa", "a<s>b <s> <s><s>"))


@pytest.mark.parametrize("name", EngineName)
def test_real_books_have_the_ids_of_sentencepiece_with_each_engine(trained, real_books, name):
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    texts = [book[:300_000] for book in real_books]
    documents = Encoder.from_bytes(trained.model, engines=[name]).encode_documents(texts, bos=False, eos=False)
    assert [document.tolist() for document in documents] == processor.encode(texts)
