"""Rows of JSON lines: lines cut out of a stream in bounded memory, and each one an object."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.document import MalformedRecord, utf8_size
from pipeline.sources.decompressed import PIECE_BYTES, Readable

#: A line that goes on for that many times the longest one allowed has no end: the rest of the file is not read.
_ENDLESS = 16
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of JSON: its place and size in bytes, and its content unless it is too long."""

    offset: int
    size: int
    content: bytes | None


class BadRow(Exception):
    """A row that cannot be used: cause and detail of the error it becomes."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(cause, detail)
        self.cause, self.detail = cause, detail


def string_value(value: object, column: str | None, faults: str) -> str | None:
    """Give a value that is a string with a UTF-8 form, or nothing.

    Args:
        value: The value of a row.
        column: Where it stands.
        faults: What the causes of malformed rows begin with.

    Raises:
        BadRow: It is something else.
    """
    if not isinstance(value, str | None):
        raise BadRow(f"{faults}/wrong_type", f"{column} is {type(value).__name__}, not a string")
    try:
        utf8_size(value or "")
    except UnicodeEncodeError as error:
        raise BadRow(f"{faults}/lone_surrogate", f"{column}: {error}") from error
    return value


def cut_lines(stream: Readable, longest: int, source: str) -> Iterator[Line]:
    """Cut lines; of one that is too long, only its size is given.

    Args:
        stream: The text.
        longest: Bytes of a line, its end left out, to hold.
        source: The source's name, under which an endless line is counted.

    Raises:
        MalformedRecord: A line has no end; or the file is damaged or cut.
    """
    begun, offset, size = bytearray(), 0, 0
    while piece := stream.read(PIECE_BYTES):
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            size += end - start
            begun += piece[start:end]
            yield Line(offset, size, bytes(begun) if size <= longest else None)
            offset += size + 1
            begun, size, start = bytearray(), 0, end + 1
        size += len(piece) - start
        begun += piece[start:]
        if size > longest:
            begun.clear()
        if size > _ENDLESS * longest:
            raise MalformedRecord(f"{source}/endless_line", f"more than {size} bytes from byte {offset} on", offset=0)
    if size:
        yield Line(offset, size, bytes(begun) if size <= longest else None)


def parse_object(line: bytes, source: str) -> dict[str, Any]:
    """Read a line that is an object.

    Raises:
        BadRow: It is none.
    """
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise BadRow(f"{source}/invalid_utf8", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise BadRow(f"{source}/bad_json", f"{type(error).__name__}: {error}") from error
    if not isinstance(row, dict):
        raise BadRow(f"{source}/bad_json", f"{type(row).__name__}, not an object")
    return row
