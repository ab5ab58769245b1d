"""Ids are read from the names of files; a note that a paper was withdrawn is told from a paper that speaks of one."""

import pytest

from filters.arxiv import MAX_WITHDRAWN_CHARS, ArxivReason, check_withdrawn, parse_id


@pytest.mark.parametrize(
    ("stem", "identity", "version", "created"),
    [
        ("2004.14974", "2004.14974", None, "2020-04-01T00:00:00+00:00"),
        ("0704.0001v12", "0704.0001", 12, "2007-04-01T00:00:00+00:00"),
        ("2401/2401.00007v2", "2401.00007", 2, "2024-01-01T00:00:00+00:00"),
        ("astro-ph9901001", "astro-ph/9901001", None, "1999-01-01T00:00:00+00:00"),
        ("9901/hep-th9901001v1", "hep-th/9901001", 1, "1999-01-01T00:00:00+00:00"),
        ("hep-th/9108028", "hep-th/9108028", None, "1991-08-01T00:00:00+00:00"),
        ("math.AG0612001", "math/0612001", None, "2006-12-01T00:00:00+00:00"),
        ("math-ph/0612001", "math-ph/0612001", None, "2006-12-01T00:00:00+00:00"),
        ("cond-mat_0001001", "cond-mat/0001001", None, "2000-01-01T00:00:00+00:00"),
    ],
)
def test_ids_of_both_styles_are_found_with_version_and_month(
    stem: str, identity: str, version: int | None, created: str
) -> None:
    found = parse_id(stem)
    assert found is not None
    assert (found.id, found.version, found.created) == (identity, version, created)


@pytest.mark.parametrize(
    "stem",
    [
        *("hott-book", "2413.00001", "2400.00001", "2401.001", "2401.000011", "2401.00001v0", "2401.00001-final", ""),
        *("paper9901001", "9901001", "hep-th99010011", "hep-th9913001", "x2401.00001", "2401.00001v2/main"),
    ],
)
def test_other_names_are_no_ids(stem: str) -> None:
    assert parse_id(stem) is None


@pytest.mark.parametrize(
    "source",
    [
        "%auto-ignore\nThis paper has been withdrawn by the author.",
        "\\documentclass{article}\n\\begin{document}\nThis paper has been withdrawn\ndue to an error.\n\\end{document}",
        "This article is withdrawn because of overlap with earlier work.",
        "Withdrawn by arXiv administrators.",
        "The manuscript was retracted.",
    ],
)
def test_a_note_of_withdrawal_is_one(source: str) -> None:
    verdict = check_withdrawn(source)
    assert verdict is not None
    assert verdict.reason == ArxivReason.WITHDRAWN


@pytest.mark.parametrize(
    "source",
    [
        "% This paper has been withdrawn.\nA paper on waves.",
        "The water is withdrawing.",
        "",
        "The troops were there. Later all of them had withdrawn.",
    ],
)
def test_a_short_source_that_says_nothing_of_the_kind_is_none(source: str) -> None:
    assert check_withdrawn(source) is None


def test_a_source_of_the_longest_size_may_be_a_note_and_a_longer_one_is_a_paper() -> None:
    note = "This paper has been withdrawn."
    longest = note + "x" * (MAX_WITHDRAWN_CHARS - len(note))
    verdict = check_withdrawn(f"% {'comment ' * 500}\n{longest}\n")
    assert verdict is not None
    assert (verdict.measured, verdict.limit) == (2000, 2000)
    assert check_withdrawn(longest + "x") is None
