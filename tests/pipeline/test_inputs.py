"""Raw inputs: what is found, what it is called, and when it is hashed again."""

import gzip
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.document import Shard
from pipeline.inputs import InputFile, fingerprint_inputs, list_shards
from pipeline.settings import SettingsError

KEY = "sources.commoncrawl.dumps.0.paths"


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def shards_of(root: Path, *paths: str) -> list[Shard]:
    return list_shards("commoncrawl", "D", paths, data=str(root), key=KEY)


def found(root: Path, *paths: str) -> list[str]:
    return sorted(os.path.relpath(shard.path, root) for shard in shards_of(root, *paths))


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    put(tmp_path, "wet/1.wet.gz", "wet/2.wet.gz", "wet/deep/3.wet.gz", "wet/notes.txt", "other/4.wet.gz")
    put(tmp_path, "wet/.hidden.wet.gz", "wet/.git/5.wet.gz", ".cache/6.wet.gz")
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "files"),
    [
        ("wet", ["wet/1.wet.gz", "wet/2.wet.gz", "wet/deep/3.wet.gz", "wet/notes.txt"]),
        ("wet/", ["wet/1.wet.gz", "wet/2.wet.gz", "wet/deep/3.wet.gz", "wet/notes.txt"]),
        ("wet/*.wet.gz", ["wet/1.wet.gz", "wet/2.wet.gz"]),
        ("wet/**.gz", ["wet/1.wet.gz", "wet/2.wet.gz", "wet/deep/3.wet.gz"]),
        ("**/*.wet.gz", ["other/4.wet.gz", "wet/1.wet.gz", "wet/2.wet.gz", "wet/deep/3.wet.gz"]),
        ("*/[14].wet.gz", ["other/4.wet.gz", "wet/1.wet.gz"]),
        ("wet/?.wet.gz", ["wet/1.wet.gz", "wet/2.wet.gz"]),
        ("wet/2.wet.gz", ["wet/2.wet.gz"]),
        ("wet/.hidden.wet.gz", ["wet/.hidden.wet.gz"]),
    ],
)
def test_globs_folders_and_files_are_found_and_hidden_ones_left_out(crawl: Path, entry: str, files: list[str]) -> None:
    assert found(crawl, entry) == files
    assert found(crawl, str(crawl / entry)) == files


def test_a_shard_knows_its_file_size_dump_and_source(crawl: Path) -> None:
    (shard,) = shards_of(crawl, "wet/1.wet.gz")
    assert (shard.source, shard.dump, shard.size) == ("commoncrawl", "D", len("wet/1.wet.gz"))
    assert os.path.samefile(shard.path, crawl / "wet/1.wet.gz")
    assert (shard.start, shard.end) == (0, None)


@pytest.mark.parametrize("suffix", ["paths", "paths.gz"])
def test_a_list_of_paths_is_read_relative_to_the_data(crawl: Path, suffix: str) -> None:
    content = b"wet/2.wet.gz\nother/4.wet.gz\n"
    path = crawl / "lists" / f"wet.{suffix}"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    assert found(crawl, f"lists/wet.{suffix}") == ["other/4.wet.gz", "wet/2.wet.gz"]


@pytest.mark.parametrize("entry", ["", "wet", "wet/*", "**", "**/*"])
def test_lists_and_what_a_download_keeps_beside_its_files_are_no_crawl_files(crawl: Path, entry: str) -> None:
    before = found(crawl, entry)
    put(crawl, "wet/wet.paths", "wet/wet.paths.gz", "wet/deep/warc.paths", "wet/paths")
    put(crawl, "wet/.4.wet.gz.partial", "wet/.4.wet.gz.partial.json", "wet/.1.wet.gz.source.json")
    assert found(crawl, entry) == sorted([*before, "wet/paths"])


@pytest.mark.parametrize("entry", ["lists", "lists/*"])
def test_a_folder_of_lists_alone_is_a_wrong_setting(crawl: Path, entry: str) -> None:
    put(crawl, "lists/wet.paths")
    with pytest.raises(SettingsError, match=f"no file matches .*{entry.replace('*', '.')}"):
        shards_of(crawl, entry)


