"""The files of an e-print as one document to be cleaned, or why they are none.

A document on its way to the cleaner has for a text all files of its paper, the main one first; which is which stands
beside it until the cleaner takes them apart (:func:`unpack`). So a batch of papers is as long as its text, and a paper
that is dropped shows what it was.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from filters.arxiv import ArxivId, ArxivReason, check_withdrawn, parse_id
from filters.encoding import Decoded
from filters.latex import Included
from filters.tex_encoding import declared_encoding, decode_tex
from filters.tex_files import TexNames, is_tex
from filters.tex_main import MainFile, find_main
from filters.verdict import Drop
from pipeline.document import Document, Dropped, MalformedRecord
from pipeline.reading import Item
from pipeline.sources.arxiv_eprint import Eprint

SOURCE = "arxiv"
_URL = "https://arxiv.org/abs/{}"
_PACKED = "eprint"  # a metadata field that no document keeps


@dataclass(frozen=True, slots=True)
class PaperName:
    """What a paper is called, and where it lies.

    Attributes:
        stem: Path of its file, suffixes left out.
        place: Stands before the stem in the id of a paper whose stem is no id of arXiv's: ``<archive>#``, or nothing.
        dump: The dump.
        offset: Where it begins, in bytes of its file.
    """

    stem: str
    place: str
    dump: str
    offset: int = 0

    @property
    def arxiv(self) -> ArxivId | None:
        """The id that arXiv gave it."""
        return parse_id(self.stem)

    @property
    def id(self) -> str:
        """The document's id."""
        known = self.arxiv
        name = known.id if known is not None else f"{self.place}{self.stem}"
        return f"{SOURCE}/{name.encode(errors='backslashreplace').decode()}"

    @property
    def url(self) -> str:
        """Its address; empty where it has none."""
        known = self.arxiv
        return _URL.format(known.id) if known is not None else ""

    @property
    def file(self) -> str:
        """What a single file is called."""
        return f"{self.stem.rpartition('/')[2]}.tex"

    def drop(self, drop: Drop, text: str | None = None) -> Dropped:
        """Account for an e-print that is no paper."""
        return Dropped(self.id, self.url, drop.reason, drop.measured, drop.limit, text, drop.detail)

    def malformed(self, error: MalformedRecord) -> MalformedRecord:
        """Account for an e-print that is damaged, with its place in the file."""
        detail = f"{self.id}: {error.detail}"
        return MalformedRecord(error.cause, detail, offset=self.offset, inner_offset=error.inner_offset)


def paper_items(found: Eprint | Drop, name: PaperName) -> Iterator[Item]:
    """Give what becomes of an e-print: members that are not read as faults between records, then the paper."""
    if isinstance(found, Drop):
        yield name.drop(found)
        return
    for cause, count in sorted(found.skipped.items()):
        first, inner = found.first_skipped[cause]
        detail = f"{name.id}: {count} members, the first {first!a}"
        yield MalformedRecord(cause, detail, offset=name.offset, inner_offset=inner, is_record=False)
    yield _paper(found, name)


def _paper(eprint: Eprint, name: PaperName) -> Document | Dropped:
    decoded = _decode(eprint.files)
    texts = {file: decoded[file].text for file in decoded}
    main = find_main(texts)
    if main is None:
        return _no_paper(eprint, texts, name)
    withdrawn = check_withdrawn(texts[main.name])
    if withdrawn is not None:
        return name.drop(withdrawn, texts[main.name])
    order = [main.name, *sorted(file for file in texts if file != main.name)]
    text = "".join(texts[file] for file in order)
    known = name.arxiv
    document = Document(name.id, SOURCE, text, url=name.url, created=known.created if known is not None else "")
    document.metadata.update(
        dump=name.dump,
        encoding=decoded[main.name].encoding,
        original_chars=len(text),
        main_file=main.name,
        version=known.version if known is not None else None,
    )
    facts = {"bad bytes": sum(one.replaced for one in decoded.values()), **_count_others(main)}
    files = [*((file, len(texts[file])) for file in order), *((file, None) for file in sorted(eprint.textless))]
    document.metadata[_PACKED] = json.dumps({"files": files, "facts": facts})
    return document


def _decode(files: Mapping[str, bytes]) -> dict[str, Decoded]:
    """Decode the files of a paper; those that are no text are left out.

    A file that declares no encoding is in that of the file which does and comes first by name.
    """
    declared = (declared_encoding(files[name]) for name in sorted(files))
    whole = next((encoding for encoding in declared if encoding is not None), None)
    found = {name: decode_tex(content, whole) for name, content in files.items()}
    return {name: decoded for name, decoded in found.items() if isinstance(decoded, Decoded)}


def _no_paper(eprint: Eprint, texts: Mapping[str, str], name: PaperName) -> Dropped:
    """Say why an e-print without a main file is no paper."""
    tex = {file: texts[file] for file in sorted(texts) if is_tex(file) and texts[file].strip()}
    whole = "".join(tex.values())
    withdrawn = check_withdrawn(whole)
    if withdrawn is not None:
        return name.drop(withdrawn, whole)
    if eprint.files and not any(content.strip() for content in eprint.files.values()):
        return name.drop(Drop(ArxivReason.EMPTY, 0, 1))
    marked = sum("\\" in text for text in tex.values())
    if not marked:
        return name.drop(Drop(ArxivReason.NO_TEX, 0, 1), whole or None)
    return name.drop(Drop(ArxivReason.NO_MAIN_FILE, marked, 1), whole)


def _count_others(main: MainFile) -> dict[str, int]:
    others = len(main.others)
    return {"papers with further main files": int(others > 0), "further main files": others}


@dataclass(frozen=True, slots=True)
class PackedPaper:
    """The files of a paper, taken apart.

    Attributes:
        main: The main file.
        texts: The text of each file, by name; empty for those that hold none of the paper's.
        facts: Counts of its reading.
    """

    main: Included
    texts: Mapping[str, str]
    facts: Mapping[str, int]

    def resolver(self) -> "PaperFiles":
        """Give what finds its files."""
        return PaperFiles(self.main.name, self.texts, TexNames(self.texts))


@dataclass(frozen=True, slots=True)
class PaperFiles:
    """Finds the files of a paper for the commands that include them."""

    main: str
    texts: Mapping[str, str]
    names: TexNames

    def __call__(self, command: str, argument: str, including: str) -> Included | None:
        """Give the file that a command means."""
        name = self.names.resolve(command, argument, including=including, main=self.main)
        return None if name is None else Included(name, self.texts[name])


def unpack(document: Document) -> PackedPaper:
    """Take a paper's files apart, and what tells them out of its metadata."""
    packed = json.loads(str(document.metadata.pop(_PACKED)))
    texts: dict[str, str] = {}
    start = 0
    for name, chars in packed["files"]:
        texts.setdefault(name, document.text[start : start + (chars or 0)])
        start += chars or 0
    main = packed["files"][0][0]
    return PackedPaper(Included(main, texts[main]), texts, packed["facts"])
