r"""Packages that authors wrote and sent with their paper: read for the macros in them, of which no text comes.

``\usepackage{mymacros}`` with ``mymacros.sty`` among the paper's files is where many authors keep what LLaMA expands,
"definitions and macros written by users". Files of journals, conferences and other packages lie there too, made of
LaTeX's internals: what they define means something to a reader, and stays. So no class is read, nor a package with a
licence, options or a layout of titles and sections; of the others nothing counts that needs an internal or changes a
name that LaTeX has.
"""

import dataclasses
import re

from filters.tex_expand import Command, Expander
from filters.tex_input import Frame
from filters.tex_output import Output
from filters.tex_state import Included
from filters.tex_tokens import unify_lines

_NAMES = re.compile(r"[ \t]*+(?:\[[^\[\]]{0,2000}\][ \t\n]*+)?\{([^{}\\#]{1,2000})\}")
_COMMENT = re.compile(r"%[^\n]*+")
_MOST_CHARS = 200_000
#: What tells a package that others published: its licence, its options, how it lays out titles and sections.
_PUBLISHED = re.compile(
    r"LPPL|LaTeX Project Public|docstrip|copyright|\(c\) *(?:by\b|\d{4})|all rights reserved"
    r"|general public license|\bctan\b"
    r"|\\(?:DeclareOption|ProcessOptions|ExecuteOptions|DeclareOptionX|SetupKeyvalOptions)\b"
    r"|\\(?:@maketitle|@startsection|@makecaption|@sect|ps@[A-Za-z]+|@outputpage|output)(?![A-Za-z@])",
    re.IGNORECASE,
)


def _usepackage(x: Expander, match: re.Match[str]) -> bool:
    frame = x.stack[-1]
    found = _NAMES.match(frame.text, match.end()) if frame.file is not None else None
    if found is None:
        return False
    for name in _COMMENT.sub("", found[1]).split(","):
        package = x.resolve("usepackage", name.strip(), frame.file or "") if name.strip() else None
        if package is not None and package.name.lower().endswith(".sty") and package.name not in x.state.packages:
            x.state.packages.add(package.name)
            if is_own_package(package.text):
                _read_package(x, package)
    return False


def is_own_package(text: str) -> bool:
    r"""Tell whether a package seems to be the work of a paper's authors.

    >>> is_own_package(r"\newcommand{\R}{\mathbb{R}}"), is_own_package("% This file may be used under the LPPL.")
    (True, False)
    """
    return len(text) <= _MOST_CHARS and _PUBLISHED.search(text) is None


def _read_package(x: Expander, package: Included) -> None:
    """Read a package by itself: only what it defines remains."""
    stack, out, facts, left, state, trail = x.stack, x.out, x.facts.copy(), len(x.left), x.state, x.trail
    x.spend(len(package.text))
    x.state = dataclasses.replace(
        state, math=0, texts=[], conditions=[], environments=[], tests=0, package=True, comments=set(state.comments)
    )
    x.stack, x.out = [Frame(unify_lines(package.text), at=True, file=package.name)], Output()
    x.run()
    x.meanings.close(state.depth)
    facts["macros_defined"] = x.facts["macros_defined"]
    x.stack, x.out, x.facts, x.state, x.trail = stack, out, facts, state, trail
    del x.left[left:]


#: Commands by their names.
PACKAGES: dict[str, Command] = dict.fromkeys(("usepackage", "RequirePackage"), _usepackage)
