"""Documents as Parquet: what goes in comes back, and equal documents give equal bytes."""

import copy
import io
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.length import LengthReason
from filters.verdict import Drop
from pipeline.batch import Batch
from pipeline.document import DOCUMENT_SCHEMA, DROPPED_SCHEMA, Document
from pipeline.parquet import (
    documents_from_stream,
    documents_to_parquet,
    dropped_to_parquet,
    read_documents,
    read_texts,
)

TEXT = st.text(max_size=30)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "dump": TEXT,
        "title": TEXT,
        "digest": TEXT,
        "original_chars": st.integers(-(2**63), 2**63 - 1),
        "original_lines": st.integers(0, 2**31),
        "language_score": st.floats(allow_nan=False),
    },
)
DOCUMENTS = st.lists(st.builds(Document, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, METADATA), max_size=8)


@settings(deadline=None)
@given(DOCUMENTS)
def test_documents_come_back_as_they_were(documents: list[Document]) -> None:
    assert documents_from_stream(io.BytesIO(documents_to_parquet(documents))) == documents


@settings(deadline=None, max_examples=40)
@given(DOCUMENTS)
def test_equal_documents_give_equal_bytes(documents: list[Document]) -> None:
    twin = copy.deepcopy(documents)
    for document in twin:
        document.metadata = dict(reversed(document.metadata.items()))
    assert bytes(documents_to_parquet(documents)) == bytes(documents_to_parquet(twin))


def test_a_metadata_field_without_a_place_in_the_schema_is_refused() -> None:
    with pytest.raises(KeyError, match="perplexitty"):
        documents_to_parquet([Document("1", "cc", "t", metadata={"perplexitty": 1.0})])


def test_metadata_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(pa.ArrowException):
        documents_to_parquet([Document("1", "cc", "t", metadata={"title": 3})])


def test_null_metadata_is_left_out_on_the_way_back() -> None:
    content = documents_to_parquet([Document("1", "cc", "t", metadata={"title": None, "dump": ""})])
    assert documents_from_stream(io.BytesIO(content))[0].metadata == {"dump": ""}


def test_a_score_that_is_no_number_is_not_taken_for_null() -> None:
    content = documents_to_parquet([Document("1", "cc", "t", metadata={"language_score": math.nan})])
    assert math.isnan(float(documents_from_stream(io.BytesIO(content))[0].metadata["language_score"] or 0))


def test_a_file_has_the_schema_one_row_group_and_zstd() -> None:
    documents = [Document(str(number), "cc", "text " * number) for number in range(3000)]
    file = pq.ParquetFile(io.BytesIO(documents_to_parquet(documents)))
    assert file.schema_arrow.equals(DOCUMENT_SCHEMA)
    assert file.num_row_groups == 1
    assert {file.metadata.row_group(0).column(number).compression for number in range(7)} == {"ZSTD"}


def test_files_of_many_batches_concatenate(tmp_path: Path) -> None:
    full = Document("1", "cc", "t", metadata={"title": "a", "language_score": 0.5})
    for number, document in enumerate([full, Document("2", "wiki", "u")]):
        (tmp_path / f"{number}.parquet").write_bytes(documents_to_parquet([document]))
    assert pq.read_table(tmp_path).column("id").to_pylist() == ["1", "2"]


def test_a_file_is_read_back_from_its_path(tmp_path: Path) -> None:
    documents = [Document("1", "cc", "日本", "u", "ja", "2020", {"dump": "D"}), Document("2", "cc", "")]
    path = tmp_path / "part.parquet"
    path.write_bytes(documents_to_parquet(documents))
    assert read_documents(str(path)) == documents
    assert read_texts(str(path)) == (["1", "2"], ["日本", ""])


def test_what_is_no_parquet_file_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        documents_from_stream(io.BytesIO(b"PAR1 but no more"))


def test_dropped_documents_tell_reason_measure_limit_and_the_text_that_is_kept() -> None:
    batch = Batch("s", 0)
    batch.drop(Document("1", "cc", "ab", url="u"), Drop(LengthReason.TOO_SHORT, 2, 300, "twice"))
    batch.drop(Document("2", "cc", "cd"), Drop(LengthReason.TOO_SHORT))
    table = pq.ParquetFile(io.BytesIO(dropped_to_parquet(batch, "commoncrawl", "cc.stage", [False, True]))).read()
    assert table.schema.equals(DROPPED_SCHEMA)
    shared = {"source": "commoncrawl", "stage": "cc.stage", "reason": "length/too_short"}
    assert table.to_pylist() == [
        {"id": "1", "url": "u", "measured": 2.0, "limit": 300.0, "detail": "twice", "text": None, **shared},
        {"id": "2", "url": "", "measured": None, "limit": None, "detail": None, "text": "cd", **shared},
    ]
