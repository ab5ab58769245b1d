"""What a paper is read with: its files, what it may cost, and what is true at a place of its source."""

from collections.abc import Callable
from dataclasses import dataclass, field

#: Mathematics that is displayed, as a value of :attr:`State.math`.
DISPLAY = 2


@dataclass(frozen=True, slots=True)
class Included:
    """A file of an e-print, decoded.

    Attributes:
        name: Its path among the paper's files.
        text: Its text.
    """

    name: str
    text: str


#: ``(command, argument as written, name of the file that asks)`` -> the file, or ``None`` where there is none.
Resolve = Callable[[str, str, str], Included | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a paper may cost.

    Attributes:
        max_expansions: Macros expanded and files read.
        max_work_chars: Characters of bodies and arguments read.
        max_output_chars: Characters written.
        max_depth: Macros that come out of each other.
    """

    max_expansions: int
    max_work_chars: int
    max_output_chars: int
    max_depth: int


class BlowUpError(Exception):
    """A paper costs more than it may."""

    def __init__(self, measured: int, limit: int) -> None:
        super().__init__(f"{measured} > {limit}")
        self.measured = measured
        self.limit = limit


class RecursionFoundError(Exception):
    """A macro never ends."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(slots=True)
class State:
    """What is true at a place of the source.

    Attributes:
        depth: Open groups.
        math: Whether it is mathematics: 0 for text, 1 within a line, 2 in a display.
        texts: Groups in mathematics that hold text: how deep each is, and what it stands in.
        conditions: Open conditionals: whether each was decided here.
        tests: Conditionals that are read within the test of another.
        package: Whether this is a package that authors sent with their paper.
        packages: Those that were met.
        frozen: Macros that are not to be expanded.
        defined: Macros that can be expanded, all that ever were.
        kept: Commands of LaTeX that have a user's name, too.
        unexpandable: Macros that are left as calls.
        unsure: Macros that such a macro defines, which mean what only TeX knows.
        known: Names of conditionals.
    """

    depth: int = 0
    math: int = 0
    texts: list[tuple[int, int]] = field(default_factory=list)
    conditions: list[bool] = field(default_factory=list)
    tests: int = 0
    package: bool = False
    packages: set[str] = field(default_factory=set)
    frozen: frozenset[str] = frozenset()
    defined: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    unexpandable: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    sentinels: set[str] = field(default_factory=set)
    comments: set[str] = field(default_factory=lambda: {"comment"})
    environments: list[tuple[str, bool]] = field(default_factory=list)
