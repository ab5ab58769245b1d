"""Which addresses a Wikipedia page cites: the URLs of its references and external links.

LLaMA trains its quality classifier on "pages used as references in Wikipedia" (Touvron et al., 2023, section 2.1) and
does not say how they were found. RedPajama-v1 (``data_prep/cc/classifier/extract_urls.py``) searches the raw XML for
unnamed ``<ref>`` tags on one line, which misses named and multi-line references, cuts URLs at ``&amp;`` and gives
addresses that end in ``&lt``. Here the wikitext is read as MediaWiki reads it (``Parser.php``): comments, attributes
and the content of tags like ``<nowiki>`` are not looked at, a URL ends where MediaWiki ends it, and character
references are decoded.

By default all URLs of the page's wikitext count, in references and outside: lists of literature and external links
stand outside of ``<ref>``. With ``refs_only`` only those of ``<ref>``, ``{{#tag:ref}}``, ``{{refn}}`` and ``{{efn}}``
count. URLs must be written out: what a template makes of an identifier or of a host without ``http`` is not known
here, and a URL without scheme counts only as the address of a bracketed link or the whole value of a parameter. No
names of templates or parameters are asked for, so that all languages are read alike. A link or value that goes on in a
template is left out: its address is known to MediaWiki alone.

Time is linear in the text, whatever it holds.
"""

import html
import re
from collections.abc import Iterator
from html.entities import html5

MAX_URL_CHARS = 8192

