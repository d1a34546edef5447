"""Trend: whether the market goes somewhere, which way, how strongly and how straight."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, log, low
from barsmith.features.indicators import Talib, ta
from barsmith.features.kernels import kernel, mean, push
from barsmith.features.scale import in_ranges, log_change, log_close, ratio
from barsmith.features.windows import ROUNDING, moments, window_ratio

typical_price = (high + low + close) / 3
true_range = ta.TRANGE(high, low, close)


@kernel(size=lambda n: n, settling=lambda n: n - 1, outputs=("slope", "fit", "residual"))
def line(state: np.ndarray, params: tuple[float, ...], y: float) -> tuple[float, float, float]:
    """Least-squares line through the last n: slope a bar, share of the variance it explains, and the newest value's
    distance from it in standard deviations of the residuals; 0 in a flat window."""
    push(state, y)
    n = len(state)
    offset, sxy, syy = 0.0, 0.0, 0.0
    for v in state:
        offset += v - y
    offset /= n
    for i in range(n):
        d = (state[i] - y) - offset
        sxy += (i - (n - 1) / 2.0) * d
        syy += d * d
    if math.sqrt(syy) <= ROUNDING * abs(y) * n:
        return 0.0, 0.0, 0.0
    sxx = n * (n * n - 1.0) / 12.0
    slope = sxy / sxx
    left = syy - slope * sxy
    scatter = math.sqrt(left / n) if left > ROUNDING * syy else 0.0
    return slope, 1.0 - left / syy, ((-offset - slope * (n - 1) / 2.0) / scatter if scatter > 0.0 else left * 0.0)


def middle(n: int) -> Expr:
    """Half way between the highest high and the lowest low of n bars."""
    return ta.MIDPRICE(high, low, timeperiod=n)


def trailing(n: int, k: float) -> Talib:
    return ta.SUPERTREND(high, low, close, timeperiod=n, multiplier=float(k))


@feature(n=(14,))
def adx(n: int) -> Expr:
    """Strength of the trend, whichever way it goes. Unit: 0..1. Source: Wilder (1978)."""
    return ta.ADX(high, low, close, timeperiod=n) / 100


@feature(n=(14,))
def adx_change(n: int) -> Expr:
    """Change of the trend's strength over five bars. Unit: -1..1. Source: Wilder (1978)."""
    return (ta.ADX(high, low, close, timeperiod=n) - lag(ta.ADX(high, low, close, timeperiod=n), 5)) / 100


@feature(n=(14,))
def directional_movement(n: int) -> Expr:
    """Upward minus downward directional indicator. Unit: -1..1. Source: Wilder (1978)."""
    return (ta.PLUS_DI(high, low, close, timeperiod=n) - ta.MINUS_DI(high, low, close, timeperiod=n)) / 100


@feature(n=(25,))
def aroon_up(n: int) -> Expr:
    """How recent the highest high of n bars is: 1 now, 0 n bars ago. Unit: 0..1. Source: Chande (1995)."""
    return ta.AROON(high, low, timeperiod=n).aroonup / 100


@feature(n=(25,))
def aroon_down(n: int) -> Expr:
    """How recent the lowest low of n bars is: 1 now, 0 n bars ago. Unit: 0..1. Source: Chande (1995)."""
    return ta.AROON(high, low, timeperiod=n).aroondown / 100


@feature(n=(25,))
def aroon_oscillator(n: int) -> Expr:
    """Aroon up minus Aroon down. Unit: -1..1. Source: Chande (1995)."""
    both = ta.AROON(high, low, timeperiod=n)
    return (both.aroonup - both.aroondown) / 100


@feature(n=(20,))
def cci(n: int) -> Expr:
    """Typical price minus its average of n bars, in 1.5 mean deviations; 0 in a flat window.

    Unit: 1 is Lambert's 100. Source: Lambert (1980).
    """
    window = moments(typical_price, n=n)
    return ratio(typical_price - window.average, 1.5 * window.absolute_deviation)


@feature(n=(9,))
def ichimoku_conversion_distance(n: int) -> Expr:
    """Close minus the conversion line of n bars. Unit: typical ranges of a bar. Source: Hosoda (1969), tenkan."""
    return in_ranges(close - middle(n))


