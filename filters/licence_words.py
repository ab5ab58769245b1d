"""Which lines of a comment are notices of copyright and licence, and which speak of the code.

Notices are told by what licences say and documentation does not: phrases of the licences themselves, of the notes that
point to them, and statements of copyright with a year or a holder. Lines are read in units: a statement of copyright by
itself with the lines it runs on over, else a sentence, so that a title above a notice and a description below it stay,
with or without a blank line between them.
"""

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

#: Where none of these is, no line need be looked at.
_SIGNS_OF_NOTICE = (
    *("copyright", "copyleft", "license", "licence", "(c)", "©", "&copy;", "rights reserved", "spdx", "redistribut"),
    *("permission", "warrant", "public domain", "proprietary", "confidential", "this file", "this program"),
    *("this software", "this library", "this package", "this code", "free software", "as is", "permitted by law"),
)

#: What licences say and nobody else; lower case.
_PHRASES = tuple(
    """
spdx-license-identifier|spdx-filecopyrighttext|spdx-filetype|all rights reserved|all rights are reserved
some rights reserved|permission is hereby granted|permission to use, copy|permission to copy|permission is granted
is hereby granted|redistribution and use in source|redistributions of source|redistributions in binary
redistributions must|may be used to endorse|to endorse or promote|specific prior written permission
advertising materials mentioning|software is provided|provided "as is"|provided 'as is'|provided ``as is
provided as is|provided as-is|on an "as is" basis|on an "as is"|"as is" basis|an 'as is' basis|without warranty
without any warranty|without warranties|no warranty|any express or implied|express or implied warrant
implied warranties|warranty of any kind|warranties of merchantability|warranty of merchantability
fitness for a particular purpose|in no event shall|in no event will|be held liable|shall not be liable
liable for any|consequential damages|possibility of such damage|terms of the gnu|this program is free software
this file is free software|this library is free software|this package is free software|is free software; you
is free software: you|hope that it will be useful|temple place|franklin street|cambridge, ma 02139
any later version|licensed under|licenced under|released under|dual licensed|dual-licensed|distributed under the
available under the|governed by a bsd|governed by the|use of this source code|subject to the terms
under the terms of|subject to the following|following conditions|terms and conditions|conditions are met
compliance with the license|with this work for additional information|contributor license agreement
unless required by applicable law|agreed to in writing|permissions and limitations|limitations under the license
apache.org/licenses|opensource.org/licenses|gnu.org/licenses|boost.org/license|mozilla.org/mpl
creativecommons.org/licenses|creativecommons.org/publicdomain|www.gnu.org/copyleft|same terms as perl
same license as|copyright and license|for license|license_1_0|file copying|this license|the license at
the license for|origin of this software must|altered source versions|altered from any source|without specific prior
to whom the software|furnished to do so|substantial portions|arising from, out of|arising in any way
source code must retain|must retain the above|must reproduce the above|notice and this permission
proprietary and confidential|confidential and proprietary|unauthorized copying|free and unencumbered
dedicated to the public|waives all rights|this file is part of|this file is a part of|is part of the llvm project
this file is distributed|this file is licensed|this software may be|this file may be|this code may be
is distributed in the hope|not subject to copyright|no copyright|contributed to the public|freely distribut
is covered by|received a copy of the|for full copyright|regarding copyright ownership
received a copy with|you may freely use|above copyright notice|copyright holders and
copyright owner and|sublicense, and|and noninfringement|must not be misrepresented|copyright notices appear
""".strip()
    .replace("\n", "|")
    .split("|")
)
#: What documentation may speak of too: a notice only beside a word that puts the file under it, or alone.
_NAMES = tuple(
    """
apache license|apache-2.0|artistic license|boost software license|bsd license|bsd-2-clause|bsd-3-clause
bsd-style license|copying file|copyright information|creative commons|eclipse public license
free software foundation|full license|gnu affero general|gnu general public|gnu lesser general|gnu library general
licence file|license agreement|license details|license file|license information|license terms|license.md
license.txt|licensing information|mit license|mit-style license|mozilla public license|mpl-2.0
proprietary information|public domain|restricted rights|strictly prohibited|trade secret|copyright notice
copyright holder
""".strip()
    .replace("\n", "|")
    .split("|")
)
_UNDER = re.compile(
    r"\b(?:under|licen[cs]ed|terms|subject|covered|released|governed|compliance|published|compatible|agree|dedicated|"
    r"placed|belongs?|granted|hereby|retain|waive[sd]?|reproduce|contained|warrant(?:y|ies)|disclaim(?:er|s|ed)?)\b"
)
_ALONE = re.compile(r".{0,60}(?:licen[cs]e|foundation|domain|clause|[0-9)])[.,:]?$")
_SEE_LICENCE = re.compile(
    r"(?:see|read|consult|refer to|in|found in|with) (?:the |accompanying |included |enclosed |top-level |file |files |"
    r"root )*[\"'`(<]*(?:[a-z_./-]{0,40}/)?(?:licen[cs]e|licensing|copying|copyright|notice)s?\b|"
    r"^@licen[cs]e|^\W{0,9}(?:licen[cs]e|copyright)\W{0,9}$|^licen[cs]ed? (?:under|to|as|is)\b"
)
_WEAK = frozenset(
    """
    license licence licensed licenced licenses licences licensing licensor licensee copyright copyrighted copyrights
    warranty warranties redistribute redistributed redistributing redistribution redistributions liable liability
    liabilities merchantability hereby infringement damages tort disclaimer disclaims disclaimed royalty royalties
    gpl lgpl agpl trademark trademarks sublicensed permission
    """.split()  # noqa: SIM905 (read as one)
)
_MOST_BETWEEN = 600  # characters that two parts of a licence may have between them
_WORDS = re.compile(r"[a-z]+")
_MOST_CHARS = 4000  # of a unit that are looked at for weak words: the longest sentence of a licence has 900
_WEAK_ALONE = 4  # weak words that make a notice where none is before

