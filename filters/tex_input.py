r"""Where TeX reads from: files, the bodies of macros, and what is on top (The TeXbook, chapter 20).

A macro's body is read before what follows its call, and an argument may begin in a body and end behind it; so what is
read is a stack. All reading goes forward, and what is read in vain can be put back.
"""

import re

from filters.tex_macros import Argument, trim
from filters.tex_tokens import BLANKS, SCAN, SCAN_AT, group_end, skip_comment, strip_comments

_WORD = re.compile(r"\\(?:[A-Za-z]+|[^A-Za-z])", re.DOTALL)
_WORD_AT = re.compile(r"\\(?:[A-Za-z@]+|[^A-Za-z@])", re.DOTALL)
_SKIPPED = frozenset(" \t\n%")
_BRACKET = re.compile(r"\\.|%[^\n]*+|[{}\]]", re.DOTALL)


class Frame:
    """A text that is being read.

    Attributes:
        text: The text.
        pos: Where reading goes on.
        start: From where on it is not yet in the output.
        depth: How many macros it is the body of, one made by the other; 0 for a file.
        scan: The pattern that finds the next piece.
        file: Name of the file; ``""`` for a body.
        closes: Whether a group ends with it.
        blanks: What was skipped behind the last control word.
        missing: Ends of environments that are not to come.
    """

    __slots__ = ("blanks", "closes", "depth", "document", "file", "missing", "pos", "scan", "start", "text")

    def __init__(self, text: str, depth: int = 0, *, at: bool = False, file: str | None = None) -> None:
        self.text = text
        self.pos = self.start = 0
        self.depth = depth
        self.scan = SCAN_AT if at else SCAN
        self.file = file
        self.closes = False
        self.document = False
        self.blanks = ""
        self.missing: set[str] = set()


#: Places to come back to: what was read, and how far.
Trail = list[tuple[Frame, int]]


