"""The best label of a mean of rows, with bounds on what fastText's own float32 arithmetic can make of its score.

fastText adds rows one by one in float32; here they are added in another order and in float64 between blocks. Adding
in float32 loses at most half a unit in the last place of every partial sum (Higham 2002, "Accuracy and Stability of
Numerical Algorithms", section 4.2), so the length of the error of a sum is at most 2^-24 times the sum of the lengths
of its partial sums. That bound is carried through the output layer to a lowest and a highest score. What it cannot
settle is left open, for fastText to be asked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.fasttext_model import ModelFacts

Matrix = NDArray[np.float64]

#: Sums that are added up in float32 before float64 takes over.
BLOCK = 16

_UNIT = 2.0**-24  # half a unit in the last place of float32, relative
_FLOOR = 1e-5  # what fastText adds to a probability before it takes the logarithm
_LOWEST_LOG = -11.0  # fastText drops branches below log(1e-5) = -11.51
_MOST_LOGIT_ERROR = 0.25
_HOPELESS = 1e6
_ABSOLUTE = 1e-9  # what differences of running float64 sums can lose
#: A sigmoid: its exponential, within 2 units, the sum and the quotient, within one each, and to spare.
_SIGMOID = 5 * _UNIT
#: A level of the tree: one less the sigmoid, within one unit, the logarithm and the sum of scores, within 8 units each
#: as long as they are above -16, the exponential of the last sum, within 2 units, and to spare.
_PER_LEVEL = 24 * _UNIT


@dataclass(frozen=True)
class Partial:
    """Sums of rows over blocks, texts one after the other.

    Attributes:
        sums: Float32 (blocks, dimensions).
        counts: How many rows.
        lengths: Sums of the rows' Euclidean lengths.
    """

    sums: NDArray[np.float32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float32]


@dataclass(frozen=True)
class Means:
    """Mean rows of texts.

    Attributes:
        hidden: The means, float64 (texts, dimensions).
        errors: Bounds on the Euclidean distance from them to what fastText computes; absurd where there is none.
    """

    hidden: Matrix
    errors: Matrix


@dataclass(frozen=True)
class Best:
    """The best label of each text.

    Attributes:
        labels: Its number.
        lowest: The least score fastText can give it.
        highest: The greatest.
        sure: Whether no other label can come first.
    """

    labels: NDArray[np.intp]
    lowest: Matrix
    highest: Matrix
    sure: NDArray[np.bool_]


class OutputLayer:
    """The output layer of one model."""

    def __init__(self, facts: ModelFacts) -> None:
        self._rows = facts.output.astype(np.float64)
        self._lengths = np.sqrt((self._rows**2).sum(axis=1))
        self._rounding = (facts.output.shape[1] + 4) * _UNIT  # of a scalar product, in any order of its terms
        self._levels = _tree_levels(facts.label_counts) if facts.hierarchical else None
        self._labels = len(facts.labels)

    def __call__(self, means: Means) -> Best:
        """Find the best label of each mean."""
        logits = np.einsum("rd,td->rt", self._rows, means.hidden)
        reach = np.sqrt((means.hidden**2).sum(axis=1)) + means.errors
        errors = np.outer(self._lengths, means.errors + self._rounding * reach)
        wild = errors.max(axis=0) > _MOST_LOGIT_ERROR
        errors = np.minimum(errors, _MOST_LOGIT_ERROR)
        scores, bounds = self._softmax(logits, errors) if self._levels is None else self._descend(logits, errors)
        # Every level may add as much as the floor to a score, or round it by less. So a branch that is a little below
        # a label already found, where fastText turns back, may lead to a label a little above it.
        best = _best(scores, bounds, slack=0.0 if self._levels is None else 2 * len(self._levels) * _FLOOR)
        return Best(best.labels, best.lowest, best.highest, best.sure & ~wild)

    def _softmax(self, logits: Matrix, errors: Matrix) -> tuple[Matrix, Matrix]:
        """Give logarithms of probabilities, and bounds on their errors: all logits may err at once.

        Rounding: two differences of logits, of at most twice the largest; the terms of the sum; two exponentials,
        the quotient, the logarithm and its exponential, within 16 units together; and to spare.
        """
        most = errors.max(axis=0)
        weights = np.exp(logits - logits.max(axis=0))
        shares = weights / weights.sum(axis=0)
        moved = (1 - shares) * (errors + most) * np.exp(2 * most)
        rounding = (self._labels + 20) * _UNIT * (1 + np.abs(logits).max(axis=0))
        return np.log(shares + _FLOOR), moved + rounding

    def _descend(self, logits: Matrix, errors: Matrix) -> tuple[Matrix, Matrix]:
        """Add up logarithms of branches from the root to each label, and bounds on their errors."""
        right = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        growth = errors * np.exp(errors)
        scores = np.zeros((2 * self._labels - 1, logits.shape[1]))
        bounds = np.zeros_like(scores)
        for parents, lefts, rights in self._levels or ():
            nodes = parents - self._labels
            for children, chance in ((lefts, 1 - right[nodes]), (rights, right[nodes])):
                scores[children] = scores[parents] + np.log(chance + _FLOOR)
                moved = (1 - chance) * growth[nodes] + _SIGMOID * right[nodes] / (chance + _FLOOR)
                bounds[children] = bounds[parents] + moved + _PER_LEVEL
        return scores[: self._labels], bounds[: self._labels]


def mean_rows(blocks: Partial, firsts: NDArray[np.intp], ends: Matrix) -> Means:
    """Add blocks up to texts, and bound what adding row by row in float32 can lose.

    Args:
        blocks: The blocks.
        firsts: The first block of each text.
        ends: Rows that each text has at its end.
    """
    sums = blocks.sums.astype(np.float64)
    before = np.cumsum(sums, axis=0)
    before -= sums
    before -= np.repeat(before[firsts], np.diff(np.append(firsts, len(sums))), axis=0)
    reach = np.sqrt(np.einsum("bd,bd->b", before, before))
    # A partial sum is no longer than what came before the block and all rows of the block. The other lengths stand
    # for our own float32 sums within it, for products with norms in fastText, and for rounding in these figures.
    partial = np.add.reduceat(blocks.counts * (reach + 4 * blocks.lengths), firsts)
    rows, lengths = (np.add.reduceat(column.astype(np.float64), firsts) for column in (blocks.counts, blocks.lengths))
    partial += len(ends) * (lengths + np.sqrt((ends**2).sum()))
    counts = rows + len(ends)
    hidden = (np.add.reduceat(sums, firsts, axis=0) + ends.sum(axis=0)) / np.maximum(counts, 1)[:, None]
    length = np.sqrt((hidden**2).sum(axis=1))
    # Partial sums are those of what is added exactly; fastText's are off by the error itself, e <= u (p + n e), so
    # e <= u p / (1 - g) with g = u n. That is below u p (1 + 4 g) up to g = 3/4, and texts are not half as long.
    growth = _UNIT * counts
    errors = _UNIT * (partial / np.maximum(counts, 1) * (1 + 4 * growth) + 4 * length) + _ABSOLUTE
    return Means(hidden, np.where(rows == 0, _HOPELESS, errors))


def _best(scores: Matrix, bounds: Matrix, slack: float) -> Best:
    columns = np.arange(scores.shape[1])
    lows, highs = scores - bounds, scores + bounds
    labels = lows.argmax(axis=0)
    lowest, highest = lows[labels, columns], highs[labels, columns]
    highs[labels, columns] = -np.inf
    sure = (lowest > highs.max(axis=0) + slack) & (lowest > _LOWEST_LOG)
    return Best(labels, np.exp(lowest), np.exp(highest), sure)


def _tree_levels(counts: tuple[int, ...]) -> list[tuple[NDArray[np.intp], ...]]:
    """Build the Huffman tree over the labels, and list its inner nodes and their children, level by level.

    Labels come first and by falling count, then inner nodes as they are made, so both are queues of rising count.
    """
    total = 2 * len(counts) - 1
    weights = [*counts, *[0] * (total - len(counts))]
    children: dict[int, tuple[int, int]] = {}
    leaf, node = len(counts) - 1, len(counts)
    for made in range(len(counts), total):
        pair = []
        for _ in range(2):
            if leaf >= 0 and (node >= made or weights[leaf] < weights[node]):
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(node)
                node += 1
        children[made] = (pair[0], pair[1])
        weights[made] = weights[pair[0]] + weights[pair[1]]
    return _by_level(children, total - 1)


def _by_level(children: dict[int, tuple[int, int]], root: int) -> list[tuple[NDArray[np.intp], ...]]:
    levels = []
    parents = [root]
    while parents:
        pairs = [children[parent] for parent in parents]
        columns = (parents, [left for left, _ in pairs], [right for _, right in pairs])
        levels.append(tuple(np.array(column, np.intp) for column in columns))
        parents = [child for pair in pairs for child in pair if child in children]
    return levels
