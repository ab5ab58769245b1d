"""Wikitext to text: "we process the data to remove hyperlinks, comments and other formatting boilerplate".

That sentence is all that LLaMA says (Touvron et al., 2023, section 2.1). Here a page is read the way MediaWiki reads it
(``Preprocessor``, ``Parser``), in four steps of linear time, with no recursion, whatever is unclosed or nested:
:mod:`filters.wikitext_raw` lifts out what is no wikitext, :mod:`filters.wikitext_tokens` finds which brackets belong
together, :mod:`filters.wikitext_render` turns links and templates into their words, :mod:`filters.wikitext_lines` makes
paragraphs. What is decided:

- Links become their words, ``[http://a.org text]`` too; addresses without a text go. ``[[:Category:x]]`` shows ``x``.
  Images with their captions, galleries, categories and links to other languages go.
- References, tables, infoboxes and all templates go but for those known to carry words (:mod:`filters.wiki_templates`).
- The text of ``<math>``, ``<code>``, ``<syntaxhighlight>``, ``<pre>`` and ``<nowiki>`` stays as it is and is protected:
  anything may stand in it. So is a character that its author escaped (``&lt;``).
- Numbers that stand on other pages or in Wikidata are not known; brackets around such a number go with it.
- Lists, headings and paragraphs: see :mod:`filters.wikitext_lines`.

:func:`find_leftovers` looks for markup in the outcome, with patterns of its own.
"""

import functools
import re
from dataclasses import dataclass

from filters.leftovers import Leftover, find_patterns
from filters.wiki_names import WikiNames
from filters.wiki_templates import DISAMBIGUATION
from filters.wikitext_lines import lay_out
from filters.wikitext_raw import HOLE, REMOVED, decode, lift_raw
from filters.wikitext_render import TAGS, render

_ADDRESS = re.compile(r"\b(?:https?|ftp)://[^\s<>\[\]\"{}|\x01-\x06]*+", re.IGNORECASE)
_ADDRESS_TAIL = re.compile(r"[.,;:!?)'»”]*+$")
_MARKER = re.compile("\x01([0-9]+)\x02")
#: Only pairs, so that what replaces them parts what is left.
_TORN = re.compile(
    r"\[\[|\]\]|\{[{|]|\}\}|\|\}"
    rf"|</?ref\b[^<>\n]{{0,200}}>?|</?(?:{'|'.join(sorted(TAGS))})(?=[\s/>])[^<>]*+>|<!--",
    re.IGNORECASE,
)
_MAX_TORN_PASSES = 3
_TORN_HEADING = re.compile(r"(?m)^ *+==[^\n]*+(?<===)$")
_HOLLOW_BRACKETS = re.compile(rf"\([^()\n{HOLE}]{{0,40}}{HOLE}[^()\n]{{0,40}}\)")
#: The mark of a reference that was copied from a page as shown.
_COPIED_REFERENCE = re.compile(r"(?<=[.,;:!?»”\"])\[[0-9]{1,3}\](?=\s|$)")
_TRAILING = re.compile(r" +(?=\n|$)")


@dataclass(frozen=True, slots=True)
class WikiText:
    """The text of a page.

    Attributes:
        text: Plain text, paragraphs parted by one empty line.
        protected: Spans ``(start, end)`` in characters, ascending, that came out of formulas, code, ``<nowiki>``,
            ``<pre>`` or escaped characters: anything may stand there.
    """

    text: str
    protected: tuple[tuple[int, int], ...] = ()


def wikitext_to_text(wikitext: str, names: WikiNames) -> WikiText:
    """Make plain text of a page.

    Args:
        wikitext: The page; anything, in any state.
        names: The wiki.

    Returns:
        Its text, empty where nothing is left; without control characters and lone surrogates.

    >>> from filters.wiki_names import names_of
    >>> wikitext_to_text("'''A''' is [[b|c]]s.<ref>d</ref> <math>[[e</math>", names_of("enwiki"))
    WikiText(text='A is cs. [[e', protected=((9, 12),))
    """
    text, held = lift_raw(wikitext)
    text = render(text, names)
    if HOLE in text:
        text = _HOLLOW_BRACKETS.sub(REMOVED, text).replace(HOLE, REMOVED)
    text = decode(text, held)
    if "__" in text:
        text = names.switches.sub(REMOVED, text)
    if "://" in text:
        text = _ADDRESS.sub(_without_address, text)
    if "[" in text:
        text = _COPIED_REFERENCE.sub(REMOVED, text)
    text = _with_single_blanks(_without_torn(lay_out(text, names.language)))
    return _fill_in(_TORN_HEADING.sub(_without_signs, text) if "==" in text else text, held)


