"""LightGBM and CatBoost: our scorer against the library, stopping, importance, the device. XGBoost has a file of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from drawn_rows import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.errors import DataError, IntegrityError, UsageError
from barsmith.models import ModelRegistry, fit_model, load_model, predict_model, save_model

NAMES = ("lightgbm", "catboost")
LEAF = {"lightgbm": {"min_child_samples": 3}, "catboost": {}}


BOOSTERS = []


@pytest.fixture(autouse=True, scope="module")
def every_booster_is_kept():
    """What LightGBM trained is asked, not what it wrote and read again."""
    train = lightgbm.train

    def kept(*args, **kwargs):
        BOOSTERS[:] = [train(*args, **kwargs)]
        return BOOSTERS[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightgbm, "train", kept)
        yield


def lightgbm_says(model, X):
    """What the booster that LightGBM trained last answers."""
    return BOOSTERS[0].predict(X, num_threads=1)


def catboost_says(model, X):
    """What CatBoost answers, from the file that we keep."""
    booster = catboost.CatBoost()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(model._file)
        file.flush()
        booster.load_model(file.name, format="json")
    return booster.predict(X, prediction_type="Probability", thread_count=1)


LIBRARY = {"lightgbm": lightgbm_says, "catboost": catboost_says}


def made(name, **params):
    return ModelRegistry.create(name, **{"n_estimators": 12, "n_jobs": 1, **LEAF[name], **params})


def fitted(name, X, y, weight=None, **params):
    model = made(name, **params)
    model.fit(X, y, weight_train=weight)
    return model


def edges(model, X):
    """Rows whose values lie on, just below and just above the model's thresholds."""
    forest = model._forest
    thresholds = np.unique(forest.threshold[forest.left >= 0] if hasattr(forest, "left") else forest.threshold)
    around = [X]
    for value in (thresholds, np.nextafter(thresholds, np.float32(-np.inf)), np.nextafter(thresholds, np.float32(np.inf))):
        around.append(np.resize(value, (max(1, len(value) // X.shape[1] + 1) * 2, X.shape[1])))
    return np.ascontiguousarray(np.concatenate(around), np.float32)


PARAMS = [
    ({}, 5),
    ({}, 1),
    ({"max_depth": 1}, 5),
    ({"max_depth": 9, "learning_rate": 1.0}, 5),
    ({"n_estimators": 1}, 5),
    ({"max_bin": 2}, 30),
]


@pytest.mark.parametrize(("params", "features"), PARAMS)
@pytest.mark.parametrize("name", NAMES)
def test_the_scorer_gives_the_librarys_probabilities(name, params, features):
    X, y, weight = drawn(n=300, features=features)
    model = fitted(name, X, y, weight, **params)
    rows = edges(model, np.concatenate([drawn(n=500, features=features, seed=9)[0], X]))
    assert np.abs(model.predict(rows).probabilities - LIBRARY[name](model, rows)).max() < 1e-12


FLOATS = st.floats(-(2.0**100), 2.0**100, width=32) | st.sampled_from(
    [0.0, -0.0, 2.0**-140, -(2.0**-140), 2.0**-116, float(np.float32(-1e-35)), 1.0, 2.0, 2.0**127, -(2.0**127)]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS, st.sampled_from([-1, 0, 1])), min_size=12, max_size=40))
@pytest.mark.parametrize("name", NAMES)
def test_the_scorer_gives_the_librarys_probabilities_on_any_table(name, table):
    X, y = np.array([row[:2] for row in table], np.float32), np.array([row[2] for row in table], np.int8)
    X[:3], y[:3] = [[0, 1], [5, -2], [9, 4]], (-1, 0, 1)  # CatBoost wants a feature that varies
    model = fitted(name, X, y, n_estimators=4, learning_rate=0.5)
    rows = edges(model, X)
    rows = rows[np.isfinite(rows).all(axis=1)]
    assert np.abs(model.predict(rows).probabilities - LIBRARY[name](model, rows)).max() < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_one_row_gives_the_bits_of_the_batch(name):
    X, y, weight = drawn(n=500)
    model = fitted(name, X, y, weight)
    whole = model.predict(X).probabilities
    assert b"".join(model.predict(X[i : i + 1]).probabilities.tobytes() for i in range(500)) == whole.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_threads_and_a_second_training_change_no_byte(name):
    X, y, weight = drawn(n=600, features=8)
    files = {fitted(name, X, y, weight, n_estimators=5, n_jobs=threads, subsample=0.5)._file for threads in (1, 2, 1)}
    assert len(files) == 1


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_draws_other_rows(name):
    X, y, _ = drawn(n=300)
    models = [made(name, subsample=0.5) for _ in range(2)]
    for seed, model in enumerate(models):
        model.fit(X, y, seed=seed)
    assert (models[0].predict(X).probabilities != models[1].predict(X).probabilities).any()


@pytest.mark.parametrize("name", NAMES)
def test_training_stops_after_patience_and_keeps_the_best_round(name):
    X, y, weight = drawn(n=400)
    stop_X, stop_y, stop_weight = drawn(n=200, seed=11)
    model = made(name, n_estimators=200, learning_rate=0.7, early_stopping={"patience": 4})
    told = fit_model(model, X, y, stop_X, stop_y, weight_train=weight, weight_val=stop_weight)
    losses = told.history["stop"]
    assert told.stopped_early
    assert told.best_iteration == int(np.argmin(losses)) == len(losses) - 5
    assert model._forest.rounds == told.best_iteration + 1
    assert (told.n_fit, told.n_stop, told.device) == (400, 200, "cpu")
    chosen = model.predict(stop_X).probabilities[np.arange(200), stop_y + 1]
    assert np.average(-np.log(chosen), weights=stop_weight) == pytest.approx(losses[told.best_iteration], abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_gain_below_min_delta_is_no_gain(name):
    X, y, _ = drawn(n=400)
    stop_X, stop_y, _ = drawn(n=200, seed=11)
    rounds = []
    for min_delta in (0.0, 0.02):
        model = made(name, n_estimators=60, learning_rate=0.1, early_stopping={"patience": 3, "min_delta": min_delta})
        rounds.append(fit_model(model, X, y, stop_X, stop_y).best_iteration)
    assert rounds[1] < rounds[0]


@pytest.mark.parametrize("name", NAMES)
def test_without_early_stopping_every_round_is_kept(name):
    X, y, _ = drawn(n=400)
    for stop in ((None, None), drawn(n=100, seed=11)[:2]):
        told = fit_model(made(name, n_estimators=30, early_stopping={"enabled": False}), X, y, *stop)
        assert (told.best_iteration, told.stopped_early, len(told.history["train"])) == (29, False, 30)


@pytest.mark.parametrize("name", NAMES)
def test_progress_is_told_round_by_round(name):
    X, y, _ = drawn(n=300)
    heard = []
    fit_model(made(name, n_estimators=4), X, y, X, y, progress=lambda *told: heard.append(told))
    assert [(done, rounds) for done, rounds, _ in heard] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert set(heard[0][2]) == {"train", "stop"}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_the_library_refuses_come_back_all_the_same(name, tmp_path):
    X, y, _ = drawn(n=200)
    names = ("a b", 'say "x"', "c[0]", "täglich", "e,f")
    model = made(name)
    fit_model(model, X, y, feature_names=names)
    save_model(model, tmp_path)
    again = load_model(tmp_path, feature_names=names)
    assert tuple(again.get_feature_importance()) == names
    assert again.predict(X).probabilities.tobytes() == model.predict(X).probabilities.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_other_features_than_the_cards_is_refused(name, tmp_path):
    X, y, _ = drawn(n=200)
    for folder, names in (("one", "abcde"), ("other", "abcdf")):
        model = made(name)
        fit_model(model, X, y, feature_names=tuple(names))
        save_model(model, tmp_path / folder)
    (file,) = [path for path in (tmp_path / "one").iterdir() if path.name.startswith("booster")]
    (tmp_path / "other" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(IntegrityError) as error:
        load_model(tmp_path / "other")
    assert error.value.code == "bundle/shape"


@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_that_is_not_there_is_refused_before_training(name, monkeypatch):
    monkeypatch.setattr("barsmith.models.boosting.booster.has_gpu", lambda: False)
    with pytest.raises(UsageError, match="no NVIDIA GPU") as error:
        fit_model(made(name, device={"use_gpu": True}), *drawn(n=50)[:2])
    assert error.value.code == "config/device"
    assert made(name, device={"use_gpu": "auto"}).device() == "cpu"


def test_a_lightgbm_without_cuda_says_so(monkeypatch):
    monkeypatch.setattr("barsmith.models.boosting.booster.has_gpu", lambda: True)
    monkeypatch.setattr("barsmith.models.boosting.lightgbm.trains_on_cuda", lambda: False)
    with pytest.raises(UsageError, match="USE_CUDA") as error:
        made("lightgbm", device={"use_gpu": True}).device()
    assert error.value.code == "config/device"
    assert made("lightgbm", device={"use_gpu": "auto"}).device() == "cpu"


def test_this_lightgbm_is_asked_whether_it_trains_on_cuda():
    from barsmith.models.boosting.lightgbm import trains_on_cuda

    assert trains_on_cuda() is False  # the wheel of the package index has no CUDA


@pytest.mark.parametrize("name", NAMES)
def test_serving_a_saved_model_imports_no_learning_library(name, tmp_path):
    X, y, _ = drawn(n=100)
    model = fitted(name, X, y)
    save_model(model, tmp_path)
    code = (
        f"import sys, numpy as np; from barsmith.models import load_model, predict_model; model = load_model({str(tmp_path)!r});"
        "print(predict_model(model, np.zeros((1, 5), np.float32)).probabilities.tobytes().hex());"
        "print(*{'lightgbm', 'catboost', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
    assert out[:2] == [predict_model(model, np.zeros((1, 5), np.float32)).probabilities.tobytes().hex(), ""]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_was_not_fitted_says_so(name, tmp_path):
    model = made(name)
    for action in (lambda: model.predict(np.zeros((1, 2))), model.get_feature_importance, lambda: model.save(tmp_path)):
        with pytest.raises(UsageError) as error:
            action()
        assert error.value.code == "models/not-fitted"


def test_catboosts_importance_is_its_own():
    X, y, weight = drawn()
    model = made("catboost")
    fit_model(model, X, y, weight_train=weight, feature_names=("pull", "bend", "noise_1", "noise_2", "noise_3"))
    booster = catboost.CatBoost()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        Path(file.name).write_bytes(model._file)
        booster.load_model(file.name, format="json")
    importance = model.get_feature_importance()
    assert list(importance) == ["pull", "bend", "noise_1", "noise_2", "noise_3"]
    assert list(importance.values()) == pytest.approx((booster.get_feature_importance() / 100).tolist(), abs=1e-9)


def test_what_catboost_refuses_is_a_typed_error(monkeypatch):
    def refuses(*given, **named):
        raise catboost.CatBoostError("catboost/libs/x.cpp:3: no memory left")

    monkeypatch.setattr(catboost.CatBoost, "fit", refuses)
    with pytest.raises(DataError, match="came no memory left") as error:
        fit_model(made("catboost"), *drawn(n=30)[:2])
    assert error.value.code == "models/training"


def test_catboost_without_a_gpu_it_can_use_says_why(monkeypatch):
    monkeypatch.setattr("barsmith.models.boosting.booster.has_gpu", lambda: True)
    with pytest.raises(UsageError, match="sees none"):
        made("catboost", device={"use_gpu": True}).device()
    monkeypatch.setattr("barsmith.models.boosting.catboost.sees_gpu", lambda: True)
    with pytest.raises(UsageError, match="min_delta"):
        made("catboost", device={"use_gpu": True}, early_stopping={"min_delta": 0.1}).device()
    assert made("catboost", device={"use_gpu": True}).device() == "cuda"
    assert made("catboost", device={"deterministic": True}).device() == "cpu"


def test_lightgbms_importance_is_the_share_of_its_gain():
    X, y, _ = drawn()
    model = made("lightgbm")
    fit_model(model, X, y, feature_names=("pull", "bend", "noise_1", "noise_2", "noise_3"))
    gains = lightgbm.Booster(model_str=model._file.decode()).feature_importance("gain")
    assert list(model.get_feature_importance().values()) == pytest.approx((gains / gains.sum()).tolist(), rel=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("name", NAMES)
def test_a_handful_of_rows_trains_and_prints_nothing(name, rows, capfd):
    X, y, weight = drawn(n=rows)
    weight[1:] = 0.0
    probabilities = fitted(name, X, y, weight).predict(drawn(n=20)[0]).probabilities
    assert np.isfinite(probabilities).all()
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["xgboost", *NAMES])
def test_a_booster_of_the_size_of_a_real_one_gives_the_librarys_probabilities(name):
    X, y, weight = drawn(n=20_000, features=200)
    model = ModelRegistry.create(name, n_estimators=100, n_jobs=1)
    fit_model(model, X, y, *drawn(n=3000, features=200, seed=5)[:2], weight_train=weight)
    rows = np.concatenate([X[:5000], drawn(n=5000, features=200, seed=6)[0]])
    if name == "xgboost":
        booster = xgboost.Booster()
        booster.load_model(bytearray(model._file))
        theirs = booster.inplace_predict(rows)
    else:
        theirs = LIBRARY[name](model, rows)
    assert np.abs(model.predict(rows).probabilities - theirs).max() < 1e-6
