"""Time: where in the day, the week and the session the bar ends, and where the price stands in its session.

The exchange's clock is counted from the session's open, so that no feature moves with daylight saving.
"""

from __future__ import annotations

import math

import numpy as np

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, cos, end_, high, low, minute, open_, session, session_length, sin, volume, weekday
from barsmith.features.kernels import Kernel, kernel
from barsmith.features.scale import in_ranges, position, ratio
from barsmith.features.windows import usual

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


@kernel(size=lambda: 1, settling=lambda: 0, outputs=("hour", "month"))
def circles(state: np.ndarray, params: tuple[float, ...], end: float, minute: float, session_length: float) -> tuple[float, float]:
    """Angles of the time in its hour of the session, and of the session in its month, 0 on the month's first day.

    A session's day is that on which it closes, in UTC. The civil calendar is counted from the 1st of March of the year 0, so that a leap
    day ends its year. Source: Hinnant (2013), chrono-compatible low-level date algorithms.
    """
    days = int((end - minute + session_length - 1.0) // 1440.0) + 719468
    since = days % 146097  # days of the four hundred years
    year = (since - since // 1460 + since // 36524 - since // 146096) // 365
    of_year = since - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153  # 0 is March, 11 February
    first = (153 * month + 2) // 5
    leap = (year + 1) % 4 == 0 and ((year + 1) % 100 != 0 or (year + 1) % 400 == 0)
    length = (153 * (month + 1) + 2) // 5 - first if month < 11 else (29 if leap else 28)
    return (minute % 60.0) * (2.0 * math.pi / 60.0), (of_year - first) * (2.0 * math.pi / length)


prices = session_prices(open_, high, low, close, session)


angles = circles(end_, minute, session_length)
height = high - low
usual_volume, usual_height = (usual(x, session, minute) for x in (volume, height))


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
def hour_minute_sin() -> Expr:
    """Sine of the minute of the hour since the session's open, a circle in an hour. Unit: -1..1. Source: common definition."""
    return sin(angles.hour)


@feature
def hour_minute_cos() -> Expr:
    """Cosine of the minute of the hour since the session's open, a circle in an hour. Unit: -1..1. Source: common definition."""
    return cos(angles.hour)


@feature
def weekday_sin() -> Expr:
    """Sine of the trade date's day and hour, a circle in a week. Unit: -1..1. Source: common definition."""
    return sin(week_angle)


@feature
def weekday_cos() -> Expr:
    """Cosine of the trade date's day and hour, a circle in a week. Unit: -1..1. Source: common definition."""
    return cos(week_angle)


@feature
def month_sin() -> Expr:
    """Sine of the session's day in its month, a circle in a month: its turn is at 0. Unit: -1..1. Source: Ariel (1987)."""
    return sin(angles.month)


@feature
def month_cos() -> Expr:
    """Cosine of the session's day in its month, a circle in a month: its turn is at 1. Unit: -1..1. Source: Ariel (1987)."""
    return cos(angles.month)


@feature
def session_progress() -> Expr:
    """Share of the session that has passed; a half-day is shorter. Unit: 0..1. Source: exchange calendar."""
    return minute / session_length


@feature
def session_minutes_since_open() -> Expr:
    """Time from the session's open to the bar's end. Unit: minutes. Source: exchange calendar."""
    return minute + 0


@feature
def session_minutes_to_close() -> Expr:
    """Time from the bar's end to the session's close; a half-day's comes sooner. Unit: minutes. Source: exchange calendar."""
    return session_length - minute


@feature
def session_volume_surprise() -> Expr:
    """Volume of the bar against the average in its half-hour of the last five sessions: difference over sum; 0 where both are 0.

    Unit: -1..1. Source: Admati and Pfleiderer (1988), volume has a shape of the day.
    """
    return ratio(volume - usual_volume, volume + usual_volume)


@feature
def session_range_surprise() -> Expr:
    """Range of the bar against the average in its half-hour of the last five sessions: difference over sum; 0 where both are 0.

    Unit: -1..1. Source: Andersen and Bollerslev (1997), volatility has a shape of the day.
    """
    return ratio(height - usual_height, height + usual_height)


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


@feature(length=(30, 60))
def session_opening_position(length: int) -> Expr:
    """Where the close lies in the range of the session's first minutes; one half where they had one price.

    Unit: 0..1 inside. Source: Crabel (1990), opening range.
    """
    return position(close, opening(length).low, opening(length).high)


@feature(length=(30, 60))
def session_opening_distance(length: int) -> Expr:
    """Close minus the middle of the range of the session's first minutes.

    Unit: typical ranges of a bar. Source: Crabel (1990), opening range.
    """
    return in_ranges(close - (opening(length).high + opening(length).low) / 2)
