"""Tokenising and reading token shards, beside SentencePiece and a memory map."""

import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece

from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare, measure
from tests.tokenizer.real_texts import documents, sentences
from tokenizer.encoding import Encoder
from tokenizer.reader import TokenShards
from tokenizer.settings import TokenizerSettings, TokenShardSettings
from tokenizer.shards import write_shards
from tokenizer.training import train_tokenizer

_VOCAB_SIZE = 8000
_LLAMA_VOCAB_SIZE = 32_000
_ENCODE_GOAL = 3
_SOURCE_TEXTS = 100, 20_000  # documents of each source, characters of each at most
_SAMPLE_BYTES = 4_000_000
_WINDOW = 2049
_WINDOWS = 4096
_WINDOW_GOAL = 50e6


@functools.cache
def train_model(inputs: Inputs, vocab_size: int = _VOCAB_SIZE) -> bytes:
    settings = TokenizerSettings(vocab_size=vocab_size, sample_bytes=_SAMPLE_BYTES)
    return train_tokenizer((document.text for document in inputs.documents), settings).model


def encode(inputs: Inputs) -> Iterator[Result]:
    """Documents into ids, beside SentencePiece on the same documents: pages, then sources."""
    model = train_model(inputs, _LLAMA_VOCAB_SIZE)
    texts = [document.text for document in inputs.documents]
    yield _encoded("tokens.encode", model, texts, goal=f"ratio >= {_ENCODE_GOAL}")
    by_source = documents(Path(inputs.data), *_SOURCE_TEXTS)
    for source, found in {**by_source, "75_languages": sentences(Path(inputs.data))}.items():
        if found:
            yield _encoded(f"tokens.encode_{source}", model, found)


def _encoded(name: str, model: bytes, texts: list[str], goal: str = "") -> Result:
    encoder, processor = Encoder.from_bytes(model), sentencepiece.SentencePieceProcessor(model_proto=model)
    loaded = measure(lambda: Encoder.from_bytes(model)).seconds

    def ours() -> None:
        encoder.encode_documents(texts, bos=True, eos=True)

    def bare() -> None:
        for text in texts:
            np.array(processor.encode(text, add_bos=True, add_eos=True), np.uint16)

    pair = compare(ours, bare)
    met = pair.ratio >= _ENCODE_GOAL if goal else None
    detail = (
        f"by {encoder.engine_name}; a model is loaded and its engine tried in {1000 * loaded:.0f} ms" if goal else ""
    )
    against = "bare SentencePiece encode"
    return speed(name, text_megabytes(texts), pair, against=against, goal=goal, met=met, detail=detail)


def read_windows(inputs: Inputs) -> Iterator[Result]:
    """Windows at random places of token shards, beside slices of one memory map with the same tokens."""
    encoder = Encoder.from_bytes(train_model(inputs))
    ids = encoder.encode_documents([document.text for document in inputs.documents], bos=True, eos=True)
    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        shard_bytes = sum(document.nbytes for document in ids) // 4
        write_shards(folder, "bench", ids, encoder, TokenShardSettings(shard_bytes=shard_bytes))
        path = os.path.join(folder, "all.bin")
        np.concatenate(ids).tofile(path)
        mapped = np.asarray(np.memmap(path, encoder.dtype, "r"))
        with TokenShards.open(folder) as shards:
            starts = np.random.default_rng(0).integers(0, shards.num_tokens - _WINDOW, _WINDOWS)
            pair = compare(lambda: shards.windows(starts, _WINDOW), lambda: _slices(mapped, starts))
    detail = f"{_WINDOWS} windows of {_WINDOW} tokens, {1e6 * pair.ours.seconds / _WINDOWS:.2f} microseconds each"
    yield speed(
        "tokens.windows",
        _WINDOWS * _WINDOW,
        pair,
        unit="tokens/s",
        against="slices of a bare memmap",
        goal="50 M tokens/s",
        met=_WINDOWS * _WINDOW / pair.ours.seconds >= _WINDOW_GOAL,
        detail=detail,
    )


def _slices(mapped: npt.NDArray[np.unsignedinteger], starts: npt.NDArray[np.int64]) -> object:
    rows = np.empty((len(starts), _WINDOW), mapped.dtype)
    for row, start in zip(rows, starts.tolist(), strict=True):
        row[:] = mapped[start : start + _WINDOW]
    return rows
