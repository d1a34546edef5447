"""The doors to fit and predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_rows import drawn

from barsmith.errors import DataError, UsageError
from barsmith.models import (
    BaseModel,
    ModelRegistry,
    PredictionOutput,
    TrainingMetrics,
    fit_model,
    load_model,
    predict_model,
    save_model,
)

X, Y, WEIGHT = drawn(n=80, features=3)


class Heard(BaseModel):
    """Notes what it is given."""

    def fit(self, X_train, y_train, X_val, y_val, weight_train=None, *, seed):
        self.heard = {"X": X_train, "y": y_train, "X_val": X_val, "weight": weight_train, "seed": seed}

    def predict(self, X):
        pull = np.clip(X[:, :1].astype(float) * 0.3, -0.3, 0.3)
        return PredictionOutput.of(np.hstack([1 / 3 - pull, np.full_like(pull, 1 / 3), 1 / 3 + pull]))


def test_only_the_keywords_that_fit_names_are_passed():
    model = Heard()
    told = fit_model(model, X.astype(float), Y.astype(int), weight_train=WEIGHT, feature_names=("a", "b", "c"), seed=5)
    assert model.heard["X"].dtype == np.float32
    assert model.heard["y"].dtype == np.int8
    assert model.heard["X_val"] is None
    assert np.array_equal(model.heard["weight"], WEIGHT)
    assert (model.heard["seed"], model.feature_names) == (5, ("a", "b", "c"))
    assert (told.n_fit, told.n_stop, told.seed) == (80, 0, 5)
    assert told.seconds > 0


def test_a_training_without_rows_to_stop_on_says_so_where_the_model_would_use_them():
    X, y = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32), np.tile([-1, 0, 1, 1], 20).astype(np.int8)
    notes = {name: fit_model(ModelRegistry.create(name), X, y).notes for name in ("xgboost", "ridge", "logistic")}
    assert "no rows to stop on" in notes["xgboost"][0]
    assert ["no inner slice" in note for note in notes["ridge"]] == [True]
    assert notes["logistic"] == ()


def test_what_a_users_fit_raises_is_told_with_its_line():
    class Broken(BaseModel):
        def fit(self, X_train, y_train, X_val, y_val):
            raise KeyError("no such column")

        def predict(self, X):
            return PredictionOutput.of(np.full((len(X), 3), 1 / 3))

    with pytest.raises(UsageError) as caught:
        fit_model(Broken(), np.zeros((4, 2), np.float32), np.array([1, 0, -1, 1], np.int8))
    assert (caught.value.code, caught.value.came) == ("models/fit-failed", "KeyError: 'no such column'")
    place, line = caught.value.where.rsplit(":", 1)
    assert Path(place).read_text().splitlines()[int(line) - 1].strip() == 'raise KeyError("no such column")'


def test_an_empty_slice_to_stop_on_is_none():
    model = Heard()
    assert fit_model(model, X, Y, X[:0], Y[:0], weight_val=WEIGHT[:0]).n_stop == 0
    assert model.heard["X_val"] is None


@pytest.mark.parametrize("answer", [None, TrainingMetrics(loss=0.5), {"loss": np.float32(0.5)}])
def test_fit_may_tell_metrics_a_dict_or_nothing(answer):
    class Tells(Heard):
        def fit(self, X_train, y_train, X_val, y_val):
            return answer

    told = fit_model(Tells(), X, Y).as_dict()
    assert told["n_fit"] == 80
    assert told.get("loss") == (None if answer is None else 0.5)


@pytest.mark.parametrize("answer", [3, "done", {"history": 3}, {"odd": object()}])
def test_what_cannot_be_told_is_refused(answer):
    class Tells(Heard):
        def fit(self, X_train, y_train, X_val, y_val):
            return answer

    with pytest.raises(UsageError) as error:
        fit_model(Tells(), X, Y)
    assert error.value.code == "models/class"


def test_rows_labels_weights_and_seed_are_checked_at_the_door():
    bad = X.copy()
    bad[7, 1] = np.nan
    for arguments, keywords, code in (
        ((bad, Y), {}, "models/nan-input"),
        ((X, Y, bad, Y), {}, "models/nan-input"),
        ((X, Y + 1), {}, "models/labels"),
        ((X, Y[:-1]), {}, "models/labels"),
        ((X, Y), {"weight_train": -WEIGHT}, "models/weights"),
        ((X, Y), {"feature_names": ("a", "b")}, "models/shape"),
    ):
        with pytest.raises(DataError) as error:
            fit_model(Heard(), *arguments, **keywords)
        assert error.value.code == code
    with pytest.raises(UsageError) as error:
        fit_model(Heard(), X, Y, seed=-1)
    assert error.value.code == "config/seed"


def test_answers_are_checked_at_the_door():
    class Short(Heard):
        def predict(self, X):
            return super().predict(X[:-1])

    class Raw(Heard):
        def predict(self, X):
            return super().predict(X).probabilities

    for cls in (Short, Raw):
        model = cls()
        fit_model(model, X, Y)
        with pytest.raises(DataError) as error:
            predict_model(model, X)
        assert error.value.code == "models/prediction"
    model = Heard()
    fit_model(model, X, Y, feature_names=("a", "b", "c"))
    with pytest.raises(DataError) as error:
        predict_model(model, X[:, :2])
    assert error.value.code == "models/shape"


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost", "logistic", "random_forest", "ridge", "svm"])
def test_a_compiled_scorer_never_reads_beside_its_rows(name):
    model = ModelRegistry.create(name)
    fit_model(model, X, Y)
    model.feature_names = ()
    for wrong in (X[:, :2], np.hstack([X, X])):
        with pytest.raises(DataError) as error:
            predict_model(model, wrong)
        assert error.value.code == "models/shape"


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost", "logistic", "random_forest", "ridge", "svm"])
def test_features_that_tell_nothing_train_to_the_frequencies(name, tmp_path, capfd):
    y = np.repeat([-1, 0, 1], [50, 100, 50]).astype(np.int8)[np.random.default_rng(1).permutation(200)]
    model = ModelRegistry.create(name)
    told = fit_model(model, np.full((200, 2), 0.5), y, np.full((200, 2), 0.5), y, feature_names=("a", "b"))
    save_model(model, tmp_path)
    for each in (model, load_model(tmp_path)):
        answers = predict_model(each, drawn(n=5, features=2)[0]).probabilities
        assert np.abs(answers - [0.25, 0.5, 0.25]).max() < 0.03
    entropy = 0.5 * np.log(4) + 0.5 * np.log(2)
    assert told.history["train"][-1] == pytest.approx(entropy, abs=0.02)
    assert told.history["stop"][-1] == pytest.approx(entropy, abs=0.02)
    assert tuple(capfd.readouterr()) == ("", "")
