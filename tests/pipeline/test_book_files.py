"""Books come out of texts, archives and rows, each once; what is none says why, and what is too long is not held."""

import gzip
import io
import json
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.books_settings import BookCollection
from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.settings import SettingsError
from pipeline.sources.book_context import BookContext
from pipeline.sources.book_files import read_books
from pipeline.sources.book_listing import ListedBook, read_listing
from pipeline.sources.book_units import pack_units

MAX = 1 << 20


def read(data: bytes, name: str = "a/book.txt", *, most: int = MAX, stream: Any = None, **asked: Any) -> list[Any]:
    listed = asked.pop("listed", {})
    collection = BookCollection(id="books3", paths=("x",), **asked)
    file = Shard("books", f"books3~{name}", f"/data/{name}", len(data), "books3", below=name)
    found = list(read_books(stream or io.BytesIO(data), BookContext(file, collection, most, listed)))
    positions = [position for _, position in found]
    assert positions == sorted(positions)
    return [item for item, _ in found]


def one(data: bytes, name: str = "a/book.txt", **asked: Any) -> Any:
    (item,) = read(data, name, **asked)
    return item


def reason(item: Any) -> tuple[str, float | None, float | None]:
    assert isinstance(item, Dropped)
    return str(item.reason), item.measured, item.limit


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return whole.getvalue()


