"""Records and errors add up to the record starts in the bytes, counted another way, on made and on real files."""

import gzip
import io
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.document import MalformedRecord
from pipeline.sources.warc import WarcRecord, read_warc


class Dribble(io.RawIOBase):
    """A stream that hands out its bytes in reads of the given sizes, over and over."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.at, self.turn = data, sizes, 0, 0

    def read(self, size: int = -1) -> bytes:
        step = min(size, self.sizes[self.turn % len(self.sizes)])
        self.turn += 1
        piece = self.data[self.at : self.at + step]
        self.at += len(piece)
        return piece


layouts = st.sampled_from(["by record", "whole", "uncompressed", "pairs"])
blocks = st.lists(st.binary(max_size=300).map(lambda block: block.replace(b"WARC", b"warc")), max_size=8)


def compress(text: bytes) -> bytes:
    """A gzip member that does not hold the time of day."""
    return gzip.compress(text, mtime=0)


def lay_out(records: list[bytes], layout: str) -> bytes:
    if layout == "uncompressed":
        return b"".join(records)
    step = {"by record": 1, "whole": len(records) or 1, "pairs": 2}[layout]
    return b"".join(compress(b"".join(records[i : i + step])) for i in range(0, len(records), step))


@given(st.lists(st.binary(max_size=300), max_size=8), layouts, st.lists(st.integers(1, 700), min_size=1, max_size=4))
def test_healthy_files_come_out_whole_in_any_layout_and_any_reads(record, blocks, layout, sizes) -> None:
    records = [record(block, number=i) for i, block in enumerate(blocks)]
    items = list(read_warc(Dribble(lay_out(records, layout), sizes)))
    assert [item.block for item in items] == blocks


@settings(max_examples=400)
@given(blocks, layouts, st.sampled_from(["flip", "truncate", "insert", "remove"]), st.randoms(use_true_random=False))
def test_records_and_errors_add_up_after_any_one_corruption(
    record, count_starts, blocks, layout, corruption, rng
) -> None:
    records = [record(block, number=i) for i, block in enumerate(blocks)]
    data = lay_out(records, layout)
    at, size = rng.randrange(len(data) + 1), rng.randrange(1, 60)
    if corruption == "flip":
        data = data[:at] + bytes(byte ^ (1 << rng.randrange(8)) for byte in data[at : at + 1]) + data[at + 1 :]
    elif corruption == "insert":
        data = data[:at] + rng.randbytes(size) + data[at:]
    else:
        data = data[:at] + (data[at + size :] if corruption == "remove" else b"")
    items = list(read_warc(io.BytesIO(data)))
    starts = [(item.offset, item.inner_offset) for item in items if isinstance(item, WarcRecord) or item.is_record]
    # A damaged length can happen to end where a record or the file does; what it reaches over is then block.
    inside = [count_starts(item.block) for item in items if isinstance(item, WarcRecord)]
    assert len(starts) + sum(inside) == count_starts(data)
    assert starts == sorted(set(starts))
    if layout == "by record" and corruption != "truncate":
        ends = list(itertools.accumulate(len(compress(text)) for text in records))
        intact = [block for block, text, end in zip(blocks, records, ends, strict=True) if end <= at]
        intact += [b for b, t, end in zip(blocks, records, ends, strict=True) if end - len(compress(t)) >= at + size]
        read = [item.block for item in items if isinstance(item, WarcRecord)]
        assert [block for block in intact if block not in read] == []


# Real files


def real_files(data_root) -> list:
    found = sorted(path for path in (data_root / "commoncrawl").rglob("*") if path.is_file())
    return [path for path in found if ".arc" not in path.name and ".wat" not in path.name]


def test_records_and_errors_of_real_files_add_up(data_root, count_starts) -> None:
    files = real_files(data_root)
    assert len(files) > 30
    wrong = {}
    for path in files:
        with path.open("rb") as stream:
            items = list(read_warc(stream, name=path.name))
        read = sum(isinstance(item, WarcRecord) or item.is_record for item in items)
        if read != (expected := count_starts(path.read_bytes())):
            wrong[path.name] = (read, expected)
    assert wrong == {}


def test_healthy_real_files_read_as_warcio_reads_them(data_root) -> None:
    from warcio.archiveiterator import ArchiveIterator

    compared = 0
    for path in real_files(data_root):
        if path.parent.name in {"malformed", "cc_net"} or "bad" in path.name or "wrong" in path.name:
            continue
        with path.open("rb") as stream:
            ours = list(read_warc(stream, name=path.name))
        if any(isinstance(item, MalformedRecord) for item in ours):
            continue
        with path.open("rb") as stream:
            theirs = [
                (item.rec_type, item.rec_headers.get_header("WARC-Record-ID"), item.raw_stream.read())
                for item in ArchiveIterator(stream, no_record_parse=True)
            ]
        assert [(item.type, item.headers["warc-record-id"], item.block) for item in ours] == theirs, path.name
        compared += 1
    assert compared > 20