_YEAR = r"(?:19|20)\d\d"
_GROUP = r"inc|llc|ltd|gmbh|corp|corporation|foundation|authors|contributors|affiliates|developers|community|university"
_HOLDER = (
    rf"(?:{_YEAR}|\(c\)|©|&copy;|by\b|:|https?://|the .{{0,60}}(?:authors?|contributors|developers|project|team)\b|"
    rf".{{0,60}}\b(?:{_GROUP})\b|\[?yyyy|<?year|\d{{2,4}}\s*[-,])"
)
_SUBJECT = r"(?:portions? |some |parts? |original |this (?:file|code|software|program|document|work|library) (?:is )?)"
_COPYRIGHT = re.compile(
    rf"spdx-[a-z]|licen[cs]e ?: ?\S|(?:@|\\)?{_SUBJECT}{{0,3}}(?:.{{0,60}}\b(?:is|are) )?"
    rf"(?:(?:\(c\)|©|&copy;)\s?copyright\b|copyright(?:ed|s)?\b[ ,.]{{0,3}}{_HOLDER}|"
    rf"copyright\b.{{0,80}}?{_YEAR}|copyleft\b|(?:\(c\)|©|&copy;)\s?(?:by |[a-z .,]{{0,40}})?{_YEAR}|©|"
    rf"{_YEAR}(?:\s?-\s?{_YEAR})?,? (?:\(c\)|©))"
)
#: A statement of copyright behind other words of the line.
COPYRIGHT_BEHIND = re.compile(
    rf"(?:[-,;.|:(]\s?)?(?<!\w)(?:copyright (?:\(c\)|©|{_YEAR})|\(c\) (?:copyright )?{_YEAR}|© ?{_YEAR})",
    re.IGNORECASE,
)
_RUNS_ON = re.compile(
    r"^(?:all rights reserved|by |and |inc\b|(?:19|20)\d\d)|[\w.+-]{1,64}(?:@| at )[\w-]{1,64}\.[\w.-]{1,64}"
)
_OPEN_END = re.compile(r"(?:,|&|\band|\bby|-|\(c\)|\bcopyright)$")
_ATTRIBUTION = re.compile(
    r"[@\\]authors?\b|"
    r"(?:main |original |principal |current |initial )?(?:author|contributor|maintainer)(?:s|\(s\))?\s?(?:[:=-]|$)|"
    r"(?:(?:originally |initially )?(?:written|created|contributed|maintained|modified|developed|ported|coded|revised|"
    r"rewritten|adapted|updated) (?:\w+ )?by\b|e-?mail ?:|contact ?:)|"
    r"\$(?:id|revision|header|date|author|freebsd|netbsd|openbsd|source|log|rcsfile|name|state|xfree86|xorg|xconsortium)\b"
    r"|.{0,60}<[\w.+-]{1,64}(?:@| at )[\w.-]{1,64}>"
)
_NAMES_SOMEBODY = re.compile(r"[:@<$]")  # else a sentence runs on: "what is / written by the parser"
_DIRECTIVE = re.compile(
    r".{0,40}-\*-|.{0,20}\b(?:vim?|ex):|coding[:=]|!|pylint:|type:|noqa|flake8|mypy:|ruff|isort:|eslint|jshint|jslint|"
    r"@ts-|@flow|@format|@generated|@jsx|go:|\+build|frozen_string_literal|syntax=|swift-tools|shellcheck|clang-format|"
    r"nolint|<reference|global |exported |@file|\\file|@brief|\\brief|@package|@module|\$schema"
)
_BEGINS_UNIT = re.compile(
    r"licen[cs]ed|distributed|redistribution|permission|this (?:program|file|software|code|source|work|package|module|"
    r"library|product|script|is) |you (?:may|can|should)|unless required|released under|the (?:above|mit|bsd|apache)|"
    r"spdx|use of|use, |all rights|see |for (?:license|conditions|more|full)|subject to|licen[cs]e ?:|in no event|"
    r"redistributions|neither the|the software|the license|available under|provided|dual"
)
_BULLET = re.compile(r"\(?(?:\d{1,2}|[a-z])[.)] ")
_ENDS_UNIT = (".", ":", "!", "?", '."', ".'", ".)")


