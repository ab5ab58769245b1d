"""An e-print is read once, in pieces: files with text are held, all else passes by, and damage is an error."""

import gzip
import io
import json
import resource
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.latex import LatexSettings, Paper, clean_paper
from filters.verdict import Drop
from pipeline.arxiv_settings import ArxivLimits
from pipeline.document import Document, Dropped, MalformedRecord, Shard
from pipeline.sources.arxiv_eprint import Eprint, read_eprint
from pipeline.sources.arxiv_files import read_bulk
from pipeline.sources.arxiv_papers import PaperName, paper_items, unpack

MIB = 1 << 20
PAPER = b"\\documentclass{article}\n\\begin{document}\n\\section{One}\nText.\n\\end{document}\n"
LIMITS = ArxivLimits()


def tar(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def read(data: bytes, *, most: int = 1 << 16, **limits: int) -> Any:
    stream = io.BytesIO(data)
    return read_eprint(
        lambda size: stream.read(min(size, most)), "x.tex", ArxivLimits(**{**LIMITS.model_dump(), **limits})
    )


def files_of(data: bytes, **asked: Any) -> dict[str, bytes]:
    found = read(data, **asked)
    assert isinstance(found, Eprint)
    return found.files


def dropped(data: bytes, **limits: int) -> tuple[str, float | None, float | None, str | None]:
    found = read(data, **limits)
    assert isinstance(found, Drop)
    return str(found.reason), found.measured, found.limit, found.detail


def fault(data: bytes) -> tuple[str, int]:
    with pytest.raises(MalformedRecord) as caught:
        read(data)
    assert caught.value.is_record
    return caught.value.cause, caught.value.inner_offset


FILES = {"main.tex": PAPER, "sec/one.tex": b"One.", "fig.png": b"\x89PNG" * 999, "README": b"words"}
TEXTS = {name: content for name, content in FILES.items() if name != "fig.png"}


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, lambda data: gzip.compress(data, 0)])
@pytest.mark.parametrize("most", [1, 300, 1 << 16])
def test_a_tar_and_a_single_file_are_read_packed_or_not(pack: Callable[[bytes], bytes], most: int) -> None:
    assert files_of(pack(tar(FILES)), most=most) == TEXTS
    assert files_of(pack(PAPER), most=most) == {"x.tex": PAPER}


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=3), st.integers(1, 5000))
def test_gzip_members_of_any_content_are_read_as_one(parts: list[bytes], most: int) -> None:
    whole = b"".join(b"\\TeX" + part for part in parts)
    packed = b"".join(gzip.compress(b"\\TeX" + part) for part in parts)
    assert files_of(packed, most=most, max_tex_bytes=1 << 20) == {"x.tex": whole}


def test_other_bytes_behind_a_gzip_member_are_no_part_of_it() -> None:
    assert files_of(gzip.compress(PAPER) + b"\0" * 700) == {"x.tex": PAPER}


def test_bibliographies_and_pictures_are_known_by_their_names_alone() -> None:
    found = read(gzip.compress(tar({"main.tex": PAPER, "main.bbl": b"\\bibitem", "a.pstex_t": b"x", "b.eps": b"y"})))
    assert (found.files, found.textless) == ({"main.tex": PAPER}, ["main.bbl", "a.pstex_t"])


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"%PDF-1.5\n", "arxiv/pdf_only", "PDF"),
        (b"%!PS-Adobe-2.0\n", "arxiv/no_tex", "PostScript"),
        (b"\n<html><body>", "arxiv/no_tex", "HTML"),
        (b"PK\x03\x04....", "arxiv/no_tex", "a zip archive"),
        (b"\xf7\x02\x01", "arxiv/no_tex", "DVI"),
    ],
)
def test_what_stands_in_the_place_of_tex_is_named(data: bytes, reason: str, detail: str) -> None:
    for packed in (data, gzip.compress(data)):
        assert dropped(packed) == (reason, 0, 1, detail)


@pytest.mark.parametrize("data", [b"", b"\n", gzip.compress(b""), gzip.compress(b" \n"), gzip.compress(tar({}))])
def test_an_empty_e_print_is_dropped(data: bytes) -> None:
    assert dropped(data)[:3] == ("arxiv/empty", 0, 1)


