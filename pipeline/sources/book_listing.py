"""PG-19's list of its books (Rae et al., 2020): number, title, year of publication and address, a row each."""

import csv
import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.files import read_bytes
from pipeline.settings import SettingsError

_COLUMNS = 3
_YEAR_DIGITS = 4
_LONGEST_FIELD = 1 << 16


@dataclass(frozen=True, slots=True)
class ListedBook:
    """What the list says of a book.

    Attributes:
        title: Its title.
        published: The first day of its year of publication as ISO 8601 time; empty where that is no year.
        url: Its address; empty where none is given.
    """

    title: str
    published: str
    url: str


@functools.lru_cache(maxsize=8)
def read_listing(path: str) -> Mapping[str, ListedBook]:
    """Read a list, once a worker; the books by their number, which is the name of their file.

    Raises:
        SettingsError: It cannot be read as such a list.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_bytes(path).decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path}: no list of books: {' '.join(str(error).split())}") from error
    for number, row in enumerate(rows, 1):
        if row and (len(row) < _COLUMNS or max(map(len, row)) > _LONGEST_FIELD):
            raise SettingsError(f"{path}: row {number} is not number, title and year of a book")
    return {row[0]: ListedBook(row[1], _published(row[2]), "".join(row[3:4])) for row in rows if row}


def _published(year: str) -> str:
    is_year = year.isascii() and year.isdecimal() and len(year) <= _YEAR_DIGITS and int(year) > 0
    return f"{int(year):04}-01-01T00:00:00+00:00" if is_year else ""
