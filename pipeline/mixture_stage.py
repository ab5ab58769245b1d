"""The mixture as a stage of a run: the config's proportions resolved against the tokens that were counted.

It reads the manifests of the token shards alone, so other proportions run this stage and no other.
"""

import functools
from collections.abc import Collection

from pipeline.commits import Commit, write_commit
from pipeline.files import join, match, read_bytes, write_output
from pipeline.run import Run
from pipeline.stage import LauncherWork, Stage
from tokenizer.manifest import MANIFEST_NAME, Manifest
from tokenizer.mixture import PLAN_NAME, MixturePlan, MixtureSettings, resolve

MIXTURE = "mixture"
PLAN_PATH = f"tokens/{PLAN_NAME}"


def mixture_stage(run: Run, settings: MixtureSettings | None, sources: Collection[str], digest: str) -> Stage:
    """Give the stage that writes the plan by which training draws from the sources.

    Args:
        run: The run at work.
        settings: The proportions; ``None`` for all sources by their tokens.
        sources: The sources that have token shards.
        digest: Digest of their manifests.
    """
    return Stage(
        MIXTURE,
        settings={} if settings is None else settings.model_dump(mode="json"),
        inputs={"token_manifests": digest},
        work=LauncherWork(functools.partial(write_plan, run.folder, settings, sources), "plan"),
        owns=(PLAN_PATH,),
        counts="sources",
    )


def write_plan(folder: str, settings: MixtureSettings | None, sources: Collection[str]) -> None:
    """Resolve the mixture and write its plan; a source without proportion leaves with that reason."""
    plan = resolve(settings, count_tokens(folder, sources))
    output = write_output(folder, PLAN_PATH, plan.to_json().encode(), rows=len(plan.sources))
    dropped = {"mixture/no_proportion": len(plan.left_out)} if plan.left_out else {}
    commit = Commit(MIXTURE, 0, read=len(sources), kept=len(plan.sources), dropped=dropped, outputs=(output,))
    write_commit(folder, MIXTURE, commit)


def count_tokens(folder: str, sources: Collection[str]) -> dict[str, tuple[int, int]]:
    """Read tokens and documents of each source off the manifests of its training shards."""
    manifests = {name: read_bytes(join(folder, "tokens", name, MANIFEST_NAME)) for name in sources}
    read = {name: Manifest.from_json(content) for name, content in manifests.items()}
    return {name: (manifest.tokens, manifest.documents) for name, manifest in read.items()}


def sources_with_tokens(folder: str) -> list[str]:
    """Name the sources of a run that have token shards."""
    return [file.path.split("/")[-2] for file in match(join(folder, "tokens", "*", MANIFEST_NAME))]


def read_plan(folder: str) -> MixturePlan:
    """Read a run's plan."""
    return MixturePlan.from_json(read_bytes(join(folder, PLAN_PATH)))
