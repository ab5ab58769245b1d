"""Ready corpora: rows of JSON lines and Parquet to documents, beside the bare library that reads them."""

import functools
import json
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpora_settings import CorpusSettings
from pipeline.document import Shard
from pipeline.sources.corpus_rows import read_corpus
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_SETTINGS = CorpusSettings(paths=("x",), id="id", url="meta.url", created="meta.timestamp", language="meta.language")


def read(inputs: Inputs) -> Iterator[Result]:
    """The pages at hand as rows with their metadata in an object, as RedPajama has them."""
    rows = [
        {"id": page.id, "text": page.text, "meta": {"url": page.url, "timestamp": page.created, "language": "en"}}
        for page in inputs.documents
    ]
    megabytes = text_megabytes([str(row["text"]) for row in rows])
    lines, table = (os.path.join(inputs.folder, name) for name in ("rows.jsonl", "rows.parquet"))
    with open(lines, "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    pq.write_table(pa.Table.from_pylist(rows), table)
    for name, path, bare in (("jsonl", lines, _read_json), ("parquet", table, _read_parquet)):
        pair = compare(functools.partial(_read, path), functools.partial(bare, path), runs=3)
        detail = f"{_read(path):,} rows, nested columns"
        yield speed(f"corpora.read_{name}", megabytes, pair, against=bare.__doc__ or "", detail=detail)


def _read(path: str) -> int:
    return sum(1 for _ in read_corpus(Shard("x", "x", path, os.path.getsize(path), below="x"), _SETTINGS))


def _read_json(path: str) -> int:
    """json.loads of each line"""
    with open(path, "rb") as stream:
        return sum(len(json.loads(line)["text"]) for line in stream)


def _read_parquet(path: str) -> int:
    """to_pylist of each batch"""
    return sum(len(batch.to_pylist()) for batch in pq.ParquetFile(path).iter_batches())
