"""Texts to token ids and back, with a model that is what LLaMA's training needs.

The model's own text handling is what it was trained with (identity normaliser, a space led in, spaces kept as they
are), so decoding gives back every text but for one character: U+2581, SentencePiece's own sign for a space, comes back
as a space. An empty text has no ids of its own, only BOS and EOS where they are asked for. Digits are tokens of their
own in ASCII and full width only; NUL, tabs and newlines are byte pieces, as in LLaMA's model.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import sentencepiece

from tokenizer.segments import SPACE_SYMBOL, SegmentEngine, is_separable

Ids = npt.NDArray[np.unsignedinteger]

#: Encodes one text to little-endian ids of the encoder's dtype, without BOS and EOS. It must give SentencePiece's ids.
Engine = Callable[[str], bytes]

_BYTE_VALUES = 256
_UINT16_VALUES = 1 << 16
#: What other normalisers would change: ligature, full width, combining mark, spaces.
_NORMALIZER_PROBE = "  a\t\n ﬁ Ａ e\u0301 \u3000\u00a0 "


class UnsuitableModel(ValueError):
    """A SentencePiece model that can not be used, with what it lacks."""


class Encoder:
    """A loaded tokenizer. Make one with :meth:`from_bytes`; it is not safe to share between threads.

    Attributes:
        vocab_size: Pieces in the vocabulary; ids lie below it.
        unk_id: Id of the unknown piece, 0. Byte fallback is complete, so no text yields it.
        bos_id: Id that begins a document, 1.
        eos_id: Id that ends a document, 2.
        byte_ids: The ids of the 256 byte pieces, in the order of the bytes.
        dtype: Little-endian ``uint16`` for a vocabulary of up to 65,536 pieces, else ``uint32``.
        sha256: SHA-256 of the model file, hexadecimal.
    """

    def __init__(
        self, processor: sentencepiece.SentencePieceProcessor, sha256: str, engine: Engine | None = None
    ) -> None:
        """Take over a model that was checked.

        Args:
            processor: The loaded model.
            sha256: Its hash.
            engine: Another way to the same ids; by default :class:`tokenizer.segments.SegmentEngine`.
        """
        self._processor = processor
        self.sha256 = sha256
        self.vocab_size: int = processor.get_piece_size()
        self.unk_id: int = processor.unk_id()
        self.bos_id: int = processor.bos_id()
        self.eos_id: int = processor.eos_id()
        self.byte_ids: tuple[int, ...] = tuple(_byte_ids(processor))
        self.dtype = id_dtype(self.vocab_size)
        self._engine = engine or self._default_engine()

    @classmethod
    def from_bytes(cls, model: bytes, engine: Engine | None = None) -> Self:
        """Load a SentencePiece model.

        Args:
            model: The model file's bytes.
            engine: Another way to the same ids, ``None`` for SentencePiece with remembered segments.

        Returns:
            An encoder.

        Raises:
            UnsuitableModel: The bytes are no SentencePiece model, or it lacks what LLaMA's training needs.
        """
        processor = sentencepiece.SentencePieceProcessor()
        try:
            processor.load_from_serialized_proto(model)
        except RuntimeError as error:
            raise UnsuitableModel(f"not a SentencePiece model ({len(model)} bytes)") from error
        faults = llama_faults(processor)
        if faults:
            raise UnsuitableModel("the tokenizer does not fit LLaMA's training: " + "; ".join(faults))
        return cls(processor, hashlib.sha256(model).hexdigest(), engine)

    def encode_documents(self, texts: Sequence[str], *, bos: bool, eos: bool) -> list[Ids]:
        """Encode a batch of documents.

        Args:
            texts: The documents.
            bos: Whether each begins with :attr:`bos_id`.
            eos: Whether each ends with :attr:`eos_id`.

        Returns:
            Their ids in the same order, read-only arrays of :attr:`dtype`.

        Raises:
            ValueError: A text holds a lone surrogate, which has no UTF-8 form.
        """
        before = self._pack(self.bos_id) if bos else b""
        after = self._pack(self.eos_id) if eos else b""
        return [np.frombuffer(before + self._encode(text) + after, dtype=self.dtype) for text in texts]

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Turn the ids of one document back into its text; BOS and EOS leave no trace.

        Args:
            ids: The document's ids.

        Returns:
            The text; bytes that are not UTF-8 become U+FFFD.

        Raises:
            ValueError: An id lies outside the vocabulary.
        """
        numbers = np.asarray(ids, dtype=np.int64)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < self.vocab_size:
            raise ValueError(f"ids must lie in 0..{self.vocab_size - 1}, got {numbers.min()}..{numbers.max()}")
        return str(self._processor.decode(numbers.tolist()))

    def piece(self, token_id: int) -> str:
        """Return the piece of an id, spaces written as U+2581 and byte pieces as ``<0x0A>``."""
        return str(self._processor.id_to_piece(token_id))

    def _encode(self, text: str) -> bytes:
        try:
            return self._engine(text)
        except (RuntimeError, TypeError, UnicodeEncodeError):
            # SentencePiece's binding says only that it can not cast the string.
            surrogate = next((i for i, char in enumerate(text) if "\ud800" <= char <= "\udfff"), None)
            if surrogate is None:
                raise
            message = f"character {surrogate} of the text is the lone surrogate U+{ord(text[surrogate]):04X}"
            raise ValueError(message) from None

    def _pack(self, *ids: int) -> bytes:
        return np.array(ids, dtype=self.dtype).tobytes()

    def _default_engine(self) -> Engine:
        if is_separable(map(self.piece, range(self.vocab_size))):
            return SegmentEngine(self._processor, self.dtype)
        return lambda text: self._pack(*self._processor.encode(text))


def id_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """Return the type of the ids in token shards: little-endian uint16 where all ids fit, else uint32.

    >>> id_dtype(32_000).itemsize, id_dtype(65_536).itemsize, id_dtype(65_537).itemsize
    (2, 2, 4)
    """
    return np.dtype("<u2") if vocab_size <= _UINT16_VALUES else np.dtype("<u4")


def llama_faults(processor: sentencepiece.SentencePieceProcessor) -> list[str]:
    """List what keeps a model from LLaMA's training.

    Args:
        processor: Any loaded SentencePiece model.

    Returns:
        One line for each fault: special ids that are not 0, 1 and 2, byte pieces missing, a normaliser that changes
        text. Empty when it fits.
    """
    found = {"unk": processor.unk_id(), "bos": processor.bos_id(), "eos": processor.eos_id()}
    wanted = {"unk": 0, "bos": 1, "eos": 2}
    faults = [f"{name} id is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    byte_count = len(_byte_ids(processor))
    if byte_count != _BYTE_VALUES:
        faults.append(f"byte fallback has {byte_count} of 256 byte pieces")
    if processor.normalize(_NORMALIZER_PROBE) != SPACE_SYMBOL + _NORMALIZER_PROBE.replace(" ", SPACE_SYMBOL):
        faults.append("the normaliser is not identity with a space led in and all spaces kept")
    return faults


def _byte_ids(processor: sentencepiece.SentencePieceProcessor) -> list[int]:
    named = [processor.piece_to_id(f"<0x{value:02X}>") for value in range(_BYTE_VALUES)]
    return [token_id for token_id in named if processor.is_byte(token_id)]
