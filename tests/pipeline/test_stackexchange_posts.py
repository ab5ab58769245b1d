"""Posts.xml into posts: every row once, for any split, and a broken one costs itself alone."""

import io
import itertools
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.document import Document, Dropped, MalformedRecord
from pipeline.sources.stackexchange_posts import Item, read_posts

HEAD = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
END = b"</posts>"
QUESTION = b'  <row Id="%d" PostTypeId="1" Score="3" Title="T" Body="&lt;p&gt;B&lt;/p&gt;" />\r\n'


def rows(*numbers: int) -> bytes:
    return b"".join(QUESTION % number for number in numbers)


def read(data: bytes, **options: Any) -> list[Item]:
    stream = io.BytesIO(data)
    return [item for item, _ in read_posts(stream, site="a.example", dump="D", **options)]


def summary(items: list[Item]) -> list[str]:
    """Ids of posts, reasons of dropped ones, causes of errors; those at which no row starts in brackets."""
    return [
        (item.cause if item.is_record else f"({item.cause})")
        if isinstance(item, MalformedRecord)
        else item.reason
        if isinstance(item, Dropped)
        else item.id.partition("/")[2]
        for item in items
    ]


def test_a_question_and_an_answer_are_documents_with_what_the_join_needs() -> None:
    question = (
        b'<row Id="17" PostTypeId="1" AcceptedAnswerId="18" CreationDate="2016-08-02T15:39:14.947" Score="-5" '
        b'Body="&lt;p&gt;a &amp;lt; b&#xA;&quot;\xc3\xa9&quot;&lt;/p&gt;" Title="T &amp; U" '
        b'Tags="&lt;c++&gt;&lt;d-e&gt;" />'
    )
    answer = b'<row Id="18" PostTypeId="2" ParentId="17" CreationDate="2016-08-02T15:39:14.947" Score="0" Body="x" />'
    first, second = read(HEAD + question + answer + END)
    assert first == Document(
        "a.example/17",
        "stackexchange",
        '<p>a &lt; b\n"é"</p>',
        url="https://a.example/questions/17",
        created="2016-08-02T15:39:14.947000+00:00",
        metadata={
            "dump": "D",
            "title": "T & U",
            "score": -5,
            "tags": "c++,d-e",
            "post": 17,
            "question": 17,
            "is_question": True,
        },
    )
    assert isinstance(second, Document)
    assert (second.id, second.url, second.text) == ("a.example/18", "https://a.example/a/18", "x")
    assert (second.metadata["question"], second.metadata["post"], second.metadata["is_question"]) == (17, 18, False)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (b'Id="1" PostTypeId="5" Body=""', "stackexchange/other_post_type"),
        (b'Id="1" PostTypeId="1" DeletionDate="2020-01-01" Score="0"', "stackexchange/deleted"),
        (b'PostTypeId="1" Score="0"', "stackexchange/missing_field"),
        (b'Id="1" Score="0"', "stackexchange/missing_field"),
        (b'Id="1" PostTypeId="1"', "stackexchange/missing_field"),
        (b'Id="1" PostTypeId="2" Score="0"', "stackexchange/missing_field"),
        (b'Id="0" PostTypeId="1" Score="0"', "stackexchange/bad_number"),
        (b'Id="-1" PostTypeId="1" Score="0"', "stackexchange/bad_number"),
        (b'Id="\xd9\xa3" PostTypeId="1" Score="0"', "stackexchange/bad_number"),
        (b'Id="1" PostTypeId="one" Score="0"', "stackexchange/bad_number"),
        (b'Id="1" PostTypeId="2" ParentId="0" Score="0"', "stackexchange/bad_number"),
        (b'Id="1" PostTypeId="1" Score="1.5"', "stackexchange/bad_number"),
        (b'Id="1" PostTypeId="1" Score="9223372036854775808"', "stackexchange/bad_number"),
        (b'Id="1" PostTypeId="1" Score=""', "stackexchange/bad_number"),
        (b'Id="1" PostTypeId="1" Score="0" Title="a & b"', "stackexchange/bad_xml"),
        (b'Id="1" Id="2" PostTypeId="1" Score="0"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="&lol;"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="&#x0;"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="&#xD800;"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="a\0b"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="a <b> c"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="a > <b> c"', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="not closed', "stackexchange/bad_xml"),
        (b'Id="1" PostTypeId="1" Score="0" Body="\xff\xfe"', "stackexchange/invalid_utf8"),
        (b'Id="1" PostTypeId="1" Score="0" Body="\xed\xa0\x80"', "stackexchange/invalid_utf8"),
    ],
)
def test_a_row_that_is_no_post_says_why_and_the_next_is_read(row: bytes, found: str) -> None:
    assert summary(read(HEAD + rows(7) + b"  <row " + row + b" />\r\n" + rows(8) + END)) == ["7", found, "8"]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (b"<row Id='1' PostTypeId='1' Score='0' Body='a \"/> b'/>", "1"),
        (b'<row\n\tId="1"\n\tPostTypeId="1" Score="+1" />', "stackexchange/bad_number"),
        (b'<row Id="1" PostTypeId="1" Score="0"></row>', "1"),
        (b'<row Id="1" PostTypeId="1" Score="0">\n</row >', "1"),
        (b"<row/>", "stackexchange/missing_field"),
    ],
)
def test_rows_may_be_written_in_other_ways(row: bytes, found: str) -> None:
    assert summary(read(HEAD + row + rows(8) + END)) == [found, "8"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", ["(stackexchange/empty)"]),
        (b" \r\n", ["(stackexchange/empty)"]),
        (b"\0\1\2garbage", ["(stackexchange/not_posts)"]),
        (HEAD + END, []),
        (b"<posts />", []),
        (b"<posts/>\n\n", []),
        (HEAD, ["(stackexchange/truncated)"]),
        (HEAD + rows(1), ["1", "(stackexchange/truncated)"]),
        (HEAD + rows(1) + END[:-1], ["1", "(stackexchange/truncated)"]),
        (HEAD + rows(1)[:-4], ["stackexchange/truncated"]),
        (HEAD + rows(1) + b"<row", ["1", "(stackexchange/truncated)"]),
        (rows(1, 2), ["1", "2"]),
        (HEAD + rows(1) + b"garbage" + rows(2) + END, ["1", "(stackexchange/garbage)", "2"]),
        (HEAD + rows(1).rstrip() + b"\0\0garbage", ["1", "(stackexchange/truncated)"]),
        (HEAD + rows(1) + b'it\'s "garbage" />' + rows(2) + END, ["1", "(stackexchange/garbage)", "2"]),
        (HEAD + b"garbage" + rows(2) + END, ["(stackexchange/garbage)", "2"]),
        (HEAD + rows(1) + b"<col/>" + rows(2) + END, ["1", "(stackexchange/garbage)", "2"]),
        (HEAD + rows(1) + END + b"\r\n\0\0", ["1"]),
        (HEAD + rows(1) + END + b"more", ["1", "(stackexchange/garbage)"]),
        (HEAD + rows(1) + END + HEAD + rows(2) + END, ["1", "(stackexchange/garbage)", "2"]),
        (b"<?xml version='1.0'?><comments><row Id='1' /></comments>", ["(stackexchange/not_posts)"]),
        (b"<!DOCTYPE posts [<!ENTITY a 'b'>]><posts>" + rows(1) + END, ["(stackexchange/document_type)"]),
        (b"<?xml version='1.0' encoding='UTF-16'?><posts>" + rows(1) + END, ["(stackexchange/encoding)"]),
        ((HEAD + rows(1) + END).decode().encode("utf-16"), ["(stackexchange/encoding)"]),
        (b"<?xml version='1.0'?><!-- made by hand --><posts>" + rows(1) + END, ["1"]),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_file_is_one_error(data: bytes, found: list[str]) -> None:
    assert summary(read(data)) == found


def test_garbage_behind_a_row_is_told_where_it_begins_and_the_row_is_read() -> None:
    data = HEAD + rows(1).rstrip() + b" &garbage" * 20_000 + rows(2) + END
    first, garbage, second = read(data)
    assert summary([first, second]) == ["1", "2"]
    assert isinstance(garbage, MalformedRecord)
    assert (garbage.offset, garbage.detail[:33]) == (data.index(b"&garbage"), "160000 bytes that are no row, the")


def test_a_deleted_or_other_post_has_the_address_of_its_kind() -> None:
    deleted = b'<row Id="%d" PostTypeId="%d" ParentId="1" Score="0" DeletionDate="2020-01-01" />'
    question, answer = read(HEAD + deleted % (1, 1) + deleted % (2, 2) + END)
    assert isinstance(question, Dropped)
    assert isinstance(answer, Dropped)
    assert (question.url, answer.url) == ("https://a.example/questions/1", "https://a.example/a/2")


def test_errors_tell_where_they_begin() -> None:
    data = HEAD + rows(1) + b'  <row Id="x" PostTypeId="1" Score="1" />\n' + rows(3)
    _, error, _, end = read(data)
    assert isinstance(error, MalformedRecord)
    assert isinstance(end, MalformedRecord)
    assert (error.offset, error.inner_offset) == (data.index(b'<row Id="x"'), 0)
    assert (end.offset, end.inner_offset) == (len(data), 0)
    packed = read(data, is_packed=True)[1]
    assert isinstance(packed, MalformedRecord)
    assert (packed.offset, packed.inner_offset) == (0, error.offset)


class Endless(io.RawIOBase):
    """A row that does not end for 300 MB, then a post."""

    def __init__(self) -> None:
        self._parts = self._make()

    def _make(self) -> Iterator[bytes]:
        yield HEAD + b'<row Id="1" Body="'
        for _ in range(300):
            yield b"x" * 1_000_000
        yield b'" />' + rows(2) + END

    def read(self, size: int = -1) -> bytes:
        return next(self._parts, b"")


def test_a_row_of_300_megabytes_is_an_error_in_little_memory() -> None:
    tracemalloc.start()
    items = [item for item, _ in read_posts(Endless(), site="a.example", dump="D", max_row_bytes=1 << 20)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary(items) == ["stackexchange/row_too_long", "2"]
    assert peak < 10_000_000


def test_nothing_behind_a_row_makes_it_too_long() -> None:
    row = rows(1).rstrip()
    for behind, found in ((bytes(5_000_000), []), (b"x" * 5_000_000, ["(stackexchange/garbage)"])):
        assert summary(read(HEAD + row + behind + rows(2) + END, max_row_bytes=1 << 20)) == ["1", *found, "2"]
        torn = ["1", "(stackexchange/truncated)"]
        assert summary(read(HEAD + row + behind, max_row_bytes=1 << 20)) == torn


def test_a_row_at_the_limit_is_read_and_one_above_is_not() -> None:
    size = len(rows(1).strip())
    assert summary(read(HEAD + rows(1) + END, max_row_bytes=size)) == ["1"]
    assert summary(read(HEAD + rows(1) + END, max_row_bytes=size - 1)) == ["stackexchange/row_too_long"]


class Torn(io.BytesIO):
    """A stream whose archive is damaged behind its last byte."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(min(size or 0, 50))
        if not data:
            raise MalformedRecord("7z/bad_data", "a bit is wrong", offset=0, is_record=False)
        return data


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (HEAD + rows(1, 2) + END, ["1", "2", "(7z/bad_data)"]),
        (HEAD + rows(1, 2), ["1", "2", "(7z/bad_data)"]),
        (HEAD + rows(1, 2)[:-20], ["1", "7z/bad_data"]),
        (HEAD, ["(7z/bad_data)"]),
        (b"", ["(7z/bad_data)"]),
    ],
)
def test_damage_of_the_archive_is_one_error_where_it_strikes(data: bytes, found: list[str]) -> None:
    items = [item for item, _ in read_posts(Torn(data), site="a.example", dump="D", is_packed=True)]
    assert summary(items) == found


def read_split(data: bytes, cuts: list[int]) -> list[Item]:
    edges = [0, *sorted(cuts), None]
    return [item for start, end in itertools.pairwise(edges) for item in read(data, start=start or 0, end=end)]


PIECES = st.one_of(
    st.integers(1, 99).map(lambda number: QUESTION % number),
    st.sampled_from(
        [
            b"<row Id='1' />",
            b"<row",
            b"<rows>",
            b"garbage",
            b"\n\n   ",
            b"<row Id='3' PostTypeId='1' Score='1' Body='a > b' ></row>",
            b"<row Id='3' PostTypeId='1' Score='1' Body='a < b' />",
            b"<row Id='3' PostTypeId='1' Score='1' Body='\xff' />",
            b"</posts>",
            b"<posts>",
            b"<!-- a -->",
        ]
    ),
)


@given(
    st.booleans(),
    st.lists(PIECES, max_size=12),
    st.booleans(),
    st.lists(st.integers(1, 900), max_size=6, unique=True),
)
def test_any_split_gives_every_item_once(has_head: bool, pieces: list[bytes], has_end: bool, cuts: list[int]) -> None:
    data = (HEAD if has_head else b"") + b"".join(pieces) + (END if has_end else b"")
    whole = read(data)
    split = read_split(data, [cut for cut in cuts if cut < len(data)])
    assert [repr(item) for item in split] == [repr(item) for item in whole]


def test_a_file_may_be_split_at_any_byte() -> None:
    broken = b"<row Id='3' PostTypeId='1' Score='1' Body='a < b' />garbage<row Id='4' PostTypeId='7' />"
    data = HEAD + rows(1, 2) + broken + rows(5) + END
    whole = summary(read(data))
    assert whole == ["1", "2", "stackexchange/bad_xml", "stackexchange/other_post_type", "5"]
    assert all(summary(read_split(data, [cut])) == whole for cut in range(1, len(data)))


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_every_row_start_leaves_once(data: bytes) -> None:
    items = read(HEAD + data + END)
    starts = sum((data + END).count(b"<row" + mark) for mark in (b" ", b"/", b">", b"\n"))
    left = [item for item in items if not isinstance(item, MalformedRecord) or item.is_record]
    assert len(left) == starts or summary(items) == ["(stackexchange/not_posts)"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("data", [b"<" * 1_000_000, b"<row " * 50_000, b"<row" * 250_000, b"<!--" * 250_000])
def test_hostile_files_are_read_in_linear_time(data: bytes) -> None:
    items = read(HEAD + data)
    assert all(isinstance(item, MalformedRecord) for item in items)


REAL = {
    "ai.stackexchange.com": {"Document": 1170, "Dropped": 109},
    "beer.stackexchange.com-2015": {"Document": 1528, "Dropped": 48},
    "beer.stackexchange.com-2017": {"Document": 2235, "Dropped": 119},
    "french.meta.stackexchange.com": {"Document": 761, "Dropped": 20},
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_as_an_xml_parser_reads_them(name: str, real_data: Path) -> None:
    file = real_data / "stackexchange" / name / "Posts.xml"
    items = read(file.read_bytes())
    assert Counter(type(item).__name__ for item in items) == REAL[name]
    expected = [row.attrib for _, row in ElementTree.iterparse(file) if row.tag == "row"]
    found = {item.id.partition("/")[2]: item for item in items}
    assert list(found) == [row["Id"] for row in expected]
    for row in expected:
        item = found[row["Id"]]
        if isinstance(item, Document):
            assert (item.text, item.metadata["score"]) == (row["Body"], int(row["Score"]))
            assert item.metadata["title"] == row.get("Title", "")
            assert item.metadata["tags"] == row.get("Tags", "").replace("><", ",").strip("<>")
    data = file.read_bytes()
    split = read_split(data, list(range(100_003, len(data), 100_003)))
    assert split == items
