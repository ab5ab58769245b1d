"""Ranges of a dump, put together, give what the whole file gives: each page once, each fault once."""

import bz2
import gzip
import hashlib
import io
import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import py7zr
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.document import MalformedRecord, Shard
from pipeline.sources.wiki_ranges import cut_shard, read_dump, read_site, split_shards
from pipeline.sources.wiki_xml import WikiPage

NAME = "dewiki-20220720-pages-articles.xml"
HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10">\n<siteinfo><dbname>dewiki</dbname>'
    '<namespaces><namespace key="1">Diskussion</namespace></namespaces></siteinfo>\n'
)
TAIL = "</mediawiki>\n"

Read = Callable[..., list]


def words(number: int, size: int) -> str:
    """Text that does not compress to nothing, of its own for each number."""
    return "".join(hashlib.sha256(b"%d/%d" % (number, i)).hexdigest() for i in range(size // 64 + 1))[:size]


def page(number: int, size: int = 300) -> str:
    text = f"{number} &lt;page&gt; " + words(number, size)
    revision = f"<revision><timestamp>2022-07-01T00:00:00Z</timestamp><text>{text}</text></revision>"
    return f"  <page>\n<title>P{number}</title><ns>0</ns><id>{number}</id>{revision}\n</page>\n"


PAGES = [page(number, 50 + number * 37 % 700) for number in range(1, 41)]
WHOLE = HEAD + "".join(PAGES) + TAIL


def streams(*parts: str | bytes) -> bytes:
    return b"".join(bz2.compress(part.encode() if isinstance(part, str) else part) for part in parts)


def multistream() -> bytes:
    return streams(HEAD, *("".join(PAGES[start : start + 5]) for start in range(0, 40, 5)), TAIL)


def cut_anywhere(size: int, data: bytes = WHOLE.encode()) -> bytes:
    """As pbzip2 and lbzip2 do: a stream for each so many bytes, wherever these end."""
    return streams(*(data[start : start + size] for start in range(0, len(data), size)))


def broken_pages() -> str:
    faulty = PAGES[:]
    faulty[3] = faulty[3].replace("</page>", "")  # the next page begins before it ends
    faulty[7] = faulty[7].replace("<title>", "<tilte>")
    faulty[11] += "left over </page> and &lt; more\n"
    faulty[20] = faulty[20].replace("<text>", "<text deleted='deleted'>")
    return HEAD + "".join(faulty) + TAIL


def flipped(data: bytes, *places: float) -> bytes:
    copy = bytearray(data)
    for place in places:
        copy[int(place * len(copy))] ^= 0x41
    return bytes(copy)


FILES = {
    "plain": WHOLE.encode(),
    "plain, broken pages": broken_pages().encode(),
    "plain, cut": WHOLE.encode()[:-3000],
    "plain, no head": "".join(PAGES).encode(),
    "plain, no page": (HEAD + TAIL).encode(),
    "plain, garbage": b"x" * 9000 + WHOLE.encode() + b"appended" * 900,
    "multistream": multistream(),
    "multistream, broken pages": streams(*re.split("(?<=</page>\n)(?=  <page>)", broken_pages())),
    "multistream, bits flipped": flipped(multistream(), 0.3, 0.55),
    "multistream, last bits flipped": flipped(multistream(), 0.97),
    "multistream, head flipped": flipped(multistream(), 0.005),
    "multistream, cut": multistream()[:-700],
    "multistream, bytes between": multistream()[:3000] + bytes(700) + multistream()[3000:],
    "multistream, a piece missing": multistream()[:4000] + multistream()[6500:],
    "cut anywhere, small": cut_anywhere(97),
    "cut anywhere, large": cut_anywhere(1900),
    "cut anywhere, broken pages": cut_anywhere(1200, broken_pages().encode()),
    "cut anywhere, flipped": flipped(cut_anywhere(1100), 0.2, 0.21, 0.7),
    "cut anywhere, cut": cut_anywhere(1100)[:-1500],
    "one stream": bz2.compress(WHOLE.encode()),
    "one stream, flipped": flipped(bz2.compress(WHOLE.encode()), 0.6),
    "one stream of several blocks": bz2.compress((HEAD + "".join(page(n, 9000) for n in range(30)) + TAIL).encode(), 1),
    "two dumps joined": multistream() + multistream(),
    "a document type": b"<!DOCTYPE x>" + WHOLE.encode(),
    "no dump": b"<html>" * 3000,
    "empty": b"",
}


@pytest.fixture
def shard_of(tmp_path: Path) -> Callable[..., Shard]:
    def write(data: bytes, name: str = NAME) -> Shard:
        (tmp_path / name).write_bytes(data)
        return Shard("wikipedia", "S", str(tmp_path / name), len(data))

    return write


def told(item: WikiPage | MalformedRecord) -> object:
    """All of a page, and all of an error."""
    if isinstance(item, WikiPage):
        return item
    return item.cause, item.detail, item.offset, item.inner_offset, item.is_record


def read(shard: Shard) -> list:
    return [told(item) for item, _ in read_dump(shard)]


def read_parts(shard: Shard, split_bytes: int) -> list:
    return [item for part in cut_shard(shard, split_bytes) for item in read(part)]


def sizes_for(name: str) -> list[int]:
    size = len(FILES[name])
    few = {size - 1, size // 2, size // 3 + 1, size // 7 + 1, max(1024, size // 30), max(1500, size // 20)}
    return sorted(one for one in few if 300 < one < size)


@pytest.mark.parametrize("name", FILES)
def test_the_ranges_of_a_file_give_its_pages_and_its_faults_each_once(
    name: str, shard_of: Callable[..., Shard]
) -> None:
    shard = shard_of(FILES[name])
    whole = read(shard)
    for split_bytes in sizes_for(name):
        assert len(cut_shard(shard, split_bytes)) > 1
        assert read_parts(shard, split_bytes) == whole, split_bytes


def test_after_an_early_end_only_the_complaint_that_the_file_has_none_may_be_added(
    shard_of: Callable[..., Shard],
) -> None:
    """The one thing that a range cannot know: that the dump it is in has been closed before."""
    shard = shard_of(multistream() + streams(*PAGES[:3]))
    whole = read(shard)
    for split_bytes in (1024, 5000, shard.size - 300):
        found = read_parts(shard, split_bytes)
        assert found[: len(whole)] == whole
        assert [(item[0], item[4]) for item in found[len(whole) :]] in ([], [("mediawiki/truncated", False)])


def test_the_files_hold_what_they_should(shard_of: Callable[..., Shard]) -> None:
    kept = {name: sum(isinstance(item, WikiPage) for item in read(shard_of(data))) for name, data in FILES.items()}
    assert all(kept[name] == 40 for name in ("plain", "multistream", "cut anywhere, small", "one stream"))
    assert (kept["plain, broken pages"], kept["one stream of several blocks"], kept["no dump"]) == (37, 30, 0)
    damaged = [name for name in FILES if "flipped" in name or "missing" in name]
    assert all(0 <= kept[name] < 40 or name.endswith(("head flipped", "last bits flipped")) for name in damaged)


@given(st.integers(1024, 6000), st.lists(st.integers(1, 2000), min_size=1, max_size=60))
@example(1024, [7])
def test_wherever_streams_part_and_ranges_part_the_pages_are_the_same(split_bytes: int, lengths: list[int]) -> None:
    data, at, parts = WHOLE.encode(), 0, []
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    packed = streams(*parts, data[at:])
    assert in_memory(packed, split_bytes) == in_memory(packed, None)


@given(
    st.sampled_from(["plain", "multistream", "cut anywhere, small", "cut anywhere, large"]),
    st.integers(1024, 9000),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12), st.integers(0, 400)), min_size=1, max_size=4),
)
def test_whatever_the_damage_every_page_start_ends_once(name: str, split_bytes: int, edits: list) -> None:
    data = FILES[name]
    for place, inserted, removed in edits:
        at = 60 + int(place * (len(data) - 60))  # not the first bytes, which tell the format
        data = data[:at] + inserted + data[at + removed :]
    assert in_memory(data, split_bytes) == in_memory(data, None)


