"""Whether a model's file is whole: a fastText classifier, a KenLM model, a SentencePiece model.

fastText (Joulin et al. 2016) reads past the end of a file without a word: a classifier cut short loads with rows of
zeros and gives every text the same score, and a dictionary cut short takes all memory there is. So its file is walked
here from head to end, the way fasttext.cc reads it but for the numbers of its matrices, and must be as long as its own
counts say. A KenLM binary (Heafield et al. 2013; binary_format.cc, version 5 of the format) is tables whose length
follows from the counts in its head, then words. SentencePiece (sentencepiece_model.proto) takes a model cut behind a
piece for a smaller one of default settings. The numbers themselves are not looked at: a file of the right length that
holds others, such as a download whose gaps are still zeros, passes.
"""

import itertools
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from filters.fasttext_model import ARGUMENTS, DICTIONARY, MAGIC, SUPERVISED

_MAGIC, _VERSIONS = struct.pack("<i", MAGIC), {11, 12}
_DENSE = struct.Struct("<qq")
_QUANTIZED = struct.Struct("<Bqqi")
_QUANTIZER = struct.Struct("<4i")
_MODELS = {1, 2, SUPERVISED}
_FLOAT_BYTES = 4
_CENTROIDS = 256
_PAIR_BYTES = 8
_END_BYTES = 10  # of an entry of the dictionary: the end of its word, its count, its kind

_KENLM_MAGIC = b"mmap lm http://kheafield.com/code"
_KENLM_HEAD = struct.pack("<56s3f3IQ", _KENLM_MAGIC + b" format version 5\n", 0.0, 1.0, -0.5, 1, 2**32 - 1, 0, 1)
_KENLM_FACTS = struct.Struct("<B3xfIB3xI")
_PROBING, _REST_PROBING, _TRIE, _QUANT_TRIE, _ARRAY_TRIE, _QUANT_ARRAY_TRIE = range(6)
_FIRST_WORD = b"<unk>\0"
_MAX_MULTIPLIER = 1000.0
_ARPA_BYTES = 1 << 16  # of an ARPA file's head and end
_CHUNK_BYTES = 1 << 20

_MAX_PIECES_BYTES = 1 << 30

_Data = mmap.mmap | bytes


def check_fasttext_file(path: str) -> None:
    """Refuse a file that is no whole fastText model of format 11 or 12, dense, quantized or pruned.

    Args:
        path: A file on this machine. Read are its dictionary and the heads of its matrices, mapped into memory.

    Raises:
        ValueError: It is no fastText model, or one cut short; one line, with the path.
        OSError: It cannot be read.
    """
    with _open(path, "fastText model") as data:
        _walk_fasttext(data)


def check_kenlm_file(path: str) -> None:
    r"""Refuse a file that is neither a whole KenLM binary, of any of its six kinds, nor an ARPA file.

    A binary must be as long as its counts say and then have its words, where it was built with them. Of an ARPA file no
    more is looked at than its beginning, ``\data\`` after blank lines and comments, and its end, ``\end\``. Either is
    refused in gzip, though KenLM may be built to read an ARPA file so.

    Args:
        path: A file on this machine, mapped into memory.

    Raises:
        ValueError: It is no model, or one cut short; one line, with the path.
        OSError: It cannot be read.
    """
    with _open(path, "KenLM binary") as data:
        if data[: len(_KENLM_MAGIC)] == _KENLM_MAGIC:
            _walk_kenlm(data)
            return
        head, end = data[:_ARPA_BYTES], data[-_ARPA_BYTES:]
    lines = (line for line in head.splitlines() if line.strip() and not line.startswith(b"#"))
    if next(lines, b"") != b"\\data\\":
        raise _refusal(path, "neither a KenLM binary nor an ARPA file")
    if not end.rstrip().endswith(b"\n\\end\\"):
        raise _refusal(path, "an ARPA file cut short: its last line is not \\end\\")


