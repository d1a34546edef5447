"""Volume features against their formulas and TA-Lib, and facts one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from formulas import agree, atr, average, bars_of, change, correlation, position, quotient, share, zscore
from single import read, read_expression

from barsmith.features import close, session, volume
from barsmith.features.catalog.volume import session_vwap, volume_profile


def typical(b):
    return (b.high + b.low + b.close) / 3


def signed(b):
    return np.sign(change(b.close)) * b.volume


def location(b):
    return quotient((b.close - b.low) - (b.high - b.close), b.high - b.low, 0)


def oscillator(b):
    fast, slow = average(b.volume, 10), average(b.volume, 50)
    return (fast - slow) / (fast + slow)


def money_flow(b, n):
    flow, direction = typical(b) * b.volume, np.sign(np.round(change(typical(b)), 9))
    up, down = average(flow * (direction > 0), n), average(flow * (direction < 0), n)
    up[:n] = np.nan
    return up / (up + down)


def anchored(b):
    """Volume-weighted mean and deviation since the session's open, each bar from scratch."""
    mean, spread = np.empty(len(b.close)), np.empty(len(b.close))
    for t in range(len(b.close)):
        first = np.searchsorted(b.session, b.session[t])
        prices, weights = typical(b)[first : t + 1], b.volume[first : t + 1]
        mean[t] = np.average(prices, weights=weights)
        spread[t] = np.sqrt(np.average((prices - mean[t]) ** 2, weights=weights))
    return mean, spread


def profile(b, n=60, bins=24):
    """Point of control and the bounds of the value area, each window from scratch."""
    found = np.full((3, len(b.close)), np.nan)
    prices, volumes = typical(b), b.volume
    for t in range(n - 1, len(b.close)):
        window, weights = prices[t - n + 1 : t + 1], volumes[t - n + 1 : t + 1]
        width = (window.max() - window.min()) / bins
        bin_of = np.minimum(np.floor((window - window.min()) / width + 1e-9), bins - 1).astype(int)
        held, edges = np.bincount(bin_of, weights, minlength=bins), window.min() + width * np.arange(bins + 1)
        first = last = int(np.argmax(held))
        while held[first : last + 1].sum() < 0.7 * held.sum():
            below = held[first - 1] if first > 0 else -1
            above = held[last + 1] if last < bins - 1 else -1
            first, last = (first - 1, last) if below >= above else (first, last + 1)
        peak = int(np.argmax(held))
        found[:, t] = (edges[peak] + edges[peak + 1]) / 2, edges[first], edges[last + 1]
    return found


@pytest.fixture(scope="module")
def bars(ordinary):
    """The first bars: some of these formulas are slow."""
    return bars_of({name: column[:2000] for name, column in ordinary.bars["5m"].items()})


