r"""Which file of an e-print is the paper.

An e-print is a folder of files, of which one is given to TeX. What is believed, in order: what arXiv's own notes say
(``00README.json``, ``00README.XXX``); a file with ``\documentclass`` or ``\documentstyle``; a file that ends as papers
in plain TeX, AMS-TeX or harvmac do; the only TeX file that no other includes. Of several whole papers in one e-print
one is taken, the others are counted: authors leave earlier versions, letters and templates beside a paper, and
variants of it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from filters.tex_files import TexNames, is_readme, is_tex

#: Files that no other includes, of which so many are looked at, those with a class first, then the longest.
MAX_ROOTS = 200

_COMMENT = re.compile(r"%(?<!\\%)[^\n]*")  # begins with what is searched for fastest
_CLASS = re.compile(r"\\document(?:class|style)(?![A-Za-z])(?:\s*\[[^\]]{0,2000}\])?(?:\s*\{\s*([^}\s]{0,80}))?")
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_BYE = re.compile(r"\\bye(?![A-Za-z])|\\end\s*\Z")
_PLAIN = re.compile(
    r"\\input\s*\{?\s*(?:harvmac|amstex|amsppt|phyzzx|lanlmac|jytex|eplain|tcilatex)\b|\\magnification\b"
)
_INCLUDES = re.compile(
    r"\\(input|include|subfile|subfileinclude|InputIfFileExists)(?![A-Za-z])\s*"
    r"(?:\{([^{}\n]{1,300})\}|\"([^\"\n]{1,300})\"|([^\s{}\\\"]{1,300}))"
    r"|\\(?:sub)?(?:import|inputfrom|includefrom)\*?\s*\{([^{}\n]{0,300})\}\s*\{([^{}\n]{1,300})\}"
)
#: Classes of files that are a part of another one, whole as they look.
_PARTS = ("subfiles", "standalone", "subdocument")
_IGNORED = "%auto-ignore"
_FIRST_NAMES = ("main", "ms", "paper", "article", "manuscript", "arxiv")
_OTHER_NAMES = re.compile(
    r"supp|append|cover|letter|respon|reply|rebut|referee|review|template|sample|example|poster|slide|diff|backup|\bold"
    r"|\bsi\b|copy|note",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MainFile:
    """The file of an e-print that is given to TeX.

    Attributes:
        name: Its name.
        others: Files beside it that could be whole papers too, and are not read but as it includes them.
    """

    name: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Signs:
    """What a file says of itself: has it a class, and which; does it begin or end; how long is it; what it includes."""

    has_class: bool
    is_part: bool
    begins: bool
    ends: bool
    chars: int
    includes: tuple[tuple[str, str], ...]


def find_main(files: Mapping[str, str]) -> MainFile | None:
    """Choose the main file of an e-print.

    Args:
        files: The texts of its files, by name.

    Returns:
        The file, or ``None`` where nothing tells which it is.
    """
    toplevel, ignored = read_hints(files)
    read = {name: _read_signs(text) for name, text in files.items() if is_tex(name) and name not in ignored}
    signs = {name: sign for name, sign in read.items() if sign is not None}
    hinted = [name for name in toplevel if name in signs]
    if hinted:
        return MainFile(hinted[0], tuple(hinted[1:]))
    names = TexNames(files)
    graph = {name: _included(name, sign, names) for name, sign in signs.items()}
    included = {child for name, children in graph.items() for child in children if child != name}
    roots = [name for name in signs if name not in included] or list(signs)
    roots.sort(key=lambda name: (not signs[name].has_class, -signs[name].chars, name))
    wholes = {name: _gather(name, signs, graph) for name in roots[:MAX_ROOTS]}
    ranked = sorted(_candidates(wholes), key=lambda name: _rank(name, wholes[name]))
    return MainFile(ranked[0], tuple(ranked[1:])) if ranked else None


def _candidates(wholes: Mapping[str, _Signs]) -> list[str]:
    """Choose among files that no other includes those that may be the paper."""
    papers = [name for name, whole in wholes.items() if whole.has_class or whole.begins]
    if papers:
        complete = [name for name in papers if not wholes[name].is_part]
        return complete or (papers if len(papers) == 1 else [])
    ending = [name for name, whole in wholes.items() if whole.ends]
    return ending or (list(wholes) if len(wholes) == 1 else [])


def _read_signs(text: str) -> _Signs | None:
    """Look at a file; ``None`` for one that says it is not to be processed, or holds no TeX."""
    if text.lstrip().startswith(_IGNORED):
        return None
    plain = _COMMENT.sub("", text)
    if "\\" not in plain:
        return None
    kind = _CLASS.search(plain)
    includes = tuple(_read_include(found) for found in _INCLUDES.finditer(plain))
    return _Signs(
        has_class=kind is not None,
        is_part=kind is not None and kind[1] in _PARTS,
        begins=_BEGIN.search(plain) is not None,
        ends=_BYE.search(plain.rstrip()) is not None or _PLAIN.search(plain) is not None,
        chars=len(plain),
        includes=includes,
    )


def _read_include(found: re.Match[str]) -> tuple[str, str]:
    command, braced, quoted, bare, folder, name = found.groups()
    if command is None:
        return "import", f"{folder.strip().rstrip('/')}/{name}" if folder.strip() else name
    return command, braced or quoted or bare


def _included(name: str, sign: _Signs, names: TexNames) -> set[str]:
    found = (names.resolve(command, argument, including=name, main=name) for command, argument in sign.includes)
    return {child for child in found if child is not None}


def _gather(name: str, signs: Mapping[str, _Signs], graph: Mapping[str, set[str]]) -> _Signs:
    """Give the signs of a file with all it includes; whether it is a part or ends it says itself."""
    reached = [signs[part] for part in _reach(name, graph) if part in signs]
    return replace(
        signs[name],
        has_class=any(part.has_class for part in reached),
        begins=any(part.begins for part in reached),
        chars=sum(part.chars for part in reached),
    )


def _rank(name: str, whole: _Signs) -> tuple[bool, bool, bool, int, int, str]:
    """Order candidates: with class and beginning, called as papers are, the longest, the nearest to the top."""
    stem = name.rpartition("/")[2].partition(".")[0]
    return (
        not (whole.has_class and whole.begins),
        _OTHER_NAMES.search(stem) is not None,
        stem.lower() not in _FIRST_NAMES,
        -whole.chars,
        name.count("/"),
        name,
    )


def _reach(name: str, graph: Mapping[str, set[str]]) -> set[str]:
    """Give the files that a file includes, or that those include, and itself."""
    reached, open_ = {name}, [name]
    while open_:
        new = graph.get(open_.pop(), set()) - reached
        reached |= new
        open_ += new
    return reached


def read_hints(files: Mapping[str, str]) -> tuple[list[str], set[str]]:
    r"""Read arXiv's notes on a paper: which files are given to TeX, in their order, and which are left out.

    >>> read_hints({"00README.XXX": "b.tex toplevelfile\nold.tex ignore\n", "b.tex": "", "old.tex": ""})
    (['b.tex'], {'old.tex'})
    """
    toplevel: list[str] = []
    ignored: set[str] = set()
    names = TexNames(files)
    for readme in sorted(name for name in files if is_readme(name)):
        for written, usage in _read_usages(readme, files[readme]):
            name = names.resolve("input", written, including=readme, main=readme)
            if name is not None and usage in {"toplevel", "toplevelfile"}:
                toplevel.append(name)
            elif name is not None and usage == "ignore":
                ignored.add(name)
    return toplevel, ignored


def _read_usages(readme: str, text: str) -> Sequence[tuple[str, str]]:
    """Give the names in a note with what is said of each."""
    if not readme.lower().endswith(".json"):
        lines = (line.split() for line in text.splitlines())
        return [(words[0], words[1].lower()) for words in lines if len(words) > 1]
    try:
        sources = json.loads(text).get("sources", [])
        return [(str(entry["filename"]), str(entry.get("usage", ""))) for entry in sources]
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return []
