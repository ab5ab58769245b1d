"""Second step of reading wikitext: the brackets, tags and tables of a page, and which of them belong together.

One regular expression finds the tokens. Links and templates with nothing inside of them are one token each, and most
are. For the rest a stack tells which opening belongs to which closing: as in MediaWiki's preprocessor a run of braces
is worth three where three meet three, else two. Unlike there a closing takes the nearest opening of its kind and
leaves what was opened in between unclosed, so that a torn construct costs itself alone.

Time is linear: each token is pushed once and popped once.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

_SCHEME = r"(?:(?:https?:|ftps?:|ircs?:|git:|svn:|gopher:|nntp:|telnet:|worldwind:)?//|mailto:|news:|urn:|tel:|geo:)"
_URL = _SCHEME + r"[^\s\[\]<>\"{}\x01\x02\x05\x06]*+"

#: Each alternative begins with one certain character, which makes the search fast.
TOKEN = re.compile(
    r"\[\[(?P<target>[^\[\]{}|<>\n]*+)(?:\|(?P<text>[^\[\]{}|<\n]*+))?+\]\]"
    r"|(?P<link>\[\[)"
    rf"|\[{_URL}(?:[^\S\n]++(?P<caption>[^\[\]{{}}<\n]*+))?+\]"
    rf"|(?P<url>\[{_URL})"
    r"|(?P<brackets>\]++)"
    r"|\{\{(?P<name>[^\[\]{}|<]++)(?P<arguments>(?:\|[^\[\]{}|<]*+)*+)\}\}(?!\})"
    r"|(?P<open>\{\{++)|(?P<table>\{\|(?!\}))|(?P<close>\}\}++)"
    r"|(?P<table_end>\n[^\S\n]*+\|\}(?:(?=\}\}(?!\}))|(?!\})))"
    r"|<(?P<slash>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]{0,15}+)(?P<attributes>(?:[\s/][^<>]*+)?)>",
)
TOKEN_WITH_VARIANTS = re.compile(TOKEN.pattern + r"|(?P<variant>-\{(?!\{))|(?P<variant_end>\}-)")

LINK, URL, TEMPLATE, TABLE, VARIANT = range(5)
WIDTH, PARAMETER_WIDTH = 2, 3  # brackets on each side; three braces make ``{{{parameter}}}``
_OPENING = {"link": LINK, "url": URL, "open": TEMPLATE, "table": TABLE, "variant": VARIANT}
_CLOSING = {"table_end": TABLE, "variant_end": VARIANT}
#: Tags that may be hidden and hold others of their name.
_NESTING = frozenset(("div", "span", "table", "small", "center", "p", "td", "th", "tr", "ul", "ol", "li", "dl", "dd"))


@dataclass(slots=True)
class Pair:
    """A construct that is closed.

    Attributes:
        kind: What it is: :data:`LINK`, :data:`URL`, :data:`TEMPLATE`, :data:`TABLE` or :data:`VARIANT`.
        width: Brackets on each side; 3 for a template's parameter, ``{{{1}}}``.
        closing: Number of the token that closes it.
        end: Where it ends in the text.
    """

    kind: int
    width: int
    closing: int
    end: int


@dataclass(slots=True)
class Tokens:
    """The tokens of a page and how they belong together.

    Attributes:
        found: The tokens, in order.
        opened: What each opening token opens, from the inside out; nothing where it is not closed.
        closed: How many each closing token closes.
        tag_ends: Number of the closing tag by that of the opening one.
    """

    found: list[re.Match[str]]
    opened: dict[int, list[Pair]] = field(default_factory=lambda: defaultdict(list))
    closed: Counter[int] = field(default_factory=Counter)
    tag_ends: dict[int, int] = field(default_factory=dict)


def match_tokens(text: str, pattern: re.Pattern[str] = TOKEN) -> Tokens:
    """Find the tokens of a page and pair openings with closings.

    Args:
        text: Wikitext without comments and raw tags, beginning with a line end.
        pattern: :data:`TOKEN`, or :data:`TOKEN_WITH_VARIANTS` for wikis in several scripts.

    Returns:
        The tokens and their pairs.
    """
    tokens = Tokens(list(pattern.finditer(text)))
    stack = _Stack(tokens, text)
    tags: dict[str, list[int]] = defaultdict(list)
    for number, token in enumerate(tokens.found):
        kind = token.lastgroup
        if kind in _OPENING:
            stack.push(number, _OPENING[kind])
        elif kind == "close":
            stack.close_braces(number)
        elif kind == "brackets":
            stack.close_brackets(number)
        elif kind in _CLOSING:
            stack.close(number, _CLOSING[kind], token.end())
        elif kind == "attributes" and (tag := token["tag"].lower()) in _NESTING:
            if not token["slash"]:
                tags[tag].append(number)
            elif tags[tag]:
                tokens.tag_ends[tags[tag].pop()] = number
    return tokens


class _Stack:
    """What is open, and how many of each kind."""

    def __init__(self, tokens: Tokens, text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._open: list[list[int]] = []  # number of the token, kind, braces left
        self._count = [0] * 5
        self._line_end = -1  # the first one behind the last external link that was opened

    def push(self, number: int, kind: int) -> None:
        token = self._tokens.found[number]
        if kind == URL and self._line_end < token.end():
            line_end = self._text.find("\n", token.end())
            self._line_end = line_end if line_end >= 0 else len(self._text)
        self._open.append([number, kind, token.end() - token.start()])
        self._count[kind] += 1

    def close_braces(self, number: int) -> None:
        start, end = self._tokens.found[number].span()
        while end - start >= WIDTH and self._seek(TEMPLATE):
            top = self._open[-1]
            width = PARAMETER_WIDTH if min(top[2], end - start) >= PARAMETER_WIDTH else WIDTH
            start += width
            self._pair(top[0], number, TEMPLATE, width, start)
            top[2] -= width
            if top[2] < WIDTH:
                self._pop()

    def close_brackets(self, number: int) -> None:
        start, end = self._tokens.found[number].span()
        while start < end and self._open:
            if self._open[-1][1] == URL and start < self._line_end:
                start += 1
                self.close(number, URL, start)
            elif end - start >= WIDTH and self._seek(LINK):
                start += WIDTH
                self.close(number, LINK, start)
            else:
                break

    def close(self, number: int, kind: int, end: int) -> None:
        """Close the nearest construct of a kind, if there is one."""
        if self._seek(kind):
            self._pair(self._open[-1][0], number, kind, WIDTH, end)
            self._pop()

    def _seek(self, kind: int) -> bool:
        """Bring the nearest open construct of a kind to the top, those above it being never closed."""
        if not self._count[kind]:
            return False
        while self._open[-1][1] != kind:
            self._pop()
        return True

    def _pop(self) -> None:
        self._count[self._open.pop()[1]] -= 1

    def _pair(self, opening: int, closing: int, kind: int, width: int, end: int) -> None:
        self._tokens.opened[opening].append(Pair(kind, width, closing, end))
        self._tokens.closed[closing] += 1
