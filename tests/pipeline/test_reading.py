"""Reading: where batches end, and that each record is in exactly one of them."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch, StepFailed
from pipeline.document import Document, Dropped, MalformedRecord
from pipeline.reading import RECORD_BYTES, Item, ReadBatches, batched
from pipeline.runner import Engine


def document(number: int, text: str = "") -> Document:
    return Document(f"cc/{number}", "commoncrawl", text)


def item(number: int, kind: str, text: str) -> Item:
    if kind == "document":
        return document(number, text)
    if kind == "dropped":
        return Dropped(f"cc/{number}", "", "warc/request", text=text)
    if kind == "dropped without text":
        return Dropped(f"cc/{number}", "", "warc/request")
    return MalformedRecord("warc/bad", "", offset=number, is_record=kind == "record")


ITEMS = st.lists(
    st.tuples(
        st.sampled_from(["document", "dropped", "dropped without text", "record", "gap"]),
        st.text("aé日😀", max_size=400),
    ),
    max_size=40,
)


def text_bytes(found: Item) -> int:
    text = "" if isinstance(found, MalformedRecord) else found.text or ""
    return len(text.encode("utf-8"))


@given(ITEMS, st.integers(1, 4000))
def test_every_record_is_in_one_batch_once_and_in_order(rows: list[tuple[str, str]], batch_bytes: int) -> None:
    items = [item(number, kind, text) for number, (kind, text) in enumerate(rows)]
    batches = list(batched(((found, 10 * place) for place, found in enumerate(items)), "s", batch_bytes))
    assert [id(one) for batch in batches for one in batch.documents] == [
        id(one) for one in items if isinstance(one, Document)
    ]
    assert [id(one) for batch in batches for one in batch.dropped] == [
        id(one) for one in items if isinstance(one, Dropped)
    ]
    assert [id(one) for batch in batches for one in batch.errors] == [
        id(one) for one in items if isinstance(one, MalformedRecord)
    ]
    assert sum(batch.read for batch in batches) == sum(kind != "gap" for kind, _ in rows)
    assert [batch.index for batch in batches] == list(range(len(batches)))
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert {batch.shard for batch in batches} == {"s"}


@given(ITEMS, st.integers(1, 4000))
def test_a_batch_ends_with_the_record_that_fills_it(rows: list[tuple[str, str]], batch_bytes: int) -> None:
    items = [item(number, kind, text) for number, (kind, text) in enumerate(rows)]
    ends, size = [], 0
    for place, found in enumerate(items):
        size += RECORD_BYTES + text_bytes(found)
        if size >= batch_bytes and place < len(items) - 1:
            ends.append(place)
            size = 0
    batches = list(batched(((found, place) for place, found in enumerate(items)), "s", batch_bytes))
    assert [batch.position for batch in batches[:-1]] == ends


def test_an_empty_shard_gives_one_empty_batch() -> None:
    assert list(batched([], "s", 100)) == [Batch("s", 0, last=True)]


@pytest.mark.parametrize(("text", "batches"), [("a" * 487, 1), ("a" * 488, 2), ("é" * 243, 1), ("é" * 244, 2)])
def test_a_batch_is_full_exactly_at_its_bytes(text: str, batches: int) -> None:
    # 512 for the record and 488 for its text make 1,000; one byte less leaves room for the next record.
    assert RECORD_BYTES == 512
    assert len(list(batched([(document(0, text), 1), (document(1), 2)], "s", 1000))) == batches


def test_records_without_text_fill_batches_too() -> None:
    records = [(Dropped(str(number), "", "warc/request"), number) for number in range(10)]
    assert [batch.read for batch in batched(records, "s", 4 * RECORD_BYTES)] == [4, 4, 2]


def test_a_batch_knows_how_much_of_the_file_was_read() -> None:
    items = [(document(number, "a" * 600), position) for number, position in enumerate([50, 120, 130])]
    assert [batch.position for batch in batched(items, "s", 1000)] == [50, 120, 130]


@dataclass(frozen=True)
class Crate:
    """A unit whose batches hold one document each."""

    name: str
    size: int
    texts: tuple[str, ...]


def read_crate(crate: Crate) -> Iterator[Batch]:
    return batched([(document(number, text), number) for number, text in enumerate(crate.texts)], crate.name, 1)


def read_wrong(crate: Crate, *, at: int) -> Iterator[Batch]:
    for batch in read_crate(crate):
        if batch.index == at:
            raise ValueError("bug in the reader")
        yield batch


def account(batch: Batch) -> tuple[object, ...]:
    assert list(batch.seconds) == ["read"]
    assert batch.seconds["read"] >= 0
    texts = [one.text for one in batch.documents]
    return batch.shard, batch.index, batch.read, batch.bytes_in, texts, batch.last


def test_units_are_read_into_their_batches() -> None:
    with Engine(1).pipeline(1, "") as root:
        units = [(Crate("a", 1, ("x", "日本")), frozenset()), (Crate("b", 1, ()), frozenset())]
        found = root | beam.Create(units, reshuffle=False) | ReadBatches(read_crate) | beam.Map(account)
        expected = [("a", 0, 1, 1, ["x"], False), ("a", 1, 1, 6, ["日本"], True), ("b", 0, 0, 0, [], True)]
        assert_that(found, equal_to(expected))


def test_committed_batches_are_left_out_and_the_others_keep_their_index() -> None:
    with Engine(1).pipeline(1, "") as root:
        units = [(Crate("a", 1, ("x", "y", "z")), frozenset({0, 2}))]
        found = root | beam.Create(units, reshuffle=False) | ReadBatches(read_crate) | beam.Map(account)
        assert_that(found, equal_to([("a", 1, 1, 1, ["y"], False)]))


def causes(error: BaseException) -> list[str]:
    """Give a failure's messages from the outside in, however a runner has wrapped it."""
    found = []
    inner: BaseException | None = error
    while inner is not None:
        found.append(f"{type(inner).__name__}: {inner}")
        inner = inner.__cause__ or inner.__context__
    return found


def test_a_failing_reader_names_the_shard() -> None:
    root = Engine(1).pipeline(1, "")
    units = [(Crate("shard-a", 1, ("x", "y")), frozenset())]
    _ = root | beam.Create(units, reshuffle=False) | ReadBatches(functools.partial(read_wrong, at=1))
    with pytest.raises(Exception, match="bug in the reader") as caught:
        root.run().wait_until_finish()
    wanted = f"{StepFailed.__name__}: shard shard-a: ValueError: bug in the reader"
    assert any(wanted in cause for cause in causes(caught.value))