def check_sentencepiece_file(path: str) -> None:
    """Refuse a file that SentencePiece does not load, or loads without the normalizer that a cut took from it.

    Args:
        path: A file on this machine, of at most 1 GiB.

    Raises:
        ValueError: It is no SentencePiece model; one line, with the path.
        OSError: It cannot be read.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if not 0 < size <= _MAX_PIECES_BYTES:
            raise _refusal(path, f"no SentencePiece model: {size} bytes, not 1 to {_MAX_PIECES_BYTES}")
        try:
            sentencepiece.SentencePieceProcessor(model_file=path)
        except RuntimeError as error:
            raise _refusal(path, f"no SentencePiece model: {error}") from error
        model = sentencepiece_model_pb2.ModelProto.FromString(stream.read())
    if not model.HasField("normalizer_spec"):
        cut = f"cut short, {len(model.pieces)} pieces and no normalizer behind them"
        raise _refusal(path, f"no SentencePiece model: {cut}")


class _CutShort(Exception):
    """Something reaches beyond the end of the file: the least number of bytes a whole one has."""


def _refusal(path: str, what: str) -> ValueError:
    return ValueError(" ".join(f"{path}: {what}".splitlines()))


@contextmanager
def _open(path: str, kind: str) -> Iterator[_Data]:
    """Map a file into memory, and say of which file the faults are that are found in it."""
    with open(path, "rb") as stream:
        empty = os.fstat(stream.fileno()).st_size == 0  # which cannot be mapped
        data = b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield data
    except _CutShort as least:
        raise _refusal(path, f"a {kind} cut short: {len(data)} bytes of at least {least}") from None
    except ValueError as fault:
        raise _refusal(path, f"no {kind}: {fault}") from None
    finally:
        if isinstance(data, mmap.mmap):
            data.close()


def _reach(data: _Data, end: int) -> int:
    """Give a place back that is within the file or its end."""
    if end > len(data):
        raise _CutShort(end)
    return end


def _require(holds: bool, fault: str) -> None:  # noqa: FBT001 - reads like the assertion it is
    if not holds:
        raise ValueError(fault)


def _walk_fasttext(data: _Data) -> None:
    _require(data[: len(_MAGIC)] == _MAGIC, "it does not begin as one")
    at = _reach(data, ARGUMENTS.size)
    _, version, dimensions, *others = ARGUMENTS.unpack_from(data)
    model, buckets = others[6:8]
    _require(version in _VERSIONS, f"its format is version {version}, not 11 or 12")
    arguments = f"a model of kind {model}, {dimensions} dimensions, {buckets} buckets"
    _require(model in _MODELS and dimensions > 0 and buckets >= 0, arguments)
    at, words, labels, pruned = _walk_dictionary(data, at)
    rows = words + (buckets if pruned < 0 else pruned)
    at = _reach(data, at + _PAIR_BYTES * max(pruned, 0))
    at, quantized = _flag(data, at)
    _require(quantized or pruned < 0, "its dictionary was pruned, its matrix not quantized")
    at = (_walk_quantized if quantized else _walk_dense)(data, at, rows, dimensions)
    at, quantized_output = _flag(data, at)
    rows = labels if model == SUPERVISED else words
    at = (_walk_quantized if quantized and quantized_output else _walk_dense)(data, at, rows, dimensions)
    _require(at == len(data), f"{len(data) - at} bytes are behind its end")


def _walk_dictionary(data: _Data, at: int) -> tuple[int, int, int, int]:
    """Give the place behind the last entry, the numbers of words and labels, and of kept n-grams, -1 for all."""
    start, at = at, _reach(data, at + DICTIONARY.size)
    size, words, labels, _tokens, pruned = DICTIONARY.unpack_from(data, start)
    counts = f"a dictionary of {size} entries, {words} words, {labels} labels, {pruned} n-grams"
    _require(words >= 0 and labels >= 0 and words + labels == size and pruned >= -1, counts)
    for number in range(size):
        end = data.find(b"\0", at)
        at = (end if end >= 0 else len(data)) + _END_BYTES
        if at > len(data):
            raise _CutShort(at + _END_BYTES * (size - number - 1))
        _require(data[at - 1] == (number >= words), f"entry {number} of the dictionary is neither word nor label")
    return at, words, labels, pruned


def _flag(data: _Data, at: int) -> tuple[int, bool]:
    end = _reach(data, at + 1)
    _require(data[at] <= 1, f"byte {at} is {data[at]}, not 0 or 1")
    return end, data[at] == 1


def _walk_dense(data: _Data, at: int, rows: int, columns: int) -> int:
    start, at = at, _reach(data, at + _DENSE.size)
    _check_shape(_DENSE.unpack_from(data, start), (rows, columns))
    return _reach(data, at + _FLOAT_BYTES * rows * columns)


def _walk_quantized(data: _Data, at: int, rows: int, columns: int) -> int:
    start, at = at, _reach(data, at + _QUANTIZED.size)
    has_norms, found_rows, found_columns, codes = _QUANTIZED.unpack_from(data, start)
    _check_shape((found_rows, found_columns), (rows, columns))
    _require(codes >= 0 and has_norms <= 1, f"a matrix has {codes} codes, its flag of norms is {has_norms}")
    at, parts = _walk_quantizer(data, _reach(data, at + codes), columns)
    _require(codes == rows * parts, f"a matrix has {codes} codes, not {rows} times {parts}")
    return _walk_quantizer(data, _reach(data, at + rows), 1)[0] if has_norms else at


def _walk_quantizer(data: _Data, at: int, dimensions: int) -> tuple[int, int]:
    """Give the place behind a product quantizer, and into how many parts it splits a row."""
    start, at = at, _reach(data, at + _QUANTIZER.size)
    total, parts, width, last = _QUANTIZER.unpack_from(data, start)
    _require(total == dimensions, f"a quantizer has {total} dimensions, not {dimensions}")
    fits = parts > 0 and 0 < last <= width and (parts - 1) * width + last == total
    _require(fits, f"a quantizer splits {total} dimensions in {parts} parts of {width}, the last of {last}")
    return _reach(data, at + _FLOAT_BYTES * _CENTROIDS * total), parts


def _check_shape(found: Sequence[int], expected: tuple[int, int]) -> None:
    _require(tuple(found) == expected, "a matrix has {} rows of {}, not {} of {}".format(*found, *expected))


def _walk_kenlm(data: _Data) -> None:
    _require(data[: len(_KENLM_HEAD)] == _KENLM_HEAD, "it was not finished, or its format is not version 5")
    facts_end = _reach(data, len(_KENLM_HEAD) + _KENLM_FACTS.size)
    order, multiplier, kind, has_words, _version = _KENLM_FACTS.unpack_from(data, len(_KENLM_HEAD))
    settings = f"a model of kind {kind}, order {order}, {multiplier} times the room for its tables"
    _require(order > 1 and kind <= _QUANT_ARRAY_TRIE and 1 <= multiplier <= _MAX_MULTIPLIER, settings)
    start = _reach(data, -(-(facts_end + 8 * order) // 8) * 8)
    counts = struct.unpack_from(f"<{order}Q", data, facts_end)
    if kind < _TRIE:
        end = _reach(data, start + _probing_bytes(counts, multiplier, rest=kind == _REST_PROBING))
        (words,) = struct.unpack_from("<I", data, start + 4)
    else:
        end = _reach(data, start + _trie_bytes(data, start, counts, kind))
        words = counts[0]
    _check_words(data, end, words if has_words else 0)


def _probing_bytes(counts: Sequence[int], multiplier: float, *, rest: bool) -> int:
    """Give the length of the vocabulary and of a hash table for each order (vocab.cc, search_hashed.hh)."""

    def table(count: int, entry: int) -> int:
        return max(count + 1, int(np.float32(multiplier) * np.float32(count))) * entry  # in float32, as KenLM does

    weights = 12 if rest else 8
    middle = sum(table(count, 8 + weights) for count in counts[1:-1])
    return 8 + table(counts[0], 12) + (counts[0] + 1) * weights + middle + table(counts[-1], 12)


def _trie_bytes(data: _Data, start: int, counts: Sequence[int], kind: int) -> int:
    """Give the length of the vocabulary and of the orders, packed to the bit (vocab.cc, search_trie.hh, bhiksha.cc)."""
    size = 8 + 8 * counts[0]
    prob_bits, backoff_bits = 31, 32
    if kind in {_QUANT_TRIE, _QUANT_ARRAY_TRIE}:
        _reach(data, start + size + 3)
        prob_bits, backoff_bits = data[start + size + 1], data[start + size + 2]
        size += (len(counts) - 1) * (4 << prob_bits) + (len(counts) - 2) * (4 << backoff_bits) + 8
    size += (counts[0] + 2) * 16
    has_arrays = kind in {_ARRAY_TRIE, _QUANT_ARRAY_TRIE}
    most_chopped = data[_reach(data, start + size + 2) - 1] if has_arrays else 0
    for count, following in itertools.pairwise(counts[1:]):
        chopped = _chopped_bits(count + 1, following, most_chopped)
        pointer_bits = following.bit_length() - chopped
        size += 8 * (2 + (following >> pointer_bits)) + 7 if has_arrays else 0
        size += _packed_bytes(count, counts[0], prob_bits + backoff_bits + pointer_bits)
    return size + _packed_bytes(counts[-1], counts[0], prob_bits)


def _chopped_bits(count: int, following: int, most: int) -> int:
    """Give how many bits of its pointers an order keeps in an array instead, so that both take the least room."""
    bits = following.bit_length()
    return min(range(min(bits, most) + 1), key=lambda chopped: (following >> (bits - chopped)) * 64 - count * chopped)


def _packed_bytes(count: int, words: int, bits: int) -> int:
    return ((1 + count) * (words.bit_length() + bits) + 7) // 8 + 8


def _check_words(data: _Data, at: int, words: int) -> None:
    """Look for so many words behind the tables, ``<unk>`` the first, each ending in a zero byte; for nothing more."""
    _require(not words or _FIRST_WORD.startswith(data[at : at + len(_FIRST_WORD)]), "no words are behind its tables")
    chunks = (data[start : start + _CHUNK_BYTES] for start in range(at, len(data), _CHUNK_BYTES))
    missing = words - sum(chunk.count(0) for chunk in chunks)
    if missing > 0:
        raise _CutShort(len(data) + missing)
    _require(missing == 0 and (at == len(data) or data[-1:] == b"\0"), "more bytes are behind its last word")
