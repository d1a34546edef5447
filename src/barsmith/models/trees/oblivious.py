"""Oblivious trees, each of whose levels asks one question of every row: checked arrays and the compiled walk that scores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.compiled import njit
from barsmith.models.base import PredictionOutput
from barsmith.models.params import CLASSES
from barsmith.models.softmax import softmax_row
from barsmith.models.trees.forest import shares


@dataclass(frozen=True, eq=False)
class ObliviousTrees:
    """Trees laid end to end; tree t asks the questions `starts[t]` to `starts[t + 1]`, the first answer is the lowest bit of its leaf.

    base: (3,) margins before the first tree. feature, threshold: (S,) answer yes where x >= threshold, float32. leaf_starts: (T + 1,)
    where each tree's leaves begin. leaves: (L, 3) float64. leaf_weights: (L,) of the training rows.
    """

    feature_names: tuple[str, ...]
    base: np.ndarray
    starts: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    leaf_starts: np.ndarray
    leaves: np.ndarray
    leaf_weights: np.ndarray

    @property
    def rounds(self) -> int:
        return len(self.starts) - 1

    def answers(self, X: np.ndarray) -> PredictionOutput:
        """(N, F) finite float32 rows in C order -> probabilities, without the GIL."""
        n = len(X)
        margins, probabilities = np.empty((n, CLASSES)), np.empty((n, CLASSES))
        signal, confidence = np.empty(n, np.int8), np.empty(n)
        trees = (self.base, self.starts, self.feature, self.threshold, self.leaf_starts, self.leaves)
        walk_oblivious(X, *trees, margins, probabilities, signal, confidence)
        return PredictionOutput.from_scorer(signal, confidence, probabilities)

    def importance(self) -> dict[str, float]:
        """By feature, how much its questions change the margins of the training rows; sums to one. CatBoost's PredictionValuesChange."""
        found = np.zeros(len(self.feature_names))
        for tree in range(self.rounds):
            leaves = slice(self.leaf_starts[tree], self.leaf_starts[tree + 1])
            value, weight = self.leaves[leaves], self.leaf_weights[leaves]
            for bit, split in enumerate(range(self.starts[tree], self.starts[tree + 1])):
                no = np.flatnonzero((np.arange(len(value)) >> bit & 1) == 0)
                yes = no + (1 << bit)
                both = weight[no] + weight[yes]
                pull = weight[no] * weight[yes] / np.where(both > 0.0, both, 1.0)
                found[self.feature[split]] += (((value[no] - value[yes]) ** 2).sum(axis=1) * pull).sum()
        return shares(self.feature_names, found)


@njit(nogil=True)
def walk_oblivious(
    X: Any,
    base: Any,
    starts: Any,
    feature: Any,
    threshold: Any,
    leaf_starts: Any,
    leaves: Any,
    margins: Any,
    probabilities: Any,
    signal: Any,
    confidence: Any,
) -> None:
    """Margins in float64, added tree by tree in the trees' order, whatever the number of rows."""
    word = np.uintp  # a signed index costs a test for "from the end"
    for row in range(len(X)):
        for k in range(CLASSES):
            margins[row, k] = base[k]
        for tree in range(len(starts) - 1):
            leaf, bit = word(leaf_starts[tree]), word(1)
            for split in range(starts[tree], starts[tree + 1]):
                if X[word(row), word(feature[split])] >= threshold[split]:
                    leaf += bit
                bit += bit
            for k in range(CLASSES):
                margins[word(row), word(k)] += leaves[leaf, word(k)]
        softmax_row(margins, row, probabilities, signal, confidence)
