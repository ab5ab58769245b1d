"""Items of evaluation sets: read from the files that their publishers give, whatever the format.

A row is an object of JSON lines or of a JSON array, a row of a table, or a paragraph of a text. Of each the texts of
the wanted fields are an item; what cannot be read is a :class:`pipeline.document.MalformedRecord` and is counted.
"""

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decontamination_settings import DecontaminationSettings, EvaluationSet
from pipeline.document import MalformedRecord, Shard
from pipeline.files import open_read
from pipeline.inputs import list_shards
from pipeline.settings import SettingsError
from pipeline.sources.decompressed import Readable, open_decompressed, read_capped
from pipeline.sources.json_rows import BOM, BadRow, cut_lines, parse_object
from pipeline.sources.table_rows import Table, read_table

SOURCE = "evaluation"
KEY = "decontamination.sets"
_MAX_BYTES = 256 << 20  # of a file that is read as a whole, and of a line
_PARAGRAPH = "text"
_COMPRESSED = (".gz", ".zst")
_TABLES = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson", ".jsonlines")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an evaluation set.

    Attributes:
        set: The set's id.
        id: Its own.
        texts: The texts that are looked for; no n-gram crosses from one to another.
    """

    set: str
    id: str
    texts: tuple[str, ...]


def list_sets(settings: DecontaminationSettings, data: str) -> list[list[Shard]]:
    """List the files of each evaluation set, and look into them as far as its fields ask for.

    Raises:
        SettingsError: A path matches no file, a set has no item, or no row has one of the fields.
    """
    files = []
    for place, wanted in enumerate(settings.sets):
        shards = list_shards(SOURCE, wanted.id, wanted.paths, data=data, key=f"{KEY}.{place}.paths")
        _check_fields(wanted, shards, f"{KEY}.{place}")
        files.append(shards)
    return files


def _check_fields(wanted: EvaluationSet, shards: Sequence[Shard], key: str) -> None:
    rows, faults = _rows_of(shards), []
    missing = {*(wanted.fields or ()), *([wanted.id_field] if wanted.id_field else ())}
    there: list[str] = []
    for row in rows:
        if isinstance(row, MalformedRecord):
            faults.append(row)
            continue
        there = there or list(row)
        missing -= {path for path in missing if any(True for _ in _at(row, path.split(".")))}
        if not missing:
            return
    if not there:
        raise SettingsError(f"{key}.paths: no item could be read: {faults[0] if faults else 'the files are empty'}")
    raise SettingsError(f"{key}: no row has the field {min(missing)!r}; the first one has {', '.join(there)}")


def _rows_of(shards: Sequence[Shard]) -> Iterator[Row | MalformedRecord]:
    for shard in shards:
        with open_read(shard.path) as stream:
            yield from _read_rows(stream, shard)


def read_items(shard: Shard, wanted: EvaluationSet) -> Iterator[Item | MalformedRecord]:
    """Read a file of an evaluation set.

    Args:
        shard: The file.
        wanted: What is wanted of it.

    Yields:
        Each row once, in order; a fault as :class:`MalformedRecord`.
    """
    with open_read(shard.path) as stream:
        for number, row in enumerate(_read_rows(stream, shard)):
            if isinstance(row, MalformedRecord):
                yield row
                continue
            own = next(_at(row, (wanted.id_field or "id").split(".")), None)
            name = str(own) if isinstance(own, str | int) else f"{shard.below}:{number}"
            name = name.encode(errors="replace").decode()  # JSON may hold half a surrogate pair
            yield Item(wanted.id, name, tuple(_texts(row, wanted.fields)))


def _texts(row: Row, fields: Sequence[str] | None) -> Iterator[str]:
    if fields is None:
        for value in row.values():
            yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))
        return
    for path in fields:
        yield from (text for text in _at(row, path.split(".")) if isinstance(text, str))


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Give what stands at a path, each element where a list does."""
    if isinstance(value, list):
        yield from itertools.chain.from_iterable(_at(one, path) for one in value)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _read_rows(stream: BinaryIO, shard: Shard) -> Iterator[Row | MalformedRecord]:
    head = stream.read(4)
    stream.seek(0)
    name = shard.path.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    if head == b"PAR1" or name.endswith(".parquet"):
        yield from _read_parquet(stream, shard)
        return
    text = open_decompressed(stream, head, SOURCE)
    try:
        if name.endswith(_LINES):
            yield from _read_lines(text)
            return
        content = _read_whole(text)
        delimiter = next((sign for suffix, sign in _TABLES.items() if name.endswith(suffix)), None)
        if name.endswith(".json"):
            yield from _read_json(content)
        elif delimiter is not None:
            yield from _read_csv(_decode(content), delimiter)
        else:
            paragraphs = (part.strip() for part in _decode(content).replace("\r\n", "\n").split("\n\n"))
            yield from ({_PARAGRAPH: part} for part in paragraphs if part)
    except MalformedRecord as error:
        yield MalformedRecord(error.cause, error.detail, offset=0, is_record=False)


