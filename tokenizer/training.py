"""Training LLaMA's tokenizer: SentencePiece BPE with bytes for unknown characters (Touvron et al., 2023, section 2.1).

The constants are the settings stored in LLaMA's published ``tokenizer.model``, to the letter but for two:
``num_threads`` is a setting (see :class:`tokenizer.settings.TokenizerSettings`), and ``hard_vocab_limit`` is off. With
the hard limit SentencePiece trains, then fails where the text yields fewer pieces than asked for; without it the model
holds the largest vocabulary the text yields, piece for piece the one a second training with that size would give, and
the text is read once. A vocabulary the text can fill is the same either way.
"""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sentencepiece

from tokenizer.settings import TokenizerSettings

UNK_ID, BOS_ID, EOS_ID, PAD_ID = 0, 1, 2, -1

LLAMA_TRAINER: dict[str, Any] = {
    "model_type": "bpe",
    "input_sentence_size": 200_000_000,
    "shuffle_input_sentence": True,
    "split_by_unicode_script": True,
    "split_by_number": True,
    "split_by_whitespace": True,
    "split_digits": True,
    "allow_whitespace_only_pieces": True,
    "byte_fallback": True,
    "unk_id": UNK_ID,
    "bos_id": BOS_ID,
    "eos_id": EOS_ID,
    "pad_id": PAD_ID,
    "unk_surface": " \u2047 ",
    "normalization_rule_name": "identity",
    "add_dummy_prefix": True,
    "remove_extra_whitespaces": False,
    "train_extremely_large_corpus": False,
}

#: SentencePiece keeps U+2585 for itself and leaves out, without a word, any line that holds one.
RESERVED_CHARACTER = "\u2585"

_UP_TO_LAST_WHITESPACE = re.compile(r"(?s).*\s")
_LOG_ERRORS_ONLY = 2


@dataclass(frozen=True)
class TrainedTokenizer:
    """A trained tokenizer and what it was trained on.

    Attributes:
        model: SentencePiece's model file.
        requested_vocab_size: Pieces asked for.
        vocab_size: Pieces the model has, fewer where the text was too short.
        documents: Documents the sample drew from.
        lines: Training lines, after long ones were cut.
        sample_bytes: UTF-8 bytes of these lines, line ends not counted.
        split_lines: Lines of documents that were longer than ``max_line_bytes`` and were cut.
        reserved_characters: U+2585 characters left out, where the line around them was cut.
        sample_full: Whether reading stopped at the settings' ``sample_bytes`` with text left over.
        settings: The settings it was trained with.
    """

    model: bytes
    requested_vocab_size: int
    vocab_size: int
    documents: int
    lines: int
    sample_bytes: int
    split_lines: int
    reserved_characters: int
    sample_full: bool
    settings: TokenizerSettings

    @property
    def sha256(self) -> str:
        """SHA-256 of the model file, hexadecimal: the tokenizer's identity in every manifest."""
        return hashlib.sha256(self.model).hexdigest()


def split_line(line: str, max_bytes: int) -> Iterator[str]:
    """Cut a line into pieces that SentencePiece does not skip; nothing is lost.

    A piece ends after the last whitespace that fits, else between two characters. The whitespace stays at the end of
    the piece before: at the start of the next it would double the space that SentencePiece puts there.

    Args:
        line: A line without its line end.
        max_bytes: Longest piece in UTF-8 bytes, at least 4, a piece of exactly this size being allowed.

    Yields:
        Pieces that concatenate to ``line``; none for an empty line.

    >>> list(split_line("one two three", 8))
    ['one two ', 'three']
    """
    encoded = line.encode()
    start = 0
    while len(encoded) - start > max_bytes:
        window = encoded[start : start + max_bytes].decode(errors="ignore")
        whole_words = _UP_TO_LAST_WHITESPACE.match(window)
        piece = whole_words.group() if whole_words else window
        yield piece
        start += len(piece.encode())
    if start < len(encoded):
        yield encoded[start:].decode()


