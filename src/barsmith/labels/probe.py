"""A simple model of labels, quick enough to be asked hundreds of times: ridge regression, out of fold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FOLDS = 5
PENALTY = 0.1
"""Ridge penalty in units of a standardised column's variance."""


@dataclass(frozen=True, eq=False)
class RidgeProbe:
    """X: (n, p) float32, rows in the order of time. parts: bounds of row stretches. tests: rows of each fold.

    learns_from: (folds, stretches) bool, which stretches a fold may learn from: all but its own rows and `gap` rows on either side.
    mean, inverse: of each fold, (p,) and (p, p): the scaled columns' centre, and what turns X'y into coefficients.
    """

    X: np.ndarray
    parts: list[tuple[int, int]]
    tests: list[tuple[int, int]]
    learns_from: np.ndarray
    counts: np.ndarray
    mean: np.ndarray
    inverse: np.ndarray

    @classmethod
    def over(cls, X: np.ndarray, *, gap: int, tests: Sequence[tuple[int, int]] | None = None) -> RidgeProbe:
        """Each fold's Gram matrix, inverted once. gap: rows left out on either side of a fold. tests: the folds' rows, five even ones by default."""
        n, p = X.shape
        edges = np.linspace(0, n, FOLDS + 1).astype(int).tolist()
        tests = list(itertools.pairwise(edges)) if tests is None else list(tests)
        cuts = sorted({0, n, *(max(0, low - gap) for low, _ in tests), *(min(n, high + gap) for _, high in tests), *sum(tests, ())})
        parts = list(itertools.pairwise(cuts))
        free = np.array([[high <= a - gap or low >= b + gap for low, high in parts] for a, b in tests])
        sums = np.stack([X[low:high].sum(axis=0, dtype=np.float64) for low, high in parts])
        grams = np.stack([(X[low:high].T @ X[low:high]).astype(np.float64) for low, high in parts])
        rows = np.array([high - low for low, high in parts])
        counts = free @ rows
        mean = (free @ sums) / counts[:, None]
        inverse = np.empty((len(tests), p, p))
        for fold in range(len(tests)):
            covariance = grams[free[fold]].sum(axis=0) / counts[fold] - np.outer(mean[fold], mean[fold])
            spread = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
            ridge = np.linalg.inv(covariance / np.outer(spread, spread) + PENALTY * np.eye(p))
            inverse[fold] = ridge / np.outer(spread, spread)
        return cls(X, parts, tests, free, counts, mean, inverse)

    def coefficients(self, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each fold its (p, c) weights and the (p,) float32 point at which it forecasts the average. y: (n, c) float32."""
        sums = np.stack([self.X[low:high].T @ y[low:high] for low, high in self.parts]).astype(np.float64)
        totals = np.stack([y[low:high].sum(axis=0, dtype=np.float64) for low, high in self.parts])
        found = []
        for fold, known in enumerate(self.learns_from):
            average = totals[known].sum(axis=0) / self.counts[fold]
            covariance = sums[known].sum(axis=0) / self.counts[fold] - np.outer(self.mean[fold], average)
            found.append(((self.inverse[fold] @ covariance).astype(np.float32), self.mean[fold].astype(np.float32)))
        return found

    def out_of_fold(self, y: np.ndarray) -> np.ndarray:
        """(n, c) float32: how far above its average each of c targets is expected, by the fold that did not learn from the row; 0 in no fold.

        y: (n, c) float32.
        """
        out = np.zeros(y.shape, np.float32)
        for (low, high), (weights, centre) in zip(self.tests, self.coefficients(y), strict=True):
            out[low:high] = self.X[low:high] @ weights - centre @ weights
        return out
