"""GitHub: what exact deduplication adds to the way from a table to documents."""

import functools
import io
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.code import CodeLimits, check_path
from pipeline.batch import Batch
from pipeline.document import Shard
from pipeline.duplicates import Copies, mark_duplicates
from pipeline.github_settings import GithubSettings
from pipeline.inputs import list_shards
from pipeline.parquet import documents_from_stream, documents_to_parquet
from pipeline.reading import batched
from pipeline.sources.github_context import SOURCE
from pipeline.sources.github_rows import read_rows
from pipeline.sources.github_steps import clean_batch, fingerprint_files
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_DEDUP_GOAL = 10  # percent
_MEGABYTES, _QUICK_MEGABYTES = 60, 10
_TABLES = 4


def source_rows(megabytes: int, salt: int = 0) -> list[dict[str, Any]]:
    """Give the sources that are installed beside this interpreter, as rows, up to so many megabytes."""
    root = Path(sysconfig.get_paths()["purelib"])
    rows, size = [], 0
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if size >= megabytes * 1_000_000 or not path.is_file() or path.stat().st_size > 1 << 20:
            continue
        if check_path(name, CodeLimits()) is None:
            content = path.read_text(encoding="utf-8", errors="replace")
            content = content.replace("return", f"return  # {salt}\n", 1) if salt else content
            rows.append(
                {"repo_name": f"x/{name.partition('/')[0]}", "ref": str(salt), "path": name, "content": content}
            )
            size += len(content)
    return [{**row, "license": "mit"} for row in rows]


def deduplicate(inputs: Inputs) -> Iterator[Result]:
    """Tables to documents, as the stages do it: with copies left out, which is written twice, beside without."""
    rows = source_rows(_QUICK_MEGABYTES if inputs.quick else _MEGABYTES)
    megabytes = text_megabytes([row["content"] for row in rows])
    folder = Path(inputs.folder, "github-dedup")
    write_tables(folder, rows)
    settings = GithubSettings.model_validate({"collections": [{"id": "bench", "rows": [str(folder)]}]})
    tables = list_shards(SOURCE, "bench+rows", [str(folder)], data="", key="bench")
    pair = compare(functools.partial(_deduplicated, tables, settings), functools.partial(_written, tables, settings))
    share = 100 * (pair.ours.cpu_seconds / pair.bare.cpu_seconds - 1)
    yield speed(
        "github.dedup",
        megabytes,
        pair,
        against="the same, copies and all",
        detail=f"{megabytes:.0f} MB, {share:.1f} % more CPU time for copies",
        goal=f"less than {_DEDUP_GOAL} % more",
        met=share < _DEDUP_GOAL,
    )


def _batches(tables: Sequence[Shard], settings: GithubSettings) -> Iterator[Batch]:
    for table in tables:
        for batch in batched(read_rows(table, settings, None), table.name, 32 << 20):
            yield clean_batch(batch, settings)


def _written(tables: Sequence[Shard], settings: GithubSettings) -> int:
    return sum(len(documents_to_parquet(batch.documents)) for batch in _batches(tables, settings))


def _deduplicated(tables: Sequence[Shard], settings: GithubSettings) -> int:
    held, keys, order = [], [], []
    for batch in _batches(tables, settings):
        found = fingerprint_files(batch.documents, id)
        keys.append(found.pages)
        order.append(found.order)
        held.append(bytes(documents_to_parquet(batch.documents)))
    gone = mark_duplicates(np.concatenate(keys), Copies.FIRST_STAYS, order=np.concatenate(order))
    size = start = 0
    for content, own in zip(held, keys, strict=True):
        documents = documents_from_stream(io.BytesIO(content))
        kept = [one for one, goes in zip(documents, gone[start : start + len(own)], strict=True) if not goes]
        start += len(own)
        size += len(documents_to_parquet(kept))
    return size


def write_tables(folder: Path, rows: Sequence[dict[str, Any]], name: str = "rows") -> None:
    """Write rows as a few tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(_TABLES):
        pq.write_table(pa.Table.from_pylist(list(rows[part::_TABLES])), folder / f"{name}-{part}.parquet")
