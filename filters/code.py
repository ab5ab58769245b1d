"""Heuristics that drop low-quality source files (Touvron et al., 2023, section 2.1).

"We filtered low quality files with heuristics based on the line length or proportion of alphanumeric characters." The
paper gives no numbers; these are RedPajama-v1's (``github_run_filter.py``). Two of its rules are measured otherwise
here. Lines end at LF, CRLF or CR: RedPajama's ``splitlines`` ends them at form feeds and separators of Unicode as well.
Its average is the text's length over the number of lines, line ends counted; that stays. Its ratio of letters to tokens
of Pythia is left out: another model's tokenizer is not ours to ask, and our own is trained on what this keeps.

Before these numbers, files are told that no person wrote as they are (:mod:`filters.code_kinds`): RedPajama has no such
rule, and drops of them only what its line lengths meet.
"""

import re
import string
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from filters.code_kinds import (
    is_data_name,
    is_generated_name,
    is_licence_name,
    is_minified_name,
    is_vendored,
    says_generated,
)
from filters.code_languages import code_language
from filters.verdict import Drop, Reason

_Fraction = Annotated[float, Field(ge=0, le=1)]

#: RedPajama-v1's list, in its order, with regard to case.
_REDPAJAMA_SUFFIXES = tuple(
    """
    .asm .bat .cmd .c .h .cs .cpp .hpp .c++ .h++ .cc .hh .C .H .cmake .css .dockerfile .f90 .f .f03 .f08 .f77 .f95 .for
    .fpp .go .hs .html .java .js .jl .lua .md .markdown .php .php3 .php4 .php5 .phps .phpt .pl .pm .pod .perl .ps1 .psd1
    .psm1 .py .rb .rs .sql .scala .sh .bash .command .zsh .ts .tsx .tex .vb Dockerfile Makefile .xml .rst .m .smali
    """.split()  # noqa: SIM905 (read as one)
)
_MINIFIED_LANGUAGES = frozenset({"CSS", "JavaScript"})


class CodeReason(Reason):
    """Why a source file is left out, in the order of :func:`check_path` and :func:`check_code`."""

    LICENCE_FILE = "code/licence_file"
    VENDORED = "code/vendored"
    GENERATED_NAME = "code/generated_name"
    MINIFIED_NAME = "code/minified_name"
    DATA_NAME = "code/data_name"
    OTHER_SUFFIX = "code/other_suffix"
    EMPTY = "code/empty"
    TOO_LONG = "code/too_long"
    GENERATED = "code/generated"
    MINIFIED = "code/minified"
    LINE_TOO_LONG = "code/line_too_long"
    LINES_LONG = "code/lines_long"
    FEW_ALPHANUMERIC = "code/few_alphanumeric"
    MOSTLY_NUMBERS = "code/mostly_numbers"


