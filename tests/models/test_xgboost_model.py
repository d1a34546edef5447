"""XGBoost: our scorer against the library, stopping, importance, the device."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xgboost
from drawn_rows import drawn

from barsmith.errors import DataError, UsageError
from barsmith.models import ModelRegistry, fit_model, predict_model, save_model
from barsmith.models.boosting import gpu


def fitted(X, y, weight=None, **params):
    model = ModelRegistry.create("xgboost", **{"n_estimators": 15, "min_child_weight": 1.0, **params})
    model.fit(X, y, weight_train=weight)
    return model


def library(model):
    """The booster as XGBoost itself reads the file."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(model._file))
    return booster


@pytest.mark.parametrize(
    ("params", "features"),
    [
        ({}, 5),
        ({}, 1),
        ({"max_depth": 1}, 5),
        ({"max_depth": 14, "min_child_weight": 0.0}, 5),
        ({"gamma": 2.0}, 5),
        ({"n_estimators": 1}, 5),
        ({"n_estimators": 60, "learning_rate": 1.0, "subsample": 1.0, "reg_lambda": 0.0}, 5),
        ({"max_bin": 2, "reg_alpha": 1.0}, 40),
        ({"min_child_weight": 1e6}, 5),  # no split at all: every tree is a leaf
    ],
)
def test_the_scorer_gives_the_librarys_probabilities(params, features):
    X, y, weight = drawn(features=features)
    model = fitted(X, y, weight, **params)
    fresh = drawn(n=3000, features=features, seed=9)[0]
    edges = np.concatenate([fresh, X])  # training values lie on the thresholds' own side
    assert np.abs(model.predict(edges).probabilities - library(model).inplace_predict(edges)).max() < 1e-6


def test_a_value_on_the_threshold_goes_the_librarys_way():
    X = np.repeat(np.arange(8, dtype=np.float32), 40)[:, None]
    y = np.repeat([-1, 0, 1, 1, 0, -1, 1, 0], 40).astype(np.int8)
    model = fitted(X, y, subsample=1.0)
    thresholds = np.unique(model._forest.threshold[model._forest.left >= 0])
    around = np.concatenate([np.nextafter(thresholds, np.float32(-99)), thresholds, np.nextafter(thresholds, np.float32(99))])[:, None]
    assert np.abs(model.predict(around).probabilities - library(model).inplace_predict(around)).max() < 1e-6
    assert (np.diff(model.predict(np.sort(around, axis=0)).probabilities[:, 0]) != 0).any()


def test_one_row_gives_the_bits_of_the_batch_over_many_rows():
    X, y, weight = drawn(n=2000)
    model = fitted(X, y, weight)
    whole = model.predict(X).probabilities
    assert b"".join(model.predict(X[i : i + 1]).probabilities.tobytes() for i in range(2000)) == whole.tobytes()


def test_the_signal_and_the_confidence_are_those_of_the_probabilities():
    X, y, _ = drawn()
    output = fitted(X, y).predict(X)
    again = type(output).of(output.probabilities)
    assert output.signal.tolist() == again.signal.tolist() == output.classes.tolist()
    assert output.confidence.tobytes() == again.confidence.tobytes()
    assert (output.classes == y).mean() > 0.8


@pytest.mark.parametrize("params", [{}, {"gamma": 1.0}, {"max_depth": 10, "subsample": 0.5}])
def test_the_number_of_threads_changes_no_byte(params):
    X, y, weight = drawn(n=3000, features=12)
    files = {fitted(X, y, weight, n_jobs=threads, **params)._file for threads in (1, 2, 3)}
    assert len(files) == 1


def test_training_stops_after_patience_and_keeps_the_best_round():
    X, y, weight = drawn(n=400)
    stop_X, stop_y, stop_weight = drawn(n=200, seed=11)
    model = ModelRegistry.create("xgboost", learning_rate=0.5, min_child_weight=0.0, early_stopping={"patience": 4})
    told = fit_model(model, X, y, stop_X, stop_y, weight_train=weight, weight_val=stop_weight)
    losses = told.history["stop"]
    assert told.stopped_early
    assert told.best_iteration == int(np.argmin(losses)) == len(losses) - 5
    assert model._forest.rounds == told.best_iteration + 1
    assert (told.n_fit, told.n_stop, told.device) == (400, 200, "cpu")
    chosen = model.predict(stop_X).probabilities[np.arange(200), stop_y + 1]
    assert np.average(-np.log(chosen), weights=stop_weight) == pytest.approx(losses[told.best_iteration], abs=1e-5)


