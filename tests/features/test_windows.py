"""The shared windows and quotients: against NumPy, exactly flat where nothing moves, the same in both readings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from single import read_expression

from barsmith.features import close, volume, zscore
from barsmith.features.scale import LEAST_RANGE, mean_range, position, ratio, typical_range
from barsmith.features.windows import moments, pair, window_ratio

TICKS = arrays(np.float64, st.integers(8, 40), elements=st.integers(1, 100_000).map(lambda ticks: ticks * 0.1))
compiled_on_first_use = settings(deadline=None)
ANY = st.one_of(st.floats(allow_nan=True, allow_infinity=False, width=64), st.just(0.0), st.just(-0.0))


@compiled_on_first_use
@given(TICKS)
def test_moments_are_numpys(x):
    found = {name: read_expression(getattr(moments(close, n=8), name), close=x)[-1] for name in moments(close, n=8).outputs}
    window = x[-8:]
    apart = window - window.mean()
    deviation = math.sqrt((apart**2).mean())
    assert found["average"] == pytest.approx(window.mean())
    if np.ptp(window) == 0:
        assert [found[name] for name in ("deviation", "zscore", "absolute_deviation", "skew", "kurtosis")] == [0] * 5
        return
    assert found["deviation"] == pytest.approx(deviation)
    assert found["zscore"] == pytest.approx(apart[-1] / deviation, abs=1e-6)
    assert found["absolute_deviation"] == pytest.approx(np.abs(apart).mean())
    assert found["skew"] == pytest.approx((apart**3).mean() / deviation**3, abs=1e-6)
    assert found["kurtosis"] == pytest.approx((apart**4).mean() / deviation**4 - 3, abs=1e-6)


@compiled_on_first_use
@given(st.integers(1, 10**7), st.integers(2, 60))
def test_a_window_of_one_price_is_exactly_flat_whatever_the_price(ticks, n):
    """The average of sixty times 0.1 is not 0.1: deviations are measured from the newest value instead."""
    x = np.full(n, ticks * 0.1)
    assert read_expression(moments(close, n=n).zscore, close=x)[-1] == 0
    assert read_expression(zscore(close, n=n), close=x)[-1] == 0
    assert read_expression(pair(close, volume, n=n).correlation, close=x, volume=np.arange(n))[-1] == 0


@compiled_on_first_use
@given(TICKS, st.data())
def test_a_pairs_slope_and_correlation_are_numpys(y, data):
    x = np.array(data.draw(st.lists(st.integers(0, 10**6), min_size=len(y), max_size=len(y))), float)
    found = [read_expression(getattr(pair(close, volume, n=8), name), close=y, volume=x)[-1] for name in ("slope", "correlation")]
    if np.ptp(y[-8:]) == 0 or np.ptp(x[-8:]) == 0:
        assert found == [0, 0]
        return
    covariance = np.cov(x[-8:], y[-8:], bias=True)
    expected = [covariance[0, 1] / covariance[0, 0], covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@compiled_on_first_use
@given(arrays(np.float64, st.integers(5, 30), elements=st.integers(0, 50).map(float)))
def test_a_window_of_ratios_is_the_ratio_of_its_sums(x):
    found = read_expression(window_ratio(close, volume, n=5, flat=0.25), close=np.arange(len(x)), volume=x)
    assert np.isnan(found[:4]).all()
    below = x[-5:].sum()
    assert found[-1] == (pytest.approx(np.arange(len(x))[-5:].sum() / below) if below else 0.25)


@compiled_on_first_use
@given(ANY, ANY, st.sampled_from([0.0, 1e-3]))
def test_a_ratio_has_the_same_bits_in_both_readings(above, below, least):
    column, step = ratio(close, volume, flat=0.5, least=least).read(np.array([above]), np.array([below]))
    lone = np.float64(step(above, below))
    assert lone.view(np.int64) == column[:1].view(np.int64)[0] or (math.isnan(lone) and math.isnan(column[0]))


def test_a_ratio_is_flat_where_the_divisor_is_nothing_and_unknown_where_it_is_unknown():
    found = read_expression(ratio(close, volume, flat=0.5), close=[1, 0, 1, np.nan], volume=[2, 0, np.nan, 0])
    assert found[:2].tolist() == [0.5, 0.5]
    assert math.isnan(found[2])
    assert found[3] == 0.5
    assert read_expression(position(close, volume, volume), close=[3.0], volume=[3.0])[0] == 0.5


def test_the_typical_range_of_a_still_market_is_the_least_one():
    still = np.full(60, 4000.0)
    assert read_expression(typical_range(14), close=still)[-1] == 4000 * LEAST_RANGE
    assert read_expression(mean_range(14), close=still)[-1] == 4000 * LEAST_RANGE
    assert read_expression(typical_range(14), close=still, high=still + 1, low=still)[-1] == 1
