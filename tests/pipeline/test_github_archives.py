"""Repositories in archives and folders: what is hostile is an error or a drop, in bounded memory; the rest is read."""

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.github_settings import GithubSettings
from pipeline.reading import Item
from pipeline.sources.github_repositories import RepositoryUnit, pack_units, place_of, read_repositories
from tests.corpus.mini_code import C_BODY, GPL_NOTICE, MIT_TEXT

SETTINGS = GithubSettings.model_validate(
    {"collections": [{"id": "mine", "repositories": ["x"], "ref": "v1", "url": None}], "max_file_bytes": 5000}
)


def read(content: bytes, name: str, folder: Path) -> list[Item]:
    path = folder / name
    path.write_bytes(content)
    shard = Shard("github", f"mine+repositories~{name}", str(path), len(content), "mine+repositories", below=name)
    unit = RepositoryUnit(name, len(content), (("bakers/oven", "", shard),))
    found = list(read_repositories(unit, SETTINGS))
    positions = [position for _, position in found]
    assert positions == sorted(positions)
    assert all(0 <= position <= len(content) for position in positions)
    return [item for item, _ in found]


def fates(items: Iterable[Item]) -> dict[str, str]:
    """Say what has become of each file, by its path, and of errors by their cause."""
    found = {}
    for item in items:
        if isinstance(item, MalformedRecord):
            found[item.cause] = item.detail
        else:
            path = item.id.removeprefix("github/bakers/oven@v1:")
            found[path] = item.reason if isinstance(item, Dropped) else item.text
    return found


def tar(members: Iterable[tuple[str, bytes | tarfile.TarInfo]], form: int = tarfile.PAX_FORMAT) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def packed(members: Iterable[tuple[str, bytes]]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return sink.getvalue()


BODY = C_BODY.encode()
PLAIN = [("oven-1/src/a.c", BODY), ("oven-1/LICENSE", MIT_TEXT.encode()), ("oven-1/b.c", BODY + b"/* b */\n")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("oven.tar", tar(PLAIN)),
        ("oven.tar", tar(PLAIN, tarfile.GNU_FORMAT)),
        ("oven.tar.gz", gzip.compress(tar(PLAIN))),
        ("oven.tgz", gzip.compress(tar(PLAIN, tarfile.USTAR_FORMAT))),
        ("oven.zip", packed(PLAIN)),
    ],
)
def test_every_kind_of_archive_gives_its_files_under_the_licence_that_stands_behind_them(
    name: str, content: bytes, tmp_path: Path
) -> None:
    items = read(content, name, tmp_path)
    texts = {item.id: item.text for item in items if isinstance(item, Document)}
    assert texts == {"github/bakers/oven@v1:src/a.c": C_BODY, "github/bakers/oven@v1:b.c": C_BODY + "/* b */\n"}
    metadata = next(item.metadata for item in items if isinstance(item, Document))
    assert {metadata[key] for key in ("licence", "repository", "ref", "dump")} == {"MIT", "bakers/oven", "v1", "mine"}
    assert len(items) == 3


def test_names_as_long_as_paths_may_be_are_read_in_both_ways_to_write_them(tmp_path: Path) -> None:
    name = "oven/" + "deep/" * 60 + "é.c"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        content = tar([("oven/LICENSE", MIT_TEXT.encode()), (name, BODY)], form)
        assert fates(read(content, "x.tar", tmp_path))[name.removeprefix("oven/")] == C_BODY


def test_a_folder_that_holds_everything_is_no_part_of_the_paths_and_one_of_several_is(tmp_path: Path) -> None:
    one = fates(read(tar([("top/LICENSE", MIT_TEXT.encode()), ("./top/a.c", BODY)]), "a.tar", tmp_path))
    two = fates(read(tar([("LICENSE", MIT_TEXT.encode()), ("top/a.c", BODY)]), "b.tar", tmp_path))
    assert one["a.c"] == two["top/a.c"] == C_BODY


def test_the_nearest_licence_binds_and_all_in_one_folder_do(tmp_path: Path) -> None:
    members = [
        ("LICENSE", MIT_TEXT.encode()),
        ("a.c", BODY),
        ("gnu/COPYING", GPL_NOTICE.encode()),
        ("gnu/b.c", BODY),
        ("gnu/free/LICENSE", MIT_TEXT.encode()),
        ("gnu/free/c.c", BODY),
        ("both/LICENSE", MIT_TEXT.encode()),
        ("both/COPYING", GPL_NOTICE.encode()),
        ("both/d.c", BODY),
        ("odd/LICENSE", b"You may bake with it, but not on Mondays."),
        ("odd/e.c", BODY),
    ]
    found = fates(read(tar(members), "x.tar", tmp_path))
    assert {name: found[name] for name in found if name.endswith(".c")} == {
        "a.c": C_BODY,
        "gnu/b.c": "licence/not_permitted",
        "gnu/free/c.c": C_BODY,
        "both/d.c": "licence/not_permitted",
        "odd/e.c": "licence/unknown",
    }


