"""Files: seen whole or not at all, and listed in a fixed order."""

import hashlib
import os
from pathlib import Path

import pytest
from apache_beam.io.filesystems import FileSystems

from pipeline.files import (
    WrittenFile,
    delete,
    exists,
    is_local,
    join,
    local_copy,
    match,
    open_read,
    read_bytes,
    read_json,
    write_bytes,
    write_json,
    write_output,
    write_stream,
)


def test_bytes_come_back_as_they_were_in_folders_made_on_the_way(tmp_path: Path) -> None:
    path = str(tmp_path / "a" / "b" / "c.bin")
    content = bytes(range(256)) * 70_000  # more than two of the pieces it is written in
    write_bytes(path, content)
    assert read_bytes(path) == content


def test_nothing_is_decompressed_by_its_suffix(tmp_path: Path) -> None:
    path = str(tmp_path / "x.gz")
    write_bytes(path, b"\x1f\x8b no gzip at all")
    assert read_bytes(path) == b"\x1f\x8b no gzip at all"
    with open_read(path) as stream:
        assert stream.read(2) == b"\x1f\x8b"


def test_a_file_written_again_is_replaced_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    write_bytes(path, b"long content")
    write_bytes(path, b"short")
    assert read_bytes(path) == b"short"
    assert os.listdir(tmp_path) == ["x"]


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = str(tmp_path / "x.json")
    write_bytes(path, b"old")

    def fail(stream) -> None:
        stream.write(b"half")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_stream(path, fail)
    assert read_bytes(path) == b"old"
    assert [file.path for file in match(str(tmp_path / "*.json"))] == [path]


def test_a_first_write_that_fails_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    def fail(stream) -> None:
        stream.write(b"half")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_stream(str(tmp_path / "new"), fail)
    assert not exists(str(tmp_path / "new"))


def test_while_it_is_written_a_file_is_not_seen(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    seen = []
    write_stream(path, lambda stream: (stream.write(b"1"), stream.flush(), seen.append(exists(path))))
    assert seen == [False]
    assert exists(path)


def test_an_output_is_described_by_size_checksum_and_rows(tmp_path: Path) -> None:
    written = write_output(str(tmp_path), "work/a/x.bin", memoryview(b"hello"), rows=3)
    assert written == WrittenFile("work/a/x.bin", 5, hashlib.sha256(b"hello").hexdigest(), 3)
    assert (tmp_path / "work" / "a" / "x.bin").read_bytes() == b"hello"
    assert written.to_json() == {"path": "work/a/x.bin", "bytes": 5, "sha256": written.sha256, "rows": 3}


def test_json_keeps_the_order_of_keys_and_every_character(tmp_path: Path) -> None:
    path = str(tmp_path / "x.json")
    write_json(path, {"b": "日本", "a": [1, None]})
    assert read_json(path) == {"b": "日本", "a": [1, None]}
    assert (tmp_path / "x.json").read_text(encoding="utf-8").index('"b": "日本"') < 10


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "c.log", "sub/d.txt", "sub/deep/e.txt"):
        write_bytes(str(tmp_path / name), name.encode())
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("**", ["a.txt", "b.txt", "c.log", "sub/d.txt", "sub/deep/e.txt"]),
        ("**/*.txt", ["sub/d.txt", "sub/deep/e.txt"]),
        ("sub/*", ["sub/d.txt"]),
        ("[bc]*", ["b.txt", "c.log"]),
        ("none*", []),
        ("none/*", []),
    ],
)
def test_files_are_listed_sorted_and_folders_are_not(tree: Path, pattern: str, found: list[str]) -> None:
    assert [os.path.relpath(file.path, tree) for file in match(str(tree / pattern))] == found


def test_a_listing_tells_sizes(tree: Path) -> None:
    assert [file.size_in_bytes for file in match(str(tree / "*.txt"))] == [5, 5]


def test_deleting_what_is_gone_is_no_error(tree: Path) -> None:
    delete([str(tree / "a.txt"), str(tree / "never.txt")])
    assert not exists(str(tree / "a.txt"))
    assert exists(str(tree / "b.txt"))
    delete([])


def test_a_path_with_a_scheme_is_not_local() -> None:
    assert is_local("/a/b")
    assert is_local("a/b")
    assert not is_local("gs://bucket/a")


def test_paths_are_joined_with_one_separator() -> None:
    assert join("/a", "b", "c") == "/a/b/c"


def test_a_local_file_is_its_own_local_copy(tree: Path) -> None:
    with local_copy(str(tree / "a.txt")) as path:
        assert path == str(tree / "a.txt")


def test_a_remote_file_is_copied_for_libraries_that_open_files_themselves(monkeypatch, tree: Path) -> None:
    monkeypatch.setattr("pipeline.files.is_local", lambda _: False)
    with local_copy(str(tree / "a.txt")) as path:
        assert path != str(tree / "a.txt")
        assert path.endswith(".txt")
        assert Path(path).read_bytes() == b"a.txt"
    assert not os.path.exists(path)


def test_on_an_object_store_a_file_is_written_under_its_final_name(monkeypatch, tmp_path: Path) -> None:
    created = []
    create = FileSystems.create
    monkeypatch.setattr("pipeline.files.is_local", lambda _: False)
    monkeypatch.setattr(FileSystems, "create", lambda path, **more: (created.append(path), create(path, **more))[1])
    write_bytes(str(tmp_path / "x"), b"content")
    assert created == [str(tmp_path / "x")]