@pytest.mark.parametrize("entry", ["nope", "nope/*.gz", "wet/nope.gz", "nope.paths", "nope.paths.gz"])
def test_an_entry_without_a_file_is_a_wrong_setting(crawl: Path, entry: str) -> None:
    with pytest.raises(SettingsError, match=rf"{KEY}\.1: .*{entry.replace('*', '.')}"):
        shards_of(crawl, "wet", entry)


def test_a_file_of_a_list_that_is_missing_is_told_and_not_passed_over(crawl: Path) -> None:
    (crawl / "wet.paths").write_text("wet/1.wet.gz\nwet/gone.wet.gz\n")
    with pytest.raises(SettingsError, match=r"dumps\.0\.paths\.0: .*wet/gone\.wet\.gz"):
        shards_of(crawl, "wet.paths")


def test_a_list_that_is_no_gzip_or_no_text_is_a_wrong_setting(crawl: Path) -> None:
    (crawl / "a.paths.gz").write_bytes(b"wet/1.wet.gz\n")
    (crawl / "b.paths").write_bytes(b"\xff\xfe")
    for entry in ("a.paths.gz", "b.paths"):
        with pytest.raises(SettingsError, match=rf"{KEY}\.0: .*{entry}"):
            shards_of(crawl, entry)


def test_an_empty_list_is_a_wrong_setting(crawl: Path) -> None:
    (crawl / "a.paths").write_text("")
    with pytest.raises(SettingsError, match="no file matches"):
        shards_of(crawl, "a.paths")


def names(root: Path, *paths: str) -> dict[str, str]:
    return {os.path.relpath(shard.path, root): shard.name for shard in shards_of(root, *paths)}


def test_a_name_is_the_dump_and_the_path_below_the_root(crawl: Path) -> None:
    assert names(crawl, "wet/**.gz") == {
        "wet/1.wet.gz": "D~1.wet.gz",
        "wet/2.wet.gz": "D~2.wet.gz",
        "wet/deep/3.wet.gz": "D~deep~3.wet.gz",
    }


def test_names_do_not_depend_on_other_files_or_on_the_order_of_entries(crawl: Path) -> None:
    before = names(crawl, "wet")
    put(crawl, "wet/0.wet.gz", "wet/deep/0.wet.gz", "wet/zzz")
    assert before.items() <= names(crawl, "wet").items()
    assert names(crawl, "other", "wet") == names(crawl, "wet", "other")
    assert names(crawl, "wet/deep", "wet") == names(crawl, "wet", "wet/deep")


def test_shards_are_sorted_by_name_whatever_order_they_are_given_in(crawl: Path) -> None:
    given_so = [shard.name for shard in shards_of(crawl, "wet/2.wet.gz", "other/4.wet.gz", "wet/1.wet.gz")]
    assert given_so == sorted(given_so)
    assert len(given_so) == 3


def test_a_file_given_twice_is_one_shard(crawl: Path) -> None:
    assert found(crawl, "wet/*.gz", "wet/1.wet.gz", "wet") == found(crawl, "wet")


def test_equal_dumps_have_different_names_in_different_dumps(crawl: Path) -> None:
    (one,) = list_shards("commoncrawl", "A", ["wet/1.wet.gz"], data=str(crawl), key=KEY)
    (two,) = list_shards("commoncrawl", "B", ["wet/1.wet.gz"], data=str(crawl), key=KEY)
    assert one.name != two.name


@pytest.mark.parametrize(
    "files",
    [
        ("a/b", "a~b"),
        ("a b", "a_b"),
        ("é", "ü"),
        ("x" * 150 + "/" + "y" * 100 + "1", "x" * 150 + "/" + "y" * 100 + "2"),
        ("a/b~c", "a~b/c", "a~b~c", "a/b/c"),
    ],
    ids=lambda files: " ".join(files)[:30],
)
def test_files_whose_names_look_alike_are_told_apart(tmp_path: Path, files: tuple[str, ...]) -> None:
    put(tmp_path, *[f"root/{file}" for file in files])
    found_names = [shard.name for shard in shards_of(tmp_path, "root")]
    assert len(set(found_names)) == len(files)
    assert all(len(name) < 200 and "/" not in name for name in found_names)


