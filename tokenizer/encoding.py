"""Texts to token ids and back, with a model that is what LLaMA's training needs.

The model's own text handling is what it was trained with (identity normaliser, a space led in, spaces kept as they
are), so decoding gives back every text but for one character: U+2581, SentencePiece's own sign for a space, comes back
as a space. An empty text has no ids of its own, only BOS and EOS where they are asked for. Digits are tokens of their
own in ASCII and full width only; NUL, tabs and newlines are byte pieces, as in LLaMA's model.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import sentencepiece

from tokenizer.engines import ENGINES, Engine, EngineName, choose_engine, sentencepiece_engine
from tokenizer.model_file import byte_ids, changes_text, load_processor

Ids = npt.NDArray[np.unsignedinteger]

_UINT16_VALUES = 1 << 16


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
        changes_text: Whether the model drops spaces, so that decoding does not give back every text.
        engine_name: What computes the ids, ``given`` where the caller's own does.
        refused_engines: Why each faster engine is not used, by name; empty for the fastest.
    """

    def __init__(
        self,
        processor: sentencepiece.SentencePieceProcessor,
        sha256: str,
        engine: Engine | None = None,
        engines: Sequence[EngineName] = ENGINES,
        trial: Iterable[str] = (),
    ) -> None:
        """Take over a model that was checked. The arguments are those of :meth:`from_bytes`, with the model's hash."""
        self._processor = processor
        self.sha256 = sha256
        self.vocab_size: int = processor.get_piece_size()
        self.unk_id: int = processor.unk_id()
        self.bos_id: int = processor.bos_id()
        self.eos_id: int = processor.eos_id()
        self.byte_ids: tuple[int, ...] = tuple(byte_ids(processor))
        self.dtype = id_dtype(self.vocab_size)
        self.changes_text = changes_text(processor)
        self.engine_name, self.refused_engines = "given", dict[str, str]()
        if engine is None:
            choice = choose_engine(processor, self.dtype, engines, trial, changes_text=self.changes_text)
            engine, self.engine_name, self.refused_engines = choice.engine, choice.name.value, choice.refused
        self._engine = engine
        self._reference = sentencepiece_engine(processor, self.dtype)

    @classmethod
    def from_bytes(
        cls,
        model: bytes,
        engine: Engine | None = None,
        engines: Sequence[EngineName] = ENGINES,
        trial: Iterable[str] = (),
    ) -> Self:
        """Load a SentencePiece model.

        Args:
            model: The model file's bytes.
            engine: The caller's own way to the same ids, which is not tried.
            engines: The engines to try without one, in order: the first whose ids are SentencePiece's is used.
            trial: Texts to try them on, beside those that are always tried.

        Returns:
            An encoder.

        Raises:
            UnsuitableModel: The bytes are no SentencePiece model, or it lacks what LLaMA's training needs.
        """
        return cls(load_processor(model), hashlib.sha256(model).hexdigest(), engine, engines, trial)

    def encode_documents(self, texts: Sequence[str], *, bos: bool, eos: bool, by_reference: bool = False) -> list[Ids]:
        """Encode a batch of documents.

        Args:
            texts: The documents.
            bos: Whether each begins with :attr:`bos_id`.
            eos: Whether each ends with :attr:`eos_id`.
            by_reference: Whether SentencePiece itself computes the ids, not the engine.

        Returns:
            Their ids in the same order, read-only arrays of :attr:`dtype`.

        Raises:
            ValueError: A text holds a lone surrogate, which has no UTF-8 form.
        """
        before = self._pack(self.bos_id) if bos else b""
        after = self._pack(self.eos_id) if eos else b""
        engine = self._reference if by_reference else self._engine
        return [np.frombuffer(before + _encode(engine, text) + after, dtype=self.dtype) for text in texts]

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

    def _pack(self, *ids: int) -> bytes:
        return np.array(ids, dtype=self.dtype).tobytes()


def id_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """Return the type of the ids in token shards: little-endian uint16 where all ids fit, else uint32.

    >>> id_dtype(32_000).itemsize, id_dtype(65_536).itemsize, id_dtype(65_537).itemsize
    (2, 2, 4)
    """
    return np.dtype("<u2") if vocab_size <= _UINT16_VALUES else np.dtype("<u4")


def _encode(engine: Engine, text: str) -> bytes:
    try:
        return engine(text)
    except (RuntimeError, TypeError, UnicodeEncodeError):
        # SentencePiece's binding says only that it can not cast the string.
        surrogate = next((i for i, char in enumerate(text) if "\ud800" <= char <= "\udfff"), None)
        if surrogate is None:
            raise
        message = f"character {surrogate} of the text is the lone surrogate U+{ord(text[surrogate]):04X}"
        raise ValueError(message) from None
