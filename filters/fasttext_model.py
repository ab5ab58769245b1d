"""The facts of a fastText classifier that its file and its bindings give: words, rows, buckets, labels.

A supervised fastText model (Joulin et al. 2016) takes the mean of the input rows of a text's words and of their
character n-grams, which share rows by a hash ("buckets"), and puts it through one output layer. Written down here is
version 12 of the file format: arguments, dictionary, and where a quantized model was pruned, the buckets it kept. The
bindings tell the matrices but not the buckets. What is not recognised gives no facts, never wrong ones.
"""

import mmap
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Marks of words that fastText itself gives a meaning: a label, and the end of what it reads.
LABEL_MARK = "__label__"
END_MARK = "</s>"

#: The heads of a model file, of its arguments with the magic number and version before them, and of its dictionary.
MAGIC = 793712314
ARGUMENTS = struct.Struct("<ii12id")
DICTIONARY = struct.Struct("<iiiqq")
#: The kind of model that tells labels.
SUPERVISED = 3

_VERSION = 12
_ENTRY = struct.Struct("<qb")
_HIERARCHICAL, _SOFTMAX = 1, 3
_MAX_NGRAM = 4
_MAX_QUANTIZED_ROWS = 1 << 18  # they are asked for one by one


@dataclass(frozen=True)
class ModelFacts:
    """What a prediction is made of.

    Attributes:
        words: The words that have a row of their own, the row of each being its place.
        rows: Input rows, float32 (rows, dimensions).
        bucket_rows: The row of each n-gram bucket, -1 for one that was pruned.
        min_ngram: Least characters of an n-gram, word boundaries included.
        max_ngram: Most characters of one.
        labels: The labels, without their mark, in the model's order.
        label_counts: How often each was seen in training, never increasing.
        output: Output rows, float32: a label each for a softmax, an inner node each for a hierarchical one.
        hierarchical: Whether the output is a hierarchical softmax.
        owner: What must live as long as the rows, which may be the model's own memory.
    """

    words: tuple[bytes, ...]
    rows: NDArray[np.float32]
    bucket_rows: NDArray[np.int32]
    min_ngram: int
    max_ngram: int
    labels: tuple[str, ...]
    label_counts: tuple[int, ...]
    output: NDArray[np.float32]
    hierarchical: bool
    owner: object = None


@dataclass(frozen=True)
class _Header:
    """The head of a model file, up to its matrices."""

    bucket: int
    min_ngram: int
    max_ngram: int
    hierarchical: bool
    words: tuple[bytes, ...]
    labels: tuple[bytes, ...]
    label_counts: tuple[int, ...]
    kept: NDArray[np.int32] | None


def read_model(model: Any, path: str) -> ModelFacts | None:
    """Read a model's facts.

    Args:
        model: The model as ``fasttext.load_model`` gives it.
        path: The file it was loaded from.

    Returns:
        ``None`` for a model of another kind than those read here: a supervised one of file version 12, with a softmax
        (hierarchical or not), without word n-grams, with character n-grams of at most four characters, with an output
        that is not quantized; and for a file that cannot be read.
    """
    header = _read_header(path)
    if header is None or (model.f.isQuant() and model.f.getArgs().qout):
        return None
    rows = _input_rows(model, header)
    if rows is None:
        return None
    return ModelFacts(
        header.words,
        rows,
        _bucket_rows(header),
        header.min_ngram,
        header.max_ngram,
        tuple(label.decode().removeprefix(LABEL_MARK) for label in header.labels),
        header.label_counts,
        np.array(model.f.getOutputMatrix(), dtype=np.float32),
        header.hierarchical,
        owner=model.f,
    )


def _read_header(path: str) -> _Header | None:
    try:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse_header(data)
    except (OSError, ValueError, struct.error):  # no such file, an empty one, one that ends early
        return None


def _parse_header(data: mmap.mmap) -> _Header | None:
    magic, version, *arguments = ARGUMENTS.unpack_from(data)
    if (magic, version) != (MAGIC, _VERSION):
        return None
    _dim, _ws, _epoch, _min_count, _neg, word_ngrams, loss, kind, bucket, minn, maxn, _rate, _t = arguments
    if kind != SUPERVISED or loss not in {_HIERARCHICAL, _SOFTMAX} or word_ngrams > 1:
        return None
    if not 1 <= maxn <= _MAX_NGRAM or bucket < 1:
        return None
    size, words, labels, _tokens, pruned = DICTIONARY.unpack_from(data, ARGUMENTS.size)
    entries, at = _read_entries(data, size)
    names = tuple(word for word, _ in entries[words:])
    if labels < 2 or not all(name.startswith(LABEL_MARK.encode()) for name in names):  # noqa: PLR2004
        return None
    kept = np.frombuffer(data[at : at + 8 * pruned], "<i4").reshape(pruned, 2) if pruned >= 0 else None
    own = tuple(word for word, _ in entries[:words])
    counts = tuple(count for _, count in entries[words:])
    return _Header(bucket, max(minn, 1), maxn, loss == _HIERARCHICAL, own, names, counts, kept)


def _read_entries(data: mmap.mmap, size: int) -> tuple[list[tuple[bytes, int]], int]:
    entries = []
    at = ARGUMENTS.size + DICTIONARY.size
    for _ in range(size):
        end = data.find(b"\0", at)
        if end < 0:
            raise ValueError("a word without end")
        count, _kind = _ENTRY.unpack_from(data, end + 1)
        entries.append((data[at:end], count))
        at = end + 1 + _ENTRY.size
    return entries, at


def _input_rows(model: Any, header: _Header) -> NDArray[np.float32] | None:
    if not model.f.isQuant():
        return np.asarray(model.f.getInputMatrix(), dtype=np.float32)
    count = len(header.words) + (header.bucket if header.kept is None else len(header.kept))
    if count > _MAX_QUANTIZED_ROWS:
        return None
    return np.stack([model.get_input_vector(row) for row in range(count)])


def _bucket_rows(header: _Header) -> NDArray[np.int32]:
    first = len(header.words)
    if header.kept is None:
        return np.arange(first, first + header.bucket, dtype=np.int32)
    rows = np.full(header.bucket, -1, np.int32)
    rows[header.kept[:, 0]] = header.kept[:, 1] + first
    return rows
