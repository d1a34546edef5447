"""Volatility: how far the price moves, by closes and by ranges, against its own past, and of what kind the moves are."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, low, minimum, open_, sqrt
from barsmith.features.indicators import ta
from barsmith.features.kernels import Kernel, kernel, mean, push
from barsmith.features.scale import in_ranges, log_change, ratio, typical_range
from barsmith.features.windows import moments, window_ratio


@kernel(
    size=lambda n: 5 * n + 1,
    settling=lambda n: n,
    outputs=("parkinson", "garman_klass", "rogers_satchell", "yang_zhang"),
)
def range_volatility(
    state: np.ndarray, params: tuple[float, ...], open_: float, high: float, low: float, close: float
) -> tuple[float, float, float, float]:
    """Four estimates of the volatility of a bar from the open, high, low and close of the last n. Unit: log return.

    Sources: Parkinson (1980); Garman and Klass (1980); Rogers and Satchell (1991); Yang and Zhang (2000).
    """
    n, before = int(params[0]), state[-1]
    up, down, body = math.log(high / open_), math.log(low / open_), math.log(close / open_)
    push(state[:n], (up - down) * (up - down))
    push(state[n : 2 * n], body * body)
    push(state[2 * n : 3 * n], up * (up - body) + down * (down - body))
    push(state[3 * n : 4 * n], math.log(open_ / before))
    push(state[4 * n : 5 * n], body)
    state[-1] = close
    span, square, satchell, gap, drift = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        span += state[i]
        square += state[n + i]
        satchell += state[2 * n + i]
        gap += state[3 * n + i]
        drift += state[4 * n + i]
    gap, drift, gaps, bodies = gap / n, drift / n, 0.0, 0.0
    for i in range(n):
        gaps += (state[3 * n + i] - gap) * (state[3 * n + i] - gap)
        bodies += (state[4 * n + i] - drift) * (state[4 * n + i] - drift)
    share = 0.34 / (1.34 + (n + 1.0) / (n - 1.0))
    return (
        math.sqrt(span / n / (4.0 * math.log(2.0))),
        math.sqrt(0.5 * span / n - (2.0 * math.log(2.0) - 1.0) * square / n),
        math.sqrt(satchell / n),
        math.sqrt(gaps / (n - 1.0) + share * bodies / (n - 1.0) + (1.0 - share) * satchell / n),
    )


def by_ranges(n: int) -> Kernel:
    return range_volatility(open_, high, low, close, n=n)


def mean_square(n: int) -> Expr:
    return mean(log_change * log_change, n=n)


@feature(n=(14, 28))
def atr_to_close(n: int) -> Expr:
    """Wilder's average true range of n bars. Unit: share of the price. Source: Wilder (1978)."""
    return ta.ATR(high, low, close, timeperiod=n) / close


@feature(fast=(7,), slow=(28,))
def atr_ratio(fast: int, slow: int) -> Expr:
    """Average true range of the last bars over that of more bars: above 1 the market wakes up. Unit: ratio. Source: Wilder (1978)."""
    return typical_range(fast) / typical_range(slow)


@feature(n=(20, 50))
def bollinger_position(n: int) -> Expr:
    """Where the close lies between the bands two deviations below and above its average; one half in a flat window.

    Unit: 0..1 between the bands. Source: Bollinger (2001), %b.
    """
    return 0.5 + moments(close, n=n).zscore / 4


@feature(n=(20, 50))
def bollinger_width(n: int) -> Expr:
    """Distance between the bands two deviations below and above the average.

    Unit: share of the average. Source: Bollinger (2001), bandwidth.
    """
    window = moments(close, n=n)
    return 4 * window.deviation / window.average


@feature(n=(20,))
def bollinger_squeeze(n: int) -> Expr:
    """Width of the Bollinger bands over that of Keltner channels of 1.5 ranges: below 1 the bands lie inside.

    Unit: ratio. Source: Carter (2005).
    """
    return 2 * moments(close, n=n).deviation / (1.5 * typical_range(n))


