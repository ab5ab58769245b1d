"""What the stages of all sources have in common: where they write, what they own, which settings they depend on."""

from collections.abc import Iterator

from pipeline.batch import Batch
from pipeline.parquet import read_documents
from pipeline.run import Run
from pipeline.stage import BatchFile
from pipeline.writing import Outputs


def common_settings(run: Run) -> dict[str, float]:
    """Give the settings of the run that every stage which writes documents depends on."""
    settings = run.settings
    return {
        "batch_bytes": settings.batch_bytes,
        "dropped_text_fraction": settings.dropped_text_fraction,
        "seed": settings.seed,
    }


def stage_outputs(run: Run, source: str, stage: str, documents: str | None = None) -> Outputs:
    """Say where a stage writes; ``documents`` is the folder of the kept ones, ``None`` where it writes none."""
    return Outputs(run.folder, stage, source, documents, run.settings.dropped_text_fraction, run.settings.seed)


def owned(source: str, stage: str) -> tuple[str, ...]:
    """Give the globs of what a stage left out."""
    return f"dropped/{source}/part-{stage}-*", f"errors/{source}/part-{stage}-*"


def read_committed(file: BatchFile) -> Iterator[Batch]:
    """Read a committed documents file as the batch it was."""
    documents = read_documents(file.path)
    yield Batch(file.shard, file.index, read=len(documents), documents=documents, position=file.size, last=True)
