"""The decompressed bytes of one member of a web archive, from the first one not yet read, and the sign of a record.

A record start is a version line directly followed by a header line, wherever it stands: blocks need not end in a line
end, so neither need a record begin a line. Which starts are believed is :mod:`pipeline.sources.warc`'s business.
"""

import re

from pipeline.sources.gzip_members import Member, MemberDamaged

SIGN_BYTES = 256  # enough to recognise a record start

RECORD_START = re.compile(rb"WARC/[01]\.[0-9]{1,3}[ \t]{0,16}\r?\n[A-Za-z][A-Za-z0-9_-]{0,63}[ \t]{0,16}:")
LINE_ENDS = re.compile(rb"[\r\n]*")


class RecordWindow:
    """A first-in, first-out view of a member; memory is what is asked for and one piece of the member.

    Attributes:
        buffer: The bytes held, the next one to read first.
        compressed: Whether the member is a gzip member, not an uncompressed file.
        ended: Whether nothing follows the buffer.
        damage: Why the member ended early, until an error has been made of it.
    """

    def __init__(self, member: Member) -> None:
        self.buffer = bytearray()
        self.compressed = member.compressed
        self.ended = False
        self.damage: MemberDamaged | None = None
        self._offset = member.offset
        self._pieces = member.pieces
        self._dropped = 0

    def where(self) -> tuple[int, int]:
        """Offset and inner offset of the first byte, as :class:`~pipeline.document.MalformedRecord` counts them."""
        return (self._offset, self._dropped) if self.compressed else (self._offset + self._dropped, 0)

    def fill(self, size: int) -> bool:
        """Hold ``size`` bytes, or all to the member's end; returns whether they are held."""
        while len(self.buffer) < size and not self.ended:
            try:
                self.buffer += next(self._pieces)
            except StopIteration:
                self.ended = True
            except MemberDamaged as damage:
                self.ended = True
                self.damage = damage
        return len(self.buffer) >= size

    def drop(self, size: int) -> None:
        """Be done with the first ``size`` bytes."""
        del self.buffer[:size]
        self._dropped += size

    def skip_blank(self) -> bool:
        """Drop line ends; returns whether anything follows."""
        while self.fill(SIGN_BYTES) or self.buffer:
            self.drop(self.after_line_ends(0, len(self.buffer)))
            if len(self.buffer) >= SIGN_BYTES or (self.buffer and self.ended):
                return True
        return False

    def after_line_ends(self, begin: int, end: int) -> int:
        """Index of the first byte at or behind ``begin`` that is no line end, ``end`` at most."""
        found = LINE_ENDS.match(self.buffer, begin, end)
        return found.end() if found else begin

    def has_start(self, begin: int, end: int) -> bool:
        """Whether a record start lies between two indices."""
        return RECORD_START.search(self.buffer, begin, end) is not None

    def seek_start(self, begin: int) -> int:
        """Drop all before the next record start at or behind ``begin``, or all; returns how many bytes."""
        before = self._dropped
        self.drop(begin)
        while not (found := RECORD_START.search(self.buffer)):
            self.drop(len(self.buffer) if self.ended else max(0, len(self.buffer) - SIGN_BYTES))
            if not self.fill(len(self.buffer) + 1):
                break
        self.drop(found.start() if found else len(self.buffer))
        return self._dropped - before

    def claim_damage(self) -> MemberDamaged | None:
        """The damage that ended the member, once all its bytes are used up; from then on it counts as reported."""
        if self.buffer:
            return None
        damage, self.damage = self.damage, None
        return damage
