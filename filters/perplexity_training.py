"""Training the n-gram model of a language, and the SentencePiece model that cuts its words, after CCNet.

The recipe (Wenzek et al. 2020; ``Makefile``, ``get_wiki_cirrus.py``): normalise each document to one line, train a
SentencePiece unigram model on the lines, cut them into pieces, and let KenLM (Heafield et al. 2013) estimate a 5-gram
model of the pieces with modified Kneser-Ney smoothing. CCNet trains on the openings of a million Wikipedia articles.

What is not CCNet's (:class:`filters.perplexity_card.NgramTrainingSettings` says why for the first two):

- The vocabulary is lowered to what the text yields, where CCNet trains again with 40,000 pieces.
- Text is bounded in bytes too, apart for SentencePiece and for KenLM.
- Documents are taken whole; CCNet has the openings of articles.
- 1 % of them are held out, and the card says their perplexity.
- Each passage is given to SentencePiece once, which looks at all repeats for a time with the square of their length.
- Documents longer than SentencePiece reads are cut for it, where it would skip them, and so are lines at U+2585, which
  it keeps for itself, where it would leave out the line.
- ``lmplz`` gets ``--skip_symbols``, without which it stops at a text that spells ``<s>`` in characters too rare to have
  pieces. A text without such a piece gives the same model either way.
"""

import hashlib
import io
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, BinaryIO

import sentencepiece
import xxhash

from filters.kenlm_tools import KenlmTools, find_kenlm_tools, kenlm_version, load_kenlm
from filters.perplexity import perplexity_of
from filters.perplexity_card import NgramCard, NgramTrainingSettings
from filters.perplexity_text import normalize_for_perplexity

#: SentencePiece keeps U+2585 for itself and leaves out, without a word, any line that holds one.
RESERVED_CHARACTER = "\u2585"

_PASSAGE_WORDS = 32  # words of a passage, on average
_ERRORS_ONLY = 2
_CONTINUATION = 0x80
_CONTINUATION_MASK = 0xC0


class NgramToolFailed(RuntimeError):
    """A program of KenLM's ended badly; the message is the last line it wrote."""


def train_ngram_model(texts: Iterable[str], language: str, settings: NgramTrainingSettings, folder: str) -> NgramCard:
    """Train the models of a language. Equal texts and settings give equal bytes.

    Args:
        texts: Documents, LF line ends; read once and not held, up to the settings' bounds.
        language: Names the files.
        settings: How to train.
        folder: A local folder, made if need be, for ``<language>.arpa.bin``, ``<language>.sp.model`` and the card,
            ``<language>.card.json`` and ``<language>.card.md``. Its filesystem holds the temporary files too.

    Returns:
        The card.

    Raises:
        FileNotFoundError: KenLM's programs are not installed.
        NgramToolFailed: One of them failed.
        ValueError: The texts hold nothing to train on, or more distinct characters than the vocabulary has room for.
    """
    tools = find_kenlm_tools()
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{language}-") as work:
        sample = _Sample(work, settings)
        sample.write(texts)
        model = _train_pieces(sample, settings)
        splitter = sentencepiece.SentencePieceProcessor(model_proto=model)
        sample.write_pieces(splitter)
        arpa, binary = os.path.join(work, "ngrams.arpa"), os.path.join(work, "ngrams.arpa.bin")
        _run(_lmplz(tools, sample, settings, splitter.get_piece_size(), arpa))
        _run([tools.build_binary, arpa, binary])
        card = _card(sample, language, settings, model, arpa, binary, tools)
        os.replace(binary, os.path.join(folder, f"{language}.arpa.bin"))
    for suffix, content in ((".sp.model", model), (".card.json", card.to_json()), (".card.md", card.to_markdown())):
        _write(os.path.join(folder, language + suffix), content)
    return card