class _Kind(Enum):
    TEXT = 0
    COPYRIGHT = 1
    ATTRIBUTION = 2
    DIRECTIVE = 3


@dataclass(slots=True)
class _Unit:
    """Lines that go or stay together.

    Attributes:
        kind: What they are.
        paragraph: Which one they are in, counted by blank lines.
        numbers: Their numbers.
        lines: What they say, lower case, one blank between words.
        phrase: Whether that has a phrase of a licence.
        notice: Whether it is a notice.
    """

    kind: _Kind
    paragraph: int
    numbers: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    phrase: bool = False
    notice: bool = False

    def add(self, number: int, line: str) -> None:
        self.numbers.append(number)
        self.lines.append(line)
        self.phrase = self.phrase or _has_phrase(line)

    def takes(self, line: str, kind: _Kind) -> bool:
        """Tell whether the next line of the paragraph runs this unit on."""
        if kind is _Kind.ATTRIBUTION and self.kind is _Kind.TEXT and not _NAMES_SOMEBODY.search(line):
            return not self.lines[-1].endswith(_ENDS_UNIT)
        if kind is not _Kind.TEXT or self.kind is _Kind.DIRECTIVE:
            return False
        if self.kind is not _Kind.TEXT:
            return bool(_RUNS_ON.search(line) or _OPEN_END.search(self.lines[-1]))
        ended = self.lines[-1].endswith(_ENDS_UNIT) or _BULLET.match(line)
        return not ended and (self.phrase or bool(_BEGINS_UNIT.match(self.lines[0])) or not _BEGINS_UNIT.match(line))

    def finish(self) -> None:
        """Look for phrases that run over a line's end."""
        self.phrase = self.phrase or _has_phrase(" ".join(self.lines))

    def weak(self) -> int:
        """Count the words that licences are full of, each once."""
        return len(_WEAK.intersection(_WORDS.findall(" ".join(self.lines)[:_MOST_CHARS])))


