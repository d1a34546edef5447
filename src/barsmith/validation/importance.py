"""Which features a small probe leans on, and which say the same as others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from barsmith.labels.probe import RidgeProbe
from barsmith.metrics.permutation import Importance, permutation_importance


def probe_importance(
    X_train: np.ndarray,
    y_train: np.ndarray,
    X_val: np.ndarray,
    y_val: np.ndarray,
    session: np.ndarray,
    names: Sequence[str],
    *,
    seed: np.random.SeedSequence,
) -> list[Importance]:
    """By how much a ridge regression's Brier score on validation becomes worse with each feature shuffled, highest first.

    X: (N, F) float32, scaled, without holes. y: -1, 0, +1. session: (M,) of the validation rows. The probe is linear, so that only the
    feature's own part of its forecast is made again.
    """
    from threadpoolctl import threadpool_limits

    classes = np.array([-1, 0, 1])
    n, X = len(X_train), np.concatenate((X_train, X_val))
    wanted = (np.concatenate((y_train, y_val))[:, None] == classes).astype(np.float32)
    with threadpool_limits(1):
        weights, centre = RidgeProbe.over(X, gap=0, tests=[(n, len(X))]).coefficients(wanted)[0]
    left = wanted[n:] - wanted[:n].mean(axis=0) - (X_val - centre) @ weights

    def worse(column: int, order: np.ndarray) -> np.ndarray:
        moved = np.outer(X_val[order, column] - X_val[:, column], weights[column])
        return np.asarray(np.sum((left - moved) ** 2 - left**2, axis=1))

    return permutation_importance(names, session, worse, seed=seed)


def clusters(tree: np.ndarray, names: Sequence[str], distance: float = 0.3) -> list[list[str]]:
    """Groups of features whose average absolute correlation is above 1 - distance, largest first, those of one feature left out.

    tree: of `correlation_tree`, over the features of these names. Source: Lopez de Prado (2020), chapter 4, on 1 - |correlation|.
    """
    from scipy.cluster.hierarchy import fcluster

    if not len(tree):
        return []
    number = fcluster(tree, distance, "distance")
    groups = [[names[int(j)] for j in np.flatnonzero(number == one)] for one in np.unique(number)]
    return sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), names.index(group[0])))


def correlation_tree(related: np.ndarray) -> np.ndarray:
    """(F - 1, 4) SciPy's linkage of F features by 1 - |correlation|, the average over pairs.

    related: (F, F) absolute correlations. Nothing where there are fewer than two features.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    if len(related) < 2:
        return np.zeros((0, 4))
    apart = np.clip(1.0 - related, 0.0, 1.0)
    np.fill_diagonal(apart, 0.0)
    return np.asarray(linkage(squareform((apart + apart.T) / 2.0, checks=False), "average"))


def in_tree_order(tree: np.ndarray, related: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The correlations with rows and columns in the order of the tree's leaves, and the names in that order."""
    from scipy.cluster.hierarchy import leaves_list

    order = leaves_list(tree) if len(tree) else np.arange(len(names))
    return related[np.ix_(order, order)], [names[int(j)] for j in order]
