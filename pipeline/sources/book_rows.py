"""Books out of rows: Parquet and JSON lines with the text in one column, as Books3 and PG-19 are handed around."""

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from filters.books import BookReason
from filters.encoding import check_text, clean_line_ends
from filters.verdict import Drop
from pipeline.document import Document, MalformedRecord, utf8_size
from pipeline.reading import Item
from pipeline.sources.book_context import SOURCE, BookContext
from pipeline.sources.decompressed import PIECE_BYTES, Decompressed, Readable, Watched
from pipeline.sources.json_rows import BOM, BadRow, cut_lines, parse_object

#: A line may be that many times as long as the longest text: JSON writes a letter of two bytes as six.
_ESCAPED = 3
_OTHER_FIELDS_BYTES = 1 << 20


def read_lines(stream: Readable, context: BookContext) -> Iterator[tuple[Item, int]]:
    """Read JSON lines; ids are ``<collection>/<id>``, or ``<collection>/<file>#<line>``, the first line being 0."""
    longest = _ESCAPED * context.max_book_bytes + _OTHER_FIELDS_BYTES
    plain = not isinstance(stream, Decompressed)
    try:
        for number, line in enumerate(cut_lines(stream, longest, SOURCE)):
            name = f"{context.file.below}#{number}"
            content = line.content
            if content is None:
                yield context.too_long(context.identifier(name), line.size, whole=True), stream.tell()
            elif (content if number else content.removeprefix(BOM)).strip():
                offset, inner = (line.offset, 0) if plain else (0, line.offset)
                try:
                    row = parse_object(content if number else content.removeprefix(BOM), SOURCE)
                    yield _from_row({**_absent(context), **row}, name, context), stream.tell()
                except BadRow as bad:
                    detail = f"line {number}: {bad.detail}"
                    yield MalformedRecord(bad.cause, detail, offset=offset, inner_offset=inner), stream.tell()
    except MalformedRecord as error:
        yield MalformedRecord(error.cause, error.detail, offset=0, is_record=False), context.file.size


def _absent(context: BookContext) -> dict[str, Any]:
    """Give what a row of JSON has in the fields that it may leave out: only text and id must be there."""
    collection = context.collection
    needed = {collection.text_column, collection.id_column}
    return {name: None for name in (collection.title_column, collection.author_column) if name and name not in needed}


def read_parquet(stream: BinaryIO, context: BookContext) -> Iterator[tuple[Item, int]]:
    """Read a Parquet file, a row at a time; ids as in :func:`read_lines`.

    Raises:
        OSError: The file cannot be read for no fault of its own.
    """
    columns, size = _columns(context), context.file.size
    watched = Watched(stream)
    try:
        file = pq.ParquetFile(
            pa.PythonFile(cast("BinaryIO", watched), mode="r"), buffer_size=PIECE_BYTES, pre_buffer=False
        )
        missing = [column for column in columns if column not in file.schema_arrow.names]
        if missing:
            yield _refused("books/missing_column", f"no {missing[0]}"), size
            return
        rows = max(1, file.metadata.num_rows)
        for number, batch in enumerate(file.iter_batches(batch_size=1, columns=columns, use_threads=False)):
            yield _from_record(batch, number, context), size * (number + 1) // rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last of a column's name
        watched.check()
        yield _refused("books/bad_parquet", " ".join(str(error).split())), size


def _refused(cause: str, detail: str) -> MalformedRecord:
    return MalformedRecord(cause, detail, offset=0, is_record=False)


def _from_record(batch: pa.RecordBatch, number: int, context: BookContext) -> Item:
    try:
        return _from_row(batch.to_pylist()[0], f"{context.file.below}#{number}", context)
    except UnicodeDecodeError as error:
        return MalformedRecord("books/invalid_utf8", f"row {number}: {error}", offset=0)
    except BadRow as bad:
        return MalformedRecord(bad.cause, f"row {number}: {bad.detail}", offset=0)


def _columns(context: BookContext) -> list[str]:
    collection = context.collection
    named = (collection.text_column, collection.id_column, collection.title_column, collection.author_column)
    return list(dict.fromkeys(column for column in named if column is not None))


def _from_row(row: dict[str, Any], name: str, context: BookContext) -> Item:
    collection = context.collection
    named = (collection.id_column, collection.title_column, collection.author_column)
    fields = {column: _field(row, column) for column in named if column is not None}
    own = fields[collection.id_column] if collection.id_column else None
    identifier = context.identifier(own or name)
    text = _text(row, collection.text_column)
    if text is None:
        return context.drop(identifier, Drop(BookReason.NO_TEXT_VALUE))
    item = _from_text(identifier, text, context, is_named=bool(own))
    if isinstance(item, Document):
        titles = {"title": collection.title_column, "author": collection.author_column}
        item.metadata.update({field: fields[column] for field, column in titles.items() if column and fields[column]})
    return item


def _field(row: dict[str, Any], column: str) -> str | None:
    """Give an id, a title or an author, of which the first may be a number."""
    value = row.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(row, column)


def _text(row: dict[str, Any], column: str) -> str | None:
    if column not in row:
        raise BadRow("books/missing_column", f"no {column}")
    value = row[column]
    if not isinstance(value, str | None):
        raise BadRow("books/wrong_type", f"{column} is {type(value).__name__}, not a string")
    try:
        utf8_size(value or "")
    except UnicodeEncodeError as error:
        raise BadRow("books/lone_surrogate", f"{column}: {error}") from error
    return value


def _from_text(identifier: str, text: str, context: BookContext, *, is_named: bool) -> Item:
    size = utf8_size(text)
    if size > context.max_book_bytes:
        return context.too_long(identifier, size, whole=True)
    if not text.strip():
        return context.drop(identifier, Drop(BookReason.EMPTY, 0, 1))
    refused = check_text(text)
    if refused is not None:
        return context.drop(identifier, refused)
    return context.document(identifier, clean_line_ends(text), "utf-8", is_named=is_named)
