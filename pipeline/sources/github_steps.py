"""The steps that make a file a document: whose licence it is under, without its headers, and what is none left out."""

from collections import Counter
from collections.abc import Callable, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from filters.code import CodeLimits, check_code
from filters.code_headers import remove_headers
from filters.licence_texts import header_licences
from filters.licences import LicenceReason, check_header_licences
from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.document import Document
from pipeline.fingerprints import Fingerprints, gather_fingerprints
from pipeline.github_settings import GithubSettings
from pipeline.sources.github_context import join_licences


class CleanFiles(beam.PTransform):  # type: ignore[misc]
    """Take licence and copyright headers out of files, and leave out what is then not worth training on.

    Each file that comes in goes on with its text, or is dropped with it. A file whose own header names a licence that
    is not permitted goes, whatever its repository's is; where that is not stated, the header's counts.

    Args:
        settings: The source's settings.
    """

    def __init__(self, settings: GithubSettings) -> None:
        super().__init__()
        self._settings = settings

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(clean_batch, self._settings).with_output_types(Batch)


def clean_batch(batch: Batch, settings: GithubSettings) -> Batch:
    """Clean the files of a batch, as :class:`CleanFiles` says."""
    kept = []
    families = frozenset(settings.licences)
    with Blame(batch.name) as blame, batch.timed("clean"):
        for document in batch.documents:
            blame.document = document.id
            verdict = _check_licence(document, families) or _clean(batch, document, settings.limits)
            if verdict is None:
                kept.append(document)
            else:
                batch.drop(document, verdict)
    batch.documents = kept
    return batch


def _check_licence(document: Document, families: frozenset[str]) -> Drop | None:
    """Decide on the licence that a file's own header names, if it does."""
    found = header_licences(document.text)
    if not found and not document.metadata["licence"]:
        return Drop(LicenceReason.MISSING)
    document.metadata["licence"] = document.metadata["licence"] or join_licences(found)
    return check_header_licences(found, families)


def _clean(batch: Batch, document: Document, limits: CodeLimits) -> Drop | None:
    before = len(document.text)
    text = remove_headers(document.text, str(document.metadata["programming_language"] or ""))
    batch.facts["headers removed"] += len(text) < before
    batch.facts["chars of headers"] += before - len(text)
    document.text = text
    return check_code(text, str(document.metadata["path"]), limits)


def fingerprint_files(documents: Sequence[Document], each: Callable[[Document], object]) -> Fingerprints:
    """Fingerprint ids and resulting texts of files; of equal texts the one whose id has the smallest hash comes first.

    That order does not depend on how files were cut, nor favours repositories by their names.

    Args:
        documents: The files.
        each: Called with each before it is worked on.
    """
    ids, texts = [], []
    for document in documents:
        each(document)
        ids.append(xxhash.xxh3_64_intdigest(document.id.encode()))
        texts.append(xxhash.xxh3_64_intdigest(document.text.encode()))
    hashed = np.array(ids, np.uint64)
    no_lines = [np.empty(0, np.uint64)] * len(ids)
    return gather_fingerprints(no_lines, ids=hashed, pages=np.array(texts, np.uint64), order=hashed)


def count_languages(table: pa.Table) -> Counter[str]:
    """Count files and bytes of each programming language; where none is known, it is ``other``."""
    stated = pc.struct_field(table.column("metadata"), "programming_language")
    found = pa.table({"language": stated, "bytes": pc.binary_length(table.column("text"))})
    facts: Counter[str] = Counter()
    for row in (
        found.group_by("language", use_threads=False).aggregate([("bytes", "count"), ("bytes", "sum")]).to_pylist()
    ):
        facts[f"files of {row['language'] or 'other'}"] += row["bytes_count"]
        facts[f"bytes of {row['language'] or 'other'}"] += row["bytes_sum"]
    return facts
