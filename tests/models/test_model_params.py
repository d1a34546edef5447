"""Parameters: what is taken, what is refused, and as what. C-numbers are rows of bad_inputs.jsonl."""

from __future__ import annotations

import pytest

from barsmith.errors import UsageError
from barsmith.models import BaseModel, ModelParams, ModelRegistry, PredictionOutput


def refused(name, **params):
    with pytest.raises(UsageError) as error:
        ModelRegistry.create(name, **params)
    return error.value


@pytest.mark.parametrize(
    ("params", "code", "where", "do"),
    [
        ({"learning_rat": 0.1}, "config/unknown-param", "training.learning_rat", "did you mean learning_rate?"),  # C29
        ({"device": {"use_gp": True}}, "config/unknown-param", "device.use_gp", "did you mean use_gpu?"),
        ({"seed": 1}, "config/unknown-param", "training.seed", ""),  # the seed is a setting of the run
        ({"num_class": 4}, "config/inconsistent", "training.num_class", "remove num_class"),  # C31
        ({"n_estimators": 0}, "config/out-of-range", "training.n_estimators", ""),  # C33
        ({"n_jobs": -100}, "config/out-of-range", "training.n_jobs", ""),  # C35
        ({"n_jobs": 10**6}, "config/out-of-range", "training.n_jobs", ""),
        ({"max_depth": 10**400}, "config/out-of-range", "training.max_depth", ""),  # C17
        ({"learning_rate": 10**400}, "config/out-of-range", "training.learning_rate", ""),
        ({"learning_rate": 0}, "config/out-of-range", "training.learning_rate", ""),
        ({"learning_rate": float("nan")}, "config/non-finite", "training.learning_rate", ""),  # C15
        ({"learning_rate": float("inf")}, "config/non-finite", "training.learning_rate", ""),
        ({"max_depth": "6"}, "config/type", "training.max_depth", ""),
        ({"max_depth": True}, "config/type", "training.max_depth", ""),
        ({"max_depth": 6.5}, "config/type", "training.max_depth", ""),
        ({"device": "gpu"}, "config/type", "device", ""),
        ({"device": {"use_gpu": "yes"}}, "config/type", "device.use_gpu", ""),
        ({"device": {"mixed_precision": True}}, "config/inconsistent", "device.mixed_precision", ""),
        ({"device": {"use_gpu": True, "deterministic": True}}, "config/determinism", "device.deterministic", ""),  # C38
        ({"early_stopping": {"patience": 0}}, "config/out-of-range", "early_stopping.patience", ""),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_place(params, code, where, do):
    error = refused("xgboost", **params)
    assert (error.code, error.where) == (code, f"model xgboost: {where}")
    assert do in error.do


def test_the_range_is_told():
    assert refused("xgboost", max_depth=99).expected == "a number >= 1 and <= 16"
    assert refused("xgboost", learning_rate=2.0).expected == "a number > 0.0 and <= 1.0"


def test_a_model_without_rounds_has_no_early_stopping_and_no_gpu():
    assert refused("logistic", early_stopping={"enabled": True}).code == "config/inconsistent"
    assert refused("logistic", device={"use_gpu": True}).code == "config/device"


def test_what_a_section_does_not_name_keeps_the_models_own_default():
    lstm = ModelRegistry.create("lstm", device={"use_gpu": "auto"}, early_stopping={"min_delta": 0.001}).params
    assert (lstm.device.mixed_precision, lstm.early_stopping.patience, lstm.early_stopping.min_delta) == (True, 20, 0.001)
    assert ModelRegistry.create("logistic", early_stopping={"patience": 5}).params.early_stopping.enabled is False


def test_three_classes_may_be_said():
    assert ModelRegistry.create("xgboost", num_class=3).params == ModelRegistry.create("xgboost").params


def test_parameters_come_back_from_their_sections():
    params = ModelRegistry.create("xgboost", max_depth=8, early_stopping={"patience": 5}).params
    sections = params.sections()
    assert sections["training"]["max_depth"] == 8
    assert sections["early_stopping"] == {"enabled": True, "patience": 5, "min_delta": 0.0}
    flat = {**sections["training"], "device": sections["device"], "early_stopping": sections["early_stopping"]}
    assert type(params).of(flat) == params


class Plain(BaseModel):
    def fit(self, X_train, y_train, X_val, y_val):
        return None

    def predict(self, X):
        return PredictionOutput.of(X)


def test_a_class_without_params_takes_any():
    model = Plain(depth=3, note="mine")
    assert (model.params.depth, model.params.note) == (3, "mine")
    assert model.params.training() == {"depth": 3, "note": "mine"}


def test_a_class_with_params_of_its_own_takes_those():
    class Mine(Plain):
        class Params(ModelParams):
            depth: int = 2

    assert Mine().params.depth == 2
    with pytest.raises(UsageError, match="did you mean depth"):
        Mine(dept=3)
