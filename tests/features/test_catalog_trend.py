"""Trend features against TA-Lib and their formulas, and facts one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from formulas import agree, atr, average, bars_of, change, highest, lagged, lowest, over_windows, share, true_range
from scipy import stats
from single import read, read_expression

from barsmith.features import close
from barsmith.features.catalog.trend import line


def middle(b, n):
    return (highest(b.high, n) + lowest(b.low, n)) / 2


def regression(x: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slope, R squared and the last residual in standard deviations, by SciPy."""
    slope, fit, residual = (np.full(len(x), np.nan) for _ in range(3))
    axis = np.arange(n)
    for t in range(n - 1, len(x)):
        window = x[t - n + 1 : t + 1]
        if np.ptp(window) == 0:
            slope[t] = fit[t] = residual[t] = 0
            continue
        found = stats.linregress(axis, window)
        left = window - found.intercept - found.slope * axis
        slope[t], fit[t], residual[t] = found.slope, found.rvalue**2, left[-1] / left.std()
    return slope, fit, residual


def cloud(b):
    lead_a = lagged((middle(b, 9) + middle(b, 26)) / 2, 26)
    lead_b = lagged(middle(b, 52), 26)
    return lead_a, lead_b


def supertrend(b, n=10, multiple=3.0):
    """Line and side, by the rules of the chart packages."""
    width, middle_ = multiple * atr(b, n), (b.high + b.low) / 2
    line_, side = np.full(len(b.close), np.nan), np.full(len(b.close), np.nan)
    upper, lower, current = np.inf, -np.inf, 1.0
    for t in range(n, len(b.close)):
        upper = middle_[t] + width[t] if not (b.close[t - 1] <= upper) else min(upper, middle_[t] + width[t])
        lower = middle_[t] - width[t] if not (b.close[t - 1] >= lower) else max(lower, middle_[t] - width[t])
        current = 1.0 if current < 0 and b.close[t] > upper else -1.0 if current > 0 and b.close[t] < lower else current
        line_[t], side[t] = (lower if current > 0 else upper), current
    return line_, side


def efficiency(b, n):
    return share(change(b.close), np.abs(change(b.close)), n)


def choppiness(b, n):
    return np.log(n * average(true_range(b), n) / (highest(b.high, n) - lowest(b.low, n))) / np.log(n)


def vortex(b, n):
    up, down = np.abs(b.high - lagged(b.low, 1)), np.abs(b.low - lagged(b.high, 1))
    return share(up, true_range(b), n) - share(down, true_range(b), n)


def variance_ratio(b, n, q):
    x = np.log(b.close)
    return average(change(x, q) ** 2, n) / (q * average(change(x) ** 2, n + q - 1))


def cci(b, n):
    typical = (b.high + b.low + b.close) / 3
    spread = over_windows(lambda w: np.abs(w - w.mean(axis=1, keepdims=True)).mean(axis=1), typical, n)
    return (typical - average(typical, n)) / (1.5 * spread)


