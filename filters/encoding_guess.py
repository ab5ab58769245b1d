"""Which encoding of single bytes (or of Japanese, Chinese, Korean) a text is in, from its own letters.

Where most letters are ASCII, the language is written in Latin letters, and of the Western code pages that one is right
whose accented letters stand among letters and whose quotes and dashes stand at the borders of words: bytes are counted
with the two beside them. Else charset-normalizer's models of languages decide, on a sample, since they are slow.
"""

import re
from collections import Counter
from collections.abc import Iterator

from charset_normalizer import from_bytes

#: Bytes around bytes above ASCII that are looked at, so that the time does not grow with the text.
SAMPLE_BYTES = 1 << 16
_WESTERN = ("cp1252", "mac_roman", "cp850", "cp437")
_OTHERS = (
    *("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic", "cp1253", "iso8859_7", "cp1250", "iso8859_2"),
    *("cp852", "cp1255", "cp1256", "iso8859_9", "cp1254", "cp1257", "cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
)
_HIGH = re.compile(rb"[\x80-\xff]+")
_MOST_HIGH = 0.25  # of a Western text's letters
_PIECE = 64  # bytes kept on both sides of the first high byte of a place
_WINDOW, _MOST_WINDOWS = 1 << 16, 64
_QUOTES = frozenset("‘’‚“”„«»‹›…–—¡¿§°´·†•")
_WORDS = frozenset("àéôÀÉ")  # letters that are words by themselves
_MIN_LIKELY = 0.9  # of the high characters of a Western text
_C1 = re.compile("[\x80-\x9f]")


def is_plausible(text: str) -> bool:
    """Tell whether a text has no control characters of the C1 set, which no text uses."""
    return _C1.search(text) is None


def guess_encoding(data: bytes) -> str | None:
    """Guess the encoding of bytes that are neither ASCII nor UTF-8.

    Returns:
        Its name; Windows-1252 is called ``iso8859-1`` where no byte tells it from Latin-1. ``None`` where no
        encoding gives a likely text.
    """
    sample = _sample(data)
    if _high_share(sample) <= _MOST_HIGH:
        western = _western(sample)
        if western is not None:
            return "iso8859-1" if western == "cp1252" and _no_c1(data) else western
    return _other(_sample_lines(data))


def guess_western(data: bytes) -> str | None:
    """Guess which Western code page bytes are in, ``None`` where they are likely in none."""
    sample = _sample(data)
    return _western(sample) if _high_share(sample) <= _MOST_HIGH else None


def _no_c1(data: bytes) -> bool:
    return len(data) == len(data.translate(None, bytes(range(0x80, 0xA0))))


def _sample(data: bytes) -> bytes:
    """Gather places with high bytes, each with what is around it, from the whole text."""
    pieces: list[bytes] = []
    for window in _windows(data):
        end = 0
        for match in _HIGH.finditer(window):
            start, end = max(end, match.start() - _PIECE), max(end, match.start() + _PIECE)
            pieces.append(window[start:end])
    step = max(1, len(pieces) * 2 * _PIECE // SAMPLE_BYTES)
    return b"".join(pieces[::step])


def _windows(data: bytes) -> Iterator[bytes]:
    """Give evenly spaced parts of a long text, all of a short one."""
    step = max(_WINDOW, len(data) // _MOST_WINDOWS)
    return (data[start : start + _WINDOW] for start in range(0, len(data), step))


def _sample_lines(data: bytes) -> bytes:
    """Gather whole lines with high bytes from the front: a character of several bytes must not be cut."""
    lines, size = [], 0
    for line in data[: SAMPLE_BYTES * 16].split(b"\n"):
        if size >= SAMPLE_BYTES:
            break
        if not line.isascii():
            lines.append(line)
            size += len(line)
    return b"\n".join(lines)


def _high_share(sample: bytes) -> float:
    """Give the share of high bytes among bytes that are letters or high."""
    high = sum(len(run) for run in _HIGH.findall(sample))
    letters = sum(byte | 0x20 in range(0x61, 0x7B) for byte in sample)
    return high / max(1, high + letters)


def _western(sample: bytes) -> str | None:
    """Give the Western code page under which most high characters stand where they belong."""
    scores = {name: _likely(sample.decode(name, errors="replace")) for name in _WESTERN}
    best = max(_WESTERN, key=lambda name: scores[name])
    return best if scores[best] >= _MIN_LIKELY else None


def _likely(text: str) -> float:
    """Give the share of characters above ASCII that are letters beside letters, or marks at the border of words."""
    around = Counter(zip(" " + text[:-1], text, text[1:] + " ", strict=True))
    high = likely = 0
    for (before, here, after), times in around.items():
        if here.isascii():
            continue
        high += times
        if here in _QUOTES:
            likely += times * (not (before.isalpha() and after.isalpha()) or here == "’")
        elif here.isalpha():
            likely += times * _among_letters(before, here, after)
    return likely / max(1, high)


def _among_letters(before: str, here: str, after: str) -> bool:
    if not (before.isalpha() or after.isalpha()):
        return here in _WORDS
    return here.islower() or not before.islower()


def _other(sample: bytes) -> str | None:
    best = from_bytes(sample, cp_isolation=list(_OTHERS), enable_fallback=False).best()
    return None if best is None else str(best.encoding)
