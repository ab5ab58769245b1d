"""Length of a document, both sides of the edge."""

import pytest

from filters.length import LengthReason, check_length
from filters.verdict import Drop


@pytest.mark.parametrize(
    ("text", "min_chars", "verdict"),
    [
        ("a" * 300, 300, None),
        ("a" * 299, 300, Drop(LengthReason.TOO_SHORT, measured=299, limit=300)),
        ("a" * 301, 300, None),
        ("", 1, Drop(LengthReason.TOO_SHORT, measured=0, limit=1)),
        ("", 0, None),
    ],
)
def test_a_document_exactly_at_the_limit_is_kept(text: str, min_chars: int, verdict: Drop | None) -> None:
    assert check_length(text, min_chars) == verdict


def test_characters_count_and_not_bytes() -> None:
    assert check_length("日本語", 3) is None
    assert check_length("日本語", 4) == Drop(LengthReason.TOO_SHORT, measured=3, limit=4)


def test_line_ends_count() -> None:
    assert check_length("a\nb\n", 4) is None
