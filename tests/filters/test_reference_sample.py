"""Which pages are trained on, against sorting all of them in memory."""

import random

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.reference_sample import Page, PageSample, training_text
from filters.urls import normalize_url

URLS = st.integers(0, 12).map(lambda number: f"http://site{number % 5}.example/{number}")
ROWS = st.lists(st.tuples(URLS, st.sampled_from(["", "abc", "abcd", "efgh", "ijklm"]), st.booleans()), max_size=40)


def sample_of(rows, *, max_pages: int = 100, min_chars: int = 4, seed: int = 0) -> PageSample:
    sample = PageSample(max_pages=max_pages, min_chars=min_chars, seed=seed)
    for url, text, is_reference in rows:
        sample.add(Page(url, text), is_reference=is_reference)
    return sample


def pages_of(sample: PageSample) -> list[tuple[str, bool]]:
    with sample:
        return [(sample.text(page), page.is_reference) for page in sample.balanced()]


def by_brute_force(rows, *, max_pages: int, seed: int) -> list[tuple[str, bool]]:
    """Group by URL, keep the text of the smallest hash, sort by seeded hash, cut."""

    def rank(url: str) -> int:
        return xxhash.xxh3_64_intdigest(url.encode(), seed=seed)

    chosen = {}
    for side in (True, False):
        texts: dict[str, list[str]] = {}
        for url, text, is_reference in rows:
            if is_reference is side and len(text) >= 4:
                texts.setdefault(normalize_url(url), []).append(text)
        urls = sorted(texts, key=rank)[:max_pages]
        chosen[side] = [
            (rank(url), min(texts[url], key=lambda one: xxhash.xxh3_64_intdigest(one.encode()))) for url in urls
        ]
    number = min(map(len, chosen.values()))
    rows = [(order, text, side) for side, pages in chosen.items() for order, text in pages[:number]]
    return [(text, side) for _, text, side in sorted(rows)]


def sides_by_url(rows):
    """Let the URL alone decide the side, as a list of cited URLs does."""
    return [(url, text, int(url.rsplit("/", 1)[1]) % 2 == 0) for url, text, _ in rows]


@settings(deadline=None)
@given(ROWS, st.integers(1, 8), st.integers(0, 3))
def test_the_sample_is_that_of_sorting_everything(rows, max_pages: int, seed: int) -> None:
    rows = sides_by_url(rows)
    found = pages_of(sample_of(rows, max_pages=max_pages, seed=seed))
    assert found == by_brute_force(rows, max_pages=max_pages, seed=seed)


@settings(deadline=None)
@given(ROWS, st.integers(1, 8), st.randoms(use_true_random=False))
def test_the_sample_does_not_depend_on_the_order_of_arrival(rows, max_pages: int, shuffle: random.Random) -> None:
    rows = sides_by_url(rows)
    other = shuffle.sample(rows, len(rows))
    assert pages_of(sample_of(rows, max_pages=max_pages)) == pages_of(sample_of(other, max_pages=max_pages))


@settings(deadline=None)
@given(ROWS)
def test_a_page_that_came_as_a_reference_is_never_a_random_one(rows) -> None:
    rows = sorted(rows, key=lambda row: not row[2])
    with sample_of(rows) as sample:
        sides: dict[int, set[bool]] = {}
        for page in sample.balanced():
            sides.setdefault(page.key, set()).add(page.is_reference)
        assert all(len(found) == 1 for found in sides.values())
    references = {url for url, _, is_reference in rows if is_reference}
    cited = sum(not is_reference and url in references for url, _, is_reference in rows)
    assert sample.counts(is_reference=False)["cited"] == cited


def test_a_reference_too_short_to_train_on_is_no_random_page_either() -> None:
    rows = [("http://a.example/", "abc", True), ("https://www.a.example", "abcd", False)]
    with sample_of(rows) as sample:
        assert sample.counts(is_reference=True) == {"read": 1, "too_short": 1}
        assert sample.counts(is_reference=False) == {"read": 1, "cited": 1}
        assert sample.available(is_reference=False) == 0


@pytest.mark.parametrize("is_reference", [True, False])
@pytest.mark.parametrize(("chars", "available"), [(999, 0), (1000, 1)])
def test_both_sides_obey_the_least_length(is_reference: bool, chars: int, available: int) -> None:
    with sample_of([("http://a.example/", "x" * chars, is_reference)], min_chars=1000) as sample:
        assert sample.available(is_reference=is_reference) == available
        assert sample.counts(is_reference=is_reference)["too_short"] == 1 - available


def test_spellings_of_one_address_count_once() -> None:
    rows = [("http://a.example/x", "abcd", True), ("https://www.a.example/x/#top", "abcd", True)]
    with sample_of(rows) as sample:
        assert sample.available(is_reference=True) == 1
        assert sample.counts(is_reference=True)["read"] == 2


@pytest.mark.parametrize("is_reference", [True, False])
def test_pages_without_an_address_are_left_out_and_counted(is_reference: bool) -> None:
    with sample_of([("", "abcd", is_reference), ("dns:a.example", "abcd", is_reference)]) as sample:
        assert sample.available(is_reference=is_reference) == 0
        assert sample.counts(is_reference=is_reference) == {"read": 2, "no_url": 2}


def test_another_seed_draws_other_pages() -> None:
    rows = [(f"http://a.example/{number}", f"text {number}", number % 2 == 0) for number in range(60)]
    one, other = (set(pages_of(sample_of(rows, max_pages=10, seed=seed))) for seed in (0, 1))
    assert len(one) == len(other) == 20
    assert one != other


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n b", "a  b"),
        ("x __label__cc y", "x  y"),
        ("__label__", ""),
        ("__label__wiki\n__label__other z", "  z"),
        ("a__label__cc", "a__label__cc"),
        ("x\t__label__cc\ry", "x\t y"),
        ("a </s> b", "a  b"),
    ],
)
def test_words_that_fasttext_would_take_for_labels_are_left_out(text: str, line: str) -> None:
    assert training_text(text) == line


def test_a_lone_surrogate_does_not_stop_the_sampling() -> None:
    rows = [("http://a.example/", "ab\ud800cd", True), ("http://b.example/", "abcd", False)]
    assert sorted(pages_of(sample_of(rows))) == [("ab?cd", True), ("abcd", False)]
