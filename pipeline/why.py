"""The fate of a document: where it was kept, or in which stage it left and for what reason."""

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decontamination_verdicts import read_marks
from pipeline.files import join, match, open_read
from pipeline.manifest import Manifest

_KEPT = ["id", "source", "url"]
_DROPPED = ["id", "source", "url", "stage", "reason", "measured", "limit", "detail"]


def fates(run: str, wanted: str) -> Iterator[str]:
    """Say what became of every record with an id or URL.

    Args:
        run: The run folder.
        wanted: A document's id or URL, exactly.

    Yields:
        A line for each record found: first those kept, then those left out.
    """
    marks = {join(run, path): marked for path, marked in read_marks(run, Manifest(run).stages).items()}
    for row, path in _find(run, "documents", _KEPT, wanted):
        mark = next((mark for mark in marks.get(path, ()) if mark["id"] == row["id"]), None)
        if mark is None or not mark["dropped"]:
            yield f"{row['id']} ({row['url']}): kept, in {path}{_say_mark(mark)}"
    for row, path in _find(run, "dropped", _DROPPED, wanted):
        numbers = [f", {name} {row[name]:g}" for name in ("measured", "limit") if row[name] is not None]
        said = "".join(numbers) + (f", {row['detail']}" if row["detail"] else "")
        yield f"{row['id']} ({row['url']}): left out by {row['stage']}: {row['reason']}{said}, in {path}"


def _say_mark(mark: dict[str, Any] | None) -> str:
    if mark is None:
        return ""
    return f"; marked: {mark['shared_ngrams']} n-grams shared with {mark['set']} {mark['item']}: {mark['ngram']}"


def _find(run: str, folder: str, columns: list[str], wanted: str) -> Iterator[tuple[dict[str, Any], str]]:
    for file in match(join(run, folder, "**")):
        if not file.path.endswith(".parquet"):
            continue
        with open_read(file.path) as stream:
            table = pq.ParquetFile(stream).read(columns=columns)
        found = pc.or_(pc.equal(table["id"], wanted), pc.equal(table["url"], wanted))
        for row in table.filter(found).to_pylist():
            yield row, file.path
