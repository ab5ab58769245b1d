"""Last step of reading wikitext: lines into paragraphs, list items and headings, and the scars of what was taken out.

- Lines that follow each other are one paragraph, as MediaWiki shows them; paragraphs are parted by an empty line.
- An item of a list is a line of its own without its ``*``, ``#``, ``:`` or ``;``; items follow each other without an
  empty line.
- A heading is a line of its own without its ``=``, with an empty line before and behind it; its level is not shown. A
  heading goes where neither its section nor a section below it has any text.
- Blanks and commas are set right around places where something was taken out, and nowhere else.
- ``''`` and ``'''`` are read as MediaWiki reads them: where they do not balance in a line, one of them is an
  apostrophe. An elided article before a bold word keeps its apostrophe (``l'''amour'''``).
"""

import re
from dataclasses import dataclass

from filters.wikitext_raw import APOSTROPHE, BREAK, EQUALS, REMOVED

_QUOTES = re.compile(r"'{2,}")
_ELIDED = re.compile(
    r"(?:^|[^\w'’])(?:[cdjlmnst]|qu|dell|all|dall|nell|sull|un|gl|quell|quest|jusqu|lorsqu)$", re.IGNORECASE
)
_VOWEL = re.compile(r"(?:<[^<>]{0,99}>)?['\"«]{0,3}[aeiouyhàâæèéêëîïôœùûüáíóúò]", re.IGNORECASE)
_ELIDING = frozenset(
    ("fr", "it", "ca", "oc", "pms", "lmo", "vec", "scn", "wa", "pcd", "nrm", "frp", "lij", "eml", "rm")
)

_BLANKS = re.compile(r"[ \t\u1680\u2000-\u200a\u202f\u205f\u3000\xa0]+")
_R = REMOVED
_IN = rf"[\s,;:/–—\-{_R}]{{0,30}}"
_EMPTY_BRACKETS = re.compile(rf"\s{{0,9}}(?:\({_IN}{_R}{_IN}\)|\[{_IN}{_R}{_IN}\]|（{_IN}{_R}{_IN}）)")
_AFTER_OPENING = re.compile(rf"(?<=[(\[（])[\s,;:/、]{{0,9}}{_R}[\s,;:/、{_R}]{{0,30}}")
_BEFORE_CLOSING = re.compile(rf"[\s,;:/、]{{0,9}}{_R}[\s,;:/、{_R}]{{0,30}}(?=[)\]）])")
_BETWEEN_COMMAS = re.compile(rf"[,;、]\s{{0,9}}{_R}[\s{_R}]{{0,30}}(?=[,;.、])")
_BEFORE_POINT = re.compile(rf"\s{{1,9}}{_R}[\s{_R}]{{0,30}}(?=[,.)\]»”“’、。])|\s{{1,9}}{_R}{{1,30}}(?=[;:!?])")
_COLON_BEFORE_POINT = re.compile(rf":\s{{1,9}}{_R}[\s,;{_R}]{{0,30}}(?=\.(?:\s|$))")
_AFTER_COLON = re.compile(rf"(?<=:)\s{{1,9}}{_R}[\s,;{_R}]{{0,30}}(?=\w)")
_AT_START = re.compile(rf"^\s{{0,9}}{_R}[\s{_R}]{{0,30}}[,;:.)\s{_R}–—-]{{0,9}}")
_BETWEEN_BLANKS = re.compile(rf"\s{{1,9}}{_R}[\s{_R}]{{0,30}}|{_R}{{1,30}}")
_WORD = re.compile(r"[^\W_]|[\x01]")

_TEXT, _ITEM, _HEADING, _LINE = range(4)
_BELOW_ALL = 9  # deeper than a heading can be

_ITALIC, _BOLD, _BOLD_ITALIC = 2, 3, 5
_WIDTHS = {2: _ITALIC, 3: _BOLD, 4: _BOLD}  # by the number of apostrophes
_WITH_APOSTROPHE = (4, 6)


@dataclass(slots=True)
class Block:
    """A paragraph, list item or heading.

    Attributes:
        kind: Which of them.
        level: Of a heading, 1 to 6.
        parts: Its text, in pieces, so that a paragraph of many lines is put together once.
        is_apart: Whether an empty line comes before it.
    """

    kind: int
    level: int
    parts: list[str]
    is_apart: bool


def lay_out(text: str, language: str) -> str:
    r"""Make plain text of rendered wikitext.

    Args:
        text: What :func:`filters.wikitext_render.render` gives, character references decoded.
        language: Of the wiki.

    Returns:
        Text in which only markers of texts put aside are left to be filled in.

    >>> lay_out("== a ==\n'''b''', c\nd\n\n* e\n* f\n== g ==\n", "en").split("\n")
    ['a', '', 'b, c d', '', 'e', 'f']
    """
    if "''" in text:
        is_eliding = language in _ELIDING
        text = "\n".join(_without_quotes(line, is_eliding) if "''" in line else line for line in text.split("\n"))
    blocks = _without_empty_sections(_blocks(_BLANKS.sub(" ", text)))
    parts: list[str] = []
    for block in blocks:
        parts.append("\n\n" if block.is_apart else "\n")
        parts += block.parts
    text = "".join(parts[1:]).replace(APOSTROPHE, "'").replace(EQUALS, "=")
    return _QUOTES.sub('"', text) if "''" in text else text


