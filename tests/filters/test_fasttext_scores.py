"""The bounds on what float32 can lose, against float32 itself: means, softmax and descent as fastText works them out.

``Loss::predict`` of fastText 0.9 is written down here once more, with a float32 for every ``real``.
"""

import heapq
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.fasttext_cache import _LONGEST
from filters.fasttext_model import _MAX_NGRAM, ModelFacts
from filters.fasttext_scores import BLOCK, Best, Means, OutputLayer, Partial, mean_rows

F = np.float32
Answer = tuple[int, float] | None
SIDES = [False, True]


def facts_of(output: np.ndarray, counts: tuple[int, ...], *, hierarchical: bool) -> ModelFacts:
    names = tuple(map(str, range(len(counts))))
    return ModelFacts((), output, np.empty(0, np.int32), 1, 0, names, counts, output, hierarchical=hierarchical)


def float_log(value: float) -> np.float32:
    return F(math.log(float(value) + 1e-5))


def dot(output: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Scalar products, term by term in float32."""
    found = np.zeros(len(output), F)
    for column, value in zip(output.T, hidden, strict=True):
        found += column * value
    return found


def softmax(logits: np.ndarray) -> Answer:
    weights = np.exp((logits - logits.max()).astype(np.float64)).astype(F)
    total = F(0)
    for weight in weights:
        total += weight
    scores = [float_log(weight / total) for weight in weights]
    label = int(np.argmax(scores))
    return label, float(F(math.exp(scores[label])))


def huffman(counts: tuple[int, ...]) -> dict[int, tuple[int, int]]:
    """The children of each inner node; the last is the root. Ties as in fastText: inner nodes before labels."""
    queue = [(count, 1, -label, label) for label, count in enumerate(counts)]
    heapq.heapify(queue)
    children = {}
    for made in range(len(counts), 2 * len(counts) - 1):
        left, right = heapq.heappop(queue), heapq.heappop(queue)
        children[made] = left[3], right[3]
        heapq.heappush(queue, (left[0] + right[0], 0, made, made))
    return children


def descent(logits: np.ndarray, children: dict[int, tuple[int, int]], labels: int) -> Answer:
    """Depth first, left first, turning back below the floor and below the best label so far."""
    best: tuple[np.float32, int] | None = None
    open_ = [(2 * labels - 2, F(0))]
    while open_:
        node, score = open_.pop()
        if score < float_log(0) or (best is not None and score < best[0]):
            continue
        if node < labels:
            best = score, node
            continue
        with np.errstate(over="ignore"):
            right = F(1.0 / float(F(1) + F(np.exp(-float(logits[node - labels])))))
        left, rest = children[node]
        open_ += [(rest, score + float_log(right)), (left, score + float_log(F(1.0 - float(right))))]
    return None if best is None else (best[1], float(F(math.exp(best[0]))))


def hold(facts: ModelFacts, best: Best, seen: np.ndarray) -> float:
    """Hold what is sure against float32 on what fastText may have seen; give the share that is sure."""
    children = huffman(facts.label_counts) if facts.hierarchical else {}
    for text, hidden in enumerate(seen):
        logits = dot(facts.output, hidden)
        answer = descent(logits, children, len(facts.labels)) if facts.hierarchical else softmax(logits)
        if best.sure[text]:
            assert answer is not None
            assert answer[0] == best.labels[text]
            assert best.lowest[text] <= answer[1] <= best.highest[text]
    return float(best.sure.mean())


def exactly(hidden: np.ndarray) -> Means:
    return Means(hidden.astype(np.float64), np.zeros(len(hidden)))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 4000), shift=st.floats(-3, 3), scale=st.sampled_from([1e-3, 1.0, 50.0]), seed=st.integers(0, 9)
)
def test_adding_row_by_row_in_float32_stays_within_the_bound(rows: int, shift: float, scale: float, seed: int) -> None:
    values = (np.random.default_rng(seed).normal(shift, 1, (rows, 4)) * scale).astype(F)
    means = mean_of([values])
    distance = np.linalg.norm(means.hidden[0] - float_mean(values).astype(np.float64))
    assert distance <= means.errors[0]
    assert means.errors[0] <= 1e-9 + scale * (abs(shift) + 3) * 2 * (rows + 100) * 2**-24 * math.sqrt(4)


def float_mean(rows: np.ndarray) -> np.ndarray:
    return np.add.accumulate(rows, axis=0, dtype=F)[-1] * F(1 / len(rows))


def mean_of(texts: list[np.ndarray]) -> Means:
    parts = [[text[start : start + BLOCK] for start in range(0, max(len(text), 1), BLOCK)] for text in texts]
    blocks = [part for text in parts for part in text]
    lengths = [np.linalg.norm(part, axis=1).sum() for part in blocks]
    partial = Partial(
        np.array([part.sum(axis=0) for part in blocks], F),
        np.array([len(part) for part in blocks], F),
        np.array(lengths, F),
    )
    firsts = np.cumsum([0, *(len(text) for text in parts[:-1])]).astype(np.intp)
    return mean_rows(partial, firsts, np.zeros((0, texts[0].shape[1])))


def test_no_text_is_so_long_that_the_bound_would_need_its_second_order() -> None:
    most_rows = (_LONGEST + 2) * (1 + _MAX_NGRAM)
    growth = most_rows * 2.0**-24
    assert growth < 0.75 / 2
    assert 1 / (1 - growth) <= 1 + 4 * growth


@pytest.mark.parametrize("hierarchical", SIDES)
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 1000.0])
def test_what_is_sure_of_random_layers_is_what_float32_says(hierarchical: bool, scale: float) -> None:
    shares = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        labels = int(draw.integers(2, 40))
        facts = facts_of(
            (draw.normal(size=(labels, 16)) * scale).astype(F),
            tuple(sorted(draw.integers(1, 5000, labels).tolist(), reverse=True)),
            hierarchical=hierarchical,
        )
        hidden = draw.normal(size=(60, 16)).astype(F)
        shares.append(hold(facts, OutputLayer(facts)(exactly(hidden)), hidden))
    assert np.mean(shares) > 0.9


@pytest.mark.parametrize("hierarchical", SIDES)
def test_scalar_products_of_which_little_is_left_may_be_rounded(hierarchical: bool) -> None:
    draw = np.random.default_rng(3)
    output = draw.normal(size=(4, 16)).astype(F)
    output[:, 8:] = -output[:, :8]  # times equal halves, next to nothing is left of large terms
    hidden = np.tile(draw.normal(size=(200, 8)), 2).astype(F)
    hidden[:, 8:] *= F(1 + 2e-3)
    hidden *= F(300)
    facts = facts_of(output, (9, 6, 4, 3), hierarchical=hierarchical)
    assert hold(facts, OutputLayer(facts)(exactly(hidden)), hidden) > 0.5


@pytest.mark.parametrize("hierarchical", SIDES)
@pytest.mark.parametrize("error", [1e-6, 1e-4, 1e-2])
def test_a_mean_may_be_off_by_its_error_in_any_direction(hierarchical: bool, error: float) -> None:
    draw = np.random.default_rng(5)
    facts = facts_of(draw.normal(size=(6, 16)).astype(F), (30, 20, 9, 5, 2, 1), hierarchical=hierarchical)
    hidden = draw.normal(size=(100, 16))
    best = OutputLayer(facts)(Means(hidden, np.full(100, error)))
    shares = []
    for row in facts.output:
        way = row / np.linalg.norm(row) * error * (1 - 1e-6)
        shares += [hold(facts, best, (hidden + side * way).astype(F)) for side in (-1, 1)]
    assert min(shares) > 0.8


@pytest.mark.parametrize("hierarchical", SIDES)
@pytest.mark.parametrize("logit", [3.0, 9.0, 20.0, 88.0, 1000.0])
def test_saturated_branches_round_to_one_and_a_little(hierarchical: bool, logit: float) -> None:
    facts = facts_of(np.array([[1.0], [-1.0]], F), (2, 1), hierarchical=hierarchical)
    hidden = np.concatenate([-logit + np.linspace(0, 2, 50), logit + np.linspace(0, 2, 50)]).astype(F)[:, None]
    assert hold(facts, OutputLayer(facts)(exactly(hidden)), hidden) == 1


def test_an_unlikely_branch_to_the_left_has_the_error_of_one_less_a_sigmoid() -> None:
    """The root goes right with a chance of 0.999, which labels share, and left to a label that shares with none."""
    labels = 4096
    counts = (1,) * labels
    children = huffman(counts)
    output = np.zeros((labels - 1, 2), F)
    output[-1] = 1, 0
    node = children[2 * labels - 2][0]
    while node >= labels:
        output[node - labels] = 0, -80
        node = children[node][0]
    hidden = np.stack([np.linspace(6.5, 7.2, 40), np.ones(40)], axis=1).astype(F)
    facts = facts_of(output, counts, hierarchical=True)
    best = OutputLayer(facts)(exactly(hidden))
    assert set(best.labels.tolist()) == {node}
    assert hold(facts, best, hidden) == 1


def test_a_branch_below_a_label_already_found_may_lead_above_it() -> None:
    """Each level adds 0.00001 to a sure branch's score, but fastText has turned back before."""
    counts = (30, 27, 9, 3, 1, 1)  # the first label is the root's left, all others a chain to the right
    output = np.full((5, 1), -80.0, F)
    output[-1] = -4e-6
    facts = facts_of(output, counts, hierarchical=True)
    hidden = np.ones((1, 1), F)
    answer = descent(dot(output, hidden[0]), huffman(counts), 6)
    best = OutputLayer(facts)(exactly(hidden))
    assert answer is not None
    assert answer[0] == 0 != best.labels[0]
    assert best.lowest[0] > answer[1]
    assert not best.sure[0]


@pytest.mark.parametrize(("levels", "sure"), [(15, True), (17, False)])
def test_a_label_below_the_floor_is_not_settled(levels: int, sure: bool) -> None:
    """fastText turns back where a score is below log(0.00001), so of so many labels it may find none."""
    labels = 2**levels
    facts = facts_of(np.zeros((labels - 1, 1), F), (1,) * labels, hierarchical=True)
    facts.output[0] = 0.3
    hidden = np.ones((1, 1), F)
    best = OutputLayer(facts)(exactly(hidden))
    assert best.sure.tolist() == [sure]
    if sure:
        hold(facts, best, hidden)
    else:
        assert descent(dot(facts.output, hidden[0]), huffman(facts.label_counts), labels) is None


@pytest.mark.parametrize("hierarchical", SIDES)
def test_nothing_is_settled_where_the_mean_may_be_anything(hierarchical: bool) -> None:
    facts = facts_of(np.array([[1.0], [-1.0]], F), (2, 1), hierarchical=hierarchical)
    best = OutputLayer(facts)(Means(np.full((3, 1), 50.0), np.array([0.0, 1.0, 1e6])))
    assert best.sure.tolist() == [True, False, False]


def test_a_text_without_a_row_is_not_settled() -> None:
    facts = facts_of(np.full((2, 4), 0.01, F), (9, 2, 1), hierarchical=True)
    best = OutputLayer(facts)(mean_of([np.zeros((0, 4), F), np.ones((1, 4), F)]))
    assert best.sure.tolist() == [False, True]


@pytest.mark.parametrize("hierarchical", SIDES)
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_long_texts_are_settled_as_float32_says(hierarchical: bool, shift: float) -> None:
    draw = np.random.default_rng(11)
    texts = [(draw.normal(shift, 1, (size, 8))).astype(F) for size in (1, 15, 16, 17, 400, 60_000, 400_000)]
    seen = np.array([float_mean(text) for text in texts])
    shares = []
    for scale in (1.0, 30.0, 1000.0):
        counts = (50, 40, 30, 20, 10)
        facts = facts_of((draw.normal(size=(5, 8)) * scale).astype(F), counts, hierarchical=hierarchical)
        shares.append(hold(facts, OutputLayer(facts)(mean_of(texts)), seen))
    assert np.mean(shares) > 0.5


def test_two_labels_as_good_as_each_other_are_not_settled() -> None:
    facts = facts_of(np.array([[1.0, 0], [1.0, 1e-9]], F), (2, 1), hierarchical=False)
    assert not OutputLayer(facts)(mean_of([facts.output[:1]])).sure[0]


@pytest.mark.parametrize("hierarchical", SIDES)
def test_labels_part_where_no_rounding_can_turn_them_round(hierarchical: bool) -> None:
    """Ever closer labels: all that are sure are right, and the closest are left open."""
    hidden = np.ones((60, 1), F) * (F(0.5) ** np.arange(60, dtype=F))[:, None]
    facts = facts_of(np.array([[1.0], [-1.0]], F), (2, 1), hierarchical=hierarchical)
    best = OutputLayer(facts)(exactly(hidden))
    hold(facts, best, hidden)
    assert best.sure[0]
    assert not best.sure[-1]
    assert all(before or not after for before, after in pairwise(best.sure.tolist()))
