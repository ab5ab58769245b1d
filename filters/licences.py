"""Which licences a repository or file is under, and whether LLaMA's rule lets it in (Touvron et al., 2023, 2.1).

"We only kept projects that are distributed under the Apache, BSD and MIT licenses." Names of licences are brought to
SPDX's ids and expressions (SPDX specification 2.3, annex D), read by ``packaging``, which knows the list. A name that
says the family and not the member, as "BSD License" among PyPI's classifiers, becomes ``LicenseRef-BSD``. What belongs
to a family stands in :data:`FAMILIES`: variants that ask for a notice, an acknowledgement or nothing at all are in;
those that restrict what the code may be used for (``JSON``, no-military and no-nuclear BSD) or that are copyleft
(``BSD-Protection``) are not. ISC, Zlib and the public domain are as free, and not what the paper names.
"""

import re
from collections.abc import Collection, Sequence

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from filters.verdict import Drop, Reason

FAMILIES = {
    "apache": frozenset({"Apache-1.0", "Apache-1.1", "Apache-2.0", "LicenseRef-Apache"}),
    "bsd": frozenset(
        """
        0BSD BSD-1-Clause BSD-2-Clause BSD-2-Clause-Darwin BSD-2-Clause-FreeBSD BSD-2-Clause-NetBSD BSD-2-Clause-Patent
        BSD-2-Clause-Views BSD-2-Clause-first-lines BSD-3-Clause BSD-3-Clause-Attribution BSD-3-Clause-Clear
        BSD-3-Clause-HP BSD-3-Clause-LBNL BSD-3-Clause-Modification BSD-3-Clause-No-Nuclear-Warranty
        BSD-3-Clause-Open-MPI BSD-3-Clause-Sun BSD-3-Clause-acpica BSD-3-Clause-flex BSD-4-Clause BSD-4-Clause-Shortened
        BSD-4-Clause-UC BSD-4.3RENO BSD-4.3TAHOE BSD-Source-Code LicenseRef-BSD
        """.split()  # noqa: SIM905 (read as one)
    ),
    "mit": frozenset(
        """
        MIT MIT-0 MIT-CMU MIT-Click MIT-Festival MIT-Khronos-old MIT-Modern-Variant MIT-Wu MIT-advertising
        MIT-enna MIT-feh MIT-open-group MIT-testregex X11 X11-distribute-modifications-variant X11-swapped
        LicenseRef-MIT
        """.split()  # noqa: SIM905 (read as one)
    ),
}

_FAMILY = {spdx: family for family, members in FAMILIES.items() for spdx in members}
_MAX_CHARS = 1000  # of a name or expression; the longest in SPDX's own examples has 60

