"""Logistic regression: our scorer against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_rows import drawn
from sklearn.linear_model import LogisticRegression

from barsmith.artifacts import write_json
from barsmith.errors import IntegrityError
from barsmith.models import ModelRegistry, fit_model, load_model, save_model


def fitted(X, y, weight=None, **params):
    model = ModelRegistry.create("logistic", **params)
    return model, fit_model(model, X, y, weight_train=weight)


def test_the_scorer_gives_scikit_learns_probabilities():
    X, y, weight = drawn()
    for C in (0.01, 1.0):
        model, _ = fitted(X, y, weight, C=C)
        reference = LogisticRegression(C=C, max_iter=1000).fit(X.astype(float), y, sample_weight=weight.astype(float))
        assert np.abs(model.predict(X).probabilities - reference.predict_proba(X.astype(float))).max() < 1e-6


def test_one_row_gives_the_bits_of_the_batch_over_many_rows():
    X, y, _ = drawn(n=2000, features=33)
    model, _ = fitted(X, y)
    whole = model.predict(X).probabilities
    assert b"".join(model.predict(X[i : i + 1]).probabilities.tobytes() for i in range(2000)) == whole.tobytes()


@pytest.mark.parametrize("keep", [(-1, 1), (0, 1), (1,)])
def test_a_class_that_was_not_there_keeps_a_small_probability(keep):
    X, y, _ = drawn()
    there = np.isin(y, keep)
    model, told = fitted(X[there], y[there])
    probabilities = model.predict(X).probabilities
    for label in (-1, 0, 1):
        mean = probabilities[:, label + 1].mean()
        assert (mean > 0.1) if label in keep else (0.0 < mean < 0.05)
    assert told.n_fit == there.sum()


def test_a_search_that_was_cut_short_says_so():
    X, y, _ = drawn()
    assert "not converged after 1 iterations" in fitted(X, y, max_iter=1)[1].notes[0]
    assert fitted(X, y)[1].notes == ()


def test_importance_follows_the_weights():
    X, y, _ = drawn()
    model = ModelRegistry.create("logistic")
    fit_model(model, X, y, feature_names=("pull", "bend", "n1", "n2", "n3"))
    importance = model.get_feature_importance()
    assert max(importance, key=importance.get) == "pull"
    assert sum(importance.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "weights",
    [
        {"weights": [[0.0] * 4] * 3, "intercepts": [0.0] * 3},
        {"weights": [[0.0] * 5] * 2, "intercepts": [0.0] * 3},
        {"weights": [[0.0] * 5] * 3, "intercepts": [0.0]},
        {"weights": [["a"] * 5] * 3, "intercepts": [0.0] * 3},
        {"weights": [[0.0] * 5, [0.0] * 4, [0.0] * 5], "intercepts": [0.0] * 3},
        {"weights": 10**400, "intercepts": [0.0] * 3},
        {"weights": [[1e308] * 5] * 3, "intercepts": [0.0] * 3},
        {"intercepts": [0.0] * 3},
        [],
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, weights):
    X, y, _ = drawn()
    save_model(fitted(X, y)[0], tmp_path)
    write_json(tmp_path / "weights.json", weights)
    with pytest.raises(IntegrityError) as error:
        load_model(tmp_path)
    assert error.value.code == "bundle/structure"
