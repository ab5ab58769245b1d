from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.drawing import draw_documents, drawing_fraction, first_bytes, sample_quotas

SOURCES = ["web", "books", "wiki", "code"]
SIZES = st.fixed_dictionaries({source: st.integers(0, 10**9) for source in SOURCES})
SHARES = st.dictionaries(st.sampled_from(SOURCES), st.integers(1, 1000))


@pytest.mark.parametrize(
    ("text_bytes", "proportions", "sample_bytes", "quotas"),
    [
        ({"web": 800, "books": 200}, None, 100, {"web": 80, "books": 20}),
        ({"web": 800, "books": 200}, None, 1000, {"web": 800, "books": 200}),
        ({"web": 800, "books": 200}, None, 5000, {"web": 800, "books": 200}),
        ({"web": 800, "books": 200}, {"web": 1, "books": 1}, 100, {"web": 50, "books": 50}),
        # Books have exactly what they are due, one byte less, one more.
        ({"web": 800, "books": 50}, {"web": 1, "books": 1}, 100, {"web": 50, "books": 50}),
        ({"web": 800, "books": 49}, {"web": 1, "books": 1}, 100, {"web": 51, "books": 49}),
        ({"web": 800, "books": 51}, {"web": 1, "books": 1}, 100, {"web": 50, "books": 50}),
        # What books and then the wiki leave goes to the others in proportion: 100 - 4 = 96 as 2:1, wiki is due 32.
        (
            {"web": 900, "books": 4, "wiki": 31},
            {"web": 2, "books": 1, "wiki": 1},
            100,
            {"web": 65, "books": 4, "wiki": 31},
        ),
        (
            {"web": 900, "books": 4, "wiki": 99},
            {"web": 2, "books": 1, "wiki": 1},
            100,
            {"web": 64, "books": 4, "wiki": 32},
        ),
        ({"web": 900, "books": 900}, {"books": 5}, 100, {"web": 0, "books": 100}),
        ({"web": 900}, {"books": 5}, 100, {"web": 0}),
        ({"web": 0, "books": 10}, {"web": 1, "books": 1}, 100, {"web": 0, "books": 10}),
        ({}, None, 100, {}),
    ],
)
def test_a_sample_is_shared_out_by_proportions(text_bytes, proportions, sample_bytes, quotas):
    assert sample_quotas(text_bytes, proportions, sample_bytes) == quotas


def shares_by_rounds(text_bytes, shares, sample_bytes):
    """Pour the sample out in exact arithmetic: all sources fill at the pace of their share until each is full."""
    got = dict.fromkeys(text_bytes, Fraction(0))
    left = Fraction(sample_bytes)
    while left > 0:
        filling = {s: Fraction(shares[s]) for s in text_bytes if shares.get(s, 0) > 0 and got[s] < text_bytes[s]}
        if not filling:
            break
        time = min([left / sum(filling.values()), *((text_bytes[s] - got[s]) / share for s, share in filling.items())])
        got |= {s: got[s] + time * share for s, share in filling.items()}
        left -= time * sum(filling.values())
    return got


@given(SIZES, SHARES, st.integers(1, 2 * 10**9))
def test_quotas_are_those_of_pouring_until_sources_run_out(text_bytes, proportions, sample_bytes):
    quotas = sample_quotas(text_bytes, proportions, sample_bytes)
    poured = shares_by_rounds(text_bytes, proportions, sample_bytes)
    assert all(abs(quotas[source] - poured[source]) <= 1 for source in text_bytes)
    assert sum(quotas.values()) <= sample_bytes


@given(
    st.lists(st.tuples(st.uuids().map(str), st.integers(0, 1000)), unique_by=lambda pair: pair[0]), st.integers(0, 9999)
)
def test_documents_are_drawn_until_the_quota_is_full(documents, quota):
    names, sizes = [name for name, _ in documents], [size for _, size in documents]
    taken = draw_documents(names, sizes, quota, seed=3)
    assert sum(taken.values()) == min(quota, sum(sizes))
    assert sum(size < sizes[place] for place, size in taken.items()) <= 1


def test_a_larger_quota_only_adds_documents_and_the_order_of_reading_does_not_matter():
    names, sizes = [f"d{number}" for number in range(100)], list(range(100))
    few, many = draw_documents(names, sizes, 500, seed=1), draw_documents(names, sizes, 1500, seed=1)
    assert few.keys() < many.keys()
    backwards = draw_documents(names[::-1], sizes[::-1], 500, seed=1)
    assert {99 - place: size for place, size in backwards.items()} == few
    assert draw_documents(names, sizes, 500, seed=2) != few


@pytest.mark.parametrize(
    ("size", "text"), [(0, ""), (1, "a"), (2, "a"), (3, "a"), (4, "a漢"), (5, "a漢b"), (9, "a漢b")]
)
def test_a_text_is_cut_after_whole_characters(size, text):
    assert first_bytes("a漢b", size) == text


@pytest.mark.parametrize(
    ("quota", "text_bytes", "fraction"),
    [
        (0, 10, 0.0),
        (10, 0, 1.0),
        (1 << 20, 32 << 20, 1.0),
        (64 << 20, 112 << 20, 1.0),  # 80 and 32 MiB of 112
        (64 << 20, 224 << 20, 0.5),
    ],
)
def test_a_quarter_and_some_tens_of_books_more_than_the_quota_are_drawn(quota, text_bytes, fraction):
    assert drawing_fraction(quota, text_bytes) == fraction
