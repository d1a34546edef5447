"""The scorer of trees: one compiled walk over flat nodes, for one live row and for a whole table, to the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from barsmith.compiled import njit
from barsmith.models.base import PredictionOutput
from barsmith.models.params import CLASSES
from barsmith.models.softmax import mean_row, softmax_row
from barsmith.models.trees.forest import Forest

#: Walks that take their steps together.
TOGETHER = 64


@njit(nogil=True)
def lay_flat(
    starts: Any, left: Any, right: Any, feature: Any, threshold: Any, leaf_row: Any, nodes: Any, values: Any, roots: Any, depths: Any
) -> None:
    """Fill nodes (n, 4) uint32, seen as float32 through `values`: feature, threshold, left child, row of `leaves`; siblings stand side by side.

    A leaf is its own left child behind a threshold that nothing reaches, so a walk may take more steps than its tree is deep.
    """
    place = np.empty(len(left), np.int64)
    depth = np.zeros(len(left), np.int64)
    for tree in range(len(roots)):
        start, free = starts[tree], starts[tree] + 1
        place[start], roots[tree], depths[tree] = start, start, 0
        for node in range(start, starts[tree + 1]):
            at = place[node]
            if left[node] < 0:
                nodes[at, 0], values[at, 1], nodes[at, 2], nodes[at, 3] = 0, np.inf, at, leaf_row[node]
                continue
            for side in range(2):
                child = start + (left[node] if side == 0 else right[node])
                place[child], depth[child] = free + side, depth[node] + 1
            depths[tree] = max(depths[tree], depth[node] + 1)
            nodes[at, 0], values[at, 1], nodes[at, 2], nodes[at, 3] = feature[node], threshold[node], free, 0
            free += 2


@njit(nogil=True)
def walk(
    X: Any,
    nodes: Any,
    values: Any,
    leaves: Any,
    roots: Any,
    depths: Any,
    base: Any,
    is_mean: Any,
    margins: Any,
    probabilities: Any,
    signal: Any,
    confidence: Any,
) -> None:
    """Margins in float64, added tree by tree in the trees' order, whatever the number of rows.

    About 64 walks, of many rows through one tree or of one row through many, take each step together, so that the processor waits
    for many nodes at once. Indices are unsigned: a signed one costs a test for "from the end" at every node.
    """
    word = np.uintp
    one = word(1)
    at = np.empty(TOGETHER, word)
    votes_alone = leaves.shape[1] == 1
    for first in range(0, len(X), TOGETHER):
        rows = min(TOGETHER, len(X) - first)
        for i in range(rows):
            for k in range(CLASSES):
                margins[first + i, k] = base[k]
        for tree in range(0, len(roots), TOGETHER // rows):
            behind = min(tree + TOGETHER // rows, len(roots))
            steps, w = 0, word(0)
            for t in range(tree, behind):
                steps = max(steps, depths[t])
                for _ in range(rows):
                    at[w] = roots[t]
                    w += one
            for _ in range(steps):
                w = word(0)
                for _ in range(tree, behind):
                    for i in range(rows):
                        node = at[w]
                        is_right = X[word(first + i), word(nodes[node, word(0)])] >= values[node, one]
                        at[w] = word(nodes[node, word(2)]) + (one if is_right else word(0))
                        w += one
            w = word(0)
            for t in range(tree, behind):
                for i in range(rows):
                    leaf = word(nodes[at[w], word(3)])
                    if votes_alone:
                        margins[word(first + i), word(t % CLASSES)] += leaves[leaf, word(0)]
                    else:
                        for k in range(CLASSES):
                            margins[word(first + i), word(k)] += leaves[leaf, word(k)]
                    w += one
        for i in range(rows):
            if is_mean:
                mean_row(margins, first + i, len(roots), probabilities, signal, confidence)
            else:
                softmax_row(margins, first + i, probabilities, signal, confidence)


@dataclass(frozen=True, eq=False)
class FlatTrees:
    """A forest as the walk wants it: 16 bytes a node, and the leaves' float64 values beside them.

    is_mean: the leaves hold probabilities, and the answer is their mean over the trees; else margins, whose softmax it is.
    """

    nodes: np.ndarray
    values: np.ndarray
    leaves: np.ndarray
    roots: np.ndarray
    depths: np.ndarray
    base: np.ndarray
    is_mean: bool

    @classmethod
    def of(cls, forest: Forest, *, is_mean: bool = False) -> Self:
        nodes = np.zeros((len(forest.left), 4), np.uint32)
        values = nodes.view(np.float32)
        trees = len(forest.starts) - 1
        roots, depths = np.zeros(trees, np.uint32), np.zeros(trees, np.int64)
        is_leaf = forest.left < 0
        leaf_row = np.cumsum(is_leaf) - 1
        lay_flat(forest.starts, forest.left, forest.right, forest.feature, forest.threshold, leaf_row, nodes, values, roots, depths)
        return cls(nodes, values, np.ascontiguousarray(forest.leaf[is_leaf]), roots, depths, forest.base, is_mean)

    def answers(self, X: np.ndarray) -> PredictionOutput:
        """(N, F) finite float32 rows in C order -> probabilities, without the GIL."""
        n = len(X)
        margins, probabilities = np.empty((n, CLASSES)), np.empty((n, CLASSES))
        signal, confidence = np.empty(n, np.int8), np.empty(n)
        walk(
            X,
            self.nodes,
            self.values,
            self.leaves,
            self.roots,
            self.depths,
            self.base,
            self.is_mean,
            margins,
            probabilities,
            signal,
            confidence,
        )
        return PredictionOutput.from_scorer(signal, confidence, probabilities)
