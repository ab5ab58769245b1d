"""Whole models are accepted, of every kind their makers write; cut short anywhere, or changed, they are refused."""

import gzip
import json
import os
import random
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from filters.kenlm_tools import find_kenlm_tools
from filters.language import INSTALLED_MODEL
from filters.model_files import check_fasttext_file, check_kenlm_file, check_sentencepiece_file
from tests.kenlm import needs_kenlm

LID = os.path.join(sys.prefix, INSTALLED_MODEL)
CHECKS = (check_fasttext_file, check_kenlm_file, check_sentencepiece_file)

SUBWORDS = {"minn": 2, "maxn": 4, "bucket": 900}
KINDS: dict[str, dict[str, Any]] = {
    "softmax": {"loss": "softmax", **SUBWORDS},
    "hierarchical": {"loss": "hs", **SUBWORDS},
    "whole_words": {"loss": "ova", "minn": 0, "maxn": 0},
    "word_ngrams": {"loss": "ns", "wordNgrams": 2, "bucket": 500},
    "word_vectors": {"unsupervised": True, "bucket": 500},
    "quantized": {"quantize": {}, **SUBWORDS},
    "quantized_in_uneven_parts": {"quantize": {"dsub": 3}, **SUBWORDS},
    "quantized_with_norms": {"quantize": {"qnorm": True}, **SUBWORDS},
    "pruned": {"quantize": {"cutoff": 400, "qnorm": True}, **SUBWORDS},
    "quantized_output": {"labels": 300, "quantize": {"qout": True}, **SUBWORDS},
    "quantized_output_with_norms": {"labels": 300, "quantize": {"qout": True, "qnorm": True}, **SUBWORDS},
}
TRAIN = """
import json, sys, fasttext
for path, text, kind in json.loads(sys.argv[1]):
    quantize = kind.pop("quantize", None)
    train = fasttext.train_unsupervised if kind.pop("unsupervised", False) else fasttext.train_supervised
    model = train(text, dim=16, epoch=1, thread=1, verbose=0, **kind)
    if quantize is not None:
        model.quantize(text, thread=1, verbose=0, **quantize)
    model.save_model(path)
"""


def arpa(unknown: bool = True, words: int = 100) -> str:
    """A trigram model of one long sentence; orders of 64 n-grams and more pack their pointers into arrays."""
    names = ["<s>", *(f"w{number}" for number in range(words)), "</s>"]
    orders = [[" ".join(names[at : at + order]) for at in range(len(names) - order + 1)] for order in (1, 2, 3)]
    orders[0] += ["<unk>"] * unknown
    lines = ["\\data\\", *(f"ngram {order}={len(ngrams)}" for order, ngrams in enumerate(orders, 1)), ""]
    for order, ngrams in enumerate(orders, 1):
        backoff = "\t-0.25" if order < 3 else ""
        lines += [f"\\{order}-grams:", *(f"-{1 + len(ngram) / 8}\t{ngram}{backoff}" for ngram in ngrams), ""]
    return "\n".join([*lines, "\\end\\", ""])


BINARIES: dict[str, list[str]] = {
    "probing": ["probing"],
    "roomy": ["-p", "1.7", "probing"],
    "without_words": ["-v", "probing"],
    "trie": ["trie"],
    "trie_without_words": ["-v", "trie"],
    "quantized_trie": ["-q", "5", "-b", "4", "trie"],
    "array_trie": ["-a", "255", "trie"],
    "quantized_array_trie": ["-q", "6", "-a", "3", "trie"],
}


def refusal(check: Callable[[str], None], path: Path | str) -> str:
    """Give what a check says, which must be one line that names the file, without the name; empty for no refusal."""
    try:
        check(str(path))
    except ValueError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert len(message.splitlines()) == 1
        return message.removeprefix(f"{path}: ")
    return ""


def refusals(check: Callable[[str], None], content: bytes, path: Path, lengths: set[int]) -> dict[int, str]:
    """Give what a check says of a file cut to each of these lengths."""
    path.write_bytes(content)
    said = {}
    for length in sorted(lengths, reverse=True):
        os.truncate(path, length)
        said[length] = refusal(check, path)
    return said


