"""Which columns say something of their own: constants and near-copies are left out, decided on the training slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Selection:
    """kept: names in their order. constant: dropped for never changing. correlated: {dropped: the earlier kept column that it repeats}."""

    kept: tuple[str, ...]
    constant: tuple[str, ...]
    correlated: dict[str, str]


def correlations(X: np.ndarray) -> np.ndarray:
    """(F, F) absolute Pearson correlations; a value that is not finite counts as its column's mean, a constant column as unrelated."""
    Z = np.zeros(X.shape, order="F")
    for j in range(X.shape[1]):
        finite = np.isfinite(X[:, j])
        column = X[finite, j]
        if len(column) and column.max() > column.min():
            column = column - column.mean()
            column /= np.abs(column).max()  # before squaring, so that neither tiny nor huge units overflow
            Z[finite, j] = column / np.sqrt((column * column).sum())
    return np.abs(Z.T @ Z)


def constant_columns(X: np.ndarray) -> np.ndarray:
    """(F,) bool: columns whose finite values are all the same, or that have none."""
    finite = np.isfinite(X)
    highest = np.where(finite, X, -np.inf).max(axis=0, initial=-np.inf)
    lowest = np.where(finite, X, np.inf).min(axis=0, initial=np.inf)
    return np.asarray(~(highest > lowest))


def uncorrelated(X_train: np.ndarray, names: Sequence[str], maximum: float = 0.95) -> Selection:
    """Drop constant columns, then every column that is correlated above `maximum` with an earlier kept one.

    X_train: (N, F) settled rows of the training slice, and of no other. The earlier column is kept.
    """
    constant = constant_columns(X_train)
    related = correlations(X_train)
    kept: list[int] = []
    correlated: dict[str, str] = {}
    for j in np.flatnonzero(~constant).tolist():
        twins = [i for i in kept if related[i, j] > maximum]
        if twins:
            correlated[names[j]] = names[twins[0]]
        else:
            kept.append(j)
    return Selection(tuple(names[j] for j in kept), tuple(names[j] for j in np.flatnonzero(constant).tolist()), correlated)