def _has_phrase(line: str) -> bool:
    if any(phrase in line for phrase in _PHRASES) or _SEE_LICENCE.search(line):
        return True
    return any(name in line for name in _NAMES) and bool(_UNDER.search(line) or _ALONE.match(line))


def may_have_notice(text: str) -> bool:
    """Tell whether a comment has any word that a notice has; quick, and true of many that have none."""
    lowered = text.lower()
    return any(sign in lowered for sign in _SIGNS_OF_NOTICE)


def notice_lines(contents: Sequence[str], *, after_notice: bool = False) -> Sequence[bool]:
    """Tell which lines of a comment are notices of copyright or licence.

    Args:
        contents: What the lines say, without the signs of the comment; empty for a line without a letter or digit.
        after_notice: Whether a comment before this one, with nothing but blanks between them, had a notice.

    Returns:
        For each line whether it is one; of a line without content, ``False``.
    """
    if sum(map(len, contents)) > _MOST_CACHED_CHARS:
        return _find_notices(tuple(contents), after_notice)
    return _cached_notices(tuple(contents), after_notice)


def _find_notices(contents: tuple[str, ...], after_notice: bool) -> tuple[bool, ...]:  # noqa: FBT001 (a key of the cache)
    units = _units(contents)
    _judge(units, after_notice=after_notice)
    found = {number for unit in units if unit.notice for number in unit.numbers}
    return tuple(number in found for number in range(len(contents)))


_MOST_CACHED_CHARS = 20_000
_cached_notices = functools.lru_cache(maxsize=256)(_find_notices)  # the files of a project have one header


def _units(contents: Sequence[str]) -> list[_Unit]:
    units: list[_Unit] = []
    paragraph = 0
    for number, content in enumerate(contents):
        line = " ".join(content.lower().split())
        if not line:
            paragraph += 1
            continue
        kind = _kind(line)
        if not units or units[-1].paragraph != paragraph or not units[-1].takes(line, kind):
            units.append(_Unit(kind, paragraph))
        units[-1].add(number, line)
    for unit in units:
        unit.finish()
    return units


def _kind(line: str) -> _Kind:
    if _DIRECTIVE.match(line):
        return _Kind.DIRECTIVE
    if _COPYRIGHT.match(line):
        return _Kind.COPYRIGHT
    return _Kind.ATTRIBUTION if _ATTRIBUTION.match(line) else _Kind.TEXT


def _judge(units: Sequence[_Unit], *, after_notice: bool) -> None:
    """Mark the notices: by what each says, then by what stands around it."""
    before: _Unit | None = None
    for unit in units:
        if unit.kind is _Kind.COPYRIGHT:
            unit.notice = True
        elif unit.kind is _Kind.TEXT:
            beside = before is not None and before.notice and before.paragraph == unit.paragraph
            unit.notice = unit.phrase or unit.weak() >= (1 if beside else 2 if after_notice else _WEAK_ALONE)
        after_notice, before = after_notice or unit.notice, unit
    _judge_between(units)
    if any(unit.notice for unit in units):
        for unit in units:
            unit.notice = unit.notice or unit.kind is _Kind.ATTRIBUTION


def _judge_between(units: Sequence[_Unit]) -> None:
    """Mark what stands between two parts of a licence: conditions that are nobody else's words."""
    texts = [at for at, unit in enumerate(units) if unit.notice and unit.kind is _Kind.TEXT]
    for first, last in itertools.pairwise(texts):
        between = units[first + 1 : last]
        length = sum(len(line) for unit in between for line in unit.lines)
        if length <= _MOST_BETWEEN and all(unit.kind is _Kind.TEXT for unit in between):
            for unit in between:
                unit.notice = True