def in_memory(data: bytes, split_bytes: int | None) -> list:
    """Read a file, or all ranges of it, that is nowhere but here."""
    import pipeline.sources.wiki_ranges as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "open_read", lambda _: io.BytesIO(data))
        shard = Shard("wikipedia", "S", NAME, len(data))
        parts = cut_shard(shard, split_bytes) if split_bytes and data else [shard]
        return [told(item) for part in parts for item, _ in read_dump(part)]


def test_a_page_belongs_to_the_range_in_which_its_stream_starts(shard_of: Callable[..., Shard]) -> None:
    parts = [bz2.compress(part.encode()) for part in (HEAD, PAGES[0] + PAGES[1], PAGES[2], TAIL)]
    starts = [sum(map(len, parts[:n])) for n in range(4)]
    shard = shard_of(b"".join(parts))
    for border, first in ((starts[1], []), (starts[1] + 1, [1, 2]), (starts[2], [1, 2]), (starts[2] + 1, [1, 2, 3])):
        split = [item for item, _ in read_dump(Shard("w", "S", shard.path, border, end=border))]
        rest = [item for item, _ in read_dump(Shard("w", "S", shard.path, shard.size - border, start=border))]
        assert [item.id for item in split] == first
        assert [item.id for item in rest] == [n for n in (1, 2, 3) if n not in first]


