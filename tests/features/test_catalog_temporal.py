"""Time and session features, session by session in plain Python, over a clock change, a halt and a half-day."""

from __future__ import annotations

import math
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from formulas import agree, atr, bars_of, quotient, usual
from single import read

from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.markets import SESSIONS, ordinary_minutes

CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture(scope="module")
def levels(ordinary):
    """Open, high and low of the session so far, high, low and close of the last one, opening range: each bar from scratch."""
    b = bars_of(ordinary.bars["5m"])
    names = ("open", "high", "low", "before_high", "before_low", "before_close", "top", "bottom", "early_top", "early_bottom")
    found = {name: np.full(len(b.close), np.nan) for name in names}
    for number in np.unique(b.session):
        (rows,) = np.nonzero(b.session == number)
        before = np.flatnonzero(b.session < number)
        before = before[b.session[before] == b.session[before[-1]]] if len(before) else before
        for t in rows:
            so_far = rows[rows <= t]
            first_hour, half_hour = so_far[b.minute[so_far] <= 60], so_far[b.minute[so_far] <= 30]
            found["open"][t] = b.open[rows[0]]
            found["high"][t], found["low"][t] = b.high[so_far].max(), b.low[so_far].min()
            found["top"][t], found["bottom"][t] = b.high[first_hour].max(), b.low[first_hour].min()
            found["early_top"][t], found["early_bottom"][t] = b.high[half_hour].max(), b.low[half_hour].min()
            if len(before):
                found["before_high"][t], found["before_low"][t] = b.high[before].max(), b.low[before].min()
                found["before_close"][t] = b.close[before[-1]]
    return bars_of(found)


def surprise(b, x):
    usually = usual(x, b.session, b.minute)
    return quotient(x - usually, x + usually, 0)


