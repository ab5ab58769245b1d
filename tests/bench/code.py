"""Source files: header licences, removal of notices, and the checks, beside RedPajama's own measures in plain Python.

On the Python environment's own sources, which are real and always there; every so many of them.
"""

import functools
import os
import re
import sysconfig
from collections.abc import Iterator, Sequence

from filters.code import CodeLimits, check_code, check_path
from filters.code_headers import remove_headers
from filters.code_languages import code_language
from filters.licence_texts import header_licences
from filters.licences import check_header_licences
from tests.bench.inputs import Inputs, text_megabytes
from tests.bench.report import Result, speed
from tests.bench.timing import compare

_GOAL = 20  # MB/s
_BYTES, _QUICK_BYTES = 40_000_000, 8_000_000
_MAX_FILE_BYTES = 1_000_000
_LIMITS = CodeLimits(drop_vendored=False)  # they lie in site-packages
_BLOCK = re.compile(r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/")

_File = tuple[str, str]


def clean(inputs: Inputs) -> Iterator[Result]:
    """All that a source file goes through but reading, beside RedPajama's removal of headers and its four measures."""
    files = _files(_QUICK_BYTES if inputs.quick else _BYTES)
    megabytes = text_megabytes(text for _, text in files)
    pair = compare(functools.partial(_clean, files), functools.partial(_clean_bare, files), runs=3)
    value = megabytes / pair.ours.cpu_seconds
    yield speed(
        "github.clean",
        megabytes,
        pair,
        against="RedPajama's rules in plain Python, no licences",
        goal=f">= {_GOAL} MB/s",
        met=value >= _GOAL,
        detail=f"{len(files)} files, {megabytes:.0f} MB, {_clean(files)} kept; ours reads licences and kinds too",
    )


def _files(wanted: int) -> list[_File]:
    """Read sources of the environment, every so many in the order of their paths."""
    root = sysconfig.get_path("purelib")
    paths = sorted(path for path in _walk(root) if check_path(path, _LIMITS) is None)
    paths = [path for path in paths if os.path.getsize(path) <= _MAX_FILE_BYTES]
    step = max(1, sum(map(os.path.getsize, paths)) // wanted)
    texts = ((path, _read(path)) for path in paths[::step])
    return [(os.path.relpath(path, root), text) for path, text in texts if text is not None]


def _walk(root: str) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        yield from (os.path.join(folder, name) for name in names)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except UnicodeDecodeError:
        return None


def _clean(files: Sequence[_File]) -> int:
    kept = 0
    for path, text in files:
        language = code_language(path)
        if check_header_licences(header_licences(text, language)) is None:
            kept += check_code(remove_headers(text, language), path, _LIMITS) is None
    return kept


def _clean_bare(files: Sequence[_File]) -> int:
    kept = 0
    for _, text in files:
        cleaned = _strip_bare(text)
        lines = cleaned.splitlines()
        if not lines or max(map(len, lines)) > 1000 or len(cleaned) / len(lines) > 100:
            continue
        kept += sum(map(str.isalnum, cleaned)) / len(cleaned) >= 0.25
    return kept


def _strip_bare(text: str) -> str:
    block = _BLOCK.search(text)
    if block:
        return text[: block.start()] + text[block.end() :] if "copyright" in block[0].lower() else text
    lines = text.split("\n")
    start = next((at for at, line in enumerate(lines) if line and not line.startswith(("//", "#", "--"))), len(lines))
    return "\n".join(lines[start:])
