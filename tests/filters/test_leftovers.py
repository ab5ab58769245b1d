"""What is looked for in cleaned texts, and where it may stand."""

import re

from filters.leftovers import find_patterns, snippet

PATTERNS = {"[[": re.compile(r"\[\["), "tag": re.compile(r"<[a-z]+>")}


def found(text: str, *protected: tuple[int, int]) -> list[tuple[str, int]]:
    return [(leftover.kind, leftover.start) for leftover in find_patterns(text, PATTERNS, protected=protected)]


def test_every_match_is_found_by_kind_then_in_order() -> None:
    assert found("<b> [[ [[") == [("[[", 4), ("[[", 7), ("tag", 0)]


def test_what_begins_in_a_protected_span_may_stand() -> None:
    assert found("[[[[[[", (2, 4)) == [("[[", 0), ("[[", 4)]
    assert found("<b><b><b>", (0, 3), (6, 9)) == [("tag", 3)]


def test_a_match_at_the_end_of_a_span_is_outside_of_it() -> None:
    assert found("ab<b>", (0, 2)) == [("tag", 2)]
    assert found("ab<b>", (0, 3)) == []


def test_a_snippet_is_cut_on_both_sides_even_of_a_long_match() -> None:
    assert snippet("a" * 100 + "[" * 500 + "b" * 100, 100, 600) == "a" * 40 + "[" * 80
