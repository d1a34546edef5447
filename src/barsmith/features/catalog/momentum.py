"""Momentum: how fast and how one-sidedly the price has moved, and where the movement and the price disagree."""

from __future__ import annotations

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, low, maximum, minimum
from barsmith.features.indicators import Talib, ta
from barsmith.features.kernels import mean
from barsmith.features.scale import in_ranges, log_change, position
from barsmith.features.windows import pair, window_ratio

#: An oscillator that moved less than this over its window has stood still.
STILL = 1e-3


def strength(n: int) -> Expr:
    """Relative strength 0..1. TA-Lib's CMO is the same ratio about zero, and one half, not "all falls", where nothing has moved."""
    return 0.5 + ta.CMO(close, timeperiod=n) / 200


def stochastic(n: int) -> Expr:
    return position(close, ta.MIN(low, timeperiod=n), ta.MAX(high, timeperiod=n))


def place_in_window(x: Expr, n: int, least: float = 0.0) -> Expr:
    """Where the newest of n values lies between the smallest and the largest: 0..1."""
    return position(x, ta.MIN(x, timeperiod=n), ta.MAX(x, timeperiod=n), least)


def convergence(fast: int, slow: int, signal: int) -> Talib:
    return ta.MACD(close, fastperiod=fast, slowperiod=slow, signalperiod=signal)


@feature(n=(7, 14, 21))
def rsi(n: int) -> Expr:
    """Share of recent movement that was upward; one half where nothing moved. Unit: 0..1. Source: Wilder (1978)."""
    return strength(n)


@feature(n=(14,))
def rsi_change(n: int) -> Expr:
    """Change of the relative strength over five bars. Unit: -1..1. Source: Wilder (1978)."""
    return strength(n) - lag(strength(n), 5)


@feature(n=(14,))
def stochastic_k(n: int) -> Expr:
    """Where the close lies in the range of n bars; one half in a flat one. Unit: 0..1. Source: Lane (1984), fast %K."""
    return stochastic(n)


@feature(n=(14,))
def stochastic_d(n: int) -> Expr:
    """Average of the last three %K of n bars. Unit: 0..1. Source: Lane (1984), %D."""
    return mean(stochastic(n), n=3)


@feature(n=(14,))
def stochastic_rsi(n: int) -> Expr:
    """Where the relative strength lies in its own range of n bars; one half where that is under 0.001.

    Unit: 0..1. Source: Chande and Kroll (1994).
    """
    return place_in_window(strength(n), n, STILL)


@feature(n=(14, 28))
def williams_r(n: int) -> Expr:
    """How far the close is below the top of the range of n bars; -0.5 in a flat one. Unit: -1..0. Source: Williams (1973)."""
    return stochastic(n) - 1


@feature(fast=(12,), slow=(26,), signal=(9,))
def macd_line(fast: int, slow: int, signal: int) -> Expr:
    """Fast exponential average minus the slow one. Unit: typical ranges of a bar. Source: Appel (1979)."""
    return in_ranges(convergence(fast, slow, signal).macd)


@feature(fast=(12,), slow=(26,), signal=(9,))
def macd_signal(fast: int, slow: int, signal: int) -> Expr:
    """Exponential average of the MACD line. Unit: typical ranges of a bar. Source: Appel (1979)."""
    return in_ranges(convergence(fast, slow, signal).macdsignal)


@feature(fast=(12,), slow=(26,), signal=(9,))
def macd_histogram(fast: int, slow: int, signal: int) -> Expr:
    """MACD line minus its signal. Unit: typical ranges of a bar. Source: Appel (1979)."""
    return in_ranges(convergence(fast, slow, signal).macdhist)


@feature(n=(10, 20, 30, 60))
def roc(n: int) -> Expr:
    """Rate of change of the close over n bars. Unit: share of the earlier price. Source: common definition."""
    return close / lag(close, n) - 1


@feature(n=(10,))
def roc_acceleration(n: int) -> Expr:
    """Change of the close over n bars minus that over the n bars before. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges((close - lag(close, n)) - (lag(close, n) - lag(close, 2 * n)))


@feature
def awesome_oscillator() -> Expr:
    """Average of the bars' middles over 5 bars minus that over 34. Unit: typical ranges of a bar. Source: Williams (1998)."""
    middle = (high + low) / 2
    return in_ranges(ta.SMA(middle, timeperiod=5) - ta.SMA(middle, timeperiod=34))


@feature
def ultimate_oscillator() -> Expr:
    """Buying pressure as a share of the true range over 7, 14 and 28 bars, weighted 4:2:1; one half in a flat market.

    Unit: 0..1. Source: Williams (1985).
    """
    before = lag(close, 1)
    pressure, true_range = close - minimum(low, before), maximum(high, before) - minimum(low, before)
    fast, middle, slow = (window_ratio(pressure, true_range, n=n, flat=0.5) for n in (7, 14, 28))
    return (4 * fast + 2 * middle + slow) / 7


@feature(n=(50,))
def return_autocorrelation(n: int) -> Expr:
    """Correlation of n log returns with those one bar before: above 0 moves go on, below 0 they turn.

    Unit: -1..1. Source: Box and Jenkins (1970).
    """
    return pair(log_change, lag(log_change, 1), n=n).correlation


@feature
def rsi_divergence() -> Expr:
    """Place of the close in its range of 28 closes minus the place of RSI 14 in its own: above 0 the price rose without strength.

    Unit: -1..1. Source: Wilder (1978).
    """
    return place_in_window(close, 28) - place_in_window(strength(14), 28, STILL)


@feature
def macd_divergence() -> Expr:
    """Place of the close in its range of 52 closes minus the place of the MACD line in its own. Unit: -1..1. Source: Appel (1979)."""
    line = in_ranges(convergence(12, 26, 9).macd)
    return place_in_window(close, 52) - place_in_window(line, 52, STILL)
