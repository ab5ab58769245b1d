"""Training an n-gram model from files of documents: a run's own, or anyone's JSON lines and plain text.

Files are read in the order of their names, as streams, until the settings' bounds are reached. A record that names
another language is left out; one that names none is taken at the command's word. What cannot be read is counted and
left out too, and the first such record is named.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from filters.kenlm_tools import find_kenlm_tools
from filters.perplexity_card import NgramCard, NgramTrainingSettings
from filters.perplexity_training import train_ngram_model
from pipeline.document import Shard
from pipeline.files import is_local, join, open_read, write_stream
from pipeline.funnel import has_run
from pipeline.inputs import list_shards
from pipeline.settings import SettingsError

#: How files end that can be read.
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".txt", ".txt.gz")

#: Longest JSON line or text file in bytes; what is longer counts as unreadable.
MAX_RECORD_BYTES = 1 << 28

_CODECS = {".gz": "gzip", ".zst": "zstd"}
_ROWS = 1024
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError, pa.ArrowException)

#: A record: its text and the language it names, empty for none.
_Record = tuple[str, str]


@dataclass
class Reading:
    """What was read, counted while it goes on.

    Attributes:
        files: Files begun.
        documents: Documents given to the training.
        other_language: Records that name another language.
        unreadable: Records, or whole files, that could not be read.
        first_fault: Which the first of them is, and why.
        other_files: Files among the inputs that do not end in one of :data:`SUFFIXES`.
    """

    files: int = 0
    documents: int = 0
    other_language: int = 0
    unreadable: int = 0
    first_fault: str = ""
    other_files: int = 0

    def fault(self, place: str, error: Exception | str) -> None:
        """Count something unreadable."""
        self.unreadable += 1
        self.first_fault = self.first_fault or f"{place}: {' '.join(str(error).split()) or type(error).__name__}"


def train_ngram(
    inputs: Sequence[str],
    language: str,
    output: str,
    settings: NgramTrainingSettings,
    progress: Callable[[str], object],
) -> tuple[NgramCard, Reading]:
    """Train the n-gram model of a language from files.

    Args:
        inputs: Files, globs and folders; a run's documents are in ``<run>/documents/<source>``.
        language: The language to train on, and the model's name.
        output: Folder for the model's files, see :func:`filters.perplexity_training.train_ngram_model`.
        settings: How to train.
        progress: Called with what is being done.

    Returns:
        The model's card and what was read.

    Raises:
        SettingsError: There is no input, no document in the language, a vocabulary too small, or no KenLM.
        NgramToolFailed: KenLM failed.
    """
    try:
        find_kenlm_tools()
    except FileNotFoundError as error:
        raise SettingsError(str(error)) from error
    reading = Reading()
    texts = read_texts_of(_list(inputs, language, reading), language, reading, progress)
    try:
        with contextlib.closing(texts), _local_folder(output) as folder:
            card = train_ngram_model(texts, language, settings, folder)
    except ValueError as error:
        raise SettingsError(f"{error} ({_summary(reading, language)})") from error
    return card, reading


def read_texts_of(
    files: Sequence[Shard], language: str | None, reading: Reading, progress: Callable[[str], object]
) -> Generator[str, None, None]:
    """Read the texts of a language's documents.

    Args:
        files: The files.
        language: The language; a record that names none is taken. ``None`` takes all.
        reading: Counts what is read.
        progress: Called with a line of text at each file and every 1024 documents.

    Yields:
        Texts, in the order of the files.
    """
    for file in files:
        reading.files += 1
        try:
            for text, named in _records(file.path, reading):
                if language is not None and named not in {"", language}:
                    reading.other_language += 1
                    continue
                if reading.documents % _ROWS == 0:
                    progress(f"reading file {reading.files} of {len(files)}, {reading.documents:,} documents")
                reading.documents += 1
                yield text
        except _UNREADABLE as error:
            reading.fault(file.path, error)
    progress(f"training on {reading.documents:,} documents")


def _list(inputs: Sequence[str], language: str, reading: Reading) -> list[Shard]:
    for path in inputs:
        if is_local(path) and os.path.isdir(path) and has_run(path):
            raise SettingsError(f"{path} is a run: give {join(path, 'documents', '<source>')}, the documents it kept")
    found = list_shards("ngram", language, inputs, data=os.getcwd(), key="INPUT")
    files = [file for file in found if file.path.endswith(SUFFIXES)]
    reading.other_files = len(found) - len(files)
    if not files:
        raise SettingsError(f"INPUT: none of {len(found)} files ends in {', '.join(SUFFIXES)}")
    return files


def _records(path: str, reading: Reading) -> Iterator[_Record]:
    with open_read(path) as stream:
        if path.endswith(".parquet"):
            yield from _read_parquet(stream)
            return
        codec = _CODECS.get(os.path.splitext(path)[1])
        plain = _decompressed(stream, codec) if codec else stream
        if path.removesuffix(".gz").endswith(".txt"):
            yield _read_text(plain), ""
        else:
            yield from _read_lines(plain, path, reading)


def _decompressed(stream: BinaryIO, codec: str) -> BinaryIO:
    # Arrow's stream goes across members and frames, and says so where the last one is cut.
    return BufferedReader(pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec))


def _read_parquet(stream: BinaryIO) -> Iterator[_Record]:
    file = pq.ParquetFile(stream)
    columns = [name for name in ("text", "language") if name in file.schema_arrow.names]
    if "text" not in columns:
        raise ValueError("the file has no column text")
    for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
        texts = batch.column("text").to_pylist()
        named = batch.column("language").to_pylist() if "language" in columns else [""] * len(texts)
        yield from ((text or "", language or "") for text, language in zip(texts, named, strict=True))


def _read_text(stream: BinaryIO) -> str:
    content = stream.read(MAX_RECORD_BYTES + 1)
    if len(content) > MAX_RECORD_BYTES:
        raise ValueError(f"longer than {MAX_RECORD_BYTES} bytes")
    return content.decode()


def _read_lines(stream: BinaryIO, path: str, reading: Reading) -> Iterator[_Record]:
    number = 0
    while line := stream.readline(MAX_RECORD_BYTES):
        number += 1
        if len(line) == MAX_RECORD_BYTES and not line.endswith(b"\n"):
            reading.fault(f"{path}, line {number}", f"longer than {MAX_RECORD_BYTES} bytes")
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_RECORD_BYTES)
            continue
        if not line.strip():
            continue
        try:
            record = _from_json(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reading.fault(f"{path}, line {number}", f"{type(error).__name__}: {error}")
            continue
        yield record


def _from_json(row: Any) -> _Record:
    if not isinstance(row, dict) or not isinstance(row["text"], str):
        raise TypeError("not an object with a string under text")
    metadata = row.get("metadata")
    inner = metadata.get("language") if isinstance(metadata, dict) else None
    return row["text"], str(row.get("language") or inner or "")


@contextlib.contextmanager
def _local_folder(output: str) -> Iterator[str]:
    """Give a local folder whose files end up in the output."""
    if is_local(output):
        yield output
        return
    with tempfile.TemporaryDirectory() as folder:
        yield folder
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as source:
                write_stream(join(output, name), lambda target, source=source: shutil.copyfileobj(source, target))  # type: ignore[misc]


def _summary(reading: Reading, language: str) -> str:
    fault = f"; the first: {reading.first_fault}" if reading.first_fault else ""
    return (
        f"{reading.files} files, {reading.documents} documents in {language}, {reading.other_language} in other "
        f"languages, {reading.unreadable} unreadable{fault}"
    )
