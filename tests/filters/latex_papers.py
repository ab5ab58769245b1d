"""Papers for the tests of LaTeX: what a text becomes, and files that it reads."""

import os
from collections.abc import Mapping

from filters.latex import Included, LatexSettings, Paper, clean_paper
from filters.verdict import Drop


def clean(text: str, files: Mapping[str, str] = {}, **settings) -> Paper | Drop:
    """Clean a paper with files by name; ``\\input{a}`` finds ``a`` or ``a.tex``, ``\\usepackage{a}`` ``a.sty``."""

    def resolve(command: str, name: str, asking: str) -> Included | None:
        if command == "usepackage":
            return Included(f"{name}.sty", files[f"{name}.sty"]) if f"{name}.sty" in files else None
        for path in (name, f"{name}.tex", os.path.join(os.path.dirname(asking), name)):
            if path in files:
                return Included(path, files[path])
        return None

    return clean_paper(Included("main.tex", text), resolve, LatexSettings(**settings))


def body(text: str, files: Mapping[str, str] = {}, **settings) -> str:
    """Give what becomes of a text that stands behind the heading of a section."""
    paper = clean("\\section{S}\n" + text, files, **settings)
    assert isinstance(paper, Paper), paper
    assert paper.text.startswith("\\section{S}\n")
    return paper.text.removeprefix("\\section{S}\n").removesuffix("\n")
