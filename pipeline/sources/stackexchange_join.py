"""Answers meet their question in partitions of files, so that no text crosses a shuffle and memory is bounded.

Each batch of posts writes one file, an Arrow file with one record batch a partition: a reader finds its own in a footer
of 24 bytes for each, and reads no other. (Parquet with a row group a partition has the same size; of 1,600 partitions
one is opened in 7.4 ms instead of 0.45, and each is opened in as many files as there are batches.) The partition of a
post follows from its site and its question's number.

What a partition holds is read in rounds of bounded size, questions in the order of their numbers. What fits into one
round, as it should, is read once; else the sizes alone go first, by which rounds are cut and questions found that are
too long to be held.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import xxhash

from filters.leftovers import Leftover
from filters.post_html import PostText, find_leftovers, post_to_text
from filters.stackexchange import Answer, StackExchangeReason, clean_title, sort_answers, write_question
from pipeline.batch import Batch, Blame
from pipeline.document import Document, Dropped, utf8_size
from pipeline.files import open_read
from pipeline.fingerprints import DuplicateReason
from pipeline.leftovers import LeftoverNotes
from pipeline.reading import batched
from pipeline.sources.stackexchange_posts import SOURCE

_LIGHT = ("question", "post", "is_question", "bytes")
_SCHEMA = pa.schema(
    [
        ("question", pa.int64()),
        ("post", pa.int64()),
        ("is_question", pa.bool_()),
        ("bytes", pa.int64()),
        ("score", pa.int64()),
        ("created", pa.string()),
        ("title", pa.string()),
        ("tags", pa.string()),
        ("text", pa.string()),
    ]
)


class PartitionPosts(beam.PTransform):  # type: ignore[misc]
    """Hand each batch its posts as a file of partitions, to be written with it; the posts stay in the batch.

    Args:
        stage: The stage's name, under whose work the files lie.
        counts: Partitions of each site.
    """

    def __init__(self, stage: str, counts: Mapping[str, int]) -> None:
        super().__init__()
        self._stage, self._counts = stage, dict(counts)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_partition_batch, self._stage, self._counts).with_output_types(Batch)


def _partition_batch(batch: Batch, stage: str, counts: Mapping[str, int]) -> Batch:
    with Blame(batch.name), batch.timed("partition"):
        if batch.documents:
            site = batch.documents[0].id.rpartition("/")[0]
            content = posts_to_arrow(batch.documents, counts[site])
            batch.files[posts_path(stage, batch.name)] = content, len(batch.documents)
    return batch


def posts_path(stage: str, batch: str) -> str:
    """Give the path of a batch's posts, relative to the run folder."""
    return f"work/{stage}/posts/{batch}.arrow"


def partition_of(question: int, count: int) -> int:
    """Give the partition of a question and its answers."""
    return xxhash.xxh3_64_intdigest(question.to_bytes(8, "little")) % count


def posts_to_arrow(posts: Sequence[Document], count: int) -> bytes:
    """Encode posts as an Arrow file with a record batch for each of ``count`` partitions, in the order given."""
    partitions: list[list[Document]] = [[] for _ in range(count)]
    for post in posts:
        partitions[partition_of(int(post.metadata["question"] or 0), count)].append(post)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 3))
    with pa.ipc.new_file(sink, _SCHEMA, options=options) as writer:
        for partition in partitions:
            writer.write_batch(_record_batch(partition))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _record_batch(posts: Sequence[Document]) -> pa.RecordBatch:
    columns = {
        **{name: [post.metadata[name] for post in posts] for name in ("question", "post", "is_question", "score")},
        **{name: [post.metadata[name] for post in posts] for name in ("title", "tags")},
        "bytes": [utf8_size(post.text) for post in posts],
        "created": [post.created for post in posts],
        "text": [post.text for post in posts],
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[field.name], field.type) for field in _SCHEMA], schema=_SCHEMA)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a site's posts, as the unit of the stage that joins them.

    Attributes:
        site: The site.
        index: Which of its partitions.
        count: How many it has.
        size: Bytes on disk, about.
    """

    site: str
    index: int
    count: int
    size: int

    @property
    def name(self) -> str:
        """The unit's name."""
        return f"{self.site}~{self.index:05d}-of-{self.count:05d}"


@dataclass(frozen=True, slots=True)
class PostsFile:
    """A file of partitions.

    Attributes:
        path: The file.
        dump: The dump its posts are from.
    """

    path: str
    dump: str


