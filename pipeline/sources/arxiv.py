"""arXiv's papers out of their LaTeX sources.

LLaMA (Touvron et al., 2023, section 2.1): "We process arXiv Latex files to add scientific data to our dataset.
Following Lewkowycz et al. (2022), we removed everything before the first section, as well as the bibliography. We also
removed the comments from the .tex files, and inline-expanded definitions and macros written by users to increase
consistency across papers." The stages, each with committed outputs:

1. ``papers``: read bulk tars, single e-prints and folders; leave out what holds no paper in TeX; find each paper's main
   file; clean it (:mod:`filters.latex`); fingerprint the papers' ids.
2. ``duplicate_ids``: of a paper in several dumps that of the newest dump stays, of several versions in one dump the
   newest, of several alike that in the first file by name. A paper whose newest version is withdrawn, or is no TeX,
   stays as an older dump or version has it, if that is read too.
3. ``documents``: take the others out, and the papers that are too short.

The language of a paper is left empty: LLaMA holds arXiv to none, and a model of the language of web pages has not been
measured on LaTeX.
"""

import functools
from collections.abc import Mapping, Sequence

import apache_beam as beam

from pipeline.arxiv_settings import ArxivDump, ArxivSettings
from pipeline.document import Shard
from pipeline.dumps import rank_dumps
from pipeline.duplicates import Copies, DuplicateWork, KeyFile, Keys, plan_passes
from pipeline.fingerprints import DropDuplicates, DuplicateReason, FingerprintBatches
from pipeline.inputs import count_suffixes, list_shards
from pipeline.reading import ReadBatches
from pipeline.run import Recipe, Run
from pipeline.settings import SettingsError
from pipeline.sources import arxiv_steps as steps
from pipeline.sources.arxiv_files import PaperUnit, group_files, pack_units, read_unit
from pipeline.sources.arxiv_papers import SOURCE
from pipeline.sources.outputs import common_settings, digest_inputs, owned, read_committed, stage_outputs
from pipeline.stage import Stage, StageResult, UnitWork
from pipeline.steps import DropDocuments
from pipeline.writing import WriteBatches

__all__ = ["DOCUMENTS", "DUPLICATE_IDS", "PAPERS", "SOURCE", "list_inputs", "recipe", "stages"]

PAPERS = f"{SOURCE}.papers"
DUPLICATE_IDS = f"{SOURCE}.duplicate_ids"
DOCUMENTS = f"{SOURCE}.documents"

#: What crosses the shuffle: a fingerprint, and what decides which copy is the first.
_KEY_BYTES = 16


def stages(settings: ArxivSettings) -> list[str]:  # noqa: ARG001 - as every source's
    """Name the stages of :func:`recipe`, in order."""
    return [PAPERS, DUPLICATE_IDS, DOCUMENTS]


def list_inputs(settings: ArxivSettings, data: str) -> list[Shard]:
    """List the files of all dumps, those too that hold no papers.

    Raises:
        SettingsError: An entry matches no file, or a dump has no paper.
    """
    shards: list[Shard] = []
    for position, dump in enumerate(settings.dumps):
        key = f"sources.{SOURCE}.dumps.{position}.paths"
        found = list_shards(SOURCE, dump.id, dump.paths, data=data, key=key)
        papers, _ = group_files(dump, found)
        if not papers:
            wanted = "a folder with files in it" if dump.folders else ".tar, .gz, .tgz, .tex, .ltx, .latex or .pdf"
            raise SettingsError(f"{key}: {len(found)} files, none of them {wanted}")
        shards += found
    return shards


def recipe(run: Run, settings: ArxivSettings, shards: Sequence[Shard]) -> Recipe:
    """Give the stages from files to papers.

    Args:
        run: The run at work.
        settings: The source's settings.
        shards: The files, from :func:`list_inputs`.
    """
    units, read, passed_over = _units(run, settings.dumps, shards)
    if passed_over:
        run.say(PAPERS, f"files of other kinds, passed over: {count_suffixes(shard.below for shard in passed_over)}")
    papers = yield _papers(run, settings, units, {"files": digest_inputs(run, SOURCE, read)})
    newest = yield _duplicate_ids(run, papers)
    yield _documents(run, settings, papers, newest)


def _units(
    run: Run, dumps: Sequence[ArxivDump], shards: Sequence[Shard]
) -> tuple[list[PaperUnit], list[Shard], list[Shard]]:
    """Give the units of all dumps, the files they read, and those that none reads."""
    units, read, passed_over = [], [], []
    for dump in dumps:
        papers, others = group_files(dump, [shard for shard in shards if shard.dump == dump.id])
        units += pack_units(papers, run.settings.batch_bytes)
        read += [file for paper in papers for file in paper.files]
        passed_over += others
    return units, read, passed_over


def _papers(run: Run, settings: ArxivSettings, units: Sequence[PaperUnit], inputs: Mapping[str, str]) -> Stage:
    read = functools.partial(read_unit, batch_bytes=run.settings.batch_bytes, limits=settings.limits)
    ranks = rank_dumps(dump.id for dump in settings.dumps)
    fingerprint = functools.partial(steps.fingerprint_ids, ranks=ranks)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read)
            | "Clean" >> steps.CleanPapers(PAPERS, settings.latex)
            | "Fingerprint" >> FingerprintBatches(PAPERS, fingerprint)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, PAPERS, f"work/{PAPERS}/documents"))
        )

    asked = {
        "dumps": [dump.model_dump(mode="json", exclude={"paths"}) for dump in settings.dumps],
        "limits": settings.limits.model_dump(mode="json"),
        "latex": settings.latex.model_dump(mode="json"),
    }
    work = UnitWork(units, build)
    return Stage(PAPERS, {**asked, **common_settings(run)}, inputs, work, owned(SOURCE, PAPERS), counts="e-prints")


def _duplicate_ids(run: Run, papers: StageResult) -> Stage:
    keys = [
        KeyFile(commit.shard, commit.index, "corpus", commit.kept, key_bytes=_KEY_BYTES)
        for commit in papers.commits
        if commit.kept
    ]
    work = DuplicateWork(run.folder, DUPLICATE_IDS, PAPERS, plan_passes(keys, None), Keys("ids"), Copies.FIRST_STAYS)
    return Stage(DUPLICATE_IDS, {}, {"papers": papers.digest}, work, counts="ids")


def _documents(run: Run, settings: ArxivSettings, papers: StageResult, newest: StageResult) -> Stage:
    check = functools.partial(steps.check_paper, min_chars=settings.min_chars)

    def build(units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "Read" >> ReadBatches(read_committed)
            | "DropOlder" >> DropDuplicates(run.folder, documents={DUPLICATE_IDS: DuplicateReason.ID})
            | "DropShort" >> DropDocuments("length", check)
            | "Write" >> WriteBatches(stage_outputs(run, SOURCE, DOCUMENTS, f"documents/{SOURCE}"))
        )

    return Stage(
        DOCUMENTS,
        settings={"min_chars": settings.min_chars, **common_settings(run)},
        inputs={"papers": papers.digest, "duplicate_ids": newest.digest},
        work=UnitWork(papers.files(run.folder, f"work/{PAPERS}/documents/"), build, single=True),
        owns=(f"documents/{SOURCE}/part-*", *owned(SOURCE, DOCUMENTS)),
        counts="papers",
    )
