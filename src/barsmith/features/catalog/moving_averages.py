"""Moving averages: how far the close is from them, which way they point, and how far apart they are."""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, lag
from barsmith.features.indicators import ta
from barsmith.features.kernels import kernel, push
from barsmith.features.scale import in_ranges, typical_range

#: Bars over which a slope is taken.
SLOPE = 5
#: Periods of the averages that are in order where a trend is old.
RIBBON = (10, 20, 50, 100, 200)


@kernel(size=lambda n: n, settling=lambda n: n - 1)
def weighted_average(state: np.ndarray, params: tuple[float, ...], x: float) -> float:
    """Average of the last n with weights 1 for the oldest to n for the newest.

    Summed afresh: TA-Lib's running sums are off in the eleventh digit, which a Hull average of still bars shows.
    """
    push(state, x)
    n, total = len(state), 0.0
    for i in range(n):
        total += (i + 1) * (state[i] - x)
    return x + total / (n * (n + 1) / 2)


@kernel(size=lambda: 1, settling=lambda: 0)
def in_order(state: np.ndarray, params: tuple[float, ...], a: float, b: float, c: float, d: float, e: float, unit: float) -> float:
    """How far each of five is above the next, in units and -1 to 1, on average."""
    total = 0.0
    for step in (a - b, b - c, c - d, d - e):
        total += min(max(step / unit, -1.0), 1.0)
    return total / 4.0


def simple(n: int) -> Expr:
    return ta.SMA(close, timeperiod=n)


def exponential(n: int) -> Expr:
    return ta.EMA(close, timeperiod=n)


def hull(n: int) -> Expr:
    """Hull's average: a weighted average of twice the fast weighted average less the slow one."""
    ahead = 2 * weighted_average(close, n=n // 2) - weighted_average(close, n=n)
    return weighted_average(ahead, n=round(math.sqrt(n)))


def distance(average: Expr) -> Expr:
    return in_ranges(close - average)


def slope(average: Expr) -> Expr:
    return in_ranges(average - lag(average, SLOPE))


@feature(n=(10, 20, 50, 100, 200))
def sma_distance(n: int) -> Expr:
    """Close minus its simple average of n bars. Unit: typical ranges of a bar. Source: common definition."""
    return distance(simple(n))


@feature(n=(9, 21, 50))
def ema_distance(n: int) -> Expr:
    """Close minus its exponential average of n bars. Unit: typical ranges of a bar. Source: common definition."""
    return distance(exponential(n))


@feature(n=(20,))
def wma_distance(n: int) -> Expr:
    """Close minus its linearly weighted average of n bars. Unit: typical ranges of a bar. Source: common definition."""
    return distance(weighted_average(close, n=n))


@feature(n=(20,))
def dema_distance(n: int) -> Expr:
    """Close minus its double exponential average of n bars. Unit: typical ranges of a bar. Source: Mulloy (1994)."""
    return distance(ta.DEMA(close, timeperiod=n))


@feature(n=(20,))
def tema_distance(n: int) -> Expr:
    """Close minus its triple exponential average of n bars. Unit: typical ranges of a bar. Source: Mulloy (1994)."""
    return distance(ta.TEMA(close, timeperiod=n))


@feature(n=(10,))
def kama_distance(n: int) -> Expr:
    """Close minus its adaptive average, whose speed follows the efficiency of n bars.

    Unit: typical ranges of a bar. Source: Kaufman (1995).
    """
    return distance(ta.KAMA(close, timeperiod=n))


@feature(n=(16, 48))
def hma_distance(n: int) -> Expr:
    """Close minus its Hull average of n bars. Unit: typical ranges of a bar. Source: Hull (2005)."""
    return distance(hull(n))


@feature(n=(20, 50))
def sma_slope(n: int) -> Expr:
    """Change of the simple average of n bars over five bars. Unit: typical ranges of a bar. Source: common definition."""
    return slope(simple(n))


@feature(n=(9, 21))
def ema_slope(n: int) -> Expr:
    """Change of the exponential average of n bars over five bars. Unit: typical ranges of a bar. Source: common definition."""
    return slope(exponential(n))


@feature(n=(20,))
def wma_slope(n: int) -> Expr:
    """Change of the linearly weighted average of n bars over five bars. Unit: typical ranges of a bar. Source: common definition."""
    return slope(weighted_average(close, n=n))


@feature(n=(20,))
def dema_slope(n: int) -> Expr:
    """Change of the double exponential average over five bars. Unit: typical ranges of a bar. Source: Mulloy (1994)."""
    return slope(ta.DEMA(close, timeperiod=n))


@feature(n=(20,))
def tema_slope(n: int) -> Expr:
    """Change of the triple exponential average over five bars. Unit: typical ranges of a bar. Source: Mulloy (1994)."""
    return slope(ta.TEMA(close, timeperiod=n))


@feature(n=(10,))
def kama_slope(n: int) -> Expr:
    """Change of the adaptive average over five bars. Unit: typical ranges of a bar. Source: Kaufman (1995)."""
    return slope(ta.KAMA(close, timeperiod=n))


@feature(n=(16,))
def hma_slope(n: int) -> Expr:
    """Change of the Hull average of n bars over five bars. Unit: typical ranges of a bar. Source: Hull (2005)."""
    return slope(hull(n))


@feature(fast=(20,), slow=(50,))
def sma_spread(fast: int, slow: int) -> Expr:
    """Fast simple average minus the slow one. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(simple(fast) - simple(slow))


@feature
def sma_alignment() -> Expr:
    """Whether the averages of 10, 20, 50, 100 and 200 bars stand in the order of a trend: each above the next by a typical range or more
    gives 1, below it -1; their average.

    Unit: -1..1. Source: Guppy (2004), multiple averages.
    """
    return in_order(*(simple(n) for n in RIBBON), typical_range())


@feature(fast=(9,), slow=(21, 50))
def ema_spread(fast: int, slow: int) -> Expr:
    """Fast exponential average minus the slow one. Unit: typical ranges of a bar. Source: Appel (1979)."""
    return in_ranges(exponential(fast) - exponential(slow))
