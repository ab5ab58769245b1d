"""Batches: the account of documents, the blame for failures, and the way through Beam's coders."""

import pickle

import pytest
from apache_beam import coders

from filters.length import LengthReason
from filters.verdict import Drop
from pipeline.batch import ESTIMATED_BATCH_BYTES, Batch, Blame, StepFailed, batch_name
from pipeline.document import Document, Dropped, MalformedRecord


def a_batch() -> Batch:
    batch = Batch("shard", 7, read=2, bytes_in=12, documents=[Document("cc/1", "commoncrawl", "text")])
    batch.drop(Document("cc/2", "commoncrawl", "short", url="http://x"), Drop(LengthReason.TOO_SHORT, 5, 300))
    batch.seconds["read"] = 0.5
    batch.facts["lines"] = 3
    batch.files["work/x.npz"] = (b"\0\1", 2)
    return batch


def test_a_batch_is_named_by_shard_and_index_alone() -> None:
    assert a_batch().name == batch_name("shard", 7) == "shard-00007"


def test_names_of_one_shards_batches_sort_as_their_indices_do() -> None:
    assert sorted(batch_name("s", index) for index in range(0, 2000, 37)) == [
        batch_name("s", index) for index in range(0, 2000, 37)
    ]


def test_a_dropped_document_keeps_reason_measure_limit_and_text() -> None:
    assert a_batch().dropped == [Dropped("cc/2", "http://x", "length/too_short", 5, 300, "short")]


def test_seconds_of_one_step_add_up() -> None:
    batch = Batch("s", 0, seconds={"read": 100.0})
    with batch.timed("read"):
        pass
    with batch.timed("write"):
        pass
    assert 100.0 < batch.seconds["read"] < 101.0
    assert set(batch.seconds) == {"read", "write"}


def test_a_batch_comes_back_from_beams_coder_as_it_was() -> None:
    coder = coders.registry.get_coder(Batch)
    assert coder.decode(coder.encode(a_batch())) == a_batch()


def test_a_malformed_record_survives_the_way_to_another_worker() -> None:
    error = MalformedRecord("warc/bad", "what, where", offset=12, inner_offset=3, is_record=False)
    coder = coders.registry.get_coder(Batch)
    (found,) = coder.decode(coder.encode(Batch("s", 0, errors=[error]))).errors
    assert (found.cause, found.detail, found.offset, found.inner_offset, found.is_record) == (
        "warc/bad",
        "what, where",
        12,
        3,
        False,
    )
    assert str(found) == str(error) == "warc/bad at byte 12+3: what, where"


def test_a_batch_is_not_pickled_to_learn_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Batch, protocol: int) -> None:
        raise AssertionError("the batch was pickled")

    monkeypatch.setattr(Batch, "__reduce_ex__", refuse, raising=False)
    coder = coders.registry.get_coder(Batch)
    assert coder.estimate_size(a_batch()) == ESTIMATED_BATCH_BYTES
    assert coder.get_impl().get_estimated_size_and_observables(a_batch()) == (ESTIMATED_BATCH_BYTES, [])


def test_blame_names_shard_document_and_cause_in_one_line() -> None:
    blame = Blame("shard-3")
    blame.document = "cc/1"
    with pytest.raises(StepFailed) as caught, blame:
        raise ValueError("two\n  lines")
    assert str(caught.value) == "shard shard-3, document cc/1: ValueError: two lines"
    assert isinstance(caught.value.__cause__, ValueError)


def test_without_a_document_blame_names_the_shard_alone() -> None:
    with pytest.raises(StepFailed, match=r"^shard s: KeyError: 'a'$"), Blame("s"):
        raise KeyError("a")


def test_the_innermost_blame_stands() -> None:
    with pytest.raises(StepFailed, match=r"^shard inner: "), Blame("outer"), Blame("inner"):
        raise ValueError


def test_an_interruption_is_no_failure() -> None:
    with pytest.raises(KeyboardInterrupt), Blame("s"):
        raise KeyboardInterrupt


def test_a_failure_survives_the_way_from_a_worker() -> None:
    failure = pickle.loads(pickle.dumps(StepFailed("s", "cc/1", "ValueError: x")))
    assert (failure.shard, failure.document, failure.cause) == ("s", "cc/1", "ValueError: x")
