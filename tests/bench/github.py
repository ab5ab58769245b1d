"""GitHub: what exact deduplication adds to the way from a table to documents."""

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
from pipeline.files import write_output
from pipeline.fingerprints import mask_to_bytes, masks_path
from pipeline.github_settings import GithubSettings
from pipeline.inputs import list_shards
from pipeline.left_out import leave_copies_out
from pipeline.reading import batched
from pipeline.sources.github import CLEANED, CODEC, COPIES, DOCUMENTS, DUPLICATE_FILES, DUPLICATE_IDS
from pipeline.sources.github_context import SOURCE
from pipeline.sources.github_rows import read_rows
from pipeline.sources.github_steps import clean_batch, count_languages, fingerprint_files
from pipeline.stage import BatchFile
from pipeline.writing import Outputs, write_batch
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import RUNS, Spent, measure, pair_of

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
    run = str(Path(inputs.folder, "github-run"))
    _turn(tables, settings, run)
    pair = pair_of([_turn(tables, settings, run) for _ in range(RUNS)])
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


def _turn(tables: Sequence[Shard], settings: GithubSettings, run: str) -> tuple[Spent, Spent]:
    """Measure both ways; reading and cleaning, which they share, is measured once, that its noise be no difference."""
    batches: list[Batch] = []
    read = measure(lambda: batches.extend(_batches(tables, settings)))
    ours, bare = measure(lambda: _deduplicated(batches, run)), measure(lambda: _written(batches, run))
    return _together(read, ours), _together(read, bare)


def _together(one: Spent, other: Spent) -> Spent:
    return Spent(one.seconds + other.seconds, one.cpu_seconds + other.cpu_seconds)


def _batches(tables: Sequence[Shard], settings: GithubSettings) -> Iterator[Batch]:
    for table in tables:
        for batch in batched(read_rows(table, settings, None), table.name, 32 << 20):
            yield clean_batch(batch, settings)


def _written(batches: Sequence[Batch], run: str) -> None:
    outputs = Outputs(run, DOCUMENTS, SOURCE, f"documents/{SOURCE}")
    for batch in batches:
        write_batch(batch, outputs)


def _deduplicated(batches: Sequence[Batch], run: str) -> None:
    """Do what the stages do, but for the shuffle of fingerprints, whose buckets are one."""
    cleaned = Outputs(run, CLEANED, SOURCE, f"work/{CLEANED}/documents", codec=CODEC)
    files, found = [], []
    for batch in batches:
        found.append(fingerprint_files(batch.documents, id))
        write_batch(batch, cleaned)
        path = Path(run, f"{cleaned.documents}/part-{batch.name}.parquet")
        files.append(BatchFile(batch.shard, batch.index, str(path), path.stat().st_size))
    order = np.concatenate([one.order for one in found])
    for stage, keys in ((DUPLICATE_IDS, [one.ids for one in found]), (DUPLICATE_FILES, [one.pages for one in found])):
        gone = mark_duplicates(np.concatenate(keys), Copies.FIRST_STAYS, order=order)
        ends = np.cumsum([len(one) for one in keys])[:-1]
        for file, mask in zip(files, np.split(gone, ends), strict=True):
            write_output(run, masks_path(stage, file.name, 0), mask_to_bytes(mask, 1))
    outputs = Outputs(run, DOCUMENTS, SOURCE, f"documents/{SOURCE}")
    for file in files:
        leave_copies_out((file, frozenset()), outputs, COPIES, count_languages)


def write_tables(folder: Path, rows: Sequence[dict[str, Any]], name: str = "rows") -> None:
    """Write rows as a few tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(_TABLES):
        pq.write_table(pa.Table.from_pylist(list(rows[part::_TABLES])), folder / f"{name}-{part}.parquet")
