r"""A user's macro: how its arguments are read, and what it becomes (The TeXbook, chapter 20; LaTeX's ``\newcommand``).

A body is kept as text, cut at its parameters. Where a piece ends in a control word and the next one begins with a
letter, a blank parts them; where the next one begins with a blank that TeX sees as a space, ``{}`` does. So the text
that comes out reads as the tokens that TeX would have.
"""

import re
from collections.abc import Collection, KeysView, Mapping, Sequence
from dataclasses import dataclass

from filters.tex_names import HARMLESS, MACHINERY
from filters.tex_tokens import ends_in_word, group_end, is_letter, strip_comments

_PARAMETER = re.compile(r"\\.|#([1-9#])", re.DOTALL)
_WORDS = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)
_WORDS_PLAIN = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
#: Uses of TeX's machinery whose outcome is known.
_IDIOMS = re.compile(
    r"\\expandafter\s*\\(?:[A-Za-z@]+|.)\s*(?=\\csname|\\fi)|\\csname[^\\{}]*\\endcsname|"
    r"\\if\s*\\relax\s*\\detokenize|\\ifthenelse\s*\{\s*\\equal"
)


@dataclass(frozen=True, slots=True)
class Argument:
    """How one argument is read.

    Attributes:
        kind: ``"m"`` a group or token, ``"o"`` in brackets or ``default``, ``"s"`` a star, ``"until"`` up to ``end``.
        default: What an optional one is where it is not there.
        end: What ends a delimited one.
    """

    kind: str
    default: str = ""
    end: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Macro:
    r"""A macro.

    Attributes:
        name: Its name without backslash.
        arguments: How they are read.
        prefix: What must follow the name at once; ``None`` where nothing must.
        body: What it becomes, as compared by ``\ifx``.
        parts: The same cut at its parameters, which are numbers from 0.
        words: Names of the commands in it.
        internals: Those of them that only packages may use, and documents behind ``\makeatletter``.
        machinery: Whether it uses what is not worked out here.
        literal: Whether it stands for one token of LaTeX (``\let``), which no later definition changes.
        at: Whether ``@`` is a letter in it.
        closed: Whether its braces are paired, and it neither opens nor closes mathematics by a ``$``.
    """

    name: str
    arguments: tuple[Argument, ...] = ()
    prefix: re.Pattern[str] | None = None
    body: str = ""
    parts: tuple[str | int, ...] = ()
    words: tuple[str, ...] = ()
    internals: tuple[str, ...] = ()
    machinery: bool = False
    literal: bool = False
    at: bool = False
    closed: bool = False


def make_macro(
    name: str,
    body: str,
    arguments: Sequence[Argument] = (),
    *,
    prefix: re.Pattern[str] | None = None,
    at: bool = False,
    understood: bool = True,
) -> Macro:
    """Make a macro of its body as written; ``understood`` says whether its arguments are as given."""
    body = trim(strip_comments(body))
    words = tuple(dict.fromkeys((_WORDS if at else _WORDS_PLAIN).findall(body)))
    return Macro(
        name,
        tuple(arguments),
        prefix,
        body,
        parts=_parts(body),
        words=words,
        internals=tuple(word for word in words if "@" in word and len(word) > 1 and word not in HARMLESS),
        machinery=not understood or _uses_machinery(body, words),
        at=at,
        closed="$" not in body and "%" not in body and group_end(f"{{{body}}}", 0) == len(body) + 2,
    )


def is_plain(macro: Macro, values: Sequence[str], known: KeysView[str]) -> bool:
    r"""Tell whether nothing in what a call becomes means anything to the reader.

    Args:
        macro: The macro.
        values: Its arguments, braces paired in each.
        known: Names of all commands that mean something.

    >>> is_plain(make_macro("x", r"\mathbf{#1}", [Argument("m")]), [r"\alpha"], {"beta": 0}.keys())
    True
    """
    if not macro.closed or not known.isdisjoint(macro.words):
        return False
    return all(not value or is_plain_text(value, known, at=macro.at) for value in values)


