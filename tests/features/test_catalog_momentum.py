"""Momentum features against their formulas and TA-Lib, and facts one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from formulas import (
    agree,
    atr,
    average,
    bars_of,
    change,
    correlation,
    exponential,
    highest,
    lagged,
    log_return,
    lowest,
    position,
    share,
    true_range,
    wilder,
)
from single import read

from barsmith.features.registry import catalogue


def strength(x: np.ndarray, n: int) -> np.ndarray:
    step = change(x)
    up = wilder(np.where(np.isnan(step), np.nan, np.maximum(step, 0)), n)
    down = wilder(np.where(np.isnan(step), np.nan, np.maximum(-step, 0)), n)
    return up / (up + down)


def stochastic(b, n):
    return position(b.close, lowest(b.low, n), highest(b.high, n))


def place(x, n):
    return position(x, lowest(x, n), highest(x, n))


def macd(b):
    line = exponential(b.close, 12) - exponential(b.close, 26)
    return line, exponential(line, 9)


def ultimate(b):
    pressure = b.close - np.minimum(b.low, lagged(b.close, 1))
    seven, fourteen, twenty_eight = (share(pressure, true_range(b), n, 0.5) for n in (7, 14, 28))
    return (4 * seven + 2 * fourteen + twenty_eight) / 7


EXPECTED = {
    **{f"rsi_{n}": lambda b, n=n: strength(b.close, n) for n in (7, 14, 21)},
    "rsi_change_14": lambda b: change(strength(b.close, 14), 5),
    "stochastic_k_14": lambda b: stochastic(b, 14),
    "stochastic_d_14": lambda b: average(stochastic(b, 14), 3),
    "stochastic_rsi_14": lambda b: place(strength(b.close, 14), 14),
    **{f"williams_r_{n}": lambda b, n=n: talib.WILLR(b.high, b.low, b.close, timeperiod=n) / 100 for n in (14, 28)},
    "macd_line_12_26_9": lambda b: macd(b)[0] / atr(b),
    "macd_signal_12_26_9": lambda b: macd(b)[1] / atr(b),
    "macd_histogram_12_26_9": lambda b: (macd(b)[0] - macd(b)[1]) / atr(b),
    **{f"roc_{n}": lambda b, n=n: talib.ROCP(b.close, timeperiod=n) for n in (10, 20, 30, 60)},
    "roc_acceleration_10": lambda b: (change(b.close, 10) - lagged(change(b.close, 10), 10)) / atr(b),
    "awesome_oscillator": lambda b: (average((b.high + b.low) / 2, 5) - average((b.high + b.low) / 2, 34)) / atr(b),
    "ultimate_oscillator": ultimate,
    "return_autocorrelation_50": lambda b: correlation(log_return(b), lagged(log_return(b), 1), 50),
    "rsi_divergence": lambda b: place(b.close, 28) - place(strength(b.close, 14), 28),
    "macd_divergence": lambda b: place(b.close, 52) - place(macd(b)[0] / atr(b), 52),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_momentum_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])), tolerance=1e-7)


@pytest.mark.parametrize("n", [7, 14, 21])
def test_the_relative_strength_is_that_of_talib(n, ordinary):
    b = bars_of(ordinary.bars["5m"])
    agree(ordinary, f"rsi_{n}", talib.RSI(b.close, timeperiod=n) / 100, tolerance=1e-12)


def test_the_other_oscillators_are_those_of_talib(ordinary):
    b = bars_of(ordinary.bars["5m"])
    agree(ordinary, "ultimate_oscillator", talib.ULTOSC(b.high, b.low, b.close) / 100)
    agree(ordinary, "stochastic_d_14", talib.STOCHF(b.high, b.low, b.close, fastk_period=14, fastd_period=3)[1] / 100)
    for name, column in zip(("line", "signal", "histogram"), talib.MACD(b.close), strict=True):
        agree(ordinary, f"macd_{name}_12_26_9", column / atr(b))


def test_rsi_of_a_steady_rise_is_one():
    assert read("rsi_14", close=np.arange(100.0, 160.0))[-1] == 1
    assert read("rsi_14", close=np.arange(160.0, 100.0, -1))[-1] == 0


def test_rsi_of_a_still_market_is_one_half_and_not_all_falls():
    assert read("rsi_14", close=np.full(60, 4000.1))[-1] == 0.5
    assert talib.RSI(np.full(60, 4000.1), timeperiod=14)[-1] == 0  # what TA-Lib says of it


def test_a_close_at_the_top_of_the_range_is_one_and_at_the_bottom_nought():
    steady = np.arange(100.0, 160.0)
    assert read("stochastic_k_14", close=steady)[-1] == 1
    assert read("williams_r_28", close=steady)[-1] == 0
    assert read("stochastic_k_14", close=steady[::-1])[-1] == 0
    assert read("williams_r_28", close=steady[::-1])[-1] == -1


@pytest.mark.parametrize(
    ("name", "value"),
    [("stochastic_k_14", 0.5), ("williams_r_28", -0.5), ("ultimate_oscillator", 0.5), ("roc_10", 0), ("return_autocorrelation_50", 0)],
)
def test_a_still_market_is_in_the_middle(name, value):
    assert read(name, close=np.full(100, 4000.1))[-1] == value


def test_closes_that_alternate_are_correlated_with_the_bar_before_at_minus_one():
    assert read("return_autocorrelation_50", close=np.tile([100.0, 101.0], 60))[-1] == pytest.approx(-1)


def test_a_new_high_that_is_reached_more_slowly_is_a_divergence():
    """Up 40 in 20 bars, down 10, up 12 in as many: the close is at its top and the relative strength is not."""
    closes = np.concatenate([np.tile([100.0, 99.0], 30), np.arange(102, 142, 2), np.arange(139, 129, -1), np.linspace(130, 143, 13)])
    assert read("rsi_divergence", close=closes)[-1] > 0.2
    assert read("rsi_divergence", close=np.arange(100.0, 200.0))[-1] == 0.5  # the strength of a steady rise stands still at 1


def test_the_periods_of_rsi_can_be_set():
    assert {"rsi_14", "rsi_30"} <= set(catalogue(params={"rsi": {"n": [14, 30]}}))