class _Sample:
    """The training text as files of a folder, one document a line, and what was counted while they were written.

    Attributes:
        text: Documents to train on.
        pieces: The same in pieces.
        held_out: Documents kept from training.
    """

    def __init__(self, folder: str, settings: NgramTrainingSettings) -> None:
        self._settings = settings
        self.text, self.pieces, self.held_out = (os.path.join(folder, name) for name in ("text", "pieces", "held_out"))
        self.documents = self.sample_bytes = self.piece_sample_bytes = self.empty_documents = 0
        self.split_documents = self.reserved_characters = self.repeated_passages = 0
        self.full = False

    def write(self, texts: Iterable[str]) -> None:
        """Normalise documents into the files, up to the bounds."""
        with open(self.text, "wb") as text, open(self.held_out, "wb") as held_out:
            for line in self._lines(texts):
                out = held_out if _is_held_out(line, self._settings) else text
                if out is text:
                    self.documents += 1
                    self.sample_bytes += len(line)
                out.write(line + b"\n")

    def _lines(self, texts: Iterable[str]) -> Iterator[bytes]:
        size = 0
        for read, text in enumerate(texts):
            line = normalize_for_perplexity(text, self._settings.line_joint).encode(errors="replace")
            size += len(line)
            if read >= self._settings.max_documents or size > self._settings.sample_bytes:
                self.full = True
                return
            if line.strip():
                yield line
            else:
                self.empty_documents += 1

    def training_lines(self) -> Iterator[str]:
        """Give the text, up to its bound, as lines that SentencePiece's trainer does not skip, each passage once.

        SentencePiece looks at every substring that occurs twice, which takes time with the square of the length of
        repeats: two crawls of 385 pages, 7 MB, kept it busy for more than 280 s, and 16 s with each passage once.
        """
        seen: set[int] = set()
        for line in _read_lines(self.text):
            if self.piece_sample_bytes and self.piece_sample_bytes + len(line) > self._settings.piece_sample_bytes:
                return
            self.piece_sample_bytes += len(line)
            self.split_documents += len(line) > self._settings.max_line_bytes
            parts = line.decode().split(RESERVED_CHARACTER)
            self.reserved_characters += len(parts) - 1
            for passage in (passage for part in parts for passage in _passages(part.encode())):
                key = _hash(passage)
                if key in seen:
                    self.repeated_passages += 1
                else:
                    seen.add(key)
                    yield from _cut(passage, self._settings.max_line_bytes)

    def write_pieces(self, splitter: sentencepiece.SentencePieceProcessor) -> None:
        """Cut the training text into pieces."""
        with open(self.pieces, "wb") as out:
            for line in _read_lines(self.text):
                pieces = splitter.encode(line, out_type=bytes)
                if pieces:
                    out.write(b" ".join(pieces) + b"\n")
                else:
                    self.documents -= 1
                    self.sample_bytes -= len(line)
                    self.empty_documents += 1


def _hash(text: bytes, seed: int = 0) -> int:
    return xxhash.xxh3_64_intdigest(text, seed)


def _is_held_out(line: bytes, settings: NgramTrainingSettings) -> bool:
    return _hash(line, settings.seed) < settings.held_out_fraction * 2.0**64


def _read_lines(path: str) -> Iterator[bytes]:
    with open(path, "rb") as stream:
        yield from (line[:-1] for line in stream)


def _passages(line: bytes) -> Iterator[bytes]:
    """Cut a text after words that their own hash chooses, so that a repeat is cut as what it repeats."""
    start = end = 0
    for word in line.split(b" "):
        end += len(word) + 1
        if _hash(word) % _PASSAGE_WORDS == 0:
            yield line[start:end]
            start = end
    if start < len(line):
        yield line[start:]


def _cut(line: bytes, max_bytes: int) -> Iterator[str]:
    """Cut UTF-8 text after the last space that fits, else between two characters."""
    start = 0
    while len(line) - start > max_bytes:
        end = line.rfind(b" ", start, start + max_bytes) + 1
        if not end:
            end = start + max_bytes
            while line[end] & _CONTINUATION_MASK == _CONTINUATION:
                end -= 1
        yield line[start:end].decode()
        start = end
    if start < len(line):
        yield line[start:].decode()


