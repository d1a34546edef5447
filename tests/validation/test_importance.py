"""Permutation importance against a model fitted and shuffled the slow way, and groups of features by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from barsmith.labels.probe import PENALTY
from barsmith.metrics.permutation import SHUFFLES
from barsmith.validation.importance import clusters, correlation_tree, in_tree_order, probe_importance

NAMES = ("knows", "copy of nothing", "noise")


def market(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    return X, np.sign(np.round(X[:, 0] + rng.normal(0.0, 0.5, n))).astype(np.int8)


def test_the_feature_that_knows_the_label_comes_first_and_noise_costs_nothing():
    (X, y), (V, w) = market(2000, 1), market(1000, 2)
    found = probe_importance(X, y, V, w, np.arange(1000) // 50, NAMES, seed=np.random.SeedSequence(3))
    assert found[0].feature == "knows"
    assert found[0].interval[0] > 0.05
    assert all(abs(one.worse_by) < 0.01 and one.interval[0] < 0.01 for one in found[1:])
    assert found == probe_importance(X, y, V, w, np.arange(1000) // 50, NAMES, seed=np.random.SeedSequence(3))


def test_it_is_what_shuffling_a_fitted_ridge_regression_s_input_costs():
    (X, y), (V, w) = market(800, 1), market(300, 2)
    seed = np.random.SeedSequence(3)
    found = {one.feature: one.worse_by for one in probe_importance(X, y, V, w, np.arange(300) // 30, NAMES, seed=seed)}
    mean, spread, classes = X.mean(axis=0), X.std(axis=0), np.array([-1, 0, 1])
    model = Ridge(alpha=PENALTY * len(X)).fit((X - mean) / spread, y[:, None] == classes)

    def brier(rows: np.ndarray) -> float:
        return float(np.mean(np.sum((model.predict((rows - mean) / spread) - (w[:, None] == classes)) ** 2, axis=1)))

    for j, name in enumerate(NAMES):
        costs = []
        for child in np.random.SeedSequence(3).spawn(SHUFFLES + 1)[:-1]:
            shuffled = V.copy()
            shuffled[:, j] = V[np.random.default_rng(child).permutation(len(V)), j]
            costs.append(brier(shuffled) - brier(V))
        assert found[name] == pytest.approx(np.mean(costs), abs=1e-4)


def test_features_that_move_together_are_one_group_and_a_lonely_one_is_none():
    related = np.array([[1.0, 0.9, 0.1, 0.0], [0.9, 1.0, 0.2, 0.0], [0.1, 0.2, 1.0, 0.1], [0.0, 0.0, 0.1, 1.0]])
    assert clusters(correlation_tree(related), ["a", "b", "c", "d"]) == [["a", "b"]]
    assert clusters(correlation_tree(related[:1, :1]), ["a"]) == []


def test_in_the_order_of_the_tree_the_most_alike_stand_together():
    #    a and c move together, b and d do
    related = np.array([[1.0, 0.1, 0.9, 0.2], [0.1, 1.0, 0.0, 0.8], [0.9, 0.0, 1.0, 0.1], [0.2, 0.8, 0.1, 1.0]])
    ordered, names = in_tree_order(correlation_tree(related), related, ["a", "b", "c", "d"])
    assert sorted(map(sorted, (names[:2], names[2:]))) == [["a", "c"], ["b", "d"]]
    assert all(ordered[i, j] == related["abcd".index(x), "abcd".index(y)] for i, x in enumerate(names) for j, y in enumerate(names))
    alone, name = in_tree_order(correlation_tree(related[:1, :1]), related[:1, :1], ["a"])
    assert (alone.tolist(), name) == ([[1.0]], ["a"])
