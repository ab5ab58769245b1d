"""Duplicates against a dictionary over all lines, for every rule, grouping, number of passes and of buckets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.line_dedup import Keep
from pipeline import duplicates
from pipeline.batch import StepFailed, batch_name
from pipeline.commits import Commit, list_commits, read_commits
from pipeline.document import Document
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, mark_duplicates, plan_passes
from pipeline.files import write_bytes
from pipeline.fingerprints import fingerprint_documents, fingerprints_path, mask_to_bytes, masks_path, read_mask
from pipeline.runner import Engine


@given(st.lists(st.integers(0, 6) | st.sampled_from([2**64 - 1, 2**64 - 2]), max_size=30))
def test_marks_are_those_of_a_dictionary(values: list[int]) -> None:
    hashes = np.array(values, np.uint64)
    assert mark_duplicates(hashes, Copies.NONE_STAYS).tolist() == [values.count(value) > 1 for value in values]
    assert mark_duplicates(hashes, Copies.FIRST_STAYS).tolist() == [
        value in values[:place] for place, value in enumerate(values)
    ]


@dataclass(frozen=True)
class Held:
    """A batch of a made-up corpus: where it stands and the texts of its documents."""

    shard: str
    index: int
    group: str
    texts: tuple[str, ...]
    rank: int = 0
    ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return batch_name(self.shard, self.index)

    @property
    def order(self) -> tuple[int, str, int]:
        return self.rank, self.shard, self.index

    def documents(self) -> list[Document]:
        ids = self.ids or tuple(f"{self.name}/{number}" for number in range(len(self.texts)))
        return [Document(name, "cc", text) for name, text in zip(ids, self.texts, strict=True)]


def fingerprinted(run: Path, corpus: Sequence[Held]) -> list[KeyFile]:
    """Write the fingerprints of a corpus as the stage before does, and list them for lines."""
    files = []
    for held in corpus:
        found = fingerprint_documents(held.documents())
        write_bytes(str(run / fingerprints_path("fp", held.name)), found.to_bytes())
        files.append(KeyFile(held.shard, held.index, held.group, int(found.line_counts.sum()), held.rank))
    return files


def expected_masks(corpus: Sequence[Held], keep: Keep, gone: Sequence[tuple[str, int]] = ()) -> dict[str, list[bool]]:
    """Decide over a dictionary of all lines; documents in ``gone`` (batch, number) take no part.

    Only what is repeated inside its own document is marked in those.
    """
    holders: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for held in sorted(corpus, key=lambda held: held.order):
        for number, text in enumerate(held.texts):
            if (held.name, number) not in gone:
                for line in dict.fromkeys(text.lower().split("\n")):
                    holders[held.group, line].append((held.name, number))
    masks: dict[str, list[bool]] = {}
    for held in corpus:
        mask = masks.setdefault(held.name, [])
        for number, text in enumerate(held.texts):
            lines = text.lower().split("\n")
            for place, line in enumerate(lines):
                owners = holders[held.group, line]
                counts = (held.name, number) in owners
                elsewhere = len(owners) > 1 if keep is Keep.NONE else counts and owners[0] != (held.name, number)
                mask.append(line in lines[:place] or (counts and elsewhere))
    return masks


def find(run: Path, work: DuplicateWork) -> list[Commit]:
    """Run all jobs of a work in this process."""
    for job in work.jobs(read_commits(list_commits(str(run), work.stage))):
        Engine(1).run(job, str(run / "log"))
    return read_commits(list_commits(str(run), work.stage))


def lines_work(run: Path, files: Sequence[KeyFile], keep: Keep, max_bytes: int | None, stage: str = "dup"):
    return DuplicateWork(str(run), stage, "fp", plan_passes(files, max_bytes), Keys("lines"), Copies(keep.value))


LINE = st.sampled_from(["", "menu", "MENU", "home", *(f"body {letter}" for letter in "abcdefghij")])
TEXTS = st.lists(st.lists(LINE, min_size=1, max_size=5).map("\n".join), min_size=1, max_size=3).map(tuple)
CORPUS = st.lists(st.tuples(st.sampled_from("ab"), TEXTS), min_size=1, max_size=5).map(
    lambda rows: [Held(f"s{number % 2}", number // 2, group, texts) for number, (group, texts) in enumerate(rows)]
)
BOUND = st.sampled_from([None, 24, 64])
BUCKET = st.sampled_from([16, 1 << 20])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(corpus=CORPUS, keep=st.sampled_from(Keep), max_bytes=BOUND, bucket=BUCKET)
def test_the_marks_of_a_corpus_are_those_of_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[Held], keep: Keep, max_bytes: int | None, bucket: int
) -> None:
    run = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BUCKET_BYTES", bucket)
        work = lines_work(run, fingerprinted(run, corpus), keep, max_bytes)
        commits = find(run, work)
    assert work.missing(commits) == []
    expected = expected_masks(corpus, keep)
    assert {held.name: read_mask(str(run), "dup", held.name).tolist() for held in corpus} == expected
    lines = sum(map(len, expected.values()))
    assert sum(commit.read for commit in commits) == lines
    assert sum(commit.kept for commit in commits) == lines - sum(map(sum, expected.values()))


FOUR = [
    Held("s1", 0, "w0", ("menu\nbody one\nmenu", "menu\nbody two")),
    Held("s0", 1, "w0", ("Menu\nbody three",)),
    Held("s0", 0, "w0", ("only here\nonly here",)),
    Held("s2", 0, "w1", ("menu\nbody one",)),
]


def test_all_copies_of_a_line_of_two_documents_go_and_windows_do_not_see_each_other(tmp_path: Path) -> None:
    commits = find(tmp_path, lines_work(tmp_path, fingerprinted(tmp_path, FOUR), Keep.NONE, None))
    assert {held.name: read_mask(str(tmp_path), "dup", held.name).tolist() for held in FOUR} == {
        "s1-00000": [True, False, True, True, False],
        "s0-00001": [True, False],
        "s0-00000": [False, True],
        "s2-00000": [False, False],
    }
    accounts = {
        commit.shard: (commit.index, commit.last, commit.read, commit.kept, commit.dropped) for commit in commits
    }
    assert accounts == {
        "s1-00000": (0, True, 5, 2, {"lines/duplicate": 2, "lines/repeated": 1}),
        "s0-00001": (0, True, 2, 1, {"lines/duplicate": 1}),
        "s0-00000": (0, True, 2, 1, {"lines/repeated": 1}),
        "s2-00000": (0, True, 2, 2, {}),
    }


def test_the_first_copy_is_that_of_the_smallest_rank_shard_batch_and_line(tmp_path: Path) -> None:
    find(tmp_path, lines_work(tmp_path, fingerprinted(tmp_path, FOUR), Keep.FIRST, None))
    assert read_mask(str(tmp_path), "dup", "s0-00001").tolist() == [False, False]
    assert read_mask(str(tmp_path), "dup", "s1-00000").tolist() == [True, False, True, True, False]


def test_rank_goes_before_the_name_of_the_shard(tmp_path: Path) -> None:
    corpus = [Held("a", 0, "g", ("x",), rank=1), Held("b", 0, "g", ("x",), rank=0)]
    find(tmp_path, lines_work(tmp_path, fingerprinted(tmp_path, corpus), Keep.FIRST, None))
    assert read_mask(str(tmp_path), "dup", "a-00000").tolist() == [True]
    assert read_mask(str(tmp_path), "dup", "b-00000").tolist() == [False]


@pytest.mark.parametrize("keep", Keep)
def test_neither_passes_nor_buckets_nor_order_change_the_marks(monkeypatch, tmp_path: Path, keep: Keep) -> None:
    files = fingerprinted(tmp_path, FOUR)
    seen = []
    for number, (max_bytes, bucket) in enumerate([(None, 1 << 20), (None, 8), (16, 1 << 20), (24, 8)]):
        monkeypatch.setattr(duplicates, "BUCKET_BYTES", bucket)
        stage = f"dup{number}"
        commits = find(tmp_path, lines_work(tmp_path, files[:: 1 if number % 2 else -1], keep, max_bytes, stage))
        masks = [read_mask(str(tmp_path), stage, held.name).tolist() for held in FOUR]
        seen.append((masks, sum(commit.read for commit in commits), sum(commit.kept for commit in commits)))
    assert seen[1:] == seen[:-1]
    assert seen[0][1] == 11


def test_passes_that_are_done_are_not_run_again(tmp_path: Path) -> None:
    work = lines_work(tmp_path, fingerprinted(tmp_path, FOUR), Keep.NONE, 32)
    commits = find(tmp_path, work)
    assert (list(work.jobs(commits)), work.missing(commits)) == ([], [])
    assert work.done_bytes(commits) == work.total_bytes
    lost, *rest = commits
    assert work.missing(rest) == [f"{lost.shard}.{lost.index:03d}"]
    (job,) = work.jobs(rest)
    numbers = [
        number for number, pass_ in enumerate(work.passes, 1) if work.missing(rest)[0] in {s.name for s in pass_}
    ]
    assert job.label == f"pass {numbers[0]} of {len(work.passes)}"
    assert 0 < work.done_bytes(rest) < work.total_bytes
    assert len(list(work.jobs([]))) == len(work.passes) > 2
    assert len(work.missing([])) == sum(map(len, work.passes))
    assert work.done_bytes([]) == 0


def test_an_id_seen_twice_keeps_the_copy_that_comes_first(tmp_path: Path) -> None:
    corpus = [
        Held("old", 0, "ids", ("a", "b", "c"), rank=1, ids=("cc/1", "cc/2", "cc/1")),
        Held("new", 0, "ids", ("d", "e"), rank=0, ids=("cc/2", "cc/3")),
        Held("new", 1, "ids", ("f",), rank=0, ids=("cc/3",)),
    ]
    fingerprinted(tmp_path, corpus)
    files = [KeyFile(held.shard, held.index, "ids", len(held.ids), held.rank) for held in corpus]
    work = DuplicateWork(str(tmp_path), "ids", "fp", plan_passes(files, None), Keys("ids"), Copies.FIRST_STAYS)
    commits = find(tmp_path, work)
    assert {held.name: read_mask(str(tmp_path), "ids", held.name).tolist() for held in corpus} == {
        "old-00000": [False, True, True],
        "new-00000": [False, False],
        "new-00001": [True],
    }
    counts = {commit.shard: (commit.read, commit.kept, commit.dropped) for commit in commits}
    assert counts == {
        "old-00000": (3, 1, {"ids/duplicate": 2}),
        "new-00000": (2, 2, {}),
        "new-00001": (1, 0, {"ids/duplicate": 1}),
    }


@pytest.mark.parametrize("keep", Keep)
def test_lines_of_a_page_whose_id_was_seen_before_do_not_count(tmp_path: Path, keep: Keep) -> None:
    corpus = [
        Held("a", 0, "g", ("x\ny", "p\np")),
        Held("b", 0, "g", ("x\nz", "y")),
    ]
    files = fingerprinted(tmp_path, corpus)
    gone = {"a-00000": [False, False], "b-00000": [True, False]}
    for name, mask in gone.items():
        write_bytes(str(tmp_path / masks_path("ids", name, 0)), mask_to_bytes(np.array(mask), 1))
    keys = Keys("lines", without=["ids"])
    find(tmp_path, DuplicateWork(str(tmp_path), "dup", "fp", plan_passes(files, None), keys, Copies(keep.value)))
    found = {held.name: read_mask(str(tmp_path), "dup", held.name).tolist() for held in corpus}
    assert found == expected_masks(corpus, keep, gone=[("b-00000", 0)])
    assert found["a-00000"][0] is False
    assert found["b-00000"][2] is True


def test_the_account_leaves_out_every_line_of_a_page_whose_id_was_seen_before(tmp_path: Path) -> None:
    files = fingerprinted(tmp_path, [Held("a", 0, "g", ("x\nz\nx", "y\ny\nw"))])
    write_bytes(str(tmp_path / masks_path("ids", "a-00000", 0)), mask_to_bytes(np.array([True, False]), 1))
    keys = Keys("lines", without=["ids"])
    work = DuplicateWork(str(tmp_path), "dup", "fp", plan_passes(files, None), keys, Copies.NONE_STAYS)
    (commit,) = find(tmp_path, work)
    assert (commit.read, commit.kept, commit.dropped) == (3, 2, {"lines/repeated": 1})


def test_a_missing_fingerprint_file_stops_the_run_and_names_the_batch(tmp_path: Path) -> None:
    files = [*fingerprinted(tmp_path, FOUR), KeyFile("gone", 0, "w0", 1)]
    with pytest.raises(StepFailed, match="gone-00000"):
        find(tmp_path, lines_work(tmp_path, files, Keep.NONE, None))