def test_members_that_lead_out_links_and_devices_are_noted_and_not_read() -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, kind in [
            ("../a.tex", tarfile.REGTYPE),
            ("/b.tex", tarfile.REGTYPE),
            ("c.tex", tarfile.SYMTYPE),
            ("d.tex", tarfile.LNKTYPE),
            ("e.tex", tarfile.CHRTYPE),
            ("sub", tarfile.DIRTYPE),
            ("./main.tex", tarfile.REGTYPE),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            content = PAPER if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    found = read(gzip.compress(whole.getvalue()))
    assert found.files == {"main.tex": PAPER}
    assert found.skipped == {"arxiv/unsafe_member": 2, "arxiv/link_member": 2, "arxiv/device_member": 1}
    items = list(paper_items(found, PaperName("2401.00001", "", "D", 512)))
    assert [(item.cause, item.offset, item.inner_offset, item.is_record) for item in items[:-1]] == [
        ("arxiv/device_member", 512, 3072, False),
        ("arxiv/link_member", 512, 2048, False),
        ("arxiv/unsafe_member", 512, 0, False),
    ]
    assert isinstance(items[-1], Document)


# Limits, on both sides of each.


def test_as_many_members_as_allowed_are_read_and_one_more_drops_the_paper() -> None:
    files = {"main.tex": PAPER, "a": b"1", "b": b"2"}
    assert len(files_of(gzip.compress(tar(files)), max_files=3)) == 3
    detail = "at least that many: the rest was not read"
    assert dropped(gzip.compress(tar({**files, "c": b"3"})), max_files=3) == ("arxiv/too_many_files", 4, 3, detail)


def test_as_much_tex_as_allowed_is_held_and_one_byte_more_drops_the_paper() -> None:
    detail = "at least that many bytes: the rest was not read"
    assert files_of(gzip.compress(b"\\" * 1024), max_tex_bytes=1024) == {"x.tex": b"\\" * 1024}
    assert dropped(gzip.compress(b"\\" * 1025), max_tex_bytes=1024) == ("arxiv/tex_too_long", 1025, 1024, detail)
    files = {"a.tex": b"\\" * 1000, "p.png": b"p" * 5000, "b.tex": b"\\" * 24}
    assert len(files_of(gzip.compress(tar(files)), max_tex_bytes=1024)) == 2
    files["b.tex"] += b"\\"
    assert dropped(gzip.compress(tar(files)), max_tex_bytes=1024)[:3] == ("arxiv/tex_too_long", 1025, 1024)


def test_an_e_print_of_the_largest_size_is_read_and_one_byte_more_drops_it() -> None:
    whole = tar({"main.tex": PAPER, "p.png": b"p" * 5000})
    assert files_of(gzip.compress(whole), max_eprint_bytes=len(whole)) == {"main.tex": PAPER}
    limit = len(whole) - 1
    reason = dropped(gzip.compress(whole), max_eprint_bytes=limit)
    assert reason[:3] == ("arxiv/too_large", limit + 1, limit)


# Damage.


def test_an_e_print_that_is_cut_or_damaged_is_an_error_at_its_place() -> None:
    whole = gzip.compress(tar(FILES))
    assert fault(whole[:-3]) == ("arxiv/truncated_gzip", len(tar(FILES)))
    assert fault(whole[: len(whole) // 2])[0] == "arxiv/truncated_gzip"
    assert fault(whole[:-8] + b"crcsize!")[0] == "arxiv/bad_gzip"
    assert fault(b"\x1f\x8b" + bytes(30))[0] == "arxiv/bad_gzip"
    assert fault(gzip.compress(PAPER)[:5]) == ("arxiv/truncated_gzip", 0)


def test_a_tar_that_is_damaged_inside_an_e_print_is_an_error_at_its_place() -> None:
    whole = bytearray(tar({"a.tex": b"1", "main.tex": PAPER}))
    assert fault(gzip.compress(bytes(whole[:1100]))) == ("arxiv/tar_truncated", 1024)
    assert fault(gzip.compress(bytes(whole[:1560]))) == ("arxiv/tar_truncated", 1024)
    whole[1024] ^= 1
    assert fault(gzip.compress(bytes(whole))) == ("arxiv/tar_bad_header", 1024)


def test_an_e_print_whose_tar_has_no_mark_of_its_end_is_whole() -> None:
    assert files_of(gzip.compress(tar({"main.tex": PAPER})[:1024])) == {"main.tex": PAPER}


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_are_files_a_reason_or_an_error(data: bytes, is_packed: bool) -> None:
    packed = gzip.compress(data) if is_packed else data
    file = Shard("arxiv", "n", "/n", 10_240 + len(packed), "D", below="a.tar")
    items = [item for item, _ in read_bulk(io.BytesIO(tar({"2401/2401.00001.gz": packed})).read, file, LIMITS)]
    assert len(items) == 1
    assert isinstance(items[0], Document | Dropped | MalformedRecord)


# Memory.


class Repeated:
    """Bytes of a file that is nowhere whole."""

    def __init__(self, *pieces: tuple[bytes, int]) -> None:
        self._pieces = [list(piece) for piece in pieces]
        self._rest = b""

    def read(self, size: int) -> bytes:
        while not self._rest and self._pieces:
            piece = self._pieces[0]
            if not piece[1]:
                self._pieces.pop(0)
                continue
            piece[1] -= 1
            self._rest = piece[0]
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def bomb(megabytes: int, byte: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(byte * MIB) for _ in range(megabytes)) + packer.flush()


def test_a_bomb_costs_no_more_than_the_tex_that_may_be_held() -> None:
    text, zeros = bomb(256, b"x"), bomb(64, b"\0")
    tracemalloc.start()
    assert dropped(text, max_tex_bytes=4 * MIB)[:2] == ("arxiv/tex_too_long", 4 * MIB + 1)
    assert dropped(zeros)[0] == "arxiv/empty"
    assert dropped(zeros, max_eprint_bytes=32 * MIB)[0] == "arxiv/too_large"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MIB


def test_a_bomb_in_a_picture_is_read_to_the_largest_size_and_not_held() -> None:
    header = tar({"p.png": b""})[:512]
    head = bytearray(header)
    head[124:136] = b"%011o\0" % (2 << 30)
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:512]) + 8 * 32)
    packer = zlib.compressobj(9, wbits=31)
    data = packer.compress(bytes(head)) + b"".join(packer.compress(bytes(MIB)) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    assert dropped(data, max_eprint_bytes=200 * MIB)[:3] == ("arxiv/too_large", 200 * MIB + 1, 200 * MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_a_long_bulk_tar_is_never_held() -> None:
    """300 MB: a member that is no e-print, and 10,000 tiny ones."""
    large = bytearray(tar({"2401/a.bin": b""})[:512])
    large[124:136] = b"%011o\0" % (300 * MIB)
    large[148:156] = b"%06o\0 " % (sum(large[:148]) + sum(large[156:512]) + 8 * 32)
    tiny = tar({"2401/2401.00001.gz": gzip.compress(b"\\TeX{}.\n")})[:1024]
    source = Repeated((bytes(large), 1), (bytes(MIB), 300), (tiny, 10_000), (bytes(512), 2))
    size = 512 + 300 * MIB + 10_000 * 1024 + 1024
    file = Shard("arxiv", "n", "/n", size, "D", below="a.tar")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {"kept": 0, "other": 0}
    last = 0
    for item, position in read_bulk(source.read, file, LIMITS):
        assert last <= position <= size
        last = position
        counts["kept" if isinstance(item, Document) else "other"] += 1
    assert counts == {"kept": 10_000, "other": 1}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


# From files to a document and back.


def test_a_package_in_the_e_print_gives_its_macros_to_the_paper() -> None:
    files = {
        "p/main.tex": b"\\documentclass{a}\\usepackage{a,sty/own}\\begin{document}\\section{S}$\\R$\\end{document}",
        "p/sty/own.sty": b"\\newcommand{\\R}{\\mathbb{R}}",
    }
    (document,) = paper_items(Eprint(files, []), PaperName("2401.00001v3", "", "D"))
    assert isinstance(document, Document)
    packed = unpack(document)
    paper = clean_paper(packed.main, packed.resolver(), LatexSettings())
    assert isinstance(paper, Paper)
    assert paper.text == "\\section{S}$\\mathbb{R}$\n"


def test_the_files_of_a_paper_are_one_text_that_is_taken_apart_again() -> None:
    files = {
        "main.tex": PAPER,
        "b.tex": "Größe 海".encode(),
        "a.tex": "Größe".encode("latin-1"),
        "pic.png": bytes(range(256)) * 4,
    }
    (document,) = paper_items(Eprint(files, ["main.bbl"]), PaperName("2401.00001v3", "", "D"))
    assert isinstance(document, Document)
    assert document.text == PAPER.decode() + "GrößeGröße 海"
    assert (document.id, document.url) == ("arxiv/2401.00001", "https://arxiv.org/abs/2401.00001")
    packed = unpack(document)
    assert packed.texts == {"main.tex": PAPER.decode(), "b.tex": "Größe 海", "a.tex": "Größe", "main.bbl": ""}
    assert packed.main.name == "main.tex"
    assert document.metadata == {
        "dump": "D",
        "encoding": "ascii",
        "original_chars": len(document.text),
        "main_file": "main.tex",
        "version": 3,
    }
    resolve = packed.resolver()
    found = resolve("input", "b", "main.tex")
    assert found is not None
    assert (found.name, found.text) == ("b.tex", "Größe 海")
    assert resolve("input", "main.bbl", "main.tex").text == ""  # type: ignore[union-attr]
    assert resolve("input", "../b", "main.tex") is None


@pytest.mark.parametrize(
    ("files", "reason", "measured"),
    [
        ({"a.tex": b"%auto-ignore\nThis paper has been withdrawn."}, "arxiv/withdrawn", 30),
        ({"a.tex": b"\\documentclass{a}\\begin{document}It was withdrawn by us."}, "arxiv/withdrawn", 23),
        ({"a.tex": b" \n"}, "arxiv/empty", 0),
        ({}, "arxiv/no_tex", 0),
        ({"a.tex": b"Words."}, "arxiv/no_tex", 0),
        ({"a.sty": b"\\def\\a{b}"}, "arxiv/no_tex", 0),
        ({"a.tex": bytes(range(256)) * 9}, "arxiv/no_tex", 0),
        ({"a.tex": b"\\it a", "b.tex": b"\\it b"}, "arxiv/no_main_file", 2),
    ],
)
def test_what_is_no_paper_says_why(files: dict[str, bytes], reason: str, measured: float) -> None:
    (item,) = paper_items(Eprint(files), PaperName("hep-th9901001", "", "D"))
    assert isinstance(item, Dropped)
    assert (str(item.reason), item.measured, item.id) == (reason, measured, "arxiv/hep-th/9901001")


def test_a_name_that_is_no_id_is_a_path_and_may_be_bytes() -> None:
    assert PaperName("t/one", "bulk.tar#", "D").id == "arxiv/bulk.tar#t/one"
    assert PaperName("t/\udcff", "", "D").id == "arxiv/t/\\udcff"
    assert PaperName("t/one", "", "D").url == ""
    json.dumps(PaperName("t/\udcff", "", "D").id)


@pytest.mark.parametrize(
    "piece",
    [
        *("\\input{a", "\\input ", "\\input{a}\n", "\\import{a}", "\\begin ", "\\end ", "\\documentclass[", "%", "\\%"),
        *("\n%", "\n\\usepackage[x", "\\documentclass{", "\\inputencoding{", "\\documentstyle[]{"),
    ],
)
def test_a_megabyte_of_anything_is_looked_through(piece: str) -> None:
    """A step that takes a square of the length would take hours."""
    source = "\\x inputenc " + piece * ((1 << 20) // len(piece))
    items = list(paper_items(Eprint({"a.tex": source.encode()}), PaperName("a", "", "D")))
    assert len(items) == 1
    assert isinstance(items[0], Document | Dropped)


def test_reading_counts_bad_bytes_and_main_files_that_are_not_read() -> None:
    spoilt = PAPER.replace(b"Text.", "Größe über ".encode() * 9 + b"\xff")
    (document,) = paper_items(Eprint({"main.tex": spoilt, "letter.tex": PAPER}), PaperName("a", "", "D"))
    assert isinstance(document, Document)
    assert unpack(document).facts == {"bad bytes": 1, "papers with further main files": 1, "further main files": 1}
