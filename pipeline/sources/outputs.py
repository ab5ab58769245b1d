"""What the stages of all sources have in common: where they write, what they own, which settings they depend on."""

from collections.abc import Iterator, Sequence

from pipeline.batch import Batch
from pipeline.document import Shard
from pipeline.parquet import Codec, read_documents
from pipeline.run import Run
from pipeline.stage import BatchFile, StageResult, digest_json
from pipeline.writing import Outputs

_PAGES, _BYTES = "pages_", "bytes_"


def common_settings(run: Run) -> dict[str, float]:
    """Give the settings of the run that every stage which writes documents depends on."""
    settings = run.settings
    return {
        "batch_bytes": settings.batch_bytes,
        "dropped_text_fraction": settings.dropped_text_fraction,
        "seed": settings.seed,
    }


def digest_inputs(run: Run, name: str, shards: Sequence[Shard]) -> str:
    """Look at the content of raw files, keep it in the manifest under a name, and digest it."""
    files = run.fingerprint_inputs(shards, run.manifest.known_inputs(name))
    run.manifest.record_inputs(name, files)
    return digest_json([[file.name, file.checksum] for file in files])


def stage_outputs(run: Run, source: str, stage: str, documents: str | None = None, *, codec: Codec = "zstd") -> Outputs:
    """Say where a stage writes; ``documents`` is the folder of the kept ones, ``None`` where it writes none."""
    return Outputs(run.folder, stage, source, documents, run.settings.dropped_text_fraction, run.settings.seed, codec)


def owned(source: str, stage: str) -> tuple[str, ...]:
    """Give the globs of what a stage left out."""
    return f"dropped/{source}/part-{stage}-*", f"errors/{source}/part-{stage}-*"


def count_languages(batch: Batch) -> Batch:
    """Count the documents of each language and the bytes of their text."""
    for document in batch.documents:
        batch.facts[f"{_PAGES}{document.language}"] += 1
        batch.facts[f"{_BYTES}{document.language}"] += len(document.text.encode(errors="replace"))
    return batch


def text_bytes(stage: StageResult) -> dict[str, int]:
    """Give the bytes of text that a stage wrote, by language; all as one, ``""``, where it did not count languages."""
    return _counted(stage, _BYTES) or {"": int(stage.stats["bytes_out"])}


def pages_of(stage: StageResult, languages: Sequence[str] | None) -> int:
    """Give the number of documents in some languages, ``None`` for all, that a stage counted."""
    counts = _counted(stage, _PAGES)
    return sum(counts.values()) if languages is None else sum(counts.get(language, 0) for language in languages)


def _counted(stage: StageResult, prefix: str) -> dict[str, int]:
    facts = stage.stats["facts"]
    return {name.removeprefix(prefix): int(facts[name]) for name in sorted(facts) if name.startswith(prefix)}


def read_committed(file: BatchFile) -> Iterator[Batch]:
    """Read a committed documents file as the batch it was."""
    documents = read_documents(file.path)
    yield Batch(file.shard, file.index, read=len(documents), documents=documents, position=file.size, last=True)