#: Tags whose content MediaWiki does not read as wikitext.
_RAW_TAGS = "nowiki|pre|syntaxhighlight|source|math|chem|ce|score|timeline|graph|mapframe|maplink|templatedata|hiero"
_RAW = re.compile(rf"<!--|<({_RAW_TAGS})(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_RAW_END = {tag: re.compile(rf"</{tag}\s{{0,9}}>", re.IGNORECASE) for tag in _RAW_TAGS.split("|")}
#: Tags that MediaWiki knows: HTML's, as far as it lets them through (``Sanitizer.php``), and those of its extensions.
#: What else stands between ``<`` and ``>`` is text, ``<a href=...>`` too.
_TAGS = (
    "abbr|b|bdi|bdo|big|blockquote|br|caption|center|cite|code|data|dd|del|dfn|div|dl|dt|em|font|h[1-6]|hr|i|ins|kbd|li"
    "|link|mark|meta|ol|p|q|rb|rp|rt|rtc|ruby|s|samp|small|span|strike|strong|sub|sup|table|td|th|time|tr|tt|u|ul|var|wbr"
    "|ref|references|gallery|poem|section|templatestyles|indicator|imagemap|inputbox|categorytree|charinsert|quiz|listen"
    "|phonos|tabber|translate|languages|tvar|includeonly|noinclude|onlyinclude"
)
_ATTRIBUTES = re.compile(rf"<({_TAGS}|{_RAW_TAGS})\s[^<>]*+>", re.IGNORECASE)

_REF = re.compile(r"<ref(?:/?|(?=[\s/])[^<>]*+)>|(?P<end></ref\s{0,9}>)", re.IGNORECASE)
_BRACES = re.compile(r"(?P<note>\{\{\s{0,9}(?:#tag:\s{0,9}ref|refn|efn)\s{0,9}\|)|\{\{|(?P<end>\}\})", re.IGNORECASE)
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*+\n|\n=")

#: What MediaWiki takes into a URL (``EXT_LINK_URL_CLASS``), less what ends a template's parameter, quotes, of which
#: two make italics, and characters that cannot be seen.
_CHAR = r"[^\s\[\]<>\"|{}'\x00-\x20\x7f\ufffd\u200b-\u200f\u202a-\u202e\u2060\ufeff]"
#: ``{{=}}`` and ``{{!}}`` stand for the characters; the latter also parts cells of a table.
_URL = re.compile(
    r"(?<![a-z0-9_])(?:https?:)?//(?=[^\W_]|%)"
    rf"(?:{_CHAR}++|'(?!')|\{{\{{=\}}\}}|\{{\{{!\}}\}}(?={_CHAR})|\{{(?!\{{)|\}}(?!\}}))*+",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?:https?:)?//(?:[^/?#@]*+@)?[^/?#@:]*[^\W_]\.[^\W_]", re.IGNORECASE)
_VALUE_END = re.compile(r"\s{0,99}(?:\||\}\})")
#: What goes on behind a URL that is a parameter's value, as in ``?a[]=1``; a number bounds the time.
_IN_BRACKETS = re.compile(rf"(?:\[{_CHAR}*+\]{_CHAR}*+){{1,20}}+")
_RUNS_ON = re.compile(r"\{\{(?!!\}\})")
_REFERENCE = re.compile(r"&(?:([a-z0-9]{1,32};)|#[0-9]{1,7};|#x[0-9a-f]{1,6};)", re.IGNORECASE)
_NO_URL_CHAR = re.compile(r"[\[\]<>\"|\x00-\x20\x7f]")
_OPENING = {")": "(", "}": "{"}
_LOOK_BACK = 20


def cited_urls(wikitext: str, *, refs_only: bool = False) -> list[str]:
    """List the URLs a page cites.

    Args:
        wikitext: The page, with its XML undone.
        refs_only: Whether URLs outside of references are left out.

    Returns:
        Absolute URLs as they are written, character references decoded, each once, in order of appearance; one
        without scheme gets ``https:``. Left out: other schemes, hosts without a dot, and URLs of more than
        :data:`MAX_URL_CHARS` characters.

    >>> cited_urls("A.<ref name=a>{{cite web|url=http://a.org/?x=1&amp;y=2|title=A}}</ref> [//b.org B] (http://c.org).")
    ['http://a.org/?x=1&y=2', 'https://b.org', 'http://c.org']
    """
    if "//" not in wikitext:
        return []
    text = _ATTRIBUTES.sub(_without_attributes, blank_unparsed(wikitext))
    spans = reference_spans(text) if refs_only else [(0, len(text))]
    return list(dict.fromkeys(url for start, end in spans for url in _urls_between(text, start, end)))


def blank_unparsed(wikitext: str) -> str:
    """Take out what MediaWiki does not read as wikitext.

    Args:
        wikitext: A page.

    Returns:
        The page without comments, and with a blank for each tag like ``<nowiki>`` and its content. A comment that is
        not closed goes to the end of the page; a tag that is not closed is text, as MediaWiki has it.

    >>> blank_unparsed("a<!-- b -->c <nowiki>[d]</nowiki> <pre>e")
    'ac   <pre>e'
    """
    kept: list[str] = []
    at = search_from = 0
    never_closed: set[str] = set()
    while found := _RAW.search(wikitext, search_from):
        search_from = found.end()
        if not found[1]:
            closing = wikitext.find("-->", found.end())
            end, blank = (closing + 3 if closing >= 0 else len(wikitext)), ""
        elif found[0].endswith("/>"):
            end, blank = found.end(), " "
        else:
            tag = found[1].lower()
            close = None if tag in never_closed else _RAW_END[tag].search(wikitext, found.end())
            if close is None:
                never_closed.add(tag)
                continue
            end, blank = close.end(), " "
        kept += (wikitext[at : found.start()], blank)
        at = search_from = end
    return "".join([*kept, wikitext[at:]])


def reference_spans(wikitext: str) -> list[tuple[int, int]]:
    """Find the references of a page.

    Args:
        wikitext: A page, less what :func:`blank_unparsed` takes out.

    Returns:
        Start and end of the content of each reference, in order, without overlap. A ``<ref>`` ends at the next
        ``</ref>``, and where there is none at the end of its paragraph; ``<ref/>`` has no content.

    >>> text = "a<ref>b</ref><ref name=c/>{{efn|d}}"
    >>> [text[start:end] for start, end in reference_spans(text)]
    ['b', 'd']
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted([*_ref_tags(wikitext), *_note_templates(wikitext)]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _ref_tags(text: str) -> Iterator[tuple[int, int]]:
    start = None
    for tag in _REF.finditer(text):
        if tag["end"] and start is not None:
            yield start, tag.start()
            start = None
        elif not tag["end"] and not tag[0].endswith("/>") and start is None:
            start = tag.end()
    if start is not None:
        end = _PARAGRAPH_END.search(text, start)
        yield start, end.start() if end else len(text)


def _note_templates(text: str) -> Iterator[tuple[int, int]]:
    open_: list[int | None] = []
    for brace in _BRACES.finditer(text):
        if not brace["end"]:
            open_.append(brace.end() if brace["note"] else None)
        elif open_ and (start := open_.pop()) is not None:
            yield start, brace.start()


def _without_attributes(tag: re.Match[str]) -> str:
    return f"<{tag[1]}/>" if tag[0].endswith("/>") else f"<{tag[1]}>"


def _urls_between(text: str, start: int, end: int) -> Iterator[str]:
    read_to = start
    for found in _URL.finditer(text, start, end):
        before = text[max(0, found.start() - _LOOK_BACK) : found.start()]
        is_bracketed, may_be_value = before.endswith("["), before.rstrip().endswith(("=", "|"))
        url_end = _url_end(text, found.end(), is_bracketed=is_bracketed, may_be_value=may_be_value)
        if url_end is None or found.start() < read_to or url_end - found.start() > MAX_URL_CHARS:
            continue  # its end is not known, it is a part of the last one, or long
        read_to = url_end
        is_whole = is_bracketed or (may_be_value and _VALUE_END.match(text, url_end) is not None)
        if found[0].startswith("//") and not is_whole:
            continue
        url = _decode(text[found.start() : url_end].replace("{{=}}", "=").replace("{{!}}", "|"))
        if not is_whole:
            url = _without_punctuation(url)
        if _HOST.match(url):
            yield f"https:{url}" if url.startswith("//") else url


def _url_end(text: str, end: int, *, is_bracketed: bool, may_be_value: bool) -> int | None:
    """Tell where a URL ends whose plain characters do at ``end``; ``None`` where what follows makes another URL of it.

    In a link or a value a template's result is part of the URL. In running text it is more often a note on the link.
    """
    if (is_bracketed or may_be_value) and _RUNS_ON.match(text, end):
        return None
    if may_be_value and text.startswith("[", end):
        more = _IN_BRACKETS.match(text, end)
        return more.end() if more and _VALUE_END.match(text, more.end()) else None
    return end


def _decode(url: str) -> str:
    """Decode character references, as far as a ``<``, ``>`` or blank; encode what cannot stand in a URL."""
    parts: list[str] = []
    at = 0
    for reference in _REFERENCE.finditer(url):
        char = _char(reference)
        parts.append(url[at : reference.start()])
        at = reference.end()
        if char in ("<", ">") or char.isspace():
            break
        parts.append(char)
    else:
        parts.append(url[at:])
    return _NO_URL_CHAR.sub(lambda char: f"%{ord(char[0]):02X}", "".join(parts))


def _char(reference: re.Match[str]) -> str:
    """Give what a character reference stands for, or itself where it stands for nothing."""
    if reference[1]:
        return html5.get(reference[1], reference[0])
    return html.unescape(reference[0])


def _without_punctuation(url: str) -> str:
    """Take off the end what belongs to the sentence around a URL and not to the URL."""
    size = len(url)
    surplus = {close: url.count(close) - url.count(opening) for close, opening in _OPENING.items()}
    while size and (url[size - 1] in ".,;:!?'" or surplus.get(url[size - 1], 0) > 0):
        if url[size - 1] in surplus:
            surplus[url[size - 1]] -= 1
        size -= 1
    return url[:size]
