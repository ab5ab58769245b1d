"""From documents to tokens: a sample of them trains the tokenizer, and their ids become token shards.

Stages: ``<source>.tokenizer_sample`` and ``<source>.tokens`` for each source, ``tokenizer``, ``token_manifests``
and ``mixture`` for the run.
"""

from collections.abc import Collection, Mapping, Sequence

from pipeline.decontamination_verdicts import stage_name
from pipeline.files import join, read_bytes
from pipeline.mixture_stage import MIXTURE, mixture_stage, read_plan
from pipeline.run import Recipe, Run
from pipeline.settings import RunSettings
from pipeline.stage import StageResult, side_by_side
from pipeline.token_inputs import digest_kept, token_inputs
from pipeline.token_shards import MANIFESTS, manifests_stage, plan_token_shards, tokens_stage
from pipeline.tokenizer_stages import CARD_PATH, TOKENIZER, plan_draws, sample_stage, tokenizer_stage
from tokenizer.card import TokenizerCard
from tokenizer.encoding import id_dtype
from tokenizer.sampling import bounded


def stages(sources: Sequence[str]) -> list[str]:
    """Name the stages of :func:`recipe`."""
    samples = [f"{source}.tokenizer_sample" for source in sources]
    return [*samples, TOKENIZER, *(f"{source}.tokens" for source in sources), MANIFESTS, MIXTURE]


def recipe(run: Run, documents: Mapping[str, StageResult]) -> Recipe:
    """Give the stages from documents to token shards.

    Args:
        run: The run at work.
        documents: The result of each source's last stage.
    """
    settings, tokens = run.settings.tokenizer, run.settings.tokens
    if settings is None:
        return
    judged = {source: run.results.get(stage_name(source)) for source in documents}
    files = {source: token_inputs(run.folder, source, result, judged[source]) for source, result in documents.items()}
    kept = {source: digest_kept(result, judged[source]) for source, result in documents.items()}
    proportions = _proportions(run.settings, documents)
    text_bytes = {source: sum(file.text_bytes for file in listed) for source, listed in files.items()}
    draws = plan_draws(settings, text_bytes, proportions, run.settings.held_out)
    samples = yield from side_by_side(
        sample_stage(run, source, files[source], kept[source], draws[source]) for source in documents
    )
    trained = yield tokenizer_stage(run, settings, proportions, text_bytes, dict(zip(documents, samples, strict=True)))
    card = TokenizerCard.from_json(read_bytes(join(run.folder, CARD_PATH)))
    for note in card.warnings:
        run.say(TOKENIZER, note)
    if tokens is None:
        return
    id_bytes = id_dtype(card.vocab_size).itemsize
    writing = []
    for source, result in documents.items():
        units = plan_token_shards(source, files[source], card.bytes_per_token(source), id_bytes, tokens)
        inputs = {"documents": kept[source], "tokenizer": trained.digest}
        held_out = bounded(run.settings.held_out, result.stats["kept"])
        writing.append(tokens_stage(run, source, tokens, held_out, units, inputs))
    written = yield from side_by_side(writing)
    sealed = yield manifests_stage(run, tokens, dict(zip(documents, written, strict=True)))
    yield mixture_stage(run, run.settings.mixture, list(documents), sealed.digest)
    for note in read_plan(run.folder).notes():
        run.say(MIXTURE, note)


def _proportions(settings: RunSettings, sources: Collection[str]) -> Mapping[str, float] | None:
    """Give the share of each source in the tokenizer's sample, those left out that the run does not read."""
    given = settings.tokenizer.proportions if settings.tokenizer is not None else None
    if given is None and settings.mixture is not None:
        given = settings.mixture.proportions
    return None if given is None else {source: share for source, share in given.items() if source in sources}
