r"""Writes miniature e-prints of arXiv: ``python tests/corpus/mini_arxiv.py [--output DIR]``.

Three bulk tars in the layout of arXiv's bucket, single e-prints of a later dump, and a folder. Each of :data:`PAPERS`
holds what a reader or a cleaner can get wrong, and tests know what becomes of it; some of volume stand beside them. The
same bytes come out on every machine: gzip members hold their content as it is.
"""

import argparse
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mini_grammar import Voice, seeded
from mini_pages import load_grammars

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "arxiv")
_TIME = 1_704_067_200
_STORED = 65_535  # bytes of a block of gzip that is not compressed

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage{amsmath,graphicx}
"""
BIBLIOGRAPHY = r"""\begin{thebibliography}{9}
\bibitem{tide} A. Tidal, \emph{On waves}, 1999.
\end{thebibliography}
"""
MACROS = r"""% Notation, by every means that TeX and LaTeX have.
\newcommand{\tide}{tidal wave}
\newcommand\height[1]{h_{#1}}
\newcommand{\pair}[2][0]{(#1, #2)}
\renewcommand{\vec}[1]{\mathbf{#1}}
\providecommand{\shore}{shoreline}
\def\gap{\,}
\def\between#1and#2.{from #1 to #2}
\let\coast\shore
\DeclareMathOperator{\flow}{flow}
\newenvironment{remarkbox}[1]{\begin{quote}\textbf{#1.} }{\end{quote}}
"""
FORMS = rf"""{PREAMBLE}{MACROS}\title{{On Tides}}
\begin{{document}}
\maketitle
\begin{{abstract}}
We measure tides.
\end{{abstract}}
\section{{Waves at the \shore}} % a heading with a macro
The \tide{{}} rises to $\height{{1}}\gap\height{{2}}$ at 100\% of its range, that is $\pair{{3}}$ or $\pair[1]{{2}}$.
It moves \between low water and high water. along the \coast, with $\vec{{v}} = \flow(x)$.
\begin{{remarkbox}}{{Remark}}It is slow.\end{{remarkbox}}
\iffalse This was taken out. \fi
\begin{{verbatim}}
% kept: \tide
\end{{verbatim}}
\input{{sec/method}}
\input{{"sec/Results.tex"}}
\include{{sec/lost}}
{BIBLIOGRAPHY}\end{{document}}
"""
_NESTED = r"\twice{" * 30 + "wave" + "}" * 30
DOUBLING = rf"""{PREAMBLE}\newcommand{{\twice}}[1]{{#1#1}}
\def\again{{\again\again}}
\begin{{document}}
\section{{Growth}}
{_NESTED}
And then \again.
\end{{document}}
"""
CYCLE = rf"""{PREAMBLE}\begin{{document}}
\section{{Circles}}
\input{{one}}
The circle is closed after the first round, and the paper goes on as if nothing had been asked of it twice.
{BIBLIOGRAPHY}\end{{document}}
"""
LATIN = rf"""{PREAMBLE}\usepackage[latin1]{{inputenc}}
\begin{{document}}
\section{{Über Gezeiten}}
Die Höhe der Flut hängt vom Mond ab, und von der Küste: in großen Buchten wächst sie auf das Zehnfache.
\end{{document}}
"""
CYRILLIC = rf"""{PREAMBLE}\usepackage[cp1251]{{inputenc}}
\begin{{document}}
\section{{Приливы}}
Высота прилива зависит от луны и от берега: в больших заливах она вырастает в десять раз.
\end{{document}}
"""
HOSTILE = rf"""{PREAMBLE}\begin{{document}}
\section{{A quiet paper in loud company}}
Its archive has members that lead out of it, links and a device. \input{{../up}} None of them is read,
\input{{/etc/passwd}} and the paper is what lies in its own folder.
\end{{document}}
"""
LETTER = rf"""{PREAMBLE}\title{{A letter}}
\begin{{document}}
\maketitle
Dear editor, this letter is without any section, and says all it has to say in a single paragraph of some length.
{BIBLIOGRAPHY}\end{{document}}
"""
OLD = r"""\documentstyle[12pt]{article}
\def\beq{\begin{equation}}
\def\eeq{\end{equation}}
\begin{document}
\title{Old waves}
\section{Introduction}
In the days of \LaTeX\ 2.09 an equation was begun thus: \beq h = a \cos \omega t \eeq and the sea was as it is now.
\begin{references}
\reference A. Tidal, 1990.
\end{references}
\end{document}
"""
PLAIN = r"""\magnification=1200
\def\wave{standing wave}
\centerline{\bf Plain waves}
\beginsection 1. Introduction

A \wave{} in plain \TeX{} has no sections of \LaTeX{}'s kind, as papers in harvmac have none.
\bye
"""
WITHDRAWN = r"""%auto-ignore
This paper has been withdrawn by the author, due to a sign error in equation 3.
"""
README = """paper.tex toplevelfile
old.tex ignore
"""
HINTED = rf"""{PREAMBLE}\begin{{document}}
\section{{The paper that the note names}}
Beside it lie an earlier version and a letter, and the names of all three are the names of papers.
\end{{document}}
"""
OTHER = rf"""{PREAMBLE}\begin{{document}}
\section{{Not this one}}
{"This file is longer than the paper, and it is not the paper. " * 9}
\end{{document}}
"""
SEASHORE = r"""\input{style/macros}
\documentclass{article}
\begin{document}
\chapter{The seashore}
\import{sections/}{first}
\subfile{sections/second}
\end{document}
"""


@dataclass(frozen=True)
class Link:
    """A member of a tar that is no file: a link to a place, or a device."""

    target: str = ""


Files = Mapping[str, bytes | Link]


def latin(text: str) -> bytes:
    """Encode a text as its author did."""
    return text.encode("latin-1")


def paper(**files: str) -> Files:
    """Name files by keywords: two underscores are a slash, one of ``_tex`` and the like a dot."""
    return {name.replace("__", "/").replace("_", "."): text.encode() for name, text in files.items()}


#: E-prints of one file, by id.
SINGLE = {
    "9901/astro-ph9901001": latin(OLD),
    "9901/hep-th9901003": latin(WITHDRAWN),
    "9901/hep-th9901004": latin(PLAIN),
    "2401/2401.00002": DOUBLING.encode(),
    "2401/2401.00004": latin(LATIN),
    "2401/2401.00007": LETTER.encode(),
    "2401/2401.00008": b"\n",
}
#: E-prints of several.
PAPERS: dict[str, Files] = {
    "2401/2401.00001": paper(
        main_tex=FORMS,
        sec__method_tex="\\subsection{Method}\nWe wait for \\tide{}s. % and wait\n\\input{sec/deeper}\n",
        sec__deeper_tex="A deeper file stands where it is asked for.\n",
        sec__results_TEX="\\subsection{Results}\nThe letters' case of a name is not always right.\n",
        main_bbl="\\begin{thebibliography}{1}\\end{thebibliography}\n",
        figure_eps="%!PS-Adobe-3.0 EPSF-3.0\n",
    ),
    "2401/2401.00003": paper(
        main_tex=CYCLE, one_tex="One comes before two.\n\\input{two}\n", two_tex="Two asks for one.\n\\input{one}\n"
    ),
    "2401/2401.00005": {
        **paper(main_tex=HOSTILE),
        "../up.tex": b"\\section{Up} This lies outside.\n",
        "/etc/passwd": b"root\n",
        "here.tex": Link("/etc/passwd"),
        "zero": Link(),
    },
    "2401/2401.00011": {
        "00README.XXX": README.encode(),
        **paper(main_tex=OTHER, old_tex=OTHER, paper_tex=HINTED),
    },
}


def volume(number: int) -> Files:
    """Write a paper of some pages in two files."""
    voice = Voice(load_grammars()["english"], "sea", seeded("arxiv", number))
    sections = [
        f"\\section{{{voice.say('sentence').rstrip('.')}}}\n" + "\n\n".join(_paragraph(voice) for _ in range(4))
        for _ in range(3)
    ]
    body = "\n\n".join(sections[:2])
    main = f"{PREAMBLE}{MACROS}\\begin{{document}}\n{body}\n\\input{{rest}}\n{BIBLIOGRAPHY}\\end{{document}}\n"
    return paper(ms_tex=main, rest_tex=sections[2] + "\n")


def _paragraph(voice: Voice) -> str:
    sentences = " ".join(voice.say("sentence") for _ in range(4))
    letter = voice.say("sentence")[:1]
    return rf"{sentences} % {voice.say('sentence')}" + "\n" + rf"The \tide{{}} of $\height{{{letter}}}$ is \pair{{4}}."


def stored_gzip(content: bytes) -> bytes:
    """Pack a file without compressing it, so that no version of zlib has a say in its bytes."""
    blocks = [content[at : at + _STORED] for at in range(0, len(content), _STORED)] or [b""]
    body = b"".join(
        struct.pack("<BHH", at == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for at, block in enumerate(blocks)
    )
    tail = struct.pack("<II", zlib.crc32(content), len(content))
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + tail


def pack(files: Files) -> bytes:
    """Pack files into a tar."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mtime = _TIME
            if isinstance(content, Link):
                member.type, member.linkname = (tarfile.SYMTYPE if content.target else tarfile.CHRTYPE), content.target
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def eprint(name: str) -> bytes:
    """Give an e-print as arXiv serves it."""
    return stored_gzip(SINGLE[name] if name in SINGLE else pack(PAPERS[name]))


def _named(*names: str) -> dict[str, bytes | Link]:
    return {f"{name}.gz": eprint(name) for name in names}


def bulk_tars() -> Iterator[tuple[str, bytes]]:
    """Write the bulk tars: one of 1999, two of 2024, the last of them cut in the middle of a member."""
    old = _named(*(name for name in SINGLE if name.startswith("9901/")))
    yield "arXiv_src_9901_001.tar", pack({**old, "9901/math9901002.pdf": b"%PDF-1.2\n%\xe2\xe3\n"})
    first = _named(*(name for name in (*SINGLE, *PAPERS) if name < "2401/2401.0001" and name.startswith("2401/")))
    first["2401/2401.00006.pdf"] = b"%PDF-1.5\n"
    first["2401/2401.00009.gz"] = stored_gzip(pack(volume(9)))[:900]
    first["../2401.00010.gz"] = stored_gzip(LETTER.encode())
    first["2401/2401.00012.gz"] = Link("2401.00001.gz")
    first["2401/MANIFEST.txt"] = b"a list\n"
    yield "arXiv_src_2401_001.tar", pack(first)
    second: dict[str, bytes | Link] = _named("2401/2401.00001", "2401/2401.00011")
    second |= {f"2401/2401.{number:05}.gz": stored_gzip(pack(volume(number))) for number in range(21, 27)}
    whole = pack(second)
    yield "arXiv_src_2401_002.tar", whole[: len(whole) - tarfile.RECORDSIZE]


def files() -> dict[str, bytes]:
    """Give the content of each file by its path."""
    circles = {**PAPERS["2401/2401.00003"], "two.tex": b"The second version asks for nothing twice.\n"}
    return {
        **{f"src/{name}": content for name, content in bulk_tars()},
        "later/2401.00003v2.tar.gz": stored_gzip(pack(circles)),
        "later/2401.00003v1.gz": eprint("2401/2401.00003"),
        "later/2402.00001v3.gz": stored_gzip(CYRILLIC.encode("cp1251")),
        "later/list.xml": b"<list/>\n",
        "folders/seashore/book.tex": SEASHORE.encode(),
        "folders/seashore/style/macros.tex": b"\\newcommand{\\sand}{fine sand}\n",
        "folders/seashore/sections/first.tex": b"Where the \\sand{} ends, \\input{third}\n",
        "folders/seashore/sections/second.tex": (
            b"\\documentclass[../book]{subfiles}\n\\begin{document}\nthe water begins.\n\\end{document}\n"
        ),
        "folders/seashore/sections/third.tex": b"and the last wave has been,\n",
        "folders/notes.txt": b"Not in a folder.\n",
    }


def write(folder: str) -> None:
    """Write the e-prints into a folder."""
    for name, content in files().items():
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=FOLDER)
    write(parser.parse_args().output)
