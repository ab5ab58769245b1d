"""What comes out of MediaWiki dumps, whole and broken: every page start ends as one page or one error."""

import bz2
import glob
import gzip
import hashlib
import io
import re
import time
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.document import MalformedRecord
from pipeline.sources.mediawiki import read_wiki, wiki_name
from pipeline.sources.wiki_xml import WikiPage

NAME = "dewiki-20220720-pages-articles.xml"
HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-{version}/" version="{version}" xml:lang="en">
  <siteinfo><dbname>enwiki</dbname><namespaces><namespace key="0" /><namespace key="1">Diskussion</namespace>
  <namespace key="10" case="first-letter">Vorlage</namespace><namespace key="4">A &amp; B</namespace></namespaces>
  </siteinfo>
"""
TAIL = "</mediawiki>\n"


def head(version: str = "0.10") -> bytes:
    return HEAD.format(version=version).encode()


def page(number: int, text: str = "Text.", *, title: str | None = None, extra: str = "") -> bytes:
    """A page element; ``extra`` stands between its id and its revision."""
    return (
        f"  <page>\n    <title>{title or f'Page {number}'}</title>\n    <ns>0</ns>\n    <id>{number}</id>{extra}\n"
        f"    <revision>\n      <id>9{number}</id>\n      <timestamp>2022-07-0{number % 9 + 1}T00:00:00Z</timestamp>\n"
        f"      <contributor><username>N</username><id>77</id></contributor>\n"
        f'      <text xml:space="preserve">{text}</text>\n    </revision>\n  </page>\n'
    ).encode()


def dump(*pages: bytes, version: str = "0.10") -> bytes:
    return head(version) + b"".join(pages) + TAIL.encode()


def read(data: bytes, *, name: str = NAME, **options) -> list:
    return [item for item, _ in read_wiki(io.BytesIO(data), name=name, **options)]


def brief(items: list) -> list:
    """Pages by number, errors by cause; an error that is a record has an exclamation mark."""
    return [item.id if isinstance(item, WikiPage) else item.cause + "!" * item.is_record for item in items]


def multistream(*parts: bytes) -> bytes:
    return b"".join(map(bz2.compress, parts))


FIVE = [page(number, f"Text {number} " + hashlib.sha256(bytes([number])).hexdigest() * 20) for number in range(1, 6)]
STREAMS = [head(), FIVE[0] + FIVE[1], FIVE[2] + FIVE[3], FIVE[4], TAIL.encode()]


# Sound dumps


def test_a_page_has_all_its_fields() -> None:
    text = "  '''A''' &lt;ref&gt;http://a.org/?x=1&amp;amp;y&lt;/ref&gt;\n\n“ü” "
    (found,) = read(dump(page(7, text, title="A &amp; B", extra='<redirect title="C &quot;D&quot;" />')))
    assert found == WikiPage(
        id=7,
        namespace=0,
        title="A & B",
        redirect='C "D"',
        timestamp="2022-07-08T00:00:00Z",
        text="  '''A''' <ref>http://a.org/?x=1&amp;y</ref>\n\n“ü” ",
        wiki="dewiki",
    )


@pytest.mark.parametrize("version", ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.10", "0.11"])
@pytest.mark.parametrize("prefix", [b"", b"mw:"])
def test_all_versions_are_read_with_and_without_a_namespace_prefix(version, prefix) -> None:
    data = re.sub(rb"<(/?)(?=[a-z])", rb"<\1" + prefix, dump(*FIVE, version=version))
    if prefix:
        data = data.replace(b"xmlns=", b"xmlns:mw=")
    assert ElementTree.fromstring(data).tag.endswith("mediawiki")
    assert read(data) == read(dump(*FIVE))
    assert brief(read(data)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, bz2.compress, lambda data: gzip.compress(data[:3000]) + gzip.compress(data[3000:])],
    ids=["plain", "gzip", "bzip2", "gzip members"],
)
@pytest.mark.parametrize("name", ["dewiki-1.xml", "dewiki-1.xml.gz", "dewiki-1.xml.bz2", "dewiki-1.txt"])
def test_the_content_tells_the_compression_and_not_the_name(pack, name) -> None:
    assert read(pack(dump(*FIVE)), name=name) == read(dump(*FIVE))


def test_all_streams_of_a_multistream_dump_are_read_wherever_they_part() -> None:
    whole = dump(*FIVE)
    assert read(multistream(*STREAMS)) == read(whole)
    for cut in range(0, len(whole), 97):
        assert read(multistream(whole[:cut], b"", whole[cut:])) == read(whole)


@given(st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_how_the_file_is_handed_out_makes_no_difference(size) -> None:
    class Trickle(io.BytesIO):
        def read(self, _wanted: int = -1) -> bytes:
            return super().read(size)

    for data in (dump(*FIVE), multistream(*STREAMS), gzip.compress(dump(*FIVE))):
        assert [item for item, _ in read_wiki(Trickle(data), name=NAME)] == read(dump(*FIVE))


def test_positions_grow_up_to_the_size_of_the_file() -> None:
    data = multistream(*STREAMS)
    positions = [position for _, position in read_wiki(io.BytesIO(data), name=NAME)]
    assert positions == sorted(positions)
    assert 0 < positions[0] <= positions[-1] <= len(data)


def test_a_dump_without_pages_is_no_error() -> None:
    assert read(dump()) == []
    assert read(bz2.compress(dump())) == []


def test_a_byte_order_mark_a_declaration_and_comments_may_stand_before_the_dump() -> None:
    before = b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>\n<!-- made - by -- hand --><!---->\n"
    assert brief(read(before + dump(*FIVE))) == [1, 2, 3, 4, 5]


def test_pages_without_head_and_end_are_read() -> None:
    assert brief(read(FIVE[0] + FIVE[1])) == [1, 2]
    assert brief(read(bz2.compress(FIVE[0] + FIVE[1]))) == [1, 2]


def test_dumps_joined_to_one_file_are_read_on() -> None:
    other = dump(page(8), version="0.3").replace(b"enwiki", b"frwiki")
    items = read(dump(*FIVE) + b"<?xml version='1.0'?>" + other, name="joined.xml")
    assert [(item.id, item.wiki) for item in items][-2:] == [(5, "enwiki"), (8, "frwiki")]


def test_an_empty_dump_among_joined_ones_lends_its_name_to_no_page() -> None:
    named = [dump(*pages).replace(b"enwiki", wiki) for wiki, pages in ((b"dewiki", FIVE), (b"frwiki", ()))]
    joined = b"".join(named) + dump(page(8)).replace(b"enwiki", b"itwiki")
    items = read(joined, name="joined.xml")
    assert [(item.wiki, item.id) for item in items] == [*(("dewiki", n) for n in range(1, 6)), ("itwiki", 8)]
    assert brief(read(joined[: -len(TAIL)], name="joined.xml"))[-1] == "mediawiki/truncated"


def test_the_files_name_tells_the_wiki_and_only_without_one_the_head() -> None:
    assert read(dump(page(1)), name="x/frwiki-latest.xml")[0].wiki == "frwiki"
    assert read(dump(page(1)), name="frwiki/pages.xml")[0].wiki == "enwiki"
    assert read(dump(page(1)).replace(b"<dbname>enwiki</dbname>", b""), name="pages.xml")[0].wiki == ""
    assert wiki_name("zh_min_nanwiki-20220701.xml") == "zh_min_nanwiki"
    assert wiki_name("MINI-dewiktionary.xml.bz2") == "dewiktionary"
    assert wiki_name("wikis.xml") == wiki_name("mediawiki-export.xml") == ""
    assert wiki_name("mediawikiwiki-20220701.xml") == "mediawikiwiki"
    assert wiki_name("my_dewiki.xml") == wiki_name("all_the_dewiki-1.xml") == "dewiki"
    assert wiki_name("my_wiki.xml") == wiki_name("my_mediawiki.xml") == ""


# Old schemas


def test_where_there_is_no_namespace_the_title_tells_it() -> None:
    pages = [page(n, title=title) for n, title in enumerate(("A", "diskussion: A", "VORLAGE:B", "A & B:C", "X:Y"), 1)]
    data = dump(*pages, version="0.3").replace(b"<ns>0</ns>", b"").replace(b"A & B:C", b"A &amp; B:C")
    assert [item.namespace for item in read(data)] == [0, 1, 10, 4, 0]


@pytest.mark.parametrize(
    ("version", "flag", "text", "target"),
    [
        ("0.10", '<redirect title="T" />', "anything", "T"),
        ("0.4", "<redirect />", "#WEITERLEITUNG [[Ziel#Teil|x]]", "Ziel"),
        ("0.4", "<redirect />", "{{x}} [[:Ziel]]", "Ziel"),
        ("0.4", "<redirect />", "#REDIRECT", "Page 1"),
        ("0.4", "", "#REDIRECT [[Ziel]]", ""),
        ("0.3", "", " #redirect : [[Ziel]]", "Ziel"),
        ("0.3", "", "#пренасочване[[Цел]]", "Цел"),
        ("0.3", "", "#Erstens [[Ziel]]", ""),
        ("0.3", "", "Text #REDIRECT [[Ziel]]", ""),
    ],
)
def test_redirects_are_known_by_their_target_flag_or_first_word(version, flag, text, target) -> None:
    assert [item.redirect for item in read(dump(page(1, text, extra=flag), version=version))] == [target]


# Revisions and texts


def revision(stamp: str, text: str) -> str:
    return f"<revision><timestamp>{stamp}</timestamp>{text}</revision>"


def with_revisions(*revisions: str) -> bytes:
    return f"<page><title>T</title><ns>0</ns><id>1</id>{''.join(revisions)}</page>".encode()


def test_of_several_revisions_the_latest_counts_and_of_equal_ones_the_last() -> None:
    early, late = "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"
    order = with_revisions(revision(late, "<text>new</text>"), revision(early, "<text>old</text>"))
    assert [(item.text, item.timestamp) for item in read(dump(order))] == [("new", late)]
    ties = with_revisions(revision(late, "<text>a</text>"), revision(late, "<text>b</text>"))
    assert [item.text for item in read(dump(ties))] == ["b"]


def test_an_empty_text_is_a_page() -> None:
    for text in ("<text />", "<text bytes='0' />", "<text xml:space='preserve'></text>"):
        assert [item.text for item in read(dump(with_revisions(revision("", text))))] == [""]


def test_only_the_text_of_the_main_slot_is_taken() -> None:
    slots = "<content><role>media</role><text>no</text></content><model>wikitext</model><text>yes</text><sha1>0</sha1>"
    (found,) = read(dump(with_revisions(revision("", slots)), version="0.11"))
    assert (found.text, found.model) == ("yes", "wikitext")


def base36(text: str) -> str:
    value, digits = int(hashlib.sha1(text.encode()).hexdigest(), 16), ""
    while value:
        value, digit = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits.zfill(31)


def test_a_text_is_held_to_the_checksum_it_comes_with() -> None:
    good = revision("", f"<text>Grüße</text><sha1>{base36('Grüße')}</sha1>")
    attribute = revision("", f"<text sha1='{base36('Grüße')}'>Grüße</text><sha1>{base36('several slots')}</sha1>")
    absent = revision("", "<text>Grüße</text><sha1 />")
    for sound in (good, attribute, absent):
        assert brief(read(dump(with_revisions(sound)))) == [1]
    assert brief(read(dump(with_revisions(good.replace("üß", "üss"))))) == ["mediawiki/bad_sha1!"]
    assert brief(read(dump(with_revisions(attribute.replace(">Gr", ">gr"))))) == ["mediawiki/bad_sha1!"]


# Broken pages


TEXT = "<text>t</text>"
BROKEN = {
    "not closed": (b"<page><title>T</title><id>1</id>\n", "mediawiki/bad_xml"),
    "tags cross": (b"<page><title><id>T</title></id></page>", "mediawiki/bad_xml"),
    "unknown entity": (b"<page><title>&lol;</title><id>1</id></page>", "mediawiki/bad_xml"),
    "NUL": (page(1, "a\0b"), "mediawiki/bad_xml"),
    "document type": (b"<page><!DOCTYPE x [<!ENTITY a 'b'>]><title>T</title></page>", "mediawiki/bad_xml"),
    "deep": (b"<page>" + b"<a>" * 100_000 + b"</page>", "mediawiki/bad_xml"),
    "many attributes": (
        b"<page " + b" ".join(b"a%d='>'" % i for i in range(50_000)) + b"></page>",
        "mediawiki/bad_xml",
    ),
    "Latin-1": (page(1, "Grüße").replace("ü".encode(), b"\xfc"), "mediawiki/invalid_utf8"),
    "surrogate": (page(1, "?").replace(b"?", b"\xed\xa0\x80"), "mediawiki/invalid_utf8"),
    "no title": (page(1).replace(b"title>", b"tilte>"), "mediawiki/missing_field"),
    "no id": (b"<page><title>T</title>" + page(1)[-60:], "mediawiki/bad_xml"),
    "id is no number": (page(1).replace(b"<id>1</id>", b"<id>one</id>"), "mediawiki/missing_field"),
    "namespace is no number": (page(1).replace(b"<ns>0<", b"<ns>x<"), "mediawiki/missing_field"),
    "empty": (b"<page ></page >", "mediawiki/missing_field"),
    "no revision": (with_revisions(), "mediawiki/no_text"),
    "no text": (with_revisions(revision("", "<sha1/>")), "mediawiki/no_text"),
    "stub": (with_revisions(revision("", "<text id='5' bytes='17' />")), "mediawiki/no_text"),
    "hidden": (with_revisions(revision("", "<text deleted='deleted' />")), "mediawiki/deleted_text"),
    "latest hidden": (
        with_revisions(revision("2", "<text deleted='deleted' />"), revision("1", TEXT)),
        "mediawiki/deleted_text",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_page_costs_itself_alone(name) -> None:
    element, cause = BROKEN[name]
    assert brief(read(dump(page(3), element, page(4)))) == [3, f"{cause}!", 4]


def test_an_error_says_where_the_page_begins() -> None:
    element, _ = BROKEN["hidden"]
    plain = dump(page(3), element, page(4))
    (error,) = [item for item in read(plain) if isinstance(item, MalformedRecord)]
    assert (error.offset, error.inner_offset) == (plain.index(element), 0)
    first = bz2.compress(head())
    packed = first + bz2.compress(page(3) + element) + bz2.compress(page(4) + TAIL.encode())
    (error,) = [item for item in read(packed) if isinstance(item, MalformedRecord)]
    assert (error.offset, error.inner_offset) == (len(first), len(page(3)))


def test_bytes_between_pages_are_one_error_that_is_no_record() -> None:
    junk = b"</page> left over &lt; <pages>"
    assert brief(read(dump(page(3), junk, page(4)))) == [3, "mediawiki/garbage", 4]
    assert brief(read(junk + dump(page(3)))) == ["mediawiki/garbage", 3]
    assert brief(read(dump(page(3)) + b"appended")) == [3, "mediawiki/garbage"]


def test_a_page_at_the_limit_is_kept_and_one_a_byte_longer_is_skipped() -> None:
    element = page(2, "x" * 300_000).strip()
    data = dump(page(1), element, page(3))
    assert brief(read(data, max_page_bytes=len(element))) == [1, 2, 3]
    assert brief(read(data, max_page_bytes=len(element) - 1)) == [1, "mediawiki/too_long!", 3]
    assert brief(read(bz2.compress(data), max_page_bytes=1000)) == [1, "mediawiki/too_long!", 3]


def test_a_page_that_is_too_long_is_not_held() -> None:
    data = bz2.compress(dump(page(1), page(2, "x" * (40 << 20)), page(3)))
    tracemalloc.start()
    assert brief(read(data, max_page_bytes=1 << 20)) == [1, "mediawiki/too_long!", 3]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


# Broken files


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "mediawiki/empty"),
        (b" \n", "mediawiki/empty"),
        (bz2.compress(b""), "mediawiki/empty"),
        (b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>", "mediawiki/not_a_dump"),
        (b"<html><page>no</html>", "mediawiki/garbage"),
        (b"-- MySQL dump 10.16\nINSERT INTO `page` VALUES (1);\n" * 100_000, "mediawiki/not_a_dump"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(256)), "mediawiki/not_a_dump"),
        (bz2.compress(b"616:10:AccessibleComputing\n"), "mediawiki/not_a_dump"),
        ("﻿".encode("utf-16") + dump(page(1)).decode().encode("utf-16-le"), "mediawiki/not_a_dump"),
        (b"BZh9 is not bzip2", "mediawiki/bad_bz2"),
        (b"\x1f\x8b\x08\x00\0\0\0\0\0\3" + b"\xff" * 99, "mediawiki/bad_gzip"),
        (b"<!DOCTYPE mediawiki [<!ENTITY a 'aaaa'>]>" + dump(page(1, "&a;")), "mediawiki/document_type"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?>" + dump(page(1)), "mediawiki/encoding"),
    ],
)
def test_a_file_that_is_no_dump_is_one_error_that_is_no_record(data, cause) -> None:
    found = brief(read(data))
    assert found[0] == cause
    assert found[1:] in ([], ["mediawiki/truncated!"])  # the page inside of the HTML
    assert (len(found) == 2) == (b"<html><page>" in data)


def test_entities_are_never_expanded() -> None:
    levels = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
    bomb = f"<!DOCTYPE mediawiki [<!ENTITY l0 'lol'>{levels}]>".encode() + dump(page(1, "&l9;"), page(2))
    assert brief(read(bomb)) == ["mediawiki/document_type"]
    assert brief(read(dump(page(1, "&l9;"), page(2)))) == ["mediawiki/bad_xml!", 2]


def test_a_cut_file_keeps_the_pages_before_the_cut_and_has_one_error() -> None:
    plain, packed = dump(*FIVE), multistream(*STREAMS)
    ends = [plain.index(b"</page>", plain.index(b"<id>%d<" % n)) + len("</page>") for n in range(1, 6)]
    for data, cuts in ((plain, range(len(head()), len(plain) - 13, 211)), (packed, range(40, len(packed) - 1, 37))):
        for cut in cuts:
            items = read(data[:cut])
            kept = [item.id for item in items if isinstance(item, WikiPage)]
            errors = [item for item in items if isinstance(item, MalformedRecord)]
            if data is plain:
                assert kept == [n for n in range(1, 6) if ends[n - 1] <= cut]
                starts = data[:cut].count(b"<page>")
            else:
                assert kept == list(range(1, len(kept) + 1))
                starts = inflate(data[:cut]).count(b"<page>")
            assert [error.cause for error in errors] in (["mediawiki/truncated"], ["mediawiki/bad_bz2"])
            assert len(kept) + sum(error.is_record for error in errors) == starts


def inflate(data: bytes) -> bytes:
    """What another reader makes of bzip2 streams of which the last is cut."""
    out = b""
    while data:
        state = bz2.BZ2Decompressor()
        try:
            out += state.decompress(data)
        except OSError:
            break
        data = state.unused_data
    return out


def test_a_flipped_bit_costs_one_stream_and_no_page_is_altered() -> None:
    streams = [bz2.compress(part) for part in STREAMS]
    texts = {item.id: item for item in read(dump(*FIVE))}
    lost = ([], [1, 2], [3, 4], [5], [])
    starts = [0]
    for stream in streams:
        starts.append(starts[-1] + len(stream))
    for at in range(12, starts[-1], 23):
        hit = sum(at >= start for start in starts) - 1
        data = bytearray(b"".join(streams))
        data[at] ^= 0x10
        items = read(bytes(data))
        kept = [item for item in items if isinstance(item, WikiPage)]
        assert {item.id for item in kept} >= set(texts) - set(lost[hit])
        assert all(item == texts[item.id] for item in kept if hit)
        is_reported = any(isinstance(item, MalformedRecord) for item in items)
        assert is_reported or items == list(texts.values())  # a bit of padding


def test_a_missing_piece_costs_the_streams_it_touches() -> None:
    streams = [bz2.compress(part) for part in STREAMS]
    data = streams[0] + streams[1] + streams[2][: len(streams[2]) // 2] + streams[3] + streams[4]
    assert brief(read(data)) == [1, 2, "mediawiki/bad_bz2", 5]


def test_bytes_between_streams_are_one_error() -> None:
    streams = [bz2.compress(part) for part in STREAMS]
    data = streams[0] + streams[1] + bytes(1000) + b"".join(streams[2:]) + b"appended"
    assert brief(read(data)) == [1, 2, "mediawiki/bad_bz2", 3, 4, 5, "mediawiki/bad_bz2"]


def test_a_damaged_block_is_withheld_and_the_ones_before_it_are_read() -> None:
    big = [page(n, "".join(hashlib.sha256(b"%d/%d" % (n, i)).hexdigest() for i in range(4000))) for n in range(1, 13)]
    data = bytearray(bz2.compress(dump(*big)))  # 3 MB of text: four blocks
    data[len(data) * 15 // 16] ^= 0xFF
    items = read(bytes(data))
    kept = [item.id for item in items if isinstance(item, WikiPage)]
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) == 10  # three blocks of 900 kB hold 10.5 pages of 256 kB
    assert brief(items)[-1] == "mediawiki/bad_bz2!"
    assert items[:-1] == read(dump(*big))[: len(kept)]


def test_damaged_gzip_keeps_what_came_before_and_goes_on_at_the_next_member() -> None:
    whole = dump(*FIVE)
    border = whole.index(b"<page>", whole.index(b"<id>3<"))
    members = [gzip.compress(whole[:border]), gzip.compress(whole[border:])]
    assert brief(read(members[0] + members[1][:-300]))[:3] == [1, 2, 3]
    assert brief(read(members[0] + members[1][:-300]))[-1].startswith("mediawiki/truncated")
    broken = bytearray(members[0])
    broken[-6] ^= 1  # its checksum
    assert brief(read(bytes(broken) + members[1])) == [1, 2, "mediawiki/bad_gzip!", 4, 5]  # the last slice is withheld


@given(
    st.sampled_from([dump(*FIVE), multistream(*STREAMS), gzip.compress(dump(*FIVE), mtime=0)]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12), st.integers(0, 40)), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_no_damage_stops_the_reader(data, edits) -> None:
    for place, inserted, removed in edits:
        at = int(place * len(data))
        data = data[:at] + inserted + data[at + removed :]
    for item in read(data, max_page_bytes=10_000):
        assert isinstance(item, WikiPage | MalformedRecord)


@given(
    st.lists(st.sampled_from([b"<page>", b"</page>", b"<page", b"</mediawiki>", b"<mediawiki>", b"x", b"<!--", b"&"]))
)
@settings(max_examples=150, deadline=None)
def test_every_page_start_ends_once(parts) -> None:
    data = b"<mediawiki>" + b"".join(parts)
    starts = len(re.findall(rb"<page[\s/>]", data))
    items = read(data)
    assert sum(isinstance(item, WikiPage) or item.is_record for item in items) == starts


@pytest.mark.parametrize(
    "unit",
    [b"<page>", b"</page>", b"<page ", b"<mediawiki ", b"BZh91AY&SY", b"\x1f\x8b\x08\x00", b"<!--", b"<?xml <", b"<a:"],
)
@pytest.mark.parametrize("front", [b"", b"<mediawiki><page>", b"BZh9", b"\x1f\x8b\x08\x00\0\0\0\0\0\3"])
def test_hostile_files_take_linear_time(unit, front) -> None:
    start = time.process_time()
    read(front + unit * (500_000 // len(unit)))
    assert time.process_time() - start < 15


def test_streams_inside_of_damaged_streams_take_linear_time() -> None:
    # A member begins every 20 bytes, and the stored blocks of each go on to the end of the file: 65540 = 20 * 3277.
    unit = b"\x1f\x8b\x08\x00\0\0\0\0\0\3" + b"\x00\xff\xff\x00\x00" + b"fill "
    start = time.process_time()
    found = brief(read(unit * 50_000))
    assert time.process_time() - start < 15
    assert set(found) == {"mediawiki/truncated"}
    assert 1 < len(found) < 10


def test_a_bomb_is_met_in_pieces() -> None:
    data = bz2.compress(bytes(100 << 20))
    tracemalloc.start()
    assert brief(read(data)) == ["mediawiki/not_a_dump"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20


# Real dumps


@pytest.fixture(scope="module")
def real_dumps(real_data: Path) -> list[str]:
    folder = real_data / "wikipedia"
    files = [glob.glob(str(folder / part / "*.bz2")) for part in ("minidumps", "gensim")]
    found = sorted([*files[0], *files[1], *glob.glob(str(folder / "pignlproc" / "*.xml"))])
    assert len(found) == 101
    return found


def test_another_xml_reader_finds_the_same_pages_in_real_dumps(real_dumps) -> None:
    seen = 0
    for path in real_dumps:
        with open(path, "rb") as stream:
            items = [item for item, _ in read_wiki(stream, name=path)]
        with bz2.open(path) if path.endswith("bz2") else open(path, "rb") as stream:
            root = ElementTree.fromstring(stream.read())
        space = root.tag.removesuffix("mediawiki")
        expected = [
            (
                int(element.findtext(f"{space}id")),
                element.findtext(f"{space}title"),
                last.findtext(f"{space}text") or "",
            )
            for element in root.iter(f"{space}page")
            for last in element.findall(f"{space}revision")
        ]
        assert [(item.id, item.title, item.text) for item in items] == expected, path
        assert {item.wiki for item in items} == {path.rpartition("/")[2].partition("-")[0]}
        seen += len(items)
    assert seen == 347


def test_settings_files_of_wikis_are_no_dumps(real_data) -> None:
    for path in (real_data / "wikipedia" / "siteinfo").iterdir():
        assert brief(read(path.read_bytes(), name=str(path))) == ["mediawiki/not_a_dump"]
