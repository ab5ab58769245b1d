"""The HTML of a StackExchange post as text ("removed the HTML tags from text", Touvron et al., 2023, section 2.1).

What the tags said about the text's shape is kept as a reader would type it: blank lines between paragraphs, code as it
stands with its indentation, lists with ``-`` or numbers and what belongs to them indented, quotations behind ``>``,
table cells behind ``|``. RedPajama-v1 deletes closing tags and puts ``*`` for every item, which glues paragraphs
together and loses numbers and nesting. Links leave their text, images nothing: in four of ten the alternative text is
the site's own "enter image description here". A power keeps a ``^`` (10^6, not 106), and so does the number of a note,
which would run into its word (so^1, not so1). Mathematics between ``$`` stays, on as many lines as it has.

The posts' HTML is made by the sites from Markdown, out of some forty tags, so that a tokenizer is enough and no tree is
built: no input makes it slower than linear, or deep. A ``<`` that opens no tag is text.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from filters.leftovers import Leftover, find_patterns

_MAX_DEPTH = 12  # quotations and lists within each other that are shown as such
_COMMENT, _COMMENT_END = "<!--", "-->"
#: A tag with its attributes, whose quoted values may hold anything; else up to the next bracket; or a declaration.
_TAG = re.compile(
    r"<(?:(?P<comment>!--)"
    r"|(?P<close>/?)(?P<name>[a-zA-Z][\w:-]*+)(?=[\s/>\"'])"
    r"(?:(?P<strict>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>|(?P<loose>[^<>]*+)>)"
    r"|[!?/][^<>]*+>)"
)
_SPACES = re.compile(r"[ \t\n\f]+")
_NEWLINES = re.compile(r"\r\n?")
_START = re.compile(r"\bstart\s*+=\s*+[\"']?(\d{1,9})", re.IGNORECASE)
_BLANK_LINES = re.compile(r"(?:[ \t]*+\n)++")
_RAISED = r"(?:<(?:a|b|em|i|strong|sub)\b[^<>]{0,500}>){0,3}"
_EMPHASIZED = r"(?:<(?:b|em|i|strong|sub)>){0,3}"
_LOWERED = r"(?:</(?:a|b|em|i|strong|sub)>){0,3}</sup>"
_POWER = re.compile(rf"{_EMPHASIZED}[+\-\u2212]?(?:[0-9]{{1,9}}|[ijkmnpxN]){_LOWERED}", re.IGNORECASE)
_BASE = re.compile(r"(?:[0-9)]|(?<![^\W_])[^\W\d_])\Z")
_NOTE_NUMBER = re.compile(rf"{_RAISED}[0-9]{{1,2}}(?:[,\u2013-] ?[0-9]{{1,2}}){{0,9}}{_LOWERED}", re.IGNORECASE)
_NOTE_WORD = re.compile(rf"{_RAISED}(?!(?:i?[e\u00e8](?:me|re)|nde)s?<)[^\W_]{{3}}", re.IGNORECASE)
_NOTE_HEAD = re.compile(rf"[0-9]{{1,2}}{_LOWERED}[^\W\d_]{{3}}", re.IGNORECASE)
_NOTED = re.compile(r"(?:[^\W\d_]{2}|[])}.,;:!?\"'\u2019\u201d\u00bb\u2026])\Z")
_TAIL_PARTS = 2
#: What opens or closes mathematics on lines of its own, in MathJax as the sites have it.
_DISPLAY = re.compile(r"\$\$|\\begin\{|\\end\{[^{}\n]{0,40}\}")
_LINE_BEFORE = re.compile(r"\n[ \t]{0,9}\Z")
_LINE_AFTER = re.compile(r"[ \t]{0,9}\n")
_NEAR_CHARS = 10
_BLANK = " \t\n\f"
#: Tags without a trace in the text; the rest of what is unknown is treated alike.
_INERT = frozenset({"a", "b", "del", "em", "i", "img", "ins", "kbd", "s", "span", "strike", "strong", "sub", "u"})
_NOT_SHOWN = frozenset({"script", "style"})
_PARAGRAPHS = frozenset(
    {"address", "article", "aside", "div", "dl", "fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5"}
    | {"h6", "header", "hr", "main", "nav", "p", "section", "table"}
)
_LINES = frozenset({"br", "caption", "dd", "dt", "figcaption", "tbody", "tfoot", "thead", "tr"})
_CONTAINERS = frozenset({"blockquote", "li", "ol", "ul"})
_CELLS = frozenset({"td", "th"})
_LEFTOVERS = {
    "html_tag": re.compile(r"</?[a-zA-Z][^<>]*+>"),
    "html_comment": re.compile(r"<!--"),
    "html_entity": re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"),
}


@dataclass(frozen=True, slots=True)
class PostText:
    """A post's text.

    Attributes:
        text: The text, LF line ends, no space at line ends but in code.
        protected: Spans ``(start, end)`` in characters, ascending, in which ``<`` and ``&`` are the author's own: code,
            and what the post's HTML has as character references.
        opens_block: Whether it opens with code, a list, a quotation or a table, whose first line must stand by itself.
    """

    text: str
    protected: tuple[tuple[int, int], ...] = ()
    opens_block: bool = False


def post_to_text(source: str) -> PostText:
    r"""Turn a post's HTML into text.

    Args:
        source: The HTML, as the attribute ``Body`` of ``Posts.xml`` holds it once the XML is decoded.

    Returns:
        The text; character references are decoded once, so that ``&amp;lt;`` is ``&lt;``.

    >>> post_to_text("<p>If <code>a &lt; b</code>:</p><ol><li>stop</li></ol>").text
    'If a < b:\n\n1. stop'
    """
    writer = _Writer()
    source = _NEWLINES.sub("\n", source)
    end_of = _Finder(source)
    position = 0
    while (tag := _TAG.search(source, position)) is not None:
        begin, end = tag.span()
        if begin > position:
            writer.write(source[position:begin])
        position = end
        comment, close, name, strict, loose = tag.groups()
        if comment:
            position = end_of.find(_COMMENT_END, position, position)
        elif name is not None:
            name = name.lower()
            if name in _INERT:
                continue
            if close:
                writer.close(name)
            elif name in _NOT_SHOWN:
                position = end_of.find(f"</{name}", position, position)
            else:
                writer.open(name, strict or loose or "")
                if name == "sup":
                    writer.open_raised(source, position)
    writer.write(source[position:])
    return writer.finish()


def find_leftovers(post: PostText) -> list[Leftover]:
    """Find HTML that is left in a post's text, outside of what is the author's own."""
    return list(find_patterns(post.text, _LEFTOVERS, protected=post.protected))


class _Finder:
    """Finds ends; what is not found once is not searched for again."""

    def __init__(self, source: str) -> None:
        self._source, self._missing = source, set[str]()

    def find(self, end: str, position: int, otherwise: int) -> int:
        """Give the place behind the next ``end``, or ``otherwise`` where none comes."""
        found = -1 if end in self._missing else self._source.find(end, position)
        if found < 0:
            self._missing.add(end)
            return otherwise
        return found + len(end) if end == _COMMENT_END else found


@dataclass(slots=True)
class _Container:
    """A quotation, list or item that is open; ``first`` stands before its first line, ``rest`` before the others."""

    name: str
    first: str = ""
    rest: str = ""
    number: int = 0
    is_begun: bool = False


@dataclass(slots=True)
class _Writer:
    """Writes text between tags, line ends and prefixes where they are due."""

    _parts: list[str] = field(default_factory=list)
    _size: int = 0
    _protected: list[tuple[int, int]] = field(default_factory=list)
    _containers: list[_Container] = field(default_factory=list)
    _open: Counter[str] = field(default_factory=Counter)  # how many of each name are among them
    _floor: int = 0  # how few containers have been open since the last text
    _due: int = 0  # line ends before what comes next
    _has_space: bool = False  # a space is due before what comes next in the line
    _code: int = 0  # open <code> outside of <pre>
    _pre: list[str] | None = None  # what is gathered of <pre>
    _cells: int = 0  # of the row so far
    _lift: bool = False  # a note's number has begun the line, and a word follows directly
    _opens_block: bool = False

    def write(self, raw: str) -> None:
        """Write what stands between tags."""
        if not raw or (self._due and self._pre is None and not raw.strip(_BLANK)):
            return
        text = html.unescape(raw) if "&" in raw else raw
        if self._pre is not None:
            self._pre.append(text)
        elif self._code:
            self._put(text.replace("\n", " "), is_protected=True)
        else:
            self._flow(text, is_protected=text != raw and ("<" in text or "&" in text))

    def open(self, name: str, attributes: str) -> None:
        """Take an opening tag."""
        if self._pre is not None:
            if name == "br":
                self._pre.append("\n")
        elif name == "pre":
            self._break(2)
            self._pre = []
        elif name == "code":
            self._code += 1
        elif name in _CONTAINERS:
            self._open_container(name, attributes)
        elif name in _CELLS:
            self._open_cell()
        else:
            self._take_block(name)

    def open_raised(self, source: str, position: int) -> None:
        """Part what is raised from what it follows: a number with ``^``, a word behind a word with a space."""
        if self._pre is not None:
            return
        if self._has_space or self._due or not self._size:
            self._lift = not self._has_space and _NOTE_HEAD.match(source, position) is not None
            return
        before = "".join(self._parts[-_TAIL_PARTS:])
        if (_POWER.match(source, position) and _BASE.search(before)) or (
            _NOTE_NUMBER.match(source, position) and _NOTED.search(before)
        ):
            self._put("^")
        elif _NOTE_WORD.match(source, position) and _NOTED.search(before):
            self._has_space = True

    def close(self, name: str) -> None:
        """Take a closing tag."""
        if self._pre is not None:
            if name == "pre":
                self._end_code()
        elif name == "code":
            self._code = max(0, self._code - 1)
        elif name in _CONTAINERS:
            self._close_container(name)
        elif name == "sup":
            self._has_space, self._lift = self._has_space or self._lift, False
        elif name != "br":
            self._take_block(name)

    def finish(self) -> PostText:
        """Give the text."""
        if self._pre is not None:
            self._end_code()
        return PostText("".join(self._parts), tuple(self._protected), self._opens_block)

    def _take_block(self, name: str) -> None:
        """End a line or a paragraph where a tag asks for it."""
        if name in _PARAGRAPHS:
            self._break(2)
            self._opens_block |= name == "table" and self._size == 0
        elif name in _LINES:
            self._due = self._due + 1 if name == "br" and self._due == 1 else max(1, self._due)
            self._end_line()

    def _break(self, lines: int) -> None:
        self._due = max(lines, self._due)
        self._end_line()

    def _end_line(self) -> None:
        self._has_space, self._code, self._cells = False, 0, 0

    def _open_container(self, name: str, attributes: str) -> None:
        inside = self._containers[-1] if self._containers else None
        if name == "li":
            if inside is not None and inside.name == "li":
                self._pop()
                inside = self._containers[-1] if self._containers else None
            self._break(1)
            marker = _next_marker(inside)
            self._push(_Container("li", marker, " " * len(marker)))
        elif name == "blockquote":
            self._break(2)
            self._push(_Container(name, "> ", "> "))
        else:
            self._break(1 if inside is not None and inside.name == "li" else 2)
            start = _START.search(attributes)
            self._push(_Container(name, number=int(start[1]) if start else 1))

    def _close_container(self, name: str) -> None:
        """Close the innermost container of a name with all inside it; what is not open is not closed."""
        if not self._open[name]:
            return
        while self._pop() != name:
            pass
        inside_item = bool(self._containers) and self._containers[-1].name == "li"
        self._break(1 if name == "li" or (name in {"ol", "ul"} and inside_item) else 2)

    def _push(self, container: _Container) -> None:
        self._containers.append(container)
        self._open[container.name] += 1

    def _pop(self) -> str:
        container = self._containers.pop()
        self._open[container.name] -= 1
        self._floor = min(self._floor, len(self._containers))
        return container.name

    def _open_cell(self) -> None:
        cells = self._cells
        if cells:
            self._has_space = True
            self._put("|")
            self._has_space = True
        self._cells = cells + 1

    def _end_code(self) -> None:
        gathered = "".join(self._pre or ())
        blank = _BLANK_LINES.match(gathered)
        code = gathered[blank.end() if blank else 0 :].rstrip()
        self._pre = None
        if code:
            begin = self._begin_line()
            self._opens_block |= begin == 0
            prefix = self._prefix()
            self._add(code.replace("\n", f"\n{prefix}"))
            self._protected.append((begin, self._size))
        self._break(2)

    def _flow(self, text: str, *, is_protected: bool) -> None:
        """Write text whose whitespace means no more than a space, but for mathematics on lines of its own."""
        position = 0
        if "\n" in text and ("$$" in text or "\\begin{" in text):
            for start, end in _displays(text):
                self._flow_words(text[position:start], is_protected=is_protected)
                self._flow_lines(text, start, end, is_protected=is_protected)
                position = end
        self._flow_words(text[position:], is_protected=is_protected)

    def _flow_lines(self, text: str, start: int, end: int, *, is_protected: bool) -> None:
        if _LINE_BEFORE.search(text[max(0, start - _NEAR_CHARS) : start]):
            self._break(1)
        for number, line in enumerate(text[start:end].split("\n")):
            if number:
                self._break(1)
            self._flow_words(line, is_protected=is_protected)
        if _LINE_AFTER.match(text, end):
            self._break(1)

    def _flow_words(self, text: str, *, is_protected: bool) -> None:
        words = text.strip(_BLANK)
        if words[:1] != text[:1]:
            self._has_space = True
        if words:
            if "\n" in words or "  " in words or "\t" in words or "\f" in words:
                words = _SPACES.sub(" ", words)
            self._put(words, is_protected=is_protected)
            self._has_space = text[-1] in _BLANK

    def _put(self, text: str, *, is_protected: bool = False) -> None:
        begin = self._begin_line()
        self._add(text)
        if is_protected:
            self._protected.append((begin, self._size))

    def _begin_line(self) -> int:
        """Write the line ends and prefixes that are due, or a space; returns where what follows begins."""
        if self._size == 0:
            self._add(self._prefix())
            self._opens_block |= self._size > 0
        elif self._due:
            between = "".join(container.rest for container in self._containers[: min(self._floor, _MAX_DEPTH)]).rstrip()
            self._add(f"\n{between}" * (self._due - 1) + f"\n{self._prefix()}")
        elif self._has_space:
            self._add(" ")
        self._due, self._has_space, self._floor = 0, False, len(self._containers)
        return self._size

    def _prefix(self) -> str:
        """Give what stands before a line: of an item begun here its marker, else its indentation."""
        prefix = ""
        for container in self._containers[:_MAX_DEPTH]:
            prefix += container.rest if container.is_begun else container.first
            container.is_begun = True
        return prefix

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)


def _displays(text: str) -> Iterator[tuple[int, int]]:
    """Find mathematics over several lines, between ``$$`` or of an environment; what is not closed is none."""
    start, depth, is_dollars = 0, 0, False
    for mark in _DISPLAY.finditer(text):
        if depth == 0:
            start, is_dollars = mark.start(), mark[0] == "$$"
            depth = 0 if mark[0].startswith("\\end") else 1
            continue
        if is_dollars:
            depth -= mark[0] == "$$"  # environments inside do not count
        elif mark[0] != "$$":
            depth += -1 if mark[0].startswith("\\end") else 1
        if depth == 0 and "\n" in text[start : mark.end()]:
            yield start, mark.end()


def _next_marker(inside: _Container | None) -> str:
    """Give the next item's marker in a list: its number, or a dash."""
    if inside is None or inside.name != "ol":
        return "- "
    inside.number += 1
    return f"{inside.number - 1}. "
