"""Ways to the ids of SentencePiece, the fastest first, and the trial each must pass with the model at hand.

SentencePiece says what the ids are. kitoken computes the same merges in a fraction of the time; remembered segments
(:mod:`tokenizer.segments`) come next. Neither is taken on trust: a model's engine is the first whose ids are
SentencePiece's on every text of a fixed battery, and a run tries it on the tokenizer's sample as well. Measured on
books, code, papers, web pages and 75 languages' sentences, kitoken alone was faster than kitoken behind remembered
segments, unless the same text came twice.
"""

import re
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import sentencepiece
from kitoken import Kitoken

from tokenizer.engine_trial import BATTERY, around_pieces
from tokenizer.segments import SPACE_SYMBOL, SegmentEngine, is_separable

#: Encodes one text to little-endian ids, without BOS and EOS. It must give SentencePiece's ids.
Engine = Callable[[str], bytes]

#: Characters after which a text is cut for kitoken, at the next border: memory follows the part, not the document.
PART_CHARS = 1 << 16

#: Where no piece reaches across: before the first space of a run, and before a newline.
_BORDER = re.compile(rf"(?<=[^ {SPACE_SYMBOL}]) |\n")


class EngineName(StrEnum):
    """The engines, in the order they are tried."""

    KITOKEN = "kitoken"
    SEGMENTS = "segments"
    SENTENCEPIECE = "sentencepiece"


ENGINES = tuple(EngineName)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and why not a faster one.

    Attributes:
        name: The engine's name.
        engine: The engine.
        refused: Why each faster engine that was asked for is not used, by name.
    """

    name: EngineName
    engine: Engine
    refused: dict[str, str]


def choose_engine(
    processor: sentencepiece.SentencePieceProcessor,
    dtype: np.dtype[np.unsignedinteger],
    names: Sequence[EngineName],
    texts: Iterable[str] = (),
    *,
    changes_text: bool = False,
) -> EngineChoice:
    """Choose the first engine whose ids are SentencePiece's.

    Args:
        processor: The loaded model.
        dtype: Little-endian type of the ids.
        names: The engines to try, in order. SentencePiece itself is the last resort, named or not.
        texts: Texts to try them on, after the battery and the model's own special pieces.
        changes_text: Whether the model's normaliser does more than put U+2581 for spaces; the other engines assume that
            it does not.

    Returns:
        The engine, and the reasons against those before it.
    """
    plain = sentencepiece_engine(processor, dtype)
    pieces = processor.id_to_piece(list(range(processor.get_piece_size())))
    refused: dict[str, str] = {}
    trial = [*BATTERY, *around_pieces(pieces), *texts]
    for name in names:
        if name == EngineName.SENTENCEPIECE:
            break
        reason = "the model's normaliser changes text" if changes_text else _not_separable(pieces)
        if not reason:
            engine = _make(name, processor, dtype)
            reason = first_difference(engine, plain, trial)
            if not reason:
                return EngineChoice(name, engine, refused)
        refused[name.value] = reason
    return EngineChoice(EngineName.SENTENCEPIECE, plain, refused)


def first_difference(engine: Engine, reference: Engine, texts: Iterable[str]) -> str:
    """Say on which of the texts an engine differs from another; an empty string where on none."""
    for number, text in enumerate(texts):
        try:
            if engine(text) == reference(text):
                continue
        except ValueError as error:
            return f"text {number} of its trial: {error}"
        return f"other ids than SentencePiece's for text {number} of its trial, which begins {text[:20]!r}"
    return ""


def sentencepiece_engine(
    processor: sentencepiece.SentencePieceProcessor, dtype: np.dtype[np.unsignedinteger]
) -> Engine:
    """Give the engine that the others are measured by: the document whole, through SentencePiece alone."""

    def encode(text: str) -> bytes:
        return np.array(processor.encode(text), dtype=dtype).tobytes()

    return encode


class KitokenEngine:
    """Encodes texts to id bytes with kitoken, long ones in parts."""

    def __init__(self, model: bytes, dtype: np.dtype[np.unsignedinteger], part_chars: int = PART_CHARS) -> None:
        """Load a model.

        kitoken ends the process where a model is no model, so it must have been read by SentencePiece before.

        Args:
            model: The bytes of a BPE model with identity normaliser and a space led in, whose vocabulary
                :func:`tokenizer.segments.is_separable`.
            dtype: Little-endian type of the ids.
            part_chars: Characters after which a text is cut at the next border.
        """
        self._encode = Kitoken.from_sentencepiece(model).encode
        self._dtype = dtype
        self._part_chars = part_chars

    def __call__(self, text: str) -> bytes:
        """Encode one text.

        A text without a border, words of megabytes say, is one part: kitoken's time is of the order n log n, its
        memory some 100 bytes a character.
        """
        if len(text) <= self._part_chars:
            return self._pack(self._encode(text))
        parts = cut_text(text, self._part_chars)
        return b"".join(self._pack(self._encode(part))[skip * self._dtype.itemsize :] for part, skip in parts)

    def _pack(self, ids: list[int]) -> bytes:
        # An array of the standard library packs short lists in half of NumPy's time, and refuses ids that do not fit.
        packed = array(self._dtype.char, ids)
        if sys.byteorder == "big":
            packed.byteswap()
        return packed.tobytes()


def cut_text(text: str, part_chars: int) -> Iterator[tuple[str, int]]:
    r"""Cut a text at borders that no piece of a separable vocabulary reaches across.

    Each part is encoded with a space led in. A part cut off before a space leaves that space out, because the one led
    in stands for it; of a part cut off before a newline the led-in space's id, the first, is to be taken away.

    Args:
        text: The text.
        part_chars: Characters after which a part ends at the next border.

    Yields:
        The parts with the number of ids to take away at the front of each; none for an empty text.

    >>> list(cut_text("one two", 2)), list(cut_text("one\ntwo", 2))
    ([('one', 0), ('two', 0)], [('one', 0), ('\ntwo', 1)])
    """
    start, skip = 0, 0
    while start < len(text):
        border = _BORDER.search(text, start + part_chars)
        # A lone space at the end would leave a part without a character, which has no ids at all.
        if border is None or border.end() == len(text):
            yield text[start:], skip
            return
        yield text[start : border.start()], skip
        start, skip = (border.end(), 0) if border.group() == " " else (border.start(), 1)


def _make(
    name: EngineName, processor: sentencepiece.SentencePieceProcessor, dtype: np.dtype[np.unsignedinteger]
) -> Engine:
    if name == EngineName.KITOKEN:
        return KitokenEngine(processor.serialized_model_proto(), dtype)
    return SegmentEngine(processor, dtype)


def _not_separable(pieces: Sequence[str]) -> str:
    return "" if is_separable(pieces) else "pieces of the vocabulary reach over a space or a newline"
