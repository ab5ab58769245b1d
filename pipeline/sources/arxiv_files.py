"""E-prints out of files: bulk tars, single e-prints, TeX files, and folders of them; packed into units of work.

A bulk tar has some 500 MB and is a unit of its own, read from its first byte to its last: its members pass through
:mod:`pipeline.sources.arxiv_eprint` one by one. Single e-prints and folders are packed into units of about a batch.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from filters.arxiv import ArxivReason
from filters.tex_files import TEX_SUFFIXES, is_read, is_textless, safe_name
from filters.verdict import Drop
from pipeline.arxiv_settings import ArxivDump, ArxivLimits
from pipeline.batch import Batch
from pipeline.document import MalformedRecord, Shard
from pipeline.files import open_read
from pipeline.reading import Item, batched
from pipeline.sources.arxiv_eprint import Eprint, Read, read_eprint
from pipeline.sources.arxiv_papers import PaperName, paper_items
from pipeline.sources.tar_members import TarFault, TarKind, TarMember, TarReader

_BULK = ".tar"
_PACKED = re.compile(r"(?:\.tar)?\.gz\Z|\.tgz\Z", re.IGNORECASE)
_PDF = ".pdf"


@dataclass(frozen=True, slots=True)
class PaperFile:
    """A file, or the files of a folder, that hold papers.

    Attributes:
        name: The first file's name as a shard.
        size: Bytes on disk.
        files: The files.
        folder: The folder below the input root; empty for a file.
    """

    name: str
    size: int
    files: tuple[Shard, ...]
    folder: str = ""


@dataclass(frozen=True, slots=True)
class PaperUnit:
    """What is read one after the other.

    Attributes:
        name: Its first file's, with the number of the others: it follows from the list of files alone.
        size: Bytes on disk.
        papers: What it reads.
    """

    name: str
    size: int
    papers: tuple[PaperFile, ...]


def stem_of(name: str) -> str:
    """Give the path of an e-print without its suffixes; a dot of an id is none.

    >>> stem_of("2401/2401.00001.gz"), stem_of("2004.14974v2.tar.gz"), stem_of("hep-th9901001"), stem_of("a/b.tex")
    ('2401/2401.00001', '2004.14974v2', 'hep-th9901001', 'a/b')
    """
    plain = _PACKED.sub("", name)
    return plain if plain != name else re.sub(r"\.(?:tex|ltx|latex|pdf|tar)\Z", "", name, flags=re.IGNORECASE)


def is_bulk(name: str) -> bool:
    """Tell a bulk tar by its name."""
    return name.lower().endswith(_BULK)


def is_eprint(name: str) -> bool:
    """Tell an e-print by its name."""
    return _PACKED.search(name) is not None or name.lower().endswith((_PDF, *TEX_SUFFIXES))


def group_files(dump: ArxivDump, shards: Sequence[Shard]) -> tuple[list[PaperFile], list[Shard]]:
    """Say which files hold papers, and which are passed over.

    Args:
        dump: The dump they belong to.
        shards: Its files, sorted by name.
    """
    if not dump.folders:
        wanted = [shard for shard in shards if is_bulk(shard.below) or is_eprint(shard.below)]
        others = [shard for shard in shards if not (is_bulk(shard.below) or is_eprint(shard.below))]
        return [PaperFile(shard.name, shard.size, (shard,)) for shard in wanted], others
    folders: dict[str, list[Shard]] = {}
    for shard in shards:
        folders.setdefault(shard.below.partition("/")[0] if "/" in shard.below else "", []).append(shard)
    others = folders.pop("", [])
    papers = [
        PaperFile(files[0].name, sum(file.size for file in files), tuple(files), folder)
        for folder, files in sorted(folders.items())
    ]
    return papers, others


def pack_units(papers: Iterable[PaperFile], unit_bytes: int) -> list[PaperUnit]:
    """Pack papers into units of some ``unit_bytes`` on disk; a bulk tar is one by itself.

    Args:
        papers: Those of one dump, in their order.
        unit_bytes: Where a unit is full.
    """
    units: list[PaperUnit] = []
    group: list[PaperFile] = []
    for paper in papers:
        alone = is_bulk(paper.files[0].below) and not paper.folder
        if group and (alone or sum(one.size for one in group) + paper.size > unit_bytes):
            units.append(_unit(group))
            group = []
        group.append(paper)
        if alone:
            units.append(_unit(group))
            group = []
    return [*units, _unit(group)] if group else units


def _unit(group: Sequence[PaperFile]) -> PaperUnit:
    name = group[0].name + (f"+{len(group) - 1}" if len(group) > 1 else "")
    return PaperUnit(name, sum(paper.size for paper in group), tuple(group))


def read_unit(unit: PaperUnit, *, batch_bytes: int, limits: ArxivLimits) -> Iterator[Batch]:
    """Read a unit's e-prints into batches of papers that are not cleaned yet, each once, in the order of the files.

    Args:
        unit: The unit.
        batch_bytes: Text of a batch, in bytes.
        limits: What an e-print may hold.
    """
    yield from batched(_read_papers(unit, limits), unit.name, batch_bytes)


def _read_papers(unit: PaperUnit, limits: ArxivLimits) -> Iterator[tuple[Item, int]]:
    done = 0
    for paper in unit.papers:
        for item, position in _read_paper(paper, limits):
            yield item, done + min(position, paper.size)
        done += paper.size


def _read_paper(paper: PaperFile, limits: ArxivLimits) -> Iterator[tuple[Item, int]]:
    if paper.folder:
        yield from ((item, paper.size) for item in read_folder(paper, limits))
        return
    (file,) = paper.files
    with open_read(file.path) as stream:
        if is_bulk(file.below):
            yield from read_bulk(stream.read, file, limits)
        else:
            name = PaperName(stem_of(file.below), "", file.dump)
            yield from ((item, file.size) for item in _read_one(stream.read, name, limits))


def _read_one(read: Read, name: PaperName, limits: ArxivLimits) -> Iterator[Item]:
    try:
        found = read_eprint(read, name.file, limits)
    except MalformedRecord as error:
        yield name.malformed(error)
        return
    yield from paper_items(found, name)


def read_bulk(read: Read, file: Shard, limits: ArxivLimits) -> Iterator[tuple[Item, int]]:
    """Read the e-prints of a bulk tar.

    Args:
        read: Gives the next bytes of the file.
        file: The file.
        limits: What an e-print may hold.

    Yields:
        What becomes of each member but folders, and faults of the tar, each with the bytes of the file read so far.
    """
    reader = TarReader(read, file.size)
    for member in reader:
        if isinstance(member, TarFault):
            cause = f"arxiv/bulk_{member.cause}"
            yield (
                MalformedRecord(cause, member.detail, offset=member.offset, is_record=member.is_member),
                reader.position,
            )
            continue
        for item in _read_member(member, file, limits):
            yield item, reader.position


def _read_member(member: TarMember, file: Shard, limits: ArxivLimits) -> Iterator[Item]:
    if member.kind is TarKind.FOLDER:
        return
    safe = safe_name(member.name)
    if safe is None or member.kind is not TarKind.FILE:
        cause = "arxiv/unsafe_member" if safe is None else f"arxiv/{member.kind}_member"
        yield MalformedRecord(cause, f"{member.name!a}", offset=member.offset)
        return
    name = PaperName(stem_of(safe), f"{file.below}#", file.dump, member.offset)
    if not is_eprint(safe):
        yield name.drop(Drop(ArxivReason.NOT_AN_EPRINT, detail=safe))
        return
    yield from _read_one(member.read, name, limits)


def read_folder(paper: PaperFile, limits: ArxivLimits) -> Iterator[Item]:
    """Read the files of a folder as those of an e-print."""
    name = PaperName(paper.folder, "", paper.files[0].dump)
    if len(paper.files) > limits.max_files:
        yield name.drop(Drop(ArxivReason.TOO_MANY_FILES, len(paper.files), limits.max_files))
        return
    inside = {file.below.partition("/")[2]: file for file in paper.files}
    wanted = {below: file for below, file in inside.items() if is_read(below) and not is_textless(below)}
    size = sum(file.size for file in wanted.values())
    if size > limits.max_tex_bytes:
        yield name.drop(Drop(ArxivReason.TEX_TOO_LONG, size, limits.max_tex_bytes))
        return
    files = {below: _read_file(file) for below, file in wanted.items()}
    yield from paper_items(Eprint(files, [below for below in inside if is_textless(below)]), name)


def _read_file(file: Shard) -> bytes:
    with open_read(file.path) as stream:
        return stream.read()