class TrainingSample:
    """The lines to train on, counted as they are read. Iterate once.

    Attributes:
        documents: Documents begun.
        lines: Lines given out.
        sample_bytes: Their UTF-8 bytes.
        split_lines: Long lines cut.
        reserved_characters: U+2585 characters left out.
        full: Whether the bound on bytes ended the sample.
        failure: What went wrong while reading the texts; SentencePiece turns it into a bare ``RuntimeError``.
    """

    def __init__(self, texts: Iterable[str], settings: TokenizerSettings) -> None:
        self._settings = settings
        self.documents = self.lines = self.sample_bytes = self.split_lines = self.reserved_characters = 0
        self.full = False
        self.failure: BaseException | None = None
        self._lines = self._bounded(texts)

    def __iter__(self) -> Iterator[str]:
        """Return itself: texts may be a stream, so there is no second reading."""
        return self

    def __next__(self) -> str:
        """Return the next line."""
        try:
            return next(self._lines)
        except StopIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise

    def _bounded(self, texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            self.documents += 1
            for line in self._lines_of(text):
                size = len(line.encode())
                if self.sample_bytes + size > self._settings.sample_bytes:
                    self.full = True
                    return
                self.lines += 1
                self.sample_bytes += size
                yield line

    def _lines_of(self, text: str) -> Iterator[str]:
        if not _is_unicode(text):
            raise ValueError(f"training document {self.documents} holds a lone surrogate, which has no UTF-8 form")
        self.reserved_characters += text.count(RESERVED_CHARACTER)
        for line in text.replace(RESERVED_CHARACTER, "\n").split("\n"):
            pieces = list(split_line(line, self._settings.max_line_bytes))
            self.split_lines += len(pieces) > 1
            yield from pieces


def training_lines(texts: Iterable[str], settings: TokenizerSettings) -> Iterator[str]:
    """Turn documents into the lines SentencePiece trains on.

    Args:
        texts: Documents, LF line ends.
        settings: Bounds of a line and of the sample.

    Returns:
        Lines that are not empty, none longer than ``max_line_bytes``, in order, up to ``sample_bytes`` in all.

    Raises:
        ValueError: A text holds a lone surrogate.
    """
    return iter(TrainingSample(texts, settings))


def train_tokenizer(texts: Iterable[str], settings: TokenizerSettings) -> TrainedTokenizer:
    """Train a tokenizer. Equal texts and settings give equal bytes.

    Args:
        texts: The sample's documents, read once and not held; reading stops at ``settings.sample_bytes``.
        settings: How to train.

    Returns:
        The model, with a vocabulary as large as asked for or, from a short text, the largest it yields.

    Raises:
        ValueError: The texts hold nothing to train on, or more distinct characters than the vocabulary has room for.
    """
    sample = TrainingSample(texts, settings)
    model = _train(sample, settings)
    return TrainedTokenizer(
        model=model,
        requested_vocab_size=settings.vocab_size,
        vocab_size=sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size(),
        documents=sample.documents,
        lines=sample.lines,
        sample_bytes=sample.sample_bytes,
        split_lines=sample.split_lines,
        reserved_characters=sample.reserved_characters,
        sample_full=sample.full,
        settings=settings,
    )


def given_tokenizer(model: bytes, settings: TokenizerSettings, *, documents: int = 0) -> TrainedTokenizer:
    """Take a model as it is, in the form of a trained one; the counts of a training are zero.

    Args:
        model: A model without faults, see :func:`tokenizer.model_file.llama_faults`.
        settings: The settings that name it.
        documents: Documents it is measured on.
    """
    size = sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size()
    return TrainedTokenizer(model, size, size, documents, 0, 0, 0, 0, sample_full=False, settings=settings)


def _train(sample: TrainingSample, settings: TokenizerSettings) -> bytes:
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sample,
            model_writer=model,
            vocab_size=settings.vocab_size,
            hard_vocab_limit=False,
            character_coverage=settings.character_coverage,
            max_sentence_length=settings.max_line_bytes,
            max_sentencepiece_length=settings.max_piece_chars,
            num_threads=settings.num_threads,
            minloglevel=_LOG_ERRORS_ONLY,
            **LLAMA_TRAINER,
        )
    except RuntimeError as error:
        raise _cause(error, sample, settings) from error
    return model.getvalue()


def _cause(error: RuntimeError, sample: TrainingSample, settings: TokenizerSettings) -> BaseException:
    """Say what a failed training means: SentencePiece raises one ``RuntimeError`` for everything."""
    if sample.failure is not None:
        return sample.failure
    if not sample.lines:
        return ValueError(f"no text to train a tokenizer on: {sample.documents} documents without a line")
    required = re.search(r"required_chars\. \d+ vs (\d+)", str(error))
    if required:
        return ValueError(
            f"vocab_size {settings.vocab_size} is too small: special pieces, bytes and the sample's characters at "
            f"character_coverage {settings.character_coverage} need {required[1]}"
        )
    return error


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
