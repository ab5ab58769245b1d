"""What a book is held to before deduplication: its size, and that there is a text at all.

LLaMA says only that books are deduplicated (Touvron et al., 2023, section 2.1); the limits here are ours. They are
wide: cleaned, the shortest of 144 real files has 11,000 characters, the longest 3.2 million.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from filters.verdict import Drop, Reason


class BookReason(Reason):
    """Why a file, a member of an archive or a row is no book of the corpus."""

    EMPTY = "books/empty"
    TOO_LONG = "books/too_long"
    NO_TEXT_MEMBER = "books/no_text_member"
    NO_TEXT_VALUE = "books/no_text_value"
    ONLY_BOILERPLATE = "books/only_boilerplate"
    TOO_SHORT = "books/too_short"


class BookLimits(BaseModel):
    """Limits of a book.

    Attributes:
        max_book_bytes: Longest text, in bytes as they are stored, once decompressed. No single work is near the
            default: the longest of 144 real ones has 3.2 million characters.
        min_chars: Shortest text, in characters, once licences and credits are out. A printed page has about two
            thousand; what is shorter than half of one is a notice in the place of a book (a number reserved or
            withdrawn, a list of sound files), not a work. ``null`` keeps all that are not empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_book_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 64 << 20
    min_chars: Annotated[int, Field(ge=1)] | None = 1000


def check_book_length(text: str, limits: BookLimits) -> Drop | None:
    """Decide whether a cleaned text is long enough for a book.

    Args:
        text: The text, without what does not belong to the book.
        limits: What it is held to; a text exactly as long as the limit is kept.
    """
    chars = len(text.strip())
    if chars == 0:
        return Drop(BookReason.EMPTY, 0, 1)
    if limits.min_chars is not None and chars < limits.min_chars:
        return Drop(BookReason.TOO_SHORT, chars, limits.min_chars)
    return None
