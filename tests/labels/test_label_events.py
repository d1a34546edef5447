"""The CUSUM filter and its volatility, against the book's snippets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.labels.events import cusum_events, trailing_volatility


def book(log_close: np.ndarray, h: np.ndarray) -> list[int]:
    """Lopez de Prado (2018), snippet 2.4, with a threshold for each bar."""
    events, s_pos, s_neg = [], 0.0, 0.0
    for i in range(1, len(log_close)):
        if np.isnan(h[i]):
            continue
        diff = log_close[i] - log_close[i - 1]
        s_pos, s_neg = max(0.0, s_pos + diff), min(0.0, s_neg + diff)
        if s_neg < -h[i]:
            s_neg = 0.0
            events.append(i)
        elif s_pos > h[i]:
            s_pos = 0.0
            events.append(i)
    return events


def test_moves_add_up_from_the_lowest_point_since_the_last_event():
    #                        0  +1  +1  -1  -1  -1  -1  +1  +1  +2
    log_close = np.array([0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0, -1.0, 0.0, 2.0])
    # up 1 2! then it starts again; down -1 -2! -1 -2! ; up, since the low at -2: 1 2! 2!
    assert np.flatnonzero(cusum_events(log_close, np.full(10, 1.5))).tolist() == [2, 4, 6, 8, 9]
    assert np.flatnonzero(cusum_events(log_close, np.full(10, 3.5))).tolist() == [6, 9]


@given(seed=st.integers(0, 1000), n=st.integers(2, 200), h=st.floats(0.1, 5.0))
@settings(max_examples=40, deadline=None)
def test_the_filter_is_the_books(seed, n, h):
    rng = np.random.default_rng(seed)
    log_close = np.cumsum(rng.normal(size=n))
    threshold = h * rng.uniform(0.5, 1.5, n)
    threshold[: n // 4] = np.nan
    assert np.flatnonzero(cusum_events(log_close, threshold)).tolist() == book(log_close, threshold)


def test_an_event_depends_on_no_later_bar():
    rng = np.random.default_rng(2)
    log_close = np.cumsum(rng.normal(size=400)) * 0.001
    whole = cusum_events(log_close, 3 * trailing_volatility(log_close))
    assert 10 < whole.sum() < 200
    for cut in (150, 260, 399):
        later = np.r_[log_close[:cut], rng.normal(size=400 - cut)]
        assert np.array_equal(cusum_events(later, 3 * trailing_volatility(later))[:cut], whole[:cut])


def test_the_volatility_is_pandas_exponentially_weighted_mean_of_squares():
    import pandas

    log_close = np.cumsum(np.random.default_rng(3).normal(size=300)) * 0.01
    squares = pandas.Series(np.r_[np.nan, np.diff(log_close) ** 2])
    expected = np.sqrt(squares.ewm(span=100).mean().to_numpy())
    found = trailing_volatility(log_close)
    assert np.isnan(found[:100]).all()
    assert found[100:] == pytest.approx(expected[100:], rel=1e-12)