def special(name: str, kind: bytes, target: str = "") -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return name, info


def test_names_that_lead_out_are_errors_and_links_and_devices_are_no_files(tmp_path: Path) -> None:
    members = [
        ("oven/LICENSE", MIT_TEXT.encode()),
        ("oven/../../escape.c", BODY),
        ("/etc/absolute.c", BODY),
        ("C:\\windows.c", BODY),
        special("oven/soft.c", tarfile.SYMTYPE, "/etc/passwd"),
        special("oven/hard.c", tarfile.LNKTYPE, "oven/LICENSE"),
        special("oven/device.c", tarfile.CHRTYPE),
        special("oven/block.c", tarfile.BLKTYPE),
        special("oven/fifo.c", tarfile.FIFOTYPE),
        special("oven/folder", tarfile.DIRTYPE),
        ("oven/.git/config", b"[core]\n"),
        ("oven/last.c", BODY),
    ]
    items = read(tar(members), "x.tar", tmp_path)
    errors = [item for item in items if isinstance(item, MalformedRecord)]
    assert [error.cause for error in errors] == ["github/unsafe_member"] * 3
    assert len({error.inner_offset for error in errors}) == 3
    found = fates(items)
    for name in ("soft.c", "hard.c", "device.c", "block.c", "fifo.c", ".git/config"):
        assert found[name] == "github/not_a_file"
    assert found["last.c"] == C_BODY
    assert len(items) == len(members) - 1


def test_a_file_exactly_as_long_as_allowed_stays_and_a_longer_one_goes(tmp_path: Path) -> None:
    for pack, name in ((tar, "x.tar"), (packed, "x.zip")):
        fits, breaks = (b"int x;\n" * 714 + b"/" * over for over in (2, 3))
        members = [("LICENSE", MIT_TEXT.encode()), ("a.c", fits), ("b.c", breaks)]
        items = read(pack(members), name, tmp_path)
        assert fates(items)["a.c"] == fits.decode()
        (gone,) = [item for item in items if isinstance(item, Dropped) and item.id.endswith("b.c")]
        assert (gone.reason, gone.measured, gone.limit) == ("github/too_long", 5001, 5000)


def test_bytes_that_are_no_text_go_and_other_encodings_are_read(tmp_path: Path) -> None:
    members = [
        ("LICENSE", MIT_TEXT.encode()),
        ("nul.c", BODY + b"\0" + BODY),
        ("latin.py", "# -*- coding: latin-1 -*-\nname = 'Käse, Brötchen'\n".encode("latin-1")),
        ("bom.c", b"\xef\xbb\xbf" + BODY.replace(b"\n", b"\r\n")),
        ("wide.c", C_BODY.encode("utf-16")),
    ]
    found = fates(read(tar(members), "x.tar", tmp_path))
    assert found["nul.c"] == "encoding/not_text"
    assert found["latin.py"] == "# -*- coding: latin-1 -*-\nname = 'Käse, Brötchen'\n"
    assert found["bom.c"] == found["wide.c"] == C_BODY


def peak(content: bytes, name: str, folder: Path) -> tuple[list[Item], int]:
    tracemalloc.start()
    items = read(content, name, folder)
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return items, size


def test_a_file_of_200_mb_on_one_line_is_passed_over_in_little_memory(tmp_path: Path) -> None:
    for pack, name in ((_sparse_tar, "x.tar.gz"), (_sparse_zip, "x.zip")):
        items, size = peak(pack(200 << 20), name, tmp_path)
        assert fates(items)["long.c"] == "github/too_long"
        assert fates(items)["last.c"] == C_BODY
        assert size < 12 << 20


def _sparse_tar(size: int) -> bytes:
    """Pack a file that does not deflate well enough to be a bomb."""
    info = tarfile.TarInfo("long.c")
    info.size = size
    noise = os.urandom(1 << 16) + b"x" * (15 << 16)
    sink = io.BytesIO()
    with gzip.open(sink, "wb", compresslevel=1) as stream:
        stream.write(tar([("LICENSE", MIT_TEXT.encode())])[:2048])
        stream.write(info.tobuf())
        for _ in range(size >> 20):
            stream.write(noise)
        stream.write(tar([("last.c", BODY)]))
    return sink.getvalue()


def _sparse_zip(size: int) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("LICENSE", MIT_TEXT)
        with archive.open("long.c", "w") as stream:
            for _ in range(size >> 20):
                stream.write(b"x" * (1 << 20))
        archive.writestr("last.c", BODY)
    return sink.getvalue()


