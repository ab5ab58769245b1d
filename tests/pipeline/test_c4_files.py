"""The published C4 read line by line: whatever is wrong with a line or the file is counted, and the rest is read."""

import functools
import gzip
import importlib.util
import io
import json
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.c4 import C4Limits, clean_page
from filters.c4_text import Sentences
from pipeline.document import Document, Dropped, MalformedRecord
from pipeline.parquet import documents_to_parquet
from pipeline.sources.c4_files import C4FileReason, Item, read_c4

#: Packs bytes without the time, which would be in the names of tests.
pack = functools.partial(gzip.compress, mtime=0)

NAME = "en/c4-train.00000-of-01024.json.gz"
CORPUS = Path(__file__).resolve().parents[1] / "corpus"


def row(
    text: object = "A page.", timestamp: object = "2019-04-25T12:57:54Z", url: object = "http://a.example/"
) -> bytes:
    return json.dumps({"text": text, "timestamp": timestamp, "url": url}).encode() + b"\n"


def read(content: bytes, **options: object) -> list[Item]:
    return [item for item, _ in read_c4(io.BytesIO(content), name=NAME, **options)]


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Document)]


def errors(items: list[Item]) -> list[tuple[str, int, int, bool]]:
    return [(e.cause, e.offset, e.inner_offset, e.is_record) for e in items if isinstance(e, MalformedRecord)]


def test_a_line_becomes_a_document_with_its_text_unchanged() -> None:
    text = " One.\r\n\tTwo.\u2028Three. \U0001f954\n\n"
    (document,) = read(row(text, "2019-04-25T12:57:54Z", "https://a.example/?x=ü"))
    assert document == Document(
        id="c4/c4-train.00000-of-01024.json.gz:1",
        source="c4",
        text=text,
        url="https://a.example/?x=ü",
        language="en",
        created="2019-04-25T12:57:54Z",
    )


def test_ids_count_lines_from_one_blank_ones_too() -> None:
    items = read(row("1") + b"\n  \r\n" + row("4") + b"no JSON\n" + row("6"))
    assert [item.id.rpartition(":")[2] for item in items if isinstance(item, Document)] == ["1", "4", "6"]


def test_fields_that_c4_does_not_have_are_left_alone() -> None:
    assert texts(read(b'{"url": "u", "x": [1], "text": "t", "timestamp": "", "text": "last"}\r\n')) == ["last"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_language_is_the_callers(language: str) -> None:
    (document,) = read(row(), language=language)
    assert isinstance(document, Document)
    assert document.language == language


@pytest.mark.parametrize(
    ("timestamp", "created"),
    [
        ("2019-04-25T12:57:54Z", "2019-04-25T12:57:54Z"),
        ("2019-04-25T12:57:54", "2019-04-25T12:57:54+00:00"),
        ("2019-04-25T14:57:54+02:00", "2019-04-25T12:57:54+00:00"),
        ("", ""),
        ("yesterday", ""),
        ("0001-01-01T00:00:00+23:00", ""),
    ],
)
def test_the_time_is_in_utc_or_empty(timestamp: str, created: str) -> None:
    (document,) = read(row(timestamp=timestamp))
    assert isinstance(document, Document)
    assert document.created == created


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"no JSON\n", "c4/bad_json"),
        (b'{"text": "cut\n', "c4/bad_json"),
        (b'"a string"\n', "c4/bad_json"),
        (b"[" * 100_000 + b"\n", "c4/bad_json"),
        (b'{"text": ' + b"1" * 5000 + b"}\n", "c4/bad_json"),
        (b"\x00\x00\x00\x00\n", "c4/bad_json"),
        (b'{"text": "a\x00b", "timestamp": "", "url": ""}\n', "c4/bad_json"),
        (b'\xef\xbb\xbf{"text": "a", "timestamp": "", "url": ""}\n', "c4/bad_json"),
        (b'{"text": "\xff", "timestamp": "", "url": ""}\n', "c4/invalid_utf8"),
        (b'{"text": "\xed\xa0\x80", "timestamp": "", "url": ""}\n', "c4/invalid_utf8"),
        (b'{"timestamp": "", "url": ""}\n', "c4/missing_field"),
        (b'{"text": "a", "url": ""}\n', "c4/missing_field"),
        (b'{"text": "a", "timestamp": ""}\n', "c4/missing_field"),
        (row(text=None), "c4/wrong_type"),
        (row(text=["a"]), "c4/wrong_type"),
        (row(timestamp=1556197074), "c4/wrong_type"),
        (row(url={}), "c4/wrong_type"),
        (row(text="a\ud800b"), "c4/lone_surrogate"),
        (row(url="\udc00"), "c4/lone_surrogate"),
        (row(text="\ude00\ud83d"), "c4/lone_surrogate"),
    ],
)
def test_a_line_that_is_no_page_is_counted_where_it_stands_and_the_next_one_is_read(line: bytes, cause: str) -> None:
    items = read(row("first") + line + row("last"))
    assert errors(items) == [(cause, len(row("first")), 0, True)]
    assert texts(items) == ["first", "last"]
    packed = read(pack(row("first") + line + row("last")))
    assert errors(packed) == [(cause, 0, len(row("first")), True)]
    assert texts(packed) == ["first", "last"]


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert texts(read(b'{"text": "\\ud83e\\udd54", "timestamp": "", "url": ""}\n')) == ["\U0001f954"]


