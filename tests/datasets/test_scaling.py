"""Robust scaling by hand, against scikit-learn, and to the same bits after JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import DataError, IntegrityError


def test_one_to_five_has_median_three_and_range_two():
    scaler = RobustScaler.fit(np.array([[1.0], [2.0], [3.0], [4.0], [5.0]]), ["x"])
    assert (scaler.median[0], scaler.iqr[0]) == (3.0, 2.0)
    assert scaler.apply(np.array([[3.0], [5.0], [4.5], [1000.0], [-1000.0]])).ravel().tolist() == [0.0, 1.0, 0.75, 5.0, -5.0]


def test_a_missing_value_stays_missing_and_an_infinite_one_is_clipped():
    scaler = RobustScaler.fit(np.array([[1.0], [np.nan], [2.0], [np.inf], [3.0]]), ["x"], clip=2.0)
    assert (scaler.median[0], scaler.iqr[0]) == (2.0, 1.0)
    out = scaler.apply(np.array([[np.nan], [np.inf], [2.5]])).ravel()
    assert np.isnan(out[0])
    assert out[1:].tolist() == [2.0, 0.5]


def test_a_constant_column_is_only_shifted_and_an_empty_one_left_alone():
    scaler = RobustScaler.fit(np.array([[7.0, np.nan], [7.0, np.nan]]), ["flat", "never"])
    assert scaler.median.tolist() == [7.0, 0.0]
    assert scaler.iqr.tolist() == [1.0, 1.0]


def test_median_and_range_are_those_of_scikit_learn():
    from sklearn.preprocessing import RobustScaler as Reference

    X = np.random.default_rng(1).standard_t(3, (501, 4)) * [1, 1e-6, 1e6, 3]
    scaler, reference = RobustScaler.fit(X, list("abcd")), Reference().fit(X)
    assert np.allclose(scaler.median, reference.center_, rtol=1e-13)
    assert np.allclose(scaler.iqr, reference.scale_, rtol=1e-13)


def test_json_gives_back_the_same_bits():
    X = np.random.default_rng(2).normal(size=(99, 3)) * [1e-300, 1 / 3, 1e300]
    scaler = RobustScaler.fit(X, ["a", "b", "ü"], clip=3.5)
    again = RobustScaler.from_json(scaler.to_json())
    assert again.names == scaler.names
    assert again.clip == 3.5
    assert again.median.tobytes() == scaler.median.tobytes()
    assert again.iqr.tobytes() == scaler.iqr.tobytes()
    assert again.to_json() == scaler.to_json()


def test_a_row_alone_gives_the_bits_that_it_gives_among_others():
    X = np.random.default_rng(3).normal(size=(200, 7))
    scaler = RobustScaler.fit(X[:100], [f"f{i}" for i in range(7)])
    together = scaler.apply(X)
    for row in (0, 57, 199):
        assert scaler.apply(X[row : row + 1]).tobytes() == together[row : row + 1].tobytes()
    assert together.flags.c_contiguous


def test_rows_that_are_not_handed_over_change_nothing():
    X = np.random.default_rng(4).normal(size=(100, 2))
    before = RobustScaler.fit(X[:70], ["a", "b"]).to_json()
    X[70:] *= 1e6
    assert RobustScaler.fit(X[:70], ["a", "b"]).to_json() == before


@pytest.mark.parametrize("X", [np.empty((0, 2)), np.ones((3, 3)), np.ones(2)])
def test_rows_that_do_not_fit_the_names_are_refused(X):
    with pytest.raises(DataError, match="training rows with 2 columns"):
        RobustScaler.fit(X, ["a", "b"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: stored.pop("columns"),
        lambda stored: stored["columns"][0].update(iqr=0.0),
        lambda stored: stored["columns"][0].update(median="NaN"),
        lambda stored: stored.update(kind="standard"),
        lambda stored: stored.update(clip=-1),
        lambda stored: stored.update(columns=[3]),
    ],
)
def test_a_damaged_scaler_file_is_refused(damage):
    stored = json.loads(RobustScaler.fit(np.eye(3), list("abc")).to_json())
    damage(stored)
    with pytest.raises(IntegrityError) as caught:
        RobustScaler.from_json(json.dumps(stored))
    assert caught.value.code == "datasets/scaler-file"
    with pytest.raises(IntegrityError):
        RobustScaler.from_json(b"\xff not json")


def test_a_column_that_passes_is_neither_shifted_nor_stretched():
    X = np.array([[-1.0, 1.0], [0.0, 2.0], [0.25, 3.0], [1.0, 4.0], [1.0, 5.0]])
    scaler = RobustScaler.fit(X, ["rsi", "x"], passed={"rsi"})
    assert scaler.apply(X)[:, 0].tobytes() == X[:, 0].tobytes()
    assert scaler.apply(X)[:, 1].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    again = RobustScaler.from_json(scaler.to_json())
    assert (again.passed, again.to_json()) == (("rsi",), scaler.to_json())
    assert scaler.of(["x"]).passed == ()
    assert scaler.of(["x", "rsi"]).passed == ("rsi",)
    assert "passed" not in RobustScaler.fit(X, ["rsi", "x"]).to_json()


def test_a_column_that_leaves_its_bounds_does_not_pass():
    with pytest.raises(DataError, match="values of rsi from -1 to 1, as its unit says, came 1 to 70 in train") as caught:
        RobustScaler.fit(np.array([[1.0], [np.nan], [70.0]]), ["rsi"], passed={"rsi"})
    assert caught.value.code == "scaling/bounds"


def test_a_scaler_file_whose_passed_column_was_scaled_is_refused():
    stored = json.loads(RobustScaler.fit(np.eye(3), list("abc"), passed={"a"}).to_json())
    stored["columns"][0]["median"] = 0.5
    with pytest.raises(IntegrityError):
        RobustScaler.from_json(json.dumps(stored))
