"""Rows quantised once for several trainings give the boosters that each training would have given alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest
from drawn_rows import drawn

from barsmith.models import ModelRegistry, fit_model
from barsmith.models.boosting import catboost, lightgbm, xgboost
from barsmith.models.boosting.quantised import quantised, shared_rows

BUILDERS = {"xgboost": (xgboost, "matrices"), "lightgbm": (lightgbm, "matrices"), "catboost": (catboost, "pools")}
X, Y, WEIGHT = drawn(n=300)
STOP_X, STOP_Y, STOP_WEIGHT = drawn(n=100, seed=9)
#: Labels of two horizons, with weights and without, and two trials.
FITS = [
    ({}, Y, STOP_Y, WEIGHT, STOP_WEIGHT),
    ({}, -Y, -STOP_Y, None, None),
    ({"max_depth": 2, "learning_rate": 0.3}, Y, STOP_Y, WEIGHT, STOP_WEIGHT),
]


def file_of(name, params, y, stop_y, weight, stop_weight, rows=X):
    model = ModelRegistry.create(name, **{"n_estimators": 5, "n_jobs": 1, **params})
    fit_model(model, rows, y, STOP_X, stop_y, weight_train=weight, weight_val=stop_weight)
    return model._file


@pytest.fixture
def built(monkeypatch):
    """How often a library was asked to quantise rows."""
    counts = dict.fromkeys(BUILDERS, 0)
    for name, (module, builder) in BUILDERS.items():

        def counted(*given, name=name, real=getattr(module, builder)):
            counts[name] += 1
            return real(*given)

        monkeypatch.setattr(module, builder, counted)
    return counts


@pytest.mark.parametrize(("name", "times"), [("xgboost", 1), ("lightgbm", 1), ("catboost", 2)])
def test_horizons_and_trials_share_one_matrix_and_get_the_bytes_of_their_own(name, times, built):
    alone = [file_of(name, *each) for each in FITS]
    assert built[name] == 3
    assert len(set(alone)) == 3
    with shared_rows():
        shared = [file_of(name, *each) for each in (*FITS, FITS[0])]
    assert shared == [*alone, alone[0]]
    assert built[name] == 3 + times  # CatBoost cannot change the labels of a pool


@pytest.mark.parametrize("name", BUILDERS)
def test_other_rows_have_a_matrix_of_their_own(name, built):
    """A fold, an array that was changed in place, other bins: edges come from the rows of the slice alone."""
    rows = X.copy()
    with shared_rows():
        file_of(name, *FITS[0], rows=rows)
        rows[0, 0] += 1.0
        file_of(name, *FITS[0], rows=rows)
        file_of(name, {"max_bin": 16}, *FITS[0][1:], rows=rows)
        fit_model(ModelRegistry.create(name, n_estimators=2, n_jobs=1), rows[:200], Y[:200], STOP_X, STOP_Y)
    assert built[name] == 4


def test_nothing_is_kept_outside(built):
    with shared_rows():
        file_of("xgboost", *FITS[0])
    file_of("xgboost", *FITS[0])
    with shared_rows():
        file_of("xgboost", *FITS[0])
    assert built["xgboost"] == 3


def test_a_matrix_on_which_another_thread_trains_is_left_to_it():
    made = []
    with shared_rows(), quantised(lambda: made.append(1) or "first", X) as first, ThreadPoolExecutor(1) as threads:

        def second():
            with quantised(lambda: "second", X) as found:
                return found

        assert (first, threads.submit(copy_context().run, second).result()) == ("first", "second")
    assert made == [1]


def test_weights_do_not_move_the_edges():
    heavy = np.where(X[:, 0] > 1.0, 100.0, 0.01).astype(np.float32)
    model = ModelRegistry.create("xgboost", n_estimators=40, n_jobs=1, max_bin=8, min_child_weight=0.0)
    fit_model(model, X, Y, weight_train=heavy)
    even = ModelRegistry.create("xgboost", n_estimators=40, n_jobs=1, max_bin=8, min_child_weight=0.0)
    fit_model(even, X, Y)
    edges = [set(each._forest.threshold[(each._forest.left >= 0) & (each._forest.feature == 0)].tolist()) for each in (model, even)]
    assert len(edges[0] | edges[1]) <= 8
