"""Bytes of a TeX file into text: UTF-8, what the file declares to ``inputenc``, else what its letters say.

A TeX file names its encoding where it is needed, since it would not compile otherwise; what names none and is not
UTF-8 is found out as that of a book is (:mod:`filters.encoding`). One bad byte never costs a paper: it becomes U+FFFD.
"""

import re

from filters.encoding import (
    VALID_PER_BAD,
    Decoded,
    clean_line_ends,
    count_sequences,
    decode_text,
    is_ascii_compatible,
    python_name,
)
from filters.verdict import Drop

#: Bytes of a file in which its encoding may be declared.
DECLARED_WITHIN = 1 << 18
#: Bad bytes and control characters that a TeX file may have for each thousand bytes; with more it is no text.
MAX_BAD_PER_THOUSAND = 50

_INPUTENC = re.compile(
    rb"^[^%\n]{0,500}?\\(?:usepackage|RequirePackage)[ \t]{0,20}\[([^\]\n]{0,200})\][ \t]{0,20}\{[^}\n]{0,200}inputenc",
    re.MULTILINE,
)
_INPUTENCODING = re.compile(rb"^[^%\n]{0,500}?\\inputencoding[ \t]{0,20}\{([^}\n]{0,40})\}", re.MULTILINE)
_CODING = re.compile(
    rb"^%[^\n]{0,200}?(?:-\*-[^\n]{0,80}?coding:|!TEX encoding[ \t]*=)[ \t]*([\w.-]{1,40})", re.MULTILINE
)
#: ``inputenc`` calls encodings by names of its own; what Python calls alike is not listed.
_NAMES = {
    **{f"latin{number}": f"iso8859-{number}" for number in range(1, 5)},
    "latin5": "iso8859-9",
    "latin6": "iso8859-10",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "ansinew": "cp1252",
    "applemac": "mac_roman",
    "macce": "mac_latin2",
    "maccyr": "mac_cyrillic",
    "cp437de": "cp437",
    "utf8x": "utf-8",
    "koi8-ru": "koi8_u",
    "cp866av": "cp866",
    "x-iso8859-1": "iso8859-1",
    "isolatin": "iso8859-1",
    "isolatin9": "iso8859-15",
    "macosroman": "mac_roman",
    "windows latin 1": "cp1252",
}
_TOP_BYTES = 1 << 10  # in which editors look for the encoding they should use
_CONTROLS = bytes(code for code in (*range(9), 11, *range(14, 26), *range(28, 32), 127))


def declared_encoding(data: bytes) -> str | None:
    r"""Give the encoding that a TeX file declares, as Python names it; of several the last one.

    >>> declared_encoding(rb"\usepackage[latin1]{inputenc}"), declared_encoding(rb"% \usepackage[latin1]{inputenc}")
    ('iso8859-1', None)
    """
    head = data[:DECLARED_WITHIN]
    found: list[bytes] = []
    if b"inputenc" in head:
        found += [name for options in _INPUTENC.findall(head) for name in options.split(b",")]
        found += _INPUTENCODING.findall(head)
    for name in reversed(found or _CODING.findall(head[:_TOP_BYTES])):
        plain = name.strip().lower().decode("ascii", errors="replace").replace("latin-", "latin")
        known = python_name(_NAMES.get(plain, plain))
        if known is not None:
            return known
    return None


def decode_tex(data: bytes, declared: str | None = None) -> Decoded | Drop:
    """Decode a whole TeX file.

    Args:
        data: Its bytes.
        declared: The encoding of the paper it belongs to, for a file that declares none.

    Returns:
        The text, control characters left out, or why it is none (it is binary): with the bad bytes found in it.
    """
    encoding = declared_encoding(data) or declared
    allowed = MAX_BAD_PER_THOUSAND * len(data) // 1000
    found = (encoding in {None, "utf-8"} and _spoilt_utf8(data, allowed)) or decode_text(data, encoding)
    if isinstance(found, Decoded):
        return found
    plain = data.translate(None, _CONTROLS)
    if len(data) - len(plain) > allowed:
        return found
    again = decode_text(plain, encoding)
    return again if isinstance(again, Decoded) else _replace_bad(plain, encoding, allowed) or found


def _spoilt_utf8(data: bytes, allowed: int) -> Decoded | None:
    """Decode what is UTF-8 but for a few bytes, in a text too short for the share that a book is allowed."""
    text = data.decode(errors="replace")
    bad, whole = count_sequences(text, data)
    if not 0 < bad <= min(allowed, whole // VALID_PER_BAD) or b"\0" in data:
        return None
    return Decoded(clean_line_ends(text), "utf-8", bad)


def _replace_bad(data: bytes, declared: str | None, allowed: int) -> Decoded | None:
    """Decode with U+FFFD for bad bytes: as declared, else as UTF-8, else as Windows-1252, whichever fits first."""
    for encoding in (declared, "utf-8", "cp1252"):
        if encoding is None or not is_ascii_compatible(encoding):
            continue
        text = data.decode(encoding, errors="replace")
        bad = text.count("\ufffd")
        if bad <= allowed:
            return Decoded(clean_line_ends(text), encoding, bad)
    return None
