"""Commits: the record written last for each batch of a stage, from which resume, progress and statistics follow.

Counts are data, not runner metrics, so they are the same on every runner: each batch writes its own record beside its
files, and what a stage did is the sum over its records.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.batch import batch_name
from pipeline.files import WrittenFile, join, match, read_bytes, write_bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """What became of one batch in one stage.

    Attributes:
        shard: Shard the batch was read from.
        index: Which of the shard's batches.
        last: Whether it is the shard's last.
        position: Bytes of the shard's file read so far.
        read: Records that entered.
        kept: Documents that left.
        dropped: Documents left out, by reason.
        errors: Malformed records, by cause; a gap between records is counted in ``gaps``.
        gaps: Faults at which no record starts, by cause.
        bytes_in: UTF-8 bytes of the text of documents that entered, as far as they are documents.
        bytes_out: UTF-8 bytes of the text kept.
        seconds: Time spent, by step.
        facts: Further counts, added up over batches.
        outputs: Files written.
    """

    shard: str
    index: int
    last: bool = True
    position: int = 0
    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    outputs: tuple[WrittenFile, ...] = ()


def commits_folder(run: str, stage: str) -> str:
    """Give the folder of a stage's commit records."""
    return join(run, "work", stage, "commits")


def commit_path(run: str, stage: str, commit: Commit) -> str:
    """Give the path of a batch's record."""
    return join(commits_folder(run, stage), f"{batch_name(commit.shard, commit.index)}.json")


def write_commit(run: str, stage: str, commit: Commit) -> None:
    """Write a batch's record: the moment from which its files count."""
    write_bytes(commit_path(run, stage, commit), json.dumps(asdict(commit)).encode())


def list_commits(run: str, stage: str) -> list[str]:
    """List the paths of a stage's commit records, sorted."""
    return [file.path for file in match(join(commits_folder(run, stage), "*.json"))]


def read_commits(paths: Iterable[str]) -> list[Commit]:
    """Read commit records, in the order of their shards and batches."""
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(_read_commit, paths))
    return sorted(found, key=lambda commit: (commit.shard, commit.index))


def damaged_commits(run: str, stage: str) -> list[str]:
    """List the paths of a stage's commit records that cannot be read: cut by a power failure, or of other code."""
    paths = list_commits(run, stage)
    with ThreadPoolExecutor(16) as pool:
        return [path for path, sound in zip(paths, pool.map(_is_sound, paths), strict=True) if not sound]


def _is_sound(path: str) -> bool:
    try:
        _read_commit(path)
    except (ValueError, KeyError, TypeError):
        return False
    return True


def _read_commit(path: str) -> Commit:
    fields: dict[str, Any] = json.loads(read_bytes(path))
    outputs = tuple(WrittenFile(**output) for output in fields.pop("outputs"))
    return Commit(**fields, outputs=outputs)


def summarize(commits: Sequence[Commit]) -> dict[str, Any]:
    """Add up a stage's records into what ``stats/<stage>.json`` holds; a stage that counts tokens has their speed."""
    summary = _summary(commits)
    tokens = summary["facts"].get("tokens", 0) + summary["facts"].get("held_out_tokens", 0)
    seconds = sum(summary["seconds"].values())
    return {**summary, "tokens_per_worker_second": round(tokens / seconds)} if tokens and seconds else summary


def _summary(commits: Sequence[Commit]) -> dict[str, Any]:
    return {
        "shards": sum(commit.last for commit in commits),
        "batches": len(commits),
        "read": sum(commit.read for commit in commits),
        "kept": sum(commit.kept for commit in commits),
        "dropped": _total(commit.dropped for commit in commits),
        "errors": _total(commit.errors for commit in commits),
        "gaps": _total(commit.gaps for commit in commits),
        "bytes_in": sum(commit.bytes_in for commit in commits),
        "bytes_out": sum(commit.bytes_out for commit in commits),
        "facts": _total(commit.facts for commit in commits),
        "seconds": {step: round(total, 3) for step, total in _total(commit.seconds for commit in commits).items()},
    }


def _total(counts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