class CodeLimits(BaseModel):
    """What source files are held to; ``null`` switches a rule off, and ``false`` one without a number.

    Attributes:
        suffixes: How a path must end, with regard to case.
        max_chars: Longest file; BigQuery has the contents of files below 1 MiB alone.
        max_line_chars: Longest line, without its line end.
        max_mean_line_chars: Longest lines on average: characters of the file, line ends counted, per line.
        min_alphanumeric_fraction: Fewest letters and digits of any script, of all characters.
        max_mean_minified_line_chars: The same average for JavaScript and CSS, over which they are minified; Linguist's.
        max_number_fraction: Most hexadecimal digits, ``x`` and what stands between numbers, of all characters that are
            not blank; prose and code have a half.
        drop_licence_files: Whether licences and notices go by their name.
        drop_vendored: Whether copies of other projects go by their path.
        drop_generated: Whether what a program wrote goes, by its name or what its header says.
        drop_minified: Whether minified code goes by its name.
        drop_data: Whether data goes by its ending.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    suffixes: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = (
        _REDPAJAMA_SUFFIXES
    )
    max_chars: PositiveInt | None = 1_048_576
    max_line_chars: PositiveInt | None = 1000
    max_mean_line_chars: PositiveFloat | None = 100
    min_alphanumeric_fraction: _Fraction | None = 0.25
    max_mean_minified_line_chars: PositiveFloat | None = 110
    max_number_fraction: _Fraction | None = 0.8
    drop_licence_files: bool = True
    drop_vendored: bool = True
    drop_generated: bool = True
    drop_minified: bool = True
    drop_data: bool = True


def check_path(path: str, limits: CodeLimits) -> Drop | None:
    """Decide by its path alone whether a file may be source code that somebody wrote for this repository.

    Args:
        path: The path in its repository, with slashes.
        limits: What to hold it to.

    Returns:
        ``None`` to read it, else the first rule it breaks.

    >>> check_path("src/main.py", CodeLimits()) is None
    True
    >>> check_path("src/data.csv", CodeLimits()).reason
    <CodeReason.DATA_NAME: 'code/data_name'>
    """
    rules = (
        (limits.drop_licence_files, is_licence_name, CodeReason.LICENCE_FILE),
        (limits.drop_vendored, is_vendored, CodeReason.VENDORED),
        (limits.drop_generated, is_generated_name, CodeReason.GENERATED_NAME),
        (limits.drop_minified, is_minified_name, CodeReason.MINIFIED_NAME),
        (limits.drop_data, is_data_name, CodeReason.DATA_NAME),
    )
    for wanted, breaks, reason in rules:
        if wanted and breaks(path):
            return Drop(reason)
    if limits.suffixes is not None and not path.endswith(limits.suffixes):
        return Drop(CodeReason.OTHER_SUFFIX)
    return None


def check_code(text: str, path: str, limits: CodeLimits) -> Drop | None:
    """Decide whether a source file is worth training on.

    Args:
        text: The file without its header's notices. Lengths count characters, not bytes.
        path: Its path, which tells the language.
        limits: What to hold it to; a file exactly at a limit is kept.

    Returns:
        ``None`` to keep the file, else the first rule it breaks, with what was measured.
    """
    if not text.strip():
        return Drop(CodeReason.EMPTY, measured=0, limit=1)
    if limits.max_chars is not None and len(text) > limits.max_chars:
        return Drop(CodeReason.TOO_LONG, measured=len(text), limit=limits.max_chars)
    language = code_language(path)
    if limits.drop_generated and says_generated(text, language):
        return Drop(CodeReason.GENERATED)
    return _check_lines(text, language, limits) or _check_characters(text, limits)


def _check_lines(text: str, language: str, limits: CodeLimits) -> Drop | None:
    lines = _lines(text)
    mean = len(text) / len(lines)
    if language in _MINIFIED_LANGUAGES and (
        drop := _above(mean, limits.max_mean_minified_line_chars, CodeReason.MINIFIED)
    ):
        return drop
    longest = max(map(len, lines))
    return _above(longest, limits.max_line_chars, CodeReason.LINE_TOO_LONG) or _above(
        mean, limits.max_mean_line_chars, CodeReason.LINES_LONG
    )


def _lines(text: str) -> list[str]:
    """Cut a text into lines, the last without a line end too; one that has no text has none behind its last end."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _above(measured: float, limit: float | None, reason: CodeReason) -> Drop | None:
    return Drop(reason, measured=measured, limit=limit) if limit is not None and measured > limit else None


def _check_characters(text: str, limits: CodeLimits) -> Drop | None:
    narrow = text.encode("ascii", "ignore")
    wide = "" if len(narrow) == len(text) else "".join(_WIDE.findall(text))
    fraction = (_count(narrow, _ALPHANUMERIC) + sum(map(str.isalnum, wide))) / len(text)
    wanted = limits.min_alphanumeric_fraction
    if wanted is not None and fraction < wanted:
        return Drop(CodeReason.FEW_ALPHANUMERIC, measured=fraction, limit=wanted)
    filled = len(narrow) - _count(narrow, _BLANK) + len(wide)
    return _above(_count(narrow, _NUMERIC) / filled, limits.max_number_fraction, CodeReason.MOSTLY_NUMBERS)


_WIDE = re.compile(r"[^\x00-\x7f]+")
_BLANK = b" \t\n\r\x0b\x0c"
_ALPHANUMERIC = (string.ascii_letters + string.digits).encode()
_NUMERIC = (string.hexdigits + "xX,.;+-()[]{}").encode()


def _count(text: bytes, characters: bytes) -> int:
    return len(text) - len(text.translate(None, characters))
