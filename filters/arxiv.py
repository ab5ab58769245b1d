"""arXiv's e-prints: what they are called, and which of them hold no paper in TeX.

LLaMA takes arXiv's LaTeX files (Touvron et al., 2023, section 2.1). What an e-print is besides (PDF alone, PostScript,
a note in the place of a paper that its authors took back) is left out here, each with a reason.
"""

import re
from dataclasses import dataclass

from filters.verdict import Drop, Reason

#: Longest TeX source, comments and preamble out, that may be a note instead of a paper.
MAX_WITHDRAWN_CHARS = 2000

#: arXiv's archives, whose names begin the ids of papers from before April 2007; a subject may follow them.
_ARCHIVES = (
    *("acc-phys", "adap-org", "alg-geom", "ao-sci", "astro-ph", "atom-ph", "bayes-an", "chao-dyn", "chem-ph", "cmp-lg"),
    *("comp-gas", "cond-mat", "cs", "dg-ga", "funct-an", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph"),
    *("math", "mtrl-th", "nlin", "nucl-ex", "nucl-th", "patt-sol", "physics", "plasm-ph", "q-alg", "q-bio", "quant-ph"),
    *("solv-int", "supr-con"),
)
_MONTH = r"(?P<year>\d\d)(?P<month>0[1-9]|1[0-2])"
_VERSION = r"(?:v(?P<version>[1-9]\d{0,3}))?"
_NEW = re.compile(rf"(?:.*/)?(?P<id>{_MONTH}\.\d{{4,5}}){_VERSION}", re.DOTALL)
_OLD = re.compile(
    rf"(?:.*/)?(?P<archive>{'|'.join(_ARCHIVES)})(?:\.[A-Z]{{2}})?[/_]?(?P<number>{_MONTH}\d{{3}}){_VERSION}", re.DOTALL
)
_FIRST_YEAR = 91  # of arXiv, in two digits

_COMMENT = re.compile(r"%(?<!\\%)[^\n]*")  # begins with what is searched for fastest
_PREAMBLE = re.compile(r"\A.*?\\begin\s*\{document\}", re.DOTALL)
_WITHDRAWN = re.compile(
    r"\b(?:paper|article|manuscript|submission|preprint|work|letter|note|e-?print|has|have|is|was|been)\b"
    r"[^.!?]{0,120}\b(?:withdrawn|retracted)\b|\bwithdrawn\s+by\b",
    re.IGNORECASE,
)


class ArxivReason(Reason):
    """Why an e-print is no paper of the corpus, in the order they are tried."""

    NOT_AN_EPRINT = "arxiv/not_an_eprint"
    PDF_ONLY = "arxiv/pdf_only"
    EMPTY = "arxiv/empty"
    TOO_LARGE = "arxiv/too_large"
    TOO_MANY_FILES = "arxiv/too_many_files"
    TEX_TOO_LONG = "arxiv/tex_too_long"
    NO_TEX = "arxiv/no_tex"
    WITHDRAWN = "arxiv/withdrawn"
    NO_MAIN_FILE = "arxiv/no_main_file"


@dataclass(frozen=True, slots=True)
class ArxivId:
    """What a paper is called.

    Attributes:
        id: ``2004.14974``, or ``hep-th/9901001`` for papers from before April 2007.
        version: The version, ``None`` where the name does not say it.
        created: The first day of the month the id carries, as ISO 8601 time.
    """

    id: str
    version: int | None
    created: str


def parse_id(stem: str) -> ArxivId | None:
    """Find the id of a paper in the path of its file, suffixes left out.

    >>> parse_id("2401/2401.00007v2")
    ArxivId(id='2401.00007', version=2, created='2024-01-01T00:00:00+00:00')
    >>> parse_id("9901/astro-ph9901001").id, parse_id("math.AG9901001").id, parse_id("2401/paper1234567")
    ('astro-ph/9901001', 'math/9901001', None)
    """
    new = _NEW.fullmatch(stem)
    if new is not None:
        return ArxivId(new["id"], _version(new), _created(new))
    old = _OLD.fullmatch(stem)
    if old is not None:
        return ArxivId(f"{old['archive']}/{old['number']}", _version(old), _created(old))
    return None


def _version(found: re.Match[str]) -> int | None:
    return int(found["version"]) if found["version"] else None


def _created(found: re.Match[str]) -> str:
    century = 19 if int(found["year"]) >= _FIRST_YEAR else 20
    return f"{century}{found['year']}-{found['month']}-01T00:00:00+00:00"


def check_withdrawn(source: str) -> Drop | None:
    r"""Decide whether a TeX source is but a note that its paper was withdrawn.

    A paper that says of another one that it was withdrawn is longer: without comments and preamble, a note has no more
    than :data:`MAX_WITHDRAWN_CHARS` characters.

    >>> check_withdrawn("%auto-ignore\nThis paper has been withdrawn by the author due to an error.").measured
    60
    """
    plain = _COMMENT.sub("", source)
    plain = _PREAMBLE.sub("", plain).strip()
    if len(plain) > MAX_WITHDRAWN_CHARS or _WITHDRAWN.search(plain) is None:
        return None
    return Drop(ArxivReason.WITHDRAWN, len(plain), MAX_WITHDRAWN_CHARS)