class Reader:
    """The stack of what is read, and what reads arguments from it."""

    def __init__(self) -> None:
        self.stack: list[Frame] = []
        self.work = 0  # characters that were looked through
        self.trail: Trail | None = None

    def begin(self) -> None:
        """Remember this place, so that all that is read from here on can be put back."""
        self.trail = [(self.stack[-1], self.stack[-1].pos)] if self.stack else []

    def put_back(self) -> None:
        """Go back to the place remembered."""
        trail, self.trail = self.trail or [], None
        for number, (frame, pos) in enumerate(reversed(trail)):
            frame.pos = pos
            if number:  # the last one is still on the stack
                self.stack.append(frame)

    def settle(self) -> Frame | None:
        """Give what is read from now, bodies that are read to their end being left."""
        stack = self.stack
        if stack and stack[-1].pos < len(stack[-1].text):
            return stack[-1]
        while stack and stack[-1].file is None and stack[-1].pos >= len(stack[-1].text) and not stack[-1].closes:
            if len(stack) == 1:
                return None
            stack.pop()
            if self.trail is not None:
                self.trail.append((stack[-1], stack[-1].pos))
        return stack[-1] if stack and stack[-1].pos < len(stack[-1].text) else None

    def skip_blanks(self) -> Frame | None:
        """Skip blanks and comments up to the next token; an empty line is one."""
        if (frame := self.settle()) is None or frame.text[frame.pos] not in _SKIPPED:
            return frame
        while frame := self.settle():
            start = frame.pos
            frame.pos = BLANKS.match(frame.text, start).end()  # type: ignore[union-attr]  # matches everywhere
            if frame.text.startswith("%", frame.pos):
                frame.pos = skip_comment(frame.text, frame.pos)
            if frame.pos == start:
                return frame
        return None

    def read_blanks(self) -> str:
        """Skip the blanks that TeX skips behind a control word."""
        frame = self.settle()
        found = BLANKS.match(frame.text, frame.pos) if frame else None
        if frame is None or found is None:
            return ""
        frame.pos = found.end()
        return found[0]

    def peek(self) -> str:
        """Give the next character, blanks skipped; ``""`` at the end of a file."""
        frame = self.skip_blanks()
        return frame.text[frame.pos] if frame else ""

    def peek_token(self, *, blanks: bool = False) -> str:
        r"""Give the next token without reading it; ``blanks`` are skipped or count, as for ``\futurelet``."""
        frame = self.settle() if blanks else self.skip_blanks()
        if frame is None:
            return ""
        found = (_WORD if frame.scan is SCAN else _WORD_AT).match(frame.text, frame.pos)
        return found[0] if found else frame.text[frame.pos]

    def read_token(self) -> str | None:
        """Read a token: a control word or symbol, or a character. Blanks before it are skipped, and behind a word."""
        frame = self.skip_blanks()
        if frame is None:
            return None
        found = (_WORD if frame.scan is SCAN else _WORD_AT).match(frame.text, frame.pos)
        token = found[0] if found else frame.text[frame.pos]
        frame.pos += len(token)
        if found and token[-1].isalpha():
            frame.pos = BLANKS.match(frame.text, frame.pos).end()  # type: ignore[union-attr]
        return token

    def read_command(self) -> str | None:
        r"""Read the name of a command, in braces or not, ``\x`` or ``{\x}``; ``None`` where there is none."""
        if self.peek() == "{":
            token = (self.read_group() or "").strip()
            found = _WORD_AT.fullmatch(token)
            return token[1:] if found else None
        if self.peek() != "\\":
            return None
        token_ = self.read_token()
        return token_[1:] if token_ and len(token_) > 1 else None

    def read_group(self) -> str | None:
        """Read what stands in braces, as written; ``None`` where no group begins or it has no end."""
        frame = self.skip_blanks()
        return self._group(frame) if frame is not None and frame.text[frame.pos] == "{" else None

    def _group(self, frame: Frame) -> str | None:
        end = group_end(frame.text, frame.pos)
        self.work += (end if end >= 0 else len(frame.text)) - frame.pos
        if end < 0:
            return None
        inner = frame.text[frame.pos + 1 : end - 1]
        frame.pos = end
        return inner

    def read_argument(self) -> str | None:
        """Read an argument that nothing delimits: a group without its braces, or a token."""
        frame = self.skip_blanks()
        if frame is None:
            return None
        first = frame.text[frame.pos]
        if first == "{":
            inner = self._group(frame)
            return None if inner is None else trim(strip_comments(inner))
        return None if first in "}\n" else self.read_token()

    def read_star(self) -> bool:
        """Read a star, if there is one."""
        if self.peek() != "*":
            return False
        self.stack[-1].pos += 1
        return True

    def read_optional(self) -> str | None:
        """Read what stands in brackets; ``None`` where there are none. Blanks are skipped, as LaTeX does."""
        if self.peek() != "[":
            return None
        frame = self.stack[-1]
        depth = 0
        for found in _BRACKET.finditer(frame.text, frame.pos + 1):
            piece = found[0]
            if piece == "{":
                depth += 1
            elif piece == "}":
                depth -= 1
                if depth < 0:
                    break
            elif piece == "]" and not depth:
                inner = frame.text[frame.pos + 1 : found.start()]
                self.work += len(inner)
                frame.pos = found.end()
                return _unbraced(trim(strip_comments(inner)))
        self.work += len(frame.text) - frame.pos
        return None

    def read_until(self, end: re.Pattern[str]) -> str | None:
        """Read up to what ends a delimited argument, outside of braces; a group that is all of it loses its braces."""
        pieces = []
        while frame := self.settle():
            depth = 0
            for found in end.finditer(frame.text, frame.pos):
                piece = found[0]
                if found.lastgroup == "end" and not depth:
                    pieces.append(frame.text[frame.pos : found.start()])
                    self.work += len(pieces[-1])
                    frame.pos = found.end()
                    return _unbraced(trim(strip_comments("".join(pieces))))
                if piece == "{":
                    depth += 1
                elif piece == "}":
                    depth -= 1
                    if depth < 0:
                        return None
            self.work += len(frame.text) - frame.pos
            if frame.file is not None:
                return None
            pieces.append(frame.text[frame.pos :])
            frame.pos = len(frame.text)
        return None

    def read_arguments(self, wanted: tuple[Argument, ...]) -> list[str] | None:
        """Read the arguments of a call; ``None`` where they are not there."""
        values: list[str] = []
        for one in wanted:
            value: str | None
            if one.kind == "m":
                value = self.read_argument()
            elif one.kind == "o":
                value = self.read_optional()
                value = one.default if value is None else value
            elif one.kind == "s":
                value = r"\BooleanTrue" if self.read_star() else r"\BooleanFalse"
            else:
                value = self.read_until(one.end) if one.end else None
            if value is None:
                return None
            values.append(value)
        return values


def _unbraced(text: str) -> str:
    if text.startswith("{") and group_end(text, 0) == len(text):
        return trim(text[1:-1])
    return text
