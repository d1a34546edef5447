"""Each architecture learns what is there to learn, by heart and by rule, through the shared trainer."""

from __future__ import annotations

import numpy as np
import pytest
from planted_windows import SMALL, pulses, swings

from barsmith.models import ModelRegistry, fit_model, predict_model

#: The TFT takes five times as many rows over the product of two signs (a test of its own); of how wide a feature swings it learns fast.
RULES = dict.fromkeys(SMALL, pulses) | {"tft": swings}
#: Epochs in which 256 windows are known by heart.
BY_HEART = dict.fromkeys(SMALL, 25) | {"tft": 60}


@pytest.mark.parametrize("rule", [pulses, swings])
def test_no_linear_model_knows_the_rule(rule):
    from sklearn.linear_model import LogisticRegression

    (X, y), (fresh, wanted) = rule(1500, seed=1), rule(1500, seed=2)
    linear = LogisticRegression(max_iter=500).fit(X.reshape(len(X), -1), y)
    assert linear.score(fresh.reshape(len(fresh), -1), wanted) < 0.42


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_what_no_linear_model_can(name):
    (X, y), (fresh, wanted) = RULES[name](800, seed=1), RULES[name](500, seed=2)
    model = ModelRegistry.create(name, max_epochs=7, batch_size=32, learning_rate=0.01, n_jobs=1, **SMALL[name])
    fit_model(model, X, y)
    assert (predict_model(model, fresh).classes == wanted).mean() > 0.9


@pytest.mark.slow
def test_a_tft_learns_the_product_of_two_signs_of_4000_windows():
    (X, y), (fresh, wanted) = pulses(4000, seed=1), pulses(500, seed=2)
    model = ModelRegistry.create("tft", max_epochs=6, batch_size=32, learning_rate=0.003, n_jobs=1, **SMALL["tft"])
    fit_model(model, X, y, seed=0)
    assert (predict_model(model, fresh).classes == wanted).mean() > 0.9


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_256_senseless_windows_by_heart(name):
    random = np.random.default_rng(5)
    X, y = random.normal(size=(256, 16, 4)).astype(np.float32), random.integers(-1, 2, 256).astype(np.int8)
    sizes = {**SMALL[name], "weight_decay": 0.0, "max_epochs": BY_HEART[name]}
    model = ModelRegistry.create(name, batch_size=32, learning_rate=0.01, n_jobs=1, **sizes)
    fit_model(model, X, y)
    assert (predict_model(model, X).classes == y).mean() > 0.99


@pytest.mark.parametrize("name", SMALL)
def test_batches_of_one_window_and_windows_of_one_bar_train(name):
    random = np.random.default_rng(5)
    for steps, rows in ((16, 1), (16, 3), (1, 1), (1, 3)):
        X, y = random.normal(size=(rows, steps, 1)).astype(np.float32), random.integers(-1, 2, rows).astype(np.int8)
        short = {"seq_len": 1, "patch_len": 1} if name == "patchtst" and steps == 1 else {}
        model = ModelRegistry.create(name, max_epochs=2, batch_size=1, n_jobs=1, **{**SMALL[name], **short})
        fit_model(model, X, y)
        assert np.isfinite(predict_model(model, X).probabilities).all()


@pytest.mark.parametrize("name", [name for name in SMALL if name != "nhits"])
def test_bars_of_several_timeframes_are_learned_from_though_they_move_a_thousandth(name):
    random = np.random.default_rng(5)
    X, y = random.normal(size=(400, 2, 8, 4)).astype(np.float32), random.integers(-1, 2, 400).astype(np.int8)
    X[:, 1, 4:, 3] += 3.0 * y[:, None]  # of the second timeframe the last four closes
    X *= 0.001
    short = {"seq_len": 8} if name == "patchtst" else {}
    sizes = {**SMALL[name], **short, "strategy": "ingestion", "timeframes": ["1m", "5m"]}
    model = ModelRegistry.create(name, max_epochs=12, batch_size=32, learning_rate=0.01, n_jobs=1, **sizes)
    fit_model(model, X[:300], y[:300])
    assert (predict_model(model, X[300:]).classes == y[300:]).mean() > 0.75
