"""Cut-offs against CCNet's own table, and percentiles against NumPy's of the values written out."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.perplexity_cutoffs import Cutoff, ccnet_cutoffs, cutoffs_of, exact_percentiles

#: The 20 languages of LLaMA's Wikipedia.
LANGUAGES = {"bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu"}
LANGUAGES |= {"it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk"}


def test_ccnets_english_cutoffs_are_340_and_520():
    assert ccnet_cutoffs()["en"] == Cutoff(340, 520)


def test_slovene_serbian_and_swedish_have_no_cutoffs():
    assert LANGUAGES - set(ccnet_cutoffs()) == {"sl", "sr", "sv"}


def test_the_packaged_cutoffs_are_the_rows_30_and_60_of_ccnets_table(real_data: Path):
    with (real_data / "reference" / "cc_net" / "cutoff.csv").open() as stream:
        rows = {row.pop(""): row for row in csv.DictReader(stream)}
    expected = {
        language: Cutoff(float(rows["30"][language]), float(rows["60"][language]))
        for language in LANGUAGES
        if language in rows["30"]
    }
    assert ccnet_cutoffs() == expected


COUNTED = st.lists(st.tuples(st.floats(-1e300, 1e300), st.integers(0, 5)), min_size=1, max_size=30)
PERCENTILES = st.lists(st.floats(0, 100) | st.sampled_from([0.0, 30.0, 50.0, 60.0, 100.0]), min_size=1, max_size=8)


@given(COUNTED.filter(lambda pairs: any(count for _, count in pairs)), PERCENTILES)
@example([(340.1, 1), (520.7, 1), (0.1, 3)], [30.0, 60.0])
@example([(1.0, 1)], [0.0, 100.0])
def test_percentiles_are_numpys_of_the_values_written_out_to_the_last_bit(pairs, percentiles):
    values, counts = [value for value, _ in pairs], [count for _, count in pairs]
    expected = np.percentile(np.repeat(values, counts), percentiles)
    assert np.array(exact_percentiles(values, counts, percentiles)).tobytes() == expected.tobytes()


def test_percentiles_of_a_trillion_documents_need_only_their_distinct_values():
    assert exact_percentiles([100.0, 200.0, 300.0], [3 * 10**11, 3 * 10**11, 4 * 10**11], [29.9, 30.1, 60.1]) == [
        100.0,
        200.0,
        300.0,
    ]


@pytest.mark.parametrize(
    ("values", "counts", "percentiles", "said"),
    [
        ([], [], [30], "no values"),
        ([1.0], [0], [30], "no values"),
        ([1.0, 2.0], [1, -1], [30], "counts 0 or more"),
        ([float("nan")], [1], [30], "finite"),
        ([1.0], [1, 2], [30], "1 values and 2 counts"),
        ([1.0], [1], [100.5], "from 0 to 100"),
        ([1.0], [1], [-1], "from 0 to 100"),
    ],
)
def test_percentiles_of_nothing_or_nonsense_are_refused(values, counts, percentiles, said):
    with pytest.raises(ValueError, match=said):
        exact_percentiles(values, counts, percentiles)


def test_cutoffs_are_taken_language_by_language():
    counts = {"en": {float(value): 1 for value in range(101)}, "de": {5.0: 7}, "fr": {}}
    assert cutoffs_of(counts) == {"de": Cutoff(5, 5), "en": Cutoff(30, 60)}
    assert list(cutoffs_of(counts, 10, 90)) == ["de", "en"]
    assert cutoffs_of(counts, 10, 90)["en"] == Cutoff(10, 90)


@pytest.mark.parametrize("percentiles", [(60, 30), (-1, 60), (30, 101)])
def test_percentiles_out_of_order_are_refused(percentiles):
    with pytest.raises(ValueError, match="in this order from 0 to 100"):
        cutoffs_of({"en": {1.0: 1}}, *percentiles)
