"""Expressions: values that are equal when they mean the same, and whose two readings have the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.errors import UsageError
from barsmith.features import absolute, close, cos, high, lag, log, maximum, minimum, open_, sign, sin, sqrt, ta, tanh, zscore
from barsmith.features.graph import Column, Constant, Pointwise, expr
from barsmith.features.indicators import held


def bits(x) -> np.ndarray:
    return np.asarray(x, np.float64).view(np.int64)


def test_equal_expressions_are_equal_values():
    assert ta.RSI(close, timeperiod=14) == ta.RSI(Column("close"), timeperiod=14)
    assert hash(log(close / lag(close, 1))) == hash(log(close / lag(close, 1)))
    assert ta.RSI(close, timeperiod=14) != ta.RSI(close, timeperiod=15)


def test_numbers_become_constants():
    assert expr(2) == Constant(2.0)
    assert 1 - close == Pointwise("subtract", (Constant(1.0), close))


def test_a_lag_of_two_is_the_value_two_bars_ago():
    column, step = lag(close, 2).read(np.array([1.0, 2.0, 3.0]))
    assert np.isnan(column[:2]).all()
    assert column[2] == 1.0
    assert [step(4.0), step(5.0)] == [2.0, 3.0]


def test_a_lag_longer_than_the_history_goes_on_where_it_ends():
    column, step = lag(close, 3).read(np.array([1.0]))
    assert np.isnan(column).all()
    assert np.isnan([step(2.0), step(3.0)]).all()
    assert step(4.0) == 1.0


def test_a_lag_of_zero_is_the_value_itself():
    assert lag(close, 0) is close


@pytest.mark.parametrize("bars", [-1, 1.5, "1"])
def test_a_lag_that_looks_ahead_is_refused(bars):
    with pytest.raises(UsageError) as refused:
        lag(close, bars)
    assert refused.value.code == "features/negative-lag"


EXPRESSIONS = {
    "add": open_ + close, "subtract": open_ - close, "multiply": open_ * close, "divide": open_ / close, "negative": -open_,
    "absolute": absolute(open_ - close), "log": log(open_), "sqrt": sqrt(open_), "tanh": tanh(open_ - close), "sin": sin(open_),
    "cos": cos(open_), "sign": sign(open_ - close), "maximum": maximum(open_, close), "minimum": minimum(open_, close),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSIONS)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 70), scale=st.sampled_from([1e-9, 1.0, 7000.0, 1e12]))
@settings(max_examples=30, deadline=None)
def test_a_pointwise_step_gives_the_bits_of_its_column(name, seed, size, scale):
    e = EXPRESSIONS[name]
    columns = [np.random.default_rng(seed).normal(1.0, 0.5, size) * scale for _ in e.inputs]
    if name == "divide":
        columns[1][0] = 0.0
    column, step = e.read(*columns)
    with np.errstate(all="ignore"):
        live = np.array([step(*row) for row in zip(*(c.tolist() for c in columns), strict=True)])
    assert ((bits(column) == bits(live)) | (np.isnan(column) & np.isnan(live))).all()


def test_what_is_not_finite_is_held_at_the_last_finite_value():
    x = held(np.array([np.nan, 1.0, np.inf, np.nan, 2.0]))
    assert np.isnan(x[0])
    assert x[1:].tolist() == [1.0, 1.0, 1.0, 2.0]


@pytest.mark.parametrize("split", [0, 3, 13, 14, 15, 40, 99])
def test_an_indicator_continued_from_any_bar_has_the_bits_of_its_column(split):
    rng = np.random.default_rng(1)
    x = 100 + rng.normal(size=100).cumsum()
    x[[5, 50, 51]] = np.nan
    e = ta.MACD(close * 1, fastperiod=5, slowperiod=10, signalperiod=4)
    whole, _ = e.read(x)
    _, step = e.read(x[:split])
    for i in range(split, 100):
        for column, value in zip(whole, step(float(x[i])), strict=True):
            assert (column[i] == value) or (np.isnan(column[i]) and np.isnan(value))


def test_a_kernel_continued_from_any_bar_has_the_bits_of_its_column():
    x = np.random.default_rng(2).normal(size=60)
    e = zscore(close, n=7)
    whole, _ = e.read(x)
    for split in (0, 3, 7, 30):
        _, step = e.read(x[:split])
        live = np.array([step(v) for v in x[split:].tolist()])
        assert ((bits(whole[split:]) == bits(live)) | (np.isnan(whole[split:]) & np.isnan(live))).all()


def test_the_zscore_of_a_flat_window_is_zero():
    column, _ = zscore(close, n=3).read(np.full(5, 7.0))
    assert column[2:].tolist() == [0.0, 0.0, 0.0]


def test_an_unknown_indicator_names_its_neighbours():
    with pytest.raises(UsageError, match="did you mean RSI"):
        ta.RSY(close)


def test_an_unknown_parameter_names_its_neighbours():
    with pytest.raises(UsageError, match="timeperiod"):
        ta.RSI(close, timeperid=14)


def test_outputs_of_an_indicator_are_fields():
    bands = ta.BBANDS(close, timeperiod=5)
    (upper, _, lower), _ = bands.read(np.arange(10.0))
    column, step = bands.upperband.read((upper, upper, lower))
    assert column is upper
    assert step((1.0, 2.0, 3.0)) == 1.0
    with pytest.raises(AttributeError):
        _ = bands.nothing
    assert high != open_