EXPECTED = {
    "adx_14": lambda b: talib.ADX(b.high, b.low, b.close) / 100,
    "adx_change_14": lambda b: change(talib.ADX(b.high, b.low, b.close), 5) / 100,
    "directional_movement_14": lambda b: (talib.PLUS_DI(b.high, b.low, b.close) - talib.MINUS_DI(b.high, b.low, b.close)) / 100,
    "aroon_up_25": lambda b: talib.AROON(b.high, b.low, timeperiod=25)[1] / 100,
    "aroon_down_25": lambda b: talib.AROON(b.high, b.low, timeperiod=25)[0] / 100,
    "aroon_oscillator_25": lambda b: talib.AROONOSC(b.high, b.low, timeperiod=25) / 100,
    "cci_20": lambda b: cci(b, 20),
    "ichimoku_conversion_distance_9": lambda b: (b.close - middle(b, 9)) / atr(b),
    "ichimoku_base_distance_26": lambda b: (b.close - middle(b, 26)) / atr(b),
    "ichimoku_spread_9_26": lambda b: (middle(b, 9) - middle(b, 26)) / atr(b),
    "ichimoku_cloud_distance_9_26_52": lambda b: (b.close - (cloud(b)[0] + cloud(b)[1]) / 2) / atr(b),
    "ichimoku_cloud_thickness_9_26_52": lambda b: (cloud(b)[0] - cloud(b)[1]) / atr(b),
    "supertrend_distance_10_3": lambda b: (b.close - supertrend(b)[0]) / atr(b),
    "supertrend_side_10_3": lambda b: supertrend(b)[1],
    **{f"regression_slope_{n}": lambda b, n=n: regression(b.close, n)[0] / atr(b) for n in (20, 50)},
    **{f"regression_fit_{n}": lambda b, n=n: regression(b.close, n)[1] for n in (20, 50)},
    **{f"regression_residual_{n}": lambda b, n=n: regression(b.close, n)[2] for n in (20, 50)},
    **{f"efficiency_ratio_{n}": lambda b, n=n: efficiency(b, n) for n in (10, 30)},
    "choppiness_14": lambda b: choppiness(b, 14),
    "vortex_14": lambda b: vortex(b, 14),
    **{f"variance_ratio_60_{q}": lambda b, q=q: variance_ratio(b, 60, q) for q in (5, 15)},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_trend_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])), tolerance=1e-7)


def test_cci_and_vortex_are_those_of_talib(ordinary):
    b = bars_of(ordinary.bars["5m"])
    agree(ordinary, "cci_20", talib.CCI(b.high, b.low, b.close, timeperiod=20) / 100, tolerance=1e-7)
    up, down = talib.VORTEX(b.high, b.low, b.close, timeperiod=14)
    agree(ordinary, "vortex_14", up - down, tolerance=1e-7)


def test_in_a_steady_rise_everything_points_up():
    """Closes 100, 101, 102 ... without shadows: one bar is one true range."""
    steady = np.arange(100.0, 900.0)
    found = {name: read(name, close=steady)[-1] for name in EXPECTED if not name.startswith("variance_ratio")}
    assert found["aroon_up_25"] == 1
    assert found["aroon_down_25"] == 0
    assert found["adx_14"] == pytest.approx(1)
    assert found["efficiency_ratio_10"] == 1
    assert found["supertrend_side_10_3"] == 1
    assert found["supertrend_distance_10_3"] == pytest.approx(3)  # the band three ranges below the middle
    assert found["regression_slope_20"] == pytest.approx(1)
    assert found["regression_fit_20"] == 1
    assert found["regression_residual_20"] == 0
    assert found["ichimoku_conversion_distance_9"] == pytest.approx(4)
    assert found["choppiness_14"] == pytest.approx(np.log(14 / 13) / np.log(14))


@pytest.mark.parametrize(
    ("name", "value"),
    [("cci_20", 0), ("regression_fit_20", 0), ("regression_residual_20", 0), ("efficiency_ratio_10", 0), ("choppiness_14", 1),
     ("vortex_14", 0), ("variance_ratio_60_5", 1), ("aroon_oscillator_25", 0), ("adx_14", 0)],
)  # fmt: skip
def test_a_still_market_goes_nowhere(name, value):
    assert read(name, close=np.full(900, 4000.1))[-1] == value


def test_the_variance_ratio_of_a_trend_is_q_and_of_a_seesaw_nought():
    assert read("variance_ratio_60_5", close=100 * np.exp(np.arange(100) / 1000))[-1] == pytest.approx(5)
    assert read("variance_ratio_60_15", close=np.tile([100.0, 101.0], 60))[-1] == pytest.approx(1 / 15)


def test_a_line_with_one_value_off_it_has_that_residual():
    """1, 2, 3, 4, 5 and then 0: of the line through them the newest is farthest."""
    found = [read_expression(getattr(line(close, n=6), name), close=[1, 2, 3, 4, 5, 0.0])[-1] for name in ("slope", "fit")]
    expected = stats.linregress(np.arange(6), [1, 2, 3, 4, 5, 0])
    assert found == pytest.approx([expected.slope, expected.rvalue**2])
