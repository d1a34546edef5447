"""Random windows, and a feature matrix to cut them from."""

from __future__ import annotations

import numpy as np

from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.windows import Windows

QUICK = {"n_jobs": 1, "dropout": 0.0}


def windows(n: int = 300, length: int = 6, features: int = 4, seed: int = 3) -> Windows:
    """n windows over a matrix of n + length - 1 rows, each one row later than the one before."""
    rows = n + length - 1
    X = np.random.default_rng(seed).normal(size=(rows, features)).astype(np.float32)
    at = np.arange(rows, dtype=np.int64)
    return Windows(FeatureMatrix(X, at, at * 0, np.ones(rows, np.bool_), at * 0), at[length - 1 :], length)


def order_of_events(n: int = 1200, length: int = 8, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """X (n, length, 3), y (n,) +1 or -1: the signs of the first feature at the last bar and of the second two bars before, multiplied.

    Every feature alone says nothing, so no linear model does better than a coin.
    """
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, length, 3)).astype(np.float32)
    return X, (np.sign(X[:, -1, 0]) * np.sign(X[:, -3, 1])).astype(np.int8)


def drawn_answers(X: np.ndarray, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """y (n,) mostly told by the mean of the first feature, weight (n,) float32."""
    random = np.random.default_rng(seed)
    pull = X[:, :, 0].mean(axis=1) * np.sqrt(X.shape[1]) + random.normal(0.0, 0.5, len(X))
    return (pull > 0.5).astype(np.int8) - (pull < -0.5).astype(np.int8), random.uniform(0.5, 1.5, len(X)).astype(np.float32)