def is_plain_text(text: str, known: KeysView[str], *, at: bool) -> bool:
    """Tell the same of a text whose braces are paired."""
    if "$" in text or "%" in text:
        return False
    return known.isdisjoint((_WORDS if at else _WORDS_PLAIN).findall(text))


def all_work_out(
    macro: Macro, known: Mapping[str, object], frozen: Collection[str], sentinels: Collection[str]
) -> bool:
    """Tell whether the internals that a macro is made of, and those that they are made of, can be worked out.

    Args:
        macro: The macro.
        known: What names mean.
        frozen: Macros that are not to be expanded.
        sentinels: Names that only mark where an argument ends.
    """
    seen, open_ = {macro.name}, [macro]
    while open_:
        for word in open_.pop().internals:
            meaning = known.get(word)
            if meaning is None and word not in sentinels:
                return False
            if isinstance(meaning, Macro) and word not in seen:
                if meaning.machinery or word in frozen:
                    return False
                seen.add(word)
                open_.append(meaning)
    return True


def _uses_machinery(body: str, words: Sequence[str]) -> bool:
    return not MACHINERY.isdisjoint(words) and not MACHINERY.isdisjoint(_WORDS.findall(_IDIOMS.sub("", body)))


def trim(text: str) -> str:
    r"""Make blanks at the edges of a body or argument one blank: line ends would meet others and end a paragraph.

    >>> trim("\n  a\n"), trim("\\alpha "), trim("a\\ "), trim("\n\na")
    (' a ', '\\alpha', 'a\\ ', '\n\na')
    """
    if not text or not (text[0] in " \t\n" or text[-1] in " \t\n"):
        return text
    head = text.lstrip(" \t\n")
    blanks = text[: len(text) - len(head)]
    head = (_one_blank(blanks)) + head if head else ""
    tail = head.rstrip(" \t\n")
    blanks = head[len(tail) :]
    if not head or not blanks:
        return head or _one_blank(text)
    if _escapes(tail):
        return tail + blanks[0] + _one_blank(blanks[1:])
    return tail if ends_in_word(tail) and "\n\n" not in blanks else tail + _one_blank(blanks)


def _one_blank(blanks: str) -> str:
    if not blanks:
        return ""
    return "\n\n" if blanks.count("\n") > 1 else " "


def _escapes(text: str) -> bool:
    """Tell whether a text ends in a backslash that takes the next character."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _parts(body: str) -> tuple[str | int, ...]:
    if "#" not in body:
        return (body,)
    parts: list[str | int] = []
    start = 0
    literal = ""
    for found in _PARAMETER.finditer(body):
        if found[1] is None:
            continue
        literal += body[start : found.start()]
        start = found.end()
        if found[1] == "#":
            literal += "#"
        else:
            parts += [literal, int(found[1]) - 1]
            literal = ""
    return (*parts, literal + body[start:])


def substitute(macro: Macro, values: Sequence[str], *, math: bool) -> str:
    """Put arguments into a body.

    Args:
        macro: The macro.
        values: Its arguments; a parameter without one is left out.
        math: Whether this is mathematics, where spaces mean nothing.

    Returns:
        The text.
    """
    if not values:
        return macro.body if len(macro.parts) == 1 else "".join(part for part in macro.parts if isinstance(part, str))
    out: list[str] = []
    word = False
    for part in macro.parts:
        piece = part if isinstance(part, str) else values[part] if part < len(values) else ""
        if not piece:
            continue
        if word:
            out.append(seam(piece[0], math=math))
        out.append(piece)
        word = ends_in_word(piece)
    return "".join(out)


def seam(following: str, *, math: bool) -> str:
    """Give what must stand between a control word and a character that comes from elsewhere."""
    if is_letter(following):
        return " "
    return "{}" if following in " \t\n" and not math else ""