def test_bombs_end_their_archive_with_an_error_in_little_memory(tmp_path: Path) -> None:
    head = tarfile.TarInfo("zeros.c")
    head.size = 1 << 40
    sink = io.BytesIO()
    with gzip.open(sink, "wb") as stream:
        stream.write(head.tobuf())
        for _ in range(64):
            stream.write(bytes(1 << 20))
    items, size = peak(sink.getvalue(), "x.tar.gz", tmp_path)
    assert [item.cause for item in items if isinstance(item, MalformedRecord)] == ["github/bomb"]
    assert size < 12 << 20


def test_a_cut_archive_gives_the_files_before_the_cut_and_one_error(tmp_path: Path) -> None:
    whole = tar([("LICENSE", MIT_TEXT.encode()), ("a.c", BODY), ("b.c", BODY * 30)])
    cut = whole[: whole.index(BODY * 30) + 700]
    found = fates(read(cut, "x.tar", tmp_path))
    assert found["a.c"] == C_BODY
    assert "github/tar_truncated" in found
    assert "github/truncated" in fates(read(gzip.compress(cut), "x.tar.gz", tmp_path))
    assert "github/bad_gzip" in fates(read(gzip.compress(whole)[:-20], "x.tar.gz", tmp_path))
    assert "github/bad_zip" in fates(read(packed(PLAIN)[:-30], "x.zip", tmp_path))
    assert "github/tar_bad_header" in fates(read(b"<html>not found</html>" * 40, "x.tar.gz", tmp_path))


CONTENTS = (tar(PLAIN), tar([("n" * 200, b"x"), *PLAIN], tarfile.GNU_FORMAT), gzip.compress(tar(PLAIN)), packed(PLAIN))


@given(
    which=st.integers(0, 3),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_any_changed_byte_of_an_archive_gives_files_drops_or_errors(
    which: int, changes: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(CONTENTS[which])
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    name = ("x.tar", "x.tar", "x.tar.gz", "x.zip")[which]
    for item in read(bytes(content), name, tmp_path_factory.getbasetemp()):
        assert isinstance(item, Document | Dropped | MalformedRecord)


# Folders


def shards(folder: Path) -> list[Shard]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    below = [path.relative_to(folder).as_posix() for path in files]
    return [
        Shard(
            "github", f"mine~{name.replace('/', '~')}", str(path), path.stat().st_size, "mine+repositories", below=name
        )
        for path, name in zip(files, below, strict=True)
    ]


def test_files_of_folders_are_packed_with_the_licences_of_their_repositories(tmp_path: Path) -> None:
    for name, content in {
        "a/one/LICENSE": MIT_TEXT,
        "a/one/x.c": C_BODY,
        "a/two/src/COPYING": GPL_NOTICE,
        "a/two/src/y.c": C_BODY,
        "a/two/z.c": C_BODY,
        "a/README": "no repository",
        "a/three.tar.gz": "an archive",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "a" / "one" / "link.c").symlink_to("/etc/passwd")
    collection = SETTINGS.collection("mine")
    found = shards(tmp_path)
    whole = pack_units(collection, found, 1 << 20)
    assert [[file[:2] for file in unit.files] for unit in whole] == [
        [("a/three", "")],
        [
            ("a/one", "LICENSE"),
            ("a/one", "link.c"),
            ("a/one", "x.c"),
            ("a/two", "src/COPYING"),
            ("a/two", "src/y.c"),
            ("a/two", "z.c"),
        ],
    ]
    single = pack_units(collection, found, 1)
    assert [len(unit.files) for unit in single] == [1] * 7
    for units in (whole[1:], single[1:]):
        items = [item for unit in units for item, _ in read_repositories(unit, SETTINGS)]
        fate = {item.id: item.reason if isinstance(item, Dropped) else item.text for item in items}
        assert fate["github/a/one@v1:x.c"] == fate["github/a/two@v1:z.c"] == C_BODY
        assert fate["github/a/one@v1:link.c"] == "github/not_a_file"
        assert fate["github/a/two@v1:src/y.c"] == "licence/not_permitted"


@pytest.mark.parametrize(
    ("below", "depth", "expected"),
    [
        ("owner/name/a.c", 2, ("owner/name", "a.c")),
        ("owner/name/tests/x.zip", 2, ("owner/name", "tests/x.zip")),
        ("owner/name.zip", 2, ("owner/name", "")),
        ("name.tgz", 2, ("name", "")),
        ("owner/README", 2, None),
        ("name/a.c", 1, ("name", "a.c")),
        ("name.tar.zst", 1, ("name", "")),
    ],
)
def test_the_first_folders_name_a_repository(below: str, depth: int, expected: tuple[str, str] | None) -> None:
    assert place_of(Shard("github", "", "", 0, below=below), depth) == expected
