r"""The files of an e-print: which hold text, what a name in a tar comes to, and which file ``\input`` means.

TeX looks for a file below the folder it runs in, which is the main file's here; packages for nested papers look beside
the including file too. Nothing outside the e-print is ever meant.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Suffixes of what is TeX by its name; so is a file without one.
TEX_SUFFIXES = (".tex", ".ltx", ".latex")
#: Read beside these: what an author may put macros or text into, and arXiv's own notes on a paper.
_READ_SUFFIXES = (
    *(*TEX_SUFFIXES, "", ".sty", ".def", ".cfg", ".mac", ".macros", ".inc", ".txt", ".ltx2e"),
    *(".xxx", ".json", ".tex~", ".texi", ".plain", ".ams", ".amstex"),
)
#: What ``\input`` may name and what holds no text of the paper: bibliographies, pictures, what TeX writes itself.
_TEXTLESS_SUFFIXES = (
    *(".bbl", ".bib", ".bst", ".pstex_t", ".pdf_t", ".pdf_tex", ".pdftex_t", ".eps_tex", ".ps_tex", ".tikz", ".pgf"),
    *(".pic", ".eepic", ".epic", ".aux", ".toc", ".lof", ".lot", ".ind", ".gls", ".glo"),
)
_README = "00readme"
_PACKAGES = ("usepackage", "RequirePackage", "usepackage*", "RequirePackageWithOptions")
_CLASSES = ("documentclass", "documentstyle", "LoadClass", "LoadClassWithOptions")


def suffix_of(name: str) -> str:
    """Give the suffix of a file's name in small letters.

    >>> suffix_of("sec/Intro.TEX"), suffix_of("sec.1/intro"), suffix_of("paper.v2.tex")
    ('.tex', '', '.tex')
    """
    return os.path.splitext(name)[1].lower()


def is_readme(name: str) -> bool:
    """Tell arXiv's notes on how a paper is processed: ``00README.XXX``, ``00README.json``."""
    return name.rpartition("/")[2].lower().startswith(_README)


def is_tex(name: str) -> bool:
    """Tell by its name a file that may be a paper, or a part of its text."""
    return suffix_of(name) in {*TEX_SUFFIXES, ""} and not is_readme(name)


def is_read(name: str) -> bool:
    """Tell by its name a file that is read, for its text or for its macros."""
    return is_readme(name) or suffix_of(name) in _READ_SUFFIXES


def is_textless(name: str) -> bool:
    """Tell by its name a file that a paper may include, and that has none of its text."""
    return suffix_of(name) in _TEXTLESS_SUFFIXES


def safe_name(name: str) -> str | None:
    r"""Give the name of a file in an e-print with ``/`` between its parts; ``None`` where it leads out of it.

    >>> safe_name("./sec//intro.tex"), safe_name("sec\\intro.tex")
    ('sec/intro.tex', 'sec/intro.tex')
    >>> [safe_name(name) for name in ("/etc/passwd", "../up.tex", "a/../../up.tex", "C:/a.tex", "", ".")]
    [None, None, None, None, None, None]
    """
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if plain.startswith("/") or not parts or ".." in parts or parts[0].endswith(":") or "\0" in plain:
        return None
    return "/".join(parts)


@dataclass(frozen=True, slots=True)
class TexNames:
    """The names of an e-print's files, for looking up what a command includes.

    Attributes:
        names: All of them.
    """

    names: frozenset[str]
    _folded: dict[str, str] = field(init=False, repr=False, compare=False)

    def __init__(self, names: Iterable[str]) -> None:
        given = sorted(names, reverse=True)  # of two names that differ in case alone the first one counts
        object.__setattr__(self, "names", frozenset(given))
        object.__setattr__(self, "_folded", {name.lower(): name for name in given})

    def resolve(self, command: str, argument: str, *, including: str, main: str) -> str | None:
        r"""Find the file that a command means.

        Args:
            command: ``input``, ``include``, ``subfile``, ``import``, ``usepackage`` and the like.
            argument: What stands in its braces.
            including: The file it stands in.
            main: The paper's main file.

        >>> names = TexNames(["p/main.tex", "p/sec/Intro.tex", "p/sec/more.tex", "p/own.sty", "p/fig.1"])
        >>> [names.resolve("input", name, including="p/sec/more.tex", main="p/main.tex")
        ...  for name in ("sec/intro", '"sec/more.tex"', "./fig.1", "Intro", "../../etc/passwd", "own")]
        ['p/sec/Intro.tex', 'p/sec/more.tex', 'p/fig.1', 'p/sec/Intro.tex', None, None]
        >>> names.resolve("usepackage", "own", including="p/main.tex", main="p/main.tex")
        'p/own.sty'
        """
        wanted = argument.strip().strip('"').strip().replace("\\", "/")
        if not wanted or wanted.startswith(("/", "~", "|")):
            return None
        folders = dict.fromkeys((_folder(main), _folder(including), ""))
        places = [place for folder in folders if (place := _collapse(f"{folder}{wanted}")) is not None]
        for place in places:
            for suffix in _suffixes(command):
                if f"{place}{suffix}" in self.names:
                    return f"{place}{suffix}"
        for place in places:
            for suffix in _suffixes(command):
                found = self._folded.get(f"{place}{suffix}".lower())
                if found is not None:
                    return found
        return None


def _folder(name: str) -> str:
    folder, slash, _ = name.rpartition("/")
    return folder + slash


def _suffixes(command: str) -> tuple[str, ...]:
    if command in _PACKAGES:
        return (".sty",)
    return (".cls", ".sty") if command in _CLASSES else (".tex", "", *TEX_SUFFIXES[1:])


def _collapse(path: str) -> str | None:
    """Take ``.`` and ``..`` out of a path; ``None`` where it leads out of the e-print, or to nothing."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts) or None
