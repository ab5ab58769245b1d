import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tokenizer.mixture import MixtureError, MixturePlan, MixtureSettings, apportion, resolve, share_out

#: Touvron et al. (2023), table 1: sampling proportion in percent, epochs over 1.4 T tokens.
TABLE_1 = {
    "commoncrawl": (67.0, 1.10),
    "c4": (15.0, 1.06),
    "github": (4.5, 0.64),
    "wikipedia": (4.5, 2.45),
    "books": (4.5, 2.23),
    "arxiv": (2.5, 1.06),
    "stackexchange": (2.0, 1.03),
}
PROPORTIONS = {name: percent for name, (percent, _) in TABLE_1.items()}
EPOCHS = {name: epochs for name, (_, epochs) in TABLE_1.items()}
BUDGET = 1.4e12


def paper_s_tokens(**times):
    """Tokens of each source as the table implies them, some of them times a factor."""
    tokens = {name: percent / 100 * BUDGET / epochs for name, (percent, epochs) in TABLE_1.items()}
    return {name: (round(count * times.get(name, 1)), 1000) for name, count in tokens.items()}


def test_the_paper_s_tokens_in_the_paper_s_proportions_give_the_paper_s_epochs():
    settings = MixtureSettings(proportions=PROPORTIONS, epochs=EPOCHS, budget_tokens=BUDGET)
    plan = resolve(settings, paper_s_tokens())
    assert {name: round(source.epochs, 2) for name, source in plan.sources.items()} == EPOCHS
    assert plan.block == 1000
    assert plan.shares == {
        "arxiv": 25, "books": 45, "c4": 150, "commoncrawl": 670, "github": 45, "stackexchange": 20, "wikipedia": 45,
    }  # fmt: skip
    assert plan.sources["commoncrawl"].drawn_tokens == 938_000_000_000
    assert list(plan.notes()) == []


def test_where_epochs_differ_from_those_asked_for_by_more_than_five_percent_one_line_says_so():
    settings = MixtureSettings(proportions=PROPORTIONS, epochs=EPOCHS, budget_tokens=BUDGET)
    plan = resolve(settings, paper_s_tokens(books=0.5, github=0.96, c4=1.04, arxiv=2))
    assert list(plan.notes()) == [
        "over 1,400,000,000,000 tokens epochs are not those asked for: arxiv 0.53 for 1.06, books 4.46 for 2.23"
    ]


def test_without_a_budget_epochs_decide_it_together():
    settings = MixtureSettings(proportions=PROPORTIONS, epochs=EPOCHS)
    assert resolve(settings, paper_s_tokens()).budget_tokens == pytest.approx(BUDGET, abs=10)


def test_a_mixture_traced_by_hand():
    settings = MixtureSettings(proportions={"web": 3, "books": 1}, budget_tokens=2000)
    plan = resolve(settings, {"web": (6000, 60), "books": (200, 2), "code": (50, 5)})
    web, books = plan.sources["web"], plan.sources["books"]
    assert (web.proportion, web.share, web.drawn_tokens, web.epochs) == (0.75, 750, 1500, 0.25)
    assert (web.repeated_tokens, web.unused_tokens, web.documents) == (0, 4500, 60)
    assert (books.proportion, books.share, books.drawn_tokens, books.epochs) == (0.25, 250, 500, 2.5)
    assert (books.repeated_tokens, books.unused_tokens) == (300, 0)
    assert (plan.one_epoch_budget("web"), plan.one_epoch_budget("books")) == (8000, 800)
    assert plan.left_out == {"code": 50}
    assert list(plan.notes()) == ["code has no proportion: its 50 tokens are not trained on"]


def test_over_the_budget_that_a_source_lasts_for_it_is_seen_once():
    counts = {"web": (6000, 60), "books": (200, 2)}
    plan = resolve(MixtureSettings(proportions={"web": 3, "books": 1}), counts)
    assert plan.budget_tokens == 6200
    for name in counts:
        budget = plan.one_epoch_budget(name)
        again = resolve(MixtureSettings(proportions={"web": 3, "books": 1}, budget_tokens=budget), counts)
        assert again.sources[name].epochs == 1.0


def test_without_settings_all_sources_are_one_population_seen_once():
    plan = resolve(None, {"web": (900, 9), "books": (100, 1), "none": (0, 0)})
    assert plan.block is None
    assert plan.shares is None
    assert {name: (source.proportion, source.epochs) for name, source in plan.sources.items()} == {
        "web": (0.9, 1.0),
        "books": (0.1, 1.0),
    }
    assert plan.left_out == {"none": 0}
    assert plan.one_epoch_budget("web") == 1000


def test_a_budget_alone_counts_epochs_of_all():
    plan = resolve(MixtureSettings(budget_tokens=2500), {"web": (900, 9), "books": (100, 1)})
    assert [source.epochs for source in plan.sources.values()] == [2.5, 2.5]


