"""The miniature inputs of GitHub are what their generator writes."""

import gzip
import io
from pathlib import Path

import mini_github
import pyarrow.parquet as pq


def test_the_generator_writes_the_committed_inputs_again() -> None:
    folder = Path(mini_github.FOLDER)
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = mini_github.files()
    assert again == mini_github.files()
    assert set(there) == set(again)
    for name, content in again.items():
        if name.endswith(".parquet"):  # its bytes depend on the version of Arrow
            assert pq.read_table(io.BytesIO(there[name])).equals(pq.read_table(io.BytesIO(content)))
        elif name.endswith(".gz"):  # and these on that of zlib
            assert gzip.decompress(there[name]) == gzip.decompress(content)
        else:
            assert there[name] == content
    assert sum(map(len, there.values())) < 100_000
