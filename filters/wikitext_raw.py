r"""First step of reading wikitext: what MediaWiki does not read as wikitext is lifted out.

Comments go; so do references, galleries, maps, scores and the like, with what is in them. Formulas, code and
``<nowiki>`` are put aside as they are, and a marker holds their place in the text until the end. From here on some
control characters have a meaning of ours (none can be in the text: they are taken out first):

    ``\x01`` number ``\x02``   a marker     ``\x05``   a line ends here, whatever comes
    ``\x03``   a ``=`` that is no markup     ``\x06``   something was taken out here
    ``\x04``   a ``'`` that is no markup     ``\x07``   here would be a number that the page alone does not have

Time is linear in the text: a tag that is closed nowhere is searched for once.
"""

import html
import re

REMOVED, BREAK, EQUALS, APOSTROPHE, HOLE = "\x06", "\x05", "\x03", "\x04", "\x07"

#: Soft hyphens, blanks of no width, marks of direction (looks: they stand between words) and what is no character.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe"
    "\uffff\ud800-\udfff]"
)
_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")

#: Their content is text and stands as it is.
_KEPT = ("nowiki", "pre", "math", "chem", "ce", "syntaxhighlight", "source", "code")
#: Their content is no text of the article.
_DROPPED_TAGS = (
    "ref references gallery imagemap timeline score graph mapframe maplink templatedata templatestyles hiero inputbox "
    "categorytree charinsert indicator quiz includeonly listing rss dynamicpagelist chart phonos section style script"
)
_DROPPED = _DROPPED_TAGS.split()
_OPENING = re.compile(rf"<(?:!--|({'|'.join([*_KEPT, *_DROPPED])})(?=[\s/>])([^<>]*+)>)", re.IGNORECASE)
_CLOSING = {tag: re.compile(rf"</{tag}\s{{0,9}}>", re.IGNORECASE) for tag in [*_KEPT, *_DROPPED]}
_REF_BORDER = re.compile(r"(</ref\s{0,9}>)|<ref(?=[\s>])[^<>]*+(?<!/)>", re.IGNORECASE)
_POEM = re.compile(r"<poem(?=[\s>])[^<>]*+>|</poem\s{0,9}>", re.IGNORECASE)

_NOWIKI = re.compile(r"</?nowiki\s{0,9}/?>", re.IGNORECASE)
_CODE_MARKUP = re.compile(
    r"(?P<bar>\{\{!\}\})|(?P<equals>\{\{=\}\})|'{2,}|</?[a-z]{1,9}(?:\s[^<>]*+)?>"
    r"|\[\[(?:[^\[\]|{}<>\n]*+\|)?(?P<text>[^\[\]|{}<>\n]*+)\]\]",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"&(?:amp;)?(?:[a-zA-Z][a-zA-Z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")


def lift_raw(wikitext: str) -> tuple[str, list[str]]:
    r"""Take out of a page what is no wikitext.

    Args:
        wikitext: The page.

    Returns:
        The page with markers, and what the markers stand for: marker number ``n`` for the ``n``-th text.

    >>> lift_raw("a<!-- b --> <math>x|y</math><ref>c</ref>")
    ('a \x010\x02\x06', ['x|y'])
    """
    text = _CONTROL.sub("", _LINE_END.sub("\n", wikitext))
    held: list[str] = []
    if "<" in text:
        text = _break_poems(_Lifter(text, held).lift())
    return text, held


def marker(number: int) -> str:
    """Give the marker that holds the place of a text put aside."""
    return f"\x01{number}\x02"


def decode(text: str, held: list[str]) -> str:
    """Decode character references, also when escaped twice (``&amp;nbsp;``).

    What would be read as markup afterwards is put aside: its author wanted the character to be seen.
    """
    if "&" not in text:
        return text

    def char(found: re.Match[str]) -> str:
        plain = decode_plain(found[0])
        if plain in _MARKUP:
            held.append(plain)
            return marker(len(held) - 1)
        return plain

    return _REFERENCE.sub(char, text)


_MARKUP = frozenset("<>[]{}|'=*#:;_!")


