"""Length of a document (CCNet, Wenzek et al. 2020: pages under 300 characters are left out before deduplication)."""

from filters.verdict import Drop, Reason


class LengthReason(Reason):
    """Rules of :func:`check_length`."""

    TOO_SHORT = "length/too_short"


def check_length(text: str, min_chars: int) -> Drop | None:
    """Decide whether a document is long enough.

    Args:
        text: The document's text; line ends count, as in CCNet's ``min_len``.
        min_chars: Fewest characters (not bytes); a document exactly that long is kept.

    Returns:
        ``None`` to keep it, else the rule it breaks.

    >>> check_length("four", 4) is None
    True
    >>> check_length("four", 5)
    Drop(reason=<LengthReason.TOO_SHORT: 'length/too_short'>, measured=4, limit=5, detail=None)
    """
    if len(text) < min_chars:
        return Drop(LengthReason.TOO_SHORT, measured=len(text), limit=min_chars)
    return None