#: Names that are no SPDX id, folded by :func:`_fold`.
_NAMES = {
    "apache": "LicenseRef-Apache",
    "apache 1.1": "Apache-1.1",
    "apache 2": "Apache-2.0",
    "asl 2": "Apache-2.0",
    "al2": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd style": "LicenseRef-BSD",
    "bsd like": "LicenseRef-BSD",
    "bsd 0 clause": "0BSD",
    "bsd zero clause": "0BSD",
    "zero clause bsd": "0BSD",
    "bsd 2 clause": "BSD-2-Clause",
    "2 clause bsd": "BSD-2-Clause",
    "two clause bsd": "BSD-2-Clause",
    "bsd 2": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "bsd 2 clause simplified": "BSD-2-Clause",
    "freebsd": "BSD-2-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "three clause bsd": "BSD-3-Clause",
    "bsd 3": "BSD-3-Clause",
    "bsd 3 clause new or revised": "BSD-3-Clause",
    "bsd 3 clause new": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "revised bsd": "BSD-3-Clause",
    "bsd 3 clause clear": "BSD-3-Clause-Clear",
    "bsd 4 clause": "BSD-4-Clause",
    "4 clause bsd": "BSD-4-Clause",
    "bsd 4": "BSD-4-Clause",
    "original bsd": "BSD-4-Clause",
    "mit": "MIT",
    "expat": "MIT",
    "mit expat": "MIT",
    "mit style": "LicenseRef-MIT",
    "mit like": "LicenseRef-MIT",
    "mit x11": "LicenseRef-MIT",
    "x11 mit": "LicenseRef-MIT",
    "mit no attribution": "MIT-0",
    "mit no attribution mit 0": "MIT-0",
    "mit 0": "MIT-0",
    "agpl": "LicenseRef-AGPL",
    "agpl 3": "AGPL-3.0",
    "gnu affero general public 3": "AGPL-3.0",
    "gpl": "LicenseRef-GPL",
    "gnu general public": "LicenseRef-GPL",
    "gpl 2": "GPL-2.0",
    "gpl 3": "GPL-3.0",
    "gnu general public 2": "GPL-2.0",
    "gnu general public 3": "GPL-3.0",
    "gnu general public 2 or later": "GPL-2.0-or-later",
    "gnu general public 3 or later": "GPL-3.0-or-later",
    "lgpl": "LicenseRef-LGPL",
    "gnu library or lesser general public": "LicenseRef-LGPL",
    "lgpl 2.1": "LGPL-2.1",
    "lgpl 3": "LGPL-3.0",
    "gnu lesser general public 2.1": "LGPL-2.1",
    "gnu lesser general public 3": "LGPL-3.0",
    "mozilla public 2": "MPL-2.0",
    "mpl 2": "MPL-2.0",
    "eclipse public 1": "EPL-1.0",
    "eclipse public 2": "EPL-2.0",
    "isc": "ISC",
    "isc iscl": "ISC",
    "python": "PSF-2.0",
    "python foundation": "PSF-2.0",
    "psf": "PSF-2.0",
    "unlicense": "Unlicense",
    "public domain": "LicenseRef-public-domain",
    "zlib": "Zlib",
    "zlib libpng": "Zlib",
    "boost 1": "BSL-1.0",
    "creative commons zero 1 universal": "CC0-1.0",
    "cc0": "CC0-1.0",
    "wtfpl": "WTFPL",
    "proprietary": "LicenseRef-proprietary",
    "other proprietary": "LicenseRef-proprietary",
}
_WORD = re.compile(r"[a-z]+(?:\d+(?!\.))?|\d+(?:\.\d+)*|\+")
_NOISE = frozenset(
    {"the", "license", "licence", "licensed", "licenses", "under", "version", "v", "osi", "approved", "software"}
)
_GNU = frozenset({"agpl", "gnu", "gpl", "lgpl"})  # whatever version of whichever, none is let in
_CLASSIFIER = re.compile(r"license ::(?: osi approved ::)?", re.IGNORECASE)
_SHORT_NAME = re.compile(r"\((?:[a-z]*gpl[a-z0-9.+]*|mpl [0-9.]+|epl-[0-9.]+|iscl|cc0[^)]*|apache[^)]*)\)")


class LicenceReason(Reason):
    """Why a file is left out for its licence, in the order of the rules."""

    MISSING = "licence/missing"
    UNKNOWN = "licence/unknown"
    NOT_PERMITTED = "licence/not_permitted"
    OTHER_IN_FILE = "licence/other_in_file"


def spdx_id(name: str) -> str | None:
    """Give the SPDX id of a licence as BigQuery, The Stack, SPDX, PyPI's classifiers or people spell it.

    Args:
        name: One licence, not an expression of several.

    Returns:
        The id in SPDX's own spelling, a ``LicenseRef-`` where the name says no more than the family, or ``None`` where
        nobody told us of such a name.

    >>> spdx_id("apache-2.0"), spdx_id("License :: OSI Approved :: BSD License"), spdx_id("The MIT License (MIT)")
    ('Apache-2.0', 'LicenseRef-BSD', 'MIT')
    """
    name = name.strip()
    if not name or len(name) > _MAX_CHARS:
        return None
    exact = None if re.search(r"\s", name) else _canonical(name)
    if exact:
        return exact
    folded = _fold(name)
    return _NAMES.get(folded) or ("LicenseRef-GPL" if _GNU & set(folded.split()) else None)


def _fold(name: str) -> str:
    """Bring a name to the words that tell it apart: ``The BSD 3-Clause License (New)`` is ``bsd 3 clause new``."""
    lowered = _SHORT_NAME.sub(" ", _CLASSIFIER.sub("", name).lower())
    words = [word for word in _WORD.findall(lowered) if word not in _NOISE]
    words = [part for word in words for part in _split_version(word)]
    unique = [word for at, word in enumerate(words) if at == 0 or word != words[at - 1]]
    return " ".join(unique)