def decode_plain(text: str) -> str:
    """Decode character references in text that holds no markup; what is no character goes."""
    if "&" not in text:
        return text
    return _CONTROL.sub("", _LINE_END.sub("\n", _REFERENCE.sub(_decoded, text)))


def _decoded(found: re.Match[str]) -> str:
    plain = html.unescape(found[0])
    return html.unescape(plain) if plain.startswith("&") else plain


class _Lifter:
    """One pass over the tags and comments of a page."""

    def __init__(self, text: str, held: list[str]) -> None:
        self._text = text
        self._held = held
        self._never_closed: set[str] = set()

    def lift(self) -> str:
        text, at = self._text, 0
        kept: list[str] = []
        while found := _OPENING.search(text, at):
            end, instead = self._span(found)
            start = found.start()
            kept += (text[at:start], instead)
            if not instead and text.startswith("\n", end) and (not start or text[start - 1] == "\n"):
                end += 1  # a comment alone on its line takes the line with it
            at = end
        kept.append(text[at:])
        return "".join(kept)

    def _span(self, found: re.Match[str]) -> tuple[int, str]:
        """Tell where a tag or comment ends and what comes in its place."""
        if found[1] is None:
            closing = self._text.find("-->", found.end())
            return (closing + 3 if closing >= 0 else len(self._text)), ""
        tag = found[1].lower()
        if found[2].endswith("/") or tag == "section":
            return found.end(), "" if tag == "nowiki" else REMOVED
        if tag == "ref":
            return self._ref_end(found.end()), REMOVED
        closing_tag = None if tag in self._never_closed else _CLOSING[tag].search(self._text, found.end())
        if closing_tag is None:
            self._never_closed.add(tag)
            return found.end(), ("" if tag in _KEPT else REMOVED)
        content = self._text[found.end() : closing_tag.start()]
        return closing_tag.end(), self._replace(tag, content, inline="inline" in found[2].lower())

    def _ref_end(self, start: int) -> int:
        """Find the end of a reference: ``</ref>``, or of its line where another reference begins before that."""
        border = None if "ref" in self._never_closed else _REF_BORDER.search(self._text, start)
        if border is not None and border[1]:
            return border.end()
        if border is None:
            self._never_closed.add("ref")
        limit = border.start() if border else len(self._text)
        line_end = self._text.find("\n", start, limit)
        return line_end if line_end >= 0 else limit

    def _replace(self, tag: str, content: str, *, inline: bool) -> str:
        if tag not in _KEPT:
            return REMOVED
        plain = _plain(tag, content)
        if not plain.strip():
            return REMOVED if tag != "nowiki" else plain
        if tag == "nowiki" and plain.isspace():
            return plain
        self._held.append(plain)
        place = marker(len(self._held) - 1)
        is_block = tag == "pre" or (tag in ("syntaxhighlight", "source") and not inline and "\n" in plain.strip())
        return f"\n\n{place}\n\n" if is_block else place


def _plain(tag: str, content: str) -> str:
    if tag == "nowiki":
        return decode_plain(content)
    if tag == "pre":
        return _without_margins(decode_plain(_NOWIKI.sub("", content)))
    if tag == "code":
        bare = _NOWIKI.sub("", content)
        return decode_plain(bare if bare != content else _CODE_MARKUP.sub(_code_text, bare)).strip()
    return _without_margins(content) if tag in ("syntaxhighlight", "source") else " ".join(content.split())


def _code_text(found: re.Match[str]) -> str:
    return "|" if found["bar"] else "=" if found["equals"] else found["text"] or ""


def _without_margins(code: str) -> str:
    """Take empty lines off both ends of code and blanks off the ends of its lines."""
    return "\n".join(line.rstrip() for line in code.split("\n")).strip("\n")


def _break_poems(text: str) -> str:
    """Make the line ends inside of ``<poem>`` hard ones."""
    kept: list[str] = []
    at, start = 0, None
    for tag in _POEM.finditer(text):
        if tag[0][1] != "/":
            start = tag.end() if start is None else start
        elif start is not None:
            kept += (text[at:start], text[start : tag.start()].strip("\n").replace("\n", BREAK))
            at, start = tag.start(), None
    return "".join([*kept, text[at:]]) if kept else text
