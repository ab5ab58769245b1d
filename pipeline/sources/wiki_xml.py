"""One ``<page>`` element of a MediaWiki dump into a page (export schema 0.3 to 0.11).

Each page is given to an XML parser of its own, without the dump's head: what one page holds cannot break the next one,
and no entity that a document type might declare is known here. What the old schemas do not say is worked out:
namespaces from the title's prefix (before 0.6), redirect targets from the text (before 0.6), and that a page is a
redirect at all from its first word (0.3).

A text is believed when its SHA-1 is the one the dump gives, in base 36, where it gives one. Of several revisions the
latest counts.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pyexpat import ExpatError, ParserCreate

_MAX_DEPTH = 12
#: A tag of more than 2,000 characters and quoted values: the attributes of one would take many times its size.
_LONG_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+'){2000}+")
_TEXT_BUFFER_BYTES = 1 << 16
_SHA1 = re.compile(r"[0-9a-z]{1,31}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")

#: What a redirect begins with in the twenty languages of LLaMA's Wikipedia.
_REDIRECT_WORDS = re.compile(
    "REDIRECT|REDIRECTION|REDIRECCI[OÓ]N?|REDIRECIONAMENTO|REDIRECTEAZA|WEITERLEITUNG|DOORVERWIJZING|OMDIRIGERING|"
    "PŘESMĚRUJ|PRESMERUJ|PREUSMJERI|PREUSMERI|PREUSMERITEV|PATRZ|PRZEKIERUJ|TAM|RINVI[AO]|RIMANDO|ÁTIRÁNYÍTÁS|"
    "ПЕРЕНАПР|ПЕРЕНАПРАВЛЕНИЕ|ПЕРЕНАПРАВЛЕННЯ|ПРЕНАСОЧВАНЕ|ВИЖ|ПРЕУСМЕРИ|ПРЕУСМЈЕРИ"
)
_REDIRECT = re.compile(r"\s*#(\w{1,40})\s{0,9}:?\s{0,9}\[\[:?([^\[\]|#\n]{1,300})")
_ANY_LINK = re.compile(r"\[\[:?([^\[\]|#\n]{1,300})")
_FIELDS = frozenset(
    ("page/title", "page/ns", "page/id", "page/revision/timestamp", "page/revision/model", "page/revision/sha1")
)
_TEXT = "page/revision/text"


@dataclass(frozen=True, slots=True)
class WikiPage:
    """A page of a wiki, in its latest revision.

    Attributes:
        id: The page's number, the same in every dump of the wiki.
        namespace: 0 for articles; -2 to 15 are MediaWiki's own.
        title: With the namespace's prefix.
        redirect: Title of the page this one redirects to, or empty.
        timestamp: When the revision was made, ISO 8601 in UTC, or empty.
        text: Wikitext, LF line ends.
        wiki: Which wiki: ``enwiki``; empty where neither the file's name nor its head tells.
        model: What the text is: ``wikitext`` but for a few pages of templates, modules and settings.
    """

    id: int
    namespace: int
    title: str
    redirect: str
    timestamp: str
    text: str
    wiki: str
    model: str = "wikitext"


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """What the head of a dump says.

    Attributes:
        wiki: The wiki's name.
        version: The export schema's, ``0.11``; empty where there is no head.
        namespaces: Number of each namespace by its name, in lower case.
        database: The wiki whose head this is, which may be another one.
    """

    wiki: str = ""
    version: str = ""
    namespaces: Mapping[str, int] = field(default_factory=dict)
    database: str = ""


class PageFault(Exception):
    """Why an element is no page.

    Attributes:
        cause: A code, ``"mediawiki/<what is wrong>"``.
        detail: One line for a person.
    """

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


def parse_page(element: bytes, site: SiteInfo) -> WikiPage:
    """Parse one element.

    Args:
        element: From ``<page>`` to ``</page>``, in UTF-8; the names may have a namespace prefix.
        site: What the dump's head says.

    Raises:
        PageFault: It is not well-formed, or lacks what a page needs.
    """
    parts = _Parts()
    _parse_xml(element, parts)
    title, number = parts.fields.get("page/title", ""), parts.fields.get("page/id", "")
    if not title or not _INTEGER.fullmatch(number):
        raise PageFault("mediawiki/missing_field", f"a page needs title and id, not {title[:80]!r} and {number[:20]!r}")
    namespace = parts.fields.get("page/ns")
    if namespace is not None and not _INTEGER.fullmatch(namespace):
        raise PageFault("mediawiki/missing_field", f"{title[:80]}: the namespace is {namespace[:20]!r}")
    latest = _latest(parts, title)
    text = "".join(latest.text)
    _check_text(latest, text, title)
    return WikiPage(
        id=int(number),
        namespace=_namespace_of(title, site) if namespace is None else int(namespace),
        title=title,
        redirect=_redirect_of(parts.redirect, text, title, site),
        timestamp=latest.fields.get("timestamp", ""),
        text=text,
        wiki=site.wiki,
        model=latest.fields.get("model", "wikitext"),
    )


@dataclass(slots=True)
class _Revision:
    """What is gathered of one revision; ``attributes`` are those of its text, ``None`` where it has none."""

    fields: dict[str, str] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    attributes: dict[str, str] | None = None
    slots: int = 0


class _Parts:
    """Gathers what is wanted of a page while expat walks through it."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.revisions: list[_Revision] = []
        self.redirect: str | None = None
        self._path: list[str] = []
        self._into: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Enter an element."""
        if len(self._path) == _MAX_DEPTH:
            raise PageFault("mediawiki/bad_xml", f"elements within elements, more than {_MAX_DEPTH} deep")
        self._path.append(name.rpartition(":")[2])
        path = "/".join(self._path)
        self._into = [] if path in _FIELDS else None
        if path == "page/revision":
            self.revisions.append(_Revision())
        elif path == "page/redirect":
            self.redirect = attributes.get("title", "")
        elif path == "page/revision/content":
            self.revisions[-1].slots += 1
        elif path == _TEXT:
            self.revisions[-1].attributes = attributes
            self._into = self.revisions[-1].text

    def chars(self, data: str) -> None:
        """Take character data."""
        if self._into is not None:
            self._into.append(data)

    def end(self, _name: str) -> None:
        """Leave an element."""
        path = "/".join(self._path)
        if self._into is not None and path in _FIELDS:
            value = "".join(self._into).strip()
            fields = self.revisions[-1].fields if path.startswith("page/revision/") else self.fields
            fields.setdefault(self._path[-1] if fields is not self.fields else path, value)
        self._into = None
        self._path.pop()


def _parse_xml(element: bytes, parts: _Parts) -> None:
    if _LONG_TAG.search(element):
        raise PageFault("mediawiki/bad_xml", "a tag of more than 2000 characters")
    parser = ParserCreate("utf-8")
    parser.buffer_text = True
    parser.buffer_size = _TEXT_BUFFER_BYTES
    parser.StartElementHandler = parts.start
    parser.EndElementHandler = parts.end
    parser.CharacterDataHandler = parts.chars
    try:
        parser.Parse(element, True)  # noqa: FBT003  # expat takes it by position only
    except ExpatError as error:
        try:
            element.decode()
        except UnicodeDecodeError as wrong:
            raise PageFault("mediawiki/invalid_utf8", f"byte {wrong.start} of the page: {wrong.reason}") from error
        raise PageFault("mediawiki/bad_xml", str(error)) from error


def _latest(parts: _Parts, title: str) -> _Revision:
    """Give the revision with the latest timestamp; of equal ones the last."""
    if not parts.revisions:
        raise PageFault("mediawiki/no_text", f"{title[:80]}: no revision")
    dated = [(revision.fields.get("timestamp", ""), index) for index, revision in enumerate(parts.revisions)]
    return parts.revisions[max(dated)[1]]


def _check_text(revision: _Revision, text: str, title: str) -> None:
    """Refuse a revision whose text is not all there."""
    attributes = revision.attributes
    if attributes is None:
        raise PageFault("mediawiki/no_text", f"{title[:80]}: the revision has no text")
    if "deleted" in attributes:
        raise PageFault("mediawiki/deleted_text", f"{title[:80]}: the text is hidden")
    if not text and attributes.get("bytes", "0") != "0":
        raise PageFault(
            "mediawiki/no_text", f"{title[:80]}: {attributes['bytes']} bytes of text are elsewhere (a stub)"
        )
    given = attributes.get("sha1") or ("" if revision.slots else revision.fields.get("sha1", ""))
    if _SHA1.fullmatch(given):
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).digest()
        if int(given, 36) != int.from_bytes(digest, "big"):
            raise PageFault("mediawiki/bad_sha1", f"{title[:80]}: the text's SHA-1 is not {given}")


def _namespace_of(title: str, site: SiteInfo) -> int:
    prefix, colon, _ = title.partition(":")
    return site.namespaces.get(prefix.strip().replace("_", " ").lower(), 0) if colon else 0


def _redirect_of(flag: str | None, text: str, title: str, site: SiteInfo) -> str:
    """Find a redirect's target: ``flag`` is the target, or empty where it is not named, or ``None`` without flag.

    A redirect that names no page, such as one to a section of itself, leads to itself.
    """
    if flag:
        return flag
    found = _REDIRECT.match(text)
    if flag is None:
        is_redirect = site.version == "0.3" and found and _REDIRECT_WORDS.fullmatch(found[1].upper())
        return found[2].strip() if found and is_redirect else ""
    found_any = _ANY_LINK.search(text, 0, 1000)
    return found_any[1].strip() if found_any else title