def test_an_escaped_nul_is_text_and_parquet_takes_it() -> None:
    (document,) = read(row("a\0b"))
    assert isinstance(document, Document)
    assert document.text == "a\0b"
    assert documents_to_parquet([document])


@pytest.mark.parametrize("text", ["", " ", "\n\u3000\t"])
def test_a_page_without_text_is_dropped_with_its_reason(text: str) -> None:
    (dropped,) = read(row(text, url="http://a.example/x"))
    assert dropped == Dropped(
        "c4/c4-train.00000-of-01024.json.gz:1", "http://a.example/x", C4FileReason.EMPTY, measured=0, limit=1
    )


def test_a_line_may_be_as_long_as_allowed_and_no_longer() -> None:
    first, last = row("first"), row("last")
    long = row("x" * 500)
    size = len(long) - 1  # the line end does not count
    content = first + long + last
    assert texts(read(content, max_line_bytes=size)) == ["first", "x" * 500, "last"]
    items = read(content, max_line_bytes=size - 1)
    assert errors(items) == [("c4/line_too_long", len(first), 0, True)]
    assert texts(items) == ["first", "last"]


def test_a_line_without_end_is_let_go_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"[" * (1 << 20)) for _ in range(80)) + packer.flush()
    items = read(bomb)
    assert errors(items) == [("c4/line_too_long", 0, 0, True)]
    assert f"a line of {80 << 20} bytes; {64 << 20} are allowed" in str(items[0])


def test_the_last_line_needs_no_end() -> None:
    assert texts(read(row("1") + row("2")[:-1])) == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n", pack(b""), pack(b"\n")])
def test_an_empty_file_has_no_record(content: bytes) -> None:
    assert read(content) == []


# ------------------------------------------------------------------------------------------------------- faults of gzip


