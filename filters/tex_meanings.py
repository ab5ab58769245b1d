"""What names mean at a place of the source: groups bound definitions (The TeXbook, chapter 24)."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Saved(Generic[T]):
    depth: int
    name: str
    old: T | None
    serial: int


class Meanings(Generic[T]):
    """The meanings of names, and those that come back where a group ends.

    Attributes:
        now: What each name means now.
        serial: Number of the last definition.
    """

    __slots__ = ("_global", "_saved", "now", "serial")

    def __init__(self, meanings: dict[str, T]) -> None:
        self.now = meanings
        self.serial = 0
        self._saved: list[_Saved[T]] = []
        self._global: dict[str, int] = {}

    def define(self, name: str, meaning: T | None, depth: int | None) -> None:
        """Give a name a meaning in a group so deep, everywhere where ``depth`` is ``None``."""
        self.serial += 1
        if depth is None:
            self._global[name] = self.serial
        elif depth:
            self._saved.append(_Saved(depth, name, self.now.get(name), self.serial))
        self._set(name, meaning)

    def close(self, depth: int) -> None:
        """Forget what was defined in groups deeper than ``depth``."""
        saved = self._saved
        while saved and saved[-1].depth > depth:
            one = saved.pop()
            if self._global.get(one.name, 0) < one.serial:
                self._set(one.name, one.old)

    def _set(self, name: str, meaning: T | None) -> None:
        if meaning is None:
            self.now.pop(name, None)
        else:
            self.now[name] = meaning
