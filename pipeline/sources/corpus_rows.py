"""Documents out of the rows of a ready corpus: a text each, and what its columns say of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from filters.verdict import Reason
from pipeline.batch import Batch
from pipeline.corpora_settings import CorpusSettings
from pipeline.document import METADATA, Document, Dropped, MalformedRecord, MetadataValue, Shard, utc_time, utf8_size
from pipeline.files import open_read
from pipeline.reading import Item, batched
from pipeline.sources.json_rows import BadRow, string_value
from pipeline.sources.table_rows import Row, Table, read_table

#: Under which faults are counted, whatever the corpus is called.
_FAULTS = "corpus"
#: What begins the facts that count documents without something.
ABSENT = "without "
_INT64 = range(-(1 << 63), 1 << 63)


class CorpusReason(Reason):
    """Why a row is no document."""

    EMPTY = "corpus/empty"
    NO_TEXT_VALUE = "corpus/no_text_value"
    TOO_LONG = "corpus/too_long"


def read_shard(shard: Shard, *, settings: CorpusSettings, batch_bytes: int) -> Iterator[Batch]:
    """Read a file into batches; each counts its documents that lack what the config has a column for."""
    for batch in batched(read_corpus(shard, settings), shard.name, batch_bytes):
        batch.facts.update(_count_absent(batch.documents, shard, settings))
        yield batch


def read_corpus(shard: Shard, settings: CorpusSettings) -> Iterator[tuple[Item, int]]:
    """Read a file of a ready corpus.

    Args:
        shard: The file; its ``source`` is the corpus.
        settings: The corpus' settings.

    Yields:
        Each row once, in the order of the file, as document, dropped or malformed, with the bytes of the file read so
        far. A row without an id of its own is called ``<corpus>/<file>#<row>``, the first being 0; blank lines are no
        rows.
    """
    with open_read(shard.path) as stream:
        for number, (row, where, position) in enumerate(read_table(stream, _table(shard, settings))):
            if isinstance(row, MalformedRecord):
                yield row, position
                continue
            try:
                yield _from_row(row, number, shard, settings), position
            except BadRow as bad:
                detail = f"row {number}: {bad.detail}"[:200]
                yield MalformedRecord(bad.cause, detail, offset=where[0], inner_offset=where[1]), position


def _table(shard: Shard, settings: CorpusSettings) -> Table:
    roots = [column.partition(".")[0] for column in settings.columns().values()]
    return Table(
        shard.path,
        shard.size,
        needed=(settings.text.partition(".")[0],),
        optional=tuple(sorted(set(roots))),
        max_value_bytes=settings.max_document_bytes,
        source=_FAULTS,
    )


def _from_row(row: Row, number: int, shard: Shard, settings: CorpusSettings) -> Item:
    values = {name: _value(row, column) for name, column in settings.columns().items()}
    identifier = _identifier(values.pop("id", None), settings.id) or f"{_prefix(shard)}{number}"
    url, language = (_string(values.pop(name, None), getattr(settings, name)) or "" for name in ("url", "language"))
    created = _time(values.pop("created", None), settings.created)
    metadata = {
        name: _typed(value, name, settings.metadata[name]) for name, value in values.items() if value is not None
    }
    text = _string(_value(row, settings.text), settings.text)
    if text is None:
        return Dropped(identifier, url, CorpusReason.NO_TEXT_VALUE)
    size = utf8_size(text)
    if size > settings.max_document_bytes:
        return Dropped(identifier, url, CorpusReason.TOO_LONG, size, settings.max_document_bytes)
    if not text.strip():
        return Dropped(identifier, url, CorpusReason.EMPTY, 0, 1)
    return Document(identifier, shard.source, text, url, language, created, metadata)


def _prefix(shard: Shard) -> str:
    return f"{shard.source}/{shard.below}#"


def _value(row: Row, column: str) -> Any:
    """Give what a column of a row holds, or an object in it; what is not there is ``None``.

    Raises:
        BadRow: What should be an object is none.
    """
    value: Any = row
    for part in column.split("."):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadRow(
                f"{_FAULTS}/wrong_type", f"{column}: {type(value).__name__} where {part} should be in an object"
            )
        value = value.get(part)
    return value


def _string(value: Any, column: str | None) -> str | None:
    return string_value(value, column, _FAULTS)


def _identifier(value: Any, column: str | None) -> str | None:
    """Give an id, which may be a number; one that is empty is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _string(value, column)


def _time(value: Any, column: str | None) -> str:
    """Give a time in UTC; empty for a text that is none."""
    return utc_time(value.isoformat() if isinstance(value, date) else _string(value, column) or "")


def _typed(value: Any, name: str, column: str) -> MetadataValue:
    """Give a value of the type of its field.

    Raises:
        BadRow: It is of another.
    """
    return _CASTS[METADATA.field(name).type](value, column)


def _whole(value: Any, column: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _INT64:
        raise BadRow(f"{_FAULTS}/wrong_type", f"{column} is {type(value).__name__}, not a whole number of 64 bits")
    return value


def _number(value: Any, column: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow(f"{_FAULTS}/wrong_type", f"{column} is {type(value).__name__}, not a number")
    return float(value) if isinstance(value, float) else float(_whole(value, column))


def _truth(value: Any, column: str) -> bool:
    if not isinstance(value, bool):
        raise BadRow(f"{_FAULTS}/wrong_type", f"{column} is {type(value).__name__}, not a boolean")
    return value


_CASTS: dict[pa.DataType, Callable[[Any, str], MetadataValue]] = {
    pa.string(): _string,
    pa.int64(): _whole,
    pa.float64(): _number,
    pa.bool_(): _truth,
}


def _count_absent(documents: Sequence[Document], shard: Shard, settings: CorpusSettings) -> Counter[str]:
    counts = {name: sum(not _has(one, name, shard) for one in documents) for name in settings.columns()}
    return Counter({f"{ABSENT}{name}": count for name, count in counts.items() if count})


def _has(document: Document, name: str, shard: Shard) -> bool:
    if name == "id":
        return not document.id.startswith(_prefix(shard))
    return bool(getattr(document, name)) if name in {"url", "language", "created"} else name in document.metadata
