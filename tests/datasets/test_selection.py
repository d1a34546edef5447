"""The correlation filter, by hand and against numpy."""

from __future__ import annotations

import numpy as np

from barsmith.datasets.selection import constant_columns, correlations, uncorrelated


def test_the_earlier_of_two_near_copies_is_kept_and_constants_are_listed():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=500), rng.normal(size=500)
    X = np.column_stack([a, np.full(500, 3.0), -2 * a + 1e-3 * b, b, b + 1e-3 * a, np.full(500, np.nan)])
    selection = uncorrelated(X, ["a", "flat", "minus_a", "b", "b_again", "never"])
    assert selection.kept == ("a", "b")
    assert selection.constant == ("flat", "never")
    assert selection.correlated == {"minus_a": "a", "b_again": "b"}


def test_a_column_is_compared_with_kept_columns_only():
    # x - y - z is a chain: y copies x and is dropped; z copies y at .96 but x at .92 only, and stays
    rng = np.random.default_rng(1)
    x, e, f = np.linalg.qr(rng.normal(size=(1000, 3)) - 0.0)[0].T
    y, z = 0.96 * x + 0.28 * e, 0.92 * x + 0.3 * e + 0.25 * f
    X = np.column_stack([x, y, z])
    related = np.abs(np.corrcoef(X.T))
    assert related[0, 1] > 0.95
    assert related[1, 2] > 0.95
    assert related[0, 2] < 0.95
    assert uncorrelated(X, ["x", "y", "z"]).kept == ("x", "z")


def test_correlations_are_numpys_in_any_unit():
    X = np.random.default_rng(2).normal(size=(300, 5)) @ np.random.default_rng(3).normal(size=(5, 5))
    units = np.array([1, 1e-200, 1e200, 1e8, 1e-8])
    assert np.allclose(correlations(X * units + [0, 0, 0, 1e9, 0]), np.abs(np.corrcoef(X.T)), atol=1e-7)


def test_missing_values_count_as_the_mean():
    x = np.array([1.0, 2.0, 3.0, 4.0, np.nan, np.inf])
    y = np.array([2.0, 4.0, 6.0, 8.0, 5.0, 5.0])
    assert correlations(np.column_stack([x, y]))[0, 1] == 1.0


def test_a_column_that_changes_once_is_not_constant():
    assert constant_columns(np.array([[1.0, 1.0, np.nan], [1.0, 2.0, np.inf], [np.nan, 1.0, np.nan]])).tolist() == [True, False, True]


def test_rows_outside_train_have_no_say():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(400, 2))
    X[200:, 1] = X[200:, 0]  # copies, but only after the training slice
    assert uncorrelated(X[:200], ["a", "b"]).kept == ("a", "b")