@feature(n=(20,))
def keltner_position(n: int) -> Expr:
    """Where the close lies in the channel of two typical ranges of 10 bars about the exponential average of n.

    Unit: 0..1 inside. Source: Keltner (1960), Raschke.
    """
    return 0.5 + (close - ta.EMA(close, timeperiod=n)) / (4 * typical_range(10))


@feature(n=(20,))
def keltner_width(n: int) -> Expr:
    """Height of the channel of two typical ranges of 10 bars on either side of the exponential average of n.

    Unit: share of the average. Source: Keltner (1960), Raschke.
    """
    return 4 * typical_range(10) / ta.EMA(close, timeperiod=n)


@feature(n=(20,))
def donchian_width(n: int) -> Expr:
    """Highest high minus lowest low of n bars. Unit: typical ranges of a bar. Source: Donchian (1960)."""
    return in_ranges(ta.MAX(high, timeperiod=n) - ta.MIN(low, timeperiod=n))


@feature(n=(12, 48))
def realized_volatility(n: int) -> Expr:
    """Root of the mean squared log return of n bars. Unit: log return. Source: Andersen and Bollerslev (1998)."""
    return sqrt(mean_square(n))


@feature(fast=(12,), slow=(96,))
def volatility_ratio(fast: int, slow: int) -> Expr:
    """Realized volatility of the last bars over that of more bars; 1 in a flat market. Unit: ratio. Source: common definition."""
    return sqrt(ratio(mean_square(fast), mean_square(slow), flat=1.0))


@feature(n=(20,))
def parkinson(n: int) -> Expr:
    """Volatility of a bar from the highs and lows of n bars. Unit: log return. Source: Parkinson (1980)."""
    return by_ranges(n).parkinson


@feature(n=(20, 60))
def garman_klass(n: int) -> Expr:
    """Volatility of a bar from the open, high, low and close of n bars. Unit: log return. Source: Garman and Klass (1980)."""
    return by_ranges(n).garman_klass


@feature(n=(20,))
def rogers_satchell(n: int) -> Expr:
    """Volatility of a bar from n bars, right also where the price drifts. Unit: log return. Source: Rogers and Satchell (1991)."""
    return by_ranges(n).rogers_satchell


@feature(n=(20,))
def yang_zhang(n: int) -> Expr:
    """Volatility of a bar from n bars, gaps between bars included. Unit: log return. Source: Yang and Zhang (2000)."""
    return by_ranges(n).yang_zhang


@feature(n=(50,))
def range_zscore(n: int) -> Expr:
    """The bar's range against the ranges of the last n bars. Unit: standard deviations. Source: common definition."""
    return moments((high - low) / close, n=n).zscore


@feature(n=(50,))
def volatility_of_volatility(n: int) -> Expr:
    """Standard deviation of n absolute log returns over their average; 0 in a flat window. Unit: ratio. Source: common definition."""
    window = moments(abs(log_change), n=n)
    return ratio(window.deviation, window.average)


@feature(n=(50, 100))
def return_skew(n: int) -> Expr:
    """Skew of n log returns: below 0 the falls are the larger moves. Unit: skewness. Source: Pearson (1895)."""
    return moments(log_change, n=n).skew


@feature(n=(50, 100))
def return_kurtosis(n: int) -> Expr:
    """Excess kurtosis of n log returns: above 0 the tails are fat. Unit: kurtosis minus 3. Source: Pearson (1905)."""
    return moments(log_change, n=n).kurtosis


@feature(n=(48,))
def downside_share(n: int) -> Expr:
    """Share of n squared log returns that fell; one half in a flat window.

    Unit: 0..1. Source: Barndorff-Nielsen, Kinnebrock and Shephard (2010).
    """
    fall = minimum(log_change, 0)
    return window_ratio(fall * fall, log_change * log_change, n=n, flat=0.5)


@feature(n=(48,))
def jump_share(n: int) -> Expr:
    """Share of the squared movement of n bars that neighbouring bars do not confirm: jumps; 0 in a flat window.

    Unit: share, about 0..1. Source: Barndorff-Nielsen and Shephard (2004).
    """
    confirmed = abs(log_change) * lag(abs(log_change), 1) * (math.pi / 2)
    return window_ratio(log_change * log_change - confirmed, log_change * log_change, n=n, flat=0.0)
