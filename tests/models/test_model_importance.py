"""Both importances of a model: its own account, and what it loses with a feature shuffled, by rows and windows, many and few."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_rows import drawn

from barsmith.metrics.classification import weighted_log_loss
from barsmith.models import BaseModel, ModelInfo, ModelRegistry, PredictionOutput, fit_model
from barsmith.models import importance as rules
from barsmith.models.importance import feature_importance

X, Y, _ = drawn(n=80, features=3)
SESSION = np.arange(80) // 10
NAMES = ("a", "b", "c")


class First(BaseModel):
    """Answers by the first feature of the last bar alone."""

    asked = 0

    def fit(self, X_train, y_train, X_val, y_val): ...

    def predict(self, X):
        self.asked += len(X)
        last = np.asarray(X).reshape(len(X), -1, X.shape[-1])[:, -1]
        pull = np.clip(last[:, :1].astype(float) * 0.3, -0.3, 0.3)
        return PredictionOutput.of(np.hstack([1 / 3 - pull, np.full_like(pull, 1 / 3), 1 / 3 + pull]))


class LastBar(First):
    info = ModelInfo("last_bar", "neural", "sequence", "")


def fitted(rows=X, cost=1.0):
    model = First() if rows.ndim == 2 else LastBar()
    fit_model(model, rows, Y[: len(rows)], feature_names=NAMES)
    model.row_cost = lambda: cost
    return model


def test_it_is_what_shuffling_a_column_by_hand_costs():
    before, model = X.copy(), fitted()
    found = feature_importance(model, X, Y, SESSION, NAMES, seed=1)
    assert (found.own, found.own_is) == (None, "")
    assert (found.rows, found.of, found.shuffles) == (80, 80, 3)
    one = found.permutation[0]
    assert one.feature == "a"
    assert one.interval[0] < one.worse_by < one.interval[1]
    assert [each.worse_by for each in found.permutation[1:]] == [0.0, 0.0]  # the model does not read them
    assert np.array_equal(X, before)
    assert feature_importance(model, X, Y, SESSION, NAMES, seed=1) == found
    costs = []
    for stream in np.random.SeedSequence([1, *b"permutation"]).spawn(4)[:-1]:
        shuffled = X.copy()
        shuffled[:, 0] = X[np.random.default_rng(stream).permutation(80), 0]
        costs.append(weighted_log_loss(Y, model.predict(shuffled).probabilities) - weighted_log_loss(Y, model.predict(X).probabilities))
    assert one.worse_by == pytest.approx(np.mean(costs), abs=1e-12)


@pytest.mark.parametrize(
    ("most", "cost", "rows", "shuffles"), [(3 * 240, 1.0, 80, 3), (2 * 240, 1.0, 80, 2), (240, 1.0, 80, 1), (210, 1.0, 70, 1), (420, 2.0, 70, 1)]
)  # fmt: skip
def test_where_it_would_be_long_there_are_fewer_orders_and_then_fewer_rows(monkeypatch, most, cost, rows, shuffles):
    monkeypatch.setattr(rules, "MOST_ROWS", most)
    monkeypatch.setattr(rules, "FEWEST", 5)
    model = fitted(cost=cost)
    model.asked = 0
    found = feature_importance(model, X, Y, SESSION, NAMES)
    assert (found.rows, found.of, found.shuffles) == (rows, 80, shuffles)
    assert model.asked == rows * (3 * shuffles + 1)


def test_a_windows_whole_course_is_shuffled_and_a_sample_of_views_is_enough(monkeypatch):
    table = np.random.default_rng(3).normal(size=(90, 3)).astype(np.float32)
    windows = np.stack([table[i : i + 4] for i in range(80)])
    whole = feature_importance(fitted(windows), windows, Y, SESSION, NAMES)
    assert {one.feature for one in whole.permutation if one.worse_by} == {"a"}
    monkeypatch.setattr(rules, "MOST_WINDOWS", 0)
    few = feature_importance(fitted(windows), windows, Y, SESSION, NAMES)
    assert (few.rows, few.shuffles) == (rules.FEWEST, 1)


def test_a_models_own_account_stands_beside_it():
    rows, y, _ = drawn(n=300, features=3)
    model = ModelRegistry.create("xgboost", n_estimators=5, n_jobs=1)
    fit_model(model, rows, y, feature_names=NAMES)
    found = feature_importance(model, rows, y, np.arange(300) // 10, NAMES)
    assert found.own == model.get_feature_importance()
    assert found.own_is == "Share of the total gain of all splits on the feature."
    assert max(found.own, key=found.own.get) == found.permutation[0].feature


def test_an_svm_of_many_landmarks_is_asked_less():
    costs = []
    for count in (30, 600):
        model = ModelRegistry.create("svm", n_components=count)
        fit_model(model, *drawn(n=900, features=3)[:2])
        costs.append(model.row_cost())
    assert costs == [30 * 3 / 45_000, 600 * 3 / 45_000]