def month_angle(b):
    """By the calendar of Python: the day on which the session closes, in UTC."""
    closes = [date.fromtimestamp(0) + timedelta(days=int(SESSIONS.closes[int(number)] - 1) // 1440) for number in b.session]
    return np.array([2 * np.pi * (day.day - 1) / monthrange(day.year, day.month)[1] for day in closes])


EXPECTED = {
    "hour_sin": lambda b, s: np.sin(2 * np.pi * b.minute / 1440),
    "hour_cos": lambda b, s: np.cos(2 * np.pi * b.minute / 1440),
    "weekday_sin": lambda b, s: np.sin(2 * np.pi * (b.weekday + b.minute / 1440) / 7),
    "weekday_cos": lambda b, s: np.cos(2 * np.pi * (b.weekday + b.minute / 1440) / 7),
    "hour_minute_sin": lambda b, s: np.sin(2 * np.pi * (b.minute % 60) / 60),
    "hour_minute_cos": lambda b, s: np.cos(2 * np.pi * (b.minute % 60) / 60),
    "month_sin": lambda b, s: np.sin(month_angle(b)),
    "month_cos": lambda b, s: np.cos(month_angle(b)),
    "session_minutes_to_close": lambda b, s: b.session_length - b.minute,
    "session_volume_surprise": lambda b, s: surprise(b, b.volume),
    "session_range_surprise": lambda b, s: surprise(b, b.high - b.low),
    "session_progress": lambda b, s: b.minute / b.session_length,
    "session_minutes_since_open": lambda b, s: b.minute,
    "session_open_distance": lambda b, s: (b.close - s.open) / atr(b),
    "session_high_distance": lambda b, s: (b.close - s.high) / atr(b),
    "session_low_distance": lambda b, s: (b.close - s.low) / atr(b),
    "session_range": lambda b, s: (s.high - s.low) / atr(b),
    "session_position": lambda b, s: quotient(b.close - s.low, s.high - s.low, 0.5),
    "session_overnight_gap": lambda b, s: (s.open - s.before_close) / atr(b),
    "session_previous_close_distance": lambda b, s: (b.close - s.before_close) / atr(b),
    "session_previous_high_distance": lambda b, s: (b.close - s.before_high) / atr(b),
    "session_previous_low_distance": lambda b, s: (b.close - s.before_low) / atr(b),
    "session_opening_position_30": lambda b, s: quotient(b.close - s.early_bottom, s.early_top - s.early_bottom, 0.5),
    "session_opening_distance_30": lambda b, s: (b.close - (s.early_top + s.early_bottom) / 2) / atr(b),
    "session_opening_position_60": lambda b, s: quotient(b.close - s.bottom, s.top - s.bottom, 0.5),
    "session_opening_distance_60": lambda b, s: (b.close - (s.top + s.bottom) / 2) / atr(b),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_session_feature_is_its_formula(name, ordinary, levels):
    agree(ordinary, name, EXPECTED[name](bars_of(ordinary.bars["5m"]), levels))


def test_the_first_bar_after_five_in_chicago_has_the_same_hour_in_summer_and_winter(ordinary):
    """22:05 UTC in October, 23:05 UTC in November: the exchange's clock has not moved."""
    ends = ordinary.ends["5m"]
    local = [datetime.fromtimestamp(60 * int(end), UTC).astimezone(CHICAGO) for end in ends]
    first = np.array([(moment.hour, moment.minute) == (17, 5) for moment in local])
    assert len({datetime.fromtimestamp(60 * int(end), UTC).hour for end in ends[first]}) == 2
    assert set(ordinary.column("hour_sin")[first]) == {math.sin(2 * math.pi * 5 / 1440)}
    assert set(ordinary.column("session_minutes_since_open")[first]) == {5.0}


def test_a_half_day_ends_at_one_all_the_same(awkward):
    bars = awkward.bars["5m"]
    (last,) = np.nonzero(np.diff(bars["session"], append=np.inf))
    short = last[bars["session_length"][last] == 1155]
    assert len(short) == 1
    assert awkward.column("session_progress")[short] == 1
    assert awkward.column("session_minutes_since_open")[short] == 1155


def test_every_day_of_four_hundred_years_has_its_day_of_the_month():
    days = np.arange(-1000, 146_097)
    closes = 1440.0 * (days + 1)
    columns = {"end": closes, "minute": np.full(len(days), 1380.0), "session_length": np.full(len(days), 1380.0)}
    found = np.arctan2(read("month_sin", **columns), read("month_cos", **columns)) % (2 * np.pi)
    dates = [date(1970, 1, 1) + timedelta(days=int(day)) for day in days]
    expected = np.array([(day.day - 1) / monthrange(day.year, day.month)[1] for day in dates])
    np.testing.assert_allclose(found / (2 * np.pi), expected, atol=1e-12)


def test_a_session_that_opens_on_the_last_evening_of_a_month_belongs_to_the_next():
    """31 October 2024, 22:05 UTC: the session of 1 November has begun, and it has 23 hours."""
    end = datetime(2024, 10, 31, 22, 5, tzinfo=UTC).timestamp() / 60
    assert read("month_cos", end=[end], minute=[5.0], session_length=[1380.0])[0] == 1
    assert read("month_cos", end=[end - 1440], minute=[5.0], session_length=[1380.0])[0] == pytest.approx(math.cos(2 * math.pi * 30 / 31))


def test_a_surprise_is_measured_on_the_half_hour_of_five_sessions():
    """Volumes 1, 2, 4, 8, 16, 32 and 64 in seven sessions at one minute; in another half-hour there are none."""
    columns = {"volume": 2.0 ** np.arange(7), "session": np.arange(7.0), "minute": np.full(7, 30.0), "close": np.full(7, 5.0)}
    found = read("session_volume_surprise", **columns)
    assert np.isnan(found[0])
    assert found[1] == (2 - 1) / (2 + 1)
    assert found[6] == pytest.approx((64 - 62 / 5) / (64 + 62 / 5))


def test_saturday_is_not_monday():
    """Markets that never close trade on all seven days."""
    angles = [(read("weekday_sin", weekday=[d], minute=[0.0])[0], read("weekday_cos", weekday=[d], minute=[0.0])[0]) for d in range(7)]
    assert len({(round(a, 6), round(b, 6)) for a, b in angles}) == 7


def test_the_days_of_one_session_by_hand():
    """Two sessions of three bars; every true range counts for nothing here, so positions are looked at."""
    columns = {
        "open": [10, 11, 12, 20, 21, 19.0],
        "high": [12, 13, 12, 22, 21, 20.0],
        "low": [9, 11, 11, 19, 20, 16.0],
        "close": [11, 12, 12, 21, 20, 16.0],
        "session": [1, 1, 1, 2, 2, 2.0],
        "minute": [30, 60, 90, 30, 60, 90.0],
    }
    assert read("session_position", **columns).tolist() == pytest.approx([2 / 3, 3 / 4, 3 / 4, 2 / 3, 1 / 3, 0])
    assert read("session_opening_position_60", **columns).tolist() == pytest.approx([2 / 3, 3 / 4, 3 / 4, 2 / 3, 1 / 3, -1])


def test_an_opening_range_longer_than_the_bar_is_at_least_the_first_bar():
    columns = {"close": [5, 9, 7.0], "session": [1, 1, 1.0], "minute": [240, 480, 720.0]}
    assert read("session_opening_position_60", **{**columns, "high": [6, 9, 9.0], "low": [4, 5, 6.0]}).tolist() == [0.5, 2.5, 1.5]


@pytest.mark.parametrize("base", ["1m", "15m", "1h"])
def test_session_features_settle_in_sessions_whatever_the_base(base):
    features = {name: catalogue()[name].expr for name in ("session_position", "session_opening_position_60")}
    minutes = ordinary_minutes(5, seed=8)
    plan = Plan(features, base=base, sessions=SESSIONS)
    whole, later = plan.read(minutes), plan.read(minutes[677:])
    step = {"1m": 1, "15m": 15, "1h": 60}[base]
    # two days' bars, one more where the first is broken
    assert later.first_settled[0] == 2 * 1440 // step + (677 % step != 0)
    rows = whole.matrix[len(whole.matrix) - len(later.matrix) :]
    first = int(later.first_settled.max())
    assert np.array_equal(later.matrix[first:], rows[first:])
    assert not np.array_equal(later.matrix[:first], rows[:first])