def test_of_a_cut_file_all_whole_lines_are_read_and_the_cut_one_is_counted() -> None:
    lines = [row(f"page {i} " + "x" * 50) for i in range(400)]
    packed = pack(b"".join(lines), 6)
    for cut in (11, len(packed) // 3, len(packed) // 2, len(packed) - 9):
        items = read(packed[:cut])
        there = zlib.decompressobj(31).decompress(packed[:cut])
        whole = there.count(b"\n")
        assert texts(items) == [json.loads(line)["text"] for line in lines[:whole]]
        begun = there.rpartition(b"\n")[0]
        partial = len(there) > len(begun) + 1 if whole else bool(there)
        inner = (len(begun) + 1 if whole else 0) if partial else len(there)
        assert errors(items) == [("c4/truncated", 0, inner, partial)]


def test_a_file_cut_between_two_lines_has_lost_no_record_that_is_known() -> None:
    packed = pack(row("1") + row("2"))
    items = read(packed[:-8])  # without checksum and length
    assert texts(items) == ["1", "2"]
    assert errors(items) == [("c4/truncated", 0, len(row("1") + row("2")), False)]


def test_of_a_damaged_file_the_lines_before_the_fault_are_read_and_the_fault_is_counted_once() -> None:
    lines = [row(f"page {i} " + str(zlib.crc32(b"%d" % i))) for i in range(3000)]
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    packed = packer.compress(b"".join(lines)[:-9]) + packer.flush(zlib.Z_FULL_FLUSH)
    items = read(packed + b"\xff" * 1000)  # a block of a type that there is not
    assert texts(items) == [json.loads(line)["text"] for line in lines[:-1]]
    before = len(b"".join(lines[:-1]))
    assert errors(items) == [("c4/bad_gzip", 0, before, True)]


def test_a_wrong_checksum_is_counted_and_the_lines_are_read() -> None:
    packed = bytearray(pack(row("1") + row("2")))
    packed[-8] ^= 1
    items = read(bytes(packed))
    assert texts(items) == ["1", "2"]
    assert errors(items) == [("c4/bad_gzip", 0, len(row("1") + row("2")), False)]


def test_members_follow_each_other_and_a_line_may_cross_from_one_to_the_next() -> None:
    first, second = row("1") + row("2")[:20], row("2")[20:] + b"x\n" + row("3")
    packed = pack(first) + pack(second)
    items = read(packed)
    assert texts(items) == ["1", "2", "3"]
    assert errors(items) == [("c4/bad_json", len(pack(first)), len(row("2")[20:]), True)]


@pytest.mark.parametrize("tail", [b"\0" * 512, b"garbage"])
def test_what_follows_the_last_member_is_counted(tail: bytes) -> None:
    packed = pack(row("1"))
    items = read(packed + tail)
    assert texts(items) == ["1"]
    assert errors(items) == [("c4/garbage", len(packed), 0, False)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_position_grows_to_the_size_of_the_file(pack) -> None:
    content = pack(b"".join(row(f"page {i}" + "x" * 5000) for i in range(500)))
    positions = [position for _, position in read_c4(io.BytesIO(content), name=NAME)]
    assert len(positions) == 500
    assert positions == sorted(positions)
    assert positions[-1] == len(content)


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7)


LINES = st.lists(
    st.one_of(
        st.builds(row, st.text(max_size=8)),
        st.sampled_from([b"\n", b" \n", b"x\n", b"\xff\n", b"{}\n", b'{"text": 1}\n', b'"\n']),
        st.binary(max_size=6).filter(lambda data: b"\n" not in data).map(lambda data: data + b"\n"),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(LINES, st.sampled_from([bytes, gzip.compress]), st.sampled_from([io.BytesIO, Trickle]), st.booleans())
def test_documents_dropped_and_errors_add_up_to_the_lines(lines: list[bytes], pack, stream, cut) -> None:
    content = b"".join(lines)[: -1 if cut else None]
    items = [item for item, _ in read_c4(stream(pack(content)), name=NAME)]
    assert len(items) == len([line for line in content.split(b"\n") if line.strip()])
    assert all(item.is_record for item in items if isinstance(item, MalformedRecord))


# ---------------------------------------------------------------------------------------------------------- real files


def test_the_published_sample_is_read_whole(real_data: Path) -> None:
    path = real_data / "c4" / "c4-train.00000-of-01024.sample.json.gz"
    with gzip.open(path) as lines:
        rows = [json.loads(line) for line in lines]
    with path.open("rb") as stream:
        documents = [item for item, _ in read_c4(stream, name=str(path))]
    assert len(documents) == 666
    for document, wanted in zip(documents, rows, strict=True):
        assert isinstance(document, Document)
        assert (document.text, document.url) == (wanted["text"], wanted["url"])
        # This copy has no "T" and no "Z" in its times; they are UTC as all of C4's.
        assert document.created == wanted["timestamp"].replace(" ", "T") + "+00:00"


def test_a_file_with_other_fields_is_told_line_by_line(real_data: Path) -> None:
    path = real_data / "c4" / "olmo" / "c4-sample.01.json.gz"  # "date" in place of "timestamp"
    with path.open("rb") as stream:
        items = [item for item, _ in read_c4(stream, name=path.name)]
    assert [(cause, is_record) for cause, _, _, is_record in errors(items)] == [("c4/missing_field", True)] * 10


# -------------------------------------------------------------------------------------------------------- the miniature


@pytest.fixture(scope="module")
def generator():
    """The module that wrote the bundled files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(CORPUS), *sys.path])
        spec = importlib.util.spec_from_file_location("mini_c4", CORPUS / "mini_c4.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def test_the_generator_writes_the_committed_files_again(generator) -> None:
    assert {path.name for path in (CORPUS / "c4").iterdir()} == set(generator.FILES)
    for file in generator.FILES:
        assert gzip.decompress((CORPUS / "c4" / file).read_bytes()) == generator.content(file)


def test_the_bundled_pages_are_as_c4s_rules_leave_them(generator) -> None:
    sentences = Sentences()
    urls = []
    for file, pages in generator.FILES.items():
        with (CORPUS / "c4" / file).open("rb") as stream:
            documents = [item for item, _ in read_c4(stream, name=file)]
        assert len(texts(documents)) == pages
        for document in documents:
            assert isinstance(document, Document)
            assert clean_page(document.text, C4Limits(), sentences.count).text == document.text
            urls.append(document.url)
    assert len(urls) == len(set(urls)) == 40