@dataclass(frozen=True, slots=True)
class JoinRules:
    """How questions and answers become documents.

    Attributes:
        question_marker: Stands before a question's title.
        answer_marker: Stands before each answer.
        min_answer_score: Answers with a lower score are left out; ``None`` keeps all.
        max_question_bytes: Raw HTML of the posts of a question; one with more is dropped.
        round_bytes: Raw HTML held at once, unless a single question has more.
    """

    question_marker: str = ""
    answer_marker: str = ""
    min_answer_score: int | None = None
    max_question_bytes: int = 64 << 20
    round_bytes: int = 128 << 20


def read_partition(
    partition: Partition, *, files: Mapping[str, Sequence[PostsFile]], stage: str, rules: JoinRules, batch_bytes: int
) -> Iterator[Batch]:
    """Read a partition's posts, join answers to their questions, and give the documents in batches.

    Args:
        partition: The partition.
        files: The files of each site's posts, in a fixed order: of a post that stands twice in a dump, the first one
            counts.
        stage: The stage's name, under whose work leftover markup is noted.
        rules: How questions and answers become documents.
        batch_bytes: See :func:`pipeline.reading.batched`.

    Yields:
        The batches, whose records are the questions, and the answers that are in none: by question, in the order of
        their numbers. Facts: ``answers``, those in documents; and of those that are left out with no record of their
        own ``answers_empty``, ``answers_low_score``, ``answers_in_older_dumps`` and ``answers_of_dropped_questions``.
    """
    join = _Join(partition.site, rules)
    items = _join_all(partition, files.get(partition.site, ()), join)
    for batch in batched(items, partition.name, batch_bytes):
        notes = LeftoverNotes(batch, stage)
        for document in batch.documents:
            notes.add(document.id, join.leftovers.pop(document.id, ()))
        notes.write()
        batch.facts.update(join.facts)
        join.facts.clear()
        yield batch


def _join_all(
    partition: Partition, files: Sequence[PostsFile], join: "_Join"
) -> Iterator[tuple[Document | Dropped, int]]:
    sizes, held = _scan(partition, files, join.rules)
    done = 0
    for questions in _rounds(sizes, join.rules):
        too_long = sizes[questions[0]] if sizes[questions[0]] > join.rules.max_question_bytes else None
        rows = _drain(held) if held else _read_rows(partition, files, with_text=too_long is None)
        posts = _load(rows, questions[0], questions[-1])
        for question in questions:
            done += 1
            for item in join.join(posts.pop(question), too_long):
                yield item, partition.size * done // len(sizes)


_Rows = tuple[str, pa.RecordBatch]  # the dump, and what a file of it has of a partition


def _scan(
    partition: Partition, files: Sequence[PostsFile], rules: JoinRules
) -> tuple[dict[int, int], deque[_Rows] | None]:
    """Add up the raw HTML of each question's posts, in all dumps; the questions in the order of their numbers.

    Beside it the rows themselves, where they are one round, as they mostly are: no file is opened again then.
    """
    sizes: Counter[int] = Counter()
    held: deque[_Rows] | None = deque()
    total = 0
    for file in files:
        (rows,) = (rows for _, rows in _read_rows(partition, [file], with_text=held is not None))
        questions, where = np.unique(rows.column("question").to_numpy(), return_inverse=True)
        totals = np.zeros(len(questions), np.int64)
        np.add.at(totals, where, rows.column("bytes").to_numpy())
        sizes.update(dict(zip(questions.tolist(), totals.tolist(), strict=True)))
        total += int(totals.sum())
        if held is not None:
            held.append((file.dump, rows))
            held = held if total <= rules.round_bytes else None
    if max(sizes.values(), default=0) > rules.max_question_bytes:
        held = None
    return {question: sizes[question] for question in sorted(sizes)}, held


def _drain(held: deque[_Rows]) -> Iterator[_Rows]:
    """Give rows and let go of them."""
    while held:
        yield held.popleft()


def _rounds(sizes: Mapping[int, int], rules: JoinRules) -> Iterator[list[int]]:
    """Cut questions into runs that are held at once; one that is too long is a run of its own, without its texts."""
    run: list[int] = []
    held = 0
    for question, size in sizes.items():
        is_too_long = size > rules.max_question_bytes
        if run and (is_too_long or held + size > rules.round_bytes):
            yield run
            run, held = [], 0
        if is_too_long:
            yield [question]
        else:
            run.append(question)
            held += size
    if run:
        yield run


@dataclass(frozen=True, slots=True)
class _Post:
    """A post as it comes out of a partition; without its text where that is too long to be held."""

    dump: str
    question: int
    post: int
    is_question: bool
    score: int = 0
    created: str = ""
    title: str = ""
    tags: str = ""
    text: str | None = None


