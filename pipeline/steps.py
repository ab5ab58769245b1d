"""The generic steps of a stage: a check, a clean or a score applied to each batch.

Each PTransform maps batches to batches one to one, so a stage stays fused from reading to writing: text meets no
shuffle and no more than a batch of it is in memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam

from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.document import Document, MetadataValue

Scores = Mapping[str, MetadataValue]
#: Gives the scores of a batch's documents.
ScoreAll = Callable[[Sequence[Document]], Sequence[Scores]]


class DropDocuments(beam.PTransform):  # type: ignore[misc]
    """Apply a check: documents it turns away leave with its reason, the others go on unchanged.

    Args:
        step: Name of the step in the statistics.
        check: Gives the first rule a document breaks, or ``None``.
    """

    def __init__(self, step: str, check: Callable[[Document], Drop | None]) -> None:
        super().__init__()
        self._step, self._check = step, check

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_check_batch, self._step, self._check).with_output_types(Batch)


def _check_batch(batch: Batch, step: str, check: Callable[[Document], Drop | None]) -> Batch:
    kept = []
    with Blame(batch.name) as blame, batch.timed(step):
        for document in batch.documents:
            blame.document = document.id
            verdict = check(document)
            if verdict is None:
                kept.append(document)
            else:
                batch.drop(document, verdict)
    batch.documents = kept
    return batch


class CleanDocuments(beam.PTransform):  # type: ignore[misc]
    """Apply a clean: each document's text is replaced by what it gives; none is dropped.

    Args:
        step: Name of the step in the statistics.
        clean: Gives the text to go on with.
    """

    def __init__(self, step: str, clean: Callable[[str], str]) -> None:
        super().__init__()
        self._step, self._clean = step, clean

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_clean_batch, self._step, self._clean).with_output_types(Batch)


def _clean_batch(batch: Batch, step: str, clean: Callable[[str], str]) -> Batch:
    with Blame(batch.name) as blame, batch.timed(step):
        for document in batch.documents:
            blame.document = document.id
            document.text = clean(document.text)
    return batch


class ScoreDocuments(beam.PTransform):  # type: ignore[misc]
    """Apply a score: what it gives is written into each document's language or metadata; none is dropped.

    Args:
        step: Name of the step in the statistics.
        load: Loads the model, once a worker, and gives a function from a batch's documents to their scores. The key
            ``language`` sets the document's language, any other key a metadata field.
    """

    def __init__(self, step: str, load: Callable[[], ScoreAll]) -> None:
        super().__init__()
        self._step, self._load = step, load

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.ParDo(_Score(self._step, self._load)).with_output_types(Batch)


class _Score(beam.DoFn):  # type: ignore[misc]
    def __init__(self, step: str, load: Callable[[], ScoreAll]) -> None:
        self._step, self._load = step, load
        self._score: ScoreAll | None = None

    def setup(self) -> None:
        self._score = self._load()

    def process(self, batch: Batch) -> Iterator[Batch]:
        if self._score is None:
            self.setup()
        with Blame(batch.name) as blame, batch.timed(self._step):
            rows = self._score_all(batch, blame)
            for document, row in zip(batch.documents, rows, strict=True):
                fields = dict(row)
                document.language = str(fields.pop("language", document.language))
                document.metadata.update(fields)
        yield batch

    def _score_all(self, batch: Batch, blame: Blame) -> Sequence[Scores]:
        """Score a batch at once; when that fails, one by one, so that the failure names its document."""
        score = self._score
        assert score is not None  # noqa: S101 - set by setup, which Beam calls first
        with _OneByOne(batch, blame, score):
            return score(batch.documents)
        raise AssertionError  # the context above never swallows


@dataclass(frozen=True, slots=True)
class _OneByOne:
    batch: Batch
    blame: Blame
    score: ScoreAll

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            for document in self.batch.documents:
                self.blame.document = document.id
                self.score([document])
            self.blame.document = ""
