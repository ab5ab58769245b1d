"""What of Project Gutenberg's own text may be left in a cleaned book."""

import itertools
import re
from collections.abc import Iterator

from filters.leftovers import Leftover, find_patterns

#: A text may be made of them; these many tell enough.
MOST_OF_A_KIND = 1000

_PATTERNS = {
    "Project Gutenberg": re.compile(
        r"proje[ck]t[\s-]+gutenberg|gutenberg[\s-]+projekt|projet\s+gutenberg", re.IGNORECASE
    ),
    "Gutenberg-tm": re.compile(r"gutenberg[\s-]*(?:tm\b|™)", re.IGNORECASE),
    "gutenberg.org": re.compile(r"gutenberg\.(?:org|net|ca)|pglaf|promo\.net", re.IGNORECASE),
    "small print": re.compile(r"\bsmall print!", re.IGNORECASE),
    "etext": re.compile(r"\be-?texts?\b", re.IGNORECASE),
    "ebook number": re.compile(r"\[\s*e-?(?:book|text)\s*#", re.IGNORECASE),
    "licence": re.compile(
        r"public\s+domain\s+in\s+the\s+united|copyright\s+laws\s+are\s+changing|use\s+of\s+anyone\s+anywhere"
        r"|replacement\s+or\s+refund|plain\s+vanilla\s+(?:ascii|elec)",
        re.IGNORECASE,
    ),
    "proofreaders": re.compile(r"distributed\s+proofread|\bpgdp\b", re.IGNORECASE),
    "archive.org": re.compile(r"archive\.org", re.IGNORECASE),
}
#: Of each kind, one of these strings is in every match; where none is found the pattern, which is slow, is not tried.
_NEEDLES = {
    "Project Gutenberg": ("gutenberg",),
    "Gutenberg-tm": ("gutenberg",),
    "gutenberg.org": ("gutenberg.", "pglaf", "promo.net"),
    "small print": ("small print!",),
    "etext": ("etext", "e-text"),
    "ebook number": ("book #", "text #", "book#", "text#"),
    "licence": ("public domain", "copyright laws", "anyone anywhere", "or refund", "plain vanilla"),
    "proofreaders": ("proofread", "pgdp"),
    "archive.org": ("archive.org",),
}


def find_leftovers(text: str) -> Iterator[Leftover]:
    """Find what should have been taken out of a cleaned book.

    A book may speak of Project Gutenberg itself, so a finding is a place to look at, not a fault.
    """
    lowered = text.lower()
    for kind, pattern in _PATTERNS.items():
        if any(needle in lowered for needle in _NEEDLES[kind]):
            yield from itertools.islice(find_patterns(text, {kind: pattern}), MOST_OF_A_KIND)
