"""Third step of reading wikitext: from tokens to text.

Links become their text, templates that carry words show them, all else between brackets goes. A construct that goes is
jumped over in one step. What is nested deeper than :data:`MAX_DEPTH` goes too (MediaWiki stops at 40 as well), which
bounds how often a character is copied. Where something was taken out a mark is left, so that the blanks and commas
around it can be set right later and no others.
"""

import re
from dataclasses import dataclass, field

from filters.wiki_names import WikiNames
from filters.wikitext_functions import call
from filters.wikitext_links import is_taken_out, link_text, variant_text
from filters.wikitext_raw import BREAK, EQUALS, REMOVED
from filters.wikitext_templates import plain_name, rules_of, show
from filters.wikitext_tokens import (
    LINK,
    PARAMETER_WIDTH,
    TABLE,
    TEMPLATE,
    TOKEN,
    TOKEN_WITH_VARIANTS,
    URL,
    VARIANT,
    Pair,
    match_tokens,
)

MAX_DEPTH = 40
_NEAR_CHARS = 80

_NAME = re.compile(r"\s*+([^|{}\[\]<\n]{0,200}+)\s*+")
_WORD_AHEAD = re.compile(r"[^\n{\w]{0,9}\w")
_TARGET_END = re.compile(r"[^|\n\[\]{}<]{0,300}+\|")
_TABLE_END = re.compile(r"\n(?==)|\n[^\S\n]*+\n(?![^\S\n]*+[|!\n])")
_HIDDEN = re.compile(
    r"display\s{0,9}:\s{0,9}none|class\s{0,9}=[^=]{0,99}\b(?:noprint|navbox|metadata)\b", re.IGNORECASE
)


_BLOCK_TAGS = "p div blockquote center h1 h2 h3 h4 h5 h6 ul ol dl table hr poem"
_ROW_TAGS = "br li dt dd tr caption"
_INLINE_TAGS = (
    "a abbr acronym b bdi bdo big cite data del dfn em font i img ins kbd label link mark meta nobr noinclude nowiki "
    "onlyinclude q rb rp rt rtc ruby s samp small span strike strong sub sup time translate tt tvar u var wbr thead "
    "tbody tfoot col colgroup code pre math source syntaxhighlight ref references gallery timeline section "
    "chem ce languages "
    "includeonly tabber input form button figure figcaption html body head object embed param iframe article header "
    "footer nav aside main section svg g path score templatestyles hiero imagemap graph maplink mapframe indicator "
    "inputbox categorytree charinsert blink"
)
#: What a tag leaves behind. Other names in angle brackets are text.
TAGS = {
    **dict.fromkeys(_INLINE_TAGS.split(), ""),
    **dict.fromkeys(_BLOCK_TAGS.split(), "\n\n"),
    **dict.fromkeys(_ROW_TAGS.split(), BREAK),
    **dict.fromkeys(("td", "th"), " "),
}


@dataclass(slots=True)
class _Frame:
    """An open construct that is shown.

    Attributes:
        pair: Where it ends; ``None`` for the page itself.
        out: Rendered pieces of the current argument.
        values: Arguments before that.
        rule: What the template shows.
        function: The parser function's own name.
        name: The template's name as written.
    """

    pair: Pair | None
    out: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    rule: str | None = None
    function: str | None = None
    name: str = ""


def render(text: str, names: WikiNames) -> str:
    r"""Render wikitext whose comments and raw tags have been lifted out.

    Args:
        text: The wikitext.
        names: The wiki.

    Returns:
        Text with marks (:mod:`filters.wikitext_raw`), quotes for bold and italics, headings and list markers.

    >>> from filters.wiki_names import names_of
    >>> render("[[a|b]]s {{lang|fr|''[[mot]]''}} [http://c d]{{Infobox}}", names_of("enwiki"))
    "bs ''mot'' d\x06"
    """
    return _Renderer("\n" + text, names).render()


