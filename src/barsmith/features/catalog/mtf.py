"""Other timeframes: the same few indicators on each, whether they agree, and where they part.

Everything here looks through plain windows of at most 20 bars, so that a 1d feature has settled after 20 sessions.
A value is that of the timeframe's last finished bar.
"""

from __future__ import annotations

from barsmith.config import TIMEFRAMES
from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, lag, log, low, on, sign, sqrt, volume
from barsmith.features.indicators import ta
from barsmith.features.kernels import mean
from barsmith.features.scale import location, log_change, mean_range, position, ratio
from barsmith.features.windows import moments, window_ratio

#: Rungs with every indicator; those between them have the few that say most.
RUNGS = ("1m", "15m", "30m", "1h", "4h", "1d")
TREND = 10


def strength(n: int = 14) -> Expr:
    """Relative strength over a plain window, 0..1."""
    step = close - lag(close, 1)
    return 0.5 + window_ratio(step, abs(step), n=n, flat=0.0) / 2


def direction() -> Expr:
    """Sign of the slope of the simple average of ten bars, which is that of the close's change over ten: exact where it is 0."""
    return sign(close - lag(close, TREND))


def volatility() -> Expr:
    return sqrt(mean(log_change * log_change, n=10))


@feature(timeframe=RUNGS)
def return_on(timeframe: str) -> Expr:
    """Change of the close over the last bar of another timeframe. Unit: its average range of ten bars. Source: common definition."""
    return on(timeframe, (close - lag(close, 1)) / mean_range(10))


@feature(timeframe=tuple(TIMEFRAMES))
def rsi_on(timeframe: str) -> Expr:
    """Share of the last 14 moves of another timeframe that was upward; one half where nothing moved.

    Unit: 0..1. Source: Wilder (1978), with Cutler's plain averages.
    """
    return on(timeframe, strength())


@feature(timeframe=tuple(TIMEFRAMES))
def bollinger_position_on(timeframe: str) -> Expr:
    """Where the close lies between the Bollinger bands of 20 bars of another timeframe.

    Unit: 0..1 between the bands. Source: Bollinger (2001), %b.
    """
    return on(timeframe, 0.5 + moments(close, n=20).zscore / 4)


@feature(timeframe=RUNGS)
def stochastic_on(timeframe: str) -> Expr:
    """Where the close lies in the range of 14 bars of another timeframe; one half in a flat one.

    Unit: 0..1. Source: Lane (1984), fast %K.
    """
    return on(timeframe, position(close, ta.MIN(low, timeperiod=14), ta.MAX(high, timeperiod=14)))


@feature(timeframe=RUNGS)
def realized_volatility_on(timeframe: str) -> Expr:
    """Root of the mean squared log return of ten bars of another timeframe. Unit: log return. Source: Andersen and Bollerslev (1998)."""
    return on(timeframe, volatility())


@feature(timeframe=RUNGS)
def log_volume_on(timeframe: str) -> Expr:
    """Logarithm of the volume over its average of ten bars of another timeframe, one lot added to both.

    Unit: logarithm. Source: common definition.
    """
    return on(timeframe, log((volume + 1) / (mean(volume, n=10) + 1)))


@feature(timeframe=("1m", "15m", "1h"))
def accumulation_on(timeframe: str) -> Expr:
    """Volume of ten bars of another timeframe, each counted by where it closed in its range, as a share of all.

    Unit: -1..1. Source: Chaikin money flow.
    """
    return on(timeframe, window_ratio(location * volume, volume, n=10, flat=0.0))


@feature(timeframe=tuple(TIMEFRAMES))
def trend_alignment(timeframe: str) -> Expr:
    """Sign of the slope of another timeframe's simple average of ten bars. Unit: -1, 0 or 1. Source: common definition."""
    return on(timeframe, direction())


@feature
def trend_alignment_all(base_timeframe: str) -> Expr:
    """Average sign of the slopes on the base, 15m, 30m, 1h, 4h and 1d, each once: 1 where all of them rise.

    Unit: -1..1. Source: Elder (1993), triple screen.
    """
    others = [timeframe for timeframe in RUNGS[1:] if timeframe != base_timeframe]
    total = direction()
    for timeframe in others:
        total = total + on(timeframe, direction())
    return total / (1 + len(others))


def strength_beside(timeframe: str, base_timeframe: str) -> Expr | None:
    """The base's relative strength minus that of a longer timeframe; a base as long or longer has none."""
    if TIMEFRAMES.get(base_timeframe, 0) >= TIMEFRAMES[timeframe]:
        return None
    return strength() - on(timeframe, strength())


@feature
def rsi_15m_divergence(base_timeframe: str) -> Expr | None:
    """Relative strength of the base minus that of 15m. Unit: -1..1. Source: Wilder (1978), with Cutler's plain averages."""
    return strength_beside("15m", base_timeframe)


@feature
def rsi_1h_divergence(base_timeframe: str) -> Expr | None:
    """Relative strength of the base minus that of 1h. Unit: -1..1. Source: Wilder (1978), with Cutler's plain averages."""
    return strength_beside("1h", base_timeframe)


@feature
def rsi_4h_divergence(base_timeframe: str) -> Expr | None:
    """Relative strength of the base minus that of 4h. Unit: -1..1. Source: Wilder (1978), with Cutler's plain averages."""
    return strength_beside("4h", base_timeframe)


@feature
def trend_1h_4h_divergence() -> Expr:
    """Sign of the slope on 1h minus that on 4h, halved: the hours turn before the day does.

    Unit: -1..1. Source: Elder (1993), triple screen.
    """
    return (on("1h", direction()) - on("4h", direction())) / 2


@feature
def volatility_15m_1h_divergence() -> Expr:
    """Twice the volatility of 15m minus that of 1h, over their sum: above 0 the small moves cancel out; 0 in a flat market.

    Unit: -1..1. Source: Lo and MacKinlay (1988), variance ratio.
    """
    small, large = 2 * on("15m", volatility()), on("1h", volatility())
    return ratio(small - large, small + large)
