"""What a wiki's name tells: its language and its address.

Names of databases are those of ``dumps.wikimedia.org``: ``dewiki`` is ``de.wikipedia.org``, ``zh_yuewiki`` is
``zh-yue.wikipedia.org``. Some addresses are no codes of ISO 639; what they stand for is MediaWiki's own list of
deprecated and of non-standard codes (``LanguageCode.php``).
"""

import re
from urllib.parse import quote

_SUFFIX = "wiki"
_ISO_639_3_LETTERS = 3
#: Addresses that differ from the names of their databases.
_ADDRESSES = {"be_x_old": "be-tarask"}
#: Languages of addresses that are no codes of ISO 639.
_LANGUAGES = {
    "als": "gsw",
    "bat-smg": "sgs",
    "be-tarask": "be",
    "bh": "bho",
    "cbk-zam": "cbk",
    "eml": "egl",
    "fiu-vro": "vro",
    "map-bms": "jv",
    "mo": "ro",
    "nds-nl": "nds",
    "nrm": "nrf",
    "roa-rup": "rup",
    "simple": "en",
    "zh-classical": "lzh",
    "zh-min-nan": "nan",
    "zh-yue": "yue",
}
#: A Wikipedia is called by a code of a language, of two or three letters; Wikimedia's other wikis by longer words.
_CODE = re.compile(
    "[a-z]{2,3}|simple|tokipona|be-tarask|bat-smg|cbk-zam|fiu-vro|map-bms|nds-nl|roa-rup|roa-tara|"
    "zh-classical|zh-min-nan|zh-yue"
)
_OTHERS = frozenset(("fdc", "ten"))
#: Codes that one might take for an address.
_MISTAKEN = {"be-x-old": "be-tarask", "nb": "no"}
#: What MediaWiki leaves as it is in an address (``wfUrlencode``).
_SAFE = ";@$!*(),/~:"


def site_code(wiki: str) -> str:
    """Give what stands for a Wikipedia's language in its address; empty for what is no Wikipedia.

    >>> site_code("dewiki"), site_code("zh_yuewiki"), site_code("dewiktionary")
    ('de', 'zh-yue', '')
    """
    code = wiki.removesuffix(_SUFFIX)
    address = _ADDRESSES.get(code, code.replace("_", "-"))
    is_wikipedia = code != wiki and address not in _OTHERS and _CODE.fullmatch(address)
    return address if is_wikipedia else ""


def database_of(address: str) -> str:
    """Give the name of a Wikipedia's database by its address.

    >>> database_of("de"), database_of("zh-yue"), database_of("be-tarask")
    ('dewiki', 'zh_yuewiki', 'be_x_oldwiki')
    """
    names = {shown: name for name, shown in _ADDRESSES.items()}
    return names.get(address, address.replace("-", "_")) + _SUFFIX


def address_meant(code: str) -> str:
    """Give the code in the address of the Wikipedia in a language whose code is given, where they differ.

    >>> address_meant("yue"), address_meant("nb"), address_meant("de"), address_meant("zh-yue")
    ('zh-yue', 'no', 'de', 'zh-yue')
    """
    addresses = {language: address for address, language in _LANGUAGES.items() if len(language) == _ISO_639_3_LETTERS}
    return {**addresses, **_MISTAKEN}.get(code, code)


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
