"""The verdict of a check: why a document is dropped, with the number measured and the limit it broke."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Base of all reason codes, ``"<module>/<what is wrong>"``.

    A code is a column value of dropped documents and a key of the counts, so renaming one is a changelog entry.
    """


@dataclass(frozen=True, slots=True)
class Drop:
    """A document's way out, with what is needed to tune the limit again from the dropped documents alone.

    Attributes:
        reason: The first rule the document breaks.
        measured: The number that was measured, in the unit of ``limit``; ``None`` where the rule measures nothing.
        limit: The limit it was held to; ``None`` where the rule has none.
        detail: What a number cannot say, such as the id of the document this one repeats; ``None`` where there is
            nothing.
    """

    reason: Reason
    measured: float | None = None
    limit: float | None = None
    detail: str | None = None
