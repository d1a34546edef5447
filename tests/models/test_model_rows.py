"""Rows that a model must not see."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.errors import DataError, UsageError
from barsmith.models import check_rows_disjoint
from barsmith.models.rows import checked_labels, checked_rows, checked_seed, checked_weights


def code_of(action, kind=DataError):
    with pytest.raises(kind) as refused:
        action()
    return refused.value.code


def test_early_stopping_on_the_rows_that_are_reported_is_found():
    decision = np.arange(0, 500, 5)  # a hundred bars of five minutes
    train, val = decision[:70], decision[80:]
    inner_stop = train[60:]
    check_rows_disjoint(inner_stop, val)
    assert code_of(lambda: check_rows_disjoint(val, val)) == "models/reported-rows"  # the leak: validation decides when to stop
    with pytest.raises(DataError, match=r"1 rows in both, the first 400.*calibration"):
        check_rows_disjoint(decision[78:81], val, used_for="calibration")


def test_float32_rows_in_c_order_are_taken_as_they_are():
    X = np.zeros((3, 2), np.float32)
    assert checked_rows(X) is X
    assert checked_rows([[1, 2], [3, 4]]).dtype == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_number_that_is_not_finite_is_named(bad):
    X = np.zeros((3, 2))
    X[1, 1] = bad
    with pytest.raises(DataError, match=r"row 1, rsi_14") as refused:
        checked_rows(X, ("atr_14", "rsi_14"))
    assert refused.value.code == "models/nan-input"


def test_another_shape_is_refused():
    for X in (np.zeros(3), np.zeros((2, 3, 4)), np.zeros((2, 3))):
        assert code_of(lambda X=X: checked_rows(X, ("a", "b"))) == "models/shape"


@pytest.mark.parametrize("y", [[0, 1, 2], [0.5, 0, 1], [0, 1], [np.nan, 0, 1], ["a", "b", "c"]])
def test_labels_are_minus_one_zero_and_one(y):
    assert code_of(lambda: checked_labels(np.array(y), 3)) == "models/labels"
    assert checked_labels([-1.0, 0.0, 1.0], 3).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("weight", [[1, 1], [1, 1, -1], [1, 1, np.nan], [0, 0, 0]])
def test_weights_are_finite_and_none_is_negative(weight):
    assert code_of(lambda: checked_weights(np.array(weight, float), 3)) == "models/weights"
    assert checked_weights(None, 3) is None


@pytest.mark.parametrize("seed", [-1, 2**32, "42", 1.0, None, True])
def test_a_seed_is_a_whole_number_of_32_bits(seed):
    assert code_of(lambda: checked_seed(seed), UsageError) == "config/seed"
    assert checked_seed(np.int64(7)) == 7
