"""Wikipedia, StackExchange, books and GitHub through the command line, with one worker and two, on much input."""

import bz2
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.bench.github import source_rows, write_tables
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result
from tests.bench.whole import scale_config

_CORPUS = Path(__file__).parent.parent / "corpus"
_PAGE = re.compile(rb"<page>.*?</page>", re.DOTALL)
_PAGE_ID = re.compile(rb"<id>\d+</id>")
_PAGES_A_STREAM = 25
_BATCH_BYTES = 4 << 20
_HEAD = b'<mediawiki version="0.10"><siteinfo><dbname>enwiki</dbname></siteinfo>\n'


def scale_wikipedia(inputs: Inputs) -> Iterator[Result]:
    """The pages of the real dumps, over and over, as one multistream dump that is read in ranges."""
    wanted = (20 if inputs.quick else 160) * 1_000_000
    path = write_wikipedia(inputs, Path(inputs.folder), wanted)
    source = {
        "dumps": [{"id": "20220720", "paths": [str(path)]}],
        "split_bytes": max(1 << 10, path.stat().st_size // 8),
    }
    yield scale_config(inputs, "wikipedia.scaling", _config("wikipedia", source), wanted / 1e6)


def write_wikipedia(inputs: Inputs, folder: Path, wanted: int) -> Path:
    """Write the pages of the real dumps with ids of their own, until there are ``wanted`` bytes of them."""
    originals = Path(inputs.data, "wikipedia") if inputs.data else _CORPUS / "wikipedia"
    dumps = sorted(originals.rglob("*.xml.bz2"))
    pages = [page for dump in dumps for page in _PAGE.findall(bz2.decompress(dump.read_bytes()))]
    path = folder / "enwiki-20220720-pages-articles-multistream.xml.bz2"
    size = number = 0
    with path.open("wb") as stream:
        stream.write(bz2.compress(_HEAD))
        while size < wanted:
            held = []
            for _ in range(_PAGES_A_STREAM):
                number += 1
                held.append(_PAGE_ID.sub(b"<id>%d</id>" % number, pages[number % len(pages)], count=1))
            text = b"\n".join(held)
            size += len(text)
            stream.write(bz2.compress(text))
        stream.write(bz2.compress(b"</mediawiki>\n"))
    return path


def scale_stackexchange(inputs: Inputs) -> Iterator[Result]:
    """A real ``Posts.xml``, as that of many sites."""
    folder = Path(inputs.data, "stackexchange") if inputs.data else _CORPUS / "stackexchange"
    posts = max(folder.rglob("Posts.xml"), key=lambda path: path.stat().st_size)
    copies = max(2, (20 if inputs.quick else 320) * 1_000_000 // posts.stat().st_size)
    root = Path(inputs.folder, "sites")
    for number in range(copies):
        site = root / f"copy{number}.stackexchange.com"
        site.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(posts, site / "Posts.xml")
    source = {"dumps": [{"id": "2023-03", "paths": [str(root)]}]}
    megabytes = copies * posts.stat().st_size / 1e6
    yield scale_config(inputs, "stackexchange.scaling", _config("stackexchange", source), megabytes)


def scale_books(inputs: Inputs) -> Iterator[Result]:
    """The real books, near-duplicates and all."""
    folder = Path(inputs.data, "gutenberg") if inputs.data else _CORPUS / "books" / "gutenberg"
    source = {"collections": [{"id": "gutenberg", "paths": [str(folder)]}]}
    megabytes = sum(path.stat().st_size for path in folder.rglob("*.txt*")) / 1e6
    yield scale_config(inputs, "books.scaling", _config("books", source), megabytes)


def scale_github(inputs: Inputs) -> Iterator[Result]:
    """Installed sources, over and over with a line of their own, as tables of files with their places."""
    folder = Path(inputs.folder, "github")
    megabytes = 0.0
    for salt in range(1, 3 if inputs.quick else 7):
        rows = source_rows(20 if inputs.quick else 60, salt)
        write_tables(folder, rows, f"rows-{salt}")
        megabytes += text_megabytes(row["content"] for row in rows)
    source = {"collections": [{"id": "bench", "rows": [str(folder)]}]}
    yield scale_config(inputs, "github.scaling", _config("github", source), megabytes)


def _config(name: str, source: dict[str, object]) -> dict[str, object]:
    return {"batch_bytes": _BATCH_BYTES, "sources": {name: source}, "tokenizer": None, "tokens": None}