@feature(n=(26,))
def ichimoku_base_distance(n: int) -> Expr:
    """Close minus the base line of n bars. Unit: typical ranges of a bar. Source: Hosoda (1969), kijun."""
    return in_ranges(close - middle(n))


@feature(conversion=(9,), base=(26,))
def ichimoku_spread(conversion: int, base: int) -> Expr:
    """Conversion line minus base line. Unit: typical ranges of a bar. Source: Hosoda (1969)."""
    return in_ranges(middle(conversion) - middle(base))


@feature(conversion=(9,), base=(26,), span=(52,))
def ichimoku_cloud_distance(conversion: int, base: int, span: int) -> Expr:
    """Close minus the middle of the cloud that stands over this bar, made of lines `base` bars ago.

    Unit: typical ranges of a bar. Source: Hosoda (1969).
    """
    return in_ranges(close - (lag((middle(conversion) + middle(base)) / 2, base) + lag(middle(span), base)) / 2)


@feature(conversion=(9,), base=(26,), span=(52,))
def ichimoku_cloud_thickness(conversion: int, base: int, span: int) -> Expr:
    """Leading span A minus B of the cloud over this bar: above 0 it is bullish. Unit: typical ranges of a bar. Source: Hosoda (1969)."""
    return in_ranges(lag((middle(conversion) + middle(base)) / 2, base) - lag(middle(span), base))


@feature(n=(10,), k=(3,))
def supertrend_distance(n: int, k: float) -> Expr:
    """Close minus the trailing band k typical ranges away: above 0 in an up-trend. Unit: typical ranges of a bar. Source: Seban (2008)."""
    return in_ranges(close - trailing(n, k).supertrend)


@feature(n=(10,), k=(3,))
def supertrend_side(n: int, k: float) -> Expr:
    """Side of the trailing band k typical ranges away: 1 in an up-trend, else -1. Unit: -1 or 1. Source: Seban (2008)."""
    return trailing(n, k).trend * 1  # TA-Lib's is a whole number, not a float


@feature(n=(20, 50))
def regression_slope(n: int) -> Expr:
    """Slope of the least-squares line through n closes. Unit: typical ranges of a bar, a bar. Source: Gauss (1809)."""
    return in_ranges(line(close, n=n).slope)


@feature(n=(20, 50))
def regression_fit(n: int) -> Expr:
    """Share of the variance of n closes that their line explains; 0 in a flat window. Unit: 0..1. Source: R squared."""
    return line(close, n=n).fit


@feature(n=(20, 50))
def regression_residual(n: int) -> Expr:
    """Close minus the line through the last n closes. Unit: standard deviations of its residuals. Source: Gauss (1809)."""
    return line(close, n=n).residual


@feature(n=(10, 30))
def efficiency_ratio(n: int) -> Expr:
    """Change of the close over n bars as a share of the way it went: 1 straight up, -1 straight down, 0 in a flat market.

    Unit: -1..1. Source: Kaufman (1995), with its sign.
    """
    step = close - lag(close, 1)
    return window_ratio(step, abs(step), n=n, flat=0.0)


@feature(n=(14,))
def choppiness(n: int) -> Expr:
    """Sum of n true ranges over the range of all, on a logarithmic scale: 1 goes nowhere, 0 goes straight.

    Unit: about 0..1. Source: Dreiss (1993).
    """
    way = ratio(n * mean(true_range, n=n), ta.MAX(high, timeperiod=n) - ta.MIN(low, timeperiod=n), flat=float(n))
    return log(way) / math.log(n)


@feature(n=(14,))
def vortex(n: int) -> Expr:
    """Upward minus downward vortex movement of n bars over their true range; 0 in a flat market.

    Unit: about -1..1. Source: Botes and Siepman (2010).
    """
    up, down = abs(high - lag(low, 1)), abs(low - lag(high, 1))
    return window_ratio(up - down, true_range, n=n, flat=0.0)


@feature(n=(60,), q=(5, 15))
def variance_ratio(n: int, q: int) -> Expr:
    """Variance of q-bar changes over q times that of one bar: above 1 moves go on, below 1 they turn; 1 in a flat market.

    Unit: ratio. Source: Lo and MacKinlay (1988), without drift.
    """
    many = log_close - lag(log_close, q)
    return ratio(mean(many * many, n=n), q * mean(log_change * log_change, n=n + q - 1), flat=1.0)