def rows(*values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def parquet(**columns: Any) -> bytes:
    whole = io.BytesIO()
    pq.write_table(pa.table(columns), whole, row_group_size=2)
    return whole.getvalue()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".txt": lambda data: data,
    ".txt.gz": lambda data: gzip.compress(data, mtime=0),
    ".txt.zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_text_file_is_one_book_named_after_its_path(suffix: str) -> None:
    book = one(COMPRESS[suffix]("Über\r\nden Fluß\r".encode()), f"1/3/book{suffix}")
    assert isinstance(book, Document)
    assert (book.id, book.source, book.text) == ("books3/1/3/book", "books", "Über\nden Fluß\n")
    assert book.metadata == {"dump": "books3", "encoding": "utf-8", "original_chars": 14}


@pytest.mark.parametrize("suffix", [".txt.gz", ".txt.zst"])
def test_the_content_and_not_the_name_tells_that_a_file_is_compressed(suffix: str) -> None:
    assert one(COMPRESS[suffix](b"words"), "a.txt").text == "words"
    assert one(b"words", "a.txt.gz").text == "words"


@pytest.mark.parametrize("suffix", [".txt.gz", ".txt.zst"])
def test_members_and_frames_are_read_as_one_text(suffix: str) -> None:
    assert one(COMPRESS[suffix](b"one ") + COMPRESS[suffix](b"two"), f"a{suffix}").text == "one two"


@pytest.mark.parametrize(("suffix", "cause"), [(".txt.gz", "books/bad_gzip"), (".txt.zst", "books/bad_zstd")])
def test_a_cut_or_damaged_file_is_an_error(suffix: str, cause: str) -> None:
    whole = COMPRESS[suffix](bytes(range(32, 120)) * 500)
    for data in (whole[:-5], whole[:-9] + b"garbage-!", whole + b"garbage"):
        error = one(data, f"a{suffix}")
        assert isinstance(error, MalformedRecord)
        assert (error.cause, error.is_record) == (cause, True)


def test_a_failure_of_the_place_is_not_taken_for_a_fault_of_the_file() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 4:
                raise ConnectionResetError("gone")
            return super().read(min(size or 0, 8))

    whole = COMPRESS[".txt.gz"](b"words")
    with pytest.raises(ConnectionResetError):
        read(whole, "a.txt.gz", stream=Broken(whole))


@pytest.mark.parametrize("name", ["a.zip", "a.parquet"])
def test_a_failure_of_the_place_while_a_file_is_searched_is_none_of_the_file_s_either(name: str) -> None:
    class Broken(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            if self.reads > 1:
                raise ConnectionResetError("gone")
            return super().read(size)

    whole = zipped({"a.txt": b"words"}) if name == "a.zip" else parquet(text=["words"])
    with pytest.raises(ConnectionResetError):
        read(whole, name, stream=Broken(whole))


def test_a_failure_of_the_place_inside_an_archive_is_none_of_the_member_s() -> None:
    class Broken(io.BytesIO):
        is_broken = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.is_broken:
                raise ConnectionResetError("gone")
            return super().read(size)

    whole = zipped({"a.txt": b"words", "b.txt": b"more"})
    stream = Broken(whole)
    file = Shard("books", "n", "/n", len(whole), "c", below="n.zip")
    found = read_books(stream, BookContext(file, BookCollection(id="c", paths=("x",)), MAX))
    assert next(found)[0].text == "words"
    stream.is_broken = True
    with pytest.raises(ConnectionResetError):
        list(found)


@pytest.mark.parametrize(("name", "cause"), [("a.zip", "books/bad_zip"), ("a.parquet", "books/bad_parquet")])
@pytest.mark.parametrize("data", [b"<html>404 Not Found</html>", b""])
def test_what_took_the_place_of_an_archive_is_no_book(name: str, cause: str, data: bytes) -> None:
    error = one(data, name)
    assert (error.cause, error.is_record) == (cause, False)


@pytest.mark.parametrize("data", [b"", b" \r\n\f", b"\xef\xbb\xbf\n", b"\x1a", gzip.compress(b"\n", mtime=0)])
def test_an_empty_book_is_dropped(data: bytes) -> None:
    assert reason(one(data)) == ("books/empty", 0, 1)


def test_a_file_that_is_no_text_is_dropped() -> None:
    assert reason(one(b"\x89PNG\0\0words")) == ("encoding/not_text", 2, 0)
    assert reason(one("ж".encode() * 400 + b"\xff\xfe" * 200))[0] == "encoding/undecodable"


def test_the_encoding_of_a_collection_is_taken_as_given() -> None:
    book = one("Ärger über Öl".encode("mac_roman"), encoding="macintosh")
    assert (book.text, book.metadata["encoding"]) == ("Ärger über Öl", "mac-roman")


def test_a_book_of_exactly_the_longest_size_is_kept_and_one_byte_more_is_not() -> None:
    assert one(b"x" * 2000, most=2000).text == "x" * 2000
    assert reason(one(b"x" * 2001, most=2000)) == ("books/too_long", 2001, 2000)
    assert one(gzip.compress(b"x" * 2000), "a.txt.gz", most=2000).text == "x" * 2000
    dropped = one(gzip.compress(b"x" * 2001), "a.txt.gz", most=2000)
    assert reason(dropped) == ("books/too_long", 2001, 2000)
    assert dropped.detail == "at least that many bytes: the rest was not read"


class Endless(io.BytesIO):
    """A file of a size that is never read to its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert self.tell() <= 64, "a file known to be too long was read"
        return super().read(size)


def test_a_long_text_is_told_by_its_size_without_being_read() -> None:
    collection = BookCollection(id="c", paths=("x",))
    file = Shard("books", "n", "/n", 200 << 20, "c", below="n.txt")
    ((item, _),) = read_books(Endless(b"x" * 256), BookContext(file, collection, MAX))
    assert reason(item) == ("books/too_long", 200 << 20, MAX)


def test_a_bomb_costs_no_more_than_the_longest_book() -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    frame = b"".join(packer.compress(bytes(1 << 24)) for _ in range(256)) + packer.flush()  # 4 GB in some hundred kB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dropped = one(frame, "a.txt.zst", most=8 << 20)
    assert (dropped.reason, dropped.measured) == ("books/too_long", (8 << 20) + (1 << 16))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_each_text_of_an_archive_is_a_book_and_other_members_are_none() -> None:
    members = {"1342.txt": b"Pride", "1342-h/1342-h.htm": b"<p>", "sub/notes.TXT": b"Notes", "cover.jpg": b"\xff"}
    found = read(zipped(members), "1342.zip")
    assert [(book.id, book.text) for book in found] == [
        ("books3/1342.zip#1342", "Pride"),
        ("books3/1342.zip#sub/notes", "Notes"),
    ]


def test_an_archive_without_a_text_is_dropped_and_one_that_is_none_is_an_error() -> None:
    assert reason(one(zipped({"a.htm": b"<p>"}), "a.zip")) == ("books/no_text_member", 0, 1)
    for data in (zipped({"a.txt": b"words"})[:-30], b"PK\x03\x04" + b"\xff" * 60, b"PK\x05\x06"):
        error = one(data, "a.zip")
        assert isinstance(error, MalformedRecord)
        assert (error.cause, error.is_record) == ("books/bad_zip", False)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("../up.txt", "books/unsafe_member"),
        ("/etc/up.txt", "books/unsafe_member"),
        ("a/../../up.txt", "books/unsafe_member"),
        ("C:/up.txt", "books/unsafe_member"),
        ("inner.zip", "books/nested_archive"),
        ("inner.txt.gz", "books/nested_archive"),
    ],
)
def test_a_member_that_leads_out_or_is_an_archive_is_an_error_and_the_others_are_read(name: str, cause: str) -> None:
    first, second = read(zipped({name: b"words", "good.txt": b"good"}), "a.zip")
    assert (first.cause, first.is_record) == (cause, True)
    assert second.text == "good"


def test_an_encrypted_member_is_an_error() -> None:
    data = bytearray(zipped({"a.txt": b"words"}))
    for place in (6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    assert one(bytes(data), "a.zip").cause == "books/encrypted_member"


def test_a_member_packed_by_an_unknown_method_is_an_error() -> None:
    assert one(zipped({"a.txt": b"words"}, zipfile.ZIP_LZMA), "a.zip").cause == "books/unknown_compression"


def test_a_member_with_a_wrong_checksum_is_an_error_and_the_next_is_read() -> None:
    data = zipped({"a.txt": b"words" * 9, "b.txt": b"more"}, zipfile.ZIP_STORED).replace(b"words", b"w0rds", 1)
    first, second = read(data, "a.zip")
    assert first.cause == "books/bad_member"
    assert second.text == "more"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_member_of_a_name_is_an_error() -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.txt", b"one")
        archive.writestr("a.txt", b"two")
    first, second = read(whole.getvalue(), "a.zip")
    assert (first.text, second.cause) == ("one", "books/duplicate_member")


def test_a_second_member_that_only_its_suffix_tells_from_the_first_is_an_error() -> None:
    first, second = read(zipped({"a.txt": b"one", "a.text": b"two"}), "a.zip")
    assert (first.text, second.cause) == ("one", "books/duplicate_member")


def test_a_damaged_member_of_bzip2_is_an_error_and_the_next_is_read() -> None:
    data = bytearray(zipped({"a.txt": b"words " * 1000, "b.txt": b"more"}, zipfile.ZIP_BZIP2))
    data[60] ^= 0xFF
    first, second = read(bytes(data), "a.zip")
    assert (first.cause, second.text) == ("books/bad_member", "more")


def test_members_that_share_bytes_are_errors_but_the_first() -> None:
    data = zipped({"a.txt": b"x" * 50, "b.txt": b"y" * 50}, zipfile.ZIP_STORED)
    directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    shared = bytearray(data)
    shared[directory + 42 : directory + 46] = (0).to_bytes(4, "little")  # the second one's place is the first one's
    found = read(bytes(shared), "a.zip")
    assert [getattr(item, "cause", "read") for item in found] == ["read", "books/overlapping_member"]


def test_a_member_that_expands_as_no_text_does_is_an_error_whatever_it_says_of_its_size() -> None:
    data = bytearray(zipped({"a.txt": b"x" * (8 << 20)}))
    honest = one(bytes(data), "a.zip", most=16 << 20)
    assert (honest.cause, honest.is_record) == ("books/bomb", True)
    assert reason(one(bytes(data), "a.zip", most=2000)) == ("books/too_long", 8 << 20, 2000)


def test_a_line_of_json_is_a_book() -> None:
    data = rows(
        {"text": "One\r\n", "id": 7, "title": "First", "author": "A"},
        {"text": "Two", "id": "x/y", "title": None, "author": None, "more": [1]},
    )
    first, second = read(data, "p.jsonl", id_column="id", title_column="title", author_column="author")
    assert (first.id, first.text) == ("books3/7", "One\n")
    assert (first.metadata["title"], first.metadata["author"]) == ("First", "A")
    assert second.id == "books3/x/y"
    assert "title" not in second.metadata


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zstandard.ZstdCompressor().compress])
def test_rows_without_ids_are_numbered_in_their_file_blank_lines_counted(pack: Callable[[bytes], bytes]) -> None:
    data = pack(rows({"content": "One"}) + b"\n" + rows({"content": "Two"}).rstrip())
    found = read(data, "sub/p.jsonl.gz", text_column="content")
    assert [book.id for book in found] == ["books3/sub/p.jsonl.gz#0", "books3/sub/p.jsonl.gz#2"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b'{"text": "\xff"}', "books/invalid_utf8"),
        (b'{"text": ', "books/bad_json"),
        (b"[" * 100_000, "books/bad_json"),
        (b"[1]", "books/bad_json"),
        (b'{"txt": "a"}', "books/missing_column"),
        (b'{"text": ["a"]}', "books/wrong_type"),
        (b'{"text": true}', "books/wrong_type"),
        (b'{"text": "\\ud800"}', "books/lone_surrogate"),
    ],
)
def test_a_line_that_is_no_row_is_an_error_at_its_place_and_the_next_is_read(line: bytes, cause: str) -> None:
    head = rows({"text": "One"})
    for data, place in (
        (head + line + b"\n" + head, (len(head), 0)),
        (gzip.compress(head + line + b"\n" + head), None),
    ):
        first, error, last = read(data, "p.jsonl")
        assert (first.text, last.text) == ("One", "One")
        assert (error.cause, error.is_record) == (cause, True)
        assert (error.offset, error.inner_offset) == (place or (0, len(head)))


def test_a_byte_order_mark_costs_no_row() -> None:
    found = read(b"\xef\xbb\xbf" + rows({"text": "One"}, {"text": "Two"}).replace(b"\n", b"\r\n"), "p.jsonl")
    assert [book.text for book in found] == ["One", "Two"]


def test_a_field_of_json_that_is_not_needed_may_be_left_out() -> None:
    (book,) = read(rows({"text": "One"}), "p.jsonl", title_column="title", author_column="author")
    assert (book.text, book.metadata.get("title")) == ("One", None)
    assert one(rows({"text": "One"}), "p.jsonl", id_column="id").cause == "books/missing_column"


def test_a_number_is_an_id_and_no_text() -> None:
    assert one(rows({"text": 5}), "p.jsonl").cause == "books/wrong_type"
    assert one(rows({"text": "5", "id": 0}), "p.jsonl", id_column="id").id == "books3/0"


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_column_may_hold_its_strings_in_any_way(kind: pa.DataType) -> None:
    found = read(parquet(text=pa.array(["One", None, "One"], kind)), "p.parquet")
    assert [getattr(item, "text", None) for item in found] == ["One", None, "One"]


def test_rows_without_a_text_are_dropped() -> None:
    found = read(rows({"text": None}, {"text": " \n"}, {"text": "a\0b"}, {"text": "x" * 2001}), "p.jsonl", most=2000)
    assert [reason(item) for item in found] == [
        ("books/no_text_value", None, None),
        ("books/empty", 0, 1),
        ("encoding/not_text", 1, 0),
        ("books/too_long", 2001, 2000),
    ]


def test_a_line_too_long_to_hold_is_dropped_by_its_size_and_the_next_is_read() -> None:
    long = 4 * MAX + 3
    first, second = read(b"x" * long + b"\n" + rows({"text": "Two"}), "p.jsonl", most=1 << 10)
    assert reason(first) == ("books/too_long", long, 1 << 10)
    assert second.text == "Two"


def test_a_line_without_end_ends_the_file() -> None:
    first, error = read(gzip.compress(rows({"text": "One"}) + bytes(20 << 20)), "p.jsonl", most=1 << 10)
    assert first.text == "One"
    assert (error.cause, error.is_record) == ("books/endless_line", False)


def test_a_cut_file_of_rows_gives_its_whole_lines_and_an_error() -> None:
    data = gzip.compress(rows(*({"text": f"Book {i} {'x' * i}"} for i in range(3000))))
    found = read(data[:-9], "p.jsonl.gz")
    assert isinstance(found[0], Document)
    assert (found[-1].cause, found[-1].is_record) == ("books/bad_gzip", False)


def test_a_row_of_parquet_is_a_book() -> None:
    data = parquet(text=["One", None, "Three"], n=[1, 2, 3], title=["A", "B", None])
    first, second, third = read(data, "p.parquet", id_column="n", title_column="title")
    assert (first.id, first.text, first.metadata["title"]) == ("books3/1", "One", "A")
    assert (second.id, reason(second)[0]) == ("books3/2", "books/no_text_value")
    assert (third.id, third.text) == ("books3/3", "Three")
    assert [book.id for book in read(data, "p.parquet")] == [f"books3/p.parquet#{row}" for row in range(3)]


def test_parquet_without_the_column_or_cut_is_an_error_of_the_file() -> None:
    whole = parquet(text=["One"])
    for data, cause in ((parquet(words=["One"]), "books/missing_column"), (whole[:-9], "books/bad_parquet")):
        error = one(data, "p.parquet")
        assert (error.cause, error.is_record) == (cause, False)
    assert one(parquet(text=[[1]]), "p.parquet").cause == "books/wrong_type"
    assert one(
        parquet(text=pa.array([b"\xff"]).view(pa.binary()).cast(pa.string(), safe=False)), "p.parquet"
    ).cause == ("books/invalid_utf8")


@given(st.binary(max_size=200), st.sampled_from(["a.txt", "a.txt.gz", "a.zip", "a.jsonl", "a.parquet"]))
def test_any_bytes_give_books_drops_or_errors(data: bytes, name: str) -> None:
    for head in (b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"PAR1"):
        for item in read(head + data, name):
            assert isinstance(item, Document | Dropped | MalformedRecord)


@given(
    st.integers(0, 400),
    st.integers(0, 255),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]),
)
def test_any_changed_byte_of_an_archive_gives_books_drops_or_errors(place: int, value: int, method: int) -> None:
    data = bytearray(zipped({"a.txt": b"words and words", "b.txt": b"more words"}, method))
    data[place % len(data)] = value
    for item in read(bytes(data), "a.zip"):
        assert isinstance(item, Document | Dropped | MalformedRecord)


def test_what_a_list_says_of_a_book_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text('10,"The Mill, a Story",1815,http://example.org/10\n11,The River,about 1900,\n')
    listed = read_listing(str(path))
    assert listed["10"] == ListedBook("The Mill, a Story", "1815-01-01T00:00:00+00:00", "http://example.org/10")
    assert listed["11"] == ListedBook("The River", "", "")
    book = one(b"words", "train/10.txt", listed=listed)
    assert (book.url, book.created) == ("http://example.org/10", "1815-01-01T00:00:00+00:00")
    assert book.metadata["title"] == "The Mill, a Story"
    assert "title" not in one(b"words", "train/12.txt", listed=listed).metadata


def test_a_listed_book_is_found_by_its_own_name_and_never_by_the_place_of_its_row() -> None:
    listed = {"10": ListedBook("The Mill", "", "http://example.org/10")}
    texts = rows(*({"text": f"Book {i}", "n": i} for i in range(12)))
    named = read(texts, "p.jsonl", listed=listed, id_column="n")
    assert [book.id for book in named if "title" in book.metadata] == ["books3/10"]
    assert not any("title" in book.metadata for book in read(texts, "10.jsonl", listed=listed))
    members = read(zipped({"10.txt": b"a", "11.txt": b"b"}), "all.zip", listed=listed)
    assert [book.id for book in members if "title" in book.metadata] == ["books3/all.zip#10"]


@pytest.mark.parametrize("content", [b"10,only\n", b"\xff\xfe\n", None])
def test_a_list_that_is_none_is_a_wrong_setting(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"metadata\.csv"):
        read_listing(str(path))


def shards(*sizes: int, dump: str = "g", suffix: str = ".txt") -> list[Shard]:
    return [
        Shard("books", f"{dump}~{i:03}{suffix}", "/", size, dump, below=f"{i:03}{suffix}")
        for i, size in enumerate(sizes)
    ]


def test_small_files_are_packed_and_large_ones_are_units_of_their_own() -> None:
    units = pack_units(shards(40, 50, 20, 500, 10, 10), 100)
    assert [(unit.name, unit.size, len(unit.files)) for unit in units] == [
        ("g~000.txt+1", 90, 2),
        ("g~002.txt", 20, 1),
        ("g~003.txt", 500, 1),
        ("g~004.txt+1", 20, 2),
    ]


def test_units_hold_files_of_one_collection_and_weigh_compressed_ones_by_their_text() -> None:
    both = [*shards(10, 10, dump="a"), *shards(10, dump="b")]
    assert [len(unit.files) for unit in pack_units(both, 100)] == [2, 1]
    assert [len(unit.files) for unit in pack_units(shards(30, 30, 30, suffix=".txt.gz"), 100)] == [1, 1, 1]


@given(st.lists(st.integers(0, 200), max_size=40), st.integers(1, 150))
def test_every_file_is_in_one_unit_in_its_place(sizes: list[int], unit_bytes: int) -> None:
    units = pack_units(shards(*sizes), unit_bytes)
    assert [file for unit in units for file in unit.files] == shards(*sizes)
    assert len({unit.name for unit in units}) == len(units)
    assert all(unit.size <= unit_bytes or len(unit.files) == 1 for unit in units)
