"""Price: returns, ranges, gaps and the shape of the bar."""

from __future__ import annotations

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, log, low, maximum, minimum, open_
from barsmith.features.indicators import ta
from barsmith.features.scale import in_ranges, log_close, position, ratio
from barsmith.features.windows import moments

bar_height = high - low


@feature(n=(1, 2, 3, 6, 12, 24, 48))
def log_return(n: int) -> Expr:
    """Logarithm of the close over the close n bars ago. Unit: log return. Source: common definition."""
    return log_close - lag(log_close, n)


@feature(n=(5,))
def simple_return(n: int) -> Expr:
    """Change of the close over n bars. Unit: share of the earlier price. Source: common definition."""
    return close / lag(close, n) - 1


@feature(n=(3, 12, 36))
def price_move(n: int) -> Expr:
    """Change of the close over n bars, made comparable between calm and wild markets.

    Unit: typical ranges of a bar. Source: common definition.
    """
    return in_ranges(close - lag(close, n))


@feature(n=(50,))
def return_zscore(n: int) -> Expr:
    """The bar's log return against those of the last n bars. Unit: standard deviations. Source: common definition."""
    return moments(log_return(1), n=n).zscore


@feature(n=(50, 100))
def close_zscore(n: int) -> Expr:
    """The close against the closes of the last n bars. Unit: standard deviations. Source: common definition."""
    return moments(close, n=n).zscore


@feature
def bar_range() -> Expr:
    """High minus low of the bar. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(bar_height)


@feature
def high_low_ratio() -> Expr:
    """Logarithm of the bar's high over its low. Unit: log return. Source: common definition."""
    return log(high / low)


@feature
def close_open_ratio() -> Expr:
    """Logarithm of the bar's close over its open. Unit: log return. Source: common definition."""
    return log(close / open_)


@feature
def high_open_ratio() -> Expr:
    """Logarithm of the bar's high over its open. Unit: log return, 0 and more. Source: common definition."""
    return log(high / open_)


@feature
def low_open_ratio() -> Expr:
    """Logarithm of the bar's low over its open. Unit: log return, 0 and less. Source: common definition."""
    return log(low / open_)


@feature
def body_share() -> Expr:
    """Close minus open as a share of the bar's range; 0 for a bar of one price. Unit: -1..1. Source: Nison (1991), real body."""
    return ratio(close - open_, bar_height)


@feature
def upper_shadow_share() -> Expr:
    """What lies above the body, as a share of the bar's range; 0 for a bar of one price. Unit: 0..1. Source: Nison (1991), upper shadow."""
    return ratio(high - maximum(open_, close), bar_height)


@feature
def lower_shadow_share() -> Expr:
    """What lies below the body, as a share of the bar's range; 0 for a bar of one price. Unit: 0..1. Source: Nison (1991), lower shadow."""
    return ratio(minimum(open_, close) - low, bar_height)


@feature
def open_gap() -> Expr:
    """Open minus the close before, over a session break too. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(open_ - lag(close, 1))


@feature(n=(20, 100))
def high_distance(n: int) -> Expr:
    """Close minus the highest high of n bars: 0 at a new high, else less. Unit: typical ranges of a bar. Source: Donchian (1960)."""
    return in_ranges(close - ta.MAX(high, timeperiod=n))


@feature(n=(20, 100))
def low_distance(n: int) -> Expr:
    """Close minus the lowest low of n bars: 0 at a new low, else more. Unit: typical ranges of a bar. Source: Donchian (1960)."""
    return in_ranges(close - ta.MIN(low, timeperiod=n))


@feature(n=(50,))
def range_position(n: int) -> Expr:
    """Where the close lies between the lowest low and the highest high of n bars. Unit: 0..1. Source: Donchian (1960)."""
    return position(close, ta.MIN(low, timeperiod=n), ta.MAX(high, timeperiod=n))