def test_the_stopping_rows_decide_when_to_stop_and_nothing_else():
    X, y, _ = drawn(n=400)
    stop_X, stop_y, _ = drawn(n=200, seed=11)
    models, rounds = [], []
    for labels in (stop_y, -stop_y):
        model = ModelRegistry.create("xgboost", learning_rate=0.3, early_stopping={"patience": 5})
        rounds.append(fit_model(model, X, y, stop_X, labels).best_iteration + 1)
        models.append(model)
    assert rounds[1] < rounds[0]
    shared = models[1]._forest.starts[3 * rounds[1]]
    assert models[0]._forest.threshold[:shared].tobytes() == models[1]._forest.threshold[:shared].tobytes()


def test_without_early_stopping_every_round_is_kept():
    X, y, _ = drawn(n=400)
    for stop in ((None, None), drawn(n=200, seed=11)[:2]):
        model = ModelRegistry.create("xgboost", n_estimators=40, learning_rate=1.0, early_stopping={"enabled": False})
        told = fit_model(model, X, y, *stop)
        assert (told.best_iteration, told.stopped_early, len(told.history["train"])) == (39, False, 40)


def test_progress_is_told_round_by_round():
    X, y, _ = drawn(n=300)
    heard = []
    fit_model(ModelRegistry.create("xgboost", n_estimators=4), X, y, X, y, progress=lambda *told: heard.append(told))
    assert [(done, rounds) for done, rounds, _ in heard] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert set(heard[0][2]) == {"train", "stop"}


def test_importance_is_the_share_of_the_librarys_total_gain():
    X, y, _ = drawn()
    model = ModelRegistry.create("xgboost", n_estimators=15)
    fit_model(model, X, y, feature_names=("pull", "bend", "noise_1", "noise_2", "noise_3"))
    gains = library(model).get_score(importance_type="total_gain")
    importance = model.get_feature_importance()
    assert list(importance) == ["pull", "bend", "noise_1", "noise_2", "noise_3"]
    for name, share in importance.items():
        assert share == pytest.approx(gains.get(name, 0.0) / sum(gains.values()), rel=1e-5)
    assert importance["pull"] + importance["bend"] > 0.7


def test_a_model_without_a_split_has_no_importance():
    X, y, _ = drawn(n=50)
    assert set(fitted(X, y, min_child_weight=1e6).get_feature_importance().values()) == {0.0}


def test_a_gpu_that_this_xgboost_cannot_use_is_refused_before_training(monkeypatch):
    monkeypatch.setattr("barsmith.models.boosting.booster.has_gpu", lambda: True)
    model = ModelRegistry.create("xgboost", device={"use_gpu": True})  # C34
    with pytest.raises(UsageError, match="pip install xgboost") as error:
        fit_model(model, *drawn(n=50)[:2])
    assert error.value.code == "config/device"
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    monkeypatch.setattr("barsmith.models.boosting.booster.has_gpu", lambda: False)
    with pytest.raises(UsageError, match="no NVIDIA GPU"):
        model.check_machine()


@pytest.mark.parametrize(
    ("device", "cuda", "card", "used"),
    [
        ({"use_gpu": "auto"}, True, True, "cuda"),
        ({"use_gpu": "auto"}, False, True, "cpu"),
        ({"use_gpu": "auto"}, True, False, "cpu"),
        ({"use_gpu": True}, True, True, "cuda"),
        ({"use_gpu": False}, True, True, "cpu"),
        ({"use_gpu": "auto", "deterministic": True}, True, True, "cpu"),
    ],
)
def test_the_device_is_what_was_asked_for_and_can_be_used(monkeypatch, device, cuda, card, used):
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": cuda})
    monkeypatch.setattr("barsmith.models.boosting.booster.has_gpu", lambda: card)
    assert ModelRegistry.create("xgboost", device=device).device() == used


def test_a_machine_without_a_driver_has_no_gpu(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(gpu.ctypes, "CDLL", missing)
    assert gpu.has_gpu() is False


def test_serving_a_saved_model_imports_no_learning_library(tmp_path):
    X, y, _ = drawn(n=100)
    model = fitted(X, y)
    save_model(model, tmp_path)
    code = (
        f"import sys, numpy as np; from barsmith.models import load_model, predict_model; model = load_model({str(tmp_path)!r});"
        "print(predict_model(model, np.zeros((1, 5), np.float32)).probabilities.tobytes().hex());"
        "print(*{'xgboost', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
    assert out[:2] == [predict_model(model, np.zeros((1, 5), np.float32)).probabilities.tobytes().hex(), ""]


def test_a_model_that_was_not_fitted_says_so(tmp_path):
    model = ModelRegistry.create("xgboost")
    for action in (lambda: model.predict(np.zeros((1, 2))), model.get_feature_importance, lambda: model.save(tmp_path)):
        with pytest.raises(UsageError) as error:
            action()
        assert error.value.code == "models/not-fitted"


def test_no_rows_are_refused():
    with pytest.raises(DataError) as error:
        fit_model(ModelRegistry.create("xgboost"), np.empty((0, 3)), np.empty(0))
    assert error.value.code == "models/no-rows"