def test_a_file_cannot_take_the_name_that_another_got_with_its_hash(tmp_path: Path) -> None:
    put(tmp_path, "root/a~b")
    (shard,) = shards_of(tmp_path, "root")
    twin = shard.name.removeprefix("D~").replace("~", "/")
    put(tmp_path, f"root/{twin}")
    assert len({one.name for one in shards_of(tmp_path, "root")}) == 2


@pytest.mark.parametrize("entries", [("a", "b"), ("a/x.wet", "b/x.wet"), ("a/*.wet", "b/*.wet")])
def test_files_that_would_share_a_name_are_refused(tmp_path: Path, entries: tuple[str, str]) -> None:
    put(tmp_path, "a/x.wet", "b/x.wet")
    with pytest.raises(SettingsError, match=rf"{KEY}: .*a/x\.wet.*b/x\.wet"):
        shards_of(tmp_path, *entries)
    assert len(shards_of(tmp_path, "*/x.wet")) == 2


PART = st.text(st.sampled_from("ab~_ .-é"), min_size=1, max_size=4).filter(lambda part: not part.startswith("."))


@given(st.sets(st.lists(PART, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8))
def test_no_two_files_of_a_folder_share_a_name(tmp_path_factory: pytest.TempPathFactory, files: set[str]) -> None:
    kept = {file for file in files if not any(other.startswith(f"{file}/") for other in files)}
    root = tmp_path_factory.mktemp("inputs")
    put(root, *kept)
    assert len({shard.name for shard in shards_of(root, "")}) == len(kept)


def reading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every file that is opened to be hashed."""
    opened: list[str] = []
    original = open

    def noted(path: str):
        opened.append(os.path.basename(path))
        return original(path, "rb")

    monkeypatch.setattr("pipeline.inputs.open_read", noted)
    return opened


def test_a_fingerprint_holds_size_time_and_checksum(crawl: Path) -> None:
    (shard,) = shards_of(crawl, "wet/1.wet.gz")
    digest = hashlib.sha256(b"wet/1.wet.gz").hexdigest()
    (file,) = fingerprint_inputs([shard], {})
    modified = os.path.getmtime(crawl / "wet/1.wet.gz")
    assert file == InputFile(shard.name, shard.path, 12, pytest.approx(modified), f"sha256:{digest}")


def test_a_file_of_the_same_size_and_time_is_not_read_again(monkeypatch: pytest.MonkeyPatch, crawl: Path) -> None:
    shards = shards_of(crawl, "wet/*.gz")
    first = fingerprint_inputs(shards, {})
    opened = reading(monkeypatch)
    assert fingerprint_inputs(shards, {file.path: file for file in first}) == first
    assert opened == []


def test_a_file_that_was_touched_is_read_again_and_no_other(monkeypatch: pytest.MonkeyPatch, crawl: Path) -> None:
    shards = shards_of(crawl, "wet/*.gz")
    first = fingerprint_inputs(shards, {})
    os.utime(crawl / "wet/2.wet.gz", (1e9, 1e9))
    opened = reading(monkeypatch)
    again = fingerprint_inputs(shards, {file.path: file for file in first})
    assert opened == ["2.wet.gz"]
    assert [file.checksum for file in again] == [file.checksum for file in first]
    assert [file.modified for file in again] == [first[0].modified, 1e9]


def test_a_file_that_changed_has_another_checksum(crawl: Path) -> None:
    first = fingerprint_inputs(shards_of(crawl, "wet/1.wet.gz"), {})
    (crawl / "wet/1.wet.gz").write_text("WET/1.wet.gz and more")
    again = fingerprint_inputs(shards_of(crawl, "wet/1.wet.gz"), {file.path: file for file in first})
    assert again[0].checksum != first[0].checksum
    assert again[0].bytes == 21