def test_a_page_whose_tag_is_cut_belongs_to_the_range_before_the_cut(shard_of: Callable[..., Shard]) -> None:
    data = WHOLE.encode()
    tag = data.index(b"<page>", len(data) // 2)
    for cut in range(tag, tag + 8):
        first = bz2.compress(data[:cut])
        shard = shard_of(first + bz2.compress(data[cut:]))
        ids = [item.id for item, _ in read_dump(Shard("w", "S", shard.path, len(first), end=len(first)))]
        assert len(ids) == data[: max(cut, tag + 1) if cut > tag else tag].count(b"<page>") + (tag < cut < tag + 6)
        assert read_parts(shard, len(first)) == read(shard)


def test_positions_are_those_within_the_range(shard_of: Callable[..., Shard]) -> None:
    for name in ("plain", "multistream", "cut anywhere, small"):
        for part in split_shards([shard_of(FILES[name])], 2000):
            positions = [position for _, position in read_dump(part)]
            assert positions == sorted(positions)
            assert all(0 < position <= part.size for position in positions)


def test_ranges_are_named_by_their_start_and_cover_the_file(shard_of: Callable[..., Shard]) -> None:
    shard = shard_of(FILES["plain"])
    parts = split_shards([shard], 4096)
    assert [part.name for part in parts][:3] == ["S@000000000000000", "S@000000000004096", "S@000000000008192"]
    assert sorted(part.name for part in parts) == [part.name for part in parts]
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert (parts[0].start, parts[-1].end) == (0, None)
    assert sum(part.size for part in parts) == shard.size


def test_files_that_are_short_or_cannot_be_entered_in_the_middle_stay_whole(
    shard_of: Callable[..., Shard], tmp_path: Path
) -> None:
    short = shard_of(FILES["plain"])
    assert split_shards([short], short.size) == [short]
    assert split_shards([short], None) == [short]
    single = shard_of(FILES["one stream"], "dewiki-1.xml.bz2")
    assert split_shards([single], 1024) == [single]
    packed = shard_of(gzip.compress(FILES["plain"]), "dewiki.xml.bz2")  # the content tells, not the name
    assert split_shards([packed], 1024) == [packed]
    archive = tmp_path / "a.7z"
    with py7zr.SevenZipFile(archive, "w") as target:
        target.writestr(FILES["plain"], "dewiki.xml")
    whole = Shard("w", "S", str(archive), archive.stat().st_size)
    assert split_shards([whole], 1024) == [whole]


@pytest.mark.parametrize("pack", [bytes, lambda data: cut_anywhere(900, data)], ids=["plain", "streams"])
def test_dumps_joined_to_a_file_whose_name_tells_no_wiki_keep_their_wikis(
    pack: Callable[[bytes], bytes], shard_of: Callable[..., Shard]
) -> None:
    """Else the pages of the second would be ascribed to the first's wiki, and lost as copies of its pages."""
    other = WHOLE.replace("<dbname>dewiki<", "<dbname>frwiki<")
    shard = shard_of(pack((WHOLE + other).encode()), "joined.xml")
    found = [item for part in split_shards([shard], 2000) for item, _ in read_dump(part)]
    assert [(item.wiki, item.id) for item in found] == [(w, n) for w in ("dewiki", "frwiki") for n in range(1, 41)]
    assert len(split_shards([shard], 2000, lambda _: "dewiki")) > 1


def test_a_bzip2_file_is_split_where_a_stream_begins_behind_the_first_range(
    shard_of: Callable[..., Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker would have all of a single stream, and its progress be that of the first range."""
    first, rest = bz2.compress((HEAD + "".join(PAGES)).encode()), bz2.compress(TAIL.encode())
    shard = shard_of(first + rest)
    for split_bytes, parts in (
        (len(first) - 1, 2),
        (len(first), 2),
        (len(first) + 1, 1),
        (1024, -(-shard.size // 1024)),
    ):
        assert len(split_shards([shard], split_bytes)) == parts
        assert read_parts(shard, split_bytes) == read(shard)
    monkeypatch.setattr("pipeline.sources.bz2_streams.READ_BYTES", 7)  # the magic lies on a border of what is read
    for reach in (len(first) - 1024 + 9, len(first) - 1024 + 10):
        monkeypatch.setattr("pipeline.sources.wiki_ranges._MAX_STREAM_BYTES", reach)
        assert (len(split_shards([shard], 1024)) > 1) == (reach == len(first) - 1024 + 10)


def test_a_range_in_the_middle_of_a_stream_is_searched_and_no_further(tmp_path: Path) -> None:
    """Else each of the hundred ranges of a file that is one stream would read all that follows."""
    data = bz2.compress((HEAD + "".join(page(n, 20_000) for n in range(150)) + TAIL).encode(), 1)
    (tmp_path / NAME).write_bytes(data)
    shard = Shard("wikipedia", "S", str(tmp_path / NAME), len(data))
    start = time.process_time()
    found = [[item.id for item, _ in read_dump(part)] for part in cut_shard(shard, len(data) // 40)]
    whole = time.process_time() - start
    assert found[0] == list(range(150))
    assert not any(found[1:])
    assert whole < 20


def test_a_range_without_a_page_is_read_to_its_end_and_no_further(shard_of: Callable[..., Shard]) -> None:
    parts = [HEAD, page(1)] + ["y" * 900] * 2000 + [page(2), TAIL]
    shard = shard_of(streams(*parts))
    start = time.process_time()
    items = read_parts(shard, shard.size // 60)
    assert time.process_time() - start < 10
    assert items == read(shard)
    assert [item.id if isinstance(item, WikiPage) else item[0] for item in items] == [1, "mediawiki/garbage", 2]


def archive_of(path: Path, **members: bytes) -> Shard:
    with py7zr.SevenZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(data, name.replace("__", "/"))
    return Shard("wikipedia", "S", str(path), path.stat().st_size)


def revised(number: int) -> str:
    older = "<revision><timestamp>2020-01-01T00:00:00Z</timestamp><text>older</text></revision>"
    return page(number).replace("<revision>", older + "<revision>")


def test_an_archive_gives_the_pages_of_its_dumps_in_their_latest_revision(tmp_path: Path) -> None:
    history = HEAD + "".join(revised(n) for n in range(1, 9)) + TAIL
    shard = archive_of(
        tmp_path / "dewiki-20220720-pages-meta-history.7z",
        **{"pages.xml": history.encode(), "readme.txt": b"<page>", "more__p2.XML": WHOLE.encode()},
    )
    items = list(read_dump(shard))
    assert [item.id for item, _ in items] == [*range(1, 9), *range(1, 41)]
    assert not any(item.text == "older" for item, _ in items)
    assert {item.wiki for item, _ in items} == {"dewiki"}
    positions = [position for _, position in items]
    assert positions == sorted(positions)
    assert 0 < positions[0] <= positions[-1] <= shard.size
    assert read_site(shard).database == "dewiki"


def test_an_archive_that_is_cut_or_damaged_gives_what_comes_before_and_one_error(tmp_path: Path) -> None:
    whole = HEAD + "".join(page(n, 40_000) for n in range(24)) + TAIL
    shard = archive_of(tmp_path / "dewiki.7z", **{"dewiki.xml": whole.encode()})
    content = Path(shard.path).read_bytes()
    cases = {"7z/truncated": content[: len(content) // 2], "7z/bad_data": flipped(content, 0.5, 0.51, 0.52)}
    for cause, data in cases.items():
        Path(shard.path).write_bytes(data)
        items = [item for item, _ in read_dump(shard)]
        pages = [item for item in items if isinstance(item, WikiPage)]
        errors = [item.cause for item in items if isinstance(item, MalformedRecord)]
        assert [item.id for item in pages] == list(range(len(pages)))
        if cause == "7z/truncated":  # its header stands at the end
            assert (errors, pages) == ([cause], [])
        else:
            assert 0 < len(pages) < 24
            assert errors in (
                [cause],
                ["7z/bad_crc"],
                ["mediawiki/bad_xml", "7z/bad_crc"],
                ["mediawiki/bad_xml", cause],
            )


def test_an_archive_without_a_dump_is_an_error(tmp_path: Path) -> None:
    (item,) = [item for item, _ in read_dump(archive_of(tmp_path / "dewiki.7z", **{"readme.txt": b"nothing"}))]
    assert (item.cause, item.is_record) == ("mediawiki/empty", False)
    assert item.detail == "no member of the archive ends in .xml"
    (item,) = [item for item, _ in read_dump(archive_of(tmp_path / "frwiki.7z", **{"frwiki.xml": b""}))]
    assert (item.cause, item.detail) == ("mediawiki/empty", "nothing in the file")


def test_members_of_an_archive_are_each_of_the_wiki_that_their_name_tells(tmp_path: Path) -> None:
    members = {f"{wiki}-1.xml": WHOLE.encode() for wiki in ("frwiki", "itwiki")}
    items = [item for item, _ in read_dump(archive_of(tmp_path / "all.7z", **members))]
    assert [(item.wiki, item.id) for item in items] == [(w, n) for w in ("frwiki", "itwiki") for n in range(1, 41)]


def test_damage_in_one_member_of_an_archive_is_told_for_each_that_cannot_be_read(tmp_path: Path) -> None:
    members = {f"p{n}.xml": (HEAD + "".join(page(i, 30_000) for i in range(8)) + TAIL).encode() for n in (1, 2)}
    shard = archive_of(tmp_path / "dewiki.7z", **members)
    content = Path(shard.path).read_bytes()
    Path(shard.path).write_bytes(flipped(content, 0.2, 0.21, 0.22))
    items = [item for item, _ in read_dump(shard)]
    assert any(isinstance(item, MalformedRecord) and item.cause.startswith("7z/") for item in items)
    assert {item.id for item in items if isinstance(item, WikiPage)} <= set(range(8))


class Endless(io.RawIOBase):
    """A page of many megabytes that is nowhere, between two small ones."""

    def __init__(self, size: int) -> None:
        self._parts = [
            ((HEAD + page(1) + "<page><title>L</title><ns>0</ns><id>2</id><revision><text>").encode(), 1),
            (b"x" * (1 << 18), size >> 18),
            (("</text></revision></page>" + page(3) + TAIL).encode(), 1),
        ]

    def read(self, _size: int = -1) -> bytes:
        while self._parts and not self._parts[0][1]:
            self._parts.pop(0)
        if not self._parts:
            return b""
        data, count = self._parts[0]
        self._parts[0] = (data, count - 1)
        return data

    def seek(self, offset: int, _whence: int = 0) -> int:
        assert offset == 0
        return 0


def test_a_page_of_100_megabytes_is_an_error_and_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100 << 20
    monkeypatch.setattr("pipeline.sources.wiki_ranges.open_read", lambda _: Endless(size))
    tracemalloc.start()
    items = [item for item, _ in read_dump(Shard("w", "S", NAME, size), max_page_bytes=8 << 20)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [item.id if isinstance(item, WikiPage) else item.cause for item in items] == [1, "mediawiki/too_long", 3]
    assert peak < 40 << 20


def test_no_range_searches_a_whole_file_for_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    class Garbage(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1) -> bytes:
            Garbage.read_bytes += size or 0
            return b"y" * (size or 0)

        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

    monkeypatch.setattr("pipeline.sources.wiki_ranges.open_read", lambda _: Garbage())
    assert list(read_dump(Shard("w", "S", NAME, 1 << 20, start=1 << 40, end=(1 << 40) + (1 << 20)))) == []
    assert Garbage.read_bytes < 70 << 20


def test_namespaces_that_are_given_count_in_every_range_where_pages_do_not_number_them(
    shard_of: Callable[..., Shard],
) -> None:
    data = WHOLE.replace("<ns>0</ns>", "").replace("<title>P", "<title>Portal:P").encode()
    for known, expected in ((None, 0), ({"portal": 100}, 100)):
        for split_bytes in (None, 5000):
            shard = shard_of(data)
            parts = split_shards([shard], split_bytes)
            items = [item for part in parts for item, _ in read_dump(part, namespaces=known)]
            assert [item.namespace for item in items] == [expected] * 40


def test_the_address_in_an_old_head_tells_whose_it_is(shard_of: Callable[..., Shard]) -> None:
    """Before schema 0.8 no head names the database."""
    base = "<base>http://zh-yue.wikipedia.org/wiki/Main_Page</base>"
    old = shard_of(WHOLE.replace("<dbname>dewiki</dbname>", base).encode(), "pages.xml")
    assert read_site(old).database == "zh_yuewiki"
    assert {item.wiki for item, _ in read_dump(old)} == {"zh_yuewiki"}
    project = WHOLE.replace("<dbname>dewiki</dbname>", "<base>http://de.wiktionary.org/wiki/Main_Page</base>")
    assert read_site(shard_of(project.encode(), "pages.xml")).database == ""


def test_the_head_of_a_dump_tells_whose_it_is(shard_of: Callable[..., Shard]) -> None:
    site = read_site(shard_of(FILES["multistream"], "frwiki.xml.bz2"))
    assert (site.wiki, site.database, site.namespaces) == ("frwiki", "dewiki", {"diskussion": 1})


def test_random_sizes_of_ranges_on_real_dumps_give_what_the_whole_files_give(real_data: Path) -> None:
    random = Random(7)
    folder = real_data / "wikipedia"
    pages = 0
    for path in sorted(
        [*folder.glob("gensim/*.bz2"), *folder.glob("pignlproc/*.xml"), *folder.glob("minidumps/*.bz2")]
    ):
        shard = Shard("wikipedia", "S", str(path), path.stat().st_size)
        if shard.size < 3000:
            continue
        whole = read(shard)
        pages += len(whole)
        assert read_parts(shard, random.randrange(shard.size // 5, shard.size)) == whole, path
    assert pages > 300
