"""StackExchange: the HTML of posts, and the whole way from ``Posts.xml`` to documents, beside bare XML iteration."""

import functools
import glob
import io
import os
from collections.abc import Iterator
from xml.etree import ElementTree

from filters.post_html import post_to_text
from pipeline.document import Document
from pipeline.sources.stackexchange_join import JoinRules, Partition, PostsFile, posts_to_arrow, read_partition
from pipeline.sources.stackexchange_posts import read_posts
from tests.bench.inputs import BUNDLED, Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_SITE = "bench.stackexchange.example"
_PARTITIONS = 4
_GOAL = 10  # MB/s


def convert_html(inputs: Inputs) -> Iterator[Result]:
    """HTML of posts to text, beside bare XML iteration of the files that hold them."""
    bodies = [post.text for data in _files(inputs.data) for post in _posts(data)]
    pair = compare(lambda: [post_to_text(body) for body in bodies], lambda: _iterate(inputs.data))
    yield speed("stackexchange.html", text_megabytes(bodies), pair, against="bare iterparse of their Posts.xml")


def join(inputs: Inputs) -> Iterator[Result]:
    """``Posts.xml`` to documents: rows, partitions, join and HTML, beside bare XML iteration of the same bytes."""
    size = sum(map(len, _files(inputs.data))) / 1e6
    pair = compare(functools.partial(_whole, inputs), lambda: _iterate(inputs.data))
    yield speed(
        "stackexchange.documents",
        size,
        pair,
        against="bare iterparse",
        goal=f"at least {_GOAL} MB/s of XML",
        met=size / pair.ours.cpu_seconds >= _GOAL,
    )


@functools.cache
def _files(data: str) -> tuple[bytes, ...]:
    """Read the ``Posts.xml`` below the inputs, or the bundled ones."""
    names = [sorted(glob.glob(os.path.join(root, "stackexchange", "*", "Posts.xml"))) for root in (data, BUNDLED)]
    return tuple(_read(name) for name in names[0] or names[1])


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _posts(data: bytes) -> list[Document]:
    items = read_posts(io.BytesIO(data), site=_SITE, dump="BENCH")
    return [item for item, _ in items if isinstance(item, Document)]


def _iterate(data: str) -> int:
    count = 0
    for content in _files(data):
        for _, row in ElementTree.iterparse(io.BytesIO(content)):
            count += len(row.attrib)
            row.clear()
    return count


def _whole(inputs: Inputs) -> int:
    count = 0
    for number, content in enumerate(_files(inputs.data)):
        path = os.path.join(inputs.folder, f"posts-{number}.arrow")
        with open(path, "wb") as stream:
            stream.write(posts_to_arrow(_posts(content), _PARTITIONS))
        files = {_SITE: [PostsFile(path, "BENCH")]}
        for index in range(_PARTITIONS):
            partition = Partition(_SITE, index, _PARTITIONS, 1)
            batches = read_partition(partition, files=files, stage="bench", rules=JoinRules(), batch_bytes=32 << 20)
            count += sum(len(batch.documents) for batch in batches)
    return count
