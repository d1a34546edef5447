"""Time: where in the day, the week and the session the bar ends, and where the price stands in its session.

The exchange's clock is counted from the session's open, so that no feature moves with daylight saving.
"""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.graph import Expr, close, cos, high, low, minute, open_, session, session_length, sin, weekday
from barsmith.features.kernels import Kernel, kernel
from barsmith.features.registry import feature
from barsmith.features.scale import in_ranges, position

day_angle = minute * (2 * math.pi / 1440)
week_angle = (weekday + minute / 1440) * (2 * math.pi / 7)


@kernel(
    size=lambda: 8,
    settling=lambda: 0,
    sessions=2,
    outputs=("open", "high", "low", "previous_high", "previous_low", "previous_close"),
)
def session_prices(
    state: np.ndarray, params: tuple[float, ...], open_: float, high: float, low: float, close: float, session: float
) -> tuple[float, float, float, float, float, float]:
    """Open, high and low of the session so far; high, low and close of the one before."""
    if state[0] != session:
        state[4], state[5], state[6] = state[2], state[3], state[7]
        state[0], state[1], state[2], state[3] = session, open_, high, low
    if high > state[2]:
        state[2] = high
    if low < state[3]:
        state[3] = low
    state[7] = close
    return state[1], state[2], state[3], state[4], state[5], state[6]


@kernel(size=lambda length: 3, settling=lambda length: 0, sessions=1, outputs=("high", "low"))
def opening_range(
    state: np.ndarray, params: tuple[float, ...], high: float, low: float, minute: float, session: float
) -> tuple[float, float]:
    """High and low of the session's first minutes, as far as they have passed: of its first bar, and of those that end by `length`."""
    if state[0] != session:
        state[0], state[1], state[2] = session, high, low
    elif minute <= params[0]:
        if high > state[1]:
            state[1] = high
        if low < state[2]:
            state[2] = low
    return state[1], state[2]


prices = session_prices(open_, high, low, close, session)


def opening(length: int) -> Kernel:
    return opening_range(high, low, minute, session, length=length)


@feature
def hour_sin() -> Expr:
    """Sine of the time since the session's open, a circle in 24 hours. Unit: -1..1. Source: common definition."""
    return sin(day_angle)


@feature
def hour_cos() -> Expr:
    """Cosine of the time since the session's open, a circle in 24 hours. Unit: -1..1. Source: common definition."""
    return cos(day_angle)


@feature
def weekday_sin() -> Expr:
    """Sine of the trade date's day and hour, a circle in a week. Unit: -1..1. Source: common definition."""
    return sin(week_angle)


@feature
def weekday_cos() -> Expr:
    """Cosine of the trade date's day and hour, a circle in a week. Unit: -1..1. Source: common definition."""
    return cos(week_angle)


@feature
def session_progress() -> Expr:
    """Share of the session that has passed; a half-day is shorter. Unit: 0..1. Source: exchange calendar."""
    return minute / session_length


@feature
def session_minutes_since_open() -> Expr:
    """Time from the session's open to the bar's end. Unit: minutes. Source: exchange calendar."""
    return minute + 0


@feature
def session_open_distance() -> Expr:
    """Close minus the session's open. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(close - prices.open)


@feature
def session_high_distance() -> Expr:
    """Close minus the session's high so far: 0 and less. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(close - prices.high)


@feature
def session_low_distance() -> Expr:
    """Close minus the session's low so far: 0 and more. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(close - prices.low)


@feature
def session_range() -> Expr:
    """The session's high so far minus its low. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(prices.high - prices.low)


@feature
def session_position() -> Expr:
    """Where the close lies in the session's range so far; one half in a flat one. Unit: 0..1. Source: common definition."""
    return position(close, prices.low, prices.high)


@feature
def session_overnight_gap() -> Expr:
    """The session's open minus the close of the one before. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(prices.open - prices.previous_close)


@feature
def session_previous_close_distance() -> Expr:
    """Close minus the close of the session before. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(close - prices.previous_close)


@feature
def session_previous_high_distance() -> Expr:
    """Close minus the high of the session before. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(close - prices.previous_high)


@feature
def session_previous_low_distance() -> Expr:
    """Close minus the low of the session before. Unit: typical ranges of a bar. Source: common definition."""
    return in_ranges(close - prices.previous_low)


@feature(length=(60,))
def session_opening_position(length: int) -> Expr:
    """Where the close lies in the range of the session's first minutes; one half where they had one price.

    Unit: 0..1 inside. Source: Crabel (1990), opening range.
    """
    return position(close, opening(length).low, opening(length).high)


@feature(length=(60,))
def session_opening_distance(length: int) -> Expr:
    """Close minus the middle of the range of the session's first minutes.

    Unit: typical ranges of a bar. Source: Crabel (1990), opening range.
    """
    return in_ranges(close - (opening(length).high + opening(length).low) / 2)
