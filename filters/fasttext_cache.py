"""The best label of many texts, faster than fastText and the same, by not working out the same n-grams again.

The model is linear up to its output layer, so a text's mean row is put together from remembered sums
(:mod:`filters.fasttext_windows`). Sums in another order differ in their last bits; a bound on that difference
(:mod:`filters.fasttext_scores`) says for each text whether the best label and its rounded score are settled. Where
they are not, the answer is ``None`` and fastText itself is to be asked, so that the two never differ.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters.fasttext_model import END_MARK, LABEL_MARK, ModelFacts, read_model
from filters.fasttext_scores import BLOCK, OutputLayer, Partial, mean_rows
from filters.fasttext_windows import MAX_UNITS, REACH, SPACE, Utf8Table, WindowTable

#: Most decimals for which scores are settled often enough to be worth trying.
MAX_DECIMALS = 3

_LEAST_CHARS = 1 << 14  # below it fastText is as fast
_MOST_WORDS = 1 << 16  # they are hashed anew for each group
_GROUP_UNITS = MAX_UNITS // 2
_LONGEST = MAX_UNITS // 2 - 64  # characters: a group of texts, the next text and what lies between must fit
_SEPARATORS = "\n\r\t\v\f\0"  # what fastText splits at beside the space
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATES, _SURROGATE_COUNT = 0xD800, 0x800
_GRID_ROWS = 2048

Answer = tuple[str, float] | None
Units = NDArray[np.uint16]


class CachedClassifier:
    """A fastText classifier that remembers.

    Args:
        facts: The model.
    """

    def __init__(self, facts: ModelFacts) -> None:
        self._labels = facts.labels
        self._utf8 = Utf8Table()
        self._astral: dict[str, str] = {}
        words = list(self._spell_words(facts.words))
        self._words = pa.array([word[1:].tobytes() for _, word in words], pa.binary())
        self._first_astral = dict(self._astral)
        self._windows = WindowTable(facts, self._utf8, words)
        self._output = OutputLayer(facts)
        ends = [row for row, word in enumerate(facts.words) if word == END_MARK.encode()]
        self._end_rows = facts.rows[np.array(ends, np.intp)].astype(np.float64)

    @classmethod
    def open(cls, model: Any, path: str) -> "CachedClassifier | None":
        """Make one of a loaded model and its file.

        Returns:
            ``None`` where :func:`~filters.fasttext_model.read_model` does not know the kind, and for more than 65,536
            words, where looking them up would take longer than it saves.
        """
        facts = read_model(model, path)
        return None if facts is None or len(facts.words) > _MOST_WORDS else cls(facts)

    def __call__(self, texts: Sequence[str], decimals: int) -> list[tuple[str, float] | None]:
        """Find the best label of each text and its score, as ``predict`` would of the text and a line end.

        Args:
            texts: Texts without line ends.
            decimals: Decimals scores are rounded to.

        Returns:
            Label, without its mark, and rounded score; ``None`` where fastText is to be asked.
        """
        answers: list[tuple[str, float] | None] = [None] * len(texts)
        if decimals > MAX_DECIMALS or sum(map(len, texts)) < _LEAST_CHARS:
            return answers
        for numbers, spelled in self._groups(texts):
            for number, answer in zip(numbers, self._answer(spelled, decimals), strict=True):
                answers[number] = answer
        return answers

    def _groups(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[Units]]]:
        self._make_room()
        numbers: list[int] = []
        group: list[Units] = []
        size = 0
        for number, text in enumerate(texts):
            spelled = self._spell(text)
            if spelled is None:
                continue
            numbers.append(number)
            group.append(spelled)
            size += len(spelled)
            if size >= _GROUP_UNITS:
                yield numbers, group
                numbers, group, size = [], [], 0
                self._make_room()
        if group:
            yield numbers, group

    def _spell_words(self, words: Sequence[bytes]) -> Iterator[tuple[int, Units]]:
        """Spell the words that texts can have; the others are not UTF-8, and the end mark, which is never looked up."""
        for row, word in enumerate(words):
            try:
                spelled = self._spell(word.decode())
            except UnicodeDecodeError:
                continue
            if spelled is not None:
                yield row, spelled

    def _spell(self, text: str) -> Units | None:
        """Write words between single spaces, before and after them too, in 16 bits; ``None`` for the unusual."""
        if len(text) > _LONGEST or LABEL_MARK in text or END_MARK in text:
            return None
        for separator in _SEPARATORS:
            text = text.replace(separator, " ")
        while "  " in text:
            text = text.replace("  ", " ")
        text = f" {text.strip(' ')} "
        try:
            encoded = text.encode("utf-16-le")
        except UnicodeEncodeError:  # lone surrogates: what becomes of them is the caller's choice
            return None
        if len(encoded) > 2 * len(text):
            if not self._learn_astral(text):
                return None
            encoded = _ASTRAL.sub(lambda found: self._astral[found[0]], text).encode("utf-16-le", "surrogatepass")
        return np.frombuffer(encoded, "<u2")

    def _learn_astral(self, text: str) -> bool:
        """Let surrogates, which no text has, stand for characters beyond 16 bits, as long as there are any."""
        for character in dict.fromkeys(_ASTRAL.findall(text)):
            if character not in self._astral:
                if len(self._astral) == _SURROGATE_COUNT:
                    return False
                unit = _SURROGATES + len(self._astral)
                self._utf8.assign(unit, character)
                self._astral[character] = chr(unit)
        return True

    def _make_room(self) -> None:
        """Forget, between groups, what surrogates stand for when all are given, and with it all windows."""
        if len(self._astral) == _SURROGATE_COUNT:
            self._astral = dict(self._first_astral)
            self._windows.forget()

    def _answer(self, spelled: list[Units], decimals: int) -> list[Answer]:
        units = np.concatenate([*spelled, np.full(REACH, SPACE, np.uint16)])
        places = self._windows.find(units)
        self._put_words(units, places)
        sizes = np.array([len(text) for text in spelled], np.intp)
        grid, firsts = _lay_out(places, np.cumsum(sizes) - sizes)
        best = self._output(mean_rows(self._sum(grid), firsts, self._end_rows))
        rows = zip(best.labels.tolist(), best.lowest.tolist(), best.highest.tolist(), best.sure.tolist(), strict=True)
        answers: list[Answer] = []
        for label, lowest, highest, sure in rows:
            score = round(lowest, decimals)
            answers.append((self._labels[label], score) if sure and score == round(highest, decimals) else None)
        return answers

    def _put_words(self, units: Units, places: NDArray[np.int32]) -> None:
        """Let a word with a row of its own take the place of the window it starts with."""
        spaces = np.flatnonzero(units == SPACE)
        offsets = ((spaces + 1) * 2).astype(np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(units)]
        tokens = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
        words = pc.fill_null(pc.index_in(tokens, self._words), -1).to_numpy(zero_copy_only=False)
        known = np.flatnonzero(words >= 0)
        places[spaces[known]] = words[known] + 1

    def _sum(self, grid: NDArray[np.int32]) -> Partial:
        stored = self._windows.stored
        sums = np.zeros((len(grid), stored.sums.shape[1]), np.float32)
        rows = np.empty((_GRID_ROWS, stored.sums.shape[1]), np.float32)
        for start in range(0, len(grid), _GRID_ROWS):
            part = sums[start : start + _GRID_ROWS]
            # One column of many blocks at a time: long additions, not many short ones.
            for column in np.ascontiguousarray(grid[start : start + _GRID_ROWS].T.astype(np.intp)):
                stored.sums.take(column, 0, rows[: len(part)], "clip")
                part += rows[: len(part)]
        counts = stored.counts.take(grid, mode="clip").sum(axis=1)
        return Partial(sums, counts, stored.lengths.take(grid, mode="clip").sum(axis=1))


def _lay_out(places: NDArray[np.int32], starts: NDArray[np.intp]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Arrange the places that have rows in blocks, each of one text; give the first block of each text, too."""
    used = np.flatnonzero(places != 0)
    bounds = np.append(np.searchsorted(used, starts), len(used))
    counts = np.diff(bounds)
    blocks = np.maximum(-(-counts // BLOCK), 1)
    firsts = np.cumsum(blocks) - blocks
    grid = np.zeros(int(blocks.sum()) * BLOCK, np.int32)
    grid[np.arange(len(used)) + np.repeat(firsts * BLOCK - bounds[:-1], counts)] = places[used]
    return grid.reshape(-1, BLOCK), firsts
