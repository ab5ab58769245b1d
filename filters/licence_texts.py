"""Licences told by text: of a LICENSE or COPYING file, and of what a source file's own header says.

Whole texts are matched by ``licenseclassifier``, a port of the matcher behind Go's package index (licensecheck), which
says nothing where less than three quarters of a text are a licence. Headers are short and say less; there SPDX's tags
count, else names and opening words of licences, and only in what :mod:`filters.licence_words` takes for a notice:
a tool that speaks of the GPL in its description is not under it.
"""

import functools
import re
from collections.abc import Sequence

from licenseclassifier import identify_license

from filters.code_headers import header_notices
from filters.licences import licence_expression, licence_family

_MAX_TEXT_CHARS = 200_000  # of a licence file; the longest real one of a single project has 47,000
_MAX_NOTICE_CHARS = 32_768

_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]{1,200})", re.IGNORECASE)
_AND_LATER = re.compile(r"\(?at your option\)?,? any later version|either version \d")
_CHOICE = re.compile(
    r"\balternatively\b|\beither\b|at your (?:option|choice)|dual[- ]licen|\b(?:or|and/or) (?:under )?(?:the )?"
    r"(?:terms of the )?(?:mit|bsd|apache|new bsd|modified bsd|expat|gnu|gpl|l?gpl)"
)

#: What headers say, in lower case with one blank between words, and which licence that is.
_NAMES: tuple[tuple[str, str], ...] = (
    (r"gnu affero general public|\bagpl", "LicenseRef-AGPL"),
    (r"gnu (?:lesser|library) general public|\blgpl", "LicenseRef-LGPL"),
    (r"gnu general public|(?<![al])gpl(?:v|[- ]?[23])|under the gpl\b|the gpl license|gpl licensed", "LicenseRef-GPL"),
    (r"mozilla public license|\bmpl[- ]?[12]", "LicenseRef-MPL"),
    (r"eclipse public license|\bepl[- ][12]", "LicenseRef-EPL"),
    (r"common development and distribution license|\bcddl", "LicenseRef-CDDL"),
    (r"common public license", "CPL-1.0"),
    (r"boost software license", "BSL-1.0"),
    (r"same terms as perl|artistic licen", "LicenseRef-Artistic"),
    (r"creative commons|creativecommons\.org", "LicenseRef-CC"),
    (r"latex project public license|\blppl\b", "LicenseRef-LPPL"),
    (r"python software foundation license|\bpsf license", "PSF-2.0"),
    (r"academic free license", "LicenseRef-AFL"),
    (r"open software license", "LicenseRef-OSL"),
    (r"microsoft public license", "MS-PL"),
    (r"european union public licen", "LicenseRef-EUPL"),
    (r"business source license", "BUSL-1.1"),
    (r"server side public license", "SSPL-1.0"),
    (r"elastic license", "Elastic-2.0"),
    (r"vim license|\bvim license", "Vim"),
    (r"php license", "LicenseRef-PHP"),
    (r"zope public license", "LicenseRef-ZPL"),
    (r"openssl license", "OpenSSL"),
    (r"\bisc license|permission to use, copy, modify,? (?:and/or|and) distribute this software for any purpose", "ISC"),
    (r"zlib license|altered source versions must be plainly marked", "Zlib"),
    (r"free and unencumbered software|the unlicense\b", "Unlicense"),
    (r"(?:in|into|to|the) (?:the )?public domain|is public domain", "LicenseRef-public-domain"),
    (r"proprietary and confidential|confidential and proprietary|unauthorized copying", "LicenseRef-proprietary"),
    (r"proprietary information|trade secret|is strictly prohibited", "LicenseRef-proprietary"),
    (r"apache license,? (?:version )?2|apache[- ]2\.0|apache\.org/licenses/license-2\.0", "Apache-2.0"),
    (r"apache license|apache software license", "LicenseRef-Apache"),
    (r"permission is hereby granted, free of charge, to any person|\bexpat license|licenses/mit\b|\bmit/x11", "MIT"),
    (r"mit licen[cs]e|licen[cs]ed? ?(?:under|:) ?(?:the )?mit\b|\bmit[- ]style licen", "MIT"),
    (r"redistribution and use in source and binary forms|\bbsd[- ]?[234]?[- ]clause|\bbsd[- ]style", "LicenseRef-BSD"),
    (r"\bbsd[- ](?:[\w-]{1,20}[- ]){0,2}licen[cs]e", "LicenseRef-BSD"),
    (r"licen[cs]ed? ?(?:under|:) ?(?:the )?(?:new |modified |simplified )?bsd\b", "LicenseRef-BSD"),
)
_PATTERNS = tuple((re.compile(pattern), spdx) for pattern, spdx in _NAMES)


def detect_licence(text: str) -> str | None:
    """Tell the licence of a LICENSE or COPYING file.

    Args:
        text: The whole file; of a longer one the first 200,000 characters are read.

    Returns:
        An SPDX id, or several joined with ``AND`` where the file has several texts: parts of the project are under
        each of them. ``None`` where three quarters of the text are no licence that SPDX lists.
    """
    found = [match.id for match in identify_license(text[:_MAX_TEXT_CHARS])]
    return " AND ".join(dict.fromkeys(found)) or None


def header_licences(text: str, language: str = "") -> list[str]:
    """Tell which licences a source file's own header names.

    Args:
        text: The file as it is, before its header is removed; of its notices the first 32,768 characters are
            read.
        language: From :func:`filters.code_languages.code_language`.

    Returns:
        SPDX expressions that hold all together; empty where the header names none. A tag that SPDX does not know is
        given as it stands. Where words offer a choice, the expression does: ``LicenseRef-GPL OR LicenseRef-BSD``.

    >>> header_licences("/* SPDX-License-Identifier: gpl-2.0 OR mit */", "C")
    ['GPL-2.0 OR MIT']
    >>> header_licences("# Licensed under the MIT license.", "Python")
    ['MIT']
    """
    notices = header_notices(text, language)[:_MAX_NOTICE_CHARS]
    tags = [_TAG_END.sub("", tag).strip() for tag in _TAG.findall(notices)]
    if tags:
        return list(dict.fromkeys(licence_expression(tag) or tag for tag in tags))
    words = " ".join(notices.lower().split())
    return list(_named(words))


@functools.lru_cache(maxsize=256)  # the files of a project have one header
def _named(words: str) -> tuple[str, ...]:
    found = list(dict.fromkeys(spdx for pattern, spdx in _PATTERNS if pattern.search(words)))
    return tuple(_expressions(_without_general(found), words))


_TAG_END = re.compile(r"[ \t(-]+$")
_GENERAL = {"LicenseRef-Apache": "Apache-2.0"}


def _without_general(found: Sequence[str]) -> list[str]:
    """Leave out a name that one found beside it says more exactly."""
    return [spdx for spdx in found if _GENERAL.get(spdx) not in found]


def _expressions(found: Sequence[str], words: str) -> list[str]:
    """Give licences that stand beside each other, or the choice between them where words offer one."""
    permitted = [spdx for spdx in found if licence_family(spdx)]
    if len(found) > len(permitted) > 0 and _CHOICE.search(_AND_LATER.sub(" ", words)):
        return [" OR ".join(found)]
    return list(found)
