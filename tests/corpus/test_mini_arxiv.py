"""The miniature bucket of arXiv is what its generator writes."""

import gzip
from pathlib import Path

import mini_arxiv


def test_the_generator_writes_the_committed_e_prints_again() -> None:
    folder = Path(mini_arxiv.FOLDER)
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert there == mini_arxiv.files()
    assert sum(map(len, there.values())) < 250_000


def test_what_is_packed_without_compression_is_gzip() -> None:
    for content in (b"", b"x" * 70_000, b"y" * 65_535):
        assert gzip.decompress(mini_arxiv.stored_gzip(content)) == content
