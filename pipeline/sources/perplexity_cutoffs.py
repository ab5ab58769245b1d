"""The stage that finds where head, middle and tail part, and cut-offs that are given."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator

from filters.language import LanguageLimits, check_language
from filters.perplexity import Bucket
from filters.perplexity_cutoffs import Cutoff, Cutoffs, ccnet_cutoffs, cutoffs_of
from pipeline.commits import Commit, write_commit
from pipeline.crawl_settings import CCNET, RUN, PerplexitySettings
from pipeline.files import join, read_bytes, write_output
from pipeline.run import Run
from pipeline.scores import read_scores
from pipeline.settings import SettingsError, parse_settings
from pipeline.stage import LauncherWork, Stage, StageResult

CUTOFFS = "commoncrawl.cutoffs"
KEY = "sources.commoncrawl.perplexity.cutoffs"
_PATH = f"work/{CUTOFFS}/cutoffs.yaml"
_READERS = 16
_SHOWN = 5


def cutoffs_stage(run: Run, settings: PerplexitySettings, limits: LanguageLimits, perplexity: StageResult) -> Stage:
    """Give the stage that takes the cut-offs from the perplexities of a stage, exactly and over all of them."""
    paths = [file.path for file in perplexity.files(run.folder, f"work/{perplexity.name}/part-")]
    percentiles = settings.head_percentile, settings.middle_percentile
    call = functools.partial(write_cutoffs, run.folder, paths, limits, percentiles)
    return Stage(
        CUTOFFS,
        settings={"percentiles": list(percentiles), "language": limits.model_dump(mode="json")},
        inputs={"perplexity": perplexity.digest},
        work=LauncherWork(call, "percentiles"),
    )


def write_cutoffs(folder: str, paths: Sequence[str], limits: LanguageLimits, percentiles: tuple[float, float]) -> None:
    """Take the cut-offs from the score files and write them into the run folder."""
    counts: dict[str, Counter[float]] = {}
    read = 0
    with ThreadPoolExecutor(_READERS) as pool:
        for number, found in pool.map(functools.partial(_count, limits=limits), paths):
            read += number
            for language, values in found.items():
                counts.setdefault(language, Counter()).update(values)
    cutoffs = cutoffs_of(counts, *percentiles)
    content = yaml.safe_dump({language: asdict(cutoff) for language, cutoff in cutoffs.items()}).encode()
    output = write_output(folder, _PATH, content, rows=len(cutoffs))
    kept = sum(found.total() for found in counts.values())
    dropped = {"cutoffs/not_measured": read - kept} if read > kept else {}
    facts = {f"{language}_{name}": n for language in cutoffs for name, n in _sizes(counts[language], cutoffs[language])}
    commit = Commit(CUTOFFS, 0, read=read, kept=kept, dropped=dropped, facts=facts, outputs=(output,))
    write_commit(folder, CUTOFFS, commit)


def _sizes(counts: Counter[float], cutoff: Cutoff) -> list[tuple[str, int]]:
    """Count the pages of each bucket; values that occur often let them differ from the shares asked for."""
    below = [sum(n for value, n in counts.items() if value < bound) for bound in (cutoff.head, cutoff.middle)]
    sizes = (below[0], below[1] - below[0], counts.total() - below[1])
    return list(zip((Bucket.HEAD.value, Bucket.MIDDLE.value, Bucket.TAIL.value), sizes, strict=True))


def describe_cutoffs(cutoffs: Cutoffs, facts: Mapping[str, int]) -> str:
    """Say for each language where head and middle end, and how many pages are in them."""
    rows = [
        f"{language} head below {cutoff.head:g} ({facts[f'{language}_head']:,} pages), middle below "
        f"{cutoff.middle:g} ({facts[f'{language}_middle']:,}), tail {facts[f'{language}_tail']:,}"
        for language, cutoff in cutoffs.items()
    ]
    more = [f"{len(rows) - _SHOWN} more languages in {_PATH}"] if len(rows) > _SHOWN else []
    return "; ".join([*rows[:_SHOWN], *more])


def _count(path: str, *, limits: LanguageLimits) -> tuple[int, dict[str, Counter[float]]]:
    """Count the pages of a score file, and by language how many wanted ones have each perplexity."""
    table = read_scores(path)
    columns = [table.column(name).to_pylist() for name in ("language", "language_score", "perplexity")]
    counts: dict[str, Counter[float]] = {}
    for language, score, perplexity in zip(*columns, strict=True):
        if perplexity is not None and check_language(language, score or 0.0, limits) is None:
            counts.setdefault(language, Counter())[perplexity] += 1
    return table.num_rows, counts


def read_cutoffs(folder: str) -> Cutoffs:
    """Read the run's own cut-offs."""
    rows: dict[str, Any] = yaml.safe_load(read_bytes(join(folder, _PATH))) or {}
    return {language: Cutoff(row["head"], row["middle"]) for language, row in rows.items()}


class _CutoffRow(BaseModel):
    model_config = ConfigDict(extra="forbid")
    head: FiniteFloat
    middle: FiniteFloat

    @model_validator(mode="after")
    def _in_order(self) -> "_CutoffRow":
        if self.head > self.middle:
            raise ValueError(f"head {self.head:g} must not be above middle {self.middle:g}")
        return self


def given_cutoffs(settings: PerplexitySettings) -> Cutoffs | None:
    """Give the cut-offs that do not depend on the run; ``None`` for the run's own.

    Raises:
        SettingsError: The file is not there, or is none of cut-offs.
    """
    given = settings.cutoffs_from
    if given == RUN:
        return None
    if given == CCNET:
        return ccnet_cutoffs()
    try:
        content = yaml.safe_load(read_bytes(given))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{KEY}: run, ccnet or a YAML file: {' '.join(str(error).split())}") from error
    if not content or not isinstance(content, dict):
        raise SettingsError(f"{KEY}: {given}: must map languages to their head and middle")
    rows = {
        str(language): parse_settings(_CutoffRow, row or {}, origin=f"{given}: {language}")
        for language, row in content.items()
    }
    return {language: Cutoff(row.head, row.middle) for language, row in rows.items()}