def assert_cuts_are_told(said: dict[int, str], kind: str, size: int) -> None:
    """Hold every message against the lengths: the file's own, and a least length that is none too much."""
    for length, message in said.items():
        found, least = message.removeprefix(f"a {kind} cut short: ").split(" bytes of at least ")
        assert int(found) == length < int(least) <= size


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small fastText models of every kind; trained where fresh memory is no NaN (test_fasttext_cache.py)."""
    folder = tmp_path_factory.mktemp("models")
    draw = random.Random(1)
    words = ["the", "dredger", "lay", "Kohlenkai", "gehörte", "землечерпалка", "лежала", "👍", "船", *"abcdefghij"]
    jobs = []
    for name, kind in KINDS.items():
        labels = kind.get("labels", 3)
        lines = [f"__label__{number % labels} " + " ".join(draw.choices(words, k=8)) for number in range(900)]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
        settings = {key: value for key, value in kind.items() if key != "labels"}
        jobs.append((str(folder / name), str(folder / f"{name}.txt"), settings))
    environment = {**os.environ, "MALLOC_PERTURB_": "255"}
    subprocess.run([sys.executable, "-c", TRAIN, json.dumps(jobs)], check=True, env=environment, timeout=120)
    return {name: (folder / name).read_bytes() for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_a_fasttext_model_is_accepted_whole_and_refused_cut_short(models, name: str, tmp_path: Path) -> None:
    content, path = models[name], tmp_path / "model.bin"
    size = len(content)
    path.write_bytes(content)
    assert refusal(check_fasttext_file, path) == ""
    cuts = {*range(1, 400), *range(size - 400, size), *(size * part // 500 for part in range(1, 500))}
    said = refusals(check_fasttext_file, content, path, cuts)
    assert {said.pop(length) for length in (1, 2, 3)} == {"no fastText model: it does not begin as one"}
    assert_cuts_are_told(said, "fastText model", size)
    path.write_bytes(content + b"\0")
    assert refusal(check_fasttext_file, path) == "no fastText model: 1 bytes are behind its end"


@pytest.mark.skipif(not os.path.exists(LID), reason="no language model installed here")
def test_the_language_model_is_accepted_whole_and_refused_cut_short(tmp_path: Path) -> None:
    content = Path(LID).read_bytes()
    check_fasttext_file(LID)
    cuts = {len(content) * part // 100 for part in range(1, 100)} | {3000, len(content) - 1}
    assert_cuts_are_told(refusals(check_fasttext_file, content, tmp_path / "lid", cuts), "fastText model", len(content))


def test_what_a_cut_model_lacks_is_counted(models, tmp_path: Path) -> None:
    content, path = models["softmax"], tmp_path / "model.bin"
    size = len(content)
    output = 1 + 16 + 3 * 16 * 4  # its flag, its shape, a row of floats for each label
    entries = 93 + 23 * 10  # the first letter of the first word, and ten bytes behind each
    cuts = ((93, entries), (size * 60 // 100, size - output), (size - 1, size), (size - output, size - output + 1))
    for length, least in cuts:
        path.write_bytes(content[:length])
        said = f"a fastText model cut short: {length} bytes of at least {least}"
        assert refusal(check_fasttext_file, path) == said


def test_the_format_before_the_last_is_accepted(models, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    said = {}
    for version in (10, 11, 12, 13):
        path.write_bytes(models["softmax"][:4] + struct.pack("<i", version) + models["softmax"][8:])
        said[version] = refusal(check_fasttext_file, path)
    fault = "no fastText model: its format is version {}, not 11 or 12"
    assert said == {10: fault.format(10), 11: "", 12: "", 13: fault.format(13)}


def first_matrix(content: bytes) -> int:
    """Find the flag before the input matrix of a model that is not pruned, entry by entry."""
    at = 64 + 28
    for _ in range(struct.unpack_from("<i", content, 64)[0]):
        at = content.index(b"\0", at) + 10
    return at


@pytest.mark.parametrize(
    ("place", "change", "fault"),
    [
        (8, struct.pack("<i", 0), "a model of kind 3, 0 dimensions, 900 buckets"),
        (36, struct.pack("<i", 4), "a model of kind 4, 16 dimensions, 900 buckets"),
        (40, struct.pack("<i", -1), "a model of kind 3, 16 dimensions, -1 buckets"),
        (64, struct.pack("<3i", 2, 3, -1), "a dictionary of 2 entries, 3 words, -1 labels, -1 n-grams"),
        (64, struct.pack("<3i", 2, -1, 3), "a dictionary of 2 entries, -1 words, 3 labels, -1 n-grams"),
        (64, struct.pack("<3i", 7, 3, 3), "a dictionary of 7 entries, 3 words, 3 labels, -1 n-grams"),
        (84, struct.pack("<q", -2), "a dictionary of 23 entries, 20 words, 3 labels, -2 n-grams"),
        (84, struct.pack("<q", 0), "its dictionary was pruned, its matrix not quantized"),
    ],
)
def test_a_fasttext_head_that_contradicts_itself_is_refused(
    models, place: int, change: bytes, fault: str, tmp_path: Path
) -> None:
    content, path = models["softmax"], tmp_path / "model.bin"
    path.write_bytes(content[:place] + change + content[place + len(change) :])
    assert refusal(check_fasttext_file, path) == f"no fastText model: {fault}"


QUANTIZER = 1 + 21 + 920 * 8  # behind the matrix's flag, head and codes, eight for each row


@pytest.mark.parametrize(
    ("name", "place", "change", "fault"),
    [
        ("softmax", -1, b"\0", "entry 22 of the dictionary is neither word nor label"),
        ("softmax", 0, b"\2", "byte {} is 2, not 0 or 1"),
        ("softmax", 1, struct.pack("<q", 919), "a matrix has 919 rows of 16, not 920 of 16"),
        ("softmax", 9, struct.pack("<q", 17), "a matrix has 920 rows of 17, not 920 of 16"),
        ("quantized", 1, b"\2", "a matrix has 7360 codes, its flag of norms is 2"),
        ("quantized", 2, struct.pack("<q", 2**62), f"a matrix has {2**62} rows of 16, not 920 of 16"),
        ("quantized", 18, struct.pack("<i", -1), "a matrix has -1 codes, its flag of norms is 0"),
        ("quantized", QUANTIZER, struct.pack("<i", 15), "a quantizer has 15 dimensions, not 16"),
        (
            "quantized",
            QUANTIZER + 4,
            struct.pack("<3i", 9, 2, 2),
            "a quantizer splits 16 dimensions in 9 parts of 2, the last of 2",
        ),
        ("quantized", QUANTIZER + 4, struct.pack("<3i", 4, 4, 4), "a matrix has 7360 codes, not 920 times 4"),
    ],
)
def test_a_fasttext_matrix_that_contradicts_itself_is_refused(
    models, name: str, place: int, change: bytes, fault: str, tmp_path: Path
) -> None:
    content, path = models[name], tmp_path / "model.bin"
    start = first_matrix(content)
    at = start + place
    path.write_bytes(content[:at] + change + content[at + len(change) :])
    assert refusal(check_fasttext_file, path) == f"no fastText model: {fault.format(start)}"


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (8, struct.pack("<i", 2**31 - 1)),
        (40, struct.pack("<i", 2**31 - 1)),
        (64, struct.pack("<3i", 2**31 - 1, 2**31 - 4, 3)),
        (84, struct.pack("<q", 2**63 - 1)),
        (92, b"x" * 500_000),
    ],
)
def test_hostile_counts_cost_neither_time_nor_memory(models, place: int, change: bytes, tmp_path: Path) -> None:
    content, path = bytearray(models["softmax"]), tmp_path / "model.bin"
    content[place : place + len(change)] = change
    path.write_bytes(content)
    tracemalloc.start()
    said = refusal(check_fasttext_file, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said
    assert peak < 100_000


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_is_refused_in_one_line_or_passes(models, data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(models[data.draw(st.sampled_from(sorted(KINDS)))])
    at = data.draw(st.one_of(st.integers(0, 700), st.integers(0, len(content) - 1)))
    change = data.draw(
        st.one_of(st.binary(max_size=30), st.integers(-(2**63), 2**63 - 1).map(struct.Struct("<q").pack))
    )
    content[at : at + len(change)] = change
    (tmp_path / "model.bin").write_bytes(content)
    refusal(check_fasttext_file, tmp_path / "model.bin")


HEAD = b"mmap lm http://kheafield.com/code format version 5\n".ljust(56, b"\0") + struct.pack(
    "<3f3IQ", 0.0, 1.0, -0.5, 1, 2**32 - 1, 0, 1
)


def probing_binary(
    order: int = 2, multiplier: float = 1.5, kind: int = 0, bound: int = 4, words: bytes = b"<unk>\0a\0b\0c\0"
) -> bytes:
    """A binary of 4 words and 2 pairs of them, laid out by hand: 6 places for the words, 5 weights, 3 for the pairs."""
    facts = struct.pack("<B3xfIB3xI", order, multiplier, kind, 1, 0)
    counts = struct.pack("<QQ4x", 4, 2)  # and up to a multiple of 8
    return HEAD + facts + counts + struct.pack("<II", 0, bound) + bytes(6 * 12 + 5 * 8 + 3 * 12) + words


def rest_binary() -> bytes:
    """One of rest costs, 4 bytes more for each word and each pair, with 15 places for 10 pairs, and 3 for 2 triples."""
    facts = struct.pack("<B3xfIB3xI", 3, 1.5, 1, 1, 0)
    counts = struct.pack("<QQQ4x", 4, 10, 2)
    tables = bytes(6 * 12 + 5 * 12 + 15 * 20 + 3 * 12)
    return HEAD + facts + counts + struct.pack("<II", 0, 4) + tables + b"<unk>\0a\0b\0c\0"


@pytest.mark.parametrize("content", [probing_binary(), rest_binary()])
def test_a_kenlm_binary_laid_out_by_hand_is_accepted_whole_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "en.arpa.bin"
    path.write_bytes(content)
    assert refusal(check_kenlm_file, path) == ""
    assert_cuts_are_told(
        refusals(check_kenlm_file, content, path, set(range(88, len(content)))), "KenLM binary", len(content)
    )
    for more in (b"\0", b"x"):
        path.write_bytes(content + more)
        assert refusal(check_kenlm_file, path) == "no KenLM binary: more bytes are behind its last word"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (HEAD[:87], "it was not finished, or its format is not version 5"),
        (HEAD[:33] + b" incomplete\n" + bytes(200), "it was not finished, or its format is not version 5"),
        (HEAD.replace(b"version 5", b"version 4"), "it was not finished, or its format is not version 5"),
        (probing_binary(order=1), "a model of kind 0, order 1, 1.5 times the room for its tables"),
        (probing_binary(kind=6), "a model of kind 6, order 2, 1.5 times the room for its tables"),
        (probing_binary(multiplier=0.5), "a model of kind 0, order 2, 0.5 times the room for its tables"),
        (
            probing_binary(multiplier=float("nan")),
            "a model of kind 0, order 2, nan times the room for its tables",
        ),
        (
            probing_binary(multiplier=float("inf")),
            "a model of kind 0, order 2, inf times the room for its tables",
        ),
        (probing_binary(bound=3), "more bytes are behind its last word"),
        (probing_binary(words=b"a\0b\0c\0d\0"), "no words are behind its tables"),
    ],
)
def test_a_kenlm_binary_that_contradicts_itself_is_refused(content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "en.arpa.bin").write_bytes(content)
    assert refusal(check_kenlm_file, tmp_path / "en.arpa.bin") == f"no KenLM binary: {fault}"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.integers(0, 5), at=st.integers(88, 140), change=st.binary(max_size=30))
def test_any_kenlm_binary_is_refused_in_one_line_or_passes(kind: int, at: int, change: bytes, tmp_path: Path) -> None:
    content = bytearray(probing_binary(kind=kind))
    content[at : at + len(change)] = change
    (tmp_path / "en.arpa.bin").write_bytes(content)
    refusal(check_kenlm_file, tmp_path / "en.arpa.bin")


@needs_kenlm
@pytest.mark.parametrize("unknown", [True, False])
@pytest.mark.parametrize("name", BINARIES)
def test_a_built_kenlm_binary_is_accepted_whole_alone(name: str, unknown: bool, tmp_path: Path) -> None:
    (tmp_path / "en.arpa").write_text(arpa(unknown))
    path = tmp_path / "en.arpa.bin"
    *options, kind = BINARIES[name]
    tool = find_kenlm_tools().build_binary
    subprocess.run([tool, *options, kind, tmp_path / "en.arpa", path], check=True, capture_output=True)
    content = path.read_bytes()
    assert refusal(check_kenlm_file, path) == ""
    said = refusals(
        check_kenlm_file, content, path, {*range(88, len(content), 5), *range(len(content) - 600, len(content))}
    )
    assert_cuts_are_told(said, "KenLM binary", len(content))
    path.write_bytes(content + b"\0")
    assert refusal(check_kenlm_file, path) == "no KenLM binary: more bytes are behind its last word"


@pytest.mark.parametrize(
    "text",
    [
        arpa(),
        "\n" + arpa(),
        "\n \t\n# made by hand\n" + arpa(),
        arpa() + "\n \n",
        arpa().rstrip(),
        arpa().replace("\n", "\r\n"),
        arpa(words=9000),
    ],
)
def test_an_arpa_file_is_accepted(text: str, tmp_path: Path) -> None:
    (tmp_path / "en.arpa").write_bytes(text.encode())
    assert refusal(check_kenlm_file, tmp_path / "en.arpa") == ""


def test_an_arpa_file_cut_short_is_refused(tmp_path: Path) -> None:
    content, path = arpa().rstrip().encode(), tmp_path / "en.arpa"
    said = refusals(check_kenlm_file, content, path, set(range(6, len(content))))
    assert set(said.values()) == {"an ARPA file cut short: its last line is not \\end\\"}
    path.write_bytes(content.replace(b"\n\\end", b" \\end"))
    assert refusal(check_kenlm_file, path) == "an ARPA file cut short: its last line is not \\end\\"


PAGE = b"<!DOCTYPE html>\n<html><body>404\n</body></html>\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        PAGE,
        b"\\data",
        b"\\data\\ \n\\end\\\n",
        gzip.compress(probing_binary(), mtime=0),
        gzip.compress(arpa().encode(), mtime=0),
        HEAD[:32],
        random.Random(1).randbytes(100_000),
    ],
)
def test_what_is_no_ngram_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "en.arpa.bin").write_bytes(content)
    assert refusal(check_kenlm_file, tmp_path / "en.arpa.bin") == "neither a KenLM binary nor an ARPA file"


@pytest.mark.parametrize("content", [b"", PAGE, gzip.compress(PAGE, mtime=0), HEAD])
def test_what_is_no_fasttext_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lid.bin").write_bytes(content)
    assert refusal(check_fasttext_file, tmp_path / "lid.bin") == "no fastText model: it does not begin as one"


def pieces(count: int = 200) -> bytes:
    model = sentencepiece_model_pb2.ModelProto()
    model.pieces.add(piece="<unk>", score=0.0, type=2)
    for number in range(count):
        model.pieces.add(piece=f"▁{number}", score=-float(number))
    model.trainer_spec.model_type = 1
    model.normalizer_spec.name = "nmt_nfkc"
    return bytes(model.SerializeToString())


def test_a_sentencepiece_model_is_accepted_whole_and_refused_cut_short(tmp_path: Path) -> None:
    content, path = pieces(), tmp_path / "en.sp.model"
    path.write_bytes(content)
    assert refusal(check_sentencepiece_file, path) == ""
    said = refusals(check_sentencepiece_file, content, path, set(range(len(content))))
    assert all(message.startswith("no SentencePiece model: ") for message in said.values())
    loaded = [message for message in said.values() if message.endswith("pieces and no normalizer behind them")]
    assert len(loaded) == 200 + 1  # behind each piece but <unk>, and behind the settings: SentencePiece loads these


def test_what_is_no_sentencepiece_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "en.sp.model"
    for content in (PAGE, HEAD, gzip.compress(pieces(), mtime=0)):
        path.write_bytes(content)
        assert refusal(check_sentencepiece_file, path).startswith("no SentencePiece model: INTERNAL: ")
    path.write_bytes(b"")
    assert refusal(check_sentencepiece_file, path) == "no SentencePiece model: 0 bytes, not 1 to 1073741824"
    os.truncate(path, 2**30 + 1)
    assert refusal(check_sentencepiece_file, path) == "no SentencePiece model: 1073741825 bytes, not 1 to 1073741824"


@pytest.mark.parametrize("check", CHECKS)
def test_a_file_that_cannot_be_read_is_no_question_of_its_content(check, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check(str(tmp_path / "missing"))
    with pytest.raises(IsADirectoryError):
        check(str(tmp_path))


@pytest.mark.parametrize("check", CHECKS)
def test_a_path_of_two_lines_is_told_in_one(check, tmp_path: Path) -> None:
    path = tmp_path / "two\nlines"
    path.write_bytes(PAGE)
    with pytest.raises(ValueError, match=r"two lines: ") as caught:
        check(str(path))
    assert "\n" not in str(caught.value)
