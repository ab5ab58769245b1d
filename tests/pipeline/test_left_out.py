"""Leaving copies out of committed files as tables: the same files and counts as by way of documents."""

import dataclasses
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.verdict import Drop
from pipeline.batch import Batch, StepFailed
from pipeline.document import Document
from pipeline.fingerprints import DuplicateReason, mask_to_bytes, masks_path
from pipeline.left_out import leave_copies_out
from pipeline.parquet import Codec, documents_from_stream, documents_to_parquet
from pipeline.sources.github_steps import count_languages
from pipeline.stage import BatchFile
from pipeline.writing import Outputs, write_batch

COPIES = {"ids": DuplicateReason.ID, "texts": DuplicateReason.CONTENT}


def outputs(run: Path) -> Outputs:
    return Outputs(str(run), "g.documents", "g", "documents/g", dropped_text_fraction=0.5, seed=3)


def document(place: int, text: str, language: str | None) -> Document:
    metadata: dict[str, Any] = {} if language is None else {"programming_language": language, "original_chars": place}
    return Document(f"g/{place}", "g", text, url="u" * (place % 3), metadata=metadata)


def put_masks(run: Path, ids: list[bool], texts: list[bool]) -> None:
    for stage, mask in (("ids", ids), ("texts", texts)):
        path = run / masks_path(stage, "s-00002", 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mask_to_bytes(np.array(mask, np.bool_), 1))


def leave_out(run: Path, documents: list[Document], ids: list[bool], texts: list[bool], codec: Codec = "lz4") -> None:
    put_masks(run, ids, texts)
    path = run / "cleaned.parquet"
    path.write_bytes(documents_to_parquet(documents, codec))
    unit = BatchFile("s", 2, str(path), 4711), frozenset[int]()
    assert leave_copies_out(unit, outputs(run), COPIES, count_languages) == "s-00002"


def by_documents(run: Path, documents: list[Document], ids: list[bool], texts: list[bool]) -> None:
    batch = Batch("s", 2, read=len(documents), position=4711, last=True)
    batch.bytes_in = sum(len(one.text.encode()) for one in documents)
    for one, is_id, is_text in zip(documents, ids, texts, strict=True):
        if is_id or is_text:
            batch.drop(one, Drop(DuplicateReason.ID if is_id else DuplicateReason.CONTENT))
        else:
            batch.documents.append(one)
            language = one.metadata.get("programming_language") or "other"
            batch.facts.update({f"files of {language}": 1, f"bytes of {language}": len(one.text.encode())})
    write_batch(batch, outputs(run))


def written(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder in ("documents", "dropped", "work/g.documents"):
        for path in (run / folder).rglob("*.*"):
            found[path.relative_to(run).as_posix()] = path.read_bytes()
    commit = json.loads(found.pop("work/g.documents/commits/s-00002.json"))
    del commit["seconds"]
    return {**found, "commit": commit}


ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
        st.sampled_from([None, "", "C", "Python"]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@given(ROWS, st.sampled_from(["lz4", "zstd"]))
def test_files_and_counts_are_those_of_the_way_by_documents(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str | None, bool, bool]], codec: Codec
) -> None:
    documents = [document(place, text, language) for place, (text, language, *_) in enumerate(rows)]
    ids, texts = [row[2] for row in rows], [row[3] for row in rows]
    tables, other = tmp_path_factory.mktemp("tables"), tmp_path_factory.mktemp("documents")
    leave_out(tables, documents, ids, texts, codec)
    by_documents(other, [dataclasses.replace(one) for one in documents], ids, texts)
    assert written(tables) == written(other)


def test_what_is_left_out_of_a_file_and_counted_is_this(tmp_path: Path) -> None:
    documents = [document(0, "é", "C"), document(1, "b", None), document(2, "é", "C"), document(3, "cc", "C")]
    leave_out(tmp_path, documents, [False, True, False, False], [False, True, True, False])
    found = written(tmp_path)
    kept = documents_from_stream(io.BytesIO(found["documents/g/part-s-00002.parquet"]))
    assert kept == [documents[0], documents[3]]
    dropped = pq.read_table(io.BytesIO(found["dropped/g/part-g.documents-s-00002.parquet"])).to_pylist()
    assert [(row["id"], row["reason"], row["stage"]) for row in dropped] == [
        ("g/1", "duplicate/id", "g.documents"),
        ("g/2", "duplicate/content", "g.documents"),
    ]
    commit = found["commit"]
    assert [output["path"].partition("/")[0] for output in commit.pop("outputs")] == ["documents", "dropped"]
    assert commit == {
        "shard": "s",
        "index": 2,
        "last": True,
        "position": 4711,
        "read": 4,
        "kept": 2,
        "dropped": {"duplicate/content": 1, "duplicate/id": 1},
        "errors": {},
        "gaps": {},
        "bytes_in": 2 + 1 + 2 + 2,
        "bytes_out": 2 + 2,
        "facts": {"files of C": 2, "bytes of C": 4},
    }


def test_a_file_of_copies_alone_leaves_no_documents_file(tmp_path: Path) -> None:
    leave_out(tmp_path, [document(0, "a", "C")], [False], [True])
    found = written(tmp_path)
    assert set(found) == {"dropped/g/part-g.documents-s-00002.parquet", "commit"}
    assert (found["commit"]["kept"], found["commit"]["bytes_out"], found["commit"]["facts"]) == (0, 0, {})


@pytest.mark.parametrize("size", [1, 3])
def test_a_file_that_is_not_the_one_that_was_fingerprinted_stops_the_run(tmp_path: Path, size: int) -> None:
    documents = [document(0, "a", "C"), document(1, "b", "C")]
    with pytest.raises(StepFailed, match=rf"shard s-00002: .*2 documents read again, {size} were fingerprinted"):
        leave_out(tmp_path, documents, [False] * size, [False] * size)


def test_languages_are_counted_over_all_chunks_of_a_table() -> None:
    one, two = (pq.read_table(io.BytesIO(documents_to_parquet([document(0, "é", name)]))) for name in ("C", None))
    assert count_languages(pa.concat_tables([one, two, one])) == Counter(
        {"files of C": 2, "bytes of C": 4, "files of other": 1, "bytes of other": 2}
    )