def _read_whole(text: Readable) -> bytes:
    content, size = read_capped(text.read, _MAX_BYTES)
    if content is None:
        raise MalformedRecord(f"{SOURCE}/too_long", f"{size} bytes, limit {_MAX_BYTES}", offset=0)
    return content


def _decode(content: bytes) -> str:
    try:
        return content.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise MalformedRecord(f"{SOURCE}/invalid_utf8", str(error), offset=0) from error


def _read_lines(text: Readable) -> Iterator[Row | MalformedRecord]:
    for number, line in enumerate(cut_lines(text, _MAX_BYTES, SOURCE)):
        if line.content is None:
            detail = f"line {number}: {line.size} bytes, limit {_MAX_BYTES}"
            yield MalformedRecord(f"{SOURCE}/line_too_long", detail, offset=line.offset)
            continue
        content = line.content if number else line.content.removeprefix(BOM)
        try:
            if content.strip():
                yield parse_object(content, SOURCE)
        except BadRow as bad:
            yield MalformedRecord(bad.cause, f"line {number}: {bad.detail}", offset=line.offset)


def _read_json(content: bytes) -> Iterator[Row | MalformedRecord]:
    """Read an array of items, an item, or, where the file is no JSON as a whole, JSON lines under another name."""
    try:
        whole = json.loads(_decode(content))
    except (ValueError, RecursionError) as error:
        if b"\n" not in content.strip():
            raise MalformedRecord(f"{SOURCE}/bad_json", f"{type(error).__name__}: {error}", offset=0) from error
        yield from _read_lines(io.BytesIO(content))
        return
    for number, row in enumerate(whole if isinstance(whole, list) else [whole]):
        if isinstance(row, str):
            yield {_PARAGRAPH: row}
        elif isinstance(row, dict):
            yield row
        else:
            yield MalformedRecord(f"{SOURCE}/bad_json", f"item {number}: {type(row).__name__}, no object", offset=0)


def _read_csv(text: str, delimiter: str) -> Iterator[Row | MalformedRecord]:
    csv.field_size_limit(_MAX_BYTES)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = rows.fieldnames or []
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:  # a row would hold the last one's text alone
        raise MalformedRecord(f"{SOURCE}/duplicate_column", f"two columns are called {twice!r}", offset=0)
    for number, row in enumerate(rows):
        if None in row or None in row.values():
            detail = f"row {number}: {len(names)} columns are named, it has another number"
            yield MalformedRecord(f"{SOURCE}/bad_row", detail, offset=0)
        else:
            yield dict(row)


def _read_parquet(stream: BinaryIO, shard: Shard) -> Iterator[Row | MalformedRecord]:
    try:
        names = pq.ParquetFile(stream).schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last of a column's name
        detail = " ".join(str(error).split())[:200]
        yield MalformedRecord(f"{SOURCE}/bad_parquet", detail, offset=0, is_record=False)
        return
    stream.seek(0)
    table = Table(shard.path, shard.size, needed=(), optional=tuple(names), source=SOURCE)
    yield from (row for row, _, _ in read_table(stream, table))