def _blocks(text: str) -> list[Block]:
    blocks: list[Block] = []
    is_apart = True
    for raw in text.split("\n"):
        line = raw.strip()
        first = line[:1]
        bare = line.replace(REMOVED, "").strip() if REMOVED in line else line
        if not line or line.startswith("----"):
            is_apart = True
        elif first == "=" and bare.endswith("=") and bare.strip("="):
            blocks.append(_heading(bare))
            is_apart = True
        elif first == "|" or (first == "!" and ("!!" in line or "|" in line)):
            continue  # a row of a table whose beginning is in a template
        elif bare:
            before = blocks[-1].kind if blocks else _TEXT
            is_line = raw[:1] == " " and (is_apart or before == _LINE)
            kind = _ITEM if first in "*#:;" else _LINE if is_line else _TEXT
            lines = _mend(line.lstrip("*#:; ") if kind == _ITEM else line)
            if not lines:
                continue
            if kind == _TEXT and before == _TEXT and not is_apart:
                blocks[-1].parts += (" ", *_in_pieces(lines))
            else:
                is_first_item = kind != before or before == _HEADING
                blocks.append(Block(kind, 0, _in_pieces(lines), is_apart or is_first_item))
            is_apart = False
    return blocks


def _in_pieces(lines: list[str]) -> list[str]:
    return lines if len(lines) == 1 else [piece for line in lines for piece in ("\n", line)][1:]


def _heading(line: str) -> Block:
    level = min(len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("=")), 6)
    title = line.strip("= ").replace(BREAK, " ")
    return Block(_HEADING, level, [" ".join(title.split())], is_apart=True)


def _mend(line: str) -> list[str]:
    """Split a line where its author wanted it, and set right where something was taken out."""
    lines = [line] if BREAK not in line else line.split(BREAK)
    mended = ((_without_scars(one) if REMOVED in one else one).strip() for one in lines)
    return [_BLANKS.sub(" ", one) for one in mended if one]


def _without_scars(line: str) -> str:
    line = _EMPTY_BRACKETS.sub(REMOVED, line)
    line = _BEFORE_CLOSING.sub("", _AFTER_OPENING.sub("", line))
    line = _AFTER_COLON.sub(" ", _COLON_BEFORE_POINT.sub("", line))
    line = _BEFORE_POINT.sub("", _BETWEEN_COMMAS.sub("", line))
    line = _BETWEEN_BLANKS.sub(_blank_or_nothing, _AT_START.sub("", line))
    return line if _WORD.search(line) else ""


def _blank_or_nothing(found: re.Match[str]) -> str:
    return " " if found[0][0] != REMOVED or found[0][-1] != REMOVED else ""


def _without_quotes(line: str, is_eliding: bool) -> str:  # noqa: FBT001 - private, one caller
    """Take out the marks for bold and italics of a line, as MediaWiki's ``doQuotes`` reads them."""
    runs = list(_QUOTES.finditer(line))
    widths = [_WIDTHS.get(len(run[0]), _BOLD_ITALIC) for run in runs]
    is_odd = sum(width != _ITALIC for width in widths) % 2 and sum(width != _BOLD for width in widths) % 2
    torn = _torn_bold(line, runs, widths) if is_odd else -1
    parts: list[str] = []
    at = 0
    for number, (run, width) in enumerate(zip(runs, widths, strict=True)):
        apostrophes = int(len(run[0]) in _WITH_APOSTROPHE or number == torn)
        if is_eliding and not apostrophes and width == _BOLD and _is_elided(line, run):
            apostrophes = 1
        parts += (line[at : run.start()], APOSTROPHE * apostrophes)
        at = run.end()
    return "".join([*parts, line[at:]])


def _torn_bold(line: str, runs: list[re.Match[str]], widths: list[int]) -> int:
    """Choose which ``'''`` is ``'`` and ``''``: one after a single letter, else after a word, else after a blank."""
    choices: dict[int, int] = {}
    for number, (run, width) in enumerate(zip(runs, widths, strict=True)):
        if width == _BOLD:
            before = line[max(0, run.start() - 2) : run.start()]
            rank = 2 if before[-1:] in ("", " ") else 0 if before[:-1] in ("", " ") else 1
            choices.setdefault(rank, number)
    return choices[min(choices)] if choices else -1


def _is_elided(line: str, run: re.Match[str]) -> bool:
    before = line[max(0, run.start() - 9) : run.start()]
    return _ELIDED.search(before) is not None and _VOWEL.match(line, run.end()) is not None


def _without_empty_sections(blocks: list[Block]) -> list[Block]:
    """Take out paragraphs and items without a word, and headings whose section, with those below it, has no text."""
    kept: list[Block] = []
    nearest = 0  # below any level of text, else the level of the heading that follows
    for block in reversed(blocks):
        if block.kind in (_TEXT, _ITEM) and not any(map(_WORD.search, block.parts)):
            if block.is_apart and kept:
                kept[-1].is_apart = True
            continue
        if block.kind != _HEADING:
            nearest = _BELOW_ALL
        elif nearest > block.level and block.parts[0]:
            nearest = block.level
        elif block.parts[0] or nearest != _BELOW_ALL:
            continue
        if block.parts[0]:
            kept.append(block)
    return kept[::-1]
