"""Which features a small probe leans on, and which say the same as others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barsmith.labels.probe import RidgeProbe

DRAWS = 500
SHUFFLES = 3


@dataclass(frozen=True)
class Importance:
    """How much worse the probe's Brier score on validation becomes when a feature is shuffled. interval: 95 %, whole sessions drawn."""

    feature: str
    worse_by: float
    interval: list[float]


def permutation_importance(
    X_train: np.ndarray,
    y_train: np.ndarray,
    X_val: np.ndarray,
    y_val: np.ndarray,
    session: np.ndarray,
    names: Sequence[str],
    *,
    seed: np.random.SeedSequence,
) -> list[Importance]:
    """Every feature's importance for a ridge regression on the three classes, highest first.

    X: (N, F) float32, scaled, without holes. y: -1, 0, +1. session: (M,) of the validation rows. A feature is shuffled over all validation rows,
    SHUFFLES times, and the mean taken; the probe is linear, so that only the feature's own part of its forecast is made again.
    Source: Breiman (2001), section 10; Lopez de Prado (2018), section 8.3.2, without refitting.
    """
    from threadpoolctl import threadpool_limits

    classes = np.array([-1, 0, 1])
    n, X = len(X_train), np.concatenate((X_train, X_val))
    wanted = (np.concatenate((y_train, y_val))[:, None] == classes).astype(np.float32)
    with threadpool_limits(1):
        weights, centre = RidgeProbe.over(X, gap=0, tests=[(n, len(X))]).coefficients(wanted)[0]
    left = wanted[n:] - wanted[:n].mean(axis=0) - (X_val - centre) @ weights
    _, where = np.unique(session, return_inverse=True)
    rows = np.bincount(where)
    streams = seed.spawn(SHUFFLES + 1)
    orders = [np.random.default_rng(child).permutation(len(X_val)) for child in streams[:-1]]
    drawn = np.random.default_rng(streams[-1]).integers(0, len(rows), (DRAWS, len(rows)))
    found = []
    for j, name in enumerate(names):
        worse = np.zeros(len(X_val))
        for order in orders:
            moved = np.outer(X_val[order, j] - X_val[:, j], weights[j])
            worse += np.sum((left - moved) ** 2 - left**2, axis=1) / len(orders)
        sums = np.bincount(where, worse)
        means = sums[drawn].sum(axis=1) / rows[drawn].sum(axis=1)
        found.append(Importance(name, float(worse.mean()), np.percentile(means, (2.5, 97.5)).tolist()))
    return sorted(found, key=lambda one: -one.worse_by)


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
