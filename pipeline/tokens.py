"""From documents to tokens: a sample of them trains the tokenizer, and their ids become token shards.

Stages: ``<source>.tokenizer_sample`` and ``<source>.tokens`` for each source, ``tokenizer`` and ``token_manifests``
for the run.
"""

from collections.abc import Mapping, Sequence

from pipeline.files import join, read_json
from pipeline.run import Recipe, Run
from pipeline.stage import StageResult, side_by_side
from pipeline.token_inputs import token_inputs
from pipeline.token_shards import MANIFESTS, manifests_stage, plan_token_shards, tokens_stage
from pipeline.tokenizer_stages import CARD_PATH, TOKENIZER, sample_stage, tokenizer_stage


def stages(sources: Sequence[str]) -> list[str]:
    """Name the stages of :func:`recipe`."""
    samples = [f"{source}.tokenizer_sample" for source in sources]
    return [*samples, TOKENIZER, *(f"{source}.tokens" for source in sources), MANIFESTS]


def recipe(run: Run, documents: Mapping[str, StageResult]) -> Recipe:
    """Give the stages from documents to token shards.

    Args:
        run: The run at work.
        documents: The result of each source's last stage.
    """
    settings, tokens = run.settings.tokenizer, run.settings.tokens
    if settings is None:
        return
    files = {source: token_inputs(run.folder, source, result) for source, result in documents.items()}
    total = sum(result.stats["bytes_out"] for result in documents.values())
    fraction = min(1.0, settings.sample_bytes / max(1, total))
    samples = yield from side_by_side(
        sample_stage(run, source, files[source], result.digest, fraction, settings.seed)
        for source, result in documents.items()
    )
    trained = yield tokenizer_stage(run, settings, dict(zip(documents, samples, strict=True)))
    if tokens is None:
        return
    fertility = read_json(join(run.folder, CARD_PATH))["fertility"]
    writing = []
    for source, result in documents.items():
        bytes_per_token = fertility[source]["bytes_per_token"] or 1.0
        units = plan_token_shards(source, files[source], bytes_per_token, tokens)
        inputs = {"documents": result.digest, "tokenizer": trained.digest}
        writing.append(tokens_stage(run, source, tokens, units, inputs))
    written = yield from side_by_side(writing)
    yield manifests_stage(run, tokens, dict(zip(documents, written, strict=True)))
