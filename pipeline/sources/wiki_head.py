"""What the head of a MediaWiki dump says, and what its file's name does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import unescape

from pipeline.sources.bz2_streams import Packing
from pipeline.sources.wiki_sites import database_of, site_code
from pipeline.sources.wiki_xml import SiteInfo

_PREFIX = rb"(?:[\w.-]{1,64}:)?"
_VERSION = re.compile(rb"\sversion\s{0,9}=\s{0,9}[\"']([0-9.]{1,9})[\"']")
_DBNAME = re.compile(rb"<" + _PREFIX + rb"dbname>\s{0,80}([a-z][a-z0-9_]{0,79})\s{0,80}<")
#: The address of the main page, which tells the wiki where dumps before schema 0.8 do not name its database.
_BASE = re.compile(rb"<" + _PREFIX + rb"base>\s{0,80}https?://([a-z][a-z-]{1,30})\.wikipedia\.org/")
_NAMESPACE = re.compile(
    rb"<" + _PREFIX + rb"namespace\s[^<>]{0,200}?key=[\"'](-?[0-9]{1,9})[\"'][^<>]{0,200}>([^<]{1,400})<"
)
#: No name of a wiki, but of what they all run on; its own wiki is ``mediawikiwiki``.
_SOFTWARE = "mediawiki"
_WIKI = re.compile(
    r"(?<![a-z0-9_])[a-z][a-z0-9_]*"
    r"(?:wiki|wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikiversity|wikivoyage|wikimedia)(?![a-z0-9_])"
)


@dataclass(frozen=True, slots=True)
class DumpHead:
    """What the beginning of a file, up to its first page, tells about the whole of it.

    Attributes:
        site: What the head says.
        packing: How the file is compressed.
        is_open: Whether there is a head at all, and so an end to come.
        is_refused: Whether the file is not read beyond it.
    """

    site: SiteInfo
    packing: Packing
    is_open: bool
    is_refused: bool


def wiki_name(path: str) -> str:
    """Give the wiki's name as the name of a dump file has it, or an empty string.

    >>> wiki_name("dumps/mini-enwiki-20200101-pages-articles.xml.bz2"), wiki_name("wiki.xml")
    ('enwiki', '')
    >>> wiki_name("my_dewiki.xml"), wiki_name("zh_yuewiki.xml")
    ('dewiki', 'zh_yuewiki')
    """
    found = _WIKI.search(path.replace("\\", "/").rpartition("/")[2].lower())
    name = found[0] if found else ""
    if "_" in name and not site_code(name):
        name = name.rpartition("_")[2]
    return name if name not in {_SOFTWARE, "wiki"} else ""


def parse_head(head: bytes, wiki: str, namespaces: Mapping[str, int] | None) -> SiteInfo:
    """Read what the head says; ``wiki`` is the name already known, or empty, so are ``namespaces``, or ``None``."""
    dbname, base, version = _DBNAME.search(head), _BASE.search(head), _VERSION.search(head)
    named = ((unescape(name.decode("utf-8", "replace")), int(key)) for key, name in _NAMESPACE.findall(head))
    database = dbname[1].decode() if dbname else database_of(base[1].decode()) if base else ""
    return SiteInfo(
        wiki=wiki or database,
        version=version[1].decode() if version else "",
        namespaces={name.strip().lower(): key for name, key in named} if namespaces is None else namespaces,
        database=database,
    )
