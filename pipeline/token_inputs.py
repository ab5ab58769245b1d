"""What the tokenizer's and the token shards' stages read of a source: its documents files, without what is left out.

Documents files hold contaminated documents too; masks beside them say which (:mod:`pipeline.decontamination`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.batch import batch_name
from pipeline.files import WrittenFile
from pipeline.fingerprints import read_mask_part
from pipeline.parquet import read_texts
from pipeline.stage import StageResult, digest_json, digest_outputs

T = TypeVar("T")
_MASK = ".npz"


@dataclass(frozen=True, slots=True)
class TokenInput:
    """A committed documents file, as the unit of a stage.

    Attributes:
        shard: The shard its batch was read from.
        index: The batch's index.
        path: The file.
        size: Bytes on disk.
        text_bytes: UTF-8 bytes of the text of its documents that are not left out.
        left_out: The mask of those that are; empty where none is.
    """

    shard: str
    index: int
    path: str
    size: int
    text_bytes: int
    left_out: str = ""

    @property
    def name(self) -> str:
        """The batch's name."""
        return batch_name(self.shard, self.index)


def token_inputs(
    run: str, source: str, documents: StageResult, decontaminated: StageResult | None = None
) -> list[TokenInput]:
    """List a source's documents files as units; one of which all documents are left out is none.

    Args:
        run: The run folder.
        source: The source.
        documents: The stage that wrote them, which knows the bytes of text in each.
        decontaminated: The stage that says which documents are left out, if any.
    """
    judged = documents if decontaminated is None else decontaminated
    commits = {batch_name(commit.shard, commit.index): commit for commit in judged.commits}
    masks = {file.name: file.path for file in judged.files(run, f"work/{judged.name}/") if file.path.endswith(_MASK)}
    return [
        TokenInput(file.shard, file.index, file.path, file.size, commits[file.name].bytes_out, masks.get(file.name, ""))
        for file in documents.files(run, f"documents/{source}/")
        if commits[file.name].kept
    ]


def digest_kept(documents: StageResult, decontaminated: StageResult | None = None) -> str:
    """Digest what is left of a source's documents: where none is left out, the documents themselves."""
    masks = [] if decontaminated is None else mask_outputs(decontaminated)
    return digest_json([documents.digest, digest_outputs(masks)]) if masks else documents.digest


def mask_outputs(decontaminated: StageResult) -> list[WrittenFile]:
    """List the masks of documents that are left out."""
    outputs = decontaminated.outputs(f"work/{decontaminated.name}/")
    return [output for output in outputs if output.path.endswith(_MASK)]


def read_kept(file: TokenInput) -> tuple[Sequence[str], Sequence[str]]:
    """Read ids and texts of a file's documents that are not left out, in the file's order."""
    ids, texts = read_texts(file.path)
    return kept_of(ids, file.left_out), kept_of(texts, file.left_out)


def kept_of(rows: list[T], mask_path: str) -> list[T]:
    """Give the rows that a mask, if there is one, does not mark."""
    if not mask_path:
        return rows
    mask, _ = read_mask_part(mask_path)
    if len(mask) != len(rows):
        raise RuntimeError(f"{len(rows)} documents, and a mask of {len(mask)}: {mask_path}")
    return list(itertools.compress(rows, ~mask))
