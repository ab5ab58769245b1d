"""Documents as JSON lines with zstd (``.jsonl.zst``), in the fields that the Dolma toolkit reads.

``id, text, source, created, metadata``; our url and language travel in the metadata, and come back out of it, so that
export and import are each other's inverse.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import yaml
import zstandard

from pipeline.decontamination_verdicts import read_marks, stage_name
from pipeline.document import METADATA, Document, MalformedRecord
from pipeline.files import exists, join, match, read_bytes, write_stream
from pipeline.manifest import Manifest
from pipeline.parquet import read_documents
from pipeline.settings import SettingsError
from tokenizer.sampling import is_held_out
from tokenizer.settings import HeldOutSettings

_FIELDS = frozenset(field.name for field in METADATA)


def export_documents(run: str, output: str) -> list[str]:
    """Write every documents file of a run as JSON lines, contaminated documents left out or marked, as its config says.

    Documents that are held out of the run's token shards have ``held_out`` in their metadata.

    Args:
        run: The run folder.
        output: Folder to write into, ``<source>/part-….jsonl.zst``.

    Returns:
        The paths written, in order.

    Raises:
        SettingsError: No source's documents are finished, or the config asks for decontamination, and it is not; or the
            folder holds files of another export.
    """
    written = []
    stages = Manifest(run).stages
    paths = sorted(
        out["path"] for stage in stages.values() for out in stage["outputs"] if out["path"].startswith("documents/")
    )
    if not paths:
        raise SettingsError(f"{run}: no documents are finished; run its config to the end first")
    _check_decontaminated(run, stages, [path.split("/")[1] for path in paths])
    marks = read_marks(run, stages)
    places = {file: _place(output, file) for file in paths}
    _check_nothing_else(set(places.values()))
    for file, path in places.items():
        held_out = _held_out(stages, file.split("/")[1])
        content = documents_to_jsonl(read_documents(join(run, file)), marks.get(file, ()), held_out)
        write_stream(path, lambda stream, content=content: stream.write(content))  # type: ignore[misc]
        written.append(path)
    return written


def _place(output: str, file: str) -> str:
    source, name = file.split("/")[-2:]
    return join(output, source, name.removesuffix(".parquet") + ".jsonl.zst")


def _check_nothing_else(paths: Collection[str]) -> None:
    """Refuse folders with files of another export, which would stand beside this one's as if they were of it."""
    for folder in sorted({path.rsplit("/", 1)[0] for path in paths}):
        others = sorted(file.path for file in match(join(folder, "part-*")) if file.path not in paths)
        if others:
            raise SettingsError(f"{others[0]}: of another export; take it away or export into another folder")


def _held_out(stages: Mapping[str, Any], source: str) -> HeldOutSettings | None:
    """Find by which settings a source's token shards were parted."""
    settings = stages.get(f"{source}.tokens", {}).get("settings", {}).get("held_out")
    return None if settings is None else HeldOutSettings(**settings)


def _check_decontaminated(run: str, stages: Mapping[str, Any], sources: Sequence[str]) -> None:
    """Refuse sources whose contaminated documents are not known: that none is marked says nothing then."""
    path = join(run, "config.yaml")
    config = yaml.safe_load(read_bytes(path)) if exists(path) else {}
    if config.get("decontamination") is None:
        return
    missing = [source for source in sources if stage_name(source) not in stages]
    if missing:
        raise SettingsError(f"{run}: {stage_name(missing[0])} is not finished; run its config to the end first")


def documents_to_jsonl(
    documents: Sequence[Document],
    marks: Sequence[Mapping[str, Any]] = (),
    held_out: HeldOutSettings | None = None,
) -> bytes:
    """Encode documents as compressed JSON lines; equal documents give equal bytes.

    Args:
        documents: The documents.
        marks: Of contaminated ones, what is said of them and whether they are left out.
        held_out: Which are marked as held out of training.
    """
    marked = {mark["document"]: mark for mark in marks}
    rows = ((document, marked.get(place)) for place, document in enumerate(documents))
    kept = (_to_row(document, mark, held_out) for document, mark in rows if mark is None or not mark["dropped"])
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(lines.encode())


def documents_from_jsonl(stream: BinaryIO) -> Iterator[Document | MalformedRecord]:
    """Read compressed JSON lines, of this program or of the Dolma toolkit.

    Args:
        stream: An open ``.jsonl.zst``.

    Yields:
        Documents; a line that is no document is a :class:`MalformedRecord`, its offset counted in the decompressed
        text, and the lines after it are read all the same. A damaged or cut frame ends the stream with one.
    """
    offset = 0
    for line in _lines(stream):
        if isinstance(line, MalformedRecord):
            yield line
            return
        if line.strip():
            yield _from_line(line, offset)
        offset += len(line)


def _lines(stream: BinaryIO) -> Iterator[bytes | MalformedRecord]:
    rest = b""
    try:
        for piece in _decompressed(stream):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
    except zstandard.ZstdError as error:
        yield MalformedRecord("jsonl/bad_zstd", str(error), offset=0, is_record=False)
    else:
        if rest:
            yield rest


def _decompressed(stream: BinaryIO) -> Iterator[bytes]:
    decoder = None
    while piece := stream.read(1 << 20):
        while piece:
            decoder = decoder or zstandard.ZstdDecompressor().decompressobj()
            yield decoder.decompress(piece)
            piece = decoder.unused_data if decoder.eof else b""
            decoder = None if decoder.eof else decoder
    if decoder is not None:
        raise zstandard.ZstdError("the file ends inside a frame")


def _to_row(document: Document, mark: Mapping[str, Any] | None, held_out: HeldOutSettings | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"url": document.url, "language": document.language, **document.metadata}
    if is_held_out(document.id, held_out):
        metadata["held_out"] = True
    if mark is not None:
        metadata["contaminated"] = {name: mark[name] for name in ("shared_ngrams", "words", "set", "item", "ngram")}
    return {
        "id": document.id,
        "text": document.text,
        "source": document.source,
        "created": document.created,
        "metadata": metadata,
    }


def _from_line(line: bytes, offset: int) -> Document | MalformedRecord:
    try:
        row = json.loads(line)
        metadata = dict(row.get("metadata") or {})
        identifier, source, text = _id(row["id"]), str(row.get("source") or ""), _text(row["text"])
        url, language = str(metadata.pop("url", None) or ""), str(metadata.pop("language", None) or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return MalformedRecord("jsonl/bad_line", f"{type(error).__name__}: {error}", offset=offset)
    known = {key: value for key, value in metadata.items() if key in _FIELDS}
    return Document(identifier, source, text, url, language, str(row.get("created") or ""), known)


def _id(value: Any) -> str:
    return str(value) if isinstance(value, int) else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is {type(value).__name__}, not a string")
    value.encode()
    return value
