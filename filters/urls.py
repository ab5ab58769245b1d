"""URLs as keys: the same page under one name, whoever wrote its address down.

A citation on Wikipedia and the address a crawler fetched differ in what does not name the page: scheme, ``www.``, port,
user, fragment, the case of the host, percent-encoding, a slash at the end. :func:`normalize_url` folds these, after RFC
3986 (section 6.2) and, for the host, Unicode TS 46 in its non-transitional form, in which ``ß`` stays itself as in
browsers. Beyond the RFC, an escaped ``! ' ( ) * ,`` counts as the character, since editors and libraries write either,
and ``[`` and ``]`` count as escaped. Copies in web archives, which a fifth of Wikipedia's references point to,
are taken back to the page copied. What may name another page stays: query, session ids, the case of the path.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

import numpy as np
import xxhash
from numpy.typing import NDArray
from publicsuffixlist import PublicSuffixList

_URL = re.compile(r"(?:https?:)?//([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_EDGES = "".join(map(chr, range(33)))
_NOT_IN_URLS = str.maketrans("", "", "\t\n\r")
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
_IP = re.compile(r"\[.*|[0-9]+(?:\.[0-9]+){3}")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
#: Soft hyphen, zero-width space and joiners, byte order mark: TS 46 ignores them.
_IGNORED = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_MAX_HOST_CHARS = 253
_MAX_LABEL_CHARS = 63
_MAX_PORT = 65535
_DEFAULT_PORTS = {80, 443}

_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})?|[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]")
#: RFC 3986's unreserved characters, and those reserved ones that people escape or not as they please.
_NOT_ESCAPED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!'()*,")
_ASCII_ESCAPE = re.compile("%([0-7][0-9A-Fa-f])")

#: The Wayback Machine, archive.today under its names, and whoever else runs a Wayback: 14 digits, then a whole URL.
_ARCHIVED = re.compile(
    r"http://(?:"
    r"web\.archive\.org/(?:web/)?(?:[0-9]{1,14}(?:[a-z]{2}_)?\*?|\*)/"
    r"|(?:[a-z-]+\.)?archive\.org/web/(?:[0-9]{1,14}(?:[a-z]{2}_)?\*?|\*)/"
    r"|archive\.(?:today|is|ph|fo|li|md|vn)/(?:o/[A-Za-z0-9]+|[0-9][0-9.-]{3,17})/"
    r"|[^/?]+/(?:[^/?]+/){0,4}[0-9]{14}(?:[a-z]{2}_)?/(?=https?(?::/|%3A))"
    r")(.+)",
    re.DOTALL,
)
_WEBCITATION = re.compile(r"http://webcitation\.org/[^?]*\?(?:[^&]*&)*?url=([^&]+)")
_ESCAPED_SCHEME = re.compile("https?%3A", re.IGNORECASE)
_SCHEME = re.compile(r"(https?):/+|[a-z][a-z0-9+.-]*://|(?:mailto|javascript|data):", re.IGNORECASE)
_MAX_NESTING = 8


def normalize_url(url: str, *, unwrap: bool = True) -> str:
    """Fold a URL to the one spelling that all spellings of the page's address share.

    Args:
        url: Any string, with or without ``http:``; blanks around it do not count.
        unwrap: Whether a copy in a web archive counts as the page it is a copy of.

    Returns:
        An ``http://`` URL, ASCII only, that normalises to itself; empty for what is no HTTP URL, and for an archive's
        copy of what is none.

    >>> normalize_url("HTTPS://me@www.Bücher.example:443/%7euser/?q=%c3%a4#top")
    'http://xn--bcher-kva.example/~user?q=%C3%A4'
    >>> normalize_url("https://web.archive.org/web/20130507215213/http://example.org/")
    'http://example.org/'
    """
    for _ in range(_MAX_NESTING):
        url = _fold(url)
        inner = _archived(url) if unwrap else ""
        if not inner:
            return url
        url = inner
    return ""


def fingerprint_url(url: str) -> int:
    """Fingerprint the normalised URL with XXH3-64.

    All that is no HTTP URL shares the fingerprint of the empty string: look for it before anything is compared.
    """
    return xxhash.xxh3_64_intdigest(normalize_url(url).encode())


def fingerprint_urls(urls: Sequence[str]) -> NDArray[np.uint64]:
    """Fingerprint each URL as :func:`fingerprint_url` does."""
    return np.fromiter(map(fingerprint_url, urls), np.uint64, len(urls))


def registered_domain(url: str) -> str:
    """Give the part of a URL's host that its owner registered, by the public suffix list, private suffixes included.

    Returns:
        The domain, in ASCII; the host itself where it is an address or nothing but a suffix; empty for no HTTP URL.

    >>> registered_domain("https://www.news.example.co.uk/a"), registered_domain("http://192.0.2.7:8080/")
    ('example.co.uk', '192.0.2.7')
    """
    host = _host_of(normalize_url(url))
    return host if not host or _IP.fullmatch(host) else _domain_of(host)


def _host_of(normalized: str) -> str:
    authority = normalized.removeprefix("http://").partition("/")[0]
    return authority.partition("]")[0] + "]" if authority.startswith("[") else authority.partition(":")[0]


@functools.lru_cache(maxsize=1 << 16)
def _domain_of(host: str) -> str:
    return str(_suffixes().privatesuffix(host) or host)


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _fold(url: str) -> str:
    parts = _URL.match(url.strip(_EDGES).translate(_NOT_IN_URLS))
    authority = _fold_authority(parts[1]) if parts else ""
    if not parts or not authority:
        return ""
    path = _fold_dots(_fold_percent(parts[2])).rstrip("/") or "/"
    query = _fold_percent(parts[3] or "")
    return f"http://{authority}{path}{'?' if query else ''}{query}"


def _fold_authority(authority: str) -> str:
    """Fold host and port; empty where either cannot be."""
    place = authority.rpartition("@")[2]
    name, colon, port = place.rpartition(":")
    if not colon or port.endswith(("]", "%5D")):  # in an archive's path, the brackets of an address are escaped
        name, port = place, ""
    number = port.lstrip("0") if port.isascii() and port.isdigit() else port
    host = _fold_host(name)
    if not host or (number and (not number.isascii() or not number.isdigit() or len(number) > len(str(_MAX_PORT)))):
        return ""
    if not number or int(number) in _DEFAULT_PORTS:
        return host
    return f"{host}:{number}" if int(number) <= _MAX_PORT else ""


def _fold_host(host: str) -> str:
    if "%" in host:
        host = unquote(host)
    if not host.isascii():
        host = _fold_unicode_host(host)
    host = host.lower().removesuffix(".")
    if len(host) > _MAX_HOST_CHARS or not _HOST.fullmatch(host):
        return ""
    while host.startswith("www.") and "." in host[len("www.") :]:
        host = host[len("www.") :]
    return host


def _fold_unicode_host(host: str) -> str:
    if len(host) > _MAX_HOST_CHARS:
        return ""
    mapped = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", host.translate(_IGNORED)).lower())
    return ".".join(map(_to_ascii, _DOTS.sub(".", mapped).split(".")))


def _to_ascii(label: str) -> str:
    if label.isascii() or len(label) > _MAX_LABEL_CHARS:
        return label
    return f"xn--{label.encode('punycode').decode()}"


def _fold_percent(part: str) -> str:
    """Decode what needs no escape, and escape what does, in upper case; a stray ``%`` is escaped as well."""
    return _PERCENT.sub(_fold_escape, part.encode(errors="surrogatepass")).decode()


def _fold_escape(found: re.Match[bytes]) -> bytes:
    digits = found[1]
    code = int(digits, 16) if digits else ord(found[0])
    return bytes([code]) if digits and code in _NOT_ESCAPED else b"%%%02X" % code


def _fold_dots(path: str) -> str:
    """Resolve ``.`` and ``..`` segments, as a client does before it asks."""
    if "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


def _archived(url: str) -> str:
    """Give the URL that a normalised archive URL is a copy of; empty where it is no archive's.

    What is archived but no HTTP URL comes back as something that normalises to the empty string.
    """
    if found := _WEBCITATION.match(url):
        inner = _unescape_once(found[1])
    elif found := _ARCHIVED.match(url):
        inner = _unescape_once(found[1]) if _ESCAPED_SCHEME.match(found[1]) else found[1]
    else:
        return ""
    scheme = _SCHEME.match(inner)
    if scheme is None:
        return f"http://{inner}"
    return f"http://{inner[scheme.end() :]}" if scheme[1] else inner


def _unescape_once(url: str) -> str:
    """Undo the escapes of a URL that was a part of another; bytes beyond ASCII are escaped in either."""
    return _ASCII_ESCAPE.sub(lambda found: chr(int(found[1], 16)), url)
