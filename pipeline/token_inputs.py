"""What the tokenizer's and the token shards' stages read of a source: its documents files, without what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.batch import batch_name
from pipeline.parquet import read_texts
from pipeline.stage import StageResult


@dataclass(frozen=True, slots=True)
class TokenInput:
    """A committed documents file, as the unit of a stage.

    Attributes:
        shard: The shard its batch was read from.
        index: The batch's index.
        path: The file.
        size: Bytes on disk.
        text_bytes: UTF-8 bytes of its documents' text.
    """

    shard: str
    index: int
    path: str
    size: int
    text_bytes: int

    @property
    def name(self) -> str:
        """The batch's name."""
        return batch_name(self.shard, self.index)


def token_inputs(run: str, source: str, documents: StageResult) -> list[TokenInput]:
    """List a source's documents files as units.

    Args:
        run: The run folder.
        source: The source.
        documents: The stage that wrote them, which knows the bytes of text in each.
    """
    text_bytes = {batch_name(commit.shard, commit.index): commit.bytes_out for commit in documents.commits}
    files = documents.files(run, f"documents/{source}/")
    return [TokenInput(file.shard, file.index, file.path, file.size, text_bytes[file.name]) for file in files]


def read_kept(file: TokenInput) -> tuple[Sequence[str], Sequence[str]]:
    """Read ids and texts of a file's documents that are not left out, in the file's order."""
    return read_texts(file.path)
