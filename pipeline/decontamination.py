"""Decontamination: documents that share n-grams with evaluation sets are left out of training, or marked.

GPT-3's way (Brown et al. 2020, appendix C; :mod:`filters.decontamination`). Only fingerprints of n-grams leave the
worker that reads a document, and those of the evaluation sets alone are held. Stages: ``evaluation_ngrams`` for the
run, ``<source>.shared_ngrams`` for each source, ``matched_ngrams`` for the run, ``<source>.decontaminated`` for each
source. Documents files stay as they are, so that other evaluation sets make no source run again.
"""

from collections.abc import Mapping, Sequence

from pipeline.decontamination_search import MATCHED, SHARED, matched_stage, shared_stage
from pipeline.decontamination_sets import NGRAMS, ngrams_stage, say_silent_sets
from pipeline.decontamination_settings import DecontaminationSettings
from pipeline.decontamination_verdicts import stage_name, verdicts_stage
from pipeline.document import Shard
from pipeline.run import Recipe, Run
from pipeline.stage import StageResult, side_by_side


def stages(sources: Sequence[str]) -> list[str]:
    """Name the stages of :func:`recipe`, in order."""
    searched = [f"{source}.{SHARED}" for source in sources]
    return [NGRAMS, *searched, MATCHED, *(stage_name(source) for source in sources)]


def recipe(
    run: Run,
    settings: DecontaminationSettings,
    files: Sequence[Sequence[Shard]],
    documents: Mapping[str, StageResult],
) -> Recipe:
    """Give the stages from documents to marks.

    Args:
        run: The run at work.
        settings: What is looked for.
        files: The files of each evaluation set, from :func:`pipeline.decontamination_items.list_sets`.
        documents: The result of each source's last stage.
    """
    gathered = yield ngrams_stage(run, settings, files)
    say_silent_sets(run, settings, gathered)
    found = yield from side_by_side(shared_stage(run, source, result, gathered) for source, result in documents.items())
    searched = dict(zip(documents, found, strict=True))
    matched = yield matched_stage(run, gathered, searched, settings.max_documents)
    yield from side_by_side(
        verdicts_stage(run, source, settings, result, searched[source], matched) for source, result in documents.items()
    )
