"""The plan: higher bars seen from their close, settling counted in bars, and definitions that can be told apart."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from barsmith.bars.ladder import rung_column
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.errors import DataError, UsageError
from barsmith.features import close, high, lag, on, ta
from barsmith.features import plan as plan_module
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import settling

SESSIONS = load_sessions("equity_index", "ETH")
OPEN = int(SESSIONS.opens[SESSIONS.number(29_000_000) + 5])


def steady(n: int, start: int = OPEN) -> Minutes:
    """Every in-session minute from `start`, closes 1, 2, 3, ..."""
    time = np.arange(start, start + 3 * n + 10_000)
    time = time[SESSIONS.numbers(time) >= 0][:n]
    price = np.arange(1.0, n + 1)
    return Minutes.of(time, np.column_stack([price, price, price, price, np.ones(n)]))


def plan_of(**features) -> Plan:
    return Plan(features, base="5m", sessions=SESSIONS)


def test_an_hour_is_seen_from_its_close_and_not_a_bar_later():
    reading = plan_of(hour=on("1h", close)).read(steady(180))
    hour = reading.matrix[:, 0]
    assert np.isnan(hour[:11]).all()  # bars that end 5..55 minutes after the open
    assert hour[11:23].tolist() == [60.0] * 12  # from the bar that ends with the hour
    assert hour[23] == 120.0


def test_a_value_joined_on_the_hours_open_would_be_seen_too_early():
    """The planted leak: 0 would stand where 60 does, and the live reading could never give it."""
    reading = plan_of(hour=on("1h", close)).read(steady(180))
    leaking = np.searchsorted(np.array([0, 60, 120]), reading.base.start - OPEN, "right") - 1
    assert (np.array([60.0, 120.0, 180.0])[leaking] != reading.matrix[:, 0]).any()


def test_minutes_under_the_base_are_seen_as_of_its_close():
    reading = plan_of(minute=on("1m", close)).read(steady(15))
    assert reading.matrix[:, 0].tolist() == [5.0, 10.0, 15.0]


def test_a_rung_that_is_the_base_is_the_base():
    reading = plan_of(a=on("5m", lag(close, 1)), b=lag(close, 1)).read(steady(30))
    assert (reading.matrix[1:, 0] == reading.matrix[1:, 1]).all()
    assert len(plan_of(a=on("5m", close), b=close).nodes) == 1


def test_a_timeframe_inside_a_timeframe_is_refused():
    with pytest.raises(UsageError) as refused:
        plan_of(x=on("1h", on("4h", close)))
    assert refused.value.code == "features/nested-timeframe"


def test_settling_is_counted_in_bars_of_each_timeframe():
    assert settling(lag(close, 3), "5m") == {"5m": 4}
    assert settling(on("1h", lag(close, 3)), "5m") == {"1h": 4}
    reading = plan_of(a=lag(close, 3), b=on("1h", lag(close, 1))).read(steady(300))
    assert reading.first_settled.tolist() == [3, 23]  # the fourth bar; the bar that ends with the second hour


@pytest.mark.parametrize("late", [0, 2, 5, 17])
@pytest.mark.parametrize("known", [0, 1, 4, 59, 60, 61, 119, 200, 290])
def test_live_settles_at_the_bar_where_batch_does(known, late):
    """late: the first minute of history is so far into the session, so that its first bars are not whole."""
    minutes = steady(310)[late:]
    plan = plan_of(a=lag(close, 3), b=on("1h", lag(close, 1)), c=lag(on("1h", close), 2))
    reading = plan.read(minutes)
    live = Live(plan, minutes[:known])
    found = [f for t, bar in zip(minutes.time[known:].tolist(), minutes.bars[known:].tolist(), strict=True) for f in live.update(t, bar)]
    assert [f.settled for f in found] == reading.settled[len(reading.settled) - len(found) :].tolist()


def test_a_bar_that_history_begins_within_settles_nothing():
    whole, late = (plan_of(a=on("1h", close)).read(steady(300)[n:]) for n in (0, 1))
    assert [int(r.first_settled[0]) for r in (whole, late)] == [11, 23]


def test_a_minute_before_the_clock_is_refused_and_changes_nothing():
    minutes, plan = steady(20), plan_of(a=close)
    live = Live(plan, minutes)
    with pytest.raises(DataError) as refused:
        live.update(int(minutes.time[0]), [1.0] * 5)
    assert refused.value.code == "stream/late"
    assert live.now == int(minutes.time[-1]) + 1


def test_a_later_minute_closes_the_bars_that_nobody_finished():
    minutes, plan = steady(8), plan_of(a=close)
    live = Live(plan, minutes[:6])
    assert [f.features for f in live.update(int(minutes.time[0]) + 12, [9.0] * 5)] == [[6.0]]


def test_the_clock_alone_closes_a_bar():
    minutes, plan = steady(8), plan_of(a=close)
    live = Live(plan, minutes)
    assert live.advance(int(minutes.time[0]) + 9) == []
    assert [f.features for f in live.advance(int(minutes.time[0]) + 10)] == [[8.0]]


def test_the_fingerprint_of_a_definition_is_the_same_in_every_process():
    code = (
        "from barsmith.bars.sessions import load_sessions; from barsmith.features import *; from barsmith.features.plan import Plan;"
        "print(Plan({'a': zscore(close, n=5), 'b': on('1h', ta.RSI(close, timeperiod=14))}, base='5m',"
        " sessions=load_sessions('equity_index', 'ETH')).fingerprints())"
    )
    outputs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(outputs) == 1


def test_another_definition_has_another_fingerprint():
    one = plan_of(a=ta.RSI(close, timeperiod=14)).fingerprints()
    assert one != plan_of(a=ta.RSI(close, timeperiod=15)).fingerprints()
    assert one != plan_of(a=on("1h", ta.RSI(close, timeperiod=14))).fingerprints()


def test_of_each_timeframe_only_the_columns_that_are_read_are_made(monkeypatch):
    made = []
    monkeypatch.setattr(
        plan_module, "rung_column", lambda rung, sessions, name: made.append((rung.timeframe, name)) or rung_column(rung, sessions, name)
    )
    reading = plan_of(a=close - lag(close, 1), b=on("1h", high - close)).read(steady(180))
    assert sorted(made) == [("1h", "close"), ("1h", "high"), ("5m", "close")]
    assert reading.matrix[-1].tolist() == [5.0, 0.0]


def test_no_minutes_give_no_bars():
    reading = plan_of(a=lag(close, 1), b=on("1h", close)).read(Minutes.empty())
    assert reading.matrix.shape == (0, 2)
