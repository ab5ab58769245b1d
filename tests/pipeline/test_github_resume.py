"""Killed in the middle of its stages, GitHub ends with the bytes of an undisturbed run."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.killed import check_killed_in

CONTENTS = 600

Digests = Callable[..., dict[str, str]]


def write_config(folder: Path) -> Path:
    """Write BigQuery's tables and a config with small batches.

    Every third content stands in two places, and every fifth is a copy of the one before it but for its header.
    """
    for name in ("contents", "files", "licenses"):
        (folder / "data" / name).mkdir(parents=True)
    contents = [{"id": f"{number:040x}", "content": content(number)} for number in range(CONTENTS)]
    files = [
        {"repo_name": f"o/r{number % (7 + copy)}", "ref": "main", "path": f"{copy}/{number}.py", "id": f"{number:040x}"}
        for number in range(CONTENTS)
        for copy in range(1 + (number % 3 == 0))
    ]
    licences = [{"repo_name": f"o/r{number}", "license": ["mit", "gpl-2.0"][number == 6]} for number in range(8)]
    for part in range(2):
        pq.write_table(pa.Table.from_pylist(contents[part::2]), folder / "data" / "contents" / f"{part}.parquet")
        pq.write_table(pa.Table.from_pylist(files[part::2]), folder / "data" / "files" / f"{part}.parquet")
    pq.write_table(pa.Table.from_pylist(licences), folder / "data" / "licenses" / "0.parquet")
    source = {
        "collections": [{"id": "D", "rows": ["contents"], "files": ["files"], "licenses": ["licenses"]}],
        "partition_bytes": 1 << 10,
    }
    values = {"data": str(folder / "data"), "batch_bytes": 16 << 10, "sources": {"github": source}}
    config = folder / "run.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    return config


def content(number: int) -> str:
    header = f"# Copyright 2001 The bakers of oven {number}\n\n"
    loaf = number - (number % 5 == 4)
    return header + f"heat_oven(loaf={loaf})\n" * (loaf % 40 + 3)


def test_killed_in_three_stages_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, digests: Digests
) -> None:
    check_killed_in(
        ("github.contents", "github.cleaned", "github.documents"), write_config(tmp_path), tmp_path, digests
    )
