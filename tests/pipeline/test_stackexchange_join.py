"""Partitions and rounds: any posts of any dumps are joined as in a dictionary, in bounded memory."""

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch
from pipeline.document import Document
from pipeline.sources import stackexchange_join
from pipeline.sources.stackexchange_join import (
    JoinRules,
    Partition,
    PostsFile,
    partition_of,
    posts_to_arrow,
    read_partition,
)

SITE = "a.example"
Row = tuple[int, int, int, str]  # number, its question's number, score, text


def document(row: Row, dump: str = "D") -> Document:
    number, question, score, text = row
    is_question = number == question
    metadata = {"dump": dump, "title": "", "score": score, "tags": "", "post": number, "question": question}
    return Document(f"{SITE}/{number}", "stackexchange", text, metadata={**metadata, "is_question": is_question})


def read_all(files: Sequence[PostsFile], count: int, rules: JoinRules, batch_bytes: int = 1 << 20) -> list[Batch]:
    return [
        batch
        for index in range(count)
        for batch in read_partition(
            Partition(SITE, index, count, 100), files={SITE: files}, stage="s", rules=rules, batch_bytes=batch_bytes
        )
    ]


NUMBERS = st.integers(1, 6)
ROWS = st.lists(
    st.tuples(NUMBERS, NUMBERS, st.integers(-2, 2), st.sampled_from(["x", "yy", "", "z" * 60])), max_size=12
)
DUMPS = st.lists(st.tuples(st.sampled_from(["2015", "2017"]), ROWS), max_size=4)


@given(DUMPS, st.integers(1, 4), st.integers(1, 100))
def test_any_posts_are_joined_as_in_a_dictionary(
    tmp_path_factory, dumps: list[tuple[str, list[Row]]], count: int, round_bytes: int
) -> None:
    files, every = [], []
    for number, (dump, rows) in enumerate(dumps):
        path = tmp_path_factory.getbasetemp() / f"{number}.arrow"
        path.write_bytes(posts_to_arrow([document(row, dump) for row in rows], count))
        files.append(PostsFile(str(path), dump))
        every += [(dump, row) for row in rows]
    batches = read_all(files, count, JoinRules(round_bytes=round_bytes))
    found = {document.id: document.text for batch in batches for document in batch.documents}
    expected, read = join_in_a_dictionary(every)
    assert found == expected
    facts = sum((batch.facts for batch in batches), Counter())
    facts.pop("documents searched for leftovers", None)
    assert sum(batch.read for batch in batches) == read
    assert read + facts.total() == len(every)


def join_in_a_dictionary(every: list[tuple[str, Row]]) -> tuple[dict[str, str], int]:
    """The texts by id, and how many records there are: questions, answers without one, and answers met again."""
    texts, read = {}, 0
    for question in {row[1] for _, row in every}:
        dumps = {dump for dump, row in every if row[0] == row[1] == question}
        read += sum(row[0] == row[1] == question for _, row in every)
        read += sum(row[1] == question != row[0] and dump not in dumps for dump, row in every)
        if not dumps:
            continue
        newest = [row for dump, row in every if dump == max(dumps) and row[1] == question]
        body = next(row[3] for row in newest if row[0] == question)
        answers: dict[int, Row] = {}
        for row in newest:
            if row[0] != question:
                read += row[0] in answers
                answers.setdefault(row[0], row)
        ranked = sorted(answers.values(), key=lambda row: (-row[2], row[0]))
        if body:
            texts[f"{SITE}/{question}"] = "\n\n".join([body, *(row[3] for row in ranked if row[3])])
    return texts, read


def test_a_partition_holds_the_posts_of_its_questions_and_no_other() -> None:
    rows = [(number, 1 + number % 50, 0, "x") for number in range(1, 500)]
    content = posts_to_arrow([document(row) for row in rows], 7)
    with pa.ipc.open_file(content) as reader:
        assert reader.num_record_batches == 7
        found = [reader.get_batch(index).column("question").to_pylist() for index in range(7)]
    assert [question for part in found for question in part] == sorted(
        (row[1] for row in rows), key=lambda question: partition_of(question, 7)
    )
    assert all(partition_of(question, 7) == index for index, part in enumerate(found) for question in part)


def write_files(folder: Path, rows: Sequence[Row], count: int, rows_a_file: int) -> list[PostsFile]:
    files = []
    for start in range(0, len(rows), rows_a_file):
        path = folder / f"{start}.arrow"
        path.write_bytes(posts_to_arrow([document(row) for row in rows[start : start + rows_a_file]], count))
        files.append(PostsFile(str(path), "D"))
    return files


def test_a_partition_that_all_questions_fall_into_is_read_in_rounds(tmp_path: Path) -> None:
    numbers = [number for number in range(1, 30_000) if partition_of(number, 16) == 0][:1500]
    files = write_files(tmp_path, [(number, number, 0, "x" * 20_000) for number in numbers], 16, 100)
    tracemalloc.start()
    found = 0
    partition = Partition(SITE, 0, 16, 100)
    rules = JoinRules(round_bytes=2_000_000)
    for batch in read_partition(partition, files={SITE: files}, stage="s", rules=rules, batch_bytes=1 << 20):
        found += len(batch.documents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1500
    assert peak < 10_000_000


@pytest.mark.parametrize(("round_bytes", "opened"), [(3000, 30), (2999, 90), (1500, 90), (100, 31 * 30)])
def test_a_partition_that_fits_into_one_round_opens_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, round_bytes: int, opened: int
) -> None:
    files = write_files(tmp_path, [(number, number, 0, "x" * 100) for number in range(1, 31)], 1, 1)
    paths: list[str] = []
    plain = stackexchange_join.open_read
    monkeypatch.setattr(stackexchange_join, "open_read", lambda path: paths.append(path) or plain(path))
    (batch,) = read_all(files, 1, JoinRules(round_bytes=round_bytes))
    assert len(batch.documents) == 30
    assert len(paths) == opened


def test_a_question_that_is_too_long_is_never_held(tmp_path: Path) -> None:
    rows = [(number, 1, 0, "x" * 20_000) for number in range(1, 2001)]
    files = write_files(tmp_path, rows, 1, 100)
    tracemalloc.start()
    (batch,) = read_all(files, 1, JoinRules(max_question_bytes=5_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (dropped,) = batch.dropped
    assert (dropped.reason, dropped.measured, dropped.limit) == ("stackexchange/too_long", 40_000_000, 5_000_000)
    assert batch.facts == {"answers_of_dropped_questions": 1999}
    assert peak < 5_000_000


def test_a_question_with_many_answers_is_one_document(tmp_path: Path) -> None:
    rows = [(number, 1, number, f"<p>{number}</p>") for number in range(1, 5001)]
    (batch,) = read_all(write_files(tmp_path, rows, 1, 1000), 1, JoinRules())
    (found,) = batch.documents
    assert found.text == "1\n\n" + "\n\n".join(str(number) for number in range(5000, 1, -1))
    assert found.metadata["answers"] == 4999
