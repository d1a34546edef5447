"""Volatility features against the papers' formulas, TA-Lib and SciPy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import talib
from formulas import agree, atr, average, bars_of, deviation, exponential, highest, lagged, log_return, lowest, over_windows, share, zscore
from scipy import stats
from single import read, read_expression

from barsmith.features import close, high, low, open_
from barsmith.features.catalog.volatility import range_volatility


def parkinson(b, n):
    return np.sqrt(average(np.log(b.high / b.low) ** 2, n) / (4 * np.log(2)))


def garman_klass(b, n):
    return np.sqrt(average(0.5 * np.log(b.high / b.low) ** 2 - (2 * np.log(2) - 1) * np.log(b.close / b.open) ** 2, n))


def satchell_variance(b, n):
    up, down, body = np.log(b.high / b.open), np.log(b.low / b.open), np.log(b.close / b.open)
    return average(up * (up - body) + down * (down - body), n)


def yang_zhang(b, n):
    gap, body = np.log(b.open / lagged(b.close, 1)), np.log(b.close / b.open)
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    unbiased = lambda x: deviation(x, n) ** 2 * n / (n - 1)  # noqa: E731
    return np.sqrt(unbiased(gap) + k * unbiased(body) + (1 - k) * satchell_variance(b, n))


def realized(b, n):
    return np.sqrt(average(log_return(b) ** 2, n))


def jumps(b, n):
    size = np.abs(log_return(b))
    return share(size**2 - size * lagged(size, 1) * np.pi / 2, size**2, n)


def bands(b, n):
    upper, middle, lower = talib.BBANDS(b.close, timeperiod=n, nbdevup=2, nbdevdn=2)
    return (b.close - lower) / (upper - lower), (upper - lower) / middle


EXPECTED = {
    "atr_to_close_14": lambda b: atr(b, 14) / b.close,
    "atr_to_close_28": lambda b: atr(b, 28) / b.close,
    "atr_ratio_7_28": lambda b: atr(b, 7) / atr(b, 28),
    **{f"bollinger_position_{n}": lambda b, n=n: 0.5 + zscore(b.close, n) / 4 for n in (20, 50)},
    **{f"bollinger_width_{n}": lambda b, n=n: 4 * deviation(b.close, n) / average(b.close, n) for n in (20, 50)},
    "bollinger_squeeze_20": lambda b: 2 * deviation(b.close, 20) / (1.5 * atr(b, 20)),
    "keltner_position_20": lambda b: (b.close - (exponential(b.close, 20) - 2 * atr(b, 10))) / (4 * atr(b, 10)),
    "keltner_width_20": lambda b: 4 * atr(b, 10) / exponential(b.close, 20),
    "donchian_width_20": lambda b: (highest(b.high, 20) - lowest(b.low, 20)) / atr(b),
    "realized_volatility_12": lambda b: realized(b, 12),
    "realized_volatility_48": lambda b: realized(b, 48),
    "volatility_ratio_12_96": lambda b: realized(b, 12) / realized(b, 96),
    "parkinson_20": lambda b: parkinson(b, 20),
    "garman_klass_20": lambda b: garman_klass(b, 20),
    "garman_klass_60": lambda b: garman_klass(b, 60),
    "rogers_satchell_20": lambda b: np.sqrt(satchell_variance(b, 20)),
    "yang_zhang_20": lambda b: yang_zhang(b, 20),
    "range_zscore_50": lambda b: zscore((b.high - b.low) / b.close, 50),
    "volatility_of_volatility_50": lambda b: deviation(np.abs(log_return(b)), 50) / average(np.abs(log_return(b)), 50),
    **{f"return_skew_{n}": lambda b, n=n: over_windows(lambda w: stats.skew(w, axis=1), log_return(b), n) for n in (50, 100)},
    **{f"return_kurtosis_{n}": lambda b, n=n: over_windows(lambda w: stats.kurtosis(w, axis=1), log_return(b), n) for n in (50, 100)},
    "downside_share_48": lambda b: share(np.minimum(log_return(b), 0) ** 2, log_return(b) ** 2, 48, 0.5),
    "jump_share_48": lambda b: jumps(b, 48),
}


@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_volatility_feature_is_its_formula(name, ordinary):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"])), tolerance=1e-8)


@pytest.mark.parametrize("n", [20, 50])
def test_the_bollinger_bands_are_those_of_talib(n, ordinary):
    position, width = bands(bars_of(ordinary.bars["5m"]), n)
    agree(ordinary, f"bollinger_position_{n}", position, tolerance=1e-6)  # TA-Lib subtracts large squares
    agree(ordinary, f"bollinger_width_{n}", width, tolerance=1e-6)


def test_the_keltner_channel_is_as_high_as_that_of_talib(ordinary):
    b = bars_of(ordinary.bars["5m"])
    upper, _, lower = talib.KC(b.high, b.low, b.close, timeperiod=20, atrperiod=10, nbdev=2.0)
    agree(ordinary, "keltner_width_20", (upper - lower) / talib.EMA(b.close, timeperiod=20))  # TA-Lib's lies about typical prices


BAR = {"open": 100.0, "high": 104.0, "low": 98.0, "close": 103.0}


def test_parkinson_and_garman_klass_of_one_bar_by_hand():
    """ln(104/98) = 0.059423, its square 0.0035311; ln(103/100) = 0.029559, its square 0.00087373."""
    span, body = 0.0035311, 0.00087373
    found = [
        read_expression(getattr(range_volatility(open_, high, low, close, n=2), name), **{k: [v, v] for k, v in BAR.items()})
        for name in ("parkinson", "garman_klass")
    ]
    assert math.isnan(found[0][0])  # the window is not full
    assert found[0][1] == pytest.approx(math.sqrt(span / 2.772589), rel=1e-4)
    assert found[1][1] == pytest.approx(math.sqrt(0.5 * span - 0.386294 * body), rel=1e-4)


@pytest.mark.real
def test_the_bar_checked_by_hand_is_the_golden_one(real_data):
    golden = (real_data.parent / "reference" / "golden.json").read_text()
    assert json.loads(golden)["parkinson_and_garman_klass"]["bar"] == BAR


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bollinger_position_20", 0.5),
        ("bollinger_width_20", 0),
        ("keltner_position_20", 0.5),
        ("parkinson_20", 0),
        ("garman_klass_20", 0),
        ("rogers_satchell_20", 0),
        ("yang_zhang_20", 0),
        ("return_skew_100", 0),
        ("return_kurtosis_100", 0),
        ("downside_share_48", 0.5),
        ("jump_share_48", 0),
        ("volatility_ratio_12_96", 1),
        ("volatility_of_volatility_50", 0),
        ("range_zscore_50", 0),
        ("atr_ratio_7_28", 1),
    ],
)
def test_a_still_market_has_the_value_that_is_said_for_it(name, value):
    assert read(name, close=np.full(900, 4000.1))[-1] == pytest.approx(value, abs=1e-9)


def test_a_market_that_only_falls_has_all_its_movement_below():
    assert read("downside_share_48", close=np.arange(200.0, 100.0, -1))[-1] == 1


def test_one_jump_among_still_bars_is_all_jump():
    closes = np.full(80, 100.0)
    closes[60:] = 110.0
    assert read("jump_share_48", close=closes)[-1] == 1
