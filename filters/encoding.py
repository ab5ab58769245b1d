"""Bytes of a book into text, whatever they were encoded in.

Project Gutenberg has been typed in since 1971: ASCII, the code pages of DOS, Windows and the Macintosh, national
encodings, and UTF-8. A file says which one in its header at best, and not always rightly. What is believed, in order:
a byte order mark; bytes that are UTF-8, since no text in another encoding is by chance; UTF-8 with a few spoilt bytes;
what the file or the config declares, where the text it gives is plausible; else what :mod:`filters.encoding_guess`
finds in the text's own letters.

Text that was decoded wrongly before it was saved ("cafÃ©") is left as it is: to repair it is to guess again. Not so
quotes and dashes of Windows-1252 that were taken for Latin-1: they are control characters then, which mean nothing, and
become what they were, as the HTML standard has it (three of 144 books of Project Gutenberg, one with 5,192 of them).
"""

import codecs
import re
from dataclasses import dataclass

from filters.encoding_guess import guess_encoding, guess_western, is_plausible
from filters.verdict import Drop, Reason

#: Bad bytes a text may have for each thousand bytes, each becoming U+FFFD.
MAX_BAD_PER_THOUSAND = 1
#: Sequences of UTF-8 that are whole, for each one that is not, in a text that is taken for UTF-8.
VALID_PER_BAD = 10
#: Control characters a text may have for each thousand bytes, beside those that lay text out.
MAX_CONTROLS_PER_THOUSAND = 5

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LAYOUT = b"\t\n\v\f\r\x1a\x1b"
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in _LAYOUT)
_NO_CONTROLS = bytes.maketrans(b"", b"")
_WIDE_NULS = 0.3  # of the bytes at even or at odd places: what ASCII looks like in UTF-16
_WIDE_SAMPLE = 1 << 12
_LINE_ENDS = re.compile(r"\r+\n?|\f")
_C1 = re.compile("[\x80-\x9f]")
_FROM_C1 = {code: char for code in range(0x80, 0xA0) if (char := bytes([code]).decode("cp1252", errors="ignore"))}
_PADDING = "\0\x1a"  # of DOS and CP/M, behind the end of a text
#: What a codec of texts gives back as it is: not so those that read escapes out of it.
_PLAIN, _ESCAPES = b"Az09 +2AA-", (b"\\u0041", b"\\x41")
_ALIASES = {"iso-646-us": "ascii", "iso latin-1": "latin-1", "iso-latin-1": "latin-1", "unicode utf-8": "utf-8"}
#: Codecs of names and of escapes, which Python has among its encodings; some give lone surrogates, some raise.
_NO_ENCODINGS = {
    "idna",
    "punycode",
    "utf-7",
    "unicode-escape",
    "raw-unicode-escape",
    "unicode_escape",
    "raw_unicode_escape",
}
#: What files in an encoding are in more often: the larger ones that have taken its name.
_SUPERSETS = {"gb2312": "gbk", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
_BIG5 = ("cp950", "big5hkscs")


class EncodingReason(Reason):
    """Why bytes are no text."""

    NOT_TEXT = "encoding/not_text"
    UNDECODABLE = "encoding/undecodable"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text out of bytes.

    Attributes:
        text: The text, LF line ends, without byte order mark.
        encoding: What it was in, as Python names it.
        replaced: Bad bytes that became U+FFFD.
    """

    text: str
    encoding: str
    replaced: int = 0


def decode_text(data: bytes, declared: str | None = None, *, forced: str | None = None) -> Decoded | Drop:
    """Decode a whole text.

    Args:
        data: Its bytes.
        declared: What it says of its own encoding; believed where that gives a plausible text.
        forced: The encoding it is in for certain; nothing else is tried.

    Returns:
        The text, or why there is none: :attr:`EncodingReason.NOT_TEXT` with the NUL and control bytes found in it,
        :attr:`EncodingReason.UNDECODABLE` with the bad bytes found in it.
    """
    if forced is not None:
        is_bytewise = is_ascii_compatible(forced)
        data = data.rstrip(_PADDING.encode()) if is_bytewise else data
        return (check_bytes(data) if is_bytewise else None) or _with_few_replaced(data, forced)
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _with_few_replaced(data[len(bom) :], encoding)
    wide = _wide_encoding(data)
    if wide is not None:
        return _with_few_replaced(data, wide)
    data = data.rstrip(_PADDING.encode())
    return check_bytes(data) or _decode_bytes(data, declared)


def check_bytes(data: bytes) -> Drop | None:
    """Decide whether bytes may be text in an encoding of single bytes: no NUL, and hardly any control character."""
    nuls = data.count(0)
    if nuls:
        return Drop(EncodingReason.NOT_TEXT, nuls, 0)
    controls = len(data) - len(data.translate(_NO_CONTROLS, _CONTROLS))
    allowed = MAX_CONTROLS_PER_THOUSAND * len(data) // 1000
    return Drop(EncodingReason.NOT_TEXT, controls, allowed) if controls > allowed else None


def _decode_bytes(data: bytes, declared: str | None) -> Decoded | Drop:
    if data.isascii():
        return Decoded(clean_line_ends(data.decode("ascii")), "ascii")
    try:
        return Decoded(clean_line_ends(data.decode()), "utf-8")
    except UnicodeDecodeError:
        pass
    spoilt = data.decode(errors="replace")
    bad, whole = count_sequences(spoilt, data)
    if whole >= VALID_PER_BAD * bad and bad <= MAX_BAD_PER_THOUSAND * len(data) // 1000:
        return Decoded(clean_line_ends(spoilt), "utf-8", bad)
    return _decode_declared(data, declared) or _decode_guessed(data, bad)


def count_sequences(spoilt: str, data: bytes) -> tuple[int, int]:
    """Count the spoilt and the whole sequences of UTF-8 in bytes and what they decode to, U+FFFD for the former."""
    bad = spoilt.count("\ufffd") - data.count("\ufffd".encode())
    ascii_bytes = len(data.translate(_NO_CONTROLS, bytes(range(128, 256))))
    return bad, len(spoilt) - ascii_bytes - bad


def _decode_declared(data: bytes, declared: str | None) -> Decoded | None:
    name = python_name(declared or "")
    if name in {None, "utf-8", "ascii"}:
        return None
    for encoding in _candidates(data, str(name)):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if is_plausible(text):
            return Decoded(clean_line_ends(text), encoding)
    return None


def _candidates(data: bytes, name: str) -> tuple[str, ...]:
    """Give the encodings that a declared one stands for; none where the bytes cannot be in it."""
    if name == "iso8859-1" and _has_c1(data):
        return (guess_western(data) or "cp1252",)
    if name == "big5":
        return _BIG5
    return (_SUPERSETS.get(name, name),) if is_ascii_compatible(name) else ()


def is_ascii_compatible(encoding: str) -> bool:
    """Whether ASCII means itself in an encoding, as it does where a line of ASCII could be found in the bytes.

    >>> is_ascii_compatible("cp1252"), is_ascii_compatible("utf-16"), is_ascii_compatible("unicode_escape")
    (True, False, False)
    """
    try:
        reads_escapes = any(len(escape.decode(encoding)) != len(escape) for escape in _ESCAPES)
        return not reads_escapes and _PLAIN.decode(encoding) == _PLAIN.decode()
    except (LookupError, ValueError):
        return False


def _has_c1(data: bytes) -> bool:
    """Whether bytes of 0x80 to 0x9f are there: control characters in Latin-1, quotes and dashes in Windows-1252."""
    return len(data) != len(data.translate(_NO_CONTROLS, bytes(range(0x80, 0xA0))))


def _decode_guessed(data: bytes, bad: int) -> Decoded | Drop:
    encoding = guess_encoding(data)
    if encoding is None:
        return Drop(EncodingReason.UNDECODABLE, bad, MAX_BAD_PER_THOUSAND * len(data) // 1000)
    return _with_few_replaced(data, encoding)


def _with_few_replaced(data: bytes, encoding: str) -> Decoded | Drop:
    """Decode with U+FFFD for bad bytes, unless they are too many."""
    text = data.decode(encoding, errors="replace")
    try:
        own = data.count("\ufffd".encode(encoding))
    except UnicodeEncodeError:
        own = 0
    bad = text.count("\ufffd") - own
    allowed = MAX_BAD_PER_THOUSAND * len(data) // 1000
    if bad > allowed:
        return Drop(EncodingReason.UNDECODABLE, bad, allowed)
    text = text.rstrip(_PADDING)
    return check_text(text) or Decoded(clean_line_ends(text), encoding, max(bad, 0))


def _wide_encoding(data: bytes) -> str | None:
    """Tell UTF-16 without a mark by the NULs that ASCII characters have in it."""
    sample = data[:_WIDE_SAMPLE]
    half = len(sample) // 2
    if half and sample[1::2].count(0) > _WIDE_NULS * half:
        return None if sample[::2].count(0) else "utf-16-le"
    if half and sample[::2].count(0) > _WIDE_NULS * half:
        return None if sample[1::2].count(0) else "utf-16-be"
    return None


def clean_line_ends(text: str) -> str:
    r"""Give a text LF line ends, for form feeds too, and take a byte order mark off its front.

    Several carriage returns before a line feed are one end of a line: a CRLF that was converted again. What
    Windows-1252 has where Latin-1 has control characters becomes what it was.

    >>> clean_line_ends("one\r\ntwo\rthree\ffour\r\r\nfive\r\rsix")
    'one\ntwo\nthree\nfour\nfive\n\nsix'
    """
    text = text.removeprefix("\ufeff")
    if not text.isascii() and _C1.search(text):
        text = text.translate(_FROM_C1)
    if "\r" not in text and "\f" not in text:
        return text
    plain = text.replace("\r\n", "\n")
    return _LINE_ENDS.sub(_line_end, text) if "\r" in plain or "\f" in plain else plain


def _line_end(found: re.Match[str]) -> str:
    ends = found.group()
    return "\n" if ends.endswith(("\n", "\f")) else "\n" * len(ends)


def python_name(declared: str) -> str | None:
    """Give Python's name of an encoding that a header names, ``None`` where it knows none.

    >>> python_name("ISO-8859-1"), python_name("ISO Latin-1"), python_name("Klingon")
    ('iso8859-1', 'iso8859-1', None)
    """
    plain = declared.strip().lower().replace("\u2010", "-")
    plain = plain.split(" (")[0]
    plain = _ALIASES.get(plain, plain)
    try:
        info = codecs.lookup(plain)
        "".encode(plain)  # refuses codecs of bytes to bytes, such as zlib
    except (LookupError, ValueError):
        return None
    return None if info.name in _NO_ENCODINGS else info.name


def check_text(text: str) -> Drop | None:
    """Decide whether what comes as characters is text: no NUL, and hardly any control character."""
    controls = sum(text.count(chr(code)) for code in _CONTROLS)
    nuls = text.count("\0")
    allowed = MAX_CONTROLS_PER_THOUSAND * len(text) // 1000
    if nuls or controls > allowed:
        return Drop(EncodingReason.NOT_TEXT, nuls or controls, 0 if nuls else allowed)
    return None
