"""The miniature Wikipedias are what their generator writes, each in the form it says."""

import bz2
import os
from pathlib import Path

import generate
import mini_wikis
import py7zr
import pytest

from pipeline.document import MalformedRecord, Shard
from pipeline.sources.wiki_ranges import read_dump

FOLDER = Path(generate.FOLDER) / "wikipedia"


def unpacked(path: Path) -> bytes:
    """The content of an archive, for its header holds the time it was made."""
    if path.suffix != ".7z":
        return path.read_bytes()
    factory = py7zr.io.BytesIOFactory(1 << 24)
    with py7zr.SevenZipFile(path) as archive:
        archive.extractall(factory=factory)
    ((name, content),) = factory.products.items()
    return name.encode() + content.read()


def parts_of(path: Path) -> list[bytes]:
    data, parts = path.read_bytes(), []
    while data:
        state = bz2.BZ2Decompressor()
        parts.append(state.decompress(data))
        data = state.unused_data
    return parts


def items_of(dump: str, wiki: str) -> list:
    path = FOLDER / mini_wikis.FILES[dump, wiki]
    return [item for item, _ in read_dump(Shard("wikipedia", "x", str(path), path.stat().st_size))]


def test_the_generator_writes_the_committed_dumps_again(tmp_path: Path) -> None:
    again = {Path(path).relative_to(tmp_path) for path in mini_wikis.write(str(tmp_path))}
    committed = {path.relative_to(FOLDER) for path in FOLDER.glob("*/*")}
    assert again == committed
    assert all(unpacked(tmp_path / name) == unpacked(FOLDER / name) for name in again)
    assert sum((FOLDER / name).stat().st_size for name in committed) < 150_000


@pytest.mark.parametrize(("dump", "wiki"), mini_wikis.FILES)
def test_the_reader_finds_the_pages_that_were_written_in_their_latest_revision(dump: str, wiki: str) -> None:
    written = [page for page in mini_wikis.articles(wiki, dump) if not page.is_deleted]
    items = items_of(dump, wiki)
    pages = [item for item in items if not isinstance(item, MalformedRecord)]
    assert [(page.id, page.title, page.text, page.namespace, page.redirect, page.model) for page in pages] == [
        (page.number, page.title, page.text, page.namespace, page.redirect, page.model) for page in written
    ]
    assert {page.wiki for page in pages} == {wiki}
    assert {page.timestamp[:7] for page in pages} == {f"{dump[:4]}-{dump[4:6]}"}
    errors = [item.cause for item in items if isinstance(item, MalformedRecord)]
    assert errors == (["mediawiki/deleted_text"] if (dump, wiki) == (mini_wikis.NEW, "dewiki") else [])


def test_the_multistream_dump_has_an_index_that_points_at_its_streams() -> None:
    data = (FOLDER / mini_wikis.FILES[mini_wikis.NEW, "dewiki"]).read_bytes()
    rows = bz2.decompress((FOLDER / mini_wikis.INDEX).read_bytes()).decode().splitlines()
    assert len(rows) == len(mini_wikis.articles("dewiki", mini_wikis.NEW))
    for row in rows:
        offset, number, title = row.split(":", 2)
        part = bz2.BZ2Decompressor().decompress(data[int(offset) :]).decode()
        assert f"<title>{title}</title>" in part
        assert f"<id>{number}</id>" in part


def test_the_streams_of_the_french_dump_cut_pages_and_those_of_the_german_one_do_not() -> None:
    french = parts_of(FOLDER / mini_wikis.FILES[mini_wikis.NEW, "frwiki"])
    german = parts_of(FOLDER / mini_wikis.FILES[mini_wikis.NEW, "dewiki"])
    assert sum(part.rfind(b"<page>") > part.rfind(b"</page>") for part in french) > 8
    assert not any(part.rfind(b"<page>") > part.rfind(b"</page>") for part in german)
    assert len(german) > 5
    assert len(parts_of(FOLDER / mini_wikis.FILES[mini_wikis.OLD, "dewiki"])) == 1


def test_the_older_dump_has_pages_that_changed_and_one_that_is_gone() -> None:
    older = {page.number: page.text for page in mini_wikis.articles("dewiki", mini_wikis.OLD)}
    newer = {page.number: page.text for page in mini_wikis.articles("dewiki", mini_wikis.NEW)}
    assert set(older) - set(newer) == {mini_wikis.GONE}
    assert {number for number in older.keys() & newer.keys() if older[number] != newer[number]} == set(range(1, 9))
    assert older[34] == newer[34]


def test_every_planted_page_is_in_a_dump_and_has_what_its_fate_needs() -> None:
    written = {
        (wiki, page.number) for _, wiki in mini_wikis.FILES for page in mini_wikis.articles(wiki, mini_wikis.NEW)
    }
    for entry in mini_wikis.read_planted():
        assert (entry["wiki"], entry["id"]) in written
        assert (entry["fate"] == "kept") == bool(entry.get("says"))
    assert {entry["wiki"] for entry in mini_wikis.read_planted()} == set(mini_wikis.WIKIS)


def test_the_files_are_those_that_the_generator_names() -> None:
    names = [*mini_wikis.FILES.values(), mini_wikis.INDEX]
    assert sorted(os.path.join(path.parent.name, path.name) for path in FOLDER.glob("*/*")) == sorted(names)
