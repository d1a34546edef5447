"""Moving averages against their formulas and against TA-Lib."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import talib
from formulas import agree, atr, average, bars_of, exponential, lagged, over_windows
from single import read, read_expression

from barsmith.features import close, ta
from barsmith.features.catalog.moving_averages import hull, weighted_average


def weighted(x: np.ndarray, n: int) -> np.ndarray:
    weights = np.arange(1, n + 1) / (n * (n + 1) / 2)
    start = int(np.argmax(~np.isnan(x)))
    return np.concatenate([np.full(start, np.nan), over_windows(lambda w: (w * weights).sum(axis=1), x[start:], n)])


def double(x: np.ndarray, n: int) -> np.ndarray:
    once = exponential(x, n)
    return 2 * once - exponential(once, n)


def triple(x: np.ndarray, n: int) -> np.ndarray:
    once = exponential(x, n)
    twice = exponential(once, n)
    return 3 * once - 3 * twice + exponential(twice, n)


def hulls(x: np.ndarray, n: int) -> np.ndarray:
    return weighted(2 * weighted(x, n // 2) - weighted(x, n), round(n**0.5))


def kaufman(x: np.ndarray, n: int) -> np.ndarray:
    out = np.full(len(x), np.nan)
    last = x[n - 1]
    for t in range(n, len(x)):
        way = np.abs(np.diff(x[t - n : t + 1])).sum()
        efficiency = min(abs(x[t] - x[t - n]) / way, 1) if way > 0 else 1
        last += (efficiency * (2 / 3 - 2 / 31) + 2 / 31) ** 2 * (x[t] - last)
        out[t] = last
    return out


def distance(of, n):
    return lambda b: (b.close - of(b.close, n)) / atr(b)


def slope(of, n):
    return lambda b: (of(b.close, n) - lagged(of(b.close, n), 5)) / atr(b)


def alignment(b):
    periods = (10, 20, 50, 100, 200)
    steps = [(average(b.close, fast) - average(b.close, slow)) / atr(b) for fast, slow in itertools.pairwise(periods)]
    return np.mean([np.clip(step, -1, 1) for step in steps], axis=0)


EXPECTED = {
    **{f"sma_distance_{n}": distance(average, n) for n in (10, 20, 50, 100, 200)},
    **{f"ema_distance_{n}": distance(exponential, n) for n in (9, 21, 50)},
    "wma_distance_20": distance(weighted, 20),
    "dema_distance_20": distance(double, 20),
    "tema_distance_20": distance(triple, 20),
    "kama_distance_10": distance(kaufman, 10),
    "hma_distance_16": distance(hulls, 16),
    "hma_distance_48": distance(hulls, 48),
    "sma_slope_20": slope(average, 20),
    "sma_slope_50": slope(average, 50),
    "ema_slope_9": slope(exponential, 9),
    "ema_slope_21": slope(exponential, 21),
    "wma_slope_20": slope(weighted, 20),
    "dema_slope_20": slope(double, 20),
    "tema_slope_20": slope(triple, 20),
    "kama_slope_10": slope(kaufman, 10),
    "hma_slope_16": slope(hulls, 16),
    "sma_alignment": alignment,
    "sma_spread_20_50": lambda b: (average(b.close, 20) - average(b.close, 50)) / atr(b),
    "ema_spread_9_21": lambda b: (exponential(b.close, 9) - exponential(b.close, 21)) / atr(b),
    "ema_spread_9_50": lambda b: (exponential(b.close, 9) - exponential(b.close, 50)) / atr(b),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_moving_average_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])), tolerance=1e-8)


def test_averages_of_a_steady_rise_are_in_order_and_of_a_fall_in_the_reverse():
    """Of closes 100, 101 ... the averages of 10 and 20 bars are 5 bars apart, the others farther: all of them more than one."""
    steady = np.arange(100.0, 900.0)
    assert read("sma_alignment", close=steady)[-1] == 1
    assert read("sma_alignment", close=steady[::-1])[-1] == -1


@pytest.mark.parametrize("n", [2, 5, 20])
def test_the_weighted_average_is_that_of_talib(n, ordinary):
    x = ordinary.bars["5m"]["close"]
    np.testing.assert_allclose(read_expression(weighted_average(close, n=n), close=x), talib.WMA(x, timeperiod=n), rtol=1e-12)


@pytest.mark.parametrize("n", [4, 16, 20])
def test_the_hull_average_is_that_of_talib_where_the_root_of_its_period_is_whole(n, ordinary):
    x = ordinary.bars["5m"]["close"]
    expected = talib.HMA(x, timeperiod=n) if n != 20 else hulls(x, n)  # TA-Lib cuts the root of 20, here it is rounded
    np.testing.assert_allclose(read_expression(hull(n), close=x), expected, rtol=1e-12)


def test_in_a_steady_rise_each_average_lags_by_what_its_formula_says():
    """Closes 100, 101, 102 ...: every bar's true range is 1, so distances are in bars."""
    steady = np.arange(100.0, 900.0)
    found = {name: read(name, close=steady)[-1] for name in ("sma_distance_20", "ema_distance_9", "wma_distance_20", "sma_slope_20")}
    assert found == pytest.approx({"sma_distance_20": 9.5, "ema_distance_9": 4, "wma_distance_20": 19 / 3, "sma_slope_20": 5})
    for leader in ("dema_distance_20", "tema_distance_20"):
        assert read(leader, close=steady)[-1] == pytest.approx(0, abs=1e-6)
    assert read("kama_distance_10", close=steady)[-1] == pytest.approx(1 / (2 / 3) ** 2 - 1)


def test_the_weighted_average_has_no_residue_of_running_sums():
    """TA-Lib's are off by up to 1e-10 of a price of 4000: more than 1e-9 of the range of a still bar, ours by its last digits."""
    x = 4000 + np.cumsum(np.random.default_rng(1).integers(-9, 10, 20_000)) * 0.1
    exact = weighted(x, 16)[15:]
    assert np.abs(talib.WMA(x, timeperiod=16)[15:] - exact).max() > 5e-11
    assert np.abs(read_expression(weighted_average(close, n=16), close=x)[15:] - exact).max() < 2e-12


def test_averages_of_a_still_market_lie_on_it():
    still = np.full(700, 4000.1)
    for name in EXPECTED:
        assert read(name, close=still)[-1] == pytest.approx(0, abs=1e-6), name


def test_talibs_exponential_average_is_what_stands_in_the_graph(ordinary):
    x = ordinary.bars["5m"]["close"]
    assert np.array_equal(read_expression(ta.EMA(close, timeperiod=9), close=x), talib.EMA(x, timeperiod=9), equal_nan=True)
