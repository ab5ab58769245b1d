import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.segments import SegmentEngine, is_separable

UINT16 = np.dtype("<u2")

#: Text that meets the borders: words of the sample, runs of spaces, line ends, U+2581, characters without a piece.
PARTS = st.sampled_from(
    [
        "the",
        "river",
        "12",
        "a",
        " ",
        "  ",
        "     ",
        "\n",
        "\n\n",
        "\t",
        "\r\n",
        "▁",
        "▁▁",
        "é",
        "漢",
        "\0",
        "\u3000",
        "return",
    ]
)
BORDERING_TEXT = st.lists(PARTS, max_size=30).map("".join)


def sentencepiece_bytes(processor, text):
    return np.array(processor.encode(text), dtype=UINT16).tobytes()


@pytest.fixture(scope="module")
def processor(trained):
    return sentencepiece.SentencePieceProcessor(model_proto=trained.model)


@pytest.fixture(scope="module")
def engine(processor):
    return SegmentEngine(processor, UINT16)


@given(BORDERING_TEXT)
def test_segments_give_the_ids_of_sentencepiece(engine, processor, text):
    assert engine(text) == sentencepiece_bytes(processor, text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_segments_of_arbitrary_text_give_the_ids_of_sentencepiece(engine, processor, text):
    assert engine(text) == sentencepiece_bytes(processor, text)


def test_segments_of_real_books_give_the_ids_of_sentencepiece(engine, processor, real_books):
    for book in real_books:
        assert engine(book) == sentencepiece_bytes(processor, book)


@given(st.lists(BORDERING_TEXT, max_size=5))
def test_forgetting_changes_nothing(processor, texts):
    forgetful = SegmentEngine(processor, UINT16, max_memory_bytes=0)
    assert [forgetful(text) for text in texts] == [sentencepiece_bytes(processor, text) for text in texts]


def test_memory_is_bounded_between_texts(processor):
    engine = SegmentEngine(processor, UINT16, max_memory_bytes=20_000)
    for start in range(0, 5000, 50):
        engine(" ".join(str(number) for number in range(start, start + 50)))
        assert engine._memory_bytes < 20_000 + 50 * 200
        assert len(engine._memory) * 150 < engine._memory_bytes


@pytest.mark.parametrize(
    ("piece", "separable"),
    [
        ("▁", True),
        ("▁▁▁", True),
        ("▁the", True),
        ("▁▁the", True),
        ("\n", True),
        ("the▁", False),
        ("▁a▁b", False),
        ("\n▁", False),
        ("\n\n", False),
        ("a\n", False),
        ("▁\n", False),
    ],
)
def test_a_vocabulary_is_separable_when_no_piece_reaches_over_a_border(piece, separable):
    assert is_separable(["<unk>", "▁and", piece]) is separable