def _split_version(word: str) -> list[str]:
    """Part ``gplv3`` and ``apache2``, and write ``3.0`` as ``3``."""
    match = re.fullmatch(r"(a?l?gpl|apache|bsd|mpl|asl)v?(\d+(?:\.\d+)?)?", word)
    if match and match[2]:
        return [match[1], match[2]]
    return [word.removesuffix(".0")] if word[0].isdigit() else [word]


def licence_expression(name: str) -> str | None:
    """Give the SPDX expression of what a licence field says; ``None`` where it is none that we can read.

    Cargo's old spelling with a slash, ``MIT/Apache-2.0``, offers a choice.

    >>> licence_expression("mit or apache-2.0"), licence_expression("MIT/Apache-2.0"), licence_expression("New BSD")
    ('MIT OR Apache-2.0', 'MIT OR Apache-2.0', 'BSD-3-Clause')
    """
    if len(name) > _MAX_CHARS:
        return None
    return _canonical(name) or spdx_id(name) or _canonical(name.replace("/", " OR "))


def _canonical(expression: str) -> str | None:
    try:
        return str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression:
        return None


def licence_family(spdx: str) -> str | None:
    """Tell to which of the paper's families a licence belongs: ``apache``, ``bsd``, ``mit``, or none of them.

    >>> licence_family("BSD-2-Clause"), licence_family("MIT-0"), licence_family("GPL-3.0-only")
    ('bsd', 'mit', None)
    """
    return _FAMILY.get(spdx)


def is_permitted(expression: str, families: Collection[str] = FAMILIES) -> bool:
    """Tell whether an SPDX expression lets a file in: a choice with one licence that does, or several that all do.

    An exception (``WITH``) only adds to what a licence grants, so the licence alone counts.

    >>> is_permitted("GPL-2.0-only OR MIT"), is_permitted("GPL-2.0-only AND MIT")
    (True, False)
    >>> is_permitted("Apache-2.0 WITH LLVM-exception")
    True
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    values: list[bool] = []
    operators: list[str] = []
    skip = False
    for token in tokens:
        if skip:
            skip = False
        elif token == "WITH":  # noqa: S105 (a word of SPDX)
            skip = True
        elif token == "(":  # noqa: S105
            operators.append(token)
        elif token in _RANK:
            _reduce(values, operators, _RANK[token])
            operators.append(token)
        elif token == ")":  # noqa: S105
            _reduce(values, operators, 0)
            if operators:
                operators.pop()
        else:
            values.append(licence_family(token) in families)
    _reduce(values, operators, 0)
    return len(values) == 1 and values[0]


_RANK = {"OR": 1, "AND": 2}


def _reduce(values: list[bool], operators: list[str], rank: int) -> None:
    """Work off the operators that bind at least as closely as ``rank``, back to the last open bracket."""
    while operators and operators[-1] != "(" and _RANK[operators[-1]] >= rank and len(values) > 1:
        right, left = values.pop(), values.pop()
        values.append((left and right) if operators.pop() == "AND" else (left or right))


def check_licences(names: Sequence[str], families: Collection[str] = FAMILIES) -> Drop | None:
    """Decide whether the licences given for a repository let its files in; of several, each must.

    Args:
        names: What a column or the licence files say, each a name or an SPDX expression.
        families: The families that are let in.

    Returns:
        ``None`` to keep them, else the reason, with what the licence is called.
    """
    if not any(name.strip() for name in names):
        return Drop(LicenceReason.MISSING)
    for name in names:
        expression = licence_expression(name)
        if expression is None:
            return Drop(LicenceReason.UNKNOWN, detail=name[:_MAX_CHARS])
        if not is_permitted(expression, families):
            return Drop(LicenceReason.NOT_PERMITTED, detail=expression)
    return None


def check_header_licences(expressions: Sequence[str], families: Collection[str] = FAMILIES) -> Drop | None:
    """Decide whether the licences a file's own header names let it in, whatever its repository is under.

    Args:
        expressions: From :func:`filters.licence_texts.header_licences`; a file that names none is its repository's.
        families: The families that are let in.

    Returns:
        ``None`` to keep the file, else the reason, with the licence that is not among them.
    """
    others = [expression for expression in expressions if not is_permitted(expression, families)]
    return Drop(LicenceReason.OTHER_IN_FILE, detail="; ".join(others)[:_MAX_CHARS]) if others else None
