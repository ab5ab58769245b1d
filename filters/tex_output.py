"""What is written: pieces of source, parted where they would grow together, and marks of what stands where."""

from dataclasses import dataclass, field

from filters.tex_macros import seam
from filters.tex_tokens import ends_in_word


@dataclass(frozen=True, slots=True)
class Event:
    """Something that later steps want to know of.

    Attributes:
        name: What it is: a command's name, ``{abstract`` and ``}abstract`` for the ends of an environment.
        start: Where it begins in the output.
    """

    name: str
    start: int


@dataclass(slots=True)
class Output:
    """The text that comes out.

    Attributes:
        pieces: The text.
        length: Its characters.
        events: What was met, in order.
        raw: Spans in which nothing is a command.
        word: Whether it ends in a control word.
        blank: Whether its last line is blank so far.
        body: Whether what comes next is not what stood next in the source, but in a macro's body or behind its call.
        math: Whether that is mathematics.
    """

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    events: list[Event] = field(default_factory=list)
    raw: list[tuple[int, int]] = field(default_factory=list)
    word: bool = False
    blank: bool = True
    body: bool = False
    math: bool = False

    def seam(self, *, math: bool) -> None:
        """Say that what comes next did not stand next in the source, but is or follows a macro's body."""
        self.body, self.math = True, math

    def ends_in_blank(self) -> bool:
        """Tell whether the last character is a blank."""
        return bool(self.pieces) and self.pieces[-1][-1] in " \t"

    def put(self, piece: str) -> None:
        """Write a piece."""
        if not piece:
            return
        if self.word and (between := seam(piece[0], math=self.math or not self.body)):
            self.pieces.append(between)
            self.length += len(between)
        self.body = False
        self.pieces.append(piece)
        self.length += len(piece)
        self.word = ends_in_word(piece)
        line = piece.rfind("\n") + 1
        self.blank = (line > 0 or self.blank) and not piece[line:].strip()