def _without_torn(text: str) -> str:
    """Take out brackets and tags that nothing closes; what is left may make a tag once more, but not for ever."""
    for _ in range(_MAX_TORN_PASSES):
        text, count = _TORN.subn(" ", text)
        if not count:
            break
    return text


def _with_single_blanks(text: str) -> str:
    return _TRAILING.sub("", re.sub(r"  +", " ", text))


def _without_signs(found: re.Match[str]) -> str:
    return found[0].strip("= ")


def _without_address(found: re.Match[str]) -> str:
    """Take out an address, but not what belongs to the sentence around it."""
    tail = _ADDRESS_TAIL.search(found[0])
    return REMOVED + (tail[0] if tail else "")


def _fill_in(text: str, held: list[str]) -> WikiText:
    """Put back the texts that were put aside."""
    text = text.strip()
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    at = size = 0
    for found in _MARKER.finditer(text):
        content = held[int(found[1])]
        start = size + found.start() - at
        parts += (text[at : found.start()], content)
        size, at = start + len(content), found.end()
        spans.append((start, size))
    if not parts:
        return WikiText(text)
    return _stripped("".join([*parts, text[at:]]), spans)


def _stripped(text: str, spans: list[tuple[int, int]]) -> WikiText:
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    moved = ((max(0, first - start), min(last, end) - start) for first, last in spans)
    return WikiText(text[start:end], tuple((first, last) for first, last in moved if first < last))


def is_disambiguation(wikitext: str, names: WikiNames) -> bool:
    r"""Tell whether a page only tells apart things of one name.

    Args:
        wikitext: The page.
        names: The wiki.

    Returns:
        Whether it has ``__DISAMBIG__`` or one of the templates for such pages, of the wiki's language or English.

    >>> from filters.wiki_names import names_of
    >>> is_disambiguation("'''Berlín''' může být:\n* ...\n{{Rozcestník}}", names_of("cswiki"))
    True
    """
    if "__DISAMBIG__" in wikitext:
        return True
    text, _ = lift_raw(wikitext)
    return _disambiguation(names.language if names.is_known else "").search(text) is not None


@functools.cache
def _disambiguation(language: str) -> re.Pattern[str]:
    listed = (DISAMBIGUATION.get(one, "") for one in ((language, "en") if language else DISAMBIGUATION))
    names = sorted({name for names in listed for name in names.split("|") if name})
    any_blank = "|".join(re.escape(name).replace(r"\ ", "[ _]") for name in names)
    return re.compile(rf"\{{\{{\s{{0,9}}(?:{any_blank})\s{{0,9}}[|}}]", re.IGNORECASE)


def find_leftovers(text: WikiText, names: WikiNames) -> list[Leftover]:
    """Find wiki markup that is left in a text, outside of its protected spans.

    Args:
        text: The text of a page.
        names: The wiki.

    Returns:
        What is left, by kind: brackets, references, tags, switches, and links to images and categories that lost
        their brackets.
    """
    return list(find_patterns(text.text, _leftovers(names), protected=text.protected))


@functools.lru_cache(maxsize=512)
def _leftovers(names: WikiNames) -> dict[str, re.Pattern[str]]:
    files = "|".join(sorted(map(re.escape, names.files)))
    categories = "|".join(sorted(map(re.escape, names.categories)))
    return {
        "[[": re.compile(r"\[\["),
        "]]": re.compile(r"\]\]"),
        "{{": re.compile(r"\{\{"),
        "}}": re.compile(r"\}\}"),
        "{|": re.compile(r"\{\|"),
        "|}": re.compile(r"\|\}"),
        "<ref": re.compile(r"</?ref(?:erences)?\b", re.IGNORECASE),
        "html_tag": re.compile(
            r"</?(?:a|abbr|b|bdi|big|blockquote|br|center|cite|code|del|div|dl|dd|dt|em|font|gallery|h[1-6]|hr|i|img|includeonly"
            r"|ins|kbd|li|math|noinclude|nowiki|ol|onlyinclude|p|poem|pre|q|s|samp|score|small|source|span|strike|strong|sub"
            r"|sup|syntaxhighlight|table|tbody|td|th|time|timeline|tr|tt|u|ul|var|wbr)\b(?:\s[^<>]*+)?\s*/?>",
            re.IGNORECASE,
        ),
        "comment": re.compile(r"<!--"),
        "switch": names.switches,
        "quotes": re.compile(r"'{3,}|(?<!')''(?!')"),
        "heading": re.compile(r"(?m)^==[^\n]++(?<===)$"),
        "address": re.compile(r"\bhttps?://", re.IGNORECASE),
        "file": re.compile(rf"\b(?:{files}):[^\s:/][^\n|]{{0,200}}\.[a-z]{{3,4}}\b", re.IGNORECASE),
        "category": re.compile(rf"(?m)^(?:{categories}):[^\s:/]", re.IGNORECASE),
    }
