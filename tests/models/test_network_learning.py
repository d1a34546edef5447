"""What each network must be able to learn: 256 rows by heart, and an order of events that no linear model sees."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_windows import order_of_events

from barsmith.models import ModelRegistry, fit_model, predict_model
from barsmith.models.params import EarlyStopping

NAMES = list("abc")
SIZES = {
    "lstm": {"hidden": 32, "layers": 1, "learning_rate": 0.02},
    "gru": {"hidden": 32, "layers": 1, "learning_rate": 0.02},
    "tcn": {"channels": 24, "learning_rate": 0.01},
    "transformer": {"d_model": 32, "heads": 4, "d_feedforward": 64, "learning_rate": 0.01},
}
LEARNING = {"n_jobs": 1, "dropout": 0.0, "batch_size": 32}


@pytest.mark.parametrize("name", SIZES)
def test_it_learns_256_rows_of_noise_by_heart(name):
    random = np.random.default_rng(1)
    X, y = random.normal(size=(256, 8, 3)).astype(np.float32), random.choice([-1, 0, 1], 256).astype(np.int8)
    off = EarlyStopping(enabled=False)
    model = ModelRegistry.create(name, max_epochs=60, early_stopping=off, **LEARNING, **SIZES[name])
    fit_model(model, X, y, feature_names=NAMES)
    assert (predict_model(model, X).classes == y).mean() > 0.99


@pytest.mark.parametrize("name", SIZES)
def test_it_learns_an_order_of_events_that_a_linear_model_cannot(name):
    X, y = order_of_events(1600)
    fit, stop, judged = slice(0, 1000), slice(1000, 1200), slice(1200, 1600)
    model = ModelRegistry.create(name, max_epochs=25, **LEARNING, **SIZES[name])
    fit_model(model, X[fit], y[fit], X[stop], y[stop], feature_names=NAMES)
    assert (predict_model(model, X[judged]).classes == y[judged]).mean() > 0.85
    flat = X.reshape(len(X), -1)
    linear = ModelRegistry.create("logistic")
    fit_model(linear, flat[:1200], y[:1200])
    assert (predict_model(linear, flat[judged]).classes == y[judged]).mean() < 0.56
