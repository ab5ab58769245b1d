"""GitHub's files out of tables: one that has places and contents, or BigQuery's ``files`` and ``contents`` apart."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence

from filters.verdict import Drop
from pipeline.document import Document, Dropped, MalformedRecord, Shard, utf8_size
from pipeline.files import open_read
from pipeline.github_settings import GithubColumns, GithubSettings
from pipeline.reading import Item
from pipeline.sources.github_context import SOURCE, GithubContext, Place, RepositoryReason, collection_of
from pipeline.sources.github_licences import LicenceIndex
from pipeline.sources.json_rows import BadRow, string_value
from pipeline.sources.table_rows import Row, Table, read_table

_MAX_NAME_CHARS = 4096
_MAX_LICENCES = 64
_WORST_RANK = 4
_MAX_LICENCE_CHARS = 200
_NUMBER = re.compile(r"[0-9]{1,5}|[0-7]{6}")
_OPTIONAL = ("ref", "mode", "binary", "licence")


def read_rows(shard: Shard, settings: GithubSettings, index: LicenceIndex | None) -> Iterator[tuple[Item, int]]:
    """Read a table whose rows have place and content.

    Args:
        shard: The table.
        settings: The source's settings.
        index: The licences of repositories, where a table of its own has them.

    Yields:
        Each row once as document, dropped or malformed, with the bytes of the file read so far.
    """
    context = GithubContext.of(settings, collection_of(shard))
    columns = context.collection.columns
    table = _table(shard, settings, ("content", "repository", "path"), _own_columns(index))
    yield from _items(shard, table, functools.partial(_from_row, columns=columns, context=context, index=index))


def read_places(shard: Shard, settings: GithubSettings, index: LicenceIndex | None) -> Iterator[tuple[Item, int]]:
    """Read a table of places; each is a document without text, what is known of it in its metadata.

    Links and the like are dropped. What the rules say of licence and path is noted as ``rank``, the smaller the
    better: it decides which place a content is taken from.
    """
    context = GithubContext.of(settings, collection_of(shard))
    columns = context.collection.columns
    table = _table(
        shard, settings, ("blob", "repository", "path"), tuple(name for name in _own_columns(index) if name != "binary")
    )
    yield from _items(shard, table, functools.partial(_place_item, columns=columns, context=context, index=index))


def read_contents(shard: Shard, settings: GithubSettings) -> Iterator[tuple[Item, int]]:
    """Read a table of contents that a table of places tells where to find; ids are those of git."""
    context = GithubContext.of(settings, collection_of(shard))
    table = _table(shard, settings, ("blob", "content"), ("binary",))
    yield from _items(
        shard, table, functools.partial(_content_item, columns=context.collection.columns, context=context)
    )


def read_licences(shard: Shard, settings: GithubSettings) -> Iterator[tuple[Item, int]]:
    """Read a table of licences; a repository with what is stated of it is a document whose text is the licence."""
    context = GithubContext.of(settings, collection_of(shard))
    table = _table(shard, settings, ("repository", "licence"), ())
    yield from _items(shard, table, functools.partial(_licence_item, columns=context.collection.columns))


def _own_columns(index: LicenceIndex | None) -> tuple[str, ...]:
    return tuple(name for name in _OPTIONAL if index is None or name != "licence")


def _table(shard: Shard, settings: GithubSettings, needed: Sequence[str], optional: Sequence[str]) -> Table:
    """Say what is asked of a table; a column that the config names must be there."""
    columns = settings.collection(collection_of(shard)).columns
    named = [name for name in optional if name in columns.model_fields_set]
    return Table(
        shard.path,
        shard.size,
        needed=tuple(getattr(columns, name) for name in (*needed, *named)),
        optional=tuple(sorted(getattr(columns, name) for name in optional)),
        max_value_bytes=settings.max_file_bytes,
        source=SOURCE,
    )


def _items(shard: Shard, table: Table, make: Callable[[Row], Item]) -> Iterator[tuple[Item, int]]:
    with open_read(shard.path) as stream:
        for number, (row, where, position) in enumerate(read_table(stream, table)):
            if isinstance(row, MalformedRecord):
                yield row, position
                continue
            try:
                yield make(row), position
            except BadRow as bad:
                detail = f"row {number}: {bad.detail}"[:200]
                yield MalformedRecord(bad.cause, detail, offset=where[0], inner_offset=where[1]), position


def _from_row(row: Row, columns: GithubColumns, context: GithubContext, index: LicenceIndex | None) -> Item:
    place, licences, mode = _place(row, columns, context, index)
    refused = context.check_place(place, licences, mode) or _check_content(row, columns)
    if refused is not None:
        return context.drop(place, refused)
    return context.from_text(place, licences, str(_text(row, columns.content)))


def _place_item(row: Row, columns: GithubColumns, context: GithubContext, index: LicenceIndex | None) -> Item:
    place, licences, mode = _place(row, columns, context, index)
    blob = _name(row, columns.blob)
    refused = context.check_place(place, licences, mode)
    if refused is not None and refused.reason is RepositoryReason.NOT_A_FILE:
        return context.drop(place, refused)
    return Document(
        place.id,
        SOURCE,
        "",
        metadata={
            "blob": blob,
            "rank": _rank(licences, context, is_refused=refused is not None),
            "repository": place.repository,
            "ref": place.ref,
            "path": place.path,
            "licence": "\n".join(licences),
        },
    )


def _rank(licences: Sequence[str], context: GithubContext, *, is_refused: bool) -> int:
    """Say how good a place is: a permitted licence and a path that no rule refuses is 0, the best."""
    if context.check_licences(licences) is not None:
        return _WORST_RANK
    return 2 * is_refused + (not licences)


def _content_item(row: Row, columns: GithubColumns, context: GithubContext) -> Item:
    identifier = f"{SOURCE}/{_name(row, columns.blob)}"
    refused = _check_content(row, columns)
    text = str(_text(row, columns.content) or "")
    if refused is None and utf8_size(text) > context.max_file_bytes:
        refused = Drop(RepositoryReason.TOO_LONG, utf8_size(text), context.max_file_bytes)
    if refused is not None:
        return Dropped(identifier, "", refused.reason, refused.measured, refused.limit)
    return Document(identifier, SOURCE, text)


def _licence_item(row: Row, columns: GithubColumns) -> Item:
    repository = _name(row, columns.repository)
    return Document(f"{SOURCE}/{repository}", SOURCE, "\n".join(_licences(row, columns.licence)))


def _place(
    row: Row, columns: GithubColumns, context: GithubContext, index: LicenceIndex | None
) -> tuple[Place, Sequence[str], int | None]:
    """Read where a row's file stands, its licences and its mode.

    Raises:
        BadRow: A value is missing, or of a wrong type.
    """
    repository, path = _name(row, columns.repository), _name(row, columns.path)
    ref = _name(row, columns.ref) if row.get(columns.ref) is not None else context.collection.ref
    licences = index.of(repository) if index is not None else _licences(row, columns.licence)
    return Place(repository, ref, path), licences, _integer(row, columns.mode)


def _check_content(row: Row, columns: GithubColumns) -> Drop | None:
    is_binary = row.get(columns.binary)
    if is_binary is not None and not isinstance(is_binary, bool):
        raise BadRow(f"{SOURCE}/wrong_type", f"{columns.binary} is {type(is_binary).__name__}, not a boolean")
    if is_binary:
        return Drop(RepositoryReason.BINARY)
    return Drop(RepositoryReason.NO_CONTENT) if _text(row, columns.content) is None else None


def _name(row: Row, column: str) -> str:
    value = _text(row, column)
    if not value or len(value) > _MAX_NAME_CHARS:
        found = "longer than any name" if value else "missing or empty"
        raise BadRow(f"{SOURCE}/bad_name", f"{column} is {found}")
    return value


def _text(row: Row, column: str) -> str | None:
    return string_value(row.get(column), column, SOURCE)


def _integer(row: Row, column: str) -> int | None:
    """Read a number, which JSON of BigQuery writes as a string; git's own notation is octal, with six digits."""
    value = row.get(column)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value, 8 if len(value) == len("100644") else 10)
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise BadRow(f"{SOURCE}/wrong_type", f"{column} is {type(value).__name__} {value!a}"[:100])
    return value


def _licences(row: Row, column: str) -> list[str]:
    """Read one licence or a list of them; blank ones state nothing."""
    value = row.get(column)
    values = value if isinstance(value, list) else [value]
    if len(values) > _MAX_LICENCES or not all(isinstance(one, str | None) for one in values):
        raise BadRow(f"{SOURCE}/wrong_type", f"{column} is neither a string nor a list of some")
    for one in values:
        _text({column: one}, column)
    return [" ".join(one[:_MAX_LICENCE_CHARS].split()) for one in values if one and one.strip()]
