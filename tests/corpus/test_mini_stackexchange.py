"""The miniature StackExchange dumps are what their generator writes."""

import io
from pathlib import Path

import mini_stackexchange
import py7zr
from py7zr.io import BytesIOFactory


def members(content: bytes) -> dict[str, bytes]:
    factory = BytesIOFactory(1 << 20)
    with py7zr.SevenZipFile(io.BytesIO(content)) as archive:
        archive.extractall(factory=factory)
    return {Path(name).name: product.read() for name, product in factory.products.items()}


def test_the_generator_writes_the_committed_dumps_again() -> None:
    folder = Path(mini_stackexchange.FOLDER)
    there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = mini_stackexchange.files()
    assert again == mini_stackexchange.files()
    assert set(there) == set(again)
    for name, content in again.items():
        if name.endswith(".7z"):
            assert members(there[name]) == members(content)
        else:
            assert there[name] == content
    assert sum(map(len, there.values())) < 150_000