def _train_pieces(sample: _Sample, settings: NgramTrainingSettings) -> bytes:
    if not sample.documents:
        raise ValueError("no text to train an n-gram model on: every document is empty or held out")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sample.training_lines(),
            model_writer=model,
            model_type="unigram",
            vocab_size=settings.vocab_size,
            hard_vocab_limit=False,
            character_coverage=settings.character_coverage,
            max_sentence_length=settings.max_line_bytes,
            num_threads=settings.num_threads,
            minloglevel=_ERRORS_ONLY,
        )
    except RuntimeError as error:
        raise ValueError(_cause(error, settings)) from error
    return model.getvalue()


def _cause(error: RuntimeError, settings: NgramTrainingSettings) -> str:
    if required := re.search(r"required_chars\. \d+ vs (\d+)", str(error)):
        return (
            f"vocab_size {settings.vocab_size} is too small: special pieces and the text's characters at "
            f"character_coverage {settings.character_coverage} need {required[1]}"
        )
    return f"SentencePiece cannot train on this text: {' '.join(str(error).split())}"


def _lmplz(
    tools: KenlmTools, sample: _Sample, settings: NgramTrainingSettings, vocab_size: int, arpa: str
) -> list[str]:
    options = {
        "-o": settings.order,
        "-S": settings.lmplz_memory,
        "-T": os.path.join(os.path.dirname(arpa), "sort-"),
        "--vocab_estimate": vocab_size,
        "--text": sample.pieces,
        "--arpa": arpa,
    }
    flags = ["--discount_fallback", "--skip_symbols"]
    return [tools.lmplz, *(str(word) for pair in options.items() for word in pair), *flags]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")  # noqa: PLW1510, S603
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else "nothing was written to stderr"
        raise NgramToolFailed(f"{os.path.basename(command[0])} failed with status {done.returncode}: {said}")


def _card(
    sample: _Sample,
    language: str,
    settings: NgramTrainingSettings,
    model: bytes,
    arpa: str,
    binary: str,
    tools: KenlmTools,
) -> NgramCard:
    splitter = sentencepiece.SentencePieceProcessor(model_proto=model)
    documents, pieces, log10_score = _score(sample.held_out, splitter, load_kenlm().Model(binary))
    with open(arpa, "rb") as stream:
        ngrams = tuple(_ngram_counts(stream))
    return NgramCard(
        language=language,
        ngrams_sha256=_sha256_of(binary),
        pieces_sha256=hashlib.sha256(model).hexdigest(),
        sentencepiece_version=sentencepiece.__version__,
        kenlm_version=kenlm_version(),
        lmplz_sha256=_sha256_of(tools.lmplz),
        settings=settings,
        documents=sample.documents,
        sample_bytes=sample.sample_bytes,
        piece_sample_bytes=sample.piece_sample_bytes,
        empty_documents=sample.empty_documents,
        sample_full=sample.full,
        split_documents=sample.split_documents,
        reserved_characters=sample.reserved_characters,
        repeated_passages=sample.repeated_passages,
        requested_vocab_size=settings.vocab_size,
        vocab_size=splitter.get_piece_size(),
        ngrams=ngrams,
        held_out_documents=documents,
        held_out_pieces=pieces,
        # One end of sentence a document; the last is the one perplexity_of adds.
        held_out_perplexity=perplexity_of(log10_score, pieces + documents - 1) if documents else None,
    )


def _sha256_of(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _score(path: str, splitter: sentencepiece.SentencePieceProcessor, ngrams: Any) -> tuple[int, int, float]:
    """Count documents and pieces of a file of lines, and sum their scores."""
    documents, size, log10_score = 0, 0, 0.0
    for pieces in filter(None, (splitter.encode(line, out_type=bytes) for line in _read_lines(path))):
        documents += 1
        size += len(pieces)
        log10_score += ngrams.score(b" ".join(pieces))
    return documents, size, log10_score


def _ngram_counts(arpa: BinaryIO) -> Iterator[int]:
    """Read the number of n-grams of each order from the head of an ARPA file."""
    arpa.readline()
    for line in takewhile(bytes.strip, arpa):
        yield int(line.partition(b"=")[2])


def _write(path: str, content: str | bytes) -> None:
    """Write a file that is seen whole or not at all."""
    partial = f"{path}.partial"
    with open(partial, "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)