EXPECTED = {
    "log_volume_20": lambda b: np.log((b.volume + 1) / (average(b.volume, 20) + 1)),
    "log_volume_100": lambda b: np.log((b.volume + 1) / (average(b.volume, 100) + 1)),
    "volume_zscore_50": lambda b: zscore(np.log(b.volume + 1), 50),
    "volume_oscillator_10_50": oscillator,
    "obv_change_20": lambda b: share(signed(b), b.volume, 20),
    "obv_change_60": lambda b: share(signed(b), b.volume, 60),
    "obv_divergence": lambda b: (share(change(b.close), np.abs(change(b.close)), 20) - share(signed(b), b.volume, 20)) / 2,
    "accumulation_distribution_20": lambda b: share(location(b) * b.volume, b.volume, 20),
    "mfi_14": lambda b: money_flow(b, 14),
    "vwap_distance_60": lambda b: (b.close - share(typical(b) * b.volume, b.volume, 60)) / atr(b),
    "vwap_session_distance": lambda b: (b.close - anchored(b)[0]) / atr(b),
    "vwap_session_band": lambda b: (b.close - anchored(b)[0]) / np.maximum(anchored(b)[1], atr(b) / 4),
    "force_index_13": lambda b: share(change(b.close) * b.volume, b.volume, 13) / atr(b),
    "volume_range_correlation_30": lambda b: correlation(b.high - b.low, b.volume, 30),
    "volume_return_correlation_30": lambda b: correlation(change(b.close), b.volume, 30),
    **{f"volume_profile_control_distance_{n}_24": lambda b, n=n: (b.close - profile(b, n)[0]) / atr(b) for n in (60, 240)},
    **{f"volume_profile_position_{n}_24": lambda b, n=n: position(b.close, profile(b, n)[1], profile(b, n)[2]) for n in (60, 240)},
    "volume_profile_width_60_24": lambda b: (profile(b)[2] - profile(b)[1]) / atr(b),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_volume_feature_is_its_formula(name, ordinary, bars):
    expected = EXPECTED[name](bars)
    agree(ordinary.head(len(expected)), name, expected, tolerance=1e-7)


def test_the_indicators_that_talib_has_are_its(ordinary):
    b = bars_of(ordinary.bars["5m"])
    obv = talib.OBV(b.close, b.volume)
    agree(ordinary, "obv_change_20", change(obv, 20) / (20 * average(b.volume, 20)))
    agree(ordinary, "accumulation_distribution_20", talib.CMF(b.high, b.low, b.close, b.volume, timeperiod=20))
    agree(ordinary, "mfi_14", talib.MFI(b.high, b.low, b.close, b.volume, timeperiod=14) / 100)


def test_volume_that_only_rises_with_the_price_is_all_on_one_side():
    steady = np.arange(100.0, 200.0)
    assert read("obv_change_20", close=steady)[-1] == 1
    assert read("mfi_14", close=steady)[-1] == 1
    assert read("obv_change_20", close=steady[::-1])[-1] == -1
    assert read("mfi_14", close=steady[::-1])[-1] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("log_volume_20", 0), ("volume_zscore_50", 0), ("volume_oscillator_10_50", 0), ("obv_change_20", 0), ("mfi_14", 0.5),
     ("accumulation_distribution_20", 0), ("force_index_13", 0), ("volume_range_correlation_30", 0), ("volume_profile_position_60_24", 0.5),
     ("volume_profile_width_60_24", 0)],
)  # fmt: skip
def test_a_market_without_trades_is_on_neither_side(name, value):
    assert read(name, close=np.full(900, 4000.1), volume=np.zeros(900))[-1] == value


def test_an_hour_without_trades_has_the_plain_average_price():
    """Closes 100 ... 199 and no volume: the average of the last 60 is 169.5, 29.5 true ranges below."""
    found = read("vwap_distance_60", close=np.arange(100.0, 800.0), volume=np.zeros(700))[-1]
    assert found == pytest.approx(29.5)


def test_the_sessions_average_price_starts_anew_with_each_session():
    found = session_vwap(close, volume, session)
    columns = {"close": [10, 20, 40, 50.0], "volume": [1, 3, 2, 2.0], "session": [7, 7, 8, 8.0]}
    assert read_expression(found.average, **columns) == pytest.approx([10, 17.5, 40, 45])
    assert read_expression(found.deviation, **columns) == pytest.approx([0, np.sqrt(18.75), 0, 5])


def test_the_point_of_control_is_where_most_was_traded():
    """Prices 0..9 in ten bins: 5 lots at 3, one everywhere else; 70 % of 14 lots is 9.8, so ten: 3 and five of its neighbours."""
    found = volume_profile(close, volume, n=10, bins=10)
    columns = {"close": np.arange(10.0), "volume": [1, 1, 1, 5, 1, 1, 1, 1, 1, 1.0]}
    control, lowest, highest = (read_expression(getattr(found, name), **columns)[-1] for name in found.outputs)
    assert control == pytest.approx(3.5 * 0.9)  # the fourth bin's middle
    assert (lowest, highest) == (0.0, pytest.approx(6 * 0.9))  # downwards first, then up


def test_prices_on_the_edges_of_bins_lie_in_the_same_ones_in_every_currency():
    random = np.random.default_rng(12)
    closes, lots = 4000 + 0.25 * np.cumsum(random.integers(-3, 4, 3000)), random.integers(1, 99, 3000)
    one, other = (read("volume_profile_position_60_24", close=closes * factor, volume=lots)[60:] for factor in (1.0, 1.37))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