def _load(every: Iterable[_Rows], first: int, last: int) -> dict[int, list[_Post]]:
    """Gather the posts of the questions from ``first`` to ``last``, in the order of files and rows."""
    posts: dict[int, list[_Post]] = {}
    for dump, rows in every:
        numbers = rows.column("question").to_numpy()
        asked = rows.filter(pa.array((numbers >= first) & (numbers <= last))).drop_columns(["bytes"])
        for row in asked.to_pylist():
            posts.setdefault(row["question"], []).append(_Post(dump, **row))
    return posts


def _read_rows(partition: Partition, files: Iterable[PostsFile], *, with_text: bool) -> Iterator[_Rows]:
    """Read what the files have of a partition; without texts what little is needed to count."""
    names = [field.name for field in _SCHEMA] if with_text else list(_LIGHT)
    options = pa.ipc.IpcReadOptions(included_fields=[_SCHEMA.get_field_index(name) for name in names])
    for file in files:
        with open_read(file.path) as stream, pa.ipc.open_file(stream, options=options) as reader:
            rows = reader.get_batch(partition.index)
        yield file.dump, rows


class _Join:
    """Makes documents of questions and their answers, and keeps count."""

    def __init__(self, site: str, rules: JoinRules) -> None:
        self.site, self.rules = site, rules
        self.facts: Counter[str] = Counter()
        self.leftovers: dict[str, list[Leftover]] = {}

    def join(self, posts: Sequence[_Post], too_long: int | None) -> Iterator[Document | Dropped]:
        """Give the document of one question, and what is in none.

        The newest dump that has the question gives it whole, with its answers: an answer that was deleted since does
        not come back from an older dump.

        Args:
            posts: All posts of the question, of all dumps.
            too_long: Bytes of a question that is too long; its posts have no text.
        """
        dumps = {post.dump for post in posts if post.is_question}
        newest = max(dumps, default="")
        question: _Post | None = None
        answers: dict[int, _Post] = {}
        for post in posts:
            if post.dump not in dumps:
                yield self._drop(post, StackExchangeReason.ORPHAN_ANSWER, f"no question {post.question}")
            elif post.is_question and (question is not None or post.dump != newest):
                yield self._drop(post, DuplicateReason.ID, f"dump {newest}")
            elif post.is_question:
                question = post
            elif post.dump != newest:
                self.facts["answers_in_older_dumps"] += 1
            elif post.post in answers:
                yield self._drop(post, StackExchangeReason.DUPLICATE_ANSWER, f"question {post.question}")
            else:
                answers[post.post] = post
        if question is not None:
            yield self._question(question, list(answers.values()), too_long)

    def _drop(self, post: _Post, reason: str, detail: str) -> Dropped:
        identity, url = self._names(post)
        text = None if post.text is None else post_to_text(post.text).text
        return Dropped(identity, url, reason, text=text, detail=detail)

    def _names(self, post: _Post) -> tuple[str, str]:
        folder = "questions" if post.is_question else "a"
        return f"{self.site}/{post.post}", f"https://{self.site}/{folder}/{post.post}"

    def _question(self, question: _Post, posts: Sequence[_Post], too_long: int | None) -> Document | Dropped:
        identity, url = self._names(question)
        if too_long is not None:
            self.facts["answers_of_dropped_questions"] += len(posts)
            return Dropped(identity, url, StackExchangeReason.TOO_LONG, too_long, self.rules.max_question_bytes)
        body, answers = post_to_text(question.text or ""), self._answers(posts)
        markers = {"question_marker": self.rules.question_marker, "answer_marker": self.rules.answer_marker}
        ranked = sort_answers(Answer(*answer) for answer in answers)
        text = write_question(question.title, body, [answer.text for answer in ranked], **markers)
        if not text:
            self.facts["answers_of_dropped_questions"] += len(answers)
            return Dropped(identity, url, StackExchangeReason.EMPTY, 0, 1)
        self.facts["answers"] += len(answers)
        found = [leftover for part in (body, *(part for _, _, part in answers)) for leftover in find_leftovers(part)]
        if found:
            self.leftovers[identity] = found
        metadata: dict[str, Any] = {"dump": question.dump, "title": clean_title(question.title)}
        metadata |= {"score": question.score, "answers": len(answers), "tags": question.tags or None}
        return Document(identity, SOURCE, text, url=url, created=question.created, metadata=metadata)

    def _answers(self, posts: Sequence[_Post]) -> list[tuple[int, int, PostText]]:
        """Give number, score and text of the answers that go into the document."""
        answers = []
        lowest = self.rules.min_answer_score
        for post in posts:
            part = post_to_text(post.text or "")
            if lowest is not None and post.score < lowest:
                self.facts["answers_low_score"] += 1
            elif not part.text:
                self.facts["answers_empty"] += 1
            else:
                answers.append((post.post, post.score, part))
        return answers