def test_epochs_alone_are_proportions_of_the_tokens_seen():
    plan = resolve(MixtureSettings(epochs={"web": 1, "books": 3}), {"web": (700, 9), "books": (100, 1), "x": (5, 1)})
    assert plan.budget_tokens == 1000
    assert plan.shares == {"web": 700, "books": 300}
    assert {name: source.epochs for name, source in plan.sources.items()} == {"web": 1.0, "books": 3.0}
    assert plan.left_out == {"x": 5}


@pytest.mark.parametrize(
    ("weights", "block", "shares"),
    [
        ({"a": 1, "b": 1}, 1_000, {"a": 500, "b": 500}),
        ({"a": 2, "b": 1}, 1_000, {"a": 667, "b": 333}),
        ({"a": 0.9899, "b": 0.0101}, 1_000, {"a": 990, "b": 10}),  # 10 lies 0.99 % from 10.1
        ({"a": 0.9898, "b": 0.0102}, 10_000, {"a": 9_898, "b": 102}),  # and 1.96 % from 10.2
        ({"a": 0.9999, "b": 0.0001}, 10_000, {"a": 9_999, "b": 1}),
        ({"a": 0.99995, "b": 0.00005}, 100_000, {"a": 99_995, "b": 5}),
    ],
)
def test_a_block_is_as_long_as_its_shares_need_to_lie_within_a_percent(weights, block, shares):
    assert share_out(weights) == (block, shares)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0.001, 1), min_size=1, max_size=7))
def test_shares_add_up_to_the_block_and_lie_within_a_percent(weights):
    block, shares = share_out(weights)
    assert sum(shares.values()) == block
    for name, weight in weights.items():
        assert shares[name] / block == pytest.approx(weight / sum(weights.values()), rel=0.0101)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0.001, 100), min_size=1, max_size=7))
def test_whole_shares_lie_within_one_of_the_exact_ones(weights):
    shares = apportion(weights, 1000)
    assert sum(shares.values()) == 1000
    for name, weight in weights.items():
        assert abs(shares[name] - 1000 * weight / sum(weights.values())) < 1


def test_a_proportion_too_small_for_any_block_is_refused_in_one_line():
    with pytest.raises(
        MixtureError,
        match=r"^the proportion of b, 1\.5e-06 of all, is too small: a block of 1,000,000 sequences does n",
    ):
        share_out({"a": 1.0, "b": 0.0000015})
    with pytest.raises(ValidationError, match="the proportion of b"):
        MixtureSettings(proportions={"a": 1.0, "b": 0.0000015})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"proportions": {}}, "at least 1 item"),
        ({"epochs": {}}, "at least 1 item"),
        ({"proportions": {"a": 0}}, "greater than 0"),
        ({"proportions": {"a": float("nan")}}, "finite number|greater than 0"),
        ({"proportions": {"a": float("inf")}}, "finite number"),
        ({"budget_tokens": 0}, "greater than or equal to 1"),
        ({"proportions": {"a": 1}, "epochs": {"b": 1}}, r"epochs\.b: proportions does not name it"),
    ],
)
def test_settings_that_can_not_be_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        MixtureSettings(**values)


@pytest.mark.parametrize("key", ["proportions", "epochs"])
def test_a_source_that_is_not_there_is_refused_with_those_that_are(key):
    settings = MixtureSettings(**{key: {"web": 1, "boks": 1}})
    with pytest.raises(MixtureError, match=rf"^mixture\.{key}\.boks: there is no such source; there are books, web$"):
        resolve(settings, {"web": (1, 1), "books": (1, 1)})


@pytest.mark.parametrize("settings", [MixtureSettings(proportions={"a": 1, "b": 1}), None])
def test_sources_without_tokens_are_refused(settings):
    with pytest.raises(MixtureError, match=r"^mixture: the token shards of a hold no tokens$"):
        resolve(settings, {"a": (0, 0), "b": (0, 0)})


def test_a_plan_survives_its_file():
    plan = resolve(MixtureSettings(proportions=PROPORTIONS, epochs=EPOCHS, seed=7), paper_s_tokens())
    assert MixturePlan.from_json(plan.to_json()) == plan
    assert json.loads(plan.to_json())["seed"] == 7
    no_blocks = resolve(None, {"web": (900, 9)})
    assert MixturePlan.from_json(no_blocks.to_json().encode()) == no_blocks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "", "mixture.json is not JSON"),
        (lambda _: "{}", "mixture.json: seed: Field required"),
        (lambda _: "[]", r"mixture.json: .*valid dictionary"),
        (lambda text: re.sub(r'"version": 1', '"version": 2', text), "mixture.json: version: Input should be 1"),
        (
            lambda text: re.sub(r'"drawing": 1', '"drawing": 2', text),
            "is drawn by rule 2, this version draws by rule 1",
        ),
    ],
)
def test_what_is_no_plan_of_this_version_is_refused_in_one_line(change, message):
    text = resolve(None, {"web": (900, 9)}).to_json()
    with pytest.raises(MixtureError, match=message) as caught:
        MixturePlan.from_json(change(text))
    assert "\n" not in str(caught.value)
