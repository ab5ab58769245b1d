"""What a wiki's name tells: its language, its address, and its namespaces from what its API says of them.

Names of databases are those of ``dumps.wikimedia.org``: ``dewiki`` is ``de.wikipedia.org``, ``zh_yuewiki`` is
``zh-yue.wikipedia.org``. Some addresses are no codes of ISO 639; what they stand for is MediaWiki's own list of
deprecated codes (``LanguageCode.php``).
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from pipeline.files import match, read_bytes
from pipeline.settings import SettingsError

_SUFFIX = "wiki"
#: Addresses that differ from the names of their databases.
_ADDRESSES = {"be_x_old": "be-tarask"}
#: Languages of addresses that are no codes of ISO 639.
_LANGUAGES = {
    "als": "gsw",
    "bat-smg": "sgs",
    "be-tarask": "be",
    "cbk-zam": "cbk",
    "fiu-vro": "vro",
    "roa-rup": "rup",
    "simple": "en",
    "zh-classical": "lzh",
    "zh-min-nan": "nan",
    "zh-yue": "yue",
}
#: Wikis of Wikimedia that are called as Wikipedias are.
_OTHERS = frozenset(
    (
        *("commons", "foundation", "incubator", "mediawiki", "meta", "outreach", "sources", "species", "strategy"),
        *("test", "test2", "wikidata", "wikifunctions"),
    )
)
#: What MediaWiki leaves as it is in an address (``wfUrlencode``).
_SAFE = ";@$!*(),/~:"
_FILE = re.compile(r"([a-z0-9_]+)-configuration\.(?:xml|json)$")


def site_code(wiki: str) -> str:
    """Give what stands for a Wikipedia's language in its address; empty for what is no Wikipedia.

    >>> site_code("dewiki"), site_code("zh_yuewiki"), site_code("dewiktionary")
    ('de', 'zh-yue', '')
    """
    code = wiki.removesuffix(_SUFFIX)
    if code == wiki or code in _OTHERS:
        return ""
    return _ADDRESSES.get(code, code.replace("_", "-"))


def language_of(wiki: str) -> str:
    """Give the code of a Wikipedia's language; empty for what is no Wikipedia.

    >>> language_of("dewiki"), language_of("simplewiki"), language_of("zh_yuewiki")
    ('de', 'en', 'yue')
    """
    code = site_code(wiki)
    return _LANGUAGES.get(code, code)


def page_url(wiki: str, title: str) -> str:
    """Give a page's address, with the characters escaped that MediaWiki escapes.

    >>> page_url("enwiki", "AC/DC (band) & C++")
    'https://en.wikipedia.org/wiki/AC/DC_(band)_%26_C%2B%2B'
    """
    return f"https://{site_code(wiki)}.wikipedia.org/wiki/{quote(title.replace(' ', '_'), safe=_SAFE)}"


def read_siteinfo(folder: str, key: str) -> dict[str, dict[str, int]]:
    """Read what the API of each wiki says of its namespaces (``action=query&meta=siteinfo&siprop=namespaces|…``).

    Args:
        folder: Folder of ``<wiki>-configuration.xml`` or ``.json``.
        key: The config key it stands under, for messages.

    Returns:
        For each wiki the numbers of its namespaces by local name, English name and alias, in lower case.

    Raises:
        SettingsError: There is no such file, or one is no such answer.
    """
    try:
        files = match(folder.rstrip("/") + "/*")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{key}: {error}") from error
    found = {}
    for path in (file.path for file in files):
        name = _FILE.search(path)
        if name:
            try:
                found[name[1]] = _namespaces(read_bytes(path))
            except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError) as error:
                raise SettingsError(f"{key}: {path}: no answer of a wiki's API: {error}") from error
    if not found:
        raise SettingsError(f"{key}: no file matches {folder}/*-configuration.xml")
    return found


def _namespaces(content: bytes) -> dict[str, int]:
    if b"<!DOCTYPE" in content:
        raise ValueError("a document type: no answer has one")
    is_json = content.lstrip()[:1] == b"{"
    pairs = _from_json(json.loads(content)) if is_json else _from_xml(ElementTree.fromstring(content))  # noqa: S314 - no entities
    names = {name.strip().lower(): number for name, number in pairs if name.strip()}
    if not names:
        raise ValueError("it names no namespace")
    return names


def _from_xml(root: ElementTree.Element) -> Iterator[tuple[str, int]]:
    for part in ("namespacealiases", "namespaces"):
        for row in root.iterfind(f"./query/{part}/ns"):
            number = int(row.attrib["id"])
            yield row.attrib.get("canonical", ""), number
            yield row.text or "", number


def _from_json(answer: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    query = answer["query"]
    spaces = query["namespaces"]
    rows = [*query.get("namespacealiases", ()), *(spaces.values() if isinstance(spaces, dict) else spaces)]
    for row in rows:
        for field in ("canonical", "alias", "name", "*"):
            yield str(row.get(field, "")), int(row["id"])