class _Renderer:
    """One pass over the tokens of a page."""

    def __init__(self, text: str, names: WikiNames) -> None:
        self._text = text
        self._names = names
        self._rules = rules_of(names.language)
        self._tokens = match_tokens(text, TOKEN_WITH_VARIANTS if names.is_converted else TOKEN)
        self._frames = [_Frame(None)]
        self._muted_to = 0  # text before this is not shown
        self._at = 0  # where the text continues
        self._next = 0  # the token to look at
        self._handlers = {
            "target": self._on_link,
            "text": self._on_link,
            "caption": self._on_caption,
            None: self._on_removed,
            "arguments": self._on_template,
            "attributes": self._on_tag,
            "link": self._on_opening,
            "url": self._on_opening,
            "open": self._on_opening,
            "table": self._on_opening,
            "variant": self._on_opening,
            "close": self._on_closing,
            "brackets": self._on_closing,
            "table_end": self._on_closing,
            "variant_end": self._on_closing,
        }

    def render(self) -> str:
        found = self._tokens.found
        while self._next < len(found):
            number, token = self._next, found[self._next]
            if self._at < token.start():
                self._write_text(self._at, token.start())
            self._at = max(self._at, token.end())
            self._next += 1
            self._handlers[token.lastgroup](number, token)
        self._write_text(self._at, len(self._text))
        return "".join(self._frames[0].out).removeprefix("\n")

    # What is written

    def _write_text(self, start: int, end: int) -> None:
        start = max(start, self._muted_to)
        if start >= end:
            return
        text, frame = self._text[start:end], self._frames[-1]
        if frame.pair is None or "|" not in text:
            frame.out.append(text)
        elif frame.pair.kind == TEMPLATE:
            first, *others = text.split("|")
            frame.out.append(first)
            for other in others:
                frame.values.append("".join(frame.out))
                frame.out = [other]
        elif frame.pair.kind == LINK and not frame.values:
            target, _, shown = text.partition("|")
            frame.values.append("".join([*frame.out, target]))
            frame.out = [shown]
        else:
            frame.out.append(text)

    def _write(self, text: str) -> None:
        """Write what a construct shows; it is no markup for those around it."""
        frame = self._frames[-1]
        if frame.pair is not None and frame.pair.kind == TEMPLATE and "=" in text:
            text = text.replace("=", EQUALS)
        frame.out.append(text)

    # Tokens that are whole

    def _on_link(self, _number: int, token: re.Match[str]) -> None:
        if token.start() >= self._muted_to:
            self._write(link_text(token["target"], token["text"], self._names))

    def _on_caption(self, _number: int, token: re.Match[str]) -> None:
        if token.start() >= self._muted_to:
            self._write(token["caption"])

    def _on_removed(self, _number: int, token: re.Match[str]) -> None:
        if token.start() >= self._muted_to:
            self._write(REMOVED)

    def _on_template(self, _number: int, token: re.Match[str]) -> None:
        if token.start() < self._muted_to:
            return
        name = token["name"]
        plain = plain_name(name)
        rule = self._rules.find(plain)
        if rule is None and plain in self._rules.countries and self._stands_in_text(token):
            self._write(name.strip())
        elif rule is not None:
            self._write(show(rule, name, token["arguments"].split("|")[1:], self._names) or REMOVED)
        elif (function := self._function(name)) is not None:
            values = f"{name.partition(':')[2]}{token['arguments']}".split("|")
            self._write(call(function, values, self._names) or REMOVED)
        else:
            self._write(REMOVED)

    def _stands_in_text(self, token: re.Match[str]) -> bool:
        """Tell a country's name in a sentence or list from a box of that name, which has a line of its own."""
        text, start = self._text, token.start()
        line = text.rfind("\n", max(0, start - _NEAR_CHARS), start) + 1
        before = text[max(line, start - _NEAR_CHARS) : start].rstrip()
        is_behind_words = before != "" and not before.endswith("}")
        return is_behind_words or _WORD_AHEAD.match(text, token.end()) is not None

    def _on_tag(self, number: int, token: re.Match[str]) -> None:
        tag, attributes = token["tag"].lower(), token["attributes"]
        end = self._tokens.tag_ends.get(number)
        if end is not None and self._is_inside(end) and (tag == "table" or (attributes and _HIDDEN.search(attributes))):
            self._jump(end, self._tokens.found[end].end())
            self._write(REMOVED)
        elif token.start() >= self._muted_to:
            self._write(TAGS.get(tag, token[0]))

    def _is_inside(self, number: int) -> bool:
        pair = self._frames[-1].pair
        return pair is None or number < pair.closing

    # Constructs around others

    def _on_opening(self, number: int, token: re.Match[str]) -> None:
        pairs = self._tokens.opened.get(number, ())
        if not pairs:
            self._unclosed(token)
        start = token.end() - sum(pair.width for pair in pairs)
        for pair in reversed(pairs):  # the outermost first
            start += pair.width
            frame = self._open(pair, start)
            if frame is None or len(self._frames) > MAX_DEPTH:
                self._jump(pair.closing, pair.end)
                self._next = pair.closing
                if token.start() >= self._muted_to:
                    self._write(REMOVED)
                return
            self._frames.append(frame)

    def _open(self, pair: Pair, start: int) -> _Frame | None:
        """Look at what begins here; ``None`` where it is not shown."""
        if pair.kind == TABLE:
            return None
        if pair.kind == LINK:
            return None if is_taken_out(self._text, start, self._names) else _Frame(pair)
        if pair.kind == TEMPLATE and pair.width != PARAMETER_WIDTH:
            return self._open_template(pair, start)
        return _Frame(pair)

    def _open_template(self, pair: Pair, start: int) -> _Frame | None:
        found = _NAME.match(self._text, start)
        name = found[1] if found else ""
        is_whole = found is not None and self._text[found.end() : found.end() + 1] in ("|", "}")
        rule = self._rules.find(plain_name(name)) if is_whole else None
        if rule is not None:
            return _Frame(pair, rule=rule, name=name)
        function = self._function(name)
        return None if function is None else _Frame(pair, function=function, name=name)

    def _function(self, name: str) -> str | None:
        prefix, colon, _ = name.partition(":")
        return self._names.functions.get(prefix.strip().lstrip("#").lower()) if colon else None

    def _on_closing(self, number: int, token: re.Match[str]) -> None:
        while (pair := self._frames[-1].pair) is not None and pair.closing == number:  # not those jumped over
            self._close(self._frames.pop())
        if token.lastgroup == "brackets" and not self._tokens.closed[number] and len(token[0]) == 1:
            self._write(token[0])

    def _close(self, frame: _Frame) -> None:
        if frame.pair is None or frame.pair.end <= self._muted_to:
            return
        last, kind = "".join(frame.out), frame.pair.kind
        if kind == LINK:
            shown = (
                link_text(frame.values[0], last, self._names) if frame.values else link_text(last, None, self._names)
            )
        elif kind == URL:
            shown = last.strip() or REMOVED
        elif kind == VARIANT:
            shown = variant_text(last)
        else:
            shown = self._show_template(frame, [*frame.values, last])
        self._write(shown)

    def _show_template(self, frame: _Frame, values: list[str]) -> str:
        if frame.pair is not None and frame.pair.width == PARAMETER_WIDTH:
            return values[1] if len(values) > 1 else REMOVED
        if frame.rule is not None:
            return show(frame.rule, frame.name, values[1:], self._names) or REMOVED
        values[0] = values[0].partition(":")[2]
        return call(frame.function or "", values, self._names) or REMOVED

    def _jump(self, number: int, end: int) -> None:
        self._at = end
        self._next = number + 1

    # What is never closed

    def _unclosed(self, token: re.Match[str]) -> None:
        """Leave out an opening that has no end, and what belongs to it on its line."""
        text, start = self._text, token.end()
        if start < self._muted_to or token.lastgroup in ("url", "variant"):
            return
        if token.lastgroup == "table":
            end = _TABLE_END.search(text, start)
            self._muted_to = end.start() if end else len(text)
        elif token.lastgroup == "link":
            if is_taken_out(self._text, start, self._names):
                self._mute_line(start)
            elif found := _TARGET_END.match(text, start):
                self._muted_to = found.end()
        else:
            found = _NAME.match(text, start)
            if found and text[found.end() : found.end() + 1] == "|" and self._rules.find(plain_name(found[1])):
                self._muted_to = found.end() + 1
            else:
                self._mute_line(start)

    def _mute_line(self, start: int) -> None:
        end = self._text.find("\n", start)
        self._muted_to = end if end >= 0 else len(self._text)
