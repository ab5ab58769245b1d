"""Reading crawl files, language identification and documents files, each beside the library it rests on."""

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import fasttext
import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from filters.language import LanguageIdentifier, LanguageModelSettings, installed_model
from pipeline.document import DOCUMENT_SCHEMA, METADATA, Document
from pipeline.parquet import documents_to_parquet
from pipeline.sources.pages import read_pages
from tests.bench.inputs import Inputs, html_bodies, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_LANGUAGE_GOAL = 1.5


def read_wet(inputs: Inputs) -> Iterator[Result]:
    """WET files into documents, beside FastWARC that only inflates and decodes the blocks."""
    file = inputs.wet(1)[0]
    pair = compare(lambda: _read([file.path]), lambda: _read_bare(file.path))
    yield speed("commoncrawl.read", file.text_bytes / 1e6, pair, against="bare FastWARC, blocks decoded")


def _read(paths: Sequence[str]) -> int:
    size = 0
    for path in paths:
        with open(path, "rb") as stream:
            for item, _ in read_pages(stream, name=path, dump="bench"):
                size += len(item.text.encode()) if isinstance(item, Document) else 0
    return size


def _read_bare(path: str) -> int:
    with open(path, "rb") as stream:
        records = ArchiveIterator(stream, record_types=WarcRecordType.conversion, parse_http=False)
        return sum(len(record.reader.read().decode().encode()) for record in records)


def read_html(inputs: Inputs) -> Iterator[Result]:
    """WARC files into documents, beside Resiliparse on the same HTML, already inflated and cut out."""
    paths = inputs.html_files
    bodies = [body for path in paths for body in html_bodies(path)]
    text_bytes = _read(paths)
    pair = compare(lambda: _read(paths), lambda: [_extract_bare(body) for body in bodies])
    detail = f"{sum(map(len, bodies)) / 1e6:.0f} MB of HTML, {text_bytes / 1e6:.1f} MB of text"
    against = "bare Resiliparse on the HTML alone"
    yield speed("commoncrawl.html", text_bytes / 1e6, pair, against=against, detail=detail)


def _extract_bare(body: bytes) -> str:
    tree = HTMLTree.parse_from_bytes(body, "utf-8")
    text: str = extract_plain_text(
        tree, preserve_formatting=True, main_content=False, list_bullets=False, alt_texts=False
    )
    return text


def identify_language(inputs: Inputs) -> Iterator[Result]:
    """Languages of whole documents, beside fastText's own ``predict``: with what was read before, and without."""
    texts = [document.text for document in inputs.documents]
    identify = LanguageIdentifier(installed_model(), LanguageModelSettings())
    model = fasttext.load_model(installed_model())
    pair = compare(lambda: identify(texts), lambda: _predict_bare(model, texts))
    yield speed(
        "commoncrawl.language",
        text_megabytes(texts),
        pair,
        against="bare fastText predict",
        goal=f"ratio >= {_LANGUAGE_GOAL}",
        met=pair.ratio >= _LANGUAGE_GOAL,
    )
    yield _identify_first(list({document.url: document.text for document in reversed(inputs.documents)}.values())[::-1])


def _identify_first(texts: list[str]) -> Result:
    """Measure a worker's first pages, no page twice: models are loaded and nothing is remembered."""
    pair = compare(
        lambda: LanguageIdentifier(installed_model(), LanguageModelSettings())(texts),
        lambda: _predict_bare(fasttext.load_model(installed_model()), texts),
    )
    megabytes = text_megabytes(texts)
    detail = f"the first {megabytes:.1f} MB of a process"
    return speed("commoncrawl.language_first", megabytes, pair, against="bare fastText, loading too", detail=detail)


def _predict_bare(model: Any, texts: Sequence[str]) -> None:
    for text in texts:
        model.predict(text.replace("\n", ""))


def write_parquet(inputs: Inputs) -> Iterator[Result]:
    """Documents into Parquet, beside pyarrow on columns that are already lists, without dictionaries."""
    documents = inputs.documents
    write_bare = _bare_writer(documents)
    pair = compare(lambda: documents_to_parquet(documents), write_bare)
    megabytes = text_megabytes(document.text for document in documents)
    yield speed("documents.parquet", megabytes, pair, against="bare pyarrow on lists")


def _bare_writer(documents: Sequence[Document]) -> Callable[[], object]:
    names = [name for name in DOCUMENT_SCHEMA.names if name != "metadata"]
    columns = {name: [getattr(document, name) for document in documents] for name in names}
    inner = [[document.metadata.get(field.name) for document in documents] for field in METADATA]
    return functools.partial(_write_bare, columns, inner)


def _write_bare(columns: dict[str, list[str]], inner: list[list[Any]]) -> None:
    arrays = [pa.array(column, pa.string()) for column in columns.values()]
    metadata = [pa.array(values, field.type) for values, field in zip(inner, METADATA, strict=True)]
    arrays.append(pa.StructArray.from_arrays(metadata, fields=list(METADATA)))
    table = pa.Table.from_arrays(arrays, schema=DOCUMENT_SCHEMA)
    pq.write_table(table, io.BytesIO(), compression="zstd", compression_level=3, use_dictionary=False)
