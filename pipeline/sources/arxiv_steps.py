"""The steps that make an e-print's files the text of a paper: the cleaner with its account, and the papers' ids."""

from collections.abc import Callable, Mapping, Sequence

import apache_beam as beam
import numpy as np
import xxhash

from filters.arxiv import ArxivReason
from filters.latex import LatexSettings, clean_paper
from filters.latex_leftovers import find_leftovers
from filters.length import check_length
from filters.verdict import Drop
from pipeline.batch import Batch, Blame
from pipeline.document import Document
from pipeline.fingerprints import Fingerprints, gather_fingerprints
from pipeline.leftovers import LeftoverNotes
from pipeline.sources.arxiv_papers import unpack

_VERSION_BITS = 16
_NEWEST = (1 << _VERSION_BITS) - 1


class CleanPapers(beam.PTransform):  # type: ignore[misc]
    """Make the files of each paper one text, without what is no text of it.

    Each paper that comes in goes on with its text and title, or is dropped with its source. What the cleaner did is
    counted in the batch's facts, what it left in the leftovers of the stage.

    Args:
        stage: The stage's name.
        settings: How a paper is cleaned.
    """

    def __init__(self, stage: str, settings: LatexSettings) -> None:
        super().__init__()
        self._arguments = stage, settings

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_clean_batch, *self._arguments).with_output_types(Batch)


def _clean_batch(batch: Batch, stage: str, settings: LatexSettings) -> Batch:
    kept = []
    notes = LeftoverNotes(batch, stage)
    with Blame(batch.name) as blame, batch.timed("clean"):
        for paper in batch.documents:
            blame.document = paper.id
            verdict = _clean(paper, batch, notes, settings)
            if verdict is None:
                kept.append(paper)
            else:
                batch.drop(paper, verdict)
        notes.write()
    batch.documents = kept
    return batch


def _clean(paper: Document, batch: Batch, notes: LeftoverNotes, settings: LatexSettings) -> Drop | None:
    packed = unpack(paper)
    cleaned = clean_paper(packed.main, packed.resolver(), settings)
    if isinstance(cleaned, Drop):
        return cleaned
    for name, count in (*packed.facts.items(), *cleaned.facts.items()):
        if count:
            batch.facts[name] += count
    notes.add(paper.id, find_leftovers(cleaned.text, cleaned.macros))
    paper.text = cleaned.text
    if cleaned.title:
        paper.metadata["title"] = cleaned.title
    return None


def fingerprint_ids(
    papers: Sequence[Document], each: Callable[[Document], object], *, ranks: Mapping[str, int]
) -> Fingerprints:
    """Fingerprint the ids of papers; of one paper that of the first dump comes first, in a dump its newest version.

    A file that does not say its version is the newest one of its dump.

    Args:
        papers: The papers.
        each: Called with each before it is worked on.
        ranks: The place of each dump, the newest first, by its id.
    """
    ids, order = [], []
    for paper in papers:
        each(paper)
        ids.append(xxhash.xxh3_64_intdigest(paper.id.encode()))
        version = paper.metadata["version"]
        older = 0 if version is None else _NEWEST - min(int(version), _NEWEST - 1)
        order.append(ranks[str(paper.metadata["dump"])] << _VERSION_BITS | older)
    no_lines = [np.empty(0, np.uint64)] * len(ids)
    return gather_fingerprints(no_lines, ids=np.array(ids, np.uint64), order=np.array(order, np.uint64))


def check_paper(paper: Document, min_chars: int | None) -> Drop | None:
    """Decide whether a cleaned paper has enough text."""
    if not paper.text.strip():
        return Drop(ArxivReason.EMPTY, measured=0, limit=1)
    return None if min_chars is None else check_length(paper.text, min_chars)
